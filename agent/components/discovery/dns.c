/* discovery.dns: targets from DNS records (Prometheus' dns_sd). Every refresh_interval all names are asked for at once;
 * a name whose question fails keeps the targets it had. */
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/dns.h"
#include "agent/io/loop.h"
#include "agent/runtime/component.h"
#include "agent/runtime/target_groups.h"
#include <stddef.h>
#include <stdio.h>

struct args {
    struct river_strings names;
    int64_t refresh_ns;
    struct slice type;
    uint64_t port;
};

/* One name: what it stood for last. */
struct name {
    struct component *component;
    char *text; /* owned */
    struct targets targets;
    bool is_broken;
    char why[ERROR_TEXT_BYTES];
};

struct component {
    struct host *host;
    struct loop *loop; /* the control loop */
    struct name *names;
    size_t n;
    enum dns_type type;
    uint16_t port;
    int64_t refresh_ns;
    struct dns *dns; /* of the round under way; NULL: none is */
    size_t n_open;   /* of its questions */
    struct timer *refresh, *finish;
    struct metric *lookups, *failures;
    bool is_started;
};

static const struct {
    const char *word;
    enum dns_type type;
} types[] = {{"A", DNS_A}, {"AAAA", DNS_AAAA}, {"MX", DNS_MX}, {"NS", DNS_NS}, {"SRV", DNS_SRV}};

static bool find_type(struct slice word, enum dns_type *out)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (slice_eq_nocase(word, slice_str(types[i].word))) {
            *out = types[i].type;
            return true;
        }
    }
    return false;
}

/* ---- targets ---- */

static enum code add_target(const struct component *c, struct name *name, const struct dns_record *r, struct error *err)
{
    static const struct slice names[] = {
        {"__address__", 11},
        {"__meta_dns_name", 15},
        {"__meta_dns_srv_record_target", 28},
        {"__meta_dns_srv_record_port", 26},
        {"__meta_dns_mx_record_target", 27},
        {"__meta_dns_ns_record_target", 27},
    };
    enum { N = sizeof names / sizeof names[0] };
    uint16_t port = c->type == DNS_SRV ? r->port : c->port;
    bool is_v6 = slice_find(r->name, ':') != r->name.len;
    struct slice texts[N] = {{0}};
    char address[512], target[300], number[8];

    (void)snprintf(address, sizeof address, "%s%.*s%s:%u", is_v6 ? "[" : "", SLICE_ARG(r->name), is_v6 ? "]" : "",
                   (unsigned)port);
    (void)snprintf(target, sizeof target, "%.*s.", SLICE_ARG(r->name)); /* as the record has it */
    (void)snprintf(number, sizeof number, "%u", (unsigned)port);
    texts[0] = slice_str(address);
    texts[1] = slice_str(name->text);
    if (c->type == DNS_SRV) {
        texts[2] = slice_str(target);
        texts[3] = slice_str(number);
    } else if (c->type == DNS_MX) {
        texts[4] = slice_str(target);
    } else if (c->type == DNS_NS) {
        texts[5] = slice_str(target);
    }
    return targets_add(&name->targets, names, texts, N, err);
}

static void set_broken(struct component *c, struct name *name, const char *why)
{
    metric_inc(c->failures);
    (void)snprintf(name->why, sizeof name->why, "%s: %s", name->text, why);
    if (!name->is_broken)
        log_error(host_id(c->host), "a name cannot be looked up; the targets it stood for last stay",
                  log_str("name", name->text), log_str("err", why),
                  log_str("do", "it is tried again every refresh_interval"));
    name->is_broken = true;
}

static size_t targets_of_others(const struct component *c, const struct name *name)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++)
        n += &c->names[i] != name ? c->names[i].targets.n : 0;
    return n;
}

static void on_answer(void *arg, const struct dns_answer *answer)
{
    struct name *name = arg;
    struct component *c = name->component;
    struct error err = {0};
    enum code rc = answer->code;

    metric_inc(c->lookups);
    if (rc == OK && targets_of_others(c, name) + answer->n > LIMIT_TARGETS)
        rc = error_set(&err, FULL, "there are more than %d targets", LIMIT_TARGETS);
    if (rc == OK) {
        targets_release(&name->targets);
        targets_init(&name->targets, 0);
        for (size_t i = 0; i < answer->n && rc == OK; i++)
            rc = add_target(c, name, &answer->records[i], &err);
        name->is_broken = name->is_broken && rc != OK;
    }
    if (rc != OK)
        set_broken(c, name, answer->code != OK ? answer->error : err.text);
    if (--c->n_open == 0)
        timer_start(c->finish, 0, 0); /* the resolver is still in the middle of this */
}

static void end_round(struct component *c)
{
    dns_free(c->dns);
    c->dns = NULL;
    c->n_open = 0;
    timer_stop(c->finish);
}

static void on_finish(void *arg)
{
    struct component *c = arg;
    const char *why = NULL;
    struct value *all;
    size_t n = 0, at = 0, n_broken = 0;

    end_round(c);
    for (size_t i = 0; i < c->n; i++) {
        n += c->names[i].targets.n;
        n_broken += c->names[i].is_broken;
        if (c->names[i].is_broken && why == NULL)
            why = c->names[i].why;
    }
    all = mem_array(n + 1, sizeof *all);
    for (size_t i = 0; i < c->n; i++) {
        if (c->names[i].targets.n != 0)
            memcpy(all + at, c->names[i].targets.items, c->names[i].targets.n * sizeof *all);
        at += c->names[i].targets.n;
    }
    host_export(c->host, "targets", value_array(all, n));
    mem_free(all);
    if (n_broken != 0)
        host_set_health(c->host, HEALTH_UNHEALTHY, "%zu of %zu names cannot be looked up: %s", n_broken, c->n, why);
    else
        host_set_health(c->host, HEALTH_HEALTHY, "%zu targets of %zu names", n, c->n);
}

static void ask_all(void *arg)
{
    struct component *c = arg;
    struct error err = {0};

    timer_start(c->refresh, (uint64_t)(c->refresh_ns / NS_PER_MS), 0);
    if (c->dns != NULL)
        return; /* the last round is still under way */
    if (dns_new(&c->dns, c->loop, &(struct dns_options){0}, &err) != OK) {
        host_set_health(c->host, HEALTH_UNHEALTHY, "%s", err.text);
        log_error(host_id(c->host), "names cannot be looked up", log_str("err", err.text));
        return;
    }
    c->n_open = c->n + 1; /* answers may come inline */
    for (size_t i = 0; i < c->n; i++)
        dns_ask(c->dns, c->names[i].text, c->type, on_answer, &c->names[i]);
    if (--c->n_open == 0)
        timer_start(c->finish, 0, 0);
}

/* ---- the component ---- */

static void free_names(struct component *c)
{
    for (size_t i = 0; i < c->n; i++) {
        targets_release(&c->names[i].targets);
        mem_free(c->names[i].text);
    }
    mem_free(c->names);
    c->names = NULL;
    c->n = 0;
}

static void set_args(struct component *c, const struct args *a)
{
    end_round(c);
    free_names(c);
    (void)find_type(a->type, &c->type); /* validate knows it */
    c->port = (uint16_t)a->port;
    c->refresh_ns = a->refresh_ns;
    c->names = mem_array(a->names.n + 1, sizeof *c->names);
    for (; c->n < a->names.n; c->n++) {
        c->names[c->n].component = c;
        c->names[c->n].text = mem_strndup(a->names.items[c->n]);
        targets_init(&c->names[c->n].targets, 0);
    }
    if (c->is_started)
        ask_all(c);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);

    (void)err;
    c->host = host;
    c->loop = loops_control(host_loops(host));
    c->refresh = timer_new(c->loop, ask_all, c);
    c->finish = timer_new(c->loop, on_finish, c);
    c->lookups = host_counter(host, "prometheus_sd_dns_lookups_total", "Names that were looked up.", NULL, 0);
    c->failures =
        host_counter(host, "prometheus_sd_dns_lookup_failures_total", "Names that could not be looked up.", NULL, 0);
    set_args(c, args);
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    (void)err;
    set_args(self, args);
    return OK;
}

static void start(void *self)
{
    struct component *c = self;

    c->is_started = true;
    ask_all(c);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    end_round(c);
    free_names(c);
    timer_free(c->refresh);
    timer_free(c->finish);
    metric_unref(c->lookups);
    metric_unref(c->failures);
    mem_free(c);
    done(arg);
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct args *a = args;
    enum dns_type type;
    enum code rc = OK;

    if (!find_type(a->type, &type))
        return river_problem(problems, "type", "type \"%.*s\" is not one of A, AAAA, MX, NS, SRV", SLICE_ARG(a->type));
    if (type != DNS_SRV && a->port == 0)
        rc = river_problem(problems, "port", "port must be given: only SRV records have one of their own");
    if (a->names.n > LIMIT_DNS_NAMES)
        rc = river_problem(problems, "names", "names has more than %d", LIMIT_DNS_NAMES);
    for (size_t i = 0; i < a->names.n; i++)
        if (a->names.items[i].len == 0 || a->names.items[i].len > 255)
            rc = river_problem(problems, "names", "\"%.*s\" in names is not a name", SLICE_ARG(a->names.items[i]));
    return rc;
}

static const struct river_field fields[] = {
    {.name = "names",
     .kind = RIVER_STRING_LIST,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, names),
     .doc = "The names that are looked up, with the search list of /etc/resolv.conf."},
    {.name = "refresh_interval",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = offsetof(struct args, refresh_ns),
     .def = "\"30s\"",
     .doc = "How often they are looked up."},
    {.name = "type",
     .kind = RIVER_STRING,
     .offset = offsetof(struct args, type),
     .def = "\"SRV\"",
     .doc = "The records that are asked for: A, AAAA, MX, NS or SRV."},
    {.name = "port",
     .kind = RIVER_UINT,
     .flags = RIVER_HAS_MAX,
     .max = 65535,
     .offset = offsetof(struct args, port),
     .def = "0",
     .doc = "The targets' port; SRV records have their own."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "discovery.dns",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .validate = validate,
                                              .doc = "Targets from DNS records."};

static const struct component_export exports[] = {
    {"targets", "list(map(string))", "One target per record: __address__ and __meta_dns_* labels."},
    {0},
};

const struct component_type component_discovery_dns = {
    .name = "discovery.dns",
    .stability = STABILITY_GA,
    .doc = "Finds targets in DNS records.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .start = start,
    .close = close_component,
};
