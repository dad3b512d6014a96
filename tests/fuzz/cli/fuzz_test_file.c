/* Any bytes as a file of pipeline tests: no refusal without a reason, and what is not refused runs to an end on the
 * pipeline below, of which nothing is opened. */
#include "agent/base/log.h"
#include "agent/cli/registry.h"
#include "agent/cli/test_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void forget(void *self, enum log_level level, struct slice line)
{
    (void)self;
    (void)level;
    (void)line;
}

/* A file of tests may name any path: here only this one is read. */
static void run_on_quickstart(const struct test_file *file, struct test *test)
{
    struct test_result result;

    test->config = "pipelines/quickstart.river";
    for (size_t i = 0; i < test->n; i++)
        if (test->steps[i].kind == STEP_RELOAD)
            test->steps[i].as.reload.has_config = false;
    test_run(file, test, registry, &result);
    BUG_ON(result.status != TEST_PASSED && result.text.len == 0);
    buf_release(&result.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test_file *file = test_file_parse("fuzz_test.river", slice_make(data, size));

    log_set_sink(forget, NULL);
    BUG_ON(!diags_has_errors(&file->diags) && file->n == 0);
    for (size_t i = 0; i < file->n && !diags_has_errors(&file->diags); i++)
        run_on_quickstart(file, &file->tests[i]);
    test_file_free(file);
    return 0;
}
