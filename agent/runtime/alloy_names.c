/* The names of Alloy 1.12's components, so that a configuration that uses one hyagent lacks is told so by name. */
#include "agent/runtime/alloy_names.h"

static const char cloud[] =
    "let a program of yours write the targets into a file for discovery.file, or serve them for discovery.http";
static const char collector_between[] = "change attributes with otelcol.processor.attributes; for more, send with "
                                        "otelcol.exporter.otlp to an OpenTelemetry Collector";
static const char collector_in[] = "let an OpenTelemetry Collector receive it and send OTLP to otelcol.receiver.otlp";
static const char collector_out[] =
    "send with otelcol.exporter.otlp to an OpenTelemetry Collector that has this exporter";
static const char kubernetes[] = "collect the logs of a node from /var/log/pods (pipelines/kubernetes.river); for "
                                 "metrics ask the DNS of headless services with discovery.dns";
static const char operator[] = "write prometheus.scrape blocks, with targets of discovery.dns or discovery.file";
static const char podlogs[] = "read /var/log/pods on every node with loki.source.file (pipelines/kubernetes.river)";
static const char profiles[] = "hyagent collects no profiles: run Alloy for them";
static const char sdk[] = "send OTLP to otelcol.receiver.otlp: the OpenTelemetry SDKs do it by default";
static const char syslog[] = "let rsyslog or syslog-ng write files and read them with loki.source.file";
static const char targets[] = "write the targets into a file for discovery.file, or serve them for discovery.http";
static const char to_otlp[] = "let an OpenTelemetry Collector take it and send OTLP to otelcol.receiver.otlp";

/* Sorted by bytes. */
static const struct alloy_name names[] = {
    {"argument", ALLOY_MODULES, NULL},
    {"beyla.ebpf", ALLOY_EXCLUDED, "run Beyla as a program of its own and let it send OTLP to otelcol.receiver.otlp"},
    {"database_observability.mysql", ALLOY_COMPONENT,
     "run mysqld_exporter beside hyagent and scrape it with prometheus.scrape; samples of queries are not collected"},
    {"database_observability.postgres", ALLOY_COMPONENT,
     "run postgres_exporter beside hyagent and scrape it with prometheus.scrape; samples of queries are not collected"},
    {"declare", ALLOY_MODULES, NULL}, {"discovery.azure", ALLOY_COMPONENT, cloud},
    {"discovery.consul", ALLOY_COMPONENT,
     "ask Consul's DNS with discovery.dns, or let consul-template write a file for discovery.file"},
    {"discovery.consulagent", ALLOY_COMPONENT, targets}, {"discovery.digitalocean", ALLOY_COMPONENT, cloud},
    {"discovery.dns", ALLOY_COMPONENT, NULL}, {"discovery.docker", ALLOY_COMPONENT, NULL},
    {"discovery.dockerswarm", ALLOY_COMPONENT, "run hyagent on every node of the swarm with discovery.docker"},
    {"discovery.ec2", ALLOY_COMPONENT, cloud}, {"discovery.eureka", ALLOY_COMPONENT, targets},
    {"discovery.file", ALLOY_COMPONENT, NULL}, {"discovery.gce", ALLOY_COMPONENT, cloud},
    {"discovery.hetzner", ALLOY_COMPONENT, cloud}, {"discovery.http", ALLOY_COMPONENT, NULL},
    {"discovery.ionos", ALLOY_COMPONENT, cloud}, {"discovery.kubelet", ALLOY_COMPONENT, kubernetes},
    {"discovery.kubernetes", ALLOY_COMPONENT, kubernetes}, {"discovery.kuma", ALLOY_COMPONENT, targets},
    {"discovery.lightsail", ALLOY_COMPONENT, cloud}, {"discovery.linode", ALLOY_COMPONENT, cloud},
    {"discovery.marathon", ALLOY_COMPONENT, targets}, {"discovery.nerve", ALLOY_COMPONENT, targets},
    {"discovery.nomad", ALLOY_COMPONENT,
     "let Nomad's templates write a file for discovery.file, or ask the DNS with discovery.dns"},
    {"discovery.openstack", ALLOY_COMPONENT, cloud}, {"discovery.ovhcloud", ALLOY_COMPONENT, cloud},
    {"discovery.process", ALLOY_COMPONENT, NULL}, {"discovery.puppetdb", ALLOY_COMPONENT, targets},
    {"discovery.relabel", ALLOY_COMPONENT, NULL}, {"discovery.scaleway", ALLOY_COMPONENT, cloud},
    {"discovery.serverset", ALLOY_COMPONENT, targets}, {"discovery.triton", ALLOY_COMPONENT, cloud},
    {"discovery.uyuni", ALLOY_COMPONENT, targets}, {"export", ALLOY_MODULES, NULL},
    {"faro.receiver", ALLOY_EXCLUDED, "let the front end send OTLP to otelcol.receiver.otlp, or run Alloy for it"},
    {"foreach", ALLOY_MODULES, NULL}, {"http", ALLOY_CONFIG_BLOCK, NULL}, {"import.file", ALLOY_MODULES, NULL},
    {"import.git", ALLOY_MODULES, NULL}, {"import.http", ALLOY_MODULES, NULL}, {"import.string", ALLOY_MODULES, NULL},
    {"livedebugging", ALLOY_CONFIG_BLOCK, NULL}, {"local.file", ALLOY_COMPONENT, NULL},
    {"local.file_match", ALLOY_COMPONENT, NULL}, {"logging", ALLOY_CONFIG_BLOCK, NULL},
    {"loki.echo", ALLOY_COMPONENT, NULL},
    {"loki.enrich", ALLOY_COMPONENT,
     "add the labels to the targets with discovery.relabel, or with stage.static_labels in loki.process"},
    {"loki.process", ALLOY_COMPONENT, NULL}, {"loki.relabel", ALLOY_COMPONENT, NULL},
    {"loki.rules.kubernetes", ALLOY_COMPONENT, "load the rules from your CI with lokitool"},
    {"loki.secretfilter", ALLOY_COMPONENT, "cut secrets out with stage.replace in loki.process"},
    {"loki.source.api", ALLOY_COMPONENT,
     "send the lines as OTLP to otelcol.receiver.otlp, or let the sender push to Loki itself"},
    {"loki.source.awsfirehose", ALLOY_COMPONENT, to_otlp}, {"loki.source.azure_event_hubs", ALLOY_COMPONENT, to_otlp},
    {"loki.source.cloudflare", ALLOY_COMPONENT, to_otlp}, {"loki.source.docker", ALLOY_COMPONENT, NULL},
    {"loki.source.file", ALLOY_COMPONENT, NULL}, {"loki.source.gcplog", ALLOY_COMPONENT, to_otlp},
    {"loki.source.gelf", ALLOY_COMPONENT,
     "use Docker's json-file log driver with loki.source.docker, or let rsyslog write files for loki.source.file"},
    {"loki.source.heroku", ALLOY_COMPONENT, to_otlp},
    {"loki.source.journal", ALLOY_COMPONENT,
     "let rsyslog (imjournal) or journalctl -f write a file and read that with loki.source.file"},
    {"loki.source.kafka", ALLOY_COMPONENT, to_otlp}, {"loki.source.kubernetes", ALLOY_COMPONENT, podlogs},
    {"loki.source.kubernetes_events", ALLOY_COMPONENT,
     "run an event exporter that prints the events, and read its pod's log with loki.source.file"},
    {"loki.source.podlogs", ALLOY_COMPONENT, podlogs}, {"loki.source.syslog", ALLOY_COMPONENT, syslog},
    {"loki.source.windowsevent", ALLOY_COMPONENT,
     "hyagent runs on Linux: let an OpenTelemetry Collector on Windows send OTLP to otelcol.receiver.otlp"},
    {"loki.write", ALLOY_COMPONENT, NULL},
    {"mimir.alerts.kubernetes", ALLOY_COMPONENT, "load the alerts from your CI with mimirtool"},
    {"mimir.rules.kubernetes", ALLOY_COMPONENT, "load the rules from your CI with mimirtool"},
    {"module.file", ALLOY_REMOVED, "use import.file, with a declare block in the file"},
    {"module.git", ALLOY_REMOVED, "use import.git, with a declare block in the file"},
    {"module.http", ALLOY_REMOVED, "use import.http, with a declare block in the file"},
    {"module.string", ALLOY_REMOVED, "use import.string, with a declare block in the text"},
    {"otelcol.auth.basic", ALLOY_COMPONENT, NULL}, {"otelcol.auth.bearer", ALLOY_COMPONENT, NULL},
    {"otelcol.auth.headers", ALLOY_COMPONENT, NULL},
    {"otelcol.auth.oauth2", ALLOY_COMPONENT,
     "let a program of yours renew the token in a file, and give it to otelcol.auth.bearer by local.file"},
    {"otelcol.auth.sigv4", ALLOY_COMPONENT,
     "put a signing proxy (aws-sigv4-proxy) between otelcol.exporter.otlphttp and AWS"},
    {"otelcol.connector.host_info", ALLOY_COMPONENT, "count hosts in the backend, by the resource attribute host.id"},
    {"otelcol.connector.servicegraph", ALLOY_COMPONENT,
     "Tempo's metrics generator makes these metrics from the spans it gets"},
    {"otelcol.connector.spanlogs", ALLOY_COMPONENT, "search the spans in Tempo; hyagent makes no log lines of spans"},
    {"otelcol.connector.spanmetrics", ALLOY_COMPONENT,
     "Tempo's metrics generator makes these metrics from the spans it gets"},
    {"otelcol.exporter.awss3", ALLOY_COMPONENT, collector_out},
    {"otelcol.exporter.datadog", ALLOY_COMPONENT, collector_out}, {"otelcol.exporter.debug", ALLOY_COMPONENT, NULL},
    {"otelcol.exporter.faro", ALLOY_COMPONENT, collector_out},
    {"otelcol.exporter.googlecloud", ALLOY_COMPONENT, collector_out},
    {"otelcol.exporter.googlecloudpubsub", ALLOY_COMPONENT, collector_out},
    {"otelcol.exporter.kafka", ALLOY_COMPONENT, collector_out},
    {"otelcol.exporter.loadbalancing", ALLOY_COMPONENT, "let a load balancer spread what otelcol.exporter.otlp sends"},
    {"otelcol.exporter.logging", ALLOY_REMOVED, "use otelcol.exporter.debug"},
    {"otelcol.exporter.loki", ALLOY_COMPONENT, NULL}, {"otelcol.exporter.otlp", ALLOY_COMPONENT, NULL},
    {"otelcol.exporter.otlphttp", ALLOY_COMPONENT, NULL}, {"otelcol.exporter.prometheus", ALLOY_COMPONENT, NULL},
    {"otelcol.exporter.splunkhec", ALLOY_COMPONENT, collector_out},
    {"otelcol.exporter.syslog", ALLOY_COMPONENT, collector_out},
    {"otelcol.extension.jaeger_remote_sampling", ALLOY_COMPONENT, "set the sampler in the SDKs: OTEL_TRACES_SAMPLER"},
    {"otelcol.processor.attributes", ALLOY_COMPONENT, NULL}, {"otelcol.processor.batch", ALLOY_COMPONENT, NULL},
    {"otelcol.processor.cumulativetodelta", ALLOY_COMPONENT, collector_between},
    {"otelcol.processor.deltatocumulative", ALLOY_COMPONENT, collector_between},
    {"otelcol.processor.discovery", ALLOY_COMPONENT, collector_between},
    {"otelcol.processor.filter", ALLOY_COMPONENT, collector_between},
    {"otelcol.processor.groupbyattrs", ALLOY_COMPONENT, collector_between},
    {"otelcol.processor.interval", ALLOY_COMPONENT, collector_between},
    {"otelcol.processor.k8sattributes", ALLOY_COMPONENT,
     "give the pods their k8s attributes in OTEL_RESOURCE_ATTRIBUTES, by the downward API"},
    {"otelcol.processor.memory_limiter", ALLOY_COMPONENT, NULL},
    {"otelcol.processor.probabilistic_sampler", ALLOY_COMPONENT,
     "sample in the SDKs: OTEL_TRACES_SAMPLER=parentbased_traceidratio"},
    {"otelcol.processor.resourcedetection", ALLOY_COMPONENT,
     "set the resource in the SDKs: OTEL_RESOURCE_ATTRIBUTES, or with otelcol.processor.attributes"},
    {"otelcol.processor.span", ALLOY_COMPONENT,
     "change attributes with otelcol.processor.attributes; names of spans stay as they are"},
    {"otelcol.processor.tail_sampling", ALLOY_COMPONENT,
     "sample in an OpenTelemetry Collector behind otelcol.exporter.otlp"},
    {"otelcol.processor.transform", ALLOY_COMPONENT, collector_between},
    {"otelcol.receiver.awscloudwatch", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.awsecscontainermetrics", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.cloudflare", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.datadog", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.faro", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.file_stats", ALLOY_COMPONENT,
     "prometheus.exporter.unix has a collector for file systems; single files are not measured"},
    {"otelcol.receiver.filelog", ALLOY_COMPONENT,
     "read the files with loki.source.file and send the lines with loki.write"},
    {"otelcol.receiver.fluentforward", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.googlecloudpubsub", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.influxdb", ALLOY_COMPONENT, collector_in}, {"otelcol.receiver.jaeger", ALLOY_COMPONENT, sdk},
    {"otelcol.receiver.kafka", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.loki", ALLOY_COMPONENT, "send the lines with loki.write"},
    {"otelcol.receiver.opencensus", ALLOY_COMPONENT, sdk}, {"otelcol.receiver.otlp", ALLOY_COMPONENT, NULL},
    {"otelcol.receiver.prometheus", ALLOY_COMPONENT, "send the metrics with prometheus.remote_write"},
    {"otelcol.receiver.solace", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.splunkhec", ALLOY_COMPONENT, collector_in}, {"otelcol.receiver.syslog", ALLOY_COMPONENT, syslog},
    {"otelcol.receiver.tcplog", ALLOY_COMPONENT, syslog}, {"otelcol.receiver.vcenter", ALLOY_COMPONENT, collector_in},
    {"otelcol.receiver.zipkin", ALLOY_COMPONENT, sdk},
    {"otelcol.storage.file", ALLOY_COMPONENT,
     "leave it out: hyagent keeps its queues below --storage.path without being told"},
    {"prometheus.enrich", ALLOY_COMPONENT,
     "add the labels to the targets with discovery.relabel before prometheus.scrape"},
    {"prometheus.exporter.apache", ALLOY_COMPONENT,
     "run apache_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.azure", ALLOY_COMPONENT,
     "run azure-metrics-exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.blackbox", ALLOY_COMPONENT,
     "run blackbox_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.cadvisor", ALLOY_COMPONENT,
     "run cAdvisor beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.catchpoint", ALLOY_COMPONENT,
     "run catchpoint-exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.cloudwatch", ALLOY_COMPONENT,
     "run yet-another-cloudwatch-exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.consul", ALLOY_COMPONENT,
     "run consul_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.dnsmasq", ALLOY_COMPONENT,
     "run dnsmasq_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.elasticsearch", ALLOY_COMPONENT,
     "run elasticsearch_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.gcp", ALLOY_COMPONENT,
     "run stackdriver_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.github", ALLOY_COMPONENT,
     "run github-exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.kafka", ALLOY_COMPONENT,
     "run kafka_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.memcached", ALLOY_COMPONENT,
     "run memcached_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.mongodb", ALLOY_COMPONENT,
     "run mongodb_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.mssql", ALLOY_COMPONENT,
     "run sql_exporter with its mssql queries beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.mysql", ALLOY_COMPONENT,
     "run mysqld_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.oracledb", ALLOY_COMPONENT,
     "run oracledb_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.postgres", ALLOY_COMPONENT,
     "run postgres_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.process", ALLOY_COMPONENT,
     "run process-exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.redis", ALLOY_COMPONENT,
     "run redis_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.self", ALLOY_COMPONENT, NULL},
    {"prometheus.exporter.snmp", ALLOY_COMPONENT,
     "run snmp_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.snowflake", ALLOY_COMPONENT,
     "run snowflake-prometheus-exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.squid", ALLOY_COMPONENT,
     "run squid-exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.static", ALLOY_COMPONENT,
     "write the text into a file and read it with the textfile collector of prometheus.exporter.unix"},
    {"prometheus.exporter.statsd", ALLOY_COMPONENT,
     "run statsd_exporter beside hyagent and scrape it with prometheus.scrape"},
    {"prometheus.exporter.unix", ALLOY_COMPONENT, NULL},
    {"prometheus.exporter.windows", ALLOY_COMPONENT,
     "run windows_exporter on the Windows machines and scrape it with prometheus.scrape"},
    {"prometheus.operator.podmonitors", ALLOY_COMPONENT, operator},
     {"prometheus.operator.probes", ALLOY_COMPONENT, operator},
      {"prometheus.operator.scrapeconfigs", ALLOY_COMPONENT, operator},
       {
           "prometheus.operator.servicemonitors",
           ALLOY_COMPONENT,
           operator},
           {"prometheus.receive_http", ALLOY_COMPONENT,
            "let the senders write to the backend themselves, or let prometheus.scrape ask them"},
           {"prometheus.relabel", ALLOY_COMPONENT, NULL},
           {"prometheus.remote_write", ALLOY_COMPONENT, NULL},
           {"prometheus.scrape", ALLOY_COMPONENT, NULL},
           {"prometheus.write.queue", ALLOY_COMPONENT, "use prometheus.remote_write: its queue is on disk, too"},
           {"pyroscope.ebpf", ALLOY_EXCLUDED, profiles},
           {"pyroscope.java", ALLOY_EXCLUDED, profiles},
           {"pyroscope.receive_http", ALLOY_EXCLUDED, profiles},
           {"pyroscope.relabel", ALLOY_EXCLUDED, profiles},
           {"pyroscope.scrape", ALLOY_EXCLUDED, profiles},
           {"pyroscope.write", ALLOY_EXCLUDED, profiles},
           {"remote.http", ALLOY_COMPONENT, NULL},
           {"remote.kubernetes.configmap", ALLOY_COMPONENT, "mount it into the pod and read the file with local.file"},
           {"remote.kubernetes.secret", ALLOY_COMPONENT,
            "mount it into the pod and read the file with local.file (is_secret = true)"},
           {"remote.s3", ALLOY_COMPONENT,
            "let a program of yours fetch it (aws s3 cp) and read the file with local.file"},
           {"remote.vault", ALLOY_COMPONENT,
            "let Vault Agent write the secret into a file and read it with local.file (is_secret = true)"},
           {"remotecfg", ALLOY_CONFIG_BLOCK,
            "put the file there with your own tool, then SIGHUP or POST /-/reload; --config.watch does that by itself"},
           {"tracing", ALLOY_CONFIG_BLOCK, NULL},
      };

const struct alloy_name *alloy_name_find(struct slice name)
{
    size_t low = 0, high = sizeof names / sizeof names[0];

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_cmp(slice_str(names[middle].name), name);

        if (order == 0)
            return &names[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct alloy_name *alloy_name_at(size_t i)
{
    return i < sizeof names / sizeof names[0] ? &names[i] : NULL;
}

bool alloy_name_refuse(struct diags *diags, const struct source *source, struct span at, struct slice name)
{
    const struct alloy_name *alloy = alloy_name_find(name);
    const char *what, *why = "hyagent does not have yet";
    struct diag *d;

    if (alloy == NULL)
        return false;
    what = alloy->kind == ALLOY_CONFIG_BLOCK ? "configuration block" : "component";
    if (alloy->kind == ALLOY_REMOVED)
        why = "was removed from Alloy, too";
    else if (alloy->kind == ALLOY_EXCLUDED)
        why = "hyagent leaves out";
    d = diags_error(diags, source, at, "\"%s\" is a %s of Alloy that %s", alloy->name, what, why);
    if (alloy->instead != NULL)
        diag_hint(diags, d, "%s", alloy->instead);
    diag_page(diags, d, "alloy#%s", alloy->name);
    return true;
}
