/* agent/cli/test_file.h - a *_test.river file, read and checked: its tests and their steps. docs/pipeline-tests.md says
 * how one is written. */
#ifndef AGENT_CLI_TEST_FILE_H
#define AGENT_CLI_TEST_FILE_H
#include "agent/model/item.h"
#include "agent/river/schema.h"

struct regex;

/* --- what is given --- */

struct test_logs {
    struct slice to, line, timestamp;
    struct river_strings lines;
    struct river_map labels, structured_metadata, target;
    int64_t ts_ns;
    bool has_line, has_lines, has_timestamp, has_target;
};

struct test_samples {
    struct slice to, text, timestamp;
    struct river_map labels, target;
    int64_t ts_ns;
    bool has_timestamp, has_target;
};

struct test_span {
    struct slice name, trace_id, span_id, parent_span_id;
    int kind, status; /* as OTLP numbers them */
    const struct value *attributes;
};

struct test_spans {
    struct slice to, scope;
    const struct value *resource;
    struct river_blocks spans; /* of struct test_span */
};

struct test_otlp {
    struct slice to, traces, metrics, logs;
    bool has_traces, has_metrics, has_logs;
};

struct test_set {
    struct slice component;
    const struct value *exports; /* an object */
};

struct test_reload {
    struct slice config;
    struct river_map env;
    bool has_config, has_env;
};

/* --- what is expected --- */

enum condition_op {
    CONDITION_IS,      /* the text, or the whole set */
    CONDITION_HAS,     /* at least these of a set */
    CONDITION_LACKS,   /* a set without these names */
    CONDITION_MATCHES, /* a text that the expression is found in */
};

struct condition {
    const char *field; /* of the item */
    enum condition_op op;
    struct slice text;         /* IS of a text; the expression of MATCHES */
    const struct label *pairs; /* sorted; of LACKS: names */
    size_t n;
    struct regex *regex;
};

struct expected {
    enum item_kind kind;
    struct position at;
    struct condition *conditions;
    size_t n;
};

enum test_order {
    ORDER_EXACT,     /* these, in this order, and no others */
    ORDER_UNORDERED, /* these in any order, and no others */
    ORDER_CONTAINS,  /* these are among them */
};

struct test_expect {
    struct slice at;
    int order; /* enum test_order */
    int64_t count;
    bool none, has_count;
    struct expected *items;
    size_t n;
};

enum test_step_kind {
    STEP_LOGS,
    STEP_SAMPLES,
    STEP_SPANS,
    STEP_OTLP,
    STEP_ADVANCE,
    STEP_SET,
    STEP_RELOAD,
    STEP_EXPECT,
};

struct test_step {
    enum test_step_kind kind;
    struct position at;
    union {
        struct test_logs logs;
        struct test_samples samples;
        struct test_spans spans;
        struct test_otlp otlp;
        int64_t advance_ns;
        struct test_set set;
        struct test_reload reload;
        struct test_expect expect;
    } as;
};

struct test {
    const char *name;
    struct position at;
    const char *config;   /* a path: file or folder */
    struct river_map env; /* all that sys.env knows */
    int64_t start_ns;
    int stability; /* enum stability */
    struct test_step *steps;
    size_t n;
};

struct test_file {
    const char *path; /* as people know it */
    struct arena arena;
    struct diags diags; /* what is wrong with it */
    struct test *tests;
    size_t n;
};

/* Never NULL; when diags has errors, there are no tests. */
struct test_file *test_file_read(const char *path);
/* The same of a text. Texts are copied. */
struct test_file *test_file_parse(const char *path, struct slice text);
void test_file_free(struct test_file *f); /* NULL is fine */
#endif
