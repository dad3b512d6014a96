/* Operators. Numbers behave as Go's: integers wrap, a float on either side makes a float. */
#include "agent/base/limits.h"
#include "agent/river/eval_int.h"
#include <math.h>

static bool is_float(struct number n)
{
    return n.kind == NUMBER_FLOAT;
}

static uint64_t bits(struct number n)
{
    return n.kind == NUMBER_INT ? (uint64_t)n.as.i : n.as.u;
}

static int64_t to_signed(uint64_t u)
{
    int64_t i;

    memcpy(&i, &u, sizeof i);
    return i;
}

/* Wraps as int64 or, when both sides were uint64, as that. */
static struct value integer(uint64_t u, bool is_unsigned)
{
    return is_unsigned ? value_uint(u) : value_int(to_signed(u));
}

/* By squaring; for a negative exponent Alloy gives the base, and so does this. */
static uint64_t int_power(uint64_t base, uint64_t exponent, bool is_unsigned)
{
    uint64_t result = 1;

    if (!is_unsigned && to_signed(exponent) < 0)
        return base;
    for (; exponent != 0; exponent >>= 1) {
        if ((exponent & 1) != 0)
            result *= base;
        base *= base;
    }
    return result;
}

static struct value divide(uint64_t a, uint64_t b, bool is_unsigned, bool wants_rest)
{
    int64_t x = to_signed(a), y = to_signed(b);

    if (is_unsigned)
        return value_uint(wants_rest ? a % b : a / b);
    if (y == -1) /* the smallest number has no positive twin: wrap instead of trapping */
        return value_int(wants_rest ? 0 : to_signed(0 - a));
    return value_int(wants_rest ? x % y : x / y);
}

static struct value int_arithmetic(enum ast_op op, struct number l, struct number r)
{
    bool is_unsigned = l.kind == NUMBER_UINT && r.kind == NUMBER_UINT;
    uint64_t a = bits(l), b = bits(r);

    switch (op) {
    case OP_ADD:
        return integer(a + b, is_unsigned);
    case OP_SUB:
        return integer(a - b, is_unsigned);
    case OP_MUL:
        return integer(a * b, is_unsigned);
    case OP_DIV:
    case OP_MOD:
        return divide(a, b, is_unsigned, op == OP_MOD);
    case OP_POW:
        return integer(int_power(a, b, is_unsigned), is_unsigned);
    case OP_OR:
    case OP_AND:
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
    case OP_NOT:
        break;
    }
    return value_null();
}

static struct value float_arithmetic(enum ast_op op, double a, double b)
{
    switch (op) {
    case OP_ADD:
        return value_float(a + b);
    case OP_SUB:
        return value_float(a - b);
    case OP_MUL:
        return value_float(a * b);
    case OP_DIV:
        return value_float(a / b);
    case OP_MOD:
        return value_float(fmod(a, b));
    case OP_POW:
        return value_float(pow(a, b));
    case OP_OR:
    case OP_AND:
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
    case OP_NOT:
        break;
    }
    return value_null();
}

/* Operators come from the tree's one list; those that are no comparison never get here. */
static bool holds(enum ast_op op, int order)
{
    switch (op) {
    case OP_LT:
        return order < 0;
    case OP_LE:
        return order <= 0;
    case OP_GT:
        return order > 0;
    case OP_GE:
        return order >= 0;
    case OP_OR:
    case OP_AND:
    case OP_EQ:
    case OP_NE:
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
    case OP_POW:
    case OP_NOT:
        break;
    }
    return false;
}

static bool is_comparison(enum ast_op op)
{
    return op >= OP_LT && op <= OP_GE;
}

/* Two of unequal kinds meet as int64, or as floats when one is: a uint64 past 2^63 is then below zero, as in Alloy. */
static int order_numbers(struct number l, struct number r)
{
    int64_t a, b;

    if (is_float(l) || is_float(r) || l.kind == r.kind)
        return value_number_cmp(l, r);
    a = to_signed(bits(l));
    b = to_signed(bits(r));
    return (a > b) - (a < b);
}

static bool is_nan(struct number n)
{
    return is_float(n) && isnan(n.as.f);
}

static struct value compare_numbers(enum ast_op op, struct number l, struct number r)
{
    return value_bool(!is_nan(l) && !is_nan(r) && holds(op, order_numbers(l, r)));
}

static bool equal_numbers(struct number l, struct number r)
{
    return !is_nan(l) && !is_nan(r) && order_numbers(l, r) == 0;
}

bool eval_equal(const struct value *a, const struct value *b)
{
    if (value_is_text(a) && value_is_text(b)) /* as secrets and strings mix: by their text */
        return slice_eq(a->as.text.bytes, b->as.text.bytes);
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_FUNCTION)
        return false;
    if (a->type == VALUE_NUMBER)
        return equal_numbers(a->as.number, b->as.number);
    if (a->type == VALUE_ARRAY) {
        for (size_t i = 0; i < a->as.array.n && a->as.array.n == b->as.array.n; i++) {
            if (!eval_equal(&a->as.array.items[i], &b->as.array.items[i]))
                return false;
        }
        return a->as.array.n == b->as.array.n;
    }
    if (a->type == VALUE_OBJECT) {
        for (size_t i = 0; i < a->as.object.n && a->as.object.n == b->as.object.n; i++) {
            const struct value *other = value_get(b, a->as.object.fields[i].name);

            if (other == NULL || !eval_equal(&a->as.object.fields[i].value, other))
                return false;
        }
        return a->as.object.n == b->as.object.n;
    }
    return value_equal(a, b);
}

/* Two texts end to end: secret when either is; what may be secret stays marked so. */
static enum code join_texts(struct river_context *ctx, const struct source *source, const struct expr *e,
                            const struct value *l, const struct value *r, struct value *out)
{
    struct slice a = l->as.text.bytes, b = r->as.text.bytes, joined = {"", 0};
    bool is_secret = value_is_secret(l) || value_is_secret(r);
    enum code rc = eval_charge(ctx, source, e->span, a.len + b.len);

    if (rc != OK)
        return rc;
    if (a.len + b.len > LIMIT_CONFIG_STRING_BYTES)
        return eval_error(ctx, source, e->span, "this string is longer than %u bytes", LIMIT_CONFIG_STRING_BYTES);
    if (a.len + b.len != 0) {
        char *text = arena_try_alloc(ctx->arena, a.len + b.len);

        if (text == NULL)
            return eval_no_memory(ctx, source, e->span);
        if (a.len != 0)
            memcpy(text, a.ptr, a.len);
        if (b.len != 0)
            memcpy(text + a.len, b.ptr, b.len);
        joined = slice_make(text, a.len + b.len);
    }
    if (l->type == VALUE_SECRET || r->type == VALUE_SECRET)
        *out = value_secret(joined);
    else if (is_secret || (l->type == VALUE_OPTIONAL_SECRET && r->type == VALUE_OPTIONAL_SECRET))
        *out = value_optional_secret(joined, is_secret);
    else
        *out = value_string(joined);
    return OK;
}

static const char *operands(enum ast_op op)
{
    if (op == OP_OR || op == OP_AND)
        return "bools";
    return op == OP_ADD || is_comparison(op) ? "numbers or strings" : "numbers";
}

/* Which side is wrong is where the caret goes. */
static enum code mismatch(struct river_context *ctx, const struct source *source, const struct expr *e,
                          const struct value *l, const struct value *r)
{
    bool is_bool_op = e->op == OP_OR || e->op == OP_AND;
    bool left_fits = is_bool_op
                         ? l->type == VALUE_BOOL
                         : l->type == VALUE_NUMBER || ((e->op == OP_ADD || is_comparison(e->op)) && value_is_text(l));
    struct span at = left_fits ? e->as.binary.right->span : e->as.binary.left->span;

    if (left_fits && l->type != r->type && !is_bool_op)
        return eval_error(ctx, source, at, "%s needs two of a kind: the left side is a %s, this is a %s",
                          ast_op_text(e->op), value_type_name(l), value_type_name(r));
    return eval_error(ctx, source, at, "%s works on %s, this is a %s", ast_op_text(e->op), operands(e->op),
                      value_type_name(left_fits ? r : l));
}

enum code eval_binary(struct river_context *ctx, const struct source *source, const struct expr *e,
                      const struct value *l, const struct value *r, struct value *out)
{
    enum ast_op op = e->op;

    if (op == OP_EQ || op == OP_NE) {
        *out = value_bool(eval_equal(l, r) == (op == OP_EQ));
        return OK;
    }
    if ((op == OP_OR || op == OP_AND) && l->type == VALUE_BOOL && r->type == VALUE_BOOL) {
        bool a = l->as.boolean, b = r->as.boolean;

        *out = value_bool(op == OP_OR ? a || b : a && b);
        return OK;
    }
    if (op == OP_ADD && value_is_text(l) && value_is_text(r))
        return join_texts(ctx, source, e, l, r, out);
    if (is_comparison(op) && value_is_text(l) && value_is_text(r) && !value_is_secret(l) && !value_is_secret(r)) {
        *out = value_bool(holds(op, slice_cmp(l->as.text.bytes, r->as.text.bytes)));
        return OK;
    }
    if (op == OP_OR || op == OP_AND || l->type != VALUE_NUMBER || r->type != VALUE_NUMBER)
        return mismatch(ctx, source, e, l, r);
    if (is_comparison(op)) {
        *out = compare_numbers(op, l->as.number, r->as.number);
        return OK;
    }
    if ((op == OP_DIV || op == OP_MOD) && value_number_f64(r->as.number) == 0)
        return eval_error(ctx, source, e->as.binary.right->span, "division by zero");
    if (is_float(l->as.number) || is_float(r->as.number))
        *out = float_arithmetic(op, value_number_f64(l->as.number), value_number_f64(r->as.number));
    else
        *out = int_arithmetic(op, l->as.number, r->as.number);
    return OK;
}

enum code eval_unary(struct river_context *ctx, const struct source *source, const struct expr *e,
                     const struct value *r, struct value *out)
{
    if (e->op == OP_NOT) {
        if (r->type != VALUE_BOOL)
            return eval_error(ctx, source, e->as.binary.right->span, "! works on a bool, this is a %s",
                              value_type_name(r));
        *out = value_bool(!r->as.boolean);
        return OK;
    }
    if (r->type != VALUE_NUMBER)
        return eval_error(ctx, source, e->as.binary.right->span, "- works on a number, this is a %s",
                          value_type_name(r));
    if (is_float(r->as.number))
        *out = value_float(-r->as.number.as.f);
    else
        *out = value_int(to_signed(0 - bits(r->as.number)));
    return OK;
}
