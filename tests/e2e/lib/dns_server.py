"""A DNS server (RFC 1035) for tests: UDP and TCP on one address, answers from a table, counts questions."""

import socket
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "MX": 15, "AAAA": 28, "SRV": 33}
NAMES = {number: name for name, number in TYPES.items()}
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3


def encode_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def encode_data(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "SRV":
        port, target = value
        return struct.pack(">HHH", 10, 5, port) + encode_name(target)
    if kind == "MX":
        return struct.pack(">H", 10) + encode_name(value)
    return encode_name(value)  # NS, CNAME


class DnsServer:
    """records: {(name, type): [data]}; a name with no record of any type does not exist. broken: names that fail."""

    def __init__(self, address="127.0.0.1", port=53, records=None):
        self.records, self.broken, self.questions = dict(records or {}), set(), []
        self.lock = threading.Lock()
        self.is_stopped = False
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, self.port))
        self.tcp.listen(16)
        for run in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=run, daemon=True).start()

    def stop(self):
        self.is_stopped = True
        self.udp.close()
        self.tcp.close()

    def asked(self, name, kind):
        with self.lock:
            return self.questions.count((name, kind))

    def _answer(self, query, most):
        number, flags, n_questions = struct.unpack(">HHH", query[:6])
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = NAMES.get(struct.unpack(">H", query[at + 1 : at + 3])[0], "?")
        question = query[12 : at + 5]
        name = ".".join(labels).lower()
        with self.lock:
            self.questions.append((name, kind))
            found = list(self.records.get((name, kind), []))
            code = NO_ERROR if any(n == name for n, _ in self.records) else NO_SUCH_NAME
            if name in self.broken:
                found, code = [], SERVER_FAILURE
        body = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", TYPES[kind], 1, 60, len(data)) + data
            for data in (encode_data(kind, value) for value in found)
        )
        is_cut = 12 + len(question) + len(body) > most
        if is_cut:
            found, body = [], b""
        flags = 0x8180 | (0x0200 if is_cut else 0) | code
        return struct.pack(">HHHHHH", number, flags, 1, len(found), 0, 0) + question + body

    def _serve_udp(self):
        while not self.is_stopped:
            try:
                query, who = self.udp.recvfrom(4096)
                self.udp.sendto(self._answer(query, 512), who)
            except OSError:
                return

    def _serve_tcp(self):
        while not self.is_stopped:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection):
        with connection, connection.makefile("rb") as stream:
            while len(head := stream.read(2)) == 2:
                answer = self._answer(stream.read(struct.unpack(">H", head)[0]), 65535)
                connection.sendall(struct.pack(">H", len(answer)) + answer)
