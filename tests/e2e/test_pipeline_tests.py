"""hyagent test: the shipped pipelines, the examples of its page, the reports for CI, and that nothing is touched."""

import json
import os
import re
import resource
import shutil
import subprocess
import xml.etree.ElementTree as xml

from lib.agent import SANITIZER_ENV
from lib.context import e2e

CONFIG = """loki.process "p" {
	stage.replace {
		expression = "(secret)"
		replace    = "***"
	}

	forward_to = [loki.write.w.receiver]
}

loki.write "w" {
	endpoint {
		url = "http://127.0.0.1:9/"
	}
}
"""


def case(name, line, want):
    return (
        f'test "{name}" {{\n\tlogs {{\n\t\tto   = "loki.process.p"\n\t\tline = "{line}"\n\t}}\n\n'
        f'\texpect {{\n\t\tat    = "loki.write.w"\n\t\tlines = ["{want}"]\n\t}}\n}}\n'
    )


GOOD = case("good", "a secret", "a ***")
BAD = case("bad", "a <secret>", "a secret")


def folder(ctx, *tests, name="t"):
    path = ctx.tmp / name
    path.mkdir()
    (path / "c.river").write_text(CONFIG)
    (path / "c_test.river").write_text("".join(tests))
    return path


@e2e()
def test_every_shipped_pipeline_has_tests_and_they_pass(ctx):
    pipelines = ctx.repo / "pipelines"
    shipped = [p for p in pipelines.glob("*.river") if not p.name.endswith("_test.river")]
    assert len(shipped) >= 3, shipped
    for path in shipped:
        assert path.with_name(path.stem + "_test.river").exists(), path
    code, out, err = ctx.hyagent("test", "--format=json", pipelines)
    assert code == 0, out + err
    report = json.loads(out)
    assert report["passed"] >= 20 and report["failed"] == report["broken"] == 0, report
    for path in pipelines.glob("*_test.river"):
        assert ctx.hyagent("fmt", "-t", path)[0] == 0, path


@e2e()
def test_a_changed_pipeline_fails_its_tests(ctx):
    for name in ("default", "kubernetes"):
        path = ctx.tmp / f"{name}.river"
        text = (ctx.repo / "pipelines" / path.name).read_text()
        assert text.count("(?:password|passwd|") == 1
        path.write_text(text.replace("(?:password|passwd|", "(?:passwd|"))
        shutil.copy(ctx.repo / "pipelines" / f"{name}_test.river", ctx.tmp)
        code, out, err = ctx.hyagent("test", ctx.tmp / f"{name}_test.river")
        assert code == 1 and "- " in out and "hunter2" in out, out + err


@e2e()
def test_the_examples_of_the_page_say_what_the_page_says(ctx):
    page = (ctx.repo / "docs" / "pipeline-tests.md").read_text()
    examples = re.findall(r"```river\n(// (\S+)\n.*?)```", page, re.S)
    assert len(examples) >= 6, len(examples)
    for text, name in examples:
        (ctx.tmp / name).write_text(text)
        assert ctx.hyagent("fmt", "-t", ctx.tmp / name)[0] == 0, name
    code, out, err = ctx.hyagent("test", "-v", ctx.tmp)
    assert code == 0 and "4 passed" in out, out + err
    # The failure it shows is the one that comes.
    shop = (ctx.tmp / "shop.river").read_text()
    stage = re.search(r"\tstage\.labels \{.*?\n\t\}\n\n", shop, re.S)
    (ctx.tmp / "shop.river").write_text(shop.replace(stage[0], ""))
    done = subprocess.run(
        [ctx.bin, "test", "shop_test.river"], cwd=ctx.tmp, capture_output=True, text=True, env=os.environ | SANITIZER_ENV
    )
    assert done.returncode == 1, done
    shown = re.search(r"\n\n((?:    .*\n)+)", page[page.index("If `stage.labels` is forgotten") :])[1]
    shown = "".join(line[4:] + "\n" for line in shown.splitlines())
    assert re.sub(r"\d+ ms", "N ms", done.stdout) == re.sub(r"\d+ ms", "N ms", shown), done.stdout


@e2e()
def test_reports_for_ci(ctx):
    path = folder(ctx, GOOD, BAD)
    file = str(path / "c_test.river")
    code, out, _ = ctx.hyagent("test", path)
    assert code == 1 and f"FAIL   {file}:12:1 bad" in out and "1 passed, 1 failed" in out, out
    assert "good" not in out and f"ok     {file}:1:1 good" in ctx.hyagent("test", "-v", path)[1]
    code, out, _ = ctx.hyagent("test", "--format=json", path)
    good, bad = json.loads(out)["tests"]
    assert code == 1 and (good["name"], good["status"]) == ("good", "passed"), out
    assert (bad["file"], bad["name"], bad["status"], bad["line"], bad["column"]) == (file, "bad", "failed", 18, 2), bad
    assert '- "a secret"' in bad["text"] and '+ "a <***>"' in bad["text"], bad
    code, out, _ = ctx.hyagent("test", "--format=junit", path)
    suite = xml.fromstring(out).find("testsuite")
    assert code == 1 and suite.attrib["tests"] == "2" and suite.attrib["failures"] == "1", out
    failure = suite.find("testcase[@name='bad']/failure")
    assert '+ "a <***>"' in failure.text and suite.find("testcase[@name='good']/failure") is None, out
    code, out, _ = ctx.hyagent("test", "--format=tap", path)
    lines = out.splitlines()
    assert code == 1 and lines[0] == "TAP version 13" and lines[-1] == "1..2", out
    assert lines[1] == f"ok 1 - {file} good" and lines[2] == f"not ok 2 - {file} bad", out


@e2e()
def test_what_a_line_holds_breaks_no_report(ctx):
    path = folder(ctx, case("bytes", "\\x1b[31m \\xff \\u009b é", "x"))
    for form in ("text", "json", "junit", "tap"):
        code, out, err = ctx.hyagent("test", f"--format={form}", path)
        assert code == 1 and not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", out) and "\\x1b[31m" in out.replace("\\\\", "\\"), (form, out, err)
        if form == "json":
            assert "é" in json.loads(out)["tests"][0]["text"], out
        if form == "junit":
            assert "é" in xml.fromstring(out).find(".//failure").text, out


@e2e()
def test_exit_codes_and_filters(ctx):
    path = folder(ctx, GOOD, BAD)
    assert ctx.hyagent("test", path, "-run", "good$")[0] == 0
    assert ctx.hyagent("test", path, "--run=:bad")[0] == 1
    code, _, err = ctx.hyagent("test", path, "--run", "nothing")
    assert code == 2 and "no test matches" in err, err
    code, _, err = ctx.hyagent("test", path, "--run", "(")
    assert code == 2 and "missing" in err, err
    code, _, err = ctx.hyagent("test", ctx.tmp / "nowhere")
    assert code == 2 and "nowhere" in err, err
    code, _, err = ctx.hyagent("test")
    assert code == 2 and "name files" in err, err
    (ctx.tmp / "empty").mkdir()
    code, _, err = ctx.hyagent("test", ctx.tmp / "empty")
    assert code == 2 and "no *_test.river was found" in err, err
    (path / "c.river").write_text(CONFIG.replace("forward_to", "forward_tu"))
    code, out, _ = ctx.hyagent("test", path, "--run", "good")
    assert code == 2 and "c.river does not load" in out and 'did you mean "forward_to"?' in out, out
    (path / "c_test.river").write_text(GOOD.replace("lines", "lnes"))
    code, out, _ = ctx.hyagent("test", path)
    assert code == 2 and 'did you mean "lines"?' in out and "c_test.river:9:3" in out, out


@e2e()
def test_nothing_is_opened_written_or_sent(ctx):
    path = folder(ctx, GOOD)
    (path / "c.river").write_text(
        CONFIG
        + 'otelcol.receiver.otlp "o" {\n\tgrpc { }\n\n\thttp { }\n\n\toutput { }\n}\n'
        + 'loki.source.file "f" {\n\ttargets    = [{"__path__" = "/etc/hostname"}]\n'
        + "\tforward_to = [loki.process.p.receiver]\n}\n"
        + 'discovery.docker "d" {\n\thost = "unix:///var/run/docker.sock"\n}\n'
        + 'local.file "l" {\n\tfilename = "/etc/hostname"\n}\n'
        + 'remote.http "r" {\n\turl = "http://127.0.0.1:9/"\n}\n'
        + 'import.http "i" {\n\turl = "http://127.0.0.1:9/"\n}\n'
        + 'import.git "g" {\n\trepository = "http://127.0.0.1:9/x.git"\n\tpath       = "x"\n}\n'
    )
    if shutil.which("strace") is None:
        ctx.skip("strace is not installed")
    before = sorted(p.name for p in path.iterdir())
    trace = ctx.tmp / "trace"
    calls = "socket,connect,bind,openat,execve,inotify_init1,clone,clone3,mkdir,unlink,rename"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", f"trace={calls}", "-o", trace, ctx.bin, "test", path],
        capture_output=True,
        text=True,
        env=os.environ | SANITIZER_ENV | {"ASAN_OPTIONS": "detect_leaks=0"},  # it cannot look for leaks while traced
    )
    seen = [re.sub(r"^\d+ +", "", line) for line in trace.read_text().splitlines()][1:]  # without its own execve
    assert any("c_test.river" in call for call in seen), seen
    for call in seen:
        assert call.startswith("openat(") or not re.match(r"\w+\(", call), call
        assert not re.search("O_WRONLY|O_RDWR|O_CREAT|/etc/hostname|docker.sock", call), call
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(p.name for p in path.iterdir()) == before


@e2e()
def test_hundreds_of_tests_run_in_a_second(ctx):
    path = folder(ctx, *(case(f"t{i}", "a secret", "a ***") for i in range(500)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, out, err = ctx.hyagent("test", "--format=json", path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert code == 0 and json.loads(out)["passed"] == 500, err
    ctx.log(f"500 tests: {used:.2f} s of CPU, {json.loads(out)['seconds']:.2f} s")
    assert used < 5, used  # with sanitizers; without them a part of that
