#include "agent/runtime/config_blocks.h"
#include "agent/runtime/import.h"
#include "agent/runtime/runtime_int.h"

struct livedebugging_args {
    bool enabled;
};

static const struct river_field livedebugging_fields[] = {
    {.name = "enabled",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct livedebugging_args, enabled),
     .def = "false",
     .doc = "whether the page and its API may show live items"},
    RIVER_FIELDS_END,
};

static const struct river_block livedebugging_block = {
    .name = "livedebugging",
    .fields = livedebugging_fields,
    .size = sizeof(struct livedebugging_args),
    .doc = "Whether the page may show the items that flow.",
};

static enum code livedebugging_update(void *self, const void *args, struct error *err)
{
    const struct livedebugging_args *a = args;
    struct host *host = self;

    (void)err;
    atomic_store(&host->rt->is_live_debugging_on, a->enabled);
    return OK;
}

static enum code livedebugging_create(void **out, struct host *host, const void *args, struct error *err)
{
    *out = host;
    return livedebugging_update(host, args, err);
}

static void livedebugging_close(void *self, loop_fn done, void *arg)
{
    struct host *host = self;

    atomic_store(&host->rt->is_live_debugging_on, false);
    done(arg);
}

bool runtime_is_live_debugging_on(struct runtime *rt)
{
    return atomic_load(&rt->is_live_debugging_on);
}

const struct component_type component_livedebugging = {
    .name = "livedebugging",
    .stability = STABILITY_GA,
    .doc = "Live items on the page.",
    .args = &livedebugging_block,
    .is_singleton = true,
    .create = livedebugging_create,
    .update = livedebugging_update,
    .close = livedebugging_close,
};

/* Sorted by name; imports and foreach are agent/runtime/import.h's. */
const struct component_type *const config_block_types[] = {
    &component_foreach,       &component_http,
    &component_import_file,   &component_import_git,
    &component_import_http,   &component_import_string,
    &component_livedebugging, &component_logging,
    &component_tracing,       NULL,
};
