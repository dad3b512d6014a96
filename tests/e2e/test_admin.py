"""The admin endpoints: who is answered, what is shown, and that no secret ever is."""

import json
import os
import socket

from lib import river
from lib.context import e2e
from lib.net import free_port, raw_http, wait_for
from lib.plan import status


def ask(address, port, path, host=None, method="GET", origin=None):
    """The status code of one request from and to this address."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {host or f'{address}:{port}'}\r\nConnection: close\r\nContent-Length: 0\r\n"
    )
    if origin:
        head += f"Origin: {origin}\r\n"
    with socket.create_connection((address, port), timeout=5) as s:
        s.sendall(head.encode() + b"\r\n")
        return int(s.recv(64).split()[1])


@e2e(timeout=30)
def test_who_is_answered(ctx):
    """P-H9. The second address is not loopback; it lives in a network namespace of this test."""
    from lib import netns

    if not netns.enter():
        ctx.skip("needs root for a network namespace")
    port = free_port()
    agent = ctx.agent(
        'loki.echo "e" { }\n',
        args=[f"--server.http.listen-addr=0.0.0.0:{port}", "--server.http.allowed-hosts=agent.example,other.example"],
        port=port,
    )
    api = "/api/v0/web/components"
    for path in ("/metrics", "/-/ready", "/-/healthy"):
        for address in ("127.0.0.1", netns.OTHER):
            assert ask(address, port, path, "anything.example") == 200, (path, address)
    for path in (api, "/"):
        assert ask("127.0.0.1", port, path) == 200
        assert ask(netns.OTHER, port, path, "agent.example") == 200, path
        assert ask(netns.OTHER, port, path, f"agent.example:{port}") == 200, path
        assert ask(netns.OTHER, port, path, "evil.example") == 403, path
        assert ask(netns.OTHER, port, path) == 403, path
    assert ask(netns.OTHER, port, "/-/reload", "evil.example", "POST") == 403
    assert ask("127.0.0.1", port, "/-/reload", method="POST", origin="http://evil.example") == 403
    assert ask("127.0.0.1", port, "/-/reload", method="POST", origin=f"http://127.0.0.1:{port}") == 200
    assert ask("127.0.0.1", port, "/-/reload", method="POST") == 200
    assert ask("127.0.0.1", port, "/-/reload", method="GET") == 200
    assert agent.running()


@e2e()
def test_ready_and_healthy_do_not_wait_for_back_ends(ctx):
    agent = ctx.agent(
        river.loki_write(f"http://127.0.0.1:{free_port()}/")
        + river.remote_write(f"http://127.0.0.1:{free_port()}/")
        + river.otlp_exporter(free_port())
    )
    assert agent.get("/-/ready")[0] == 200 and agent.get("/-/healthy")[0] == 200


@e2e()
def test_components_show_arguments_exports_and_health(ctx):
    agent = ctx.agent(
        'loki.relabel "r" {\n  forward_to = [loki.echo.e.receiver]\n  max_cache_size = 7\n}\nloki.echo "e" { }\n'
        'local.file "x" {\n  filename = "/nowhere/at/all"\n}\n'
    )
    listed = agent.components()
    assert set(listed) >= {"loki.relabel.r", "loki.echo.e", "local.file.x"}, set(listed)
    for c in listed.values():
        assert {"name", "label", "health", "moduleID", "localID"} <= set(c) or "id" in c, c
    assert listed["loki.echo.e"]["health"]["state"] == "healthy"
    bad = listed["local.file.x"]["health"]
    assert bad["state"] == "unhealthy" and "/nowhere/at/all" in bad["message"], bad
    code, body = agent.get("/api/v0/web/components/loki.relabel.r")
    one = json.loads(body)
    assert code == 200 and "7" in json.dumps(one["arguments"]) and "max_cache_size" in body, body[:500]
    assert "receiver" in json.dumps(one["exports"]) and "rules" in json.dumps(one["exports"]), body[:500]
    assert agent.get("/api/v0/web/components/loki.relabel.none")[0] == 404
    code, page = agent.get("/")
    assert code == 200 and "loki.relabel.r" in page and "/nowhere/at/all" in page


CANARY = "canary-5d1c0ffee"


@e2e(timeout=40)
def test_secrets_are_shown_nowhere(ctx):
    """A canary in every kind of secret: not in the API, the page, /metrics, the log, nor on disk."""
    sink = ctx.loki()
    sink.plan.always(status(401, "unauthorized"))
    secret = ctx.tmp / "secret"
    secret.write_text(CANARY + "-file")
    log = ctx.tmp / "a.log"
    log.write_text("x\n")
    text = (
        f"""
local.file "s" {{
  filename  = {river.string(secret)}
  is_secret = true
}}
otelcol.auth.basic "a" {{
  username = "u"
  password = "{CANARY}-basic"
}}
otelcol.auth.bearer "b" {{
  token = "{CANARY}-bearer"
}}
otelcol.auth.headers "h" {{
  header {{
    key   = "X-Key"
    value = "{CANARY}-header"
  }}
}}
"""
        + river.otlp_exporter(free_port(), "a", "    auth = otelcol.auth.basic.a.handler")
        + river.otlphttp_exporter(free_port(), "b", "    auth = otelcol.auth.bearer.b.handler")
        + river.otlp_exporter(free_port(), "c", "    auth = otelcol.auth.headers.h.handler")
        + river.file_source(str(log), "loki.write.out.receiver, loki.write.env.receiver")
        + river.loki_write(sink.url, more=f'basic_auth {{\n username = "u"\n password = "{CANARY}-loki"\n}}')
        + river.loki_write(sink.url, "env", more='bearer_token = local.file.s.content')
        + river.remote_write(
            f"http://user:{CANARY}-url@127.0.0.1:{free_port()}/",
            more=f'authorization {{\n credentials = "{CANARY}-rw"\n}}',
        )
        + river.scrape(
            [{"__address__": f"127.0.0.1:{free_port()}", "job": "j"}],
            "prometheus.remote_write.out.receiver",
            more=f'basic_auth {{\n username = "u"\n password = "{CANARY}-scrape"\n}}',
        )
    )
    agent = ctx.agent('logging {\n  level = "debug"\n}\n' + text)
    wait_for(lambda: len(sink.requests) >= 2, 10, "both loki.write were refused")
    assert any(
        (r.headers.get("Authorization") or "").endswith(CANARY + "-file") for r in sink.requests
    ), "the secret is used"
    agent.reload(expect=200)
    bodies = {"log": agent.stderr()}
    for path in ("/", "/metrics", "/api/v0/web/components", "/-/healthy", "/-/support"):
        bodies[path] = agent.get(path)[1]
    for c in agent.components():
        bodies[c] = agent.get(f"/api/v0/web/components/{c}")[1]
    agent.reload(text.replace('username = "u"', 'usernam = "u"'), expect=None)
    bodies["reload"] = agent.get("/-/reload", method="POST", data=b"")[1]
    bodies["log after a broken reload"] = agent.stderr()
    for base, _, files in os.walk(agent.storage):
        for f in files:
            bodies[f] = open(os.path.join(base, f), "rb").read().decode("latin-1")
    for where, text_ in bodies.items():
        at = text_.find(CANARY)
        assert at < 0, f"{where} shows a secret: …{text_[max(0, at - 80):at + 40]}…"
    assert "(secret)" in bodies["loki.write.out"], "a secret is shown as (secret)"


@e2e()
def test_page_and_api_escape_what_they_show(ctx):
    evil = '<script>alert("x")</script>'
    agent = ctx.agent(f'discovery.relabel "r" {{\n  targets = [{river.target({"__address__": evil})}]\n}}\n')
    _, page = agent.get("/")
    assert "<script>alert" not in page, "the page is open to script injection"
    _, body = agent.get("/api/v0/web/components/discovery.relabel.r")
    assert evil in json.dumps(json.loads(body)).replace('\\"', '"').replace("\\\\", "\\") or "script" in body


@e2e()
def test_admin_survives_garbage(ctx):
    agent = ctx.agent("")
    rows = [
        b"\0\1\2\3\r\n\r\n",
        b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /api/v0/web/components/%2e%2e/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
    ]
    for row in rows:
        try:
            answer = raw_http(agent.port, row, timeout=2)
        except (ConnectionError, BrokenPipeError):
            answer = b""
        assert b"root:" not in answer
        assert agent.get("/-/healthy")[0] == 200, row[:60]


@e2e()
def test_metrics_page_is_well_formed_and_names_are_alloys(ctx):
    from lib.target import Target

    target = ctx.started(Target("x 1\n"))
    sink = ctx.remote_write()
    agent = ctx.agent(
        river.scrape([{"__address__": target.address, "job": "j"}], "prometheus.remote_write.out.receiver")
        + river.remote_write(sink.url)
    )
    wait_for(lambda: sink.select("x"), 10, "a sample")
    m = agent.metrics()
    for name in (
        "alloy_build_info",
        "alloy_component_controller_running_components",
        "alloy_config_last_load_successful",
        "prometheus_forwarded_samples_total",
        "prometheus_remote_storage_samples_total",
        "process_resident_memory_bytes",
        "hyagent_component_items_total",
        "hyagent_endpoint_enqueued_total",
    ):
        assert m.has(name), f"{name} is not in /metrics"
    assert m.sum("alloy_config_last_load_successful") == 1
    assert m.sum("prometheus_remote_storage_samples_total") >= 6
