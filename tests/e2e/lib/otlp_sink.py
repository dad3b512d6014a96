"""A strict OTLP back end: gRPC by grpcio, HTTP by http.server, messages by the opentelemetry-proto package.

Stored items are in arrival order in .items(signal); what a correct sender never does is in .violations."""

import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from . import otlp_check
from .http_sink import Answer, HttpSink, Refuse, decode_body
from .otlp_check import ITEMS, REJECTED, REQUESTS, Malformed
from .plan import Plan

SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
}
PATHS = {"/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/logs": "logs"}


class OtlpStore:
    """What was accepted, shared by both servers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.messages = {"traces": [], "metrics": [], "logs": []}
        self.violations = []
        self.metadata = []  # one dict per request, accepted or not

    def add(self, signal, msg):
        with self.lock:
            self.messages[signal].append(msg)

    def items(self, signal):
        with self.lock:
            messages = list(self.messages[signal])
        return [item for m in messages for item in ITEMS[signal](m)]

    def count(self, signal):
        with self.lock:
            messages = list(self.messages[signal])
        return sum(otlp_check.count_items(signal, m) for m in messages)

    def violation(self, text):
        with self.lock:
            self.violations.append(text)

    def assert_clean(self):
        assert not self.violations, "the sink refused what was sent: " + "; ".join(self.violations[:5])


def partial_response(signal, action):
    answer = REQUESTS[signal][1]()
    if action.kind == "partial":
        setattr(answer.partial_success, REJECTED[signal], action.rejected)
        answer.partial_success.error_message = action.message
    return answer


class GrpcOtlpSink(OtlpStore):
    """plan actions: status(grpc.StatusCode.X, text, retry_ms), partial, slow, blackhole."""

    def __init__(self, port=0, max_message_bytes=64 << 20, required_metadata=None):
        super().__init__()
        self.plan = Plan()
        self.required = required_metadata or {}
        self.peers = set()
        self.requests = 0
        self._server = grpc.server(
            futures.ThreadPoolExecutor(16),
            options=[("grpc.max_receive_message_length", max_message_bytes), ("grpc.so_reuseport", 0)],
        )
        for service, signal in SERVICES.items():
            handler = grpc.unary_unary_rpc_method_handler(
                lambda body, context, signal=signal: self._export(signal, body, context)
            )
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        assert self.port, f"cannot listen on {port}"
        self._server.start()

    def _export(self, signal, body, context):
        with self.lock:
            self.requests += 1
            self.peers.add(context.peer())
            self.metadata.append(dict(context.invocation_metadata()))
        for key, value in self.required.items():
            if self.metadata[-1].get(key) != value:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, f"metadata {key} is not what it must be")
        action = self.plan.next()
        if action.kind == "blackhole":
            self.plan.hold(context.is_active)
            context.abort(grpc.StatusCode.UNAVAILABLE, "black hole")
        if action.kind == "status":
            self._refuse(context, action)
        try:
            msg = otlp_check.parse(signal, body)
        except Malformed as e:
            self.violation(str(e))
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(e))
        self.add(signal, msg)
        return partial_response(signal, action).SerializeToString()

    @staticmethod
    def _refuse(context, action):
        if action.retry_ms is not None:
            info = error_details_pb2.RetryInfo(
                retry_delay=duration_pb2.Duration(
                    seconds=action.retry_ms // 1000, nanos=action.retry_ms % 1000 * 1000000
                )
            )
            detail = any_pb2.Any()
            detail.Pack(info)
            rich = status_pb2.Status(code=action.code.value[0], message=action.message, details=[detail])
            context.set_trailing_metadata((("grpc-status-details-bin", rich.SerializeToString()),))
        context.abort(action.code, action.message)

    def stop(self):
        self.plan.stopped.set()
        self._server.stop(0.2).wait(5)


class HttpOtlpSink(HttpSink, OtlpStore):
    """plan actions: status(503, text, retry_ms), partial, slow, blackhole, close."""

    def __init__(self, port=0, required_headers=None):
        OtlpStore.__init__(self)
        self.required = required_headers or {}
        HttpSink.__init__(self, port)

    def handle(self, req, action):
        with self.lock:
            self.metadata.append({k.lower(): v for k, v in req.headers.items()})
        signal = PATHS.get(req.path)
        if not signal:
            raise Refuse(404, f"no such path {req.path}")
        if req.method != "POST":
            raise Refuse(405, "POST only")
        for key, value in self.required.items():
            if req.headers.get(key) != value:
                raise Refuse(401, f"header {key} is not what it must be", violation=False)
        content_type = req.headers.get("Content-Type", "").split(";")[0].strip()
        if content_type != "application/x-protobuf":
            raise Refuse(415, f"Content-Type {content_type!r}")
        body = decode_body(req.raw, req.headers.get("Content-Encoding"))
        try:
            msg = otlp_check.parse(signal, body)
        except Malformed as e:
            raise Refuse(400, str(e))
        self.add(signal, msg)
        return Answer(200, partial_response(signal, action).SerializeToString(), "application/x-protobuf")
