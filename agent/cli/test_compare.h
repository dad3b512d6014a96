/* agent/cli/test_compare.h - what was expected against what came, and the difference as people read it. */
#ifndef AGENT_CLI_TEST_COMPARE_H
#define AGENT_CLI_TEST_COMPARE_H
#include "agent/cli/test_file.h"

/* True: as expected. Else what differs is appended to out, in lines indented by four; file names the places in it. */
bool test_compare(const struct test_expect *e, const struct item *items, size_t n, const char *file, struct buf *out);
#endif
