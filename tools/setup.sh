# Sourced by ../hy: installs what is missing from distribution packages.

# "package" or "package:command": the command, from wherever, serves as well.
SET_build=(cmake ninja-build gcc g++ pkg-config ccache:ccache curl:curl ca-certificates libgrpc-dev libprotobuf-c-dev
    protobuf-c-compiler libuv1-dev libcurl4-openssl-dev libmicrohttpd-dev libre2-dev libsnappy-dev libzstd-dev zlib1g-dev
    libminizip-dev libdeflate-dev libjansson-dev libyaml-dev libxxhash-dev libssl-dev liblz4-dev libc-ares-dev)
SET_test=(libcmocka-dev clang libclang-rt-dev clang-format clang-tidy python3 python3-venv docker.io:dockerd
    debootstrap prometheus:prometheus prometheus-node-exporter nodejs:node npm:npm iproute2
    valgrind openssl git:git)
# Ubuntu has the browser as a snap only: there its test may be left out.
[ "$(. /etc/os-release 2>/dev/null && printf '%s' "${ID:-}")" != debian ] || SET_test+=(chromium:chromium)

# Packages of the list that bring a service with them.
SERVICES='docker.io prometheus prometheus-node-exporter'

# missing_packages NAME...: those of the list that are neither installed nor stood in for.
missing_packages() {
    local item package command installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' "${@%%:*}" 2>/dev/null |
        sed -n 's/^installed \([^:]*\).*/ \1 /p') || true
    for item in "$@"; do
        package=${item%%:*}
        command=${item#"$package"}
        command=${command#:}
        [[ $installed == *" $package "* ]] && continue
        [ -n "$command" ] && command -v "$command" >/dev/null && continue
        printf '%s\n' "$package"
    done
}

check_distribution() {
    local id version
    command -v dpkg-query >/dev/null || die "this needs Debian 12 or Ubuntu 24.04 (or newer): there is no dpkg here"
    id=$(. /etc/os-release && printf '%s' "${ID:-}")
    version=$(. /etc/os-release && printf '%s' "${VERSION_ID:-999}")
    case $id in
        debian) dpkg --compare-versions "$version" ge 12 || die "Debian $version is too old: 12 or newer is needed" ;;
        ubuntu) dpkg --compare-versions "$version" ge 24.04 || die "Ubuntu $version is too old: 24.04 or newer is needed" ;;
    esac
}

# as_root COMMAND...: directly, else through sudo. Returns 1 when neither is possible.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif sudo -n true 2>/dev/null || { command -v sudo >/dev/null && [ -t 0 ]; }; then
        sudo "$@"
    else
        return 1
    fi
}

can_be_root() { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null || { command -v sudo >/dev/null && [ -t 0 ]; }; }

# Packages like prometheus and docker.io start a service when installed; policy-rc.d keeps them from it. Its output goes
# to a log, so it says nothing.
install_packages() {
    local policy=/usr/sbin/policy-rc.d ours=no status=0 package
    if [ ! -e $policy ]; then
        ours=yes
        trap "as_root rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
    fi
    as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends "$@" </dev/null || status=$?
    if [ $ours = yes ]; then
        as_root rm -f $policy
        trap - EXIT
    fi
    # They would start at the next boot, too.
    if [ $status -eq 0 ] && [ -d /run/systemd/system ]; then
        for package in "$@"; do
            [[ " $SERVICES " != *" $package "* ]] || as_root systemctl disable "${package%.io}" || true
        done
    fi
    return $status
}

# setup_set build|test...: silent when nothing is missing.
setup_set() {
    local set names=() missing
    for set in "$@"; do
        local -n list=SET_$set
        names+=("${list[@]}")
    done
    check_distribution
    mapfile -t missing < <(missing_packages "${names[@]}")
    [ ${#missing[@]} -ne 0 ] || return 0
    if ! can_be_root; then
        say "hy: missing packages, and neither root nor sudo here. Type this as root, then start again:" >&2
        say "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    say "setup    installs ${#missing[@]} packages: ${missing[*]}"
    for set in "${missing[@]}"; do
        [[ " $SERVICES " != *" $set "* ]] || say "         the service of $set is neither started nor enabled"
    done
    mkdir -p "$HY_LOGS"
    if ! install_packages "${missing[@]}" >"$HY_LOGS/setup.log" 2>&1; then
        tail -n 60 "$HY_LOGS/setup.log" >&2
        die "the packages could not be installed (above; all of it in build/logs/setup.log)"
    fi
    say "setup    done"
}

setup() {
    case ${1:-all} in
        build) setup_set build ;;
        test) setup_set build test ;;
        all) setup_set build test && setup_clients ;;
        *) die "setup: unknown set '$1' (build or test)" ;;
    esac
    say "setup    nothing is missing"
}

# The clients and servers of the end-to-end tests, exactly as the lock files in tests/e2e pin them. A registry that
# does not answer at once gets two more chances.
setup_clients() {
    local attempt
    [ -x tests/e2e/prepare ] || return 0
    mkdir -p "$HY_LOGS"
    for attempt in 1 2 3; do
        if tests/e2e/prepare build 2>&1 </dev/null | tee "$HY_LOGS/setup-clients.log"; then
            return 0
        fi
        sleep $((attempt * 2))
    done
    die "the test clients could not be installed: build/logs/setup-clients.log"
}
