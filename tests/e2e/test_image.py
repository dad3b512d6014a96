"""The image: built as deploy/Dockerfile's last stage builds it, run with compose.yaml's own hardening by a real dockerd."""

import json
import os
import re
import subprocess
import time

import yaml

from lib.context import e2e
from lib.docker_util import docker
from lib.net import wait_for

IMAGE = "hyagent-e2e-image:1"


def compose(ctx):
    return yaml.safe_load((ctx.repo / "deploy/compose.yaml").read_text())


def build(ctx):
    """FROM scratch with what image-root lays out of the release binary: the same last stage, without a network."""
    context = ctx.tmp / "context"
    context.mkdir()
    subprocess.run(
        ["sh", str(ctx.repo / "deploy/image-root"), str(ctx.release), str(context / "out")],
        check=True,
        cwd=ctx.repo,
        capture_output=True,
        timeout=60,
    )
    # An archive keeps its owners, as COPY --from does; a COPY from the context would make all of it root's.
    subprocess.run(["tar", "-C", str(context / "out"), "-cf", str(context / "root.tar"), "."], check=True, timeout=60)
    last = (ctx.repo / "deploy/Dockerfile").read_text()
    last = last[last.rindex("FROM scratch") :]
    assert "COPY --from=build /out/ /" in last, "the last stage is another than this test builds"
    (context / "Dockerfile").write_text(last.replace("COPY --from=build /out/ /", "ADD root.tar /"))
    (context / ".dockerignore").write_text("out\n")
    docker("build", "-t", IMAGE, str(context), timeout=120, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    ctx.on_exit(lambda: docker("rmi", "-f", IMAGE, check=False))


def hardening(service):
    """The `docker run` flags that say what the Compose service says."""
    limits = service["deploy"]["resources"]["limits"]
    flags = [
        "--user",
        service["user"],
        "--memory",
        limits["memory"],
        "--cpus",
        str(limits["cpus"]),
        "--pids-limit",
        str(service["pids_limit"]),
    ]
    flags += ["--read-only"] if service["read_only"] else []
    flags += [x for c in service["cap_drop"] for x in ("--cap-drop", c)]
    flags += [x for o in service["security_opt"] for x in ("--security-opt", o)]
    flags += [x for t in service["tmpfs"] for x in ("--tmpfs", t)]
    flags += [x for k, v in service["ulimits"].items() for x in ("--ulimit", f"{k}={v}")]
    flags += [x for k, v in service["environment"].items() for x in ("-e", f"{k}={default_of(str(v))}")]
    return flags


def default_of(text):
    """${NAME:-default} as Compose reads it with nothing set."""
    return re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda m: m[1] or "", text)


def docker_api(d):
    """In place of compose.yaml's proxy: without any Docker API discovery.docker, and so the agent, is not healthy."""
    socket = d.host.removeprefix("unix://")
    flags = ["-v", f"{socket}:/run/docker.sock:ro", "-e", "DOCKER_HOST=unix:///run/docker.sock"]
    return [*flags, "--group-add", str(os.stat(socket).st_gid)]


@e2e(needs=["docker", "release"], timeout=120)
def test_image_is_small_hardened_and_healthy_within_5_seconds(ctx):
    d = ctx.docker()
    build(ctx)
    size = json.loads(docker("image", "inspect", IMAGE).stdout)[0]["Size"]
    binary = (ctx.tmp / "context/out/usr/bin/hyagent").stat().st_size
    ctx.log(f"image {size / 2**20:.1f} MiB, binary {binary / 2**20:.1f} MiB")
    assert size <= 36 << 20, f"the image has {size / 2**20:.1f} MiB"
    assert binary <= 12 << 20, f"the binary has {binary / 2**20:.1f} MiB"
    service = compose(ctx)["services"]["hyagent"]
    name, volume = f"hye2e-{d.run_id}-image", f"hye2e-{d.run_id}-data"
    ctx.on_exit(lambda: docker("volume", "rm", "-f", volume, check=False))
    ctx.on_exit(lambda: docker("rm", "-f", name, check=False))
    began = time.monotonic()
    docker(
        "run",
        "-d",
        "--name",
        name,
        "--network",
        "none",
        "--label",
        f"hyagent.e2e={d.run_id}",
        *hardening(service),
        *docker_api(d),
        "-v",
        f"{volume}:/var/lib/hyagent",
        IMAGE,
        *[default_of(c) for c in service["command"]],
    )
    ctx.on_exit(lambda: ctx.log(docker("logs", name, check=False).stderr[-4000:]))
    def is_healthy():
        check = service["healthcheck"]["test"][1:]
        r = docker("exec", name, *check, check=False)
        if "OCI runtime exec failed" in r.stdout + r.stderr:
            # a dockerd inside a plain chroot cannot exec: the same program asks from the container's network
            pid = str(d.inspect(name)["State"]["Pid"])
            command = ["nsenter", "-t", pid, "-n", str(ctx.release), *check[1:]]
            r = subprocess.run(command, capture_output=True, text=True, timeout=10)
        assert r.returncode == 0, f"exit {r.returncode}: {r.stdout.strip()} {r.stderr.strip()}"
        return True

    wait_for(
        is_healthy,
        5,
        "the image's own health check succeeds",
    )
    ctx.log(f"healthy after {time.monotonic() - began:.1f} s")
    shell = docker("run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", IMAGE, "-c", "true", check=False)
    assert shell.returncode != 0, "there is a shell in the image"
    state = d.inspect(name)
    pid = state["State"]["Pid"]
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
    assert status["Uid"].split() == ["1000"] * 4 and int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2", status["Seccomp"]
    time.sleep(5)
    changed = [
        x
        for x in docker("diff", name).stdout.splitlines()
        if not x.split()[1].startswith(("/dev", "/etc", "/run", "/proc"))
    ]
    assert not changed, f"written outside the volume: {changed}"
    began = time.monotonic()
    docker("stop", "-t", "10", name, timeout=30)
    assert d.inspect(name)["State"]["ExitCode"] == 0 and time.monotonic() - began <= 8.5
    log = docker("logs", name).stderr
    assert "level=error" not in log or "prometheus" in log or "loki" in log or "tempo" in log or "docker" in log, log[
        -1500:
    ]


SERVICE_KEYS = {
    "image",
    "build",
    "container_name",
    "command",
    "entrypoint",
    "user",
    "read_only",
    "cap_drop",
    "cap_add",
    "security_opt",
    "pids_limit",
    "ulimits",
    "tmpfs",
    "volumes",
    "environment",
    "expose",
    "ports",
    "networks",
    "labels",
    "deploy",
    "healthcheck",
    "restart",
    "stop_grace_period",
    "logging",
    "depends_on",
    "secrets",
    "configs",
    "profiles",
}


@e2e()
def test_compose_file_keeps_to_the_schema_and_the_checklist(ctx):
    """stack.md 4.1, and the shape the Compose specification gives (keys and types this file may use)."""
    doc = compose(ctx)
    assert set(doc) <= {"name", "services", "networks", "volumes", "secrets", "configs"}, set(doc)
    for name, s in doc["services"].items():
        assert set(s) <= SERVICE_KEYS, f"{name}: {set(s) - SERVICE_KEYS}"
        assert isinstance(s["image"], str) and ":" in s["image"], f"{name}: an image without a tag"
        assert (
            s["read_only"] is True and s["cap_drop"] == ["ALL"] and "no-new-privileges:true" in s["security_opt"]
        ), name
        assert "ports" not in s, f"{name} publishes a port"
        limits, reserved = s["deploy"]["resources"]["limits"], s["deploy"]["resources"].get("reservations", {})
        assert {"cpus", "memory"} <= set(limits), name
        assert isinstance(limits["cpus"], str) and re.fullmatch(r"\d+[KMG]", limits["memory"]), limits
        assert all(re.fullmatch(r"\d+[KMG]", v) for k, v in reserved.items() if k == "memory")
        for volume in s.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith(("/", ".")) or source in doc["volumes"], f"{name}: unknown volume {source}"
        for network in s["networks"]:
            assert network in doc["networks"], f"{name}: unknown network {network}"
        for other in s.get("depends_on", {}):
            assert other in doc["services"] and other not in ("loki", "tempo", "prometheus"), other
        if "healthcheck" in s:
            assert s["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL", "NONE")
    agent = doc["services"]["hyagent"]
    assert agent["user"] == "1000:0" and agent["restart"] == "unless-stopped" and agent["stop_grace_period"] == "10s"
    assert agent["labels"]["hyagent.logs"] == "false" and agent["logging"]["driver"] == "json-file"
    assert agent["deploy"]["resources"]["limits"] == {"cpus": "0.50", "memory": "512M"}
    assert {"hyagent", "alloy"} <= set(agent["networks"]["infra_net"]["aliases"])
    assert not [v for v in agent["volumes"] if "docker.sock" in v], "hyagent holds the raw Docker socket"
    assert {"4317", "4318", "12345"} == set(agent["expose"])


@e2e(timeout=60)
def test_kubernetes_manifests_keep_to_the_checklist(ctx):
    """stack.md 4.2: what the DaemonSet may do and may not."""
    docs = [d for p in sorted((ctx.repo / "deploy/k3d").glob("*.yaml")) for d in yaml.safe_load_all(p.read_text()) if d]
    kinds = {d["kind"] for d in docs}
    assert {
        "DaemonSet",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "NetworkPolicy",
        "Namespace",
    } <= kinds, kinds
    role = next(d for d in docs if d["kind"] == "ClusterRole")
    verbs = {v for r in role["rules"] for v in r["verbs"]}
    resources = {x for r in role["rules"] for x in r.get("resources", [])}
    assert verbs <= {"get", "list", "watch"} and "secrets" not in resources and "*" not in resources, (verbs, resources)
    pod = next(d for d in docs if d["kind"] == "DaemonSet")["spec"]["template"]["spec"]
    security, container = pod["securityContext"], pod["containers"][0]
    assert security["runAsNonRoot"] is True and security["runAsUser"] == 1000 and 0 in security["supplementalGroups"]
    assert security["seccompProfile"]["type"] == "RuntimeDefault"
    inner = container["securityContext"]
    assert inner["allowPrivilegeEscalation"] is False and inner["readOnlyRootFilesystem"] is True
    assert inner["capabilities"]["drop"] == ["ALL"]
    assert container["resources"]["limits"] == {"cpu": "500m", "memory": "512Mi"}, container["resources"]
    for mount in container["volumeMounts"]:
        source = next(v for v in pod["volumes"] if v["name"] == mount["name"])
        assert "hostPath" not in source or mount.get("readOnly") is True, f"{mount['name']} is a writable host path"
    assert pod["terminationGracePeriodSeconds"] == 30 and not container.get("env", []) == []
    assert container["livenessProbe"]["httpGet"]["path"] == "/-/healthy"
    assert container["readinessProbe"]["httpGet"]["path"] == "/-/ready"


API_VERSIONS = {
    "Namespace": "v1",
    "ServiceAccount": "v1",
    "Service": "v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "DaemonSet": "apps/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
}
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding", "Kustomization"}
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def manifests(ctx):
    folder = ctx.repo / "deploy/k3d"
    return {p.name: [d for d in yaml.safe_load_all(p.read_text()) if d] for p in sorted(folder.glob("*.yaml"))}


@e2e()
def test_kubernetes_manifests_have_the_fields_the_api_requires(ctx):
    files = manifests(ctx)
    listed = files["kustomization.yaml"][0]["resources"]
    assert sorted([*listed, "kustomization.yaml"]) == sorted(files), "kustomization.yaml does not list every file"
    seen = set()
    for doc in (d for docs in files.values() for d in docs):
        kind = doc["kind"]
        assert doc["apiVersion"] == API_VERSIONS[kind], f"{kind}: {doc['apiVersion']}"
        if kind == "Kustomization":
            continue
        meta = doc["metadata"]
        assert DNS_LABEL.fullmatch(meta["name"]), meta["name"]
        assert ("namespace" in meta) == (kind not in CLUSTER_WIDE), f"{kind} {meta['name']}: namespace"
        key = (kind, meta.get("namespace"), meta["name"])
        assert key not in seen, f"{key} twice"
        seen.add(key)
    check_daemonset(ctx, [d for docs in files.values() for d in docs])
    for doc in (d for docs in files.values() for d in docs if d["kind"] == "NetworkPolicy"):
        spec = doc["spec"]
        assert "podSelector" in spec and set(spec["policyTypes"]) <= {"Ingress", "Egress"}, doc["metadata"]["name"]
        for direction in ("ingress", "egress"):
            assert (direction in spec) == (direction.capitalize() in spec["policyTypes"]), doc["metadata"]["name"]
            for rule in spec.get(direction, []):
                assert set(rule) <= {"ports", "from" if direction == "ingress" else "to"}, set(rule)
                for port in rule.get("ports", []):
                    assert port["protocol"] in ("TCP", "UDP") and 0 < port["port"] < 65536, port


def check_daemonset(ctx, docs):
    """What the parts of the DaemonSet say about each other, and about the other objects."""
    one = {d["kind"]: d for d in docs}
    spec = one["DaemonSet"]["spec"]
    labels, pod = spec["template"]["metadata"]["labels"], spec["template"]["spec"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert one["Service"]["spec"]["selector"].items() <= labels.items()
    assert pod["serviceAccountName"] == one["ServiceAccount"]["metadata"]["name"]
    binding = one["ClusterRoleBinding"]
    assert binding["roleRef"]["kind"] == "ClusterRole" and binding["roleRef"]["name"] == one["ClusterRole"]["metadata"]["name"]
    subject = binding["subjects"][0]
    assert (subject["kind"], subject["name"], subject["namespace"]) == (
        "ServiceAccount",
        one["ServiceAccount"]["metadata"]["name"],
        one["ServiceAccount"]["metadata"]["namespace"],
    )
    (container,) = pod["containers"]
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    assert ports == {"otlp-grpc": 4317, "otlp-http": 4318, "admin": 12345}, ports
    assert {p["targetPort"] for p in one["Service"]["spec"]["ports"]} <= set(ports)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] in ports, probe
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    given = {e["name"] for e in container["env"]}
    (config,) = [a.removeprefix("--config=/etc/hyagent/") for a in container["args"] if a.startswith("--config=")]
    text = (ctx.repo / "pipelines" / config).read_text()
    asked = set(re.findall(r'sys\.env\("(NODE_\w+|POD_\w+)"\)', text))
    assert asked <= given, f"{config} reads {asked - given}, which the DaemonSet does not set"
