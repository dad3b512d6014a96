/* Every component of hyagent, sorted by name: loki.source.file is component_loki_source_file in
 * agent/components/loki/source_file.c, sinks are in exporters/. A new component adds two lines here. */
#include "agent/cli/registry.h"

extern const struct component_type component_discovery_dns;
extern const struct component_type component_discovery_docker;
extern const struct component_type component_discovery_file;
extern const struct component_type component_discovery_http;
extern const struct component_type component_discovery_process;
extern const struct component_type component_discovery_relabel;
extern const struct component_type component_local_file;
extern const struct component_type component_local_file_match;
extern const struct component_type component_loki_echo;
extern const struct component_type component_loki_process;
extern const struct component_type component_loki_relabel;
extern const struct component_type component_loki_source_docker;
extern const struct component_type component_loki_source_file;
extern const struct component_type component_loki_write;
extern const struct component_type component_otelcol_auth_basic;
extern const struct component_type component_otelcol_auth_bearer;
extern const struct component_type component_otelcol_auth_headers;
extern const struct component_type component_otelcol_exporter_debug;
extern const struct component_type component_otelcol_exporter_loki;
extern const struct component_type component_otelcol_exporter_otlp;
extern const struct component_type component_otelcol_exporter_otlphttp;
extern const struct component_type component_otelcol_exporter_prometheus;
extern const struct component_type component_otelcol_processor_attributes;
extern const struct component_type component_otelcol_processor_batch;
extern const struct component_type component_otelcol_processor_memory_limiter;
extern const struct component_type component_otelcol_receiver_otlp;
extern const struct component_type component_prometheus_echo;
extern const struct component_type component_prometheus_exporter_self;
extern const struct component_type component_prometheus_exporter_unix;
extern const struct component_type component_prometheus_relabel;
extern const struct component_type component_prometheus_remote_write;
extern const struct component_type component_prometheus_scrape;
extern const struct component_type component_remote_http;

const struct component_type *const registry[] = {
    &component_discovery_dns,
    &component_discovery_docker,
    &component_discovery_file,
    &component_discovery_http,
    &component_discovery_process,
    &component_discovery_relabel,
    &component_local_file,
    &component_local_file_match,
    &component_loki_echo,
    &component_loki_process,
    &component_loki_relabel,
    &component_loki_source_docker,
    &component_loki_source_file,
    &component_loki_write,
    &component_otelcol_auth_basic,
    &component_otelcol_auth_bearer,
    &component_otelcol_auth_headers,
    &component_otelcol_exporter_debug,
    &component_otelcol_exporter_loki,
    &component_otelcol_exporter_otlp,
    &component_otelcol_exporter_otlphttp,
    &component_otelcol_exporter_prometheus,
    &component_otelcol_processor_attributes,
    &component_otelcol_processor_batch,
    &component_otelcol_processor_memory_limiter,
    &component_otelcol_receiver_otlp,
    &component_prometheus_echo,
    &component_prometheus_exporter_self,
    &component_prometheus_exporter_unix,
    &component_prometheus_relabel,
    &component_prometheus_remote_write,
    &component_prometheus_scrape,
    &component_remote_http,
    NULL,
};
