/* What both conversions read from a resource. */
#include "agent/base/limits.h"
#include "agent/model/otlp_to_prom_int.h"

struct slice otlp_value_slice(struct arena *a, const Otlp__AnyValue *v)
{
    struct slice copy = {0};
    struct buf text;

    if (v == NULL)
        return SLICE_LIT("");
    if (v->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
        return slice_str(v->string_value);
    buf_init(&text, LIMIT_LOG_ENTRY_BYTES);
    if (otlp_value_text(v, &text) == OK && !text.is_full)
        copy = text.len != 0 ? arena_copy(a, buf_slice(&text)) : SLICE_LIT("");
    buf_release(&text);
    return copy;
}

static struct slice get_text(struct arena *a, const Otlp__Resource *r, const char *key)
{
    if (r == NULL)
        return SLICE_LIT("");
    for (size_t i = 0; i < r->n_attributes; i++)
        if (strcmp(r->attributes[i]->key, key) == 0)
            return otlp_value_slice(a, r->attributes[i]->value);
    return SLICE_LIT("");
}

struct slice otlp_job(struct arena *a, const Otlp__Resource *r)
{
    struct slice name = get_text(a, r, "service.name"), space = get_text(a, r, "service.namespace");
    char *text, *at;

    if (name.len == 0 || space.len == 0)
        return name;
    at = text = arena_try_alloc(a, name.len + space.len + 1);
    if (text == NULL)
        return (struct slice){0};
    at = mempcpy(at, space.ptr, space.len);
    *at++ = '/';
    memcpy(at, name.ptr, name.len);
    return slice_make(text, name.len + space.len + 1);
}

struct slice otlp_instance(struct arena *a, const Otlp__Resource *r)
{
    return get_text(a, r, "service.instance.id");
}

bool otlp_is_identifying(const char *key)
{
    return strcmp(key, "service.name") == 0 || strcmp(key, "service.namespace") == 0 ||
           strcmp(key, "service.instance.id") == 0;
}
