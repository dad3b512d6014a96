"""The arguments of what stands between OTLP's receiver and its exporters, and of the exporters' queues: each component
twice, without and with an argument, in front of a server of its own."""

import json
import threading
import time

import cramjam

from lib import river
from lib.arguments import Case, Side, World, indented, not_reached, reached, run
from lib.context import e2e
from lib.net import free_port, http
from lib.wire import REMOTE_WRITE

NOW = "1767225600000000000"


def answer(seen):
    if seen.header("content-type").startswith("application/grpc"):
        return 0, {}, b""
    return 200, {"Content-Type": "application/x-protobuf"}, b""


def slow(seen):
    time.sleep(0.3)
    return answer(seen)


def unavailable(seen):
    if seen.header("content-type").startswith("application/grpc"):
        return 14, {}, b""
    return 503, {}, b""


def attributes(**pairs):
    return [{"key": k, "value": {"stringValue": v}} for k, v in pairs.items()]


def span(n=0, **more):
    ids = {"traceId": f"{n + 1:032x}", "spanId": f"{n + 1:016x}", "startTimeUnixNano": NOW, "endTimeUnixNano": NOW}
    return {**ids, "name": "GET /", "kind": 2, **more}


def traces(*spans):
    resource = {"attributes": attributes(**{"service.name": "shop", "zone": "a"})}
    scope = {"name": "lib", "version": "1.2"}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": list(spans)}]}]}


def logs(**record):
    one = {
        "timeUnixNano": NOW,
        "body": {"stringValue": "hello"},
        "severityText": "ERROR",
        "severityNumber": 17,
        **record,
    }
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [one]}]}]}


def metrics():
    resource = {"attributes": attributes(**{"service.name": "shop", "zone": "a"})}
    scope = {"name": "lib", "version": "1.2", "attributes": attributes(flavour="plain")}
    points = [{"asInt": "7", "startTimeUnixNano": NOW, "timeUnixNano": NOW, "attributes": attributes(row="r")}]
    total = {
        "name": "requests",
        "unit": "s",
        "sum": {"dataPoints": points, "isMonotonic": True, "aggregationTemporality": 2},
    }
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": scope, "metrics": [total]}]}]}


def post(port, signal, body):
    """What comes back does not matter: dead exporters are part of the fan-out."""

    def send():
        try:
            http(
                f"http://127.0.0.1:{port}/v1/{signal}",
                json.dumps(body).encode(),
                {"Content-Type": "application/json"},
                timeout=5,
            )
        except OSError:
            pass

    threading.Thread(target=send, daemon=True).start()


def in_front_of(names, **how):
    """River text of a receiver to all of these inputs, and its port."""
    port = free_port()
    return port, lambda labels: river.otlp_receiver(
        http=port, to=", ".join(n.replace("LABEL", l) for l in labels for n in names)
    )


# ---- sending_queue ----------------------------------------------------------------------------------------------------


def queue_cases(component):
    def queue(*lines):
        return "sending_queue {\n" + "\n".join("  " + line for line in lines) + "\n}"

    def side(*lines, then):
        return Side("", then, outer=queue(*lines))

    def batch(*lines):
        return ["batch {", *("  " + line for line in lines), "}"]

    def lost(metrics, label, **_):
        return metrics.sum("hyagent_endpoint_dropped_total", component_id=f"{component}.{label}") >= 1

    def kept(port, **what):
        return reached(port) and port.any(lambda s: s.at < time.monotonic() - 3) and not lost(**what)

    def at_once(least, most=10**9):
        return lambda port, **_: len(port.seen) >= 8 and least <= port.busiest <= most

    def pushes(least, most=10**9):
        return lambda port, **_: port.any(lambda s: s.at < time.monotonic() - 2) and least <= len(port.seen) <= most

    small = batch("max_size = 1")
    return {
        "": [
            Case(
                "sending_queue.num_consumers",
                side("num_consumers = 8", *small, then=at_once(2, 8)),
                side("num_consumers = 1", *small, then=at_once(1, 1)),
                reply=slow,
            ),
            Case(
                "sending_queue.batch.max_size",
                side(then=pushes(1, POSTS)),
                side(*small, then=pushes(3 * POSTS)),
            ),
            Case(
                "sending_queue.batch.sizer",
                side(*batch("min_size = 50", "max_size = 100"), then=pushes(1, POSTS)),
                side(*batch("min_size = 50", "max_size = 100", 'sizer = "bytes"'), then=pushes(3 * POSTS)),
            ),
        ],
        "full": [
            Case(
                "sending_queue.queue_size",
                side("queue_size = 1000", *small, then=kept),
                side("queue_size = 4", *batch("max_size = 3"), then=lost),
                reply=unavailable,
            ),
            Case(
                "sending_queue.sizer",
                side("queue_size = 1000", *small, then=kept),
                side("queue_size = 1000", 'sizer = "bytes"', *small, then=lost),
                reply=unavailable,
            ),
        ],
        "blocking": [
            Case(
                "sending_queue.block_on_overflow",
                side("queue_size = 4", "block_on_overflow = true", *batch("max_size = 3"), then=kept),
                reply=unavailable,
            )
        ],
    }


POSTS = 12
FULL = 40  # more than a queue and the requests in flight hold together
RETRY = '  retry_on_failure {\n    initial_interval = "100ms"\n    max_interval = "300ms"\n  }\n'


def try_queue(ctx, component, endpoint):
    def text(label, url, _, outer):
        return (
            f'{component} "{label}" {{\n  client {{\n    endpoint = "{endpoint(url)}"\n    compression = "none"\n  }}\n'
            f"{RETRY}{indented(outer, 2)}}}\n"
        )

    folder = ctx.tmp
    for name, cases in queue_cases(component).items():
        port, receiver = in_front_of([f"{component}.LABEL.input"])

        def send(agent, n_posts=FULL if name == "full" else POSTS):
            for n in range(n_posts):
                post(port, "traces", traces(*(span(3 * n + i) for i in range(3))))
                time.sleep(0.02)

        ctx.tmp = folder / f"run-{name}"
        ctx.tmp.mkdir()
        run(ctx, World(ctx, answer), cases, text, receiver, send)
    ctx.tmp = folder


@e2e(timeout=90)
def test_otlphttp_queue(ctx):
    try_queue(ctx, "otelcol.exporter.otlphttp", lambda url: url)


@e2e(timeout=90)
def test_otlp_queue(ctx):
    try_queue(ctx, "otelcol.exporter.otlp", lambda url: url)


# ---- processors -------------------------------------------------------------------------------------------------------


CHANGED = b"was-changed"
SPANS = {"attributes": attributes(http="yes")}


def attributes_cases():
    """include and exclude: what is changed when the match fits, and when it does not."""
    changed = lambda port, **_: port.any(lambda s: CHANGED in s.body)  # noqa: E731
    untouched = lambda port, **_: reached(port) and not changed(port)  # noqa: E731
    strict = 'match_type = "strict"'
    fits = [  # (signal, the argument, one that fits, one that does not)
        ("traces", "services", 'services = ["shop"]', 'services = ["other"]'),
        ("traces", "span_names", 'span_names = ["GET /"]', 'span_names = ["other"]'),
        ("traces", "span_kinds", 'span_kinds = ["SPAN_KIND_SERVER"]', 'span_kinds = ["SPAN_KIND_CLIENT"]'),
        ("traces", "attribute.value", *(f'attribute {{\n  key = "http"\n  value = "{v}"\n}}' for v in ("yes", "no"))),
        ("traces", "attribute.key", *(f'attribute {{\n  key = "{k}"\n}}' for k in ("http", "other"))),
        ("traces", "resource.value", *(f'resource {{\n  key = "zone"\n  value = "{v}"\n}}' for v in ("a", "b"))),
        ("traces", "resource.key", *(f'resource {{\n  key = "{k}"\n  value = "a"\n}}' for k in ("zone", "other"))),
        ("traces", "library.name", *(f'library {{\n  name = "{n}"\n}}' for n in ("lib", "other"))),
        ("traces", "library.version", *(f'library {{\n  name = "lib"\n  version = "{v}"\n}}' for v in ("1.2", "1.3"))),
        ("logs", "log_bodies", 'log_bodies = ["hello"]', 'log_bodies = ["other"]'),
        ("logs", "log_severity_texts", 'log_severity_texts = ["ERROR"]', 'log_severity_texts = ["INFO"]'),
        (
            *("logs", "log_severity.min"),
            *(f'log_severity {{\n  min = "{m}"\n  match_undefined = false\n}}' for m in ("INFO", "FATAL")),
        ),
        ("metrics", "metric_names", 'metric_names = ["requests"]', 'metric_names = ["other"]'),
    ]
    # A block of conditions is never empty: the name of a service that all have, or nobody has, stands beside.
    cases = []
    for signal, about, fitting, other in fits:
        for block, is_changed_when_fitting in (("include", True), ("exclude", False)):

            def condition(text):
                return f"{block} {{\n  {strict}\n{indented(text, 2)}}}"

            on_fit, on_miss = (changed, untouched) if is_changed_when_fitting else (untouched, changed)
            case = Case(
                f"{block}.{about}",
                Side("", on_miss, outer=condition(other)),
                Side("", on_fit, outer=condition(fitting)),
            )
            case.signal = signal
            cases.append(case)
    return cases


@e2e(timeout=90)
def test_processor_attributes(ctx):
    bodies = {"traces": traces(span(**SPANS)), "logs": logs(attributes=attributes(a="b")), "metrics": metrics()}
    everything = attributes_cases()
    for signal, body in bodies.items():
        cases = [case for case in everything if case.signal == signal]
        port, receiver = in_front_of(["otelcol.processor.attributes.LABEL.input"])

        def text(label, url, _, outer):
            to = f"otelcol.exporter.otlphttp.{label}.input"
            return (
                f'otelcol.processor.attributes "{label}" {{\n{indented(outer, 2)}  action {{\n    key = "row"\n'
                f'    action = "upsert"\n    value = "{CHANGED.decode()}"\n  }}\n{river.outputs(to, to, to)}\n}}\n'
                f'otelcol.exporter.otlphttp "{label}" {{\n  client {{\n    endpoint = "{url}"\n    compression = "none"\n'
                "  }\n}\n"
            )

        folder, ctx.tmp = ctx.tmp, ctx.tmp / signal
        ctx.tmp.mkdir()
        run(ctx, World(ctx, answer), cases, text, receiver, lambda agent: post(port, signal, body))
        ctx.tmp = folder


# ---- otelcol.exporter.prometheus --------------------------------------------------------------------------------------


def series(port):
    with port.lock:
        bodies = [s.body for s in port.seen]
    out = []
    for body in bodies:
        message = REMOTE_WRITE["WriteRequest"]()
        message.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
        out += [{p.name: p.value for p in s.labels} for s in message.timeseries]
    return out


def shows(name, **labels):
    return lambda port, **_: any(s["__name__"] == name and labels.items() <= s.items() for s in series(port))


def lacks(name, **labels):
    return lambda port, **_: bool(series(port)) and not shows(name, **labels)(port)


@e2e(timeout=90)
def test_exporter_prometheus(ctx):
    port, receiver = in_front_of(["otelcol.exporter.prometheus.LABEL.input"])

    def text(label, url, _, outer):
        return (
            f'otelcol.exporter.prometheus "{label}" {{\n{indented(outer, 2)}  forward_to = '
            f"[prometheus.remote_write.{label}.receiver]\n}}\n" + river.remote_write(url + "/push", label)
        )

    name = "requests_seconds_total"
    cases = [
        Case(
            "include_target_info",
            Side("", shows("target_info")),
            Side("", lacks("target_info"), outer="include_target_info = false"),
        ),
        Case(
            "include_scope_info",
            Side("", lacks("otel_scope_info")),
            Side("", shows("otel_scope_info"), outer="include_scope_info = true"),
        ),
        Case(
            "include_scope_labels",
            Side("", shows(name, otel_scope_name="lib")),
            Side("", lacks(name, otel_scope_name="lib"), outer="include_scope_labels = false"),
        ),
        Case(
            "add_metric_suffixes",
            Side("", shows(name)),
            Side("", shows("requests"), outer="add_metric_suffixes = false"),
        ),
        Case(
            "resource_to_telemetry_conversion",
            Side("", lacks(name, zone="a")),
            Side("", shows(name, zone="a"), outer="resource_to_telemetry_conversion = true"),
        ),
    ]
    run(
        ctx,
        World(ctx, lambda seen: (204, {}, b"")),
        cases,
        text,
        receiver,
        lambda agent: post(port, "metrics", metrics()),
    )
