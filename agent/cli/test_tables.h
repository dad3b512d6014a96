/* agent/cli/test_tables.h - the argument tables of *_test.river files (test_tables.c); test_file.c reads with them. */
#ifndef AGENT_CLI_TEST_TABLES_H
#define AGENT_CLI_TEST_TABLES_H
#include "agent/cli/test_file.h"

/* The attributes of a test, and of the file for all of its tests. */
struct test_setting {
    struct slice config, at;
    struct river_map env;
    int stability;
    bool has_config, has_at, has_env, has_stability;
};

/* The attributes of an expect block. */
struct test_expect_args {
    struct slice at, samples;
    struct river_strings lines;
    int order;
    int64_t count;
    bool none, has_count, has_lines, has_samples;
};

struct test_advance_args {
    int64_t by_ns;
};

/* The attributes of any item block; each table names those of its kind. */
struct test_item_args {
    struct slice line, line_matches, name, name_matches, timestamp, kind, trace_id, span_id, parent_span_id, status,
        scope, type, unit, severity;
    const struct value *value;
    struct river_map labels, has_labels, structured_metadata, has_structured_metadata, attributes, has_attributes,
        resource, has_resource;
    struct river_strings no_labels, no_structured_metadata, no_attributes, no_resource;
    struct {
        bool line, line_matches, name, name_matches, timestamp, kind, trace_id, span_id, parent_span_id, status, scope,
            type, unit, severity, value, labels, has_labels, structured_metadata, has_structured_metadata, attributes,
            has_attributes, resource, has_resource, no_labels, no_structured_metadata, no_attributes, no_resource;
    } is;
};

extern const struct river_block test_setting_table, test_expect_table;
extern const struct river_block *const test_step_tables[];                /* by enum test_step_kind; NULL ends it */
extern const struct river_block *const test_item_tables[ITEM_TARGET + 1]; /* by enum item_kind */
#endif
