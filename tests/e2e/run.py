#!/usr/bin/env python3
"""Runs the end-to-end tests, one process each.

usage: run.py --bin HYAGENT [--release HYAGENT] [--build DIR] [-k TEXT]... [--jobs N] [--logs WORD] [--list] [--keep]

--bin      the binary under test (the sanitizer build in ./hy test)
--release  the release binary, for tests of size and time (they skip without it)
-k, --filter  only tests whose module.name contains TEXT (may be given more than once)
--jobs     how many at once (they mostly wait); those that need docker or measure the release binary run alone, last
Logs: BUILD/logs/e2e/NAME.log (--logs: another word than e2e). A test whose need of docker, prometheus, node_exporter, sdk or node is not met fails the
run unless HY_ALLOW_SKIP (comma-separated) names that need; peers (loki, tempo of $HY_PEERS) may be missing."""

import argparse
import importlib
import inspect
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
MUST = {"docker", "prometheus", "node_exporter", "sdk", "node"}
PEERS = {"loki", "tempo"}
SKIPPED = 77


def discover():
    """[(module.name, function)] in the order of the files."""
    sys.path.insert(0, str(HERE))
    found = []
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_") and hasattr(function, "needs") and function.__module__ == path.stem:
                found.append((f"{path.stem[5:]}.{name[5:]}", function, inspect.getsourcelines(function)[1]))
    found.sort(key=lambda f: (not f[0].startswith("selfcheck."), f[0].split(".")[0], f[2]))
    return [(name, function) for name, function, _ in found]


def arguments():
    p = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    p.add_argument("--bin", type=Path)
    p.add_argument("--release", type=Path)
    p.add_argument("--build", type=Path, default=REPO / "build")
    p.add_argument("-k", "--filter", action="append", default=[])
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--logs", default="e2e")
    p.add_argument("--list", action="store_true")
    p.add_argument("--keep", action="store_true", help="keep the tests' folders")
    p.add_argument("--child", help=argparse.SUPPRESS)
    p.add_argument("--tmp", help=argparse.SUPPRESS)
    return p.parse_args()


def in_venv(args):
    """The clients live in BUILD/e2e/venv: go on with its Python."""
    python = args.build.resolve() / "e2e/venv/bin/python"
    if python.exists() and Path(sys.prefix).resolve() != python.parent.parent.resolve():
        os.execv(python, [str(python), *sys.argv])


def child(args):
    """Runs one test in this process: 0 passed, 77 skipped, else failed. The reason is the last line of output."""
    from lib.context import Context, Skip

    function = dict(discover())[args.child]
    ctx = Context(
        args.child,
        args.bin and args.bin.resolve(),
        args.release and args.release.resolve(),
        args.build.resolve(),
        REPO,
        args.tmp,
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    result, reason = 0, ""
    try:
        function(ctx)
    except Skip as e:
        result, reason = SKIPPED, str(e)
    except BaseException as e:
        traceback.print_exc(file=sys.stdout)
        last = traceback.extract_tb(e.__traceback__)[-1]
        text = f"{e.code().name} {e.details()}" if hasattr(e, "details") and hasattr(e, "code") else str(e)
        result, reason = 1, (
            f"{type(e).__name__}: {text}" if text else f"{type(e).__name__}: {last.line} (line {last.lineno})"
        )
    failure = ctx.close()
    if failure and result != 1:
        result, reason = 1, f"at the end: {type(failure).__name__}: {failure}"
    if result == 1:
        for path in sorted(Path(args.tmp).glob("*/stderr.log")):
            text = path.read_text(errors="replace")
            print(f"---- {path.relative_to(args.tmp)} (last 6000)\n{text[-6000:]}")
    sys.stdout.flush()
    print("\n" + (reason.strip().splitlines() or [""])[0][:400], flush=True)
    os._exit(result)  # servers' threads may still be there


def run_one(args, name, function, logs, tmp_root):
    tmp = tempfile.mkdtemp(prefix=name.replace(".", "-") + "-", dir=tmp_root)
    log = logs / f"{name}.log"
    command = [sys.executable, str(HERE / "run.py"), "--child", name, "--tmp", tmp, "--build", str(args.build)]
    if args.bin:
        command += ["--bin", str(args.bin)]
    if args.release:
        command += ["--release", str(args.release)]
    with open(log, "wb") as out:
        p = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            code = p.wait(function.timeout + 15)
            reason = log.read_text(errors="replace").rstrip("\n").split("\n")[-1]
        except subprocess.TimeoutExpired:
            code, reason = 1, f"did not end within {function.timeout} + 15 s"
            out.write(f"\n{reason}\n".encode())
    try:
        os.killpg(p.pid, signal.SIGKILL)  # what a dying test left behind: its own session only
    except ProcessLookupError:
        pass
    p.wait()
    if not args.keep:
        shutil.rmtree(tmp, ignore_errors=True)
    return code, reason


def main():
    args = arguments()
    in_venv(args)
    if args.child:
        child(args)
    tests = [(n, f) for n, f in discover() if not args.filter or any(k in n for k in args.filter)]
    if args.list:
        for name, function in tests:
            print(name, *function.needs)
        return 0
    from lib import docker_util
    from lib.context import missing

    logs = args.build / "logs" / args.logs
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    allowed = set(filter(None, os.environ.get("HY_ALLOW_SKIP", "").replace(" ", ",").split(",")))
    counts, bad_skips, failures = {"PASS": 0, "FAIL": 0, "SKIP": 0}, set(), []
    daemon = docker_util.Daemon(args.build) if any("docker" in f.needs for _, f in tests) else None
    tmp_root = tempfile.mkdtemp(prefix="hye2e-")
    why = {}

    def run(test):
        name, function = test
        began = time.monotonic()
        lacks = [n for n in function.needs if why[n]]
        if lacks:
            kind = "peers" if lacks[0] in PEERS else lacks[0]
            word, reason = "SKIP", f"needs {kind}: {why[lacks[0]]}"
            bad_skips.update(n for n in lacks if n in MUST and n not in allowed)
        elif args.bin is None and not name.startswith("selfcheck."):
            word, reason = "FAIL", "--bin was not given"
        else:
            code, reason = run_one(args, name, function, logs, tmp_root)
            word = {0: "PASS", SKIPPED: "SKIP"}.get(code, "FAIL")
        counts[word] += 1
        if word == "FAIL":
            failures.append(name)
        took = f" ({time.monotonic() - began:.1f} s)"
        print(f"{word} {name}{took if word != 'SKIP' else ''}{' ' + reason if word != 'PASS' else ''}", flush=True)

    try:
        for need in {n for _, f in tests for n in f.needs}:
            why[need] = missing(need, args.build)
            if need == "release" and not args.release:
                why[need] = "--release was not given"
        alone = [t for t in tests if {"docker", "release"} & set(t[1].needs)]
        with ThreadPoolExecutor(max(1, args.jobs)) as pool:
            list(pool.map(run, [t for t in tests if t not in alone]))
        for test in alone:
            run(test)
    finally:
        if daemon:
            daemon.stop()
        if args.keep:
            print(f"folders kept in {tmp_root}")
        else:
            shutil.rmtree(tmp_root, ignore_errors=True)
    for need in sorted(bad_skips):
        print(f"MISSING tests skipped for want of {need} (set HY_ALLOW_SKIP={need} to accept that)")
    for name in failures:
        print(f"log of {name}: {logs / (name + '.log')}")
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] or bad_skips else 0


if __name__ == "__main__":
    sys.exit(main())
