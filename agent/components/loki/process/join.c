/* The stages that join lines: docker and cri (parts of one line), multiline. Bounded in streams, bytes, lines and time.
 */
#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"
#include "agent/text/json.h"
#include "agent/text/timefmt.h"

enum { PARTIAL_WAIT_MS = 5000, MAX_STREAMS = 10000 };

struct joiner {
    struct map streams; /* labels pointer (and stream) -> struct held */
    size_t max_streams, max_bytes;
};

/* What lines of one stream are told apart by. */
struct stream_key {
    const struct labels *labels;
    uint64_t changed; /* hash of labels set by earlier stages; 0: none */
    uint64_t stream;  /* 'o' stdout, 'e' stderr, 0 */
};

static struct stream_key key_of(const struct entry *e, char stream)
{
    struct stream_key key = {.labels = e->start, .stream = (uint64_t)(unsigned char)stream};

    for (size_t i = 0; e->is_changed && i < e->labels.n; i++)
        key.changed =
            key.changed * 31 + hash64_stable(e->labels.pairs[i].name) * 17 + hash64_stable(e->labels.pairs[i].value);
    return key;
}

static struct slice key_slice(const struct stream_key *key)
{
    return slice_make(key, sizeof *key);
}

static void joiner_release(struct joiner *j)
{
    map_release(&j->streams, NULL);
}

/* No memory to hold this entry, and its place was taken by the one before it. */
static void lose(struct pipeline *p, const struct entry *e)
{
    ledger_dropped(p->ledger, DROP_MEMORY, 1);
    ticket_settle(e->ticket, host_id(p->host), 1, SETTLED_ABANDONED, DROP_MEMORY, NULL);
}

/* Takes the held lines of a key out and makes them the entry: e is replaced. Labels that an earlier stage changed
 * become changes of what e's place in the batch has, copied: the held struct goes here, and its reference with it.
 * False: no memory; what was held is settled. */
static bool take_out(struct joiner *j, struct pipeline *p, const struct stream_key *key, struct entry *e)
{
    struct held *h = map_remove(&j->streams, key_slice(key));
    struct labels_builder all;
    struct entry joined;
    bool is_ok = held_take(p, h, e->arena, &joined);

    if (is_ok && h->labels != e->start) {
        labels_builder_init(&all, e->arena, h->labels);
        for (size_t i = 0; i < all.n; i++) {
            all.pairs[i].name = arena_copy(e->arena, all.pairs[i].name);
            all.pairs[i].value = arena_copy(e->arena, all.pairs[i].value);
            is_ok = is_ok && all.pairs[i].name.ptr != NULL && all.pairs[i].value.ptr != NULL;
        }
        if (!is_ok)
            lose(p, &joined);
        joined.labels = all;
        joined.is_changed = true;
        joined.start = e->start;
    }
    if (is_ok)
        *e = joined;
    held_free(h);
    return is_ok;
}

static void flush_joiner(struct joiner *j, const struct op *op, struct pipeline *p, int64_t before_ns)
{
    for (struct map_entry *m = map_next(&j->streams, NULL); m != NULL; m = map_next(&j->streams, m)) {
        struct held *h = m->value;
        struct entry e;

        if (h->since_ns >= before_ns)
            continue;
        (void)map_remove(&j->streams, m->key);
        if (held_take(p, h, &p->late->base.arena, &e))
            pipeline_emit(p, op, &e);
        held_free(h);
    }
}

/* Holds e's line back under key: begins or joins. NEXT: it could not be held and goes on as it is. */
static enum verdict hold(struct joiner *j, struct pipeline *p, const struct stream_key *key, const struct entry *e,
                         const char *separator)
{
    struct held *h = map_get(&j->streams, key_slice(key));

    if (h != NULL)
        return held_add(p, h, e, separator) == OK ? HOLD : NEXT;
    if (map_count(&j->streams) >= j->max_streams)
        return NEXT;
    h = held_new(p, e, j->max_bytes);
    if (h == NULL)
        return NEXT;
    if (map_put(&j->streams, key_slice(key), h, NULL) == OK)
        return HOLD;
    /* no memory for the map: what was just taken over is given back as an entry that goes on */
    ledger_held(p->ledger, -1);
    if (h->child != NULL)
        ((struct entry *)(uintptr_t)e)->ticket = h->child;
    held_free(h);
    return NEXT;
}

/* A part of a line (is_last false), or its end: joined with the parts before it. */
static enum verdict join_part(struct joiner *j, struct pipeline *p, struct entry *e, char stream, bool is_last)
{
    struct stream_key key = key_of(e, stream);
    bool is_open = map_get(&j->streams, key_slice(&key)) != NULL;
    int64_t ts_ns = e->ts_ns;

    if (is_last && !is_open)
        return NEXT;
    if (hold(j, p, &key, e, "") == HOLD) {
        if (!is_last || !take_out(j, p, &key, e))
            return HOLD;  /* without memory, too: what was held is settled, and this part with it */
        e->ts_ns = ts_ns; /* the time of the end, as containerd's clients show it */
        return NEXT;
    }
    if (!is_open)
        return NEXT; /* too many streams: the part goes on by itself */
    {
        /* too long: what was held goes on now, and this part begins anew */
        struct entry part = *e;

        if (!take_out(j, p, &key, e))
            return FAIL;
        if (hold(j, p, &key, &part, "") != HOLD)
            lose(p, &part);
        return NEXT;
    }
}

/* --- docker ---------------------------------------------------------------------------------------------------------
 */

struct docker {
    struct joiner joiner;
};

struct docker_line {
    struct slice log, stream, time; /* log still escaped */
    bool has_escapes;
};

/* {"log":"...","stream":"stdout","time":"..."} as Docker writes it: read from both ends. */
static bool read_fixed_form(struct slice line, struct docker_line *out)
{
    const struct slice head = SLICE_LIT("{\"log\":\""), tail = SLICE_LIT("\"}"), time = SLICE_LIT("\",\"time\":\"");
    const struct slice to_stdout = SLICE_LIT("\",\"stream\":\"stdout"), to_stderr = SLICE_LIT("\",\"stream\":\"stderr");
    struct slice rest;
    size_t at;

    if (!slice_starts(line, head) || !slice_ends(line, tail) || line.len < head.len + 60)
        return false;
    rest = slice_head(line, line.len - tail.len);
    for (at = rest.len - 1; at > rest.len - 40 && rest.ptr[at] != '"'; at--)
        ;
    if (rest.ptr[at] != '"')
        return false;
    out->time = slice_from(rest, at + 1);
    rest = slice_head(rest, at + 1);
    if (!slice_ends(rest, time))
        return false;
    rest = slice_head(rest, rest.len - time.len);
    if (!slice_ends(rest, to_stdout) && !slice_ends(rest, to_stderr))
        return false;
    out->stream = slice_from(rest, rest.len - 6);
    rest = slice_head(rest, rest.len - to_stdout.len);
    if (rest.len < head.len)
        return false;
    out->log = slice_from(rest, head.len);
    out->has_escapes = slice_find(out->log, '\\') != out->log.len;
    /* an unescaped quote inside means another form after all */
    for (size_t i = 0; i < out->log.len; i++) {
        size_t quote = i + slice_find(slice_from(out->log, i), '"');

        if (quote >= out->log.len)
            break;
        if (quote == 0 || out->log.ptr[quote - 1] != '\\')
            return false;
        i = quote;
    }
    return true;
}

static bool read_any_form(struct slice line, struct arena *a, struct docker_line *out)
{
    struct json doc;
    const struct json *log, *stream, *time;
    struct error err = {0};

    if (line.len == 0 || line.ptr[0] != '{' || json_parse(a, line, &doc, &err) != OK)
        return false;
    log = json_get(&doc, SLICE_LIT("log"));
    stream = json_get(&doc, SLICE_LIT("stream"));
    time = json_get(&doc, SLICE_LIT("time"));
    if (log == NULL || log->type != JSON_STRING)
        return false;
    out->log = log->text;
    out->has_escapes = false;
    out->stream = stream != NULL && stream->type == JSON_STRING ? stream->text : (struct slice){0};
    out->time = time != NULL && time->type == JSON_STRING ? time->text : (struct slice){0};
    return true;
}

static enum verdict docker_run(void *self, struct entry *e, struct pipeline *p)
{
    struct docker *d = self;
    struct docker_line line = {0};
    struct slice text;
    bool is_last;

    if (!read_fixed_form(e->line, &line) && !read_any_form(e->line, e->arena, &line))
        return NEXT; /* not Docker's form: goes on as it is */
    text = line.log;
    if (line.has_escapes && json_unescape(e->arena, line.log, &text) != OK)
        return NEXT;
    is_last = text.len != 0 && text.ptr[text.len - 1] == '\n';
    if (is_last)
        text.len--;
    if (is_last && text.len != 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    e->line = text;
    (void)timefmt_parse_rfc3339(line.time, &e->ts_ns);
    if (entry_set(e, SLICE_LIT("output"), text) != OK || entry_set(e, SLICE_LIT("stream"), line.stream) != OK ||
        entry_set(e, SLICE_LIT("timestamp"), line.time) != OK)
        return FAIL;
    if (line.stream.len != 0 && entry_set_label(e, SLICE_LIT("stream"), line.stream) != OK)
        return FAIL;
    return join_part(&d->joiner, p, e, line.stream.len > 3 ? line.stream.ptr[3] : 0, is_last);
}

static void docker_flush(void *self, struct pipeline *p, int64_t before_ns)
{
    struct docker *d = self;

    for (size_t i = 0; i < p->n; i++)
        if (p->ops[i].self == self)
            flush_joiner(&d->joiner, &p->ops[i], p,
                         before_ns == INT64_MAX ? before_ns : before_ns - (int64_t)PARTIAL_WAIT_MS * NS_PER_MS);
}

static void docker_release(void *self)
{
    struct docker *d = self;

    joiner_release(&d->joiner);
    mem_free(d);
}

enum code stage_docker_build(struct pipeline *p, const void *args, struct error *err)
{
    struct docker *d = mem_zalloc(sizeof *d);
    struct op *op;

    (void)args;
    (void)err;
    map_init(&d->joiner.streams, MAX_STREAMS);
    d->joiner.max_streams = MAX_STREAMS;
    d->joiner.max_bytes = LIMIT_LINE_BYTES;
    op = pipeline_add(p, docker_run, docker_release, d);
    op->flush = docker_flush;
    p->is_stateful = true;
    return OK;
}

/* --- cri ------------------------------------------------------------------------------------------------------------
 */

/* "2016-10-06T00:17:09.669794202Z stdout P text": the kubelet's log format. */
static enum verdict cri_run(void *self, struct entry *e, struct pipeline *p)
{
    struct docker *d = self;
    struct slice time, stream, flags, text, rest;
    int64_t ts_ns;

    if (!slice_cut(e->line, ' ', &time, &rest) || !slice_cut(rest, ' ', &stream, &rest) ||
        !timefmt_parse_rfc3339(time, &ts_ns) || (!slice_eq_str(stream, "stdout") && !slice_eq_str(stream, "stderr")))
        return NEXT; /* not the kubelet's form: goes on as it is */
    (void)slice_cut(rest, ' ', &flags, &text);
    if (flags.len == 0 || (flags.ptr[0] != 'P' && flags.ptr[0] != 'F'))
        return NEXT;
    e->line = text;
    e->ts_ns = ts_ns;
    if (entry_set(e, SLICE_LIT("content"), text) != OK || entry_set(e, SLICE_LIT("stream"), stream) != OK ||
        entry_set(e, SLICE_LIT("flags"), flags) != OK || entry_set(e, SLICE_LIT("time"), time) != OK ||
        entry_set_label(e, SLICE_LIT("stream"), stream) != OK)
        return FAIL;
    return join_part(&d->joiner, p, e, stream.ptr[3], flags.ptr[0] == 'F');
}

enum code stage_cri_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct cri_args *a = args;
    struct docker *d = mem_zalloc(sizeof *d);
    struct op *op;

    (void)err;
    d->joiner.max_streams = (size_t)a->max_partial_lines;
    map_init(&d->joiner.streams, d->joiner.max_streams);
    d->joiner.max_bytes = a->max_partial_line_size != 0 ? a->max_partial_line_size : LIMIT_LINE_BYTES;
    op = pipeline_add(p, cri_run, docker_release, d);
    op->flush = docker_flush;
    p->is_stateful = true;
    return OK;
}

/* --- multiline ------------------------------------------------------------------------------------------------------
 */

struct multiline {
    struct joiner joiner;
    struct regex *firstline;
    size_t max_lines;
    int64_t max_wait_ns;
    bool trim_newlines;
};

static enum verdict multiline_run(void *self, struct entry *e, struct pipeline *p)
{
    struct multiline *m = self;
    struct stream_key key = key_of(e, 0);
    struct held *h = map_get(&m->joiner.streams, key_slice(&key));
    bool is_first = regex_is_match(m->firstline, e->line);
    struct entry line;

    if (m->trim_newlines)
        while (e->line.len != 0 && (e->line.ptr[e->line.len - 1] == '\n' || e->line.ptr[e->line.len - 1] == '\r'))
            e->line.len--;
    if (h == NULL) /* a stream that has not begun a block: lines before the first firstline pass */
        return is_first ? hold(&m->joiner, p, &key, e, "") : NEXT;
    if (!is_first && h->n_lines < m->max_lines && hold(&m->joiner, p, &key, e, "\n") == HOLD)
        return HOLD;
    /* the block is complete, or full: it goes on in this line's place, and this line begins the next one */
    line = *e;
    if (!take_out(&m->joiner, p, &key, e))
        return FAIL;
    if (hold(&m->joiner, p, &key, &line, "") != HOLD)
        lose(p, &line);
    return NEXT;
}

static void multiline_flush(void *self, struct pipeline *p, int64_t before_ns)
{
    struct multiline *m = self;

    for (size_t i = 0; i < p->n; i++)
        if (p->ops[i].self == self)
            flush_joiner(&m->joiner, &p->ops[i], p, before_ns == INT64_MAX ? before_ns : before_ns - m->max_wait_ns);
}

static void multiline_release(void *self)
{
    struct multiline *m = self;

    joiner_release(&m->joiner);
    regex_free(m->firstline);
    mem_free(m);
}

enum code stage_multiline_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct multiline_args *a = args;
    struct multiline *m = mem_zalloc(sizeof *m);
    enum code rc = regex_compile(&m->firstline, a->firstline, REGEX_PLAIN, err);
    struct op *op;

    if (rc != OK) {
        mem_free(m);
        return rc;
    }
    map_init(&m->joiner.streams, MAX_STREAMS);
    m->joiner.max_streams = MAX_STREAMS;
    m->joiner.max_bytes = LIMIT_LINE_BYTES;
    m->max_lines = (size_t)a->max_lines;
    m->max_wait_ns = a->max_wait_ns;
    m->trim_newlines = a->trim_newlines;
    op = pipeline_add(p, multiline_run, multiline_release, m);
    op->flush = multiline_flush;
    p->is_stateful = true;
    return OK;
}
