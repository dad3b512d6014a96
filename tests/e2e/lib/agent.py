"""One hyagent under test: started on a River text in a folder of its own, watched, stopped, and asked what it counted."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from .net import free_port, http, wait_for

SANITIZER = re.compile(
    rb"ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error: |AddressSanitizer:DEADLYSIGNAL"
)
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:allocator_may_return_null=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    "TSAN_OPTIONS": f"suppressions={Path(__file__).resolve().parents[2] / 'tsan.supp'}:exitcode=99:history_size=4:atexit_sleep_ms=200",
}


class Metrics:
    """A scrape of /metrics, parsed by prometheus_client."""

    def __init__(self, text):
        self.text = text
        self.samples = {}
        for family in text_string_to_metric_families(text):
            for s in family.samples:
                key = (s.name, tuple(sorted(s.labels.items())))
                assert key not in self.samples, f"/metrics shows {key} twice"
                self.samples[key] = s.value

    def select(self, name, **labels):
        return {k[1]: v for k, v in self.samples.items() if k[0] == name and labels.items() <= dict(k[1]).items()}

    def sum(self, name, **labels):
        return sum(self.select(name, **labels).values())

    def has(self, name):
        return any(k[0] == name for k in self.samples)


class Ledger:
    """The accounts of /metrics (agent/base/ledger.h). Per component: in, created, out, merged, held, dropped{reason}; per
    endpoint: enqueued, acknowledged, queued, dropped{reason}."""

    def __init__(self, metrics):
        self.metrics = metrics

    def component(self, component, what, **labels):
        name, more = {"held": ("held", {}), "dropped": ("dropped_total", {})}.get(what, ("total", {"direction": what}))
        return int(self.metrics.sum(f"hyagent_component_items_{name}", component_id=component, **more, **labels))

    def endpoint(self, component, what, **labels):
        name = "queued" if what == "queued" else what + "_total"
        return int(self.metrics.sum(f"hyagent_endpoint_{name}", component_id=component, **labels))

    def _ids(self, prefix):
        return sorted({dict(k[1])["component_id"] for k in self.metrics.samples if k[0].startswith(prefix)})

    def components(self):
        return self._ids("hyagent_component_items_")

    def endpoints(self):
        return self._ids("hyagent_endpoint_")

    def differences(self):
        """{account: difference} of what does not balance. Exact only while nothing runs."""
        bad = {}
        for c in self.components():
            d = (
                self.component(c, "in")
                + self.component(c, "created")
                - self.component(c, "out")
                - self.component(c, "dropped")
                - self.component(c, "merged")
                - self.component(c, "held")
            )
            if d:
                bad[c] = d
        for c in self.endpoints():
            d = (
                self.endpoint(c, "enqueued")
                - self.endpoint(c, "acknowledged")
                - self.endpoint(c, "dropped")
                - self.endpoint(c, "queued")
            )
            if d:
                bad["endpoint " + c] = d
        return bad


class Agent:
    def __init__(
        self,
        ctx,
        river,
        args=(),
        env=None,
        name="agent",
        ready=True,
        binary=None,
        files=None,
        storage=None,
        config_path=None,
        port=None,
    ):
        self.ctx = ctx
        self.dir = ctx.tmp / name
        self.dir.mkdir(exist_ok=True)
        self.config = config_path or self.dir / "config.river"
        if river is not None:
            self.config.write_text(river)
        for file, text in (files or {}).items():
            (self.dir / file).write_text(text)
        self.storage = storage or self.dir / "data"
        self.port = port or free_port()
        self.binary = str(binary or ctx.bin)
        self.args = list(args)
        self.env = env or {}
        self.process = None
        self.stderr_path = self.dir / "stderr.log"
        self.checked = False
        self.start(ready)

    # -- life -------------------------------------------------------------------------------------------------------
    def command(self):
        return [
            self.binary,
            "run",
            str(self.config),
            f"--storage.path={self.storage}",
            f"--server.http.listen-addr=127.0.0.1:{self.port}",
            "--stability.level=experimental",
            *self.args,
        ]

    def start(self, ready=True, timeout=15):
        assert self.process is None or self.process.poll() is not None, "already running"
        env = {**{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}, **SANITIZER_ENV, **self.env}
        self.checked = False
        with open(self.stderr_path, "ab") as err, open(self.dir / "stdout.log", "ab") as out:
            self.ctx.log("$ " + shlex.join(self.command()))
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=self.dir
            )
        self.started = time.monotonic()
        if ready:
            self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=15):
        def is_ready():
            if self.process.poll() is not None:
                text = self.stderr()
                why = next((x for x in text.splitlines() if "error" in x), "nothing said")
                raise Ended(f"exit {self.process.returncode} before it was ready: {why}\n{text[-3000:]}")
            return http(self.url("/-/ready"), timeout=2)[0] == 200

        wait_for(is_ready, timeout, "/-/ready answers 200", interval=0.03)
        self.ready_after = time.monotonic() - self.started
        return self

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout=12, expect=0):
        """SIGTERM; the exit code and that no sanitizer spoke are asserted. Returns the seconds it took."""
        began = time.monotonic()
        if self.running():
            self.signal(signal.SIGTERM)
        self.wait(timeout)
        took = time.monotonic() - began
        self.assert_clean()
        assert (
            self.process.returncode == expect
        ), f"exit code {self.process.returncode} instead of {expect}:\n{self.stderr()[-3000:]}"
        return took

    def wait(self, timeout=12):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"hyagent did not end within {timeout} s:\n{self.stderr()[-3000:]}")

    def kill(self):
        """SIGKILL: what was not settled must come again after the next start."""
        if self.running():
            self.process.kill()
        self.process.wait(10)
        self.assert_clean()

    def finish(self):
        """End of test: a process still running must stop well."""
        if self.running():
            self.stop()
        elif not self.checked:
            self.assert_clean()

    def assert_clean(self):
        self.checked = True
        text = self.stderr_path.read_bytes()
        found = SANITIZER.search(text)
        assert not found, "a sanitizer reported:\n" + text[found.start() : found.start() + 4000].decode(
            errors="replace"
        )

    # -- configuration ----------------------------------------------------------------------------------------------
    def reload(self, river=None, expect=200):
        """POST /-/reload; (status, text)."""
        if river is not None:
            self.config.write_text(river)
        status, _, body = http(self.url("/-/reload"), data=b"", timeout=15)
        assert expect is None or status == expect, f"/-/reload: {status} {body.decode(errors='replace')[:1000]}"
        return status, body.decode(errors="replace")

    def hup(self, river=None):
        """SIGHUP. Returns the length stderr had before it, for stderr_since."""
        if river is not None:
            self.config.write_text(river)
        at = len(self.stderr())
        self.signal(signal.SIGHUP)
        return at

    # -- looking ----------------------------------------------------------------------------------------------------
    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path, headers=None, method=None, data=None):
        status, _, body = http(self.url(path), headers=headers, method=method, data=data)
        return status, body.decode(errors="replace")

    def components(self):
        status, body = self.get("/api/v0/web/components")
        assert status == 200, f"components: {status} {body[:300]}"
        listed = json.loads(body)
        return {c["localID"] if "localID" in c else c["id"]: c for c in listed}

    def health(self, component):
        return self.components()[component]["health"]

    def metrics(self):
        status, body = self.get("/metrics")
        assert status == 200, f"/metrics: {status}"
        return Metrics(body)

    def ledger(self):
        return Ledger(self.metrics())

    def assert_balanced(self, timeout=5):
        """Every account balances once all is at rest."""

        def balanced():
            bad = self.ledger().differences()
            assert not bad, f"accounts do not balance: {bad}"
            return True

        assert self.ledger().components(), "no ledger in /metrics"
        wait_for(balanced, timeout, "the ledger balances", interval=0.2)

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def stderr_since(self, at):
        return self.stderr()[at:]


class Ended(Exception):
    """Not an AssertionError: wait_for must not go on waiting for a process that is gone."""


def run_once(ctx, args, timeout=20, cwd=None, env=None, stdin=None, binary=None):
    """Runs `hyagent ARGS` to its end: (exit code, stdout, stderr). No sanitizer may speak."""
    full = {**{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}, **SANITIZER_ENV, **(env or {})}
    ctx.log("$ hyagent " + shlex.join(map(str, args)))
    r = subprocess.run(
        [str(binary or ctx.bin), *map(str, args)],
        capture_output=True,
        timeout=timeout,
        cwd=cwd or ctx.tmp,
        env=full,
        input=stdin,
    )
    assert not SANITIZER.search(r.stderr), "a sanitizer reported:\n" + r.stderr.decode(errors="replace")[:4000]
    ctx.log(f"exit {r.returncode}\n{r.stdout.decode(errors='replace')}{r.stderr.decode(errors='replace')}")
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")
