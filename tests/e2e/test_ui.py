"""The page and what it asks for: Alloy's API, live items, the support bundle, and the page itself in a real browser."""

import io
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import zipfile

from lib import river
from lib.context import BROWSERS, e2e
from lib.net import free_port, http, wait_for

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
LIVE = "livedebugging {\n  enabled = true\n}\n"


def files(path, to="loki.process.p.receiver"):
    return river.file_source(str(path), to)


def pipeline(path, more=""):
    """file → process → two echoes."""
    return (
        files(path)
        + 'loki.process "p" {\n  forward_to = [loki.echo.a.receiver, loki.echo.b.receiver]\n'
        + f'{more}}}\nloki.echo "a" {{ }}\nloki.echo "b" {{ }}\n'
    )


class Stream(threading.Thread):
    """Reads an endless answer; pieces are what stands between "|;|"."""

    def __init__(self, ctx, agent, path):
        super().__init__(daemon=True)
        import http.client

        self.connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=20)
        self.connection.request("GET", path)
        self.answer = self.connection.getresponse()
        self.text, self.over = b"", False
        ctx.on_exit(self.leave)
        self.start()

    def leave(self):
        try:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass  # it ended by itself

    def run(self):
        try:
            while piece := self.answer.read1(65536):
                self.text += piece
        except (OSError, ValueError, AttributeError):
            pass
        self.over = True

    @property
    def pieces(self):
        return [p.strip("\n") for p in self.text.decode(errors="replace").split("|;|")[:-1]]


def write(path, lines):
    with open(path, "a") as f:
        f.writelines(x + "\n" for x in lines)


# -- Alloy's API ------------------------------------------------------------------------------------------------------


@e2e()
def test_component_lists_have_alloys_shape(ctx):
    log = ctx.tmp / "a.log"
    log.write_text("")
    agent = ctx.agent(pipeline(log) + "logging { }\n")
    rows = {c["localID"]: c for c in json.loads(agent.get("/api/v0/web/components")[1])}
    assert "logging" not in rows, "configuration blocks are no components"
    p = rows["loki.process.p"]
    assert set(p) >= {
        *("name", "type", "moduleID", "localID", "label", "referencesTo", "referencedBy", "dataFlowEdgesTo", "health"),
        *("original", "liveDebuggingEnabled"),
    }, set(p)
    assert (p["name"], p["type"], p["moduleID"], p["label"]) == ("loki.process", "block", "", "p")
    assert sorted(p["dataFlowEdgesTo"]) == sorted(p["referencesTo"]) == ["loki.echo.a", "loki.echo.b"]
    assert p["referencedBy"] == ["loki.source.file.f"]
    assert set(p["health"]) == {"state", "message", "updatedTime"} and p["health"]["state"] == "healthy"
    one = json.loads(agent.get("/api/v0/web/components/loki.process.p")[1])
    assert {"arguments", "exports", "debugInfo"} <= set(one)
    assert one["exports"] == [
        {"name": "receiver", "type": "attr", "value": {"type": "capsule", "value": 'capsule("loki.LogsReceiver")'}}
    ]


MODULES = """
declare "echo" {
  argument "label" { }
  loki.relabel "r" {
    forward_to = [loki.echo.e.receiver]
    rule {
      target_label = "x"
      replacement  = argument.label.value
    }
  }
  loki.echo "e" { }
  export "receiver" {
    value = loki.relabel.r.receiver
  }
}
echo "one" {
  label = "first"
}
echo "two" {
  label = "second"
}
"""


@e2e()
def test_modules_are_listed_as_alloy_lists_them(ctx):
    log = ctx.tmp / "a.log"
    log.write_text("")
    agent = ctx.agent(LIVE + files(log, "echo.one.receiver, echo.two.receiver") + MODULES)
    root = {c["localID"]: c for c in json.loads(agent.get("/api/v0/web/components")[1])}
    assert {"echo.one", "echo.two", "loki.source.file.f"} <= set(root) and "loki.relabel.r" not in root, set(root)
    assert root["echo.one"]["createdModuleIDs"] == ["echo.one"] and root["echo.one"]["name"] == "echo"
    assert sorted(root["loki.source.file.f"]["dataFlowEdgesTo"]) == ["echo.one", "echo.two"], "seen from the root"
    inner = {c["localID"]: c for c in json.loads(agent.get("/api/v0/web/modules/echo.one/components")[1])}
    assert set(inner) == {"loki.relabel.r", "loki.echo.e"}, set(inner)
    assert inner["loki.relabel.r"]["moduleID"] == "echo.one"
    assert inner["loki.relabel.r"]["dataFlowEdgesTo"] == ["loki.echo.e"], "by their names in the module"
    one = json.loads(agent.get("/api/v0/web/components/echo.two")[1])
    assert one["argumentValues"] == {"label": "second"} and "receiver" in one["exportValues"], one
    assert agent.get("/api/v0/web/components/echo.two/loki.relabel.r")[0] == 200
    stream = Stream(ctx, agent, "/api/v0/web/debug/echo.two")  # all that crosses the module's border
    time.sleep(0.3)
    write(log, ["a line"])
    wait_for(lambda: stream.pieces, 10, "the item")
    time.sleep(0.6)
    assert [p.split("]")[0] for p in stream.pieces] == ["[loki.source.file.f → echo.two/loki.relabel.r"], stream.pieces
    graph = json.loads(agent.get("/api/v0/web/pipeline")[1])["graph"]
    assert {m["id"]: m["kind"] for m in graph["modules"]} == {"echo.one": "instance", "echo.two": "instance"}
    assert {(e["from"], e["to"]) for e in graph["edges"]} >= {("loki.source.file.f", "echo.one/loki.relabel.r")}


ANSWERS = [  # path, status, what the answer says
    ("/api/v0/web/peers", 200, "[]"),
    ("/api/v0/web/remotecfg/components", 200, "[]"),
    ("/api/v0/web/remotecfg/modules/x/components", 200, "[]"),
    ("/api/v0/web/remotecfg/components/loki.echo.a", 404, "remotecfg"),
    ("/api/v0/web/components/loki.echo.none", 404, "no such component"),
    ("/api/v0/web/modules/no.such/components", 404, "no such module"),
    ("/api/v0/web/nothing", 404, ""),
    ("/api/v0/web/graph?window=0", 400, "1 to 60"),
    ("/api/v0/web/graph?window=x", 400, "1 to 60"),
    ("/api/v0/web/debug/loki.echo.a", 403, "livedebugging { enabled = true }"),
    ("/api/v0/component/loki.echo.a/other", 404, "metrics"),
    ("/debug/pprof/heap", 404, "pprof"),
]


@e2e()
def test_other_paths_of_the_api(ctx):
    agent = ctx.agent('loki.echo "a" { }\n')
    for path, code, text in ANSWERS:
        got, body = agent.get(path)
        assert got == code and text in body, (path, got, body[:200])


@e2e()
def test_paths_of_alloys_page_lead_to_ours(ctx):
    for prefix in ("/", "/agent/"):
        agent = ctx.agent('loki.echo "a" { }\n', args=[f"--server.http.ui-path-prefix={prefix}"], name="p" + prefix[1:-1])
        assert agent.get(prefix)[0] == 200
        for path in ("component/loki.echo.a", "graph"):
            got, body = agent.get(prefix + path)  # a redirect, which the client follows
            assert got == 200 and "<title>hyagent" in body, (prefix, path, got)
        assert agent.get(prefix + "api/v0/web/components")[0] == 200
        assert agent.get("/")[0] == 200, "the root leads to the page"
        agent.stop()


# -- live items ---------------------------------------------------------------------------------------------------------


@e2e(timeout=40)
def test_live_items_of_a_component_and_of_one_edge(ctx):
    log = ctx.tmp / "a.log"
    log.write_text("")
    agent = ctx.agent(LIVE + pipeline(log, '  stage.static_labels {\n    values = { seen = "yes" }\n  }\n'))
    whole = Stream(ctx, agent, "/api/v0/web/debug/loki.process.p")
    edge = Stream(ctx, agent, "/api/v0/web/debug/loki.process.p?to=loki.echo.b")
    assert whole.answer.status == edge.answer.status == 200
    assert whole.answer.headers["Content-Type"].startswith("text/plain")
    time.sleep(0.3)
    write(log, ["first", "x" * 5000])
    wait_for(lambda: len(whole.pieces) >= 6, 10, "in once and out twice, two lines each")
    text = "\n".join(whole.pieces)
    assert text.count("[loki.source.file.f → loki.process.p]") == 2
    assert text.count("[loki.process.p → loki.echo.a]") == text.count("[loki.process.p → loki.echo.b]") == 2
    assert any("first" in p and 'seen="yes"' in p for p in whole.pieces)
    assert max(map(len, whole.pieces)) < 3000, "long lines are cut"
    wait_for(lambda: len(edge.pieces) >= 2, 10, "the edge's two")
    assert len(edge.pieces) == 2 and all("→ loki.echo.b]" in p for p in edge.pieces), edge.pieces
    assert agent.stderr().count('entry="first"') == 2, "the sinks get all of it, as without a listener"
    agent.reload(pipeline(log))
    wait_for(lambda: whole.over and edge.over, 10, "switched off by a reload: the streams end")
    assert "disabled" in whole.pieces[-1]
    agent.assert_balanced()


@e2e(timeout=60)
def test_live_items_are_bounded(ctx):
    """100 a second for each listener, 8 listeners; what is left out is said; the pipeline does not wait."""
    log = ctx.tmp / "a.log"
    log.write_text("")
    agent = ctx.agent(LIVE + pipeline(log))
    streams = [Stream(ctx, agent, "/api/v0/web/debug/loki.process.p?to=loki.echo.a") for _ in range(8)]
    time.sleep(0.3)
    assert agent.get("/api/v0/web/debug/loki.process.p")[0] == 503, "a ninth listener"
    assert agent.get("/api/v0/web/graph")[0] == 503
    write(log, (f"line {i}" for i in range(5000)))
    wait_for(lambda: agent.ledger().component("loki.echo.a", "in") == 5000, 10, "all lines arrive")
    wait_for(lambda: any(p.startswith("…") for p in streams[0].pieces), 5, "it is said that not all are shown")
    shown = [p for p in streams[0].pieces if p.startswith("[")]
    left_out = sum(int(p.split()[1]) for p in streams[0].pieces if p.startswith("…"))
    assert len(shown) <= 300 and len(shown) + left_out == 5000, (len(shown), left_out)
    for s in streams:
        s.leave()
    wait_for(lambda: Stream(ctx, agent, "/api/v0/web/graph").answer.status == 200, 30, "room again", interval=1)
    agent.assert_balanced()


@e2e(timeout=40)
def test_live_items_are_sampled(ctx):
    log = ctx.tmp / "a.log"
    log.write_text("")
    agent = ctx.agent(LIVE + pipeline(log))
    none = Stream(ctx, agent, "/api/v0/web/debug/loki.process.p?to=loki.echo.a&sampleProb=0")
    tenth = Stream(ctx, agent, "/api/v0/web/debug/loki.process.p?to=loki.echo.a&sampleProb=0.1")
    assert agent.get("/api/v0/web/debug/loki.process.p?sampleProb=2")[0] == 400
    time.sleep(0.3)
    write(log, (f"line {i}" for i in range(500)))
    wait_for(lambda: agent.ledger().component("loki.echo.a", "in") == 500, 10, "all lines arrive")
    wait_for(lambda: len(tenth.pieces) > 10, 5, "some of them")
    time.sleep(0.5)
    assert 10 < len(tenth.pieces) < 100, len(tenth.pieces)  # 50 expected, 6.7 the deviation
    assert len(none.pieces) <= 1, none.pieces
    agent.stop()


@e2e(timeout=40)
def test_rates_have_alloys_shape(ctx):
    log = ctx.tmp / "a.log"
    log.write_text("")
    agent = ctx.agent(pipeline(log))  # needs no livedebugging, as in Alloy
    rates = Stream(ctx, agent, "/api/v0/web/graph?window=1")
    time.sleep(0.2)
    write(log, (f"line {i}" for i in range(100)))

    def seen():
        rows = [r for p in rates.pieces for r in json.loads(p)]
        edges = {}
        for r in rows:
            assert set(r) == {"componentID", "targetComponentIDs", "type", "rate"} and r["type"] == "loki_log", r
            key = (r["componentID"], *r["targetComponentIDs"])
            edges[key] = edges.get(key, 0) + r["rate"]
        return edges == {
            ("loki.source.file.f", "loki.process.p"): 100,
            ("loki.process.p", "loki.echo.a"): 100,
            ("loki.process.p", "loki.echo.b"): 100,
        }

    wait_for(seen, 15, "100 items over each edge within windows of a second")


# -- no secrets -----------------------------------------------------------------------------------------------------------

CANARY = "canary-7f3a9c"


@e2e(timeout=60)
def test_no_secret_leaves_by_page_api_stream_or_bundle(ctx):
    """Literals in secret arguments, in modules' arguments, in URLs, in files; in the lines of the log and of the items."""
    secret = ctx.tmp / "secret"
    secret.write_text(CANARY + "-file")
    log = ctx.tmp / "a.log"
    log.write_text("")
    text = (
        LIVE
        + pipeline(log)
        + f"""
// an old password = "{CANARY}-comment"
local.file "s" {{
  filename  = {river.string(secret)}
  is_secret = true
}}
otelcol.auth.basic "a" {{
  username = "u"
  password = "{CANARY}-" + "basic"
}}
otelcol.auth.bearer "b" {{
  token = string.join(["{CANARY}", "bearer"], "-")
}}
otelcol.auth.headers "h" {{
  header {{
    key   = "X-Key"
    value = "{CANARY}-header"
  }}
}}
declare "sender" {{
  argument "password" {{ }}
  argument "deflt" {{
    optional = true
    default  = "x"
  }}
  loki.write "w" {{
    endpoint {{
      url = "http://127.0.0.1:{free_port()}/"
      basic_auth {{
        username = "u"
        password = argument.password.value
      }}
    }}
  }}
}}
sender "x" {{
  password = "{CANARY}-module"
}}
declare "unused" {{
  loki.write "w" {{
    endpoint {{
      url          = "http://127.0.0.1:1/"
      bearer_token = "{CANARY}-unused"
    }}
  }}
}}
"""
        + river.remote_write(
            f"http://user:{CANARY}-url@127.0.0.1:{free_port()}/",
            more=f'authorization {{\n credentials = "{CANARY}-rw"\n}}',
        )
        + river.loki_write(
            f"http://127.0.0.1:{free_port()}/", "tls",
            more=f'oauth2 {{\n client_id = "c"\n client_secret = "{CANARY}-oauth"\n token_url = "http://127.0.0.1:1/t"\n}}',
        )
        + f'http {{\n  auth {{\n    basic {{\n      username = "u"\n      password = "{CANARY}-http"\n    }}\n'
        + '    filter {\n      paths = ["/nothing"]\n    }\n  }\n}\n'
    )
    agent = ctx.agent('logging {\n  level = "debug"\n}\n' + text)
    stream = Stream(ctx, agent, "/api/v0/web/debug/loki.process.p")
    time.sleep(0.3)
    write(log, [f"Authorization: Bearer {CANARY}-bearer", f"found {CANARY}-module here", f"GET http://u:{CANARY}-u@h/ 200"])
    write(log, [f'password="{CANARY}-x" token={CANARY}-y', "the end"])
    wait_for(lambda: "the end" in stream.text.decode(), 10, "the items")
    bodies = {"the stream": stream.text.decode(), "the log": agent.stderr_path.read_text()}
    bodies["the log"] = "\n".join(x for x in bodies["the log"].splitlines() if not x.startswith("receiver="))  # loki.echo
    pipe = json.loads(agent.get("/api/v0/web/pipeline")[1])
    for node in pipe["graph"]["nodes"] + pipe["graph"]["modules"]:
        bodies[node["id"]] = agent.get(f"/api/v0/web/components/{node['id']}")[1]
    for path in ("/", "/metrics", "/api/v0/web/components", "/api/v0/web/modules/sender.x/components", "/-/healthy"):
        bodies[path] = agent.get(path)[1]
    bundle = zipfile.ZipFile(io.BytesIO(http(agent.url("/-/support"))[2]))
    for name in bundle.namelist():
        bodies["bundle: " + name] = bundle.read(name).decode()
    bad = text.replace("username = \"u\"", "usernam = \"u\"").replace(f'"{CANARY}-http"', f'"{CANARY}-http" + 1')
    bodies["a failed reload"] = agent.reload('logging {\n  level = "debug"\n}\n' + bad, expect=400)[1]
    bodies["the page's API after it"] = agent.get("/api/v0/web/pipeline")[1]
    bodies["the log after it"] = "\n".join(x for x in agent.stderr().splitlines() if not x.startswith("receiver="))
    for where, body in bodies.items():
        at = body.find(CANARY)
        assert at < 0, f"{where} shows a secret: …{body[max(0, at - 120):at + 40]}…"
    source = next(v for k, v in bodies.items() if k.startswith("bundle: ") and "/sources/" in k)
    assert 'filename  = ' in source and '"(secret)"' in source and "sender" in source, "the text itself is there"
    assert "hyagent_build_info" in bodies["bundle: hyagent-support-bundle/metrics.txt"]
    assert "level=debug" in bodies["bundle: hyagent-support-bundle/logs.txt"] or "configuration loaded" in bodies[
        "bundle: hyagent-support-bundle/logs.txt"
    ]


@e2e()
def test_support_bundle_is_whole_and_can_be_switched_off(ctx):
    agent = ctx.agent('loki.echo "e" { }\n')
    code, headers, body = http(agent.url("/-/support"))
    assert code == 200 and headers["Content-Type"] == "application/zip", (code, dict(headers))
    assert "attachment" in headers["Content-Disposition"]
    bundle = zipfile.ZipFile(io.BytesIO(body))
    assert bundle.testzip() is None
    names = {n.split("/", 1)[1] for n in bundle.namelist()}
    assert names >= {"metadata.yaml", "components.json", "graph.json", "metrics.txt", "logs.txt", "ledger.txt"}, names
    assert {"runtime-flags.txt", "environment.txt", "sources/01-config.river"} <= names, names
    read = lambda n: bundle.read("hyagent-support-bundle/" + n).decode()
    assert json.loads(read("components.json"))[0]["localID"] == "loki.echo.e"
    assert json.loads(read("graph.json"))["nodes"][0]["id"] == "loki.echo.e"
    assert read("sources/01-config.river") == 'loki.echo "e" { }\n'
    assert "configuration loaded" in read("logs.txt") and "--storage.path=" in read("runtime-flags.txt")
    assert "build_version: v" in read("metadata.yaml") and "architecture: " in read("metadata.yaml")
    for flag in ("--server.http.disable-support-bundle", "--disable-support-bundle"):
        off = ctx.agent("", args=[flag], name=flag.strip("-"))
        code, body = off.get("/-/support")
        assert code == 404 and "disable-support-bundle" in body, (code, body)


# -- the page -----------------------------------------------------------------------------------------------------------


@e2e()
def test_page_is_one_document_and_may_load_nothing_else(ctx):
    agent = ctx.agent("")
    code, headers, body = http(agent.url("/"))
    page = body.decode()
    policy = headers["Content-Security-Policy"]
    assert code == 200 and "default-src 'none'" in policy and "unsafe" not in policy, policy
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page), "loads from elsewhere"
    assert "@import" not in page and "url(" not in page
    script = page[page.index("<script>") :]
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert risky not in script, f"the script uses {risky}"


def dump(ctx, url):
    """The document after the script ran, and what the browser complained about."""
    program = next(filter(None, map(shutil.which, BROWSERS)))
    r = subprocess.run(
        [program, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={ctx.tmp}/chrome"]
        + ["--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", "--dump-dom", url],
        capture_output=True,
        timeout=40,
    )
    said = [x for x in r.stderr.decode(errors="replace").splitlines() if "CONSOLE" in x]
    return r.stdout.decode(errors="replace"), said


@e2e(needs=("chromium",), timeout=90)
def test_page_shows_the_graph_in_a_browser(ctx):
    log = ctx.tmp / "a.log"
    log.write_text("")
    evil = '  stage.static_labels {\n    values = { evil = ' + river.string(EVIL) + " }\n  }\n"
    agent = ctx.agent(
        LIVE + pipeline(log, evil) + 'local.file "bad" {\n  filename = ' + river.string("/nowhere/" + EVIL) + "\n}\n"
    )
    page, said = dump(ctx, agent.url("/#c=loki.process.p"))
    assert not said, f"the browser complains: {said}"
    for id in ("loki.source.file.f", "loki.process.p", "loki.echo.a", "loki.echo.b", "local.file.bad"):
        assert f'aria-label="{id}, ' in page, f"{id} is not drawn"
        assert re.search(rf'<button class="link"[^>]*>{re.escape(id)}</button>', page), f"{id} is not listed"
    assert page.count('class="edge loki_log') == 3
    assert 'class="node unhealthy' in page and "▲ 1 unhealthy" in page
    assert "stage.static_labels" in page and "&lt;script&gt;alert" in page, "arguments of the picked one, as text"
    assert "<img src=" not in page and '<script>alert("x")' not in page
    agent.reload("loki.echo {", expect=400)
    page, said = dump(ctx, agent.url("/"))
    assert "the last load failed" in page and "of this block is missing" in page, "the errors are shown"
    assert not said, said
