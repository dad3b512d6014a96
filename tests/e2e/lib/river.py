"""River texts the tests are put together from."""


def otlp_receiver(
    grpc=None, http=None, to=None, more_grpc="", more_http="", name="in", traces=None, metrics=None, logs=None
):
    """otelcol.receiver.otlp; to: one consumer expression for all three signals, or each by its own name."""
    blocks = []
    if grpc:
        blocks.append(f'  grpc {{\n    endpoint = "127.0.0.1:{grpc}"\n{more_grpc}\n  }}')
    if http:
        blocks.append(f'  http {{\n    endpoint = "127.0.0.1:{http}"\n{more_http}\n  }}')
    return (
        f'otelcol.receiver.otlp "{name}" {{\n'
        + "\n".join(blocks)
        + "\n"
        + outputs(traces or to, metrics or to, logs or to)
        + "\n}\n"
    )


def outputs(traces=None, metrics=None, logs=None):
    rows = [f"    {k} = [{v}]" for k, v in (("traces", traces), ("metrics", metrics), ("logs", logs)) if v]
    return "  output {\n" + "\n".join(rows) + "\n  }"


def batch(to, name="b", timeout="200ms", size=2000, max_size=3000):
    return (
        f'otelcol.processor.batch "{name}" {{\n  timeout = "{timeout}"\n  send_batch_size = {size}\n'
        f"  send_batch_max_size = {max_size}\n{outputs(to, to, to)}\n}}\n"
    )


RETRY = """  retry_on_failure {
    initial_interval = "100ms"
    max_interval     = "500ms"
    max_elapsed_time = "60s"
  }
"""


def otlp_exporter(port, name="out", more_client="", more="", compression="gzip", timeout="5s"):
    return (
        f'otelcol.exporter.otlp "{name}" {{\n  timeout = "{timeout}"\n  client {{\n    endpoint = "127.0.0.1:{port}"\n'
        f'    compression = "{compression}"\n    tls {{\n      insecure = true\n    }}\n{more_client}\n  }}\n{RETRY}{more}}}\n'
    )


def otlphttp_exporter(port, name="out", more_client="", more="", compression="gzip"):
    return (
        f'otelcol.exporter.otlphttp "{name}" {{\n  client {{\n    endpoint = "http://127.0.0.1:{port}"\n'
        f'    compression = "{compression}"\n{more_client}\n  }}\n{RETRY}{more}}}\n'
    )


def loki_write(url, name="out", wait="200ms", more="", outer=""):
    return (
        f'loki.write "{name}" {{\n  endpoint {{\n    url = "{url}"\n    batch_wait = "{wait}"\n'
        f'    min_backoff_period = "100ms"\n    max_backoff_period = "500ms"\n    max_backoff_retries = 0\n{more}\n  }}\n'
        f"{outer}\n}}\n"
    )


def remote_write(url, name="out", more="", outer=""):
    return (
        f'prometheus.remote_write "{name}" {{\n  endpoint {{\n    url = "{url}"\n{more}\n    queue_config {{\n'
        f'      batch_send_deadline = "200ms"\n      min_backoff = "50ms"\n      max_backoff = "500ms"\n    }}\n  }}\n'
        f"{outer}\n}}\n"
    )


def scrape(targets, to, name="s", interval="1s", timeout="900ms", more=""):
    """targets: a list of dicts, or a River expression."""
    if not isinstance(targets, str):
        targets = "[" + ", ".join(target(t) for t in targets) + "]"
    return (
        f'prometheus.scrape "{name}" {{\n  targets = {targets}\n  scrape_interval = "{interval}"\n'
        f'  scrape_timeout = "{timeout}"\n  forward_to = [{to}]\n{more}\n}}\n'
    )


def target(labels):
    return "{" + ", ".join(f"{string(k)} = {string(v)}" for k, v in labels.items()) + "}"


def string(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def file_source(path, to, name="f", labels=None, more="", match=True, sync="1s"):
    """local.file_match (when path is a pattern, or match) and loki.source.file."""
    one = target({"__path__": path, **(labels or {"job": "files"})})
    if not match:
        return f'loki.source.file "{name}" {{\n  targets = [{one}]\n  forward_to = [{to}]\n{more}\n}}\n'
    return (
        f'local.file_match "{name}" {{\n  path_targets = [{one}]\n  sync_period = "{sync}"\n}}\n'
        f'loki.source.file "{name}" {{\n  targets = local.file_match.{name}.targets\n  forward_to = [{to}]\n{more}\n}}\n'
    )
