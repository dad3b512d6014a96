#include "agent/river/diag.h"
#include "agent/base/limits.h"
#include "agent/river/diag_int.h"
#include "agent/text/utf8.h"
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES = 1024 };

void diags_init(struct diags *d)
{
    *d = (struct diags){0};
    arena_init(&d->arena, 0);
}

void diags_release(struct diags *d)
{
    arena_release(&d->arena);
    *d = (struct diags){0};
}

void diags_reset(struct diags *d)
{
    diags_release(d);
    diags_init(d);
}

/* Text of a configuration may hold anything; a terminal must not be driven by it. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
    }
}

static char *format(struct diags *d, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static char *format(struct diags *d, const char *fmt, va_list ap)
{
    char text[TEXT_BYTES];

    (void)vsnprintf(text, sizeof text, fmt, ap);
    make_printable(text);
    return arena_strndup(&d->arena, slice_make(text, utf8_valid_prefix(slice_str(text))));
}

static bool is_repeated(const struct diags *d, const struct diag *new)
{
    for (size_t i = d->n; i > 0; i--) {
        const struct diag *old = &d->items[i - 1];

        if (old->severity == new->severity && old->start.line == new->start.line &&
            old->start.column == new->start.column &&strcmp(old->file, new->file) == 0 &&
            strcmp(old->text, new->text) == 0)
            return true;
    }
    return false;
}

/* Room for one more, an error taking the last warning's place when the list is full. NULL: dropped. */
static struct diag *room_for(struct diags *d, enum severity severity)
{
    if (d->n < LIMIT_CONFIG_DIAGS) {
        if (d->items == NULL)
            d->items = arena_zalloc(&d->arena, LIMIT_CONFIG_DIAGS * sizeof *d->items);
        return &d->items[d->n++];
    }
    d->n_dropped++;
    for (size_t i = d->n; i > 0 && severity == SEVERITY_ERROR; i--) {
        if (d->items[i - 1].severity == SEVERITY_WARNING) {
            memmove(&d->items[i - 1], &d->items[i], (d->n - i) * sizeof *d->items);
            return &d->items[d->n - 1];
        }
    }
    return NULL;
}

static struct diag *insert(struct diags *d, const struct diag *new)
{
    struct diag *kept;

    if (is_repeated(d, new))
        return NULL;
    if (new->severity == SEVERITY_ERROR)
        d->n_errors++;
    kept = room_for(d, new->severity);
    if (kept != NULL)
        *kept = *new;
    return kept;
}

static struct diag *add(struct diags *d, enum severity severity, const struct source *source, struct span at,
                        const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

static struct diag *add(struct diags *d, enum severity severity, const struct source *source, struct span at,
                        const char *fmt, va_list ap)
{
    struct diag new = {.severity = severity, .file = "", .excerpt = ""};

    if (d->n >= LIMIT_CONFIG_DIAGS && (severity == SEVERITY_WARNING || d->n_errors >= LIMIT_CONFIG_DIAGS)) {
        d->n_errors += severity == SEVERITY_ERROR;
        d->n_dropped++;
        return NULL; /* nothing is kept of it, so nothing is allocated either */
    }
    new.text = format(d, fmt, ap);
    if (source != NULL) {
        new.file = arena_strndup(&d->arena, source->name);
        new.start = source_position(source, at.start);
        new.end = at.end > at.start ? source_position(source, at.end) : new.start;
        diag_excerpt(&d->arena, source, &new, NULL, 0);
    }
    return insert(d, &new);
}

struct diag *diags_add(struct diags *d, enum severity severity, const struct source *source, struct span at,
                       const char *fmt, ...)
{
    struct diag *diag;
    va_list ap;

    va_start(ap, fmt);
    diag = add(d, severity, source, at, fmt, ap);
    va_end(ap);
    return diag;
}

struct diag *diags_error(struct diags *d, const struct source *source, struct span at, const char *fmt, ...)
{
    struct diag *diag;
    va_list ap;

    va_start(ap, fmt);
    diag = add(d, SEVERITY_ERROR, source, at, fmt, ap);
    va_end(ap);
    return diag;
}

struct diag *diags_warn(struct diags *d, const struct source *source, struct span at, const char *fmt, ...)
{
    struct diag *diag;
    va_list ap;

    va_start(ap, fmt);
    diag = add(d, SEVERITY_WARNING, source, at, fmt, ap);
    va_end(ap);
    return diag;
}

void diags_error_file(struct diags *d, const char *file, const char *fmt, ...)
{
    struct diag new = {.severity = SEVERITY_ERROR, .excerpt = ""};
    va_list ap;

    va_start(ap, fmt);
    new.text = format(d, fmt, ap);
    va_end(ap);
    new.file = arena_strndup(&d->arena, slice_str(file));
    (void)insert(d, &new);
}

void diag_hint(struct diags *d, struct diag *diag, const char *fmt, ...)
{
    va_list ap;

    if (diag == NULL)
        return;
    va_start(ap, fmt);
    diag->hint = format(d, fmt, ap);
    va_end(ap);
}

void diag_page(struct diags *d, struct diag *diag, const char *fmt, ...)
{
    va_list ap;

    if (diag == NULL)
        return;
    va_start(ap, fmt);
    diag->page = format(d, fmt, ap);
    va_end(ap);
}

void diags_page_rest(struct diags *d, size_t first, const char *page)
{
    for (size_t i = first; i < d->n; i++) {
        if (d->items[i].page == NULL)
            diag_page(d, &d->items[i], "%s", page);
    }
}

void diags_append(struct diags *d, const struct diags *src)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < src->n; i++) {
        struct diag copy = src->items[i];

        n_kept += copy.severity == SEVERITY_ERROR;
        copy.file = arena_strndup(&d->arena, slice_str(copy.file));
        copy.text = arena_strndup(&d->arena, slice_str(copy.text));
        copy.excerpt = arena_strndup(&d->arena, slice_str(copy.excerpt));
        if (copy.hint != NULL)
            copy.hint = arena_strndup(&d->arena, slice_str(copy.hint));
        if (copy.page != NULL)
            copy.page = arena_strndup(&d->arena, slice_str(copy.page));
        (void)insert(d, &copy);
    }
    d->n_dropped += src->n_dropped;
    d->n_errors += src->n_errors - n_kept;
}

static int cmp_diags(const void *a, const void *b)
{
    const struct diag *x = a, *y = b;
    int order = strcmp(x->file, y->file);

    if (order != 0)
        return order;
    if (x->start.line != y->start.line)
        return x->start.line < y->start.line ? -1 : 1;
    if (x->start.column != y->start.column)
        return x->start.column < y->start.column ? -1 : 1;
    return strcmp(x->text, y->text);
}

void diags_sort(struct diags *d)
{
    if (d->n > 1)
        qsort(d->items, d->n, sizeof *d->items, cmp_diags);
}

/* --- printing --- */

void diag_print_page(struct buf *out, const struct diag *diag)
{
    struct slice page = slice_str(diag->page), name = slice_head(page, slice_find(page, '#'));

    (void)buf_printf(out, "docs/reference/%.*s.md%s", SLICE_ARG(name), diag->page + name.len);
}

/* Pages about many things are asked for by the thing, blocks of a component by their path. */
void diag_print_topic(struct buf *out, const struct diag *diag)
{
    struct slice name, place;
    bool has_place = slice_cut(slice_str(diag->page), '#', &name, &place);

    if (has_place && (slice_eq_str(name, "functions") || slice_eq_str(name, "alloy"))) {
        (void)buf_add(out, place);
        return;
    }
    (void)buf_add(out, name);
    if (has_place && !slice_eq_str(name, "language") && !slice_eq_str(place, "arguments") &&
        !slice_eq_str(place, "exports"))
        (void)buf_printf(out, ".%.*s", SLICE_ARG(place));
}

struct colours {
    const char *bold, *error, *warning, *help, *off;
};

static void print_place(struct buf *out, const struct diag *diag)
{
    if (diag->file[0] == '\0')
        return;
    (void)buf_add_str(out, diag->file);
    if (diag->start.line != 0)
        (void)buf_printf(out, ":%u:%u", diag->start.line, diag->start.column);
    (void)buf_add_str(out, ": ");
}

static void print_excerpt(struct buf *out, const struct diag *diag, const struct colours *c)
{
    int width = snprintf(NULL, 0, "%u", diag->start.line);
    struct slice before = slice_str(diag->excerpt);

    (void)buf_printf(out, " %u | %s\n %*s | ", diag->start.line, diag->excerpt != NULL ? diag->excerpt : "", width, "");
    before = slice_head(before, utf8_rune_offset(before, diag->caret));
    while (before.len != 0) { /* tabs stay tabs, so that the caret stands where the text does */
        uint32_t rune;

        before = slice_from(before, utf8_decode(before, &rune));
        (void)buf_add_char(out, rune == '\t' ? '\t' : ' ');
    }
    (void)buf_printf(out, "%s^", diag->severity == SEVERITY_ERROR ? c->error : c->warning);
    for (uint32_t i = 1; i < diag->caret_len; i++)
        (void)buf_add_char(out, '~');
    (void)buf_printf(out, "%s\n", c->off);
}

static void print_page(struct buf *out, const struct diag *diag, const struct colours *c)
{
    (void)buf_printf(out, "  %s= see:%s ", c->help, c->off);
    diag_print_page(out, diag);
    (void)buf_add_str(out, ", or: hyagent docs ");
    diag_print_topic(out, diag);
    (void)buf_add_char(out, '\n');
}

void diags_print(struct buf *out, const struct diags *d, bool colour)
{
    static const struct colours plain = {"", "", "", "", ""};
    static const struct colours ansi = {"\033[1m", "\033[1;31m", "\033[1;33m", "\033[36m", "\033[0m"};
    const struct colours *c = colour ? &ansi : &plain;

    for (size_t i = 0; i < d->n; i++) {
        const struct diag *diag = &d->items[i];
        bool is_error = diag->severity == SEVERITY_ERROR;

        (void)buf_add_str(out, c->bold);
        print_place(out, diag);
        (void)buf_printf(out, "%s%s%s%s: %s\n", c->off, is_error ? c->error : c->warning,
                         is_error ? "error" : "warning", c->off, diag->text);
        if (diag->start.line != 0)
            print_excerpt(out, diag, c);
        if (diag->hint != NULL)
            (void)buf_printf(out, "  %s= help:%s %s\n", c->help, c->off, diag->hint);
        if (diag->page != NULL)
            print_page(out, diag, c);
    }
    if (d->n_dropped != 0)
        (void)buf_printf(out, "%zu more not shown\n", d->n_dropped);
}

void diag_print_line(struct buf *out, const struct diag *diag)
{
    print_place(out, diag);
    (void)buf_add_str(out, diag->text);
    if (diag->hint != NULL)
        (void)buf_printf(out, " (%s)", diag->hint);
}
