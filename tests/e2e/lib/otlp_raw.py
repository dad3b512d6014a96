"""OTLP requests made by hand with the published protobuf classes, and sent without an SDK."""

import os
import struct
import time

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .net import http
from .otlp_check import REQUESTS

METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


def traces(spans=1, service="raw", attribute_bytes=0, first=0):
    msg = ExportTraceServiceRequest()
    rs = msg.resource_spans.add()
    rs.resource.attributes.add(key="service.name").value.string_value = service
    ss = rs.scope_spans.add()
    ss.scope.name = "raw"
    now = time.time_ns()
    for i in range(first, first + spans):
        s = ss.spans.add(
            trace_id=os.urandom(15) + b"\1",
            span_id=os.urandom(7) + b"\1",
            name=f"span {i}",
            kind=2,
            start_time_unix_nano=now,
            end_time_unix_nano=now + 1000,
        )
        s.attributes.add(key="n").value.int_value = i
        if attribute_bytes:
            s.attributes.add(key="fill").value.string_value = "f" * attribute_bytes
    return msg


def logs(records=1, service="raw", first=0, attributes=None, resource=None, body="record {}"):
    msg = ExportLogsServiceRequest()
    rl = msg.resource_logs.add()
    for k, v in {"service.name": service, **(resource or {})}.items():
        rl.resource.attributes.add(key=k).value.string_value = v
    sl = rl.scope_logs.add()
    sl.scope.name = "raw"
    now = time.time_ns()
    for i in range(first, first + records):
        r = sl.log_records.add(
            time_unix_nano=now + i, observed_time_unix_nano=now + i, severity_number=9, severity_text="INFO"
        )
        r.body.string_value = body.format(i)
        for k, v in (attributes or {}).items():
            r.attributes.add(key=k).value.string_value = v
    return msg


def gauges(points=1, name="raw.gauge", service="raw", first=0):
    msg = ExportMetricsServiceRequest()
    rm = msg.resource_metrics.add()
    rm.resource.attributes.add(key="service.name").value.string_value = service
    m = rm.scope_metrics.add().metrics.add(name=name, unit="1")
    for i in range(first, first + points):
        p = m.gauge.data_points.add(time_unix_nano=time.time_ns(), as_double=i + 0.5)
        p.attributes.add(key="i").value.string_value = str(i)
    return msg


def everything():
    """One request per signal with every field of the published messages set, and an unknown one."""
    out = {
        "traces": ExportTraceServiceRequest(),
        "metrics": ExportMetricsServiceRequest(),
        "logs": ExportLogsServiceRequest(),
    }
    for msg in out.values():
        fill(msg, 0, [0])
    for rm in out["metrics"].resource_metrics:
        for sm in rm.scope_metrics:
            one = sm.metrics[0]
            del sm.metrics[:]
            for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
                m = sm.metrics.add(name=f"all.{kind}", description=one.description, unit="By")
                fill(getattr(m, kind), 3, [0])
                if kind == "histogram":
                    for p in m.histogram.data_points:
                        p.explicit_bounds[:] = [1.0, 2.0]
                        p.bucket_counts[:] = [3, 4, 5]
                        p.count = 12
    # An unknown field (number 999) inside a span, a record and a metric: it must be carried on.
    unknown = bytes.fromhex("ba3e") + bytes([7]) + b"unknown"
    for item in (
        out["traces"].resource_spans[0].scope_spans[0].spans[0],
        out["logs"].resource_logs[0].scope_logs[0].log_records[0],
        out["metrics"].resource_metrics[0].scope_metrics[0].metrics[0],
    ):
        item.MergeFromString(unknown)
    return out


def fill(msg, depth, counter):
    """Sets every field. Ids have their length, enums a valid value, and AnyValue takes every kind in turn."""
    from google.protobuf.descriptor import FieldDescriptor as F

    if msg.DESCRIPTOR.name == "AnyValue":
        return fill_value(msg, depth, counter)
    for f in msg.DESCRIPTOR.fields:
        if f.containing_oneof and len(f.containing_oneof.fields) > 1 and msg.WhichOneof(f.containing_oneof.name):
            continue
        counter[0] += 1
        n = counter[0]
        repeated = f.is_repeated
        if f.type == F.TYPE_MESSAGE:
            if f.message_type.name in ("KeyValue",) and depth > 10:
                continue
            for i in range(2 if repeated and depth < 4 else 1):
                child = getattr(msg, f.name).add() if repeated else getattr(msg, f.name)
                child.SetInParent() if not repeated else None
                fill(child, depth + 1, counter)
                if f.message_type.name == "KeyValue":
                    child.key = f"key-{counter[0]}-{i}-ü"
            continue
        value = {
            F.TYPE_STRING: f"text {n} ä",
            F.TYPE_BOOL: True,
            F.TYPE_DOUBLE: n + 0.25,
            F.TYPE_FLOAT: 1.5,
            F.TYPE_ENUM: 1,
        }.get(f.type)
        if f.type == F.TYPE_BYTES:
            size = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}.get(f.name, 5)
            value = bytes((n + i) % 255 + 1 for i in range(size))
        if value is None:
            value = {
                "end_time_unix_nano": 2**62,
                "severity_number": 9,
                "flags": {"Span": 257, "Link": 256, "LogRecord": 1}.get(msg.DESCRIPTOR.name, 0),
            }.get(f.name, n)
        if f.name in ("key_ref", "string_value_strindex", "key_strindex"):
            continue  # of the profiles signal
        if repeated:
            getattr(msg, f.name).extend([value, value] if f.name != "explicit_bounds" else [1.0, 2.0])
        else:
            setattr(msg, f.name, value)


def fill_value(v, depth, counter):
    counter[0] += 1
    n = counter[0]
    kind = n % 7 if depth < 8 else n % 5
    if kind == 0:
        v.string_value = f"value {n} 🎈"
    elif kind == 1:
        v.int_value = -n << 40
    elif kind == 2:
        v.double_value = n / 8
    elif kind == 3:
        v.bool_value = True
    elif kind == 4:
        v.bytes_value = b"\x00\xff" + struct.pack("<I", n)
    elif kind == 5:
        for _ in range(3):
            fill_value(v.array_value.values.add(), depth + 2, counter)
    else:
        for i in range(2):
            kv = v.kvlist_value.values.add(key=f"k{n}-{i}")
            fill_value(kv.value, depth + 2, counter)


class GrpcClient:
    def __init__(self, port, compression=None):
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{port}",
            options=[("grpc.max_send_message_length", 256 << 20), ("grpc.max_receive_message_length", 64 << 20)],
        )
        self.compression = compression

    def export(self, signal, body, timeout=12, metadata=None):
        """The response message; grpc.RpcError as it comes."""
        if not isinstance(body, bytes):
            body = body.SerializeToString()
        call = self.channel.unary_unary(METHODS[signal])
        return REQUESTS[signal][1].FromString(
            call(body, timeout=timeout, compression=self.compression, metadata=metadata)
        )

    def refused(self, signal, body, **how):
        """The status code name of a call that must fail, and its text."""
        try:
            self.export(signal, body, **how)
        except grpc.RpcError as e:
            return e.code().name, e.details()
        raise AssertionError("the call was accepted")

    def stop(self):
        self.channel.close()


def post(port, signal, body, coding=None, content_type="application/x-protobuf", headers=None, timeout=15):
    """POST to /v1/SIGNAL: (status, headers, body)."""
    how = {"Content-Type": content_type, **(headers or {})}
    if coding:
        how["Content-Encoding"] = coding
    if not isinstance(body, bytes):
        body = body.SerializeToString()
    return http(f"http://127.0.0.1:{port}/v1/{signal}", body, how, timeout=timeout)
