#!/usr/bin/env bash
# bench/run.sh [--ci [--update]] - `./hy bench`.
#   (nothing)      instructions per item of each path, and unpinned wall-clock times beside them
#   --ci           instructions per item, judged against bench/baseline.json: more than 3 % worse fails
#   --ci --update  writes bench/baseline.json anew
# Instructions are counted by callgrind over bench/driver, one thread without a network: the same count run to run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
HY_ROOT=$PWD
HY_LOGS=$HY_ROOT/build/logs
HY_JOBS=${HY_JOBS:-$(nproc)}
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
. tools/common.sh
. tools/setup.sh

usage() {
    sed -n '2,5s/^# \{0,1\}//p' bench/run.sh >&2
    exit 2
}

mode=wall
for argument in "$@"; do
    case $argument in
        --ci) mode=ci ;;
        --update) [ $mode = ci ] || usage; mode=update ;;
        --peers | --peers=*)
            die "bench: the comparison with other agents is not built yet: it comes with issue D" ;;
        *) usage ;;
    esac
done

SET_bench=(valgrind python3)
setup_set build bench

build() {
    cmake -G Ninja -S . -B build/bench -DCMAKE_BUILD_TYPE=Release "-DCMAKE_C_FLAGS_RELEASE=-O2 -DNDEBUG" \
        -DHY_TESTS=OFF -DHY_BENCH=ON &&
        cmake --build build/bench --parallel "$HY_JOBS" --target hyagent_bench hyagent_bench_config
}
step build-bench build || exit 1

/usr/bin/python3 bench/report.py build/bench $mode
if [ $mode = wall ]; then
    say "the comparison with other agents and with the physical limit comes with issue D"
fi
