"""The real OpenTelemetry Python SDK as a client. Each run sends to hyagent and, by a second exporter in memory, keeps
what it sent, in the plain form of otlp_check (made from the SDK's own objects, not from its protobuf encoder)."""

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricExporter,
    PeriodicExportingMetricReader,
    Sum,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags, set_span_in_context

try:
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
except ImportError:
    from opentelemetry.sdk._logs.export import InMemoryLogExporter as InMemoryLogRecordExporter

RESOURCE = {
    "service.name": "checkout",
    "service.version": "1.2.3",
    "host.name": "knoten-ä-日本",
    "process.pid": 4711,
    "deployment.flags": ["a", "b"],
    "ratio": 0.25,
    "canary": True,
}

ATTRIBUTES = {
    "string": "plain",
    "empty": "",
    "unicode": "Grüße 🎈 \u0000-free 𝔘",
    "quote": 'a"b\\c\n\t',
    "int": 42,
    "zero": 0,
    "negative": -1,
    "int64.max": 2**63 - 1,
    "int64.min": -(2**63),
    "double": 3.25,
    "double.tiny": 5e-324,
    "double.big": 1.7976931348623157e308,
    "true": True,
    "false": False,
    "strings": ["x", "", "ü"],
    "ints": [1, -2, 2**62],
    "doubles": [0.5, -0.0],
    "bools": [True, False],
    "long": "z" * 5000,
}


def plain(v):
    if v is None:
        return None
    if isinstance(v, bool):
        return ("bool", v)
    if isinstance(v, int):
        return ("int", v)
    if isinstance(v, float):
        return ("double", v)
    if isinstance(v, str):
        return ("string", v)
    if isinstance(v, bytes):
        return ("bytes", v)
    if hasattr(v, "items"):
        return ("map", tuple(sorted((k, plain(x)) for k, x in v.items())))
    return ("array", tuple(plain(x) for x in v))


def plain_attributes(attributes):
    return {k: plain(v) for k, v in (attributes or {}).items()}


def plain_scope(s):
    return {"name": s.name, "version": s.version or "", "attributes": plain_attributes(getattr(s, "attributes", None))}


def exporters(protocol, port, compression=None):
    """The three exporters for grpc or http, on loopback."""
    if protocol == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        how = dict(
            endpoint=f"127.0.0.1:{port}",
            insecure=True,
            timeout=10,
            compression=grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression,
        )
        return OTLPSpanExporter(**how), OTLPMetricExporter(**how), OTLPLogExporter(**how)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    how = dict(
        timeout=10,
        compression={"gzip": Compression.Gzip, "deflate": Compression.Deflate, None: Compression.NoCompression}[
            compression
        ],
    )
    base = f"http://127.0.0.1:{port}/v1/"
    return (
        OTLPSpanExporter(endpoint=base + "traces", **how),
        OTLPMetricExporter(endpoint=base + "metrics", **how),
        OTLPLogExporter(endpoint=base + "logs", **how),
    )


# -- traces -----------------------------------------------------------------------------------------------------------
def send_traces(exporter, spans=20):
    """Parents, children, events, links, exceptions, states. The plain spans that were sent."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource(RESOURCE))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=max(2048, spans * 3)))
    tracer = provider.get_tracer("e2e.tracer", "0.9", attributes={"scope.kind": "test"})
    other = SpanContext(
        0xABCDEF << 96 | 7, 0x1234567890ABCDEF, True, TraceFlags(1)
    )  # (its exporter leaves out a state)
    kinds = list(SpanKind)
    for i in range(spans):
        parent = tracer.start_span(
            f"GET /items/{i}",
            kind=kinds[i % len(kinds)],
            attributes={**ATTRIBUTES, "i": i},
            links=[Link(other, {"link.reason": "batch", "n": i})],
        )
        parent.add_event("cache.miss", {"key": f"item-{i}", "tries": 3, "took": 0.125})
        child = tracer.start_span("db query ünïcode", context=set_span_in_context(parent))
        child.set_status(StatusCode.ERROR, "deadlock detected")
        try:
            raise ValueError(f"boom {i}")
        except ValueError as e:
            child.record_exception(e)
        child.end()
        parent.set_status(StatusCode.OK)
        parent.end()
    assert provider.force_flush(20000), "the SDK could not flush its spans"
    provider.shutdown()
    return [plain_span(s) for s in memory.get_finished_spans()]


def plain_span(s):
    return {
        "resource": plain_attributes(s.resource.attributes),
        "scope": plain_scope(s.instrumentation_scope),
        "trace_id": f"{s.context.trace_id:032x}",
        "span_id": f"{s.context.span_id:016x}",
        "parent": f"{s.parent.span_id:016x}" if s.parent else "",
        "trace_state": s.context.trace_state.to_header(),
        "name": s.name,
        "kind": s.kind.value + 1,
        "start": s.start_time,
        "end": s.end_time,
        "attributes": plain_attributes(s.attributes),
        "dropped_attributes": s.dropped_attributes,
        "events": [
            {"name": e.name, "time": e.timestamp, "attributes": plain_attributes(e.attributes)} for e in s.events
        ],
        "links": [
            {
                "trace_id": f"{x.context.trace_id:032x}",
                "span_id": f"{x.context.span_id:016x}",
                "trace_state": x.context.trace_state.to_header(),
                "attributes": plain_attributes(x.attributes),
            }
            for x in s.links
        ],
        "status": (s.status.status_code.value, s.status.description or ""),
    }


# -- metrics ----------------------------------------------------------------------------------------------------------
class Tee(MetricExporter):
    """Hands each collection to the real exporter and keeps it."""

    def __init__(self, exporter):
        super().__init__(
            preferred_temporality=exporter._preferred_temporality, preferred_aggregation=exporter._preferred_aggregation
        )
        self.exporter, self.kept, self.results = exporter, [], []

    def export(self, metrics_data, timeout_millis=10000, **kwargs):
        self.kept.append(metrics_data)
        result = self.exporter.export(metrics_data, timeout_millis)
        self.results.append(result.name)
        return result

    def force_flush(self, timeout_millis=10000):
        return self.exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis=10000, **kwargs):
        self.exporter.shutdown(timeout_millis)


def send_metrics(exporter, rounds=2):
    """Counters (int, float), up-down counter, gauge, observable gauge, histogram, exponential histogram. Plain points."""
    tee = Tee(exporter)
    reader = PeriodicExportingMetricReader(tee, export_interval_millis=3600000)
    provider = MeterProvider(
        resource=Resource(RESOURCE),
        metric_readers=[reader],
        views=[View(instrument_name="e2e.exponential", aggregation=ExponentialBucketHistogramAggregation())],
    )
    meter = provider.get_meter("e2e.meter", "0.9")
    counter = meter.create_counter("e2e.requests", unit="1", description="Requests, ünïcode too")
    floats = meter.create_counter("e2e.energy", unit="J")
    updown = meter.create_up_down_counter("e2e.queue")
    gauge = meter.create_gauge("e2e.temperature", unit="Cel")
    histogram = meter.create_histogram("e2e.latency", unit="ms", explicit_bucket_boundaries_advisory=[1, 5, 10, 50.5])
    exponential = meter.create_histogram("e2e.exponential", unit="s")
    from opentelemetry.metrics import Observation

    meter.create_observable_gauge("e2e.observed", callbacks=[lambda _: [Observation(7, {"from": "callback"})]])
    for r in range(rounds):
        for method, n in (("GET", 5), ("POST", 2)):
            counter.add(n, {"http.method": method, "ok": True})
        floats.add(0.125 * (r + 1))
        updown.add(-3 if r else 5, {"queue": "q-ü"})
        gauge.set(-4.5 + r, {"room": "1"})
        for v in (0.2, 4, 4.5, 11, 700):
            histogram.record(v, {"route": "/a"})
            exponential.record(v * 3)
        assert provider.force_flush(20000), "the SDK could not flush its metrics"
    provider.shutdown()
    assert set(tee.results) == {"SUCCESS"}, f"the exporter said {tee.results}"
    return [p for data in tee.kept for p in plain_points(data)]


def plain_points(data):
    kinds = {Sum: "sum", Gauge: "gauge", Histogram: "histogram", ExponentialHistogram: "exponential_histogram"}
    for rm in data.resource_metrics:
        for sm in rm.scope_metrics:
            for m in sm.metrics:
                kind = kinds[type(m.data)]
                temporality = getattr(m.data, "aggregation_temporality", 0)
                for p in m.data.data_points:
                    out = {
                        "resource": plain_attributes(rm.resource.attributes),
                        "scope": plain_scope(sm.scope),
                        "name": m.name,
                        "unit": m.unit or "",
                        "description": m.description or "",
                        "kind": kind,
                        "temporality": {AggregationTemporality.CUMULATIVE: 2, AggregationTemporality.DELTA: 1}.get(
                            temporality, 0
                        ),
                        "monotonic": getattr(m.data, "is_monotonic", None),
                        "attributes": plain_attributes(p.attributes),
                        "start": p.start_time_unix_nano or 0,
                        "time": p.time_unix_nano,
                    }
                    if kind in ("sum", "gauge"):
                        out["value"] = ("as_int" if isinstance(p.value, int) else "as_double", p.value)
                    elif kind == "histogram":
                        out.update(
                            count=p.count,
                            sum=p.sum,
                            bounds=list(p.explicit_bounds),
                            buckets=list(p.bucket_counts),
                            min=p.min,
                            max=p.max,
                        )
                    else:
                        out.update(
                            count=p.count,
                            sum=p.sum,
                            scale=p.scale,
                            zero=p.zero_count,
                            positive=(p.positive.offset, tuple(p.positive.bucket_counts)),
                            negative=(p.negative.offset, tuple(p.negative.bucket_counts)),
                        )
                    yield out


# -- logs -------------------------------------------------------------------------------------------------------------
BODIES = [
    "plain text",
    "",
    "Zeile mit ä 🎈\nund Umbruch",
    17,
    2.5,
    False,
    ["list", 1, [2, "nested"]],
    {"map": {"inner": [1, None, b"\x00\xff bytes"]}, "k": "v"},
    b"\x00\x01\xfe",
]


def send_logs(exporter):
    """Bodies and attributes of every type, severities, with and without a span. The plain records."""
    memory = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=Resource(RESOURCE))
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger("e2e.logger", "0.9")
    in_span = set_span_in_context(TracerProvider().get_tracer("t").start_span("s"))
    for i, body in enumerate(BODIES * 3):
        logger.emit(
            timestamp=1_700_000_000_000_000_000 + i,
            observed_timestamp=1_700_000_000_500_000_000 + i,
            severity_number=[SeverityNumber.INFO, SeverityNumber.ERROR, SeverityNumber.TRACE][i % 3],
            severity_text=["INFO", "ERROR", "TRACE"][i % 3],
            body=body,
            event_name="evt" if i % 2 else None,
            context=in_span if i % 2 else None,
            attributes={**ATTRIBUTES, "i": i, "map": {"a": [1, {"b": "c"}], "bytes": b"\x80\x00"}},
        )
    assert provider.force_flush(20000) is not False, "the SDK could not flush its logs"
    provider.shutdown()
    return [plain_record(x) for x in memory.get_finished_logs()]


def plain_record(data):
    r = data.log_record
    resource = getattr(data, "resource", None) or r.resource
    return {
        "resource": plain_attributes(resource.attributes),
        "scope": plain_scope(data.instrumentation_scope),
        "time": r.timestamp,
        "observed": r.observed_timestamp,
        "severity": (r.severity_number.value, r.severity_text or ""),
        "body": plain(r.body),
        "attributes": plain_attributes(r.attributes),
        "event_name": r.event_name or "",
        "trace_id": f"{r.trace_id:032x}" if r.trace_id else "",
        "span_id": f"{r.span_id:016x}" if r.span_id else "",
    }


# -- comparing --------------------------------------------------------------------------------------------------------
def assert_same(sent, got, key, what):
    """Every item sent is there once, equal in every field that was sent, in any order."""
    index = {}
    for item in got:
        index.setdefault(key(item), []).append(item)
    for item in sent:
        found = index.get(key(item), [])
        assert len(found) == 1, f"{what} {key(item)} is there {len(found)} times instead of once"
        for field, value in item.items():
            other = found[0].get(field)
            if isinstance(value, dict) and isinstance(other, dict) and value != other:
                for k in sorted(value.keys() | other.keys()):
                    assert value.get(k) == other.get(
                        k
                    ), f"{what} {key(item)}: {field}[{k}]: sent {value.get(k)!r}, arrived {other.get(k)!r}"
            assert value == other, f"{what} {key(item)}: {field}: sent {value!r}, arrived {other!r}"
    assert len(got) == len(sent), f"{what}: {len(sent)} sent, {len(got)} arrived"


def span_key(s):
    return (s["trace_id"], s["span_id"])


def point_key(p):
    return (p["name"], p["time"], tuple(sorted((k, repr(v)) for k, v in p["attributes"].items())))


def record_key(r):
    return (r["time"], r["attributes"].get("i"))
