/* otelcol.auth.basic: user name and password, for exporters (sent) and receivers (checked). RFC 7617. */
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/otel_auth.h"
#include "agent/runtime/otel_output.h"
#include "agent/text/base64.h"
#include <stddef.h>

struct args {
    struct slice username;
    struct river_secret password;
    struct otel_debug_metrics_args debug_metrics;
};

struct component {
    struct otel_auth auth;
    char *header; /* "Basic dXNlcjpwYXNz"; owned */
    size_t header_len;
};

static enum code add_headers(void *self, struct otel_headers *out, struct error *err)
{
    struct component *c = self;

    if (out->n == OTEL_AUTH_HEADERS_MAX)
        return error_set(err, FULL, "more than %d headers", OTEL_AUTH_HEADERS_MAX);
    out->items[out->n++] = (struct otel_header){SLICE_LIT("authorization"), slice_make(c->header, c->header_len)};
    return OK;
}

static enum code verify(void *self, const struct otel_request *request, struct error *err)
{
    struct component *c = self;
    struct slice given = request->header(request->self, "authorization"), scheme = SLICE_LIT("Basic ");
    struct slice wanted = slice_from(slice_make(c->header, c->header_len), scheme.len);

    /* the scheme in any case (RFC 9110, 11.1) */
    if (slice_eq_nocase(slice_head(given, scheme.len), scheme) &&
        slice_eq_secret(wanted, slice_from(given, scheme.len)))
        return OK;
    return error_set(err, INVALID, "%s", given.len == 0 ? "no Authorization header" : "wrong user name or password");
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    mem_free_secret(c->header, c->header_len);
    mem_free(c);
    done(arg);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct args *a = args;
    struct component *c;
    struct buf pair, header;
    enum code rc;

    *out = NULL;
    buf_init(&pair, 64 * 1024);
    buf_init(&header, 128 * 1024);
    (void)buf_add(&pair, a->username);
    (void)buf_add_char(&pair, ':');
    (void)buf_add(&pair, a->password.text);
    (void)buf_add_str(&header, "Basic ");
    rc = pair.is_full ? FULL : base64_encode(&header, buf_slice(&pair));
    mem_free_secret(pair.ptr, pair.len);
    if (rc != OK) {
        buf_release(&header);
        return error_set(err, INVALID, "user name and password are longer than 64 KiB");
    }
    c = mem_zalloc(sizeof *c);
    c->header = buf_take(&header, &c->header_len);
    c->auth = (struct otel_auth){.id = host_id(host), .self = c, .add_headers = add_headers, .verify = verify};
    host_export(host, "handler", value_capsule(&capsule_otel_auth, &c->auth));
    *out = c;
    return OK;
}

static const struct river_field fields[] = {
    {.name = "username",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, username),
     .doc = "The user name."},
    {.name = "password",
     .kind = RIVER_SECRET,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, password),
     .doc = "The password."},
    OTEL_DEBUG_METRICS_FIELD(offsetof(struct args, debug_metrics)),
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "otelcol.auth.basic",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .doc = "User name and password for exporters and receivers."};

static const struct component_export exports[] = {
    {"handler", "capsule(otelcol.Handler)", "For the auth argument of otelcol components."},
    {0},
};

const struct component_type component_otelcol_auth_basic = {
    .name = "otelcol.auth.basic",
    .stability = STABILITY_GA,
    .doc = "User name and password for otelcol exporters and receivers.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
};
