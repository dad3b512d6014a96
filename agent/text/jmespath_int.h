/* agent/text/jmespath_int.h - the expression tree, shared by parser, evaluator and functions. */
#ifndef AGENT_TEXT_JMESPATH_INT_H
#define AGENT_TEXT_JMESPATH_INT_H
#include "agent/text/jmespath.h"

enum { JMESPATH_ARGUMENTS = 32 };

enum jnode_kind {
    JNODE_CURRENT,
    JNODE_FIELD,
    JNODE_CHAIN, /* left, then right on its result: a.b, a[0], a | b */
    JNODE_INDEX,
    JNODE_SLICE,
    JNODE_PROJECT,        /* left[*].right */
    JNODE_PROJECT_VALUES, /* left.*.right */
    JNODE_FILTER,         /* left[?condition].right */
    JNODE_FLATTEN,
    JNODE_OR,
    JNODE_AND,
    JNODE_NOT,
    JNODE_EQ,
    JNODE_NE,
    JNODE_LT,
    JNODE_LE,
    JNODE_GT,
    JNODE_GE,
    JNODE_LITERAL,
    JNODE_LIST,      /* items */
    JNODE_HASH,      /* items with names */
    JNODE_CALL,      /* items */
    JNODE_REFERENCE, /* &left, only as an argument */
};

struct jfunction;

struct jnode {
    enum jnode_kind kind;
    unsigned height;
    struct jnode *left, *right, *condition;
    struct slice name;
    struct json literal;
    int64_t index, to, step; /* SLICE: index is where it starts */
    bool has_index, has_to;
    const struct jfunction *function;
    struct jnode *items, *next;
};

struct jmespath {
    struct arena arena;
    struct jnode *root;
};

struct jeval {
    struct arena *arena;
    struct error *err;
    unsigned steps;
};

struct jargument {
    struct json value;
    const struct jnode *reference; /* set for &expression */
};

struct jfunction {
    const char *name;
    size_t min, max;
    enum code (*call)(struct jeval *e, const struct jargument *args, size_t n, struct json *out);
};

const struct jfunction *jmespath_function(struct slice name);
enum code jmespath_eval_node(struct jeval *e, const struct jnode *n, const struct json *in, struct json *out);
enum code jmespath_no_memory(struct jeval *e);
bool jmespath_is_true(const struct json *j);
#endif
