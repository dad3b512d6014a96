/* The stages that write the line, the time or an extracted text: replace, template, output, timestamp, decolorize. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"
#include "agent/text/gotemplate.h"
#include "agent/text/timefmt.h"
#include "agent/text/tz.h"

/* What a template sees: the entry's extracted texts, Value and Entry. */
struct fields {
    const struct entry *e;
    struct slice value;
    bool has_value;
};

static bool lookup_field(void *self, struct slice name, struct slice *value)
{
    const struct fields *f = self;

    if (slice_eq_str(name, "Value")) {
        *value = f->value;
        return f->has_value;
    }
    if (slice_eq_str(name, "Entry")) {
        *value = f->e->line;
        return true;
    }
    return entry_get(f->e, name, value);
}

/* Runs a template over the entry; the result is copied into its arena. */
static enum code run_template(const struct gotemplate *t, const struct pipeline *p, const struct entry *e,
                              struct slice value, bool has_value, struct slice *out)
{
    struct fields fields = {e, value, has_value};
    const struct gotemplate_data data = {.lookup = lookup_field, .self = &fields, .now_ns = p->now_ns};
    struct error err = {0};
    struct arena scratch;
    struct buf text;
    enum code rc;

    buf_init(&text, LIMIT_LINE_BYTES);
    arena_init(&scratch, LIMIT_LINE_BYTES * 4);
    rc = gotemplate_exec(t, &data, &scratch, &text, &err);
    if (rc == OK) {
        *out = arena_copy(e->arena, buf_slice(&text));
        if (out->ptr == NULL && text.len != 0)
            rc = NOMEM;
    } else {
        log_warn(host_id(p->host), "a template failed on a line: the text stays as it was", log_str("err", err.text));
    }
    arena_release(&scratch);
    buf_release(&text);
    return rc;
}

/* --- replace --------------------------------------------------------------------------------------------------------
 */

enum { MAX_GROUPS = 64 };

struct replace_stage {
    struct regex *regex;     /* owned */
    struct gotemplate *with; /* owned; NULL: a fixed text */
    struct slice fixed;      /* owned */
    struct slice source;     /* owned */
    bool is_named;           /* some group has a name */
    struct metric *too_long; /* owned reference */
};

/* The replacement of one captured text. Most replacements are masks: where the template fails, stars stand for it. */
static struct slice replacement(const struct replace_stage *s, const struct pipeline *p, const struct entry *e,
                                struct slice captured)
{
    struct slice out = {0};

    if (s->with == NULL)
        return s->fixed;
    return run_template(s->with, p, e, captured, true, &out) == OK ? out : SLICE_LIT("***");
}

/* A mask that cannot be written must not let the text pass. */
static enum verdict unwritable(const struct replace_stage *s, bool is_too_long)
{
    if (!is_too_long)
        return FAIL;
    metric_inc(s->too_long);
    return DROP;
}

static enum verdict replace_run(void *self, struct entry *e, struct pipeline *p)
{
    struct replace_stage *s = self;
    size_t n = regex_group_count(s->regex) + 1, from = 0, copied = 0;
    struct slice groups[MAX_GROUPS], text, result;
    bool is_without_memory = false, is_too_long;
    struct buf out;

    if (!entry_source(e, s->source, &text) || !regex_match(s->regex, text, 0, groups, n))
        return NEXT;
    buf_init(&out, text.len + LIMIT_LINE_BYTES);
    do {
        size_t end = (size_t)(groups[0].ptr - text.ptr) + groups[0].len;

        for (size_t i = 1; i < n; i++) {
            size_t at = groups[i].ptr != NULL ? (size_t)(groups[i].ptr - text.ptr) : 0;
            struct slice with;

            /* a group inside one that was replaced already has gone with it */
            if (groups[i].ptr == NULL || at < copied)
                continue;
            with = replacement(s, p, e, groups[i]);
            (void)buf_add(&out, slice_make(text.ptr + copied, at - copied));
            (void)buf_add(&out, with);
            copied = at + groups[i].len;
            if (s->is_named && regex_group_name(s->regex, i).len != 0 &&
                entry_set(e, regex_group_name(s->regex, i), with) != OK)
                is_without_memory = true;
        }
        from = end > from ? end : from + 1;
    } while (from <= text.len && regex_match(s->regex, text, from, groups, n));
    (void)buf_add(&out, slice_from(text, copied));
    result = arena_copy(e->arena, buf_slice(&out));
    is_too_long = out.is_full;
    is_without_memory = is_without_memory || (result.ptr == NULL && out.len != 0);
    buf_release(&out);
    if (is_too_long || is_without_memory)
        return unwritable(s, is_too_long);
    if (s->source.len == 0)
        e->line = result;
    else if (entry_set(e, s->source, result) != OK)
        return FAIL;
    return NEXT;
}

static void replace_release(void *self)
{
    struct replace_stage *s = self;

    regex_free(s->regex);
    gotemplate_free(s->with);
    mem_free_slice(s->fixed);
    mem_free_slice(s->source);
    metric_unref(s->too_long);
    mem_free(s);
}

enum code stage_replace_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct replace_args *a = args;
    struct replace_stage *s = mem_zalloc(sizeof *s);
    enum code rc = regex_compile(&s->regex, a->expression, REGEX_PLAIN, err);

    s->source = mem_slice(a->source);
    s->fixed = mem_slice(a->replace);
    if (rc == OK && regex_group_count(s->regex) >= MAX_GROUPS)
        rc = error_set(err, INVALID, "more than %d groups", MAX_GROUPS - 1);
    if (rc == OK && slice_find_slice(a->replace, SLICE_LIT("{{")) != a->replace.len)
        rc = gotemplate_compile(&s->with, a->replace, err);
    if (rc != OK) {
        replace_release(s);
        return rc;
    }
    for (size_t i = 1; i <= regex_group_count(s->regex); i++)
        s->is_named = s->is_named || regex_group_name(s->regex, i).len != 0;
    s->too_long = pipeline_drop_counter(p, SLICE_LIT("line_too_long"));
    (void)pipeline_add(p, replace_run, replace_release, s);
    return OK;
}

/* --- template -------------------------------------------------------------------------------------------------------
 */

struct template_stage {
    struct gotemplate *template_; /* owned */
    struct slice source;          /* owned */
};

static enum verdict template_run(void *self, struct entry *e, struct pipeline *p)
{
    struct template_stage *s = self;
    struct slice value = {0}, result = {0};
    bool has_value = entry_get(e, s->source, &value);
    enum code rc = run_template(s->template_, p, e, value, has_value, &result);

    if (rc == NOMEM)
        return FAIL;
    if (rc != OK)
        return NEXT;
    if (result.len == 0)
        entry_unset(e, s->source); /* an empty result takes the text away, as Promtail does */
    else if (entry_set(e, s->source, result) != OK)
        return FAIL;
    return NEXT;
}

static void template_release(void *self)
{
    struct template_stage *s = self;

    gotemplate_free(s->template_);
    mem_free_slice(s->source);
    mem_free(s);
}

enum code stage_template_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct template_args *a = args;
    struct template_stage *s = mem_zalloc(sizeof *s);
    enum code rc = gotemplate_compile(&s->template_, a->template_text, err);

    s->source = mem_slice(a->source);
    if (rc != OK) {
        template_release(s);
        return rc;
    }
    (void)pipeline_add(p, template_run, template_release, s);
    return OK;
}

/* --- output ---------------------------------------------------------------------------------------------------------
 */

struct output_stage {
    struct slice source; /* owned */
};

static enum verdict output_run(void *self, struct entry *e, struct pipeline *p)
{
    struct output_stage *s = self;
    struct slice text;

    (void)p;
    if (entry_get(e, s->source, &text))
        e->line = text;
    return NEXT;
}

static void output_release(void *self)
{
    struct output_stage *s = self;

    mem_free_slice(s->source);
    mem_free(s);
}

enum code stage_output_build(struct pipeline *p, const void *args, struct error *err)
{
    struct output_stage *s = mem_zalloc(sizeof *s);

    (void)err;
    s->source = mem_slice(((const struct output_args *)args)->source);
    (void)pipeline_add(p, output_run, output_release, s);
    return OK;
}

/* --- timestamp ------------------------------------------------------------------------------------------------------
 */

enum { FUDGE_SLOTS = 1024, MAX_FORMATS = 16 };

struct timestamp_stage {
    struct slice source;                  /* owned */
    struct timefmt *formats[MAX_FORMATS]; /* owned */
    size_t n_formats;
    const struct tz *zone;
    bool is_fudging;
    struct {
        uint64_t stream; /* hash of its labels */
        int64_t ts_ns;
    } last[FUDGE_SLOTS]; /* the last time of a stream that was read or fudged; a slot may change hands */
};

static enum verdict timestamp_run(void *self, struct entry *e, struct pipeline *p)
{
    struct timestamp_stage *s = self;
    size_t slot = (size_t)(e->start->hash % FUDGE_SLOTS);
    struct error err = {0};
    struct slice text;
    bool is_parsed = false;

    if (entry_get(e, s->source, &text))
        for (size_t i = 0; i < s->n_formats && !is_parsed; i++)
            is_parsed = timefmt_parse(s->formats[i], text, s->zone, p->now_ns, &e->ts_ns, &err) == OK;
    if (!is_parsed) {
        if (!s->is_fudging || s->last[slot].stream != e->start->hash)
            return NEXT;                    /* no line of this stream had a time yet: there is nothing to stay behind */
        e->ts_ns = s->last[slot].ts_ns + 1; /* right behind the line before it, so that order is kept */
    }
    s->last[slot].stream = e->start->hash;
    s->last[slot].ts_ns = e->ts_ns;
    return NEXT;
}

static void timestamp_release(void *self)
{
    struct timestamp_stage *s = self;

    for (size_t i = 0; i < s->n_formats; i++)
        timefmt_free(s->formats[i]);
    mem_free_slice(s->source);
    mem_free(s);
}

enum code stage_timestamp_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct timestamp_args *a = args;
    struct timestamp_stage *s = mem_zalloc(sizeof *s);
    enum code rc = OK;

    s->source = mem_slice(a->source);
    s->is_fudging = a->on_failure == TIMESTAMP_FUDGE;
    s->zone = tz_utc();
    if (a->location.len != 0)
        rc = tz_load(&s->zone, a->location, err);
    if (rc == OK && a->fallback_formats.n >= MAX_FORMATS)
        rc = error_set(err, INVALID, "more than %d fallback_formats", MAX_FORMATS - 1);
    if (rc == OK)
        rc = timefmt_compile(&s->formats[0], a->format, err);
    if (rc == OK)
        s->n_formats = 1;
    for (size_t i = 0; i < a->fallback_formats.n && rc == OK; i++) {
        rc = timefmt_compile(&s->formats[s->n_formats], a->fallback_formats.items[i], err);
        if (rc == OK)
            s->n_formats++;
    }
    for (size_t i = 0; i < s->n_formats && rc == OK; i++)
        if (!timefmt_has_fields(s->formats[i]))
            rc = error_set(err, INVALID,
                           "a format without any part of a time: layouts are written with Go's reference "
                           "time, 2006-01-02T15:04:05Z07:00");
    if (rc != OK) {
        timestamp_release(s);
        return rc;
    }
    (void)pipeline_add(p, timestamp_run, timestamp_release, s);
    p->is_stateful = true;
    return OK;
}

/* --- decolorize -----------------------------------------------------------------------------------------------------
 */

static enum verdict decolorize_run(void *self, struct entry *e, struct pipeline *p)
{
    char *plain;
    size_t n = 0;

    (void)self;
    (void)p;
    if (slice_find(e->line, '\x1b') == e->line.len)
        return NEXT;
    plain = arena_try_alloc(e->arena, e->line.len);
    if (plain == NULL)
        return FAIL;
    for (size_t i = 0; i < e->line.len; i++) {
        if (e->line.ptr[i] != '\x1b' || i + 1 >= e->line.len || e->line.ptr[i + 1] != '[') {
            plain[n++] = e->line.ptr[i];
            continue;
        }
        i += 2; /* ESC [ parameters, up to the letter that ends them (ECMA-48) */
        while (i < e->line.len && !(e->line.ptr[i] >= '@' && e->line.ptr[i] <= '~'))
            i++;
    }
    e->line = slice_make(plain, n);
    return NEXT;
}

static void nothing(void *self)
{
    (void)self;
}

enum code stage_decolorize_build(struct pipeline *p, const void *args, struct error *err)
{
    (void)args;
    (void)err;
    (void)pipeline_add(p, decolorize_run, nothing, NULL);
    return OK;
}
