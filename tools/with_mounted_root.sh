#!/usr/bin/env bash
# Runs a command that needs "/" to be a mount point (dockerd, runc), which it is not in a plain chroot: there, in a mount
# namespace of its own, the same tree is bound to a place nobody else sees and becomes the command's root. Needs root.
# usage: with_mounted_root.sh COMMAND...
set -euo pipefail

root_is_mounted() { awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo; }

if [ "${HY_IN_NAMESPACE:-}" != yes ]; then
    ! root_is_mounted || exec "$@"
    HY_IN_NAMESPACE=yes exec unshare --mount --propagation unchanged "${BASH_SOURCE[0]}" "$@"
fi
unset HY_IN_NAMESPACE
# What is mounted below a private mount stays in this namespace; without one, other processes would see a second root.
mount --make-rprivate /dev
mount -t tmpfs -o size=1m,mode=700 none /dev/shm
mkdir /dev/shm/root
mount --rbind / /dev/shm/root
mount --make-rprivate /dev/shm/root
exec chroot /dev/shm/root "$@"
