/* One step of an item's way: what changed, label by label. */
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/cli/explain_line.h"
#include "agent/river/value.h"
#include "agent/text/timefmt.h"
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_RUNES = 400, STEP_INDENT = 4, CHANGE_INDENT = 8 };

static void indent(struct telling *t, size_t n)
{
    while (n-- != 0)
        buf_add_char(t->out, ' ');
}

void tell_text(const struct telling *t, struct buf *out, struct slice text, bool is_quoted)
{
    struct buf shown;

    buf_init(&shown, out->max);
    description_write_text(t->x->description, text, &shown);
    buf_add_str(out, is_quoted ? "\"" : "");
    write_visible(out, buf_slice(&shown), SHOWN_RUNES);
    buf_add_str(out, is_quoted ? "\"" : "");
    buf_release(&shown);
}

void tell_component(struct telling *t, const char *id, const char *from)
{
    tell_idle(t);
    buf_add_str(t->out, "  ");
    paint(t->out, t->x->is_coloured, PAINT_BOLD, slice_str(id));
    if (from[0] != '\0') {
        buf_add_str(t->out, "  ");
        paint(t->out, t->x->is_coloured, PAINT_DIM, SLICE_LIT("from "));
        paint(t->out, t->x->is_coloured, PAINT_DIM, slice_str(from));
    }
    buf_add_char(t->out, '\n');
}

void tell_time(struct buf *out, int64_t ns)
{
    char text[32];
    int64_t sub_ms = ((ns % NS_PER_MS) + NS_PER_MS) % NS_PER_MS;

    clock_format_rfc3339(ns, text);
    if (sub_ms == 0) {
        buf_add_str(out, text);
        return;
    }
    buf_printf(out, "%.*s%06lldZ", (int)(strlen(text) - 1), text, (long long)sub_ms);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static struct label *sorted(const struct label *labels, size_t n)
{
    struct label *copy = mem_array(n + 1, sizeof *copy);

    if (n != 0)
        memcpy(copy, labels, n * sizeof *copy);
    if (n > 1)
        qsort(copy, n, sizeof *copy, by_name);
    return copy;
}

void tell_labels(const struct telling *t, struct buf *out, const struct label *labels, size_t n)
{
    struct label *list = sorted(labels, n);

    buf_add_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        buf_add_str(out, i != 0 ? ", " : "");
        buf_add(out, list[i].name);
        buf_add_char(out, '=');
        tell_text(t, out, list[i].value, true);
    }
    buf_add_char(out, '}');
    mem_free(list);
}

static const struct label *find(const struct label *labels, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(labels[i].name, name))
            return &labels[i];
    return NULL;
}

static void write_value(const struct telling *t, struct buf *out, struct slice value)
{
    if (value.ptr == NULL)
        buf_add_str(out, "(nothing)");
    else
        tell_text(t, out, value, true);
}

static bool is_same(struct slice a, struct slice b)
{
    return slice_eq(a, b) && (a.ptr == NULL) == (b.ptr == NULL);
}

/* One line "what  + name = value" per difference, in order of name. */
static void write_differences(struct telling *t, struct buf *lines, const char *what, const struct label *before,
                              size_t n_before, const struct label *after, size_t n_after)
{
    struct label *old = sorted(before, n_before), *new = sorted(after, n_after);
    struct buf line;

    buf_init(&line, lines->max);
    for (size_t i = 0; i < n_after; i++) {
        const struct label *was = find(old, n_before, new[i].name);

        if (was != NULL && is_same(was->value, new[i].value))
            continue;
        buf_reset(&line);
        buf_printf(&line, "%c %.*s = ", was == NULL ? '+' : '~', SLICE_ARG(new[i].name));
        if (was != NULL) {
            write_value(t, &line, was->value);
            buf_add_str(&line, " → ");
        }
        write_value(t, &line, new[i].value);
        buf_printf(lines, "%*s%-11s", CHANGE_INDENT, "", what);
        paint(lines, t->x->is_coloured, was == NULL ? PAINT_GREEN : PAINT_YELLOW, buf_slice(&line));
        buf_add_char(lines, '\n');
    }
    for (size_t i = 0; i < n_before; i++) {
        if (find(new, n_after, old[i].name) != NULL)
            continue;
        buf_reset(&line);
        buf_printf(&line, "- %.*s = ", SLICE_ARG(old[i].name));
        write_value(t, &line, old[i].value);
        buf_printf(lines, "%*s%-11s", CHANGE_INDENT, "", what);
        paint(lines, t->x->is_coloured, PAINT_RED, buf_slice(&line));
        buf_add_char(lines, '\n');
    }
    buf_release(&line);
    mem_free(old);
    mem_free(new);
}

/* What differs between before (NULL: nothing is known of it) and after. */
static void write_changes(struct telling *t, struct buf *lines, const struct trace_item *before,
                          const struct trace_item *after)
{
    if (before == NULL) {
        buf_printf(lines, "%*s%-11s", CHANGE_INDENT, "", "line");
        tell_text(t, lines, after->line, true);
        buf_add_char(lines, '\n');
        return;
    }
    if (before->ts_ns != after->ts_ns) {
        buf_printf(lines, "%*s%-11s", CHANGE_INDENT, "", "time");
        tell_time(lines, before->ts_ns);
        buf_add_str(lines, " → ");
        tell_time(lines, after->ts_ns);
        buf_add_char(lines, '\n');
    }
    if (!slice_eq(before->line, after->line)) {
        buf_printf(lines, "%*s%-11s", CHANGE_INDENT, "", "line");
        tell_text(t, lines, before->line, true);
        buf_printf(lines, "\n%*s%-11s→ ", CHANGE_INDENT - 2, "", "");
        tell_text(t, lines, after->line, true);
        buf_add_char(lines, '\n');
    }
    write_differences(t, lines, "extracted", before->extracted, before->n_extracted, after->extracted,
                      after->n_extracted);
    write_differences(t, lines, "label", before->labels, before->n_labels, after->labels, after->n_labels);
    write_differences(t, lines, "metadata", before->metadata, before->n_metadata, after->metadata, after->n_metadata);
}

/* "keep  app;env =~ "x;.*"": a rule in one line. */
static void write_rule(const struct telling *t, const struct relabel_rule *r)
{
    struct buf *out = t->out;

    buf_printf(out, " %s", relabel_action_name(r->action));
    if (r->n_source_labels != 0)
        buf_add_char(out, ' ');
    for (size_t i = 0; i < r->n_source_labels; i++) {
        if (i != 0)
            write_visible(out, r->separator, 0);
        buf_add(out, r->source_labels[i]);
    }
    if (r->action == RELABEL_LABELMAP || r->action == RELABEL_LABELKEEP || r->action == RELABEL_LABELDROP)
        buf_add_str(out, " names");
    if (r->action != RELABEL_KEEPEQUAL && r->action != RELABEL_DROPEQUAL && !slice_eq_str(r->regex, "(.*)")) {
        buf_add_str(out, " =~ ");
        tell_text(t, out, r->regex, true);
    }
    if (r->target_label.len != 0)
        buf_printf(out, " → %.*s", SLICE_ARG(r->target_label));
    if ((r->action == RELABEL_REPLACE || r->action == RELABEL_LABELMAP) && !slice_eq_str(r->replacement, "$1")) {
        buf_add_str(out, " = ");
        tell_text(t, out, r->replacement, true);
    }
}

static bool joins_lines(const char *kind)
{
    return strcmp(kind, "stage.multiline") == 0 || strcmp(kind, "stage.cri") == 0 || strcmp(kind, "stage.docker") == 0;
}

static void write_verdict(struct telling *t, const struct trace_step *s, bool is_changed)
{
    struct buf text;
    enum paint colour = PAINT_DIM;

    buf_init(&text, 4096);
    switch (s->verdict) {
    case TRACE_ON:
        if (strcmp(s->kind, "stage.match") == 0)
            buf_add_str(&text, "matches");
        else if (!is_changed)
            buf_add_str(&text, "no change");
        else if (strcmp(s->kind, "stage.multiline") == 0 && s->before != NULL &&
                 !slice_eq(s->before->line, s->after->line))
            buf_add_str(&text, "the block before goes on; this line begins the next");
        break;
    case TRACE_NO_MATCH:
        buf_add_str(&text, s->rule != NULL ? "does not match" : "does not match: its stages are passed over");
        break;
    case TRACE_DROPPED:
        colour = PAINT_RED;
        buf_printf(&text, "dropped, counted %s",
                   s->counter != NULL ? s->counter : "hyagent_component_items_dropped_total{reason=\"rule\"}");
        break;
    case TRACE_HELD:
        colour = PAINT_YELLOW;
        buf_add_str(&text, "held until the lines it belongs with have come");
        break;
    case TRACE_RELEASED:
        colour = PAINT_YELLOW;
        buf_add_str(&text, "no more lines came in time: what was held goes on");
        break;
    case TRACE_FAILED:
        colour = PAINT_RED;
        buf_add_str(&text, "no memory: the entry is lost, counted memory");
        break;
    }
    if (text.len != 0)
        buf_add_str(t->out, "  ");
    paint(t->out, t->x->is_coloured, colour, buf_slice(&text));
    buf_release(&text);
}

/* Where the block of a step stands: stages know it, rules are counted. */
static void write_place(struct telling *t, const struct trace_step *s)
{
    const struct config_block *block = config_block_by_id(t->x->config, slice_str(s->component));
    struct position at = s->at;
    struct arguments all;
    size_t n = 0;

    if (block == NULL)
        return;
    all = description_arguments(t->x->description, (size_t)(block - t->x->config->blocks));
    for (size_t i = 0; s->rule != NULL && i < all.n; i++)
        if (all.items[i].is_block && all.items[i].depth == 0 && slice_eq_str(all.items[i].name, s->kind) &&
            ++n == s->number)
            at = all.items[i].at;
    if (at.line != 0)
        buf_printf(t->out, " (%.*s:%u)", SLICE_ARG(block->source->name), at.line);
}

void tell_idle(struct telling *t)
{
    struct buf text;

    if (t->n_idle == 0)
        return;
    buf_init(&text, 256);
    if (t->n_idle == 1)
        buf_printf(&text, "%s: no change", t->idle_kind);
    else
        buf_printf(&text, "%s, %zu times: no change", t->idle_kind, t->n_idle);
    indent(t, STEP_INDENT);
    paint(t->out, t->x->is_coloured, PAINT_DIM, buf_slice(&text));
    buf_add_char(t->out, '\n');
    buf_release(&text);
    t->n_idle = 0;
}

static void note_end(struct telling *t, const struct trace_step *s)
{
    if (s->verdict == TRACE_DROPPED || s->verdict == TRACE_FAILED)
        buf_printf(&t->ends, "%s %s %s %zu", t->ends.len != 0 ? "," : "", s->component, s->kind, s->number);
}

void tell_step(struct telling *t, const struct trace_step *s)
{
    struct buf lines;
    bool is_plain;

    buf_init(&lines, 1024 * 1024);
    if (s->after != NULL)
        write_changes(t, &lines, s->before, s->after);
    is_plain = s->verdict == TRACE_ON && lines.len == 0 && s->rule == NULL && !joins_lines(s->kind) &&
               strcmp(s->kind, "stage.match") != 0;
    if (t->n_idle != 0 && (!is_plain || strcmp(t->idle_kind, s->kind) != 0))
        tell_idle(t);
    if (is_plain) {
        (void)snprintf(t->idle_kind, sizeof t->idle_kind, "%s", s->kind);
        t->n_idle++;
        buf_release(&lines);
        return;
    }
    if (s->verdict == TRACE_RELEASED) /* by its timer: nothing came to the component now */
        tell_component(t, s->component, "");
    indent(t, STEP_INDENT + 2 * (size_t)s->depth);
    buf_add_str(t->out, s->kind);
    if (s->rule != NULL) {
        buf_printf(t->out, " %zu", s->number);
        write_rule(t, s->rule);
    }
    write_place(t, s);
    write_verdict(t, s, lines.len != 0);
    buf_add_char(t->out, '\n');
    buf_add(t->out, buf_slice(&lines));
    buf_release(&lines);
    note_end(t, s);
}
