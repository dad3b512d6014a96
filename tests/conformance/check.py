#!/usr/bin/env python3
"""Holds hyagent's arguments against table.tsv, Alloy's surface as facts, and prints how much of it has an effect.

usage: check.py --bin HYAGENT [--all]

A row of table.tsv is an argument or a block of a component: its type, whether it is required, its default (facts of
Alloy), how many public configurations use it, and its class:
  effect   a test sees behaviour change with the value; `where` names the tests
  same     accepted without effect, which `hyagent validate` says (or which has none in Alloy); `where` is the reason
  refused  refused by name by `hyagent validate`; `where` is the reason
`ours` says what differs from the facts and why ("default 0: ..."). `probe` is a value (or, of a block, a body) to try
where the one this program thinks of would not do. extensions.tsv lists what hyagent has and the table does not.
--all prints every row that is not an effect."""

import argparse
import ast
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
GOAL = 90.0
SILENT = "nothing in Alloy either"  # of such a reason validate need not speak
NESTED = "stage.match.stage."  # every stage again
ENV = {"ASAN_OPTIONS": "detect_leaks=0", **os.environ}


def rows_of(name):
    with open(HERE / name, newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


# ---- hyagent's own tables ---------------------------------------------------------------------------------------------


def read_docs(binary):
    """{component: {path: description}}, blocks as "path{}"."""
    out = subprocess.run([binary, "docs", "--json"], capture_output=True, text=True, env=ENV)
    if out.returncode != 0:
        sys.exit(f"hyagent docs --json: {out.stderr}")
    found = {}
    for component in json.loads(out.stdout)["components"]:
        paths = found[component["name"]] = {}
        for argument in component["arguments"]:
            paths[argument["path"]] = argument
        for block in component["blocks"]:
            paths[block["path"] + "{}"] = {**block, "type": "block", "default": None}
    return found


# ---- facts ------------------------------------------------------------------------------------------------------------

WORDS = {
    "boolean": "bool",
    "int": "number",
    "uint": "number",
    "integer": "number",
    "float": "number",
    "float64": "number",
    "Level": "string",
    "size": "string",
    "string or secret": "secret",
    "secret or string": "secret",
    "RelabelRules": "capsule",
    "regexp.RelabelRules": "capsule",
    "auth.Handler": "capsule",
    "capsule(otelcol.Handler)": "capsule",
    "optional_secret": "secret",
    "list(map(string))": "list(map(string))",
}


def normal_type(text):
    text = text.strip()
    if text in WORDS:
        return WORDS[text]
    if m := re.fullmatch(r"list\((.*)\)", text):
        inner = m[1]
        capsule = "receiver" in inner.lower() or "consumer" in inner.lower() or "interceptor" in inner.lower()
        return "list(capsule)" if capsule else f"list({normal_type(inner)})"
    return text


UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "KB": 1024, "MB": 1024**2}


def normal_default(text):
    """One spelling of a value; everything that is zero in Go is the same as no default."""
    text = (text or "").strip()
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = json.loads(text)
    if re.fullmatch(r"(\d+(\.\d+)?(ns|us|ms|s|m|h))+", text):
        seconds = sum(float(n) * UNITS[u] for n, _, u in re.findall(r"(\d+(\.\d+)?)(ns|us|ms|s|m|h)", text))
        return f"{seconds:g} s" if seconds else ""
    if m := re.fullmatch(r"(\d+)([KMG]i?B|B)", text):
        return f"{int(m[1]) * SIZES[m[2]]}" if int(m[1]) else ""
    if text.startswith("["):
        text = json.dumps(json.loads(text)) if text != "[]" else ""
    return "" if text in ("", "null", "{}", "0", "0.0", "false", "none") else text


def compare(row, ours):
    """What of type, required and default is not as the table has it."""
    found = []
    if row["path"].endswith(("{}", "{}*")):
        if ours["type"] != "block":
            found.append("block")
        if row["path"].endswith("*") and not ours["repeated"]:
            found.append("repeated")
    elif normal_type(row["type"]) not in (normal_type(ours["type"]), "any"):
        found.append(f"type {ours['type']}")
    if (row["required"] == "yes") != ours["required"]:
        found.append(f"required {'yes' if ours['required'] else 'no'}")
    if not row["path"].endswith(("{}", "{}*")) and normal_default(row["default"]) != normal_default(ours["default"]):
        found.append(f"default {ours['default']}")
    return found


# ---- tests ------------------------------------------------------------------------------------------------------------


class Sources:
    """The text of a test with all of its file that it uses."""

    def __init__(self):
        self.files, self.texts = {}, {}

    def text(self, reference):
        """None: there is no such test."""
        if reference not in self.texts:
            kind, _, name = reference.partition(":")
            reader = {"unit": self.unit, "e2e": self.e2e, "pipeline": self.pipeline}.get(kind)
            text = reader(name) if reader else None
            # The \\n of a string is no letter of the word behind it.
            self.texts[reference] = re.sub(r"\\+[nt]", " ", text) if text is not None else None
        return self.texts[reference]

    def unit(self, name):
        """unit:components/loki/test_process.lines_are_dropped"""
        file, _, function = name.rpartition(".")
        chunks = self.chunks(TESTS / "unit" / f"{file}.c", c_chunks)
        if not chunks or function not in chunks or len(re.findall(rf"\b{function}\b", chunks[""])) < 2:
            return None
        return closure(chunks, function) + chunks["extern"]

    def e2e(self, name):
        """e2e:arguments_http.loki_write"""
        module, _, function = name.partition(".")
        chunks = self.chunks(TESTS / "e2e" / f"test_{module}.py", python_chunks)
        return closure(chunks, f"test_{function}") if chunks and f"test_{function}" in chunks else None

    def pipeline(self, name):
        """pipeline:default_test.river"""
        path = TESTS.parent / "pipelines" / name
        return path.read_text() if path.exists() else None

    def chunks(self, path, cut):
        if path not in self.files:
            self.files[path] = cut(path.read_text()) if path.exists() else None
        return self.files[path]


HEAD = re.compile(r"#define (\w+)|[^=(;{]*?\b(\w+)(?:\[[^\]]*\])*\s*(?:\(|=|;|\{)")


def c_chunks(text):
    """{name: text} of what stands at the left margin of a C file; "" is all of it."""
    chunks, name, is_inside = {"": text, "extern": "\n".join(re.findall(r"^extern .*?;", text, re.M | re.S))}, "", False
    for line in text.splitlines():
        if not is_inside and re.match(r"[a-zA-Z#]", line):
            head = HEAD.match(line)
            name = (head[1] or head[2]) if head else ""
        if name:
            chunks[name] = chunks.get(name, "") + line + "\n"
        if line.startswith("}"):
            is_inside = False
        elif line.startswith("{") or line.endswith("= {"):
            is_inside = True
    return chunks


def python_chunks(text):
    """Likewise of a Python file, with those of the modules of lib it imports."""
    lines, chunks = text.splitlines(), {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lib":
            for module in [node.module.partition(".")[2]] if "." in node.module else [n.name for n in node.names]:
                path = TESTS / "e2e" / "lib" / f"{module}.py"
                chunks = {**(python_chunks(path.read_text()) if path.exists() else {}), **chunks}
        names = [node.name] if hasattr(node, "name") else []
        for target in getattr(node, "targets", []):
            names += [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
        for name in names:
            chunks[name] = "\n".join(lines[node.lineno - 1 : node.end_lineno])
    return chunks


def closure(chunks, name):
    todo, done = [name], {}
    while todo:
        at = todo.pop()
        if at in done or at not in chunks or at in ("", "extern"):
            continue
        done[at] = chunks[at]
        todo += set(re.findall(r"\w+", chunks[at])) - done.keys()
    return "\n".join(done.values())


def leaf(path):
    """The last word of a path: of stage.json{} it is stage.json."""
    plain = path.rstrip("*").removesuffix("{}").removesuffix(".stage.*")
    last = plain.split(".")[-1]
    return f"stage.{last}" if plain.startswith("stage.") and plain.count(".") == 1 else last


def mentions(text, word):
    return re.search(rf"(?<![\w]){re.escape(word)}(?!\w)", text) is not None


def check_effect(row, sources):
    references = row["where"].split()
    if not references:
        return "an effect that no test is named for"
    texts = [(r, sources.text(r)) for r in references]
    for reference, text in texts:
        if text is None:
            return f"there is no test {reference}"
    words = row["component"].split(".")
    for reference, text in texts:
        if mentions(text, leaf(row["path"])) and re.search(rf"(\b|_){words[-1]}(\b|_)", text):
            return None
    return f"no test of {row['where']} mentions {leaf(row['path'])} of {row['component']}"


# ---- hyagent validate -------------------------------------------------------------------------------------------------

# Values that a component's own check asks for.
GIVEN = {
    "url": '"http://127.0.0.1:1/x"',
    "endpoint": '"http://127.0.0.1:1"',
    "host": '"tcp://127.0.0.1:1"',
    "proxy_url": '"http://127.0.0.1:1"',
    "token_url": '"http://127.0.0.1:1/token"',
    "repository": '"https://127.0.0.1/x.git"',
    "selector": '"{a=\\"b\\"}"',
    "firstline": '"x"',
    "expression": '"(x)"',
    "template": '"{{ .a }}"',
    "forward_to": "[]",
    "targets": "[]",
    "path_targets": "[]",
    "files": '["/nonexistent/x.yaml"]',
    "filename": '"/nonexistent/x"',
    "limit": '"100MiB"',
    "check_interval": '"1s"',
    "names": '["x.test"]',
}


def value_for(path, ours):
    name, kind = path.split(".")[-1], normal_type(ours["type"])
    if name in GIVEN:
        return GIVEN[name]
    if ours.get("choices"):
        words = [w for w in ours["choices"] if w]
        return json.dumps(words[-1])
    if kind == "bool":
        return "false" if ours["default"] == "true" else "true"
    if kind == "number":
        return f"{max(3, int(ours.get('min', 0)))}" if "max" not in ours else f"{int(ours['max'])}"
    kinds = {
        "duration": '"3s"',
        "list(string)": '["x"]',
        "list(number)": "[1]",
        "list(capsule)": "[]",
        "list(map(string))": "[]",
        "map(string)": '{"a" = "b"}',
        "map(list(secret))": '{"a" = ["b"]}',
        "map(list(string))": '{"a" = ["b"]}',
        "any": '"x"',
    }
    if ours["type"] == "size":
        return '"3MiB"'
    return kinds.get(kind, '"x"')


# What a block's own check asks for besides what is required: the path of the block, and attributes.
NEEDS = {
    ("otelcol.processor.memory_limiter", ""): {"limit": '"100MiB"'},
    ("otelcol.receiver.otlp", "http.tls"): {"cert_file": '"/x"', "key_file": '"/x"'},
    ("otelcol.receiver.otlp", "grpc.tls"): {"cert_file": '"/x"', "key_file": '"/x"'},
    ("loki.process", "stage.match"): {"action": '"drop"'},
}


class Body:
    def __init__(self):
        self.attributes, self.blocks = {}, {}


def minimal(component, ours, path, probe):
    """River lines of a component's body in which everything required stands, and the row at path."""
    top, is_block = Body(), path.endswith(("{}", "{}*"))
    plain = path.rstrip("*").removesuffix("{}")

    def block_at(prefix):
        """The body of the block at the path, made with what it requires."""
        if not prefix:
            return top
        words, parents = prefix, ""
        for known in sorted((p.removesuffix("{}") for p in ours if p.endswith("{}")), key=len):
            if prefix.startswith(known + ".") and prefix != known:
                parents = known
        outer = block_at(parents)
        words = prefix[len(parents) + 1 :] if parents else prefix
        if words not in outer.blocks:
            outer.blocks[words] = Body()
            require(prefix, outer.blocks[words])
        return outer.blocks[words]

    def require(prefix, body):
        body.attributes.update(NEEDS.get((component, prefix), {}))
        for other, d in ours.items():
            inside = other.removesuffix("{}")
            head = parent_of(inside, ours)
            if head != prefix or not d.get("required") or d.get("effect") == "refused":
                continue
            if other.endswith("{}"):
                block_at(inside)
            else:
                body.attributes[inside[len(head) + 1 :] if head else inside] = value_for(inside, d)

    require("", top)
    if is_block:
        body = block_at(plain)
        if probe:
            body.attributes["\0"] = probe
        for other, d in ours.items():
            if parent_of(other, ours) == plain and d.get("effect") == "no_effect" and not other.endswith("{}"):
                body.attributes[other[len(plain) + 1 :]] = value_for(other, d)
    else:
        parent = parent_of(plain, ours)
        name = plain[len(parent) + 1 :] if parent else plain
        words = name.split(".")
        body = block_at(parent)
        for word in words[:-1]:  # inside a block that is refused whole
            body = body.blocks.setdefault(word, Body())
        body.attributes[words[-1]] = probe or value_for(plain, ours.get(plain, {"type": "string", "default": None}))
    return lines(top)


def parent_of(path, ours):
    """The longest block path that path stands in."""
    best = ""
    for known in ours:
        if known.endswith("{}") and path.startswith(known[:-2] + ".") and len(known) - 2 > len(best):
            best = known[:-2]
    return best


def lines(body, indent="  "):
    out = []
    for name, value in body.attributes.items():
        out += [indent + line for line in value.split("\\n")] if name == "\0" else [f"{indent}{name} = {value}"]
    for name, inner in body.blocks.items():
        out += [f"{indent}{name} {{", *lines(inner, indent + "  "), indent + "}"]
    return out


# Parts of a configuration without which a component's block means nothing.
LABELS = {"argument": '"a"', "export": '"e"', "declare": '"d"', "foreach": '"f"'}
SINGLE = {"logging", "http", "tracing", "livedebugging", "remotecfg"}
DIAGNOSTIC = re.compile(r"^[^\s:][^:]*:(\d+):\d+: (error|warning): (.*)$")


def validate(binary, component, ours, rows):
    """{row's path: [(severity, text with its hint)]}"""
    said = defaultdict(list)
    groups = [[r] for r in rows] if component in SINGLE else [rows[i : i + 25] for i in range(0, len(rows), 25)]
    with tempfile.TemporaryDirectory() as folder:
        for group in groups:
            text, places = [], []
            for i, row in enumerate(group):
                label = "" if component in SINGLE else LABELS.get(component, f'"x{i}"')
                first = len(text) + 1
                body = [f"{component} {label} {{", *minimal(component, ours, row["path"], row["probe"]), "}", ""]
                text += [f'declare "d{i}" {{', *body, "}"] if component in ("argument", "export") else body
                places.append((first, len(text), row["path"]))
            file = Path(folder) / "x.river"
            file.write_text("\n".join(text) + "\n")
            command = [binary, "validate", "--stability.level=experimental", str(file)]
            out = subprocess.run(command, capture_output=True, text=True, env=ENV)
            take_diagnostics(out.stdout + out.stderr, places, said)
    return said


def take_diagnostics(text, places, said):
    current = None
    for line in text.splitlines():
        if m := DIAGNOSTIC.match(line):
            at = int(m[1])
            current = next((path for first, last, path in places if first <= at <= last), None)
            if current:
                said[current].append([m[2], m[3]])
        elif current and said[current]:
            said[current][-1][1] += "\n" + line


def check_said(row, said):
    """A refused row is an error that names it, or a block around it; a same row a warning, and nothing else."""
    words = row["path"].rstrip("*").removesuffix("{}").split(".")
    names = {row["component"], *words}
    names |= {".".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    errors = [t for s, t in said if s == "error"]
    if row["class"] == "refused":
        if any(mentions(t, n) for t in errors for n in names):
            return None
        return f"is not refused by name: {said}"
    if errors:
        return f"is not accepted: {errors[0]}"
    if row["where"].startswith(SILENT):
        return None
    if any(s == "warning" and (any(mentions(t, n) for n in names) or row["path"].endswith("{}")) for s, t in said):
        return None
    return f"validate does not say that it has no effect: {said}"


# ---- the whole --------------------------------------------------------------------------------------------------------


def find(paths, path):
    """Of stage.match.stage.*{}*: any of the blocks it stands for."""
    if "*{}" in path:
        prefix = path.split("*")[0]
        return next((d for p, d in paths.items() if p.startswith(prefix) and p.endswith("{}")), None)
    return paths.get(path.rstrip("*"))


def is_inside_of_idle(paths, path):
    """Of a block that is accepted whole and without effect the arguments are not known to hyagent."""
    block = paths.get(parent_of(path, paths) + "{}")
    return block is not None and block["effect"] == "no_effect"


def check(table, extensions, docs, binary):
    """[(row or None, what is wrong)]"""
    wrong, sources, asked = [], Sources(), defaultdict(list)
    seen = set()
    for row in table:
        key = (row["component"], row["path"])
        if key in seen:
            wrong.append((row, "stands twice in table.tsv"))
        seen.add(key)
        if row["component"] not in docs and row["class"] != "refused":
            wrong.append((row, "hyagent docs --json does not have this component"))
            continue
        ours = find(docs.get(row["component"], {}), row["path"])
        if row["class"] not in ("effect", "same", "refused"):
            wrong.append((row, f"has no class: {row['class']!r}"))
            continue
        if row["class"] == "same" and ours is None and is_inside_of_idle(docs[row["component"]], row["path"]):
            asked[row["component"]].append(row)
            continue
        if row["class"] != "refused" and ours is None:
            wrong.append((row, "hyagent does not have it"))
            continue
        if ours is not None and ours["effect"] != "refused":
            found = compare(row, ours)
            accepted = row["ours"].split(": ")[0]
            if "; ".join(found) != accepted:
                wrong.append((row, f"differs: {'; '.join(found) or 'nothing'}, the table says {accepted or 'nothing'}"))
        if row["class"] == "effect":
            if ours["effect"] != "normal":
                wrong.append((row, f"hyagent docs says {ours['effect']}"))
            problem = check_effect(row, sources)
            if problem:
                wrong.append((row, problem))
        else:
            if not row["where"]:
                wrong.append((row, "has no reason"))
            asked[row["component"]].append(row)
    for component, rows in asked.items():
        said = validate(binary, component, docs.get(component, {}), rows)
        for row in rows:
            problem = check_said(row, said[row["path"]])
            if problem:
                wrong.append((row, problem))
    known = {(r["component"], r["path"].rstrip("*")) for r in table + extensions}
    for component, paths in docs.items():
        for path in paths:
            if NESTED not in path and (component, path) not in known:
                wrong.append(({"component": component, "path": path}, "is neither in table.tsv nor in extensions.tsv"))
    return wrong


def share(rows, kind, weighted):
    def weight(r):
        return int(r["uses"] or 0) if weighted else 1

    whole = sum(map(weight, rows))
    return 100.0 * sum(weight(r) for r in rows if r["class"] == kind) / whole if whole else 100.0


def print_shares(table):
    print(f"{'component':<40}{'rows':>6}{'effect':>9}{'same':>8}{'refused':>9}{'uses':>8}{'effect':>9}{'refused':>9}")
    groups = defaultdict(list)
    for row in table:
        groups[row["component"]].append(row)
    for name, rows in [*sorted(groups.items()), ("all", table)]:
        plain = "".join(f"{share(rows, k, False):{w}.1f}%" for k, w in (("effect", 8), ("same", 7), ("refused", 8)))
        used = "".join(f"{share(rows, k, True):8.1f}%" for k in ("effect", "refused"))
        print(f"{name:<40}{len(rows):>6}{plain}{sum(int(r['uses'] or 0) for r in rows):>8}{used}")


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    p.add_argument("--bin", required=True)
    p.add_argument("--all", action="store_true")
    args = p.parse_args()
    table, extensions = rows_of("table.tsv"), rows_of("extensions.tsv")
    wrong = check(table, extensions, read_docs(args.bin), args.bin)
    if args.all:
        for row in table:
            if row["class"] != "effect":
                print(f"{row['class']:<8} {row['uses'] or 0:>4} {row['component']} {row['path']}: {row['where']}")
    print_shares(table)
    reached = share(table, "effect", True)
    for row, problem in wrong:
        print(f"{row['component']} {row['path']}: {problem}")
    if reached < GOAL:
        print(f"{reached:.1f} % of what is used has a tested effect: the goal is {GOAL:.0f} %")
    print(f"{len(table)} rows, {len(wrong)} wrong")
    return 1 if wrong or reached < GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
