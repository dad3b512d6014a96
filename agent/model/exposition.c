#include "agent/model/exposition.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/model/exposition_int.h"
#include "agent/text/utf8.h"
#include <math.h>

struct exposition {
    enum exposition_format format;
    struct exposition_handler handler;
    struct buf partial; /* the line whose end has not come */
    struct arena text;  /* unescaped help of the line at hand */
    uint64_t line;
    bool is_over; /* # EOF was seen */
};

enum exposition_format exposition_format_of(struct slice content_type)
{
    struct slice type, rest;

    (void)slice_cut(content_type, ';', &type, &rest);
    return slice_eq_nocase(slice_trim(type), SLICE_LIT("application/openmetrics-text")) ? EXPOSITION_OPENMETRICS
                                                                                        : EXPOSITION_PROMETHEUS;
}

struct exposition *exposition_new(enum exposition_format format, const struct exposition_handler *handler)
{
    struct exposition *e = mem_zalloc(sizeof *e);

    e->format = format;
    e->handler = *handler;
    buf_init(&e->partial, LIMIT_EXPOSITION_LINE_BYTES);
    arena_init(&e->text, 4 * LIMIT_EXPOSITION_LINE_BYTES);
    return e;
}

void exposition_free(struct exposition *e)
{
    if (e == NULL)
        return;
    buf_release(&e->partial);
    arena_release(&e->text);
    mem_free(e);
}

static enum code refuse(struct error *err, const char *why, struct slice what)
{
    return error_set(err, INVALID, "%s: \"%.*s\"", why, SLICE_ARG(slice_head(what, 80)));
}

/* The text up to the next blank; *rest is what follows without its leading blanks. OpenMetrics has single spaces. */
static bool take_token(const struct exposition *e, struct slice s, struct slice *token, struct slice *rest)
{
    size_t i = 0;

    while (i < s.len && !exposition_is_blank(s.ptr[i]))
        i++;
    *token = slice_head(s, i);
    *rest = slice_from(s, i);
    if (e->format == EXPOSITION_PROMETHEUS) {
        *rest = exposition_skip_blanks(*rest);
        return true;
    }
    if (rest->len == 0)
        return true;
    *rest = slice_from(*rest, 1);
    return s.ptr[i] == ' ' && rest->len != 0 && !exposition_is_blank(rest->ptr[0]);
}

/* Milliseconds: whole ones in 0.0.4, seconds with a fraction in OpenMetrics. */
static bool take_timestamp(const struct exposition *e, struct slice token, int64_t *ts_ms)
{
    double s;

    if (e->format == EXPOSITION_PROMETHEUS)
        return slice_to_i64(token, ts_ms);
    if (!exposition_f64(token, &s) || !isfinite(s) || fabs(s) > 9e15)
        return false;
    *ts_ms = (int64_t)(s * 1000);
    return true;
}

/* # {trace_id="x"} value [timestamp], after a sample. */
static enum code take_exemplar(const struct exposition *e, struct slice s, struct exposition_sample *out,
                               struct error *err)
{
    struct slice token, rest;
    size_t len;

    if (!slice_starts(s, SLICE_LIT("# {")) || (len = exposition_braces_len(slice_from(s, 2))) == 0)
        return refuse(err, "expected an exemplar", s);
    out->exemplar_labels = slice_head(slice_from(s, 2), len);
    s = slice_from(s, 2 + len);
    if (s.len < 2 || s.ptr[0] != ' ' || !take_token(e, slice_from(s, 1), &token, &rest) ||
        !exposition_f64(token, &out->exemplar_value))
        return refuse(err, "bad value of an exemplar", s);
    out->has_exemplar = true;
    if (rest.len == 0)
        return OK;
    out->has_exemplar_ts = true;
    if (!take_token(e, rest, &token, &rest) || rest.len != 0 || !take_timestamp(e, token, &out->exemplar_ts_ms))
        return refuse(err, "bad timestamp of an exemplar", token);
    return OK;
}

/* Length of name{labels} at the start of line, 0 when there is none. What is inside is exposition_series_parse's. */
static size_t series_len(const struct exposition *e, struct slice line)
{
    size_t i = 0, braces;

    while (i < line.len && line.ptr[i] != '{' && !exposition_is_blank(line.ptr[i]))
        i++;
    if (i < line.len && line.ptr[i] != '{' && e->format == EXPOSITION_PROMETHEUS) {
        struct slice after = exposition_skip_blanks(slice_from(line, i));

        if (after.len != 0 && after.ptr[0] == '{') /* blanks before the brace belong to the series */
            i = line.len - after.len;
    }
    if (i == line.len || line.ptr[i] != '{')
        return i;
    braces = exposition_braces_len(slice_from(line, i));
    return braces != 0 ? i + braces : 0;
}

static enum code read_sample(struct exposition *e, struct slice line, struct error *err)
{
    struct exposition_sample s = {0};
    struct slice token, rest;
    size_t len = series_len(e, line);

    if (len == 0)
        return refuse(err, "expected a metric name", line);
    s.series = slice_head(line, len);
    rest = slice_from(line, len);
    if (e->format == EXPOSITION_PROMETHEUS)
        rest = exposition_skip_blanks(rest);
    else if (rest.len < 2 || rest.ptr[0] != ' ')
        return refuse(err, "expected one space and a value", line);
    else
        rest = slice_from(rest, 1);
    if (!take_token(e, rest, &token, &rest) || !exposition_f64(token, &s.value))
        return refuse(err, "bad value", token);
    if (rest.len != 0 && (e->format == EXPOSITION_PROMETHEUS || rest.ptr[0] != '#')) {
        s.has_ts = true;
        if (!take_token(e, rest, &token, &rest) || !take_timestamp(e, token, &s.ts_ms))
            return refuse(err, "bad timestamp", token);
    }
    if (rest.len != 0 && e->format == EXPOSITION_PROMETHEUS)
        return refuse(err, "unexpected text after a sample", rest);
    if (rest.len != 0) {
        enum code rc = take_exemplar(e, rest, &s, err);

        if (rc != OK)
            return rc;
    }
    return e->handler.sample(e->handler.ctx, &s, err);
}

static const struct {
    const char *name;
    enum metric_type type;
    bool is_prometheus, is_openmetrics;
} types[] = {
    {"counter", METRIC_COUNTER, true, true},
    {"gauge", METRIC_GAUGE, true, true},
    {"histogram", METRIC_HISTOGRAM, true, true},
    {"summary", METRIC_SUMMARY, true, true},
    {"untyped", METRIC_UNKNOWN, true, false},
    {"unknown", METRIC_UNKNOWN, false, true},
    {"info", METRIC_INFO, false, true},
    {"stateset", METRIC_STATESET, false, true},
    {"gaugehistogram", METRIC_GAUGE_HISTOGRAM, false, true},
};

static bool find_type(enum exposition_format format, struct slice name, enum metric_type *type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        bool is_known = format == EXPOSITION_PROMETHEUS ? types[i].is_prometheus : types[i].is_openmetrics;

        if (is_known && slice_eq_str(name, types[i].name)) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

/* HELP: \\ and \n, in OpenMetrics also \". */
static enum code unescape_help(struct exposition *e, struct slice s, struct slice *out)
{
    bool has_quote = e->format == EXPOSITION_OPENMETRICS;
    char *text;
    size_t len = 0;

    *out = s;
    if (slice_find(s, '\\') == s.len)
        return OK;
    text = arena_try_alloc(&e->text, s.len);
    if (text == NULL)
        return NOMEM;
    for (size_t i = 0; i < s.len; i++) {
        char next = i + 1 < s.len ? s.ptr[i + 1] : '\0';
        bool is_escape = s.ptr[i] == '\\' && (next == '\\' || next == 'n' || (has_quote && next == '"'));

        if (is_escape)
            i++;
        text[len++] = is_escape && next == 'n' ? '\n' : s.ptr[i];
    }
    *out = slice_make(text, len);
    return OK;
}

static enum code read_help(struct exposition *e, struct slice family, struct slice text, struct error *err)
{
    struct slice help;
    enum code rc;

    if (!utf8_is_valid(text))
        return refuse(err, "the help is not valid UTF-8", family);
    rc = unescape_help(e, text, &help);
    if (rc == OK)
        rc = e->handler.meta(e->handler.ctx, EXPOSITION_HELP, family, help, METRIC_UNKNOWN, err);
    arena_release(&e->text);
    return rc;
}

static enum code read_meta(struct exposition *e, enum exposition_meta kind, struct slice s, struct error *err)
{
    struct slice family, text;
    enum metric_type type = METRIC_UNKNOWN;
    size_t len = s.len != 0 && s.ptr[0] == '"' ? exposition_quoted_len(s) : exposition_name_len(s, true);

    family = slice_head(s, len);
    text = slice_from(s, len);
    if (len == 0 || (text.len != 0 && !exposition_is_blank(text.ptr[0])))
        return refuse(err, "expected a metric name", s);
    if (s.ptr[0] == '"')
        family = slice_make(family.ptr + 1, family.len - 2);
    text = e->format == EXPOSITION_PROMETHEUS ? exposition_skip_blanks(text) : slice_from(text, 1);
    if (kind == EXPOSITION_TYPE &&
        !find_type(e->format, e->format == EXPOSITION_PROMETHEUS ? slice_trim(text) : text, &type))
        return refuse(err, "unknown metric type", text);
    if (kind == EXPOSITION_UNIT && text.len != 0) {
        struct slice before = slice_head(family, family.len > text.len ? family.len - text.len : 0);

        if (!slice_ends(family, text) || !slice_ends(before, SLICE_LIT("_")))
            return refuse(err, "the unit is not the end of the metric's name", family);
    }
    if (e->handler.meta == NULL)
        return OK;
    if (kind == EXPOSITION_HELP)
        return read_help(e, family, text, err);
    return e->handler.meta(e->handler.ctx, kind, family, kind == EXPOSITION_UNIT ? text : (struct slice){0}, type, err);
}

/* 0.0.4: a # line that is neither HELP nor TYPE is a comment. */
static enum code read_comment(struct exposition *e, struct slice line, struct error *err)
{
    struct slice s = exposition_skip_blanks(slice_from(line, 1)), word, rest;

    (void)take_token(e, s, &word, &rest);
    if (s.len + 1 == line.len || rest.ptr == s.ptr + word.len) /* no blank after # or after the word */
        return OK;
    if (slice_eq_str(word, "HELP"))
        return read_meta(e, EXPOSITION_HELP, rest, err);
    return slice_eq_str(word, "TYPE") ? read_meta(e, EXPOSITION_TYPE, rest, err) : OK;
}

static enum code read_openmetrics_line(struct exposition *e, struct slice line, struct error *err)
{
    if (e->is_over)
        return refuse(err, "text after # EOF", line);
    if (line.len == 0)
        return error_set(err, INVALID, "an empty line");
    if (line.ptr[0] != '#')
        return read_sample(e, line, err);
    if (slice_starts(line, SLICE_LIT("# HELP ")))
        return read_meta(e, EXPOSITION_HELP, slice_from(line, 7), err);
    if (slice_starts(line, SLICE_LIT("# TYPE ")))
        return read_meta(e, EXPOSITION_TYPE, slice_from(line, 7), err);
    if (slice_starts(line, SLICE_LIT("# UNIT ")))
        return read_meta(e, EXPOSITION_UNIT, slice_from(line, 7), err);
    e->is_over = slice_eq_str(line, "# EOF");
    return e->is_over ? OK : refuse(err, "only HELP, TYPE, UNIT and EOF may follow #", line);
}

static enum code read_line(struct exposition *e, struct slice line, struct error *err)
{
    enum code rc;

    e->line++;
    if (e->format == EXPOSITION_OPENMETRICS) {
        rc = read_openmetrics_line(e, line, err);
    } else {
        line = exposition_skip_blanks(line);
        if (line.len == 0)
            return OK;
        rc = line.ptr[0] == '#' ? read_comment(e, line, err) : read_sample(e, line, err);
    }
    if (rc != OK && err != NULL)
        error_prefix(err, "line %llu", (unsigned long long)e->line);
    return rc;
}

static enum code hold(struct exposition *e, struct slice s, struct error *err)
{
    enum code rc = buf_add(&e->partial, s);

    if (rc == OK)
        return OK;
    return error_set(err, FULL, "line %llu is longer than %u bytes", (unsigned long long)e->line + 1,
                     LIMIT_EXPOSITION_LINE_BYTES);
}

enum code exposition_feed(struct exposition *e, struct slice bytes, struct error *err)
{
    enum code rc = OK;

    while (bytes.len != 0 && rc == OK) {
        const char *newline = memchr(bytes.ptr, '\n', bytes.len);
        struct slice line = slice_head(bytes, newline != NULL ? (size_t)(newline - bytes.ptr) : bytes.len);

        if (newline == NULL)
            return hold(e, line, err);
        bytes = slice_from(bytes, line.len + 1);
        if (e->partial.len == 0) {
            rc = read_line(e, line, err);
            continue;
        }
        rc = hold(e, line, err);
        if (rc == OK)
            rc = read_line(e, buf_slice(&e->partial), err);
        buf_reset(&e->partial);
    }
    return rc;
}

enum code exposition_end(struct exposition *e, struct error *err)
{
    enum code rc = OK;

    if (e->partial.len != 0)
        rc = read_line(e, buf_slice(&e->partial), err);
    buf_reset(&e->partial);
    if (rc == OK && e->format == EXPOSITION_OPENMETRICS && !e->is_over)
        rc = error_set(err, INVALID, "data does not end with # EOF");
    return rc;
}
