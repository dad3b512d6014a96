"""OTLP receivers against bad, hostile and too much input: the protocol's own errors, bounded memory, others still served."""

import json
import os
import socket
import time

import grpc
import zstandard

from lib import river
from lib.context import e2e
from lib.net import free_port, http, raw_http, wait_for
from test_otlp import codings, compare, path


@e2e(needs=["sdk"], timeout=60)
def test_bad_http_bodies_get_the_protocols_own_error(ctx):
    from google.rpc import status_pb2
    from lib import otlp_raw

    sink = ctx.otlp_grpc()
    grpc_port, http_port = free_port(), free_port()
    agent = ctx.agent(
        river.otlp_receiver(
            grpc_port, http_port, to="otelcol.exporter.otlp.out.input", more_http='    max_request_body_size = "1MiB"'
        )
        + river.otlp_exporter(sink.port)
    )
    good = otlp_raw.traces(2).SerializeToString()
    gz = codings()["gzip"]
    rows = [  # name, content type, coding, body, acceptable statuses
        ("broken protobuf", "application/x-protobuf", None, b"\xff\xff\xff\xff", {400}),
        ("protobuf cut short", "application/x-protobuf", None, good[:-3], {400}),
        ("invalid UTF-8 in a name", "application/x-protobuf", None, good.replace(b"span 0", b"span\xff0"), {400}),
        ("broken JSON", "application/json", None, b'{"resourceSpans": [', {400}),
        ("JSON of the wrong shape", "application/json", None, b'{"resourceSpans": 7}', {400}),
        ("JSON not an object", "application/json", None, b'[]', {400}),
        ("deep JSON", "application/json", None, b"[" * 100000, {400}),
        ("broken gzip", "application/x-protobuf", "gzip", b"no gzip at all", {400}),
        ("gzip cut short", "application/x-protobuf", "gzip", gz(good)[:-9], {400}),
        ("gzip with a wrong sum", "application/x-protobuf", "gzip", gz(good)[:-8] + b"\0" * 8, {400}),
        ("broken zstd", "application/x-protobuf", "zstd", b"\x28\xb5\x2f\xfd\xff\xff", {400}),
        ("broken snappy", "application/x-protobuf", "snappy", b"\xff\xff\xff\xff\xff\xff\xff", {400, 413}),
        ("unknown coding", "application/x-protobuf", "br", good, {400, 415}),
        ("wrong type", "text/plain", None, good, {415}),
        ("no type", "", None, good, {400, 415}),
        (
            "too large inflated",
            "application/x-protobuf",
            "gzip",
            gz(otlp_raw.traces(1, attribute_bytes=2 << 20).SerializeToString()),
            {413},
        ),
    ]
    for name, content_type, coding, body, want in rows:
        status, headers, answer = otlp_raw.post(http_port, "traces", body, coding, content_type)
        assert status in want, f"{name}: {status} {answer[:200]} instead of {want}"
        if content_type == "application/x-protobuf" and status == 400:
            assert headers["Content-Type"].startswith("application/x-protobuf"), (name, headers["Content-Type"])
            assert status_pb2.Status.FromString(answer).message, f"{name}: no message in the Status"
        if content_type == "application/json":
            assert json.loads(answer)["message"], f"{name}: no message in the Status"
    # Too large by its Content-Length: answered at the headers, before the body is sent (RFC 9110, 15.5.14).
    head = (
        f"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\n"
        f"Content-Length: {3 << 20}\r\n\r\n"
    )
    assert raw_http(http_port, head.encode()).startswith(b"HTTP/1.1 413"), "too large"
    assert http(f"http://127.0.0.1:{http_port}/v1/traces")[0] == 405
    assert http(f"http://127.0.0.1:{http_port}/v1/nothing", b"x")[0] == 404
    status, _, answer = otlp_raw.post(http_port, "traces", good)
    assert status == 200, (status, answer)
    wait_for(lambda: sink.count("traces") == 2, 5, "a good request still arrives")
    assert len(sink.messages["traces"]) == 1
    agent.assert_balanced()


@e2e(needs=["sdk"])
def test_a_chunked_body_over_the_limit_is_refused(ctx):
    sink = ctx.otlp_http()
    port = free_port()
    ctx.agent(
        river.otlp_receiver(
            None, port, to="otelcol.exporter.otlphttp.out.input", more_http='    max_request_body_size = "256KiB"'
        )
        + river.otlphttp_exporter(sink.port)
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        answer, sent = b"", 0
        s.settimeout(0.01)
        try:
            while sent < 8 << 20 and not answer:
                s.sendall(b"10000\r\n" + b"\0" * 65536 + b"\r\n")
                sent += 65536
                try:
                    answer = s.recv(4096)
                except TimeoutError:
                    pass
                if sent == 320 << 10:  # over the limit: end here, the answer must come
                    s.sendall(b"0\r\n\r\n")
                    s.settimeout(5)
                    answer = s.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert answer.startswith(b"HTTP/1.1 413") or b"413" in answer[:40], answer[:200]
    assert sent < 2 << 20 and not sink.messages["traces"]


@e2e(needs=["sdk"], timeout=60)
def test_bad_grpc_calls_get_the_protocols_own_error(ctx):
    from lib import otlp_raw
    from lib.h2_client import H2Client

    sink = ctx.otlp_grpc()
    grpc_port = free_port()
    agent = ctx.agent(
        river.otlp_receiver(
            grpc_port, None, to="otelcol.exporter.otlp.out.input", more_grpc='    max_recv_msg_size = "1MiB"'
        )
        + river.otlp_exporter(sink.port)
    )
    client = ctx.started(otlp_raw.GrpcClient(grpc_port))
    good = otlp_raw.traces(2)
    deep = b""
    for _ in range(5000):
        deep = b"\x0a" + varint(len(deep)) + deep
    rows = [
        ("broken protobuf", b"\xff\xff\xff", "INVALID_ARGUMENT"),
        ("cut short", good.SerializeToString()[:-3], "INVALID_ARGUMENT"),
        ("invalid UTF-8", good.SerializeToString().replace(b"span 0", b"span\xff0"), "INVALID_ARGUMENT"),
        ("thousands of levels", deep, "INVALID_ARGUMENT"),
        ("too large", otlp_raw.traces(1, attribute_bytes=2 << 20).SerializeToString(), "RESOURCE_EXHAUSTED"),
    ]
    for name, body, want in rows:
        code, text = client.refused("traces", body)
        assert code == want, f"{name}: {code} {text} instead of {want}"
    gz = ctx.started(otlp_raw.GrpcClient(grpc_port, grpc.Compression.Gzip))
    assert gz.refused("traces", otlp_raw.traces(1, attribute_bytes=2 << 20))[0] == "RESOURCE_EXHAUSTED"
    for method, want in (
        ("/opentelemetry.proto.collector.trace.v1.TraceService/Nothing", "UNIMPLEMENTED"),
        ("/no.such.Service/Export", "UNIMPLEMENTED"),
    ):
        try:
            client.channel.unary_unary(method)(b"", timeout=5)
            raise AssertionError(f"{method} was accepted")
        except grpc.RpcError as e:
            assert e.code().name == want, (method, e.code())
    # A coding that is not identity, gzip or deflate: UNIMPLEMENTED, naming what is understood (gRPC compression.md).
    h2 = ctx.started(H2Client(grpc_port))
    packed = zstandard.compress(good.SerializeToString())
    answer = h2.grpc(
        otlp_raw.METHODS["traces"], b"\1" + len(packed).to_bytes(4, "big") + packed, {"grpc-encoding": "zstd"}
    )
    assert answer.get("grpc-status") == "12", answer
    assert "gzip" in answer.get("grpc-message", ""), answer  # the words name what is understood
    answer = h2.grpc(
        otlp_raw.METHODS["traces"], b"\1" + len(b"zzz").to_bytes(4, "big") + b"zzz", {"grpc-encoding": "gzip"}
    )
    assert answer.get("grpc-status") in ("3", "13"), f"broken gzip: {answer}"
    client.export("traces", good)
    wait_for(lambda: sink.count("traces") == 2, 5, "a good call still arrives")
    agent.assert_balanced()


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


@e2e(needs=["sdk"], timeout=90)
def test_bombs_stop_at_the_limit(ctx):
    """1 GiB of zeros in every coding, over HTTP and gRPC: refused, and memory grows by far less than the limit."""
    import cramjam
    import zstandard
    import zlib
    from lib import otlp_raw
    from lib.net import peak_rss_bytes, reset_peak_rss

    sink = ctx.otlp_grpc()
    agent = path(ctx, river.otlp_exporter(sink.port), args=["--memory.limit=128MiB"], binary=ctx.release)
    client = ctx.started(otlp_raw.GrpcClient(agent.grpc))
    client.export("traces", otlp_raw.traces(10))
    reset_peak_rss(agent.pid)
    before = peak_rss_bytes(agent.pid)
    zeros, size = b"\0" * (1 << 20), 1024

    def stream(compressor):
        return b"".join(compressor.compress(zeros) for _ in range(size)) + compressor.flush()

    gzipped = stream(zlib.compressobj(9, zlib.DEFLATED, 31))
    deflated = stream(zlib.compressobj(9))
    bombs = {
        "gzip": gzipped,
        "deflate": deflated,
        "zlib": deflated,
        "zstd": stream(zstandard.ZstdCompressor().compressobj()),
        "snappy": varint((1 << 32) - 1) + b"\0\0",
        "lz4": bytes(cramjam.lz4.compress(zeros * 512)),
    }
    for coding, body in bombs.items():
        assert len(body) < 20 << 20
        status, _, answer = otlp_raw.post(agent.http, "traces", body, coding, timeout=30)
        assert status in ({413} if coding != "snappy" else {400, 413}), f"{coding}: {status} {answer[:200]}"
    framed = bytes(cramjam.snappy.compress(zeros * 256))
    status, _, answer = otlp_raw.post(agent.http, "traces", framed, "snappy", timeout=30)
    assert status == 413, f"framed snappy: {status} {answer[:200]}"
    code, text = bomb_by_grpc(ctx, agent, gzipped)
    assert code == "8", f"gRPC gzip: {code} {text}"
    grown = peak_rss_bytes(agent.pid) - before
    assert grown < 128 << 20, f"memory grew by {grown >> 20} MiB"
    client.export("traces", otlp_raw.traces(10))
    wait_for(lambda: sink.count("traces") == 20, 5, "others are still served")


def bomb_by_grpc(ctx, agent, gzipped):
    from lib import otlp_raw
    from lib.h2_client import H2Client

    h2 = ctx.started(H2Client(agent.grpc))
    answer = h2.grpc(
        otlp_raw.METHODS["traces"], b"\1" + len(gzipped).to_bytes(4, "big") + gzipped, {"grpc-encoding": "gzip"}
    )
    return answer.get("grpc-status"), answer


@e2e(needs=["sdk"])
def test_a_signal_without_a_consumer_is_unimplemented(ctx):
    from lib import otlp_raw

    sink = ctx.otlp_grpc()
    ports = free_port(), free_port()
    ctx.agent(river.otlp_receiver(*ports, traces="otelcol.exporter.otlp.out.input") + river.otlp_exporter(sink.port))
    client = ctx.started(otlp_raw.GrpcClient(ports[0]))
    client.export("traces", otlp_raw.traces(1))
    assert client.refused("logs", otlp_raw.logs(1))[0] == "UNIMPLEMENTED"
    assert otlp_raw.post(ports[1], "logs", otlp_raw.logs(1))[0] == 404
    assert otlp_raw.post(ports[1], "traces", otlp_raw.traces(1))[0] == 200


@e2e(needs=["sdk"])
def test_cors_answers_the_origins_it_was_given(ctx):
    sink = ctx.otlp_http()
    port = free_port()
    ctx.agent(
        river.otlp_receiver(
            None,
            port,
            to="otelcol.exporter.otlphttp.out.input",
            more_http="""
    cors {
      allowed_origins = ["https://*.example.com"]
      allowed_headers = ["X-Extra"]
      max_age         = 600
    }""",
        )
        + river.otlphttp_exporter(sink.port)
    )
    url = f"http://127.0.0.1:{port}/v1/traces"
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-extra"}
    status, headers, _ = http(url, method="OPTIONS", headers={"Origin": "https://app.example.com", **ask})
    assert status in (200, 204) and headers["Access-Control-Allow-Origin"] == "https://app.example.com", dict(headers)
    assert "POST" in headers["Access-Control-Allow-Methods"] and headers["Access-Control-Max-Age"] == "600", dict(
        headers
    )
    assert "x-extra" in headers["Access-Control-Allow-Headers"].lower(), dict(headers)
    _, headers, _ = http(url, method="OPTIONS", headers={"Origin": "https://evil.test", **ask})
    assert "Access-Control-Allow-Origin" not in headers, dict(headers)
    status, headers, _ = http(url, b"{}", {"Content-Type": "application/json", "Origin": "https://app.example.com"})
    assert status == 200 and headers["Access-Control-Allow-Origin"] == "https://app.example.com"


@e2e(needs=["sdk"], timeout=60)
def test_idle_connections_do_not_keep_others_out(ctx):
    from lib import sdk_python as sdk

    sink = ctx.otlp_grpc()
    agent = path(ctx, river.otlp_exporter(sink.port))
    idle = []
    ctx.on_exit(lambda: [s.close() for s in idle])
    for i in range(2000):
        s = socket.socket()
        idle.append(s)
        s.settimeout(5)
        s.connect(("127.0.0.1", agent.grpc if i % 2 else agent.http))
        if i % 4 == 0:
            s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n")  # and never goes on
    sent = sdk.send_traces(sdk.exporters("grpc", agent.grpc)[0], 5)
    sent += sdk.send_traces(sdk.exporters("http", agent.http)[0], 5)
    compare(sink, sent, "traces", sdk.span_key)
    assert agent.get("/-/healthy")[0] == 200
    ctx.log(f"descriptors of the agent: {len(os.listdir(f'/proc/{agent.pid}/fd'))}")


@e2e(needs=["sdk"], timeout=60)
def test_http2_attacks_do_not_keep_others_out(ctx):
    """Rapid resets, endless CONTINUATION, a flood of PING and SETTINGS; afterwards a client is served at once."""
    from lib import h2_client, otlp_raw

    sink = ctx.otlp_grpc()
    agent = path(ctx, river.otlp_exporter(sink.port))
    for name, attack in h2_client.ATTACKS.items():
        ctx.log(f"{name}: {attack(agent.grpc)}")
        assert agent.running(), f"{name} ended the process"
        client = otlp_raw.GrpcClient(agent.grpc)
        began = time.monotonic()
        client.export("traces", otlp_raw.traces(1), timeout=5)
        assert time.monotonic() - began < 3, f"after {name} a client waited too long"
        client.stop()
