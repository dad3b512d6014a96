"""OTLP in, OTLP out: real SDKs, every encoding, every kind of refusal."""

import base64
import json
import time

import grpc

from lib import river
from lib.context import e2e
from lib.net import free_port, http, wait_for


def path(ctx, exporter, batch=True, **how):
    """An agent with OTLP in on both protocols (agent.grpc, agent.http), through a batch processor, to the exporter."""
    ports = free_port(), free_port()
    to = "otelcol.processor.batch.b.input" if batch else exporter_input(exporter)
    text = river.otlp_receiver(*ports, to=to) + exporter
    if batch:
        text += river.batch(exporter_input(exporter))
    agent = ctx.agent(text, **how)
    agent.grpc, agent.http = ports
    return agent


def exporter_input(text):
    name, label = text.split("{", 1)[0].split()
    return f'{name}.{label.strip(chr(34))}.input'


def compare(sink, sent, signal, key):
    from lib.sdk_python import assert_same

    wait_for(lambda: sink.count(signal) >= len(sent), 15, f"{len(sent)} {signal} at the sink")
    assert_same(sent, sink.items(signal), key, signal)


def all_signals(sink, protocol, port, compression):
    from lib import sdk_python as sdk

    spans, metrics, logs = sdk.exporters(protocol, port, compression)
    compare(sink, sdk.send_traces(spans), "traces", sdk.span_key)
    compare(sink, sdk.send_metrics(metrics), "metrics", sdk.point_key)
    compare(sink, sdk.send_logs(logs), "logs", sdk.record_key)
    sink.assert_clean()


@e2e(needs=["sdk"], timeout=60)
def test_python_sdk_over_grpc_arrives_equal(ctx):
    sink = ctx.otlp_grpc()
    agent = path(ctx, river.otlp_exporter(sink.port))
    all_signals(sink, "grpc", agent.grpc, "gzip")
    all_counted(agent, sink, "otelcol.exporter.otlp.out")


@e2e(needs=["sdk"], timeout=60)
def test_python_sdk_over_http_arrives_equal(ctx):
    sink = ctx.otlp_http()
    agent = path(ctx, river.otlphttp_exporter(sink.port))
    all_signals(sink, "http", agent.http, "gzip")
    all_counted(agent, sink, "otelcol.exporter.otlphttp.out")


def all_counted(agent, sink, exporter):
    """The agent's own counters agree with the sink to the item."""
    agent.assert_balanced()
    m = agent.metrics()
    got = {s: sink.count(s) for s in ("traces", "metrics", "logs")}
    accepted = {
        "traces": m.sum("otelcol_receiver_accepted_spans_total"),
        "metrics": m.sum("otelcol_receiver_accepted_metric_points_total"),
        "logs": m.sum("otelcol_receiver_accepted_log_records_total"),
    }
    sent = {
        "traces": m.sum("otelcol_exporter_sent_spans_total"),
        "metrics": m.sum("otelcol_exporter_sent_metric_points_total"),
        "logs": m.sum("otelcol_exporter_sent_log_records_total"),
    }
    assert accepted == got == sent, f"receiver {accepted}, sink {got}, exporter {sent}"
    ledger = agent.ledger()
    assert ledger.endpoint(exporter, "acknowledged") == sum(got.values()), "the ledger differs from the sink"
    assert ledger.endpoint(exporter, "dropped") == 0 and ledger.endpoint(exporter, "queued") == 0


@e2e(needs=["node"], timeout=60)
def test_node_sdk_over_grpc_and_http_arrives_equal(ctx):
    from lib import sdk_node
    from lib.sdk_python import assert_same, span_key

    sink = ctx.otlp_grpc()
    agent = path(ctx, river.otlp_exporter(sink.port))
    sent = []
    for protocol, port in (("grpc", agent.grpc), ("http", agent.http)):
        sent += sdk_node.send_traces(ctx, protocol, port, 50)
        wait_for(lambda: sink.count("traces") >= len(sent), 10, f"{len(sent)} spans at the sink")
    assert_same(sent, [sdk_node.with_short_fields(s) for s in sink.items("traces")], span_key, "span")
    sink.assert_clean()


@e2e(needs=["sdk"])
def test_a_server_of_the_public_trace_service_takes_the_traces(ctx):
    from lib import sdk_python as sdk
    from lib.tempo_like import TempoLike

    tempo = ctx.started(TempoLike())
    agent = path(ctx, river.otlp_exporter(tempo.port))
    sent = sdk.send_traces(sdk.exporters("grpc", agent.grpc)[0], 30)
    wait_for(lambda: sum(map(len, tempo.traces.values())) >= len(sent), 10, "the spans are in the trace store")
    sdk.assert_same(sent, [s for spans in tempo.traces.values() for s in spans], sdk.span_key, "span")
    assert not tempo.refused


@e2e(needs=["sdk", "tempo"], timeout=60)
def test_a_real_tempo_takes_the_traces(ctx):
    from lib import sdk_python as sdk
    from lib.peers import Tempo

    tempo = ctx.started(Tempo(ctx))
    agent = path(ctx, river.otlp_exporter(tempo.otlp_port))
    sent = sdk.send_traces(sdk.exporters("grpc", agent.grpc)[0], 5)
    for trace_id in {s["trace_id"] for s in sent}:
        want = {s["span_id"] for s in sent if s["trace_id"] == trace_id}
        wait_for(lambda: tempo.span_ids(trace_id) == want, 20, f"Tempo returns trace {trace_id}")


@e2e(needs=["sdk"], timeout=60)
def test_every_field_and_unknown_ones_pass_unchanged(ctx):
    from lib import otlp_raw

    for name, sink, exporter in (
        ("a", ctx.otlp_grpc(), river.otlp_exporter),
        ("b", ctx.otlp_http(), river.otlphttp_exporter),
    ):
        agent = path(ctx, exporter(sink.port), batch=name == "a", name=name)
        client = ctx.started(otlp_raw.GrpcClient(agent.grpc))
        for signal, msg in otlp_raw.everything().items():
            if name == "a":
                client.export(signal, msg)
            else:
                status, _, body = otlp_raw.post(agent.http, signal, msg)
                assert status == 200, (status, body)
            wait_for(lambda: sink.messages[signal], 10, f"{signal} at the sink")
            got = sink.messages[signal]
            assert len(got) == 1, f"{signal} came in {len(got)} requests"
            assert got[0].SerializeToString(deterministic=True) == msg.SerializeToString(
                deterministic=True
            ), f"{signal} changed:\nsent {str(msg)[:1500]}\ngot {str(got[0])[:1500]}"
        sink.assert_clean()


JSON_TRACES = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "curl"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "s", "version": "1"},
                    "spans": [
                        {
                            "traceId": "5B8EFFF798038103D269B633813FC60C",
                            "spanId": "eee19b7ec3c1b174",
                            "parentSpanId": "",
                            "name": "I am \u00e4",
                            "startTimeUnixNano": "1544712660000000000",
                            "endTimeUnixNano": 1544712661000000000,
                            "kind": 2,
                            "unknownField": {"a": [1]},
                            "attributes": [
                                {"key": "int", "value": {"intValue": "-9007199254740993"}},
                                {"key": "n", "value": {"intValue": 5}},
                                {"key": "d", "value": {"doubleValue": 1.5}},
                                {"key": "b", "value": {"boolValue": True}},
                                {"key": "bytes", "value": {"bytesValue": "AAH/"}},
                                {
                                    "key": "list",
                                    "value": {"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": "1"}]}},
                                },
                                {
                                    "key": "map",
                                    "value": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}},
                                },
                            ],
                            "events": [{"timeUnixNano": "1544712660500000000", "name": "e", "attributes": []}],
                            "status": {"code": 2, "message": "bad"},
                        }
                    ],
                }
            ],
        }
    ]
}
JSON_METRICS = {
    "resourceMetrics": [
        {
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "c",
                            "unit": "1",
                            "sum": {
                                "aggregationTemporality": 2,
                                "isMonotonic": True,
                                "dataPoints": [
                                    {
                                        "asInt": "7",
                                        "startTimeUnixNano": "1",
                                        "timeUnixNano": "1544712660300000000",
                                        "attributes": [],
                                    }
                                ],
                            },
                        },
                        {
                            "name": "h",
                            "histogram": {
                                "aggregationTemporality": 1,
                                "dataPoints": [
                                    {
                                        "timeUnixNano": "1544712660300000000",
                                        "count": "3",
                                        "sum": 4.5,
                                        "bucketCounts": ["1", 2],
                                        "explicitBounds": [2.5],
                                        "min": 0,
                                        "max": 3,
                                    }
                                ],
                            },
                        },
                        {
                            "name": "g",
                            "gauge": {"dataPoints": [{"asDouble": "NaN", "timeUnixNano": "1544712660300000000"}]},
                        },
                    ]
                }
            ]
        }
    ]
}
JSON_LOGS = {
    "resourceLogs": [
        {
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "timeUnixNano": "1544712660300000000",
                            "observedTimeUnixNano": "1544712660300000000",
                            "severityNumber": 10,
                            "severityText": "Information",
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "EEE19B7EC3C1B174",
                            "body": {"stringValue": "Example \U0001f388"},
                            "attributes": [],
                        }
                    ]
                }
            ]
        }
    ]
}


@e2e(needs=["sdk"])
def test_json_as_curl_sends_it_arrives_as_protobuf(ctx):
    sink = ctx.otlp_grpc()
    agent = path(ctx, river.otlp_exporter(sink.port))
    for signal, doc in (("traces", JSON_TRACES), ("metrics", JSON_METRICS), ("logs", JSON_LOGS)):
        status, headers, body = http(
            f"http://127.0.0.1:{agent.http}/v1/{signal}", json.dumps(doc).encode(), {"Content-Type": "application/json"}
        )
        assert status == 200 and headers["Content-Type"].startswith("application/json"), (signal, status, body)
        assert isinstance(json.loads(body), dict)
        wait_for(lambda: sink.count(signal), 10, f"{signal} at the sink")
    (span,) = sink.items("traces")
    assert (
        span["trace_id"],
        span["span_id"],
        span["parent"],
        span["name"],
        span["kind"],
        span["start"],
        span["end"],
    ) == (
        "5b8efff798038103d269b633813fc60c",
        "eee19b7ec3c1b174",
        "",
        "I am ä",
        2,
        1544712660000000000,
        1544712661000000000,
    )
    assert span["attributes"] == {
        "int": ("int", -9007199254740993),
        "n": ("int", 5),
        "d": ("double", 1.5),
        "b": ("bool", True),
        "bytes": ("bytes", b"\0\1\xff"),
        "list": ("array", (("string", "x"), ("int", 1))),
        "map": ("map", (("k", ("string", "v")),)),
    }, span["attributes"]
    assert span["status"] == (2, "bad") and span["events"][0]["time"] == 1544712660500000000
    points = {p["name"]: p for p in sink.items("metrics")}
    assert points["c"]["value"] == ("as_int", 7) and points["c"]["temporality"] == 2 and points["c"]["monotonic"]
    assert (
        points["h"]["count"],
        points["h"]["sum"],
        points["h"]["buckets"],
        points["h"]["bounds"],
        points["h"]["min"],
        points["h"]["max"],
    ) == (3, 4.5, [1, 2], [2.5], 0, 3)
    assert points["g"]["value"][1] != points["g"]["value"][1], "NaN"
    (record,) = sink.items("logs")
    assert record["body"] == ("string", "Example 🎈") and record["span_id"] == "eee19b7ec3c1b174"
    assert record["severity"] == (10, "Information")
    sink.assert_clean()


def codings():
    import cramjam
    import zstandard
    import zlib

    return {
        "gzip": lambda b: bytes(cramjam.gzip.compress(b)),
        "zstd": zstandard.ZstdCompressor().compress,
        "zlib": zlib.compress,
        "deflate": zlib.compress,
        "lz4": lambda b: bytes(cramjam.lz4.compress(b)),
        "snappy": lambda b: bytes(cramjam.snappy.compress(b)),
        "snappy block": lambda b: bytes(cramjam.snappy.compress_raw(b)),
    }


@e2e(needs=["sdk"], timeout=60)
def test_every_content_encoding_is_understood(ctx):
    from lib import otlp_raw

    sink = ctx.otlp_grpc()
    agent = path(ctx, river.otlp_exporter(sink.port))
    want = set()
    for n, (coding, compress) in enumerate(codings().items()):
        coding = coding.split()[0]
        msg = otlp_raw.traces(40, service=f"{coding}-{n}")
        status, _, body = otlp_raw.post(agent.http, "traces", compress(msg.SerializeToString()), coding)
        assert status == 200, (coding, n, status, body)
        doc = json.dumps(JSON_LOGS).replace("Example", f"{coding}-{n}").encode()
        status, _, body = otlp_raw.post(agent.http, "logs", compress(doc), coding, "application/json")
        assert status == 200, (coding, "json", status, body)
        want.add(f"{coding}-{n}")
    wait_for(
        lambda: sink.count("traces") == 40 * len(want) and sink.count("logs") == len(want), 10, "all of it at the sink"
    )
    assert {s["resource"]["service.name"][1] for s in sink.items("traces")} == want
    assert {r["body"][1].split()[0] for r in sink.items("logs")} == want
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression):
        client = ctx.started(otlp_raw.GrpcClient(agent.grpc, compression))
        client.export("traces", otlp_raw.traces(100))
    wait_for(lambda: sink.count("traces") == 40 * len(want) + 300, 10, "all of gRPC's at the sink")
    sink.assert_clean()


@e2e(needs=["sdk"], timeout=60)
def test_exporters_compress_as_told(ctx):
    from lib import otlp_raw

    rpc, web = ctx.otlp_grpc(), ctx.otlp_http()
    for kind, compression in (("otlp", "gzip"), ("otlp", "none"), ("otlphttp", "gzip"), ("otlphttp", "none")):
        sink = rpc if kind == "otlp" else web
        exporter = (river.otlp_exporter if kind == "otlp" else river.otlphttp_exporter)(
            sink.port, compression=compression
        )
        agent = path(ctx, exporter, name=f"{kind}-{compression}")
        before = sink.count("traces")
        ctx.started(otlp_raw.GrpcClient(agent.grpc)).export("traces", otlp_raw.traces(200, attribute_bytes=50))
        wait_for(lambda: sink.count("traces") == before + 200, 10, f"{kind} {compression}")
        if kind == "otlphttp":
            coding = sink.metadata[-1].get("content-encoding")
            assert coding == (None if compression == "none" else compression), coding
    rpc.assert_clean()
    web.assert_clean()


@e2e(needs=["sdk"])
def test_partial_success_reaches_the_client(ctx):
    from lib import otlp_raw
    from lib.plan import partial

    for name, sink, exporter in (
        ("a", ctx.otlp_grpc(), river.otlp_exporter),
        ("b", ctx.otlp_http(), river.otlphttp_exporter),
    ):
        agent = path(ctx, exporter(sink.port), batch=False, name=name)
        client = ctx.started(otlp_raw.GrpcClient(agent.grpc))
        sink.plan.then(partial(3, "three are bad"))
        answer = client.export("traces", otlp_raw.traces(10))
        assert answer.partial_success.rejected_spans == 3, answer
        id_ = "otelcol.exporter.otlp.out" if name == "a" else "otelcol.exporter.otlphttp.out"
        ledger = agent.ledger()
        assert ledger.endpoint(id_, "dropped", reason="rejected") == 3 and ledger.endpoint(id_, "acknowledged") == 7
        assert client.export("traces", otlp_raw.traces(10)).partial_success.rejected_spans == 0
        agent.assert_balanced()


@e2e(needs=["sdk"], timeout=60)
def test_retries_after_unavailable_lose_and_repeat_nothing(ctx):
    from lib import otlp_raw
    from lib.plan import close, status

    rows = [
        (
            "a",
            ctx.otlp_grpc(),
            river.otlp_exporter,
            "otelcol.exporter.otlp.out",
            [status(grpc.StatusCode.UNAVAILABLE)] * 4
            + [status(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_ms=50)]
            + [status(grpc.StatusCode.DEADLINE_EXCEEDED), status(grpc.StatusCode.ABORTED)],
        ),
        (
            "b",
            ctx.otlp_http(),
            river.otlphttp_exporter,
            "otelcol.exporter.otlphttp.out",
            [status(503), status(429, retry_ms=1000), status(502), status(504), close()],
        ),
    ]
    for name, sink, exporter, id_, failures in rows:
        agent = path(ctx, exporter(sink.port), name=name)
        sink.plan.then(*failures)
        client = ctx.started(otlp_raw.GrpcClient(agent.grpc))
        sent = 0
        for i in range(20):
            while True:  # a client that obeys: what is refused as retryable is sent again
                try:
                    client.export("logs", otlp_raw.logs(50, first=sent))
                    break
                except grpc.RpcError as e:
                    assert e.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED), e
                    raise AssertionError(f"a short outage reached the client: {e.details()}")
            sent += 50
        wait_for(lambda: sink.count("logs") >= sent, 15, f"{sent} records")
        got = sorted(int(r["body"][1].split()[1]) for r in sink.items("logs"))
        assert got == list(range(sent)), f"{len(got)} records, {len(set(got))} distinct, of {sent}"
        assert sink.plan.injected == len(failures)
        agent.assert_balanced()
        ledger = agent.ledger()
        assert ledger.endpoint(id_, "enqueued") == ledger.endpoint(id_, "acknowledged") == sent
        sink.assert_clean()


@e2e(needs=["sdk"], timeout=40)
def test_retry_info_and_retry_after_are_honoured(ctx):
    from lib import otlp_raw
    from lib.plan import status

    for name, sink, exporter, failure in (
        ("a", ctx.otlp_grpc(), river.otlp_exporter, status(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_ms=2000)),
        ("b", ctx.otlp_http(), river.otlphttp_exporter, status(429, retry_ms=2000)),
    ):
        agent = path(ctx, exporter(sink.port), batch=False, name=name)
        sink.plan.then(failure)
        client = ctx.started(otlp_raw.GrpcClient(agent.grpc))
        began = time.monotonic()
        client.export("logs", otlp_raw.logs(1))
        took = time.monotonic() - began
        assert 1.9 <= took < 6, f"{name}: sent again after {took:.2f} s instead of 2"


@e2e(needs=["sdk"])
def test_what_is_refused_for_good_is_counted_and_said_and_not_repeated(ctx):
    from lib import otlp_raw
    from lib.plan import status

    rows = [
        ("a", ctx.otlp_grpc(), river.otlp_exporter, status(grpc.StatusCode.INVALID_ARGUMENT, "no good"), "otlp"),
        ("b", ctx.otlp_http(), river.otlphttp_exporter, status(400, "no good"), "otlphttp"),
    ]
    for name, sink, exporter, failure, kind in rows:
        agent = path(ctx, exporter(sink.port), batch=False, name=name)
        sink.plan.then(failure)
        client = ctx.started(otlp_raw.GrpcClient(agent.grpc))
        try:
            answer = client.export("logs", otlp_raw.logs(10))
            assert answer.partial_success.rejected_log_records == 10, answer
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.INVALID_ARGUMENT, e.code()
        client.export("logs", otlp_raw.logs(5))
        wait_for(lambda: sink.count("logs") == 5, 5, "the next request arrives")
        ledger = agent.ledger()
        assert ledger.endpoint(f"otelcol.exporter.{kind}.out", "dropped", reason="rejected") == 10
        assert "no good" in agent.stderr(), "the far side's words are not in the log"
        agent.assert_balanced()


@e2e(needs=["sdk"], timeout=40)
def test_a_request_larger_than_the_far_side_takes_is_split(ctx):
    from lib import otlp_raw

    sink = ctx.otlp_grpc(max_message_bytes=256 << 10)
    agent = path(ctx, river.otlp_exporter(sink.port, compression="none"), batch=False)
    client = ctx.started(otlp_raw.GrpcClient(agent.grpc))
    client.export("traces", otlp_raw.traces(1000, attribute_bytes=1000))
    wait_for(lambda: sink.count("traces") >= 1000, 10, "1000 spans in smaller requests")
    assert sorted(s["attributes"]["n"][1] for s in sink.items("traces")) == list(range(1000))
    assert len(sink.messages["traces"]) >= 4
    agent.assert_balanced()


@e2e(needs=["sdk"], timeout=40)
def test_a_request_larger_than_http_413_allows_is_split(ctx):
    from lib import otlp_raw
    from lib.http_sink import Refuse
    from lib.otlp_sink import HttpOtlpSink

    class Small(HttpOtlpSink):
        def handle(self, req, action):
            if len(req.raw) > 256 << 10:
                raise Refuse(413, "request body too large", violation=False)
            return super().handle(req, action)

    sink = ctx.started(Small())
    agent = path(ctx, river.otlphttp_exporter(sink.port, compression="none"), batch=False)
    client = ctx.started(otlp_raw.GrpcClient(agent.grpc))
    client.export("traces", otlp_raw.traces(1000, attribute_bytes=1000))
    wait_for(lambda: sink.count("traces") >= 1000, 10, "1000 spans in smaller requests")
    assert sorted(s["attributes"]["n"][1] for s in sink.items("traces")) == list(range(1000))
    agent.assert_balanced()


@e2e(needs=["sdk"], timeout=40)
def test_batches_are_joined_up_to_the_size_asked_for_and_never_over_it(ctx):
    from concurrent.futures import ThreadPoolExecutor
    from lib import otlp_raw

    sink = ctx.otlp_grpc()
    ports = free_port(), free_port()
    agent = ctx.agent(
        river.otlp_receiver(*ports, to="otelcol.processor.batch.b.input")
        + river.batch("otelcol.exporter.otlp.out.input", timeout="500ms", size=100, max_size=150)
        + river.otlp_exporter(sink.port)
    )
    client = ctx.started(otlp_raw.GrpcClient(ports[0]))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: client.export("traces", otlp_raw.traces(10, first=i * 10)), range(100)))
    client.export("traces", otlp_raw.traces(1000, first=1000))
    wait_for(lambda: sink.count("traces") == 2000, 10, "2000 spans")
    assert sorted(s["attributes"]["n"][1] for s in sink.items("traces")) == list(range(2000))
    sizes = [sum(len(ss.spans) for rs in m.resource_spans for ss in rs.scope_spans) for m in sink.messages["traces"]]
    assert max(sizes) <= 150, f"sizes {sizes}"
    assert len(sizes) < 100, f"100 small requests became {len(sizes)}"
    agent.assert_balanced()


@e2e(needs=["sdk"])
def test_auth_handlers_add_their_headers(ctx):
    from lib import otlp_raw

    basic = "Basic " + base64.b64encode(b"us\xc3\xa9r:p:ass").decode()
    auths = {
        "basic": ('username = "usér"\n password = "p:ass"', "authorization", basic),
        "bearer": ('token = "tok-123"', "authorization", "Bearer tok-123"),
        "headers": ('header {\n key = "X-Scope-OrgID"\n value = "team-a"\n }', "x-scope-orgid", "team-a"),
    }
    for kind, (body, header, value) in auths.items():
        rpc, web = ctx.otlp_grpc(required_metadata={header: value}), ctx.otlp_http(required_headers={header: value})
        auth = f'otelcol.auth.{kind} "a" {{\n{body}\n}}\n'
        use = f"    auth = otelcol.auth.{kind}.a.handler"
        ports = free_port(), free_port()
        ctx.agent(
            auth
            + river.otlp_receiver(*ports, to="otelcol.exporter.otlp.rpc.input, otelcol.exporter.otlphttp.web.input")
            + river.otlp_exporter(rpc.port, "rpc", use)
            + river.otlphttp_exporter(web.port, "web", use),
            name=kind,
        )
        ctx.started(otlp_raw.GrpcClient(ports[0])).export("traces", otlp_raw.traces(3))
        for sink in (rpc, web):
            wait_for(lambda: sink.count("traces") == 3, 5, f"{kind}: spans at the sink that asks for credentials")


@e2e(needs=["sdk"])
def test_attributes_processor_edits_and_leaves_the_rest(ctx):
    from lib import otlp_raw

    sink = ctx.otlp_grpc()
    ports = free_port(), free_port()
    ctx.agent(river.otlp_receiver(*ports, to="otelcol.processor.attributes.a.input") + """
otelcol.processor.attributes "a" {
  action {
    key    = "password"
    action = "delete"
  }
  action {
    key    = "env"
    value  = "prod"
    action = "insert"
  }
  action {
    key    = "n"
    value  = "over"
    action = "insert"
  }
  action {
    key    = "user"
    value  = "x"
    action = "update"
  }
  action {
    key            = "copy"
    from_attribute = "user"
    action         = "upsert"
  }
""" + river.outputs(*["otelcol.exporter.otlp.out.input"] * 3) + "\n}\n" + river.otlp_exporter(sink.port))
    msg = otlp_raw.traces(3)
    for s in msg.resource_spans[0].scope_spans[0].spans:
        s.attributes.add(key="password").value.string_value = "hunter2"
        s.attributes.add(key="user").value.string_value = "u"
        s.attributes.add(key="bytes").value.bytes_value = b"\0\1"
    ctx.started(otlp_raw.GrpcClient(ports[0])).export("traces", msg)
    wait_for(lambda: sink.count("traces") == 3, 5, "3 spans")
    for n, span in enumerate(sink.items("traces")):
        assert span["attributes"] == {
            "n": ("int", n),
            "env": ("string", "prod"),
            "user": ("string", "x"),
            "copy": ("string", "x"),
            "bytes": ("bytes", b"\0\1"),
        }, span["attributes"]
    sink.assert_clean()


@e2e(needs=["sdk"])
def test_fan_out_to_a_dead_and_a_living_destination(ctx):
    """One destination that never answers does not stop the other."""
    from concurrent.futures import ThreadPoolExecutor
    from lib import otlp_raw
    from lib.plan import blackhole

    dead, living = ctx.otlp_grpc(), ctx.otlp_grpc()
    dead.plan.always(blackhole())
    ports = free_port(), free_port()
    agent = ctx.agent(
        river.otlp_receiver(*ports, to="otelcol.exporter.otlp.dead.input, otelcol.exporter.otlp.living.input")
        + river.otlp_exporter(dead.port, "dead", timeout="60s")
        + river.otlp_exporter(living.port, "living")
    )
    client = ctx.started(otlp_raw.GrpcClient(ports[0]))

    def send(i):
        try:
            client.export("traces", otlp_raw.traces(10, first=i * 10), timeout=3)
        except grpc.RpcError as e:
            return e.code().name
        return "OK"

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(send, range(20)))
    assert answers <= {"UNAVAILABLE", "DEADLINE_EXCEEDED"}, f"the dead destination's part was called durable: {answers}"
    wait_for(lambda: living.count("traces") >= 200, 5, "200 spans at the living destination")
    assert sorted({s["attributes"]["n"][1] for s in living.items("traces")}) == list(range(200))
    assert agent.running()
