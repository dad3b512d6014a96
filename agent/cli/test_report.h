/* agent/cli/test_report.h - what `hyagent test` prints: for people, or for CI (JSON, JUnit's XML, TAP). */
#ifndef AGENT_CLI_TEST_REPORT_H
#define AGENT_CLI_TEST_REPORT_H
#include "agent/cli/test_run.h"
#include <stdio.h>

enum test_format { TEST_TEXT, TEST_JSON, TEST_JUNIT, TEST_TAP };

struct test_report {
    enum test_format format;
    bool is_verbose;
    FILE *out;
    size_t n_passed, n_failed, n_broken;
    double seconds;
    struct {
        size_t n, n_failed, n_broken; /* of the present file */
        double seconds;
        struct buf text; /* its test cases, for JUnit */
    } file;
    bool has_written; /* JSON: something before the next one */
};

void test_report_begin(struct test_report *r, enum test_format format, bool is_verbose, FILE *out);
void test_report_begin_file(struct test_report *r);
void test_report_test(struct test_report *r, const struct test_file *file, const struct test *test,
                      const struct test_result *result);
/* A file whose tests cannot be run: why is in its diags. */
void test_report_broken_file(struct test_report *r, const struct test_file *file);
void test_report_end_file(struct test_report *r, const struct test_file *file);
void test_report_end(struct test_report *r);
#endif
