"""What is left of loki.process and prometheus.exporter.unix: each argument without and with it, in one agent."""

import time

from lib import river
from lib.context import e2e
from lib.net import wait_for

# (label, stages, label of the entry that shows it, its value)
STAGES = [
    ("regex_line", 'stage.regex {\n  expression = "(?P<row>first|inner text)"\n}\n', "first"),
    (
        "regex_source",
        'stage.regex {\n  expression = "first (?P<rest>.*)$"\n}\n'
        'stage.regex {\n  source = "rest"\n  expression = "(?P<row>first|inner text)"\n}\n',
        "inner text",
    ),
    ("logfmt_line", 'stage.logfmt {\n  mapping = {"row" = "k"}\n}\n', "outer"),
    (
        "logfmt_source",
        'stage.regex {\n  expression = "inner text (?P<rest>[^ ]*)"\n}\n'
        'stage.logfmt {\n  source = "rest"\n  mapping = {"row" = "k"}\n}\n',
        "deep",
    ),
]
TEXT = "first inner text k=deep and k=outer"  # of a key given twice the last one counts


@e2e(timeout=60)
def test_loki_process(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "x.log"
    log.write_text(TEXT + "\nsecond\n")
    drop = 'stage.drop {{\n  expression = "second"\n{}}}\n'
    match = 'stage.match {{\n  selector = "{{job=\\"j\\"}} |= \\"second\\""\n  action = "drop"\n{}}}\n'
    block = 'stage.multiline {{\n  firstline = "^first"\n  max_wait_time = "{}"\n}}\n'
    reason = '  drop_counter_reason = "row"\n'
    stages = [(label, text + 'stage.labels {\n  values = {"row" = ""}\n}\n') for label, text, _ in STAGES]
    stages += [("drop_plain", drop.format("")), ("drop_reason", drop.format(reason))]
    stages += [("match_plain", match.format("")), ("match_reason", match.format(reason))]
    stages += [("wait_short", block.format("300ms")), ("wait_long", block.format("1h"))]
    text = river.file_source(
        log, ", ".join(f"loki.process.{label}.receiver" for label, _ in stages), labels={"job": "j"}, match=False
    )
    for label, body in stages:
        text += (
            f'loki.process "{label}" {{\n  stage.static_labels {{\n    values = {{"case" = "{label}"}}\n  }}\n{body}'
            "  forward_to = [loki.write.out.receiver]\n}\n"
        )
    agent = ctx.agent(text + river.loki_write(sink.url))
    for label, _, value in STAGES:
        wait_for(lambda: TEXT in sink.lines(case=label, row=value), 10, f"{label}: row is {value}")

    def dropped(label, reason):
        return agent.metrics().sum(
            "loki_process_dropped_lines_total", component_id=f"loki.process.{label}", reason=reason
        )

    for label, why in (
        ("drop_plain", "drop_stage"),
        ("drop_reason", "row"),
        ("match_plain", "match_stage"),
        ("match_reason", "row"),
    ):
        wait_for(lambda: dropped(label, why) == 1, 5, f"{label}: counted as {why}")
    wait_for(lambda: sink.lines(case="wait_short") == [TEXT + "\nsecond"], 5, "the block that waits 300 ms")
    time.sleep(0.5)
    assert not sink.lines(case="wait_long"), "the block waits for an hour"


@e2e(timeout=60)
def test_exporter_unix(ctx):
    sink = ctx.remote_write()
    cases = {
        "plain": "",
        "mounts": '  filesystem {\n    mount_points_exclude = "^/"\n  }\n',
        "nets": '  netdev {\n    device_include = "^nothing$"\n  }\n',
        "disks": '  disk {\n    device_exclude = ".*"\n  }\n',
    }
    text = ""
    for label, options in cases.items():
        text += river.remote_write(sink.url, label, outer=f'  external_labels = {{"case" = "{label}"}}')
        text += f'prometheus.exporter.unix "{label}" {{\n{options}}}\n' + river.scrape(
            f"prometheus.exporter.unix.{label}.targets",
            f"prometheus.remote_write.{label}.receiver",
            name=label,
        )
    ctx.agent(text)

    def names(label):
        with sink.store_lock:
            return {dict(key)["__name__"] for key in sink.series if dict(key).get("case") == label}

    for label in cases:
        wait_for(lambda: "node_load1" in names(label), 15, f"a scrape of {label}")
    time.sleep(1.5)  # a scrape is not one request
    for label, name in (
        ("mounts", "node_filesystem_size_bytes"),
        ("nets", "node_network_receive_bytes_total"),
        ("disks", "node_disk_read_bytes_total"),
    ):
        if name in names("plain"):
            assert name not in names(label), f"{label}: {cases[label]} leaves out all"
        else:
            ctx.log(f"{name} is not to be had on this machine")
    assert "node_network_receive_bytes_total" in names("plain"), "every machine has a loopback"
