#include "agent/runtime/config_blocks.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"

struct logging_args {
    int level, format;
    struct river_capsules write_to;
};

struct livedebugging_args {
    bool enabled;
};

static const struct river_enum levels[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARN}, {"error", LOG_ERROR}, {NULL, 0},
};

static const struct river_enum formats[] = {{"logfmt", LOG_LOGFMT}, {"json", LOG_JSON}, {NULL, 0}};

static const struct river_field logging_fields[] = {
    {.name = "level",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct logging_args, level),
     .choices = levels,
     .def = "\"info\"",
     .doc = "the least important lines that are written: debug, info, warn or error"},
    {.name = "format",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct logging_args, format),
     .choices = formats,
     .def = "\"logfmt\"",
     .doc = "logfmt or json"},
    {.name = "write_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REFUSED,
     .offset = offsetof(struct logging_args, write_to),
     .capsule = &capsule_logs_receiver,
     .doc = "receivers the agent's own log also goes to; hyagent does not have this yet"},
    RIVER_FIELDS_END,
};

static const struct river_field livedebugging_fields[] = {
    {.name = "enabled",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = offsetof(struct livedebugging_args, enabled),
     .doc = "accepted for Alloy's sake: use hyagent run --tap"},
    RIVER_FIELDS_END,
};

static const struct river_block logging_block = {
    .name = "logging",
    .fields = logging_fields,
    .size = sizeof(struct logging_args),
    .doc = "How much the agent writes to its own log, and in which form.",
};

static const struct river_block livedebugging_block = {
    .name = "livedebugging",
    .fields = livedebugging_fields,
    .size = sizeof(struct livedebugging_args),
    .doc = "Accepted, without effect.",
};

static enum code logging_update(void *self, const void *args, struct error *err)
{
    const struct logging_args *a = args;

    (void)self;
    (void)err;
    log_set((enum log_level)a->level, (enum log_format)a->format);
    return OK;
}

static enum code logging_create(void **out, struct host *host, const void *args, struct error *err)
{
    *out = host;
    return logging_update(host, args, err);
}

static void logging_close(void *self, loop_fn done, void *arg)
{
    (void)self;
    log_set(LOG_INFO, LOG_LOGFMT);
    done(arg);
}

static enum code livedebugging_create(void **out, struct host *host, const void *args, struct error *err)
{
    (void)args;
    (void)err;
    *out = host;
    return OK;
}

static enum code livedebugging_update(void *self, const void *args, struct error *err)
{
    (void)self;
    (void)args;
    (void)err;
    return OK;
}

static void livedebugging_close(void *self, loop_fn done, void *arg)
{
    (void)self;
    done(arg);
}

const struct component_type component_logging = {
    .name = "logging",
    .stability = STABILITY_GA,
    .doc = "The agent's own log: level and format.",
    .args = &logging_block,
    .is_singleton = true,
    .create = logging_create,
    .update = logging_update,
    .close = logging_close,
};

const struct component_type component_livedebugging = {
    .name = "livedebugging",
    .stability = STABILITY_GA,
    .doc = "Accepted, without effect.",
    .args = &livedebugging_block,
    .is_singleton = true,
    .create = livedebugging_create,
    .update = livedebugging_update,
    .close = livedebugging_close,
};

const struct component_type *const config_block_types[] = {&component_livedebugging, &component_logging, NULL};
