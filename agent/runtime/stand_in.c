/* Stand-ins for components that would open sockets, files or devices. */
#include "agent/base/mem.h"
#include "agent/runtime/dry_run_int.h"
#include <stdio.h>

enum { MAX_FANS = 16, MAX_RECEIVERS = 4, FAN_NAME_BYTES = 128 };

struct fan_of {
    char name[FAN_NAME_BYTES]; /* "forward_to", "output.traces" */
    enum receiver_kind kind;
    struct fanout *to;
};

struct stand_in {
    struct host *host;
    const void *args;
    struct receiver receivers[MAX_RECEIVERS];
    size_t n_receivers;
    struct fan_of fans[MAX_FANS];
    size_t n_fans;
};

/* --- which components are replaced --- */

static bool kind_of_export(const struct component_export *export, enum receiver_kind *kind)
{
    static const struct {
        const char *word;
        enum receiver_kind kind;
    } words[] = {{"LogsReceiver", RECEIVES_LOGS}, {"MetricsReceiver", RECEIVES_METRICS}, {"Consumer", RECEIVES_OTLP}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strstr(export->type, words[i].word) == NULL)
            continue;
        *kind = words[i].kind;
        return true;
    }
    return false;
}

static bool takes_items(const struct component_type *type)
{
    enum receiver_kind kind;

    for (size_t i = 0; type->exports != NULL && type->exports[i].name != NULL; i++)
        if (kind_of_export(&type->exports[i], &kind))
            return true;
    return false;
}

/* What is not named here and does not hand items on is replaced: a new component is harmless until it is looked at. */
static bool only_computes(const struct component_type *type)
{
    static const char *const names[] = {"discovery.relabel", "otelcol.auth.", "foreach", "import.string"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(type->name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

bool dry_run_is_stand_in(const struct component_type *type)
{
    if (type->is_source || type->is_sink)
        return true;
    return !takes_items(type) && !only_computes(type);
}

/* --- receivers: all that comes is accepted --- */

static void take_batch(struct receiver *r, struct batch *take)
{
    ledger_out(r->ledger, batch_items(take));
    batch_settle(take, r->owner, SETTLED_ACKED, DROP_RULE, NULL);
    batch_unref(take);
}

static void accept_logs(void *self, struct log_batch *take)
{
    take_batch(self, &take->base);
}

static void accept_metrics(void *self, struct sample_batch *take)
{
    take_batch(self, &take->base);
}

static void accept_otlp(void *self, struct otlp_batch *take)
{
    take_batch(self, &take->base);
}

static void make_receiver(struct stand_in *s, const struct component_export *export, enum receiver_kind kind)
{
    struct receiver *r = &s->receivers[s->n_receivers++];

    *r = (struct receiver){.kind = kind, .self = r};
    switch (kind) {
    case RECEIVES_LOGS:
        r->push.logs = accept_logs;
        break;
    case RECEIVES_METRICS:
        r->push.metrics = accept_metrics;
        break;
    case RECEIVES_OTLP:
        r->push.otlp = accept_otlp;
        break;
    }
    host_receiver(s->host, r);
    r->is_sink = true;
    host_export(s->host, export->name, host_receiver_value(s->host, r));
}

/* --- what sends: wherever its arguments forward to --- */

static bool kind_of_capsule(const struct capsule_type *capsule, enum receiver_kind *kind)
{
    if (capsule == &capsule_logs_receiver)
        *kind = RECEIVES_LOGS;
    else if (capsule == &capsule_metrics_receiver)
        *kind = RECEIVES_METRICS;
    else if (capsule == &capsule_otel_consumer)
        *kind = RECEIVES_OTLP;
    else
        return false;
    return true;
}

static enum code wire(struct stand_in *s, const char *name, enum receiver_kind kind, const struct river_capsules *list,
                      struct error *err)
{
    struct fan_of *fan = NULL;

    for (size_t i = 0; i < s->n_fans && fan == NULL; i++)
        if (strcmp(s->fans[i].name, name) == 0)
            fan = &s->fans[i];
    if (fan == NULL) {
        if (s->n_fans == MAX_FANS)
            return error_set(err, FULL, "a source with more than %d ways out", MAX_FANS);
        fan = &s->fans[s->n_fans++];
        snprintf(fan->name, sizeof fan->name, "%s", name);
        fan->kind = kind;
    }
    return host_fanout(s->host, name, kind, list->items, list->n, &fan->to, err);
}

static enum code wire_fields(struct stand_in *s, const struct river_block *table, const void *args, const char *prefix,
                             struct error *err)
{
    enum code rc = OK;

    for (const struct river_field *f = table->fields;
         f != NULL && rc == OK && (f->name != NULL || f->kind == RIVER_FLATTEN || f->kind == RIVER_LABEL); f++) {
        const char *at = (const char *)args + f->offset;
        char name[FAN_NAME_BYTES];
        enum receiver_kind kind;

        if (f->kind == RIVER_FLATTEN) {
            rc = wire_fields(s, f->block, at, prefix, err);
            continue;
        }
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix != '\0' ? "." : "", f->name != NULL ? f->name : "");
        if (f->kind == RIVER_CAPSULE_LIST && kind_of_capsule(f->capsule, &kind))
            rc = wire(s, name, kind, (const void *)at, err);
        if (f->kind != RIVER_BLOCK || (f->flags & RIVER_REPEATED) != 0)
            continue;
        if ((f->flags & RIVER_POINTER) == 0)
            rc = wire_fields(s, f->block, at, name, err);
        else if (*(void *const *)(const void *)at != NULL)
            rc = wire_fields(s, f->block, *(void *const *)(const void *)at, name, err);
    }
    return rc;
}

struct fanout *stand_in_fanout(void *self, const struct batch *b)
{
    static const char *const otlp_names[] = {"output.traces", "output.metrics", "output.logs"};
    struct stand_in *s = self;

    for (size_t i = 0; i < s->n_fans; i++) {
        const struct fan_of *fan = &s->fans[i];
        const struct otlp_batch *otlp = (const void *)b;

        if ((b->kind == BATCH_LOGS && fan->kind == RECEIVES_LOGS) ||
            (b->kind == BATCH_SAMPLES && fan->kind == RECEIVES_METRICS) ||
            (b->kind == BATCH_OTLP && fan->kind == RECEIVES_OTLP && strcmp(fan->name, otlp_names[otlp->signal]) == 0))
            return fan->to;
    }
    return NULL;
}

const void *stand_in_args(void *self)
{
    return ((struct stand_in *)self)->args;
}

/* --- exported values --- */

static bool is_map_of_strings(const struct value *v)
{
    if (v->type != VALUE_OBJECT)
        return false;
    for (size_t i = 0; i < v->as.object.n; i++)
        if (!value_is_text(&v->as.object.fields[i].value))
            return false;
    return true;
}

enum code stand_in_value(struct arena *arena, const struct component_export *export, const struct value *v,
                         struct value *out, struct error *err)
{
    enum receiver_kind kind;

    *out = *v;
    if (kind_of_export(export, &kind) || strstr(export->type, "Handler") != NULL ||
        strstr(export->type, "ules") != NULL)
        return error_set(err, INVALID, "\"%s\" is where items are sent to: it cannot be set", export->name);
    if (strncmp(export->type, "list(map", 8) == 0) {
        if (v->type != VALUE_ARRAY)
            return error_set(err, INVALID, "\"%s\" is a list of targets, as [{\"__address__\" = \"host:80\"}]",
                             export->name);
        for (size_t i = 0; i < v->as.array.n; i++)
            if (!is_map_of_strings(&v->as.array.items[i]))
                return error_set(err, INVALID, "\"%s\" is a list of targets: each is an object of strings",
                                 export->name);
    } else if (strstr(export->type, "secret") != NULL) {
        if (!value_is_text(v))
            return error_set(err, INVALID, "\"%s\" is a text", export->name);
        *out = value_optional_secret(v->as.text.bytes, v->as.text.is_secret);
    } else if (strncmp(export->type, "string", 6) == 0 && !value_is_text(v)) {
        return error_set(err, INVALID, "\"%s\" is a text", export->name);
    }
    return value_copy(arena, out, out);
}

static const struct told *find_told(const struct dry_run *d, const char *id, const char *export)
{
    LIST_EACH (it, &d->told) {
        const struct told *t = CONTAINER_OF(it, struct told, link);

        if (strcmp(t->id, id) == 0 && slice_eq_str(t->export, export))
            return t;
    }
    return NULL;
}

static enum code export_all(struct stand_in *s, const struct stand_in_type *type, struct error *err)
{
    for (const struct component_export *e = type->original->exports; e != NULL && e->name != NULL; e++) {
        const struct told *told = find_told(type->of, host_id(s->host), e->name);
        enum receiver_kind kind;
        struct arena arena;
        struct value v;
        enum code rc;

        if (kind_of_export(e, &kind)) {
            if (s->n_receivers == MAX_RECEIVERS)
                return error_set(err, FULL, "a component with more than %d receivers", MAX_RECEIVERS);
            make_receiver(s, e, kind);
            continue;
        }
        if (told == NULL)
            continue;
        arena_init(&arena, 0);
        rc = stand_in_value(&arena, e, &told->value, &v, err);
        if (rc == OK)
            host_export(s->host, e->name, v);
        arena_release(&arena);
        if (rc != OK)
            return rc;
    }
    return OK;
}

/* --- the component --- */

static const struct stand_in_type *type_of(const struct component_type *type)
{
    return (const struct stand_in_type *)(const void *)type; /* type is its first member */
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct stand_in_type *type = type_of(host->type);
    struct stand_in *s = mem_zalloc(sizeof *s);
    enum code rc;

    *s = (struct stand_in){.host = host, .args = args};
    rc = wire_fields(s, type->original->args, args, "", err);
    if (rc == OK)
        rc = export_all(s, type, err);
    if (rc != OK) {
        mem_free(s);
        return rc;
    }
    *out = s;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    struct stand_in *s = self;
    const struct stand_in_type *type = type_of(s->host->type);

    s->args = args;
    return wire_fields(s, type->original->args, args, "", err);
}

static void close_stand_in(void *self, loop_fn done, void *arg)
{
    mem_free(self);
    done(arg);
}

const struct component_type *stand_in_for(void *dry_run, const struct component_type *type)
{
    struct dry_run *d = dry_run;
    struct stand_in_type *made;

    if (!dry_run_is_stand_in(type))
        return type;
    LIST_EACH (it, &d->types) {
        made = CONTAINER_OF(it, struct stand_in_type, link);
        if (made->original == type)
            return &made->type;
    }
    made = mem_zalloc(sizeof *made);
    *made = (struct stand_in_type){.original = type, .of = d};
    made->type = (struct component_type){
        .name = type->name,
        .stability = type->stability,
        .doc = type->doc,
        .args = type->args,
        .exports = type->exports,
        .is_source = type->is_source,
        .is_sink = type->is_sink,
        .is_singleton = type->is_singleton,
        .create = create,
        .update = update,
        .close = close_stand_in,
    };
    list_add_tail(&d->types, &made->link);
    return &made->type;
}

void stand_ins_free(struct dry_run *d)
{
    LIST_EACH_SAFE (it, &d->types)
        mem_free(CONTAINER_OF(it, struct stand_in_type, link));
}

bool stand_in_is(const struct dry_run *d, const struct component_type *type)
{
    LIST_EACH (it, &d->types)
        if (&CONTAINER_OF(it, struct stand_in_type, link)->type == type)
            return true;
    return false;
}
