/* LogQL's stream selectors and line filters, the part that match stages use: {app="x", env=~"p.*"} |= "a" != "b" |~
 * "c". */
#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"

enum comparison { IS, IS_NOT, MATCHES, MATCHES_NOT };

struct matcher {
    struct slice name, value; /* owned; a line filter has no name */
    enum comparison op;
    struct regex *regex; /* owned; of MATCHES and MATCHES_NOT */
};

struct selector {
    struct matcher *labels, *lines; /* owned */
    size_t n_labels, n_lines;
};

struct cursor {
    struct slice text;
    size_t at;
};

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->text.len &&
           (c->text.ptr[c->at] == ' ' || (c->text.ptr[c->at] >= '\t' && c->text.ptr[c->at] <= '\r')))
        c->at++;
}

static bool take(struct cursor *c, const char *token)
{
    struct slice t = slice_str(token);

    skip_blanks(c);
    if (!slice_starts(slice_from(c->text, c->at), t))
        return false;
    c->at += t.len;
    return true;
}

static enum code syntax(const struct cursor *c, const char *expected, struct error *err)
{
    return error_set(err, INVALID, "selector %.*s: %s expected at character %zu", SLICE_ARG(c->text), expected,
                     c->at + 1);
}

/* "..." with Go's usual escapes, or `...` raw. */
static enum code read_string(struct cursor *c, struct slice *out, struct error *err)
{
    struct buf text;
    char quote;
    size_t len;

    skip_blanks(c);
    if (c->at >= c->text.len || (c->text.ptr[c->at] != '"' && c->text.ptr[c->at] != '`'))
        return syntax(c, "a quoted text", err);
    quote = c->text.ptr[c->at++];
    buf_init(&text, LIMIT_LOG_ENTRY_BYTES);
    while (c->at < c->text.len && c->text.ptr[c->at] != quote) {
        char ch = c->text.ptr[c->at++];

        if (ch == '\\' && quote == '"' && c->at < c->text.len) {
            ch = c->text.ptr[c->at++];
            ch = ch == 'n' ? '\n' : ch == 't' ? '\t' : ch == 'r' ? '\r' : ch;
            if (ch != '"' && ch != '\\' && ch != '\n' && ch != '\t' && ch != '\r') {
                buf_release(&text);
                return syntax(c, "a known escape (\\\" \\\\ \\n \\t \\r)", err);
            }
        }
        (void)buf_add_char(&text, ch);
    }
    if (c->at >= c->text.len || text.is_full) {
        buf_release(&text);
        return syntax(c, "the end of the quoted text", err);
    }
    c->at++;
    out->ptr = buf_take(&text, &len);
    out->len = len;
    return OK;
}

static enum code read_name(struct cursor *c, struct slice *out, struct error *err)
{
    size_t from;

    skip_blanks(c);
    from = c->at;
    while (c->at < c->text.len &&
           (c->text.ptr[c->at] == '_' || (c->text.ptr[c->at] >= '0' && c->text.ptr[c->at] <= '9') ||
            ((c->text.ptr[c->at] | 0x20) >= 'a' && (c->text.ptr[c->at] | 0x20) <= 'z')))
        c->at++;
    if (!label_name_is_legacy(slice_make(c->text.ptr + from, c->at - from)))
        return syntax(c, "a label name", err);
    *out = mem_slice(slice_make(c->text.ptr + from, c->at - from));
    return OK;
}

static enum code compile(struct matcher *m, enum regex_flags flags, struct error *err)
{
    if (m->op != MATCHES && m->op != MATCHES_NOT)
        return OK;
    return regex_compile(&m->regex, m->value, flags, err);
}

static enum code read_label_matcher(struct cursor *c, struct matcher *m, struct error *err)
{
    enum code rc = read_name(c, &m->name, err);

    if (rc != OK)
        return rc;
    if (take(c, "=~"))
        m->op = MATCHES;
    else if (take(c, "!~"))
        m->op = MATCHES_NOT;
    else if (take(c, "!="))
        m->op = IS_NOT;
    else if (take(c, "="))
        m->op = IS;
    else
        return syntax(c, "one of = != =~ !~", err);
    rc = read_string(c, &m->value, err);
    return rc == OK ? compile(m, REGEX_PROMETHEUS, err) : rc;
}

static struct matcher *grow(struct matcher **list, size_t *n)
{
    *list = mem_realloc(*list, (*n + 1) * sizeof **list);
    (*list)[*n] = (struct matcher){0};
    return &(*list)[(*n)++];
}

static enum code read_labels(struct cursor *c, struct selector *s, struct error *err)
{
    enum code rc = OK;

    if (!take(c, "{"))
        return syntax(c, "{", err);
    if (take(c, "}"))
        return OK;
    do {
        rc = read_label_matcher(c, grow(&s->labels, &s->n_labels), err);
    } while (rc == OK && take(c, ","));
    if (rc == OK && !take(c, "}"))
        rc = syntax(c, ", or }", err);
    return rc;
}

static enum code read_lines(struct cursor *c, struct selector *s, struct error *err)
{
    static const struct {
        const char *token;
        enum comparison op;
    } operators[] = {{"|=", IS}, {"!=", IS_NOT}, {"|~", MATCHES}, {"!~", MATCHES_NOT}};
    enum code rc = OK;

    for (;;) {
        struct matcher *m = NULL;

        skip_blanks(c);
        if (c->at == c->text.len)
            return OK;
        for (size_t i = 0; i < 4 && m == NULL; i++) {
            if (!take(c, operators[i].token))
                continue;
            m = grow(&s->lines, &s->n_lines);
            m->op = operators[i].op;
        }
        if (m == NULL)
            return syntax(c, "a line filter (|= != |~ !~; parsers and label filters are not taken here)", err);
        rc = read_string(c, &m->value, err);
        if (rc == OK)
            rc = compile(m, REGEX_PLAIN, err);
        if (rc != OK)
            return rc;
    }
}

enum code selector_parse(struct selector **out, struct slice text, struct error *err)
{
    struct selector *s = mem_zalloc(sizeof *s);
    struct cursor c = {.text = text};
    enum code rc = read_labels(&c, s, err);

    *out = NULL;
    if (rc == OK)
        rc = read_lines(&c, s, err);
    if (rc != OK)
        selector_free(s);
    else
        *out = s;
    return rc;
}

static void release_list(struct matcher *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mem_free_slice(list[i].name);
        mem_free_slice(list[i].value);
        regex_free(list[i].regex);
    }
    mem_free(list);
}

void selector_free(struct selector *s)
{
    if (s == NULL)
        return;
    release_list(s->labels, s->n_labels);
    release_list(s->lines, s->n_lines);
    mem_free(s);
}

static bool label_matches(const struct matcher *m, struct slice value)
{
    switch (m->op) {
    case IS:
        return slice_eq(value, m->value);
    case IS_NOT:
        return !slice_eq(value, m->value);
    case MATCHES:
        return regex_is_match(m->regex, value);
    case MATCHES_NOT:
        return !regex_is_match(m->regex, value);
    }
    return false;
}

static bool line_matches(const struct matcher *m, struct slice line)
{
    bool is_there;

    if (m->regex != NULL)
        is_there = regex_is_match(m->regex, line);
    else
        is_there = m->value.len == 0 || slice_find_slice(line, m->value) != line.len;
    return is_there == (m->op == IS || m->op == MATCHES);
}

bool selector_matches(const struct selector *s, const struct entry *e)
{
    for (size_t i = 0; i < s->n_labels; i++)
        if (!label_matches(&s->labels[i], entry_label(e, s->labels[i].name)))
            return false;
    for (size_t i = 0; i < s->n_lines; i++)
        if (!line_matches(&s->lines[i], e->line))
            return false;
    return true;
}
