# Sourced by ../hy: `hy run`.

# One command per line; each works when pasted.
try_commands() {
    local otlp=http://127.0.0.1:4318/v1 json="-H 'Content-Type: application/json'"
    local who='"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"try"}}]}'
    cat <<END
curl -sS $otlp/traces $json -d '{"resourceSpans":[{$who,"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"hello","kind":1,"startTimeUnixNano":"'\$(date +%s)'000000000","endTimeUnixNano":"'\$(date +%s)'250000000"}]}]}]}'
curl -sS $otlp/metrics $json -d '{"resourceMetrics":[{$who,"scopeMetrics":[{"metrics":[{"name":"try_answer","gauge":{"dataPoints":[{"timeUnixNano":"'\$(date +%s)'000000000","asDouble":42}]}}]}]}]}'
echo "level=info msg=\"hello from the shell\" n=\$RANDOM" >> $(printf '%q' "$HYAGENT_QUICKSTART_LOG")
END
}

# Sends what a person would paste, once the agent is ready.
send_samples() {
    local i command
    for ((i = 0; i < 100; i++)); do
        kill -0 $$ 2>/dev/null || return 0 # $$ became the agent: it has ended
        ! curl -sf -o /dev/null --max-time 2 http://127.0.0.1:12345/-/ready || break
        sleep 0.2
    done
    while IFS= read -r command; do
        bash -c "$command" >/dev/null 2>&1 || true
    done < <(try_commands)
}

run_quickstart() {
    local options=(--tap --storage.path=build/data-quickstart)
    setup_set build
    build_release || exit 1
    export HYAGENT_QUICKSTART_LOG=$HY_ROOT/build/quickstart.log
    : >>"$HYAGENT_QUICKSTART_LOG"
    if [ -t 1 ]; then
        printf '\nThree commands to try in another terminal (Ctrl-C ends):\n\n'
        try_commands | sed 's/$/\n/'
    else
        # Nobody can paste here: send the samples, and let the agent end once it saw all three signals.
        options+=(--tap-until-all=60s)
        send_samples &
    fi
    exec build/hyagent run "${options[@]}" "$@" pipelines/quickstart.river
}
