/* agent/river/ast.h - the tree of a configuration. Lives in the arena it was parsed into; read-only afterwards. */
#ifndef AGENT_RIVER_AST_H
#define AGENT_RIVER_AST_H
#include "agent/river/source.h"
#include "agent/river/value.h"

enum ast_op {
    OP_OR,
    OP_AND,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_NOT, /* unary; OP_SUB is both */
};

enum expr_kind {
    EXPR_LITERAL, /* null, bool, number, string: as.literal, decoded */
    EXPR_IDENT,
    EXPR_ARRAY,
    EXPR_OBJECT,
    EXPR_ACCESS, /* inner.name */
    EXPR_INDEX,  /* inner[at] */
    EXPR_CALL,
    EXPR_UNARY,
    EXPR_BINARY,
    EXPR_PAREN,
};

struct expr;

struct expr_key {
    struct slice name; /* for a quoted key: the bytes between the quotes, escapes untouched */
    struct span span;  /* with its quotes */
    bool is_quoted;
    struct expr *value;
};

struct expr {
    enum expr_kind kind;
    enum ast_op op;   /* UNARY, BINARY */
    struct span span; /* all of it, brackets too; a literal's span is its text */
    uint32_t mark;    /* offset of the operator, dot, or opening bracket or parenthesis */
    uint32_t height;  /* 1 more than the highest below it; at most LIMIT_RIVER_HEIGHT, so walking may recurse */
    union {
        const struct value *literal;
        struct slice ident;
        struct {
            struct expr **items;
            size_t n;
        } array;
        struct {
            struct expr_key *keys;
            size_t n;
        } object;
        struct {
            struct expr *inner;
            struct slice name;
        } access;
        struct {
            struct expr *inner, *at;
        } index;
        struct {
            struct expr *callee;
            struct expr **args;
            size_t n;
        } call;
        struct {
            struct expr *left, *right; /* UNARY: right only */
        } binary;
        struct expr *paren;
    } as;
};

struct ast_block;

struct ast_attr {
    struct slice name;
    struct span name_span;
    struct expr *value;
};

/* Statements in source order; exactly one of attr and block is set. */
struct ast_stmt {
    struct span span;
    struct ast_attr *attr;
    struct ast_block *block;
};

struct ast_body {
    const struct source *source;
    struct ast_stmt *stmts;
    size_t n;
};

struct ast_block {
    struct slice name; /* dotted: "loki.write", "stage.docker" */
    struct span name_span;
    struct slice label;     /* empty: none */
    struct span label_span; /* empty: none */
    uint32_t brace_open, brace_close;
    struct span span;
    struct ast_body body;
};

struct ast_comment {
    struct span span; /* without the newline and a CR before it */
    bool is_block;    /* a C-like comment; else to the end of the line */
};

struct ast_file {
    const struct source *source;
    struct ast_body body;
    struct ast_comment *comments; /* in source order */
    size_t n_comments;
};

/* "||", "==", … */
const char *ast_op_text(enum ast_op op);
/* Block's id "name.label", or the name without a label; in arena. ptr NULL when the arena is full. */
struct slice ast_block_id(struct arena *arena, const struct ast_block *block);
/* The first attribute of that name, or NULL. */
const struct ast_attr *ast_find_attr(const struct ast_body *body, struct slice name);

/* The same statements, expressions and comments, wherever they stand. */
bool ast_equal(const struct ast_file *a, const struct ast_file *b);

/* A dotted reference as written: loki.write.main.receiver has four parts. It ends before the first [ or call. */
struct ast_ref {
    const struct slice *parts;
    const struct span *spans; /* of each part */
    size_t n;
    struct span span;
    const struct source *source;
};

struct ast_refs {
    struct ast_ref *items;
    size_t n, cap;
};

/* Appends every reference of a body, nested blocks too, in source order. NOMEM: the arena is full. The library's names
 * (sys.env, coalesce) are among them: whoever resolves skips what stdlib_has(parts[0]) and is no component. */
MUST_USE enum code ast_body_refs(struct arena *arena, const struct ast_body *body, struct ast_refs *refs);
MUST_USE enum code ast_expr_refs(struct arena *arena, const struct source *source, const struct expr *expr,
                                 struct ast_refs *refs);
#endif
