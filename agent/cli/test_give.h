/* agent/cli/test_give.h - what a step of a test gives to a component, made into a batch. */
#ifndef AGENT_CLI_TEST_GIVE_H
#define AGENT_CLI_TEST_GIVE_H
#include "agent/cli/test_file.h"
#include "agent/runtime/dry_run.h"

/* A step of kind LOGS, SAMPLES, SPANS or OTLP. scratch takes what is only needed meanwhile. INVALID says why not. */
MUST_USE enum code test_give(struct dry_run *d, const struct test_step *step, struct arena *scratch, struct error *err);
#endif
