"""P-D11: reload after reload under load. HY_RELOADS=10000 is the long form."""

import os
import socket
import threading
import time
from pathlib import Path

from lib import river
from lib.context import e2e
from lib.net import free_port, listening_inodes, wait_for
from lib.target import Target
from test_files import append, difference, numbered
from test_life import load

RELOADS = int(os.environ.get("HY_RELOADS", "1000"))
FILLERS = 31  # groups of six components that only stand there


def rss_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def filler(i):
    """Six components a reload finds unchanged."""
    return f"""
loki.process "p{i}" {{
  forward_to = [loki.relabel.r{i}.receiver]
  stage.regex {{ expression = "(?P<level>[A-Z]+) filler {i}" }}
  stage.labels {{ values = {{ level = "" }} }}
}}
loki.relabel "r{i}" {{
  forward_to = [loki.echo.none.receiver]
  rule {{
    source_labels = ["job"]
    target_label  = "filler"
    replacement   = "{i}"
  }}
}}
prometheus.relabel "m{i}" {{
  forward_to = [prometheus.echo.none.receiver]
  rule {{
    source_labels = ["__name__"]
    regex         = "go_{i}_.*"
    action        = "drop"
  }}
}}
discovery.relabel "d{i}" {{
  targets = [{{"__address__" = "127.0.0.1:{i}", "n" = "{i}"}}]
  rule {{
    source_labels = ["n"]
    target_label  = "group"
  }}
}}
otelcol.processor.attributes "a{i}" {{
  action {{
    key    = "filler"
    value  = "{i}"
    action = "upsert"
  }}
  output {{ logs = [otelcol.processor.batch.b{i}.input] }}
}}
otelcol.processor.batch "b{i}" {{
  timeout = "1s"
  output {{ logs = [otelcol.exporter.debug.none.input] }}
}}
"""


FILLER = "".join(filler(i) for i in range(FILLERS)) + (
    'loki.echo "none" { }\nprometheus.echo "none" { }\notelcol.exporter.debug "none" { }\n'
)


class Plant:
    """Every kind of source and sink, 200 components; what a reload changes depends on its number."""

    def __init__(self, ctx):
        self.otlp, self.loki, self.rw = ctx.otlp_grpc(), ctx.loki(), ctx.remote_write()
        self.ports = free_port(), free_port()
        self.log = ctx.tmp / "a.log"
        self.target = ctx.started(Target("sequence_total 1\n"))
        append(self.log, [])

    def config(self, n):
        extra = f'loki.process "extra{n}" {{\n  forward_to = [loki.echo.none.receiver]\n}}\n' if n % 3 == 0 else ""
        scrape = [{"__address__": self.target.address, "job": "j"}]
        return (
            river.otlp_receiver(*self.ports, to="otelcol.processor.attributes.version.input")
            + f"""
otelcol.processor.attributes "version" {{
  action {{
    key    = "version"
    value  = "{n}"
    action = "upsert"
  }}
{river.outputs(*["otelcol.exporter.otlp.out.input"] * 3)}
}}
loki.process "lines" {{
  forward_to = [loki.write.out.receiver]
  stage.static_labels {{ values = {{ round = "{n // 50}" }} }}
}}
prometheus.relabel "metrics" {{
  forward_to = [prometheus.remote_write.out.receiver]
  rule {{
    target_label = "round"
    replacement  = "{n // 50}"
  }}
}}
"""
            + river.otlp_exporter(self.otlp.port)
            + river.file_source(str(self.log), "loki.process.lines.receiver")
            + river.loki_write(self.loki.url, outer=f'external_labels = {{ version = "{n // 100}" }}')
            + river.scrape(scrape, "prometheus.relabel.metrics.receiver")
            + river.remote_write(self.rw.url)
            + extra
            + FILLER
        )


def one_round(agent, plant, n, slowest):
    began = time.monotonic()
    status, text = agent.reload(plant.config(n))
    slowest.append(time.monotonic() - began)
    assert status == 200 and "config reloaded" in text, text


def ask_and_close(connection):
    """The connection was made before the reloads, and nothing has been sent over it since."""
    connection.sendall(b"GET /v1/traces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    connection.settimeout(5)
    assert connection.recv(4096).startswith(b"HTTP/1.1 405"), "the idle connection did not live through the reloads"


def reload_under_load(ctx, n_reloads, binary):
    plant = Plant(ctx)
    agent = ctx.agent(plant.config(0), binary=binary)
    assert len(agent.components()) >= 195, f"{len(agent.components())} components"
    stop, done, written, took = threading.Event(), [], [0], []
    ctx.on_exit(stop.set)
    idle = socket.create_connection(("127.0.0.1", plant.ports[1]))
    ctx.on_exit(idle.close)

    def write_lines():
        while not stop.is_set():
            append(plant.log, numbered(written[0] + 1, written[0] + 5))
            written[0] += 5
            time.sleep(0.01)

    threads = [
        threading.Thread(target=load, args=(plant.ports[0], stop, done)),
        threading.Thread(target=write_lines),
    ]
    for t in threads:
        t.start()
    wait_for(lambda: len(done) > 100 and plant.loki.count() > 50, 10, "load")
    listeners = [listening_inodes(p) for p in (*plant.ports, agent.port)]
    warm = max(n_reloads // 5, 20)
    after_warm = 0
    for n in range(1, n_reloads + 1):
        one_round(agent, plant, n, took)
        if n == warm:
            after_warm = rss_kib(agent.pid)
        if n % 2000 == 0:
            ask_and_close(idle)  # the long form takes longer than a connection may be idle
            idle = socket.create_connection(("127.0.0.1", plant.ports[1]))
            ctx.on_exit(idle.close)
        if n % 100 == 0:
            assert [listening_inodes(p) for p in (*plant.ports, agent.port)] == listeners, f"reload {n}: a port moved"
    grown = rss_kib(agent.pid) - after_warm
    stop.set()
    for t in threads:
        t.join(15)
    took.sort()
    ctx.log(
        f"{n_reloads} reloads: median {took[len(took) // 2] * 1000:.0f} ms, p99 {took[len(took) * 99 // 100] * 1000:.0f} ms, "
        f"slowest {took[-1] * 1000:.0f} ms; RSS after {warm}: {after_warm} KiB, grown by {grown} KiB; "
        f"{len(done)} records, {written[0]} lines"
    )
    refused = [x for x in done if isinstance(x, str)]
    assert not refused, f"{len(refused)} requests were refused: {refused[:3]}"
    wait_for(lambda: plant.otlp.count("logs") >= len(done), 15, "all records")
    got = [int(r["body"][1].split()[1]) for r in plant.otlp.items("logs")]
    assert sorted(got) == sorted(done), f"{len(got)} arrived, {len(done)} accepted, {len(set(got))} distinct"
    wait_for(lambda: plant.loki.count() >= written[0], 15, "the file's lines")
    lines = plant.loki.lines()
    assert sorted(lines) == sorted(numbered(1, written[0])), difference(sorted(lines), sorted(numbered(1, written[0])))
    ask_and_close(idle)
    agent.assert_balanced()
    return took, grown


@e2e(needs=["sdk", "release"], timeout=120 + RELOADS // 5)
def test_a_thousand_reloads_under_load_lose_and_repeat_nothing_and_keep_memory_flat(ctx):
    took, grown = reload_under_load(ctx, RELOADS, ctx.release)
    assert took[-1] <= 1.0, f"the slowest reload took {took[-1]:.2f} s"
    assert grown <= 2048, f"RSS grew by {grown} KiB"


@e2e(needs=["sdk"], timeout=120)
def test_sixty_reloads_under_load_with_the_sanitizers(ctx):
    reload_under_load(ctx, 60, ctx.bin)


@e2e(timeout=40)
def test_config_watch_loads_a_changed_file_and_survives_a_broken_one(ctx):
    agent = ctx.agent('loki.echo "a" { }\n', args=["--config.watch"])
    agent.config.write_text('loki.echo "a" { }\nloki.echo "b" { }\n')
    wait_for(lambda: "loki.echo.b" in agent.components(), 5, "the written file is loaded")
    replacement = agent.dir / "config.river.new"
    replacement.write_text('loki.echo "c" { }\n')
    replacement.rename(agent.config)
    wait_for(lambda: set(agent.components()) == {"loki.echo.c"}, 5, "the file moved into its place is loaded")
    agent.config.write_text('loki.echo "c" {\n')
    wait_for(lambda: "the old configuration goes on" in agent.stderr(), 5, "the log says why")
    assert agent.metrics().sum("alloy_config_last_load_successful") == 0
    assert set(agent.components()) == {"loki.echo.c"}
    agent.config.write_text('loki.echo "d" { }\n')
    wait_for(lambda: set(agent.components()) == {"loki.echo.d"}, 5, "the mended file is loaded")
    assert agent.metrics().sum("alloy_config_last_load_successful") == 1


@e2e(timeout=40)
def test_config_watch_of_a_folder_sees_files_come_and_go_and_links_swapped(ctx):
    """As Kubernetes mounts a ConfigMap: files are links into ..data, which is swapped."""
    folder = ctx.tmp / "conf"
    for version, names in (("v1", ["a"]), ("v2", ["a", "b"])):
        (folder / version).mkdir(parents=True)
        for name in names:
            (folder / version / f"{name}.river").write_text(f'loki.echo "{name}_{version}" {{ }}\n')
    (folder / "..data").symlink_to("v1")
    (folder / "a.river").symlink_to("..data/a.river")
    agent = ctx.agent(None, args=["--config.watch"], config_path=folder)
    assert set(agent.components()) == {"loki.echo.a_v1"}
    (folder / "..tmp").symlink_to("v2")
    (folder / "..tmp").rename(folder / "..data")
    wait_for(lambda: set(agent.components()) == {"loki.echo.a_v2"}, 5, "the swapped links are loaded")
    (folder / "b.river").symlink_to("..data/b.river")
    wait_for(lambda: "loki.echo.b_v2" in agent.components(), 5, "the new file is loaded")
    (folder / "b.river").unlink()
    wait_for(lambda: set(agent.components()) == {"loki.echo.a_v2"}, 5, "the removed file is gone")


@e2e(timeout=40)
def test_config_watch_follows_imported_files(ctx):
    """The import itself looks once an hour: what is loaded at once is due to the flag."""
    module = 'declare "x" {\n  loki.echo "NAME" { }\n}\n'
    agent = ctx.agent(
        'import.file "m" {\n  filename       = "module.river"\n  detector       = "poll"\n  poll_frequency = "1h"\n}\n'
        'm.x "one" { }\n',
        args=["--config.watch"],
        files={"module.river": module.replace("NAME", "a")},
    )

    def echoes():
        shown = agent.get("/api/v0/web/modules/m.x.one/components")[1]
        return {name for name in "ab" if f"loki.echo.{name}" in shown}

    wait_for(lambda: echoes() == {"a"}, 5, "the module runs")
    (agent.dir / "module.river").write_text(module.replace("NAME", "b"))
    wait_for(lambda: echoes() == {"b"}, 5, "the changed module is loaded")
    (agent.dir / "module.river").write_text('declare "x" {')
    wait_for(lambda: "the old configuration goes on" in agent.stderr(), 5, "the log says why")
    assert echoes() == {"b"}
