# Sourced by ../hy: the CMake presets.

# build_preset PRESET FOLDER TARGET...: configures once (ninja configures again by itself), then builds the targets.
build_preset() {
    local preset=$1 folder=$2
    shift 2
    [ -f "$folder/build.ninja" ] || cmake --preset "$preset" || return 1
    cmake --build "$folder" --parallel "$HY_JOBS" --target "$@"
}

build_release() {
    local bytes
    step build-release build_preset release build hyagent || return 1
    bytes=$(stat -c %s build/hyagent)
    awk -v b="$bytes" 'BEGIN { printf "build/hyagent                %.1f MiB (symbols: build/hyagent.debug)\n", b / 1048576 }'
}
