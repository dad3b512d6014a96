"""The arguments of loki.write and prometheus.remote_write beside those of every HTTP client, tried one by one."""

import json
import os
import time

import cramjam

from lib import river
from lib.arguments import Case, Side, World, header, indented, not_reached, path, reached, requests, run, silence
from lib.context import e2e
from lib.net import free_port, http
from lib.recorder import Recorder
from lib.wire import LOKI, REMOTE_WRITE


def answer(seen):
    return 204, {}, b""


def unavailable(seen):
    return 503, {}, b""


def too_many(seen):
    return 429, {}, b""


def slow(seen):
    time.sleep(0.2)
    return 204, {}, b""


def decoded(port, kind):
    """The messages of all requests."""
    with port.lock:
        bodies = [s.body for s in port.seen]
    out = []
    for body in bodies:
        message = kind()
        message.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
        out.append(message)
    return out


def given_up(metrics, component, label, **_):
    return metrics.sum("hyagent_endpoint_dropped_total", component_id=f"{component}.{label}") >= 1


def kept(metrics, component, label, port, **_):
    return len(port.seen) >= 1 and not given_up(metrics, component, label)


def of(component, question):
    return lambda **what: question(component=component, **what)


def endpoint_named(component, name):
    def question(metrics, label, **_):
        found = metrics.select("hyagent_endpoint_enqueued_total", component_id=f"{component}.{label}")
        return any(dict(labels)["endpoint"].endswith(name) for labels in found)

    return question


def quickest(options):
    """Options with those that make a sender quick, where they are not given."""
    return lambda given: given + "".join(f"\n{name} = {value}" for name, value in options.items() if name not in given)


# ---- loki.write -------------------------------------------------------------------------------------------------------

LOKI_WRITE = "loki.write"
LINES = 200


def streams(port):
    return [s.labels for m in decoded(port, LOKI["PushRequest"]) for s in m.streams]


def labelled(text):
    return lambda port, **_: any(text in labels for labels in streams(port))


def not_labelled(text):
    return lambda port, **_: reached(port) and not labelled(text)(port)


def pushes(least, most=10**9):
    """Requests until all lines were there."""

    def question(port, **_):
        messages = decoded(port, LOKI["PushRequest"])
        n = sum(len(s.entries) for m in messages for s in m.streams)
        return n >= LINES and least <= len(messages) <= most

    return question


def digits(n):
    return lambda port, **_: reached(port) and len(set(streams(port))) == n


def loki_write_cases():
    gives_up, keeps = of(LOKI_WRITE, given_up), of(LOKI_WRITE, kept)
    return [
        Case("endpoint.url", Side("", path("/push"))),
        Case(
            "endpoint.name",
            Side("", of(LOKI_WRITE, lambda component, **what: not endpoint_named(component, "/row")(**what))),
            Side('name = "row"', endpoint_named(LOKI_WRITE, "/row")),
        ),
        Case(
            "endpoint.headers", Side("", header("x-row", "")), Side('headers = {"X-Row" = "h"}', header("x-row", "h"))
        ),
        Case(
            "endpoint.tenant_id",
            Side("", header("x-scope-orgid", "")),
            Side('tenant_id = "team"', header("x-scope-orgid", "team")),
        ),
        Case("endpoint.batch_wait", Side('batch_wait = "1h"', not_reached), Side('batch_wait = "50ms"', reached)),
        Case("endpoint.batch_size", Side("", pushes(1, 5)), Side('batch_size = "256B"', pushes(20))),
        Case(
            "endpoint.remote_timeout",
            Side("", requests(1, 1)),
            Side('remote_timeout = "100ms"', requests(3)),
            reply=silence,
        ),
        Case(
            "endpoint.min_backoff_period",
            Side('min_backoff_period = "30s"\nmax_backoff_period = "30s"', requests(1, 1)),
            Side('min_backoff_period = "100ms"', requests(3)),
            reply=unavailable,
        ),
        Case(
            "endpoint.max_backoff_period",
            Side('max_backoff_period = "1h"', requests(3, 8)),
            Side('max_backoff_period = "100ms"', requests(12)),
            reply=unavailable,
        ),
        Case(
            "endpoint.max_backoff_retries",
            Side("", requests(4), keeps),
            Side("max_backoff_retries = 2", requests(3, 3), gives_up),
            reply=unavailable,
        ),
        Case(
            "endpoint.retry_on_http_429",
            Side("", requests(2), keeps),
            Side("retry_on_http_429 = false", requests(1), gives_up),
            reply=too_many,
        ),
        Case(
            "external_labels",
            Side("", not_labelled("row=")),
            Side("", labelled('row="x"'), outer='external_labels = {"row" = "x"}'),
        ),
        Case("max_streams", Side("", digits(10)), Side("", digits(1), outer="max_streams = 1")),
    ]


def loki_write(label, url, options, outer):
    quick = quickest({"batch_wait": '"50ms"', "min_backoff_period": '"100ms"', "max_backoff_period": '"300ms"'})
    return (
        f'loki.write "{label}" {{\n  endpoint {{\n    url = "{url}/push"\n{indented(quick(options))}  }}\n'
        f"{indented(outer, 2)}}}\n"
    )


def log_source(log):
    def source(labels):
        to = ", ".join(f"loki.write.{label}.receiver" for label in labels)
        return (
            f'loki.source.file "f" {{\n  targets = [{{"__path__" = "{log}"}}]\n  forward_to = [loki.process.p.receiver]\n}}\n'
            'loki.process "p" {\n  stage.regex {\n    expression = "^line (?P<digit>[0-9])"\n  }\n'
            f'  stage.labels {{\n    values = {{"digit" = ""}}\n  }}\n  forward_to = [{to}]\n}}\n'
        )

    return source


@e2e(timeout=90)
def test_loki_write(ctx):
    log = ctx.tmp / "app.log"
    log.write_text("".join(f"line {n} {'x' * 100}\n" for n in range(LINES)))
    run(ctx, World(ctx, answer), loki_write_cases(), loki_write, log_source(log))


@e2e(timeout=90)
def test_loki_write_capacity(ctx):
    log = ctx.tmp / "app.log"
    log.write_text("")

    def write(agent):
        for _ in range(10):
            with open(log, "a") as f:
                f.writelines(f"line {n} {os.urandom(50).hex()}\n" for n in range(20))
            time.sleep(0.2)

    cases = [
        Case(
            "endpoint.queue_config.capacity",
            Side("", of(LOKI_WRITE, kept)),
            Side('queue_config {\n  capacity = "8KiB"\n}', of(LOKI_WRITE, given_up)),
            reply=unavailable,
        )
    ]
    run(ctx, World(ctx, answer), cases, loki_write, log_source(log), write)


# ---- prometheus.remote_write ------------------------------------------------------------------------------------------

REMOTE = "prometheus.remote_write"
SERIES = 100
PAGE = (
    "# HELP a Words.\n# TYPE a counter\n"
    + "".join(f'a_total{{n="{n}"}} 1 # {{trace_id="t{n}"}} 1\n' for n in range(SERIES))
    + "# EOF\n"
)


def exposition(seen):
    return 200, {"Content-Type": "application/openmetrics-text; version=1.0.0"}, PAGE.encode()


def series(port):
    return [
        ({p.name: p.value for p in s.labels}, s)
        for m in decoded(port, REMOTE_WRITE["WriteRequest"])
        for s in m.timeseries
    ]


def with_label(name, value, of_name="a_total"):
    """Every series of that name has the label, and there is one; value None: none has it."""

    def question(port, **_):
        found = [labels.get(name) for labels, _ in series(port) if labels["__name__"] == of_name]
        return bool(found) and set(found) == {value}

    return question


def without_series(name):
    return lambda port, **_: reached(port) and all(labels["__name__"] != name for labels, _ in series(port))


def largest(least, most):
    return lambda port, **_: (
        len(series(port)) >= SERIES
        and least <= max(len(m.timeseries) for m in decoded(port, REMOTE_WRITE["WriteRequest"])) <= most
    )


def exemplars(expected):
    return lambda port, **_: len(series(port)) >= SERIES and any(s.exemplars for _, s in series(port)) == expected


def metadata(least, most=10**9):
    """How often the family's metadata came, 4 s after the first request."""

    def question(port, **_):
        families = [x.metric_family_name for m in decoded(port, REMOTE_WRITE["WriteRequest"]) for x in m.metadata]
        is_time = port.any(lambda s: s.at < time.monotonic() - 4)
        return is_time and least <= sum(f.startswith("a") for f in families) <= most

    return question


def at_once(least, most=10**9):
    return lambda port, **_: len(series(port)) >= 3 * SERIES and least <= port.busiest <= most


def rule(*lines):
    return "write_relabel_config {\n" + "\n".join("  " + line for line in lines) + "\n}"


def queue(*lines):
    return "queue_config {\n" + "\n".join("  " + line for line in lines) + "\n}"


def relabel_cases():
    name = 'source_labels = ["__name__"]'
    both, target = 'source_labels = ["__name__", "job"]', 'target_label = "row"'
    return [
        Case(
            "endpoint.write_relabel_config: source_labels, regex, target_label, replacement",
            Side("", with_label("row", None)),
            Side(rule(name, 'regex = "a_(.*)"', target, 'replacement = "got $1"'), with_label("row", "got total")),
        ),
        Case(
            "endpoint.write_relabel_config: separator",
            Side(rule(both, target), with_label("row", "a_total;j")),
            Side(rule(both, target, 'separator = "#"'), with_label("row", "a_total#j")),
        ),
        Case(
            "endpoint.write_relabel_config: modulus",
            Side("", with_label("row", None)),
            Side(rule(name, target, 'action = "hashmod"', "modulus = 1"), with_label("row", "0")),
        ),
        Case(
            "endpoint.write_relabel_config: action",
            Side("", with_label("row", None)),
            Side(rule(name, 'regex = "a_total"', 'action = "drop"'), without_series("a_total")),
        ),
    ]


def remote_write_cases():
    gives_up, keeps = of(REMOTE, given_up), of(REMOTE, kept)
    return [
        Case("endpoint.url", Side("", path("/push"))),
        Case(
            "endpoint.name",
            Side("", of(REMOTE, lambda component, **what: not endpoint_named(component, "/row")(**what))),
            Side('name = "row"', endpoint_named(REMOTE, "/row")),
        ),
        Case(
            "endpoint.headers", Side("", header("x-row", "")), Side('headers = {"X-Row" = "h"}', header("x-row", "h"))
        ),
        Case(
            "endpoint.remote_timeout",
            Side("", requests(1, 1)),
            Side('remote_timeout = "100ms"', requests(3)),
            reply=silence,
        ),
        Case("endpoint.send_exemplars", Side("", exemplars(True)), Side("send_exemplars = false", exemplars(False))),
        Case(
            "queue_config.batch_send_deadline",
            Side(queue('batch_send_deadline = "1h"'), not_reached),
            Side(queue('batch_send_deadline = "50ms"'), reached),
        ),
        Case(
            "queue_config.max_samples_per_send",
            Side("", largest(SERIES, 10**6)),
            Side(queue("max_samples_per_send = 7"), largest(7, 7)),
        ),
        Case(
            "queue_config.min_backoff",
            Side(queue('min_backoff = "30s"', 'max_backoff = "30s"'), requests(1, 1)),
            Side(queue('min_backoff = "100ms"'), requests(3)),
            reply=unavailable,
        ),
        Case(
            "queue_config.max_backoff",
            Side(queue('max_backoff = "1h"'), requests(3, 9)),
            Side(queue('max_backoff = "30ms"'), requests(20)),
            reply=unavailable,
        ),
        Case(
            "queue_config.retry_on_http_429",
            Side("", requests(2), keeps),
            Side(queue("retry_on_http_429 = false"), requests(1), gives_up),
            reply=too_many,
        ),
        Case(
            "queue_config.sample_age_limit",
            Side("", requests(4), keeps),
            Side(queue('sample_age_limit = "1s"'), gives_up),
            reply=unavailable,
        ),
        Case(
            "metadata_config.send", Side("", metadata(1)), Side("metadata_config {\n  send = false\n}", metadata(0, 0))
        ),
        *relabel_cases(),
        Case(
            "external_labels",
            Side("", with_label("row", None)),
            Side("", with_label("row", "x"), outer='external_labels = {"row" = "x"}'),
        ),
    ]


def remote_write(label, url, options, outer):
    head, _, tail = options.partition("queue_config {")
    quick = quickest({"batch_send_deadline": '"50ms"'})
    options = f"{head}\nqueue_config {{\n{quick(tail.removesuffix('}'))}\n}}"
    return (
        f'prometheus.remote_write "{label}" {{\n  endpoint {{\n    url = "{url}/push"\n{indented(options)}  }}\n'
        f"{indented(outer, 2)}}}\n"
    )


def receivers(labels):
    return ", ".join(f"prometheus.remote_write.{label}.receiver" for label in labels)


@e2e(timeout=90)
def test_remote_write(ctx):
    target = ctx.started(Recorder()).listen(reply=exposition)
    one = [{"__address__": f"127.0.0.1:{target.number}", "job": "j"}]
    run(
        *(ctx, World(ctx, answer), remote_write_cases(), remote_write),
        lambda labels: river.scrape(one, receivers(labels)),
    )


@e2e(timeout=90)
def test_remote_write_shards(ctx):
    target = ctx.started(Recorder()).listen(reply=exposition)
    many = [{"__address__": f"127.0.0.1:{target.number}", "job": "j", "instance": f"i{n}"} for n in range(8)]
    cases = [
        Case(
            "queue_config.max_shards",
            Side(queue("max_samples_per_send = 5", "max_shards = 8"), at_once(2, 8)),
            Side(queue("max_samples_per_send = 5", "max_shards = 1"), at_once(1, 1)),
            reply=slow,
        ),
    ]
    run(
        *(ctx, World(ctx, answer), cases, remote_write),
        lambda labels: river.scrape(many, receivers(labels)),
    )


@e2e(timeout=90)
def test_remote_write_native_histograms(ctx):
    port = free_port()
    point = {
        "timeUnixNano": "1767225600000000000",
        "startTimeUnixNano": "1767225000000000000",
        "count": "3",
        "sum": 4.5,
        "scale": 1,
        "zeroCount": "1",
        "positive": {"offset": 0, "bucketCounts": ["1", "1"]},
    }
    histogram = {"dataPoints": [point], "aggregationTemporality": 2}
    metric = {"name": "h", "exponentialHistogram": histogram}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()

    def histograms(port, **_):
        return any(s.histograms for labels, s in series(port) if labels["__name__"] == "h")

    cases = [
        Case(
            "endpoint.send_native_histograms",
            Side("", of(REMOTE, given_up), lambda port, **_: not histograms(port)),
            Side("send_native_histograms = true", histograms),
        )
    ]
    run(
        *(ctx, World(ctx, answer), cases, remote_write),
        lambda labels: river.otlp_receiver(http=port, to="otelcol.exporter.prometheus.p.input")
        + f'otelcol.exporter.prometheus "p" {{\n  forward_to = [{receivers(labels)}]\n}}\n',
        lambda agent: http(f"http://127.0.0.1:{port}/v1/metrics", body, {"Content-Type": "application/json"}),
    )


@e2e(timeout=90)
def test_remote_write_metadata(ctx):
    """Every OTLP request carries the metadata of its metrics; how often it is passed on is the argument's business."""
    port = free_port()
    point = {"asInt": "1", "timeUnixNano": "1767225600000000000"}
    metric = {"name": "a_gauge", "description": "words", "gauge": {"dataPoints": [point]}}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()

    def send(agent):
        for _ in range(8):
            http(f"http://127.0.0.1:{port}/v1/metrics", body, {"Content-Type": "application/json"})
            time.sleep(0.4)

    cases = [
        Case(
            "metadata_config.send_interval",
            Side("", metadata(1, 1)),
            Side('metadata_config {\n  send_interval = "500ms"\n}', metadata(3)),
        )
    ]
    run(
        *(ctx, World(ctx, answer), cases, remote_write),
        lambda labels: river.otlp_receiver(http=port, to="otelcol.exporter.prometheus.p.input")
        + f'otelcol.exporter.prometheus "p" {{\n  forward_to = [{receivers(labels)}]\n}}\n',
        send,
    )
