#include "agent/river/layout.h"
#include "agent/river/printer_int.h"
#include "agent/text/utf8.h"

/* White space wanted before the next token. It is kept back because a comment may come first. */
enum space {
    SPACE_NONE,
    SPACE_BLANK,
    SPACE_TAB, /* ends a column: before "=" */
    SPACE_NEWLINE,
    SPACE_BREAK, /* a newline that ends all columns */
    SPACE_INDENT,
    SPACE_UNINDENT,
};

enum { MOST_PENDING = 16, MOST_NEWLINES = 2 };

struct printer {
    const struct ast_file *file;
    struct layout layout;
    size_t next_comment;
    uint32_t indent;
    enum space pending[MOST_PENDING];
    size_t n_pending;
    struct print_style style;
    uint32_t last_line; /* of the source, where the last token or comment ended */
    uint32_t at;        /* of the source, where the last token would end if it stood there as it is printed */
    uint32_t at_line;
    bool has_output;
};

static uint32_t line_of(const struct printer *p, uint32_t offset)
{
    return source_line_of(p->file->source, offset);
}

/* Lines of a thing that is span; its last character counts, not what follows it. */
static uint32_t end_line(const struct printer *p, struct span span)
{
    return line_of(p, span.end > span.start ? span.end - 1 : span.end);
}

static bool is_one_line(const struct printer *p, struct span span)
{
    return line_of(p, span.start) == end_line(p, span);
}

/* Do the "=" after two names stand in different columns of neighbouring lines? */
static bool is_apart(const struct printer *p, struct span name, struct span next)
{
    const struct source *source = p->file->source;
    struct span names[2] = {name, next};
    size_t column[2];

    for (size_t i = 0; i < 2; i++) {
        uint32_t line = line_of(p, names[i].start), start = source->line_starts[line - 1];
        size_t at = names[i].end + slice_find(slice_from(source->text, names[i].end), '=');

        column[i] = utf8_runes(slice_make(source->text.ptr + start, at - start));
    }
    return line_of(p, next.start) == line_of(p, name.start) + 1 && column[0] != column[1];
}

/* What is printed on one line and may have been written over several. */
static bool is_joined(const struct expr *e)
{
    return e->kind == EXPR_BINARY || (e->kind == EXPR_ARRAY && e->as.array.n == 0) ||
           (e->kind == EXPR_OBJECT && e->as.object.n == 0);
}

/* What follows a value of one line: a newline, or a break where the columns of its neighbour are kept apart. */
static enum space line_end(const struct printer *p, const struct expr *value, struct span all, struct span name,
                           const struct span *next)
{
    if (!is_one_line(p, all))
        return SPACE_BREAK;
    if (p->style.keeps_columns && next != NULL && is_joined(value) && is_apart(p, name, *next))
        return SPACE_BREAK;
    return SPACE_NEWLINE;
}

static struct slice source_text(const struct printer *p, struct span span)
{
    return slice_head(slice_from(p->file->source->text, span.start), span.end - span.start);
}

/* --- white space --- */

static void apply(struct printer *p, enum space space)
{
    switch (space) {
    case SPACE_NONE:
        return;
    case SPACE_BLANK:
        layout_text(&p->layout, SLICE_LIT(" "), p->indent);
        return;
    case SPACE_TAB:
        layout_tab(&p->layout);
        return;
    case SPACE_NEWLINE:
    case SPACE_BREAK:
        layout_newline(&p->layout, space == SPACE_BREAK);
        return;
    case SPACE_INDENT:
        p->indent++;
        return;
    case SPACE_UNINDENT:
        p->indent--;
        return;
    }
}

static bool is_indentation(enum space space)
{
    return space == SPACE_INDENT || space == SPACE_UNINDENT;
}

/* A blank before a line break would be left at the end of the line. */
static bool is_lost_blank(const struct printer *p, size_t i, size_t n)
{
    if (p->pending[i] != SPACE_BLANK)
        return false;
    for (i++; i < n && is_indentation(p->pending[i]); i++)
        ;
    return i < n && (p->pending[i] == SPACE_NEWLINE || p->pending[i] == SPACE_BREAK);
}

static void apply_pending(struct printer *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_lost_blank(p, i, n))
            apply(p, p->pending[i]);
    }
    memmove(p->pending, p->pending + n, (p->n_pending - n) * sizeof p->pending[0]);
    p->n_pending -= n;
}

static void want(struct printer *p, enum space space)
{
    if (p->n_pending == MOST_PENDING)
        apply_pending(p, p->n_pending);
    p->pending[p->n_pending++] = space;
}

static void newlines(struct printer *p, uint32_t n, enum space kind)
{
    for (uint32_t i = 0; i < n && i < MOST_NEWLINES; i++)
        apply(p, kind);
}

/* --- comments --- */

/* What goes before a comment: on the line of the last token a space or a column, else its own line breaks. */
static void before_comment(struct printer *p, const struct ast_comment *c, uint32_t next_line)
{
    uint32_t line = line_of(p, c->span.start);
    size_t n = 0;

    if (!p->has_output)
        return;
    if (line == p->last_line) {
        apply(p, line == next_line ? SPACE_BLANK : SPACE_TAB);
        return;
    }
    while (n < p->n_pending && is_indentation(p->pending[n]))
        n++; /* a comment after "{" stands further in, one before "}" does too */
    if (n < p->n_pending) {
        p->pending[n] = SPACE_NONE;
        apply_pending(p, n);
    }
    newlines(p, line - p->last_line, SPACE_BREAK);
}

/* Carriage returns are dropped, but for one between a star and a slash: without it the comment would end there. */
static void write_comment(struct printer *p, const struct ast_comment *c)
{
    struct slice text = source_text(p, c->span);

    while (text.len != 0) {
        size_t n = slice_find(text, '\r');
        bool is_kept = c->is_block && n > 0 && n + 1 < text.len && text.ptr[n - 1] == '*' && text.ptr[n + 1] == '/';

        layout_text(&p->layout, slice_head(text, n + (is_kept ? 1 : 0)), p->indent);
        text = slice_from(text, n + 1);
    }
    p->last_line = end_line(p, c->span);
    p->has_output = true;
}

/* What goes between the last comment and the token after it. */
static void after_comment(struct printer *p, const struct ast_comment *c, uint32_t next_line)
{
    bool is_break = false;

    if (c->is_block && end_line(p, c->span) == next_line)
        apply(p, SPACE_BLANK);
    for (size_t i = 0; i < p->n_pending; i++) {
        is_break |= p->pending[i] == SPACE_BREAK;
        if (!is_indentation(p->pending[i]))
            p->pending[i] = SPACE_NONE;
    }
    apply_pending(p, p->n_pending);
    if (next_line > p->last_line)
        newlines(p, next_line - p->last_line, is_break ? SPACE_BREAK : SPACE_NEWLINE);
}

static const struct ast_comment *comment_before(const struct printer *p, uint32_t offset)
{
    if (p->next_comment == p->file->n_comments || p->file->comments[p->next_comment].span.start > offset)
        return NULL;
    return &p->file->comments[p->next_comment];
}

static void flush(struct printer *p, uint32_t offset, uint32_t next_line)
{
    const struct ast_comment *c = comment_before(p, offset), *last = NULL;

    if (c == NULL) {
        apply_pending(p, p->n_pending);
        return;
    }
    for (; c != NULL; c = comment_before(p, offset)) {
        before_comment(p, c, next_line);
        write_comment(p, c);
        last = c;
        p->next_comment++;
    }
    after_comment(p, last, next_line);
}

static void flush_at_end(struct printer *p)
{
    const struct ast_comment *c;

    while ((c = comment_before(p, UINT32_MAX)) != NULL) {
        before_comment(p, c, UINT32_MAX);
        write_comment(p, c);
        p->next_comment++;
    }
}

/* --- tokens --- */

static void token(struct printer *p, struct slice text, struct span at)
{
    flush(p, at.start, line_of(p, at.start));
    layout_raw(&p->layout, text, p->indent);
    p->last_line = end_line(p, at);
    p->at = at.start + (uint32_t)text.len;
    p->at_line = p->last_line;
    p->has_output = true;
}

static void token_at(struct printer *p, const char *text, uint32_t offset)
{
    token(p, slice_str(text), (struct span){offset, offset + 1});
}

/* A token that follows the one before it whatever comment stands between them; Alloy does not ask where it stood. */
static void attached(struct printer *p, struct slice text)
{
    if (p->style.is_safe) {
        apply_pending(p, p->n_pending);
        layout_text(&p->layout, text, p->indent);
        return;
    }
    flush(p, p->at, p->at_line);
    layout_text(&p->layout, text, p->indent);
    p->last_line = p->at_line;
    p->at += (uint32_t)text.len;
}

/* Parentheses, dots and what follows them: where they stood, when that is safer. */
static void loose(struct printer *p, struct slice text, uint32_t offset)
{
    if (p->style.is_safe)
        token(p, text, (struct span){offset, offset + (uint32_t)text.len});
    else
        attached(p, text);
}

/* --- expressions --- */

static void expression(struct printer *p, const struct expr *e);

static void array(struct printer *p, const struct expr *e)
{
    uint32_t close = e->span.end - 1, last = line_of(p, e->mark);
    size_t n = e->as.array.n;

    token_at(p, "[", e->mark);
    for (size_t i = 0; i < n; i++) {
        const struct expr *item = e->as.array.items[i];
        bool is_new_line = line_of(p, item->span.start) != last;

        if (is_new_line) {
            want(p, SPACE_INDENT); /* first, so that comments before the line break are indented too */
            want(p, SPACE_BREAK);
        } else if (i > 0) {
            want(p, SPACE_BLANK);
        }
        expression(p, item);
        last = end_line(p, item->span);
        if (i + 1 < n)
            attached(p, SLICE_LIT(","));
        if (is_new_line)
            want(p, SPACE_UNINDENT);
    }
    if (n > 0 && line_of(p, close) != last) {
        attached(p, SLICE_LIT(","));
        want(p, SPACE_INDENT);
        want(p, SPACE_BREAK);
        want(p, SPACE_UNINDENT);
    }
    token_at(p, "]", close);
}

/* A key between backticks gets double quotes where that changes nothing. */
static void object_key(struct printer *p, const struct expr_key *key)
{
    struct slice text = source_text(p, key->span);
    bool is_raw = key->is_quoted && text.ptr[0] == '`' && slice_find(key->name, '"') == key->name.len &&
                  slice_find(key->name, '\\') == key->name.len && slice_find(key->name, '\n') == key->name.len;

    if (!is_raw) {
        token(p, text, key->span);
        return;
    }
    token(p, SLICE_LIT("\""), key->span);
    layout_text(&p->layout, key->name, p->indent);
    layout_text(&p->layout, SLICE_LIT("\""), p->indent);
}

static void object(struct printer *p, const struct expr *e)
{
    uint32_t close = e->span.end - 1, last = line_of(p, e->mark);
    size_t n = e->as.object.n;

    token_at(p, "{", e->mark);
    want(p, SPACE_INDENT);
    for (size_t i = 0; i < n; i++) {
        const struct expr_key *key = &e->as.object.keys[i];

        if (line_of(p, key->span.start) != last)
            want(p, i > 0 ? line_end(p, key[-1].value, key[-1].value->span, key[-1].span, &key->span) : SPACE_BREAK);
        else if (i > 0)
            want(p, SPACE_BLANK);
        last = end_line(p, key->span);
        object_key(p, key);
        want(p, SPACE_TAB);
        attached(p, SLICE_LIT("="));
        want(p, SPACE_BLANK);
        expression(p, key->value);
        if (i + 1 < n)
            attached(p, SLICE_LIT(","));
    }
    if (n > 0 && line_of(p, close) != last) {
        attached(p, SLICE_LIT(","));
        want(p, SPACE_BREAK);
    }
    want(p, SPACE_UNINDENT);
    token_at(p, "}", close);
}

static void call(struct printer *p, const struct expr *e)
{
    uint32_t close = e->span.end - 1, last = line_of(p, e->mark);
    size_t n = e->as.call.n;

    expression(p, e->as.call.callee);
    loose(p, SLICE_LIT("("), e->mark);
    for (size_t i = 0; i < n; i++) {
        const struct expr *arg = e->as.call.args[i];
        bool is_new_line = line_of(p, arg->span.start) != last;

        if (is_new_line) {
            want(p, SPACE_BREAK);
            want(p, SPACE_INDENT);
        }
        expression(p, arg);
        last = end_line(p, arg->span);
        if (i + 1 < n) {
            attached(p, SLICE_LIT(","));
            want(p, SPACE_BLANK);
        }
        if (is_new_line)
            want(p, SPACE_UNINDENT);
    }
    if (n > 0 && line_of(p, close) != last) {
        attached(p, SLICE_LIT(","));
        want(p, SPACE_BREAK);
    }
    loose(p, SLICE_LIT(")"), close);
}

static void access(struct printer *p, const struct expr *e)
{
    uint32_t name = e->span.end - (uint32_t)e->as.access.name.len;
    const struct expr *inner = e->as.access.inner;

    expression(p, inner);
    if (inner->kind == EXPR_LITERAL && inner->as.literal->type == VALUE_NUMBER)
        attached(p, SLICE_LIT(" ")); /* "1.x" would be read as a number */
    loose(p, SLICE_LIT("."), e->mark);
    loose(p, e->as.access.name, name);
}

static void binary(struct printer *p, const struct expr *e)
{
    expression(p, e->as.binary.left);
    want(p, SPACE_BLANK);
    token_at(p, ast_op_text(e->op), e->mark);
    want(p, SPACE_BLANK);
    expression(p, e->as.binary.right);
}

static void expression(struct printer *p, const struct expr *e)
{
    switch (e->kind) {
    case EXPR_LITERAL:
    case EXPR_IDENT:
        token(p, source_text(p, e->span), e->span);
        return;
    case EXPR_ARRAY:
        array(p, e);
        return;
    case EXPR_OBJECT:
        object(p, e);
        return;
    case EXPR_ACCESS:
        access(p, e);
        return;
    case EXPR_INDEX:
        expression(p, e->as.index.inner);
        token_at(p, "[", e->mark);
        expression(p, e->as.index.at);
        token_at(p, "]", e->span.end - 1);
        return;
    case EXPR_CALL:
        call(p, e);
        return;
    case EXPR_UNARY:
        token_at(p, ast_op_text(e->op), e->mark);
        expression(p, e->as.binary.right);
        return;
    case EXPR_BINARY:
        binary(p, e);
        return;
    case EXPR_PAREN:
        loose(p, SLICE_LIT("("), e->mark);
        expression(p, e->as.paren);
        loose(p, SLICE_LIT(")"), e->span.end - 1);
        return;
    }
}

/* --- statements --- */

static void statements(struct printer *p, const struct ast_body *body);

static void block(struct printer *p, const struct ast_block *b)
{
    if (p->style.is_safe) /* comments between its parts go before a name: after it a newline would end the header */
        flush(p, b->name_span.end - 1, line_of(p, b->name_span.end - 1));
    token(p, b->name, b->name_span);
    if (b->label.len != 0) {
        want(p, SPACE_BLANK);
        token(p, source_text(p, b->label_span), b->label_span);
    }
    want(p, SPACE_BLANK);
    token_at(p, "{", b->brace_open);
    want(p, SPACE_INDENT);
    if (b->body.n != 0) {
        want(p, SPACE_BREAK);
        statements(p, &b->body);
    } else {
        want(p, SPACE_BLANK);
    }
    want(p, SPACE_UNINDENT);
    token_at(p, "}", b->brace_close);
}

static void attribute(struct printer *p, const struct ast_attr *attr)
{
    token(p, attr->name, attr->name_span);
    want(p, SPACE_TAB);
    attached(p, SLICE_LIT("="));
    want(p, SPACE_BLANK);
    expression(p, attr->value);
}

/* Of the attribute after statement i; NULL when there is none. */
static const struct span *next_name(const struct ast_body *body, size_t i)
{
    return i + 1 < body->n && body->stmts[i + 1].attr != NULL ? &body->stmts[i + 1].attr->name_span : NULL;
}

static void statements(struct printer *p, const struct ast_body *body)
{
    for (size_t i = 0; i < body->n; i++) {
        const struct ast_stmt *s = &body->stmts[i];

        if (i > 0 && (s->block != NULL || line_of(p, s->span.start) > end_line(p, body->stmts[i - 1].span) + 1))
            want(p, SPACE_BREAK); /* a blank line */
        if (s->block != NULL)
            block(p, s->block);
        else
            attribute(p, s->attr);
        if (s->attr != NULL)
            want(p, line_end(p, s->attr->value, s->span, s->attr->name_span, next_name(body, i)));
        else
            want(p, is_one_line(p, s->span) ? SPACE_NEWLINE : SPACE_BREAK);
    }
}

enum code river_print(const struct ast_file *file, struct print_style style, struct buf *out)
{
    struct printer p = {.file = file, .style = style, .last_line = 1};
    enum code rc;

    layout_init(&p.layout, out->max);
    statements(&p, &file->body);
    flush_at_end(&p);
    rc = layout_print(&p.layout, out);
    layout_release(&p.layout);
    return rc;
}
