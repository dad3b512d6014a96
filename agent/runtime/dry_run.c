#include "agent/runtime/dry_run.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/dry_run_int.h"

/* The shutdown of a graph of stand-ins needs no time; what a broken one would take is bounded. */
enum { FLUSH_MS = 400, STOP_MS = 2000, QUEUE_BYTES = 1 << 20, LISTED_BYTES = 300 };

static void see(void *ctx, const struct fanout *from, const struct receiver *to, const struct batch *b)
{
    const struct dry_run *d = ctx;

    d->options.passed(d->options.ctx, from->owner, to->owner, b);
}

struct dry_run *dry_run_new(const struct dry_run_options *options)
{
    struct dry_run *d = mem_zalloc(sizeof *d);
    struct runtime_options rt;

    d->options = *options;
    list_init(&d->told);
    d->loops = loops_new_virtual(1, options->start_ns);
    d->metrics = metrics_new();
    fanout_init(&d->given, "", &d->ledger);
    list_init(&d->types);
    rt = (struct runtime_options){.types = options->types,
                                  .stability = options->stability,
                                  .loops = d->loops,
                                  .metrics = d->metrics,
                                  .clock = loops_clock(d->loops),
                                  .listen_addr = "127.0.0.1:12345",
                                  .memory_addr = "alloy.internal:12345",
                                  .queue_bytes = QUEUE_BYTES,
                                  .substitute = stand_in_for,
                                  .substitute_self = d};
    d->rt = runtime_new(&rt);
    d->tap = (struct tap){.see = see, .ctx = d};
    if (options->passed != NULL)
        tap_add(&d->tap);
    return d;
}

/* Time goes on until *is_done, but not for ever. */
static void run_until(struct dry_run *d, const bool *is_done)
{
    size_t left = LIMIT_VIRTUAL_TIMERS;

    while (!*is_done && left-- > 0 && loops_turn(d->loops, INT64_MAX))
        ;
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

struct stop {
    struct dry_run *d;
    bool is_done;
};

static void stop(void *arg)
{
    struct stop *s = arg;

    runtime_stop(s->d->rt, FLUSH_MS, STOP_MS, set_flag, &s->is_done);
}

static void told_free(struct told *t)
{
    list_remove(&t->link);
    arena_release(&t->arena);
    mem_free(t->id);
    mem_free(t);
}

void dry_run_free(struct dry_run *d)
{
    struct stop s = {.d = d};

    if (d == NULL)
        return;
    loop_post(loops_control(d->loops), stop, &s);
    run_until(d, &s.is_done);
    tap_remove(&d->tap);
    loops_free(d->loops);
    runtime_free(d->rt);
    metrics_free(d->metrics);
    LIST_EACH_SAFE (it, &d->told)
        told_free(CONTAINER_OF(it, struct told, link));
    stand_ins_free(d);
    mem_free(d);
}

/* --- loading --- */

struct load {
    struct dry_run *d;
    const struct config_text *texts;
    size_t n;
    struct diags *diags;
    bool is_done, is_ok;
};

static void loaded(void *ctx, const struct load_result *result)
{
    struct load *l = ctx;

    l->is_ok = result->is_ok;
    l->is_done = true;
    diags_append(l->diags, result->diags);
}

static void load(void *arg)
{
    struct load *l = arg;

    runtime_load(l->d->rt, l->texts, l->n, loaded, l);
}

enum code dry_run_load(struct dry_run *d, const struct config_text *texts, size_t n, struct diags *diags)
{
    struct load l = {.d = d, .texts = texts, .n = n, .diags = diags};
    struct error err = {0};

    loop_post(loops_control(d->loops), load, &l);
    if (loops_pass(d->loops, 0, &err) == OK && !l.is_done)
        run_until(d, &l.is_done); /* a reload drains what it replaces: that takes its time */
    BUG_ON(!l.is_done);           /* every wait of a load has an end */
    if (loops_pass(d->loops, 0, &err) != OK) {
        diags_error_file(diags, n > 0 ? texts[0].name : "", "%s", err.text);
        return INVALID;
    }
    d->is_loaded = d->is_loaded || l.is_ok;
    return l.is_ok ? OK : INVALID;
}

/* --- finding --- */

static const struct receiver *as_receiver(const struct value *v)
{
    static const struct capsule_type *const capsules[] = {&capsule_logs_receiver, &capsule_metrics_receiver,
                                                          &capsule_otel_consumer};
    const struct receiver *r = NULL;

    for (size_t i = 0; i < sizeof capsules / sizeof *capsules && r == NULL; i++)
        r = value_as_capsule(v, capsules[i]);
    return r;
}

static struct exports *exports_of(void *self, const struct config_block *block)
{
    struct host *h = host_by_id(((struct dry_run *)self)->rt, block->id);

    return h != NULL ? h->exports : NULL;
}

/* The component behind a receiver that an instance of a custom component exports: under this name, or (empty) the
 * first one. NULL: there is no such instance, or no such export. */
static struct host *find_inside(struct dry_run *d, struct slice instance, struct slice export)
{
    const struct config_scope *scope = d->rt->config == NULL ? NULL : config_scope_by_path(d->rt->config, instance);
    struct evaluator ev = {.config = d->rt->config, .exports_of = exports_of, .self = d};
    struct evaluation *e = NULL;
    struct host *found = NULL;
    struct diags diags;

    if (scope == NULL || scope->kind != SCOPE_INSTANCE)
        return NULL;
    ev.stability = d->options.stability;
    diags_init(&diags);
    if (evaluate_module(&ev, scope, MODULE_EXPORTS, &e, &diags) == OK)
        for (size_t i = 0; i < e->body.as.object.n && found == NULL; i++) {
            const struct value_field *f = &e->body.as.object.fields[i];
            const struct receiver *r = as_receiver(&f->value);

            if (r != NULL && (export.len == 0 || slice_eq(export, f->name)))
                found = r->node;
        }
    evaluation_free(e);
    evaluator_release(&ev);
    diags_release(&diags);
    return found;
}

/* id of a component, or of an instance of a custom one: also with an export behind it. */
static struct host *find(struct dry_run *d, struct slice id)
{
    struct host *h = host_by_id(d->rt, id);
    size_t dot = id.len;
    struct slice head, export;

    if (h == NULL)
        h = find_inside(d, id, SLICE_LIT(""));
    while (h == NULL && dot > 0 && id.ptr[dot - 1] != '.')
        dot--;
    if (h != NULL || dot == 0)
        return h;
    head = slice_head(id, dot - 1);
    export = slice_from(id, dot);
    h = host_by_id(d->rt, head);
    if (h == NULL)
        return find_inside(d, head, export);
    return value_get(&h->exports->value, export) != NULL ? h : NULL;
}

/* ", it has a, b and 5 more" */
static void write_ids(struct dry_run *d, struct buf *out)
{
    size_t n = 0;

    LIST_EACH (it, &d->rt->hosts) {
        const char *id = CONTAINER_OF(it, struct host, link)->id;

        if (out->len + strlen(id) < LISTED_BYTES)
            buf_printf(out, "%s%s", out->len == 0 ? "; it has " : ", ", id);
        else
            n++;
    }
    if (n != 0)
        buf_printf(out, " and %zu more", n);
}

static struct host *find_or_say(struct dry_run *d, struct slice id, struct error *err)
{
    struct host *h = find(d, id);
    struct nearest nearest;
    struct buf ids;

    if (h != NULL)
        return h;
    nearest_init(&nearest, id);
    LIST_EACH (it, &d->rt->hosts)
        nearest_offer(&nearest, slice_str(CONTAINER_OF(it, struct host, link)->id));
    if (nearest.best.ptr != NULL) {
        error_set(err, INVALID, "the configuration has no component \"%.*s\"; did you mean \"%.*s\"?", SLICE_ARG(id),
                  SLICE_ARG(nearest.best));
        return NULL;
    }
    buf_init(&ids, 2 * LISTED_BYTES);
    write_ids(d, &ids);
    error_set(err, INVALID, "the configuration has no component \"%.*s\"%.*s", SLICE_ARG(id),
              SLICE_ARG(buf_slice(&ids)));
    buf_release(&ids);
    return NULL;
}

const char *dry_run_find(struct dry_run *d, struct slice id, struct error *err)
{
    const struct host *h = find_or_say(d, id, err);

    return h != NULL ? h->id : NULL;
}

const struct value *dry_run_exports(struct dry_run *d, struct slice id)
{
    const struct host *h = find(d, id);

    return h != NULL ? &h->exports->value : NULL;
}

const void *dry_run_source_args(struct dry_run *d, struct slice id, const struct component_type **type)
{
    const struct host *h = find(d, id);

    if (h == NULL || h->self == NULL || !stand_in_is(d, h->type))
        return NULL;
    *type = h->type;
    return stand_in_args(h->self);
}

const struct clock *dry_run_clock(const struct dry_run *d)
{
    return loops_clock(d->loops);
}

struct runtime *dry_run_runtime(const struct dry_run *d)
{
    return d->rt;
}

void dry_run_each_ledger(struct dry_run *d, void (*each)(void *ctx, const char *id, const struct ledger *ledger),
                         void *ctx)
{
    LIST_EACH (it, &d->rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        each(ctx, h->id, &h->account->ledger);
    }
}

/* --- exports --- */

static void remember(struct dry_run *d, struct slice id, struct slice export, const struct value *v)
{
    struct told *t = mem_zalloc(sizeof *t);

    LIST_EACH_SAFE (it, &d->told) {
        struct told *old = CONTAINER_OF(it, struct told, link);

        if (slice_eq_str(id, old->id) && slice_eq(export, old->export))
            told_free(old);
    }
    t->id = mem_strndup(id);
    arena_init(&t->arena, 0);
    t->export = arena_copy(&t->arena, export);
    BUG_ON(value_copy(&t->arena, v, &t->value) != OK);
    list_add_tail(&d->told, &t->link);
}

struct exporting {
    struct host *host;
    const char *export;
    struct value value;
};

static void export_now(void *arg)
{
    struct exporting *e = arg;

    host_export(e->host, e->export, e->value);
}

enum code dry_run_set(struct dry_run *d, struct slice id, struct slice export, const struct value *v, struct error *err)
{
    const struct component_export *at;
    struct exporting exporting;
    struct nearest nearest;
    struct arena arena;
    struct host *h;
    enum code rc;

    if (!d->is_loaded) {
        remember(d, id, export, v);
        return OK;
    }
    h = find_or_say(d, id, err);
    if (h == NULL)
        return INVALID;
    if (!stand_in_is(d, h->type))
        return error_set(err, INVALID, "%s works as always in a test: what it exports cannot be set", h->id);
    nearest_init(&nearest, export);
    for (at = h->type->exports; at != NULL && at->name != NULL && !slice_eq_str(export, at->name); at++)
        nearest_offer(&nearest, slice_str(at->name));
    if (at == NULL || at->name == NULL)
        return error_set(err, INVALID, "%s has no export \"%.*s\"%s%.*s%s", h->id, SLICE_ARG(export),
                         nearest.best.ptr != NULL ? "; did you mean \"" : "", SLICE_ARG(nearest.best),
                         nearest.best.ptr != NULL ? "\"?" : "");
    arena_init(&arena, 0);
    exporting = (struct exporting){.host = h, .export = at->name};
    rc = stand_in_value(&arena, at, v, &exporting.value, err);
    if (rc == OK) {
        remember(d, slice_str(h->id), export, v);
        loop_post(loops_control(d->loops), export_now, &exporting);
        rc = loops_pass(d->loops, 0, err);
    }
    arena_release(&arena);
    return rc;
}

/* --- items --- */

static const char *kind_name(const struct batch *b)
{
    static const char *const otlp_names[] = {"traces", "OTLP metrics", "OTLP logs"};

    switch (b->kind) {
    case BATCH_LOGS:
        return "log lines";
    case BATCH_SAMPLES:
        return "samples";
    case BATCH_OTLP:
        return otlp_names[((const struct otlp_batch *)(const void *)b)->signal];
    }
    return "items";
}

static struct receiver *receiver_for(const struct host *h, const struct batch *b)
{
    static const struct capsule_type *const capsules[] = {
        [BATCH_LOGS] = &capsule_logs_receiver,
        [BATCH_SAMPLES] = &capsule_metrics_receiver,
        [BATCH_OTLP] = &capsule_otel_consumer,
    };
    const struct value *exports = &h->exports->value;

    for (size_t i = 0; i < exports->as.object.n; i++) {
        struct receiver *r = value_as_capsule(&exports->as.object.fields[i].value, capsules[b->kind]);

        if (r != NULL && r->node == h)
            return r;
    }
    return NULL;
}

struct giving {
    struct fanout *to;
    struct batch *batch;
};

static void give(void *arg)
{
    struct giving *g = arg;

    switch (g->batch->kind) {
    case BATCH_LOGS:
        fanout_push_logs(g->to, CONTAINER_OF(g->batch, struct log_batch, base));
        break;
    case BATCH_SAMPLES:
        fanout_push_metrics(g->to, CONTAINER_OF(g->batch, struct sample_batch, base));
        break;
    case BATCH_OTLP:
        fanout_push_otlp(g->to, CONTAINER_OF(g->batch, struct otlp_batch, base));
        break;
    }
}

static enum code give_through(struct dry_run *d, struct host *h, struct giving *g, struct error *err)
{
    if (g->batch->n_spans == 0 && batch_span(g->batch, NULL, batch_items(g->batch)) != OK) {
        batch_unref(g->batch);
        return error_set(err, NOMEM, "no memory");
    }
    ledger_created(g->to->ledger, batch_items(g->batch));
    loop_post(host_loop(h), give, g);
    return loops_pass(d->loops, 0, err);
}

enum code dry_run_give(struct dry_run *d, struct slice id, struct batch *take, struct error *err)
{
    struct giving g = {.to = &d->given, .batch = take};
    struct host *h = find_or_say(d, id, err);
    struct receiver *r;
    enum code rc;

    if (h == NULL || h->self == NULL) {
        if (h != NULL)
            error_set(err, INVALID, "%s does not run: %s", h->id, h->health_text);
        batch_unref(take);
        return INVALID;
    }
    r = receiver_for(h, take);
    if (r == NULL && stand_in_is(d, h->type))
        g.to = stand_in_fanout(h->self, take);
    if (g.to == NULL || (r == NULL && g.to == &d->given)) {
        error_set(err, INVALID, "%s does not %s %s", h->id, h->type->is_source ? "send" : "take", kind_name(take));
        batch_unref(take);
        return INVALID;
    }
    if (r == NULL)
        return give_through(d, h, &g, err);
    edge_list_free(fanout_swap(&d->given, edge_list_new(&r, 1)));
    rc = give_through(d, h, &g, err);
    edge_list_free(fanout_swap(&d->given, NULL));
    return rc;
}

enum code dry_run_pass(struct dry_run *d, int64_t ns, struct error *err)
{
    return loops_pass(d->loops, ns, err);
}
