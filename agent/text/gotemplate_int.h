/* agent/text/gotemplate_int.h - syntax tree, values and what the parts of gotemplate share. */
#ifndef AGENT_TEXT_GOTEMPLATE_INT_H
#define AGENT_TEXT_GOTEMPLATE_INT_H
#include "agent/text/gotemplate.h"
#include "agent/text/json.h"
#include "agent/text/regex.h"
#include "agent/text/utf8.h"

enum { TEMPLATE_VARIABLES = 64, TEMPLATE_ARGUMENTS = 64 };

/* ---- values ---- */

enum value_kind {
    VALUE_NIL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_STRING,
    VALUE_TIME,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_ROOT
};

struct value_member;

struct value {
    enum value_kind kind;
    unsigned depth; /* LIST, MAP: levels of values in it, itself included; printing recurses */
    union {
        bool boolean;
        int64_t integer; /* INT; TIME: ns since 1970 */
        double number;
        struct slice text;
        struct {
            const struct value *items;
            size_t n;
        } list;
        struct {
            const struct value_member *members; /* sorted by key, no key twice */
            size_t n;
        } map;
    };
};

struct value_member {
    struct slice key;
    struct value value;
};

/* ---- syntax tree, all on the template's arena ---- */

struct run;
struct pipe;
struct expr;

struct template_function {
    const char *name;
    unsigned min, max; /* arguments */
    enum code (*call)(struct run *run, const struct value *args, size_t n, struct value *out);
};

enum expr_kind { EXPR_DOT, EXPR_VARIABLE, EXPR_LITERAL, EXPR_PIPE, EXPR_FUNCTION };

struct expr {
    enum expr_kind kind;
    struct value literal;
    unsigned variable;
    struct pipe *pipe;
    const struct template_function *function;
    struct slice *fields; /* .a.b after it */
    size_t n_fields;
    struct expr *next; /* of the same command */
};

struct command {
    struct expr *args;   /* the first may be a function */
    struct regex *regex; /* owned; the first argument of regexReplaceAll, when it is a literal */
    struct command *next;
};

struct pipe {
    unsigned variables[2];
    unsigned n_variables;
    struct command *commands;
};

enum node_kind { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_WITH, NODE_RANGE };

struct node {
    enum node_kind kind;
    unsigned line;
    struct slice text;
    struct pipe *pipe;
    struct node *body, *otherwise;
    struct node *next;
};

struct gotemplate {
    struct arena arena;
    struct node *root;
    struct regex **regexes; /* owned, with each one */
    size_t n_regexes;
};

/* ---- run ---- */

struct run {
    const struct gotemplate_data *data;
    struct arena *arena;
    struct buf *out;
    struct error *err;
    struct value dot;
    struct value variables[TEMPLATE_VARIABLES];
    const struct regex *regex; /* of the command being called, NULL: compile it */
    unsigned steps, line;
};

/* One escape of a Go string into out; s starts after the backslash and moves past it. False when it is none. */
bool template_take_escape(struct slice *s, char out[UTF8_MAX_BYTES], size_t *n);
/* The built-in of this name, or NULL. */
const struct template_function *template_function(struct slice name);
extern const struct template_function template_string_functions[];
extern const struct template_function template_number_functions[];
extern const struct template_function template_value_functions[];

enum code run_fail(struct run *run, enum code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As a function with a typed parameter sees its argument: no conversion. */
enum code run_string(struct run *run, const struct value *v, struct slice *out);
enum code run_int(struct run *run, const struct value *v, int64_t *out);
/* Appends to a scratch buffer, then moves it to the arena as a string value; releases b. */
enum code run_take(struct run *run, struct buf *b, struct value *out);
/* A scratch buffer with the same maximum as the output. */
void run_scratch(struct run *run, struct buf *b);
enum code run_list(struct run *run, size_t n, struct value **items, struct value *out);

/* Every item put into a list or map passes here: FULL when that nests too deep. */
enum code run_contain(struct run *run, struct value *holder, const struct value *item);

bool tvalue_is_true(const struct value *v);
const char *tvalue_type(const struct value *v);            /* Go's name, for messages */
void tvalue_print(struct buf *out, const struct value *v); /* %v; nil prints <nil> */
int64_t tvalue_to_i64(const struct value *v);              /* as spf13/cast: 0 when it is no number */
double tvalue_to_f64(const struct value *v);
struct value tvalue_string(struct slice s);
struct value tvalue_int(int64_t v);
struct value tvalue_float(double v);
struct value tvalue_bool(bool v);
/* Go's field and index lookup in a map; false when the key is not there. */
bool tvalue_member(const struct value *map, struct slice key, struct value *out);
enum code tvalue_from_json(struct run *run, const struct json *j, struct value *out);
void tvalue_to_json(struct buf *out, const struct value *v);
enum code tvalue_printf(struct run *run, struct slice format, const struct value *args, size_t n, struct buf *out);
void tvalue_quote(struct buf *out, struct slice s); /* Go's %q */
#endif
