/* tests/unit/model/testing.h - what the tests of this room share. */
#ifndef TESTS_UNIT_MODEL_TESTING_H
#define TESTS_UNIT_MODEL_TESTING_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first */
#include <cmocka.h>
#include "agent/base/buf.h"
#include "agent/model/batch.h"
#include <stdio.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline void assert_slice(struct slice got, const char *want)
{
    if (!slice_eq_str(got, want))
        fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}

/* The set as {a="1",b="2"}. The caller releases out. */
static inline void labels_text(const struct labels *l, struct buf *out)
{
    buf_init(out, 1 << 16);
    assert_int_equal(labels_write(l, out), OK);
}

static inline void assert_labels(const struct labels *l, const char *want)
{
    struct buf text;

    labels_text(l, &text);
    assert_slice(buf_slice(&text), want);
    buf_release(&text);
}

/* From "a=1 b=2"; the caller owns the reference. */
static inline const struct labels *labels_of(const char *text)
{
    struct label pairs[32];
    struct slice rest = slice_str(text), word;
    size_t n = 0;

    while (rest.len != 0) {
        (void)slice_cut(rest, ' ', &word, &rest);
        (void)slice_cut(word, '=', &pairs[n].name, &pairs[n].value);
        n++;
    }
    return labels_intern(pairs, n);
}
#endif
