/* Expressions. */
#include "agent/base/limits.h"
#include "agent/river/parser_int.h"

static struct expr *expr_new(struct parser *p, enum expr_kind kind, uint32_t start)
{
    struct expr *e = parser_count(p) ? parser_alloc(p, sizeof *e) : NULL;

    if (e != NULL) {
        e->kind = kind;
        e->span = (struct span){start, p->last_end};
        e->height = 1;
    }
    return e;
}

/* e stands on top of below, which may be NULL. NULL when the tree gets too high. */
static struct expr *raise_over(struct parser *p, struct expr *e, const struct expr *below)
{
    if (e == NULL || below == NULL || below->height < e->height)
        return e;
    if (below->height >= LIMIT_RIVER_HEIGHT) {
        parser_fail(p, FULL, "this expression is too long: split it");
        return NULL;
    }
    e->height = below->height + 1;
    return e;
}

/* --- literals --- */

/* Go's base-0 reading of plain digits: a leading zero means octal. */
static bool octal(struct slice digits, uint64_t *out)
{
    uint64_t v = 0;

    for (size_t i = 1; i < digits.len; i++) {
        if (digits.ptr[i] > '7' || v > UINT64_MAX >> 3)
            return false;
        v = v << 3 | (uint64_t)(digits.ptr[i] - '0');
    }
    *out = v;
    return true;
}

static bool number_value(const struct token *t, struct value *out)
{
    uint64_t u;
    double f;

    if (t->kind == TOK_NUMBER) {
        bool is_octal = t->text.len > 1 && t->text.ptr[0] == '0';

        if (is_octal ? octal(t->text, &u) : slice_to_u64(t->text, &u)) {
            *out = value_uint(u);
            return true;
        }
    }
    if (!slice_to_f64(t->text, &f) || f > 1.7976931348623157e308)
        return false;
    *out = value_float(f);
    return true;
}

/* A number cut short ("1e") was reported by the lexer. */
static bool is_whole_number(struct slice text)
{
    char last = text.ptr[text.len - 1];

    return last == '.' || (last >= '0' && last <= '9');
}

static struct expr *literal(struct parser *p)
{
    struct token t = p->tok;
    struct value *v = parser_alloc(p, sizeof *v);
    struct expr *e;

    if (v == NULL)
        return NULL;
    if (t.kind == TOK_BOOL) {
        *v = value_bool(t.text.ptr[0] == 't');
    } else if (t.kind == TOK_STRING) {
        *v = value_string(lexer_unquote(p->arena, t.text));
        if (v->as.text.bytes.ptr == NULL) {
            parser_fail(p, NOMEM, "no memory left for this string");
            return NULL;
        }
    } else if (t.kind != TOK_NULL && !number_value(&t, v) && is_whole_number(t.text)) {
        diags_error(p->diags, p->source, t.span, "this number is out of range");
    }
    parser_next(p);
    e = expr_new(p, EXPR_LITERAL, t.span.start);
    if (e != NULL)
        e->as.literal = v;
    return e;
}

/* --- lists --- */

/* After an item: takes the comma. False at the end of the list. A newline without a comma is reported once and read
 * as if the comma were there, so that one missing comma is one error. */
static bool list_goes_on(struct parser *p, enum token_kind closer, bool *is_told)
{
    struct diag *d;

    if (p->tok.kind == TOK_COMMA) {
        parser_next(p);
        return p->tok.kind != closer && !parser_is_done(p);
    }
    if (p->tok.kind == closer)
        return false;
    if (p->tok.kind != TOK_TERMINATOR) {
        (void)parser_unexpected(p, closer == TOK_RBRACK   ? "expected \",\" or \"]\""
                                   : closer == TOK_RPAREN ? "expected \",\" or \")\""
                                                          : "expected \",\" or \"}\"");
        return false;
    }
    if (!*is_told) {
        struct span at = {p->last_end, p->last_end};

        d = diags_error(p->diags, p->source, at, "missing \",\" at the end of this line");
        diag_hint(p->diags, d, "a list that goes on in the next line needs a comma, also after its last item");
    }
    *is_told = true;
    parser_next(p);
    if (p->tok.kind == TOK_IDENT && closer != TOK_RCURLY && parser_column(p, p->tok.span.start) <= p->stmt_column)
        p->is_lost = p->is_at_next = true; /* a new statement: the closing bracket is missing */
    if (p->tok.kind != closer && (p->tok.kind == TOK_RCURLY || p->tok.kind == TOK_RPAREN || p->tok.kind == TOK_RBRACK))
        p->is_lost = true; /* closes something around */
    return p->tok.kind != closer && !parser_is_done(p);
}

/* Items up to closer, which is taken too. */
static struct expr **expr_list(struct parser *p, enum token_kind closer, size_t *n, uint32_t *height)
{
    size_t mark = parser_pile_mark(p);
    bool is_told = false, goes_on = p->tok.kind != closer;
    struct expr **items;

    *n = 0;
    *height = 0;
    while (goes_on) {
        struct expr *item = parse_expr(p);

        if (item == NULL)
            break;
        parser_pile_push(p, &item, sizeof item);
        (*n)++;
        if (item->height > *height)
            *height = item->height;
        goes_on = list_goes_on(p, closer, &is_told);
    }
    items = parser_pile_take(p, mark);
    if (!p->is_lost && p->failure == OK) {
        if (p->tok.kind == closer)
            parser_next(p);
        else
            parser_unexpected(p, closer == TOK_RBRACK ? "expected \"]\"" : "expected \")\"");
    }
    return items;
}

static struct expr *array(struct parser *p)
{
    uint32_t start = p->tok.span.start, height;
    struct expr **items, *e;
    size_t n;

    parser_next(p);
    items = expr_list(p, TOK_RBRACK, &n, &height);
    if (p->is_lost || p->failure != OK)
        return NULL;
    e = expr_new(p, EXPR_ARRAY, start);
    if (e == NULL)
        return NULL;
    e->mark = start;
    e->height = height + 1;
    e->as.array.items = items;
    e->as.array.n = n;
    return e;
}

static bool field(struct parser *p, struct expr_key *key)
{
    struct token t = p->tok;
    struct diag *d;

    if (t.kind != TOK_IDENT && t.kind != TOK_STRING) {
        parser_unexpected(p, "expected a key (identifier or string)");
        return false;
    }
    key->name = t.text;
    key->span = t.span;
    key->is_quoted = t.kind == TOK_STRING;
    if (key->is_quoted) /* Alloy takes the bytes as they are, escapes and all */
        key->name = slice_head(slice_from(t.text, 1), t.text.len - 2);
    parser_next(p);
    if (p->tok.kind != TOK_ASSIGN) {
        d = parser_unexpected(p, "expected \"=\" after a key");
        diag_hint(p->diags, d, "the fields of an object are written key = value");
        return false;
    }
    parser_next(p);
    key->value = parse_expr(p);
    return key->value != NULL;
}

static struct expr *object(struct parser *p)
{
    uint32_t start = p->tok.span.start, height = 0;
    size_t mark = parser_pile_mark(p), n = 0;
    bool is_told = false, goes_on;
    struct expr_key *keys;
    struct expr *e;

    parser_next(p);
    goes_on = p->tok.kind != TOK_RCURLY;
    while (goes_on) {
        struct expr_key key;

        if (!field(p, &key))
            break;
        parser_pile_push(p, &key, sizeof key);
        n++;
        if (key.value->height > height)
            height = key.value->height;
        goes_on = list_goes_on(p, TOK_RCURLY, &is_told);
    }
    keys = parser_pile_take(p, mark);
    if (p->is_lost || p->failure != OK)
        return NULL;
    if (p->tok.kind != TOK_RCURLY) {
        parser_unexpected(p, "expected \"}\"");
        return NULL;
    }
    parser_next(p);
    e = expr_new(p, EXPR_OBJECT, start);
    if (e == NULL)
        return NULL;
    e->mark = start;
    e->height = height + 1;
    e->as.object.keys = keys;
    e->as.object.n = n;
    return e;
}

/* --- operands --- */

static struct expr *paren(struct parser *p)
{
    uint32_t start = p->tok.span.start;
    struct expr *inner, *e;

    parser_next(p);
    inner = parse_expr(p);
    if (inner == NULL)
        return NULL;
    if (p->tok.kind != TOK_RPAREN) {
        struct diag *d = parser_unexpected(p, "expected \")\"");

        if (p->tok.kind == TOK_TERMINATOR)
            diag_hint(p->diags, d, "a line may not break before \")\"; break it after an operator");
        return NULL;
    }
    parser_next(p);
    e = raise_over(p, expr_new(p, EXPR_PAREN, start), inner);
    if (e != NULL) {
        e->mark = start;
        e->as.paren = inner;
    }
    return e;
}

static struct expr *primary(struct parser *p)
{
    struct token t = p->tok;
    struct expr *e;

    switch (t.kind) {
    case TOK_IDENT:
        parser_next(p);
        e = expr_new(p, EXPR_IDENT, t.span.start);
        if (e != NULL)
            e->as.ident = t.text;
        return e;
    case TOK_NULL:
    case TOK_BOOL:
    case TOK_NUMBER:
    case TOK_FLOAT:
    case TOK_STRING:
        return literal(p);
    case TOK_LPAREN:
        return paren(p);
    case TOK_LBRACK:
        return array(p);
    case TOK_LCURLY:
        return object(p);
    default:
        parser_unexpected(p, "expected an expression");
        return NULL;
    }
}

static struct expr *access(struct parser *p, struct expr *inner)
{
    uint32_t dot = p->tok.span.start;
    struct token name;
    struct expr *e;

    parser_next(p);
    name = p->tok;
    if (name.kind != TOK_IDENT) {
        struct diag *d = parser_unexpected(p, "expected a field name after \".\"");

        if (name.kind == TOK_STRING || name.kind == TOK_NUMBER || name.kind == TOK_NULL || name.kind == TOK_BOOL)
            diag_hint(p->diags, d, "write [\"name\"] for a field whose name is no identifier");
        return NULL;
    }
    parser_next(p);
    e = raise_over(p, expr_new(p, EXPR_ACCESS, inner->span.start), inner);
    if (e != NULL) {
        e->mark = dot;
        e->as.access.inner = inner;
        e->as.access.name = name.text;
    }
    return e;
}

static struct expr *subscript(struct parser *p, struct expr *inner)
{
    uint32_t bracket = p->tok.span.start;
    struct expr *at, *e;

    parser_next(p);
    at = parse_expr(p);
    if (at == NULL)
        return NULL;
    if (p->tok.kind != TOK_RBRACK) {
        parser_unexpected(p, "expected \"]\"");
        return NULL;
    }
    parser_next(p);
    e = raise_over(p, raise_over(p, expr_new(p, EXPR_INDEX, inner->span.start), inner), at);
    if (e != NULL) {
        e->mark = bracket;
        e->as.index.inner = inner;
        e->as.index.at = at;
    }
    return e;
}

static struct expr *call(struct parser *p, struct expr *callee)
{
    uint32_t bracket = p->tok.span.start, height;
    struct expr **args, *e;
    size_t n;

    parser_next(p);
    args = expr_list(p, TOK_RPAREN, &n, &height);
    if (p->is_lost || p->failure != OK)
        return NULL;
    e = raise_over(p, expr_new(p, EXPR_CALL, callee->span.start), callee);
    if (e == NULL)
        return NULL;
    if (e->height <= height)
        e->height = height + 1;
    e->mark = bracket;
    e->as.call.callee = callee;
    e->as.call.args = args;
    e->as.call.n = n;
    return e;
}

/* `name = loki.write "x" {`: a block where a value should be. */
static struct expr *block_as_value(struct parser *p, const struct expr *start)
{
    struct span at = {start->span.start, p->tok.span.end};
    struct diag *d = diags_error(p->diags, p->source, at, "a block cannot be used as a value");

    diag_hint(p->diags, d, "write the block without \"=\", or an object as { key = value }");
    p->is_lost = true;
    return NULL;
}

static struct expr *operand(struct parser *p)
{
    struct expr *e = primary(p);

    while (e != NULL) {
        if (p->tok.kind == TOK_DOT)
            e = access(p, e);
        else if (p->tok.kind == TOK_LBRACK)
            e = subscript(p, e);
        else if (p->tok.kind == TOK_LPAREN)
            e = call(p, e);
        else if (p->tok.kind == TOK_LCURLY || (p->tok.kind == TOK_STRING && e->kind != EXPR_LITERAL))
            e = block_as_value(p, e);
        else
            break;
    }
    return e;
}

/* --- operators --- */

static struct expr *unary(struct parser *p)
{
    uint32_t start = p->tok.span.start;
    enum ast_op op = p->tok.kind == TOK_NOT ? OP_NOT : OP_SUB;
    struct expr *right, *e;

    if (p->tok.kind != TOK_NOT && p->tok.kind != TOK_SUB)
        return operand(p);
    if (!parser_enter(p))
        return NULL;
    parser_next(p);
    right = unary(p);
    p->depth--;
    if (right == NULL)
        return NULL;
    e = raise_over(p, expr_new(p, EXPR_UNARY, start), right);
    if (e != NULL) {
        e->op = op;
        e->mark = start;
        e->as.binary.right = right;
    }
    return e;
}

static struct expr *binary(struct parser *p, enum ast_op op, uint32_t mark, struct expr *left, struct expr *right)
{
    struct expr *e = raise_over(p, raise_over(p, expr_new(p, EXPR_BINARY, left->span.start), left), right);

    if (e != NULL) {
        e->op = op;
        e->mark = mark;
        e->as.binary.left = left;
        e->as.binary.right = right;
    }
    return e;
}

/* Right-associative: 2 ^ 3 ^ 2 is 2 ^ (3 ^ 2). */
static struct expr *power(struct parser *p)
{
    struct expr *left = unary(p), *right;
    uint32_t mark = p->tok.span.start;

    if (left == NULL || p->tok.kind != TOK_POW)
        return left;
    if (!parser_enter(p))
        return NULL;
    parser_next(p);
    right = power(p);
    p->depth--;
    return right != NULL ? binary(p, OP_POW, mark, left, right) : NULL;
}

/* 0: no binary operator of the left-associative kind. */
static int precedence(enum token_kind kind, enum ast_op *op)
{
    static const struct {
        enum token_kind kind;
        enum ast_op op;
        int level;
    } table[] = {
        {TOK_OR, OP_OR, 1},   {TOK_AND, OP_AND, 2}, {TOK_EQ, OP_EQ, 3},   {TOK_NE, OP_NE, 3},   {TOK_LT, OP_LT, 3},
        {TOK_LE, OP_LE, 3},   {TOK_GT, OP_GT, 3},   {TOK_GE, OP_GE, 3},   {TOK_ADD, OP_ADD, 4}, {TOK_SUB, OP_SUB, 4},
        {TOK_MUL, OP_MUL, 5}, {TOK_DIV, OP_DIV, 5}, {TOK_MOD, OP_MOD, 5},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].kind == kind) {
            *op = table[i].op;
            return table[i].level;
        }
    }
    return 0;
}

static struct expr *operators(struct parser *p, int at_least)
{
    struct expr *left = power(p);

    while (left != NULL) {
        uint32_t mark = p->tok.span.start;
        struct expr *right;
        enum ast_op op;
        int level = precedence(p->tok.kind, &op);

        if (level == 0 || level < at_least)
            break;
        parser_next(p);
        right = operators(p, level + 1);
        left = right != NULL ? binary(p, op, mark, left, right) : NULL;
    }
    return left;
}

struct expr *parse_expr(struct parser *p)
{
    struct expr *e;

    if (!parser_enter(p))
        return NULL;
    e = operators(p, 1);
    p->depth--;
    return e;
}
