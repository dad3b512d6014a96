/* agent/cli/test_run.h - runs one test of a *_test.river file on a dry run of its configuration. */
#ifndef AGENT_CLI_TEST_RUN_H
#define AGENT_CLI_TEST_RUN_H
#include "agent/cli/test_file.h"
#include "agent/runtime/config.h"

enum test_status {
    TEST_PASSED,
    TEST_FAILED, /* something did not come as expected */
    TEST_BROKEN, /* it could not be run to its end: a configuration that does not load, a component that is not there */
};

struct test_result {
    enum test_status status;
    struct position at; /* of the first thing that is wrong */
    struct buf text;    /* what is wrong, in lines; a release of the caller's */
    double seconds;
};

void test_run(const struct test_file *file, const struct test *test, component_types types, struct test_result *out);
#endif
