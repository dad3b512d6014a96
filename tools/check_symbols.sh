#!/bin/sh
# check_symbols.sh BUILD_DIR: no two files of the rooms define the same global name (the linker takes either, silently,
# when they stand in different archives).
set -eu
twice=$(nm -g --defined-only -A "$1"/libhy_*.a 2>/dev/null |
    awk '$2 ~ /^[TDBRC]$/ || $3 ~ /^[TDBRC]$/ { print $NF }' | grep -v '^_Z' | sort | uniq -d)
[ -z "$twice" ] && exit 0
for name in $twice; do
    printf 'defined more than once: %s\n' "$name"
    nm -g --defined-only -A "$1"/libhy_*.a 2>/dev/null | awk -v n="$name" '$NF == n { print "  " $1 }'
done
exit 1
