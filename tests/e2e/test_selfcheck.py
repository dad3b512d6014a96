"""The sinks and clients against each other, without hyagent: an oracle that is wrong proves nothing."""

import gzip
import time

import cramjam
import grpc

from lib.context import e2e
from lib.net import http, wait_for
from lib.plan import partial, status
from lib.wire import LOKI, REMOTE_WRITE


@e2e(needs=["sdk"])
def test_python_sdk_arrives_equal_at_the_otlp_sinks(ctx):
    from lib import sdk_python as sdk

    for protocol, sink, compression in (("grpc", ctx.otlp_grpc(), "gzip"), ("http", ctx.otlp_http(), "deflate")):
        spans, metrics, logs = sdk.exporters(protocol, sink.port, compression)
        sdk.assert_same(sdk.send_traces(spans), sink.items("traces"), sdk.span_key, "span")
        sdk.assert_same(sdk.send_metrics(metrics), sink.items("metrics"), sdk.point_key, "point")
        sdk.assert_same(sdk.send_logs(logs), sink.items("logs"), sdk.record_key, "record")
        sink.assert_clean()


@e2e(needs=["node"])
def test_node_sdk_arrives_equal_at_the_otlp_sinks(ctx):
    from lib import sdk_node
    from lib.sdk_python import assert_same, span_key

    for protocol, sink in (("grpc", ctx.otlp_grpc()), ("http", ctx.otlp_http())):
        sent = sdk_node.send_traces(ctx, protocol, sink.port, 5)
        assert len(sent) == 10
        assert_same(sent, [sdk_node.with_short_fields(s) for s in sink.items("traces")], span_key, "span")
        sink.assert_clean()


@e2e(needs=["sdk"])
def test_comparison_sees_a_changed_attribute_a_missing_and_a_repeated_span(ctx):
    from lib import sdk_python as sdk

    sink = ctx.otlp_grpc()
    sent = sdk.send_traces(sdk.exporters("grpc", sink.port)[0], 2)
    got = sink.items("traces")
    broken = [
        got[:-1],
        got + got[:1],
        [{**got[0], "attributes": {**got[0]["attributes"], "int": ("double", 42.0)}}] + got[1:],
        [{**got[0], "status": (0, "")}] + got[1:],
    ]
    for wrong in broken:
        try:
            sdk.assert_same(sent, wrong, sdk.span_key, "span")
        except AssertionError:
            continue
        raise AssertionError("a difference went unseen")


@e2e(needs=["sdk"])
def test_otlp_sinks_refuse_what_is_malformed(ctx):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from lib import otlp_check

    def request(**span):
        msg = ExportTraceServiceRequest()
        s = (
            msg.resource_spans.add()
            .scope_spans.add()
            .spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, name="x", start_time_unix_nano=5, end_time_unix_nano=6)
        )
        for k, v in span.items():
            setattr(s, k, v)
        return msg

    twice = request()
    for _ in range(2):
        twice.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="k").value.int_value = 1
    rows = [
        ("short trace id", request(trace_id=b"\1" * 15).SerializeToString()),
        ("zero span id", request(span_id=b"\0" * 8).SerializeToString()),
        ("odd parent", request(parent_span_id=b"\1").SerializeToString()),
        ("ends early", request(end_time_unix_nano=4).SerializeToString()),
        ("attribute twice", twice.SerializeToString()),
        ("bad UTF-8", request(name="xyz").SerializeToString().replace(b"xyz", b"x\xffz")),
        ("cut short", request().SerializeToString()[:-1]),
        ("no protobuf", b"\xff\xff\xff"),
    ]
    sink = ctx.otlp_http()
    rpc = ctx.otlp_grpc()
    channel = grpc.insecure_channel(f"127.0.0.1:{rpc.port}")
    export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    for name, body in rows:
        try:
            otlp_check.parse("traces", body)
            raise AssertionError(f"{name} was accepted")
        except otlp_check.Malformed:
            pass
        code, _, _ = http(f"http://127.0.0.1:{sink.port}/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        assert code == 400, (name, code)
        try:
            export(body, timeout=5)
            raise AssertionError(f"{name} was accepted by gRPC")
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.INVALID_ARGUMENT, (name, e.code())
    export(request().SerializeToString(), timeout=5)
    assert rpc.count("traces") == 1 and sink.count("traces") == 0
    assert len(sink.violations) == len(rows) == len(rpc.violations)
    channel.close()


@e2e(needs=["sdk"])
def test_otlp_sinks_fail_as_told(ctx):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
    from google.rpc import status_pb2

    sink = ctx.otlp_grpc()
    sink.plan.then(
        status(grpc.StatusCode.UNAVAILABLE),
        status(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_ms=1500),
        partial(3, "three of them"),
    )
    channel = grpc.insecure_channel(f"127.0.0.1:{sink.port}")
    export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    seen = []
    for _ in range(2):
        try:
            export(b"", timeout=5)
        except grpc.RpcError as e:
            details = dict(e.trailing_metadata()).get("grpc-status-details-bin")
            seen.append((e.code().name, details and status_pb2.Status.FromString(details).details[0].value))
    assert seen == [("UNAVAILABLE", None), ("RESOURCE_EXHAUSTED", b"\n\x07\x08\x01\x10\x80\xca\xb5\xee\x01")] or seen[
        1
    ][1].startswith(b"\n"), seen
    answer = ExportTraceServiceResponse.FromString(export(b"", timeout=5))
    assert answer.partial_success.rejected_spans == 3
    channel.close()


def push(sink, *streams, raw=None, headers=None):
    """One push of (labels, [(ts, line)...]) streams: (status, text)."""
    if raw is None:
        msg = LOKI["PushRequest"]()
        for labels, entries in streams:
            s = msg.streams.add(labels=labels)
            for ts, line in entries:
                e = s.entries.add(line=line)
                e.timestamp.seconds, e.timestamp.nanos = divmod(ts, 10**9)
                e.structured_metadata.add(name="trace_id", value="abc")
        raw = bytes(cramjam.snappy.compress_raw(msg.SerializeToString()))
    code, _, body = http(sink.url, raw, {"Content-Type": "application/x-protobuf", **(headers or {})})
    return code, body.decode()


@e2e()
def test_loki_sink_keeps_the_good_and_refuses_the_bad(ctx):
    sink = ctx.loki()
    now = time.time_ns()
    assert push(sink, ('{a="b",  c="d\\"\\n\\u00e4"}', [(now, "one"), (now + 1, "two")])) == (204, "")
    assert sink.label_sets() == [{"a": "b", "c": 'd"\nä'}]
    assert [(e.ts, e.line, e.metadata) for e in sink.select(a="b")] == [
        (now, "one", {"trace_id": "abc"}),
        (now + 1, "two", {"trace_id": "abc"}),
    ]
    assert push(sink, ('{a="b"}', [(now, "newest")]))[0] == 204
    many = ",".join(f'l{i}="v"' for i in range(16))
    rows = [
        ("no braces", 'a="b"', now, "x", "error parsing labels"),
        ("no labels", "{}", now, "x", "at least one label"),
        ("bad name", '{a-b="c"}', now, "x", "error parsing labels"),
        ("no quotes", "{a=b}", now, "x", "error parsing"),
        ("single quotes", "{a='b'}", now, "x", "error parsing"),
        ("twice", '{a="b",a="c"}', now, "x", "duplicate label"),
        ("16 names", "{" + many + "}", now, "x", "limit 15"),
        ("long name", "{%s=\"x\"}" % ("n" * 1025), now, "x", "too long"),
        ("long value", '{a="%s"}' % ("v" * 2049), now, "x", "value too long"),
        ("long line", '{a="b"}', now, "y" * ((256 << 10) + 1), "max entry size"),
        ("too old", '{a="b"}', now - 8 * 86400 * 10**9, "x", "timestamp too old"),
        ("too new", '{a="b"}', now + 3600 * 10**9, "x", "timestamp too new"),
        ("far behind", '{a="b"}', now - 7200 * 10**9, "x", "too far behind"),
    ]
    for name, labels, ts, line, want in rows:
        before = sink.count()
        code, text = push(sink, (labels, [(ts, line)]), ('{good="yes"}', [(now, name)]))
        assert code == 400 and want in text, (name, code, text[:200])
        assert sink.count() == before + 1, f"{name}: the good entry beside it was not kept"
    assert len(sink.violations) == len(rows)
    assert sink.lines(good="yes") == [r[0] for r in rows]
    assert push(sink, raw=b"\xff\xff\xff")[0] == 400
    assert push(sink, raw=gzip.compress(b"x"), headers={"Content-Type": "application/json"})[0] == 415


@e2e()
def test_loki_sink_tenants_and_failures(ctx):
    sink = ctx.loki(require_tenant=True)
    now = time.time_ns()
    assert push(sink, ('{a="b"}', [(now, "x")]))[0] == 401
    sink.plan.then(status(429, "slow down", retry_ms=2000), status(500))
    for code in (429, 500, 204):
        assert push(sink, ('{a="b"}', [(now, "x")]), headers={"X-Scope-OrgID": "t1"})[0] == code
    assert sink.count("t1") == 1 and sink.count() == 1


def write(sink, *series, metadata=(), headers=None):
    msg = REMOTE_WRITE["WriteRequest"]()
    for labels, samples in series:
        ts = msg.timeseries.add()
        for name, value in labels:
            ts.labels.add(name=name, value=value)
        for t, v in samples:
            ts.samples.add(timestamp=t, value=v)
    raw = bytes(cramjam.snappy.compress_raw(msg.SerializeToString()))
    how = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "User-Agent": "t",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
        **(headers or {}),
    }
    code, _, body = http(sink.url, raw, how)
    return code, body.decode()


@e2e()
def test_remote_write_sink_is_as_strict_as_the_specification(ctx):
    import struct

    from lib.rw_sink import is_stale

    sink = ctx.remote_write()
    stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    up = (("__name__", "up"), ("job", "j"))
    assert write(sink, (up, [(1000, 1.0), (2000, 0.0)]))[0] == 204
    rows = [
        ("unsorted", (("job", "j"), ("__name__", "up"))),
        ("no name", (("job", "j"),)),
        ("twice", (("__name__", "x"), ("a", "1"), ("a", "2"))),
        ("empty value", (("__name__", "x"), ("a", ""))),
        ("bad label", (("__name__", "x"), ("a-b", "1"))),
        ("bad name", (("__name__", "1x"),)),
    ]
    for name, labels in rows:
        assert write(sink, (labels, [(3000, 1.0)]), (up, [(3000, 1.0)]))[0] == 400, name
    assert write(sink, (up, [(2000, 5.0)]))[0] == 400, "the same time again"
    assert write(sink, (up, [(1500, 5.0)]))[0] == 400, "back in time"
    assert write(sink, (up, [(4000, 1.0), (3900, 1.0)]))[0] == 400, "back in time within a request"
    assert write(sink, (up, []))[0] == 400
    for bad in (
        {"Content-Encoding": "gzip"},
        {"X-Prometheus-Remote-Write-Version": "2.0.0"},
        {"Content-Type": "text/plain"},
    ):
        assert write(sink, (up, [(9000, 1.0)]), headers=bad)[0] in (400, 415), bad
    assert sink.samples("up") == [(1000, 1.0), (2000, 0.0)], "nothing of a refused request is kept"
    assert write(sink, (up, [(5000, stale)]))[0] == 204
    assert is_stale(sink.samples("up")[-1][1]) and not is_stale(float("nan"))


@e2e(needs=["prometheus"])
def test_prometheus_takes_what_the_remote_write_sink_takes(ctx):
    prom = ctx.prometheus()
    now = time.time_ns() // 10**6
    assert write(prom, ((("__name__", "e2e_up"), ("job", "j")), [(now - 10, 1.5)]))[0] in (200, 204)
    wait_for(
        lambda: prom.query("e2e_up") == [({"__name__": "e2e_up", "job": "j"}, 1.5)], 5, "the sample is queried back"
    )


@e2e(needs=["node_exporter"])
def test_target_passes_and_keeps_an_exporters_page(ctx):
    from lib.target import Target

    node = ctx.node_exporter()
    target = ctx.started(Target(upstream=node.url))
    code, headers, body = http(f"http://{target.address}/metrics", headers={"Accept-Encoding": "gzip"})
    assert code == 200 and headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body).decode() == target.passed[0][1] and "node_cpu_seconds_total" in target.passed[0][1]


@e2e(needs=["docker"], timeout=120)
def test_docker_prints_numbered_lines_and_cleans_up(ctx):
    from lib.docker_util import docker

    d = ctx.docker()
    name = d.print_lines(1000, wait=True)
    r = docker("logs", name)
    assert r.stdout.splitlines() == [f"line {i} on stdout" for i in range(1, 1000, 2)]
    assert r.stderr.splitlines() == [f"line {i} on stderr" for i in range(2, 1001, 2)]
    assert d.log_path(name).is_file()
    d.stop()
    assert docker("ps", "-aq", "--filter", f"label=hyagent.e2e={d.run_id}").stdout == ""


@e2e(needs=["docker"], timeout=60)
def test_docker_proxy_lets_get_through_and_nothing_else(ctx):
    from lib.docker_util import GetOnlyProxy

    proxy = ctx.started(GetOnlyProxy(ctx.docker().host))
    code, _, body = http(f"http://127.0.0.1:{proxy.port}/version")
    assert code == 200 and b"ApiVersion" in body
    assert http(f"http://127.0.0.1:{proxy.port}/containers/prune", data=b"")[0] == 403 and len(proxy.refused) == 1


@e2e(needs=["sdk"])
def test_tempo_like_server_takes_the_sdks_traces(ctx):
    from lib import sdk_python as sdk
    from lib.tempo_like import TempoLike

    tempo = ctx.started(TempoLike())
    sent = sdk.send_traces(sdk.exporters("grpc", tempo.port)[0], 3)
    sdk.assert_same(sent, [s for spans in tempo.traces.values() for s in spans], sdk.span_key, "span")
    assert not tempo.refused


@e2e(needs=["sdk"])
def test_hand_made_requests_are_complete_and_pass_the_sinks(ctx):
    """otlp_raw.everything sets each field of the published messages, and the sinks keep all of it."""
    from lib import otlp_raw

    sink, web = ctx.otlp_grpc(), ctx.otlp_http()
    client = ctx.started(otlp_raw.GrpcClient(sink.port))
    for signal, msg in otlp_raw.everything().items():
        client.export(signal, msg)
        assert otlp_raw.post(web.port, signal, msg)[0] == 200
        for got in (sink.messages[signal][0], web.messages[signal][0]):
            assert got.SerializeToString(deterministic=True) == msg.SerializeToString(deterministic=True)
        assert b"unknown" in msg.SerializeToString()
    sink.assert_clean()
    web.assert_clean()
    span = sink.messages["traces"][0].resource_spans[0].scope_spans[0].spans[0]
    left_out = {f.name for f in span.DESCRIPTOR.fields} - {f.name for f, _ in span.ListFields()}
    assert not left_out, left_out
    kinds = {m.WhichOneof("data") for m in sink.messages["metrics"][0].resource_metrics[0].scope_metrics[0].metrics}
    assert kinds == {"gauge", "sum", "histogram", "exponential_histogram", "summary"}


@e2e(needs=["sdk"])
def test_h2_client_makes_a_call_grpc_understands(ctx):
    from lib import otlp_raw
    from lib.h2_client import H2Client

    sink = ctx.otlp_grpc()
    body = otlp_raw.traces(3, attribute_bytes=100000).SerializeToString()
    h2 = ctx.started(H2Client(sink.port))
    answer = h2.grpc(otlp_raw.METHODS["traces"], b"\0" + len(body).to_bytes(4, "big") + body)
    assert answer.get("grpc-status") == "0", answer
    assert sink.count("traces") == 3
    answer = h2.grpc("/no.such/Method", b"\0\0\0\0\0")
    assert answer.get("grpc-status") == "12", answer
