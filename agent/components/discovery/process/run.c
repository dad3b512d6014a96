/* discovery.process: the component. /proc is read on a thread of the pool. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/discovery/process/process.h"
#include "agent/io/work.h"
#include "agent/runtime/component.h"
#include <stddef.h>

struct args {
    struct river_targets join;
    int64_t refresh_ns;
    struct process_discover_args discover;
};

struct component {
    struct host *host;
    struct loop *loop; /* the control loop */
    const struct args *args;
    struct targets processes;
    struct timer *refresh;
    bool is_started, is_reading, is_stale, is_closing, was_read, is_broken;
    loop_fn closed;
    void *closed_arg;
};

/* One look at /proc, off the loop. */
struct look {
    struct component *component;
    struct process_discover_args args;
    struct targets targets;
    size_t n_denied; /* may not be looked at */
    enum code code;
    struct error err;
};

static void read_processes(void *arg)
{
    struct look *l = arg;

    l->code = processes_read(&l->targets, "/proc", &l->args, &l->n_denied, &l->err);
}

static void export_targets(struct component *c)
{
    struct targets all;
    struct error err = {0};

    targets_init(&all, 0);
    if (processes_join(&all, &c->processes, &c->args->join, &err) == OK) {
        host_export(c->host, "targets", value_array(all.items, all.n));
        host_set_health(c->host, HEALTH_HEALTHY, "%zu processes", c->processes.n);
    } else {
        host_set_health(c->host, HEALTH_UNHEALTHY, "%s", err.text[0] != '\0' ? err.text : "too many targets");
    }
    targets_release(&all);
}

static void free_component(struct component *c)
{
    loop_fn closed = c->closed;
    void *closed_arg = c->closed_arg;

    targets_release(&c->processes);
    mem_free(c);
    closed(closed_arg);
}

static void begin_look(struct component *c);

static void on_looked(void *arg)
{
    struct look *l = arg;
    struct component *c = l->component;

    c->is_reading = false;
    if (!c->is_closing && l->code == OK) {
        targets_release(&c->processes);
        c->processes = l->targets;
        l->targets = (struct targets){0};
        c->was_read = true;
        export_targets(c);
    } else if (!c->is_closing) {
        host_set_health(c->host, HEALTH_UNHEALTHY, "processes cannot be read: %s", l->err.text);
        log_error(host_id(c->host), "processes cannot be read; those that were read last stay",
                  log_str("err", l->err.text));
    }
    if (!c->is_closing && l->n_denied != 0 && !c->is_broken)
        log_warn(host_id(c->host), "some processes may not be looked at and are left out",
                 log_int("processes", (int64_t)l->n_denied),
                 log_str("do", "run as root or with CAP_SYS_PTRACE, or switch exe and cwd off in discover_config"));
    c->is_broken = l->n_denied != 0;
    targets_release(&l->targets);
    mem_free(l);
    if (c->is_closing)
        free_component(c);
    else if (c->is_stale)
        begin_look(c);
}

static void begin_look(struct component *c)
{
    struct look *l;

    c->is_stale = c->is_reading;
    if (c->is_reading)
        return;
    c->is_reading = true;
    l = mem_zalloc(sizeof *l);
    l->component = c;
    l->args = c->args->discover;
    targets_init(&l->targets, 0);
    work_run(c->loop, read_processes, on_looked, l);
}

static void on_refresh(void *arg)
{
    struct component *c = arg;

    timer_start(c->refresh, (uint64_t)(c->args->refresh_ns / NS_PER_MS), 0);
    begin_look(c);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);

    (void)err;
    c->host = host;
    c->loop = loops_control(host_loops(host));
    c->args = args;
    targets_init(&c->processes, 0);
    c->refresh = timer_new(c->loop, on_refresh, c);
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    const struct args *old, *now = args;
    struct component *c = self;

    (void)err;
    old = c->args;
    c->args = now;
    if (c->was_read)
        export_targets(c); /* join may be other targets now */
    if (c->is_started &&
        (memcmp(&old->discover, &now->discover, sizeof old->discover) != 0 || old->refresh_ns != now->refresh_ns))
        on_refresh(c);
    return OK;
}

static void start(void *self)
{
    struct component *c = self;

    c->is_started = true;
    on_refresh(c);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    timer_free(c->refresh);
    c->closed = done;
    c->closed_arg = arg;
    c->is_closing = true;
    if (!c->is_reading)
        free_component(c);
}

#define DISCOVER(member) offsetof(struct process_discover_args, member)
static const struct river_field discover_fields[] = {
    {.name = "cwd", .kind = RIVER_BOOL, .offset = DISCOVER(cwd), .def = "true", .doc = "__meta_process_cwd."},
    {.name = "exe", .kind = RIVER_BOOL, .offset = DISCOVER(exe), .def = "true", .doc = "__meta_process_exe."},
    {.name = "commandline",
     .kind = RIVER_BOOL,
     .offset = DISCOVER(commandline),
     .def = "true",
     .doc = "__meta_process_commandline."},
    {.name = "username",
     .kind = RIVER_BOOL,
     .offset = DISCOVER(username),
     .def = "false",
     .doc = "__meta_process_username; off unless written, as in Alloy's program (its reference says on)."},
    {.name = "uid",
     .kind = RIVER_BOOL,
     .offset = DISCOVER(uid),
     .def = "false",
     .doc = "__meta_process_uid; off unless written, as in Alloy's program (its reference says on)."},
    {.name = "container_id",
     .kind = RIVER_BOOL,
     .offset = DISCOVER(container_id),
     .def = "true",
     .doc = "__container_id__, from the process's control group."},
    {.name = "cgroup_path",
     .kind = RIVER_BOOL,
     .offset = DISCOVER(cgroup_path),
     .def = "false",
     .doc = "__meta_process_cgroup_path."},
    RIVER_FIELDS_END,
};
static const struct river_block discover_block = {.name = "discover_config",
                                                  .fields = discover_fields,
                                                  .size = sizeof(struct process_discover_args),
                                                  .doc = "What is found out about each process."};

static const struct river_field fields[] = {
    {.name = "join",
     .kind = RIVER_TARGETS,
     .offset = offsetof(struct args, join),
     .doc = "Targets of containers: a process gets the labels of the one with its container's id."},
    {.name = "refresh_interval",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = offsetof(struct args, refresh_ns),
     .def = "\"60s\"",
     .doc = "How often processes are looked at."},
    {.name = "discover_config",
     .kind = RIVER_BLOCK,
     .offset = offsetof(struct args, discover),
     .block = &discover_block,
     .doc = "What is found out about each process."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {
    .name = "discovery.process", .fields = fields, .size = sizeof(struct args), .doc = "Processes of this machine."};

static const struct component_export exports[] = {
    {"targets", "list(map(string))", "One target per process: __process_pid__ and __meta_process_* labels; and join."},
    {0},
};

const struct component_type component_discovery_process = {
    .name = "discovery.process",
    .stability = STABILITY_GA,
    .doc = "Finds the processes of this machine.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .start = start,
    .close = close_component,
};
