"""The arguments every HTTP client of a component has (Prometheus' common HTTP client configuration), each of them tried
in each component that has them. tests/conformance/table.tsv names these tests."""

import base64

from lib import river
from lib.arguments import (
    Case,
    Side,
    World,
    connected_with,
    header,
    indented,
    not_through_environment,
    past_proxy,
    reached,
    run,
    spoke,
    through_environment,
    through_proxy,
    tls_cases,
    tls_version_cases,
)
from lib.context import e2e
from lib.recorder import Recorder

ID = "0123456789abcdef" * 4


def answer(seen):
    """What each kind of client is content with."""
    path = seen.target.split("?")[0]
    if path.endswith("/token"):
        return 200, {"Content-Type": "application/json"}, b'{"access_token":"given","token_type":"bearer"}'
    if seen.method == "POST":
        return 204, {}, b""
    if path.endswith("/version"):
        return 200, {"Content-Type": "application/json"}, b'{"ApiVersion":"1.43","MinAPIVersion":"1.12"}'
    if path.endswith(("/containers/json", "/networks", "/sd")):
        return 200, {"Content-Type": "application/json"}, b"[]"
    if path.endswith("/metrics"):
        return 200, {"Content-Type": "text/plain"}, b"a 1\n"
    return 404, {}, b"{}"


def redirect(seen):
    if "/moved" in seen.target:
        return answer(seen)
    return 307, {"Location": "/moved" + seen.target}, b""


def moved(port, **_):
    return port.any(lambda s: s.target.startswith("/moved"))


def stayed(port, **_):
    return bool(port.seen) and not moved(port)


def basic(user, password):
    return header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


def authorization(text):
    return header("Authorization", text)


def form(part):
    return lambda port, **_: port.any(lambda s: s.target.endswith("/token") and part in s.body)


def oauth2_cases(w):
    """The component's own server is the token endpoint as well: without a token nothing else is asked for."""
    secret = w.file("client-secret", "filed-secret\n")
    base = 'client_id = "i"', 'client_secret = "s"'

    def side(*lines, then, given=base, scheme="http", **how):
        body = [*given, f'token_url = "{scheme}://TARGET/token"', *lines]
        return Side("oauth2 {\n" + "\n".join("  " + line for line in body) + "\n}", *then, **how)

    def of_tls(case):
        sides = [side(*s.options.splitlines(), then=s.expected, scheme="https") for s in case.sides]
        return Case("oauth2." + case.about, *sides, kind=case.kind)

    plain = side(then=[authorization("Bearer given"), basic("i", "s"), form(b"grant_type=client_credentials")])
    return [
        Case("oauth2.client_id, client_secret, token_url", Side("", authorization("")), plain),
        Case(
            "oauth2.client_secret_file",
            plain,
            side(
                given=['client_id = "i"', f'client_secret_file = "{secret}"'],
                then=[basic("i", "filed-secret"), authorization("Bearer given")],
            ),
        ),
        Case("oauth2.scopes", plain, side('scopes = ["a", "b"]', then=[form(b"scope=a%20b")])),
        Case("oauth2.endpoint_params", plain, side('endpoint_params = {"more" = "x"}', then=[form(b"more=x")])),
        Case("oauth2.proxy_url", plain, side('proxy_url = "PROXY"', then=[through_proxy], proxy=True)),
        Case(
            "oauth2.no_proxy",
            side('proxy_url = "PROXY"', then=[through_proxy], proxy=True),
            side('proxy_url = "PROXY"', 'no_proxy = "127.0.0.1"', then=[past_proxy], proxy=True),
        ),
        Case(
            "oauth2.proxy_from_environment",
            side(then=[not_through_environment], host="away.test"),
            side("proxy_from_environment = true", then=[through_environment], host="away.test"),
        ),
        Case(
            "oauth2.proxy_connect_header",
            side('proxy_url = "PROXY"', then=[connected_with("X-Row", "")], scheme="https", proxy=True),
            side(
                *('proxy_url = "PROXY"', 'proxy_connect_header = {"X-Row" = ["two"]}'),
                then=[connected_with("X-Row", "two"), through_proxy],
                scheme="https",
                proxy=True,
            ),
            kind="HTTP/1.1 over TLS",
        ),
        *map(of_tls, [*tls_cases(w, "tls_config"), *tls_version_cases(w, "tls_config", "TLS13")]),
    ]


def http_cases(w):
    plain = Side("", authorization(""))
    password = w.file("password", "filed-password\n")
    credentials = w.file("credentials", "filed-credentials")
    token = w.file("token", "filed-token")
    ca = f'tls_config {{\n  ca_file = "{w.ca.cert}"\n}}\n'
    return [
        Case(
            "basic_auth.password", plain, Side('basic_auth {\n  username = "u"\n  password = "p"\n}', basic("u", "p"))
        ),
        Case(
            "basic_auth.password_file",
            plain,
            Side(f'basic_auth {{\n  username = "u"\n  password_file = "{password}"\n}}', basic("u", "filed-password")),
        ),
        Case(
            "authorization.credentials",
            plain,
            Side('authorization {\n  credentials = "c"\n}', authorization("Bearer c")),
        ),
        Case(
            "authorization.type",
            plain,
            Side('authorization {\n  type = "Token"\n  credentials = "c"\n}', authorization("Token c")),
        ),
        Case(
            "authorization.credentials_file",
            plain,
            Side(
                f'authorization {{\n  credentials_file = "{credentials}"\n}}', authorization("Bearer filed-credentials")
            ),
        ),
        Case("bearer_token", plain, Side('bearer_token = "b"', authorization("Bearer b"))),
        Case("bearer_token_file", plain, Side(f'bearer_token_file = "{token}"', authorization("Bearer filed-token"))),
        Case(
            "http_headers",
            Side("", header("X-Row", "")),
            Side('http_headers = {"X-Row" = ["one"]}', header("X-Row", "one")),
        ),
        Case("follow_redirects", Side("", moved), Side("follow_redirects = false", stayed), reply=redirect),
        Case("proxy_url", Side("", reached), Side('proxy_url = "PROXY"', through_proxy, proxy=True)),
        Case(
            "no_proxy",
            Side('proxy_url = "PROXY"', through_proxy, proxy=True),
            Side('proxy_url = "PROXY"\nno_proxy = "127.0.0.1"', past_proxy, proxy=True),
        ),
        Case(
            "proxy_from_environment",
            Side("", not_through_environment, host="away.test"),
            Side("proxy_from_environment = true", through_environment, host="away.test"),
        ),
        Case(
            "proxy_connect_header",
            Side('proxy_url = "PROXY"', connected_with("X-Row", ""), proxy=True),
            Side(
                'proxy_url = "PROXY"\nproxy_connect_header = {"X-Row" = ["two"]}',
                *(connected_with("X-Row", "two"), through_proxy),
                proxy=True,
            ),
            kind="HTTP/1.1 over TLS",
        ),
        Case(
            "enable_http2",
            Side(ca + "enable_http2 = false", spoke("http/1.1")),
            Side(ca + "enable_http2 = true", spoke("h2")),
            kind="TLS",
        ),
        *tls_cases(w, "tls_config"),
        *tls_version_cases(w, "tls_config", "TLS13"),
        *oauth2_cases(w),
    ]


def try_all(ctx, component, common=""):
    w = World(ctx, answer)
    run(ctx, w, http_cases(w), component, common)


@e2e(timeout=90)
def test_loki_write(ctx):
    log = ctx.tmp / "app.log"
    log.write_text("one\n")

    def component(label, url, options, _):
        return (
            f'loki.write "{label}" {{\n  endpoint {{\n    url = "{url}/push"\n    batch_wait = "50ms"\n'
            f'    min_backoff_period = "100ms"\n    max_backoff_period = "300ms"\n{indented(options)}  }}\n}}\n'
        )

    def source(labels):
        to = ", ".join(f"loki.write.{label}.receiver" for label in labels)
        return f'loki.source.file "f" {{\n  targets = [{{"__path__" = "{log}"}}]\n  forward_to = [{to}]\n}}\n'

    try_all(ctx, component, source)


@e2e(timeout=90)
def test_prometheus_remote_write(ctx):
    target = ctx.started(Recorder()).listen(reply=answer)

    def component(label, url, options, _):
        return (
            f'prometheus.remote_write "{label}" {{\n  endpoint {{\n    url = "{url}/push"\n{indented(options)}'
            '    queue_config {\n      batch_send_deadline = "50ms"\n      max_backoff = "300ms"\n    }\n  }\n}\n'
        )

    def source(labels):
        to = ", ".join(f"prometheus.remote_write.{label}.receiver" for label in labels)
        return river.scrape([{"__address__": f"127.0.0.1:{target.number}"}], to)

    try_all(ctx, component, source)


@e2e(timeout=90)
def test_prometheus_scrape(ctx):
    def component(label, url, options, _):
        scheme, address = url.split("://")
        one = [{"__address__": address, "__scheme__": scheme}]
        how = {"interval": "3s", "timeout": "2900ms"}
        return river.scrape(one, "prometheus.echo.e.receiver", name=label, more=indented(options, 2), **how)

    try_all(ctx, component, 'prometheus.echo "e" { }\n')


@e2e(timeout=90)
def test_discovery_docker(ctx):
    def component(label, url, options, _):
        return f'discovery.docker "{label}" {{\n  host = "{url}"\n  refresh_interval = "3s"\n{indented(options, 2)}}}\n'

    try_all(ctx, component)


@e2e(timeout=90)
def test_loki_source_docker(ctx):
    def component(label, url, options, _):
        return (
            f'loki.source.docker "{label}" {{\n  host = "{url}"\n  refresh_interval = "1s"\n  forward_to = '
            f'[loki.echo.e.receiver]\n  targets = [{{"__meta_docker_container_id" = "{ID}"}}]\n'
            f"  http_client_config {{\n{indented(options)}  }}\n}}\n"
        )

    try_all(ctx, component, 'loki.echo "e" { }\n')


@e2e(timeout=90)
def test_discovery_http(ctx):
    def component(label, url, options, _):
        return f'discovery.http "{label}" {{\n  url = "{url}/sd"\n  refresh_interval = "3s"\n{indented(options, 2)}}}\n'

    try_all(ctx, component)


def polled(name):
    def component(label, url, options, _):
        return (
            f'{name} "{label}" {{\n  url = "{url}/metrics"\n  poll_frequency = "4s"\n  poll_timeout = "3s"\n'
            f"  client {{\n{indented(options)}  }}\n}}\n"
        )

    return component


@e2e(timeout=90)
def test_remote_http(ctx):
    try_all(ctx, polled("remote.http"))


@e2e(timeout=90)
def test_import_http(ctx):
    try_all(ctx, polled("import.http"))
