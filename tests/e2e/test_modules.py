"""Build modules: declare, import.file, foreach, nesting, secrets through arguments, changes while running."""

import json
import time

from lib import river
from lib.context import e2e
from lib.net import free_port, wait_for
from test_files import append, difference, expect, numbered

# A pipeline as a custom component: log files in, lines with a label out.
PIPE = """
declare "pipe" {
  argument "path" {
    comment = "the file"
  }
  argument "to" { }
  argument "team" {
    optional = true
    default  = "nobody"
  }
  loki.source.file "f" {
    targets    = [{"__path__" = argument.path.value, "job" = "files"}]
    forward_to = [loki.process.p.receiver]
  }
  loki.process "p" {
    forward_to = argument.to.value
    stage.static_labels {
      values = { team = argument.team.value }
    }
  }
  export "receiver" {
    value = loki.process.p.receiver
  }
}
"""


def use(name, label, path, team=None, to="loki.write.out.receiver"):
    more = f'  team = "{team}"\n' if team else ""
    return f'{name} "{label}" {{\n  path = {river.string(path)}\n  to = [{to}]\n{more}}}\n'


def component(agent, path):
    status, body = agent.get(f"/api/v0/web/components/{path}")
    assert status == 200, f"{path}: {status} {body[:300]}"
    return json.loads(body)


def wait_lines(sink, n, **labels):
    wait_for(lambda: len(sink.lines(**labels)) >= n, 15, f"{n} lines of {labels}")


@e2e(timeout=60)
def test_logs_through_a_declared_pipeline(ctx):
    """Two instances of one declare; the paths are in ids, metrics and folders; the accounts balance."""
    sink = ctx.loki()
    one, two = ctx.tmp / "one.log", ctx.tmp / "two.log"
    append(one, numbered(1, 50))
    append(two, numbered(51, 100))
    agent = ctx.agent(
        PIPE + use("pipe", "one", one, "a") + use("pipe", "two", two) + river.loki_write(sink.url)
    )
    expect(sink, numbered(1, 50), team="a")
    expect(sink, numbered(51, 100), team="nobody")
    agent.assert_balanced()
    metrics = agent.metrics()
    for path in ("/pipe.one", "/pipe.two"):
        assert metrics.sum("loki_source_file_files_active_total", component_id="loki.source.file.f", component_path=path) == 1
    assert metrics.sum("loki_write_sent_entries_total", component_id="loki.write.out", component_path="/") == 100
    assert (agent.storage / "pipe.one").is_dir() or "pipe.one" not in agent.stderr()
    names = {c["localID"] for c in json.loads(agent.get("/api/v0/web/components")[1])}
    assert {"pipe.one", "pipe.two", "loki.write.out"} <= names, names
    status, _ = agent.get("/api/v0/web/components/pipe.one/loki.source.file.f")
    assert status == 200


@e2e(timeout=60)
def test_a_sink_inside_a_module_says_where_it_is(ctx):
    """The series of endpoints have the module's path too."""
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 20))
    inner = river.loki_write(sink.url).replace(river.string(sink.url), "argument.url.value")
    agent = ctx.agent(
        f'declare "sender" {{\n  argument "url" {{ }}\n{inner}\n  export "r" {{\n    value = loki.write.out.receiver\n  }}\n}}\n'
        f'declare "outer" {{\n  argument "url" {{ }}\n  sender "s" {{\n    url = argument.url.value\n  }}\n'
        f'  export "r" {{\n    value = sender.s.r\n  }}\n}}\n'
        f'outer "o" {{\n  url = {river.string(sink.url)}\n}}\n' + river.file_source(str(log), "outer.o.r")
    )
    expect(sink, numbered(1, 20))
    metrics = agent.metrics()
    where = {"component_id": "loki.write.out", "component_path": "/outer.o/sender.s"}
    assert metrics.sum("loki_write_sent_entries_total", **where) == 20
    assert metrics.sum("hyagent_endpoint_acknowledged_total", **where) == 20
    agent.assert_balanced()


@e2e(timeout=60)
def test_an_imported_file_is_edited_while_it_runs(ctx):
    """What changes is loaded by diff: the tail goes on where it was. A broken edit leaves the old graph and says so."""
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 20))
    module = ctx.tmp / "module.alloy"
    module.write_text(PIPE)
    config = (
        f"import.file \"lib\" {{\n  filename = {river.string(module)}\n  poll_frequency = \"100ms\"\n}}\n"
        + use("lib.pipe", "one", log, "a")
        + river.loki_write(sink.url)
    )
    agent = ctx.agent(config)
    expect(sink, numbered(1, 20), team="a")
    module.write_text(PIPE.replace("values = { team = argument.team.value }", 'values = { team = "new" }'))
    wait_for(lambda: "new" in component(agent, "lib.pipe.one/loki.process.p")["arguments"].__str__(), 10, "the edit")
    append(log, numbered(21, 40))
    expect(sink, numbered(21, 40), team="new")
    assert sink.lines(team="a") == numbered(1, 20), "something was read again"

    module.write_text(PIPE.replace("loki.process.p.receiver", "loki.process.q.receiver", 1))
    wait_for(lambda: component(agent, "import.file.lib")["health"]["state"] == "unhealthy", 10, "the broken edit is said")
    assert "loki.process.q" in component(agent, "import.file.lib")["health"]["message"]
    assert "a module cannot be loaded" in agent.stderr()
    append(log, numbered(41, 60))
    expect(sink, numbered(21, 60), team="new")

    module.write_text(PIPE)
    wait_for(lambda: component(agent, "import.file.lib")["health"]["state"] == "healthy", 10, "it is good again")
    append(log, numbered(61, 70))
    wait_lines(sink, 30, team="a")
    assert sink.lines(team="a") == numbered(1, 20) + numbered(61, 70), difference(
        sink.lines(team="a"), numbered(1, 20) + numbered(61, 70)
    )
    agent.assert_balanced()


@e2e(timeout=60)
def test_a_folder_of_modules(ctx):
    """Every .alloy and .river file of a folder is one module; a new file is taken in, also at /-/reload."""
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 10))
    folder = ctx.tmp / "modules"
    folder.mkdir()
    (folder / "pipe.alloy").write_text(PIPE)
    (folder / "note.txt").write_text("not River")
    config = (
        f"import.file \"lib\" {{\n  filename = {river.string(folder)}\n}}\n"
        + use("lib.pipe", "one", log, "a")
        + river.loki_write(sink.url)
    )
    agent = ctx.agent(config)
    expect(sink, numbered(1, 10), team="a")
    (folder / "more.river").write_text('declare "nothing" { }\n')
    wait_for(lambda: agent.reload(config + 'lib.nothing "n" { }\n', expect=None)[0] == 200, 10, "the new file is known")
    append(log, numbered(11, 20))
    expect(sink, numbered(1, 20), team="a")


@e2e(timeout=60)
def test_foreach_over_discovered_targets(ctx):
    """One pipeline per discovered file; what comes and goes leaves the others alone."""
    sink = ctx.loki()
    for name in ("a", "b"):
        append(ctx.tmp / f"{name}.log", [f"{name} {i}" for i in range(10)])
    pattern = ctx.tmp / "*.log"
    agent = ctx.agent(
        f"""
local.file_match "logs" {{
  path_targets = [{{"__path__" = {river.string(pattern)}}}]
  sync_period  = "200ms"
}}
foreach "file" {{
  collection = local.file_match.logs.targets
  var        = "file"
  template {{
    loki.source.file "f" {{
      targets    = [file]
      forward_to = [loki.write.out.receiver]
    }}
  }}
}}
"""
        + river.loki_write(sink.url)
    )
    wait_lines(sink, 20)
    append(ctx.tmp / "c.log", [f"c {i}" for i in range(10)])
    append(ctx.tmp / "a.log", ["a 10"])
    wait_lines(sink, 31)
    time.sleep(0.5)
    assert sorted(sink.lines()) == sorted([f"{n} {i}" for n in "abc" for i in range(10)] + ["a 10"])
    status, body = agent.get("/metrics")
    assert status == 200 and "foreach.file/" in body, "the accounts of the items"
    (ctx.tmp / "b.log").unlink()
    wait_for(lambda: body_count(agent) == 2, 10, "one item less")
    append(ctx.tmp / "c.log", ["c 10"])
    wait_for(lambda: "c 10" in sink.lines(), 10, "the others go on")
    agent.assert_balanced()


@e2e(timeout=60)
def test_components_that_never_started_go_quietly(ctx):
    """A load that makes items and, by what it changes, lets them go again before anything starts."""
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 10))
    one, two = ctx.tmp / "one.json", ctx.tmp / "two.json"
    one.write_text('["gone"]')
    two.write_text('["kept"]')
    value = 'local.file "names" {{\n  filename = {}\n}}\n'
    agent = ctx.agent(value.format(river.string(one)))
    inner = (
        river.file_source(str(log), "loki.process.p.receiver")
        + 'loki.process "p" {\n  forward_to = [loki.write.out.receiver]\n  stage.static_labels {\n    values = { name = name }\n  }\n}\n'
        + river.loki_write(sink.url)
        + river.scrape([{"__address__": "127.0.0.1:9"}], "prometheus.remote_write.out.receiver")
        + river.remote_write("http://127.0.0.1:9/")
        + river.otlp_receiver(grpc=free_port(), to="otelcol.processor.batch.b.input")
        + river.batch("otelcol.exporter.otlp.out.input")
        + river.otlp_exporter(9)
        + 'loki.relabel "r" {\n  forward_to = [loki.process.p.receiver]\n}\n'
        + 'discovery.relabel "d" {\n  targets = []\n}\n'
        + 'discovery.file "f" {\n  files = ["/nowhere/*.json"]\n}\n'
        + 'remote.http "h" {\n  url = "http://127.0.0.1:9/"\n}\n'
        + 'prometheus.exporter.self "s" { }\n'
    )
    agent.reload(
        value.format(river.string(two))
        + 'foreach "f" {\n  collection = encoding.from_json(local.file.names.content)\n  var = "name"\n'
        + f"  template {{\n{inner}\n  }}\n}}\n"
    )
    expect(sink, numbered(1, 10), name="kept")
    assert sink.count() == 10
    agent.stop()


def body_count(agent):
    paths = set()
    for (name, labels) in agent.metrics().samples:
        if name == "hyagent_component_items_total" and dict(labels)["component_path"].startswith("/foreach.file/"):
            paths.add(dict(labels)["component_path"])
    return len(paths)


@e2e(timeout=60)
def test_secrets_through_arguments_stay_masked(ctx):
    """Written as a plain text and handed through two modules: no page shows it, the endpoint gets it."""
    secret = "only-the-sink-knows-3141"
    sink = ctx.loki(required_headers={"Authorization": f"Bearer {secret}"})
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 5))
    inner = river.loki_write(sink.url, more="    bearer_token = argument.token.value")
    agent = ctx.agent(
        f'declare "sender" {{\n  argument "token" {{ }}\n{inner}\n  export "r" {{\n    value = loki.write.out.receiver\n  }}\n}}\n'
        f'declare "outer" {{\n  argument "token" {{ }}\n  sender "s" {{\n    token = argument.token.value\n  }}\n'
        f'  export "r" {{\n    value = sender.s.r\n  }}\n}}\n'
        f'outer "o" {{\n  token = "{secret}"\n}}\n' + river.file_source(str(log), "outer.o.r")
    )
    expect(sink, numbered(1, 5))
    listed = ["outer.o", "outer.o/sender.s", "outer.o/sender.s/loki.write.out"]
    for path in ["/api/v0/web/components", "/", "/metrics", "/-/healthy"] + [f"/api/v0/web/components/{x}" for x in listed]:
        status, body = agent.get(path)
        assert secret not in body, f"{path} shows the secret"
    assert secret not in agent.stderr()


@e2e(timeout=60)
def test_reload_changes_only_what_an_argument_reaches(ctx):
    sink = ctx.loki()
    one, two = ctx.tmp / "one.log", ctx.tmp / "two.log"
    append(one, numbered(1, 10))
    append(two, numbered(1, 10))

    def config(team):
        return PIPE + use("pipe", "one", one, team) + use("pipe", "two", two, "fixed") + river.loki_write(sink.url)

    agent = ctx.agent(config("a"))
    expect(sink, numbered(1, 10), team="a")
    expect(sink, numbered(1, 10), team="fixed")
    _, body = agent.reload(config("b"))
    said = agent.stderr()
    line = [x for x in said.splitlines() if "configuration loaded" in x][-1]
    # The processor is another one, so whoever sends to it is told; the other instance is left alone.
    assert "added=0 updated=1 replaced=1 removed=0" in line, line
    append(one, numbered(11, 20))
    append(two, numbered(11, 20))
    expect(sink, numbered(11, 20), team="b")
    expect(sink, numbered(1, 20), team="fixed")
    status, body = agent.reload(config("b") + 'pipe "three" { }\n', expect=None)
    assert status != 200 and 'needs the argument "path"' in body, body
    agent.assert_balanced()


@e2e(timeout=60)
def test_a_module_from_local_file_is_up_at_once(ctx):
    """local.file feeds import.string: the graph is whole when /-/ready says so, and follows the file."""
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    append(log, numbered(1, 10))
    module = ctx.tmp / "module.alloy"
    module.write_text(PIPE)
    agent = ctx.agent(
        f'local.file "m" {{\n  filename = {river.string(module)}\n  poll_frequency = "100ms"\n  detector = "poll"\n}}\n'
        'import.string "lib" {\n  content = local.file.m.content\n}\n'
        + use("lib.pipe", "one", log, "a")
        + river.loki_write(sink.url)
    )
    assert component(agent, "lib.pipe.one/loki.process.p")["health"]["state"] == "healthy"
    expect(sink, numbered(1, 10), team="a")
    module.write_text(PIPE.replace("values = { team = argument.team.value }", 'values = { team = "new" }'))
    wait_for(lambda: "new" in str(component(agent, "lib.pipe.one/loki.process.p")["arguments"]), 10, "the edit")
    append(log, numbered(11, 20))
    expect(sink, numbered(11, 20), team="new")


@e2e(timeout=30)
def test_validate_expands(ctx):
    """validate reads imports, finds what is wrong in them with its place, and opens nothing."""
    module = ctx.tmp / "module.alloy"
    module.write_text(PIPE.replace("forward_to = argument.to.value", "forward_t = argument.to.value"))
    config = ctx.tmp / "config.alloy"
    text = f"import.file \"lib\" {{\n  filename = {river.string(module)}\n}}\n" + use("lib.pipe", "one", "/x", to="loki.echo.e.receiver") + 'loki.echo "e" { }\n'
    config.write_text(text)
    code, out, err = ctx.hyagent("validate", config)
    at = next(i for i, x in enumerate(module.read_text().splitlines(), 1) if "forward_t =" in x)
    assert code != 0 and f"{module}:{at}:5: error:" in out + err, out + err
    module.write_text(PIPE)
    code, out, err = ctx.hyagent("validate", config)
    assert code == 0, out + err
    config.write_text('import.http "far" {\n  url = "http://127.0.0.1:1/x"\n}\nfar.thing "x" { }\n')
    code, out, err = ctx.hyagent("validate", config)
    assert code == 0 and '"import.http.far" is not checked' in out + err, out + err


@e2e(timeout=40)
def test_a_reload_whose_module_is_broken_says_so_in_its_answer(ctx):
    """What only a running component knows is read after the load was taken: its errors are in the answer all the same."""
    broken = ctx.tmp / "broken.alloy"
    broken.write_text('declare "x" {\n  loki.echo "e" {\n    nothing = 1\n  }\n}\n')
    agent = ctx.agent('loki.echo "a" { }\n')
    text = agent.reload(
        f'loki.echo "a" {{ }}\nlocal.file "m" {{\n  filename = {river.string(broken)}\n}}\n'
        'import.string "lib" {\n  content = local.file.m.content\n}\nlib.x "one" { }\n'
    )[1]
    assert "config reloaded" in text and "not all of it runs" in text, text
    assert 'unknown argument "nothing"' in text, text
    assert agent.health("import.string.lib")["state"] == "unhealthy"
