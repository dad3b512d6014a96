/* discovery.process in pieces: proc.c (what /proc says of each process), join.c (processes and the targets of their
 * containers), run.c (the component). */
#ifndef AGENT_COMPONENTS_DISCOVERY_PROCESS_PROCESS_H
#define AGENT_COMPONENTS_DISCOVERY_PROCESS_PROCESS_H
#include "agent/river/schema.h"
#include "agent/runtime/target_groups.h"

struct process_discover_args {
    bool cwd, exe, commandline, username, uid, container_id, cgroup_path;
};

/* Adds a target per process found in the folder proc ("/proc"), in order of number; those that ended meanwhile, kernel
 * threads (with exe) and those that may not be looked at are left out, the last counted in n_denied. Blocks: not for
 * loops. */
MUST_USE enum code processes_read(struct targets *out, const char *proc, const struct process_discover_args *args,
                                  size_t *n_denied, struct error *err);
/* The container's id in the text of a cgroup file: the 64 digits at the end of a path; empty when there is none. */
struct slice process_container_id(struct slice cgroup);

/* Containers without an id, then the processes, each with the labels of its container (which win), then all containers
 * with one. Container ids stand in __container_id__, __meta_kubernetes_pod_container_id (with its runtime's prefix) or
 * __meta_docker_container_id. */
MUST_USE enum code processes_join(struct targets *out, const struct targets *processes,
                                  const struct river_targets *containers, struct error *err);
#endif
