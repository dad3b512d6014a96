/* JSONPath as json_path takes it: $ . .. [] * unions slices and filters with comparisons. */
#include "agent/base/limits.h"
#include "agent/river/stdlib_int.h"
#include "agent/text/json.h"
#include "agent/text/regex.h"

enum { MOST_PARTS = 16, MOST_PIECES = 256, MOST_DEPTH = 16 };

enum step_kind { STEP_NAMES, STEP_INDEXES, STEP_ALL, STEP_SLICE, STEP_FILTER, STEP_DESCEND };

struct node;

struct step {
    struct step *next;
    enum step_kind kind;
    struct slice names[MOST_PARTS];
    int64_t indexes[MOST_PARTS]; /* SLICE: from, to, by */
    size_t n;
    bool has_to;
    struct node *filter;
};

enum node_kind { NODE_VALUE, NODE_PATH, NODE_AND, NODE_OR, NODE_NOT, NODE_COMPARE, NODE_MATCH, NODE_IN };
enum comparison { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE };

/* Of a filter's expression. */
struct node {
    enum node_kind kind;
    enum comparison comparison;
    struct node *left, *right;
    struct json value;   /* VALUE; IN: a list on the right */
    struct step *steps;  /* PATH */
    bool is_root;        /* PATH from $, not @ */
    struct regex *regex; /* MATCH: owned */
    struct node *next_match;
};

struct path {
    struct arena *arena;
    struct slice all, rest; /* rest is still to be read */
    size_t n_pieces;        /* steps and nodes made */
    unsigned depth;
    struct node *matches; /* all with a regex, to be freed */
    struct error *err;
    const struct json *root;
    size_t n_seen; /* nodes looked at */
};

struct found {
    const struct json **items; /* arena */
    size_t n, cap;
    bool only_first;
};

static enum code syntax(struct path *p, const char *text)
{
    return error_set(p->err, INVALID, "%s at byte %zu of the path", text, p->all.len - p->rest.len + 1);
}

static char peek(const struct path *p)
{
    return p->rest.len != 0 ? p->rest.ptr[0] : '\0';
}

static bool take(struct path *p, const char *text)
{
    if (!slice_starts(p->rest, slice_str(text)))
        return false;
    p->rest = slice_from(p->rest, strlen(text));
    return true;
}

static void skip_space(struct path *p)
{
    while (peek(p) == ' ')
        p->rest = slice_from(p->rest, 1);
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
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

/* 'a' or "a"; a backslash takes the next character as it is. */
static enum code take_quoted(struct path *p, struct slice *out)
{
    char quote = peek(p), *text = arena_try_alloc(p->arena, p->rest.len);
    size_t n = 0;

    if (text == NULL)
        return error_set(p->err, NOMEM, "no memory left");
    for (p->rest = slice_from(p->rest, 1); p->rest.len != 0; p->rest = slice_from(p->rest, 1)) {
        if (peek(p) == quote) {
            p->rest = slice_from(p->rest, 1);
            *out = slice_make(text, n);
            return OK;
        }
        if (peek(p) == '\\' && p->rest.len > 1)
            p->rest = slice_from(p->rest, 1);
        text[n++] = peek(p);
    }
    return syntax(p, "a quote is not closed");
}

static bool take_int(struct path *p, int64_t *out)
{
    size_t n = peek(p) == '-';

    while (n < p->rest.len && n < 19 && p->rest.ptr[n] >= '0' && p->rest.ptr[n] <= '9')
        n++;
    if (!slice_to_i64(slice_head(p->rest, n), out))
        return false;
    p->rest = slice_from(p->rest, n);
    return true;
}

static void *new_piece(struct path *p, size_t size)
{
    void *piece = p->n_pieces < MOST_PIECES ? arena_try_array(p->arena, 1, size) : NULL;

    p->n_pieces++;
    if (piece == NULL)
        (void)error_set(p->err, INVALID, "the path is too long");
    return piece;
}

static struct step *add_step(struct path *p, struct step ***tail, enum step_kind kind)
{
    struct step *s = new_piece(p, sizeof *s);

    if (s != NULL) {
        s->kind = kind;
        **tail = s;
        *tail = &s->next;
    }
    return s;
}

static enum code parse_or(struct path *p, struct node **out);

/* --- brackets --- */

static enum code parse_slice(struct path *p, struct step *s, bool has_from)
{
    s->kind = STEP_SLICE;
    if (!has_from)
        s->indexes[0] = 0;
    s->indexes[2] = 1;
    (void)take(p, ":");
    s->has_to = take_int(p, &s->indexes[1]);
    if (take(p, ":") && peek(p) != ']' && !take_int(p, &s->indexes[2]))
        return syntax(p, "expected a number");
    return s->indexes[2] > 0 ? OK : syntax(p, "only steps above zero are supported in a slice");
}

static enum code parse_union(struct path *p, struct step *s)
{
    enum code rc = OK;

    for (;;) {
        skip_space(p);
        if (s->n == MOST_PARTS)
            return syntax(p, "too many parts");
        if (peek(p) == '\'' || peek(p) == '"')
            rc = take_quoted(p, &s->names[s->n]);
        else if (!take_int(p, &s->indexes[s->n]))
            rc = peek(p) == ':' && s->n == 0 ? parse_slice(p, s, false) : syntax(p, "expected a name, a number or *");
        else if (peek(p) == ':' && s->n == 0)
            rc = parse_slice(p, s, true);
        if (rc != OK || s->kind == STEP_SLICE)
            return rc;
        if (s->n == 0)
            s->kind = s->names[0].ptr != NULL ? STEP_NAMES : STEP_INDEXES;
        if ((s->kind == STEP_NAMES) != (s->names[s->n].ptr != NULL))
            return syntax(p, "names and numbers do not mix");
        s->n++;
        skip_space(p);
        if (!take(p, ","))
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
    skip_space(p);
    if (take(p, "?")) {
        s->kind = STEP_FILTER;
        rc = parse_or(p, &s->filter);
    } else if (!take(p, "*")) {
        rc = parse_union(p, s);
    }
    skip_space(p);
    return rc == OK && !take(p, "]") ? syntax(p, "expected ]") : rc;
}

static enum code parse_name(struct path *p, struct step ***tail)
{
    struct step *s;

    if (take(p, "*"))
        return add_step(p, tail, STEP_ALL) != NULL ? OK : INVALID;
    if (!is_name_char(peek(p)))
        return syntax(p, "expected a name");
    s = add_step(p, tail, STEP_NAMES);
    if (s == NULL)
        return INVALID;
    s->names[s->n++] = take_name(p);
    return OK;
}

static enum code parse_steps(struct path *p, struct step **out)
{
    struct step **tail = out;
    enum code rc = OK;

    *out = NULL;
    while (rc == OK && p->rest.len != 0) {
        if (take(p, "..")) {
            if (add_step(p, &tail, STEP_DESCEND) == NULL)
                return INVALID;
            rc = take(p, "[") ? parse_bracket(p, &tail) : parse_name(p, &tail);
        } else if (take(p, ".")) {
            rc = parse_name(p, &tail);
        } else if (take(p, "[")) {
            rc = parse_bracket(p, &tail);
        } else {
            break;
        }
    }
    return rc;
}

/* --- filters --- */

static enum code new_node(struct path *p, enum node_kind kind, struct node *left, struct node **out)
{
    *out = new_piece(p, sizeof **out);
    if (*out == NULL)
        return INVALID;
    (*out)->kind = kind;
    (*out)->left = left;
    return OK;
}

/* A number, text, true, false, null or list, in JSON or with single quotes. */
static enum code parse_literal(struct path *p, struct node **out)
{
    size_t used;
    enum code rc = new_node(p, NODE_VALUE, NULL, out);

    if (rc != OK)
        return rc;
    if (peek(p) == '\'') {
        (*out)->value.type = JSON_STRING;
        return take_quoted(p, &(*out)->value.text);
    }
    rc = json_parse_prefix(p->arena, p->rest, &(*out)->value, &used, p->err);
    if (rc == OK)
        p->rest = slice_from(p->rest, used);
    return rc;
}

static enum code parse_operand(struct path *p, struct node **out)
{
    enum code rc;

    skip_space(p);
    if (take(p, "(")) {
        if (p->depth == MOST_DEPTH)
            return syntax(p, "nested too deeply");
        p->depth++;
        rc = parse_or(p, out);
        p->depth--;
        skip_space(p);
        return rc == OK && !take(p, ")") ? syntax(p, "expected )") : rc;
    }
    if (peek(p) != '@' && peek(p) != '$')
        return parse_literal(p, out);
    rc = new_node(p, NODE_PATH, NULL, out);
    if (rc != OK)
        return rc;
    (*out)->is_root = peek(p) == '$';
    p->rest = slice_from(p->rest, 1);
    if (p->depth == MOST_DEPTH)
        return syntax(p, "nested too deeply");
    p->depth++;
    rc = parse_steps(p, &(*out)->steps);
    p->depth--;
    return rc;
}

/* "=~ /pattern/" or a quoted pattern. */
static enum code parse_match(struct path *p, struct node *left, struct node **out)
{
    struct slice pattern;
    enum code rc = new_node(p, NODE_MATCH, left, out);

    if (rc != OK)
        return rc;
    skip_space(p);
    if (take(p, "/")) {
        pattern = slice_head(p->rest, slice_find(p->rest, '/'));
        p->rest = slice_from(p->rest, pattern.len);
        if (!take(p, "/"))
            return syntax(p, "the pattern is not closed");
    } else if (peek(p) != '\'' && peek(p) != '"') {
        return syntax(p, "expected a pattern");
    } else {
        rc = take_quoted(p, &pattern);
        if (rc != OK)
            return rc;
    }
    rc = regex_compile(&(*out)->regex, pattern, REGEX_PLAIN, p->err);
    if (rc == OK) {
        (*out)->next_match = p->matches;
        p->matches = *out;
    }
    return rc == OK ? OK : INVALID;
}

static enum code parse_compare(struct path *p, struct node **out)
{
    static const struct {
        const char *text;
        enum comparison comparison;
    } table[] = {{"==", CMP_EQ}, {"!=", CMP_NE}, {"<=", CMP_LE}, {">=", CMP_GE}, {"<", CMP_LT}, {">", CMP_GT}};
    struct node *left;
    enum code rc;

    skip_space(p);
    if (peek(p) == '!' && !slice_starts(p->rest, SLICE_LIT("!="))) {
        p->rest = slice_from(p->rest, 1);
        rc = parse_operand(p, &left);
        return rc == OK ? new_node(p, NODE_NOT, left, out) : rc;
    }
    rc = parse_operand(p, out);
    skip_space(p);
    if (rc != OK)
        return rc;
    left = *out;
    if (take(p, "=~"))
        return parse_match(p, left, out);
    if (take(p, "in ")) {
        rc = new_node(p, NODE_IN, left, out);
        return rc == OK ? parse_operand(p, &(*out)->right) : rc;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (!take(p, table[i].text))
            continue;
        rc = new_node(p, NODE_COMPARE, left, out);
        if (rc != OK)
            return rc;
        (*out)->comparison = table[i].comparison;
        return parse_operand(p, &(*out)->right);
    }
    return OK;
}

static enum code parse_and(struct path *p, struct node **out)
{
    enum code rc = parse_compare(p, out);

    skip_space(p);
    while (rc == OK && take(p, "&&")) {
        struct node *left = *out;

        rc = new_node(p, NODE_AND, left, out);
        if (rc == OK)
            rc = parse_compare(p, &(*out)->right);
        skip_space(p);
    }
    return rc;
}

static enum code parse_or(struct path *p, struct node **out)
{
    enum code rc = parse_and(p, out);

    skip_space(p);
    while (rc == OK && take(p, "||")) {
        struct node *left = *out;

        rc = new_node(p, NODE_OR, left, out);
        if (rc == OK)
            rc = parse_and(p, &(*out)->right);
        skip_space(p);
    }
    return rc;
}

/* --- walking --- */

static enum code walk(struct path *p, const struct step *s, const struct json *at, struct found *found);

/* The first thing a path finds; a value as it is. NULL: nothing. */
static enum code operand_value(struct path *p, const struct node *n, const struct json *at, const struct json **out)
{
    struct found first = {.only_first = true};
    enum code rc;

    *out = NULL;
    if (n->kind == NODE_VALUE) {
        *out = &n->value;
        return OK;
    }
    if (n->kind != NODE_PATH)
        return OK;
    rc = walk(p, n->steps, n->is_root ? p->root : at, &first);
    if (rc == OK && first.n != 0)
        *out = first.items[0];
    return rc;
}

static bool compare(enum comparison comparison, const struct json *a, const struct json *b)
{
    double x, y;
    int order;

    if (comparison == CMP_EQ || comparison == CMP_NE)
        return (a != NULL && b != NULL && json_equal(a, b)) == (comparison == CMP_EQ);
    if (a == NULL || b == NULL || a->type != b->type)
        return false;
    if (a->type == JSON_STRING)
        order = slice_cmp(a->text, b->text);
    else if (json_as_f64(a, &x) && json_as_f64(b, &y))
        order = x < y ? -1 : x > y;
    else
        return false;
    if (comparison == CMP_LT || comparison == CMP_LE)
        return order < 0 || (order == 0 && comparison == CMP_LE);
    return order > 0 || (order == 0 && comparison == CMP_GE);
}

static bool is_in(const struct json *a, const struct json *list)
{
    for (size_t i = 0; a != NULL && list != NULL && list->type == JSON_ARRAY && i < list->array.n; i++) {
        if (json_equal(a, &list->array.items[i]))
            return true;
    }
    return false;
}

static enum code holds(struct path *p, const struct node *n, const struct json *at, bool *out)
{
    const struct json *a, *b = NULL;
    enum code rc;

    if (n->kind == NODE_AND || n->kind == NODE_OR || n->kind == NODE_NOT) {
        rc = holds(p, n->left, at, out);
        if (n->kind == NODE_NOT)
            *out = !*out;
        else if (rc == OK && *out == (n->kind == NODE_AND))
            rc = holds(p, n->right, at, out);
        return rc;
    }
    rc = operand_value(p, n->kind == NODE_PATH || n->kind == NODE_VALUE ? n : n->left, at, &a);
    if (rc == OK && n->right != NULL)
        rc = operand_value(p, n->right, at, &b);
    if (n->kind == NODE_COMPARE)
        *out = compare(n->comparison, a, b);
    else if (n->kind == NODE_IN)
        *out = is_in(a, b);
    else if (n->kind == NODE_MATCH)
        *out = a != NULL && a->type == JSON_STRING && regex_is_match(n->regex, a->text);
    else
        *out = n->kind == NODE_VALUE ? a->type == JSON_BOOL && a->boolean : a != NULL;
    return rc;
}

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
            rc = holds(p, s->filter, child(at, i), &is_chosen);
        if (rc == OK && is_chosen)
            rc = walk(p, s->next, child(at, i), found);
    }
    return rc;
}

/* Every thing below, the deepest first, then the thing itself. */
static enum code walk_below(struct path *p, const struct step *s, const struct json *at, struct found *found)
{
    enum code rc = OK;

    for (size_t i = 0; i < count_children(at) && rc == OK; i++)
        rc = walk_below(p, s, child(at, i), found);
    return rc == OK ? walk(p, s->next, at, found) : rc;
}

static enum code walk_chosen(struct path *p, const struct step *s, const struct json *at, struct found *found)
{
    enum code rc = OK;

    for (size_t i = 0; i < s->n && rc == OK; i++) {
        const struct json *next = NULL;

        if (s->kind == STEP_NAMES) {
            next = json_get(at, s->names[i]);
        } else if (at->type == JSON_ARRAY) {
            int64_t n = (int64_t)at->array.n, k = s->indexes[i] < 0 ? s->indexes[i] + n : s->indexes[i];

            next = k >= 0 && k < n ? &at->array.items[k] : NULL;
        }
        if (next != NULL)
            rc = walk(p, s->next, next, found);
    }
    return rc;
}

static int64_t clamp(int64_t i, int64_t n)
{
    if (i < 0)
        i += n;
    return i < 0 ? 0 : i > n ? n : i;
}

static enum code walk_slice(struct path *p, const struct step *s, const struct json *at, struct found *found)
{
    int64_t n = at->type == JSON_ARRAY ? (int64_t)at->array.n : 0;
    int64_t to = s->has_to ? clamp(s->indexes[1], n) : n;
    enum code rc = OK;

    for (int64_t i = clamp(s->indexes[0], n); i < to && rc == OK; i += s->indexes[2]) {
        rc = walk(p, s->next, &at->array.items[i], found);
        if (s->indexes[2] > n)
            break;
    }
    return rc;
}

static enum code keep(struct path *p, const struct json *at, struct found *found)
{
    if (found->only_first && found->n != 0)
        return OK;
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

static enum code walk(struct path *p, const struct step *s, const struct json *at, struct found *found)
{
    if (++p->n_seen > LIMIT_RIVER_JSONPATH_STEPS)
        return error_set(p->err, INVALID, "the path looks at more than %d nodes", LIMIT_RIVER_JSONPATH_STEPS);
    if (s == NULL)
        return keep(p, at, found);
    switch (s->kind) {
    case STEP_NAMES:
    case STEP_INDEXES:
        return walk_chosen(p, s, at, found);
    case STEP_ALL:
    case STEP_FILTER:
        return walk_children(p, s, at, found);
    case STEP_SLICE:
        return walk_slice(p, s, at, found);
    case STEP_DESCEND:
        break;
    }
    return walk_below(p, s, at, found);
}

static enum code parse_path(struct path *p, struct step **out)
{
    enum code rc = OK;

    if (peek(p) == '$' || peek(p) == '@')
        p->rest = slice_from(p->rest, 1);
    else if (is_name_char(peek(p)) || peek(p) == '*') { /* "a.b" and "*.b" stand for "$.a.b", "$.*.b" */
        struct step **tail = out;

        *out = NULL;
        rc = parse_name(p, &tail);
        out = tail;
    }
    if (rc == OK)
        rc = parse_steps(p, out);
    if (rc == OK && p->rest.len != 0)
        rc = syntax(p, "unexpected character");
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
        rc = walk(&p, steps, &root, &found);
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
    for (struct node *n = p.matches; n != NULL; n = n->next_match)
        regex_free(n->regex);
    return rc == OK || rc == NOMEM ? rc : INVALID;
}
