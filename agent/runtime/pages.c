/* What runs, in the form of Alloy's API: health, arguments with secrets masked, exports, references. Any thread. */
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

/* "x.label/loki.write.y" stands in the module "x.label" as "loki.write.y". */
static size_t local_at(struct slice id)
{
    size_t at = id.len;

    while (at > 0 && id.ptr[at - 1] != '/')
        at--;
    return at;
}

static struct slice module_of(struct slice id)
{
    size_t at = local_at(id);

    return slice_head(id, at == 0 ? 0 : at - 1);
}

/* As the module knows it: what stands in it by its own name (what is deeper: by the instance that holds it), anything
 * else by its whole id. */
static struct slice seen_from(struct slice module, struct slice id)
{
    struct slice rest = id;

    if (module.len != 0) {
        if (!slice_starts(id, module) || id.len <= module.len || id.ptr[module.len] != '/')
            return id;
        rest = slice_from(id, module.len + 1);
    }
    return slice_head(rest, slice_find(rest, '/'));
}

/* A JSON array of names, each once. */
struct names {
    struct buf *json;
    struct slice module;
    struct slice done[64]; /* what was written, as far as there is room */
    size_t n;
};

static void names_add(struct names *names, struct slice id)
{
    struct slice name = seen_from(names->module, id);

    for (size_t i = 0; i < names->n && i < sizeof names->done / sizeof names->done[0]; i++)
        if (slice_eq(names->done[i], name))
            return;
    if (names->n > 0)
        buf_add_char(names->json, ',');
    if (names->n < sizeof names->done / sizeof names->done[0])
        names->done[names->n] = name;
    names->n++;
    json_write_string(names->json, name);
}

static void write_needs(struct runtime *rt, const struct host *h, struct buf *json)
{
    struct slice module = module_of(slice_str(h->id));
    struct names to = {.json = json, .module = module}, by = {.json = json, .module = module};

    buf_add_str(json, ",\"referencesTo\":[");
    for (size_t i = 0; i < h->block->n_needs; i++)
        names_add(&to, rt->config->blocks[h->block->needs[i]].id);
    buf_add_str(json, "],\"referencedBy\":[");
    for (size_t i = 0; i < rt->config->n; i++) {
        const struct config_block *other = &rt->config->blocks[i];

        for (size_t k = 0; k < other->n_needs; k++)
            if (&rt->config->blocks[other->needs[k]] == h->block)
                names_add(&by, other->id);
    }
    buf_add_char(json, ']');
}

static void write_edges(const struct host *h, struct buf *json)
{
    struct names names = {.json = json, .module = module_of(slice_str(h->id))};

    buf_add_str(json, ",\"dataFlowEdgesTo\":[");
    LIST_EACH (it, &h->fans) {
        const struct fan *fan = CONTAINER_OF(it, struct fan, link);

        for (size_t i = 0; i < fan->n; i++)
            names_add(&names, slice_str(fan->to[i]->owner));
    }
    buf_add_char(json, ']');
}

static void write_health(struct buf *json, enum health health, struct slice message, int64_t at_ns)
{
    char when[32];

    clock_format_rfc3339(at_ns, when);
    buf_printf(json, ",\"health\":{\"state\":\"%s\",", health_name(health));
    member(json, "message", message);
    buf_printf(json, ",\"updatedTime\":\"%s\"}", when);
}

static void write_names(struct buf *json, struct slice name, struct slice id, struct slice label)
{
    buf_add_char(json, '{');
    member(json, "name", name);
    buf_add_str(json, ",\"type\":\"block\",");
    member(json, "moduleID", module_of(id));
    buf_add_char(json, ',');
    member(json, "localID", slice_from(id, local_at(id)));
    buf_add_char(json, ',');
    member(json, "label", label);
}

static void write_head(struct runtime *rt, const struct host *h, struct buf *json)
{
    write_names(json, slice_str(h->type->name), slice_str(h->id), slice_str(h->label));
    write_needs(rt, h, json);
    write_edges(h, json);
    write_health(json, h->health, slice_str(h->health_text), h->health_at_ns);
    buf_printf(json, ",\"original\":\"\",\"liveDebuggingEnabled\":%s",
               h->type->is_sink || !list_is_empty(&h->fans) ? "true" : "false");
}

/* --- custom components, as components of the module they stand in --- */

struct modules {
    struct slice module, id; /* id: only this one; ptr NULL: all of the module */
    struct buf *json;
    int64_t since_ns;
    bool with_body, is_known;
    size_t n;
};

static void write_object_body(struct buf *json, const char *name, struct slice object)
{
    buf_printf(json, ",\"%s\":", name);
    if (object.len == 0)
        buf_add_str(json, "{}");
    else
        buf_add(json, object);
}

static void write_module(void *ctx, const struct module_row *row)
{
    struct modules *m = ctx;
    size_t at = local_at(row->id);
    struct slice local = slice_from(row->id, at);

    m->is_known = m->is_known || slice_eq(row->id, m->module);
    if (row->kind != SCOPE_INSTANCE || !slice_eq(row->parent, m->module) ||
        (m->id.ptr != NULL && !slice_eq(row->id, m->id)))
        return;
    if (m->n++ > 0)
        buf_add_char(m->json, ',');
    write_names(m->json, row->declared.len != 0 ? row->declared : local, row->id, row->label);
    buf_add_str(m->json, ",\"referencesTo\":[],\"referencedBy\":[],\"dataFlowEdgesTo\":[]");
    write_health(m->json, row->health, row->message, m->since_ns);
    buf_add_str(m->json, ",\"original\":\"\",\"liveDebuggingEnabled\":false,\"createdModuleIDs\":[");
    json_write_string(m->json, row->id);
    buf_add_char(m->json, ']');
    if (m->with_body) {
        write_object_body(m->json, "argumentValues", row->arguments);
        write_object_body(m->json, "exportValues", row->exports);
        buf_add_str(m->json, ",\"arguments\":[],\"exports\":[],\"debugInfo\":{}");
    }
    buf_add_char(m->json, '}');
}

bool runtime_write_components(struct runtime *rt, struct slice module, struct buf *json)
{
    struct modules modules = {.module = module, .json = json, .is_known = module.len == 0};

    buf_add_char(json, '[');
    pthread_mutex_lock(&rt->lock);
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        if (!is_shown(h) || !slice_eq(module_of(slice_str(h->id)), module))
            continue;
        if (modules.n++ > 0)
            buf_add_char(json, ',');
        write_head(rt, h, json);
        buf_add_char(json, '}');
    }
    modules.since_ns = rt->load_ok_at_ns;
    pthread_mutex_unlock(&rt->lock);
    runtime_each_module(rt, write_module, &modules);
    buf_add_char(json, ']');
    return modules.is_known;
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
    int64_t since_ns;
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
    since_ns = rt->load_ok_at_ns;
    pthread_mutex_unlock(&rt->lock);
    if (!is_found) {
        struct modules one = {.module = module_of(id), .id = id, .json = json, .since_ns = since_ns, .with_body = true};

        runtime_each_module(rt, write_module, &one);
        is_found = one.n != 0;
    }
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
