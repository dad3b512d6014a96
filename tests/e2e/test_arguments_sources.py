"""The arguments of what finds, reads and scrapes, tried one by one: prometheus.scrape, discovery.docker,
loki.source.docker, local.file, local.file_match, loki.source.file."""

import json
import os
import subprocess
import time
from urllib.parse import parse_qs, urlsplit

from lib import river
from lib.arguments import Case, Side, World, header, indented, path, reached, run
from lib.context import e2e
from lib.net import wait_for
from lib.recorder import Recorder

ID = "0123456789abcdef" * 4


# ---- prometheus.scrape ------------------------------------------------------------------------------------------------


def page(seen):
    return 200, {"Content-Type": "text/plain"}, b"a 1\n"


def asked(least, most=10**9, seconds=3.5):
    """So many requests in the time after the first."""

    def question(port, **_):
        with port.lock:
            times = [s.at for s in port.seen]
        if not times or time.monotonic() < times[0] + seconds:
            return False
        return least <= sum(at < times[0] + seconds for at in times) <= most

    return question


def queried(name, *values):
    return lambda port, **_: port.any(lambda s: parse_qs(urlsplit(s.target).query).get(name, []) == list(values))


def scrape_cases():
    quick = 'scrape_interval = "1s"\nscrape_timeout = "900ms"'
    return [
        Case(
            "scrape_interval",
            Side('scrape_interval = "1h"', lambda port, **_: len(port.seen) <= 1),
            Side(quick, asked(3)),
        ),
        Case("metrics_path", Side(quick, path("/metrics")), Side(quick + '\nmetrics_path = "/own"', path("/own"))),
        Case(
            "params",
            Side(quick, queried("row")),
            Side(quick + '\nparams = {"row" = ["one", "two"]}', queried("row", "one", "two")),
        ),
        Case(
            "scrape_protocols",
            Side(quick, lambda port, **_: port.any(lambda s: "openmetrics" in s.header("Accept"))),
            Side(
                quick + '\nscrape_protocols = ["PrometheusText0.0.4"]',
                lambda port, **_: port.any(lambda s: "0.0.4" in s.header("Accept"))
                and not port.any(lambda s: "openmetrics" in s.header("Accept")),
            ),
        ),
        Case(
            "enable_compression",
            Side(quick, header("Accept-Encoding", "gzip")),
            Side(
                quick + "\nenable_compression = false",
                lambda port, **_: reached(port) and not header("Accept-Encoding", "gzip")(port),
            ),
        ),
        Case(
            "scheme",
            Side(quick, lambda port, **_: bool(port.refused) and not port.seen),
            Side(quick + '\nscheme = "https"\ntls_config {\n  insecure_skip_verify = true\n}', reached),
            kind="TLS",
        ),
        Case("target_limit", Side(quick, reached), Side(quick + "\ntarget_limit = 1", lambda port, **_: not port.seen)),
    ]


@e2e(timeout=90)
def test_prometheus_scrape(ctx):
    def component(label, url, options, _):
        address = url.split("://")[1]
        two = (
            ", ".join(river.target({"__address__": address, "n": n}) for n in "12") if "target_limit" in label else None
        )
        targets = f"[{two or river.target({'__address__': address})}]"
        return f'prometheus.scrape "{label}" {{\n  targets = {targets}\n  forward_to = [prometheus.echo.e.receiver]\n{indented(options, 2)}}}\n'

    run(ctx, World(ctx, page), scrape_cases(), component, 'prometheus.echo "e" { }\n')


# ---- Docker -----------------------------------------------------------------------------------------------------------


def docker(seen):
    place = urlsplit(seen.target).path
    if place.endswith("/version"):
        return 200, {"Content-Type": "application/json"}, b'{"ApiVersion":"1.43","MinAPIVersion":"1.12"}'
    if place.endswith(("/containers/json", "/networks")):
        return 200, {"Content-Type": "application/json"}, b"[]"
    if place.endswith(f"/containers/{ID}/json"):
        body = {"Id": ID, "Config": {"Tty": False}, "State": {"Running": False, "StartedAt": "a"}}
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()
    return 404, {}, b"{}"


def listed(least, most=10**9, seconds=3, of="/containers/json"):
    def question(port, **_):
        with port.lock:
            times = [s.at for s in port.seen if urlsplit(s.target).path.endswith(of)]
        if not times or time.monotonic() < times[0] + seconds:
            return False
        return least <= sum(at < times[0] + seconds for at in times) <= most

    return question


def filtered(expected):
    def question(port, **_):
        with port.lock:
            queries = [parse_qs(urlsplit(s.target).query) for s in port.seen if "/containers/json" in s.target]
        return any(json.loads(q["filters"][0]) == expected if "filters" in q else expected is None for q in queries)

    return question


@e2e(timeout=90)
def test_discovery_docker(ctx):
    def component(label, url, options, _):
        return f'discovery.docker "{label}" {{\n  host = "{url}"\n{indented(options, 2)}}}\n'

    cases = [
        Case(
            "refresh_interval",
            Side('refresh_interval = "1h"', listed(1, 1)),
            Side('refresh_interval = "200ms"', listed(5)),
        ),
        Case(
            "filter.name, filter.values",
            Side("", filtered(None)),
            Side(
                'filter {\n  name = "status"\n  values = ["running", "paused"]\n}',
                filtered({"status": ["running", "paused"]}),
            ),
        ),
    ]
    run(ctx, World(ctx, docker), cases, component)


@e2e(timeout=90)
def test_loki_source_docker(ctx):
    def component(label, url, options, _):
        return (
            f'loki.source.docker "{label}" {{\n  host = "{url}"\n  forward_to = [loki.echo.e.receiver]\n'
            f'  targets = [{{"__meta_docker_container_id" = "{ID}"}}]\n{indented(options, 2)}}}\n'
        )

    looked = {"of": f"/containers/{ID}/json"}
    cases = [
        Case(
            "refresh_interval",
            Side('refresh_interval = "1h"', listed(1, 3, **looked)),
            Side('refresh_interval = "100ms"', listed(8, **looked)),
        )
    ]
    run(ctx, World(ctx, docker), cases, component, 'loki.echo "e" { }\n')


# ---- files ------------------------------------------------------------------------------------------------------------


def exported(agent, component, name):
    status, body = agent.get(f"/api/v0/web/components/{component}")
    assert status == 200, body
    return {e["name"]: e["value"] for e in json.loads(body)["exports"]}[name]


@e2e(timeout=90)
def test_local_file(ctx):
    files = {name: ctx.tmp / name for name in ("secret", "plain", "often", "seldom")}
    for file in files.values():
        file.write_text("the content")
    text, recorder, seen = 'prometheus.echo "e" { }\n', ctx.started(Recorder()), {}
    for name, more in (
        ("secret", "is_secret = true"),
        ("plain", ""),
        ("often", 'detector = "poll"\n  poll_frequency = "200ms"'),
        ("seldom", 'detector = "poll"\n  poll_frequency = "1h"'),
    ):
        text += f'local.file "{name}" {{\n  filename = "{files[name]}"\n  {more}\n}}\n'
        if name != "secret":  # the content is seen where a scrape takes it
            seen[name] = recorder.listen(reply=page)
            text += river.scrape(
                [{"__address__": f"127.0.0.1:{seen[name].number}"}],
                "prometheus.echo.e.receiver",
                name=name,
                more=f'  params = {{"row" = [local.file.{name}.content]}}',
            )
    agent = ctx.agent(text)

    def content(name):
        wait_for(lambda: seen[name].seen, 5, f"a scrape of {name}")
        return parse_qs(urlsplit(seen[name].seen[-1].target).query)["row"]

    kinds = [exported(agent, f"local.file.{name}", "content")["type"] for name in ("plain", "secret")]
    assert kinds == ["string", "capsule"], f"is_secret: a secret is no string: {kinds}"
    for name in ("plain", "often", "seldom"):
        assert content(name) == ["the content"], content(name)
        files[name].write_text("other words")
    for name in ("plain", "often"):  # the first by the kernel's notice, the second by looking
        wait_for(lambda: content(name) == ["other words"], 5, f"local.file.{name} is read again")
    time.sleep(0.5)
    assert content("seldom") == ["the content"], "where the detector polls only the time decides"


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


@e2e(timeout=90)
def test_file_match(ctx):
    """local.file_match's sync_period and loki.source.file's file_match: when new files are looked for."""
    sink = ctx.loki()
    logs = {}
    text = river.loki_write(sink.url)
    for name, period in (("often", "200ms"), ("seldom", "1h")):
        logs[name] = ctx.tmp / name
        logs[name].mkdir()
        one = river.target({"__path__": f"{logs[name]}/*.log", "job": name})
        inner = river.target({"__path__": f"{logs[name]}/*.log", "job": f"{name}-inside"})
        text += (
            f'local.file_match "{name}" {{\n  path_targets = [{one}]\n  sync_period = "{period}"\n}}\n'
            f'loki.source.file "{name}" {{\n  targets = local.file_match.{name}.targets\n'
            "  forward_to = [loki.write.out.receiver]\n}\n"
            f'loki.source.file "{name}_inside" {{\n  targets = [{inner}]\n  forward_to = [loki.write.out.receiver]\n'
            f'  file_match {{\n    enabled = true\n    sync_period = "{period}"\n    ignore_older_than = "1m"\n  }}\n}}\n'
        )
    ctx.agent(text)
    for folder in logs.values():
        (folder / "new.log").write_text("one\n")
        (folder / "old.log").write_text("old\n")
        age(folder / "old.log", 600)
    wait_for(lambda: sink.lines(job="often") and sink.lines(job="often-inside"), 10, "new files are found soon")
    wait_for(lambda: "old" in sink.lines(job="often"), 5, "the old file is read where nothing says how old it may be")
    time.sleep(0.5)
    assert sink.lines(job="often-inside") == ["one"], "ignore_older_than leaves out the old file"
    assert not sink.lines(job="seldom") and not sink.lines(job="seldom-inside"), "nobody looks for an hour"


def without_inotify(ctx):
    """A program that runs hyagent where the kernel tells nobody of changes: there files are looked at."""
    program = ctx.tmp / "without-inotify"
    program.write_text(
        "#!/bin/sh\n"
        "exec unshare --user --map-root-user sh -c "
        f'\'echo 0 > /proc/sys/user/max_inotify_instances && exec {ctx.bin} "$@"\' sh "$@"\n'
    )
    program.chmod(0o755)
    test = ["unshare", "--user", "--map-root-user", "sh", "-c", "echo 0 > /proc/sys/user/max_inotify_instances"]
    if subprocess.run(test, capture_output=True).returncode != 0:
        ctx.skip("needs userns: no user namespaces here")
    return program


@e2e(timeout=90)
def test_loki_source_file_without_inotify(ctx):
    sink = ctx.loki()
    often, seldom = ctx.tmp / "often.log", ctx.tmp / "seldom.log"
    text = river.loki_write(sink.url)
    for log, period in ((often, "50ms"), (seldom, "30s")):
        log.write_text("first\n")
        text += river.file_source(
            log,
            "loki.write.out.receiver",
            name=log.stem,
            labels={"job": log.stem},
            match=False,
            more=f'  file_watch {{\n    min_poll_frequency = "{period}"\n    max_poll_frequency = "{period}"\n  }}',
        )
    ctx.agent(text, binary=without_inotify(ctx))
    for job in ("often", "seldom"):
        wait_for(lambda: sink.lines(job=job) == ["first"], 10, f"the first line of {job}")
    time.sleep(1)  # the looks that follow a line are over
    for log in (often, seldom):
        with open(log, "a") as f:
            f.write("second\n")
    wait_for(lambda: sink.lines(job="often") == ["first", "second"], 5, "the second line")
    time.sleep(1)
    assert sink.lines(job="seldom") == ["first"], "the file is looked at every 30 s"
