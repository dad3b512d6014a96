/* JSONPath as json_path takes it, after ohler55/ojg: $ . .. [] * unions slices; filters are in jsonpath_filter.c. */
#include "agent/base/limits.h"
#include "agent/river/jsonpath_int.h"

enum code jsonpath_syntax(struct path *p, const char *text)
{
    return error_set(p->err, INVALID, "%s at byte %zu of the path", text, p->all.len - p->rest.len + 1);
}

bool jsonpath_take(struct path *p, const char *text)
{
    if (!slice_starts(p->rest, slice_str(text)))
        return false;
    p->rest = slice_from(p->rest, strlen(text));
    return true;
}

void jsonpath_skip_space(struct path *p)
{
    while (jsonpath_peek(p) == ' ')
        p->rest = slice_from(p->rest, 1);
}

/* ojg's token characters. */
static bool is_name_char(char c)
{
    return (c >= 'a' && c <= '~') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= ';') || (c & 0x80) != 0 ||
           (c != '\0' && strchr("#%?^_", c) != NULL);
}

static struct slice take_name(struct path *p)
{
    size_t n = 0;
    struct slice name;

    while (n < p->rest.len && is_name_char(p->rest.ptr[n]))
        n++;
    name = slice_head(p->rest, n);
    p->rest = slice_from(p->rest, n);
    return name;
}

/* After a backslash: what it stands for goes to text; how much, or 0: no such escape. */
static size_t take_escape(struct path *p, char *text)
{
    static const char names[] = "btnfr\"'\\", codes[] = "\b\t\n\f\r\"'\\";
    char c = jsonpath_peek(p);
    const char *known = c != '\0' ? strchr(names, c) : NULL;
    size_t n_digits = c == 'x' ? 2 : c == 'u' || c == 'U' ? 4 : 0;
    uint32_t code = 0;

    p->rest = slice_from(p->rest, 1);
    if (known != NULL) {
        text[0] = codes[known - names];
        return 1;
    }
    if (n_digits == 0 || p->rest.len < n_digits)
        return 0;
    for (size_t i = 0; i < n_digits; i++) {
        char digit = (char)(p->rest.ptr[i] | 0x20);

        if (!(digit >= '0' && digit <= '9') && !(digit >= 'a' && digit <= 'f'))
            return 0;
        code = code * 16 + (uint32_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    p->rest = slice_from(p->rest, n_digits);
    if (n_digits == 4)
        return utf8_encode(code, text);
    text[0] = (char)code;
    return 1;
}

enum code jsonpath_quoted(struct path *p, struct slice *out)
{
    char quote = jsonpath_peek(p), *text = arena_try_alloc(p->arena, p->rest.len + UTF8_MAX_BYTES);
    size_t n = 0, more;

    if (text == NULL)
        return error_set(p->err, NOMEM, "no memory left");
    p->rest = slice_from(p->rest, 1);
    while (p->rest.len != 0) {
        char c = jsonpath_peek(p);

        p->rest = slice_from(p->rest, 1);
        if (c == quote) {
            *out = slice_make(text, n);
            return OK;
        }
        if (c != '\\') {
            text[n++] = c;
            continue;
        }
        more = take_escape(p, text + n);
        if (more == 0)
            return jsonpath_syntax(p, "no such escape");
        n += more;
    }
    return jsonpath_syntax(p, "a quote is not closed");
}

static bool take_int(struct path *p, int64_t *out)
{
    size_t n = jsonpath_peek(p) == '-';

    while (n < p->rest.len && n < 19 && p->rest.ptr[n] >= '0' && p->rest.ptr[n] <= '9')
        n++;
    if (!slice_to_i64(slice_head(p->rest, n), out))
        return false;
    p->rest = slice_from(p->rest, n);
    return true;
}

void *jsonpath_piece(struct path *p, size_t size)
{
    void *piece = p->n_pieces < MOST_PIECES ? arena_try_array(p->arena, 1, size) : NULL;

    p->n_pieces++;
    if (piece == NULL)
        (void)error_set(p->err, INVALID, "the path is too long");
    return piece;
}

static struct step *add_step(struct path *p, struct step ***tail, enum step_kind kind)
{
    struct step *s = jsonpath_piece(p, sizeof *s);

    if (s != NULL) {
        s->kind = kind;
        **tail = s;
        *tail = &s->next;
    }
    return s;
}

/* --- brackets --- */

/* After the first ":"; from is in indexes[0]. */
static enum code parse_slice(struct path *p, struct step *s)
{
    s->kind = STEP_SLICE;
    s->indexes[2] = 1;
    jsonpath_skip_space(p);
    s->has_to = take_int(p, &s->indexes[1]);
    if (jsonpath_take(p, ":") && jsonpath_peek(p) != ']' && !take_int(p, &s->indexes[2]))
        return jsonpath_syntax(p, "expected a number");
    return OK;
}

/* Names in quotes and numbers. */
static enum code parse_union(struct path *p, struct step *s)
{
    enum code rc = OK;

    s->kind = STEP_CHOSEN;
    for (;;) {
        jsonpath_skip_space(p);
        if (s->n == MOST_PARTS)
            return jsonpath_syntax(p, "too many parts");
        if (jsonpath_peek(p) == '\'' || jsonpath_peek(p) == '"')
            rc = jsonpath_quoted(p, &s->names[s->n]);
        else if (!take_int(p, &s->indexes[s->n]) && (s->n != 0 || jsonpath_peek(p) != ':'))
            rc = jsonpath_syntax(p, "expected a name, a number or *");
        if (rc != OK)
            return rc;
        jsonpath_skip_space(p);
        if (s->n == 0 && s->names[0].ptr == NULL && jsonpath_take(p, ":"))
            return parse_slice(p, s);
        s->n++;
        if (!jsonpath_take(p, ","))
            return OK;
    }
}

/* After "[". */
static enum code parse_bracket(struct path *p, struct step ***tail)
{
    struct step *s = add_step(p, tail, STEP_ALL);
    enum code rc = OK;

    if (s == NULL)
        return INVALID;
    jsonpath_skip_space(p);
    if (jsonpath_take(p, "?")) {
        s->kind = STEP_FILTER;
        rc = filter_parse(p, &s->filter);
    } else if (!jsonpath_take(p, "*")) {
        rc = parse_union(p, s);
    }
    jsonpath_skip_space(p);
    return rc == OK && !jsonpath_take(p, "]") ? jsonpath_syntax(p, "expected ]") : rc;
}

static enum code parse_name(struct path *p, struct step ***tail)
{
    struct step *s;

    if (jsonpath_take(p, "*"))
        return add_step(p, tail, STEP_ALL) != NULL ? OK : INVALID;
    if (!is_name_char(jsonpath_peek(p)))
        return jsonpath_syntax(p, "expected a name");
    s = add_step(p, tail, STEP_CHOSEN);
    if (s == NULL)
        return INVALID;
    s->names[s->n++] = take_name(p);
    return OK;
}

enum code jsonpath_steps(struct path *p, struct step **out)
{
    struct step **tail = out;
    enum code rc = OK;

    *out = NULL;
    while (rc == OK && p->rest.len != 0) {
        if (jsonpath_take(p, "..")) {
            if (add_step(p, &tail, STEP_DESCEND) == NULL)
                return INVALID;
            if (is_name_char(jsonpath_peek(p)) || jsonpath_peek(p) == '*')
                rc = parse_name(p, &tail);
        } else if (jsonpath_take(p, ".")) {
            rc = parse_name(p, &tail);
        } else if (jsonpath_take(p, "[")) {
            rc = parse_bracket(p, &tail);
        } else {
            break;
        }
    }
    return rc;
}

/* --- walking --- */

static size_t count_children(const struct json *at)
{
    return at->type == JSON_ARRAY ? at->array.n : at->type == JSON_OBJECT ? at->object.n : 0;
}

static const struct json *child(const struct json *at, size_t i)
{
    return at->type == JSON_ARRAY ? &at->array.items[i] : &at->object.members[i].value;
}

static enum code walk_children(struct path *p, const struct step *s, const struct json *at, struct found *found)
{
    enum code rc = OK;

    for (size_t i = 0; i < count_children(at) && rc == OK; i++) {
        bool is_chosen = s->kind == STEP_ALL;

        if (s->kind == STEP_FILTER)
            rc = filter_holds(p, s->filter, child(at, i), &is_chosen);
        if (rc == OK && is_chosen)
            rc = jsonpath_walk(p, s->next, child(at, i), found);
    }
    return rc;
}

/* Every thing below, the deepest first, then the thing itself (a bare "$.." gives no scalar for itself). */
static enum code walk_below(struct path *p, const struct step *s, const struct json *at, bool is_top,
                            struct found *found)
{
    enum code rc = OK;

    for (size_t i = 0; i < count_children(at) && rc == OK; i++)
        rc = walk_below(p, s, child(at, i), false, found);
    return rc == OK && !(is_top && s->next == NULL && at->type != JSON_ARRAY && at->type != JSON_OBJECT)
               ? jsonpath_walk(p, s->next, at, found)
               : rc;
}

static enum code walk_chosen(struct path *p, const struct step *s, const struct json *at, struct found *found)
{
    enum code rc = OK;

    for (size_t i = 0; i < s->n && rc == OK; i++) {
        const struct json *next = NULL;

        if (s->names[i].ptr != NULL) {
            next = json_get(at, s->names[i]);
        } else if (at->type == JSON_ARRAY) {
            int64_t n = (int64_t)at->array.n, k = s->indexes[i] < 0 ? s->indexes[i] + n : s->indexes[i];

            next = k >= 0 && k < n ? &at->array.items[k] : NULL;
        }
        if (next != NULL)
            rc = jsonpath_walk(p, s->next, next, found);
    }
    return rc;
}

/* As ojg does it: with a step below zero the end must be given, and -1 less than nothing is the front. */
static enum code walk_slice(struct path *p, const struct step *s, const struct json *at, struct found *found)
{
    int64_t n = at->type == JSON_ARRAY ? (int64_t)at->array.n : 0, by = s->indexes[2];
    int64_t i = s->indexes[0] < 0 ? s->indexes[0] + n : s->indexes[0];
    int64_t to = !s->has_to ? n : s->indexes[1] < 0 ? s->indexes[1] + n : s->indexes[1];
    enum code rc = OK;

    i = i < 0 ? 0 : i;
    to = to > n ? n : to < -1 ? -1 : to;
    while (rc == OK && by != 0 && i >= 0 && i < n && (by > 0 ? i < to : i > to)) {
        rc = jsonpath_walk(p, s->next, &at->array.items[i], found);
        if (by > n || by < -n)
            break;
        i += by;
    }
    return rc;
}

static enum code keep(struct path *p, const struct json *at, struct found *found)
{
    if (found->n == found->cap) {
        size_t cap = found->cap != 0 ? found->cap * 2 : 8;
        const struct json **grown = arena_try_array(p->arena, cap, sizeof *grown);

        if (grown == NULL)
            return error_set(p->err, NOMEM, "no memory left for what the path finds");
        if (found->n != 0)
            memcpy(grown, found->items, found->n * sizeof *grown);
        found->items = grown;
        found->cap = cap;
    }
    found->items[found->n++] = at;
    return OK;
}

enum code jsonpath_walk(struct path *p, const struct step *s, const struct json *at, struct found *found)
{
    if (++p->n_seen > LIMIT_RIVER_JSONPATH_STEPS)
        return error_set(p->err, INVALID, "the path looks at more than %d nodes", LIMIT_RIVER_JSONPATH_STEPS);
    if (s == NULL)
        return keep(p, at, found);
    switch (s->kind) {
    case STEP_CHOSEN:
        return walk_chosen(p, s, at, found);
    case STEP_ALL:
    case STEP_FILTER:
        return walk_children(p, s, at, found);
    case STEP_SLICE:
        return walk_slice(p, s, at, found);
    case STEP_DESCEND:
        break;
    }
    return walk_below(p, s, at, true, found);
}

static enum code parse_path(struct path *p, struct step **out)
{
    enum code rc = OK;

    if (jsonpath_peek(p) == '$' || jsonpath_peek(p) == '@')
        p->rest = slice_from(p->rest, 1);
    else if (is_name_char(jsonpath_peek(p)) ||
             jsonpath_peek(p) == '*') { /* "a.b" and "*.b" stand for "$.a.b", "$.*.b" */
        struct step **tail = out;

        *out = NULL;
        rc = parse_name(p, &tail);
        out = tail;
    }
    if (rc == OK)
        rc = jsonpath_steps(p, out);
    if (rc == OK && p->rest.len != 0)
        rc = jsonpath_syntax(p, "unexpected character");
    return rc;
}

enum code jsonpath_get(struct arena *arena, struct slice json, struct slice path, struct value *out, struct error *err)
{
    struct path p = {.arena = arena, .all = path, .rest = path, .err = err};
    struct found found = {0};
    struct step *steps = NULL;
    struct value *items;
    struct json root;
    enum code rc = parse_path(&p, &steps);

    if (rc == OK)
        rc = json_parse(arena, json, &root, err);
    p.root = &root;
    if (rc == OK && path.len != 0)
        rc = jsonpath_walk(&p, steps, &root, &found);
    items = rc == OK ? arena_try_array(arena, found.n, sizeof *items) : NULL;
    if (rc == OK && items == NULL)
        rc = error_set(err, NOMEM, "no memory left for what the path finds");
    for (size_t i = 0; i < found.n && rc == OK; i++) {
        rc = value_from_json(arena, found.items[i], true, &items[i]);
        if (rc != OK)
            (void)error_set(err, rc,
                            rc == NOMEM ? "no memory left for what the path finds" : "a number is out of range");
    }
    *out = value_array(items, rc == OK ? found.n : 0);
    filters_free(&p);
    return rc == OK || rc == NOMEM ? rc : INVALID;
}
