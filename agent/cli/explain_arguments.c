/* Where each argument's value came from: NAME = value  # origin, in the form of the configuration. */
#include "agent/cli/explain.h"
#include "agent/river/parser.h"

enum { TEXT_BYTES = 4 * 1024 * 1024, SHOWN_RUNES = 100, MOST_LEFT = 64 };

static void write_left(const struct explain *x, const struct argument *a, struct buf *out)
{
    struct buf value;

    for (unsigned i = 0; i <= a->depth; i++)
        buf_add_str(out, "  ");
    buf_add(out, a->name);
    if (a->is_block) {
        if (a->label.len != 0) {
            buf_add_char(out, ' ');
            river_quote(out, a->label);
        }
        return;
    }
    buf_add_str(out, " = ");
    if (!a->is_known) {
        buf_add_str(out, "(known when it runs)");
        return;
    }
    buf_init(&value, TEXT_BYTES);
    description_write_value(x->description, &a->value, &value);
    write_visible(out, buf_slice(&value), x->only != SIZE_MAX ? 0 : SHOWN_RUNES);
    buf_release(&value);
}

/* Does it take the file alone to see the value? Receivers are in the graph. */
static bool is_plain(const struct argument *a)
{
    const struct value *v = &a->value;

    if (a->is_default || slice_eq_str(a->origin, "written"))
        return true;
    if (!a->is_known || v->type != VALUE_ARRAY || v->as.array.n == 0)
        return false;
    for (size_t i = 0; i < v->as.array.n; i++)
        if (v->as.array.items[i].type != VALUE_CAPSULE)
            return false;
    return true;
}

/* Is any of what stands in block i of all worth a line? */
static bool is_shown(const struct explain *x, struct arguments all, size_t i)
{
    bool is_shown = !all.items[i].is_block && !(x->is_brief && is_plain(&all.items[i])) &&
                    (!all.items[i].is_default || x->only != SIZE_MAX);

    if (all.items[i].is_block && !x->is_brief)
        is_shown = !all.items[i].is_default || x->only != SIZE_MAX;
    for (size_t k = i + 1; !is_shown && all.items[i].is_block && k < all.n && all.items[k].depth > all.items[i].depth;
         k++)
        is_shown = !all.items[k].is_block && !is_plain(&all.items[k]) && x->is_brief;
    return is_shown;
}

static void add_component(const struct explain *x, size_t at, struct columns *rows)
{
    const struct config_block *block = &x->config->blocks[at];
    struct arguments all = description_arguments(x->description, at);
    struct buf left, right;
    size_t n = 0;

    for (size_t i = 0; i < all.n; i++)
        n += is_shown(x, all, i);
    if (n == 0 && x->is_brief)
        return;
    buf_init(&left, TEXT_BYTES);
    buf_init(&right, TEXT_BYTES);
    explain_place(&right, block->source, source_position(block->source, block->ast->name_span.start));
    columns_add(rows, PAINT_BOLD, explain_id(x, at), PAINT_DIM, buf_slice(&right));
    for (size_t i = 0; i < all.n; i++) {
        const struct argument *a = &all.items[i];

        if (!is_shown(x, all, i))
            continue;
        buf_reset(&left);
        buf_reset(&right);
        write_left(x, a, &left);
        if (!a->is_block || a->is_default)
            buf_printf(&right, "# %.*s", SLICE_ARG(a->is_block ? SLICE_LIT("default") : a->origin));
        columns_add(rows, PAINT_NONE, buf_slice(&left), PAINT_DIM, buf_slice(&right));
    }
    buf_release(&left);
    buf_release(&right);
}

void explain_arguments(const struct explain *x, struct buf *out)
{
    explain_heading(x, out, "Where the arguments come from");
    for (size_t i = 0; i < x->config->n; i++) {
        struct columns rows;

        if (x->only != SIZE_MAX && x->only != i)
            continue;
        columns_init(&rows);
        add_component(x, i, &rows);
        columns_print(&rows, out, x->is_coloured, MOST_LEFT);
        columns_release(&rows);
    }
    if (x->is_brief)
        buf_add_str(out, "Left out is what stands in the file as it is, and defaults: --show=arguments and "
                         "--component ID have them.\n");
}
