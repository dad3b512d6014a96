"""Containers of a real dockerd to Loki, by the API and straight from the json-file logs."""

import os
import time

from lib import river
from lib.context import e2e
from lib.docker_util import GetOnlyProxy, docker
from lib.net import wait_for
from test_files import difference

RULES = """
  rule {
    source_labels = ["__meta_docker_container_name"]
    regex         = "/(.*)"
    target_label  = "container"
  }
  rule {
    source_labels = ["__meta_docker_container_label_team"]
    target_label  = "team"
  }
"""


def discovery(d, host=None, log_paths=True):
    """Only this test's containers."""
    return f"""
discovery.docker "d" {{
  host             = {river.string(host or d.host)}
  refresh_interval = "1s"
  log_paths        = {"true" if log_paths else "false"}
  filter {{
    name   = "label"
    values = ["hyagent.e2e={d.run_id}"]
  }}
}}
"""


def by_api(d, url, host=None):
    """Alloy's own way: targets with a rule set, the stream from the source's meta label."""
    return f"""
discovery.relabel "rules" {{
  targets = []
{RULES}
  rule {{
    source_labels = ["__meta_docker_container_log_stream"]
    target_label  = "stream"
  }}
}}
loki.source.docker "api" {{
  host             = {river.string(host or d.host)}
  targets          = discovery.docker.d.targets
  relabel_rules    = discovery.relabel.rules.rules
  refresh_interval = "1s"
  forward_to       = [loki.write.api.receiver]
}}
""" + river.loki_write(url, "api")


def by_file(url):
    return f"""
discovery.relabel "files" {{
  targets = discovery.docker.d.targets
{RULES}
  rule {{
    source_labels = ["__meta_docker_container_log_path"]
    target_label  = "__path__"
  }}
}}
loki.source.file "files" {{
  targets    = discovery.relabel.files.output
  forward_to = [loki.process.files.receiver]
}}
loki.process "files" {{
  stage.docker {{ }}
  stage.label_drop {{
    values = ["filename"]
  }}
  forward_to = [loki.write.files.receiver]
}}
""" + river.loki_write(url, "files")


def both(ctx, d, **how):
    api, files = ctx.loki(), ctx.loki()
    agent = ctx.agent(discovery(d) + by_api(d, api.url) + by_file(files.url), **how)
    return agent, api, files


def labels_of(sink):
    return sorted(tuple(sorted(x.items())) for x in sink.label_sets())


@e2e(needs=["docker"], timeout=150)
def test_100000_lines_arrive_in_order_once_both_ways_with_the_same_labels(ctx):
    d = ctx.docker()
    agent, api, files = both(ctx, d)
    n = 100000
    name = d.print_lines(n, labels={"team": "t-ä"}, options=["--log-opt", "max-size=100m"])
    odd = [f"line {i} on stdout" for i in range(1, n, 2)]
    even = [f"line {i} on stderr" for i in range(2, n + 1, 2)]
    began = time.monotonic()
    for way, sink in (("API", api), ("file", files)):
        wait_for(lambda: sink.count() >= n, 90, f"{n} lines by {way}", interval=0.3)
        ctx.log(f"{way}: {n} lines after {time.monotonic() - began:.1f} s")
    time.sleep(1)
    for way, sink in (("API", api), ("file", files)):
        for stream, want in (("stdout", odd), ("stderr", even)):
            got = sink.lines(stream=stream)
            assert got == want, f"{way} {stream}: {difference(got, want)}"
            stamps = [e.ts for e in sink.select(stream=stream)]
            assert stamps == sorted(stamps), f"{way} {stream}: timestamps go back"
        sink.assert_clean()
        assert labels_of(sink) == sorted(
            tuple(sorted({"container": name, "stream": s, "team": "t-ä"}.items())) for s in ("stdout", "stderr")
        ), f"{way}: {sink.label_sets()}"
    assert [(e.ts, e.line) for e in api.select(stream="stdout")] == [
        (e.ts, e.line) for e in files.select(stream="stdout")
    ], "the two ways give different timestamps"
    agent.assert_balanced()
    agent.stop()
    agent.start()
    time.sleep(4)
    assert (api.count(), files.count()) == (n, n), "lines came again after a restart"


@e2e(needs=["docker"], timeout=90)
def test_a_restart_in_the_middle_loses_and_repeats_nothing(ctx):
    d = ctx.docker()
    agent, api, files = both(ctx, d)
    name = d.run("i=1; while [ $i -le 400 ]; do echo tick $i; i=$((i+1)); sleep 0.02; done; sleep 60")
    want = [f"tick {i}" for i in range(1, 401)]
    for _ in range(2):
        time.sleep(2)
        agent.stop()
        time.sleep(0.5)
        agent.start()
    for way, sink in (("API", api), ("file", files)):
        wait_for(lambda: sink.count() >= 400, 30, f"400 lines by {way}")
        time.sleep(0.5)
        got = sink.lines(container=name)
        assert got == want, f"{way}: {difference(got, want)}"
        sink.assert_clean()


@e2e(needs=["docker"], timeout=90)
def test_sigkill_in_the_middle_loses_nothing(ctx):
    d = ctx.docker()
    agent, api, files = both(ctx, d)
    name = d.run("i=1; while [ $i -le 400 ]; do echo tick $i; i=$((i+1)); sleep 0.02; done; sleep 60")
    want = {f"tick {i}" for i in range(1, 401)}
    for pause in (1.7, 2.9):
        time.sleep(pause)
        agent.kill()
        agent.start()
    for way, sink in (("API", api), ("file", files)):
        wait_for(lambda: set(sink.lines(container=name)) == want, 30, f"all 400 lines by {way}")
        sink.assert_clean()


@e2e(needs=["docker"], timeout=60)
def test_long_lines_are_joined_both_ways(ctx):
    """Docker cuts at 16 KiB; what was one line arrives as one line."""
    d = ctx.docker()
    _, api, files = both(ctx, d)
    script = "{ printf '%40000s' '' | tr ' ' x; echo END; echo short; } | cat; printf 'no newline'"
    name = d.run(script + "; sleep 30")
    want = ["x" * 40000 + "END", "short"]
    for way, sink in (("API", api), ("file", files)):
        wait_for(lambda: "short" in sink.lines(container=name), 15, f"the lines by {way}")
        got = [x for x in sink.lines(container=name) if x != "no newline"]
        assert got == want, f"{way}: lengths {[len(x) for x in got]}"
        sink.assert_clean()


@e2e(needs=["docker"], timeout=60)
def test_containers_labelled_hyagent_logs_false_are_left_out(ctx):
    d = ctx.docker()
    _, api, files = both(ctx, d)
    d.run("echo secret words; sleep 30", labels={"hyagent.logs": "false"})
    seen = d.run("echo public words; sleep 30")
    for sink in (api, files):
        wait_for(lambda: sink.lines(container=seen) == ["public words"], 15, "the other container's line")
    time.sleep(3)
    for way, sink in (("API", api), ("file", files)):
        assert sink.lines() == ["public words"], f"{way}: {sink.lines()}"


@e2e(needs=["docker"], timeout=90)
def test_containers_that_live_a_moment_are_read_whole(ctx):
    d = ctx.docker()
    agent, api, files = both(ctx, d)
    names = [d.run('i=1; while [ $i -le 50 ]; do echo "$1 $i"; i=$((i+1)); done', i) for i in range(10)]
    for way, sink in (("API", api), ("file", files)):
        for i, name in enumerate(names):
            want = [f"{i} {k}" for k in range(1, 51)]
            wait_for(lambda: len(sink.lines(container=name)) >= 50, 30, f"container {i} by {way}")
            assert sink.lines(container=name) == want, f"{way} {i}"
    time.sleep(2)
    assert (api.count(), files.count()) == (500, 500), "stopped containers came again"


@e2e(needs=["docker"], timeout=60)
def test_a_get_only_proxy_is_enough(ctx):
    d = ctx.docker()
    proxy = ctx.started(GetOnlyProxy(d.host))
    sink = ctx.loki()
    ctx.agent(discovery(d, proxy.url) + by_api(d, sink.url, proxy.url))
    name = d.run("for i in 1 2 3; do echo word $i; sleep 0.3; done; sleep 30")
    wait_for(lambda: sink.lines(container=name) == ["word 1", "word 2", "word 3"], 20, "three lines through the proxy")
    assert not proxy.refused, f"asked for more than GET: {proxy.refused}"
    versions = {p.split("/")[1] for p in (x.split()[1] for x in proxy.seen) if p.startswith("/v1.")}
    ctx.log(f"API versions used: {versions}")
    assert versions <= {"v1." + str(i) for i in range(24, 42)}, "a version this dockerd does not speak"


@e2e(needs=["docker"], timeout=60)
def test_rotated_json_file_logs_lose_and_repeat_nothing(ctx):
    d = ctx.docker()
    sink = ctx.loki()
    ctx.agent(discovery(d) + by_file(sink.url))
    name = d.run(
        "i=1; while [ $i -le 3000 ]; do echo \"line $i of a log that is rotated by dockerd\"; i=$((i+1)); "
        "[ $((i % 300)) = 0 ] && sleep 1; done; sleep 60",
        options=["--log-opt", "max-size=100k", "--log-opt", "max-file=3"],
    )
    want = [f"line {i} of a log that is rotated by dockerd" for i in range(1, 3001)]
    wait_for(lambda: len(sink.lines(container=name)) >= 3000, 40, "3000 lines")
    time.sleep(1)
    got = sink.lines(container=name)
    assert got == want, difference(got, want)
    sink.assert_clean()


@e2e(needs=["docker", "release"], timeout=120)
def test_default_river_in_a_container_with_a_dead_loki_does_not_feed_back(ctx):
    """hyagent's own container writes its log where it reads; none of that may come back, and the log stays small."""
    from lib.loki_sink import LokiSink
    from lib.net import free_port

    d = ctx.docker()
    loki_port, admin = free_port(), free_port()
    sock = d.host.removeprefix("unix://")
    root = docker("info", "--format", "{{.DockerRootDir}}").stdout.strip()
    noisy = d.run("while :; do echo noise; sleep 0.2; done")
    name = f"hye2e-{d.run_id}-agent"
    data = ctx.tmp / "data"
    data.mkdir()
    mounts = [
        x
        for p in ("/usr", "/lib", "/lib64", "/etc/ssl", str(ctx.release.parent), str(ctx.repo / "pipelines"))
        if os.path.exists(p)
        for x in ("-v", f"{os.path.realpath(p)}:{p}:ro")
    ]
    env = {
        "DOCKER_HOST": "unix:///run/docker.sock",
        "HYAGENT_LOKI_URL": f"http://127.0.0.1:{loki_port}/loki/api/v1/push",
        "HYAGENT_TRACES": "off",
        "HYAGENT_METRICS": "off",
        "HYAGENT_OTLP_GRPC": f"127.0.0.1:{free_port()}",
        "HYAGENT_OTLP_HTTP": f"127.0.0.1:{free_port()}",
    }
    docker(
        "run",
        "-d",
        "--name",
        name,
        "--network",
        "host",
        "--label",
        f"hyagent.e2e={d.run_id}",
        *mounts,
        "-v",
        f"{sock}:/run/docker.sock",
        "-v",
        f"{root}/containers:{root}/containers:ro",
        "-v",
        f"{data}:/data",
        *[x for k, v in env.items() for x in ("-e", f"{k}={v}")],
        d.image,
        str(ctx.release),
        f"--config={ctx.repo}/pipelines/default.river",
        "--storage.path=/data",
        f"--server.http.listen-addr=127.0.0.1:{admin}",
    )
    from lib.net import http

    ctx.on_exit(lambda: ctx.log(docker("logs", name, check=False).stderr[-4000:]))
    wait_for(
        lambda: http(f"http://127.0.0.1:{admin}/-/ready", timeout=2)[0] == 200, 10, "hyagent in the container is ready"
    )
    time.sleep(20)
    own = docker("logs", name).stderr.splitlines()
    assert len(own) < 60, f"{len(own)} lines of its own in 20 s with a dead Loki"
    sink = ctx.started(LokiSink(loki_port))
    wait_for(lambda: sink.lines(container=noisy), 30, "the other container's lines")
    time.sleep(5)
    assert not sink.lines(container=name), f"its own log fed back: {sink.lines(container=name)[:3]}"
    assert len(docker("logs", name).stderr.splitlines()) < 80
    sink.assert_clean()
    docker("stop", "-t", "12", name, timeout=30)
    assert d.inspect(name)["State"]["ExitCode"] == 0


@e2e(needs=["docker", "loki"], timeout=120)
def test_a_real_loki_takes_100000_lines_of_a_container(ctx):
    from lib.peers import Loki

    d = ctx.docker()
    loki = ctx.started(Loki(ctx))
    ctx.agent(discovery(d) + by_file(loki.url))
    n = 100000
    name = d.print_lines(n)
    want = [f"line {i} on stdout" for i in range(1, n, 2)]
    selector = f'{{container="{name}",stream="stdout"}}'
    wait_for(lambda: len(loki.lines(selector, n)) >= len(want), 60, "all lines of stdout in Loki", interval=2)
    assert sorted(loki.lines(selector, n), key=lambda x: int(x.split()[1])) == want
    stamps = {}
    for ts, line in loki.entries(selector, n):
        stamps[line] = ts
    ordered = [stamps[x] for x in want]
    assert ordered == sorted(ordered), "timestamps are not in the order of printing"
