"""A strict Loki push endpoint: refuses what Loki 3.6 refuses with default limits, in Loki's words, and keeps the rest.

As in Loki a 400 means that the other entries of the request *were* stored."""

import re
import threading
import time

import cramjam
from google.protobuf.message import DecodeError

from .http_sink import Answer, HttpSink, Refuse
from .wire import LOKI

LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-7]{3})|(.))", re.S)
PLAIN_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"'}


class LabelError(ValueError):
    pass


def unquote(text):
    """A Go string literal's content. \\x and octal escapes are bytes there: they must make UTF-8 together."""
    out = bytearray()
    at = 0
    for m in ESCAPE.finditer(text):
        out += text[at : m.start()].encode()
        at = m.end()
        if m[1] or m[2]:
            out += chr(int(m[1] or m[2], 16)).encode()
        elif m[3]:
            out.append(int(m[3], 16))
        elif m[4]:
            out.append(int(m[4], 8))
        elif m[5] in PLAIN_ESCAPES:
            out += PLAIN_ESCAPES[m[5]].encode()
        else:
            raise LabelError(f"invalid escape \\{m[5]}")
    out += text[at:].encode()
    try:
        return out.decode()
    except UnicodeDecodeError:
        raise LabelError("label value is not UTF-8")


def parse_labels(text):
    """`{a="b", c="d"}` to a list of pairs, in the order given."""
    if not text.startswith("{") or not text.endswith("}"):
        raise LabelError("labels must stand in braces")
    pairs = []
    rest = text[1:-1].strip()
    while rest:
        name = LABEL_NAME.match(rest)
        if not name:
            raise LabelError(f"bad label name at {rest[:20]!r}")
        rest = rest[name.end() :].lstrip()
        if not rest.startswith("="):
            raise LabelError(f"expected = at {rest[:20]!r}")
        value = STRING.match(rest[1:].lstrip())
        if not value:
            raise LabelError(f"expected a quoted value at {rest[:20]!r}")
        rest = rest[1:].lstrip()[value.end() :].lstrip()
        pairs.append((name[0], unquote(value[1])))
        if rest.startswith(","):
            rest = rest[1:].lstrip()
        elif rest:
            raise LabelError(f"expected , at {rest[:20]!r}")
    return pairs


class Entry:
    __slots__ = ("ts", "line", "metadata", "arrival")

    def __init__(self, ts, line, metadata, arrival):
        self.ts, self.line, self.metadata, self.arrival = ts, line, metadata, arrival

    def __repr__(self):
        return f"({self.ts} {self.line!r} {self.metadata})"


class LokiLimits:
    def __init__(self, **given):
        self.max_label_names = 15
        self.max_label_name_length = 1024
        self.max_label_value_length = 2048
        self.max_line_bytes = 256 << 10
        self.max_metadata_entries = 128
        self.max_metadata_bytes = 64 << 10
        self.max_body_bytes = 100 << 20
        self.reject_older_than_s = 7 * 86400
        self.creation_grace_s = 600
        self.out_of_order_window_s = 3600.0  # behind the stream's newest entry; 0: any step back is refused
        for key, value in given.items():
            if not hasattr(self, key):
                raise TypeError(f"no such limit: {key}")
            setattr(self, key, value)


class LokiSink(HttpSink):
    def __init__(self, port=0, limits=None, require_tenant=False, required_headers=None):
        self.limits = limits or LokiLimits()
        self.require_tenant = require_tenant
        self.required = required_headers or {}
        self.streams = {}  # {(tenant, sorted label pairs): [Entry]}, in arrival order
        self.newest = {}
        self.pushes = []  # (tenant, entries) per stored push
        self.arrivals = 0
        self.store_lock = threading.Lock()
        super().__init__(port)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/loki/api/v1/push"

    def handle(self, req, action):
        if req.path == "/ready":
            return Answer(200, b"ready\n")
        if req.path != "/loki/api/v1/push":
            raise Refuse(404, "404 page not found")
        if req.method != "POST":
            raise Refuse(405, "method not allowed")
        for key, value in self.required.items():
            if req.headers.get(key) != value:
                raise Refuse(401, "no credentials", violation=False)
        tenant = req.headers.get("X-Scope-OrgID", "")
        if self.require_tenant and not tenant:
            raise Refuse(401, "no org id")
        if len(req.raw) > self.limits.max_body_bytes:
            raise Refuse(413, "request body too large")
        refused = self.store(tenant, self.decode(req))
        if refused:
            raise Refuse(400, "\n".join(refused[:10]))
        return Answer(204)

    @staticmethod
    def decode(req):
        content_type = req.headers.get("Content-Type", "").split(";")[0].strip()
        if content_type != "application/x-protobuf":
            raise Refuse(415, f"Content-Type {content_type!r}: this sink takes snappy protobuf only")
        if req.headers.get("Content-Encoding") not in (None, "", "snappy"):
            raise Refuse(415, f"Content-Encoding {req.headers.get('Content-Encoding')!r} with protobuf")
        try:
            body = bytes(cramjam.snappy.decompress_raw(req.raw))
        except Exception as e:
            raise Refuse(400, f"snappy: {e}")
        push = LOKI["PushRequest"]()
        try:
            push.ParseFromString(body)
        except DecodeError as e:
            raise Refuse(400, f"proto: {e}")
        return push

    def labels_of(self, text, refused):
        limits = self.limits
        try:
            pairs = parse_labels(text)
        except LabelError as e:
            refused.append(f"error parsing labels '{text}' with error: {e}")
            return None
        if not pairs:
            refused.append("error at least one label pair is required per stream")
            return None
        if len(pairs) > limits.max_label_names:
            refused.append(f"entry for stream '{text}' has {len(pairs)} label names; limit {limits.max_label_names}")
            return None
        names = [n for n, _ in pairs]
        for name, value in pairs:
            if names.count(name) > 1:
                refused.append(f"stream '{text}' has duplicate label name: '{name}'")
            elif len(name) > limits.max_label_name_length:
                refused.append(f"stream '{text}' has label name too long: '{name}'")
            elif len(value) > limits.max_label_value_length:
                refused.append(f"stream '{text}' has label value too long: '{value}'")
            else:
                continue
            return None
        return tuple(sorted(pairs))

    def store(self, tenant, push):
        """Keeps what may be kept; the texts of what was refused."""
        refused, kept = [], 0
        if not push.streams or not any(s.entries for s in push.streams):
            return ["error at least one valid stream is required for ingestion"]
        with self.store_lock:
            for stream in push.streams:
                labels = self.labels_of(stream.labels, refused)
                if labels is None:
                    continue
                for e in stream.entries:
                    error = self.entry_error(tenant, labels, stream.labels, e)
                    if error:
                        refused.append(error)
                        continue
                    self.arrivals += 1
                    kept += 1
                    ts = e.timestamp.seconds * 1000000000 + e.timestamp.nanos
                    metadata = {p.name: p.value for p in e.structured_metadata}
                    self.streams.setdefault((tenant, labels), []).append(Entry(ts, e.line, metadata, self.arrivals))
                    self.newest[tenant, labels] = max(ts, self.newest.get((tenant, labels), ts))
            if kept:
                self.pushes.append((tenant, kept))
        return refused

    def entry_error(self, tenant, labels, text, e):
        limits = self.limits
        ts = e.timestamp.seconds * 1000000000 + e.timestamp.nanos
        now = time.time()
        if not 0 <= e.timestamp.nanos < 1000000000:
            return f"entry for stream '{text}' has broken nanoseconds {e.timestamp.nanos}"
        if ts / 1e9 < now - limits.reject_older_than_s:
            return (
                f"entry for stream '{text}' has timestamp too old: {ts}, oldest acceptable timestamp is: "
                f"{int(now - limits.reject_older_than_s)}"
            )
        if ts / 1e9 > now + limits.creation_grace_s:
            return f"entry for stream '{text}' has timestamp too new: {ts}"
        size = len(e.line.encode())
        if size > limits.max_line_bytes:
            return (
                f"max entry size '{limits.max_line_bytes}' bytes exceeded for stream '{text}' while adding an entry "
                f"with length '{size}' bytes"
            )
        names = [p.name for p in e.structured_metadata]
        if len(names) > limits.max_metadata_entries:
            return f"stream '{text}' has too many structured metadata labels: '{len(names)}'"
        if sum(len(p.name) + len(p.value) for p in e.structured_metadata) > limits.max_metadata_bytes:
            return f"stream '{text}' has structured metadata too large"
        if len(set(names)) != len(names) or "" in names:
            return f"stream '{text}' has broken structured metadata names {names}"
        newest = self.newest.get((tenant, labels))
        if newest is not None and ts < newest - int(limits.out_of_order_window_s * 1e9):
            return (
                f"entry with timestamp {ts} ignored, reason: 'entry too far behind, oldest acceptable timestamp is: "
                f"{newest - int(limits.out_of_order_window_s * 1e9)}', for stream: {text}, total ignored: 1 out of 1"
            )
        return None

    # -- reading back -----------------------------------------------------------------------------------------------
    def count(self, tenant=None):
        with self.store_lock:
            return sum(len(v) for (t, _), v in self.streams.items() if tenant is None or t == tenant)

    def select(self, tenant=None, **labels):
        """Entries, in arrival order, of all streams that carry these labels."""
        with self.store_lock:
            found = [
                e
                for (t, pairs), v in self.streams.items()
                if (tenant is None or t == tenant) and labels.items() <= dict(pairs).items()
                for e in v
            ]
        return sorted(found, key=lambda e: e.arrival)

    def label_sets(self):
        with self.store_lock:
            return [dict(pairs) for _, pairs in self.streams]

    def lines(self, **labels):
        return [e.line for e in self.select(**labels)]
