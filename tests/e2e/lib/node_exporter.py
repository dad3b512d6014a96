"""A real node_exporter on a free port."""

import subprocess

from .net import free_port, http, stop_process, wait_for


class NodeExporter:
    def __init__(self, ctx):
        self.port = free_port()
        self.log_path = ctx.tmp / "node_exporter.log"
        self.process = None
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: http(self.url, timeout=5)[0] == 200, 15, "node_exporter answers")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/metrics"

    def stop(self):
        stop_process(self.process, 5)
