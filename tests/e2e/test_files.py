"""Log files to Loki: followed, rotated, truncated, resumed; nothing lost, nothing twice, in order."""

import json
import os
import shutil
import time
from datetime import datetime, timezone

from lib import river
from lib.context import e2e
from lib.net import wait_for
from lib.plan import OK, status


def tail(ctx, sink, pattern, **how):
    return ctx.agent(river.file_source(pattern, "loki.write.out.receiver") + river.loki_write(sink.url), **how)


def append(path, lines):
    with open(path, "a") as f:
        f.write("".join(f"{x}\n" for x in lines))


def expect(sink, want, timeout=15, **labels):
    """Exactly these lines, in this order, and none more a moment later."""
    wait_for(lambda: len(sink.lines(**labels)) >= len(want), timeout, f"{len(want)} lines at Loki")
    time.sleep(0.5)
    got = sink.lines(**labels)
    assert got == want, difference(got, want)
    sink.assert_clean()


def difference(got, want):
    missing, extra = set(want) - set(got), set(got) - set(want)
    twice = len(got) - len(set(got))
    at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
    return (
        f"{len(got)} lines instead of {len(want)}: {len(missing)} missing {sorted(missing)[:3]}, {len(extra)} unknown "
        f"{sorted(extra)[:3]}, {twice} twice; first difference at {at}: {got[at:at + 2]} instead of {want[at:at + 2]}"
    )


def numbered(first, last):
    return [f"line {i} of the log" for i in range(first, last + 1)]


@e2e()
def test_follow_sends_whole_lines_only_and_in_order(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 100))
    agent = tail(ctx, sink, str(log))
    expect(sink, numbered(1, 100))
    with open(log, "a", buffering=1) as f:
        f.write("half a line")
        f.flush()
        time.sleep(1.5)
        assert sink.count() == 100, "half a line was sent"
        f.write(", and its end\n")
        f.write("\n   \nwith\ttab and ünïcode 🎈\n")
    want = numbered(1, 100) + ["half a line, and its end"]
    wait_for(lambda: "half a line, and its end" in sink.lines(), 5, "the whole line")
    wait_for(lambda: any(x.startswith("with\ttab") for x in sink.lines()), 5, "the last line")
    got = [x for x in sink.lines() if x.strip()]
    assert got == want + ["with\ttab and ünïcode 🎈"], got[-3:]
    assert sink.label_sets() == [{"job": "files", "filename": str(log)}], sink.label_sets()
    agent.assert_balanced()
    assert agent.ledger().endpoint("loki.write.out", "acknowledged") == sink.count()


@e2e()
def test_timestamps_of_a_stream_never_go_back_and_are_of_now(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    before = time.time_ns()
    append(log, numbered(1, 5000))
    tail(ctx, sink, str(log))
    expect(sink, numbered(1, 5000))
    stamps = [e.ts for e in sink.select(job="files")]
    assert stamps == sorted(stamps) and before <= stamps[0] and stamps[-1] <= time.time_ns()


@e2e(timeout=60)
def test_rename_rotation_loses_and_repeats_nothing(ctx):
    """Also with lines written into the old file after the rename, and while delivery stalls."""
    sink = ctx.loki()
    log = ctx.tmp / "app.log"
    append(log, numbered(1, 1))
    agent = tail(ctx, sink, str(log))
    expect(sink, numbered(1, 1))  # a file that was rotated away before the first look is not ours
    n = 1
    for round_ in range(12):
        if round_ == 5:
            sink.plan.then(*[status(503)] * 4)
        old = open(log, "a", buffering=1)
        old.writelines(f"{x}\n" for x in numbered(n + 1, n + 200))
        os.rename(log, ctx.tmp / f"app.log.{round_}")
        old.writelines(f"{x}\n" for x in numbered(n + 201, n + 210))
        old.close()
        n += 210
        append(log, numbered(n + 1, n + 50))
        n += 50
        time.sleep(0.35)
    expect(sink, numbered(1, n), 20)
    agent.assert_balanced()


@e2e(timeout=60)
def test_copytruncate_loses_and_repeats_nothing_that_stood_a_while(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "app.log"
    append(log, [])
    agent = tail(ctx, sink, str(log))
    n = 0
    for round_ in range(8):
        append(log, numbered(n + 1, n + 100 + round_))
        n += 100 + round_
        time.sleep(0.6)  # P-F2: what stood 250 ms before the truncation is read (and some for a slow machine)
        shutil.copy(log, ctx.tmp / f"app.log.{round_}")
        os.truncate(log, 0)
    append(log, numbered(n + 1, n + 3))
    expect(sink, numbered(1, n + 3))
    agent.assert_balanced()


@e2e(timeout=60)
def test_sigterm_and_start_again_resumes_at_the_checkpoint(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 1000))
    agent = tail(ctx, sink, str(log))
    expect(sink, numbered(1, 1000))
    agent.stop()
    append(log, numbered(1001, 1500))
    agent.start()
    expect(sink, numbered(1, 1500))
    agent.stop()
    os.rename(log, ctx.tmp / "a.log.1")
    append(ctx.tmp / "a.log.1", numbered(1501, 1510))  # rotated while nobody looked
    append(log, numbered(1511, 1600))
    agent.start()
    wait_for(lambda: "line 1600 of the log" in sink.lines(), 10, "the new file's last line")
    time.sleep(0.5)
    got = sink.lines()
    assert len(got) == len(set(got)), "lines came twice"
    assert got[:1500] == numbered(1, 1500) and [x for x in got if x in set(numbered(1511, 1600))] == numbered(
        1511, 1600
    )


@e2e(timeout=90)
def test_sigkill_under_load_loses_nothing(ctx):
    """Killed at odd moments while writing goes on: every line arrives; with a quiet second before it, none twice."""
    import random
    import threading

    sink = ctx.loki()
    sink.plan.default = status(503)  # first nothing gets out at all
    log = ctx.tmp / "a.log"
    append(log, [])
    agent = tail(ctx, sink, str(log))
    stop, written = threading.Event(), [0]

    def write():
        with open(log, "a", buffering=1) as f:
            while not stop.is_set():
                f.write("".join(f"{x}\n" for x in numbered(written[0] + 1, written[0] + 50)))
                written[0] += 50
                time.sleep(0.02)

    seed = int.from_bytes(os.urandom(4), "big")
    ctx.log(f"seed {seed}")
    chance = random.Random(seed)
    writer = threading.Thread(target=write)
    writer.start()
    ctx.on_exit(stop.set)
    kills = 6
    for i in range(kills):
        if i == 1:
            sink.plan.always(OK)
        time.sleep(chance.uniform(0.2, 2.0))
        agent.kill()
        agent.start()
    stop.set()
    writer.join()
    want = numbered(1, written[0])
    wait_for(lambda: set(want) <= set(sink.lines()), 30, "every line that was written")
    got = sink.lines()
    assert set(got) == set(want), difference(got, want)
    first = list(dict.fromkeys(got))
    assert first == want, "first arrivals are not in order"
    ctx.log(f"{len(got) - len(want)} repeats after {kills} kills of {len(want)} lines")
    sink.assert_clean()
    time.sleep(3)
    agent.kill()
    agent.start()
    append(log, ["the end"])
    wait_for(lambda: "the end" in sink.lines(), 10, "the last line")
    time.sleep(0.5)
    assert len(sink.lines()) == len(got) + 1, f"{len(sink.lines()) - len(got) - 1} lines came again after a quiet time"


@e2e(timeout=60)
def test_lines_not_acknowledged_at_sigterm_are_read_again(ctx):
    sink = ctx.loki()
    sink.plan.always(status(503))
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 500))
    agent = tail(ctx, sink, str(log))
    wait_for(lambda: sink.plan.injected > 0, 10, "a first try")
    took = agent.stop()
    assert took <= 8.5, f"stopping took {took:.1f} s"
    sink.plan.always(OK)
    agent.start()
    expect(sink, numbered(1, 500))


@e2e()
def test_new_files_are_found_and_removed_ones_let_go(ctx):
    sink = ctx.loki()
    folder = ctx.tmp / "logs"
    folder.mkdir()
    append(folder / "one.log", ["one"])
    os.mkfifo(folder / "fifo.log")
    (folder / "folder.log").mkdir()
    os.symlink(folder / "nowhere", folder / "dangling.log")
    append(folder / "note.txt", ["not matched"])
    agent = tail(ctx, sink, str(folder / "*.log"))
    wait_for(lambda: sink.lines() == ["one"], 10, "the first file's line")
    append(folder / "two.log", ["two", "three"])
    wait_for(lambda: sorted(sink.lines()) == ["one", "three", "two"], 10, "the new file's lines")
    os.remove(folder / "one.log")

    def is_open():
        links = [os.readlink(f"/proc/{agent.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{agent.pid}/fd")]
        return any("one.log" in x for x in links)

    wait_for(lambda: not is_open(), 20, "the removed file is closed")
    append(folder / "two.log", ["four"])
    wait_for(lambda: "four" in sink.lines(), 5, "the rest goes on")
    sink.assert_clean()


@e2e()
def test_a_missing_file_is_said_once_and_read_when_it_comes(ctx):
    sink = ctx.loki()
    here, later = ctx.tmp / "here.log", ctx.tmp / "later.log"
    append(here, ["here"])
    targets = ", ".join(river.target({"__path__": str(p), "job": "x"}) for p in (here, later))
    agent = ctx.agent(
        f'loki.source.file "f" {{\n targets = [{targets}]\n forward_to = [loki.write.out.receiver]\n}}\n'
        + river.loki_write(sink.url)
    )
    wait_for(lambda: sink.lines() == ["here"], 10, "the other file is read")
    time.sleep(3)
    said = [x for x in agent.stderr().splitlines() if "later.log" in x]
    assert len(said) == 1, f"said {len(said)} times:\n" + "\n".join(said)
    append(later, ["later"])
    wait_for(lambda: "later" in sink.lines(), 20, "the file that came later")


@e2e()
def test_hostile_lines_do_not_hurt_their_neighbours(ctx):
    """Invalid UTF-8, NUL, a line over Loki's limit: the neighbours arrive, the sink refuses nothing, losses are counted."""
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    log.write_bytes(
        b"before\n" + b"bad \xff\xfe\xc3 bytes\n" + b"nul \x00 byte\n" + b"x" * (300 << 10) + b"\n" + b"after\n"
    )
    agent = tail(ctx, sink, str(log))
    wait_for(lambda: "after" in sink.lines(), 10, "the last line")
    got = sink.lines()
    assert got[0] == "before" and got[-1] == "after", [x[:30] for x in got]
    bad = [x for x in got if x.startswith("bad")]
    assert len(bad) == 1 and "\ufffd" in bad[0] and bad[0].endswith(" bytes"), bad
    assert [x for x in got if x.startswith("nul")] == ["nul \x00 byte"]
    sink.assert_clean()
    cut = [x for x in got if x.startswith("xxx")]
    ledger = agent.ledger()
    dropped = sum(ledger.component(c, "dropped") for c in ledger.components()) + ledger.endpoint(
        "loki.write.out", "dropped"
    )
    assert cut or dropped == 1, f"the long line vanished: cut {len(cut)}, dropped {dropped}"
    agent.assert_balanced()


@e2e()
def test_loki_limits_are_kept_before_sending(ctx):
    """20 labels, a huge label value: dropped here and counted, the rest arrives."""
    sink = ctx.loki()
    for name in ("many", "good"):
        append(ctx.tmp / f"{name}.log", [name])
    many = {"__path__": str(ctx.tmp / "many.log"), **{f"l{i}": "v" for i in range(20)}}
    agent = ctx.agent(
        f'loki.source.file "f" {{\n targets = [{river.target(many)}, '
        f'{river.target({"__path__": str(ctx.tmp / "good.log"), "job": "g"})}]\n'
        ' forward_to = [loki.write.out.receiver]\n}\n' + river.loki_write(sink.url)
    )
    wait_for(lambda: sink.lines(job="g") == ["good"], 10, "the good stream")
    time.sleep(0.5)
    assert sink.count() == 1
    sink.assert_clean()
    ledger = agent.ledger()
    assert (
        ledger.component("loki.write.out", "dropped", reason="label_limit")
        + ledger.endpoint("loki.write.out", "dropped", reason="label_limit")
        == 1
    )
    agent.assert_balanced()


@e2e(timeout=40)
def test_429_and_5xx_are_retried_and_400_is_not(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 2000))
    sink.plan.then(status(429, "Ingestion rate limit exceeded", retry_ms=1000), status(500), status(503))
    agent = tail(ctx, sink, str(log))
    expect(sink, numbered(1, 2000))
    assert sink.plan.injected == 3
    sink.plan.then(status(400, "entry for stream '{}' has timestamp too old"))
    append(log, ["refused by Loki"])
    wait_for(lambda: sink.plan.injected == 4, 5, "the refusal")
    append(log, ["after"])
    wait_for(lambda: "after" in sink.lines(), 5, "the next line")
    time.sleep(1)
    assert "refused by Loki" not in sink.lines(), "a 400 was sent again"
    assert "timestamp too old" in agent.stderr(), "Loki's words are not in the log"
    agent.assert_balanced()


@e2e()
def test_tenant_credentials_headers_and_external_labels(ctx):
    import base64

    sink = ctx.loki(
        require_tenant=True,
        required_headers={"Authorization": "Basic " + base64.b64encode(b"user:s3cret").decode(), "X-Extra": "yes"},
    )
    log = ctx.tmp / "a.log"
    secret = ctx.tmp / "password"
    secret.write_text("s3cret\n")
    append(log, ["hello"])
    ctx.agent(
        river.file_source(str(log), "loki.write.out.receiver")
        + river.loki_write(
            sink.url,
            outer='  external_labels = {cluster = "c1", job = "not this"}',
            more=f"""
    tenant_id = "team-a"
    headers   = {{"X-Extra" = "yes"}}
    basic_auth {{
      username      = "user"
      password_file = {river.string(secret)}
    }}""",
        )
    )
    wait_for(lambda: sink.count("team-a") == 1, 10, "the line of tenant team-a")
    assert sink.label_sets() == [{"job": "files", "filename": str(log), "cluster": "c1"}], sink.label_sets()
    assert all(r.headers.get("User-Agent") for r in sink.requests)
    sink.assert_clean()


PIPELINE = r"""
loki.process "p" {
  stage.json {
    expressions = {level = "level", msg = "message", when = "ts", user = "ctx.user", trace = "trace_id", note = ""}
  }
  stage.labels {
    values = {level = "", renamed = "user"}
  }
  stage.structured_metadata {
    values = {trace_id = "trace"}
  }
  stage.timestamp {
    source = "when"
    format = "RFC3339Nano"
  }
  stage.template {
    source   = "out"
    template = "{{ .level | ToUpper }}: {{ .msg }}"
  }
  stage.output {
    source = "out"
  }
  stage.replace {
    expression = "password=(\\S+)"
    replace    = "***"
  }
  stage.drop {
    expression = "healthz"
  }
  stage.match {
    selector = "{level=\"debug\"}"
    action   = "drop"
  }
  stage.match {
    selector = "{level=\"error\"} |~ \"disk\""
    stage.static_labels {
      values = {alert = "disk"}
    }
  }
  stage.label_drop {
    values = ["filename"]
  }
  forward_to = [loki.write.out.receiver]
}
"""


@e2e()
def test_process_stages_do_what_the_documentation_says(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    now = datetime.now(timezone.utc).replace(microsecond=123456)
    rows = [
        {
            "level": "info",
            "message": "hello password=hunter2 end",
            "ts": now.isoformat(),
            "ctx": {"user": "ä"},
            "trace_id": "abc",
        },
        {"level": "error", "message": "disk full", "ts": now.isoformat(), "ctx": {"user": "ä"}},
        {"level": "debug", "message": "never"},
        {"level": "info", "message": "GET /healthz"},
    ]
    append(log, [json.dumps(r) for r in rows] + ["no json at all"])
    agent = ctx.agent(river.file_source(str(log), "loki.process.p.receiver") + PIPELINE + river.loki_write(sink.url))
    wait_for(lambda: sink.count() >= 3, 10, "three lines")
    time.sleep(0.5)
    ts = int(now.timestamp()) * 10**9 + 123456000
    (first,) = sink.select(level="info")
    assert (first.line, first.ts, first.metadata) == ("INFO: hello password=*** end", ts, {"trace_id": "abc"}), first
    (second,) = sink.select(level="error")
    assert (second.line, second.ts) == ("ERROR: disk full", ts), second
    assert {frozenset(x.items()) for x in sink.label_sets()} >= {
        frozenset({"job": "files", "level": "info", "renamed": "ä"}.items()),
        frozenset({"job": "files", "level": "error", "renamed": "ä", "alert": "disk"}.items()),
    }, sink.label_sets()
    assert sink.count() == 3, [e for e in sink.select()]
    agent.assert_balanced()
    assert agent.ledger().component("loki.process.p", "dropped", reason="rule") == 2
    sink.assert_clean()


@e2e()
def test_multiline_regex_logfmt_and_relabel(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(
        log,
        ["2024-01-01 ERROR boom", "\tat a.b.C", "\tat d.e.F", "2024-01-02 INFO fine", "2024-01-03 WARN last", "\tmore"],
    )
    ctx.agent(river.file_source(str(log), "loki.process.p.receiver") + r"""
loki.process "p" {
  stage.multiline {
    firstline     = "^\\d{4}-\\d{2}-\\d{2}"
    max_wait_time = "1s"
  }
  stage.regex {
    expression = "^\\S+ (?P<level>\\w+) (?P<rest>(?s:.*))$"
  }
  stage.labels {
    values = {level = ""}
  }
  forward_to = [loki.relabel.r.receiver]
}
loki.relabel "r" {
  rule {
    source_labels = ["level"]
    regex         = "INFO"
    action        = "drop"
  }
  rule {
    source_labels = ["job", "level"]
    separator     = "/"
    target_label  = "both"
  }
  forward_to = [loki.write.out.receiver]
}
""" + river.loki_write(sink.url))
    wait_for(lambda: sink.count() >= 2, 10, "two entries")
    time.sleep(0.5)
    assert sink.lines() == [
        "2024-01-01 ERROR boom\n\tat a.b.C\n\tat d.e.F",
        "2024-01-03 WARN last\n\tmore",
    ], sink.lines()
    assert {x["both"] for x in sink.label_sets()} == {"files/ERROR", "files/WARN"}


@e2e()
def test_kubernetes_log_files_are_joined_and_stamped(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "0.log"
    second = int(time.time())
    stamp = datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    log.write_text(
        f"{stamp}.000000001Z stdout F one\n{stamp}.000000002Z stdout P start \n{stamp}.000000003Z stderr F other\n"
        f"{stamp}.000000004Z stdout P middle \n{stamp}.000000005Z stdout F end\n{stamp}.5Z stdout F \n"
    )
    ctx.agent(river.file_source(str(log), "loki.process.p.receiver") + """
loki.process "p" {
  stage.cri { }
  forward_to = [loki.write.out.receiver]
}
""" + river.loki_write(sink.url))
    wait_for(lambda: "start middle end" in sink.lines(), 10, "the joined line")
    assert [x for x in sink.lines(stream="stdout") if x] == ["one", "start middle end"], sink.lines(stream="stdout")
    assert sink.lines(stream="stderr") == ["other"]
    assert sink.select(stream="stdout")[0].ts == second * 10**9 + 1
    assert sink.select(stream="stderr")[0].ts == second * 10**9 + 3
    sink.assert_clean()


@e2e(timeout=60)
def test_a_backlog_is_read_in_order_once(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "big.log"
    append(log, numbered(1, 200000))
    agent = tail(ctx, sink, str(log))
    began = time.monotonic()
    wait_for(lambda: sink.count() >= 200000, 45, "200,000 lines", interval=0.2)
    ctx.log(f"200,000 lines in {time.monotonic() - began:.1f} s, {len(sink.pushes)} requests")
    expect(sink, numbered(1, 200000))
    assert max(len(r.raw) for r in sink.requests) <= 4 << 20
    agent.assert_balanced()


@e2e(timeout=60)
def test_a_dead_loki_is_said_seldom_and_forgotten_when_it_is_back(ctx):
    from lib.loki_sink import LokiSink
    from lib.net import free_port

    port = free_port()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 1000))
    agent = ctx.agent(
        river.file_source(str(log), "loki.write.out.receiver")
        + river.loki_write(f"http://127.0.0.1:{port}/loki/api/v1/push")
    )
    for i in range(8):
        append(log, numbered(1001 + 100 * i, 1100 + 100 * i))
        time.sleep(1)
    said = [x for x in agent.stderr().splitlines() if str(port) in x or "loki.write" in x]
    assert 1 <= len(said) <= 4, f"{len(said)} lines in 8 s:\n" + "\n".join(said[:20])
    assert agent.get("/-/ready")[0] == 200
    sink = ctx.started(LokiSink(port))
    expect(sink, numbered(1, 1800), 20)
    agent.assert_balanced()


@e2e(needs=["loki"], timeout=90)
def test_a_real_loki_takes_the_lines(ctx):
    from lib.peers import Loki

    loki = ctx.started(Loki(ctx))
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 20000))
    ctx.agent(river.file_source(str(log), "loki.write.out.receiver") + river.loki_write(loki.url))
    wait_for(lambda: loki.lines('{job="files"}', 20000) == numbered(1, 20000), 40, "20,000 lines in order", interval=1)
