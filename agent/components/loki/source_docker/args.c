#include "agent/components/loki/source_docker/source_docker.h"
#include <stddef.h>

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct source_docker_args *a = args;
    struct error why = {0};

    if (docker_host_check(a->host, &why) != OK)
        (void)river_problem(problems, "host", "%s", why.text);
    return http_args_check(&a->http, problems) != OK || why.text[0] != '\0' ? INVALID : OK;
}

static const struct river_field http_fields[] = {
    {.kind = RIVER_FLATTEN, .offset = 0, .block = &http_args_block},
    RIVER_FIELDS_END,
};
static const struct river_block http_block = {.name = "http_client_config",
                                              .fields = http_fields,
                                              .size = sizeof(struct http_args),
                                              .doc = "How Docker is reached."};

#define ARG(member) offsetof(struct source_docker_args, member)
static const struct river_field fields[] = {
    {.name = "host",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = ARG(host),
     .doc = "Docker's address: unix:///var/run/docker.sock, tcp://HOST:PORT, http:// or https://."},
    {.name = "targets",
     .kind = RIVER_TARGETS,
     .flags = RIVER_REQUIRED,
     .offset = ARG(targets),
     .doc = "Containers to read: __meta_docker_container_id and the labels of their lines."},
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REQUIRED,
     .offset = ARG(forward_to),
     .capsule = &capsule_logs_receiver,
     .doc = "Where to send the lines."},
    {.name = "labels",
     .kind = RIVER_STRING_MAP,
     .offset = ARG(labels),
     .def = "{}",
     .doc = "Labels of every line; over those of the target."},
    {.name = "relabel_rules",
     .kind = RIVER_CAPSULE,
     .offset = ARG(relabel_rules),
     .capsule = &capsule_relabel_rules,
     .doc = "Rules for the labels of the lines; __meta_docker_container_log_stream is stdout or stderr."},
    {.name = "http_client_config",
     .kind = RIVER_BLOCK,
     .offset = ARG(http),
     .block = &http_block,
     .doc = "How Docker is reached."},
    {.name = "refresh_interval",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = ARG(refresh_ns),
     .def = "\"60s\"",
     .doc = "How often a container that does not run is looked at (at least every 5 s)."},
    RIVER_FIELDS_END,
};
const struct river_block source_docker_args_block = {.name = "loki.source.docker",
                                                     .fields = fields,
                                                     .size = sizeof(struct source_docker_args),
                                                     .validate = validate,
                                                     .doc = "Reads containers' logs from Docker's API."};
