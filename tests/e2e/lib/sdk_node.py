"""The OpenTelemetry JavaScript SDK as a client (tests/e2e/node/export.js): runs it, and what it says it sent."""

import json
import os
import subprocess


def send_traces(ctx, protocol, port, count=20):
    env = {**os.environ, "NODE_PATH": str(ctx.build / "e2e/node/node_modules")}
    r = subprocess.run(
        ["node", str(ctx.repo / "tests/e2e/node/export.js"), protocol, str(port), str(count)],
        capture_output=True,
        text=True,
        timeout=30,
        env=env,
    )
    assert r.returncode == 0, f"the Node client failed: {r.stderr[-1500:]}"
    return [plain_span(json.loads(line)) for line in r.stdout.splitlines()]


def plain(v):
    """As the JavaScript exporter encodes: a whole number is an int."""
    if isinstance(v, bool):
        return ("bool", v)
    if isinstance(v, int):
        return ("int", v)
    if isinstance(v, float):
        return ("int", int(v)) if v.is_integer() else ("double", v)
    if isinstance(v, str):
        return ("string", v)
    return ("array", tuple(plain(x) for x in v))


def plain_span(s):
    return {
        "resource": {k: plain(v) for k, v in s["resource"].items()},
        "scope": {"name": s["scope"][0], "version": s["scope"][1], "attributes": {}},
        "trace_id": s["trace_id"],
        "span_id": s["span_id"],
        "parent": s["parent"],
        "name": s["name"],
        "kind": s["kind"],
        "start": s["start"][0] * 10**9 + s["start"][1],
        "end": s["end"][0] * 10**9 + s["end"][1],
        "attributes": {k: plain(v) for k, v in s["attributes"].items()},
        "status": ({0: 0, 1: 1, 2: 2}[s["status"][0]], s["status"][1]),
        "event_names": [(e["name"], {k: plain(v) for k, v in e["attributes"].items()}) for e in s["events"]],
        "link_ids": [(x["trace_id"], x["span_id"]) for x in s["links"]],
    }


def with_short_fields(span):
    """A span from the sink with the fields this client prints in its own way."""
    return {
        **span,
        "event_names": [(e["name"], e["attributes"]) for e in span["events"]],
        "link_ids": [(x["trace_id"], x["span_id"]) for x in span["links"]],
    }
