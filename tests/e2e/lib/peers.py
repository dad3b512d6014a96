"""Real back ends of $HY_PEERS, where they are given: Loki and Tempo, each in a folder of its own on free ports."""

import base64
import json
import subprocess
import time
import urllib.parse

from .context import peer
from .net import free_port, http, stop_process, wait_for

LOKI = """
auth_enabled: false
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}}}
common:
  instance_addr: 127.0.0.1
  path_prefix: {dir}
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
  storage: {{filesystem: {{chunks_directory: {dir}/chunks, rules_directory: {dir}/rules}}}}
schema_config:
  configs: [{{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}]
limits_config: {{ingestion_rate_mb: 100, ingestion_burst_size_mb: 200, per_stream_rate_limit: 100MB, max_entries_limit_per_query: 200000}}
analytics: {{reporting_enabled: false}}
"""

TEMPO = """
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}}}
distributor: {{receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{otlp}"}}}}}}}}}}
ingester: {{lifecycler: {{address: 127.0.0.1, ring: {{kvstore: {{store: inmemory}}, replication_factor: 1}}}}}}
storage: {{trace: {{backend: local, local: {{path: {dir}/blocks}}, wal: {{path: {dir}/wal}}}}}}
usage_report: {{reporting_enabled: false}}
"""


class Peer:
    def __init__(self, ctx, name, config, args, **ports):
        self.dir = ctx.tmp / name
        self.dir.mkdir()
        self.http_port = free_port()
        (self.dir / "config.yaml").write_text(
            config.format(dir=self.dir, http=self.http_port, grpc=free_port(), **ports)
        )
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(
                [str(peer(name)), f"-config.file={self.dir}/config.yaml", *args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.dir,
            )
        wait_for(
            lambda: http(f"http://127.0.0.1:{self.http_port}/ready", timeout=2)[0] == 200, 60, f"{name} is ready", 0.5
        )

    def get(self, path, **query):
        status, _, body = http(
            f"http://127.0.0.1:{self.http_port}{path}?{urllib.parse.urlencode(query)}",
            headers={"Accept": "application/json"},
            timeout=20,
        )
        return status, body

    def stop(self):
        stop_process(self.process, 10)


class Loki(Peer):
    def __init__(self, ctx):
        super().__init__(ctx, "loki", LOKI, [])
        self.url = f"http://127.0.0.1:{self.http_port}/loki/api/v1/push"

    def entries(self, selector, limit=5000):
        """[(ns, line)] in order of time, then of storage."""
        now = time.time_ns()
        status, body = self.get(
            "/loki/api/v1/query_range",
            query=selector,
            limit=limit,
            direction="forward",
            start=now - 3600 * 10**9,
            end=now + 60 * 10**9,
        )
        assert status == 200, body[:300]
        values = [v for stream in json.loads(body)["data"]["result"] for v in stream["values"]]
        return sorted(((int(v[0]), v[1]) for v in values), key=lambda v: v[0])

    def lines(self, selector, limit=5000):
        return [line for _, line in self.entries(selector, limit)]


class Tempo(Peer):
    def __init__(self, ctx):
        self.otlp_port = free_port()
        super().__init__(ctx, "tempo", TEMPO, ["-target=all"], otlp=self.otlp_port)

    def span_ids(self, trace_id):
        status, body = self.get(f"/api/traces/{trace_id}")
        if status != 200:
            return set()
        return {
            base64.b64decode(s["spanId"]).hex()
            for b in json.loads(body)["batches"]
            for ss in b["scopeSpans"]
            for s in ss["spans"]
        }
