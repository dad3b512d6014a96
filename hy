#!/usr/bin/env bash
# hy - the developer's one command. `./hy help` lists what it does; the longer parts are in tools/*.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
HY_ROOT=$PWD
# The distribution's own tools first: a cmake, python3 or pkg-config from elsewhere does not know its libraries.
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
HY_JOBS=${HY_JOBS:-$(nproc)}
HY_LOGS=$HY_ROOT/build/logs

for part in common setup build run test fuzz lint; do
    . "tools/$part.sh"
done

help() {
    cat <<'END'
usage: ./hy COMMAND

  setup [build|test]    install what is missing from the distribution's packages (all of it, or one set)
  build                 the release binary: build/hyagent
  run                   build, then run pipelines/quickstart.river in the foreground and show what arrives
  test [FILTER]         every check and test (FILTER: a regular expression on test names)
  fuzz [--seconds N] [TARGET]
                        the libFuzzer targets, sharing N seconds (180)
  bench [--ci]          the benchmarks; --ci: instruction counts only
  sim, fault            the simulator and the fault tests (not built yet: they say what they wait for)
  lint                  clang-tidy and the formatting, both only looked at
  fmt                   clang-format, in place
  help                  this page

Environment: HY_JOBS (parallel jobs; all cores), HY_ALLOW_SKIP=docker,… (needs that may be missing without failing
`test`), HY_PEERS (a folder of programs of other projects, for the optional tests). Logs of each step: build/logs/.
END
}

bench() {
    [ -x bench/run.sh ] || die "bench/run.sh is not there: this tree has no benchmarks yet"
    setup_set build
    exec bench/run.sh "$@"
}

# not_yet COMMAND: runs tests/COMMAND/run.sh where it exists.
not_yet() {
    [ -x "tests/$1/run.sh" ] || die "$1 is not built yet: it comes with the delivery core's spool and journal (issue C)"
    exec "tests/$1/run.sh" "${@:2}"
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
    setup) setup "$@" ;;
    build) setup_set build && build_release ;;
    run) run_quickstart "$@" ;;
    test) run_tests "$@" ;;
    fuzz) run_fuzz "$@" ;;
    bench) bench "$@" ;;
    sim | fault) not_yet "$command" "$@" ;;
    lint) run_lint ;;
    fmt) run_fmt ;;
    help | -h | --help) help ;;
    *) help >&2; exit 2 ;;
esac
