"""Reload, shutdown, restart: what stays, what is said, and how long it takes."""

import os
import signal
import socket
import threading
import time

from lib import river
from lib.context import e2e
from lib.net import free_port, http, listening_inodes, tcp_sockets, wait_for
from lib.plan import OK, blackhole, status
from test_files import append, difference, numbered


def load(port, stop, done, signal_="logs"):
    """A client that sends until stop is set; done collects the numbers that were accepted."""
    import grpc
    from lib import otlp_raw

    client = otlp_raw.GrpcClient(port)
    n = 0
    while not stop.is_set():
        try:
            client.export(signal_, otlp_raw.logs(10, first=n), timeout=12)
            done.extend(range(n, n + 10))
        except grpc.RpcError as e:
            done.append(f"{e.code().name}: {e.details()}")
        n += 10
        time.sleep(0.002)
    client.stop()


@e2e(needs=["sdk"], timeout=60)
def test_sighup_under_load_keeps_what_did_not_change(ctx):
    """One component changed: the receivers keep their sockets and connections, nothing is lost or repeated."""
    sink, loki = ctx.otlp_grpc(), ctx.loki()
    ports = free_port(), free_port()
    log = ctx.tmp / "a.log"
    append(log, [])

    def config(value):
        return (
            river.otlp_receiver(*ports, to="otelcol.processor.attributes.a.input")
            + f"""
otelcol.processor.attributes "a" {{
  action {{
    key    = "version"
    value  = "{value}"
    action = "upsert"
  }}
{river.outputs(*["otelcol.exporter.otlp.out.input"] * 3)}
}}
"""
            + river.otlp_exporter(sink.port)
            + river.file_source(str(log), "loki.write.out.receiver")
            + river.loki_write(loki.url)
        )

    agent = ctx.agent(config("0"))
    stop, done = threading.Event(), []
    ctx.on_exit(stop.set)
    idle = socket.create_connection(("127.0.0.1", ports[1]))
    ctx.on_exit(idle.close)
    thread = threading.Thread(target=load, args=(ports[0], stop, done))
    thread.start()
    wait_for(lambda: len(done) > 100, 10, "load")
    listeners = [listening_inodes(p) for p in (*ports, agent.port)]
    peers = set(sink.peers)
    lines = 0
    for i in range(1, 11):
        append(log, numbered(lines + 1, lines + 20))
        lines += 20
        agent.hup(config(str(i)))
        wait_for(
            lambda: any(r["attributes"].get("version") == ("string", str(i)) for r in sink.items("logs")[-200:]),
            5,
            f"records of version {i}",
        )
        assert [listening_inodes(p) for p in (*ports, agent.port)] == listeners, f"reload {i} opened a port anew"
    stop.set()
    thread.join(15)
    refused = [x for x in done if isinstance(x, str)]
    assert not refused, f"{len(refused)} requests were refused: {refused[:3]}"
    wait_for(lambda: sink.count("logs") >= len(done), 10, "all records")
    got = [int(r["body"][1].split()[1]) for r in sink.items("logs")]
    assert sorted(got) == sorted(done), f"{len(got)} arrived, {len(done)} accepted, {len(set(got))} distinct"
    assert sink.peers == peers, f"the exporter did not change, its connection did: {peers} -> {sink.peers}"
    wait_for(lambda: loki.count() >= lines, 10, "the file's lines")
    assert loki.lines() == numbered(1, lines), difference(loki.lines(), numbered(1, lines))
    idle.sendall(b"GET /v1/traces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    idle.settimeout(5)
    assert idle.recv(100).startswith(b"HTTP/1.1 405"), "the idle connection did not live through the reloads"
    agent.assert_balanced()
    sink.assert_clean()


@e2e(needs=["sdk"], timeout=40)
def test_a_changed_exporter_hands_over_what_it_had(ctx):
    """The destination changes while the old one is down: what was accepted goes to one of them, once."""
    old, new = ctx.loki(), ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 300))

    def config(url):
        return river.file_source(str(log), "loki.write.out.receiver") + river.loki_write(url)

    agent = ctx.agent(config(old.url))
    wait_for(lambda: old.count() == 300, 10, "the first lines")
    old.plan.always(status(503))
    append(log, numbered(301, 600))
    wait_for(lambda: old.plan.injected >= 1, 5, "a refused push")
    agent.reload(config(new.url))
    append(log, numbered(601, 900))
    wait_for(
        lambda: set(numbered(301, 900)) <= set(new.lines()) | set(old.lines()), 15, "the rest at the new destination"
    )
    got = old.lines() + new.lines()
    assert sorted(got) == sorted(numbered(1, 900)), difference(sorted(got), sorted(numbered(1, 900)))
    agent.assert_balanced()


BROKEN = [
    ("syntax", 'loki.write "x" {\n  endpoint {\n    url = \n  }\n}\n', ":3:"),
    ("unknown component", 'loki.wriet "x" { }\n', "loki.write"),
    ("unknown argument", 'loki.write "x" {\n  endpoint {\n    urll = "http://x"\n  }\n}\n', "url"),
    ("missing argument", 'loki.source.file "x" {\n  targets = []\n}\n', "forward_to"),
    (
        "unknown reference",
        'loki.source.file "x" {\n  targets = []\n  forward_to = [loki.write.nowhere.receiver]\n}\n',
        "nowhere",
    ),
    ("wrong type", 'prometheus.scrape "x" {\n  targets = 7\n  forward_to = []\n}\n', "targets"),
    (
        "wrong receiver",
        'prometheus.scrape "x" {\n  targets = []\n  forward_to = [loki.echo.e.receiver]\n}\nloki.echo "e" { }\n',
        "forward_to",
    ),
    ("twice", 'loki.echo "x" { }\nloki.echo "x" { }\n', "loki.echo"),
    (
        "cycle",
        'loki.relabel "a" {\n  forward_to = [loki.relabel.b.receiver]\n}\nloki.relabel "b" {\n'
        '  forward_to = [loki.relabel.a.receiver]\n}\n',
        "cycle",
    ),
]


@e2e(needs=["sdk"], timeout=60)
def test_a_broken_configuration_on_reload_changes_nothing_and_says_why(ctx):
    from lib import otlp_raw

    sink = ctx.otlp_grpc()
    ports = free_port(), free_port()
    good = river.otlp_receiver(*ports, to="otelcol.exporter.otlp.out.input") + river.otlp_exporter(sink.port)
    agent = ctx.agent(good)
    client = ctx.started(otlp_raw.GrpcClient(ports[0]))
    client.export("logs", otlp_raw.logs(1))
    sockets = [listening_inodes(p) for p in (*ports, agent.port)]
    before = set(agent.components())
    for name, text, want in BROKEN:
        status_, answer = agent.reload(text, expect=None)
        assert status_ in (400, 500), f"{name}: {status_} {answer[:200]}"
        assert (
            "config.river:" in answer and want in answer
        ), f"{name}: the answer does not say where or what: {answer[:500]}"
        at = agent.hup()
        wait_for(lambda: want in agent.stderr_since(at), 5, f"{name}: the log says why")
        assert agent.running() and set(agent.components()) == before, name
        client.export("logs", otlp_raw.logs(1))
    assert [listening_inodes(p) for p in (*ports, agent.port)] == sockets
    m = agent.metrics()
    assert m.sum("alloy_config_last_load_successful") == 0 or m.sum("hyagent_config_last_load_successful") == 0
    agent.reload(good)
    assert agent.get("/-/ready")[0] == 200
    wait_for(lambda: sink.count("logs") == 1 + len(BROKEN), 5, "every record")


@e2e(timeout=40)
def test_reload_opens_new_ports_closes_removed_ones_and_frees_everything(ctx):
    sink = ctx.otlp_http()
    a, b = free_port(), free_port()

    def config(port):
        return river.otlp_receiver(None, port, to="otelcol.exporter.otlphttp.out.input") + river.otlphttp_exporter(
            sink.port
        )

    agent = ctx.agent(config(a))
    assert listening_inodes(a) and not listening_inodes(b)
    for port, other in ((b, a), (a, b)) * 5:
        agent.reload(config(port))
        wait_for(lambda: listening_inodes(port) and not listening_inodes(other), 5, "the listener moved")
    fds = len(os.listdir(f"/proc/{agent.pid}/fd"))
    for port in (b, a) * 10:
        agent.reload(config(port))
    wait_for(lambda: len(os.listdir(f"/proc/{agent.pid}/fd")) <= fds + 2, 5, "descriptors stay flat")


@e2e(needs=["sdk"], timeout=60)
def test_shutdown_with_dead_back_ends_takes_at_most_8_seconds_and_counts_the_rest(ctx):
    import grpc
    from lib import otlp_raw
    from lib.target import Target

    rpc, loki, rw = ctx.otlp_grpc(), ctx.loki(), ctx.remote_write()
    for sink in (rpc, loki, rw):
        sink.plan.always(blackhole())
    ports = free_port(), free_port()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 5000))
    target = ctx.started(Target("x 1\n"))
    agent = ctx.agent(
        river.otlp_receiver(*ports, to="otelcol.exporter.otlp.out.input")
        + river.otlp_exporter(rpc.port, timeout="60s")
        + river.file_source(str(log), "loki.write.out.receiver")
        + river.loki_write(loki.url)
        + river.scrape([{"__address__": target.address, "job": "j"}], "prometheus.remote_write.out.receiver")
        + river.remote_write(rw.url)
    )
    client = ctx.started(otlp_raw.GrpcClient(ports[0]))
    answers = []

    def send():
        try:
            client.export("logs", otlp_raw.logs(10), timeout=20)
            answers.append("OK")
        except grpc.RpcError as e:
            answers.append(e.code().name)

    thread = threading.Thread(target=send)
    thread.start()
    wait_for(lambda: rpc.requests and loki.requests and rw.requests, 10, "all three back ends hang")
    began = time.monotonic()
    agent.signal(signal.SIGTERM)
    last = ""
    while agent.running() and time.monotonic() - began < 12:
        try:
            status_, _, body = http(agent.url("/metrics"), timeout=1)
            last = body.decode() if status_ == 200 else last
        except OSError:
            pass
        time.sleep(0.1)
    agent.wait(1)
    took = time.monotonic() - began
    assert agent.process.returncode == 0 and took <= 8.5, f"exit {agent.process.returncode} after {took:.1f} s"
    agent.assert_clean()
    thread.join(5)
    assert answers and answers[0] != "OK", f"the client was told {answers}"
    assert "hyagent_endpoint_queued" in last, "/metrics did not answer while it stopped"
    assert "shutdown" in agent.stderr(), "what could not be sent is not said"


@e2e(timeout=40)
def test_a_second_signal_ends_at_once_with_130(ctx):
    loki = ctx.loki()
    loki.plan.always(blackhole())
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 100))
    agent = ctx.agent(river.file_source(str(log), "loki.write.out.receiver") + river.loki_write(loki.url))
    wait_for(lambda: loki.requests, 10, "a hanging push")
    for first in (signal.SIGTERM, signal.SIGINT):
        agent.signal(first)
        time.sleep(0.5)
        assert agent.running(), "it should still be flushing"
        began = time.monotonic()
        agent.signal(signal.SIGTERM)
        agent.wait(3)
        assert agent.process.returncode == 130 and time.monotonic() - began < 1, agent.process.returncode
        n = len(loki.requests)
        agent.start()
        wait_for(lambda: len(loki.requests) > n, 10, "a hanging push")
    loki.plan.always(OK)
    loki.stop()


@e2e(timeout=30)
def test_an_idle_agent_stops_fast(ctx):
    loki = ctx.loki()
    agent = ctx.agent(river.file_source(str(ctx.tmp / "*.log"), "loki.write.out.receiver") + river.loki_write(loki.url))
    time.sleep(0.5)
    took = agent.stop()
    assert took < 2, f"{took:.1f} s to stop with nothing to do"
    agent.start()
    agent.signal(signal.SIGINT)
    assert agent.wait(3) == 0


@e2e(needs=["sdk"], timeout=40)
def test_a_port_in_use_is_said_in_words_and_the_rest_runs(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, ["x"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        agent = ctx.agent(
            river.otlp_receiver(None, port, to="otelcol.exporter.debug.d.input")
            + 'otelcol.exporter.debug "d" { }\n'
            + river.file_source(str(log), "loki.write.out.receiver")
            + river.loki_write(sink.url)
        )
        wait_for(lambda: sink.lines() == ["x"], 10, "the rest runs")
        health = agent.health("otelcol.receiver.otlp.in")
        assert health["state"] == "unhealthy" and str(port) in health["message"], health
        said = [x for x in agent.stderr().splitlines() if str(port) in x and "in use" in x]
        assert len(said) == 1, "\n".join(said) or agent.stderr()[-1500:]


@e2e(timeout=20)
def test_the_admin_port_in_use_is_said_with_what_to_do_and_the_rest_runs(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, ["x"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        agent = ctx.agent(
            river.file_source(str(log), "loki.write.out.receiver") + river.loki_write(sink.url), ready=False, port=port
        )
        wait_for(lambda: sink.lines() == ["x"], 10, "the rest runs")
        said = [x for x in agent.stderr().splitlines() if str(port) in x and "in use" in x]
        assert len(said) == 1 and "--server.http.listen-addr" in said[0], said
        agent.stop()


@e2e(timeout=30)
def test_the_storage_path_is_private_and_locked(ctx):
    agent = ctx.agent("")
    mode = os.stat(agent.storage).st_mode & 0o777
    assert mode == 0o700, oct(mode)
    code, _, err = ctx.hyagent(
        "run", agent.config, f"--storage.path={agent.storage}", f"--server.http.listen-addr=127.0.0.1:{free_port()}"
    )
    assert code == 1 and str(agent.storage) in err, (code, err)
    agent.stop()
    for base, folders, files in os.walk(agent.storage):
        for f in files:
            assert os.stat(os.path.join(base, f)).st_mode & 0o077 == 0, f"{f} can be read by others"
        for f in folders:
            assert os.stat(os.path.join(base, f)).st_mode & 0o077 == 0, f"{f} can be read by others"


@e2e(timeout=30)
def test_without_a_writable_storage_path_it_runs_in_memory_and_says_so(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, ["x"])
    (ctx.tmp / "file").write_text("not a folder")
    agent = ctx.agent(
        river.file_source(str(log), "loki.write.out.receiver") + river.loki_write(sink.url),
        storage=ctx.tmp / "file" / "data",
    )
    wait_for(lambda: sink.lines() == ["x"], 10, "the line")
    assert "memory" in agent.stderr() and str(ctx.tmp / "file") in agent.stderr(), agent.stderr()[-1500:]


@e2e(timeout=30)
def test_a_reload_loop_leaves_memory_flat(ctx):
    from lib.net import rss_bytes

    target = "127.0.0.1:9"
    agent = ctx.agent("", binary=ctx.release)

    def config(i):
        return river.scrape(
            [{"__address__": target, "job": f"j{i % 3}"}],
            "prometheus.remote_write.out.receiver",
            interval="1h",
            timeout="1s",
        ) + river.remote_write("http://127.0.0.1:9/", outer=f'external_labels = {{n = "{i % 5}"}}')

    for i in range(30):
        agent.reload(config(i))
    before = rss_bytes(agent.pid)
    for i in range(150):
        agent.reload(config(i))
    grown = rss_bytes(agent.pid) - before
    assert grown < 4 << 20, f"150 reloads grew memory by {grown >> 10} KiB"
    assert len(tcp_sockets(agent.pid)) < 40
