/* The stages that drop and choose: drop, match. */
#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"

/* --- drop -----------------------------------------------------------------------------------------------------------
 */

struct drop_stage {
    struct slice *sources; /* owned, with owned texts */
    size_t n_sources;
    struct slice separator, value; /* owned */
    bool has_value;
    struct regex *regex; /* owned; NULL: none */
    int64_t older_than_ns;
    uint64_t longer_than;
    struct metric *dropped; /* owned reference */
};

static bool source_text(const struct drop_stage *s, const struct entry *e, struct buf *joined, struct slice *text)
{
    bool is_first = true;
    struct slice one;

    if (s->n_sources == 0) {
        *text = e->line;
        return true;
    }
    if (s->n_sources == 1)
        return entry_get(e, s->sources[0], text);
    for (size_t i = 0; i < s->n_sources; i++) {
        bool is_there = entry_get(e, s->sources[i], &one);

        if (!is_there && !s->has_value && s->regex == NULL)
            return false;
        if (!is_there) /* Promtail joins what there is */
            continue;
        if (!is_first)
            (void)buf_add(joined, s->separator);
        is_first = false;
        (void)buf_add(joined, one);
    }
    *text = buf_slice(joined);
    return true;
}

/* Promtail: every condition that is given must hold. Sources alone drop where all of them were extracted. */
static bool must_drop(const struct drop_stage *s, const struct entry *e, const struct pipeline *p, struct buf *joined)
{
    struct slice text;

    if (s->longer_than != 0 && e->line.len <= s->longer_than)
        return false;
    if (s->older_than_ns != 0 && e->ts_ns >= p->now_ns - s->older_than_ns)
        return false;
    if (s->n_sources == 0 && !s->has_value && s->regex == NULL)
        return true;
    if (!source_text(s, e, joined, &text))
        return false;
    if (s->has_value && !slice_eq(text, s->value))
        return false;
    return s->regex == NULL || regex_is_match(s->regex, text);
}

static enum verdict drop_run(void *self, struct entry *e, struct pipeline *p)
{
    struct drop_stage *s = self;
    struct buf joined;
    bool is_dropped;

    buf_init(&joined, LIMIT_LINE_BYTES);
    is_dropped = must_drop(s, e, p, &joined);
    buf_release(&joined);
    if (!is_dropped)
        return NEXT;
    metric_inc(s->dropped);
    return DROP;
}

static void drop_release(void *self)
{
    struct drop_stage *s = self;

    for (size_t i = 0; i < s->n_sources; i++)
        mem_free_slice(s->sources[i]);
    mem_free(s->sources);
    mem_free_slice(s->separator);
    mem_free_slice(s->value);
    regex_free(s->regex);
    metric_unref(s->dropped);
    mem_free(s);
}

enum code stage_drop_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct drop_args *a = args;
    struct drop_stage *s;
    struct slice rest = a->source, one;
    enum code rc = OK;

    if (a->has_value && a->expression.len != 0)
        return error_set(err, INVALID, "value and expression cannot both be given");
    if (a->source.len == 0 && !a->has_value && a->expression.len == 0 && a->older_than_ns == 0 && a->longer_than == 0)
        return error_set(err, INVALID, "one of source, value, expression, older_than and longer_than must be given");
    s = mem_zalloc(sizeof *s);
    s->sources = mem_array(a->source.len + 1, sizeof *s->sources);
    while (rest.len != 0) { /* "a,b": joined by separator */
        (void)slice_cut(rest, ',', &one, &rest);
        s->sources[s->n_sources++] = mem_slice(slice_trim(one));
    }
    s->separator = mem_slice(a->separator);
    s->value = mem_slice(a->value);
    s->has_value = a->has_value;
    s->older_than_ns = a->older_than_ns;
    s->longer_than = a->longer_than;
    if (a->expression.len != 0)
        rc = regex_compile(&s->regex, a->expression, REGEX_PLAIN, err);
    if (rc != OK) {
        drop_release(s);
        return rc;
    }
    s->dropped = pipeline_drop_counter(p, a->reason);
    (void)pipeline_add(p, drop_run, drop_release, s);
    return OK;
}

/* --- match ----------------------------------------------------------------------------------------------------------
 */

struct match_stage {
    struct selector *selector; /* owned */
    struct metric *dropped;    /* owned reference; NULL: action keep */
};

static enum verdict match_run(void *self, struct entry *e, struct pipeline *p)
{
    struct match_stage *s = self;

    (void)p;
    if (!selector_matches(s->selector, e))
        return JUMP;
    if (s->dropped == NULL)
        return NEXT;
    metric_inc(s->dropped);
    return DROP;
}

static void match_release(void *self)
{
    struct match_stage *s = self;

    selector_free(s->selector);
    metric_unref(s->dropped);
    mem_free(s);
}

enum code stage_match_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct match_args *a = args;
    struct match_stage *s = mem_zalloc(sizeof *s);
    enum code rc = selector_parse(&s->selector, a->selector, err);
    size_t at;

    if (rc == OK && a->action == MATCH_DROP && a->stages.n != 0)
        rc = error_set(err, INVALID, "action = \"drop\" takes no stages");
    if (rc == OK && a->action == MATCH_KEEP && a->stages.n == 0)
        rc = error_set(err, INVALID, "a match stage needs at least one nested stage, or action = \"drop\"");
    if (rc != OK) {
        match_release(s);
        return rc;
    }
    if (a->action == MATCH_DROP)
        s->dropped = pipeline_drop_counter(p, a->reason);
    at = pipeline_add(p, match_run, match_release, s)->index;
    p->depth++;
    rc = stages_build(p, &a->stages, err);
    p->depth--;
    p->ops[at].jump = p->n; /* behind the nested stages */
    return rc;
}
