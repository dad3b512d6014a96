"""The tools around a configuration: validate, fmt and docs for people and for programs, completion, man page, argv[0]."""

import json
import os
import shutil
import socket
import subprocess

from lib.agent import SANITIZER_ENV
from lib.context import e2e
from lib.net import free_port, http, wait_for

WRITE = 'loki.write "x" {\n\tendpoint {\n\t\turl = "http://127.0.0.1:9/loki/api/v1/push"\n\t}\n}\n'


def write(ctx, text, name="c.river"):
    path = ctx.tmp / name
    path.write_text(text)
    return path


@e2e()
def test_validate_tells_editors_where_and_what(ctx):
    path = write(ctx, WRITE.replace("url", "urll"))
    code, out, err = ctx.hyagent("validate", "--format=json", path)
    report = json.loads(out)
    assert code == 1 and err == "", (code, err)
    assert (report["schema"], report["valid"], report["errors"], report["warnings"]) == (1, False, 1, 0), report
    (d,) = report["diagnostics"]
    assert d["file"] == str(path) and d["severity"] == "error" and d["kind"] == "plain", d
    assert d["range"] == {"start": {"line": 3, "column": 3}, "end": {"line": 3, "column": 7}}, d
    assert "urll" in d["message"] and "url" in d["hint"], d
    assert d["page"] == "docs/reference/loki.write.md#endpoint", d
    assert d["command"] == "hyagent docs loki.write.endpoint", d
    assert "batch_wait" in ctx.hyagent("docs", d["command"].split()[-1])[1], "the command prints that page"
    page = ctx.repo / "docs" / "reference" / "loki.write.md"
    ctx.hyagent("docs", "--markdown", ctx.tmp / "pages")
    assert '<a id="endpoint"></a>' in (ctx.tmp / "pages" / page.name).read_text()
    code, out, _ = ctx.hyagent("validate", "--format=json", write(ctx, WRITE))
    assert code == 0 and json.loads(out)["valid"] and json.loads(out)["diagnostics"] == [], out
    code, out, _ = ctx.hyagent("validate", "--format=json", write(ctx, "livedebugging { }\nlogging {\n"))
    assert code == 1 and json.loads(out)["diagnostics"][0]["range"]["start"]["line"] == 2, out
    code, out, _ = ctx.hyagent("validate", "--format=json", ctx.tmp / "nowhere.river")
    assert code == 1 and json.loads(out)["diagnostics"][0]["range"] is None, out


@e2e()
def test_validate_takes_several_and_reports_all_of_them(ctx):
    good, bad = write(ctx, WRITE, "good.river"), write(ctx, WRITE.replace("url", "urll"), "bad.river")
    folder = ctx.tmp / "folder"
    folder.mkdir()
    (folder / "a.alloy").write_text(WRITE)
    (folder / "b.river").write_text('loki.source.file "f" {\n\ttargets    = []\n\tforward_to = [loki.write.x.receiver]\n}\n')
    assert ctx.hyagent("validate", good, folder)[0] == 0
    code, _, err = ctx.hyagent("validate", bad, good, folder, ctx.tmp / "nowhere")
    assert code == 1 and "bad.river:3:3" in err and "nowhere" in err and "good.river" not in err, err
    code, out, _ = ctx.hyagent("validate", "--format=json", bad, good, ctx.tmp / "nowhere")
    assert code == 1 and json.loads(out)["errors"] == 2, out


@e2e()
def test_validate_reports_the_structure_and_the_arguments_at_once(ctx):
    path = write(
        ctx,
        'loki.source.journal "j" { }\n'
        + WRITE.replace("url", "urll")
        + 'loki.source.file "f" {\n\ttargets    = "x"\n\tforward_to = [loki.write.y.receiver]\n}\n',
    )
    _, out, _ = ctx.hyagent("validate", "--format=json", path)
    said = [d["message"] for d in json.loads(out)["diagnostics"]]
    assert len(said) == 4, said
    for word in ("loki.source.journal", "urll", "targets", "loki.write.y.receiver"):
        assert sum(word in s for s in said) == 1, (word, said)


@e2e()
def test_validate_opens_no_socket_and_makes_no_file(ctx):
    port = free_port()
    taken = socket.socket()
    taken.bind(("127.0.0.1", port))
    taken.listen()
    taken.settimeout(0.2)
    path = write(
        ctx,
        f'otelcol.receiver.otlp "in" {{\n\thttp {{\n\t\tendpoint = "127.0.0.1:{port}"\n\t}}\n\toutput {{ }}\n}}\n'
        f'remote.http "r" {{\n\turl = "http://127.0.0.1:{port}/"\n}}\n'
        'local.file "l" {\n\tfilename = "/nowhere/at/all"\n}\n' + WRITE.replace(":9/", f":{port}/"),
    )
    before = sorted(str(p) for p in ctx.tmp.rglob("*"))
    code, _, err = ctx.hyagent("validate", path, cwd=ctx.tmp)
    assert code == 0, err
    assert sorted(str(p) for p in ctx.tmp.rglob("*")) == before
    try:
        taken.accept()
        raise AssertionError("somebody connected")
    except TimeoutError:
        pass


@e2e()
def test_validate_names_what_has_no_effect(ctx):
    path = write(ctx, WRITE.replace("\tendpoint", "\twal {\n\t\tenabled = true\n\t}\n\n\tendpoint"))
    code, out, _ = ctx.hyagent("validate", "--format=json", path)
    said = [(d["kind"], d["severity"]) for d in json.loads(out)["diagnostics"]]
    assert code == 0 and ("no_effect", "warning") in said, out
    code, _, err = ctx.hyagent("validate", path)
    assert code == 0 and "wal" in err and "no effect" in err, err


@e2e()
def test_no_secret_of_a_broken_configuration_is_printed(ctx):
    for text in (
        WRITE.replace("\t\turl", '\t\tbearer_token = "hunter2"\n\t\turll'),
        WRITE.replace("\t\turl", '\t\tbearer_tokn = "hunter2"\n\t\turl'),
        WRITE.replace("\t\turl", '\t\tbearer_token = "hunter2" "x"\n\t\turl'),
        WRITE.replace("\t\turl", '\t\thttp_headers = {\n\t\t\t"A" = "hunter2",\n\t\t}\n\t\turl'),
        WRITE.replace("http://", "http://me:hunter2@").replace("url", "urll"),
    ):
        code, out, err = ctx.hyagent("validate", write(ctx, text))
        assert code == 1 and "hunter2" not in out + err, err
        assert "hunter2" not in ctx.hyagent("validate", "--format=json", ctx.tmp / "c.river")[1]
        assert "hunter2" not in ctx.hyagent("run", ctx.tmp / "c.river", f"--storage.path={ctx.tmp}/d")[2]


@e2e()
def test_fmt_takes_several_files(ctx):
    good, ugly = write(ctx, WRITE, "good.river"), write(ctx, WRITE.replace("\t", "   "), "ugly.river")
    code, out, err = ctx.hyagent("fmt", "-t", good, ugly)
    assert code == 3 and out == "" and "ugly.river" in err and "good.river" not in err, (code, out, err)
    assert ctx.hyagent("fmt", good, ugly)[1] == WRITE + WRITE
    broken = write(ctx, "logging {", "broken.river")
    code, out, _ = ctx.hyagent("fmt", "--format=json", "-t", good, broken, ugly)
    assert code == 1 and [d["file"] for d in json.loads(out)["diagnostics"]] == [str(broken)], out
    assert ctx.hyagent("fmt", "-w", good, broken, ugly)[0] == 1
    assert ugly.read_text() == WRITE and broken.read_text() == "logging {"
    assert ctx.hyagent("fmt", "-w", good, "-")[0] == 2
    assert ctx.hyagent("format", good)[1] == WRITE


def alloy(ctx, *args):
    link = ctx.tmp / "alloy"
    if not link.exists():
        link.symlink_to(ctx.bin)
    return subprocess.run(
        [str(link), *map(str, args)], capture_output=True, text=True, env={**os.environ, **SANITIZER_ENV}, cwd=ctx.tmp
    )


@e2e()
def test_as_alloy_the_command_lines_of_alloy_work(ctx):
    path = write(ctx, WRITE, "config.alloy")
    assert alloy(ctx, "--version").returncode == 0
    assert alloy(ctx, "validate", path).returncode == 0
    assert alloy(ctx, "fmt", path).stdout == WRITE
    ugly = write(ctx, WRITE.replace("\t", " "), "ugly.alloy")
    for args in (("fmt", "-t", ugly), ("validate",), ("nonsense",), ("run", path, "--no.such.flag")):
        assert alloy(ctx, *args).returncode == 1, f"{args}: Alloy ends with 1 whatever is wrong"
    port = free_port()
    p = subprocess.Popen(
        [
            str(ctx.tmp / "alloy"),
            "run",
            str(path),
            f"--server.http.listen-addr=127.0.0.1:{port}",
            f"--storage.path={ctx.tmp}/data",
            "--disable-reporting",
            "--cluster.enabled=false",
            "--stability.level=generally-available",
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
def test_bash_completes_commands_flags_choices_pages_and_files(ctx):
    script = write(ctx, ctx.hyagent("completion", "bash")[1], "completion.bash")
    (ctx.tmp / "some.river").write_text("")
    rows = [
        (["hyagent", "val"], {"validate"}),
        (["hyagent", ""], {"run", "validate", "fmt", "docs", "completion"}),
        (["hyagent", "run", "--stor"], {"--storage.path="}),
        (["hyagent", "run", "--cluster"], set()),
        (["hyagent", "run", "--stability.level", "=", "ex"], {"experimental"}),
        (["hyagent", "validate", "--format", "="], {"json", "text"}),
        (["hyagent", "docs", "loki.wr"], {"loki.write"}),
        (["hyagent", "docs", "string.f"], {"string.format"}),
        (["hyagent", "completion", "z"], {"zsh"}),
        (["hyagent", "fmt", "some"], {"some.river"}),
        (["hyagent", "fmt", "--tes"], {"--test"}),
        (["hyagent", "--vers"], {"--version"}),
    ]
    for words, want in rows:
        quoted = " ".join(f"'{w}'" for w in words)
        line = (
            f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _hyagent; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        p = subprocess.run(["bash", "-u", "-c", line], capture_output=True, text=True, cwd=ctx.tmp)
        got = set(p.stdout.split())
        assert p.returncode == 0 and p.stderr == "", (words, p.stderr)
        assert got >= want and (want or not got), (words, got)


@e2e()
def test_completion_of_other_shells_parses_where_they_are(ctx):
    for shell, check in (("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])):
        code, out, _ = ctx.hyagent("completion", shell)
        assert code == 0 and "stability.level" in out and "experimental" in out and "loki.write" in out, shell
        if shutil.which(shell):
            p = subprocess.run([*check, write(ctx, out, f"completion.{shell}")], capture_output=True, text=True)
            assert p.returncode == 0 and p.stderr == "", p.stderr
    assert ctx.hyagent("completion", "tcsh")[0] == 2


@e2e()
def test_the_man_page_is_good_roff_and_names_every_flag_of_run(ctx):
    code, page, _ = ctx.hyagent("man")
    assert code == 0 and page.startswith(".TH HYAGENT 1")
    for flag in ("storage.path", "stability.level", "memory.limit", "cluster.enabled", "disable-reporting"):
        assert flag.replace("-", "\\-") in page, flag
    path = write(ctx, page, "hyagent.1")
    for check in (["groff", "-man", "-ww", "-Tutf8", "-z"], ["mandoc", "-T", "lint", "-W", "error"]):
        if shutil.which(check[0]):
            p = subprocess.run([*check, str(path)], capture_output=True, text=True)
            assert p.returncode == 0 and p.stderr == "", p.stderr


@e2e()
def test_docs_are_found_by_name_and_its_links_lead_somewhere(ctx):
    rows = [
        ("loki.write", "loki.write"),
        ("loki.write.endpoint.basic_auth", "password"),
        ("logging", "level"),
        ("declare", "custom component"),
        ("import.file", "filename"),
        ("functions", "string.join"),
        ("language", "double quotes"),
        ("sys.env", "environment"),
        ("alloy", "otelcol.receiver.jaeger"),
        ("otelcol.receiver.jaeger", "otelcol.receiver.otlp"),
    ]
    for name, want in rows:
        code, out, err = ctx.hyagent("docs", name)
        assert code == 0 and want in out, (name, out, err)
    code, _, err = ctx.hyagent("docs", "loki.wirte")
    assert code == 1 and "loki.write" in err, err
    pages = ctx.tmp / "pages"
    assert ctx.hyagent("docs", "--markdown", pages)[0] == 0
    names = {p.name for p in pages.iterdir()}
    others = {"README.md", "alloy.md", "functions.md", "language.md"}
    assert others | {"declare.md", "logging.md", "loki.write.md"} <= names
    for page in pages.iterdir():
        for part in page.read_text().split("](")[1:]:
            assert part.split(")")[0] in names, (page.name, part[:60])
    schema = json.loads(ctx.hyagent("docs", "--json")[1])
    assert {c["name"] + ".md" for c in schema["components"]} == names - others
