/* The stages that extract: json, logfmt, regex. */
#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"
#include "agent/text/jmespath.h"
#include "agent/text/json.h"
#include "agent/text/logfmt.h"
#include "agent/text/number.h"
#include <stdlib.h>

struct wanted {
    struct slice name;     /* under which it is kept; owned */
    struct slice key;      /* plain key; owned; empty: expression */
    struct jmespath *path; /* owned; NULL: plain key */
};

/* --- json -----------------------------------------------------------------------------------------------------------
 */

struct json_stage {
    struct wanted *list; /* owned */
    size_t n;
    struct slice source; /* owned */
    bool drop_malformed;
    struct metric *dropped; /* owned reference; NULL: not dropping */
};

/* Without an exponent (Go's FormatFloat 'f', -1): the shortest digits, moved by the exponent and filled up with zeros.
 */
static bool number_text(struct arena *a, double number, struct slice *text_out)
{
    char text[NUMBER_TEXT_BYTES], *out, *at;
    size_t len = number_format(number, NUMBER_JSON, text), digits = 0;
    const char *e = memchr(text, 'e', len);
    bool is_negative = text[0] == '-';
    long exponent;

    if (e == NULL) {
        *text_out = arena_copy(a, slice_make(text, len));
        return text_out->ptr != NULL;
    }
    exponent = strtol(e + 1, NULL, 10); /* of d.ddd: at most 324 either way */
    at = out = arena_try_alloc(a, 400);
    if (out == NULL)
        return false;
    if (is_negative)
        *at++ = '-';
    if (exponent < 0) {
        *at++ = '0';
        *at++ = '.';
        memset(at, '0', (size_t)-exponent - 1);
        at += -exponent - 1;
    }
    for (const char *c = text + is_negative; c < e; c++)
        if (*c != '.') {
            *at++ = *c;
            digits++;
        }
    for (; exponent >= (long)digits; digits++)
        *at++ = '0';
    *text_out = slice_make(out, (size_t)(at - out));
    return true;
}

/* The text of a value, as Promtail's getString: numbers without exponent, lists and objects as JSON. False: null. */
static bool value_text(const struct json *v, struct arena *a, struct slice *out)
{
    struct buf text;
    double number;

    switch (v->type) {
    case JSON_NULL:
        return false;
    case JSON_BOOL:
        *out = v->boolean ? SLICE_LIT("true") : SLICE_LIT("false");
        return true;
    case JSON_STRING: /* copied: a literal of the expression is the stage's, and the batch may outlive that */
        *out = arena_copy(a, v->text);
        return out->ptr != NULL || v->text.len == 0;
    case JSON_NUMBER:
        *out = arena_copy(a, v->text);
        if (slice_find(v->text, 'e') == v->text.len && slice_find(v->text, 'E') == v->text.len)
            return true;
        return json_as_f64(v, &number) && number_text(a, number, out);
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    buf_init(&text, LIMIT_LOG_ENTRY_BYTES);
    if (json_write(&text, v) == OK)
        *out = arena_copy(a, buf_slice(&text));
    buf_release(&text);
    return out->ptr != NULL;
}

static enum verdict json_run(void *self, struct entry *e, struct pipeline *p)
{
    struct json_stage *s = self;
    struct slice text, value = {0};
    struct error err = {0};
    struct json doc, found;

    (void)p;
    if (!entry_source(e, s->source, &text))
        return NEXT;
    if (json_parse(e->arena, text, &doc, &err) != OK) {
        if (!s->drop_malformed)
            return NEXT;
        metric_inc(s->dropped);
        return DROP;
    }
    for (size_t i = 0; i < s->n; i++) {
        const struct wanted *w = &s->list[i];
        const struct json *v = NULL;

        value = (struct slice){0};
        if (w->path == NULL)
            v = json_get(&doc, w->key);
        else if (jmespath_eval(w->path, &doc, e->arena, &found, &err) == OK)
            v = &found;
        if (v == NULL || !value_text(v, e->arena, &value)) {
            if (entry_set_null(e, w->name) != OK)
                return FAIL;
        } else if (entry_set(e, w->name, value) != OK) {
            return FAIL;
        }
    }
    return NEXT;
}

static void wanted_release(struct wanted *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mem_free_slice(list[i].name);
        mem_free_slice(list[i].key);
        jmespath_free(list[i].path);
    }
    mem_free(list);
}

static void json_release(void *self)
{
    struct json_stage *s = self;

    wanted_release(s->list, s->n);
    mem_free_slice(s->source);
    metric_unref(s->dropped);
    mem_free(s);
}

enum code stage_json_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct json_args *a = args;
    struct json_stage *s = mem_zalloc(sizeof *s);
    enum code rc = OK;

    s->source = mem_slice(a->source);
    s->drop_malformed = a->drop_malformed;
    if (a->drop_malformed)
        s->dropped = pipeline_drop_counter(p, SLICE_LIT("malformed"));
    s->list = mem_array(a->expressions.n, sizeof *s->list);
    for (size_t i = 0; i < a->expressions.n && rc == OK; i++) {
        const struct river_pair *pair = &a->expressions.items[i];
        struct wanted *w = &s->list[s->n++];
        struct slice expression = pair->value.len != 0 ? pair->value : pair->name;

        w->name = mem_slice(pair->name);
        rc = jmespath_compile(&w->path, expression, err);
        if (rc != OK)
            error_prefix(err, "expression of \"%.*s\"", SLICE_ARG(pair->name));
        if (rc == OK && jmespath_plain_name(w->path).len != 0) {
            w->key = mem_slice(jmespath_plain_name(w->path));
            jmespath_free(w->path);
            w->path = NULL;
        }
    }
    if (rc != OK) {
        json_release(s);
        return rc;
    }
    (void)pipeline_add(p, json_run, json_release, s);
    return OK;
}

/* --- logfmt ---------------------------------------------------------------------------------------------------------
 */

struct logfmt_stage {
    struct wanted *list; /* owned; key: of the record */
    size_t n;
    struct slice source; /* owned */
};

static enum verdict logfmt_run(void *self, struct entry *e, struct pipeline *p)
{
    struct logfmt_stage *s = self;
    struct logfmt_pair pair;
    struct logfmt reader;
    struct error err = {0};
    struct slice text;
    bool is_end = false;

    (void)p;
    if (!entry_source(e, s->source, &text))
        return NEXT;
    logfmt_init(&reader, text);
    while (logfmt_next(&reader, e->arena, &pair, &is_end, &err) == OK && !is_end)
        for (size_t i = 0; i < s->n; i++)
            if (slice_eq(s->list[i].key, pair.key) && entry_set(e, s->list[i].name, pair.value) != OK)
                return FAIL;
    return NEXT; /* a broken record gives what stood before the break */
}

static void logfmt_release(void *self)
{
    struct logfmt_stage *s = self;

    wanted_release(s->list, s->n);
    mem_free_slice(s->source);
    mem_free(s);
}

enum code stage_logfmt_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct logfmt_args *a = args;
    struct logfmt_stage *s = mem_zalloc(sizeof *s);

    (void)err;
    s->source = mem_slice(a->source);
    s->list = mem_array(a->mapping.n, sizeof *s->list);
    for (size_t i = 0; i < a->mapping.n; i++) {
        const struct river_pair *pair = &a->mapping.items[i];

        s->list[s->n].name = mem_slice(pair->name);
        s->list[s->n++].key = mem_slice(pair->value.len != 0 ? pair->value : pair->name);
    }
    (void)pipeline_add(p, logfmt_run, logfmt_release, s);
    return OK;
}

/* --- regex ----------------------------------------------------------------------------------------------------------
 */

enum { MAX_GROUPS = 64 };

struct regex_stage {
    struct regex *regex; /* owned */
    struct slice source; /* owned */
    bool labels_from_groups;
};

static enum verdict regex_run(void *self, struct entry *e, struct pipeline *p)
{
    struct regex_stage *s = self;
    struct slice groups[MAX_GROUPS], text;
    size_t n = regex_group_count(s->regex) + 1;

    (void)p;
    if (!entry_source(e, s->source, &text) || !regex_match(s->regex, text, 0, groups, n))
        return NEXT;
    for (size_t i = 1; i < n; i++) {
        struct slice name = regex_group_name(s->regex, i);

        if (name.len == 0)
            continue;
        if (entry_set(e, name, groups[i]) != OK)
            return FAIL;
        if (s->labels_from_groups && groups[i].len != 0 && entry_set_label(e, name, groups[i]) != OK)
            return FAIL;
    }
    return NEXT;
}

static void regex_release(void *self)
{
    struct regex_stage *s = self;

    regex_free(s->regex);
    mem_free_slice(s->source);
    mem_free(s);
}

enum code stage_regex_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct regex_args *a = args;
    struct regex_stage *s = mem_zalloc(sizeof *s);
    enum code rc = regex_compile(&s->regex, a->expression, REGEX_PLAIN, err);

    if (rc == OK && regex_group_count(s->regex) >= MAX_GROUPS)
        rc = error_set(err, INVALID, "more than %d groups", MAX_GROUPS - 1);
    if (rc != OK) {
        regex_free(s->regex);
        mem_free(s);
        return rc;
    }
    s->source = mem_slice(a->source);
    s->labels_from_groups = a->labels_from_groups;
    (void)pipeline_add(p, regex_run, regex_release, s);
    return OK;
}
