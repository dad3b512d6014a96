/* Modules whose content is known only while components run, or changes: the kept texts are expanded again. */
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/change.h"
#include <stdio.h>

static struct exports *known_exports(void *self, struct slice id)
{
    struct host *h = host_by_id(self, id);

    return h == NULL || h->self == NULL || host_is_silent(h) ? NULL : h->exports;
}

enum code change_load_running(struct runtime *rt, const struct config_texts *texts, struct config **out,
                              struct config_shape *shape, struct diags *diags)
{
    struct config_options options = {.types = rt->options.types,
                                     .stability = rt->options.stability,
                                     .exports_of = known_exports,
                                     .self = rt,
                                     .shape = shape};

    return change_load(rt, out, &options, texts->items, texts->n, diags);
}

/* The import or foreach that runs under that id, or the one it stands in. */
static struct host *blamed_host(struct runtime *rt, const char *id)
{
    struct slice path = slice_str(id);
    struct host *h = host_by_id(rt, path);

    while (h == NULL && path.len > 0) {
        do
            path.len--;
        while (path.len > 0 && path.ptr[path.len] != '/');
        h = host_by_id(rt, path);
    }
    return h;
}

static void print_errors(struct buf *out, const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++) {
        if (diags->items[i].severity != SEVERITY_ERROR)
            continue;
        buf_add_str(out, out->len > 0 ? "; " : "");
        diag_print_line(out, &diags->items[i]);
    }
}

static const struct diag *first_error(const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++)
        if (diags->items[i].severity == SEVERITY_ERROR)
            return &diags->items[i];
    return NULL;
}

static void failed(struct runtime *rt, const struct config_shape *shape, const struct diags *diags)
{
    const struct diag *error = first_error(diags);
    const char *blamed = shape->blamed[0] != '\0' ? shape->blamed : NULL;
    unsigned long long number = (unsigned long long)atomic_fetch_add(&rt->n_load_failures, 1) + 1;
    struct host *h;
    struct buf all, first;
    char message[96];

    if (blamed == NULL && error != NULL) /* an error that showed after the expansion */
        blamed = map_get(&shape->sources, slice_str(error->file));
    h = blamed == NULL ? NULL : blamed_host(rt, blamed);
    buf_init(&all, LIMIT_LOG_FIELD_BYTES);
    buf_init(&first, LIMIT_LOG_FIELD_BYTES);
    print_errors(&all, diags);
    if (error != NULL)
        diag_print_line(&first, error);
    /* Each is a cause of its own, never left out of the log. */
    snprintf(message, sizeof message, "a module cannot be loaded, what runs goes on (failure %llu)", number);
    log_error(blamed, message, log_slice("error", buf_slice(&all)));
    if (h != NULL) {
        host_set_health(h, HEALTH_UNHEALTHY, "what it brings cannot be loaded, the old goes on: %.*s",
                        SLICE_ARG(buf_slice(&first)));
        h->has_bad_module = true;
    }
    buf_release(&first);
    buf_release(&all);
}

void change_modules_are_good(struct runtime *rt)
{
    LIST_EACH (it, &rt->hosts) {
        struct host *h = CONTAINER_OF(it, struct host, link);

        if (h->has_bad_module)
            host_set_health(h, HEALTH_HEALTHY, "what it brings is good again");
        h->has_bad_module = false;
    }
}

bool change_expand(struct change *c)
{
    struct runtime *rt = c->rt;
    struct config *config = NULL;
    struct config_shape shape;
    struct diags diags;
    bool is_wanted = atomic_exchange(&rt->is_expansion_wanted, false);
    enum code rc;

    if (rt->config == NULL || (!is_wanted && !config_shape_is_stale(&rt->shape, known_exports, rt)))
        return false;
    if (++c->n_rounds > LIMIT_MODULE_ROUNDS) { /* modules that bring modules: the rest comes with the next change */
        runtime_want_evaluation(rt);
        return false;
    }
    diags_init(&diags);
    config_shape_init(&shape);
    rc = change_load_running(rt, &rt->texts, &config, &shape, &diags);
    if (rc == OK) {
        c->is_full = true;
        change_move_to(c, config);
        change_modules_are_good(rt);
    } else {
        failed(rt, &shape, &diags);
        if (c->request != NULL) /* whoever asked for the load is told */
            diags_append(&c->diags, &diags);
    }
    config_shape_release(&rt->shape);
    rt->shape = shape; /* a failure is not tried again with the same */
    diags_release(&diags);
    return rc == OK;
}
