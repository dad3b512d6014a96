/* What to write instead of a value that does not fit. */
#include "agent/river/schema_int.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void schema_hint(struct misfit *misfit, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(misfit->hint, sizeof misfit->hint, fmt, ap);
    va_end(ap);
}

static bool is_list_kind(enum river_kind kind)
{
    return (kind >= RIVER_STRING_LIST && kind <= RIVER_SECRET_LIST) || kind == RIVER_CAPSULE_LIST ||
           kind == RIVER_STRING_MAP_LIST || kind == RIVER_TARGETS;
}

static bool is_map_kind(enum river_kind kind)
{
    return kind >= RIVER_STRING_MAP && kind <= RIVER_SECRET_LIST_MAP;
}

/* The exported field somebody forgot: loki.write.x instead of loki.write.x.receiver. */
static const struct value_field *find_capsule(const struct river_field *field, const struct value *v)
{
    for (size_t i = 0; v->type == VALUE_OBJECT && i < v->as.object.n; i++) {
        const struct value *export = &v->as.object.fields[i].value;

        if (export->type == VALUE_CAPSULE && export->as.capsule.type == field->capsule)
            return &v->as.object.fields[i];
    }
    return NULL;
}

static void hint_reference(const struct river_field *field, struct misfit *misfit, const struct value *v)
{
    const struct value_field *forgotten = find_capsule(field, v);

    if (forgotten != NULL)
        schema_hint(misfit, "this names a component: write .%.*s after it", SLICE_ARG(forgotten->name));
    else if (value_is_text(v))
        schema_hint(misfit, "a reference is written without quotes");
}

void schema_hint_form(const struct river_field *field, struct misfit *misfit, const struct value *v)
{
    enum river_kind kind = field->kind;
    const char *name = field->name != NULL ? field->name : "";
    bool is_inside = misfit->item != SIZE_MAX || misfit->key.ptr != NULL;

    if (value_is_secret(v))
        schema_hint(misfit, "write convert.nonsensitive(...) around it; it is then shown on pages and in logs");
    else if (is_list_kind(kind) && !is_inside && v->type != VALUE_ARRAY)
        schema_hint(misfit, "a list is written in brackets: %s = %s", name, schema_example(field));
    else if (kind == RIVER_CAPSULE || kind == RIVER_CAPSULE_LIST)
        hint_reference(field, misfit, v);
    else if (is_map_kind(kind) && !is_inside)
        schema_hint(misfit, "an object is written in braces: %s = %s", name, schema_example(field));
    else if ((kind == RIVER_INT || kind == RIVER_UINT || kind == RIVER_FLOAT) && value_is_text(v))
        schema_hint(misfit, "a number is written without quotes: %s = 1", name);
    else if (kind == RIVER_BOOL && value_is_text(v))
        schema_hint(misfit, "true and false are written without quotes: %s = true", name);
    else if ((kind == RIVER_DURATION || kind == RIVER_DURATION_LIST) && v->type == VALUE_NUMBER)
        schema_hint(misfit, "a duration has a unit and stands in quotes: \"%.0fs\"", value_number_f64(v->as.number));
    else if (kind == RIVER_STRING && v->type == VALUE_ARRAY)
        schema_hint(misfit, "one string, no list: %s = \"...\"", name);
}

void schema_hint_days(struct misfit *misfit, struct slice text)
{
    uint64_t days;

    if (slice_ends(text, SLICE_LIT("d")) && slice_to_u64(slice_head(text, text.len - 1), &days) && days < 100000)
        schema_hint(misfit, "there is no unit for days: write \"%" PRIu64 "h\"", days * 24);
    else if (slice_to_u64(text, &days))
        schema_hint(misfit, "a unit is missing: \"%" PRIu64 "s\" is in seconds", days);
}
