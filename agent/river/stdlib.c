/* The standard library's table, its general functions, and how functions read their arguments. */
#include "agent/river/stdlib_int.h"
#include "agent/base/limits.h"
#include <string.h>

/* --- arguments --- */

enum code value_text(struct arena *arena, const struct value *v, struct slice *out, bool *is_text)
{
    struct buf text;
    enum code rc = OK;

    *is_text = true;
    *out = SLICE_LIT("");
    if (v->type == VALUE_NULL)
        return OK;
    if (value_is_text(v) && !value_is_secret(v)) {
        *out = v->as.text.bytes;
        return OK;
    }
    *is_text = v->type == VALUE_NUMBER;
    if (!*is_text)
        return OK;
    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    value_number_print(&text, v->as.number);
    *out = arena_copy(arena, buf_slice(&text));
    if (text.is_full || out->ptr == NULL)
        rc = NOMEM;
    buf_release(&text);
    return rc;
}

enum code call_no_memory(struct river_call *call)
{
    (void)river_call_error(call, SIZE_MAX, "no memory left for the result");
    return NOMEM;
}

static enum code wants(struct river_call *call, size_t i, const char *type, const struct value *v)
{
    if (value_is_secret(v))
        return river_call_error(call, i, "argument %zu is a secret; convert.nonsensitive(...) makes a string of it",
                                i + 1);
    return river_call_error(call, i, "argument %zu must be a %s, not a %s", i + 1, type, value_type_name(v));
}

enum code arg_text(struct river_call *call, size_t i, struct slice *out)
{
    bool is_text;
    enum code rc = value_text(call->ctx->arena, &call->args[i], out, &is_text);

    if (rc != OK)
        return call_no_memory(call);
    return is_text ? OK : wants(call, i, "string", &call->args[i]);
}

enum code arg_bool(struct river_call *call, size_t i, bool *out)
{
    if (call->args[i].type != VALUE_BOOL)
        return wants(call, i, "bool", &call->args[i]);
    *out = call->args[i].as.boolean;
    return OK;
}

enum code arg_array(struct river_call *call, size_t i)
{
    return call->args[i].type == VALUE_ARRAY ? OK : wants(call, i, "list", &call->args[i]);
}

enum code arg_item_text(struct river_call *call, size_t i, size_t k, struct slice *out)
{
    const struct value *item = &call->args[i].as.array.items[k];
    bool is_text;
    enum code rc = value_text(call->ctx->arena, item, out, &is_text);

    if (rc != OK)
        return call_no_memory(call);
    if (is_text)
        return OK;
    return river_call_error(call, i, "element %zu of argument %zu must be a string, not a %s", k, i + 1,
                            value_is_secret(item) ? "secret" : value_type_name(item));
}

enum code call_result_text(struct river_call *call, struct buf *text, struct value *out)
{
    struct slice copy = arena_copy(call->ctx->arena, buf_slice(text));

    if (text->is_full)
        return river_call_error(call, SIZE_MAX, "the result is longer than %u bytes", LIMIT_CONFIG_STRING_BYTES);
    if (text->len != 0 && copy.ptr == NULL)
        return call_no_memory(call);
    *out = value_string(copy.ptr != NULL ? copy : SLICE_LIT(""));
    return OK;
}

/* --- general functions --- */

/* Null, 0, false, "", [] and {}. */
static bool is_empty(const struct value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return !v->as.boolean;
    case VALUE_NUMBER:
        return value_number_f64(v->as.number) == 0;
    case VALUE_STRING:
    case VALUE_SECRET:
        return v->as.text.bytes.len == 0;
    case VALUE_OPTIONAL_SECRET:
        return v->as.text.bytes.len == 0 && !v->as.text.is_secret;
    case VALUE_ARRAY:
        return v->as.array.n == 0;
    case VALUE_OBJECT:
        return v->as.object.n == 0;
    case VALUE_CAPSULE:
        return v->as.capsule.ptr == NULL;
    case VALUE_FUNCTION:
        break;
    }
    return false;
}

static enum code coalesce(struct river_call *call, struct value *out)
{
    *out = value_null();
    for (size_t i = 0; i < call->n_args; i++) {
        *out = call->args[i];
        if (!is_empty(out))
            break;
    }
    return OK;
}

static enum code env(struct river_call *call, struct value *out)
{
    const struct river_host *host = call->ctx->host != NULL ? call->ctx->host : river_host_system();
    struct slice name, text;
    enum code rc = arg_text(call, 0, &name);

    if (rc != OK)
        return rc;
    if (host->env(host->self, name, &text)) {
        *out = value_string(text);
        return OK;
    }
    *out = value_string(SLICE_LIT(""));
    if (call->expr != NULL) {
        struct diag *d = diags_warn(call->ctx->diags, call->source, call->expr->as.call.args[0]->span,
                                    "the environment variable %.*s is not set: it reads as \"\"", SLICE_ARG(name));

        if (d != NULL)
            d->kind = DIAG_ONLY_VALIDATE;
    }
    return OK;
}

/* A string may become a secret and so comes out as it is; a number may not. */
static enum code nonsensitive(struct river_call *call, struct value *out)
{
    const struct value *v = &call->args[0];

    if (!value_is_text(v) && v->type != VALUE_NULL)
        return river_call_error(call, 0, "argument 1 must be a secret or a string, not a %s", value_type_name(v));
    *out = value_string(v->type == VALUE_NULL ? (struct slice){0} : v->as.text.bytes);
    return OK;
}

static enum code json_path(struct river_call *call, struct value *out)
{
    struct slice json, path;
    struct error err = {0};
    enum code rc = arg_text(call, 0, &json);

    if (rc == OK)
        rc = arg_text(call, 1, &path);
    if (rc == OK) {
        rc = jsonpath_get(call->ctx->arena, json, path, out, &err);
        if (rc != OK)
            (void)river_call_error(call, SIZE_MAX, "%s", err.text);
    }
    return rc;
}

/* Writes path cleaned as Go's filepath.Clean does: no "." and empty parts, ".." resolved where something is before it.
 */
static void clean_path(struct buf *out, struct slice path)
{
    bool is_rooted = path.len != 0 && path.ptr[0] == '/', goes_on = true;
    size_t floor; /* nothing before this is taken back by ".." */

    if (is_rooted)
        (void)buf_add_char(out, '/');
    floor = out->len;
    while (goes_on) {
        struct slice part;

        goes_on = slice_cut(path, '/', &part, &path);
        if (part.len == 0 || slice_eq_str(part, "."))
            continue;
        if (slice_eq_str(part, "..") && out->len > floor) {
            do
                out->len--;
            while (out->len > floor && out->ptr[out->len] != '/');
            continue;
        }
        if (slice_eq_str(part, "..") && is_rooted)
            continue;
        if (out->len > (is_rooted ? 1u : 0u))
            (void)buf_add_char(out, '/');
        (void)buf_add(out, part);
        if (slice_eq_str(part, ".."))
            floor = out->len;
    }
    if (out->len == 0)
        (void)buf_add_char(out, '.');
}

static enum code path_join(struct river_call *call, struct value *out)
{
    struct buf joined, clean;
    enum code rc = OK;

    buf_init(&joined, LIMIT_CONFIG_STRING_BYTES);
    buf_init(&clean, LIMIT_CONFIG_STRING_BYTES);
    for (size_t i = 0; rc == OK && i < call->n_args; i++) {
        struct slice part;

        rc = arg_text(call, i, &part);
        if (rc != OK || part.len == 0)
            continue;
        if (joined.len != 0)
            (void)buf_add_char(&joined, '/');
        (void)buf_add(&joined, part);
    }
    if (rc == OK && joined.len != 0)
        clean_path(&clean, buf_slice(&joined));
    if (rc == OK)
        rc = call_result_text(call, &clean, out);
    buf_release(&joined);
    buf_release(&clean);
    return rc;
}

const struct river_function stdlib_general[] = {
    {.name = "coalesce",
     .signature = "coalesce(value...)",
     .doc = "The first value that is not null, 0, false, \"\", [] or {}; the last one when all are.",
     .max_args = SIZE_MAX,
     .call = coalesce},
    {.name = "json_path",
     .signature = "json_path(json, path)",
     .doc = "The list of what a JSONPath finds in a JSON text.",
     .min_args = 2,
     .max_args = 2,
     .call = json_path},
    {.name = "sys.env",
     .signature = "sys.env(name)",
     .doc = "The value of an environment variable, \"\" when it is not set.",
     .min_args = 1,
     .max_args = 1,
     .call = env},
    {.name = "convert.nonsensitive",
     .signature = "convert.nonsensitive(secret)",
     .doc = "A secret as a plain string, which may then be shown.",
     .min_args = 1,
     .max_args = 1,
     .call = nonsensitive},
    {.name = "file.path_join",
     .signature = "file.path_join(string...)",
     .doc = "The parts joined with \"/\" and cleaned.",
     .max_args = SIZE_MAX,
     .call = path_join},
    {.name = NULL},
};

/* --- names --- */

static const struct river_function *const parts_of_library[] = {stdlib_general, stdlib_string, stdlib_encoding,
                                                                stdlib_array};

static const struct {
    const char *old, *now;
} deprecated_names[] = {
    {"env", "sys.env"},
    {"nonsensitive", "convert.nonsensitive"},
    {"concat", "array.concat"},
    {"json_decode", "encoding.from_json"},
    {"yaml_decode", "encoding.from_yaml"},
    {"base64_decode", "encoding.from_base64"},
    {"format", "string.format"},
    {"join", "string.join"},
    {"replace", "string.replace"},
    {"split", "string.split"},
    {"to_lower", "string.to_lower"},
    {"to_upper", "string.to_upper"},
    {"trim", "string.trim"},
    {"trim_prefix", "string.trim_prefix"},
    {"trim_suffix", "string.trim_suffix"},
    {"trim_space", "string.trim_space"},
};

enum { N_DEPRECATED = sizeof deprecated_names / sizeof deprecated_names[0] };

enum { N_PARTS = sizeof parts_of_library / sizeof parts_of_library[0] };

const struct river_function *stdlib_function_at(size_t i)
{
    for (size_t part = 0; part < N_PARTS; part++) {
        const struct river_function *f = parts_of_library[part];

        for (; f->name != NULL; f++, i--) {
            if (i == 0)
                return f;
        }
    }
    return NULL;
}

static const struct river_function *find_function(struct slice name)
{
    for (size_t part = 0; part < N_PARTS; part++) {
        const struct river_function *f = parts_of_library[part];

        for (; f->name != NULL; f++) {
            if (slice_eq_str(name, f->name))
                return f;
        }
    }
    return NULL;
}

/* Does name start with "namespace."? */
static bool is_in_namespace(const char *name, struct slice namespace)
{
    return strncmp(name, namespace.ptr, namespace.len) == 0 && name[namespace.len] == '.';
}

/* "string.join" for (string, join). */
static const struct river_function *find_member(struct slice namespace, struct slice member)
{
    for (size_t part = 0; part < N_PARTS; part++) {
        const struct river_function *f = parts_of_library[part];

        for (; f->name != NULL; f++) {
            if (is_in_namespace(f->name, namespace) && slice_eq_str(member, f->name + namespace.len + 1))
                return f;
        }
    }
    return NULL;
}

static bool is_namespace(struct slice name)
{
    for (size_t part = 0; part < N_PARTS; part++) {
        const struct river_function *f = parts_of_library[part];

        for (; f->name != NULL; f++) {
            if (is_in_namespace(f->name, name))
                return true;
        }
    }
    return slice_eq_str(name, "constants");
}

static const char *const constant_names[] = {"hostname", "os", "arch", "version"};

const char *stdlib_constant_at(size_t i)
{
    return i < sizeof constant_names / sizeof constant_names[0] ? constant_names[i] : NULL;
}

bool stdlib_deprecated_at(size_t i, const char **old, const char **now)
{
    if (i >= N_DEPRECATED)
        return false;
    *old = deprecated_names[i].old;
    *now = deprecated_names[i].now;
    return true;
}

static bool find_constant(const struct river_host *host, struct slice name, struct value *out)
{
    const char *const values[] = {host->hostname, host->os, host->arch, host->version};

    for (size_t i = 0; i < sizeof constant_names / sizeof constant_names[0]; i++) {
        if (slice_eq_str(name, constant_names[i])) {
            *out = value_cstr(values[i]);
            return true;
        }
    }
    return false;
}

bool stdlib_lookup(const struct river_host *host, const struct slice *parts, size_t n, size_t *n_used,
                   struct value *out, const char **deprecated)
{
    const struct river_function *f;

    *deprecated = NULL;
    *n_used = 1;
    *out = value_null();
    if (is_namespace(parts[0])) {
        if (n == 1)
            return true;
        f = find_member(parts[0], parts[1]);
        if (f != NULL)
            *out = value_function(f);
        else if (!slice_eq_str(parts[0], "constants") || !find_constant(host, parts[1], out))
            return true;
        *n_used = 2;
        return true;
    }
    f = find_function(parts[0]);
    for (size_t i = 0; f == NULL && i < N_DEPRECATED; i++) {
        if (slice_eq_str(parts[0], deprecated_names[i].old)) {
            *deprecated = deprecated_names[i].now;
            f = find_function(slice_str(*deprecated));
        }
    }
    if (f == NULL)
        return false;
    *out = value_function(f);
    return true;
}

bool stdlib_has(struct slice first_name)
{
    if (is_namespace(first_name) || find_function(first_name) != NULL)
        return true;
    for (size_t i = 0; i < N_DEPRECATED; i++) {
        if (slice_eq_str(first_name, deprecated_names[i].old))
            return true;
    }
    return false;
}

void stdlib_offer_all(struct nearest *nearest)
{
    static const char *const constants[] = {"constants.hostname", "constants.os", "constants.arch",
                                            "constants.version"};
    const struct river_function *f;

    for (size_t i = 0; (f = stdlib_function_at(i)) != NULL; i++)
        nearest_offer(nearest, slice_str(f->name));
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
        nearest_offer(nearest, slice_str(constants[i]));
}

void stdlib_offer(struct nearest *nearest, struct slice namespace)
{
    const struct river_function *f;
    struct slice head, rest;

    for (size_t i = 0; (f = stdlib_function_at(i)) != NULL; i++) {
        bool is_member = slice_cut(slice_str(f->name), '.', &head, &rest);

        if (namespace.len == 0)
            nearest_offer(nearest, head);
        else if (is_member && slice_eq(head, namespace))
            nearest_offer(nearest, rest);
    }
    for (size_t i = 0; i < sizeof constant_names / sizeof constant_names[0] && slice_eq_str(namespace, "constants");
         i++)
        nearest_offer(nearest, slice_str(constant_names[i]));
    if (namespace.len == 0)
        nearest_offer(nearest, SLICE_LIT("constants"));
}
