/* What components export, as values that are counted. */
#include "agent/base/mem.h"
#include "agent/runtime/evaluate.h"

static struct receiver stand_in_logs = {.kind = RECEIVES_LOGS, .owner = ""};
static struct receiver stand_in_metrics = {.kind = RECEIVES_METRICS, .owner = ""};
static struct receiver stand_in_otlp = {.kind = RECEIVES_OTLP, .owner = ""};
static char stand_in_other[512]; /* auth handlers, relabel rules: only passed around in a dry run */

static bool contains(const char *text, const char *word)
{
    return strstr(text, word) != NULL;
}

static struct value stand_in(const char *type)
{
    if (contains(type, "LogsReceiver"))
        return value_capsule(&capsule_logs_receiver, &stand_in_logs);
    if (contains(type, "MetricsReceiver"))
        return value_capsule(&capsule_metrics_receiver, &stand_in_metrics);
    if (contains(type, "Consumer"))
        return value_capsule(&capsule_otel_consumer, &stand_in_otlp);
    if (contains(type, "Handler"))
        return value_capsule(&capsule_otel_auth, stand_in_other);
    if (contains(type, "ules"))
        return value_capsule(&capsule_relabel_rules, stand_in_other);
    return value_null();
}

static struct value zero_value(const char *type)
{
    if (strncmp(type, "list", 4) == 0 || strncmp(type, "[]", 2) == 0)
        return value_array(NULL, 0);
    if (contains(type, "secret"))
        return value_optional_secret(slice_str(""), !contains(type, "optional"));
    if (strncmp(type, "string", 6) == 0)
        return value_string(slice_str(""));
    if (strncmp(type, "bool", 4) == 0)
        return value_bool(false);
    if (strncmp(type, "number", 6) == 0 || strncmp(type, "int", 3) == 0)
        return value_int(0);
    return value_null();
}

static struct exports *exports_new(void)
{
    struct exports *e = mem_zalloc(sizeof *e);

    e->refs = 1;
    arena_init(&e->arena, 0);
    return e;
}

struct exports *exports_zero(const struct component_type *type, bool stand_ins)
{
    struct exports *e = exports_new();
    struct value_field *fields;
    size_t n = 0;

    while (type->exports != NULL && type->exports[n].name != NULL)
        n++;
    fields = arena_zalloc(&e->arena, (n + 1) * sizeof *fields);
    for (size_t i = 0; i < n; i++) {
        const struct component_export *export = &type->exports[i];

        fields[i].name = slice_str(export->name);
        fields[i].value = stand_ins ? stand_in(export->type) : value_null();
        if (fields[i].value.type == VALUE_NULL)
            fields[i].value = zero_value(export->type);
    }
    BUG_ON(value_object(&e->arena, fields, n, &e->value) != OK);
    e->is_placeholder = stand_ins;
    return e;
}

struct exports *exports_with(const struct exports *old, struct slice name, const struct value *v)
{
    struct exports *e = exports_new();
    size_t n = old->value.as.object.n, at = 0;
    struct value_field *fields = arena_zalloc(&e->arena, (n + 1) * sizeof *fields);

    e->owner = old->owner;
    for (size_t i = 0; i < n; i++)
        fields[i] = old->value.as.object.fields[i];
    while (at < n && !slice_eq(fields[at].name, name))
        at++;
    fields[at] = (struct value_field){.name = name, .value = *v};
    for (size_t i = 0; i < n + (at == n); i++) {
        struct value copy;

        BUG_ON(value_copy(&e->arena, &fields[i].value, &copy) != OK);
        fields[i].value = copy;
        fields[i].name = arena_copy(&e->arena, fields[i].name);
    }
    BUG_ON(value_object(&e->arena, fields, n + (at == n), &e->value) != OK);
    return e;
}

struct exports *exports_zero_secret(const struct component_type *type)
{
    struct exports *e = exports_zero(type, true);

    for (size_t i = 0; type->exports != NULL && type->exports[i].name != NULL; i++) {
        struct slice name = slice_str(type->exports[i].name);
        const struct value secret = value_secret(slice_str("")), *now = value_get(&e->value, name);
        struct exports *with;

        if (now->type != VALUE_OPTIONAL_SECRET)
            continue;
        with = exports_with(e, name, &secret);
        with->is_placeholder = true;
        exports_unref(e);
        e = with;
    }
    return e;
}

struct exports *exports_ref(struct exports *e)
{
    e->refs++;
    return e;
}

void exports_unref(struct exports *e)
{
    if (e == NULL || --e->refs != 0)
        return;
    arena_release(&e->arena);
    mem_free(e);
}

void exports_used_add(struct exports_used *u, struct exports *e)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->items[i] == e)
            return;
    if (u->n == u->cap) {
        u->cap = u->cap == 0 ? 4 : 2 * u->cap;
        u->items = mem_realloc(u->items, u->cap * sizeof(struct exports *));
    }
    u->items[u->n++] = exports_ref(e);
}

void exports_used_release(struct exports_used *u)
{
    for (size_t i = 0; i < u->n; i++)
        exports_unref(u->items[i]);
    mem_free(u->items);
    *u = (struct exports_used){0};
}
