"""OTLP into Prometheus and Loki, by the OpenTelemetry specifications' mapping."""

import json
import math
import time

from lib import river
from lib.context import e2e
from lib.net import free_port, wait_for


def to_prometheus(ctx, more=""):
    sink = ctx.remote_write()
    port = free_port()
    agent = ctx.agent(
        river.otlp_receiver(port, None, to="otelcol.exporter.prometheus.p.input")
        + f'otelcol.exporter.prometheus "p" {{\n  forward_to = [prometheus.remote_write.out.receiver]\n{more}\n}}\n'
        + river.remote_write(sink.url)
    )
    return agent, sink, port


def metrics_request():
    from lib import otlp_raw

    msg = otlp_raw.gauges(2, name="room.temperature-now", service="shop")
    rm = msg.resource_metrics[0]
    rm.resource.attributes.add(key="service.namespace").value.string_value = "ns"
    rm.resource.attributes.add(key="service.instance.id").value.string_value = "i-1"
    rm.resource.attributes.add(key="host.name").value.string_value = "h1"
    rm.scope_metrics[0].scope.name = "lib"
    rm.scope_metrics[0].scope.version = "2"
    rm.scope_metrics[0].metrics[0].unit = "Cel"
    now = time.time_ns()

    def add(name, unit=""):
        return rm.scope_metrics[0].metrics.add(name=name, unit=unit, description=f"about {name}")

    s = add("http.requests", "1").sum
    s.aggregation_temporality, s.is_monotonic = 2, True
    p = s.data_points.add(time_unix_nano=now, start_time_unix_nano=now - 10**9, as_int=7)
    p.attributes.add(key="http.method").value.string_value = "GET"
    p.attributes.add(key="ok").value.bool_value = True
    s = add("data.sent", "By").sum
    s.aggregation_temporality, s.is_monotonic = 2, True
    s.data_points.add(time_unix_nano=now, as_double=1.5)
    s = add("queue.size", "{items}").sum
    s.aggregation_temporality = 2
    s.data_points.add(time_unix_nano=now, as_int=-3)
    h = add("latency", "ms").histogram
    h.aggregation_temporality = 2
    h.data_points.add(time_unix_nano=now, count=6, sum=12.5, explicit_bounds=[1, 5], bucket_counts=[1, 2, 3])
    q = add("old.summary", "s").summary.data_points.add(time_unix_nano=now, count=4, sum=8.0)
    q.quantile_values.add(quantile=0.5, value=2.0)
    d = add("delta.requests").sum
    d.aggregation_temporality, d.is_monotonic = 1, True
    d.data_points.add(time_unix_nano=now, as_int=9)
    gone = add("gone").gauge.data_points.add(time_unix_nano=now, flags=1)
    assert gone.flags == 1
    return msg, now // 10**6


@e2e(needs=["sdk"])
def test_otlp_metrics_become_prometheus_series(ctx):
    from lib import otlp_raw
    from lib.rw_sink import is_stale

    agent, sink, port = to_prometheus(ctx)
    msg, ms = metrics_request()
    ctx.started(otlp_raw.GrpcClient(port)).export("metrics", msg)
    wait_for(lambda: sink.select("queue_size"), 10, "the series")
    time.sleep(0.5)
    base = {"job": "ns/shop", "instance": "i-1", "otel_scope_name": "lib", "otel_scope_version": "2"}

    def value(name, **labels):
        found = sink.select(name)
        want = tuple(sorted({**base, **labels}.items()))
        assert want in found, f"{name}{labels}: there is {list(found)}"
        ((at, v),) = found[want]
        return v, at

    assert value("room_temperature_now_celsius", i="0")[0] == 0.5
    assert value("http_requests_total", http_method="GET", ok="true") == (7.0, ms)
    assert value("data_sent_bytes_total") == (1.5, ms)
    assert value("queue_size") == (-3.0, ms)
    buckets = {dict(k)["le"]: v[0][1] for k, v in sink.select("latency_milliseconds_bucket").items()}
    assert {float(k): v for k, v in buckets.items()} == {1.0: 1.0, 5.0: 3.0, math.inf: 6.0}, buckets
    assert value("latency_milliseconds_sum")[0] == 12.5 and value("latency_milliseconds_count")[0] == 6
    assert value("old_summary_seconds", quantile="0.5")[0] == 2.0
    assert value("old_summary_seconds_count")[0] == 4 and value("old_summary_seconds_sum")[0] == 8
    (info,) = sink.select("target_info").items()
    assert dict(info[0]) == {"job": "ns/shop", "instance": "i-1", "host_name": "h1"} and info[1][0][1] == 1.0, info
    assert not [n for n in sink.names() if "delta" in n], "a delta became a cumulative series"
    gone = sink.select("gone")
    assert not gone or is_stale(next(iter(gone.values()))[0][1]), "a point without a value became one"
    ledger = agent.ledger()
    assert ledger.component("otelcol.exporter.prometheus.p", "dropped") >= 1, "the delta point is counted as dropped"
    agent.assert_balanced()
    sink.assert_clean()


@e2e(needs=["sdk"])
def test_resource_attributes_become_labels_when_asked(ctx):
    from lib import otlp_raw

    _, sink, port = to_prometheus(
        ctx,
        "resource_to_telemetry_conversion = true\nadd_metric_suffixes = false\n"
        "include_target_info = false\ninclude_scope_labels = false",
    )
    msg, _ = metrics_request()
    ctx.started(otlp_raw.GrpcClient(port)).export("metrics", msg)
    wait_for(lambda: sink.select("queue_size"), 10, "the series")
    labels = dict(next(iter(sink.select("http_requests"))))
    assert labels["host_name"] == "h1" and labels["job"] == "ns/shop" and "otel_scope_name" not in labels, labels
    assert "target_info" not in sink.names() and "data_sent" in sink.names()
    sink.assert_clean()


@e2e(needs=["sdk", "prometheus"], timeout=40)
def test_the_sdks_metrics_are_queried_back_from_a_real_prometheus(ctx):
    from lib import sdk_python as sdk

    prom = ctx.prometheus()
    port = free_port()
    ctx.agent(
        river.otlp_receiver(port, None, to="otelcol.exporter.prometheus.p.input")
        + 'otelcol.exporter.prometheus "p" {\n  forward_to = [prometheus.remote_write.out.receiver]\n}\n'
        + river.remote_write(prom.url)
    )
    sdk.send_metrics(sdk.exporters("grpc", port)[1], rounds=1)
    wait_for(lambda: prom.query("e2e_requests_total"), 10, "the counter")
    values = {(m["http_method"], m["job"]): v for m, v in prom.query("e2e_requests_total")}
    assert values == {("GET", "checkout"): 5.0, ("POST", "checkout"): 2.0}, values
    wait_for(lambda: prom.query("e2e_latency_milliseconds_count"), 5, "the histogram")
    assert prom.query("e2e_latency_milliseconds_count")[0][1] == 5
    assert {m["le"]: v for m, v in prom.query("e2e_latency_milliseconds_bucket")} == {
        "1": 1,
        "5": 3,
        "10": 3,
        "50.5": 4,
        "+Inf": 5,
    } or {float(m["le"]): v for m, v in prom.query("e2e_latency_milliseconds_bucket")} == {
        1.0: 1,
        5.0: 3,
        10.0: 3,
        50.5: 4,
        math.inf: 5,
    }
    assert prom.query("e2e_temperature_celsius")[0][1] == -4.5


def to_loki(ctx):
    sink = ctx.loki()
    port = free_port()
    agent = ctx.agent(
        river.otlp_receiver(port, None, to="otelcol.exporter.loki.l.input")
        + 'otelcol.exporter.loki "l" {\n  forward_to = [loki.write.out.receiver]\n}\n'
        + river.loki_write(sink.url)
    )
    return agent, sink, port


@e2e(needs=["sdk"])
def test_otlp_logs_become_loki_entries(ctx):
    from lib import otlp_raw

    agent, sink, port = to_loki(ctx)
    msg = otlp_raw.logs(
        3,
        service="shop",
        attributes={"http.route": "/a", "loki.attribute.labels": "http.route"},
        resource={"service.namespace": "ns", "service.instance.id": "i-1"},
    )
    records = msg.resource_logs[0].scope_logs[0].log_records
    records[0].trace_id, records[0].span_id = b"\1" * 16, b"\2" * 8
    ctx.started(otlp_raw.GrpcClient(port)).export("logs", msg)
    wait_for(lambda: sink.count() == 3, 10, "three entries")
    assert sink.label_sets() == [
        {"exporter": "OTLP", "job": "ns/shop", "instance": "i-1", "level": "INFO", "http_route": "/a"}
    ], sink.label_sets()
    entries = sink.select(job="ns/shop")
    assert [e.ts for e in entries] == [r.time_unix_nano for r in records]
    docs = [json.loads(e.line) for e in entries]
    assert [d["body"] for d in docs] == ["record 0", "record 1", "record 2"]
    assert docs[0]["traceid"] == "01" * 16 and docs[0]["spanid"] == "02" * 8 and docs[0]["severity"] == "INFO"
    sink.assert_clean()
    agent.assert_balanced()


@e2e(needs=["sdk"])
def test_otlp_log_bodies_of_every_type_reach_loki(ctx):
    from lib import otlp_raw

    _, sink, port = to_loki(ctx)
    msg = otlp_raw.logs(6)
    records = msg.resource_logs[0].scope_logs[0].log_records
    records[0].body.int_value = 17
    records[1].body.double_value = 2.5
    records[2].body.bool_value = False
    records[3].body.kvlist_value.values.add(key="a").value.string_value = "b"
    records[4].body.array_value.values.add().int_value = 1
    records[5].body.string_value = "Zeile ä 🎈\nzwei"
    ctx.started(otlp_raw.GrpcClient(port)).export("logs", msg)
    wait_for(lambda: sink.count() == 6, 10, "six entries")
    assert "Zeile ä 🎈" in sink.lines()[5] or "Zeile \\u00e4" in sink.lines()[5], sink.lines()[5]
    sink.assert_clean()
