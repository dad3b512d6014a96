/* Statements, and what goes on after an error. */
#include "agent/river/parser.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/river/letters.h"
#include "agent/river/parser_int.h"
#include "agent/text/utf8.h"

/* --- what both halves use --- */

void parser_fail(struct parser *p, enum code code, const char *text)
{
    if (p->failure == OK)
        diags_error(p->diags, p->source, p->tok.span, "%s", text);
    p->failure = code;
    p->is_lost = true;
}

bool parser_is_done(const struct parser *p)
{
    return p->is_lost || p->failure != OK || p->tok.kind == TOK_EOF;
}

bool parser_enter(struct parser *p)
{
    if (p->depth >= LIMIT_CONFIG_DEPTH) {
        parser_fail(p, FULL, "this is nested too deeply");
        return false;
    }
    p->depth++;
    return true;
}

bool parser_count(struct parser *p)
{
    if (p->n_nodes >= LIMIT_RIVER_NODES) {
        parser_fail(p, FULL, "this file has too many expressions");
        return false;
    }
    p->n_nodes++;
    return true;
}

void *parser_alloc(struct parser *p, size_t size)
{
    void *ptr = arena_try_array(p->arena, 1, size);

    if (ptr == NULL)
        parser_fail(p, NOMEM, "no memory left for this file");
    return ptr;
}

size_t parser_pile_mark(const struct parser *p)
{
    return p->pile_len;
}

void parser_pile_push(struct parser *p, const void *item, size_t size)
{
    if (p->pile_cap - p->pile_len < size) {
        size_t cap = p->pile_cap != 0 ? p->pile_cap * 2 : 4096;
        char *grown = mem_try_realloc(p->pile, cap);

        if (grown == NULL) {
            parser_fail(p, NOMEM, "no memory left for this file");
            return;
        }
        p->pile = grown;
        p->pile_cap = cap;
    }
    memcpy(p->pile + p->pile_len, item, size);
    p->pile_len += size;
}

void *parser_pile_take(struct parser *p, size_t mark)
{
    size_t size = p->pile_len - mark;
    void *items = size != 0 ? parser_alloc(p, size) : NULL;

    if (items != NULL)
        memcpy(items, p->pile + mark, size);
    p->pile_len = mark;
    return items;
}

uint32_t parser_column(const struct parser *p, uint32_t offset)
{
    return offset - p->source->line_starts[source_line_of(p->source, offset) - 1];
}

static void keep_comment(struct parser *p, const struct token *t)
{
    if (p->n_comments == p->cap_comments) {
        size_t cap = p->cap_comments != 0 ? p->cap_comments * 2 : 16;
        struct ast_comment *grown = arena_try_array(p->arena, cap, sizeof *grown);

        if (grown == NULL) {
            parser_fail(p, NOMEM, "no memory left for this file");
            return;
        }
        if (p->n_comments != 0)
            memcpy(grown, p->comments, p->n_comments * sizeof *grown);
        p->comments = grown;
        p->cap_comments = cap;
    }
    p->comments[p->n_comments++] = (struct ast_comment){.span = t->span, .is_block = t->text.ptr[1] == '*'};
}

void parser_next(struct parser *p)
{
    if (p->tok.kind == TOK_LCURLY || p->tok.kind == TOK_LPAREN || p->tok.kind == TOK_LBRACK)
        p->level++;
    else if ((p->tok.kind == TOK_RCURLY || p->tok.kind == TOK_RPAREN || p->tok.kind == TOK_RBRACK) && p->level != 0)
        p->level--;
    if (p->tok.kind != TOK_TERMINATOR)
        p->last_end = p->tok.span.end;
    p->tok = lexer_next(&p->lexer);
    while (p->tok.kind == TOK_COMMENT && p->failure == OK) {
        keep_comment(p, &p->tok);
        p->tok = lexer_next(&p->lexer);
    }
}

struct diag *parser_unexpected(struct parser *p, const char *text)
{
    bool is_end = p->tok.kind == TOK_TERMINATOR || p->tok.kind == TOK_EOF;
    struct span at = is_end ? (struct span){p->last_end, p->last_end} : p->tok.span;

    if (p->is_lost)
        return NULL;
    p->is_lost = true;
    if (p->tok.kind == TOK_ILLEGAL)
        return NULL; /* the lexer said what is wrong */
    if (p->tok.kind == TOK_IDENT)
        return diags_error(p->diags, p->source, at, "%s, got \"%.*s\"", text, SLICE_ARG(p->tok.text));
    return diags_error(p->diags, p->source, at, "%s, got %s", text, token_name(p->tok.kind));
}

/* --- recovery --- */

/* Skips to the end of the statement that began at this level of brackets. Inside brackets that were never closed, what
 * the indentation says is believed: a name not further in than the statement is the next one, a brace further out than
 * it closes the body. */
static void recover(struct parser *p, unsigned level)
{
    bool is_there = p->is_at_next;

    p->is_at_next = false;
    if (is_there)
        p->level = level;
    while (!is_there && p->tok.kind != TOK_EOF && p->failure == OK) {
        if (p->tok.kind == TOK_TERMINATOR) {
            parser_next(p);
            if (p->level <= level)
                break;
            if (p->tok.kind == TOK_IDENT && parser_column(p, p->tok.span.start) <= p->stmt_column) {
                p->level = level;
                break;
            }
            continue;
        }
        if (p->tok.kind == TOK_RCURLY && level != 0 &&
            (p->level <= level || parser_column(p, p->tok.span.start) < p->stmt_column)) {
            p->level = level;
            break; /* closes the body around */
        }
        parser_next(p);
    }
    p->is_lost = p->failure != OK;
}

/* --- statements --- */

struct head {
    struct slice name;
    struct span span;
    struct slice label;
    struct span label_span;
    bool is_dotted, has_label;
};

/* Dotted names are rarely spaced; where they are, the name is put together without the space. */
static struct slice joined_name(struct parser *p, size_t mark)
{
    size_t n = (p->pile_len - mark) / sizeof(struct slice), len = 0, at = 0;
    struct slice *parts = parser_pile_take(p, mark);
    char *name;

    if (parts == NULL)
        return (struct slice){0};
    if (n == 1)
        return parts[0];
    for (size_t i = 0; i < n; i++)
        len += parts[i].len + 1;
    name = parser_alloc(p, len);
    if (name == NULL)
        return (struct slice){0};
    for (size_t i = 0; i < n; i++) {
        if (i != 0)
            name[at++] = '.';
        memcpy(name + at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    return slice_make(name, at);
}

static bool label(struct parser *p, struct head *h)
{
    struct token t = p->tok;
    struct diag *d;

    h->has_label = true;
    h->label_span = t.span;
    h->label = slice_head(slice_from(t.text, 1), t.text.len - 2);
    parser_next(p);
    if (t.text.ptr[0] == '`') {
        diags_error(p->diags, p->source, t.span, "a label is written in double quotes");
        p->is_lost = true;
    } else if (h->label.len != 0 && !river_is_identifier(h->label)) {
        d = diags_error(p->diags, p->source, t.span, "a label must be an identifier");
        diag_hint(p->diags, d, "letters, digits and _, not starting with a digit; no - or .");
        h->label = (struct slice){0}; /* the block's body is still worth reading */
    }
    return !p->is_lost;
}

static bool statement_head(struct parser *p, struct head *h)
{
    size_t mark = parser_pile_mark(p);

    *h = (struct head){.span = p->tok.span};
    for (;;) {
        if (p->tok.kind != TOK_IDENT) {
            struct diag *d = parser_unexpected(p, h->is_dotted ? "expected an identifier after \".\""
                                                               : "expected the name of an argument or block");

            if (p->tok.kind == TOK_STRING && !h->is_dotted)
                diag_hint(p->diags, d, "names are written without quotes");
            break;
        }
        parser_pile_push(p, &p->tok.text, sizeof p->tok.text);
        h->span.end = p->tok.span.end;
        parser_next(p);
        if (p->tok.kind != TOK_DOT)
            break;
        h->is_dotted = true;
        parser_next(p);
    }
    h->name = joined_name(p, mark);
    if (p->is_lost || p->failure != OK)
        return false;
    return p->tok.kind != TOK_STRING || label(p, h);
}

static void attribute(struct parser *p, const struct head *h, struct ast_stmt *out)
{
    struct ast_attr *attr = parser_alloc(p, sizeof *attr);

    if (attr == NULL)
        return;
    if (h->is_dotted) {
        struct diag *d = diags_error(p->diags, p->source, h->span, "the name of an argument has no \".\"");

        diag_hint(p->diags, d, "a block is written without \"=\"");
    } else if (h->has_label) {
        diags_error(p->diags, p->source, h->label_span, "an argument has no label");
    }
    parser_next(p);
    attr->name = h->name;
    attr->name_span = h->span;
    attr->value = parse_expr(p);
    if (attr->value == NULL)
        return;
    out->attr = attr;
    out->span = (struct span){h->span.start, p->last_end};
}

static void body(struct parser *p, enum token_kind closer, struct ast_body *out);

/* A statement that stands no further right than the block it is in most likely stands after its end. */
static void hint_brace(struct parser *p, const struct ast_block *b, struct diag *d)
{
    uint32_t column = parser_column(p, b->name_span.start);

    for (size_t i = 0; i < b->body.n; i++) {
        uint32_t start = b->body.stmts[i].span.start;

        if (parser_column(p, start) <= column) {
            diag_hint(p->diags, d, "a \"}\" seems to be missing before line %u", source_line_of(p->source, start));
            return;
        }
    }
}

static void block(struct parser *p, const struct head *h, struct ast_stmt *out)
{
    struct ast_block *b = parser_alloc(p, sizeof *b);
    uint32_t column = p->stmt_column;

    if (b == NULL || !parser_enter(p))
        return;
    b->name = h->name;
    b->name_span = h->span;
    b->label = h->label;
    b->label_span = h->label_span;
    b->brace_open = p->tok.span.start;
    parser_next(p);
    body(p, TOK_RCURLY, &b->body);
    p->stmt_column = column;
    p->depth--;
    if (p->failure != OK)
        return;
    if (p->tok.kind != TOK_RCURLY) {
        struct span at = {h->span.start, b->brace_open + 1};

        hint_brace(p, b, diags_error(p->diags, p->source, at, "the closing \"}\" of this block is missing"));
        p->is_lost = true;
        return;
    }
    b->brace_close = p->tok.span.start;
    parser_next(p);
    b->span = (struct span){h->span.start, p->last_end};
    out->block = b;
    out->span = b->span;
}

static void statement(struct parser *p, struct ast_stmt *out)
{
    struct head h;
    struct diag *d;

    p->stmt_column = parser_column(p, p->tok.span.start);
    if (!parser_count(p) || !statement_head(p, &h))
        return;
    if (p->tok.kind == TOK_ASSIGN) {
        attribute(p, &h, out);
    } else if (p->tok.kind == TOK_LCURLY) {
        block(p, &h, out);
    } else {
        d = parser_unexpected(p, h.is_dotted || h.has_label ? "expected \"{\" of a block"
                                                            : "expected \"=\" and a value, or \"{\" of a block");
        if (p->tok.kind == TOK_IDENT && !h.has_label)
            diag_hint(p->diags, d, "a block's label is written in double quotes");
    }
}

static void body(struct parser *p, enum token_kind closer, struct ast_body *out)
{
    size_t mark = parser_pile_mark(p), n = 0;
    unsigned level = p->level;

    out->source = p->source;
    while (p->tok.kind != closer && p->tok.kind != TOK_EOF && p->failure == OK) {
        struct ast_stmt stmt = {0};

        if (p->tok.kind == TOK_TERMINATOR) {
            parser_next(p);
            continue;
        }
        if (p->tok.kind == TOK_RCURLY) { /* not ours, or it would have ended the loop */
            diags_error(p->diags, p->source, p->tok.span, "this \"}\" closes nothing");
            parser_next(p);
            continue;
        }
        statement(p, &stmt);
        if (stmt.attr != NULL || stmt.block != NULL) {
            parser_pile_push(p, &stmt, sizeof stmt);
            n++;
        }
        if (!p->is_lost && p->tok.kind != TOK_TERMINATOR && p->tok.kind != closer && p->tok.kind != TOK_EOF) {
            struct diag *d = parser_unexpected(p, "expected the end of the line");

            if (p->tok.kind == TOK_IDENT || p->tok.kind == TOK_STRING)
                diag_hint(p->diags, d, "every statement stands on a line of its own");
        }
        if (p->is_lost)
            recover(p, level);
    }
    out->stmts = parser_pile_take(p, mark);
    out->n = out->stmts != NULL ? n : 0;
}

/* --- doors --- */

bool river_is_identifier(struct slice s)
{
    if (s.len == 0 || slice_eq_str(s, "null") || slice_eq_str(s, "true") || slice_eq_str(s, "false"))
        return false;
    for (size_t i = 0; i < s.len;) {
        uint32_t rune;
        size_t n = utf8_decode(slice_from(s, i), &rune);

        if (!letter_is(rune) && (i == 0 || !digit_is(rune)))
            return false;
        i += n;
    }
    return true;
}

static enum code start(struct parser *p, struct slice text, const char *filename, struct arena *arena,
                       struct diags *diags)
{
    *p = (struct parser){.arena = arena, .diags = diags};
    if (text.len > LIMIT_CONFIG_FILE_BYTES) {
        diags_error_file(diags, filename, "the file is larger than %u bytes", LIMIT_CONFIG_FILE_BYTES);
        return FULL;
    }
    p->source = source_new(arena, slice_str(filename), text);
    if (p->source == NULL) {
        diags_error_file(diags, filename, "no memory left for this file");
        return NOMEM;
    }
    lexer_init(&p->lexer, p->source, diags);
    p->tok.kind = TOK_TERMINATOR; /* not counted as the last token */
    parser_next(p);
    return OK;
}

static enum code result(const struct parser *p, size_t errors_before)
{
    if (p->failure != OK)
        return p->failure;
    return p->diags->n_errors != errors_before ? INVALID : OK;
}

enum code river_parse(struct slice text, const char *filename, struct arena *arena, struct diags *diags,
                      struct ast_file **out)
{
    size_t errors_before = diags->n_errors, first = diags->n;
    struct ast_file *file;
    struct parser p;
    enum code rc;

    *out = NULL;
    rc = start(&p, text, filename, arena, diags);
    if (rc != OK)
        return rc;
    file = parser_alloc(&p, sizeof *file);
    if (file != NULL) {
        file->source = p.source;
        body(&p, TOK_EOF, &file->body);
        file->comments = p.comments;
        file->n_comments = p.n_comments;
        *out = file;
    }
    mem_free(p.pile);
    diags_page_rest(diags, first, "language");
    return result(&p, errors_before);
}

enum code river_parse_expr(struct slice text, const char *filename, struct arena *arena, struct diags *diags,
                           const struct source **source, struct expr **out)
{
    size_t errors_before = diags->n_errors;
    struct parser p;
    enum code rc;

    *out = NULL;
    rc = start(&p, text, filename, arena, diags);
    if (rc != OK)
        return rc;
    *source = p.source;
    *out = parse_expr(&p);
    if (*out != NULL && p.tok.kind == TOK_TERMINATOR)
        parser_next(&p);
    if (*out != NULL && p.tok.kind != TOK_EOF)
        parser_unexpected(&p, "expected the end of the expression");
    mem_free(p.pile);
    rc = result(&p, errors_before);
    if (rc != OK)
        *out = NULL;
    return rc;
}
