/* include and exclude: every condition that is given must hold; of a list one entry is enough. */
#include "agent/base/mem.h"
#include "agent/components/otelcol/processor_attributes/attributes.h"
#include "agent/text/regex.h"

struct text_set {
    size_t n;
    struct slice *texts;    /* strict; owned copies */
    struct regex **regexes; /* regexp; owned */
};

struct pair {
    struct slice key; /* owned */
    bool has_value;
    struct text_set value; /* one entry */
};

struct library {
    struct text_set name, version;
    bool has_version;
};

struct matcher {
    struct text_set services, span_names, log_bodies, severity_texts, metric_names, span_kinds;
    bool has_severity, match_undefined;
    int min_severity;
    struct pair *attributes, *resources;
    size_t n_attributes, n_resources;
    struct library *libraries;
    size_t n_libraries;
};

static void set_release(struct text_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->texts != NULL)
            mem_free_slice(s->texts[i]);
        if (s->regexes != NULL)
            regex_free(s->regexes[i]);
    }
    mem_free(s->texts);
    mem_free(s->regexes);
}

static enum code set_init(struct text_set *s, enum match_type type, const struct slice *items, size_t n,
                          struct error *err)
{
    *s = (struct text_set){0};
    if (n == 0)
        return OK;
    if (type == MATCH_STRICT)
        s->texts = mem_array(n, sizeof *s->texts);
    else
        s->regexes = mem_array(n, sizeof(struct regex *));
    for (size_t i = 0; i < n; i++) {
        if (type == MATCH_STRICT) {
            s->texts[s->n++] = mem_slice(items[i]);
            continue;
        }
        enum code rc = regex_compile(&s->regexes[s->n], items[i], REGEX_PLAIN, err);

        if (rc != OK)
            return rc;
        s->n++;
    }
    return OK;
}

static bool set_has(const struct text_set *s, struct slice text)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->texts != NULL ? slice_eq(s->texts[i], text) : regex_is_match(s->regexes[i], text))
            return true;
    return false;
}

/* A configured value as the text it is compared by. */
static struct slice value_text(const struct value *v, struct buf *out)
{
    if (value_is_text(v))
        return v->as.text.bytes;
    value_to_json(out, v, false);
    return buf_slice(out);
}

static enum code pairs_init(struct pair **out, size_t *n, enum match_type type, const struct river_blocks *blocks,
                            struct error *err)
{
    const struct match_pair_args *args = blocks->items;

    *out = mem_array(blocks->n, sizeof **out);
    for (size_t i = 0; i < blocks->n; i++) {
        struct pair *p = &(*out)[i];
        struct buf text;
        enum code rc = OK;

        *n = i + 1;
        p->key = mem_slice(args[i].key);
        if (args[i].value == NULL)
            continue;
        p->has_value = true;
        buf_init(&text, 64 * 1024);
        {
            struct slice one = value_text(args[i].value, &text);

            /* numbers and booleans are compared as they are, whatever match_type says (the Collector refuses the mix)
             */
            rc = set_init(&p->value, value_is_text(args[i].value) ? type : MATCH_STRICT, &one, 1, err);
        }
        buf_release(&text);
        if (rc != OK)
            return rc;
    }
    return OK;
}

static void pairs_free(struct pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mem_free_slice(pairs[i].key);
        set_release(&pairs[i].value);
    }
    mem_free(pairs);
}

static enum code libraries_init(struct matcher *m, enum match_type type, const struct river_blocks *blocks,
                                struct error *err)
{
    const struct match_library_args *args = blocks->items;
    enum code rc = OK;

    m->libraries = mem_array(blocks->n, sizeof *m->libraries);
    for (size_t i = 0; i < blocks->n && rc == OK; i++) {
        struct library *lib = &m->libraries[m->n_libraries++];

        lib->has_version = args[i].has_version;
        rc = set_init(&lib->name, type, &args[i].name, 1, err);
        if (rc == OK && lib->has_version)
            rc = set_init(&lib->version, type, &args[i].version, 1, err);
    }
    return rc;
}

/* "WARN3" is 15: six words of four steps, from TRACE = 1 (opentelemetry/logs data model). */
static enum code parse_severity(struct slice s, int *out, struct error *err)
{
    static const char *const words[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

    for (int i = 0; i < 6; i++) {
        struct slice word = slice_str(words[i]);

        if (!slice_starts(s, word) || s.len > word.len + 1)
            continue;
        *out = i * 4 + 1;
        if (s.len == word.len)
            return OK;
        if (s.ptr[word.len] >= '2' && s.ptr[word.len] <= '4') {
            *out += s.ptr[word.len] - '1';
            return OK;
        }
    }
    return error_set(err, INVALID,
                     "log_severity.min: \"%.*s\" is no severity; the words are TRACE, DEBUG, INFO, WARN, "
                     "ERROR, FATAL, with 2, 3 or 4 behind them",
                     SLICE_ARG(s));
}

static enum code fill(struct matcher *m, const struct match_args *a, struct error *err)
{
    enum match_type type = (enum match_type)a->type;
    const struct {
        struct text_set *to;
        const struct river_strings *from;
    } sets[] = {
        {&m->services, &a->services},         {&m->span_names, &a->span_names},
        {&m->log_bodies, &a->log_bodies},     {&m->severity_texts, &a->log_severity_texts},
        {&m->metric_names, &a->metric_names}, {&m->span_kinds, &a->span_kinds},
    };
    enum code rc = OK;

    for (size_t i = 0; i < sizeof sets / sizeof *sets && rc == OK; i++)
        rc = set_init(sets[i].to, type, sets[i].from->items, sets[i].from->n, err);
    if (rc == OK && a->log_severity != NULL) {
        m->has_severity = true;
        m->match_undefined = a->log_severity->match_undefined;
        rc = parse_severity(a->log_severity->min, &m->min_severity, err);
    }
    if (rc == OK)
        rc = pairs_init(&m->attributes, &m->n_attributes, type, &a->attributes, err);
    if (rc == OK)
        rc = pairs_init(&m->resources, &m->n_resources, type, &a->resources, err);
    if (rc == OK)
        rc = libraries_init(m, type, &a->libraries, err);
    return rc;
}

enum code matcher_new(struct matcher **out, const struct match_args *args, struct error *err)
{
    struct matcher *m = mem_zalloc(sizeof *m);
    enum code rc = fill(m, args, err);

    *out = NULL;
    if (rc != OK)
        matcher_free(m);
    else
        *out = m;
    return rc;
}

void matcher_free(struct matcher *m)
{
    if (m == NULL)
        return;
    set_release(&m->services);
    set_release(&m->span_names);
    set_release(&m->log_bodies);
    set_release(&m->severity_texts);
    set_release(&m->metric_names);
    set_release(&m->span_kinds);
    pairs_free(m->attributes, m->n_attributes);
    pairs_free(m->resources, m->n_resources);
    for (size_t i = 0; i < m->n_libraries; i++) {
        set_release(&m->libraries[i].name);
        set_release(&m->libraries[i].version);
    }
    mem_free(m->libraries);
    mem_free(m);
}

static struct slice text_of(const Otlp__AnyValue *v, struct arena *scratch)
{
    struct buf text;
    struct slice copy;

    if (v == NULL)
        return (struct slice){0};
    if (v->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
        return slice_str(v->string_value);
    buf_init(&text, 256 * 1024);
    copy = otlp_value_text(v, &text) == OK ? arena_copy(scratch, buf_slice(&text)) : (struct slice){0};
    buf_release(&text);
    return copy;
}

static bool pairs_match(const struct pair *pairs, size_t n, const struct otlp_attrs *attrs, struct arena *scratch)
{
    for (size_t i = 0; i < n; i++) {
        const Otlp__AnyValue *v = attrs != NULL ? otlp_attrs_get(attrs, pairs[i].key) : NULL;

        if (v == NULL || (pairs[i].has_value && !set_has(&pairs[i].value, text_of(v, scratch))))
            return false;
    }
    return true;
}

static bool library_matches(const struct matcher *m, const Otlp__InstrumentationScope *scope)
{
    struct slice name = slice_str(scope != NULL ? scope->name : ""),
                 version = slice_str(scope != NULL ? scope->version : "");

    for (size_t i = 0; i < m->n_libraries; i++)
        if (set_has(&m->libraries[i].name, name) &&
            (!m->libraries[i].has_version || set_has(&m->libraries[i].version, version)))
            return true;
    return m->n_libraries == 0;
}

static struct slice span_kind_name(int kind)
{
    static const char *const names[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
                                        "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};

    return slice_str(kind >= 0 && kind < 6 ? names[kind] : names[0]);
}

static bool log_matches(const struct matcher *m, const struct item *item, struct arena *scratch)
{
    if (m->log_bodies.n != 0 && !set_has(&m->log_bodies, text_of(item->body, scratch)))
        return false;
    if (m->severity_texts.n != 0 && !set_has(&m->severity_texts, item->severity_text))
        return false;
    if (!m->has_severity)
        return true;
    return item->severity_number == 0 ? m->match_undefined : item->severity_number >= m->min_severity;
}

bool matcher_matches(const struct matcher *m, const struct item *item, struct arena *scratch)
{
    Otlp__Resource *resource = (Otlp__Resource *)(uintptr_t)item->resource;
    struct otlp_attrs of_resource = {0};
    const struct otlp_attrs *resource_attrs = NULL;

    if (resource != NULL) {
        of_resource = OTLP_ATTRS(scratch, resource);
        resource_attrs = &of_resource;
    }
    if (m->services.n != 0) {
        const Otlp__AnyValue *service =
            resource_attrs != NULL ? otlp_attrs_get(resource_attrs, SLICE_LIT("service.name")) : NULL;

        if (service == NULL || !set_has(&m->services, text_of(service, scratch)))
            return false;
    }
    if (item->signal == OTLP_TRACES) {
        if (m->span_names.n != 0 && !set_has(&m->span_names, item->name))
            return false;
        if (m->span_kinds.n != 0 && !set_has(&m->span_kinds, span_kind_name(item->span_kind)))
            return false;
    }
    if (item->signal == OTLP_METRICS && m->metric_names.n != 0 && !set_has(&m->metric_names, item->name))
        return false;
    if (item->signal == OTLP_LOGS && !log_matches(m, item, scratch))
        return false;
    return library_matches(m, item->scope) && pairs_match(m->attributes, m->n_attributes, item->attrs, scratch) &&
           pairs_match(m->resources, m->n_resources, resource_attrs, scratch);
}
