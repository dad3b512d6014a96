"""HTTP/1.1, HTTP/2 and gRPC servers that write down what they were asked: one port per question, all of them served by
one object."""

import selectors
import socket
import ssl
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Seen:
    def __init__(self, method, target, headers, body, connection):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.alpn, self.client_name, self.tls_version = connection  # of TLS; None without
        self.at = time.monotonic()

    def header(self, name):
        """All values of a header, joined as HTTP joins them."""
        return ", ".join(v for n, v in self.headers if n.lower() == name.lower())

    def __repr__(self):
        return f"{self.method} {self.target} {self.headers} {self.alpn} {self.client_name}"


class Port:
    """What one port has seen. reply(seen) -> (status, {header: value}, body), of gRPC the status is gRPC's; None: no
    answer ever comes. pings: of HTTP/2 clients; they are not answered where is_deaf."""

    def __init__(self, tls, reply):
        self.tls, self.reply = tls, reply
        self.seen, self.refused = [], []  # requests; how TLS connections ended without one
        self.pings, self.connections, self.is_deaf = [], 0, False
        self.busy = self.busiest = 0  # requests at once
        self.lock = threading.Lock()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.socket.setblocking(False)
        self.number = self.socket.getsockname()[1]

    def ask(self, seen):
        """The answer. It is noted first, for a reply may take its time."""
        with self.lock:
            self.seen.append(seen)
            self.busy += 1
            self.busiest = max(self.busy, self.busiest)
        try:
            return self.reply(seen)
        finally:
            with self.lock:
                self.busy -= 1

    def any(self, question):
        with self.lock:
            return any(question(s) for s in self.seen)


def ok(seen):
    return 200, {}, b""


class Recorder:
    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._stopped = False
        self._ports = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def listen(self, tls=None, reply=ok):
        port = Port(tls, reply)
        self._ports.append(port)
        self._selector.register(port.socket, selectors.EVENT_READ, port)
        self._wake.send(b"x")  # select again, with this one
        return port

    def stop(self):
        self._stopped = True
        self._wake.send(b"x")
        self._thread.join(5)
        for port in self._ports:
            port.socket.close()

    def _accept(self):
        while not self._stopped:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._woken.recv(64)
                    continue
                try:
                    connection, _ = key.data.socket.accept()
                except OSError:
                    continue
                threading.Thread(target=self._serve, args=(key.data, connection), daemon=True).start()

    def _serve(self, port, connection):
        connection.setblocking(True)
        connection.settimeout(60)
        about = (None, None, None)
        try:
            if port.tls:
                try:
                    connection = port.tls.wrap_socket(connection, server_side=True)
                except (ssl.SSLError, OSError) as e:
                    with port.lock:
                        port.refused.append(str(e))
                    return
                about = (connection.selected_alpn_protocol(), common_name(connection), connection.version())
            with port.lock:
                port.connections += 1
            asked = 0
            with connection.makefile("rb") as stream:
                if stream.peek(3)[:3] == PREFACE[:3]:
                    Http2(port, connection, stream, about).serve()
                    return
                while self._one(port, connection, stream, about):
                    asked += 1
                if port.tls and not asked and not port.seen:
                    with port.lock:
                        port.refused.append("closed after the handshake")  # TLS 1.3: the name did not please
        except OSError:
            pass
        finally:
            connection.close()

    def _one(self, port, connection, stream, about):
        """One request; False when there is no next one on this connection."""
        first = stream.readline(65536)
        if not first.strip():
            return False
        method, target, _ = first.decode("latin-1").split(" ", 2)
        headers = []
        for line in iter(stream.readline, b"\r\n"):
            if not line:
                return False
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.strip(), value.strip()))
        seen = Seen(method, target, headers, b"", about)
        if seen.header("Expect").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        seen.body = read_body(stream, seen)
        answer = port.ask(seen)
        if answer is None:
            stream.read(1)  # until the client goes
            return False
        status, more, body = answer
        head = [f"HTTP/1.1 {status} .", f"Content-Length: {len(body)}", *(f"{n}: {v}" for n, v in more.items())]
        if status == 204:
            del head[1]
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + (b"" if status == 204 else body))
        return method != "CONNECT" and seen.header("Connection").lower() != "close"


class Http2:
    def __init__(self, port, connection, stream, about):
        self.port, self.connection, self.stream, self.about = port, connection, stream, about
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.open = {}  # stream id -> Seen
        self.bodies = {}
        self.lock = threading.Lock()  # of h2 and what is sent: a reply may take its time, and others come meanwhile

    def serve(self):
        self.h2.initiate_connection()
        self.connection.sendall(self.h2.data_to_send())
        while data := self.stream.read1(65536):
            with self.lock:
                is_answered = True
                for event in self.h2.receive_data(data):
                    is_answered = self.take(event) and is_answered
                out = self.h2.data_to_send()
                if is_answered or not self.port.is_deaf:
                    self.connection.sendall(out)

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            fields = dict(event.headers)
            seen = Seen(fields[":method"], fields[":path"], list(event.headers), b"", self.about)
            self.open[event.stream_id], self.bodies[event.stream_id] = seen, bytearray()
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            threading.Thread(target=self.answer, args=(event.stream_id,), daemon=True).start()
        elif isinstance(event, h2.events.PingReceived):
            with self.port.lock:
                self.port.pings.append(time.monotonic())
            return False
        return True

    def answer(self, number):
        with self.lock:
            seen = self.open.pop(number)
            seen.body = bytes(self.bodies.pop(number))
        answer = self.port.ask(seen)
        if answer is None:
            return
        try:
            with self.lock:
                self.send(number, seen, *answer)
                self.connection.sendall(self.h2.data_to_send())
        except (OSError, h2.exceptions.ProtocolError):
            pass  # the client has gone meanwhile

    def send(self, number, seen, status, more, body):
        if not seen.header("content-type").startswith("application/grpc"):
            self.h2.send_headers(number, [(":status", str(status)), *((n.lower(), v) for n, v in more.items())])
            self.h2.send_data(number, body, end_stream=True)
            return
        self.h2.send_headers(number, [(":status", "200"), ("content-type", "application/grpc")])
        if status == 0:
            self.h2.send_data(number, b"\0" + len(body).to_bytes(4, "big") + body)
        self.h2.send_headers(number, [("grpc-status", str(status)), ("grpc-message", "no")], end_stream=True)


def common_name(connection):
    cert = connection.getpeercert()
    return dict(pair for rdn in cert["subject"] for pair in rdn).get("commonName") if cert else None


def read_body(stream, seen):
    if seen.header("Transfer-Encoding").lower() != "chunked":
        return stream.read(int(seen.header("Content-Length") or 0))
    body = bytearray()
    while True:
        size = int(stream.readline().split(b";")[0], 16)
        if size == 0:
            while stream.readline().strip():
                pass
            return bytes(body)
        body += stream.read(size)
        stream.readline()
