# Sourced by ../hy: `hy test`. Every test ends as one line of build/logs/results: PASS|FAIL|SKIP name [reason].

HY_RESULTS=$HY_LOGS/results
# The end-to-end tests that run under ThreadSanitizer too: every way in and out, and changes under load.
HY_TSAN_E2E='^(otlp\.(python_sdk_over|retries_after)|files\.(rename|copytruncate)|scrape\.(special_values|targets_that)|life\.(sighup_under_load|a_changed_exporter)|admin\.metrics_page)'

record() { printf '%s\n' "$*" >>"$HY_RESULTS"; }

# check NAME COMMAND...: a step that is a test.
check() {
    local name=$1
    [[ $name =~ $HY_FILTER ]] || return 0
    if step "$@"; then record "PASS $name"; else record "FAIL $name"; fi
}

run_checks() {
    check check-includes /usr/bin/python3 tools/check_includes.py
    check check-source /usr/bin/python3 tools/check_source.py
    check check-the-checks /usr/bin/python3 tests/checks/test_checks.py
    check check-hy bash tests/checks/test_hy.sh
}

# What needs generated headers or the binary, so comes after the debug build.
run_late_checks() {
    check check-headers tools/check_headers.sh build/debug "$HY_JOBS"
    check check-symbols tools/check_symbols.sh build/debug
    check check-size tools/check_size.sh build/hyagent $((12 * 1024 * 1024))
    check check-conformance /usr/bin/python3 tests/conformance/check.py --bin build/hyagent
    [ ! -d docs/reference ] || check check-reference tools/check_reference.sh build/hyagent
}

# ctest_results PREFIX: turns ctest's lines into results.
ctest_results() {
    sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.*(.*)$/\1 \2/p' | while read -r name outcome; do
        case $outcome in
            *Passed*) record "PASS $1$name" ;;
            *Skipped*) record "SKIP $1$name needs sanitizer: the test said it cannot run here" ;;
            *) record "FAIL $1$name ${outcome#\*\*\*}" ;;
        esac
    done
}

# run_ctest NAME FOLDER PREFIX: the unit and corpus tests of one build.
run_ctest() {
    local name=$1 folder=$2 status=0
    step "$name" "${HY_NO_ASLR[@]}" ctest --test-dir "$folder" --parallel "$HY_JOBS" --output-on-failure \
        --no-tests=ignore --tests-regex "${HY_FILTER:-.}" || status=1
    ctest_results "$3" <"$HY_LOGS/$name.log"
    # A crash of ctest itself leaves no line.
    [ $status -eq 0 ] || grep -q "^FAIL $3" "$HY_RESULTS" || record "FAIL $name"
}

run_fuzz_budget() {
    local targets seconds=180 lines
    mapfile -t targets < <(fuzz_targets | grep -E "${HY_FILTER:-.}" || true)
    [ ${#targets[@]} -ne 0 ] || return 0
    [ -z "$HY_FILTER" ] || seconds=$((10 * ${#targets[@]}))
    if ! step build-fuzz build_preset fuzz build/fuzz "${targets[@]}"; then
        record "FAIL build-fuzz"
        return 0
    fi
    printf '%-28s ' "fuzz, ${#targets[@]} targets"
    lines=$(fuzz_round "$seconds" "${targets[@]}")
    say "$(grep -c '^PASS' <<<"$lines") of ${#targets[@]} without a finding, $seconds s shared"
    printf '%s\n' "$lines" >>"$HY_RESULTS"
    sed -n 's/^FAIL fuzz\///p' <<<"$lines" | while read -r target; do
        say "    the end of build/logs/$target.log:"
        tail -n 60 "$HY_LOGS/$target.log" | sed 's/^/    /'
    done
}

# The end-to-end tests print their own PASS|FAIL|SKIP lines, and start and end a dockerd where none answers.
# run_e2e NAME PREFIX BINARY [TEXT]: those whose name matches TEXT, of the ones asked for.
run_e2e() {
    local name=$1 prefix=$2 binary=$3 text=${4:-.} log=$HY_LOGS/$1.log names=() status=0
    [ -f tests/e2e/run.py ] || return 0
    if [ -n "$HY_FILTER$4" ]; then
        mapfile -t names < <(/usr/bin/python3 tests/e2e/run.py --list | awk '{print $1}' | grep -E "$text" |
            grep -E "${HY_FILTER:-.}" || true)
        [ ${#names[@]} -ne 0 ] || return 0
    fi
    printf '%-28s (build/logs/%s/ has a log per test)\n' "end-to-end $prefix" "$name"
    "${HY_NO_ASLR[@]}" /usr/bin/python3 tests/e2e/run.py --jobs "$HY_JOBS" --logs "$name" --bin "$binary" \
        --release build/hyagent "${names[@]/#/-k}" 2>"$log.err" </dev/null | sed -uE "s,^(PASS|FAIL|SKIP) ,&$prefix," |
        tee "$log" | grep --line-buffered -E '^(PASS|FAIL|SKIP) ' || status=$?
    # Which skips are a failure is decided in one place, judge_skips.
    grep -E '^(PASS|FAIL|SKIP) ' "$log" >>"$HY_RESULTS" || true
    if ! grep -qE '^[0-9]+ passed, ' "$log"; then
        record "FAIL $name the runner did not come to its end"
        tail -n 60 "$log.err" | sed 's/^/    /'
    fi
    sed -n "s,^FAIL $prefix\\([a-z0-9_]*\\.[^ ]*\\).*,\\1,p" "$log" | while read -r test; do
        say "    the end of build/logs/$name/$test.log:"
        tail -n 60 "$HY_LOGS/$name/$test.log" | sed 's/^/    /'
    done
}

# A skip is fine when the test is optional (it wants a program of $HY_PEERS, or a browser where there is no package of
# one) or its need was named by hand.
judge_skips() {
    local line name reason need
    while IFS= read -r line; do
        read -r _ name reason <<<"$line"
        need=$(sed -nE 's/^needs ([a-z_]+).*/\1/p' <<<"$reason")
        if [[ $reason == *HY_PEERS* || (${need:-} == chromium && " ${SET_test[*]} " != *" chromium:"*) || ",${HY_ALLOW_SKIP:-}," == *",${need:-$name},"* || ",${HY_ALLOW_SKIP:-}," == *",$name,"* ]]; then
            record "$line"
        else
            record "FAIL $name skipped, though HY_ALLOW_SKIP does not name '${need:-$name}': $reason"
        fi
    done
}

summary() {
    local skips passed failed skipped
    skips=$(grep '^SKIP ' "$HY_RESULTS" || true)
    sed -i '/^SKIP /d' "$HY_RESULTS"
    [ -z "$skips" ] || judge_skips <<<"$skips"
    passed=$(grep -c '^PASS ' "$HY_RESULTS" || true)
    failed=$(grep -c '^FAIL ' "$HY_RESULTS" || true)
    skipped=$(grep -c '^SKIP ' "$HY_RESULTS" || true)
    say "---- $((SECONDS / 60)) min $((SECONDS % 60)) s"
    grep '^SKIP ' "$HY_RESULTS" | sed 's/^SKIP /skipped: /' || true
    grep '^FAIL ' "$HY_RESULTS" | sed 's/^FAIL /failed:  /' || true
    [ $((passed + failed + skipped)) -ne 0 ] || { say "no test matches '$HY_FILTER'"; failed=1; }
    say "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

run_tests() {
    HY_FILTER=${1:-}
    setup_set build test
    setup_clients
    mkdir -p "$HY_LOGS"
    : >"$HY_RESULTS"
    export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
    export TSAN_OPTIONS=suppressions=$HY_ROOT/tests/tsan.supp:history_size=4
    # ThreadSanitizer of gcc 12 cannot lay out its memory under the newest kernels' address randomisation.
    HY_NO_ASLR=()
    ! setarch "$(uname -m)" -R true 2>/dev/null || HY_NO_ASLR=(setarch "$(uname -m)" -R)

    run_checks
    build_release || record "FAIL build-release"
    if step build-debug build_preset debug build/debug all; then
        run_late_checks
        run_ctest test-debug build/debug ""
    else
        record "FAIL build-debug"
    fi
    if step build-tsan build_preset tsan build/tsan tests_tsan; then
        run_ctest test-tsan build/tsan tsan/
        run_e2e e2e-tsan tsan/ build/tsan/hyagent "$HY_TSAN_E2E"
    else
        record "FAIL build-tsan"
    fi
    run_fuzz_budget
    run_e2e e2e "" build/debug/hyagent ""
    summary
}
