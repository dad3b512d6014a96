"""What a test is given: the binaries, a folder, and everything it starts is stopped and checked at its end."""

import os
import shutil
import sys
import time
import traceback
from pathlib import Path


BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Skip(Exception):
    pass


def e2e(needs=(), timeout=30):
    """Declares a test: what it needs (docker, prometheus, node_exporter, sdk, node, loki, tempo, chromium) and its seconds."""

    def mark(function):
        function.needs, function.timeout = tuple(needs), timeout
        return function

    return mark


class Context:
    def __init__(self, name, binary, release, build, repo, tmp):
        self.name, self.bin, self.release = name, binary, release
        self.build, self.repo, self.tmp = Path(build), Path(repo), Path(tmp)
        self.began = time.monotonic()
        self._exits = []

    def log(self, text):
        print(f"[{time.monotonic() - self.began:7.3f}] {text}", flush=True)

    def skip(self, reason):
        raise Skip(reason)

    def on_exit(self, function):
        self._exits.append(function)
        return function

    def close(self):
        """Runs what on_exit was given, last first, all of it. The first failure is returned."""
        failure = None
        while self._exits:
            try:
                self._exits.pop()()
            except BaseException as e:
                traceback.print_exc(file=sys.stdout)
                failure = failure or e
        return failure

    # -- things that are stopped by themselves ------------------------------------------------------------------------
    def started(self, thing):
        self.on_exit(thing.stop)
        return thing

    def agent(self, river, **how):
        from .agent import Agent

        agent = Agent.__new__(Agent)
        self.on_exit(lambda: agent.finish() if getattr(agent, "process", None) else None)
        agent.__init__(self, river, **how)
        return agent

    def hyagent(self, *args, **how):
        from .agent import run_once

        return run_once(self, args, **how)

    def loki(self, **how):
        from .loki_sink import LokiSink

        return self.started(LokiSink(**how))

    def remote_write(self, **how):
        from .rw_sink import RemoteWriteSink

        return self.started(RemoteWriteSink(**how))

    def otlp_grpc(self, **how):
        from .otlp_sink import GrpcOtlpSink

        return self.started(GrpcOtlpSink(**how))

    def otlp_http(self, **how):
        from .otlp_sink import HttpOtlpSink

        return self.started(HttpOtlpSink(**how))

    def prometheus(self, **how):
        from .prom import Prometheus

        return self.started(Prometheus(self, **how))

    def node_exporter(self, **how):
        from .node_exporter import NodeExporter

        return self.started(NodeExporter(self, **how))

    def docker(self):
        from .docker_util import Docker

        return self.started(Docker(self))


# -- needs ------------------------------------------------------------------------------------------------------------
def missing(need, build):
    """Why this need is not met, or None."""
    if need == "docker":
        from .docker_util import why_not

        return why_not()
    if need in ("prometheus", "node_exporter"):
        program = {"prometheus": "prometheus", "node_exporter": "prometheus-node-exporter"}[need]
        return None if shutil.which(program) else f"{program} is not installed"
    if need == "sdk":
        try:
            import opentelemetry.sdk  # noqa: F401
            import opentelemetry.exporter.otlp.proto.grpc  # noqa: F401
        except ImportError as e:
            return f"Python SDK: {e}"
        return None
    if need == "node":
        if not shutil.which("node"):
            return "node is not installed"
        return None if (Path(build) / "e2e/node/node_modules").is_dir() else "run tests/e2e/prepare"
    if need in ("loki", "tempo"):
        return None if peer(need) else f"no {need} in $HY_PEERS"
    if need == "chromium":
        return None if any(map(shutil.which, BROWSERS)) else "chromium is not installed"
    if need == "release":
        return None  # run.py answers: --release was given or not
    raise ValueError(f"unknown need {need}")


def peer(name):
    """The peer's binary below $HY_PEERS, or None."""
    base = os.environ.get("HY_PEERS")
    for candidate in ([Path(base) / name, Path(base) / name / name, Path(base) / "bin" / name] if base else []):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    return None
