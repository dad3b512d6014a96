# Sourced by ../hy: messages and logged steps.

say() { printf '%s\n' "$*"; }
die() { printf 'hy: %s\n' "$*" >&2; exit 1; }

# step NAME COMMAND...: runs it with its output in build/logs/NAME.log; on failure shows the log's end and returns 1.
step() {
    local name=$1 log=$HY_LOGS/$1.log start=$SECONDS status=0
    shift
    mkdir -p "$HY_LOGS"
    printf '%-28s ' "$name"
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ $status -eq 0 ]; then
        say "ok      $((SECONDS - start)) s"
        return 0
    fi
    say "FAILED  $((SECONDS - start)) s, exit $status; the end of ${log#"$HY_ROOT"/}:"
    tail -n 60 "$log" | sed 's/^/    /'
    return 1
}
