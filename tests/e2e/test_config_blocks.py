"""The blocks that set up the agent itself: logging (write_to), http (TLS, passwords), tracing, livedebugging."""

import base64
import json
import os
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request

from lib import river
from lib.certs import Authority
from lib.context import e2e
from lib.net import free_port, wait_for
from lib.plan import status


def own_lines(sink):
    """What came with Alloy's label for the own log, in order of arrival."""
    with sink.store_lock:
        return [e.line for (_, labels), es in sink.streams.items() if ("component", "alloy") in labels for e in es]


def ask(port, path, scheme="https", context=None, user=None, password=None, timeout=5):
    """(status, headers, body); 0 when the connection or its handshake fails."""
    request = urllib.request.Request(f"{scheme}://127.0.0.1:{port}{path}")
    if user is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    handlers = [urllib.request.ProxyHandler({})]
    if scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as r:
            return r.status, r.headers, r.read()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.headers, e.read()
    except (OSError, urllib.error.URLError):
        return 0, {}, b""


def trusting(authority, client=None, **limits):
    context = ssl.create_default_context(cafile=authority.cert)
    if client:
        context.load_cert_chain(client.cert, client.key)
    for name, value in limits.items():
        setattr(context, name, value)
    return context


def tls_block(cert, more=""):
    return f'http {{\n  tls {{\n    cert_file = "{cert.cert}"\n    key_file = "{cert.key}"\n{more}\n  }}\n}}\n'


# -- logging --------------------------------------------------------------------------------------------------------


@e2e(timeout=40)
def test_own_log_lines_become_entries(ctx):
    """From the first line on, also those logged before the graph ran; the label and the line's form are Alloy's."""
    sink = ctx.loki()
    agent = ctx.agent("logging {\n  write_to = [loki.write.out.receiver]\n}\n" + river.loki_write(sink.url))
    wait_for(lambda: any("configuration loaded" in x for x in own_lines(sink)), 10, "the line of the first load")
    lines = own_lines(sink)
    assert any("admin server listens" in x for x in lines), f"lines from before the graph ran are kept: {lines}"
    for x in lines:
        assert x.startswith("ts=") and " level=" in x and not x.endswith("\n"), x
        assert lines.count(x) == 1, f"twice: {x}"
    logged = [x for x in agent.stderr().splitlines() if x.startswith("ts=")]
    assert [x for x in logged if x in lines] == lines, "in the order they were logged, word for word"
    agent.assert_balanced()
    assert agent.ledger().component("logging", "created") >= len(lines)


@e2e(timeout=40)
def test_write_to_format_and_level_change_while_running(ctx):
    first, second = ctx.loki(), ctx.loki()
    both = river.loki_write(first.url, "a") + river.loki_write(second.url, "b")
    agent = ctx.agent(both)
    time.sleep(0.3)
    assert not own_lines(first), "without write_to nothing is sent"
    agent.reload('logging {\n  format = "json"\n  write_to = [loki.write.a.receiver]\n}\n' + both)
    wait_for(lambda: own_lines(first), 10, "a line at the first destination")
    assert all(json.loads(x)["level"] for x in own_lines(first)), "in the configured form"
    assert not any("admin server listens" in x for x in own_lines(first)), "what was before write_to stays where it was"
    before = len(own_lines(first))
    agent.reload('logging {\n  level = "error"\n  write_to = [loki.write.b.receiver]\n}\n' + both)
    agent.reload("loki.write {", expect=400)
    wait_for(lambda: any("failed" in x for x in own_lines(second)), 10, "the error at the second destination")
    assert all("level=error" in x for x in own_lines(second)), own_lines(second)
    assert len(own_lines(first)) <= before + 1, "the first destination is left alone (a reload says so once)"
    agent.reload(both)
    count = len(own_lines(second))
    agent.reload(both)
    time.sleep(0.6)
    assert len(own_lines(second)) == count, "the block is gone"
    agent.assert_balanced()


@e2e(timeout=40)
def test_a_destination_that_refuses_does_not_log_itself_for_ever(ctx):
    """Every refusal is logged by the component that was refused: its own lines must not come back to it."""
    sink = ctx.loki()
    sink.plan.always(status(400, "entry is wrong"))
    agent = ctx.agent(
        'logging {\n  level = "debug"\n  write_to = [loki.process.p.receiver]\n}\n'
        'loki.process "p" {\n  forward_to = [loki.write.out.receiver]\n}\n' + river.loki_write(sink.url, wait="100ms")
    )
    wait_for(lambda: "component_id=loki.write.out" in agent.stderr(), 10, "the refusal is logged")
    time.sleep(1)
    before = len(sink.requests)
    time.sleep(2.5)
    assert len(sink.requests) == before, "requests go on although nothing else is logged"
    m = agent.metrics()
    assert m.sum("hyagent_log_lines_dropped_total", reason="own_receiver") >= 1
    assert "component_id=loki.write.out" not in "".join(own_lines(sink))
    agent.assert_balanced()


# -- http: TLS --------------------------------------------------------------------------------------------------------


@e2e(timeout=60)
def test_tls_comes_and_goes_with_a_reload(ctx):
    """Nothing in flight is lost: a live stream and slow readers on the old side end well, new connections get the new."""
    ca = Authority(ctx.tmp / "ca")
    cert = ca.issue("admin", "IP:127.0.0.1")
    echo = 'livedebugging {\n  enabled = true\n}\nloki.echo "e" { }\n'
    agent = ctx.agent(echo)
    port = agent.port
    slow = socket.create_connection(("127.0.0.1", port), timeout=5)
    slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConn")  # in the middle of a request
    stream = socket.create_connection(("127.0.0.1", port), timeout=15)
    stream.sendall(b"GET /api/v0/web/debug/loki.echo.e HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 200 " in stream.recv(4096)
    status_, text = agent.reload(echo + tls_block(cert))
    assert "config reloaded" in text
    slow.sendall(b"ection: close\r\n\r\n")
    answer = b""
    while piece := slow.recv(65536):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 200") and b"hyagent_build_info" in answer, answer[:200]
    while stream.recv(65536):
        pass  # ends
    context = trusting(ca)
    assert ask(port, "/-/ready", context=context)[0] == 200
    assert ask(port, "/-/ready", scheme="http")[0] == 0, "plain HTTP is over"
    assert ctx.hyagent("healthcheck", f"--address=https://127.0.0.1:{port}")[0] == 0
    assert ctx.hyagent("healthcheck", f"--address=127.0.0.1:{port}")[0] == 1
    agent.config.write_text(echo)
    code, _, body = ask(port, "/-/reload", context=context)
    assert code == 200, body
    wait_for(lambda: ask(port, "/-/ready", scheme="http")[0] == 200, 5, "plain HTTP is back")
    assert ask(port, "/-/ready", context=context)[0] == 0


@e2e(timeout=60)
def test_no_request_fails_while_tls_is_switched_back_and_forth(ctx):
    ca = Authority(ctx.tmp / "ca")
    cert = ca.issue("admin", "IP:127.0.0.1")
    agent = ctx.agent(tls_block(cert), ready=False)
    context = trusting(ca)
    wait_for(lambda: ask(agent.port, "/-/ready", context=context)[0] == 200, 15, "ready over TLS")
    wrong, n, over = [], [0], threading.Event()

    def go_on():
        while not over.is_set():
            code = ask(agent.port, "/-/ready", context=context)[0]
            n[0] += 1
            if code != 200:
                wrong.append(code)

    thread = threading.Thread(target=go_on)
    thread.start()
    for i in range(8):  # each makes a new server: other settings
        agent.config.write_text(tls_block(cert, 'min_version = "TLS13"' if i % 2 else ""))
        assert ask(agent.port, "/-/reload", context=context)[0] == 200
    over.set()
    thread.join()
    assert n[0] > 8 and not wrong, f"{len(wrong)} of {n[0]} failed: {wrong[:5]}"
    agent.stop()


@e2e(timeout=90)
def test_certificate_is_read_again(ctx):
    """P-H10: within 60 s; here within its check every 10 s."""
    ca = Authority(ctx.tmp / "ca")
    cert, other = ca.issue("admin", "IP:127.0.0.1"), ca.issue("next", "IP:127.0.0.1")
    agent = ctx.agent(tls_block(cert), ready=False)
    context = trusting(ca)
    wait_for(lambda: ask(agent.port, "/-/ready", context=context)[0] == 200, 15, "ready over TLS")

    def name():
        with socket.create_connection(("127.0.0.1", agent.port), timeout=5) as s:
            with context.wrap_socket(s, server_hostname="127.0.0.1") as t:
                return dict(x[0] for x in t.getpeercert()["subject"])["commonName"]

    assert name() == "admin"
    os.replace(other.key, cert.key)
    os.replace(other.cert, cert.cert)
    wait_for(lambda: name() == "next", 30, "the new certificate is shown", interval=0.5)
    agent.stop()


CLIENTS = [  # client_auth_type, with a CA?, (none, a stranger's, a good one's status)
    ("NoClientCert", False, (200, 200, 200)),
    ("RequestClientCert", False, (200, 200, 200)),
    ("RequireAnyClientCert", False, (403, 200, 200)),
    ("VerifyClientCertIfGiven", True, (200, 403, 200)),
    ("RequireAndVerifyClientCert", True, (403, 403, 200)),
]


@e2e(timeout=90)
def test_client_certificates(ctx):
    ca, strange = Authority(ctx.tmp / "ca"), Authority(ctx.tmp / "strange", "another authority")
    cert = ca.issue("admin", "IP:127.0.0.1")
    clients = [None, strange.issue("stranger", "DNS:s"), ca.issue("friend", "DNS:f")]
    agent = ctx.agent("", ready=True)
    for auth, with_ca, want in CLIENTS:
        more = f'client_auth_type = "{auth}"\n' + (f'client_ca_file = "{ca.cert}"' if with_ca else "")
        agent.hup(tls_block(cert, more))
        friend = trusting(ca, clients[2])
        wait_for(lambda: f"configuration loaded" in agent.stderr() and ask(agent.port, "/-/ready", context=friend)[0] == 200, 10, auth)
        wait_for(
            lambda: tuple(ask(agent.port, "/-/ready", context=trusting(ca, c))[0] for c in clients) == want,
            5,
            f"{auth}: (no certificate, a stranger's, a good one) gives {want}",
        )
        agent.hup("")
        wait_for(lambda: ask(agent.port, "/-/ready", scheme="http")[0] == 200, 10, "plain again")


@e2e(timeout=60)
def test_versions_ciphers_and_curves(ctx):
    ca = Authority(ctx.tmp / "ca")
    cert = ca.issue("admin", "IP:127.0.0.1")  # an ECDSA key
    agent = ctx.agent("")

    def negotiated(**limits):
        """(version, cipher) or None."""
        context = trusting(ca)
        if "ciphers" in limits:
            context.set_ciphers(limits.pop("ciphers"))
        if "curve" in limits:
            context.set_ecdh_curve(limits.pop("curve"))
        for k, v in limits.items():
            setattr(context, k, v)
        try:
            with socket.create_connection(("127.0.0.1", agent.port), timeout=5) as s:
                with context.wrap_socket(s, server_hostname="127.0.0.1") as t:
                    return t.version(), t.cipher()[0]
        except OSError:
            return None

    v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    one = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    rows = [
        ("", {}, "TLSv1.3"),
        ("", {"maximum_version": v12}, "TLSv1.2"),
        ('min_version = "TLS13"', {"maximum_version": v12}, None),
        ('max_version = "TLS12"', {}, "TLSv1.2"),
        ('max_version = "TLS12"', {"minimum_version": v13}, None),
        (f'max_version = "TLS12"\ncipher_suites = ["{one}"]', {}, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (f'max_version = "TLS12"\ncipher_suites = ["{one}"]', {"ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"}, None),
        ('curve_preferences = ["CurveP384"]', {"curve": "secp384r1"}, "TLSv1.3"),
        ('curve_preferences = ["CurveP384"]', {"curve": "prime256v1"}, None),
    ]
    for more, limits, want in rows:
        agent.hup(tls_block(cert, more))
        # every setting lets some client in: the last of its rows or the default
        def right():
            got = negotiated(**limits)
            if want is None:  # refused, but not for want of a server
                return got is None and negotiated() is not None
            return got is not None and want in got

        wait_for(right, 5, f"{more or 'defaults'} with {limits}: {want}")
        agent.hup("")
        wait_for(lambda: ask(agent.port, "/-/ready", scheme="http")[0] == 200, 10, "plain again")


@e2e(timeout=40)
def test_a_certificate_that_cannot_be_had_closes_the_server(ctx):
    """At the first load: probes only, nothing stands open. Later: the old settings go on."""
    ca = Authority(ctx.tmp / "ca")
    cert = ca.issue("admin", "IP:127.0.0.1")
    gone = 'http {\n  tls {\n    cert_file = "/nowhere/a.pem"\n    key_file = "/nowhere/a.key"\n  }\n}\n'
    agent = ctx.agent(gone)
    assert ask(agent.port, "/metrics", scheme="http")[0] == 503
    code, _, body = ask(agent.port, "/", scheme="http")
    assert code == 503 and b"/nowhere/a.pem" in body, body
    code, _, body = ask(agent.port, "/-/healthy", scheme="http")
    assert code == 500 and b"http" in body
    agent.hup(tls_block(cert))
    context = trusting(ca)
    wait_for(lambda: ask(agent.port, "/metrics", context=context)[0] == 200, 10, "mended by a reload")
    agent.hup(gone)
    wait_for(lambda: ask(agent.port, "/-/healthy", context=context)[0] == 500, 10, "the failure is told")
    assert ask(agent.port, "/metrics", context=context)[0] == 200, "the old certificate goes on"
    agent.stop()


# -- http: passwords --------------------------------------------------------------------------------------------------

FILTERS = [  # filter block, path, is a password asked for? As Alloy's service has it
    ("", "/metrics", True),
    ("", "/-/ready", True),
    ('filter {\n paths = ["/metrics"]\n}', "/metrics", True),
    ('filter {\n paths = ["/metrics"]\n}', "/-/ready", False),
    ('filter {\n paths = ["/-/"]\n}', "/-/healthy", True),
    ('filter {\n paths = ["/-/"]\n authenticate_matching_paths = false\n}', "/-/ready", False),
    ('filter {\n paths = ["/-/"]\n authenticate_matching_paths = false\n}', "/metrics", True),
    ('filter {\n paths = ["/-/"]\n authenticate_matching_paths = false\n}', "/api/v0/web/components", True),
    ("filter {\n authenticate_matching_paths = false\n}", "/metrics", True),
    ("filter { }", "/metrics", False),
]


@e2e(timeout=60)
def test_passwords(ctx):
    agent = ctx.agent("")
    for block, path, is_asked in FILTERS:
        agent.hup(
            f'http {{\n  auth {{\n    basic {{\n      username = "me"\n      password = "öpen: sesame"\n    }}\n{block}\n  }}\n}}\n'
        )
        count = agent.stderr().count("configuration loaded")
        wait_for(lambda: agent.stderr().count("configuration loaded") >= count, 5, "loaded")
        want = 401 if is_asked else 200
        wait_for(lambda: ask(agent.port, path, scheme="http")[0] == want, 5, f"{block} {path} without: {want}")
        assert ask(agent.port, path, scheme="http", user="me", password="öpen: sesame")[0] == 200, (block, path)
        for user, password in (("me", "wrong"), ("you", "öpen: sesame"), ("me", ""), ("", ""), ("me", "öpen: sesamee")):
            assert ask(agent.port, path, scheme="http", user=user, password=password)[0] == want, (block, path, user)
        if is_asked:
            _, headers, _ = ask(agent.port, path, scheme="http")
            assert headers["WWW-Authenticate"].startswith("Basic realm="), dict(headers)
        agent.hup("")
        wait_for(lambda: ask(agent.port, path, scheme="http")[0] == 200, 5, "open again without the block")
    assert "sesame" not in agent.stderr()


# -- what is refused, warned of or without effect ---------------------------------------------------------------------

REFUSED = [
    ('http {\n tls {\n  cert_file = "a"\n }\n}\n', "without its key"),
    ('http {\n tls {\n  key_file = "a"\n }\n}\n', "without its certificate"),
    ("http {\n tls { }\n}\n", "needs cert_file and key_file"),
    ('http {\n tls {\n  cert_file = "a"\n  cert_pem = "a"\n  key_file = "k"\n }\n}\n', "at most one of cert_file"),
    ('http {\n tls {\n  cert_file = "a"\n  key_file = "k"\n  client_ca_file = "c"\n }\n}\n', "NoClientCert"),
    ('http {\n tls {\n  cert_file = "a"\n  key_file = "k"\n  min_version = "TLS14"\n }\n}\n', "TLS13"),
    ('http {\n tls {\n  cert_file = "a"\n  key_file = "k"\n  cipher_suites = ["TLS_RC4"]\n }\n}\n', "TLS_RC4"),
    (
        'http {\n tls {\n  cert_file = "a"\n  key_file = "k"\n  cipher_suites = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",'
        ' "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]\n }\n}\n',
        "cannot be chosen apart",
    ),
    ("http {\n tls {\n  windows_certificate_filter {\n   server { }\n  }\n }\n}\n", "windows_certificate_filter"),
    ('http {\n auth {\n  basic {\n   username = "u"\n  }\n }\n}\n', "password"),
    ('remotecfg {\n url = "http://127.0.0.1:1"\n}\n', "remotecfg"),
    ("tracing {\n sampling_fraction = 2\n}\n", "sampling_fraction"),
    ("livedebugging {\n enabled = 3\n}\n", "enabled"),
    ('logging {\n level = "loud"\n}\n', "loud"),
]


@e2e(timeout=60)
def test_refused_by_name(ctx):
    for text, want in REFUSED:
        file = ctx.tmp / "c.river"
        file.write_text(text)
        code, out, err = ctx.hyagent("validate", file)
        assert code == 1, (text, out, err)
        assert want in out + err, (text, want, out + err)


@e2e()
def test_tracing_is_accepted_and_says_that_it_has_no_effect(ctx):
    text = (
        "tracing {\n  sampling_fraction = 0.5\n  write_to = [otelcol.exporter.otlp.out.input]\n  sampler {\n"
        '    jaeger_remote {\n      url = "http://127.0.0.1:1/s"\n      max_operations = 10\n      refresh_interval = "5s"\n'
        "    }\n  }\n}\n" + river.otlp_exporter(free_port())
    )
    agent = ctx.agent(text)
    wait_for(lambda: "the tracing block has no effect" in agent.stderr(), 5, "a warning in the log")
    file = ctx.tmp / "c.river"
    file.write_text(text)
    code, out, err = ctx.hyagent("validate", file)
    assert code == 0 and "no effect" in out + err, (code, out, err)
