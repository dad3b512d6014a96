#!/usr/bin/env bash
# What hy itself promises: refusals in words, what it finds missing, and which skipped tests fail the run.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# expect NAME WANT GOT
expect() {
    [ "$2" = "$3" ] && return
    printf 'FAILED %s\n want: %s\n got:  %s\n' "$1" "$2" "$3"
    failed=1
}

said=$(./hy nonsense 2>&1 >/dev/null)
expect "an unknown command is a usage error" "2 usage:" "$? ${said%% *}"
for word in setup build run test bench fuzz sim fault lint fmt help; do
    ./hy help | grep -qE "(^|[ ,])$word( |,|$)" || expect "help names every command" "$word" "nothing"
done
if [ ! -e tests/sim ]; then
    said=$(./hy sim 2>&1)
    expect "what is not built is refused" 1 $?
    [[ $said == *"not built yet"* ]] || expect "... and says so" "not built yet" "$said"
fi

HY_ROOT=$work HY_LOGS=$work/logs
. tools/common.sh
. tools/setup.sh
. tools/test.sh
expect "an installed package is not missing" "" "$(missing_packages bash)"
expect "an absent one is" "no-such-package" "$(missing_packages bash no-such-package)"
expect "a command stands in for it" "" "$(missing_packages no-such-package:bash)"
expect "an absent command does not" "no-such-package" "$(missing_packages no-such-package:no-such-command)"

# judged ALLOWED LINE...: the last line of the summary and its status.
judged() {
    HY_RESULTS=$work/results
    HY_ALLOW_SKIP=$1
    HY_FILTER=
    printf '%s\n' "${@:2}" >"$HY_RESULTS"
    summary >"$work/said"
    printf '%s: %s' $? "$(tail -n 1 "$work/said")"
}

expect "all passed" "0: 2 passed, 0 failed, 0 skipped" "$(judged "" "PASS a" "PASS b")"
expect "a failure fails" "1: 1 passed, 1 failed, 0 skipped" "$(judged "" "PASS a" "FAIL b it broke")"
expect "a needed thing may not be missing" "1: 1 passed, 1 failed, 0 skipped" \
    "$(judged "" "PASS a" "SKIP b needs docker: no dockerd")"
expect "unless it was typed" "0: 1 passed, 0 failed, 1 skipped" \
    "$(judged "prometheus,docker" "PASS a" "SKIP b needs docker: no dockerd")"
expect "another word does not help" "1: 1 passed, 1 failed, 0 skipped" \
    "$(judged "dock" "PASS a" "SKIP b needs docker: no dockerd")"
expect "programs of other projects are optional" "0: 1 passed, 0 failed, 1 skipped" \
    "$(judged "" "PASS a" "SKIP b needs loki: no loki in \$HY_PEERS")"
expect "a skip without a known need fails" "1: 0 passed, 1 failed, 0 skipped" "$(judged "" "SKIP b felt like it")"
expect "no test at all fails" "1: 0 passed, 1 failed, 0 skipped" "$(judged "" "")"


expect "a step that fails shows its log's end" "1" "$(step broken bash -c 'echo why; exit 3' >"$work/said"; echo $?)"
grep -q '    why' "$work/said" || expect "... the log" "why" "$(cat "$work/said")"

HY_RESULTS=$work/results
: >"$HY_RESULTS"
ctest_results x/ <<'END'
 1/4 Test  #1: unit_a .................   Passed    0.01 sec
 2/4 Test #12: unit_b .................***Failed    0.02 sec
3/4 Test #3: unit_c ..................***Timeout 120.01 sec
        Start  4: unit_d
 4/4 Test  #4: unit_d .................***Exception: SegFault  0.10 sec
END
expect "ctest's lines become results" "PASS x/unit_a|FAIL x/unit_b|FAIL x/unit_c|FAIL x/unit_d" \
    "$(awk '{print $1 " " $2}' "$HY_RESULTS" | paste -sd'|')"

[ $failed -eq 0 ] && echo "ok"
exit $failed
