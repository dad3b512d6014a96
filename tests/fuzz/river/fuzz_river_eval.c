/* Any bytes as an expression: a value within the limits or an error with a reason; what a value prints as River reads
 * back as an equal one. */
#include "agent/base/limits.h"
#include "agent/river/eval.h"
#include "agent/river/parser.h"
#include "agent/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 256 << 20, TEXT_BYTES = 16 << 20, PRINTED_BYTES = 64 << 10 };

static bool env(void *self, struct slice name, struct slice *out)
{
    (void)self;
    *out = name;
    return name.len % 2 != 0;
}

static const struct river_host host = {
    .env = env, .hostname = "box", .os = "linux", .arch = "amd64", .version = "v1.2.3"};

static bool lookup(void *self, const struct slice *parts, size_t n, size_t *n_used, struct value *out)
{
    static const struct capsule_type capsule = {.name = "fuzz"};
    static int object;

    (void)self;
    (void)n;
    *n_used = 1;
    if (slice_eq_str(parts[0], "s"))
        *out = value_secret(SLICE_LIT("hidden-text"));
    else if (slice_eq_str(parts[0], "o"))
        *out = value_optional_secret(SLICE_LIT("hidden-text"), true);
    else if (slice_eq_str(parts[0], "p"))
        *out = value_optional_secret(SLICE_LIT("plain"), false);
    else if (slice_eq_str(parts[0], "c"))
        *out = value_capsule(&capsule, &object);
    else
        return false;
    return true;
}

static const struct scope scope = {.lookup = lookup};

/* Can it be written as River at all, and is it small enough to do so? */
static bool is_plain(const struct value *v, size_t *budget)
{
    if (*budget == 0)
        return false;
    --*budget;
    switch (v->type) {
    case VALUE_NULL:
    case VALUE_BOOL:
        return true;
    case VALUE_NUMBER: /* floats print without an exponent and may come back as integers */
        return v->as.number.kind == NUMBER_INT && v->as.number.as.i >= 0;
    case VALUE_STRING:
        return v->as.text.bytes.len < PRINTED_BYTES && utf8_is_valid(v->as.text.bytes);
    case VALUE_ARRAY:
        for (size_t i = 0; i < v->as.array.n; i++) {
            if (!is_plain(&v->as.array.items[i], budget))
                return false;
        }
        return true;
    case VALUE_OBJECT: /* keys have no escapes */
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET:
    case VALUE_FUNCTION:
    case VALUE_CAPSULE:
        break;
    }
    return false;
}

static enum code run(struct river_context *ctx, struct slice text, struct value *out)
{
    const struct source *source;
    struct expr *expr;
    enum code rc = river_parse_expr(text, "fuzz", ctx->arena, ctx->diags, &source, &expr);

    return rc == OK ? river_eval(ctx, source, expr, out) : rc;
}

static void read_back(struct river_context *ctx, const struct value *v)
{
    struct buf text;
    struct value again;

    buf_init(&text, TEXT_BYTES);
    value_to_river(&text, v);
    if (!text.is_full) {
        enum code rc = run(ctx, buf_slice(&text), &again);

        BUG_ON(rc == INVALID && ctx->work < LIMIT_RIVER_WORK_BYTES / 2);
        BUG_ON(rc == OK && !value_equal(v, &again));
    }
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct river_context ctx = {.host = &host, .scope = &scope, .flags = RIVER_ALLOW_EXPERIMENTAL};
    size_t budget = 1000;
    struct arena arena;
    struct diags diags;
    struct value v;
    struct buf text;
    enum code rc;

    arena_init(&arena, ARENA_BYTES);
    diags_init(&diags);
    buf_init(&text, TEXT_BYTES);
    ctx.arena = &arena;
    ctx.diags = &diags;
    rc = run(&ctx, slice_make(data, size), &v);
    BUG_ON((rc == OK) == diags_has_errors(&diags));
    if (rc == OK) {
        value_to_typed_json(&text, &v);
        BUG_ON(slice_find_slice(buf_slice(&text), SLICE_LIT("hidden-text")) != text.len &&
               value_is_secret(&v)); /* a secret is never shown */
        if (is_plain(&v, &budget))
            read_back(&ctx, &v);
    } else {
        diags_print(&text, &diags, true);
    }
    buf_release(&text);
    diags_release(&diags);
    arena_release(&arena);
    return 0;
}
