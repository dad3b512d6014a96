/* otelcol.auth.bearer: a token in a header, for exporters (sent) and receivers (checked). RFC 6750. */
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/otel_auth.h"
#include "agent/runtime/otel_output.h"
#include <stddef.h>

struct args {
    struct slice scheme, header;
    struct river_secret token;
    struct otel_debug_metrics_args debug_metrics;
};

struct component {
    struct otel_auth auth;
    char *name;  /* of the header, in lower case; owned */
    char *value; /* "Bearer TOKEN"; owned */
};

static enum code add_headers(void *self, struct otel_headers *out, struct error *err)
{
    struct component *c = self;

    if (out->n == OTEL_AUTH_HEADERS_MAX)
        return error_set(err, FULL, "more than %d headers", OTEL_AUTH_HEADERS_MAX);
    out->items[out->n++] = (struct otel_header){slice_str(c->name), slice_str(c->value)};
    return OK;
}

static enum code verify(void *self, const struct otel_request *request, struct error *err)
{
    struct component *c = self;
    struct slice given = request->header(request->self, c->name), wanted = slice_str(c->value);

    if (slice_eq_secret(wanted, given))
        return OK;
    return error_set(err, INVALID, "%s", given.len == 0 ? "no token" : "wrong token");
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    mem_free(c->name);
    mem_free_secret(c->value, strlen(c->value));
    mem_free(c);
    done(arg);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct args *a = args;
    struct component *c = mem_zalloc(sizeof *c);

    (void)err;
    c->name = mem_strndup(a->header);
    otel_header_lower(c->name);
    c->value = mem_printf("%.*s%s%.*s", (int)a->scheme.len, a->scheme.len != 0 ? a->scheme.ptr : "",
                          a->scheme.len != 0 ? " " : "", (int)a->token.text.len,
                          a->token.text.len != 0 ? a->token.text.ptr : "");
    c->auth = (struct otel_auth){.id = host_id(host), .self = c, .add_headers = add_headers, .verify = verify};
    host_export(host, "handler", value_capsule(&capsule_otel_auth, &c->auth));
    *out = c;
    return OK;
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct args *a = args;

    if (a->scheme.len + a->token.text.len > 64u * 1024)
        return river_problem(problems, "token", "is longer than 64 KiB");
    return OK;
}

static const struct river_field fields[] = {
    {.name = "scheme",
     .kind = RIVER_STRING,
     .offset = offsetof(struct args, scheme),
     .def = "\"Bearer\"",
     .doc = "What stands in front of the token."},
    {.name = "header",
     .kind = RIVER_STRING,
     .flags = RIVER_NOT_EMPTY,
     .offset = offsetof(struct args, header),
     .def = "\"Authorization\"",
     .doc = "The header that carries the token."},
    {.name = "token",
     .kind = RIVER_SECRET,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, token),
     .doc = "The token."},
    OTEL_DEBUG_METRICS_FIELD(offsetof(struct args, debug_metrics)),
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "otelcol.auth.bearer",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .validate = validate,
                                              .doc = "A bearer token for exporters and receivers."};

static const struct component_export exports[] = {
    {"handler", "capsule(otelcol.Handler)", "For the auth argument of otelcol components."},
    {0},
};

const struct component_type component_otelcol_auth_bearer = {
    .name = "otelcol.auth.bearer",
    .stability = STABILITY_GA,
    .doc = "A bearer token for otelcol exporters and receivers.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
};
