/* discovery.docker in pieces: args.c (the table), targets.c (what Docker says of containers, as targets), run.c (the
 * component: lists, events, health). All of it on the control loop. */
#ifndef AGENT_COMPONENTS_DISCOVERY_DOCKER_DISCOVERY_H
#define AGENT_COMPONENTS_DISCOVERY_DOCKER_DISCOVERY_H
#include "agent/base/map.h"
#include "agent/io/docker.h"
#include "agent/runtime/component.h"
#include "agent/runtime/http_args.h"
#include "agent/text/json.h"

struct filter_args {
    struct slice name;
    struct river_strings values;
};
struct discovery_docker_args {
    struct slice host, host_networking_host;
    uint64_t port;
    int64_t refresh_ns;
    bool match_first_network, log_paths;
    struct river_blocks filters; /* struct filter_args */
    struct http_args http;
};
extern const struct river_block discovery_docker_args_block;

/* One that was seen; the key in the map is its id. */
struct container {
    char *json;       /* owned: its element of /containers/json */
    char *log_path;   /* owned; NULL: not known, or not to be read */
    char *log_driver; /* owned; NULL: not known */
    int64_t ended_ms; /* monotonic; 0: not ended */
    uint64_t round;   /* of the list that had it last */
    struct docker_call *inspecting;
    bool is_inspected;
    void *owner; /* the component, for inspect's answer */
    char *id;    /* owned */
};

/* Of an element of /containers/json. */
struct slice container_id(const struct json *c);
bool container_has_ended(const struct json *c);
/* Its own log, or labelled hyagent.logs=false: the log is not to be read. */
bool container_log_is_left_out(const struct json *c);
/* Targets as Prometheus' docker_sd makes them, in order of the map; networks: the text of /networks, may be empty. All
 * live in arena. NOMEM. */
MUST_USE enum code targets_build(struct arena *arena, const struct discovery_docker_args *args,
                                 const struct map *containers, struct slice networks, struct value *out);
#endif
