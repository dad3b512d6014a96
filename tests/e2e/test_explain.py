"""hyagent explain: golden texts, a graph Graphviz draws, no secrets, no sockets and no files."""

import json
import os
import pty
import re
import shutil
import socket
import subprocess

from lib.agent import SANITIZER_ENV
from lib.context import e2e

MODULE = """
declare "shop" {
  argument "url" { }

  argument "env" {
    optional = true
    default  = "dev"
  }

  export "input" {
    value = loki.process.labels.receiver
  }

  loki.process "labels" {
    stage.static_labels {
      values = {env = argument.env.value}
    }

    forward_to = [loki.write.out.receiver]
  }

  loki.write "out" {
    endpoint {
      url = argument.url.value
    }
  }
}

shop "eu" {
  url = coalesce(sys.env("HYE2E_EU_URL"), "http://eu/loki/api/v1/push")
}

shop "us" {
  url = "http://us/loki/api/v1/push"
  env = "prod"
}

loki.source.file "app" {
  targets    = [{__path__ = "/var/log/app.log"}]
  forward_to = [shop.eu.input, shop.us.input]
}
"""

SECRETS = """
local.file "key" {
  filename  = "%s"
  is_secret = true
}

loki.write "w" {
  endpoint {
    url = "http://me:CANARYurl@127.0.0.1:9/push"

    basic_auth {
      username = "me"
      password = "CANARYliteral"
    }
  }

  endpoint {
    url = "http://127.0.0.1:9/push"

    basic_auth {
      username = "me"
      password = sys.env("HYE2E_SECRET")
    }
  }

  endpoint {
    url          = "http://127.0.0.1:9/push"
    bearer_token = local.file.key.content
  }

  external_labels = {also = sys.env("HYE2E_SECRET"), literal = "x-CANARYliteral"}
}
"""


def write(ctx, text, name="c.river"):
    path = ctx.tmp / name
    path.write_text(text)
    return path


def golden(ctx, name, text):
    path = ctx.repo / "tests" / "e2e" / "golden" / name
    want = path.read_text()
    if text != want:
        (ctx.tmp / name).write_text(text)
        diff = subprocess.run(["diff", "-u", str(path), str(ctx.tmp / name)], capture_output=True, text=True).stdout
        raise AssertionError(f"{name} differs:\n{diff}")


@e2e()
def test_the_shipped_pipeline_is_explained_as_the_golden_file_says(ctx):
    os.environ.pop("DOCKER_HOST", None)  # the daemon these tests may have started
    code, out, err = ctx.hyagent("explain", "pipelines/default.river", "--memory.limit=600MiB", cwd=ctx.repo)
    assert code == 0 and err == "", err
    golden(ctx, "explain_default.txt", out)


@e2e()
def test_modules_are_explained_as_the_golden_file_says(ctx):
    write(ctx, MODULE, "module.river")
    code, out, err = ctx.hyagent("explain", "module.river", "--memory.limit=600MiB", "--show=all")
    assert code == 0 and err == "", err
    for id in ("shop.eu/loki.process.labels", "shop.us/loki.write.out"):
        code, more, err = ctx.hyagent("explain", "module.river", f"--component={id}", "--show=arguments")
        assert code == 0, err
        out += "\n" + more
    golden(ctx, "explain_module.txt", out)


@e2e()
def test_the_way_of_a_line_through_the_shipped_pipeline(ctx):
    line = '{"log":"login password=hunter2\\n","stream":"stdout","time":"2026-01-02T15:04:05Z"}'
    code, out, err = ctx.hyagent(
        "explain",
        "pipelines/default.river",
        "--component=loki.source.file.containers",
        "--line",
        line,
        "--label=job=shop",
        "--label",
        "env=a=b",
        "--timestamp=2026-01-03T00:00:00Z",
        cwd=ctx.repo,
        env={"HYAGENT_CLUSTER": "c1"},
    )
    assert code == 0 and err == "", err
    golden(ctx, "explain_line.txt", out)


@e2e()
def test_lines_of_standard_input_are_joined_as_they_would_be(ctx):
    path = write(
        ctx,
        'loki.process "p" {\n  stage.multiline {\n    firstline = "^\\\\d"\n  }\n'
        '  forward_to = [loki.echo.e.receiver]\n}\nloki.echo "e" { }\n',
    )
    code, out, err = ctx.hyagent(
        "explain", path, "--component=loki.process.p", "--line=-", "--label=a=b", stdin=b"1 one\n  more\n2 two\n"
    )
    assert code == 0 and err == "", err
    assert 'line       "1 one\\n  more"' in out, out
    assert re.search(r'\d s later\n(.*\n)*?.*line       "2 two"', out), out


@e2e()
def test_a_sample_goes_through_its_rules(ctx):
    path = write(
        ctx,
        'prometheus.relabel "r" {\n  rule {\n    source_labels = ["job"]\n    target_label  = "service"\n  }\n'
        '  forward_to = [prometheus.remote_write.w.receiver]\n}\n'
        'prometheus.remote_write "w" {\n  endpoint {\n    url = "http://h/w"\n'
        '    write_relabel_config {\n      regex  = "job"\n      action = "labeldrop"\n    }\n  }\n'
        '  external_labels = {zone = "z"}\n}\n',
    )
    code, out, err = ctx.hyagent(
        "explain", path, "--component=prometheus.relabel.r", "--sample", 'up{job="a"} 1', "--timestamp=2026-01-02T00:00:00Z"
    )
    assert code == 0 and err == "", err
    assert 'label      + service = "a"' in out, out
    assert '{__name__="up", service="a", zone="z"}' in out, out


@e2e()
def test_graphviz_draws_the_graph(ctx):
    code, out, _ = ctx.hyagent("explain", write(ctx, MODULE), "--dot")
    assert code == 0 and out.startswith("digraph"), out
    assert 'subgraph cluster_' in out and 'label="shop.eu"' in out, out
    dot = shutil.which("dot")
    if dot is None:  # the text is checked without it
        assert out.count("{") == out.count("}"), out
        return
    for path in (ctx.tmp / "c.river", ctx.repo / "pipelines" / "default.river"):
        text = ctx.hyagent("explain", path, "--dot")[1]
        r = subprocess.run([dot, "-Tsvg"], input=text.encode(), capture_output=True)
        assert r.returncode == 0 and b"<svg" in r.stdout and r.stderr == b"", r.stderr


@e2e()
def test_json_has_components_edges_arguments_and_origins(ctx):
    code, out, _ = ctx.hyagent("explain", write(ctx, MODULE), "--format=json")
    assert code == 0
    told = json.loads(out)
    components = {c["id"]: c for c in told["components"]}
    assert set(components) == {
        "shop.eu/loki.process.labels",
        "shop.eu/loki.write.out",
        "shop.us/loki.process.labels",
        "shop.us/loki.write.out",
        "loki.source.file.app",
    }, components.keys()
    url = next(a for a in components["shop.us/loki.write.out"]["arguments"] if a["name"] == "url")
    assert url["value"] == '"http://us/loki/api/v1/push"' and url["origin"].startswith("argument url of shop.us"), url
    assert {(e["from"], e["to"]) for e in told["edges"] if e["kind"] == "data"} == {
        ("loki.source.file.app", "shop.eu/loki.process.labels"),
        ("loki.source.file.app", "shop.us/loki.process.labels"),
        ("shop.eu/loki.process.labels", "shop.eu/loki.write.out"),
        ("shop.us/loki.process.labels", "shop.us/loki.write.out"),
    }, told["edges"]


@e2e()
def test_no_secret_is_shown_in_any_form(ctx):
    key = ctx.tmp / "key"
    key.write_text("CANARYfile")
    path = write(ctx, SECRETS % key)
    env = {"HYE2E_SECRET": "CANARYenv"}
    forms = [[], ["--show=arguments"], ["--format=json"], ["--dot"], ["--component=loki.write.w"]]
    forms.append(["--component=loki.write.w", "--line=x", "--label=a=b"])
    for form in forms:
        code, out, err = ctx.hyagent("explain", path, *form, env=env)
        assert code == 0, (form, err)
        assert "CANARY" not in out + err, (form, out, err)
    assert "(secret)" in ctx.hyagent("explain", path, "--show=arguments", env=env)[1]


@e2e()
def test_mistakes_are_answered_with_what_to_type(ctx):
    path = write(ctx, 'loki.process "p" {\n  forward_to = [loki.echo.e.receiver]\n}\nloki.echo "e" { }\n')
    rows = [
        (["--component=loki.proces.p"], 1, 'did you mean "loki.process.p"?'),
        (["--line=x"], 2, "--component"),
        (["--line=x", "--sample=y", "--component=loki.process.p"], 2, "one of them"),
        (["--line=x", "--component=loki.process.p", "--format=json"], 2, "--format=json"),
        (["--label=a=b"], 2, "--line"),
        (["--line=x", "--component=loki.process.p", "--label=a"], 1, "NAME=VALUE"),
        (["--line=x", "--component=loki.process.p", "--timestamp=now"], 1, "2026-01-02T15:04:05Z"),
        (["--line=x", "--component=loki.process.p.receiver"], 0, ""),
        (["--line=x", "--component=loki.process.q"], 1, 'did you mean "loki.process.p"?'),
        (["--show=all", "--componen=x"], 2, "--component"),
    ]
    for args, want_code, want in rows:
        code, _, err = ctx.hyagent("explain", path, *args)
        assert code == want_code and want in err, (args, code, err)
    code, _, err = ctx.hyagent("explain", write(ctx, 'loki.wriet "x" { }\n', "bad.river"))
    assert code == 1 and "bad.river:1:1" in err and "loki.write" in err, err


@e2e()
def test_nothing_is_opened_or_written(ctx):
    """A connection would be seen, a taken port would fail, a FIFO without a writer would block."""
    listener = socket.create_server(("127.0.0.1", 0))
    ctx.on_exit(listener.close)
    listener.setblocking(False)
    port = listener.getsockname()[1]
    os.mkfifo(ctx.tmp / "fifo")
    path = write(
        ctx,
        f"""
otelcol.receiver.otlp "in" {{
  grpc {{
    endpoint = "127.0.0.1:{port}"
  }}

  output {{
    logs = [otelcol.exporter.loki.l.input]
  }}
}}

otelcol.exporter.loki "l" {{
  forward_to = [loki.write.w.receiver]
}}

local.file "f" {{
  filename = "{ctx.tmp}/fifo"
}}

loki.source.file "s" {{
  targets    = [{{__path__ = "{ctx.tmp}/fifo", x = local.file.f.content}}]
  forward_to = [loki.write.w.receiver]
}}

loki.write "w" {{
  endpoint {{
    url        = "http://127.0.0.1:{port}/push"
    batch_wait = "0s"
  }}
}}
""",
    )
    before = sorted(p.name for p in ctx.tmp.iterdir())
    for form in ([], ["--dot"], ["--component=loki.source.file.s", "--line=x", "--label=a=b"]):
        code, _, err = ctx.hyagent("explain", path, *form)
        assert code == 0, (form, err)
    assert sorted(p.name for p in ctx.tmp.iterdir()) == before
    try:
        listener.accept()
        raise AssertionError("something connected")
    except BlockingIOError:
        pass


@e2e()
def test_colours_are_for_terminals_and_for_those_who_want_them(ctx):
    path = write(ctx, MODULE)

    def on_a_terminal(env):
        ours, theirs = pty.openpty()
        r = subprocess.Popen(
            [str(ctx.bin), "explain", str(path), "--show=graph"], stdout=theirs, env={**SANITIZER_ENV, **env}
        )
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 65536):
                text += part
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        assert r.wait(timeout=20) == 0
        return text

    assert b"\033[1mloki.source.file.app\033[0m" in on_a_terminal({})
    assert b"\033" not in on_a_terminal({"NO_COLOR": "1"})
    assert "\033" not in ctx.hyagent("explain", path, "--show=graph")[1]
