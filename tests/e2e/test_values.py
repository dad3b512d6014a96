"""Components whose exports are values: files, URLs and DNS names as contents and targets, processes; OAuth 2.0; and
where modules are imported from. What is exported is read from the component's page."""

import json
import os
import subprocess
import threading
import time
import urllib.parse

from lib import netns, river
from lib.arguments import indented
from lib.context import e2e
from lib.dns_server import DnsServer
from lib.net import wait_for
from lib.recorder import Recorder

# -- looking ---------------------------------------------------------------------------------------------------------


def plain(typed):
    if typed["type"] == "array":
        return [plain(v) for v in typed["value"]]
    if typed["type"] == "object":
        return {f["key"]: plain(f["value"]) for f in typed["value"]}
    return typed["value"]


def exports(agent, component):
    status, body = agent.get(f"/api/v0/web/components/{component}")
    assert status == 200, f"{component}: {status} {body[:300]}"
    return {e["name"]: plain(e["value"]) for e in json.loads(body)["exports"]}


def wait_export(agent, component, name, want, timeout=10):
    def is_there():
        got = exports(agent, component).get(name)
        assert got == want, f"{component}.{name} is {got!r}"
        return True

    wait_for(is_there, timeout, f"{component}.{name} is {want!r}", interval=0.05)


def wait_health(agent, component, state, part=""):
    def is_there():
        health = agent.health(component)
        assert health["state"] == state and part in health["message"], f"{component} is {health}"
        return True

    wait_for(is_there, 10, f"{component} is {state}", interval=0.05)


def string_list(texts):
    return "[" + ", ".join(river.string(t) for t in texts) + "]"


class Web:
    """A server whose answer a test changes while it runs: pages[path] is (status, headers, body) or None for silence."""

    def __init__(self, ctx, tls=None):
        self.pages = {}
        self.port = ctx.started(Recorder()).listen(tls, self._reply)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port.number}"

    def _reply(self, seen):
        page = self.pages.get(urllib.parse.urlsplit(seen.target).path, (404, {}, b"nothing here"))
        return page(seen) if callable(page) else page

    def put(self, path, text, status=200, kind="text/plain", **headers):
        self.pages[path] = (status, {"Content-Type": kind, **headers}, text.encode())

    def seen(self, path):
        with self.port.lock:
            return [s for s in self.port.seen if urllib.parse.urlsplit(s.target).path == path]


# -- remote.http -----------------------------------------------------------------------------------------------------


def remote(label, url, more="", every="100ms", timeout="80ms"):
    return (
        f'remote.http "{label}" {{\n  url = "{url}"\n  poll_frequency = "{every}"\n  poll_timeout = "{timeout}"\n'
        f"{indented(more, 2)}}}\n"
    )


@e2e(timeout=60)
def test_remote_http_content_follows_the_answer(ctx):
    """url, poll_frequency; white space at the ends goes; a failing poll leaves the content and is said."""
    web = Web(ctx)
    web.put("/a", "  one \n")
    agent = ctx.agent(remote("a", web.url + "/a", timeout="90ms"))
    wait_export(agent, "remote.http.a", "content", "one")
    web.put("/a", "two")
    wait_export(agent, "remote.http.a", "content", "two")
    wait_health(agent, "remote.http.a", "healthy", "polled endpoint")
    web.put("/a", "gone", status=503)
    wait_health(agent, "remote.http.a", "unhealthy", "503")
    wait_export(agent, "remote.http.a", "content", "two")
    web.put("/a", "three")
    wait_export(agent, "remote.http.a", "content", "three")
    wait_health(agent, "remote.http.a", "healthy")


@e2e(timeout=60)
def test_remote_http_is_waited_for(ctx):
    """What uses the content does not start with an empty one."""
    web, sink = Web(ctx), Web(ctx)
    web.put("/password", "not yet", status=503)
    sink.put("/push", "", status=204)
    log = ctx.tmp / "app.log"
    log.write_text("one\n")
    agent = ctx.agent(
        remote("p", web.url + "/password")
        + 'discovery.relabel "r" {\n  targets = json_decode(remote.http.p.content)["targets"]\n}\n'
        + river.file_source(log, "loki.write.out.receiver", sync="200ms")
        + river.loki_write(
            sink.url + "/push", more='    basic_auth {\n      username = "u"\n      password = remote.http.p.content\n    }'
        )
    )
    wait_health(agent, "loki.write.out", "unknown", "waits for remote.http.p")
    wait_health(agent, "discovery.relabel.r", "unknown", "waits for remote.http.p")
    time.sleep(0.5)
    assert not sink.seen("/push")
    web.put("/password", '{"targets": [{"__address__": "a"}]}')
    wait_export(agent, "discovery.relabel.r", "output", [{"__address__": "a"}])
    wait_for(lambda: sink.seen("/push"), 10, "the line is pushed")
    assert not any(s.header("Authorization").endswith("dTo=") for s in sink.seen("/push")), "an empty password was sent"


@e2e(timeout=60)
def test_remote_http_poll_timeout(ctx):
    web = Web(ctx)
    web.pages["/slow"] = None
    web.pages["/late"] = lambda seen: time.sleep(0.4) or (200, {}, b"late")
    agent = ctx.agent(
        remote("short", web.url + "/slow", timeout="90ms")
        + remote("cut", web.url + "/late", every="1s", timeout="100ms")
        + remote("long", web.url + "/late", every="5s", timeout="4s")
    )
    wait_health(agent, "remote.http.short", "unhealthy", "imed")
    wait_health(agent, "remote.http.cut", "unhealthy", "imed")
    wait_export(agent, "remote.http.long", "content", "late")


@e2e(timeout=60)
def test_remote_http_method_headers_body(ctx):
    web = Web(ctx)
    web.put("/x", "x")
    more = 'method = "PUT"\nheaders = {"X-Row" = "one", "User-Agent" = "somebody"}\nbody = "what is sent"'
    agent = ctx.agent(remote("with", web.url + "/x", more) + remote("plain", web.url + "/y"))
    wait_export(agent, "remote.http.with", "content", "x")
    seen = web.seen("/x")[0]
    assert (seen.method, seen.body) == ("PUT", b"what is sent"), seen
    assert (seen.header("X-Row"), seen.header("User-Agent")) == ("one", "somebody"), seen
    wait_for(lambda: web.seen("/y"), 5, "the plain one is asked for")
    seen = web.seen("/y")[0]
    assert (seen.method, seen.body, seen.header("X-Row")) == ("GET", b"", ""), seen
    assert seen.header("User-Agent").lower().startswith("hyagent/"), seen


@e2e(timeout=60)
def test_remote_http_is_secret(ctx):
    """A secret is not shown, and may not become a string."""
    web = Web(ctx)
    web.put("/s", "the-secret-word")
    web.put("/o", "an-open-word")
    uses = 'discovery.relabel "{0}" {{\n  targets = [{{"__address__" = remote.http.{0}.content}}]\n}}\n'
    agent = ctx.agent(
        remote("open", web.url + "/o") + remote("hidden", web.url + "/s", "is_secret = true") + uses.format("open")
    )
    wait_export(agent, "remote.http.open", "content", "an-open-word")
    wait_export(agent, "discovery.relabel.open", "output", [{"__address__": "an-open-word"}])
    wait_health(agent, "remote.http.hidden", "healthy")
    assert "the-secret-word" not in json.dumps(exports(agent, "remote.http.hidden"))
    status, text = agent.reload(
        remote("hidden", web.url + "/s", "is_secret = true") + uses.format("hidden"), expect=None
    )
    if status == 200:
        wait_health(agent, "discovery.relabel.hidden", "unhealthy", "secret")
    else:
        assert "secret" in text, text


@e2e(timeout=60)
def test_remote_http_body_is_bounded(ctx):
    web = Web(ctx)
    web.put("/big", "x" * (17 << 20))
    web.put("/fits", "y" * 1000)
    agent = ctx.agent(
        remote("big", web.url + "/big", every="5s", timeout="4s") + remote("fits", web.url + "/fits", every="5s", timeout="4s")
    )
    wait_health(agent, "remote.http.big", "unhealthy", "larger than")
    wait_export(agent, "remote.http.fits", "content", "y" * 1000)


@e2e(timeout=60)
def test_redirects_carry_no_credentials_to_another_host(ctx):
    elsewhere, web = Web(ctx), Web(ctx)
    elsewhere.put("/x", "from elsewhere")
    web.pages["/away"] = (302, {"Location": elsewhere.url + "/x"}, b"")
    web.pages["/here"] = (302, {"Location": web.url + "/y"}, b"")
    web.put("/y", "from here")
    client = 'client {\n  basic_auth {\n    username = "u"\n    password = "p"\n  }\n  http_headers = {"X-Key" = ["k"]}\n}'
    agent = ctx.agent(remote("away", web.url + "/away", client) + remote("here", web.url + "/here", client))
    wait_export(agent, "remote.http.away", "content", "from elsewhere")
    wait_export(agent, "remote.http.here", "content", "from here")
    assert all(s.header("Authorization") for s in web.seen("/away") + web.seen("/y"))
    assert all(not s.header("Authorization") and not s.header("X-Key") for s in elsewhere.seen("/x"))


@e2e(timeout=30)
def test_remote_http_wrong_arguments_are_refused(ctx):
    rows = [
        ('url = "ftp://x/y"', "http or https"),
        ('url = "http://x/y"\nmethod = "A B"', "not an HTTP method"),
        ('url = "http://x/y"\npoll_frequency = "5s"\npoll_timeout = "5s"', "must be less than poll_frequency"),
        (
            'url = "http://x/y"\nclient {\n  bearer_token = "b"\n  oauth2 {\n    client_id = "i"\n    client_secret = "s"\n'
            '    token_url = "http://x/t"\n  }\n}',
            "at most one of basic_auth, authorization, oauth2",
        ),
        ('url = "http://x/y"\nclient {\n  oauth2 {\n    token_url = "http://x/t"\n  }\n}', "client_id must be set"),
        ('url = "http://x/y"\nclient {\n  http_headers = {"content-type" = ["a"]}\n}', "may not set Content-Type"),
        ('url = "http://x/y"\nclient {\n  no_proxy = "a"\n}', "no_proxy needs proxy_url"),
        ('url = "http://x/y"\nclient {\n  proxy_connect_header = {"a" = ["b"]}\n}', "proxy_connect_header needs"),
    ]
    for body, part in rows:
        path = ctx.tmp / "wrong.river"
        path.write_text(f'remote.http "x" {{\n{body}\n}}\n')
        code, _, err = ctx.hyagent("validate", path)
        assert code == 1 and part in err, f"{body}: {code} {err}"


# -- OAuth 2.0 -------------------------------------------------------------------------------------------------------


class TokenEndpoint:
    """Gives tokens t1, t2, ... to client "me" with secret "word"; form: takes the credentials in the form only."""

    def __init__(self, ctx, in_form=False, expires_in=3600, tls=None):
        self.in_form, self.expires_in = in_form, expires_in
        self.given, self.forms, self.lock = 0, [], threading.Lock()
        self.secret = "word"
        self.port = ctx.started(Recorder()).listen(tls, self._reply)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port.number}/token"

    def _reply(self, seen):
        form = urllib.parse.parse_qs(seen.body.decode(), keep_blank_values=True)
        import base64

        basic = "Basic " + base64.b64encode(f"me:{self.secret}".encode()).decode()
        by_form = form.get("client_id") == ["me"] and form.get("client_secret") == [self.secret]
        is_good = by_form if self.in_form else seen.header("Authorization") == basic
        if not is_good or seen.method != "POST" or form.get("grant_type") != ["client_credentials"]:
            return 401, {"Content-Type": "application/json"}, b'{"error":"invalid_client"}'
        with self.lock:
            self.given += 1
            self.forms.append(form)
            body = {"access_token": f"t{self.given}", "token_type": "bearer"}
        if self.expires_in is not None:
            body["expires_in"] = self.expires_in
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def oauth2(url, *lines, secret='client_secret = "word"'):
    return "\n".join(
        ["client {", "  oauth2 {", '    client_id = "me"', f"    {secret}", f'    token_url = "{url}"']
        + ["    " + line for line in lines]
        + ["  }", "}"]
    )


@e2e(timeout=60)
def test_oauth2_token_is_got_once_and_sent(ctx):
    """client_id, client_secret, token_url, scopes, endpoint_params; both ways of giving the credentials."""
    web, header_way, form_way = Web(ctx), TokenEndpoint(ctx), TokenEndpoint(ctx, in_form=True)
    for page in ("/h", "/f", "/bare"):
        web.put(page, "x")
    more = ('scopes = ["read", "write all"]', 'endpoint_params = {"audience" = "the api & more"}')
    agent = ctx.agent(
        remote("h", web.url + "/h", oauth2(header_way.url, *more), timeout="90ms", every="100ms")
        + remote("f", web.url + "/f", oauth2(form_way.url))
        + remote("bare", web.url + "/bare")
    )
    for label in "h", "f":
        wait_for(lambda: len(web.seen("/" + label)) >= 5, 10, f"five polls of {label}")
        assert {s.header("Authorization") for s in web.seen("/" + label)} == {"Bearer t1"}
        wait_health(agent, f"remote.http.{label}", "healthy")
    wait_for(lambda: web.seen("/bare"), 10, "a poll without oauth2")
    assert {s.header("Authorization") for s in web.seen("/bare")} == {""}
    assert (header_way.given, form_way.given) == (1, 1), "a token was asked for again though the first one lasts"
    form = header_way.forms[0]
    assert form["scope"] == ["read write all"] and form["audience"] == ["the api & more"], form
    assert "scope" not in form_way.forms[0], form_way.forms[0]


@e2e(timeout=60)
def test_oauth2_token_is_renewed_when_it_expires_or_is_refused(ctx):
    web, short, revoked = Web(ctx), TokenEndpoint(ctx, expires_in=2), TokenEndpoint(ctx)
    web.put("/short", "x")
    good = ["Bearer t1"]
    web.pages["/revoked"] = lambda s: (200, {}, b"in") if s.header("Authorization") in good else (401, {}, b"out")
    web.pages["/never"] = (401, {}, b"out")
    never = TokenEndpoint(ctx)
    agent = ctx.agent(
        remote("short", web.url + "/short", oauth2(short.url))
        + remote("revoked", web.url + "/revoked", oauth2(revoked.url))
        + remote("never", web.url + "/never", oauth2(never.url), every="1h", timeout="1s")
    )
    wait_for(lambda: any(s.header("Authorization") == "Bearer t2" for s in web.seen("/short")), 10, "a second token")
    wait_export(agent, "remote.http.revoked", "content", "in")
    good[0] = "Bearer t2"
    wait_for(lambda: any(s.header("Authorization") == "Bearer t2" for s in web.seen("/revoked")), 10, "a new token")
    wait_health(agent, "remote.http.revoked", "healthy")
    assert revoked.given == 2
    wait_health(agent, "remote.http.never", "unhealthy", "401")
    assert [s.header("Authorization") for s in web.seen("/never")] == ["Bearer t1", "Bearer t2"], "refreshed once, not more"


@e2e(timeout=60)
def test_oauth2_client_secret_file(ctx):
    web, tokens = Web(ctx), TokenEndpoint(ctx)
    web.put("/x", "x")
    secret = ctx.tmp / "secret"
    secret.write_text("word\n")
    agent = ctx.agent(remote("x", web.url + "/x", oauth2(tokens.url, secret=f'client_secret_file = "{secret}"')))
    wait_for(lambda: any(s.header("Authorization") == "Bearer t1" for s in web.seen("/x")), 10, "the token")
    tokens.secret = "another"
    secret.write_text("another\n")
    wait_for(lambda: any(s.header("Authorization") == "Bearer t2" for s in web.seen("/x")), 10, "one with the new secret")
    wait_health(agent, "remote.http.x", "healthy")


@e2e(timeout=60)
def test_oauth2_without_a_token_nothing_is_sent(ctx):
    """And the secret stands in no message."""
    web, tokens = Web(ctx), TokenEndpoint(ctx)
    web.put("/x", "x")
    agent = ctx.agent(remote("x", web.url + "/x", oauth2(tokens.url, secret='client_secret = "wrong-secret"')))
    wait_health(agent, "remote.http.x", "unhealthy", "401 invalid_client")
    assert not web.seen("/x")
    assert "wrong-secret" not in agent.stderr() + agent.get("/api/v0/web/components/remote.http.x")[1]
    agent.reload(remote("x", web.url + "/x", oauth2(tokens.url)))
    wait_export(agent, "remote.http.x", "content", "x")


@e2e(timeout=60)
def test_oauth2_token_is_not_sent_to_another_host(ctx):
    web, elsewhere, tokens = Web(ctx), Web(ctx), TokenEndpoint(ctx)
    elsewhere.put("/x", "from elsewhere")
    web.pages["/away"] = (307, {"Location": elsewhere.url + "/x"}, b"")
    agent = ctx.agent(remote("away", web.url + "/away", oauth2(tokens.url)))
    wait_export(agent, "remote.http.away", "content", "from elsewhere")
    assert {s.header("Authorization") for s in web.seen("/away")} == {"Bearer t1"}
    assert {s.header("Authorization") for s in elsewhere.seen("/x")} == {""}


# -- discovery.http --------------------------------------------------------------------------------------------------

GROUPS = [{"targets": ["10.0.0.1:80", "10.0.0.2:80"], "labels": {"env": "test"}}, {"targets": ["10.0.0.3:80"]}]


@e2e(timeout=60)
def test_discovery_http_targets_follow_the_answer(ctx):
    web = Web(ctx)
    web.put("/sd", json.dumps(GROUPS), kind="application/json; charset=utf-8")
    url = web.url + "/sd"
    agent = ctx.agent(f'discovery.http "d" {{\n  url = "{url}"\n  refresh_interval = "200ms"\n}}\n')
    first = [
        {"__address__": "10.0.0.1:80", "env": "test", "__meta_url": url},
        {"__address__": "10.0.0.2:80", "env": "test", "__meta_url": url},
        {"__address__": "10.0.0.3:80", "__meta_url": url},
    ]
    wait_export(agent, "discovery.http.d", "targets", first)
    seen = web.seen("/sd")[0]
    assert seen.header("Accept") == "application/json", seen
    assert seen.header("X-Prometheus-Refresh-Interval-Seconds") == "0.2", seen
    wrong = [
        ("text/html", json.dumps(GROUPS), "Content-Type"),
        ("application/json", "[{", "ends at byte 2"),
        ("application/json", '[{"targets": [80]}]', "target 1 is not a string"),
        ("application/json", '[{"targets": ["a:1"], "labels": {"a": 1}}]', 'label "a" is not a string'),
        ("application/json", '[{"targets": ["a:1"], "more": 1}]', "neither"),
        ("application/json", '{"targets": []}', "not a list of target groups"),
    ]
    for kind, text, part in wrong:
        web.put("/sd", text, kind=kind)
        wait_health(agent, "discovery.http.d", "unhealthy", part)
        wait_export(agent, "discovery.http.d", "targets", first)
    assert agent.metrics().sum("prometheus_sd_http_failures_total", component_id="discovery.http.d") >= len(wrong)
    web.put("/sd", "[]", kind="application/json")
    wait_export(agent, "discovery.http.d", "targets", [])
    wait_health(agent, "discovery.http.d", "healthy")


# -- discovery.file --------------------------------------------------------------------------------------------------


@e2e(timeout=60)
def test_discovery_file_targets_follow_the_files(ctx):
    """JSON and YAML, patterns, changes by inotify (refresh_interval is an hour), the last good content of a broken file."""
    folder = ctx.tmp / "sd"
    folder.mkdir()
    one, two = folder / "a.json", folder / "b.yml"
    one.write_text(json.dumps(GROUPS))
    two.write_text("- targets: ['h1:9100', h2:9100]\n  labels:\n    job: node\n    port: 9100\n")
    files = string_list([folder / "*.json", folder / "b.yml"])
    agent = ctx.agent(f'discovery.file "d" {{\n  files = {files}\n  refresh_interval = "1h"\n}}\n')

    def of_one(address, **labels):
        return {"__address__": address, **labels, "__meta_filepath": str(one)}

    def of_two(address, **labels):
        return {"__address__": address, **labels, "__meta_filepath": str(two)}

    json_part = [of_one("10.0.0.1:80", env="test"), of_one("10.0.0.2:80", env="test"), of_one("10.0.0.3:80")]
    yaml_part = [of_two("h1:9100", job="node", port="9100"), of_two("h2:9100", job="node", port="9100")]
    wait_export(agent, "discovery.file.d", "targets", json_part + yaml_part)
    one.write_text("[{")
    wait_health(agent, "discovery.file.d", "unhealthy", "1 of 2 files")
    two.write_text("- targets: [h3:9100]\n")
    wait_export(agent, "discovery.file.d", "targets", json_part + [of_two("h3:9100")])
    assert agent.metrics().sum("prometheus_sd_file_read_errors_total", component_id="discovery.file.d") == 1
    replaced = folder / "new"
    replaced.write_text(json.dumps([{"targets": ["x:1"]}]))
    replaced.rename(one)
    wait_export(agent, "discovery.file.d", "targets", [of_one("x:1"), of_two("h3:9100")])
    wait_health(agent, "discovery.file.d", "healthy")
    one.unlink()
    wait_export(agent, "discovery.file.d", "targets", [of_two("h3:9100")])
    (folder / "c.json").write_text(json.dumps([{"targets": ["y:1"]}]))
    third = {"__address__": "y:1", "__meta_filepath": str(folder / "c.json")}
    wait_export(agent, "discovery.file.d", "targets", [third, of_two("h3:9100")])


@e2e(timeout=60)
def test_discovery_file_refresh_interval(ctx):
    """A change that inotify does not see: the file is a link to another folder's."""
    folder, real = ctx.tmp / "sd", ctx.tmp / "real.json"
    folder.mkdir()
    real.write_text('[{"targets": ["a:1"]}]')
    (folder / "x.json").symlink_to(real)

    def of(interval):
        return f'discovery.file "d" {{\n  files = ["{folder}/*.json"]\n  refresh_interval = "{interval}"\n}}\n'

    def target(address):
        return [{"__address__": address, "__meta_filepath": str(folder / "x.json")}]

    agent = ctx.agent(of("1h"))
    wait_export(agent, "discovery.file.d", "targets", target("a:1"))
    real.write_text('[{"targets": ["b:1"]}]')
    time.sleep(1)
    wait_export(agent, "discovery.file.d", "targets", target("a:1"))
    agent.reload(of("200ms"))
    wait_export(agent, "discovery.file.d", "targets", target("b:1"))
    real.write_text('[{"targets": ["c:1"]}]')
    wait_export(agent, "discovery.file.d", "targets", target("c:1"))


# -- discovery.dns ---------------------------------------------------------------------------------------------------


def dns_target(address, name, srv=("", ""), mx="", ns=""):
    return {
        "__address__": address,
        "__meta_dns_name": name,
        "__meta_dns_srv_record_target": srv[0],
        "__meta_dns_srv_record_port": srv[1],
        "__meta_dns_mx_record_target": mx,
        "__meta_dns_ns_record_target": ns,
    }


@e2e(timeout=60)
def test_discovery_dns_records_become_targets(ctx):
    """type, port, names with the search list, refresh_interval; TCP for what does not fit; a failure keeps the last."""
    if not netns.enter() or not netns.own_resolver("nameserver 127.0.0.1\nsearch example.test\noptions timeout:1\n", ctx.tmp):
        ctx.skip("needs root for a network and a mount namespace")
    many = [f"10.9.{i // 250}.{i % 250 + 1}" for i in range(500)]
    server = ctx.started(
        DnsServer(
            records={
                ("_web._tcp.example.test", "SRV"): [(8080, "one.example.test"), (8081, "two.example.test")],
                ("a.example.test", "A"): ["10.0.0.1", "10.0.0.2"],
                ("a.example.test", "AAAA"): ["fd00::1"],
                ("mail.example.test", "MX"): ["mx.example.test"],
                ("zone.example.test", "NS"): ["ns1.example.test"],
                ("many.example.test", "A"): many,
                ("short.example.test", "A"): ["10.0.0.9"],
                ("empty.example.test", "MX"): ["x.example.test"],
            }
        )
    )

    def component(label, names, more):
        return f'discovery.dns "{label}" {{\n  names = {string_list(names)}\n  refresh_interval = "300ms"\n{indented(more, 2)}}}\n'

    agent = ctx.agent(
        component("srv", ["_web._tcp.example.test"], "")
        + component("a", ["a.example.test", "nobody.example.test"], 'type = "A"\nport = 9100')
        + component("aaaa", ["a.example.test"], 'type = "AAAA"\nport = 9100')
        + component("mx", ["mail.example.test"], 'type = "mx"\nport = 25')
        + component("ns", ["zone.example.test"], 'type = "NS"\nport = 53')
        + component("many", ["many.example.test"], 'type = "A"\nport = 1')
        + component("short", ["short"], 'type = "A"\nport = 2')
        + component("empty", ["empty.example.test"], 'type = "A"\nport = 3')
    )
    srv = [
        dns_target("one.example.test:8080", "_web._tcp.example.test", srv=("one.example.test.", "8080")),
        dns_target("two.example.test:8081", "_web._tcp.example.test", srv=("two.example.test.", "8081")),
    ]
    a = [dns_target(f"10.0.0.{n}:9100", "a.example.test") for n in (1, 2)]
    wait_export(agent, "discovery.dns.srv", "targets", srv)
    wait_export(agent, "discovery.dns.a", "targets", a)
    wait_export(agent, "discovery.dns.aaaa", "targets", [dns_target("[fd00::1]:9100", "a.example.test")])
    wait_export(
        agent, "discovery.dns.mx", "targets", [dns_target("mx.example.test:25", "mail.example.test", mx="mx.example.test.")]
    )
    wait_export(
        agent, "discovery.dns.ns", "targets", [dns_target("ns1.example.test:53", "zone.example.test", ns="ns1.example.test.")]
    )
    wait_export(agent, "discovery.dns.many", "targets", [dns_target(f"{x}:1", "many.example.test") for x in many])
    wait_export(agent, "discovery.dns.short", "targets", [dns_target("10.0.0.9:2", "short")])
    wait_health(agent, "discovery.dns.empty", "healthy")
    assert exports(agent, "discovery.dns.empty")["targets"] == []
    server.broken.add("a.example.test")
    server.broken.add("a.example.test.example.test")
    wait_health(agent, "discovery.dns.a", "unhealthy", "1 of 2 names")
    wait_export(agent, "discovery.dns.a", "targets", a)
    assert agent.metrics().sum("prometheus_sd_dns_lookup_failures_total", component_id="discovery.dns.a") >= 1
    server.broken.clear()
    server.records["a.example.test", "A"] = ["10.0.0.7"]
    wait_export(agent, "discovery.dns.a", "targets", [dns_target("10.0.0.7:9100", "a.example.test")])
    wait_health(agent, "discovery.dns.a", "healthy")


@e2e(timeout=30)
def test_discovery_dns_wrong_arguments_are_refused(ctx):
    rows = [
        ('names = ["a"]\ntype = "A"', "port must be given"),
        ('names = ["a"]\ntype = "TXT"\nport = 1', "is not one of A, AAAA, MX, NS, SRV"),
        ('names = ["a"]\nport = 70000', "65535"),
        ('names = [""]', "not a name"),
    ]
    for body, part in rows:
        path = ctx.tmp / "wrong.river"
        path.write_text(f'discovery.dns "x" {{\n{body}\n}}\n')
        code, _, err = ctx.hyagent("validate", path)
        assert code == 1 and part in err, f"{body}: {code} {err}"


# -- discovery.process -----------------------------------------------------------------------------------------------


@e2e(timeout=60)
def test_discovery_process_labels_and_join(ctx):
    """Every row of discover_config, refresh_interval, and join by a container's id."""
    agent = ctx.agent(
        'discovery.process "all" {\n  refresh_interval = "300ms"\n  discover_config {\n    username = true\n    uid = true\n'
        "    cgroup_path = true\n  }\n}\n"
        'discovery.process "none" {\n  discover_config {\n    exe = false\n    cwd = false\n    commandline = false\n'
        '    container_id = false\n  }\n}\n'
        'discovery.process "plain" { }\n'
        'discovery.process "joined" {\n  join = [\n'
        f'    {{"__container_id__" = "{"0" * 64}", "c" = "nobody"}},\n    {{"no" = "id"}},\n'
        f'    {{"__meta_kubernetes_pod_container_id" = "containerd://{"1" * 64}", "k" = "v"}},\n  ]\n}}\n'
    )
    me = str(os.getpid())

    def of(label, pid):
        return next((t for t in exports(agent, f"discovery.process.{label}")["targets"] if t.get("__process_pid__") == pid), None)

    wait_for(lambda: of("all", me) and of("none", me) and of("plain", me), 10, "this process is found")
    cgroup = open("/proc/self/cgroup").read().strip().replace("\n", "|")
    command = " ".join(a for a in open("/proc/self/cmdline").read().split("\0") if a)
    want = {
        "__process_pid__": me,
        "__meta_process_exe": os.readlink("/proc/self/exe"),
        "__meta_process_cwd": os.getcwd(),
        "__meta_process_commandline": command,
        "__meta_process_uid": str(os.getuid()),
    }
    found = of("all", me)
    assert {k: found.get(k) for k in want} == want, found
    assert found.get("__meta_process_cgroup_path", "") == cgroup, found
    import pwd

    assert found["__meta_process_username"] == pwd.getpwuid(os.getuid()).pw_name, found
    assert of("none", me) == {"__process_pid__": me}, of("none", me)
    quiet = of("plain", me)
    assert not {"__meta_process_username", "__meta_process_uid", "__meta_process_cgroup_path"} & set(quiet), quiet
    child = subprocess.Popen(["sleep", "60"])
    ctx.on_exit(child.kill)
    wait_for(lambda: of("all", str(child.pid)), 10, "a new process is found")
    child.kill()
    child.wait()
    wait_for(lambda: of("all", str(child.pid)) is None, 10, "an ended one goes")
    joined = exports(agent, "discovery.process.joined")["targets"]
    assert {"no": "id"} == joined[0] and joined[-2]["c"] == "nobody" and joined[-1]["k"] == "v", (joined[0], joined[-2:])
    assert any(t.get("__process_pid__") == me for t in joined)


# -- local.file ------------------------------------------------------------------------------------------------------


@e2e(timeout=60)
def test_local_file_detector_and_poll_frequency(ctx):
    """fsnotify sees a change at once, poll every poll_frequency; both see a file that is put in place by a rename."""
    path = ctx.tmp / "value"
    path.write_text("one")

    def file(label, more):
        return f'local.file "{label}" {{\n  filename = "{path}"\n{indented(more, 2)}}}\n'

    agent = ctx.agent(
        file("notify", 'poll_frequency = "1h"')
        + file("poll", 'detector = "poll"\npoll_frequency = "200ms"')
        + file("slow", 'detector = "poll"\npoll_frequency = "1h"')
    )
    for label in "notify", "poll", "slow":
        wait_export(agent, f"local.file.{label}", "content", "one")
    other = ctx.tmp / "other"
    other.write_text("two")
    other.rename(path)
    for label in "notify", "poll":
        wait_export(agent, f"local.file.{label}", "content", "two")
    assert exports(agent, "local.file.slow")["content"] == "one"
    path.unlink()
    wait_health(agent, "local.file.notify", "unhealthy")
    wait_export(agent, "local.file.notify", "content", "two")
    seconds = agent.metrics().sum("local_file_timestamp_last_accessed_unix_seconds", component_id="local.file.notify")
    assert abs(seconds - time.time()) < 60, seconds


@e2e(timeout=60)
def test_local_file_sees_kubernetes_swap_its_folder(ctx):
    """A mounted ConfigMap: value -> ..data/value, ..data -> a folder, which another one replaces by a rename."""
    for name in "v1", "v2":
        (ctx.tmp / f"..{name}").mkdir()
        (ctx.tmp / f"..{name}" / "value").write_text(name)
    (ctx.tmp / "..data").symlink_to("..v1")
    (ctx.tmp / "value").symlink_to("..data/value")
    agent = ctx.agent(f'local.file "f" {{\n  filename = "{ctx.tmp}/value"\n  poll_frequency = "1h"\n}}\n')
    wait_export(agent, "local.file.f", "content", "v1")
    (ctx.tmp / "..data_tmp").symlink_to("..v2")
    (ctx.tmp / "..data_tmp").rename(ctx.tmp / "..data")
    wait_export(agent, "local.file.f", "content", "v2")


# -- where modules come from -----------------------------------------------------------------------------------------

USE = """
m.d "i" {
  x = "a"
}
discovery.relabel "r" {
  targets = [{"__address__" = m.d.i.y}]
}
"""


def module(word, more=""):
    return f'declare "d" {{\n  argument "x" {{ }}\n  export "y" {{\n    value = "{word}-" + argument.x.value\n  }}\n}}\n{more}'


def wait_module(agent, word, timeout=10):
    """The custom component of the module that says word is the one that runs."""
    wait_export(agent, "discovery.relabel.r", "output", [{"__address__": f"{word}-a"}], timeout)


@e2e(timeout=60)
def test_import_file_is_watched(ctx):
    """detector, poll_frequency; a file and a folder; a broken module changes nothing."""
    file, folder = ctx.tmp / "m.alloy", ctx.tmp / "modules"
    folder.mkdir()
    for detector, more in ("fsnotify", 'poll_frequency = "1h"'), ("poll", 'poll_frequency = "200ms"'):
        file.write_text(module("one"))
        river_text = f'import.file "m" {{\n  filename = "{file}"\n  detector = "{detector}"\n  {more}\n}}\n{USE}'
        agent = ctx.agent(river_text, name=f"file-{detector}")
        wait_module(agent, "one")
        file.write_text(module("two"))
        wait_module(agent, "two")
        file.write_text("declare {")
        wait_for(lambda: "m.alloy:1:1" in agent.stderr(), 10, "the broken module is named with its line")
        wait_module(agent, "two")
        file.write_text(module("three"))
        wait_module(agent, "three")
        agent.stop()
        (folder / "a.alloy").write_text(module("four"))
        agent = ctx.agent(river_text.replace(str(file), str(folder)), name=f"folder-{detector}")
        wait_module(agent, "four")
        (folder / "b.river").write_text(module("five").replace('"d"', '"e"'))
        (folder / "a.alloy").write_text(module("six"))
        wait_module(agent, "six")
        agent.stop()
        (folder / "b.river").unlink()


@e2e(timeout=60)
def test_import_file_poll_frequency(ctx):
    """With detector poll a change waits for the next poll."""
    file = ctx.tmp / "m.alloy"
    file.write_text(module("one"))

    def of(every):
        return f'import.file "m" {{\n  filename = "{file}"\n  detector = "poll"\n  poll_frequency = "{every}"\n}}\n{USE}'

    agent = ctx.agent(of("1h"))
    wait_module(agent, "one")
    file.write_text(module("two"))
    time.sleep(1)
    wait_module(agent, "one")
    agent.reload(of("200ms"))
    wait_module(agent, "two")
    file.write_text(module("three"))
    wait_module(agent, "three")


@e2e(timeout=60)
def test_import_http_module_follows_the_answer(ctx):
    """Before the first answer the module is waited for; a failing poll leaves the one that was got."""
    web = Web(ctx)
    agent = ctx.agent(
        f'import.http "m" {{\n  url = "{web.url}/m"\n  poll_frequency = "200ms"\n  poll_timeout = "150ms"\n'
        f'  method = "PUT"\n  headers = {{"X-Row" = "one"}}\n  body = "asked"\n}}\n{USE}'
    )
    wait_health(agent, "import.http.m", "unhealthy", "404")
    web.put("/m", module("one"))
    wait_module(agent, "one")
    wait_health(agent, "import.http.m", "healthy")
    seen = web.seen("/m")[0]
    assert (seen.method, seen.header("X-Row"), seen.body) == ("PUT", "one", b"asked"), seen
    web.put("/m", module("two"))
    wait_module(agent, "two")
    web.put("/m", "gone", status=500)
    wait_health(agent, "import.http.m", "unhealthy", "500")
    wait_module(agent, "two")
    web.put("/m", module("three"))
    wait_module(agent, "three")


@e2e(timeout=60)
def test_import_http_poll_timeout(ctx):
    web = Web(ctx)
    web.pages["/late"] = lambda seen: time.sleep(0.5) or (200, {}, module("one").encode())

    def of(timeout):
        return f'import.http "m" {{\n  url = "{web.url}/late"\n  poll_frequency = "5s"\n  poll_timeout = "{timeout}"\n}}\n{USE}'

    agent = ctx.agent(of("200ms"))
    wait_health(agent, "import.http.m", "unhealthy", "imed")
    agent.reload(of("3s"))
    wait_module(agent, "one")


class Repository:
    """A repository made with the git program; bare.git beside it is what HTTP serves."""

    def __init__(self, ctx, name="origin"):
        self.dir, self.bare = ctx.tmp / name, ctx.tmp / f"{name}.git"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
            **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        self.git("init", "-q", "-b", "main", self.dir, at=ctx.tmp)

    def git(self, *args, at=None):
        r = subprocess.run(
            ["git", *map(str, args)], cwd=at or self.dir, env=self.environment, capture_output=True, text=True
        )
        assert r.returncode == 0, f"git {args}: {r.stderr}"
        return r.stdout.strip()

    def commit(self, **files):
        for name, text in files.items():
            path = self.dir / name.replace("__", "/")
            path = path.with_suffix(".alloy")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")
        if self.bare.exists():
            self.git("push", "-q", "--mirror", self.bare)
        else:
            self.git("clone", "-q", "--bare", self.dir, self.bare, at=self.dir.parent)
        self.git("--git-dir", self.bare, "update-server-info")
        return self.git("rev-parse", "HEAD")


def git_import(repository, path="m.alloy", more="", every="200ms"):
    return (
        f'import.git "m" {{\n  repository = "{repository}"\n  path = "{path}"\n  pull_frequency = "{every}"\n'
        f"{indented(more, 2)}}}\n{USE}"
    )


@e2e(timeout=90)
def test_import_git_follows_a_revision(ctx):
    """repository, path (file and folder), revision (branch, tag, commit, default branch), pull_frequency."""
    r = Repository(ctx)
    first = r.commit(m=module("one"), sub__m=module("deep"))
    r.git("tag", "v1")
    r.git("branch", "side")
    agent = ctx.agent(git_import(f"file://{r.dir}"))
    wait_module(agent, "one")
    wait_health(agent, "import.git.m", "healthy", first)
    second = r.commit(m=module("two"))
    wait_module(agent, "two")
    wait_health(agent, "import.git.m", "healthy", second)
    for revision, word in ("v1", "one"), ("main", "two"), (first, "one"), (second[:10], "two"), ("side", "one"), ("HEAD", "two"):
        agent.reload(git_import(r.dir, more=f'revision = "{revision}"'))
        wait_module(agent, word)
    agent.reload(git_import(r.dir, path="sub"))
    wait_module(agent, "deep")
    before = agent.health("import.git.m")["updatedTime"]
    agent.reload(git_import(r.dir, path="sub", every="0s"))
    time.sleep(0.5)  # a pull that was under way ends; the one of the new arguments follows
    assert agent.health("import.git.m")["updatedTime"] > before
    r.commit(sub__m=module("later"))
    time.sleep(1)
    wait_module(agent, "deep")
    agent.reload(git_import(r.dir, path="sub"))
    wait_module(agent, "later")


@e2e(timeout=90)
def test_import_git_keeps_what_it_has(ctx):
    """A repository that is away, a revision that is not there, a module that is broken, a restart without the server."""
    r = Repository(ctx)
    r.commit(m=module("one"))
    agent = ctx.agent(git_import(r.bare))
    wait_module(agent, "one")
    away = r.bare.with_name("away")
    r.bare.rename(away)
    wait_health(agent, "import.git.m", "unhealthy", "the revision that was got last stays")
    wait_module(agent, "one")
    away.rename(r.bare)
    wait_health(agent, "import.git.m", "healthy")
    r.commit(m="declare {")
    wait_for(lambda: "m.alloy:1" in agent.stderr(), 10, "the broken module is named with its line")
    wait_module(agent, "one")
    r.commit(m=module("two"))
    wait_module(agent, "two")
    agent.reload(git_import(r.bare, more='revision = "nowhere"'))
    wait_health(agent, "import.git.m", "unhealthy", "there is no branch, tag or commit nowhere")
    checkouts = list((agent.storage / "import.git.m" / "at").iterdir())
    assert len(checkouts) <= 2, checkouts
    agent.reload(git_import(r.bare))
    wait_health(agent, "import.git.m", "healthy")
    agent.stop()
    r.bare.rename(away)
    agent.start()
    wait_module(agent, "two")
    wait_health(agent, "import.git.m", "unhealthy", "the revision that was got last stays")
    away.rename(r.bare)
    wait_health(agent, "import.git.m", "healthy")


@e2e(timeout=60)
def test_import_git_stays_inside_the_repository(ctx):
    outside = ctx.tmp / "outside.alloy"
    outside.write_text(module("outside"))
    r = Repository(ctx)
    r.commit(m=module("one"))
    (r.dir / "link.alloy").symlink_to(outside)
    (r.dir / "folder").mkdir()
    (r.dir / "folder" / "x.alloy").symlink_to(outside)
    (r.dir / "inner.alloy").symlink_to("m.alloy")
    r.commit()
    agent = ctx.agent(git_import(r.dir, path="link.alloy"))
    wait_health(agent, "import.git.m", "unhealthy", "leads out of the repository")
    agent.reload(git_import(r.dir, path="folder"))
    wait_health(agent, "import.git.m", "unhealthy", "folder/x.alloy leads out of the repository")
    agent.reload(git_import(r.dir, path="inner.alloy"))
    wait_module(agent, "one")
    rows = [
        ("../outside.alloy", "path must be one in the repository"),
        (str(outside), "path must be one in the repository"),
        ("a/../../b", "path must be one in the repository"),
    ]
    for path, part in rows:
        (ctx.tmp / "wrong.river").write_text(git_import(r.dir, path=path))
        code, _, err = ctx.hyagent("validate", ctx.tmp / "wrong.river")
        assert code == 1 and part in err, err


class GitHttp:
    """A bare repository over HTTP: dumb files, or the smart protocol by git http-backend; user "u" and password "p w"."""

    def __init__(self, ctx, repository, smart, auth=True):
        import base64

        wanted = "Basic " + base64.b64encode(b"u:p w").decode()

        def reply(seen):
            if auth and seen.header("Authorization") != wanted:
                return 401, {"WWW-Authenticate": 'Basic realm="git"'}, b""
            url = urllib.parse.urlsplit(seen.target)
            if smart:
                return self._backend(ctx, seen, url)
            path = repository.bare.parent / url.path.lstrip("/")
            return (200, {}, path.read_bytes()) if path.is_file() else (404, {}, b"")

        self.port = ctx.started(Recorder()).listen(reply=reply)
        self.url = f"http://127.0.0.1:{self.port.number}/{repository.bare.name}"

    @staticmethod
    def _backend(ctx, seen, url):
        import gzip

        body = gzip.decompress(seen.body) if seen.header("Content-Encoding") == "gzip" else seen.body
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(ctx.tmp),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": seen.method,
            "CONTENT_TYPE": seen.header("Content-Type"),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": seen.header("Git-Protocol"),
        }
        r = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
        head, _, answer = r.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200 OK").split()[0])
        return status, headers, answer


def spy_on_git(ctx):
    """A git in front of the real one that writes down its command line. Returns (the PATH, the file)."""
    folder, log = ctx.tmp / "bin", ctx.tmp / "git.log"
    folder.mkdir()
    real = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True).stdout.strip()
    (folder / "git").write_text(f'#!/bin/sh\necho "git $*" >> "{log}"\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}", log


@e2e(timeout=90)
def test_import_git_basic_auth(ctx):
    """Smart and dumb HTTP; user and password in the block or in the address; never on a command line, never in a text."""
    r = Repository(ctx)
    r.commit(m=module("one"))
    path, log = spy_on_git(ctx)
    auth = 'basic_auth {\n  username = "u"\n  password = "p w"\n}'
    wrong = auth.replace("p w", "wrong-password")
    for smart in True, False:
        server = GitHttp(ctx, r, smart)
        kind = "smart" if smart else "dumb"
        agent = ctx.agent(git_import(server.url, more=auth), env={"PATH": path}, name=kind)
        wait_module(agent, "one")
        r.commit(m=module(kind))
        wait_module(agent, kind)
        agent.reload(git_import(server.url, more=wrong))
        wait_health(agent, "import.git.m", "unhealthy", "fatal:")
        agent.reload(git_import(server.url.replace("http://", "http://u:p%20w@")))
        wait_health(agent, "import.git.m", "healthy")
        lines = log.read_text()
        assert "fetch" in lines
        for secret in "p w", "p%20w", "wrong-password":
            assert secret not in lines, f"{secret!r} is on a command line of git"
            assert secret not in agent.stderr(), f"{secret!r} is in the log"
        agent.stop()
        r.commit(m=module("one"))


@e2e(timeout=90)
def test_import_git_ssh_key(ctx):
    """username, key, key_file, passphrase: by what the ssh program is given; here it is a script that runs the server side."""
    r = Repository(ctx)
    r.commit(m=module("one"))
    folder = ctx.tmp / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(
        "#!/bin/sh\n"
        f'log="{ctx.tmp}/ssh.log"\n'
        'printf "%s\\n" "$*" >> "$log"\n'
        'while [ $# -gt 0 ]; do case "$1" in -i) key="$2"; shift 2;; -o|-l) shift 2;; -*) shift;; *) break;; esac; done\n'
        'if [ -n "$key" ]; then { echo "mode $(stat -c %a "$key")"; echo "key $(cat "$key")"; } >> "$log"; fi\n'
        'if [ -n "$SSH_ASKPASS" ]; then echo "passphrase $("$SSH_ASKPASS")" >> "$log"; fi\n'
        'shift\nexec sh -c "$*"\n'
    )
    (folder / "ssh").chmod(0o755)
    key_file = ctx.tmp / "it's a key"
    key_file.write_text("from a file\n")
    key_file.chmod(0o600)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    log = ctx.tmp / "ssh.log"
    address = f"ssh://other@host.test{r.dir}"
    agent = ctx.agent(
        git_import(address, more='ssh_key {\n  username = "me"\n  key = "from the block"\n  passphrase = "open it"\n}'),
        env=environment,
    )
    wait_module(agent, "one")
    text = log.read_text()
    assert "-l me" in text and "mode 600" in text and "key from the block" in text and "passphrase open it" in text, text
    calls = [line for line in text.splitlines() if "host.test" in line]
    assert calls and not any("from the block" in c or "open it" in c for c in calls), calls
    assert "StrictHostKeyChecking=yes" in calls[0] and "PasswordAuthentication=no" in calls[0], calls
    wait_for(lambda: not (agent.storage / "import.git.m" / "ssh_key").exists(), 5, "the key is not left on disk")
    log.unlink()
    agent.reload(git_import(address, more=f'ssh_key {{\n  username = "you"\n  key_file = {river.string(key_file)}\n}}'))
    wait_for(lambda: log.exists() and "key from a file" in log.read_text(), 10, "the key file is used")
    text = log.read_text()
    assert "-l you" in text and "BatchMode=yes" in text and "passphrase" not in text, text
    wait_module(agent, "one")


@e2e(timeout=30)
def test_import_git_wrong_arguments_are_refused(ctx):
    good = {"repository": '"https://x/y.git"', "path": '"m.alloy"'}
    rows = [
        ({"repository": '"ext::sh -c id"'}, "repository: it is not the address of a repository"),
        ({"repository": '"--upload-pack=id"'}, "repository: it is not the address of a repository"),
        ({"revision": '"FETCH_HEAD"'}, "give a branch, tag or commit"),
        ({"revision": '"a:b"'}, "is not a branch, tag or commit"),
        ({"revision": '"-x"'}, "is not a branch, tag or commit"),
        ({"pull_frequency": '"-1s"'}, "pull_frequency"),
    ]
    for change, part in rows:
        lines = "\n".join(f"  {k} = {v}" for k, v in {**good, **change}.items())
        (ctx.tmp / "wrong.river").write_text(f'import.git "m" {{\n{lines}\n}}\n')
        code, _, err = ctx.hyagent("validate", ctx.tmp / "wrong.river")
        assert code == 1 and part in err, f"{change}: {err}"
