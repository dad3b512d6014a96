#include "agent/base/limits.h"
#include "agent/text/gotemplate_int.h"
#include "agent/text/number.h"
#include "agent/text/timefmt.h"
#include "agent/text/utf8.h"
#include <math.h>
#include <stdlib.h>

struct value tvalue_string(struct slice s)
{
    return (struct value){.kind = VALUE_STRING, .text = s};
}

struct value tvalue_int(int64_t v)
{
    return (struct value){.kind = VALUE_INT, .integer = v};
}

struct value tvalue_float(double v)
{
    return (struct value){.kind = VALUE_FLOAT, .number = v};
}

struct value tvalue_bool(bool v)
{
    return (struct value){.kind = VALUE_BOOL, .boolean = v};
}

bool tvalue_is_true(const struct value *v)
{
    switch (v->kind) {
    case VALUE_NIL:
        return false;
    case VALUE_BOOL:
        return v->boolean;
    case VALUE_INT:
        return v->integer != 0;
    case VALUE_FLOAT:
        return v->number != 0;
    case VALUE_STRING:
        return v->text.len != 0;
    case VALUE_LIST:
        return v->list.n != 0;
    case VALUE_MAP:
        return v->map.n != 0;
    case VALUE_TIME:
    case VALUE_ROOT:
        return true;
    }
    return false;
}

const char *tvalue_type(const struct value *v)
{
    switch (v->kind) {
    case VALUE_NIL:
        return "nil";
    case VALUE_BOOL:
        return "bool";
    case VALUE_INT:
        return "int";
    case VALUE_FLOAT:
        return "float64";
    case VALUE_STRING:
        return "string";
    case VALUE_TIME:
        return "time.Time";
    case VALUE_LIST:
        return "[]interface {}";
    case VALUE_MAP:
    case VALUE_ROOT:
        return "map[string]interface {}";
    }
    return "nil";
}

static void print_float(struct buf *out, double v)
{
    char text[NUMBER_TEXT_BYTES];

    (void)buf_add(out, slice_make(text, number_format(v, NUMBER_GO, text)));
}

static void print_time(struct buf *out, int64_t ns)
{
    struct timefmt *f;

    if (timefmt_compile(&f, SLICE_LIT("2006-01-02 15:04:05.999999999 -0700 MST"), NULL) == OK)
        (void)timefmt_format(f, ns, tz_utc(), out);
    timefmt_free(f);
}

/* Depth is bounded: run_contain. */
void tvalue_print(struct buf *out, const struct value *v)
{
    switch (v->kind) {
    case VALUE_NIL:
        (void)buf_add_str(out, "<nil>");
        return;
    case VALUE_BOOL:
        (void)buf_add_str(out, v->boolean ? "true" : "false");
        return;
    case VALUE_INT:
        (void)buf_printf(out, "%lld", (long long)v->integer);
        return;
    case VALUE_FLOAT:
        print_float(out, v->number);
        return;
    case VALUE_STRING:
        (void)buf_add(out, v->text);
        return;
    case VALUE_TIME:
        print_time(out, v->integer);
        return;
    case VALUE_LIST:
        (void)buf_add_char(out, '[');
        for (size_t i = 0; i < v->list.n && !out->is_full; i++) {
            if (i != 0)
                (void)buf_add_char(out, ' ');
            tvalue_print(out, &v->list.items[i]);
        }
        (void)buf_add_char(out, ']');
        return;
    case VALUE_MAP:
        (void)buf_add_str(out, "map[");
        for (size_t i = 0; i < v->map.n && !out->is_full; i++) {
            if (i != 0)
                (void)buf_add_char(out, ' ');
            (void)buf_add(out, v->map.members[i].key);
            (void)buf_add_char(out, ':');
            tvalue_print(out, &v->map.members[i].value);
        }
        (void)buf_add_char(out, ']');
        return;
    case VALUE_ROOT:
        (void)buf_add_str(out, "map[]");
        return;
    }
}

int64_t tvalue_to_i64(const struct value *v)
{
    int64_t i = 0;

    switch (v->kind) {
    case VALUE_BOOL:
        return v->boolean;
    case VALUE_INT:
        return v->integer;
    case VALUE_FLOAT:
        if (isnan(v->number) || v->number >= 9.2e18 || v->number <= -9.2e18)
            return 0;
        return (int64_t)v->number;
    case VALUE_STRING:
        if (slice_to_i64(v->text, &i))
            return i;
        if (slice_find(v->text, 'e') == v->text.len && slice_find(v->text, 'E') == v->text.len &&
            number_to_i64(v->text, &i))
            return i;
        return 0;
    case VALUE_NIL:
    case VALUE_TIME:
    case VALUE_LIST:
    case VALUE_MAP:
    case VALUE_ROOT:
        return 0;
    }
    return 0;
}

double tvalue_to_f64(const struct value *v)
{
    double f = 0;

    if (v->kind == VALUE_FLOAT)
        return v->number;
    if (v->kind == VALUE_STRING)
        return slice_to_f64(v->text, &f) ? f : 0;
    return (double)tvalue_to_i64(v);
}

bool tvalue_member(const struct value *map, struct slice key, struct value *out)
{
    for (size_t i = 0; i < map->map.n; i++) {
        if (slice_eq(map->map.members[i].key, key)) {
            *out = map->map.members[i].value;
            return true;
        }
    }
    return false;
}

/* Equal keys stay in the order written: the members of one object lie in one array. */
static int by_key(const void *a, const void *b)
{
    const struct json_member *const *x = a, *const *y = b;
    int order = slice_cmp((*x)->key, (*y)->key);

    return order != 0 ? order : (*x > *y) - (*x < *y);
}

static enum code map_from_json(struct run *run, const struct json *j, struct value *out)
{
    size_t total = j->object.n, n = 0;
    const struct json_member **sorted = arena_try_array(run->arena, total + 1, sizeof *sorted);
    struct value_member *members = arena_try_array(run->arena, total + 1, sizeof *members);
    enum code rc = OK;

    *out = (struct value){.kind = VALUE_MAP, .depth = 1};
    if (members == NULL || sorted == NULL)
        return run_fail(run, NOMEM, "no memory left");
    for (size_t i = 0; i < total; i++)
        sorted[i] = &j->object.members[i];
    qsort(sorted, total, sizeof(void *), by_key);
    for (size_t i = 0; i < total && rc == OK; i++) {
        if (i + 1 < total && slice_eq(sorted[i]->key, sorted[i + 1]->key))
            continue; /* the last one written counts */
        members[n].key = sorted[i]->key;
        rc = tvalue_from_json(run, &sorted[i]->value, &members[n].value);
        if (rc == OK)
            rc = run_contain(run, out, &members[n++].value);
    }
    out->map.members = members;
    out->map.n = n;
    return rc;
}

enum code tvalue_from_json(struct run *run, const struct json *j, struct value *out)
{
    struct value *items;
    enum code rc;
    double f = 0;

    switch (j->type) {
    case JSON_NULL:
        *out = (struct value){.kind = VALUE_NIL};
        return OK;
    case JSON_BOOL:
        *out = tvalue_bool(j->boolean);
        return OK;
    case JSON_NUMBER:
        (void)json_as_f64(j, &f);
        *out = tvalue_float(f);
        return OK;
    case JSON_STRING:
        *out = tvalue_string(j->text);
        return OK;
    case JSON_ARRAY:
        rc = run_list(run, j->array.n, &items, out);
        for (size_t i = 0; rc == OK && i < j->array.n; i++) {
            rc = tvalue_from_json(run, &j->array.items[i], &items[i]);
            if (rc == OK)
                rc = run_contain(run, out, &items[i]);
        }
        return rc;
    case JSON_OBJECT:
        return map_from_json(run, j, out);
    }
    return OK;
}

void tvalue_to_json(struct buf *out, const struct value *v)
{
    switch (v->kind) {
    case VALUE_NIL:
    case VALUE_ROOT:
        (void)buf_add_str(out, "null");
        return;
    case VALUE_BOOL:
    case VALUE_INT:
        tvalue_print(out, v);
        return;
    case VALUE_FLOAT:
        (void)json_write_f64(out, v->number);
        return;
    case VALUE_STRING:
        (void)json_write_string(out, v->text);
        return;
    case VALUE_TIME:
        (void)buf_add_char(out, '"');
        print_time(out, v->integer);
        (void)buf_add_char(out, '"');
        return;
    case VALUE_LIST:
        (void)buf_add_char(out, '[');
        for (size_t i = 0; i < v->list.n && !out->is_full; i++) {
            if (i != 0)
                (void)buf_add_char(out, ',');
            tvalue_to_json(out, &v->list.items[i]);
        }
        (void)buf_add_char(out, ']');
        return;
    case VALUE_MAP:
        (void)buf_add_char(out, '{');
        for (size_t i = 0; i < v->map.n && !out->is_full; i++) {
            if (i != 0)
                (void)buf_add_char(out, ',');
            (void)json_write_string(out, v->map.members[i].key);
            (void)buf_add_char(out, ':');
            tvalue_to_json(out, &v->map.members[i].value);
        }
        (void)buf_add_char(out, '}');
        return;
    }
}

void tvalue_quote(struct buf *out, struct slice s)
{
    static const char codes[] = "\a\b\t\n\v\f\r\"\\", names[] = "abtnvfr\"\\";

    (void)buf_add_char(out, '"');
    while (s.len != 0 && !out->is_full) {
        uint32_t rune;
        size_t n = utf8_decode(s, &rune);
        const char *found = rune != 0 && rune < 0x80 ? strchr(codes, (int)rune) : NULL;

        if (found != NULL)
            (void)buf_printf(out, "\\%c", names[found - codes]);
        else if (rune < 0x20 || rune == 0x7F || (rune == UTF8_REPLACEMENT && n == 1))
            (void)buf_printf(out, "\\x%02x", (unsigned char)s.ptr[0]);
        else
            (void)buf_add(out, slice_head(s, n));
        s = slice_from(s, n);
    }
    (void)buf_add_char(out, '"');
}
