#include "agent/river/lexer.h"
#include "agent/river/letters.h"
#include "agent/text/utf8.h"

void lexer_init(struct lexer *l, const struct source *source, struct diags *diags)
{
    *l = (struct lexer){.source = source, .diags = diags};
    if (slice_starts(source->text, SLICE_LIT("\xEF\xBB\xBF")))
        l->at = 3;
}

const char *token_name(enum token_kind kind)
{
    static const char *const names[] = {
        [TOK_EOF] = "end of file",
        [TOK_ILLEGAL] = "illegal character",
        [TOK_TERMINATOR] = "end of line",
        [TOK_COMMENT] = "comment",
        [TOK_IDENT] = "identifier",
        [TOK_NULL] = "null",
        [TOK_BOOL] = "boolean",
        [TOK_NUMBER] = "number",
        [TOK_FLOAT] = "number",
        [TOK_STRING] = "string",
        [TOK_OR] = "\"||\"",
        [TOK_AND] = "\"&&\"",
        [TOK_NOT] = "\"!\"",
        [TOK_NE] = "\"!=\"",
        [TOK_ASSIGN] = "\"=\"",
        [TOK_EQ] = "\"==\"",
        [TOK_LT] = "\"<\"",
        [TOK_LE] = "\"<=\"",
        [TOK_GT] = "\">\"",
        [TOK_GE] = "\">=\"",
        [TOK_ADD] = "\"+\"",
        [TOK_SUB] = "\"-\"",
        [TOK_MUL] = "\"*\"",
        [TOK_DIV] = "\"/\"",
        [TOK_MOD] = "\"%\"",
        [TOK_POW] = "\"^\"",
        [TOK_LCURLY] = "\"{\"",
        [TOK_RCURLY] = "\"}\"",
        [TOK_LPAREN] = "\"(\"",
        [TOK_RPAREN] = "\")\"",
        [TOK_LBRACK] = "\"[\"",
        [TOK_RBRACK] = "\"]\"",
        [TOK_COMMA] = "\",\"",
        [TOK_DOT] = "\".\"",
    };

    return names[kind];
}

/* The byte at offset i from here; 0 past the end (a NUL in the text is reported where it is met). */
static char peek(const struct lexer *l, size_t i)
{
    struct slice text = l->source->text;

    return l->at + i < text.len ? text.ptr[l->at + i] : '\0';
}

static bool at_end(const struct lexer *l)
{
    return l->at >= l->source->text.len;
}

static struct diag *report(struct lexer *l, size_t start, size_t end, const char *text)
{
    struct span at = {(uint32_t)start, (uint32_t)end};

    return diags_error(l->diags, l->source, at, "%s", text);
}

/* Steps over one character, whatever it is, and reports what may stand nowhere. */
static uint32_t step(struct lexer *l)
{
    struct slice rest = slice_from(l->source->text, l->at);
    uint32_t rune;
    size_t n = utf8_decode(rest, &rune);

    if (n == 1 && rest.ptr[0] == '\0')
        report(l, l->at, l->at + 1, "illegal character NUL");
    else if (n == 1 && rune == UTF8_REPLACEMENT)
        report(l, l->at, l->at + 1, "illegal UTF-8 encoding");
    else if (rune == 0xFEFF)
        report(l, l->at, l->at + n, "illegal byte order mark");
    l->at += n;
    return rune;
}

static bool is_decimal(char c)
{
    return c >= '0' && c <= '9';
}

static struct token make(struct lexer *l, enum token_kind kind, size_t start)
{
    struct token t = {.kind = kind, .span = {(uint32_t)start, (uint32_t)l->at}};

    t.text = slice_head(slice_from(l->source->text, start), l->at - start);
    return t;
}

static size_t digits(struct lexer *l)
{
    size_t n = 0;

    while (is_decimal(peek(l, 0))) {
        l->at++;
        n++;
    }
    return n;
}

static struct token number(struct lexer *l)
{
    size_t start = l->at;
    enum token_kind kind = TOK_NUMBER;

    (void)digits(l);
    if (peek(l, 0) == '.') {
        kind = TOK_FLOAT;
        l->at++;
        (void)digits(l);
    }
    if ((peek(l, 0) | 0x20) == 'e') {
        kind = TOK_FLOAT;
        l->at++;
        if (peek(l, 0) == '+' || peek(l, 0) == '-')
            l->at++;
        if (digits(l) == 0)
            report(l, start, l->at, "the exponent of a number has no digits");
    }
    return make(l, kind, start);
}

static struct token word(struct lexer *l)
{
    size_t start = l->at;
    struct token t;

    while (!at_end(l)) {
        uint32_t rune;
        size_t n = utf8_decode(slice_from(l->source->text, l->at), &rune);

        if (!letter_is(rune) && !digit_is(rune))
            break;
        l->at += n;
    }
    t = make(l, TOK_IDENT, start);
    if (slice_eq_str(t.text, "null"))
        t.kind = TOK_NULL;
    else if (slice_eq_str(t.text, "true") || slice_eq_str(t.text, "false"))
        t.kind = TOK_BOOL;
    return t;
}

static unsigned hex_value(char c)
{
    if (is_decimal(c))
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

/* n digits of a base from here; false (and reported) when there are fewer. */
static bool code_digits(struct lexer *l, size_t start, size_t n, unsigned base, uint32_t *code)
{
    *code = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = hex_value(peek(l, 0));

        if (at_end(l) || digit >= base) {
            report(l, start, l->at, "this escape sequence needs more digits");
            return false;
        }
        *code = *code * base + digit;
        l->at++;
    }
    return true;
}

/* Just after the backslash at start. */
static void escape(struct lexer *l, size_t start)
{
    char c = peek(l, 0);
    uint32_t code;
    struct diag *d;

    if (c != '\0' && strchr("abfnrtv\\\"", c) != NULL) {
        l->at++;
        return;
    }
    if (c >= '0' && c <= '7') {
        if (code_digits(l, start, 3, 8, &code) && code > 255)
            report(l, start, l->at, "an octal escape goes up to \\377");
        return;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        l->at++;
        if (code_digits(l, start,
                        c == 'x'   ? 2
                        : c == 'u' ? 4
                                   : 8,
                        16, &code) &&
            c != 'x' && (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)))
            report(l, start, l->at, "this escape sequence is no Unicode character");
        return;
    }
    if (at_end(l) || c == '\n')
        return; /* the string's end is missing: said there */
    (void)step(l);
    d = report(l, start, l->at, "unknown escape sequence");
    diag_hint(l->diags, d, "write \\\\ for a backslash, or use a raw string between backticks: `C:\\logs`");
}

static struct token quoted(struct lexer *l, char quote)
{
    size_t start = l->at++;
    struct diag *d;

    while (!at_end(l) && peek(l, 0) != '\n') {
        size_t here = l->at;

        if (peek(l, 0) == quote) {
            l->at++;
            return make(l, TOK_STRING, start);
        }
        if (peek(l, 0) == '\\') {
            l->at++;
            escape(l, here);
        } else {
            (void)step(l);
        }
    }
    d = report(l, start, l->at, "the closing quote of this string is missing");
    diag_hint(l->diags, d, "a string in double quotes ends on its line; a raw string between backticks may be longer");
    return make(l, TOK_ILLEGAL, start);
}

static struct token raw_string(struct lexer *l)
{
    size_t start = l->at++;

    while (!at_end(l)) {
        if (peek(l, 0) == '`') {
            l->at++;
            return make(l, TOK_STRING, start);
        }
        (void)step(l);
    }
    report(l, start, start + 1, "the closing backtick of this raw string is missing");
    return make(l, TOK_ILLEGAL, start);
}

/* A comment that starts here, without the newline (and CR) that ends a line comment. */
static struct token comment(struct lexer *l)
{
    size_t start = l->at;
    struct token t;

    l->at += 2;
    if (l->source->text.ptr[start + 1] == '/') {
        while (!at_end(l) && peek(l, 0) != '\n')
            (void)step(l);
        t = make(l, TOK_COMMENT, start);
        while (t.text.len != 0 && t.text.ptr[t.text.len - 1] == '\r') {
            t.text.len--;
            t.span.end--;
        }
        return t;
    }
    while (!at_end(l)) {
        if (peek(l, 0) == '*' && peek(l, 1) == '/') {
            l->at += 2;
            return make(l, TOK_COMMENT, start);
        }
        (void)step(l);
    }
    report(l, start, start + 2, "the end of this comment, */, is missing");
    return make(l, TOK_COMMENT, start);
}

/* Does the line end, apart from comments, before anything else comes? Called at a comment. */
static bool only_comments_on_line(struct lexer *l)
{
    struct slice text = l->source->text;
    size_t i = l->at;

    if (l->at < l->busy_until)
        return false; /* seen before: a line of many comments is not walked once per comment */
    while (i < text.len) {
        char c = text.ptr[i];

        if (c == '\n')
            return true;
        if (c == ' ' || c == '\t' || c == '\r') {
            i++;
            continue;
        }
        if (c != '/' || i + 1 >= text.len || (text.ptr[i + 1] != '/' && text.ptr[i + 1] != '*')) {
            l->busy_until = i;
            return false;
        }
        if (text.ptr[i + 1] == '/')
            return true;
        for (i += 2; i + 1 < text.len && !(text.ptr[i] == '*' && text.ptr[i + 1] == '/'); i++) {
            if (text.ptr[i] == '\n')
                return true;
        }
        i += 2;
    }
    return true;
}

/* One or two characters; first alone is kind, with second after it longer. */
static struct token operator_of(struct lexer *l, enum token_kind kind, char second, enum token_kind longer)
{
    size_t start = l->at++;

    if (second != '\0' && peek(l, 0) == second) {
        l->at++;
        kind = longer;
    }
    return make(l, kind, start);
}

static struct token doubled(struct lexer *l, enum token_kind kind, char c)
{
    size_t start = l->at;

    if (peek(l, 1) == c) {
        l->at += 2;
    } else {
        l->at++;
        report(l, start, l->at,
               c == '|' ? "a single | is no operator: write ||" : "a single & is no operator: write &&");
    }
    return make(l, kind, start);
}

static struct token illegal(struct lexer *l)
{
    size_t start = l->at;
    size_t before = l->diags->n_errors;
    char c = peek(l, 0);
    struct diag *d;

    (void)step(l);
    if (l->diags->n_errors != before)
        return make(l, TOK_ILLEGAL, start); /* step said it */
    d = diags_error(l->diags, l->source, (struct span){(uint32_t)start, (uint32_t)l->at}, "illegal character \"%.*s\"",
                    (int)(l->at - start), l->source->text.ptr + start);
    if (c == '#')
        diag_hint(l->diags, d, "comments start with //");
    else if (c == ':')
        diag_hint(l->diags, d, "names and values are joined by =");
    else if (c == '?')
        diag_hint(l->diags, d,
                  "there is no conditional operator; coalesce(a, b) gives the first value that is not empty");
    else if (c == ';')
        diag_hint(l->diags, d, "statements end with their line");
    return make(l, TOK_ILLEGAL, start);
}

static struct token single_quoted(struct lexer *l)
{
    size_t start = l->at;
    struct token t = quoted(l, '\'');

    report(l, start, l->at, "strings are written in double quotes, not single ones");
    t.kind = TOK_STRING; /* so that parsing goes on as if it were right */
    return t;
}

static struct token symbol(struct lexer *l)
{
    switch (peek(l, 0)) {
    case '\'':
        return single_quoted(l);
    case '"':
        return quoted(l, '"');
    case '`':
        return raw_string(l);
    case '|':
        return doubled(l, TOK_OR, '|');
    case '&':
        return doubled(l, TOK_AND, '&');
    case '!':
        return operator_of(l, TOK_NOT, '=', TOK_NE);
    case '=':
        return operator_of(l, TOK_ASSIGN, '=', TOK_EQ);
    case '<':
        return operator_of(l, TOK_LT, '=', TOK_LE);
    case '>':
        return operator_of(l, TOK_GT, '=', TOK_GE);
    case '+':
        return operator_of(l, TOK_ADD, '\0', TOK_ADD);
    case '-':
        return operator_of(l, TOK_SUB, '\0', TOK_SUB);
    case '*':
        return operator_of(l, TOK_MUL, '\0', TOK_MUL);
    case '/':
        return operator_of(l, TOK_DIV, '\0', TOK_DIV);
    case '%':
        return operator_of(l, TOK_MOD, '\0', TOK_MOD);
    case '^':
        return operator_of(l, TOK_POW, '\0', TOK_POW);
    case '{':
        return operator_of(l, TOK_LCURLY, '\0', TOK_LCURLY);
    case '}':
        return operator_of(l, TOK_RCURLY, '\0', TOK_RCURLY);
    case '(':
        return operator_of(l, TOK_LPAREN, '\0', TOK_LPAREN);
    case ')':
        return operator_of(l, TOK_RPAREN, '\0', TOK_RPAREN);
    case '[':
        return operator_of(l, TOK_LBRACK, '\0', TOK_LBRACK);
    case ']':
        return operator_of(l, TOK_RBRACK, '\0', TOK_RBRACK);
    case ',':
        return operator_of(l, TOK_COMMA, '\0', TOK_COMMA);
    case '.':
        return operator_of(l, TOK_DOT, '\0', TOK_DOT);
    default:
        return illegal(l);
    }
}

static bool ends_statement(enum token_kind kind)
{
    return (kind >= TOK_IDENT && kind <= TOK_STRING) || kind == TOK_RCURLY || kind == TOK_RPAREN || kind == TOK_RBRACK;
}

static struct token terminator(struct lexer *l, size_t start)
{
    struct token t = {.kind = TOK_TERMINATOR, .span = {(uint32_t)start, (uint32_t)start}};

    l->wants_terminator = false;
    return t;
}

struct token lexer_next(struct lexer *l)
{
    struct token t;
    uint32_t rune;
    char c;

    for (;; l->at++) {
        c = peek(l, 0);
        if (c != ' ' && c != '\t' && c != '\r' && (c != '\n' || l->wants_terminator))
            break;
    }
    if (at_end(l))
        return l->wants_terminator ? terminator(l, l->at) : make(l, TOK_EOF, l->at);
    if (c == '\n') {
        t = terminator(l, l->at);
        l->at++;
        return t;
    }
    if (c == '/' && (peek(l, 1) == '/' || peek(l, 1) == '*')) {
        if (l->wants_terminator && only_comments_on_line(l))
            return terminator(l, l->at);
        return comment(l); /* wants_terminator stays: the line may still end after it */
    }
    (void)utf8_decode(slice_from(l->source->text, l->at), &rune);
    if (letter_is(rune))
        t = word(l);
    else if (is_decimal(c) || (c == '.' && is_decimal(peek(l, 1))))
        t = number(l);
    else
        t = symbol(l);
    if (t.kind != TOK_ILLEGAL)
        l->wants_terminator = ends_statement(t.kind);
    return t;
}

/* --- values of strings --- */

static size_t unescape(struct slice s, char *out, size_t *used)
{
    static const char letters[] = "abfnrtv\\\"'", values[] = "\a\b\f\n\r\t\v\\\"'";
    const char *known = s.len > 1 && s.ptr[1] != '\0' ? strchr(letters, s.ptr[1]) : NULL;
    size_t n = 3, from = 1;
    uint32_t code = 0;
    unsigned base = 8;

    if (known != NULL) {
        *out = values[known - letters];
        *used = 2;
        return 1;
    }
    if (s.len > 1 && (s.ptr[1] == 'x' || s.ptr[1] == 'u' || s.ptr[1] == 'U')) {
        n = s.ptr[1] == 'x' ? 2 : s.ptr[1] == 'u' ? 4 : 8;
        from = 2;
        base = 16;
    }
    *used = s.len < from + n ? s.len : from + n;
    for (size_t i = from; i < *used; i++)
        code = code * base + (hex_value(s.ptr[i]) & 15);
    if (base == 8 || n == 2) {
        *out = (char)(code & 0xFF);
        return 1;
    }
    return utf8_encode(code, out);
}

struct slice lexer_unquote(struct arena *arena, struct slice text)
{
    bool is_raw = text.len != 0 && text.ptr[0] == '`';
    struct slice body = text.len >= 2 ? slice_head(slice_from(text, 1), text.len - 2) : SLICE_LIT("");
    size_t len = 0;
    char *out;

    if (slice_find(body, is_raw ? '\r' : '\\') == body.len)
        return body; /* nothing to change: the text stays in the source */
    out = arena_try_alloc(arena, body.len);
    if (out == NULL)
        return (struct slice){0};
    while (body.len != 0) {
        size_t used = 1;

        if (is_raw && body.ptr[0] == '\r')
            used = 1; /* as strconv.Unquote: carriage returns are no part of a raw string */
        else if (!is_raw && body.ptr[0] == '\\')
            len += unescape(body, out + len, &used);
        else
            out[len++] = body.ptr[0];
        body = slice_from(body, used);
    }
    return slice_make(out, len);
}
