#!/usr/bin/env bash
# The binary's limit. usage: check_size.sh FILE MAX_BYTES
set -euo pipefail
bytes=$(stat -c %s "$1")
echo "$1: $bytes bytes, limit $2"
[ "$bytes" -le "$2" ]
