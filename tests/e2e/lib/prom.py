"""A real Prometheus that takes remote write, with a folder of its own, and its query API."""

import json
import subprocess
import urllib.parse

from .net import free_port, http, stop_process, wait_for


class Prometheus:
    def __init__(self, ctx, name="prometheus", port=None):
        self.dir = ctx.tmp / name
        self.dir.mkdir(exist_ok=True)
        (self.dir / "prometheus.yml").write_text("global:\n  scrape_interval: 1h\n")
        self.port = port or free_port()
        self.process = None
        self.start()

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self.dir}/prometheus.yml",
                    f"--storage.tsdb.path={self.dir}/tsdb",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--web.enable-remote-write-receiver",
                    "--enable-feature=exemplar-storage",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: http(f"http://127.0.0.1:{self.port}/-/ready", timeout=2)[0] == 200, 20, "Prometheus is ready")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/api/v1/write"

    def api(self, path, **query):
        status, _, body = http(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "success", f"Prometheus {path}: {body[:300]}"
        return answer["data"]

    def query(self, expression, **query):
        """An instant query: [(labels, value)]."""
        return [(r["metric"], float(r["value"][1])) for r in self.api("query", query=expression, **query)["result"]]

    def raw(self, selector, back="10m"):
        """The stored samples: {sorted label pairs with __name__: {timestamp: value text}}."""
        return {
            tuple(sorted(r["metric"].items())): {t: v for t, v in r["values"]}
            for r in self.api("query", query=f"{selector}[{back}]")["result"]
        }

    def metadata(self, name):
        return self.api("metadata", metric=name)

    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def stop(self):
        if self.process:
            stop_process(self.process, 10)
