"""The pipelines that ship, as they are: default.river to three sinks, quickstart.river with nothing else running."""

import json

from lib.context import e2e
from lib.net import free_port, http, wait_for

# stack.md 1.7: (line, what must be gone, what must stay) in the forms key=value, JSON and header.
MASKS = [
    ("GET /a Authorization: Bearer abc.def-123 done", "abc.def-123", ["GET /a", "done"]),
    ('{"authorization":"Basic dXNlcjpwdw==","path":"/x"}', "dXNlcjpwdw==", ['"path":"/x"']),
    ("authorization=Token tok-999 user=joe", "tok-999", ["user=joe"]),
    ("Cookie: sid=s3ss10n; theme=dark", "s3ss10n", ["Cookie:"]),
    ("Set-Cookie: sid=0ther; HttpOnly", "0ther", ["Set-Cookie:"]),
    ("login password=hunter2 user=joe", "hunter2", ["login", "user=joe"]),
    ('{"client_secret":"c1i3nt","grant":"code"}', "c1i3nt", ['"grant":"code"']),
    ("GET /cb?access_token=at-77&state=5", "at-77", ["state=5"]),
    ("api_key: k-12345, next", "k-12345", ["next"]),
    ("refresh_token='rt-55' end", "rt-55", ["end"]),
    ("connect postgres://app:pgpw@db:5432/x failed", "pgpw", ["postgres://app:", "@db:5432/x failed"]),
    ("jwt eyJhbGciOi.eyJzdWIiOi.SflKxwRJ seen", "SflKxwRJ", ["jwt", "seen"]),
    ("vault hvs.CAESIJ-x_9 issued", "CAESIJ-x_9", ["vault", "issued"]),
    ("post https://hooks.slack.com/services/T0/B0/XyZ ok", "XyZ", ["hooks.slack.com/services/", "ok"]),
    ("GET /b?X-Amz-Signature=5ig&x=1", "5ig", ["x=1"]),
    ("GET /b?X-Amz-Credential=cr3d&x=1", "cr3d", ["x=1"]),
    ("sonar squ_0123456789abcdef0123456789abcdef01234567 used", "squ_0123456789", ["sonar", "used"]),
    ("ALTER ROLE app PASSWORD 'p w' VALID", "p w", ["ALTER ROLE app", "VALID"]),
    ("nothing to hide: token ring, secretary, passage", None, ["nothing to hide: token ring, secretary, passage"]),
]


def default(ctx, **env):
    """default.river with its three destinations on loopback; no Docker."""
    from lib import otlp_raw

    tempo, loki, prom = ctx.otlp_grpc(), ctx.loki(), ctx.remote_write()
    ports = free_port(), free_port()
    agent = ctx.agent(
        None,
        config_path=ctx.repo / "pipelines/default.river",
        env={
            "HYAGENT_TEMPO_ADDR": f"127.0.0.1:{tempo.port}",
            "HYAGENT_LOKI_URL": loki.url,
            "HYAGENT_PROMETHEUS_URL": prom.url,
            "HYAGENT_OTLP_GRPC": f"127.0.0.1:{ports[0]}",
            "HYAGENT_OTLP_HTTP": f"127.0.0.1:{ports[1]}",
            "DOCKER_HOST": f"unix://{ctx.tmp}/no-docker.sock",
            **env,
        },
    )
    return agent, tempo, loki, prom, ctx.started(otlp_raw.GrpcClient(ports[0]))


@e2e(needs=["sdk"], timeout=60)
def test_default_river_carries_all_three_signals(ctx):
    from lib import otlp_raw

    agent, tempo, loki, prom, client = default(
        ctx, HYAGENT_LOKI_TENANT="team-l", HYAGENT_PROMETHEUS_TENANT="team-p", HYAGENT_CLUSTER="c1"
    )
    msg = otlp_raw.traces(5)
    for s in msg.resource_spans[0].scope_spans[0].spans:
        s.attributes.add(key="http.request.header.authorization").value.string_value = "Bearer canary"
        s.attributes.add(key="password").value.string_value = "canary"
    client.export("traces", msg)
    client.export("metrics", otlp_raw.gauges(3, name="room.size"))
    client.export("logs", otlp_raw.logs(4))
    # unit "1" on a gauge: the specification's suffix is _ratio
    wait_for(
        lambda: tempo.count("traces") == 5 and loki.count("team-l") == 4 and len(prom.select("room_size_ratio")) == 3,
        15,
        "all three signals",
    )
    assert all(set(s["attributes"]) == {"n"} for s in tempo.items("traces")), "credentials were not deleted from spans"
    assert all(x.get("cluster") == "c1" for x in loki.label_sets())
    assert {r.headers.get("X-Scope-OrgID") for r in prom.requests} == {"team-p"}
    for sink in (tempo, loki, prom):
        sink.assert_clean()
    said = [x for x in agent.stderr().splitlines() if "no-docker.sock" in x]
    assert 1 <= len(said) <= 3, "the missing Docker socket is said once, in words:\n" + agent.stderr()[-1500:]
    assert agent.get("/-/ready")[0] == 200
    agent.assert_balanced()


@e2e(needs=["sdk"], timeout=60)
def test_masks_of_default_river_take_the_secret_and_leave_the_rest(ctx):
    from lib import otlp_raw

    _, _, loki, _, client = default(ctx)
    msg = otlp_raw.logs(len(MASKS))
    for record, (line, _, _) in zip(msg.resource_logs[0].scope_logs[0].log_records, MASKS):
        record.body.string_value = line
    client.export("logs", msg)
    wait_for(lambda: loki.count() == len(MASKS), 15, "every line")
    for got, (line, secret, rest) in zip(loki.lines(), MASKS):
        if secret:
            assert secret not in got, f"{line!r} came as {got!r}"
        for word in rest:
            assert word in got or json.dumps(word)[1:-1] in got, f"{line!r} lost {word!r}: {got!r}"
    loki.assert_clean()


@e2e(needs=["sdk"], timeout=40)
def test_a_signal_of_default_river_can_be_switched_off(ctx):
    from lib import otlp_raw

    _, tempo, loki, _, client = default(ctx, HYAGENT_TRACES="off")
    assert client.refused("traces", otlp_raw.traces(1))[0] == "UNIMPLEMENTED"
    client.export("logs", otlp_raw.logs(1))
    wait_for(lambda: loki.count() == 1, 10, "logs still pass")
    assert tempo.requests == 0


@e2e(timeout=60)
def test_quickstart_taps_all_three_signals_and_ends_with_0(ctx):
    log = ctx.tmp / "quick.log"
    log.write_text("")
    ports = free_port(), free_port()
    agent = ctx.agent(
        None,
        config_path=ctx.repo / "pipelines/quickstart.river",
        args=["--tap", "--tap-until-all=30s"],
        env={
            "HYAGENT_QUICKSTART_LOG": str(log),
            "HYAGENT_OTLP_GRPC": f"127.0.0.1:{ports[0]}",
            "HYAGENT_OTLP_HTTP": f"127.0.0.1:{ports[1]}",
        },
    )
    with open(log, "a") as f:
        f.write("a quick line\n")
    out = agent.dir / "stdout.log"
    wait_for(lambda: "a quick line" in out.read_text(), 15, "the log line is shown")
    spans = {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "5b8efff798038103d269b633813fc60c",
                                "spanId": "eee19b7ec3c1b174",
                                "name": "quick span",
                                "kind": 1,
                                "startTimeUnixNano": "1",
                                "endTimeUnixNano": "2",
                            }
                        ]
                    }
                ]
            }
        ]
    }
    status, _, _ = http(
        f"http://127.0.0.1:{ports[1]}/v1/traces", json.dumps(spans).encode(), {"Content-Type": "application/json"}
    )
    assert status == 200
    assert agent.wait(20) == 0, "all three signals were seen"
    text = out.read_text()
    assert "quick span" in text and "node_load1" in text, text[-1500:]


@e2e(timeout=40)
def test_quickstart_ends_with_1_when_a_signal_is_missing(ctx):
    ports = free_port(), free_port()
    agent = ctx.agent(
        None,
        config_path=ctx.repo / "pipelines/quickstart.river",
        args=["--tap", "--tap-until-all=4s"],
        env={
            "HYAGENT_QUICKSTART_LOG": str(ctx.tmp / "none.log"),
            "HYAGENT_OTLP_GRPC": f"127.0.0.1:{ports[0]}",
            "HYAGENT_OTLP_HTTP": f"127.0.0.1:{ports[1]}",
        },
    )
    assert agent.wait(15) == 1


@e2e(needs=["sdk"], timeout=60)
def test_kubernetes_river_reads_var_log_pods(ctx):
    """The shipped file with its folder moved: CRI lines come with namespace, pod and container."""
    import time
    from datetime import datetime, timezone

    text = (ctx.repo / "pipelines/kubernetes.river").read_text()
    assert "/var/log/pods" in text
    pods = ctx.tmp / "pods/shop_web-5d9_0f3c2a11-1111-2222-3333-444455556666/nginx"
    pods.mkdir(parents=True)
    stamp = datetime.fromtimestamp(int(time.time()), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    (pods / "0.log").write_text(f"{stamp}.1Z stdout F hello\n{stamp}.2Z stdout P first \n{stamp}.3Z stdout F second\n")
    loki = ctx.loki()
    ports = free_port(), free_port()
    for fixed, port in zip(("0.0.0.0:4317", "0.0.0.0:4318"), ports):
        text = text.replace(fixed, f"127.0.0.1:{port}")
    agent = ctx.agent(
        text.replace("/var/log/pods", str(ctx.tmp / "pods")),
        env={"HYAGENT_LOKI_URL": loki.url, "NODE_NAME": "node-1", "NODE_IP": "127.0.0.1"},
    )
    wait_for(lambda: loki.lines() == ["hello", "first second"], 20, "the pod's lines")
    (labels,) = loki.label_sets()
    assert labels["namespace"] == "shop" and labels["container"] == "nginx", labels
    assert len(labels) <= 15
    loki.assert_clean()
    assert agent.running()


@e2e(needs=["release"], timeout=60)
def test_default_river_is_ready_within_100_ms(ctx):
    """Median of 11 starts, from exec to the first 200 of /-/ready."""
    import statistics
    import subprocess
    import time

    took = []
    for i in range(11):
        port, ports = free_port(), [free_port(), free_port()]
        env = {
            "HYAGENT_OTLP_GRPC": f"127.0.0.1:{ports[0]}",
            "HYAGENT_OTLP_HTTP": f"127.0.0.1:{ports[1]}",
            "DOCKER_HOST": f"unix://{ctx.tmp}/no-docker.sock",
        }
        with open(ctx.tmp / "stderr.log", "ab") as log:
            began = time.monotonic()
            process = subprocess.Popen(
                [
                    str(ctx.release),
                    "run",
                    str(ctx.repo / "pipelines/default.river"),
                    f"--storage.path={ctx.tmp}/data{i}",
                    f"--server.http.listen-addr=127.0.0.1:{port}",
                ],
                stderr=log,
                env=env,
            )
        try:
            wait_for(lambda: http(f"http://127.0.0.1:{port}/-/ready", timeout=1)[0] == 200, 10, "ready", interval=0.002)
            took.append(time.monotonic() - began)
        finally:
            process.terminate()
            process.wait(10)
    ctx.log(f"start to ready: {', '.join(f'{t * 1000:.0f}' for t in took)} ms")
    assert statistics.median(took) <= 0.1, f"median {statistics.median(took) * 1000:.0f} ms"
