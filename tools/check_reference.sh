#!/usr/bin/env bash
# docs/reference must be what the argument tables say. usage: check_reference.sh BINARY
set -euo pipefail
now=$(mktemp -d)
trap 'rm -rf "$now"' EXIT
"$1" docs --markdown "$now"
diff -ru docs/reference "$now" || { echo "docs/reference is stale: $1 docs --markdown docs/reference"; exit 1; }
