#include "agent/components/discovery/docker/discovery.h"
#include <stddef.h>

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct discovery_docker_args *a = args;
    struct error why = {0};

    if (docker_host_check(a->host, &why) != OK)
        (void)river_problem(problems, "host", "%s", why.text);
    return http_args_check(&a->http, problems) != OK || why.text[0] != '\0' ? INVALID : OK;
}

static const struct river_field filter_fields[] = {
    {.name = "name",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct filter_args, name),
     .doc = "A filter of Docker's container list: label, name, status, ..."},
    {.name = "values",
     .kind = RIVER_STRING_LIST,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct filter_args, values),
     .doc = "A container that has one of them stays."},
    RIVER_FIELDS_END,
};
static const struct river_block filter_block = {.name = "filter",
                                                .fields = filter_fields,
                                                .size = sizeof(struct filter_args),
                                                .doc = "Leaves out containers, as docker ps --filter does."};

#define ARG(member) offsetof(struct discovery_docker_args, member)
static const struct river_field fields[] = {
    {.name = "host",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = ARG(host),
     .doc = "Docker's address: unix:///var/run/docker.sock, tcp://HOST:PORT, http:// or https://."},
    {.name = "port",
     .kind = RIVER_UINT,
     .flags = RIVER_HAS_MAX,
     .max = 65535,
     .offset = ARG(port),
     .def = "80",
     .doc = "The port of a target whose container exposes none."},
    {.name = "host_networking_host",
     .kind = RIVER_STRING,
     .offset = ARG(host_networking_host),
     .def = "\"localhost\"",
     .doc = "The host of a target whose container uses the host's network."},
    {.name = "refresh_interval",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = ARG(refresh_ns),
     .def = "\"1m\"",
     .doc = "How often containers are listed; Docker's events make it sooner."},
    {.name = "match_first_network",
     .kind = RIVER_BOOL,
     .offset = ARG(match_first_network),
     .def = "true",
     .doc = "Of a container in several networks only the first by name makes targets."},
    {.name = "log_paths",
     .kind = RIVER_BOOL,
     .offset = ARG(log_paths),
     .def = "false",
     .doc =
         "Adds __meta_docker_container_log_path to the first target of a container (json-file logs), and "
         "__meta_docker_container_log_driver; not to hyagent's own container nor those labelled hyagent.logs=false."},
    {.name = "filter",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = ARG(filters),
     .block = &filter_block,
     .doc = "Leaves out containers."},
    {.kind = RIVER_FLATTEN, .offset = ARG(http), .block = &http_args_block},
    RIVER_FIELDS_END,
};
const struct river_block discovery_docker_args_block = {.name = "discovery.docker",
                                                        .fields = fields,
                                                        .size = sizeof(struct discovery_docker_args),
                                                        .validate = validate,
                                                        .doc = "Finds containers of a Docker host."};
