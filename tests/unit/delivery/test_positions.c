#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include "agent/base/mem.h"
#include "agent/delivery/positions.h"
#include "agent/io/file.h"
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct seen {
    char text[2048];
};

static void note(void *ctx, struct slice path, struct slice labels, struct slice value)
{
    struct seen *s = ctx;
    size_t at = strlen(s->text);

    snprintf(s->text + at, sizeof s->text - at, "[%.*s|%.*s|%.*s]", SLICE_ARG(path), SLICE_ARG(labels),
             SLICE_ARG(value));
}

static const struct {
    const char *name, *in, *want; /* want NULL: CORRUPT */
} files[] = {
    {"empty", "", ""},
    {"alloy_empty", "positions: {}\n", ""},
    {"alloy",
     "positions:\n"
     "  ? path: /var/log/syslog\n"
     "    labels: '{job=\"sys\"}'\n"
     "  : \"12345\"\n"
     "  ? path: /var/log/b.log\n"
     "    labels: \"\"\n"
     "  : \"7\"\n",
     "[/var/log/syslog|{job=\"sys\"}|12345][/var/log/b.log||7]"},
    {"promtail",
     "positions:\n  /var/log/a.log: \"100\"\n  /var/log/with:colon.log: \"5\"\n  'cursor-journal': s=1;i=2\n",
     "[/var/log/a.log||100][/var/log/with:colon.log||5][cursor-journal||s=1;i=2]"},
    {"single_quotes_doubled", "positions:\n  'it''s': \"1\"\n", "[it's||1]"},
    {"escapes", "positions:\n  \"a\\\"b\\\\c\\x41\\u00e9\": \"1\"\n", "[a\"b\\cA\xc3\xa9||1]"},
    {"folded_labels", /* yaml.v2 folds long scalars at a blank */
     "positions:\n  ? path: /x\n    labels: '{a=\"1\",\n      b=\"2\"}'\n  : \"9\"\n", "[/x|{a=\"1\", b=\"2\"}|9]"},
    {"comments_and_blank_lines", "# made by x\n\npositions:\n\n  # note\n  /a: \"1\" # end\n\n", "[/a||1]"},
    {"labels_first", "positions:\n  ? labels: \"{}\"\n    path: /a\n  : \"1\"\n", "[/a|{}|1]"},
    {"windows_line_ends", "positions:\r\n  /a: \"1\"\r\n", "[/a||1]"},
    {"no_key", "offsets:\n  /a: \"1\"\n", NULL},
    {"no_value", "positions:\n  /a:\n", NULL},
    {"open_quote", "positions:\n  \"/a: 1\n", NULL},
    {"bad_escape", "positions:\n  \"\\q\": \"1\"\n", NULL},
    {"binary", "\x01\x02\x03", NULL},
    {"not_indented", "positions:\n/a: \"1\"\n", NULL},
    {"wrong_checksum", "positions:\n  /a: \"1\"\n# crc32c 00000000\n", NULL},
};

static void positions_files_of_alloy_and_promtail_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct seen s = {""};
        struct error err = {0};
        enum code rc = positions_parse(slice_str(files[i].in), note, &s, &err);

        if (files[i].want == NULL && rc != CORRUPT)
            fail_msg("%s: was taken: %s", files[i].name, s.text);
        if (files[i].want != NULL && rc != OK)
            fail_msg("%s: %s", files[i].name, err.text);
        if (files[i].want != NULL && strcmp(s.text, files[i].want) != 0)
            fail_msg("%s: %s instead of %s", files[i].name, s.text, files[i].want);
    }
}

/* ---- the store ---- */

struct place {
    char dir[64];
    char path[96], older[96];
    int64_t now_ns;
    struct clock clock;
};

static int64_t now(void *self)
{
    return ((struct place *)self)->now_ns;
}

static void make_place(struct place *p)
{
    snprintf(p->dir, sizeof p->dir, P_tmpdir "/test_positions_XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/positions.yml", p->dir);
    snprintf(p->older, sizeof p->older, "%s/positions.yml.1", p->dir);
    p->now_ns = (int64_t)1000 * NS_PER_S;
    p->clock = (struct clock){now, now, p};
}

static bool remove_one(void *arg, const char *name, bool is_dir)
{
    char path[512];

    (void)is_dir;
    snprintf(path, sizeof path, "%s/%s", ((struct place *)arg)->dir, name);
    unlink(path);
    return true;
}

static void remove_place(struct place *p)
{
    assert_int_equal(dir_list(p->dir, remove_one, p, NULL), OK);
    assert_int_equal(rmdir(p->dir), 0);
}

static int64_t offset_of(struct positions_file *f, const char *path)
{
    int64_t v;

    return positions_get(f, slice_str(path), slice_str("{a=\"1\"}"), &v) ? v : -1;
}

static void set(struct positions_file *f, const char *path, int64_t v)
{
    positions_set(f, slice_str(path), slice_str("{a=\"1\"}"), v);
}

/* A store with two generations on disk: /x at 1 in the older, at 2 in the newer. */
static void two_generations(struct place *p)
{
    struct positions *all = positions_new(&p->clock);
    struct positions_file *f;
    struct error err = {0};

    assert_int_equal(positions_open(all, p->dir, &f, NULL, &err), OK);
    set(f, "/x", 1);
    assert_int_equal(positions_write(all, true, &err), OK);
    set(f, "/x", 2);
    assert_int_equal(positions_write(all, true, &err), OK);
    positions_close(f);
    positions_free(all);
}

static void overwrite(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void positions_survive_a_restart(void **state)
{
    struct place p;
    struct positions *all;
    struct positions_file *f;
    struct buf text;

    (void)state;
    make_place(&p);
    all = positions_new(&p.clock);
    assert_int_equal(positions_open(all, p.dir, &f, NULL, NULL), OK);
    set(f, "/x \"quoted\"\n\x01", 77);
    positions_set_text(f, SLICE_LIT("journal"), (struct slice){0}, SLICE_LIT("s=1;i=2: #x"));
    set(f, "/gone", 5);
    positions_remove(f, SLICE_LIT("/gone"), SLICE_LIT("{a=\"1\"}"));
    positions_close(f); /* the last one writes */
    positions_free(all);
    all = positions_new(&p.clock);
    assert_int_equal(positions_open(all, p.dir, &f, NULL, NULL), OK);
    assert_int_equal(offset_of(f, "/x \"quoted\"\n\x01"), 77);
    assert_int_equal(offset_of(f, "/gone"), -1);
    buf_init(&text, 100);
    assert_true(positions_get_text(f, SLICE_LIT("journal"), (struct slice){0}, &text));
    assert_true(slice_eq_str(buf_slice(&text), "s=1;i=2: #x"));
    buf_release(&text);
    positions_close(f);
    positions_free(all);
    remove_place(&p);
}

static void written_at_most_once_per_second(void **state)
{
    struct place p;
    struct positions *all;
    struct positions_file *f;
    struct stat before, after;

    (void)state;
    make_place(&p);
    all = positions_new(&p.clock);
    assert_int_equal(positions_open(all, p.dir, &f, NULL, NULL), OK);
    set(f, "/x", 1);
    assert_int_equal(positions_write(all, false, NULL), OK);
    assert_int_equal(stat(p.path, &before), 0);
    set(f, "/x", 2);
    p.now_ns += NS_PER_S / 2;
    assert_int_equal(positions_write(all, false, NULL), OK);
    assert_int_equal(stat(p.path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    p.now_ns += NS_PER_S / 2;
    assert_int_equal(positions_write(all, false, NULL), OK);
    assert_int_equal(stat(p.path, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_mode & 0777, 0600);
    positions_close(f);
    positions_free(all);
    remove_place(&p);
}

static void broken_file_falls_back_to_the_generation_before(void **state)
{
    struct place p;
    struct positions *all;
    struct positions_file *f;
    struct error err = {0};
    bool is_older = false;

    (void)state;
    make_place(&p);
    two_generations(&p);
    overwrite(p.path, "positions:\n  /x: \"9\"\n# crc32c 12345678\n");
    all = positions_new(&p.clock);
    assert_int_equal(positions_open(all, p.dir, &f, &is_older, &err), OK);
    assert_true(is_older);
    assert_int_equal(offset_of(f, "/x"), 1);
    positions_close(f);
    positions_free(all);
    remove_place(&p);
}

static void broken_in_both_generations_is_reported_and_set_aside(void **state)
{
    struct place p;
    struct positions *all;
    struct positions_file *f;
    struct error err = {0};
    char aside[128];

    (void)state;
    make_place(&p);
    two_generations(&p);
    overwrite(p.path, "\x01garbage");
    overwrite(p.older, "positions: [");
    all = positions_new(&p.clock);
    assert_int_equal(positions_open(all, p.dir, &f, NULL, &err), CORRUPT);
    assert_non_null(strstr(err.text, p.path));
    assert_int_equal(offset_of(f, "/x"), -1);
    snprintf(aside, sizeof aside, "%s.unreadable", p.path);
    assert_int_equal(access(aside, F_OK), 0);
    set(f, "/x", 3); /* the empty store works */
    positions_close(f);
    assert_int_equal(positions_open(all, p.dir, &f, NULL, &err), OK);
    assert_int_equal(offset_of(f, "/x"), 3);
    positions_close(f);
    positions_free(all);
    remove_place(&p);
}

static void what_is_no_file_is_an_io_error(void **state)
{
    struct place p;
    struct positions *all;
    struct positions_file *f;
    struct error err = {0};

    (void)state;
    make_place(&p);
    assert_int_equal(mkdir(p.path, 0700), 0);
    all = positions_new(&p.clock);
    assert_int_equal(positions_open(all, p.dir, &f, NULL, &err), IO);
    assert_null(f);
    positions_free(all);
    assert_int_equal(rmdir(p.path), 0);
    remove_place(&p);
}

static void every_flipped_byte_is_noticed(void **state)
{
    struct place p;
    struct buf text;

    (void)state;
    make_place(&p);
    two_generations(&p);
    buf_init(&text, 4096);
    assert_int_equal(file_read_all(p.path, &text, NULL), OK);
    for (size_t i = 0; i < text.len; i++) {
        struct seen s = {""};

        text.ptr[i] = (char)(text.ptr[i] ^ 0x20);
        if (positions_parse(buf_slice(&text), note, &s, NULL) == OK && strcmp(s.text, "[/x|{a=\"1\"}|2]") != 0)
            fail_msg("flip at %zu changes positions unnoticed: %s", i, s.text);
        text.ptr[i] = (char)(text.ptr[i] ^ 0x20);
    }
    buf_release(&text);
    remove_place(&p);
}

static void import_fills_only_an_empty_store(void **state)
{
    struct place p;
    struct positions *all;
    struct positions_file *f;
    char legacy[128];
    int64_t v;

    (void)state;
    make_place(&p);
    snprintf(legacy, sizeof legacy, "%s/legacy.yml", p.dir);
    overwrite(legacy, "positions:\n  /old: \"42\"\n");
    all = positions_new(&p.clock);
    assert_int_equal(positions_open(all, p.dir, &f, NULL, NULL), OK);
    assert_int_equal(positions_import(f, legacy, NULL), OK);
    assert_true(positions_get(f, SLICE_LIT("/old"), (struct slice){0}, &v));
    assert_int_equal(v, 42);
    positions_set(f, SLICE_LIT("/old"), (struct slice){0}, 50);
    assert_int_equal(positions_import(f, legacy, NULL), OK);
    assert_true(positions_get(f, SLICE_LIT("/old"), (struct slice){0}, &v));
    assert_int_equal(v, 50);
    positions_close(f);
    positions_free(all);
    remove_place(&p);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_files_of_alloy_and_promtail_are_read),
        cmocka_unit_test(positions_survive_a_restart),
        cmocka_unit_test(written_at_most_once_per_second),
        cmocka_unit_test(broken_file_falls_back_to_the_generation_before),
        cmocka_unit_test(broken_in_both_generations_is_reported_and_set_aside),
        cmocka_unit_test(what_is_no_file_is_an_io_error),
        cmocka_unit_test(every_flipped_byte_is_noticed),
        cmocka_unit_test(import_fills_only_an_empty_store),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
