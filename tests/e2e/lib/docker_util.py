"""A real dockerd (one that answers, else one of our own), a debootstrap base image, containers that are always removed."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path

from .net import stop_process

IMAGE = "hyagent-e2e-base:1"
ROOTED = Path(__file__).resolve().parents[3] / "tools/with_mounted_root.sh"  # dockerd works in a plain chroot, too


def docker(*args, check=True, timeout=60, **how):
    r = subprocess.run(["docker", *args], capture_output=True, text=True, timeout=timeout, **how)
    assert not check or r.returncode == 0, f"docker {' '.join(args)[:200]}: {r.stderr.strip()[:500]}"
    return r


def answers():
    if not shutil.which("docker"):
        return False
    try:
        return docker("version", "--format", "{{.Server.Version}}", check=False, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def why_not():
    if not shutil.which("docker"):
        return "docker is not installed"
    return None if answers() else "no dockerd answers and none could be started (see BUILD/logs/dockerd.log)"


class Daemon:
    """Starts a dockerd when none answers; stop() ends only that one. Its images stay in BUILD/cache/docker."""

    def __init__(self, build):
        self.process = None
        self.dir = None
        if answers() or not shutil.which("dockerd") or os.geteuid() != 0:
            return
        build = Path(build).resolve()
        (build / "logs").mkdir(parents=True, exist_ok=True)
        (build / "cache").mkdir(parents=True, exist_ok=True)
        self.dir = tempfile.mkdtemp(prefix="hydockerd-")  # short: a socket's path has 107 bytes
        sock = f"unix://{self.dir}/docker.sock"
        with open(build / "logs/dockerd.log", "wb") as log:
            self.process = subprocess.Popen(
                [
                    str(ROOTED),
                    "dockerd",
                    "--data-root",
                    str(build / "cache/docker"),
                    "--exec-root",
                    f"{self.dir}/exec",
                    "-H",
                    sock,
                    "--pidfile",
                    f"{self.dir}/pid",
                    "--bridge=none",
                    "--iptables=false",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        os.environ["DOCKER_HOST"] = sock
        end = time.monotonic() + 30
        while not answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                return
            time.sleep(0.2)

    def stop(self):
        if self.process:
            stop_process(self.process, 20)
            self.process = None
            os.environ.pop("DOCKER_HOST", None)
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)


def base_image(build):
    """The base image, made once: debootstrap's minbase of this machine's own release, from this machine's own mirror."""
    if docker("image", "inspect", IMAGE, check=False).returncode == 0:
        return IMAGE
    cache = Path(build) / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    tar = cache / "e2e-base.tar"
    if not tar.exists():
        release = dict(line.split("=", 1) for line in open("/etc/os-release").read().splitlines() if "=" in line)
        sites = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        root = tempfile.mkdtemp(prefix="hybase-")
        try:
            subprocess.run(
                ["debootstrap", "--variant=minbase", release["VERSION_CODENAME"].strip('"'), root, *sites[:1]],
                check=True,
                capture_output=True,
                timeout=300,
            )
            subprocess.run(
                [
                    "tar",
                    "-C",
                    root,
                    "--exclude=./var/cache/apt/*",
                    "--exclude=./var/lib/apt/lists/*",
                    "--exclude=./usr/share/doc/*",
                    "--exclude=./usr/share/locale/*",
                    "--exclude=./dev/*",
                    "-cf",
                    f"{tar}.new",
                    ".",
                ],
                check=True,
                timeout=120,
            )
            os.rename(f"{tar}.new", tar)
        finally:
            shutil.rmtree(root, ignore_errors=True)
    docker("import", str(tar), IMAGE, timeout=120)
    return IMAGE


PRINTER = r"""
i=1
while [ $i -le $1 ]; do
    if [ $((i % 2)) = 1 ]; then echo "line $i on stdout"; else echo "line $i on stderr" >&2; fi
    i=$((i + 1))
done
"""


class Docker:
    """The containers of one test."""

    def __init__(self, ctx):
        self.ctx = ctx
        self.run_id = uuid.uuid4().hex[:12]
        self.image = base_image(ctx.build)
        self.host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self.names = []

    def run(self, script, *args, name=None, labels=None, wait=False, options=(), timeout=120):
        """Starts `sh -c script sh ARGS` in a container without network; its name."""
        name = name or f"hye2e-{self.run_id}-{len(self.names)}"
        self.names.append(name)
        given = [x for k, v in {"hyagent.e2e": self.run_id, **(labels or {})}.items() for x in ("--label", f"{k}={v}")]
        docker(
            "run",
            "-d",
            "--name",
            name,
            "--network",
            "none",
            *given,
            *options,
            self.image,
            "/bin/sh",
            "-c",
            script,
            "sh",
            *map(str, args),
        )
        if wait:
            docker("wait", name, timeout=timeout)
        return name

    def print_lines(self, count, **how):
        """A container that prints count numbered lines, odd ones on stdout, even ones on stderr."""
        return self.run(PRINTER, count, **how)

    def inspect(self, name):
        return json.loads(docker("inspect", name).stdout)[0]

    def log_path(self, name):
        return Path(self.inspect(name)["LogPath"])

    def remove(self, name):
        docker("rm", "-f", name, check=False)

    def stop(self):
        left = docker("ps", "-aq", "--filter", f"label=hyagent.e2e={self.run_id}", check=False).stdout.split()
        if left:
            docker("rm", "-f", *left, check=False, timeout=60)


class GetOnlyProxy:
    """TCP to the Docker socket that lets only GET through, like a socket proxy; refusals are in .refused."""

    def __init__(self, docker_host):
        import socket

        self.path = docker_host.removeprefix("unix://")
        self.refused, self.seen = [], []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"tcp://127.0.0.1:{self.port}"
        self._open = set()
        self._stopping = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self._stopping:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        import socket

        up = socket.socket(socket.AF_UNIX)
        try:
            up.connect(self.path)
            self._open.add(up)
            threading.Thread(target=self._down, args=(up, client), daemon=True).start()
            while piece := client.recv(65536):
                first = piece.split(b"\r\n", 1)[0].decode("latin-1")
                if not piece.startswith(b"GET "):  # a GET has no body: each piece begins a request
                    self.refused.append(first)
                    client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    break
                self.seen.append(first)
                up.sendall(piece)
        except OSError:
            pass
        finally:
            for s in (client, up):
                s.close()
                self._open.discard(s)

    @staticmethod
    def _down(up, client):
        try:
            while piece := up.recv(65536):
                client.sendall(piece)
        except OSError:
            pass
        try:
            import socket

            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def stop(self):
        self._stopping = True
        self._listener.close()
        for s in list(self._open):
            s.close()
