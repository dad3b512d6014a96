#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/text/jmespath_int.h"

enum token_kind {
    TOK_END,
    TOK_NAME,
    TOK_QUOTED,
    TOK_NUMBER,
    TOK_LITERAL,
    TOK_STAR,
    TOK_DOT,
    TOK_FILTER,  /* [? */
    TOK_FLATTEN, /* [] */
    TOK_LBRACKET,
    TOK_RBRACKET,
    TOK_LBRACE,
    TOK_RBRACE,
    TOK_LPAREN,
    TOK_RPAREN,
    TOK_COMMA,
    TOK_COLON,
    TOK_CURRENT,
    TOK_REFERENCE,
    TOK_PIPE,
    TOK_OR,
    TOK_AND,
    TOK_NOT,
    TOK_EQ,
    TOK_NE,
    TOK_LT,
    TOK_LE,
    TOK_GT,
    TOK_GE,
};

enum { POWER_STOP = 10, MAX_HEIGHT = 4 * LIMIT_JMESPATH_DEPTH };

/* How tightly a token binds to what is on its left; below POWER_STOP it ends a projection. */
static const unsigned power[] = {
    [TOK_PIPE] = 1, [TOK_OR] = 2,   [TOK_AND] = 3,     [TOK_EQ] = 5,        [TOK_NE] = 5,      [TOK_LT] = 5,
    [TOK_LE] = 5,   [TOK_GT] = 5,   [TOK_GE] = 5,      [TOK_FLATTEN] = 9,   [TOK_STAR] = 20,   [TOK_FILTER] = 21,
    [TOK_DOT] = 40, [TOK_NOT] = 45, [TOK_LBRACE] = 50, [TOK_LBRACKET] = 55, [TOK_LPAREN] = 60,
};

struct token {
    enum token_kind kind;
    struct slice text; /* of NAME, QUOTED (decoded) */
    int64_t number;
    struct json literal;
};

struct parser {
    struct arena *arena;
    const char *start, *at, *end;
    struct token token; /* the one not yet taken */
    const char *token_at;
    unsigned depth;
    struct error *err;
};

static enum code fail(struct parser *p, const char *what)
{
    return error_set(p->err, INVALID, "jmespath: byte %zu: %s", (size_t)(p->token_at - p->start), what);
}

/* ---- tokens ---- */

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* From p->at (the opening quote) to the closing one; \quote does not close. */
static enum code take_delimited(struct parser *p, char quote, struct slice *out)
{
    const char *from = ++p->at;

    while (p->at < p->end && *p->at != quote)
        p->at += *p->at == '\\' && p->at + 1 < p->end ? 2 : 1;
    if (p->at >= p->end)
        return fail(p, "a quote does not end");
    *out = slice_make(from, (size_t)(p->at++ - from));
    return OK;
}

/* Removes the backslash before each quote; other escapes stay. */
static struct slice without_escaped(struct parser *p, struct slice s, char quote)
{
    char *copy = arena_alloc(p->arena, s.len + 1), *to = copy;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 1 < s.len && s.ptr[i + 1] == quote)
            i++;
        *to++ = s.ptr[i];
    }
    return slice_make(copy, (size_t)(to - copy));
}

static enum code next_quoted(struct parser *p)
{
    const char *from = p->at;
    struct slice text;
    struct json j;
    enum code rc = take_delimited(p, '"', &text);

    if (rc == OK && json_parse(p->arena, slice_make(from, (size_t)(p->at - from)), &j, NULL) != OK)
        rc = fail(p, "bad quoted identifier");
    if (rc == OK)
        p->token.text = j.text;
    p->token.kind = TOK_QUOTED;
    return rc;
}

static enum code next_literal(struct parser *p)
{
    bool is_raw = *p->at == '\'';
    struct slice text;
    enum code rc = take_delimited(p, *p->at, &text);

    p->token.kind = TOK_LITERAL;
    if (rc != OK)
        return rc;
    text = without_escaped(p, text, is_raw ? '\'' : '`');
    if (is_raw)
        p->token.literal = (struct json){.type = JSON_STRING, .text = text};
    else if (json_parse(p->arena, text, &p->token.literal, NULL) != OK)
        return fail(p, "a `literal` is not JSON");
    return OK;
}

static enum code next_number(struct parser *p)
{
    const char *from = p->at++;

    while (p->at < p->end && is_digit(*p->at))
        p->at++;
    p->token.kind = TOK_NUMBER;
    if (!slice_to_i64(slice_make(from, (size_t)(p->at - from)), &p->token.number))
        return fail(p, "bad number");
    return OK;
}

static enum code next_sign(struct parser *p)
{
    static const struct {
        const char *text;
        enum token_kind kind;
    } signs[] = {
        {"[?", TOK_FILTER}, {"[]", TOK_FLATTEN}, {"[", TOK_LBRACKET},  {"]", TOK_RBRACKET}, {"{", TOK_LBRACE},
        {"}", TOK_RBRACE},  {"(", TOK_LPAREN},   {")", TOK_RPAREN},    {",", TOK_COMMA},    {":", TOK_COLON},
        {"@", TOK_CURRENT}, {"&&", TOK_AND},     {"&", TOK_REFERENCE}, {"||", TOK_OR},      {"|", TOK_PIPE},
        {"==", TOK_EQ},     {"!=", TOK_NE},      {"!", TOK_NOT},       {"<=", TOK_LE},      {"<", TOK_LT},
        {">=", TOK_GE},     {">", TOK_GT},       {"*", TOK_STAR},      {".", TOK_DOT},
    };
    struct slice rest = slice_make(p->at, (size_t)(p->end - p->at));

    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (slice_starts(rest, slice_str(signs[i].text))) {
            p->token.kind = signs[i].kind;
            p->at += strlen(signs[i].text);
            return OK;
        }
    }
    return fail(p, "unexpected character");
}

static enum code advance(struct parser *p)
{
    const char *from;

    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
        p->at++;
    from = p->token_at = p->at;
    p->token = (struct token){.kind = TOK_END};
    if (p->at >= p->end)
        return OK;
    if (is_name_start(*p->at)) {
        while (p->at < p->end && (is_name_start(*p->at) || is_digit(*p->at)))
            p->at++;
        p->token.kind = TOK_NAME;
        p->token.text = slice_make(from, (size_t)(p->at - from));
        return OK;
    }
    if (*p->at == '"')
        return next_quoted(p);
    if (*p->at == '`' || *p->at == '\'')
        return next_literal(p);
    if (is_digit(*p->at) || *p->at == '-')
        return next_number(p);
    return next_sign(p);
}

static enum code expect(struct parser *p, enum token_kind kind, const char *what)
{
    return p->token.kind == kind ? advance(p) : fail(p, what);
}

/* ---- tree ---- */

static struct jnode *node(struct parser *p, enum jnode_kind kind, struct jnode *left, struct jnode *right)
{
    struct jnode *n = arena_zalloc(p->arena, sizeof *n);

    n->kind = kind;
    n->left = left;
    n->right = right;
    n->height = 1;
    if (left != NULL && left->height >= n->height)
        n->height = left->height + 1;
    if (right != NULL && right->height >= n->height)
        n->height = right->height + 1;
    return n;
}

static enum code parse_expression(struct parser *p, unsigned binding, struct jnode **out);

static void adopt(struct jnode *parent, struct jnode ***tail, struct jnode *item)
{
    **tail = item;
    *tail = &item->next;
    if (item->height >= parent->height)
        parent->height = item->height + 1;
}

/* After '[' of a list, '(' of a call: items up to and with the closing token. */
static enum code parse_items(struct parser *p, struct jnode *parent, enum token_kind close)
{
    struct jnode **tail = &parent->items;
    enum code rc = OK;

    if (close == TOK_RPAREN && p->token.kind == close)
        return advance(p);
    for (;;) {
        struct jnode *item;

        rc = parse_expression(p, 0, &item);
        if (rc != OK)
            return rc;
        adopt(parent, &tail, item);
        if (p->token.kind != TOK_COMMA)
            return expect(p, close, close == TOK_RPAREN ? "',' or ')' is due" : "',' or ']' is due");
        rc = advance(p);
        if (rc != OK)
            return rc;
    }
}

/* After '{'. */
static enum code parse_hash(struct parser *p, struct jnode **out)
{
    struct jnode **tail;

    *out = node(p, JNODE_HASH, NULL, NULL);
    tail = &(*out)->items;
    for (;;) {
        struct slice name = p->token.text;
        struct jnode *item;
        enum code rc;

        if (p->token.kind != TOK_NAME && p->token.kind != TOK_QUOTED)
            return fail(p, "a key is due");
        rc = advance(p);
        if (rc == OK)
            rc = expect(p, TOK_COLON, "':' is due");
        if (rc == OK)
            rc = parse_expression(p, 0, &item);
        if (rc != OK)
            return rc;
        item = node(p, JNODE_CHAIN, item, node(p, JNODE_CURRENT, NULL, NULL)); /* the name is the entry's own */
        item->name = name;
        adopt(*out, &tail, item);
        if (p->token.kind != TOK_COMMA)
            return expect(p, TOK_RBRACE, "',' or '}' is due");
        rc = advance(p);
        if (rc != OK)
            return rc;
    }
}

static enum code parse_dot(struct parser *p, unsigned binding, struct jnode **out)
{
    enum code rc;

    switch ((unsigned)p->token.kind) {
    case TOK_NAME:
    case TOK_QUOTED:
    case TOK_STAR:
        return parse_expression(p, binding, out);
    case TOK_LBRACKET:
        rc = advance(p);
        *out = node(p, JNODE_LIST, NULL, NULL);
        return rc == OK ? parse_items(p, *out, TOK_RBRACKET) : rc;
    case TOK_LBRACE:
        rc = advance(p);
        return rc == OK ? parse_hash(p, out) : rc;
    default:
        return fail(p, "an identifier, '*', '[' or '{' is due after '.'");
    }
}

/* What a projection applies to each element. */
static enum code parse_projected(struct parser *p, unsigned binding, struct jnode **out)
{
    enum code rc;

    if (power[p->token.kind < sizeof power / sizeof *power ? p->token.kind : 0] < POWER_STOP) {
        *out = node(p, JNODE_CURRENT, NULL, NULL);
        return OK;
    }
    if (p->token.kind == TOK_LBRACKET || p->token.kind == TOK_FILTER)
        return parse_expression(p, binding, out);
    if (p->token.kind != TOK_DOT)
        return fail(p, "unexpected token after a projection");
    rc = advance(p);
    return rc == OK ? parse_dot(p, binding, out) : rc;
}

static enum code project(struct parser *p, enum jnode_kind kind, struct jnode *left, unsigned binding,
                         struct jnode **out)
{
    struct jnode *right;
    enum code rc = parse_projected(p, binding, &right);

    if (rc == OK)
        *out = node(p, kind, left, right);
    return rc;
}

/* After "[?". */
static enum code parse_filter(struct parser *p, struct jnode *left, struct jnode **out)
{
    struct jnode *condition;
    enum code rc = parse_expression(p, 0, &condition);

    if (rc == OK)
        rc = expect(p, TOK_RBRACKET, "']' is due after a filter");
    if (rc == OK)
        rc = project(p, JNODE_FILTER, left, power[TOK_FILTER], out);
    if (rc != OK)
        return rc;
    (*out)->condition = condition;
    if (condition->height >= (*out)->height)
        (*out)->height = condition->height + 1;
    return OK;
}

/* At a number or ':' after '[': an index, or start:stop:step. */
static enum code parse_index(struct parser *p, struct jnode *left, struct jnode **out)
{
    struct jnode *n = node(p, JNODE_INDEX, NULL, NULL);
    int64_t parts[3] = {0, 0, 1};
    bool has[3] = {false, false, false};
    size_t at = 0;
    enum code rc = OK;

    while (rc == OK && p->token.kind != TOK_RBRACKET) {
        if (p->token.kind == TOK_COLON && at < 2)
            at++;
        else if (p->token.kind == TOK_NUMBER && !has[at]) {
            parts[at] = p->token.number;
            has[at] = true;
        } else
            return fail(p, "bad index or slice");
        rc = advance(p);
    }
    if (rc == OK)
        rc = advance(p);
    if (rc != OK)
        return rc;
    n->index = parts[0];
    *out = node(p, JNODE_CHAIN, left, n);
    if (at == 0)
        return OK;
    if (parts[2] == 0)
        return fail(p, "a slice's step cannot be 0");
    n->kind = JNODE_SLICE;
    n->to = parts[1];
    n->step = parts[2];
    n->has_index = has[0];
    n->has_to = has[1];
    return project(p, JNODE_PROJECT, *out, power[TOK_STAR], out);
}

/* After '['. As a prefix it can also start a list of expressions. */
static enum code parse_bracket(struct parser *p, struct jnode *left, struct jnode **out)
{
    struct parser before = *p;
    bool is_prefix = left == NULL;
    enum code rc;

    if (is_prefix)
        left = node(p, JNODE_CURRENT, NULL, NULL);
    if (p->token.kind == TOK_NUMBER || p->token.kind == TOK_COLON)
        return parse_index(p, left, out);
    if (p->token.kind == TOK_STAR) {
        rc = advance(p);
        if (rc == OK && p->token.kind == TOK_RBRACKET) {
            rc = advance(p);
            return rc == OK ? project(p, JNODE_PROJECT, left, power[TOK_STAR], out) : rc;
        }
        *p = before;
    }
    if (!is_prefix)
        return fail(p, "a number, ':' or '*' is due");
    *out = node(p, JNODE_LIST, NULL, NULL);
    return parse_items(p, *out, TOK_RBRACKET);
}

static enum code parse_flatten(struct parser *p, struct jnode *left, struct jnode **out)
{
    return project(p, JNODE_PROJECT, node(p, JNODE_FLATTEN, left, NULL), power[TOK_FLATTEN], out);
}

static enum code parse_prefix(struct parser *p, struct jnode **out)
{
    struct token t = p->token;
    enum code rc = advance(p);

    if (rc != OK)
        return rc;
    *out = node(p, JNODE_CURRENT, NULL, NULL);
    switch ((unsigned)t.kind) {
    case TOK_CURRENT:
        return OK;
    case TOK_LITERAL:
        (*out)->kind = JNODE_LITERAL;
        (*out)->literal = t.literal;
        return OK;
    case TOK_NAME:
    case TOK_QUOTED:
        (*out)->kind = JNODE_FIELD;
        (*out)->name = t.text;
        if (t.kind == TOK_QUOTED && p->token.kind == TOK_LPAREN)
            return fail(p, "a quoted identifier is no function");
        return OK;
    case TOK_STAR:
        return project(p, JNODE_PROJECT_VALUES, *out, power[TOK_STAR], out);
    case TOK_FILTER:
        return parse_filter(p, *out, out);
    case TOK_LBRACE:
        return parse_hash(p, out);
    case TOK_FLATTEN:
        return parse_flatten(p, *out, out);
    case TOK_LBRACKET:
        return parse_bracket(p, NULL, out);
    case TOK_REFERENCE:
    case TOK_NOT:
        rc = parse_expression(p, t.kind == TOK_NOT ? power[TOK_NOT] : 0, out);
        if (rc == OK)
            *out = node(p, t.kind == TOK_NOT ? JNODE_NOT : JNODE_REFERENCE, *out, NULL);
        return rc;
    case TOK_LPAREN:
        rc = parse_expression(p, 0, out);
        return rc == OK ? expect(p, TOK_RPAREN, "')' is due") : rc;
    default:
        return fail(p, t.kind == TOK_END ? "the expression ends too early" : "unexpected token");
    }
}

static enum code parse_call(struct parser *p, struct jnode *left, struct jnode **out)
{
    struct jnode *call = node(p, JNODE_CALL, NULL, NULL);
    size_t n = 0;
    enum code rc;

    if (left->kind != JNODE_FIELD)
        return fail(p, "only a name can be called");
    call->function = jmespath_function(left->name);
    if (call->function == NULL)
        return error_set(p->err, INVALID, "jmespath: no such function: %.*s", (int)slice_head(left->name, 64).len,
                         left->name.ptr);
    rc = parse_items(p, call, TOK_RPAREN);
    for (const struct jnode *item = call->items; rc == OK && item != NULL; item = item->next)
        n++;
    if (rc == OK && (n < call->function->min || n > call->function->max))
        return error_set(p->err, INVALID, "jmespath: %s() does not take %zu arguments", call->function->name, n);
    *out = call;
    return rc;
}

static enum code parse_infix(struct parser *p, struct jnode *left, struct jnode **out)
{
    static const enum jnode_kind binary[] = {
        [TOK_PIPE] = JNODE_CHAIN, [TOK_OR] = JNODE_OR, [TOK_AND] = JNODE_AND, [TOK_EQ] = JNODE_EQ, [TOK_NE] = JNODE_NE,
        [TOK_LT] = JNODE_LT,      [TOK_LE] = JNODE_LE, [TOK_GT] = JNODE_GT,   [TOK_GE] = JNODE_GE,
    };
    enum token_kind kind = p->token.kind;
    struct jnode *right;
    enum code rc = advance(p);

    if (rc != OK)
        return rc;
    switch ((unsigned)kind) {
    case TOK_DOT:
        if (p->token.kind == TOK_STAR) {
            rc = advance(p);
            return rc == OK ? project(p, JNODE_PROJECT_VALUES, left, power[TOK_STAR], out) : rc;
        }
        rc = parse_dot(p, power[TOK_DOT], &right);
        if (rc == OK)
            *out = node(p, JNODE_CHAIN, left, right);
        return rc;
    case TOK_FILTER:
        return parse_filter(p, left, out);
    case TOK_FLATTEN:
        return parse_flatten(p, left, out);
    case TOK_LBRACKET:
        return parse_bracket(p, left, out);
    case TOK_LPAREN:
        return parse_call(p, left, out);
    case TOK_PIPE:
    case TOK_OR:
    case TOK_AND:
    case TOK_EQ:
    case TOK_NE:
    case TOK_LT:
    case TOK_LE:
    case TOK_GT:
    case TOK_GE:
        rc = parse_expression(p, power[kind], &right);
        if (rc == OK)
            *out = node(p, binary[kind], left, right);
        return rc;
    default:
        return fail(p, "unexpected token");
    }
}

static unsigned power_of(enum token_kind kind)
{
    return kind < sizeof power / sizeof *power ? power[kind] : 0;
}

static enum code parse_expression(struct parser *p, unsigned binding, struct jnode **out)
{
    enum code rc;

    if (++p->depth > LIMIT_JMESPATH_DEPTH)
        return error_set(p->err, FULL, "jmespath: nested deeper than %d", LIMIT_JMESPATH_DEPTH);
    rc = parse_prefix(p, out);
    while (rc == OK && binding < power_of(p->token.kind)) {
        rc = parse_infix(p, *out, out);
        if (rc == OK && (*out)->height > MAX_HEIGHT)
            rc = error_set(p->err, FULL, "jmespath: more than %d steps in one chain", MAX_HEIGHT);
    }
    p->depth--;
    return rc;
}

/* A reference is only an argument of a call (specification, "expression types"). */
static bool has_stray_reference(const struct jnode *n, bool is_argument)
{
    if (n == NULL)
        return false;
    if ((n->kind == JNODE_REFERENCE && !is_argument) || has_stray_reference(n->left, false) ||
        has_stray_reference(n->right, false) || has_stray_reference(n->condition, false))
        return true;
    for (const struct jnode *item = n->items; item != NULL; item = item->next) {
        if (has_stray_reference(item, n->kind == JNODE_CALL))
            return true;
    }
    return false;
}

enum code jmespath_compile(struct jmespath **out, struct slice expression, struct error *err)
{
    struct jmespath *j;
    struct parser p = {.err = err}; /* the tree lives on the arena, so a failure leaves nothing behind */
    enum code rc;

    *out = NULL;
    if (expression.len > LIMIT_JMESPATH_BYTES)
        return error_set(err, FULL, "jmespath: an expression of %zu bytes, at most %d are taken", expression.len,
                         LIMIT_JMESPATH_BYTES);
    j = mem_zalloc(sizeof *j);
    arena_init(&j->arena, 0);
    p.arena = &j->arena;
    p.start = p.at = arena_strndup(&j->arena, expression);
    p.end = p.start + expression.len;
    rc = advance(&p);
    if (rc == OK)
        rc = parse_expression(&p, 0, &j->root);
    if (rc == OK && p.token.kind != TOK_END)
        rc = fail(&p, "unexpected token");
    if (rc == OK && has_stray_reference(j->root, false))
        rc = fail(&p, "'&' is only for arguments");
    if (rc == OK)
        *out = j;
    else
        jmespath_free(j);
    return rc;
}

void jmespath_free(struct jmespath *j)
{
    if (j == NULL)
        return;
    arena_release(&j->arena);
    mem_free(j);
}

struct slice jmespath_plain_name(const struct jmespath *j)
{
    return j->root->kind == JNODE_FIELD ? j->root->name : slice_make(NULL, 0);
}
