# Sourced by ../hy: the libFuzzer targets. A finding's input is kept in build/fuzz-findings/.

# fuzz_one TARGET SECONDS: seeds are read only; what is found on the way stays in build/fuzz-corpus/.
fuzz_one() {
    local target=$1 seconds=$2 grown=build/fuzz-corpus/$1 seeds=tests/fuzz/corpus/$1 dict=tests/fuzz/$1.dict
    mkdir -p "$grown" build/fuzz-findings
    [ -d "$seeds" ] || { echo "$seeds is missing: every target has seeds"; return 1; }
    build/fuzz/"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz-findings/$target-" $([ -f "$dict" ] && echo "-dict=$dict") "$grown" "$seeds"
}

fuzz_targets() { find tests/fuzz -mindepth 2 -maxdepth 2 -name 'fuzz_*.c' -printf '%f\n' | sed 's/\.c$//' | sort; }

# fuzz_round SECONDS TARGET...: shares the seconds over the targets, as many at a time as there are jobs. Prints
# "PASS name" or "FAIL name" per target.
fuzz_round() {
    local budget=$1 each target running=0
    shift
    each=$((budget / $#))
    [ "$each" -ge 1 ] || each=1
    mkdir -p "$HY_LOGS"
    for target in "$@"; do
        if [ $running -ge "$HY_JOBS" ]; then
            wait -n || true
            running=$((running - 1))
        fi
        { if fuzz_one "$target" "$each" >"$HY_LOGS/$target.log" 2>&1; then
            say "PASS fuzz/$target"
        else
            say "FAIL fuzz/$target"
        fi; } &
        running=$((running + 1))
    done
    wait
}

run_fuzz() {
    local seconds=180 targets=() results
    while [ $# -gt 0 ]; do
        case $1 in
            --seconds) seconds=${2:?--seconds needs a number}; shift 2 ;;
            *) targets+=("$1"); shift ;;
        esac
    done
    setup_set build test
    [ ${#targets[@]} -ne 0 ] || mapfile -t targets < <(fuzz_targets)
    [ ${#targets[@]} -ne 0 ] || die "no fuzz targets: tests/fuzz/*/fuzz_*.c"
    step build-fuzz build_preset fuzz build/fuzz "${targets[@]}" || exit 1
    results=$(fuzz_round "$seconds" "${targets[@]}")
    say "$results"
    ! grep -q '^FAIL' <<<"$results" || die "findings in build/fuzz-findings/, logs in build/logs/"
}
