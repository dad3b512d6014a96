#!/usr/bin/env bash
# Compiles every header alone: each includes what it uses. usage: check_headers.sh BUILD_FOLDER JOBS
set -euo pipefail
build=$1
find $(ls -d agent exporters 2>/dev/null) -name '*.h' -print0 | xargs -0 -r -n 1 -P "$2" \
    gcc -std=gnu11 -D_GNU_SOURCE -DHYAGENT_VERSION='"0"' -Wall -Wextra -Werror -fsyntax-only -I. -I"$build/generated" -I"$build/generated/proto" -x c
