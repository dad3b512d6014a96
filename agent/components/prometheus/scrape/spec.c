/* From a discovered target's labels to what is asked and under which labels it is kept (Prometheus: scrape_config). */
#include "agent/base/mem.h"
#include "agent/components/prometheus/scrape/scrape.h"
#include <stdio.h>

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '~';
}

static void add_query(struct buf *url, struct slice name, struct slice value, bool *is_first)
{
    const struct slice parts[] = {name, value};

    (void)buf_add_char(url, *is_first ? '?' : '&');
    *is_first = false;
    for (int p = 0; p < 2; p++) {
        if (p == 1)
            (void)buf_add_char(url, '=');
        for (size_t i = 0; i < parts[p].len; i++) {
            unsigned char c = (unsigned char)parts[p].ptr[i];

            if (is_unreserved(c))
                (void)buf_add_char(url, (char)c);
            else
                (void)buf_printf(url, "%%%02X", c);
        }
    }
}

static struct slice find(const struct river_map *labels, const char *name)
{
    for (size_t i = 0; i < labels->n; i++)
        if (slice_eq_str(labels->items[i].name, name))
            return labels->items[i].value;
    return (struct slice){0};
}

/* Arguments' params, of which the target's __param_NAME replaces the first value. */
static void add_params(struct buf *url, const struct river_map *labels, const struct scrape_args *args)
{
    bool is_first = true;
    char name[256];

    for (size_t i = 0; i < args->params.n; i++) {
        const struct river_list_pair *p = &args->params.items[i];
        struct slice own;

        (void)snprintf(name, sizeof name, "__param_%.*s", SLICE_ARG(p->name));
        own = find(labels, name);
        for (size_t j = 0; j < p->values.n; j++)
            add_query(url, p->name, j == 0 && own.len != 0 ? own : p->values.items[j], &is_first);
    }
    for (size_t i = 0; i < labels->n; i++) {
        struct slice key = labels->items[i].name;
        bool is_known = false;

        if (!slice_starts(key, SLICE_LIT("__param_")))
            continue;
        key = slice_from(key, strlen("__param_"));
        for (size_t j = 0; j < args->params.n; j++)
            is_known = is_known || (slice_eq(args->params.items[j].name, key) && args->params.items[j].values.n != 0);
        if (!is_known && labels->items[i].value.len != 0)
            add_query(url, key, labels->items[i].value, &is_first);
    }
}

/* The address with the scheme's port where it has none; an IPv6 address keeps its brackets. */
static void add_address(struct buf *url, struct slice address, bool is_https)
{
    size_t colon = slice_find(address, ':');
    bool is_v6 = address.len != 0 && address.ptr[0] == '[';
    bool has_port = is_v6 ? slice_find_slice(address, SLICE_LIT("]:")) != address.len : colon != address.len;

    (void)buf_add(url, address);
    if (!has_port)
        (void)buf_add_str(url, is_https ? ":443" : ":80");
}

static enum code interval_of(struct slice text, int64_t fallback_ns, const char *what, int64_t *ms, struct error *err)
{
    int64_t ns = fallback_ns;

    if (text.len != 0) {
        enum code rc = river_duration_parse(text, &ns, err);

        if (rc != OK) {
            error_prefix(err, "label %s", what);
            return rc;
        }
    }
    *ms = ns / NS_PER_MS;
    if (*ms <= 0)
        return error_set(err, INVALID, "%s must be at least 1ms", what);
    return OK;
}

static enum code set_labels(struct target_spec *out, const struct river_map *labels, struct slice address,
                            const char *job, struct arena *arena, struct error *err)
{
    struct labels_builder b;
    enum code rc = OK;

    labels_builder_init(&b, arena, NULL);
    for (size_t i = 0; i < labels->n && rc == OK; i++)
        if (labels->items[i].value.len != 0 && !slice_starts(labels->items[i].name, SLICE_LIT("__")))
            rc = labels_builder_set(&b, labels->items[i].name, labels->items[i].value);
    if (rc == OK && labels_builder_get(&b, SLICE_LIT("job")).len == 0)
        rc = labels_builder_set(&b, SLICE_LIT("job"), slice_str(job));
    if (rc == OK && labels_builder_get(&b, SLICE_LIT("instance")).len == 0)
        rc = labels_builder_set(&b, SLICE_LIT("instance"), address);
    if (rc == OK)
        out->labels = labels_build(&b);
    return out->labels != NULL ? OK : error_set(err, NOMEM, "out of memory for a target");
}

static void set_url(struct target_spec *out, const struct river_map *labels, struct slice address,
                    const struct scrape_args *args)
{
    struct slice scheme = find(labels, "__scheme__"), path = find(labels, "__metrics_path__");
    struct buf url;

    if (scheme.len == 0)
        scheme = args->scheme.len != 0 ? args->scheme : SLICE_LIT("http");
    if (path.len == 0)
        path = args->metrics_path;
    buf_init(&url, 64 * 1024);
    (void)buf_add(&url, scheme);
    (void)buf_add_str(&url, "://");
    add_address(&url, address, slice_eq_str(scheme, "https"));
    if (path.len == 0 || path.ptr[0] != '/')
        (void)buf_add_char(&url, '/');
    (void)buf_add(&url, path);
    add_params(&url, labels, args);
    out->url = buf_take(&url, NULL);
}

enum code target_spec_of(struct target_spec *out, const struct river_map *labels, const struct scrape_args *args,
                         const char *job, const char *memory_addr, struct arena *arena, struct error *err)
{
    struct slice address = find(labels, "__address__");
    enum code rc;

    *out = (struct target_spec){0};
    if (address.len == 0)
        return error_set(err, INVALID, "the target has no __address__");
    if (slice_find(address, '/') != address.len)
        return error_set(err, INVALID, "__address__ \"%.*s\" holds a path: give it as __metrics_path__",
                         SLICE_ARG(address));
    rc = interval_of(find(labels, "__scrape_interval__"), args->interval_ns, "__scrape_interval__", &out->interval_ms,
                     err);
    if (rc == OK)
        rc = interval_of(find(labels, "__scrape_timeout__"), args->timeout_ns, "__scrape_timeout__", &out->timeout_ms,
                         err);
    if (rc != OK)
        return rc;
    if (out->timeout_ms > out->interval_ms)
        out->timeout_ms = out->interval_ms;
    rc = set_labels(out, labels, address, job, arena, err);
    if (rc != OK)
        return rc;
    set_url(out, labels, address, args);
    if (slice_eq_str(address, memory_addr))
        out->internal_path = mem_strndup(find(labels, "__metrics_path__"));
    {
        char *all = mem_printf("%016llx %lld %lld %s", (unsigned long long)out->labels->hash,
                               (long long)out->interval_ms, (long long)out->timeout_ms, out->url);

        out->key = hash64_stable(slice_str(all));
        mem_free(all);
    }
    return OK;
}

void target_spec_release(struct target_spec *s)
{
    labels_unref(s->labels);
    mem_free(s->url);
    mem_free(s->internal_path);
    *s = (struct target_spec){0};
}
