"""Where no Tempo is at hand: a grpc server made from the public service definition, traces only, by trace id."""

import threading
from concurrent import futures

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from . import otlp_check


class TempoLike(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self):
        self.lock = threading.Lock()
        self.traces = {}
        self.refused = []
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def Export(self, request, context):
        try:
            otlp_check.check_traces(request)
        except otlp_check.Malformed as e:
            self.refused.append(str(e))
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(e))
        with self.lock:
            for span in otlp_check.spans_of(request):
                self.traces.setdefault(span["trace_id"], []).append(span)
        return trace_service_pb2.ExportTraceServiceResponse()

    def stop(self):
        self._server.stop(0.2).wait(5)
