"""A network namespace for this test process: loopback up, and a second address on it that is not loopback. And a mount
namespace with its own /etc/resolv.conf."""

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
OTHER = "192.0.2.1"  # TEST-NET-1, never routed


def enter():
    """True when this process (and what it starts from now on) lives in a namespace of its own with OTHER on lo."""
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:

        def ioctl(request, name, value):
            fcntl.ioctl(s, request, struct.pack("16s16s", name, value))

        def address(text):
            return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(text))

        ioctl(0x8914, b"lo", struct.pack("h", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running
        ioctl(0x8916, b"lo:1", address(OTHER))  # SIOCSIFADDR
    return True


def own_resolver(text, folder):
    """After enter(): /etc/resolv.conf holds text, for this process and what it starts. False: it cannot be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    path = folder / "resolv.conf"
    path.write_text(text)
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return False
    target = os.path.realpath("/etc/resolv.conf")
    return os.path.exists(target) and libc.mount(os.fsencode(path), os.fsencode(target), None, MS_BIND, None) == 0
