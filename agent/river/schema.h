/* agent/river/schema.h - argument tables: one table per block drives decoding into a C struct, validation with
 * positions, the reference pages and completion. There is no second place to edit.
 *
 *     struct endpoint { struct slice url; int64_t timeout_ns; struct river_secret token; };
 *     static const struct river_field endpoint_fields[] = {
 *         {.name = "url", .kind = RIVER_STRING, .flags = RIVER_REQUIRED, .offset = offsetof(struct endpoint, url), .doc
 * = "…"},
 *         {.name = "timeout", .kind = RIVER_DURATION, .offset = offsetof(struct endpoint, timeout_ns), .def =
 * "\"10s\"", .doc = "…"},
 *         {.name = NULL},
 *     };
 *     static const struct river_block endpoint_block = {.name = "endpoint", .fields = endpoint_fields, .size =
 * sizeof(struct endpoint)};
 */
#ifndef AGENT_RIVER_SCHEMA_H
#define AGENT_RIVER_SCHEMA_H
#include "agent/river/eval.h"

/* What a field takes, and the C type at its offset. Texts and lists live in the arena of the decode. */
enum river_kind {
    RIVER_STRING,          /* struct slice */
    RIVER_BOOL,            /* bool */
    RIVER_INT,             /* int64_t */
    RIVER_UINT,            /* uint64_t */
    RIVER_FLOAT,           /* double */
    RIVER_DURATION,        /* int64_t ns; Go's time.ParseDuration, a string always */
    RIVER_BYTES,           /* uint64_t; "1MiB", "5MB" (powers of 1024 when written KiB, MiB), or a number of bytes */
    RIVER_SECRET,          /* struct river_secret; a string or a secret */
    RIVER_OPTIONAL_SECRET, /* struct river_secret */
    RIVER_ENUM,            /* int; one of .choices */
    RIVER_STRING_LIST,     /* struct river_strings */
    RIVER_ENUM_LIST,       /* struct river_ints; each one of .choices */
    RIVER_INT_LIST,        /* struct river_ints */
    RIVER_FLOAT_LIST,      /* struct river_floats */
    RIVER_DURATION_LIST,   /* struct river_ints, ns */
    RIVER_SECRET_LIST,     /* struct river_secrets */
    RIVER_STRING_MAP,      /* struct river_map, in order of writing */
    RIVER_SECRET_MAP,      /* struct river_secret_map */
    RIVER_STRING_LIST_MAP, /* struct river_list_map */
    RIVER_SECRET_LIST_MAP, /* struct river_secret_list_map */
    RIVER_STRING_MAP_LIST, /* struct river_targets; same as TARGETS, other name in the docs */
    RIVER_TARGETS,         /* struct river_targets */
    RIVER_CAPSULE,         /* void *, of .capsule's type; NULL for null */
    RIVER_CAPSULE_LIST,    /* struct river_capsules; nulls left out */
    RIVER_VALUE,           /* const struct value *: anything, NULL when absent */
    RIVER_LABEL,       /* struct slice: this block's own label, then required; a block without such a field has none */
    RIVER_BLOCK,       /* a block: .block's struct embedded; RIVER_POINTER: pointer, NULL when absent;
                        * RIVER_REPEATED: struct river_blocks */
    RIVER_ENUM_BLOCKS, /* struct river_enum_blocks: blocks `name.KIND`, KIND one of .blocks, order kept */
    RIVER_FLATTEN,     /* .block's fields stand directly in this body; its struct is embedded here; name unused */
    RIVER_BODY,        /* const struct ast_block *, NULL when absent: a block that is not evaluated here */
    RIVER_ANY_BLOCKS,  /* struct river_any_blocks: all blocks no other field names, evaluated; name unused */
};

enum river_flag {
    RIVER_UNIQUE = 0, /* at most once: how every field is unless it is REPEATED */
    RIVER_REQUIRED = 1 << 0,
    RIVER_REPEATED = 1 << 1,     /* BLOCK: any number of times */
    RIVER_POINTER = 1 << 2,      /* BLOCK: struct *, NULL when absent */
    RIVER_NO_EFFECT = 1 << 3,    /* accepted and checked, a warning says it has no effect */
    RIVER_REFUSED = 1 << 4,      /* refused by name when written; doc says why */
    RIVER_EXPERIMENTAL = 1 << 5, /* needs --stability.level=experimental */
    RIVER_DEPRECATED = 1 << 6,   /* accepted, a warning quotes doc */
    RIVER_HAS_MIN = 1 << 7,      /* numbers, durations, bytes: value >= min */
    RIVER_HAS_MAX = 1 << 8,      /* value <= max */
    RIVER_ANY_CASE = 1 << 10,    /* ENUM, ENUM_LIST: capitals make no difference */
    RIVER_NOT_EMPTY = 1 << 9,    /* strings, lists and maps: at least one byte or entry when given or required */
};

struct river_secret {
    struct slice text;
    bool is_secret;
};
struct river_pair {
    struct slice name, value;
};
struct river_secret_pair {
    struct slice name;
    struct river_secret value;
};
struct river_strings {
    struct slice *items;
    size_t n;
};
struct river_secrets {
    struct river_secret *items;
    size_t n;
};
struct river_list_pair {
    struct slice name;
    struct river_strings values;
};
struct river_secret_list_pair {
    struct slice name;
    struct river_secrets values;
};
struct river_ints {
    int64_t *items;
    size_t n;
};
struct river_floats {
    double *items;
    size_t n;
};
struct river_map {
    struct river_pair *items;
    size_t n;
};
struct river_secret_map {
    struct river_secret_pair *items;
    size_t n;
};
struct river_list_map {
    struct river_list_pair *items;
    size_t n;
};
struct river_secret_list_map {
    struct river_secret_list_pair *items;
    size_t n;
};
struct river_targets {
    struct river_map *items;
    size_t n;
};
struct river_capsules {
    void **items;
    size_t n;
};

struct river_block;

/* items is an array of n structs of the block's size: ((struct endpoint *)args->endpoints.items)[i]. */
struct river_blocks {
    void *items;
    size_t n;
};

struct river_enum_entry {
    size_t index;                   /* in .blocks */
    const struct river_block *type; /* blocks[index] */
    void *args;                     /* struct of type->size */
    struct position at;
};
struct river_enum_blocks {
    struct river_enum_entry *items;
    size_t n;
};

struct river_any_block {
    struct slice name, label;
    struct value body; /* river_body_value's form */
    const struct ast_block *ast;
};
struct river_any_blocks {
    struct river_any_block *items;
    size_t n;
};

/* Ends with {NULL}. */
struct river_enum {
    const char *word;
    int value;
};

struct river_field {
    const char *name; /* NULL ends the table (except FLATTEN, ANY_BLOCKS and LABEL, which are told by kind) */
    enum river_kind kind;
    unsigned flags; /* of enum river_flag */
    size_t offset;
    const char *def; /* default as River text, decoded like a written value; NULL: zero */
    const char *doc; /* one line */
    const struct river_enum *choices;
    const struct river_block *block;
    const struct river_block *const *blocks; /* ENUM_BLOCKS: NULL ends it; each one's name is the part after the dot */
    double min, max;
    const struct capsule_type *capsule;
    size_t present; /* RIVER_PRESENT_AT(struct s, has_x): a bool set when the field was written; 0: none */
};

#define RIVER_PRESENT_AT(type, member) (offsetof(type, member) + 1)
/* Ends a table of fields. */
#define RIVER_FIELDS_END                                                                                               \
    {                                                                                                                  \
        .name = NULL                                                                                                   \
    }

struct river_problems;

struct river_block {
    const char *name;
    const struct river_field *fields; /* may be NULL: no fields */
    size_t size;                      /* of the C struct */
    const char *doc;
    unsigned flags; /* of a kind in ENUM_BLOCKS: NO_EFFECT, REFUSED, EXPERIMENTAL, DEPRECATED */
    /* Called when everything decoded without error: what the table cannot say. Report with river_problem; the result is
     * OK or INVALID. May be NULL. */
    enum code (*validate)(const void *args, struct river_problems *problems);
};

/* Reports an error at the named argument or block as written (or at the block's own name: field NULL or not written)
 * and returns INVALID. */
enum code river_problem(struct river_problems *p, const char *field, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What to do about the one reported last. */
void river_problem_hint(struct river_problems *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void river_problem_warn(struct river_problems *p, const char *field, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Decodes a component's block (its label is the caller's business) into out, type->size bytes: attributes evaluated,
 * defaults set, every error of it reported. On INVALID out is half-filled but holds nothing to free: all is in
 * ctx->arena. */
MUST_USE enum code river_decode(struct river_context *ctx, const struct river_block *type,
                                const struct ast_block *block, void *out);
/* The same for a body that has no block of its own (a whole file of arguments); at is where "missing argument" points.
 */
MUST_USE enum code river_decode_body(struct river_context *ctx, const struct river_block *type,
                                     const struct ast_body *body, struct span at, void *out);
/* Sets out to what an empty block would give, required ones zero. NOMEM, or INVALID when the table is broken (a test
 * walks all tables). */
MUST_USE enum code river_defaults(struct arena *arena, const struct river_block *type, void *out);
/* Takes the literals that type calls secret out of the lines diags shows of body. To be called with every body that
 * diags may be about before anybody sees them. */
void river_hide_secrets(struct diags *diags, const struct river_block *type, const struct ast_body *body);
/* One value as a field of a table would take it (argument.value, tests). */
MUST_USE enum code river_decode_value(struct river_context *ctx, const struct river_field *field, const struct value *v,
                                      void *out, struct error *err);

/* Go's time.ParseDuration. INVALID sets err. */
MUST_USE enum code river_duration_parse(struct slice s, int64_t *ns, struct error *err);
/* Go's Duration.String: "1m30s", "1.5s", "100ms". */
void river_duration_print(struct buf *out, int64_t ns);
MUST_USE enum code river_bytes_parse(struct slice s, uint64_t *bytes, struct error *err);

/* Pushes what is wrong with a table itself (no doc, default that does not decode, name twice) into err; for tests. */
MUST_USE enum code river_block_check(const struct river_block *type, struct error *err);
#endif
