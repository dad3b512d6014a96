"""What a strict OTLP back end refuses, beyond what the protobuf decoder refuses, and a plain form to compare by."""

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb
from opentelemetry.proto.metrics.v1 import metrics_pb2

REQUESTS = {
    "traces": (trace_pb.ExportTraceServiceRequest, trace_pb.ExportTraceServiceResponse),
    "metrics": (metrics_pb.ExportMetricsServiceRequest, metrics_pb.ExportMetricsServiceResponse),
    "logs": (logs_pb.ExportLogsServiceRequest, logs_pb.ExportLogsServiceResponse),
}
REJECTED = {"traces": "rejected_spans", "metrics": "rejected_data_points", "logs": "rejected_log_records"}


class Malformed(Exception):
    pass


def need(ok, text):
    if not ok:
        raise Malformed(text)


def parse(signal, body):
    """The decoder checks framing and UTF-8 (proto3 strings); the rest is checked here."""
    msg = REQUESTS[signal][0]()
    try:
        msg.ParseFromString(body)
    except DecodeError as e:
        raise Malformed(f"not an {msg.DESCRIPTOR.name}: {e}")
    {"traces": check_traces, "metrics": check_metrics, "logs": check_logs}[signal](msg)
    return msg


def check_attributes(attributes, where, depth=0):
    need(depth <= 64, f"{where}: values nested deeper than 64")
    seen = set()
    for kv in attributes:
        need(kv.key != "", f"{where}: empty attribute key")
        need(kv.key not in seen, f"{where}: attribute {kv.key!r} twice")
        seen.add(kv.key)
        check_value(kv.value, f"{where}.{kv.key}", depth)


def check_value(v, where, depth):
    kind = v.WhichOneof("value")
    if kind == "kvlist_value":
        check_attributes(v.kvlist_value.values, where, depth + 1)
    elif kind == "array_value":
        need(depth <= 64, f"{where}: values nested deeper than 64")
        for item in v.array_value.values:
            check_value(item, where, depth + 1)


def check_id(value, size, where, empty_is_fine=False):
    if empty_is_fine and len(value) == 0:
        return
    need(len(value) == size, f"{where}: {len(value)} bytes instead of {size}")
    need(any(value), f"{where}: all zero")


def check_traces(msg):
    for rs in msg.resource_spans:
        check_attributes(rs.resource.attributes, "resource")
        for ss in rs.scope_spans:
            check_attributes(ss.scope.attributes, "scope")
            for s in ss.spans:
                check_id(s.trace_id, 16, "trace_id")
                check_id(s.span_id, 8, "span_id")
                check_id(s.parent_span_id, 8, "parent_span_id", True)
                need(s.end_time_unix_nano >= s.start_time_unix_nano, "span ends before it starts")
                need(0 <= s.kind <= 5, f"span kind {s.kind}")
                need(0 <= s.status.code <= 2, f"status code {s.status.code}")
                check_attributes(s.attributes, "span")
                for e in s.events:
                    check_attributes(e.attributes, "event")
                for link in s.links:
                    check_id(link.trace_id, 16, "link.trace_id")
                    check_id(link.span_id, 8, "link.span_id")
                    check_attributes(link.attributes, "link")


def check_exemplars(point):
    for e in point.exemplars:
        check_id(e.trace_id, 16, "exemplar.trace_id", True)
        check_id(e.span_id, 8, "exemplar.span_id", True)
        check_attributes(e.filtered_attributes, "exemplar")


def check_metrics(msg):
    for rm in msg.resource_metrics:
        check_attributes(rm.resource.attributes, "resource")
        for sm in rm.scope_metrics:
            check_attributes(sm.scope.attributes, "scope")
            for m in sm.metrics:
                need(m.name, "metric without a name")
                kind = m.WhichOneof("data")
                need(kind, f"metric {m.name} without data")
                data = getattr(m, kind)
                if kind in ("sum", "histogram", "exponential_histogram"):
                    need(data.aggregation_temporality in (1, 2), f"metric {m.name}: temporality unspecified")
                for p in data.data_points:
                    check_attributes(p.attributes, m.name)
                    need(p.time_unix_nano > 0, f"metric {m.name}: point without time")
                    if kind in ("sum", "gauge"):
                        need(p.WhichOneof("value") or p.flags & 1, f"metric {m.name}: point without value")
                    if kind == "histogram" and (p.bucket_counts or p.explicit_bounds):
                        need(len(p.bucket_counts) == len(p.explicit_bounds) + 1, f"metric {m.name}: bucket counts")
                        need(sum(p.bucket_counts) == p.count, f"metric {m.name}: buckets do not sum to count")
                        need(list(p.explicit_bounds) == sorted(set(p.explicit_bounds)), f"metric {m.name}: bounds")
                    if kind != "summary":
                        check_exemplars(p)


def check_logs(msg):
    for rl in msg.resource_logs:
        check_attributes(rl.resource.attributes, "resource")
        for sl in rl.scope_logs:
            check_attributes(sl.scope.attributes, "scope")
            for r in sl.log_records:
                check_id(r.trace_id, 16, "log.trace_id", True)
                check_id(r.span_id, 8, "log.span_id", True)
                need(0 <= r.severity_number <= 24, f"severity {r.severity_number}")
                check_attributes(r.attributes, "log")
                check_value(r.body, "body", 0)


# -- the plain form: dicts of Python values, where 1 and 1.0 and True differ by their tag ---------------------------
def plain_value(v):
    kind = v.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return ("array", tuple(plain_value(x) for x in v.array_value.values))
    if kind == "kvlist_value":
        return ("map", tuple(sorted((kv.key, plain_value(kv.value)) for kv in v.kvlist_value.values)))
    return (kind.removesuffix("_value"), getattr(v, kind))


def plain_attributes(attributes):
    return {kv.key: plain_value(kv.value) for kv in attributes}


def plain_scope(s):
    return {"name": s.name, "version": s.version, "attributes": plain_attributes(s.attributes)}


def spans_of(msg):
    for rs in msg.resource_spans:
        resource = plain_attributes(rs.resource.attributes)
        for ss in rs.scope_spans:
            for s in ss.spans:
                yield {
                    "resource": resource,
                    "resource_schema_url": rs.schema_url,
                    "scope": plain_scope(ss.scope),
                    "scope_schema_url": ss.schema_url,
                    "trace_id": s.trace_id.hex(),
                    "span_id": s.span_id.hex(),
                    "parent": s.parent_span_id.hex(),
                    "trace_state": s.trace_state,
                    "name": s.name,
                    "kind": s.kind,
                    "start": s.start_time_unix_nano,
                    "end": s.end_time_unix_nano,
                    "flags": s.flags,
                    "attributes": plain_attributes(s.attributes),
                    "dropped_attributes": s.dropped_attributes_count,
                    "events": [
                        {"name": e.name, "time": e.time_unix_nano, "attributes": plain_attributes(e.attributes)}
                        for e in s.events
                    ],
                    "links": [
                        {
                            "trace_id": x.trace_id.hex(),
                            "span_id": x.span_id.hex(),
                            "trace_state": x.trace_state,
                            "attributes": plain_attributes(x.attributes),
                        }
                        for x in s.links
                    ],
                    "status": (s.status.code, s.status.message),
                }


def plain_point(kind, p):
    out = {"attributes": plain_attributes(p.attributes), "start": p.start_time_unix_nano, "time": p.time_unix_nano}
    if kind in ("sum", "gauge"):
        value = p.WhichOneof("value")
        out["value"] = (value, getattr(p, value) if value else None)
    elif kind == "histogram":
        out.update(
            count=p.count,
            sum=p.sum,
            bounds=list(p.explicit_bounds),
            buckets=list(p.bucket_counts),
            min=p.min if p.HasField("min") else None,
            max=p.max if p.HasField("max") else None,
        )
    elif kind == "exponential_histogram":
        out.update(
            count=p.count,
            sum=p.sum,
            scale=p.scale,
            zero=p.zero_count,
            positive=(p.positive.offset, tuple(p.positive.bucket_counts)),
            negative=(p.negative.offset, tuple(p.negative.bucket_counts)),
        )
    else:
        out.update(count=p.count, sum=p.sum, quantiles=[(q.quantile, q.value) for q in p.quantile_values])
    return out


def points_of(msg):
    for rm in msg.resource_metrics:
        resource = plain_attributes(rm.resource.attributes)
        for sm in rm.scope_metrics:
            for m in sm.metrics:
                kind = m.WhichOneof("data")
                data = getattr(m, kind)
                for p in data.data_points:
                    yield {
                        "resource": resource,
                        "scope": plain_scope(sm.scope),
                        "name": m.name,
                        "unit": m.unit,
                        "description": m.description,
                        "kind": kind,
                        "temporality": getattr(data, "aggregation_temporality", 0),
                        "monotonic": getattr(data, "is_monotonic", None),
                        **plain_point(kind, p),
                    }


def records_of(msg):
    for rl in msg.resource_logs:
        resource = plain_attributes(rl.resource.attributes)
        for sl in rl.scope_logs:
            for r in sl.log_records:
                yield {
                    "resource": resource,
                    "scope": plain_scope(sl.scope),
                    "time": r.time_unix_nano,
                    "observed": r.observed_time_unix_nano,
                    "severity": (r.severity_number, r.severity_text),
                    "body": plain_value(r.body),
                    "attributes": plain_attributes(r.attributes),
                    "event_name": r.event_name,
                    "trace_id": r.trace_id.hex(),
                    "span_id": r.span_id.hex(),
                }


ITEMS = {"traces": spans_of, "metrics": points_of, "logs": records_of}


def count_items(signal, msg):
    return sum(1 for _ in ITEMS[signal](msg))


assert metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE == 2
