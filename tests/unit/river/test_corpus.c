/* Public configurations, kept outside the repository: $HY_CORPUS is a folder of *.alloy and *.river files. Beside each
 * may lie FILE.want, the bytes Alloy's formatter gives, or FILE.refused (any content) when Alloy does not read it.
 * Skipped when HY_CORPUS is not set. */
#include "agent/river/parser.h"
#include "agent/river/printer.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka needs the six above */
#include <cmocka.h>

enum { FILE_BYTES = 8 << 20, MOST_NAMED = 20 };

struct shares {
    unsigned files, valid, parsed, same, refused;
    unsigned unstable; /* formatting the formatted text changes it, or what it means */
    unsigned named;
};

static bool read_file(const char *folder, const char *name, const char *suffix, struct buf *out)
{
    char path[1024], chunk[16384];
    FILE *f;
    size_t n;

    (void)snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    f = fopen(path, "rb");
    buf_reset(out);
    if (f == NULL)
        return false;
    while ((n = fread(chunk, 1, sizeof chunk, f)) != 0)
        (void)buf_add(out, slice_make(chunk, n));
    (void)fclose(f);
    return true;
}

/* The first of what went wrong are named. */
static void name_it(struct shares *shares, const char *name, const char *what)
{
    if (shares->named++ < MOST_NAMED)
        print_message("%s: %s\n", name, what);
}

static enum code format_text(struct slice in, struct arena *arena, struct ast_file **file, struct buf *out)
{
    struct diags diags;
    enum code rc;

    diags_init(&diags);
    rc = river_parse(in, "corpus", arena, &diags, file);
    diags_release(&diags);
    return rc == OK ? river_format(*file, out) : rc;
}

static bool is_stable(const struct ast_file *file, struct slice formatted)
{
    struct ast_file *again;
    struct arena arena;
    struct buf twice;
    bool is_same;

    arena_init(&arena, 0);
    buf_init(&twice, FILE_BYTES);
    is_same = format_text(formatted, &arena, &again, &twice) == OK && ast_equal(file, again) &&
              slice_eq(formatted, buf_slice(&twice));
    buf_release(&twice);
    arena_release(&arena);
    return is_same;
}

static void check_valid(struct shares *shares, const char *name, struct slice in, const struct buf *want)
{
    struct ast_file *file;
    struct arena arena;
    struct buf got;

    shares->valid++;
    arena_init(&arena, 0);
    buf_init(&got, FILE_BYTES);
    if (format_text(in, &arena, &file, &got) != OK) {
        name_it(shares, name, "is not read");
    } else {
        shares->parsed++;
        if (want == NULL || slice_eq(buf_slice(&got), buf_slice(want)))
            shares->same++;
        else
            name_it(shares, name, "is laid out differently");
        if (!is_stable(file, buf_slice(&got))) {
            shares->unstable++;
            name_it(shares, name, "changes when it is formatted again");
        }
    }
    buf_release(&got);
    arena_release(&arena);
}

static void check_refused(struct shares *shares, const char *name, struct slice in)
{
    struct ast_file *file;
    struct arena arena;
    struct buf got;

    arena_init(&arena, 0);
    buf_init(&got, FILE_BYTES);
    if (format_text(in, &arena, &file, &got) == INVALID)
        shares->refused++;
    else
        name_it(shares, name, "is read, Alloy refuses it");
    buf_release(&got);
    arena_release(&arena);
}

static bool is_configuration(struct slice name)
{
    return slice_ends(name, SLICE_LIT(".alloy")) || slice_ends(name, SLICE_LIT(".river"));
}

static void walk(const char *folder, struct shares *shares)
{
    DIR *dir = opendir(folder);
    struct buf in, want;

    assert_non_null(dir);
    buf_init(&in, FILE_BYTES);
    buf_init(&want, FILE_BYTES);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (!is_configuration(slice_str(e->d_name)) || !read_file(folder, e->d_name, "", &in))
            continue;
        shares->files++;
        if (read_file(folder, e->d_name, ".refused", &want))
            check_refused(shares, e->d_name, buf_slice(&in));
        else
            check_valid(shares, e->d_name, buf_slice(&in), read_file(folder, e->d_name, ".want", &want) ? &want : NULL);
    }
    (void)closedir(dir);
    buf_release(&in);
    buf_release(&want);
}

static void public_configurations_are_read_and_laid_out_as_by_alloy(void **state)
{
    const char *folder = getenv("HY_CORPUS");
    struct shares shares = {0};

    (void)state;
    if (folder == NULL) {
        print_message("HY_CORPUS is not set: skipped\n");
        skip();
    }
    walk(folder, &shares);
    print_message("%u files; of %u valid ones %u are read, %u give the same bytes, %u are not stable; of %u others %u "
                  "are refused\n",
                  shares.files, shares.valid, shares.parsed, shares.same, shares.unstable, shares.files - shares.valid,
                  shares.refused);
    assert_true(shares.valid > 0);
    assert_true(shares.parsed * 100 >= shares.valid * 99);
    assert_true(shares.same * 100 >= shares.valid * 99);
    assert_int_equal(shares.unstable, 0);
    assert_int_equal(shares.refused, shares.files - shares.valid);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_configurations_are_read_and_laid_out_as_by_alloy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
