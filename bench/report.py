#!/usr/bin/env python3
"""Runs bench/driver and bench/config under callgrind and judges the counts. usage: report.py BUILD_DIR wall|ci|update

Own code (agent/, exporters/, generated code) and libraries are counted apart: which library code runs depends on the CPU
and on the library's version. Own code is judged where the compiler is the baseline's; libraries where CPU and distribution
are, too."""
import json
import os
import platform
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BASELINE = os.path.join(HERE, "baseline.json")
WORSE = 0.03
# libc's string functions are told not to choose by CPU, so that their counts do not depend on the machine.
PLAIN_LIBC = "glibc.cpu.hwcaps=" + ",".join(
    f"-{feature}" for feature in "AVX512F AVX512VL AVX512BW AVX2 AVX AVX_Fast_Unaligned_Load ERMS FSRM BMI2".split()
)
CPU_FLAGS = ("sse4_2", "avx2", "bmi2", "pclmulqdq")
OWN = re.compile(r"^(agent|exporters|build/[^?]*generated/proto)/")
DRIVERS = ("hyagent_bench", "hyagent_bench_config")
DRIVER = re.compile(r"^bench/")
FUNCTIONS_KEPT = 40
NOT_JUDGED = 1  # instructions per item below which a function is not worth a line


def run(*command, **how):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def callgrind_functions(path):
    """{(source file, function): own instructions} of a callgrind.out file (its format: valgrind manual, cl-format)."""
    names, counts = {}, {}
    file = function = ""
    is_call = False

    def name_of(kind, text):
        number, _, name = text.partition(" ")
        if name:
            names[kind, number] = name
        return names[kind, number]

    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if line.startswith(("fl=", "fi=", "fe=", "cfi=", "cfl=")):
                key, value = line.split("=", 1)
                name = name_of("file", value).removeprefix(ROOT + "/")
                if key == "fl":
                    file = name
            elif line.startswith("fn="):
                function = re.sub(r"'\d+$", "", name_of("function", line[3:]))  # f'2: f called by itself
            elif line.startswith("cfn="):
                name_of("function", line[4:])
            elif line.startswith(("ob=", "cob=")):
                name_of("object", line.split("=", 1)[1])
            elif line.startswith("calls="):
                is_call = True  # the next line is what the callee took
            elif line and line[0] in "0123456789+-*":
                if not is_call:
                    key = (file, function)
                    counts[key] = counts.get(key, 0) + int(line.split()[1])
                is_call = False
    return counts


def measure(build, driver, path):
    """Counts of one path, per item."""
    out = os.path.join(build, f"callgrind.{path}")
    said = run("valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={out}",
               "--toggle-collect=bench_measure", driver, path, env={**os.environ, "GLIBC_TUNABLES": PLAIN_LIBC})
    match = re.search(r"items (\d+) bytes (\d+)", said)
    items = int(match.group(1))
    result = {"own": 0.0, "library": 0.0, "bytes": round(int(match.group(2)) / items, 2), "functions": {}}
    functions = {}
    for (file, function), count in callgrind_functions(out).items():
        if DRIVER.search(file):
            continue
        is_own = bool(OWN.search(file))
        result["own" if is_own else "library"] += count / items
        name = f"{file}:{function}" if is_own else f"library:{function}"
        functions[name] = functions.get(name, 0) + count / items
    if not result["own"]:
        sys.exit(f"bench: {path}: callgrind saw no code of ours")
    result["own"], result["library"] = round(result["own"], 1), round(result["library"], 1)
    largest = sorted(functions.items(), key=lambda f: -f[1])[:FUNCTIONS_KEPT]
    result["functions"] = {name: round(count, 1) for name, count in largest if count >= NOT_JUDGED}
    return result


def machine():
    flags = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            flags = next((line for line in f if line.startswith("flags")), "")
    except OSError:
        pass
    release = platform.freedesktop_os_release()
    return {
        "compiler": f"gcc {run('gcc', '-dumpfullversion').strip()} {platform.machine()}",
        "libraries": " ".join([release.get("ID", ""), release.get("VERSION_ID", "")]
                              + [f for f in CPU_FLAGS if f in flags.split()]),
    }


def differences(now, before):
    """The functions that changed most, worst first."""
    names = set(now) | set(before)
    changed = sorted(((now.get(n, 0) - before.get(n, 0), n) for n in names), reverse=True)
    return [(d, n) for d, n in changed if d >= NOT_JUDGED][:12]


def judge(name, now, before, parts):
    """True when no part is worse than allowed."""
    fine = True
    for part in parts:
        ratio = now[part] / before[part] - 1 if before[part] else 0.0
        if ratio > WORSE:
            fine = False
            print(f"FAIL {name}: {part} code takes {now[part]:.0f} instructions per item, {100 * ratio:.1f} % more than "
                  f"the {before[part]:.0f} of bench/baseline.json. By function (per item):")
            for delta, function in differences(now["functions"], before["functions"]):
                print(f"     {delta:+9.1f}  {now['functions'].get(function, 0):9.1f}  {function}")
        elif ratio < -WORSE:
            print(f"     {name}: {part} code is {-100 * ratio:.1f} % better than bench/baseline.json; keep it with "
                  "bench/run.sh --ci --update")
    return fine


def compare(results, here):
    """The exit code."""
    with open(BASELINE, encoding="utf-8") as f:
        baseline = json.load(f)
    if baseline["compiler"] != here["compiler"]:
        print(f"not judged: bench/baseline.json was made with {baseline['compiler']}, this is {here['compiler']}")
        return 0
    parts = ["own"] + (["library"] if baseline["libraries"] == here["libraries"] else [])
    if len(parts) == 1:
        print(f"libraries not judged: the baseline's are of {baseline['libraries']}, these of {here['libraries']}")
    fine = True
    for name, now in results.items():
        if name not in baseline["paths"]:
            print(f"FAIL {name}: not in bench/baseline.json; add it with bench/run.sh --ci --update")
            fine = False
        else:
            fine = judge(name, now, baseline["paths"][name], parts) and fine
    for name in sorted(set(baseline["paths"]) - set(results)):
        print(f"FAIL {name}: in bench/baseline.json, but the driver has no such path")
        fine = False
    return 0 if fine else 1


def main():
    build, mode = sys.argv[1], sys.argv[2]
    paths, drivers = {}, {}
    for driver in (os.path.join(build, name) for name in DRIVERS):
        listed = dict(line.split() for line in run(driver, "--list").splitlines())
        paths.update(listed)
        drivers.update(dict.fromkeys(listed, driver))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = dict(zip(paths, pool.map(lambda p: measure(build, drivers[p], p), paths)))
    wall = {p: float(run(drivers[p], p, "--wall").split()[1]) for p in paths} if mode == "wall" else {}
    print(f"{'path':22} {'per':8} {'own code':>10} {'libraries':>10} {'bytes out':>10}"
          + (f" {'ns, unpinned wall clock (median of 5)':>38}" if wall else "   (instructions per item)"))
    for name, r in results.items():
        print(f"{name:22} {paths[name]:8} {r['own']:10.0f} {r['library']:10.0f} {r['bytes']:10.1f}"
              + (f" {wall[name]:38.0f}" if wall else ""))
    with open(os.path.join(build, "report.json"), "w", encoding="utf-8") as f:
        json.dump({**machine(), "paths": results, "wall_ns": wall}, f, indent=1)
    if mode == "update":
        with open(BASELINE, "w", encoding="utf-8") as f:
            json.dump({**machine(), "paths": results}, f, indent=1)
            f.write("\n")
        print("written: bench/baseline.json")
    return compare(results, machine()) if mode == "ci" else 0


sys.exit(main())
