"""A strict HTTP server for sinks: bodies by Content-Length or chunked, codings undone by cramjam and zstandard."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cramjam
import zstandard

from .plan import Plan


class Refuse(Exception):
    """The sink says no: an HTTP status, its text, and whether this is the sender's fault (a violation)."""

    def __init__(self, status, text, violation=True, headers=None):
        super().__init__(text)
        self.status, self.text, self.violation = status, text, violation
        self.headers = headers or {}


class Request:
    def __init__(self, method, path, headers, raw, peer):
        self.method, self.path, self.headers, self.raw, self.peer = method, path, headers, raw, peer


class Answer:
    def __init__(self, status=200, body=b"", content_type="text/plain", headers=None):
        self.status, self.body, self.content_type = status, body, content_type
        self.headers = headers or {}


def decode_body(raw, coding, limit=256 << 20):
    """Content-Encoding as RFC 9110 has it; a coding that does not check is the sender's fault."""
    try:
        if coding in (None, "", "identity"):
            body = raw
        elif coding == "gzip":
            body = bytes(cramjam.gzip.decompress(raw))
        elif coding in ("deflate", "zlib"):
            body = bytes(cramjam.zlib.decompress(raw))
        elif coding == "zstd":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
        elif coding == "snappy":
            body = bytes(cramjam.snappy.decompress_raw(raw))
        else:
            raise Refuse(415, f"unsupported Content-Encoding {coding!r}")
    except Refuse:
        raise
    except Exception as e:
        raise Refuse(400, f"body is not {coding}: {e}")
    if len(body) > limit:
        raise Refuse(413, "body too large")
    return body


class HttpSink:
    """Subclass: handle(request, action) -> Answer, or raise Refuse. All that happened is in requests, violations."""

    def __init__(self, port=0):
        self.plan = Plan()
        self.lock = threading.Lock()
        self.requests = []  # every Request, refused ones too
        self.violations = []  # texts: what a correct sender never does
        self.statuses = []  # answered status codes, in order
        self.peers = set()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def do_GET(self):
                self.serve()

            def do_POST(self):
                self.serve()

            def do_PUT(self):
                self.serve()

            def read_all(self):
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    out = bytearray()
                    while True:
                        size = int(self.rfile.readline().split(b";")[0], 16)
                        if size == 0:
                            while self.rfile.readline().strip():
                                pass
                            return bytes(out)
                        out += self.rfile.read(size)
                        self.rfile.readline()
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def serve(self):
                try:
                    raw = self.read_all()
                    req = Request(self.command, self.path, self.headers, raw, self.client_address)
                    action = sink.plan.next()
                    with sink.lock:
                        sink.requests.append(req)
                        sink.peers.add(self.client_address)
                    if action.kind == "blackhole":
                        sink.plan.hold()
                        self.close_connection = True
                        return
                    if action.kind == "close":
                        self.close_connection = True
                        return
                    answer = sink._answer(req, action)
                except (ConnectionError, TimeoutError):
                    self.close_connection = True
                    return
                with sink.lock:
                    sink.statuses.append(answer.status)
                try:
                    self.send_response(answer.status)
                    for k, v in answer.headers.items():
                        self.send_header(k, v)
                    if answer.status != 204:
                        self.send_header("Content-Type", answer.content_type)
                        self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    if answer.status != 204:
                        self.wfile.write(answer.body)
                except (ConnectionError, TimeoutError):
                    self.close_connection = True

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256
            allow_reuse_address = True

            def handle_error(self, request, client_address):
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _answer(self, req, action):
        if action.kind == "status":
            headers = dict(action.headers)
            if action.retry_ms is not None:
                headers["Retry-After"] = str(max(1, action.retry_ms // 1000))
            return Answer(action.code, action.message.encode(), headers=headers)
        try:
            return self.handle(req, action)
        except Refuse as e:
            if e.violation:
                self.violation(f"{req.method} {req.path}: {e.status} {e.text}")
            return Answer(e.status, e.text.encode(), headers=e.headers)

    def handle(self, req, action):
        raise NotImplementedError

    def violation(self, text):
        with self.lock:
            self.violations.append(text)

    def assert_clean(self):
        assert not self.violations, "the sink refused what was sent: " + "; ".join(self.violations[:5])

    def stop(self):
        self.plan.stopped.set()
        self._server.shutdown()
        self._server.server_close()
