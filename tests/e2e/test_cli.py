"""The command line, diagnostics, exit codes, the configuration folder."""

import os
import re
import time

from lib import river
from lib.context import e2e
from lib.net import free_port, wait_for
from test_life import BROKEN


def write(ctx, text, name="c.river"):
    path = ctx.tmp / name
    path.write_text(text)
    return path


@e2e()
def test_help_and_version_and_usage_errors(ctx):
    code, out, _ = ctx.hyagent("--version")
    assert code == 0 and re.search(r"hyagent\S* .*\d+\.\d+", out), out
    code, out, _ = ctx.hyagent("--help")
    assert code == 0 and all(x in out for x in ("run", "validate", "fmt", "healthcheck", "--config")), out
    for command in ("run", "validate", "fmt", "healthcheck"):
        code, out, _ = ctx.hyagent(command, "--help")
        assert code == 0 and "--" in out, (command, out)
    rows = [
        ((), ""),
        (("runn", "x"), "run"),
        (("run",), "FILE"),
        (("run", "x", "--storage.pth=y"), "--storage.path"),
        (("run", "x", "--shutdown.timeout=soon"), "soon"),
        (("run", "x", "--stability.level=stable"), "experimental"),
    ]
    for args, want in rows:
        code, _, err = ctx.hyagent(*args)
        assert code == 2 and want in err, (args, code, err)


@e2e()
def test_configuration_errors_show_place_line_caret_and_a_suggestion(ctx):
    for command in ("validate", "run"):
        for name, text, want in BROKEN:
            more = (
                []
                if command == "validate"
                else [f"--storage.path={ctx.tmp}/d", f"--server.http.listen-addr=127.0.0.1:{free_port()}"]
            )
            code, _, err = ctx.hyagent(command, write(ctx, text), *more, "--stability.level=experimental")
            assert code == 1, f"{command}, {name}: exit {code}"
            assert re.search(r"c\.river:\d+:\d+", err), f"{name}: no file:line:column in {err}"
            assert want in err and "^" in err, f"{name}: {err}"
    code, _, err = ctx.hyagent("validate", write(ctx, 'loki.wriet "x" { }\n'))
    assert "did you mean" in err and "loki.write" in err and "1:1" in err, err
    code, _, err = ctx.hyagent(
        "validate", write(ctx, 'loki.write "x" {\n  endpoint {\n    urll = "http://x"\n  }\n}\n')
    )
    assert "did you mean" in err and ":3:5" in err and 'urll = "http://x"' in err, err
    two = write(ctx, 'loki.wriet "x" { }\nprometheus.scrap "y" { }\n')
    code, _, err = ctx.hyagent("validate", two)
    assert "loki.wriet" in err and "prometheus.scrap" in err, f"both errors at once: {err}"


@e2e()
def test_a_missing_or_unreadable_configuration_is_named(ctx):
    for path in (ctx.tmp / "nowhere.river", ctx.tmp / "empty"):
        (ctx.tmp / "empty").mkdir(exist_ok=True)
        code, _, err = ctx.hyagent("run", path, f"--storage.path={ctx.tmp}/d")
        assert code == 1 and path.name in err, (code, err)


@e2e()
def test_fmt_lays_out_and_is_stable(ctx):
    ugly = 'loki.write   "x"{\n endpoint{\nurl="http://x"   // why\nbatch_wait = "1s"\n}\n}\n'
    path = write(ctx, ugly)
    code, out, _ = ctx.hyagent("fmt", path)
    assert code == 0 and out == (
        'loki.write "x" {\n\tendpoint {\n\t\turl        = "http://x" // why\n\t\tbatch_wait = "1s"\n\t}\n}\n'
    ), out
    assert ctx.hyagent("fmt", "-t", path)[0] == 3
    assert ctx.hyagent("fmt", "-w", path)[0] == 0 and path.read_text() == out
    assert ctx.hyagent("fmt", "-t", path)[0] == 0
    assert ctx.hyagent("fmt", "-", stdin=ugly.encode())[1] == out


@e2e()
def test_shipped_pipelines_are_valid_and_formatted(ctx):
    found = sorted((ctx.repo / "pipelines").rglob("*.river"))
    assert {p.name for p in found} >= {"default.river", "quickstart.river", "kubernetes.river"}
    for path in found:
        if not path.name.endswith("_test.river"):  # those are for hyagent test
            code, _, err = ctx.hyagent("validate", path)
            assert code == 0, f"{path.name}: {err}"
        code, _, err = ctx.hyagent("fmt", "-t", path)
        assert code == 0, f"{path.name} is not formatted: {err}"


@e2e()
def test_validate_warns_of_unset_variables(ctx):
    path = write(
        ctx,
        'loki.write "x" {\n  endpoint {\n    url = "http://h/"\n  }\n'
        '  external_labels = {zone = sys.env("HYE2E_UNSET_HOST")}\n}\n',
    )
    code, _, err = ctx.hyagent("validate", path)
    assert code == 0 and "HYE2E_UNSET_HOST" in err, err
    code, _, err = ctx.hyagent("validate", path, env={"HYE2E_UNSET_HOST": "h"})
    assert code == 0 and "HYE2E_UNSET_HOST" not in err, err


@e2e()
def test_the_missions_form_config_file(ctx):
    import subprocess
    from lib.agent import SANITIZER_ENV
    from lib.net import http

    port = free_port()
    path = write(ctx, 'loki.echo "e" { }\n')
    p = subprocess.Popen(
        [
            str(ctx.bin),
            "--config",
            str(path),
            "--storage.path",
            str(ctx.tmp / "d"),
            f"--server.http.listen-addr=127.0.0.1:{port}",
        ],
        stderr=subprocess.PIPE,
        env={**os.environ, **SANITIZER_ENV},
    )
    ctx.on_exit(lambda: p.poll() is None and p.kill())
    wait_for(lambda: http(f"http://127.0.0.1:{port}/-/ready", timeout=2)[0] == 200, 10, "it is ready")
    p.terminate()
    _, err = p.communicate(timeout=10)
    assert p.returncode == 0, err.decode()


@e2e()
def test_a_folder_merges_its_files_and_names_both_of_a_collision(ctx):
    folder = ctx.tmp / "conf"
    folder.mkdir()
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    log.write_text("x\n")
    (folder / "a.river").write_text(river.file_source(str(log), "loki.write.out.receiver"))
    (folder / "b.alloy").write_text(river.loki_write(sink.url))
    (folder / "broken_test.river").write_text("this is { not river")
    (folder / "notes.txt").write_text("neither")
    (folder / "sub").mkdir()
    (folder / "sub" / "c.river").write_text("broken {")
    agent = ctx.agent(None, config_path=folder)
    wait_for(lambda: sink.lines() == ["x"], 10, "both files work together")
    (folder / "z.river").write_text('loki.echo "more" { }\n')
    agent.reload()
    assert "loki.echo.more" in agent.components()
    (folder / "y.river").write_text('loki.echo "more" { }\n')
    code, _, err = ctx.hyagent("validate", folder)
    assert code == 1 and "y.river" in err and "z.river" in err, err
    status, text = agent.reload(expect=None)
    assert status >= 400 and "y.river" in text and "z.river" in text, text
    assert agent.running()


@e2e()
def test_healthcheck_asks_a_running_agent(ctx):
    agent = ctx.agent("")
    address = f"127.0.0.1:{agent.port}"
    assert ctx.hyagent("healthcheck", "--address", address)[0] == 0
    assert ctx.hyagent("healthcheck", f"--address={address}", "--ready")[0] == 0
    agent.stop()
    began = time.monotonic()
    code, out, err = ctx.hyagent("healthcheck", "--address", address)
    assert code in (1, 3) and address in out + err, (code, out, err)
    assert time.monotonic() - began < 5


@e2e()
def test_logs_are_logfmt_with_utc_milliseconds_and_component(ctx):
    log = ctx.tmp / "nowhere.log"
    agent = ctx.agent(
        f'loki.source.file "f" {{\n targets = [{river.target({"__path__": str(log)})}]\n'
        ' forward_to = [loki.echo.e.receiver]\n}\nloki.echo "e" { }\n'
    )
    time.sleep(1)
    lines = agent.stderr().splitlines()
    assert lines
    for line in lines:
        assert re.match(r'ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(debug|info|warn|error) .*msg=', line), line
    assert any("component_id=loki.source.file.f" in x and "nowhere.log" in x for x in lines), "\n".join(lines)


@e2e()
def test_log_level_and_format_follow_the_logging_block(ctx):
    import json

    agent = ctx.agent('logging {\n  level = "debug"\n  format = "json"\n}\n')
    docs = [json.loads(x) for x in agent.stderr().splitlines() if x.startswith("{")]
    assert docs and all("msg" in d and "level" in d for d in docs), agent.stderr()[:500]
    agent.reload('logging {\n  level = "error"\n  format = "logfmt"\n}\n')
    at = len(agent.stderr())
    agent.reload()
    assert "level=info" not in agent.stderr_since(at), agent.stderr_since(at)


@e2e(timeout=60)
def test_tap_prints_every_item_that_reaches_a_sink(ctx):
    sink = ctx.loki()
    log = ctx.tmp / "a.log"
    log.write_text("tapped line\n")
    agent = ctx.agent(
        river.file_source(str(log), "loki.write.out.receiver") + river.loki_write(sink.url), args=["--tap"]
    )
    out = agent.dir / "stdout.log"
    wait_for(lambda: "tapped line" in out.read_text(), 10, "the tap shows the line")
    assert "\x1b[" not in out.read_text(), "colours without a terminal"


@e2e()
def test_start_to_ready_is_quick(ctx):
    if not ctx.release:
        ctx.skip("needs release: --release was not given")
    agent = ctx.agent(
        river.otlp_receiver(free_port(), free_port(), to="otelcol.exporter.debug.d.input")
        + 'otelcol.exporter.debug "d" { }\n',
        binary=ctx.release,
    )
    ctx.log(f"ready after {agent.ready_after * 1000:.0f} ms")
    assert agent.ready_after < 1.0
