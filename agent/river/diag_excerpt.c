/* The line a diagnostic is about, without the secrets that stand in it. What a table calls secret is known only after
 * the text was parsed; a text that does not parse is judged by its words. */
#include "agent/base/limits.h"
#include "agent/river/diag_int.h"
#include "agent/text/utf8.h"

enum {
    EXCERPT_CHARS = 160, /* a longer line is shown in part */
    EXCERPT_BEFORE = 100,
    MOST_COVERS = 32,         /* on one line; past that the rest of it is covered */
    LONGEST_LINE = 16 * 1024, /* a longer one is not shown: a hundred errors in it must not cost seconds */
};

/* Bytes [start, end) of the line that are shown as another text. */
struct cover {
    size_t start, end;
    const char *instead;
};

struct covers {
    struct cover items[MOST_COVERS];
    size_t n;
    size_t line_len;
};

static const char hidden_literal[] = "\"(secret)\"";
static const char hidden_password[] = "xxxxx"; /* as Go's URL.Redacted */

static void cover(struct covers *c, size_t start, size_t end, const char *instead)
{
    if (start >= end)
        return;
    if (c->n == MOST_COVERS) {
        c->items[c->n - 1].end = c->line_len;
        return;
    }
    c->items[c->n++] = (struct cover){start, end, instead};
}

/* --- by words --- */

static bool has_word(struct slice name, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= name.len; i++) {
        if (slice_eq_nocase(slice_make(name.ptr + i, len), slice_str(word)))
            return true;
    }
    return false;
}

bool river_sounds_secret(struct slice name)
{
    static const char *const words[] = {"passw",       "passphrase",  "secret",           "token",    "credential",
                                        "bearer",      "api_key",     "api-key",          "apikey",   "access_key",
                                        "private_key", "key_pem",     "cookie",           "key_data", "authorization",
                                        "_dsn",        "data_source", "connection_string"};
    static const char *const places[] = {"_file", "_files", "_url", "_path", "_id", "_type", "_prefix"};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (slice_ends(name, slice_str(places[i])))
            return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (has_word(name, words[i]))
            return true;
    }
    return false;
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Past the literal that starts at i with a quote; the line's end when it is not closed here. */
static size_t literal_end(struct slice line, size_t i)
{
    char quote = line.ptr[i++];

    while (i < line.len && line.ptr[i] != quote)
        i += quote == '"' && line.ptr[i] == '\\' && i + 1 < line.len ? 2 : 1;
    return i < line.len ? i + 1 : line.len;
}

/* scheme://user:password@host inside [start, end). */
static void cover_url(struct covers *c, struct slice line, size_t start, size_t end)
{
    struct slice text = slice_make(line.ptr + start, end - start);
    size_t at = slice_find_slice(text, SLICE_LIT("://"));
    size_t host = 0, colon;

    if (at == text.len)
        return;
    at += 3;
    for (size_t i = at; i < text.len && text.ptr[i] != '/' && text.ptr[i] != '?' && text.ptr[i] != '#'; i++) {
        if (text.ptr[i] == '@')
            host = i;
    }
    colon = at + slice_find(slice_from(text, at), ':');
    if (host != 0 && colon < host)
        cover(c, start + colon + 1, start + host, hidden_password);
}

/* What the text before a literal says about it. */
struct words {
    struct slice last;   /* word or quoted key */
    bool is_secret;      /* the literals here are values of a name that sounds secret */
    bool is_environment; /* in sys.env("..."): the name of a variable */
    bool is_value;       /* an "=" stands just before */
};

static void read_sign(struct words *w, char c)
{
    if (c != ' ' && c != '\t')
        w->is_value = c == '=';
    if (c == '=') {
        w->is_secret = river_sounds_secret(w->last);
        w->is_environment = false;
    } else if (c == '(') {
        w->is_environment = slice_ends(w->last, SLICE_LIT("env"));
    } else if (c == ')') {
        w->is_environment = false;
    }
}

static bool is_key(struct slice line, size_t end)
{
    while (end < line.len && (line.ptr[end] == ' ' || line.ptr[end] == '\t'))
        end++;
    return end < line.len && line.ptr[end] == '=' && (end + 1 == line.len || line.ptr[end + 1] != '=');
}

static void cover_by_words(struct covers *c, struct slice line)
{
    struct words w = {.last = {0}};
    size_t i = 0;

    while (line.ptr != NULL && i < line.len) {
        size_t start = i;

        if (line.ptr[i] == '"' || line.ptr[i] == '`' || (line.ptr[i] == '\'' && w.is_secret)) {
            i = literal_end(line, i);
            if (!w.is_value && is_key(line, i)) {
                w.last = slice_trim(slice_make(line.ptr + start + 1, i - start - 2));
            } else if (!w.is_environment && (w.is_secret || river_sounds_secret(w.last))) {
                cover(c, start, i, hidden_literal);
            } else {
                cover_url(c, line, start, i);
            }
            w.is_value = false;
        } else if (is_word_char(line.ptr[i])) {
            while (i < line.len && is_word_char(line.ptr[i]))
                i++;
            w.last = slice_make(line.ptr + start, i - start);
            w.is_value = false;
        } else {
            read_sign(&w, line.ptr[i++]);
        }
    }
}

/* --- the line --- */

static void sort_covers(struct covers *c)
{
    for (size_t i = 1; i < c->n; i++) {
        struct cover one = c->items[i];
        size_t k = i;

        for (; k > 0 && c->items[k - 1].start > one.start; k--)
            c->items[k] = c->items[k - 1];
        c->items[k] = one;
    }
}

static const struct cover *cover_at(const struct covers *c, size_t offset)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->items[i].start <= offset && offset < c->items[i].end)
            return &c->items[i];
    }
    return NULL;
}

/* Where on the shown line the characters from and to of the real one are. */
struct shown {
    struct buf text;
    size_t from, to; /* characters of the line, then of the text */
    size_t n;        /* characters so far */
};

static void show(struct shown *s, struct slice line, const struct covers *covers)
{
    size_t from = SIZE_MAX, to = SIZE_MAX, i = 0, column = 0;

    while (i < line.len) {
        const struct cover *hidden = cover_at(covers, i);
        uint32_t rune;
        size_t len = hidden != NULL ? hidden->end - i : utf8_decode(slice_from(line, i), &rune);
        size_t columns = hidden != NULL ? utf8_runes(slice_make(line.ptr + i, len)) : 1;
        size_t width = hidden != NULL ? strlen(hidden->instead) : 1;

        if (from == SIZE_MAX && s->from < column + columns)
            from = s->n;
        if (s->to > column)
            to = s->n + width;
        (void)buf_add(&s->text, hidden != NULL ? slice_str(hidden->instead) : slice_make(line.ptr + i, len));
        s->n += width;
        column += columns;
        i += len;
    }
    s->from = from != SIZE_MAX ? from : s->n; /* behind the line's end */
    s->to = to != SIZE_MAX && to > s->from ? to : s->from + 1;
}

static char *printable(struct arena *arena, struct slice line)
{
    char *copy = arena_strndup(arena, line);

    for (char *c = copy; *c != '\0'; c++) {
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7F)
            *c = '?';
    }
    return copy;
}

/* Characters [from, to) of the line. */
static void find_range(const struct diag *diag, struct slice line, size_t *from, size_t *to)
{
    *from = diag->start.column - 1;
    *to = *from + 1;
    if (diag->end.line == diag->start.line && diag->end.column > diag->start.column)
        *to = diag->end.column - 1;
    else if (diag->end.line > diag->start.line)
        *to = utf8_runes(line);
    if (*to <= *from)
        *to = *from + 1;
}

void diag_excerpt(struct arena *arena, const struct source *source, struct diag *diag, const struct span *hidden,
                  size_t n_hidden)
{
    struct slice line = source_line(source, diag->start.line);
    size_t begin = line.ptr != NULL ? (size_t)(line.ptr - source->text.ptr) : 0, first = 0;
    struct covers covers = {.line_len = line.len};
    struct shown shown = {.n = 0};

    if (line.len > LONGEST_LINE) {
        diag->excerpt = arena_printf(arena, "(this line has %zu bytes)", line.len);
        diag->caret = 0;
        diag->caret_len = 1;
        return;
    }
    for (size_t i = 0; i < n_hidden; i++) {
        size_t start = hidden[i].start > begin ? hidden[i].start - begin : 0;
        size_t end = hidden[i].end > begin ? hidden[i].end - begin : 0;

        cover(&covers, start, end < line.len ? end : line.len, hidden_literal);
    }
    cover_by_words(&covers, line);
    sort_covers(&covers);
    find_range(diag, line, &shown.from, &shown.to);
    buf_init(&shown.text, LIMIT_CONFIG_FILE_BYTES * 4);
    show(&shown, line, &covers);
    if (shown.n > EXCERPT_CHARS && shown.from > EXCERPT_BEFORE)
        first = shown.from - EXCERPT_BEFORE;
    line = slice_from(buf_slice(&shown.text), utf8_rune_offset(buf_slice(&shown.text), first));
    line = slice_head(line, utf8_rune_offset(line, EXCERPT_CHARS));
    diag->excerpt = printable(arena, line);
    diag->caret = (uint32_t)(shown.from - first);
    diag->caret_len = (uint32_t)(shown.to - shown.from);
    if (diag->caret + diag->caret_len > EXCERPT_CHARS)
        diag->caret_len = diag->caret < EXCERPT_CHARS ? EXCERPT_CHARS - diag->caret : 1;
    buf_release(&shown.text);
}
