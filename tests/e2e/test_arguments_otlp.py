"""The arguments of the OTLP exporters, tried one by one against servers that write down what they see."""

import base64
import json
import threading
import time

from lib import river
from lib.arguments import (
    Case,
    Side,
    World,
    environment_trust,
    header,
    indented,
    path,
    reached,
    refused_by_client,
    requests,
    run,
    silence,
    through_environment,
    through_proxy,
    tls_cases,
    tls_version_cases,
)
from lib.context import e2e
from lib.net import free_port, http, wait_for

SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "b7ad6b7169203331",
    "startTimeUnixNano": "1767225600000000000",
}
WORDS = " ".join(f"word{n}" for n in range(400))
BODIES = {
    "traces": {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [{**SPAN, "name": WORDS, "endTimeUnixNano": SPAN["startTimeUnixNano"]}]}]}
        ]
    },
    "metrics": {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {
                        "metrics": [
                            {
                                "name": "m",
                                "gauge": {"dataPoints": [{"asInt": "1", "timeUnixNano": "1767225600000000000"}]},
                            }
                        ]
                    }
                ]
            }
        ]
    },
    "logs": {
        "resourceLogs": [
            {"scopeLogs": [{"logRecords": [{"timeUnixNano": "1767225600000000000", "body": {"stringValue": "b"}}]}]}
        ]
    },
}


def post(port, signal):
    """What comes back does not matter: dead exporters are part of the fan-out."""

    def send():
        try:
            body = json.dumps(BODIES[signal]).encode()
            http(f"http://127.0.0.1:{port}/v1/{signal}", body, {"Content-Type": "application/json"}, timeout=3)
        except OSError:
            pass

    threading.Thread(target=send, daemon=True).start()


def answer(seen):
    if seen.header("content-type").startswith("application/grpc"):
        return 0, {}, b""
    return 200, {"Content-Type": "application/x-protobuf"}, b""


def unavailable(seen):
    if seen.header("content-type").startswith("application/grpc"):
        return 14, {}, b""
    return 503, {}, b""


def retry_cases(component):
    """retry_on_failure: attempts are counted in a time that tells the values apart."""

    def retry(*lines, then=()):
        return Side("", *then, outer="retry_on_failure {\n" + "\n".join("  " + line for line in lines) + "\n}")

    def given_up(metrics, label, **_):
        return metrics.sum("hyagent_endpoint_dropped_total", component_id=f"{component}.{label}") >= 1

    def kept(metrics, label, **_):
        return not given_up(metrics, label)

    fast, steep = 'initial_interval = "100ms"', "multiplier = 50"
    cases = [
        Case(
            "retry_on_failure.enabled",
            retry("enabled = true", then=(requests(1), kept)),
            retry("enabled = false", then=(requests(1, 1), given_up)),
        ),
        Case("retry_on_failure.initial_interval", retry(then=[requests(1, 1)]), retry(fast, then=[requests(3)])),
        Case(
            "retry_on_failure.multiplier",
            retry(fast, 'max_interval = "1h"', steep, then=[requests(2, 3)]),
            retry(fast, 'max_interval = "1h"', "multiplier = 1", then=[requests(5)]),
        ),
        Case(
            "retry_on_failure.max_interval",
            retry(fast, steep, then=[requests(2, 3)]),
            retry(fast, steep, 'max_interval = "200ms"', then=[requests(5)]),
        ),
        Case(
            "retry_on_failure.max_elapsed_time",
            retry(fast, then=[requests(3), kept]),
            retry(fast, 'max_elapsed_time = "500ms"', then=[requests(1), given_up]),
        ),
    ]
    for case in cases:
        case.reply = unavailable
    return cases


def auth_cases():
    def side(kind, body, *expected):
        before = f'otelcol.auth.{kind} "LABEL" {{\n{body}\n}}\n'
        return Side(f"auth = otelcol.auth.{kind}.LABEL.handler", *expected, before=before)

    def authorization(text):
        return header("authorization", text)

    basic = "Basic " + base64.b64encode(b"someone:word").decode()
    bearer, row = 'token = "t"', 'header {\n  key = "x-row"\n  value = "v"'
    return [
        Case(
            "auth: otelcol.auth.basic",
            Side("", authorization("")),
            side("basic", 'username = "someone"\npassword = "word"', authorization(basic)),
        ),
        Case(
            "auth: otelcol.auth.bearer.token",
            Side("", authorization("")),
            side("bearer", bearer, authorization("Bearer t")),
        ),
        Case(
            "auth: otelcol.auth.bearer.scheme",
            side("bearer", bearer, authorization("Bearer t")),
            side("bearer", bearer + '\nscheme = "Token"', authorization("Token t")),
        ),
        Case(
            "auth: otelcol.auth.bearer.header",
            side("bearer", bearer, header("x-row", "")),
            side("bearer", bearer + '\nheader = "x-row"', header("x-row", "Bearer t"), authorization("")),
        ),
        Case(
            "auth: otelcol.auth.headers.header",
            Side("", header("x-row", "")),
            side("headers", row + "\n}", header("x-row", "v")),
        ),
        Case(
            "auth: otelcol.auth.headers.header.action",
            Side('headers = {"x-row" = "own"}', header("x-row", "own")),
            side("headers", row + '\n  action = "delete"\n}', header("x-row", "")),
        ),
    ]


def tls_side(*lines, then):
    return Side("tls {\n" + "\n".join("  " + line for line in lines) + "\n}", then)


def system_roots_case(w):
    stranger = f"ca_pem = {river.string(w.stranger.pem)}"
    return Case(
        "tls.include_system_ca_certs_pool",
        tls_side(stranger, then=refused_by_client),
        tls_side(stranger, "include_system_ca_certs_pool = true", then=reached),
        kind="TLS",
    )


def level(byte):
    """RFC 1952's XFL: 2 for the densest compression, 4 for the fastest."""
    return lambda port, **_: port.any(lambda s: s.body[:2] == b"\x1f\x8b" and s.body[8] == byte)


def otlphttp_cases(w):
    def sent_as(coding):
        return header("content-encoding", coding)

    return [
        Case(
            "client.endpoint", Side("", path("/some/where/v1/traces"), path("/some/where/v1/logs"), path="/some/where/")
        ),
        Case(
            "client.headers", Side("", header("x-row", "")), Side('headers = {"X-Row" = "one"}', header("x-row", "one"))
        ),
        *(
            Case(
                f"client.compression {coding}",
                Side("", sent_as("gzip")),
                Side(f'compression = "{coding}"', sent_as(coding)),
            )
            for coding in ("zstd", "snappy", "zlib", "deflate")
        ),
        Case("client.compression none", Side("", sent_as("gzip")), Side('compression = "none"', sent_as(""))),
        Case(
            "client.compression_params.level",
            Side("compression_params {\n  level = 1\n}", level(4)),
            Side("compression_params {\n  level = 9\n}", level(2)),
        ),
        Case("client.proxy_url", Side("", reached), Side('proxy_url = "PROXY"', through_proxy, proxy=True)),
        Case("the proxy of the environment", Side("", through_environment, host="away.test")),
        *tls_cases(w, "tls"),
        *tls_version_cases(w, "tls", "TLS 1.3"),
        Case(
            "tls.max_version",
            tls_side(f'ca_file = "{w.ca.cert}"', then=reached),
            tls_side(f'ca_file = "{w.ca.cert}"', 'max_version = "TLS 1.2"', then=refused_by_client),
            kind="TLS 1.3 at least",
        ),
        *auth_cases(),
        *(
            Case(
                name,
                Side("", path(f"/v1/{signal}")),
                Side("", path(f"/own/{signal}"), outer=f'{name} = "http://TARGET/own/{signal}"'),
            )
            for signal, name in (
                ("traces", "traces_endpoint"),
                ("metrics", "metrics_endpoint"),
                ("logs", "logs_endpoint"),
            )
        ),
    ]


FAST = 'retry_on_failure {\n  initial_interval = "100ms"\n  max_interval = "300ms"\n}\n'


def try_all(ctx, name, cases, endpoint, signals=("traces", "metrics", "logs"), is_system_trusted=False):
    """endpoint(url): as the exporter spells it."""
    w = World(ctx, answer)
    port = free_port()

    def component(label, url, options, outer):
        outer += "\n" + ("" if "retry_on_failure" in outer else FAST)
        return (
            f'otelcol.exporter.{name} "{label}" {{\n  client {{\n    endpoint = "{endpoint(url)}"\n{indented(options)}  }}\n'
            f"{indented(outer, 2)}}}\n"
        )

    def source(labels):
        return river.otlp_receiver(
            http=port, to=", ".join(f"otelcol.exporter.{name}.{label}.input" for label in labels)
        )

    def send(agent):
        for signal in signals:
            post(port, signal)

    run(
        ctx,
        w,
        cases(w) if callable(cases) else cases,
        component,
        source,
        send,
        env=environment_trust(w.ca) if is_system_trusted else None,
    )


@e2e(timeout=90)
def test_otlphttp(ctx):
    try_all(ctx, "otlphttp", otlphttp_cases, lambda url: url)


@e2e(timeout=90)
def test_otlphttp_retries(ctx):
    timeout = Case("client.timeout", Side("", requests(1, 1)), Side('timeout = "200ms"', requests(3)), reply=silence)
    cases = [timeout, *retry_cases("otelcol.exporter.otlphttp")]
    try_all(ctx, "otlphttp", cases, lambda url: url, signals=["traces"])


def otlp_cases(w):
    def sent_as(coding):
        return header("grpc-encoding", coding)

    def authority(text):
        return header(":authority", text)

    def own_authority(port, target, **_):
        return port.any(lambda s: s.header(":authority") == target)

    return [
        Case("client.endpoint", Side("", reached)),
        Case(
            "client.headers", Side("", header("x-row", "")), Side('headers = {"X-Row" = "one"}', header("x-row", "one"))
        ),
        Case("client.compression", Side("", sent_as("gzip")), Side('compression = "deflate"', sent_as("deflate"))),
        Case("client.compression none", Side("", sent_as("gzip")), Side('compression = "none"', sent_as(""))),
        Case(
            "client.authority",
            Side("", own_authority),
            Side('authority = "row.test"', authority("row.test")),
        ),
        Case(
            "client.tls.insecure",
            Side("tls {\n  insecure = false\n}", refused_as_plain, path="TLS"),
            Side("tls {\n  insecure = true\n}", reached, path="TLS"),
        ),
        *tls_cases(w, "tls"),
        *auth_cases(),
    ]


def refused_as_plain(port, **_):
    """What came were not HTTP's words: a TLS handshake."""
    return port.connections > 0 and not port.seen


def plain_or_tls(url):
    """A server without TLS is asked without, unless the case says otherwise (by a path)."""
    if url.endswith("TLS"):
        return url.removeprefix("http://").removesuffix("TLS")
    return url if url.startswith("http://") else url.removeprefix("https://")


@e2e(timeout=90)
def test_otlp(ctx):
    try_all(ctx, "otlp", otlp_cases, plain_or_tls)


@e2e(timeout=90)
def test_otlp_retries(ctx):
    timeout = Case("timeout", Side("", requests(1, 1)), Side("", requests(3), outer='timeout = "200ms"'), reply=silence)
    try_all(ctx, "otlp", [timeout, *retry_cases("otelcol.exporter.otlp")], plain_or_tls, signals=["traces"])


@e2e(timeout=90)
def test_otlp_keepalive(ctx):
    def keepalive(*lines):
        return "keepalive {\n" + "\n".join("  " + line for line in lines) + "\n}"

    # gRPC pings by itself, too, to measure the connection: once, when the first data comes back.
    def pinged(port, **_):
        return len(port.pings) >= 3

    def not_pinged(port, **_):
        return port.any(lambda s: s.at < time.monotonic() - 4) and len(port.pings) <= 1

    def came_again(port, **_):
        return port.connections >= 2

    def stayed(port, **_):
        return port.connections == 1 and port.any(lambda s: s.at < time.monotonic() - 4)

    wait, idle = 'ping_wait = "1s"', "ping_without_stream = true"
    cases = [
        Case("client.keepalive.ping_wait", Side("", not_pinged), Side(keepalive(wait, idle), pinged)),
        Case(
            "client.keepalive.ping_without_stream",
            Side(keepalive(wait), not_pinged),
            Side(keepalive(wait, idle), pinged),
        ),
        Case(
            "client.keepalive.ping_response_timeout",
            Side(keepalive(wait, idle, 'ping_response_timeout = "60s"'), stayed),
            Side(keepalive(wait, idle, 'ping_response_timeout = "500ms"'), came_again),
            is_deaf=True,
        ),
    ]
    try_all(ctx, "otlp", cases, plain_or_tls, signals=["traces"])


@e2e(timeout=90)
def test_system_certificates(ctx):
    for name, endpoint in (("otlphttp", lambda url: url), ("otlp", plain_or_tls)):
        folder = ctx.tmp
        ctx.tmp = folder / name
        ctx.tmp.mkdir()
        try_all(ctx, name, lambda w: [system_roots_case(w)], endpoint, is_system_trusted=True)
        ctx.tmp = folder


@e2e(timeout=60)
def test_otlp_wait_for_ready(ctx):
    """Where nobody listens: a request fails at once, or waits for its time."""
    port = free_port()
    text = river.otlp_receiver(http=port, to="otelcol.exporter.otlp.hasty.input, otelcol.exporter.otlp.waiting.input")
    for name, more in (("hasty", ""), ("waiting", "    wait_for_ready = true")):
        text += river.otlp_exporter(free_port(), name, more, timeout="20s")
    agent = ctx.agent(text, args=["--shutdown.timeout=1s"])
    post(port, "traces")
    wait_for(lambda: "component_id=otelcol.exporter.otlp.hasty" in agent.stderr(), 10, "the hasty one says so")
    time.sleep(2)
    assert "component_id=otelcol.exporter.otlp.waiting" not in agent.stderr(), "the other one waits"
