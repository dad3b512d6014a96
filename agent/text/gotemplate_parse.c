#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/text/gotemplate_int.h"
#include "agent/text/number.h"
#include "agent/text/utf8.h"
#include <math.h>

enum { MAX_NAME_BYTES = 128 };

struct parser {
    struct gotemplate *t;
    const char *start, *at, *end;
    const char *action_end; /* of the action being read: its closing braces, trim marker excluded */
    struct slice names[TEMPLATE_VARIABLES];
    unsigned n_names;
    unsigned depth;
    bool trims_next; /* the text that follows loses its leading white space */
    struct error *err;
};

/* Why a list of nodes ended. */
enum ending { END_OF_TEXT, END_OF_BLOCK, END_ELSE, END_ELSE_IF, END_ELSE_WITH };

static unsigned line_of(const struct parser *p, const char *at)
{
    unsigned line = 1;

    for (const char *c = p->start; c < at; c++)
        line += *c == '\n';
    return line;
}

static enum code fail(struct parser *p, const char *what, struct slice name)
{
    return error_set(p->err, INVALID, "template line %u: %s%s%.*s%s", line_of(p, p->at), what,
                     name.len != 0 ? " \"" : "", (int)slice_head(name, MAX_NAME_BYTES).len,
                     name.len != 0 ? name.ptr : "", name.len != 0 ? "\"" : "");
}

static enum code enter(struct parser *p)
{
    if (++p->depth > LIMIT_TEMPLATE_DEPTH)
        return error_set(p->err, FULL, "template line %u: nested deeper than %d", line_of(p, p->at),
                         LIMIT_TEMPLATE_DEPTH);
    return OK;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_number_char(char c)
{
    return is_word(c) || c == '.';
}

static void skip_space(struct parser *p)
{
    while (p->at < p->action_end && is_space(*p->at))
        p->at++;
}

static bool peek(const struct parser *p, char c)
{
    return p->at < p->action_end && *p->at == c;
}

static struct slice take_word(struct parser *p)
{
    const char *from = p->at;

    while (p->at < p->action_end && is_word(*p->at))
        p->at++;
    return slice_make(from, (size_t)(p->at - from));
}

/* The word at p->at without taking it. */
static struct slice peek_word(const struct parser *p)
{
    struct parser copy = *p;

    return take_word(&copy);
}

/* ---- literals ---- */

/* Up to the closing quote, which bounds the result's size. */
static enum code take_quoted(struct parser *p, char quote, struct slice *out)
{
    const char *from = ++p->at, *stop = from;
    struct slice rest;
    char *to;

    while (stop < p->action_end && *stop != quote && *stop != '\n')
        stop += *stop == '\\' ? 2 : 1;
    if (stop >= p->action_end || *stop != quote)
        return fail(p, "a quoted string does not end", slice_make(NULL, 0));
    p->at = stop + 1;
    rest = slice_make(from, (size_t)(stop - from));
    to = arena_alloc(&p->t->arena, rest.len + 1);
    *out = slice_make(to, 0);
    while (rest.len != 0) {
        char bytes[UTF8_MAX_BYTES] = {rest.ptr[0]};
        size_t n = 1;
        bool is_escape = rest.ptr[0] == '\\';

        rest = slice_from(rest, 1);
        if (is_escape && !template_take_escape(&rest, bytes, &n))
            return fail(p, "bad escape in a string", slice_make(NULL, 0));
        memcpy(to + out->len, bytes, n);
        out->len += n;
    }
    return OK;
}

static enum code take_raw(struct parser *p, struct slice *out)
{
    const char *from = ++p->at;

    while (p->at < p->action_end && *p->at != '`')
        p->at++;
    if (p->at >= p->action_end)
        return fail(p, "a raw string does not end", slice_make(NULL, 0));
    *out = slice_make(from, (size_t)(p->at++ - from));
    return OK;
}

static enum code take_number(struct parser *p, struct value *out)
{
    const char *from = p->at;
    struct slice text, digits;
    bool is_float = false;
    double f;
    int64_t i;

    if (*p->at == '+' || *p->at == '-')
        p->at++;
    while (p->at < p->action_end &&
           (is_number_char(*p->at) || ((*p->at == '+' || *p->at == '-') && (p->at[-1] == 'e' || p->at[-1] == 'E')))) {
        is_float |= *p->at == '.' || *p->at == 'e' || *p->at == 'E';
        p->at++;
    }
    text = digits = slice_make(from, (size_t)(p->at - from));
    if (digits.len != 0 && digits.ptr[0] == '+')
        digits = slice_from(digits, 1);
    if (!is_float && slice_to_i64(digits, &i) && (digits.len < 2 || digits.ptr[0] != '0')) {
        *out = tvalue_int(i);
        return OK;
    }
    if (is_float && slice_to_f64(digits, &f) && isfinite(f)) {
        *out = tvalue_float(f);
        return OK;
    }
    return fail(p, "only decimal numbers are supported, not", text);
}

static enum code take_character(struct parser *p, struct value *out)
{
    struct slice text;
    uint32_t rune;
    enum code rc = take_quoted(p, '\'', &text);

    if (rc != OK)
        return rc;
    if (text.len == 0 || utf8_decode(text, &rune) != text.len)
        return fail(p, "malformed character constant", text);
    *out = tvalue_int(rune);
    return OK;
}

/* ---- expressions ---- */

static enum code parse_pipe(struct parser *p, struct pipe **out, char close);

static enum code parse_fields(struct parser *p, struct expr *e)
{
    const char *from = p->at;
    size_t n = 0;

    for (const char *c = from; c < p->action_end && (*c == '.' || is_word(*c)); c++)
        n += *c == '.';
    if (n == 0)
        return OK;
    e->fields = arena_alloc(&p->t->arena, n * sizeof *e->fields);
    while (peek(p, '.')) {
        struct slice name;

        p->at++;
        name = take_word(p);
        if (name.len == 0)
            return fail(p, "a field's name is due after '.'", slice_make(NULL, 0));
        e->fields[e->n_fields++] = name;
    }
    return OK;
}

static enum code parse_variable(struct parser *p, struct expr *e)
{
    struct slice name;

    p->at++;
    name = take_word(p);
    e->kind = EXPR_VARIABLE;
    for (unsigned i = p->n_names; i > 0; i--) {
        if (slice_eq(p->names[i - 1], name)) {
            e->variable = i - 1;
            return parse_fields(p, e);
        }
    }
    return fail(p, "undefined variable $", name);
}

static enum code parse_word(struct parser *p, struct expr *e)
{
    struct slice word = take_word(p);

    e->kind = EXPR_LITERAL;
    if (slice_eq_str(word, "true") || slice_eq_str(word, "false")) {
        e->literal = tvalue_bool(word.ptr[0] == 't');
        return OK;
    }
    if (slice_eq_str(word, "nil"))
        return OK;
    e->kind = EXPR_FUNCTION;
    e->function = template_function(word);
    if (e->function == NULL)
        return fail(p, "no such function:", word);
    return OK;
}

static enum code parse_dot(struct parser *p, struct expr *e)
{
    e->kind = EXPR_DOT;
    if (p->at + 1 < p->action_end && is_word(p->at[1]))
        return parse_fields(p, e);
    p->at++;
    return OK;
}

static enum code parse_operand(struct parser *p, struct expr *e)
{
    char c = *p->at;
    enum code rc;

    if (c == '.' && !(p->at + 1 < p->action_end && p->at[1] >= '0' && p->at[1] <= '9'))
        return parse_dot(p, e);
    if (c == '$')
        return parse_variable(p, e);
    if (c == '(') {
        p->at++;
        e->kind = EXPR_PIPE;
        rc = parse_pipe(p, &e->pipe, ')');
        return rc == OK ? parse_fields(p, e) : rc;
    }
    e->kind = EXPR_LITERAL;
    if (c == '"' || c == '`') {
        e->literal.kind = VALUE_STRING;
        return c == '"' ? take_quoted(p, '"', &e->literal.text) : take_raw(p, &e->literal.text);
    }
    if (c == '\'')
        return take_character(p, &e->literal);
    if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.')
        return take_number(p, &e->literal);
    if (is_word(c))
        return parse_word(p, e);
    return fail(p, "unexpected", slice_make(p->at, 1));
}

/* A literal pattern is compiled once, here, and its mistakes are found before the first line. */
static enum code prepare_regex(struct parser *p, struct command *c)
{
    const struct expr *first = c->args, *pattern = first->next;
    enum code rc;

    if (first->kind != EXPR_FUNCTION || strncmp(first->function->name, "regexReplaceAll", 15) != 0 || pattern == NULL ||
        pattern->kind != EXPR_LITERAL || pattern->literal.kind != VALUE_STRING)
        return OK;
    p->t->regexes = mem_realloc(p->t->regexes, (p->t->n_regexes + 1) * sizeof *p->t->regexes);
    rc = regex_compile(&c->regex, pattern->literal.text, REGEX_PLAIN, p->err);
    if (rc == OK)
        p->t->regexes[p->t->n_regexes++] = c->regex;
    else
        error_prefix(p->err, "template line %u", line_of(p, p->at));
    return rc;
}

static bool ends_command(const struct parser *p, char close)
{
    return p->at >= p->action_end || *p->at == '|' || (close != '\0' && *p->at == close);
}

static enum code check_command(struct parser *p, const struct command *c, bool is_first)
{
    const struct expr *e = c->args;

    if (e->kind == EXPR_LITERAL && e->literal.kind == VALUE_NIL)
        return fail(p, "nil is not a command", slice_make(NULL, 0));
    if (e->kind != EXPR_FUNCTION && (e->next != NULL || !is_first))
        return fail(p, "only a function takes arguments", slice_make(NULL, 0));
    return OK;
}

static enum code parse_command(struct parser *p, struct command *c, char close)
{
    struct expr **tail = &c->args;
    size_t n = 0;

    for (;;) {
        struct expr *e;
        enum code rc;

        skip_space(p);
        if (ends_command(p, close))
            break;
        if (n != 0 && !is_space(p->at[-1]) && *p->at != '(' && p->at[-1] != ')')
            return fail(p, "a space is due before", slice_make(p->at, 1));
        if (++n > TEMPLATE_ARGUMENTS)
            return fail(p, "too many arguments", slice_make(NULL, 0));
        e = arena_zalloc(&p->t->arena, sizeof *e);
        rc = parse_operand(p, e);
        if (rc != OK)
            return rc;
        *tail = e;
        tail = &e->next;
    }
    return n != 0 ? OK : fail(p, "missing value", slice_make(NULL, 0));
}

/* "$a, $b :=", "$a =": looks ahead, leaves p->at alone when there is none. */
static enum code parse_declarations(struct parser *p, struct pipe *pipe)
{
    const char *from = p->at;
    struct slice names[2];
    unsigned n = 0;

    while (n < 2 && peek(p, '$')) {
        p->at++;
        names[n++] = take_word(p);
        skip_space(p);
        if (n == 2 || !peek(p, ','))
            break;
        p->at++;
        skip_space(p);
    }
    if (n != 0 && p->action_end - p->at >= 2 && p->at[0] == ':' && p->at[1] == '=') {
        p->at += 2;
        for (unsigned i = 0; i < n; i++) {
            if (p->n_names == TEMPLATE_VARIABLES)
                return fail(p, "too many variables at", names[i]);
            pipe->variables[i] = p->n_names; /* its name is known from the end of the pipeline on */
            p->names[p->n_names++] = names[i];
        }
        pipe->n_variables = n;
        return OK;
    }
    if (n == 1 && peek(p, '=')) {
        p->at++;
        for (unsigned i = p->n_names; i > 0; i--) {
            if (slice_eq(p->names[i - 1], names[0])) {
                pipe->variables[0] = i - 1;
                pipe->n_variables = 1;
                return OK;
            }
        }
        return fail(p, "undefined variable $", names[0]);
    }
    p->at = from;
    return OK;
}

/* close: ')' for one in brackets, else the action's end. */
static enum code parse_pipe(struct parser *p, struct pipe **out, char close)
{
    struct pipe *pipe = arena_zalloc(&p->t->arena, sizeof *pipe);
    struct command **tail = &pipe->commands;
    enum code rc = enter(p);

    *out = pipe;
    skip_space(p);
    if (rc == OK && close == '\0')
        rc = parse_declarations(p, pipe);
    while (rc == OK) {
        struct command *c = arena_zalloc(&p->t->arena, sizeof *c);

        rc = parse_command(p, c, close);
        if (rc == OK)
            rc = check_command(p, c, pipe->commands == NULL);
        if (rc == OK)
            rc = prepare_regex(p, c);
        *tail = c;
        tail = &c->next;
        if (rc != OK || !peek(p, '|'))
            break;
        p->at++;
    }
    p->depth--;
    if (rc != OK || close == '\0')
        return rc;
    if (!peek(p, close))
        return fail(p, "unclosed left parenthesis", slice_make(NULL, 0));
    p->at++;
    return OK;
}

/* ---- blocks ---- */

static enum code parse_nodes(struct parser *p, struct node **out, enum ending *ending);

static enum code parse_else(struct parser *p, struct node *n, enum ending ending);

/* if, with, range: the pipeline is next. */
static enum code parse_block(struct parser *p, struct node *n)
{
    unsigned n_names = p->n_names;
    enum ending ending;
    enum code rc = enter(p);

    if (rc == OK)
        rc = parse_pipe(p, &n->pipe, '\0');
    if (rc == OK && n->pipe->n_variables == 2 && n->kind != NODE_RANGE)
        rc = fail(p, "two variables are only for range", slice_make(NULL, 0));
    if (rc == OK)
        rc = parse_nodes(p, &n->body, &ending);
    if (rc == OK && ending != END_OF_BLOCK)
        rc = ending == END_OF_TEXT ? fail(p, "{{end}} is missing", slice_make(NULL, 0)) : parse_else(p, n, ending);
    p->n_names = n_names;
    p->depth--;
    return rc;
}

static enum code parse_else(struct parser *p, struct node *n, enum ending ending)
{
    enum code rc;

    if (ending == END_ELSE_IF || ending == END_ELSE_WITH) {
        if ((ending == END_ELSE_IF) != (n->kind == NODE_IF) || n->kind == NODE_RANGE)
            return fail(p, "else of another kind than its block", slice_make(NULL, 0));
        n->otherwise = arena_zalloc(&p->t->arena, sizeof *n->otherwise);
        n->otherwise->kind = n->kind;
        n->otherwise->line = line_of(p, p->at);
        return parse_block(p, n->otherwise);
    }
    rc = parse_nodes(p, &n->otherwise, &ending);
    if (rc == OK && ending != END_OF_BLOCK)
        return fail(p, "{{end}} is due after {{else}}", slice_make(NULL, 0));
    return rc;
}

static enum code close_word(struct parser *p, struct slice word, enum ending *ending)
{
    skip_space(p);
    if (slice_eq_str(word, "end")) {
        *ending = END_OF_BLOCK;
    } else {
        struct slice next = peek_word(p);

        *ending = END_ELSE;
        if (slice_eq_str(next, "if") || slice_eq_str(next, "with")) {
            *ending = next.ptr[0] == 'i' ? END_ELSE_IF : END_ELSE_WITH;
            p->at += next.len;
            return OK; /* its pipeline follows */
        }
    }
    if (p->at < p->action_end)
        return fail(p, "unexpected text after", word);
    return OK;
}

/* The end of the action that starts at p->at: the braces outside of strings and comments. */
static enum code find_action_end(struct parser *p, const char **after)
{
    const char *c = p->at;

    for (; c < p->end; c++) {
        char quote = *c;

        if (p->end - c >= 2 && c[0] == '}' && c[1] == '}') {
            p->action_end = c;
            *after = c + 2;
            p->trims_next = c - p->at >= 2 && c[-1] == '-' && is_space(c[-2]);
            if (p->trims_next)
                p->action_end -= 2;
            return OK;
        }
        if (quote != '"' && quote != '`' && quote != '\'')
            continue;
        for (c++; c < p->end && *c != quote; c++)
            c += quote != '`' && *c == '\\';
    }
    return fail(p, "unclosed action", slice_make(NULL, 0));
}

static enum code skip_comment(struct parser *p)
{
    struct slice rest = slice_make(p->at, (size_t)(p->end - p->at));
    size_t close = slice_find_slice(rest, SLICE_LIT("*/"));

    if (close == rest.len)
        return fail(p, "unclosed comment", slice_make(NULL, 0));
    rest = slice_from(rest, close + 2);
    p->trims_next = false;
    if (rest.len >= 4 && is_space(rest.ptr[0]) && rest.ptr[1] == '-') {
        p->trims_next = true;
        rest = slice_from(rest, 2);
    }
    if (!slice_starts(rest, SLICE_LIT("}}")))
        return fail(p, "comment ends before closing delimiter", slice_make(NULL, 0));
    p->at = rest.ptr + 2;
    return OK;
}

static bool is_refused(struct slice word)
{
    static const char *const words[] = {"define", "template", "block", "break", "continue"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (slice_eq_str(word, words[i]))
            return true;
    }
    return false;
}

static enum code parse_action(struct parser *p, struct node *n, enum ending *ending, bool *is_end)
{
    struct slice word;
    const char *after = p->at;
    enum code rc = find_action_end(p, &after);

    if (rc != OK)
        return rc;
    skip_space(p);
    n->line = line_of(p, p->at);
    word = peek_word(p);
    if (is_refused(word))
        return fail(p, "this action is not supported:", word);
    if (slice_eq_str(word, "end") || slice_eq_str(word, "else")) {
        p->at += word.len;
        *is_end = true;
        rc = close_word(p, word, ending);
        if (rc == OK && *ending != END_ELSE_IF && *ending != END_ELSE_WITH)
            p->at = after;
        return rc;
    }
    n->kind = slice_eq_str(word, "if")      ? NODE_IF
              : slice_eq_str(word, "with")  ? NODE_WITH
              : slice_eq_str(word, "range") ? NODE_RANGE
                                            : NODE_ACTION;
    if (n->kind == NODE_ACTION) {
        rc = parse_pipe(p, &n->pipe, '\0');
        if (rc == OK && n->pipe->n_variables == 2)
            rc = fail(p, "two variables are only for range", slice_make(NULL, 0));
        p->at = rc == OK ? after : p->at;
        return rc;
    }
    p->at += word.len;
    return parse_block(p, n);
}

/* Text up to the next action; *is_over when there is none. */
static struct slice take_text(struct parser *p, bool *is_over)
{
    struct slice rest = slice_make(p->at, (size_t)(p->end - p->at));
    size_t open = slice_find_slice(rest, SLICE_LIT("{{"));
    struct slice text = slice_head(rest, open);

    *is_over = open == rest.len;
    p->at += open + (*is_over ? 0 : 2);
    while (p->trims_next && text.len != 0 && is_space(text.ptr[0]))
        text = slice_from(text, 1);
    p->trims_next = false;
    if (!*is_over && p->end - p->at >= 2 && p->at[0] == '-' && is_space(p->at[1])) {
        p->at += 2;
        while (text.len != 0 && is_space(text.ptr[text.len - 1]))
            text.len--;
    }
    return text;
}

static void finish_pipe(struct parser *p)
{
    if (p->at == p->action_end) /* after the pipeline of if, with, range: over the closing braces */
        p->at += p->trims_next ? 4 : 2;
}

static enum code parse_nodes(struct parser *p, struct node **out, enum ending *ending)
{
    struct node **tail = out;
    bool is_over = false;

    finish_pipe(p);
    while (!is_over) {
        struct node *n = arena_zalloc(&p->t->arena, sizeof *n);
        bool is_end = false;
        enum code rc;

        n->text = take_text(p, &is_over);
        if (n->text.len != 0) {
            *tail = n;
            tail = &n->next;
        }
        if (is_over)
            break;
        if (p->end - p->at >= 2 && p->at[0] == '/' && p->at[1] == '*') {
            rc = skip_comment(p);
            if (rc != OK)
                return rc;
            continue;
        }
        n = arena_zalloc(&p->t->arena, sizeof *n);
        rc = parse_action(p, n, ending, &is_end);
        if (rc != OK || is_end)
            return rc;
        *tail = n;
        tail = &n->next;
    }
    *ending = END_OF_TEXT;
    return OK;
}

enum code gotemplate_compile(struct gotemplate **out, struct slice text, struct error *err)
{
    struct parser p = {.n_names = 1, .err = err}; /* names[0] is "$" itself */
    enum ending ending = END_OF_TEXT;
    enum code rc;

    *out = NULL;
    if (text.len > LIMIT_TEMPLATE_BYTES)
        return error_set(err, FULL, "template of %zu bytes, at most %d are taken", text.len, LIMIT_TEMPLATE_BYTES);
    p.t = mem_zalloc(sizeof *p.t);
    arena_init(&p.t->arena, 0);
    p.start = p.at = arena_strndup(&p.t->arena, text);
    p.end = p.start + text.len;
    rc = parse_nodes(&p, &p.t->root, &ending);
    if (rc == OK && ending != END_OF_TEXT)
        rc = fail(&p, "{{end}} or {{else}} without a block", slice_make(NULL, 0));
    if (rc == OK)
        *out = p.t;
    else
        gotemplate_free(p.t);
    return rc;
}

void gotemplate_free(struct gotemplate *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n_regexes; i++)
        regex_free(t->regexes[i]);
    mem_free(t->regexes);
    arena_release(&t->arena);
    mem_free(t);
}
