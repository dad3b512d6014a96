#include "agent/base/mem.h"
#include "agent/river/parser.h"
#include "agent/river/printer.h"
#include "agent/river/printer_int.h"

enum { MOST_ROUNDS = 6 };

/* A text and what it parses to. */
struct round {
    struct arena arena;
    struct diags diags;
    struct buf text;
    struct ast_file *file;
};

static void round_init(struct round *r, size_t max)
{
    arena_init(&r->arena, 0);
    diags_init(&r->diags);
    buf_init(&r->text, max);
    r->file = NULL;
}

static void round_release(struct round *r)
{
    buf_release(&r->text);
    diags_release(&r->diags);
    arena_release(&r->arena);
}

/* Prints file and reads the result. *is_same when that is the same configuration with the same comments. */
static enum code print_and_read(const struct ast_file *file, struct print_style style, struct round *r, bool *is_same)
{
    enum code rc = river_print(file, style, &r->text);

    *is_same = false;
    if (rc == OK)
        rc = river_parse(buf_slice(&r->text), "formatted", &r->arena, &r->diags, &r->file);
    if (rc == INVALID)
        return OK;
    *is_same = rc == OK && ast_equal(file, r->file);
    return rc;
}

/* *is_done when file's text is one that printing gives, in either style, and then r->text is it too. */
static enum code format_once(const struct ast_file *file, struct round *r, size_t max, bool *is_done)
{
    enum code rc = river_print(file, (struct print_style){.keeps_columns = true}, &r->text);
    bool is_same;

    *is_done = rc == OK && slice_eq(file->source->text, buf_slice(&r->text));
    if (rc != OK || *is_done)
        return rc;
    buf_reset(&r->text);
    rc = print_and_read(file, (struct print_style){0}, r, &is_same);
    if (rc == OK && !is_same) {
        round_release(r);
        round_init(r, max);
        rc = print_and_read(file, (struct print_style){.is_safe = true}, r, &is_same);
        BUG_ON(rc == OK && !is_same);
    }
    *is_done = rc == OK && slice_eq(file->source->text, buf_slice(&r->text));
    return rc;
}

/* One print is what Alloy's formatter gives. Its second print may differ: a value that was written over two lines and
 * fits on one ({ and }, a sum) ends the columns of the lines before it, and the second print joins them. Here a text
 * whose columns are as a print leaves them is done, so that formatting a formatted text changes nothing; else printing
 * goes on until nothing changes. */
enum code river_format(const struct ast_file *file, struct buf *out)
{
    struct round rounds[2];
    struct round *now = &rounds[0], *last = &rounds[1];
    bool is_done = false;
    enum code rc;

    round_init(now, out->max);
    round_init(last, out->max);
    rc = format_once(file, now, out->max, &is_done);
    for (int i = 0; i < MOST_ROUNDS && rc == OK && !is_done; i++) {
        struct round *swap = last;

        last = now;
        now = swap;
        round_release(now);
        round_init(now, out->max);
        rc = format_once(last->file, now, out->max, &is_done);
    }
    if (rc == OK)
        rc = buf_add(out, buf_slice(&now->text));
    round_release(now);
    round_release(last);
    return rc;
}
