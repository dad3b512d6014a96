"""Tries arguments: the same component twice, without and with an argument, each against servers of its own, and what
these saw of both. A table of cases goes through one agent."""

import os
import ssl
import threading
import time

from . import river
from .certs import Authority
from .net import wait_for
from .recorder import Recorder


def refuse(seen):
    return 502, {}, b""


def silence(seen):
    return None


class World:
    """Servers of every kind a case may want, and the certificates."""

    def __init__(self, ctx, answer):
        self.recorder = ctx.started(Recorder())
        self.answer = answer
        self.ca = Authority(ctx.tmp / "ca")
        self.stranger = Authority(ctx.tmp / "stranger", "another authority")
        here = self.ca.issue("here", "IP:127.0.0.1")
        self.client = self.ca.issue("client-one", "DNS:client")
        other = self.ca.issue("other", "DNS:row.test")
        both, two = ("h2", "http/1.1"), ssl.TLSVersion.TLSv1_2
        self.tls = {
            "plain": None,
            "TLS": here.server(alpn=both),
            "HTTP/1.1 over TLS": here.server(),
            "other name": other.server(alpn=both),
            "asks for a certificate": here.server(client_ca=self.ca.cert, alpn=both),
            "TLS 1.2 at most": here.server(max_version=two, alpn=both),
            "TLS 1.3 at least": here.server(min_version=ssl.TLSVersion.TLSv1_3, alpn=both),
        }
        self.environment_proxy = self.listen("plain", refuse)
        self.folder = ctx.tmp

    def listen(self, kind, reply=None):
        return self.recorder.listen(self.tls[kind], reply or self.answer)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


class Side:
    """One of the two components of a case: its options (in the client's block), and what is to be seen because of them.
    outer: options of the component itself. before: River text this side needs beside its component. In all three PROXY,
    TARGET and LABEL are the proxy's URL (proxy: there is one), the server's address and the component's label."""

    def __init__(self, options, *expected, outer="", before="", host="127.0.0.1", proxy=False, path=""):
        self.options, self.expected, self.outer, self.before = options, expected, outer, before
        self.host, self.proxy, self.path = host, proxy, path


class Case:
    """is_deaf: the server answers no pings."""

    def __init__(self, about, *sides, kind="plain", reply=None, is_deaf=False):
        self.about, self.sides, self.kind, self.reply, self.is_deaf = about, sides, kind, reply, is_deaf


# -- what can be seen: question(port, proxy, environment, target, agent, label) -> true when it was ------------------


def header(name, value):
    return lambda port, **_: port.any(lambda s: s.header(name) == value)


def path(value):
    return lambda port, **_: port.any(lambda s: s.target.split("?")[0] == value)


def reached(port, **_):
    return bool(port.seen)


def not_reached(port, **_):
    return not port.seen


def refused_by_client(port, **_):
    """The client did not go on: the server was not trusted, or they had no version in common."""
    return bool(port.refused) and not port.seen


def as_client(name):
    return lambda port, **_: port.any(lambda s: s.client_name == name)


def spoke(protocol):
    return lambda port, **_: port.any(lambda s: s.alpn == protocol)


def requests(least, most=10**9, seconds=2):
    """So many in the time after the first one."""

    def question(port, **_):
        with port.lock:
            times = [s.at for s in port.seen]
        if not times or time.monotonic() < times[0] + seconds:
            return False
        return least <= sum(at < times[0] + seconds for at in times) <= most

    return question


def through_proxy(port, proxy, target, **_):
    return proxy.any(lambda s: s.method == "CONNECT" or s.target.startswith(f"http://{target}/")) and not port.seen


def past_proxy(port, proxy, **_):
    return bool(port.seen) and not proxy.seen


def connected_with(name, value):
    return lambda proxy, **_: proxy.any(lambda s: s.method == "CONNECT" and s.header(name) == value)


def through_environment(environment, target, **_):
    return environment.any(lambda s: s.target.startswith(f"http://{target}/"))


def not_through_environment(environment, target, **_):
    return not environment.any(lambda s: s.target.startswith(f"http://{target}/"))


def tls_block(block, *lines):
    return "\n".join([block + " {", *("  " + line for line in lines), "}"])


def tls_version_cases(w, block, newest):
    ca = f'ca_file = "{w.ca.cert}"'
    return [
        Case(
            f"{block}.min_version",
            Side(tls_block(block, ca), reached),
            Side(tls_block(block, ca, f'min_version = "{newest}"'), refused_by_client),
            kind="TLS 1.2 at most",
        )
    ]


def tls_cases(w, block):
    """The settings of a TLS client that all kinds of client have, in a block of that name."""

    def tls(*lines):
        return tls_block(block, *lines)

    ca, client = f'ca_file = "{w.ca.cert}"', w.client
    untrusting = Side(tls(), refused_by_client)
    nobody = Side(tls(ca), as_client(None))
    return [
        Case(f"{block}.ca_file", untrusting, Side(tls(ca), reached), kind="TLS"),
        Case(f"{block}.ca_pem", untrusting, Side(tls(f"ca_pem = {river.string(w.ca.pem)}"), reached), kind="TLS"),
        Case(
            f"{block}.insecure_skip_verify", untrusting, Side(tls("insecure_skip_verify = true"), reached), kind="TLS"
        ),
        Case(
            f"{block}.server_name",
            Side(tls(ca), refused_by_client),
            Side(tls(ca, 'server_name = "row.test"'), reached),
            kind="other name",
        ),
        Case(
            f"{block}.cert_file and key_file",
            nobody,
            Side(tls(ca, f'cert_file = "{client.cert}"', f'key_file = "{client.key}"'), as_client(client.name)),
            kind="asks for a certificate",
        ),
        Case(
            f"{block}.cert_pem and key_pem",
            nobody,
            Side(
                tls(ca, f"cert_pem = {river.string(client.pem)}", f"key_pem = {river.string(client.key_pem)}"),
                as_client(client.name),
            ),
            kind="asks for a certificate",
        ),
    ]


def label_of(about, i):
    return f"{''.join(c if c.isalnum() else '_' for c in about)}_{i}"


def indented(options, by=4):
    return "".join(" " * by + f"{line}\n" for line in options.splitlines())


def run(ctx, w, cases, component, common="", then=None, seconds=30, env=None):
    """component(label, url, options, outer) is the River text of one component; common: what all of them need, or a
    function of their labels; then(agent) runs, aside, when the agent is up."""
    text, questions, labels = "", [], []
    for case in cases:
        for i, side in enumerate(case.sides):
            label = label_of(case.about, i)
            port = w.listen(case.kind, case.reply)
            port.is_deaf = case.is_deaf
            proxy = w.listen("plain", refuse) if side.proxy else None
            target = f"{side.host}:{port.number}"
            url = f"{'http' if case.kind == 'plain' else 'https'}://{target}{side.path}"

            def filled(part):
                if proxy:
                    part = part.replace("PROXY", f"http://127.0.0.1:{proxy.number}")
                return part.replace("TARGET", target).replace("LABEL", label)

            text += filled(side.before) + component(label, url, filled(side.options), filled(side.outer))
            labels.append(label)
            what = {"port": port, "proxy": proxy, "environment": w.environment_proxy, "target": target, "label": label}
            questions += [(f"{case.about}, {'with it' if i else 'without it'}", e, what) for e in side.expected]
    proxy = f"http://127.0.0.1:{w.environment_proxy.number}"
    agent = ctx.agent(
        text + (common(labels) if callable(common) else common),
        args=["--shutdown.timeout=1s"],
        env={"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, **(env or {})},
    )
    if then:
        threading.Thread(target=then, args=(agent,), daemon=True).start()

    def open_questions():
        metrics = agent.metrics()
        return [(about, what) for about, expected, what in questions if not expected(metrics=metrics, **what)]

    try:
        wait_for(lambda: not open_questions(), seconds, "every option shows", interval=0.2)
    except AssertionError:
        pass
    time.sleep(0.3)  # what must not come would come with the rest
    wrong = open_questions()
    for about, what in wrong:
        ctx.log(f"{about}: seen {len(what['port'].seen)}: {what['port'].seen[:3]}, refused {what['port'].refused[:2]}")
    assert not wrong, f"{len(wrong)} not as they should be: " + "; ".join(about for about, _ in wrong)
    return agent


def environment_trust(ca):
    """The system's certificates, as OpenSSL looks for them."""
    return {"SSL_CERT_FILE": os.fspath(ca.cert), "SSL_CERT_DIR": "/nonexistent"}
