"""Scrapes to remote write: a real node_exporter into a real Prometheus, and a strict sink for what Prometheus forgives."""

import base64
import math
import time

from prometheus_client.parser import text_string_to_metric_families

from lib import river
from lib.context import e2e
from lib.net import wait_for
from lib.plan import OK, blackhole, close, slow, status
from lib.rw_sink import is_stale
from lib.target import OPENMETRICS, Target


def parse(page):
    """{(name, sorted labels): value} of a page, by prometheus_client."""
    out = {}
    for family in text_string_to_metric_families(page):
        for s in family.samples:
            out[s.name, tuple(sorted(s.labels.items()))] = s.value
    return out


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


@e2e(needs=["node_exporter", "prometheus"], timeout=60)
def test_every_series_of_node_exporter_is_queried_back_equal_from_prometheus(ctx):
    node, prom = ctx.node_exporter(), ctx.prometheus()
    target = ctx.started(Target(upstream=node.url))
    agent = ctx.agent(
        river.scrape(
            [{"__address__": target.address, "job": "node", "rack": "r1"}],
            "prometheus.remote_write.out.receiver",
            interval="2s",
            timeout="1900ms",
        )
        + river.remote_write(prom.url, outer='  external_labels = {cluster = "c"}')
    )
    wait_for(lambda: len(target.passed) >= 3, 20, "three scrapes")
    wait_for(lambda: len(next(iter(prom.raw('up{job="node"}').values()), {})) >= 3, 10, "three scrapes in Prometheus")
    stored = prom.raw('{job="node"}')
    common = {"job": "node", "rack": "r1", "instance": target.address, "cluster": "c"}
    times = sorted(stored[tuple(sorted({"__name__": "up", **common}.items()))])
    compared = 0
    for at, (_, page) in zip(times, target.passed):
        for (name, labels), value in parse(page).items():
            # a label with an empty value is no label (Prometheus data model)
            given = {n: v for n, v in dict(labels).items() if v}
            key = tuple(sorted({"__name__": name, **given, **common}.items()))
            assert key in stored, f"{name}{dict(labels)} is not in Prometheus"
            assert at in stored[key], f"{name}{dict(labels)}: no sample at {at}, only {list(stored[key])[:5]}"
            got = float(stored[key][at])
            assert same(got, value), f"{name}{dict(labels)}: exposition {value!r}, Prometheus {got!r}"
            compared += 1
    assert compared > 1000, f"only {compared} values compared"
    ctx.log(f"{compared} values of {len(times)} scrapes are equal")
    own = {dict(k)["__name__"] for k in stored} - {k[0] for _, page in target.passed for k in parse(page)}
    assert own >= {
        "up",
        "scrape_duration_seconds",
        "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling",
        "scrape_series_added",
    }, own
    first = len(parse(target.passed[0][1]))
    scraped = stored[tuple(sorted({"__name__": "scrape_samples_scraped", **common}.items()))]
    assert float(scraped[times[0]]) == first, (scraped, first)
    agent.assert_balanced()
    assert agent.ledger().endpoint("prometheus.remote_write.out", "dropped") == 0


@e2e(needs=["node_exporter", "prometheus"], timeout=60)
def test_up_and_staleness_when_node_exporter_stops_and_comes_back(ctx):
    node, prom = ctx.node_exporter(), ctx.prometheus()
    ctx.agent(
        river.scrape([{"__address__": f"127.0.0.1:{node.port}", "job": "node"}], "prometheus.remote_write.out.receiver")
        + river.remote_write(prom.url)
    )

    def up():
        return [v for _, v in prom.query('up{job="node"}')]

    wait_for(lambda: up() == [1.0] and prom.query("node_load1"), 15, "up is 1")
    node.stop()
    wait_for(lambda: up() == [0.0], 10, "up is 0")
    wait_for(lambda: not prom.query("node_load1"), 5, "its series are stale at once")
    assert not prom.query('{__name__=~"node_.*"}'), "not every series got its staleness marker"
    node.start()
    wait_for(lambda: up() == [1.0] and prom.query("node_load1"), 10, "up is 1 again, with series")


def strict(
    ctx, targets, more="", interval="1s", timeout="900ms", rw_more="", extra="", outer="", to=None, sink=None, **how
):
    sink = sink or ctx.remote_write()
    agent = ctx.agent(
        river.scrape(
            targets, to or "prometheus.remote_write.out.receiver", interval=interval, timeout=timeout, more=more
        )
        + extra
        + river.remote_write(sink.url, more=rw_more, outer=outer),
        **how,
    )
    return agent, sink


def one(target, **labels):
    return [{"__address__": target.address, "job": "j", **labels}]


def ups(sink, **labels):
    found = sink.select("up", **labels)
    return [v for _, v in next(iter(found.values()))] if found else []


GOOD = """# HELP a_total Things, with \\\\ and \\n.
# TYPE a_total counter
a_total{x="1"} 5
a_total{x="2",y="q\\"\\\\\\n"} 1e3
# TYPE b gauge
b -0.5
b_nan NaN
b_inf +Inf
# TYPE h histogram
h_bucket{le="0.1"} 1
h_bucket{le="+Inf"} 3
h_sum 4.5
h_count 3
"""


@e2e()
def test_special_values_labels_and_metadata_arrive(ctx):
    target = ctx.started(Target(GOOD))
    agent, sink = strict(ctx, one(target))
    wait_for(lambda: len(ups(sink)) >= 2, 10, "two scrapes")
    assert {v for _, v in sink.samples("a_total", x="1")} == {5.0}
    assert {v for _, v in sink.samples("a_total", y='q"\\\n')} == {1000.0}
    assert {v for _, v in sink.samples("b")} == {-0.5}
    assert {v for _, v in sink.samples("b_inf")} == {math.inf}
    values = [v for _, v in sink.samples("b_nan")]
    assert values and all(
        math.isnan(v) and not is_stale(v) for v in values
    ), "an ordinary NaN is not a staleness marker"
    assert {v for _, v in sink.samples("h_bucket", le="+Inf")} == {3.0}
    assert dict(next(iter(sink.select("b")))) == {"job": "j", "instance": target.address}
    wait_for(lambda: "a_total" in sink.metadata, 10, "metadata")
    assert sink.metadata["a_total"][:2] == (1, "Things, with \\ and \n."), sink.metadata["a_total"]
    assert sink.metadata["h"][0] == 3 and sink.metadata["b"][0] == 2
    times = [t for t, _ in sink.samples("b")]
    assert all(900 <= b - a <= 1100 for a, b in zip(times, times[1:])), f"scrape times {times}"
    sink.assert_clean()
    agent.assert_balanced()


@e2e(timeout=40)
def test_a_page_with_a_bad_line_is_dropped_whole(ctx):
    pages = {"now": GOOD}
    target = ctx.started(Target(lambda _: pages["now"]))
    agent, sink = strict(ctx, one(target))
    wait_for(lambda: 1.0 in ups(sink), 10, "a good scrape")
    bad = {
        "junk at the end": GOOD + "late_total 1\nb{x= 3\n",
        "value is no number": GOOD.replace("-0.5", "abc"),
        "label without quotes": GOOD.replace('x="1"', "x=1"),
        "cut in the middle": GOOD[:-9] + "h_co",
    }
    for name, page in bad.items():
        pages["now"] = GOOD
        wait_for(lambda: not is_stale(sink.samples("b")[-1][1]) and ups(sink)[-1] == 1.0, 5, "a good scrape")
        pages["now"] = page
        wait_for(lambda: ups(sink)[-1] == 0.0, 5, f"{name}: up is 0")
        wait_for(lambda: is_stale(sink.samples("b")[-1][1]), 5, f"{name}: its series are stale")
        assert is_stale(sink.samples("a_total", x="1")[-1][1]) and is_stale(sink.samples("h_count")[-1][1]), name
    assert not sink.select("late_total"), "something of a broken page was sent"
    assert not [s for s in sink.samples("b") if s[1] not in (-0.5,) and not is_stale(s[1])]
    sink.assert_clean()
    agent.assert_balanced()


@e2e(timeout=40)
def test_failures_of_the_target_are_up_0_and_do_not_touch_others(ctx):
    bad, good = ctx.started(Target(GOOD)), ctx.started(Target(GOOD))
    _, sink = strict(ctx, one(bad) + one(good))
    wait_for(lambda: ups(sink, instance=bad.address) and ups(sink, instance=good.address), 10, "both are scraped")
    for name, action in (
        ("500", status(500)),
        ("404", status(404)),
        ("connection closed", close()),
        ("too slow", slow(3)),
        ("never answers", blackhole()),
    ):
        bad.plan.always(action)
        wait_for(lambda: ups(sink, instance=bad.address)[-1] == 0.0, 6, f"{name}: up is 0")
        bad.plan.always(OK)
        wait_for(lambda: ups(sink, instance=bad.address)[-1] == 1.0, 6, f"after {name}: up is 1")
    assert set(ups(sink, instance=good.address)) == {1.0}, "the other target suffered"
    sink.assert_clean()


@e2e()
def test_series_that_vanish_get_one_staleness_marker(ctx):
    pages = {"now": 'x{a="1"} 1\nx{a="2"} 1\n'}
    target = ctx.started(Target(lambda _: pages["now"]))
    _, sink = strict(ctx, one(target))
    wait_for(lambda: sink.select("x", a="2"), 10, "both series")
    pages["now"] = 'x{a="1"} 1\n'
    wait_for(lambda: is_stale(sink.samples("x", a="2")[-1][1]), 5, "the marker")
    n = len(sink.samples("x", a="2"))
    time.sleep(2.2)
    assert len(sink.samples("x", a="2")) == n, "more than one marker"
    assert not any(is_stale(v) for _, v in sink.samples("x", a="1"))
    sink.assert_clean()


@e2e(timeout=40)
def test_targets_that_are_removed_get_staleness_markers(ctx):
    a, b = ctx.started(Target(GOOD)), ctx.started(Target(GOOD))
    agent, sink = strict(ctx, one(a) + one(b))
    wait_for(lambda: ups(sink, instance=a.address) and ups(sink, instance=b.address), 10, "both are scraped")
    agent.reload(river.scrape(one(b), "prometheus.remote_write.out.receiver") + river.remote_write(sink.url))
    wait_for(
        lambda: is_stale(sink.samples("b", instance=a.address)[-1][1]), 10, "the removed target's series are stale"
    )
    wait_for(lambda: is_stale(sink.samples("up", instance=a.address)[-1][1]), 5, "and its up")
    n = len(ups(sink, instance=b.address))
    wait_for(lambda: len(ups(sink, instance=b.address)) >= n + 2, 6, "the other goes on")
    assert not any(is_stale(v) for _, v in sink.samples("b", instance=b.address))
    sink.assert_clean()


@e2e(timeout=40)
def test_openmetrics_is_asked_for_and_understood(ctx):
    now = time.time()
    page = f"""# TYPE req counter
# HELP req Requests.
req_total{{code="200"}} 7 # {{trace_id="abc123"}} 0.5 {now:.3f}
req_created{{code="200"}} 1700000000.5
# TYPE temp gauge
temp 20.25 {now - 1:.3f}
# TYPE i info
i_info{{version="1.2"}} 1
# EOF
"""
    pages = {"now": page}
    target = ctx.started(Target(lambda _: pages["now"], OPENMETRICS))
    _, sink = strict(ctx, one(target))
    wait_for(lambda: sink.select("req_total"), 10, "a scrape")
    assert "application/openmetrics-text" in target.requests[0].headers["Accept"]
    assert "text/plain" in target.requests[0].headers["Accept"]
    assert target.requests[0].headers["X-Prometheus-Scrape-Timeout-Seconds"]
    assert sink.samples("temp")[0] == (int(f"{now - 1:.3f}".replace(".", "")), 20.25), "the page's own timestamp"
    assert len(sink.samples("temp")) == 1, "the same timestamp was sent again"
    assert sink.samples("i_info", version="1.2")
    wait_for(lambda: sink.exemplars, 5, "the exemplar")
    ((key, found),) = sink.exemplars.items()
    assert dict(key)["__name__"] == "req_total" and found[0][:2] == ({"trace_id": "abc123"}, 0.5), found
    pages["now"] = page.replace("# EOF\n", "")
    wait_for(lambda: ups(sink)[-1] == 0.0, 5, "a page without # EOF is broken")
    sink.assert_clean()


@e2e()
def test_honor_labels_params_headers_and_credentials(ctx):
    token = ctx.tmp / "token"
    token.write_text("first\n")
    target = ctx.started(Target('x{job="own",instance="i",other="o"} 1 1700000000000\n'))
    seen = ctx.started(
        Target("y 1\n", required_headers={"Authorization": "Basic " + base64.b64encode(b"u:p").decode()})
    )
    sink = ctx.remote_write()
    ctx.agent(
        river.scrape(
            one(target),
            "prometheus.remote_write.out.receiver",
            name="honor",
            more='honor_labels = true\n'
            'honor_timestamps = false\nparams = {"format" = ["prometheus"], "a b" = ["1", "ü"]}\n'
            'metrics_path = "/sys/metrics"\nhttp_headers = {"X-Vault-Token" = ["tok"]}\n'
            f'authorization {{\n type = "Bearer"\n credentials_file = {river.string(token)}\n}}',
        )
        + river.scrape(
            one(target, second="yes"),
            "prometheus.remote_write.out.receiver",
            name="plain",
            more="honor_timestamps = false",
        )
        + river.scrape(
            one(seen),
            "prometheus.remote_write.out.receiver",
            name="basic",
            more='basic_auth {\n username = "u"\n password = "p"\n}',
        )
        + river.remote_write(sink.url)
    )
    wait_for(
        lambda: sink.select("x", job="own") and sink.select("x", exported_job="own") and sink.select("y"),
        10,
        "all three",
    )
    assert dict(next(iter(sink.select("x", job="own")))) == {"job": "own", "instance": "i", "other": "o"}
    assert dict(next(iter(sink.select("x", exported_job="own")))) == {
        "job": "j",
        "instance": target.address,
        "exported_job": "own",
        "exported_instance": "i",
        "other": "o",
        "second": "yes",
    }
    honor = [r for r in target.requests if r.path.startswith("/sys/metrics?")]
    assert honor and honor[0].headers["X-Vault-Token"] == "tok" and honor[0].headers["Authorization"] == "Bearer first"
    from urllib.parse import parse_qs

    assert parse_qs(honor[0].path.split("?")[1]) == {"format": ["prometheus"], "a b": ["1", "ü"]}, honor[0].path
    token.write_text("second\n")
    wait_for(
        lambda: target.requests[-1].headers.get("Authorization") == "Bearer second"
        or target.requests[-2].headers.get("Authorization") == "Bearer second",
        10,
        "the file is read again",
    )
    sink.assert_clean()


@e2e()
def test_limits_fail_the_scrape(ctx):
    many = "".join(f'm{{i="{i}"}} 1\n' for i in range(50))
    rows = [
        ("sample_limit = 40", many),
        ('body_size_limit = "1KiB"', many + "# " + "x" * 2000 + "\n"),
        ("label_limit = 3", 'm{a="1",b="2"} 1\n'),
        ("label_value_length_limit = 30", 'm{a="' + "v" * 31 + '"} 1\n'),
    ]
    sink = ctx.remote_write()
    text = river.remote_write(sink.url)
    for n, (limit, page) in enumerate(rows):
        target = ctx.started(Target(page))
        text += river.scrape(
            [{"__address__": target.address, "job": f"j{n}"}],
            "prometheus.remote_write.out.receiver",
            name=f"s{n}",
            more=limit,
        )
    agent = ctx.agent(text)
    for n, (limit, _) in enumerate(rows):
        wait_for(lambda: ups(sink, job=f"j{n}"), 10, f"{limit}: a scrape")
        assert set(ups(sink, job=f"j{n}")) == {0.0}, limit
    assert not sink.select("m"), "samples came through a limit"
    sink.assert_clean()
    assert agent.running()


@e2e(timeout=60)
def test_a_gzip_bomb_from_a_target_is_stopped(ctx):
    import zlib
    from lib.http_sink import Answer
    from lib.net import peak_rss_bytes, reset_peak_rss

    class Bomb(Target):
        def handle(self, req, action):
            return Answer(200, bomb, "text/plain; version=0.0.4", {"Content-Encoding": "gzip"})

    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(c.compress(b"x 1\n" * 262144) for _ in range(1024)) + c.flush()
    target, good = ctx.started(Bomb()), ctx.started(Target(GOOD))
    agent, sink = strict(
        ctx, one(target) + one(good), args=["--memory.limit=128MiB"], timeout="5s", interval="5s", binary=ctx.release
    )
    reset_peak_rss(agent.pid)
    before = peak_rss_bytes(agent.pid)
    wait_for(lambda: ups(sink, instance=target.address), 20, "a scrape of the bomb")
    assert ups(sink, instance=target.address)[0] == 0.0
    wait_for(lambda: 1.0 in ups(sink, instance=good.address), 10, "the other target")
    grown = peak_rss_bytes(agent.pid) - before
    assert grown < 128 << 20, f"memory grew by {grown >> 20} MiB"


RELABEL = r"""
prometheus.relabel "r" {
  rule {
    source_labels = ["__name__"]
    regex         = "go_.*"
    action        = "drop"
  }
  rule {
    source_labels = ["__name__"]
    regex         = "old_(.*)"
    replacement   = "new_$1"
    target_label  = "__name__"
  }
  rule {
    regex  = "secret"
    action = "labeldrop"
  }
  rule {
    source_labels = ["path"]
    regex         = "/user/\\d+"
    replacement   = "/user/:id"
    target_label  = "path"
  }
  forward_to = [prometheus.remote_write.out.receiver]
}
"""


@e2e()
def test_relabelling_and_external_labels(ctx):
    target = ctx.started(Target('go_x 1\nold_x{secret="s",path="/user/7"} 2\nkept 3\n'))
    agent, sink = strict(
        ctx,
        one(target),
        to="prometheus.relabel.r.receiver",
        extra=RELABEL,
        outer='  external_labels = {zone = "z", job = "never"}',
        rw_more="""
    write_relabel_config {
      source_labels = ["__name__"]
      regex         = "kept"
      replacement   = "renamed"
      target_label  = "__name__"
    }""",
    )
    wait_for(lambda: sink.select("renamed"), 10, "a scrape")
    assert dict(next(iter(sink.select("new_x")))) == {
        "job": "j",
        "instance": target.address,
        "path": "/user/:id",
        "zone": "z",
    }
    assert not sink.names() & {"go_x", "old_x", "kept"}
    agent.assert_balanced()
    assert agent.ledger().component("prometheus.relabel.r", "dropped", reason="rule") >= 1
    sink.assert_clean()


@e2e(timeout=60)
def test_remote_write_retries_lose_and_repeat_nothing_and_keep_the_order(ctx):
    counter = [0]

    def page(_):
        counter[0] += 1
        return f"n {counter[0]}\n" + "".join(f'm{{i="{i}"}} {counter[0]}\n' for i in range(300))

    target = ctx.started(Target(page))
    agent, sink = strict(ctx, one(target))
    wait_for(lambda: ups(sink), 10, "a scrape")
    for failures in ([status(503)] * 3, [status(429, retry_ms=1000)], [close()] * 2, [status(500), status(502)]):
        sink.plan.then(*failures)
        time.sleep(2)
    sink.plan.always(OK)
    had = counter[0]
    wait_for(lambda: sink.samples("n")[-1][1] >= had, 15, "the last scrape")
    values = [v for _, v in sink.samples("n")]
    assert values == [float(i) for i in range(1, len(values) + 1)], values
    for _, samples in sink.select("m").items():
        assert [v for _, v in samples][: len(values) - 1] == values[: len(values) - 1]
    sink.assert_clean()
    agent.assert_balanced()


@e2e(timeout=40)
def test_one_refused_series_costs_only_itself(ctx):
    """Prometheus keeps nothing of a request it answers with 400: the rest must come again without the bad one."""
    from lib.http_sink import Refuse
    from lib.rw_sink import RemoteWriteSink

    class Picky(RemoteWriteSink):
        def check_all(self, write):
            super().check_all(write)
            for ts in write.timeseries:
                if any(x.name == "__name__" and x.value == "bad_series" for x in ts.labels):
                    raise Refuse(400, 'out of bounds for series {__name__="bad_series"}', violation=False)

    target = ctx.started(Target("".join(f'm{{i="{i}"}} 1\n' for i in range(200)) + "bad_series 1\n"))
    sink = ctx.started(Picky())
    agent, _ = strict(ctx, one(target), interval="5s", timeout="4s", sink=sink)
    wait_for(lambda: len(sink.select("m")) == 200 and ups(sink), 15, "the 200 good series")
    time.sleep(1)
    ledger = agent.ledger()
    lost = ledger.endpoint("prometheus.remote_write.out", "dropped")
    assert 1 <= lost <= 3 and ledger.endpoint("prometheus.remote_write.out", "queued") == 0, lost
    assert "bad_series" in agent.stderr(), "Prometheus's words are not in the log"
    agent.assert_balanced()


@e2e(needs=["node_exporter"], timeout=40)
def test_exporter_unix_says_what_node_exporter_says(ctx):
    node = ctx.node_exporter()
    reference = ctx.started(Target(upstream=node.url))
    sink = ctx.remote_write()
    ctx.agent(
        """
prometheus.exporter.unix "m" {
  set_collectors = ["cpu", "meminfo", "filesystem", "diskstats", "netdev", "loadavg", "uname"]
  // as Debian's node_exporter is set
  filesystem {
    mount_points_exclude = "^/(dev|proc|run|sys|mnt|media|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
  }
}
"""
        + river.scrape(
            "prometheus.exporter.unix.m.targets", "prometheus.remote_write.out.receiver", interval="2s", timeout="1s"
        )
        + river.scrape(one(reference), "prometheus.remote_write.out.receiver", name="ref", interval="2s", timeout="1s")
        + river.remote_write(sink.url)
    )
    wait_for(lambda: sink.select("node_uname_info") and len(sink.select("node_load1")) == 2, 15, "both are scraped")

    def of(name, mine):
        out = {}
        for labels, samples in sink.select(name).items():
            d = dict(labels)
            if (d.pop("job") != "j") == mine:
                d.pop("instance")
                out[tuple(sorted(d.items()))] = samples[-1][1]
        return out

    for name in (
        "node_uname_info",
        "node_memory_MemTotal_bytes",
        "node_memory_SwapTotal_bytes",
        "node_filesystem_size_bytes",
        "node_filesystem_readonly",
    ):
        assert of(name, True) == of(name, False), f"{name}: {of(name, True)} instead of {of(name, False)}"
    for name in (
        "node_cpu_seconds_total",
        "node_disk_reads_completed_total",
        "node_disk_written_bytes_total",
        "node_network_receive_bytes_total",
        "node_network_transmit_packets_total",
        "node_load15",
        "node_memory_MemAvailable_bytes",
    ):
        mine, theirs = of(name, True), of(name, False)
        mine.pop((("device", "lo"),), None)  # Debian's node_exporter leaves it out, others do not
        theirs.pop((("device", "lo"),), None)
        assert mine.keys() == theirs.keys() and mine, f"{name}: series {sorted(mine.keys() ^ theirs.keys())[:4]}"
        for key in mine:
            near = abs(mine[key] - theirs[key]) <= max(5.0, 0.05 * abs(theirs[key]))
            assert (
                near or "network" in name or "disk" in name
            ), f"{name}{dict(key)}: {mine[key]}, node_exporter {theirs[key]}"
    sink.assert_clean()


@e2e()
def test_exporter_self_scrapes_its_own_metrics(ctx):
    sink = ctx.remote_write()
    ctx.agent(
        'prometheus.exporter.self "me" { }\n'
        + river.scrape("prometheus.exporter.self.me.targets", "prometheus.remote_write.out.receiver")
        + river.remote_write(sink.url)
    )
    wait_for(lambda: ups(sink) and sink.select("hyagent_component_items_total"), 10, "its own metrics")
    assert set(ups(sink)) == {1.0}
    sink.assert_clean()


@e2e(timeout=40)
def test_a_dead_prometheus_does_not_disturb_the_rest(ctx):
    """Two remote writes: one never answers, the other gets every scrape in time."""
    target = ctx.started(Target(GOOD))
    dead, living = ctx.remote_write(), ctx.remote_write()
    dead.plan.always(blackhole())
    agent = ctx.agent(
        river.scrape(
            one(target),
            "prometheus.remote_write.dead.receiver, prometheus.remote_write.living.receiver",
            interval="500ms",
            timeout="400ms",
        )
        + river.remote_write(dead.url, "dead")
        + river.remote_write(living.url, "living")
    )
    wait_for(lambda: len(ups(living)) >= 12, 20, "twelve scrapes")
    times = [t for t, _ in living.samples("up")]
    assert max(b - a for a, b in zip(times, times[1:])) < 1500, times
    living.assert_clean()
    took = agent.stop()
    assert took <= 8.5, f"stopping took {took:.1f} s"
