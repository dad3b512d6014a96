"""A network namespace for this test process: loopback up, and a second address on it that is not loopback."""

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
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
