#include "agent/text/logfmt.h"
#include "agent/base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Pairs written as key[=value]; joined by '|', an error ends them with "!". */
static void read_all(const char *line, struct buf *out)
{
    struct logfmt l;
    struct arena a;
    bool is_end = false;

    arena_init(&a, 0);
    logfmt_init(&l, slice_str(line));
    while (!is_end) {
        struct logfmt_pair p;

        if (logfmt_next(&l, &a, &p, &is_end, NULL) != OK) {
            (void)buf_add_char(out, '!');
            continue;
        }
        if (is_end)
            break;
        (void)buf_add(out, p.key);
        if (p.has_value)
            (void)buf_add_char(out, '=');
        (void)buf_add(out, p.value);
        (void)buf_add_char(out, '|');
    }
    arena_release(&a);
}

static void lines_read_as_go_logfmt_reads_them(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"", ""},
        {"a=1 b=\"bar\" \xC6\x92=2h3s r=\"esc\\t\" d x=sf   ", "a=1|b=bar|\xC6\x92=2h3s|r=esc\t|d|x=sf|"},
        {"a= b", "a=|b|"},
        {"a=\"\"", "a=|"},
        {"a=\"x y\"b=2", "a=x y|b=2|"},
        {"a=\"q\\\"\\u00e9\\ud83d\\ude00\\\\\\/\\'\"", "a=q\"\xC3\xA9\xF0\x9F\x98\x80\\/'|"},
        {"level=info\nmsg=x", "level=info|msg=x|"},
        {"a=b=c", "!"},
        {"ok=1 =x", "ok=1|!"},
        {"ok=1 \"x", "ok=1|!"},
        {"a\"=1", "!"},
        {"a=b\"", "!"},
        {"a=\"open", "!"},
        {"a=\"bad\\q\"", "!"},
        {"a=\"cut\\u12\"", "!"},
        {"\xFFkey=1", "!"},
        {"k=\xFF", "k=\xFF|"},
        {"k=\"\\", "!"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;

        buf_init(&b, 1024);
        read_all(rows[i].in, &b);
        if (!slice_eq_str(buf_slice(&b), rows[i].want))
            fail_msg("%s gives %.*s", rows[i].in, SLICE_ARG(buf_slice(&b)));
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_read_as_go_logfmt_reads_them)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
