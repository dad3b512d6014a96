"""A strict Prometheus remote write 1.0 receiver (the specification's MUSTs for senders, and the TSDB's order)."""

import re
import struct
import threading

import cramjam
from google.protobuf.message import DecodeError

from .http_sink import Answer, HttpSink, Refuse
from .wire import REMOTE_WRITE

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
STALE_NAN = 0x7FF0000000000002


def bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def is_stale(value):
    return bits(value) == STALE_NAN


class RemoteWriteSink(HttpSink):
    """series: {sorted label pairs: [(timestamp_ms, value)]} in arrival order; metadata: {family: (type, help, unit)}."""

    def __init__(self, port=0, required_headers=None):
        self.required = required_headers or {}
        self.series = {}
        self.exemplars = {}
        self.metadata = {}
        self.store_lock = threading.Lock()
        super().__init__(port)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/api/v1/write"

    def handle(self, req, action):
        if req.path != "/api/v1/write" or req.method != "POST":
            raise Refuse(404, f"{req.method} {req.path}")
        for key, value in self.required.items():
            if req.headers.get(key) != value:
                raise Refuse(401, "no credentials", violation=False)
        if req.headers.get("Content-Type", "").split(";")[0] != "application/x-protobuf":
            raise Refuse(415, f"Content-Type {req.headers.get('Content-Type')!r}")
        if req.headers.get("Content-Encoding") != "snappy":
            raise Refuse(415, f"Content-Encoding {req.headers.get('Content-Encoding')!r}")
        if req.headers.get("X-Prometheus-Remote-Write-Version") != "0.1.0":
            raise Refuse(400, f"remote write version {req.headers.get('X-Prometheus-Remote-Write-Version')!r}")
        if not req.headers.get("User-Agent"):
            raise Refuse(400, "no User-Agent")
        try:
            body = bytes(cramjam.snappy.decompress_raw(req.raw))
            write = REMOTE_WRITE["WriteRequest"]()
            write.ParseFromString(body)
        except DecodeError as e:
            raise Refuse(400, f"protobuf: {e}")
        except Exception as e:
            raise Refuse(400, f"snappy: {e}")
        if not write.timeseries and not write.metadata:
            raise Refuse(400, "empty write request")
        with self.store_lock:
            self.check_all(write)  # on 400 nothing of the request is kept, as in Prometheus
            self.keep(write)
        return Answer(204)

    def check_labels(self, labels):
        names = [x.name for x in labels]
        shown = {x.name: x.value for x in labels}
        if names != sorted(names, key=str.encode):
            raise Refuse(400, f"labels are not sorted: {names}")
        if len(set(names)) != len(names):
            raise Refuse(400, f"a label twice: {names}")
        if not METRIC_NAME.fullmatch(shown.get("__name__", "")):
            raise Refuse(400, f"no or bad __name__ in {shown}")
        for x in labels:
            if not LABEL_NAME.fullmatch(x.name):
                raise Refuse(400, f"label name {x.name!r}")
            if x.value == "":
                raise Refuse(400, f"label {x.name} is empty in {shown}")
        return tuple((x.name, x.value) for x in labels)

    def check_all(self, write):
        seen = {}
        for ts in write.timeseries:
            key = self.check_labels(ts.labels)
            if not ts.samples and not ts.exemplars and not ts.histograms:
                raise Refuse(400, f"a series without samples: {key}")
            last = seen.get(key, self.series[key][-1][0] if self.series.get(key) else None)
            for s in ts.samples:
                if last is not None and s.timestamp <= last:
                    raise Refuse(400, f"out of order sample: {s.timestamp} after {last} for {key}")
                last = s.timestamp
            seen[key] = last
            for e in ts.exemplars:
                if sum(len(x.name) + len(x.value) for x in e.labels) > 128:
                    raise Refuse(400, "exemplar labels over 128 characters")
        for m in write.metadata:
            if not METRIC_NAME.fullmatch(m.metric_family_name):
                raise Refuse(400, f"metadata for {m.metric_family_name!r}")
            if not 0 <= m.type <= 7:
                raise Refuse(400, f"metadata type {m.type}")

    def keep(self, write):
        for ts in write.timeseries:
            key = tuple((x.name, x.value) for x in ts.labels)
            samples = self.series.setdefault(key, [])
            samples.extend((s.timestamp, s.value) for s in ts.samples)
            for e in ts.exemplars:
                self.exemplars.setdefault(key, []).append(({x.name: x.value for x in e.labels}, e.value, e.timestamp))
        for m in write.metadata:
            self.metadata[m.metric_family_name] = (m.type, m.help, m.unit)

    # -- reading back -----------------------------------------------------------------------------------------------
    def select(self, name, **labels):
        """{labels without __name__ as a sorted tuple: samples} of the series that carry these labels."""
        with self.store_lock:
            return {
                tuple(p for p in key if p[0] != "__name__"): list(v)
                for key, v in self.series.items()
                if dict(key)["__name__"] == name and labels.items() <= dict(key).items()
            }

    def samples(self, name, **labels):
        """The samples of the one series that matches."""
        found = self.select(name, **labels)
        assert len(found) == 1, f"{name}{labels}: {len(found)} series instead of one: {list(found)[:4]}"
        return next(iter(found.values()))

    def names(self):
        with self.store_lock:
            return {dict(key)["__name__"] for key in self.series}

    def count(self):
        with self.store_lock:
            return sum(len(v) for v in self.series.values())
