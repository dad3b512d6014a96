/* otelcol.auth.headers: fixed headers on what exporters send (a tenant, an API key). */
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/otel_auth.h"
#include "agent/runtime/otel_output.h"
#include <stddef.h>

enum action { HEADER_INSERT, HEADER_UPDATE, HEADER_UPSERT, HEADER_DELETE };

struct header_args {
    struct slice key, from_context, from_attribute;
    struct river_secret value;
    bool has_value;
    int action;
};

struct args {
    struct river_blocks headers;
    struct otel_debug_metrics_args debug_metrics;
};

struct header {
    char *name, *value; /* owned; name in lower case */
    enum action action;
};

struct component {
    struct otel_auth auth;
    struct header *headers; /* owned */
    size_t n;
};

static struct otel_header *find(struct otel_headers *out, const char *name)
{
    for (size_t i = 0; i < out->n; i++)
        if (slice_eq_nocase(out->items[i].name, slice_str(name)))
            return &out->items[i];
    return NULL;
}

static enum code apply(struct otel_headers *out, const struct header *h, struct error *err)
{
    struct otel_header *there = find(out, h->name);

    switch (h->action) {
    case HEADER_DELETE:
        if (there != NULL)
            *there = out->items[--out->n];
        return OK;
    case HEADER_UPDATE:
        if (there != NULL)
            there->value = slice_str(h->value);
        return OK;
    case HEADER_INSERT:
        if (there != NULL)
            return OK;
        break;
    case HEADER_UPSERT:
        if (there != NULL) {
            there->value = slice_str(h->value);
            return OK;
        }
        break;
    }
    if (out->n == OTEL_AUTH_HEADERS_MAX)
        return error_set(err, FULL, "more than %d headers", OTEL_AUTH_HEADERS_MAX);
    out->items[out->n++] = (struct otel_header){slice_str(h->name), slice_str(h->value)};
    return OK;
}

static enum code add_headers(void *self, struct otel_headers *out, struct error *err)
{
    struct component *c = self;
    enum code rc = OK;

    for (size_t i = 0; i < c->n && rc == OK; i++)
        rc = apply(out, &c->headers[i], err);
    return rc;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    for (size_t i = 0; i < c->n; i++) {
        mem_free(c->headers[i].name);
        mem_free_secret(c->headers[i].value, strlen(c->headers[i].value));
    }
    mem_free(c->headers);
    mem_free(c);
    done(arg);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct args *a = args;
    const struct header_args *list = a->headers.items;
    struct component *c = mem_zalloc(sizeof *c);

    (void)err;
    c->headers = mem_array(a->headers.n, sizeof *c->headers);
    for (size_t i = 0; i < a->headers.n; i++) {
        struct header *h = &c->headers[c->n++];

        h->name = mem_strndup(list[i].key);
        otel_header_lower(h->name);
        h->value = mem_strndup(list[i].value.text);
        h->action = (enum action)list[i].action;
    }
    c->auth = (struct otel_auth){.id = host_id(host), .self = c, .add_headers = add_headers};
    host_export(host, "handler", value_capsule(&capsule_otel_auth, &c->auth));
    *out = c;
    return OK;
}

static enum code validate_header(const void *args, struct river_problems *problems)
{
    const struct header_args *h = args;

    for (size_t i = 0; i < h->key.len; i++)
        if ((unsigned char)h->key.ptr[i] <= ' ' || (unsigned char)h->key.ptr[i] >= 0x7f || h->key.ptr[i] == ':')
            return river_problem(problems, "key", "is not a header name");
    for (size_t i = 0; i < h->value.text.len; i++)
        if (h->value.text.ptr[i] == '\r' || h->value.text.ptr[i] == '\n' || h->value.text.ptr[i] == '\0')
            return river_problem(problems, "value", "holds a line break or a NUL, which no header may");
    if (!h->has_value && h->action != HEADER_DELETE)
        return river_problem(problems, NULL, "needs a value");
    return OK;
}

static const struct river_enum actions[] = {
    {"insert", HEADER_INSERT}, {"update", HEADER_UPDATE}, {"upsert", HEADER_UPSERT}, {"delete", HEADER_DELETE}, {0}};

#define H(member) offsetof(struct header_args, member)
static const struct river_field header_fields[] = {
    {.name = "key",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = H(key),
     .doc = "The header's name."},
    {.name = "value",
     .kind = RIVER_SECRET,
     .offset = H(value),
     .present = RIVER_PRESENT_AT(struct header_args, has_value),
     .doc = "The header's value."},
    {.name = "from_context",
     .kind = RIVER_STRING,
     .flags = RIVER_REFUSED,
     .offset = H(from_context),
     .doc = "A header taken from the incoming request is not built: requests of many clients are sent as one. Use one "
            "exporter per tenant with a fixed value."},
    {.name = "from_attribute",
     .kind = RIVER_STRING,
     .flags = RIVER_REFUSED,
     .offset = H(from_attribute),
     .doc = "A header taken from authentication data is not built; use a fixed value."},
    {.name = "action",
     .kind = RIVER_ENUM,
     .offset = H(action),
     .choices = actions,
     .def = "\"upsert\"",
     .doc = "What to do when the header is, or is not, there already."},
    RIVER_FIELDS_END,
};
static const struct river_block header_block = {.name = "header",
                                                .fields = header_fields,
                                                .size = sizeof(struct header_args),
                                                .validate = validate_header,
                                                .doc = "One header."};

static const struct river_field fields[] = {
    {.name = "header",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = offsetof(struct args, headers),
     .block = &header_block,
     .doc = "One header."},
    OTEL_DEBUG_METRICS_FIELD(offsetof(struct args, debug_metrics)),
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "otelcol.auth.headers",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .doc = "Fixed headers for exporters."};

static const struct component_export exports[] = {
    {"handler", "capsule(otelcol.Handler)", "For the auth argument of otelcol exporters."},
    {0},
};

const struct component_type component_otelcol_auth_headers = {
    .name = "otelcol.auth.headers",
    .stability = STABILITY_GA,
    .doc = "Fixed headers on what otelcol exporters send.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
};
