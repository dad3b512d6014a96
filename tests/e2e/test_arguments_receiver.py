"""The arguments of otelcol.receiver.otlp: many receivers in one agent, each with and without an argument, and clients
that see the difference."""

import base64
import gzip
import json
import socket
import ssl
import threading
import time
import zlib

import grpc
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from lib import otlp_raw, river
from lib.arguments import indented, label_of
from lib.certs import Authority
from lib.context import e2e
from lib.net import free_port, http, wait_for
from lib.recorder import Recorder

SPAN = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "n"}
BODY = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}).encode()
JSON = {"Content-Type": "application/json"}
BASIC = "Basic " + base64.b64encode(b"someone:word").decode()


def answer(seen):
    return 200, {"Content-Type": "application/x-protobuf"}, b""


def post(port, path="/v1/traces", body=BODY, **headers):
    return http(f"http://127.0.0.1:{port}{path}", body, {**JSON, **headers}, timeout=5)[0]


def posts(status, *args, **headers):
    return lambda port, **_: post(port, *args, **headers) == status


def call(channel, metadata=(), spans=1, attribute_bytes=0):
    """The status code of a call."""
    export = channel.unary_unary(otlp_raw.METHODS["traces"])
    try:
        export(
            otlp_raw.traces(spans, attribute_bytes=attribute_bytes).SerializeToString(), timeout=5, metadata=metadata
        )
    except grpc.RpcError as e:
        return e.code()
    finally:
        channel.close()
    return grpc.StatusCode.OK


def calls(code, **how):
    return lambda port, **_: call(grpc.insecure_channel(f"127.0.0.1:{port}"), **how) == code


class Raw:
    """An HTTP/2 connection that says only what it is told to, and notes what comes."""

    def __init__(self, port, answers_pings=True):
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.answers_pings = answers_pings
        self.events, self.ended = [], None
        self.began = time.monotonic()
        self.h2.initiate_connection()
        self.send()
        threading.Thread(target=self.read, daemon=True).start()

    def send(self):
        self.socket.sendall(self.h2.data_to_send())

    def read(self):
        try:
            while data := self.socket.recv(65536):
                self.take(data)
        except OSError:
            pass
        self.ended = time.monotonic() - self.began

    def take(self, data):
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as e:
            self.events.append(e)  # after the server's good-bye the library takes nothing more; the connection stays
            return
        self.events += events
        out = self.h2.data_to_send()
        if self.answers_pings or not any(isinstance(e, h2.events.PingReceived) for e in events):
            self.socket.sendall(out)

    def has(self, kind):
        return any(isinstance(e, kind) for e in list(self.events))

    def open_call(self):
        fields = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", otlp_raw.METHODS["traces"])]
        self.h2.send_headers(1, [*fields, ("content-type", "application/grpc"), ("te", "trailers")])
        self.send()

    def pings(self, n, every):
        for i in range(n):
            if self.ended is not None:
                return
            try:
                self.h2.ping(i.to_bytes(8, "big"))
                self.send()
            except Exception:
                return
            time.sleep(every)

    def goes_away(self, seconds):
        """Whether the server asks this client to go, or goes, in that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.has((h2.events.ConnectionTerminated, h2.exceptions.ProtocolError)) or self.ended is not None:
                return True
            time.sleep(0.05)
        return False


def stays(seconds=2.5):
    return lambda port, **_: not Raw(port).goes_away(seconds)


def ends(seconds=2.5):
    return lambda port, **_: Raw(port).goes_away(seconds)


def closed(with_call, seconds=2.5):
    """The connection is gone, not only asked to."""

    def question(port, **_):
        raw = Raw(port)
        if with_call:
            raw.open_call()
        time.sleep(seconds)
        return raw.ended is not None

    return question


def no(question):
    return lambda port, **more: not question(port, **more)


def pinged(port, **_):
    raw = Raw(port)
    raw.open_call()
    time.sleep(2.5)
    return raw.has(h2.events.PingReceived)


def survives_pings(port, **_):
    """Five pings without a call, a second apart."""
    raw = Raw(port)
    raw.pings(5, 0.3)
    return not raw.goes_away(0.5)


def hangs_up_on_the_deaf(port, **_):
    raw = Raw(port, answers_pings=False)
    raw.open_call()
    time.sleep(3)
    return raw.ended is not None


def streams_at_once(port, **_):
    raw = Raw(port)
    wait_for(lambda: raw.has(h2.events.RemoteSettingsChanged), 3, "the server's settings")
    settings = [e for e in raw.events if isinstance(e, h2.events.RemoteSettingsChanged)]
    code = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
    return next(e.changed_settings[code].new_value for e in settings if code in e.changed_settings)


def tls(ca, folder, client=None, **versions):
    """Whether a client that trusts ca comes through, and why not."""

    def context():
        c = ssl.create_default_context(cafile=ca.cert)
        if client:
            c.load_cert_chain(client.cert, client.key)
        for name, version in versions.items():
            setattr(c, name, version)
        return c

    def question(port, **_):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
                with context().wrap_socket(s, server_hostname="127.0.0.1") as t:
                    t.sendall(
                        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                    )
                    return t.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False

    return question


def tls_call(ca, client=None):
    def question(port, **_):
        key, cert = (client.key.read_bytes(), client.cert.read_bytes()) if client else (None, None)
        how = grpc.ssl_channel_credentials(ca.cert.read_bytes(), key, cert)
        return call(grpc.secure_channel(f"127.0.0.1:{port}", how)) == grpc.StatusCode.OK

    return question


def block(name, *lines):
    return f"{name} {{\n" + "".join(f"  {line}\n" for line in lines) + "}"


def http_cases(ca, here, client):
    auth = "auth = otelcol.auth.basic.a.handler"
    files = f'cert_file = "{here.cert}"', f'key_file = "{here.key}"'
    old = {"maximum_version": ssl.TLSVersion.TLSv1_2}
    new = {"minimum_version": ssl.TLSVersion.TLSv1_3}
    big = BODY[:-1] + b" " * 2000 + b"}"
    zipped = {"Content-Encoding": "deflate"}
    return [
        ("endpoint", "", posts(200), "", posts(200)),
        ("traces_url_path", "", posts(404, "/own"), 'traces_url_path = "/own"', posts(200, "/own")),
        ("metrics_url_path", "", posts(404, "/own", b"{}"), 'metrics_url_path = "/own"', posts(200, "/own", b"{}")),
        ("logs_url_path", "", posts(404, "/own", b"{}"), 'logs_url_path = "/own"', posts(200, "/own", b"{}")),
        (
            *("max_request_body_size", "", posts(200, "/v1/traces", big)),
            *('max_request_body_size = "1KiB"', posts(413, "/v1/traces", big)),
        ),
        (
            *("compression_algorithms", "", posts(200, "/v1/traces", zlib.compress(BODY), **zipped)),
            'compression_algorithms = ["", "gzip"]',
            lambda port, **_: post(port, "/v1/traces", zlib.compress(BODY), **zipped) in (400, 415)
            and post(port, "/v1/traces", gzip.compress(BODY), **{"Content-Encoding": "gzip"}) == 200,
        ),
        (
            *("auth", "", posts(200)),
            *(auth, lambda port, **_: post(port) == 401 and post(port, Authorization=BASIC) == 200),
        ),
        ("tls.cert_file, tls.key_file", "", no(tls(ca, here)), block("tls", *files), tls(ca, here)),
        (
            *("tls.cert_pem, tls.key_pem", "", no(tls(ca, here))),
            block("tls", f"cert_pem = {river.string(here.pem)}", f"key_pem = {river.string(here.key_pem)}"),
            tls(ca, here),
        ),
        (
            *("tls.client_ca_file", block("tls", *files), tls(ca, here)),
            block("tls", *files, f'client_ca_file = "{ca.cert}"'),
            lambda port, **_: not tls(ca, here)(port) and tls(ca, here, client)(port),
        ),
        (
            *("tls.min_version", block("tls", *files), tls(ca, here, **old)),
            *(block("tls", *files, 'min_version = "1.3"'), no(tls(ca, here, **old))),
        ),
        (
            *("tls.max_version", block("tls", *files), tls(ca, here, **new)),
            *(block("tls", *files, 'max_version = "1.2"'), no(tls(ca, here, **new))),
        ),
    ]


def grpc_cases(ca, here, client):
    fine, too_large = grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED
    auth = "auth = otelcol.auth.basic.a.handler"
    files = f'cert_file = "{here.cert}"', f'key_file = "{here.key}"'

    def keepalive(*lines):
        return block("keepalive", *block("server_parameters", *lines).splitlines())

    def policy(*lines):
        return block("keepalive", *block("enforcement_policy", *lines).splitlines())

    permit, often = "permit_without_stream = true", 'min_time = "100ms"'
    return [
        ("endpoint", "", calls(fine), "", calls(fine)),
        (
            *("max_recv_msg_size", "", calls(fine, attribute_bytes=4000)),
            *('max_recv_msg_size = "1KiB"', calls(too_large, attribute_bytes=4000)),
        ),
        (
            *("max_concurrent_streams", "", lambda port, **_: streams_at_once(port) == 1024),
            *("max_concurrent_streams = 7", lambda port, **_: streams_at_once(port) == 7),
        ),
        (
            *("auth", "", calls(fine)),
            auth,
            lambda port, **_: calls(grpc.StatusCode.UNAUTHENTICATED)(port)
            and calls(fine, metadata=[("authorization", BASIC)])(port),
        ),
        ("tls.cert_file, tls.key_file", "", no(tls_call(ca)), block("tls", *files), tls_call(ca)),
        (
            *("tls.cert_pem, tls.key_pem", "", no(tls_call(ca))),
            block("tls", f"cert_pem = {river.string(here.pem)}", f"key_pem = {river.string(here.key_pem)}"),
            tls_call(ca),
        ),
        (
            *("tls.client_ca_file", block("tls", *files), tls_call(ca)),
            block("tls", *files, f'client_ca_file = "{ca.cert}"'),
            lambda port, **_: not tls_call(ca)(port) and tls_call(ca, client)(port),
        ),
        ("keepalive.server_parameters.max_connection_age", "", stays(), keepalive('max_connection_age = "1s"'), ends()),
        (
            "keepalive.server_parameters.max_connection_idle",
            "",
            stays(),
            keepalive('max_connection_idle = "1s"'),
            ends(),
        ),
        (
            *(
                "keepalive.server_parameters.max_connection_age_grace",
                keepalive('max_connection_age = "1s"'),
                no(closed(True)),
            ),
            keepalive('max_connection_age = "1s"', 'max_connection_age_grace = "300ms"'),
            closed(True),
        ),
        ("keepalive.server_parameters.time", "", no(pinged), keepalive('time = "1s"'), pinged),
        (
            *("keepalive.server_parameters.timeout", keepalive('time = "1s"'), no(hangs_up_on_the_deaf)),
            *(keepalive('time = "1s"', 'timeout = "500ms"'), hangs_up_on_the_deaf),
        ),
        (
            *("keepalive.enforcement_policy.min_time", policy(permit), no(survives_pings)),
            *(policy(permit, often), survives_pings),
        ),
        (
            *("keepalive.enforcement_policy.permit_without_stream", policy(often), no(survives_pings)),
            *(policy(often, permit), survives_pings),
        ),
    ]


def run(ctx, protocol, cases):
    ca = Authority(ctx.tmp / "ca")
    here, client = ca.issue("here", "IP:127.0.0.1"), ca.issue("client", "DNS:client")
    out = ctx.started(Recorder()).listen(reply=answer)
    text = 'otelcol.auth.basic "a" {\n  username = "someone"\n  password = "word"\n}\n'
    text += river.otlphttp_exporter(out.number)
    questions = []
    for about, *sides in cases(ca, here, client):
        for i, (options, expected) in enumerate(zip(sides[::2], sides[1::2])):
            port = free_port()
            text += (
                f'otelcol.receiver.otlp "{label_of(about, i)}" {{\n  {protocol} {{\n    endpoint = "127.0.0.1:{port}"\n'
                f"{indented(options)}  }}\n" + river.outputs(*["otelcol.exporter.otlphttp.out.input"] * 3) + "\n}\n"
            )
            questions.append((f"{about}, {'with it' if i else 'without it'}", expected, port))
    ctx.agent(text)
    wrong = []

    def ask(about, expected, port):
        try:
            if not expected(port):
                wrong.append(about)
        except Exception as e:
            wrong.append(f"{about}: {type(e).__name__} {e}")

    threads = [threading.Thread(target=ask, args=q) for q in questions]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, f"{len(wrong)} not as they should be: " + "; ".join(wrong)


@e2e(needs=["sdk"], timeout=90)
def test_http(ctx):
    run(ctx, "http", http_cases)


@e2e(needs=["sdk"], timeout=90)
def test_grpc(ctx):
    run(ctx, "grpc", grpc_cases)


@e2e(needs=["sdk"], timeout=90)
def test_include_metadata(ctx):
    """Only then can an attribute be taken from a request's headers."""
    recorder = ctx.started(Recorder())
    text, sent = "", []
    for protocol in ("http", "grpc"):
        for include in ("false", "true"):
            label, port, out = f"{protocol}_{include}", free_port(), recorder.listen(reply=answer)
            text += (
                f'otelcol.receiver.otlp "{label}" {{\n  {protocol} {{\n    endpoint = "127.0.0.1:{port}"\n'
                f"    include_metadata = {include}\n  }}\n"
                + river.outputs(traces=f"otelcol.processor.attributes.{label}.input")
                + f'\n}}\notelcol.processor.attributes "{label}" {{\n  action {{\n    key = "row"\n    action = "insert"\n'
                '    from_context = "metadata.x-row"\n  }\n'
                + river.outputs(traces=f"otelcol.exporter.otlphttp.{label}.input")
                + "\n}\n"
                + river.otlphttp_exporter(out.number, label, compression="none")
            )
            sent.append((label, protocol, port, out, include == "true"))
    ctx.agent(text)
    for label, protocol, port, out, is_included in sent:
        if protocol == "http":
            assert post(port, **{"X-Row": "from-the-request"}) == 200
        else:
            metadata = [("x-row", "from-the-request")]
            assert call(grpc.insecure_channel(f"127.0.0.1:{port}"), metadata=metadata) == grpc.StatusCode.OK
        wait_for(lambda: out.seen, 5, f"{label} at the exporter")
        assert out.any(lambda s: b"from-the-request" in s.body) == is_included, label
        assert not out.any(lambda s: s.header("x-row")), "the client's own headers are not the exporter's"


SIGNALS = {
    "traces": BODY,
    "metrics": json.dumps(
        {
            "resourceMetrics": [
                {"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [{"asInt": "1"}]}}]}]}
            ]
        }
    ).encode(),
    "logs": json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "b"}}]}]}]}).encode(),
}
BEHIND = {
    "otelcol.receiver.otlp": None,
    "otelcol.processor.batch": 'timeout = "100ms"',
    "otelcol.processor.memory_limiter": 'check_interval = "1s"\n  limit = "1GiB"',
    "otelcol.processor.attributes": 'action {\n    key = "row"\n    value = "v"\n    action = "insert"\n  }',
}


@e2e(timeout=90)
def test_output(ctx):
    """Each signal goes where output says, of a receiver and of the processors; what output does not name goes nowhere."""
    recorder = ctx.started(Recorder())
    text, ways = "", []
    for component, options in BEHIND.items():
        for signal in SIGNALS:
            label, port, out = f"{component.rsplit('.', 1)[1]}_{signal}", free_port(), recorder.listen(reply=answer)
            end = f"otelcol.exporter.otlphttp.{label}.input"
            first = f"{component}.{label}.input" if options else end
            only = {signal: first}
            text += (
                f'otelcol.receiver.otlp "{label}" {{\n  http {{\n    endpoint = "127.0.0.1:{port}"\n  }}\n'
                + (river.outputs(first, first, first) if options else river.outputs(**only))
                + "\n}\n"
            )
            if options:
                text += f'{component} "{label}" {{\n  {options}\n{river.outputs(**{signal: end})}\n}}\n'
            text += river.otlphttp_exporter(out.number, label)
            ways.append((label, signal, port, out))
    ctx.agent(text)
    for label, signal, port, out in ways:
        for other, body in SIGNALS.items():
            post(port, f"/v1/{other}", body)
    for label, signal, port, out in ways:
        wait_for(lambda: out.any(lambda s: s.target == f"/v1/{signal}"), 10, f"{label} arrives")
    time.sleep(0.5)
    for label, signal, port, out in ways:
        assert {s.target for s in out.seen} == {f"/v1/{signal}"}, f"{label}: {out.seen}"


@e2e(timeout=60)
def test_http_block_pem(ctx):
    """The agent's own http block with certificates as texts: who is trusted, and who must show a certificate."""
    ca, stranger = Authority(ctx.tmp / "ca"), Authority(ctx.tmp / "stranger", "another authority")
    here, client = ca.issue("here", "IP:127.0.0.1"), ca.issue("client", "DNS:client")
    other = stranger.issue("other", "DNS:other")
    pems = f"cert_pem = {river.string(here.pem)}\n    key_pem = {river.string(here.key_pem)}"
    asks = f'client_ca_pem = {river.string(ca.pem)}\n    client_auth_type = "RequireAndVerifyClientCert"'

    def answers(agent, identity=None):
        context = ssl.create_default_context(cafile=ca.cert)
        if identity:
            context.load_cert_chain(identity.cert, identity.key)
        try:
            with socket.create_connection(("127.0.0.1", agent.port), timeout=5) as s:
                with context.wrap_socket(s, server_hostname="127.0.0.1") as t:
                    t.sendall(b"GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    return t.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False

    agent = ctx.agent(f"http {{\n  tls {{\n    {pems}\n  }}\n}}\n", ready=False)
    wait_for(lambda: answers(agent), 10, "the certificate is trusted")
    agent = ctx.agent(f"http {{\n  tls {{\n    {pems}\n    {asks}\n  }}\n}}\n", ready=False, name="asks")
    wait_for(lambda: answers(agent, client), 10, "a client with a certificate is answered")
    assert not answers(agent) and not answers(agent, other), "nobody else is"
