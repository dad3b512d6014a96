# Sourced by ../hy: clang-format and clang-tidy.

own_sources() { git ls-files --cached --others --exclude-standard -- 'agent/*.[ch]' 'exporters/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]'; }

run_fmt() {
    setup_set build test
    own_sources | xargs -r clang-format -i
}

lint_format() { own_sources | xargs -r clang-format --dry-run -Werror; }

lint_tidy() {
    build_preset lint build/lint proto_wire || return 1
    own_sources | grep '^\(agent\|exporters\)/.*\.c$' |
        xargs -r -n 4 -P "$HY_JOBS" clang-tidy -p build/lint --quiet --warnings-as-errors='*'
}

run_lint() {
    local failed=0
    setup_set build test
    step lint-format lint_format || failed=1
    step lint-tidy lint_tidy || failed=1
    return $failed
}
