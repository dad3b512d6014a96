/* Custom components, imports and foreach items, for the admin pages. Any thread. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/runtime_int.h"

struct verdict {
    enum health health;
    const char *message;
};

/* How much it matters: higher is worse. */
static int weight(enum health health)
{
    switch (health) {
    case HEALTH_HEALTHY:
        return 0;
    case HEALTH_UNKNOWN:
        return 1;
    case HEALTH_EXITED:
        return 2;
    case HEALTH_UNHEALTHY:
        return 3;
    }
    return 1;
}

static void worsen(struct verdict *v, enum health health, const char *message)
{
    if (weight(health) > weight(v->health))
        *v = (struct verdict){health, message};
}

/* A module is as well as the worst that stands in it, however deep; an import also as its own component. */
static struct verdict *judge(struct runtime *rt)
{
    const struct config *c = rt->config;
    struct verdict *all = mem_array(c->n_scopes + 1, sizeof *all);

    for (size_t i = 0; i < c->n_scopes; i++)
        all[i] = (struct verdict){HEALTH_HEALTHY, ""};
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        if (h->block == NULL)
            continue;
        worsen(&all[h->block->scope->number], h->health, h->health_text);
        if (h->block->name->inside != NULL)
            worsen(&all[h->block->name->inside->number], h->health, h->health_text);
    }
    for (size_t i = c->n_scopes; i-- > 1;) /* inner ones have higher numbers */
        worsen(&all[c->scopes[i]->outer->number], all[i].health, all[i].message);
    return all;
}

static struct exports *exports_of(void *self, const struct config_block *block)
{
    const struct host *h = host_by_id(self, block->id);

    return h == NULL || host_is_silent(h) ? NULL : h->exports;
}

static void write_values(struct evaluator *ev, const struct config_scope *scope, enum module_values which,
                         struct buf *out)
{
    struct evaluation *e = NULL;
    struct diags diags; /* said when the configuration was loaded */

    if (scope->kind != SCOPE_INSTANCE || scope->is_pending)
        return;
    diags_init(&diags);
    if (evaluate_module(ev, scope, which, &e, &diags) == OK)
        value_to_json(out, &e->shown, true);
    diags_release(&diags);
    evaluation_free(e);
}

static void each_module(struct evaluator *ev, const struct config_scope *scope, const struct verdict *verdict,
                        void (*each)(void *ctx, const struct module_row *row), void *ctx)
{
    struct buf arguments, exports, waits;
    struct module_row row = {.id = scope->path,
                             .parent = scope->outer->path,
                             .declared = scope->declared,
                             .label = scope->of->ast->label,
                             .kind = scope->kind,
                             .health = verdict->health,
                             .message = slice_str(verdict->message),
                             .is_pending = scope->is_pending};

    buf_init(&arguments, LIMIT_CONFIG_FILE_BYTES);
    buf_init(&exports, LIMIT_CONFIG_FILE_BYTES);
    buf_init(&waits, LIMIT_LOG_FIELD_BYTES);
    write_values(ev, scope, MODULE_ARGUMENTS, &arguments);
    write_values(ev, scope, MODULE_EXPORTS, &exports);
    if (scope->is_pending && weight(verdict->health) <= weight(HEALTH_UNKNOWN)) {
        buf_printf(&waits, "waits for %.*s", SLICE_ARG(scope->waits_for));
        row.health = HEALTH_UNKNOWN;
        row.message = buf_slice(&waits);
    }
    row.arguments = buf_slice(&arguments);
    row.exports = buf_slice(&exports);
    each(ctx, &row);
    buf_release(&arguments);
    buf_release(&exports);
    buf_release(&waits);
}

void runtime_each_module(struct runtime *rt, void (*each)(void *ctx, const struct module_row *row), void *ctx)
{
    struct evaluator ev = {
        .stability = rt->options.stability, .exports_of = exports_of, .self = rt, .is_borrowing = true};
    struct verdict *verdicts = NULL;

    pthread_mutex_lock(&rt->lock);
    ev.config = rt->config;
    if (rt->config != NULL && rt->config->n_scopes > 1)
        verdicts = judge(rt);
    for (size_t i = 1; verdicts != NULL && i < rt->config->n_scopes; i++)
        each_module(&ev, rt->config->scopes[i], &verdicts[i], each, ctx);
    pthread_mutex_unlock(&rt->lock);
    evaluator_release(&ev);
    mem_free(verdicts);
}

void runtime_each_config_file(struct runtime *rt, void (*each)(void *ctx, const struct config_file *file), void *ctx)
{
    pthread_mutex_lock(&rt->lock);
    for (size_t i = 0; rt->config != NULL && i < rt->config->n_files; i++)
        each(ctx, &rt->config->files[i]);
    pthread_mutex_unlock(&rt->lock);
}
