"""Small helpers for loopback sockets, waiting and processes."""

import os
import signal
import socket
import time
import urllib.error
import urllib.request


def free_port():
    """A TCP port that was free a moment ago. The bind is on loopback, as everything in these tests."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, timeout, what, interval=0.05):
    """Calls condition() until it is true; its value is returned. AssertionError names `what` after timeout seconds."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = None
        except (OSError, AssertionError, KeyError, ValueError) as e:
            last = e
        if time.monotonic() >= end:
            raise AssertionError(f"not within {timeout} s: {what}" + (f" ({last})" if last else ""))
        time.sleep(interval)


def http(url, data=None, headers=None, method=None, timeout=10):
    """(status, headers, body), also for 4xx and 5xx."""
    req = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(req, timeout=timeout) as r:
            return r.status, r.headers, r.read()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.headers, e.read()


def raw_http(port, request, timeout=10):
    """Sends the bytes as they are and returns all that came back until close or timeout."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.settimeout(timeout)
        s.sendall(request)
        got = bytearray()
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
        except TimeoutError:
            pass
        return bytes(got)


def stop_process(p, timeout=5):
    """SIGTERM, then SIGKILL to a process this test started. Its exit code."""
    if p.poll() is None:
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(timeout)
        except Exception:
            p.kill()
            p.wait(10)
    return p.returncode


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_rss_bytes(pid):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def reset_peak_rss(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")


def tcp_sockets(pid):
    """{fd: inode} of the process's sockets: what a reload must leave alone."""
    out = {}
    base = f"/proc/{pid}/fd"
    for fd in os.listdir(base):
        try:
            target = os.readlink(f"{base}/{fd}")
        except OSError:
            continue
        if target.startswith("socket:["):
            out[int(fd)] = int(target[8:-1])
    return out


def listening_inodes(port):
    """Inodes of sockets that listen on a TCP port (IPv4 and IPv6)."""
    found = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = open(path).read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            f = line.split()
            if f[3] == "0A" and int(f[1].rsplit(":", 1)[1], 16) == port:
                found.add(int(f[9]))
    return found
