"""The rules of discovery.relabel, loki.relabel and prometheus.relabel: each argument, in each component."""

import json

from lib import river
from lib.context import e2e
from lib.net import wait_for
from lib.recorder import Recorder

GIVEN = {"job": "j", "a": "1", "b": "2"}
BOTH, ROW = 'source_labels = ["a", "b"]', 'target_label = "row"'

# (what it is about, the rule, labels that come of it beside those given; None: a label that is gone; or None: dropped)
RULES = [
    ("source_labels and the defaults of all else", [BOTH, ROW], {"row": "1;2"}),
    ("separator", [BOTH, ROW, 'separator = "-"'], {"row": "1-2"}),
    ("regex that fits", [BOTH, ROW, 'regex = "(.);."'], {"row": "1"}),
    ("regex that does not fit", [BOTH, ROW, 'regex = "x"'], {}),
    ("target_label", [BOTH, 'target_label = "other"'], {"other": "1;2"}),
    ("replacement", [BOTH, ROW, 'regex = "(.);(.)"', 'replacement = "$2 and ${1}"'], {"row": "2 and 1"}),
    ("modulus", [BOTH, ROW, 'action = "hashmod"', "modulus = 1"], {"row": "0"}),
    ("action: keep what fits", [BOTH, 'regex = "1;2"', 'action = "keep"'], {}),
    ("action: keep what does not fit", [BOTH, 'regex = "3;4"', 'action = "keep"'], None),
    ("action: drop", [BOTH, 'regex = "1;2"', 'action = "drop"'], None),
    ("action: labeldrop", ['regex = "a"', 'action = "labeldrop"'], {"a": None}),
    ("action: labelkeep", ['regex = "b|case|__.*|job"', 'action = "labelkeep"'], {"a": None}),
    ("action: labelmap", ['regex = "(a|b)"', 'replacement = "x_$1"', 'action = "labelmap"'], {"x_a": "1", "x_b": "2"}),
    ("action: keepequal", ['source_labels = ["a"]', 'target_label = "b"', 'action = "keepequal"'], None),
]


def rules(lines, more=()):
    """The rule, behind one that says which case this is."""
    blocks = [['target_label = "case"', 'replacement = "CASE"'], *more, lines]
    return "".join("  rule {\n" + "".join(f"    {line}\n" for line in block) + "  }\n" for block in blocks)


def compare(found):
    """found: {number of the case: labels}; cases that were dropped are not in it."""
    wrong = []
    for i, (about, _, labels) in enumerate(RULES):
        want = None if labels is None else {k: v for k, v in {**GIVEN, **labels}.items() if v is not None}
        if found.get(str(i)) != want:
            wrong.append(f"{about}: {found.get(str(i))} instead of {want}")
    assert not wrong, "; ".join(wrong)


def components(name, forward):
    return "".join(
        f'{name} "c{i}" {{\n{forward}{rules(lines).replace("CASE", str(i))}}}\n'
        for i, (_, lines, _) in enumerate(RULES)
    )


def arriving():
    return {str(i) for i, (_, _, labels) in enumerate(RULES) if labels is not None}


@e2e(timeout=90)
def test_discovery_relabel(ctx):
    agent = ctx.agent(components("discovery.relabel", f"  targets = [{river.target(GIVEN)}]\n"))
    found = {}
    for i in range(len(RULES)):
        status, body = agent.get(f"/api/v0/web/components/discovery.relabel.c{i}")
        assert status == 200, body
        exports = {e["name"]: e["value"] for e in json.loads(body)["exports"]}
        for target in exports["output"]["value"]:
            labels = {pair["key"]: pair["value"]["value"] for pair in target["value"]}
            found[labels.pop("case")] = labels
    compare(found)


@e2e(timeout=90)
def test_loki_relabel(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "x.log"
    log.write_text("line\n")
    to = ", ".join(f"loki.relabel.c{i}.receiver" for i in range(len(RULES)))
    ctx.agent(
        components("loki.relabel", "  forward_to = [loki.write.out.receiver]\n")
        + f'loki.relabel "in" {{\n  forward_to = [{to}]\n  rule {{\n    action = "labeldrop"\n    regex = "filename"\n  }}\n}}\n'
        + river.file_source(log, "loki.relabel.in.receiver", labels=GIVEN, match=False)
        + river.loki_write(sink.url)
    )
    wait_for(lambda: sink.count() >= len(arriving()), 10, "every entry that is kept")
    compare({labels.pop("case"): labels for labels in sink.label_sets()})


@e2e(timeout=90)
def test_prometheus_relabel(ctx):
    sink = ctx.remote_write()
    target = ctx.started(Recorder()).listen(
        reply=lambda seen: (200, {"Content-Type": "text/plain"}, b'm{a="1",b="2"} 1\n')
    )
    to = ", ".join(f"prometheus.relabel.c{i}.receiver" for i in range(len(RULES)))
    agent = ctx.agent(
        components("prometheus.relabel", "  forward_to = [prometheus.remote_write.out.receiver]\n")
        + f'prometheus.relabel "in" {{\n  forward_to = [{to}]\n  rule {{\n    action = "labeldrop"\n    regex = "instance"\n  }}\n}}\n'
        + river.scrape([{"__address__": f"127.0.0.1:{target.number}", "job": "j"}], "prometheus.relabel.in.receiver")
        + river.remote_write(sink.url)
    )

    def found():
        series = [dict(labels) for labels in sink.select("m")]
        return {labels["case"]: {k: v for k, v in labels.items() if k not in ("case", "__name__")} for labels in series}

    wait_for(lambda: found().keys() >= arriving(), 10, "every series that is kept")
    compare(found())
    agent.assert_balanced()
