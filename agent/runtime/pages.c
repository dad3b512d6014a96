/* What runs, for the admin pages: health, arguments with secrets masked, exports, references. Any thread. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/runtime_int.h"
#include "agent/text/json.h"

static bool is_shown(const struct host *h)
{
    return !h->type->is_singleton && h->block != NULL;
}

void runtime_write_unhealthy(struct runtime *rt, struct buf *out)
{
    bool is_first = true;

    pthread_mutex_lock(&rt->lock);
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        if (h->health != HEALTH_UNHEALTHY && h->health != HEALTH_EXITED)
            continue;
        buf_printf(out, "%s%s", is_first ? "" : ", ", h->id);
        is_first = false;
    }
    pthread_mutex_unlock(&rt->lock);
}

static void member(struct buf *json, const char *name, struct slice text)
{
    buf_printf(json, "\"%s\":", name);
    json_write_string(json, text);
}

static void write_needs(struct runtime *rt, const struct host *h, struct buf *json)
{
    buf_add_str(json, ",\"referencesTo\":[");
    for (size_t i = 0; i < h->block->n_needs; i++) {
        if (i > 0)
            buf_add_char(json, ',');
        json_write_string(json, rt->config->blocks[h->block->needs[i]].id);
    }
    buf_add_str(json, "],\"referencedBy\":[");
    for (size_t i = 0, n = 0; i < rt->config->n; i++) {
        const struct config_block *other = &rt->config->blocks[i];

        for (size_t k = 0; k < other->n_needs; k++) {
            if (&rt->config->blocks[other->needs[k]] != h->block)
                continue;
            if (n++ > 0)
                buf_add_char(json, ',');
            json_write_string(json, other->id);
        }
    }
    buf_add_char(json, ']');
}

static void write_edges(const struct host *h, struct buf *json)
{
    size_t n = 0;

    buf_add_str(json, ",\"dataFlowEdgesTo\":[");
    LIST_EACH (it, &h->fans) {
        const struct fan *fan = CONTAINER_OF(it, struct fan, link);

        for (size_t i = 0; i < fan->n; i++) {
            if (n++ > 0)
                buf_add_char(json, ',');
            json_write_string(json, slice_str(fan->to[i]->owner));
        }
    }
    buf_add_char(json, ']');
}

static void write_head(struct runtime *rt, const struct host *h, struct buf *json)
{
    char when[32];

    clock_format_rfc3339(h->health_at_ns, when);
    buf_add_char(json, '{');
    member(json, "name", slice_str(h->type->name));
    buf_add_str(json, ",\"type\":\"block\",\"moduleID\":\"\",");
    member(json, "localID", slice_str(h->id));
    buf_add_char(json, ',');
    member(json, "label", slice_str(h->label));
    write_needs(rt, h, json);
    write_edges(h, json);
    buf_printf(json, ",\"health\":{\"state\":\"%s\",", health_name(h->health));
    member(json, "message", slice_str(h->health_text));
    buf_printf(json, ",\"updatedTime\":\"%s\"},\"original\":\"\",\"liveDebuggingEnabled\":false", when);
}

void runtime_write_components(struct runtime *rt, struct buf *json)
{
    bool is_first = true;

    buf_add_char(json, '[');
    pthread_mutex_lock(&rt->lock);
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        if (!is_shown(h))
            continue;
        if (!is_first)
            buf_add_char(json, ',');
        is_first = false;
        write_head(rt, h, json);
        buf_add_char(json, '}');
    }
    pthread_mutex_unlock(&rt->lock);
    buf_add_char(json, ']');
}

static void write_exports(const struct host *h, struct buf *json)
{
    const struct value *v = &h->exports->value;

    buf_add_char(json, '[');
    for (size_t i = 0; i < v->as.object.n; i++) {
        buf_add_str(json, i == 0 ? "{" : ",{");
        member(json, "name", v->as.object.fields[i].name);
        buf_add_str(json, ",\"type\":\"attr\",\"value\":");
        value_to_typed_json(json, &v->as.object.fields[i].value);
        buf_add_char(json, '}');
    }
    buf_add_char(json, ']');
}

bool runtime_write_component(struct runtime *rt, struct slice id, struct buf *json)
{
    struct host *h;
    bool is_found;

    pthread_mutex_lock(&rt->lock);
    h = host_by_id(rt, id);
    is_found = h != NULL && is_shown(h);
    if (is_found) {
        write_head(rt, h, json);
        buf_add_str(json, ",\"arguments\":");
        if (h->eval != NULL)
            river_body_value_json(json, &h->eval->shown);
        else
            buf_add_str(json, "[]");
        buf_add_str(json, ",\"exports\":");
        write_exports(h, json);
        buf_add_str(json, ",\"debugInfo\":{");
        if (h->self != NULL && h->is_started && !h->is_closing && h->type->write_debug != NULL)
            h->type->write_debug(h->self, json);
        buf_add_str(json, "}}");
    }
    pthread_mutex_unlock(&rt->lock);
    return is_found;
}

void runtime_each_component(struct runtime *rt, void (*each)(void *ctx, const struct component_row *row), void *ctx)
{
    pthread_mutex_lock(&rt->lock);
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);
        struct component_row row = {.id = h->id, .name = h->type->name, .message = h->health_text, .health = h->health};
        struct buf arguments, exports;

        if (!is_shown(h))
            continue;
        buf_init(&arguments, LIMIT_CONFIG_FILE_BYTES);
        buf_init(&exports, LIMIT_CONFIG_FILE_BYTES);
        if (h->eval != NULL)
            river_body_value_json(&arguments, &h->eval->shown);
        value_to_json(&exports, &h->exports->value, true);
        row.arguments = buf_slice(&arguments);
        row.exports = buf_slice(&exports);
        each(ctx, &row);
        buf_release(&arguments);
        buf_release(&exports);
    }
    pthread_mutex_unlock(&rt->lock);
}

void runtime_ledger_totals(struct runtime *rt, int64_t *difference, int64_t *held)
{
    *difference = *held = 0;
    pthread_mutex_lock(&rt->lock);
    LIST_EACH (it, &rt->hosts) {
        struct host *h = CONTAINER_OF(it, struct host, link);
        int64_t one = ledger_difference(&h->account->ledger);

        *difference += one < 0 ? -one : one;
        *held += atomic_load_explicit(&h->account->ledger.held, memory_order_relaxed);
    }
    pthread_mutex_unlock(&rt->lock);
}

const struct ledger *runtime_ledger_of(struct runtime *rt, const char *id)
{
    struct host *h;

    pthread_mutex_lock(&rt->lock);
    h = host_by_id(rt, slice_str(id));
    pthread_mutex_unlock(&rt->lock);
    return h == NULL ? NULL : &h->account->ledger;
}
