#include "agent/cli/test_file.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/cli/test_samples.h"
#include "agent/cli/test_tables.h"
#include "agent/model/exposition.h"
#include "agent/river/parser.h"
#include "agent/runtime/config_files.h"
#include "agent/text/regex.h"
#include "agent/text/timefmt.h"
#include <stdio.h>

struct reader {
    struct test_file *file;
    struct river_context ctx;
    const struct source *source;
    struct test_setting defaults; /* of the file */
};

static struct span no_span(void)
{
    return (struct span){0, 0};
}

static struct position position_of(const struct reader *r, struct span at)
{
    return source_position(r->source, at.start);
}

/* Where an attribute's value stands, or the block's name. */
static struct span span_of(const struct ast_body *body, const char *attr, struct span otherwise)
{
    const struct ast_attr *a = ast_find_attr(body, slice_str(attr));

    return a != NULL ? a->value->span : otherwise;
}

/* --- bodies: attributes by a table, blocks in the order they are written in --- */

static struct ast_body attributes_of(const struct reader *r, const struct ast_body *body)
{
    struct ast_body attributes = *body;

    attributes.n = 0;
    attributes.stmts = arena_alloc(&r->file->arena, (body->n + 1) * sizeof *attributes.stmts);
    for (size_t i = 0; i < body->n; i++)
        if (body->stmts[i].attr != NULL)
            attributes.stmts[attributes.n++] = body->stmts[i];
    return attributes;
}

static enum code read_attributes(struct reader *r, const struct river_block *table, const struct ast_body *body,
                                 struct span at, void *out)
{
    struct ast_body attributes = attributes_of(r, body);

    return river_decode_body(&r->ctx, table, &attributes, at, out);
}

/* Which of the tables a block is of; n_tables when of none, which is reported. */
static size_t table_of(struct reader *r, const struct ast_block *block, const struct river_block *const *tables,
                       size_t n_tables, const char *where)
{
    struct nearest nearest;
    struct diag *d;

    nearest_init(&nearest, block->name);
    for (size_t i = 0; i < n_tables; i++) {
        if (slice_eq_str(block->name, tables[i]->name))
            return i;
        nearest_offer(&nearest, slice_str(tables[i]->name));
    }
    d = diags_error(&r->file->diags, r->source, block->name_span, "%s has no block \"%.*s\"", where,
                    SLICE_ARG(block->name));
    nearest_hint(&nearest, &r->file->diags, d);
    return n_tables;
}

static size_t count_blocks(const struct ast_body *body)
{
    size_t n = 0;

    for (size_t i = 0; i < body->n; i++)
        n += body->stmts[i].block != NULL;
    return n;
}

/* --- values --- */

static bool read_time(struct reader *r, struct slice text, struct span at, int64_t *out)
{
    if (timefmt_parse_rfc3339(text, out))
        return true;
    diags_error(&r->file->diags, r->source, at, "\"%.*s\" is not a time in RFC 3339, as 2026-01-02T15:04:05Z",
                SLICE_ARG(text));
    return false;
}

static struct label *pairs_of_map(struct arena *arena, const struct river_map *map)
{
    struct label *pairs = arena_alloc(arena, (map->n + 1) * sizeof *pairs);

    for (size_t i = 0; i < map->n; i++)
        pairs[i] = (struct label){map->items[i].name, map->items[i].value};
    return item_pairs(arena, pairs, map->n);
}

static struct label *pairs_of_names(struct arena *arena, const struct river_strings *names)
{
    struct label *pairs = arena_alloc(arena, (names->n + 1) * sizeof *pairs);

    for (size_t i = 0; i < names->n; i++)
        pairs[i] = (struct label){.name = names->items[i]};
    return item_pairs(arena, pairs, names->n);
}

static struct slice text_of_value(struct reader *r, const struct value *v, struct span at)
{
    double number;

    if (v->type == VALUE_NUMBER)
        return item_number(&r->file->arena, value_number_f64(v->as.number));
    if (value_is_text(v))
        return exposition_f64(v->as.text.bytes, &number) ? item_number(&r->file->arena, number) : v->as.text.bytes;
    diags_error(&r->file->diags, r->source, at, "a value is a number or a text");
    return SLICE_LIT("");
}

/* --- expectations --- */

static struct expected *add_expected(struct reader *r, struct test_expect *e, enum item_kind kind, struct span at)
{
    struct expected *x;

    if (e->n == LIMIT_TEST_EXPECTED) {
        diags_error(&r->file->diags, r->source, at, "more than %d items are expected here", LIMIT_TEST_EXPECTED);
        return NULL;
    }
    if ((e->n & (e->n - 1)) == 0) { /* full at every power of two */
        struct expected *grown = arena_alloc(&r->file->arena, (e->n == 0 ? 1 : 2 * e->n) * sizeof *grown);

        if (e->n != 0)
            memcpy(grown, e->items, e->n * sizeof *grown);
        e->items = grown;
    }
    x = &e->items[e->n++];
    *x = (struct expected){.kind = kind, .at = position_of(r, at)};
    return x;
}

static void add_condition(struct expected *x, struct condition c)
{
    x->conditions[x->n++] = c;
}

/* The field a row is about, and how it is compared: "has_labels", "no_labels", "line_matches", "line". */
static enum condition_op split_row(const char *row, char *field, size_t size)
{
    static const char suffix[] = "_matches";
    size_t len = strlen(row);

    if (strncmp(row, "has_", 4) == 0) {
        snprintf(field, size, "%s", row + 4);
        return CONDITION_HAS;
    }
    if (strncmp(row, "no_", 3) == 0) {
        snprintf(field, size, "%s", row + 3);
        return CONDITION_LACKS;
    }
    if (len > sizeof suffix - 1 && strcmp(row + len - (sizeof suffix - 1), suffix) == 0) {
        snprintf(field, size, "%.*s", (int)(len - (sizeof suffix - 1)), row);
        return CONDITION_MATCHES;
    }
    snprintf(field, size, "%s", row);
    return CONDITION_IS;
}

static void read_text_condition(struct reader *r, struct condition *c, struct slice text, struct span at)
{
    struct error err = {0};
    int64_t ns;

    c->text = text;
    if (c->op == CONDITION_MATCHES && regex_compile(&c->regex, text, REGEX_PLAIN, &err) != OK)
        diags_error(&r->file->diags, r->source, at, "%s", err.text);
    if (strcmp(c->field, "timestamp") == 0 && read_time(r, text, at, &ns))
        c->text = item_time(&r->file->arena, ns);
}

static struct condition read_condition(struct reader *r, const struct river_field *row, const void *at,
                                       struct span span)
{
    struct arena *arena = &r->file->arena;
    struct condition c = {0};
    char field[64];

    c.op = split_row(row->name, field, sizeof field);
    c.field = arena_strndup(arena, slice_str(field));
    if (row->kind == RIVER_STRING_MAP) {
        c.pairs = pairs_of_map(arena, at);
        c.n = ((const struct river_map *)at)->n;
    } else if (row->kind == RIVER_STRING_LIST) {
        c.pairs = pairs_of_names(arena, at);
        c.n = ((const struct river_strings *)at)->n;
    } else if (row->kind == RIVER_VALUE) {
        c.text = text_of_value(r, *(const struct value *const *)at, span);
    } else {
        read_text_condition(r, &c, *(const struct slice *)at, span);
    }
    return c;
}

static void read_item(struct reader *r, struct test_expect *e, enum item_kind kind, const struct ast_block *block)
{
    const struct river_block *table = test_item_tables[kind];
    struct test_item_args *args = arena_zalloc(&r->file->arena, sizeof *args);
    struct expected *x;

    if (river_decode(&r->ctx, table, block, args) != OK)
        return;
    x = add_expected(r, e, kind, block->name_span);
    if (x == NULL)
        return;
    x->conditions = arena_alloc(&r->file->arena, (block->body.n + 1) * sizeof *x->conditions);
    for (const struct river_field *row = table->fields; row->name != NULL; row++) {
        const char *base = (const char *)args;

        if (*(const bool *)(base + row->present - 1))
            add_condition(
                x, read_condition(r, row, base + row->offset, span_of(&block->body, row->name, block->name_span)));
    }
}

static void expect_lines(struct reader *r, struct test_expect *e, const struct river_strings *lines, struct span at)
{
    for (size_t i = 0; i < lines->n; i++) {
        struct expected *x = add_expected(r, e, ITEM_LOG, at);

        if (x == NULL)
            return;
        x->conditions = arena_alloc(&r->file->arena, sizeof *x->conditions);
        add_condition(x, (struct condition){.field = "line", .text = lines->items[i]});
    }
}

struct sample_reader {
    struct reader *r;
    struct test_expect *e;
    struct span at;
};

static enum code expect_sample(void *ctx, const struct test_sample *s)
{
    struct sample_reader *sr = ctx;
    struct arena *arena = &sr->r->file->arena;
    struct expected *x = add_expected(sr->r, sr->e, ITEM_SAMPLE, sr->at);
    struct label *rest = arena_alloc(arena, (s->n + 1) * sizeof *rest);
    size_t n = 0;

    if (x == NULL)
        return FULL;
    x->conditions = arena_alloc(arena, 4 * sizeof *x->conditions);
    for (size_t i = 0; i < s->n; i++) {
        if (slice_eq_str(s->labels[i].name, "__name__"))
            add_condition(x, (struct condition){.field = "name", .text = s->labels[i].value});
        else
            rest[n++] = s->labels[i];
    }
    add_condition(x, (struct condition){.field = "labels", .pairs = item_pairs(arena, rest, n), .n = n});
    add_condition(x, (struct condition){.field = "value", .text = item_number(arena, s->value)});
    if (s->has_ts)
        add_condition(x, (struct condition){.field = "timestamp", .text = item_time(arena, s->ts_ms * 1000000)});
    return OK;
}

static void expect_samples(struct reader *r, struct test_expect *e, struct slice text, struct span at)
{
    struct sample_reader sr = {.r = r, .e = e, .at = at};
    struct error err = {0};

    if (test_samples_each(text, &r->file->arena, expect_sample, &sr, &err) != OK && err.text[0] != '\0')
        diags_error(&r->file->diags, r->source, at, "%s", err.text);
}

static void check_expect(struct reader *r, const struct test_expect *e, const struct ast_block *block)
{
    if (e->none && (e->has_count || e->n != 0))
        diags_error(&r->file->diags, r->source, block->name_span, "with none = true nothing else can be expected");
    else if (!e->none && !e->has_count && e->n == 0)
        diag_hint(&r->file->diags,
                  diags_error(&r->file->diags, r->source, block->name_span, "this expects nothing in particular"),
                  "write lines, samples, count, none = true, or blocks: log { line = \"…\" }");
}

static void read_expect(struct reader *r, const struct ast_block *block, struct test_step *step)
{
    struct test_expect *e = &step->as.expect;
    struct test_expect_args args;
    enum { N_ITEMS = ITEM_TARGET + 1 };

    memset(&args, 0, sizeof args);
    if (read_attributes(r, &test_expect_table, &block->body, block->name_span, &args) != OK)
        return;
    *e = (struct test_expect){
        .at = args.at, .order = args.order, .count = args.count, .has_count = args.has_count, .none = args.none};
    expect_lines(r, e, &args.lines, span_of(&block->body, "lines", block->name_span));
    if (args.has_samples)
        expect_samples(r, e, args.samples, span_of(&block->body, "samples", block->name_span));
    for (size_t i = 0; i < block->body.n; i++) {
        const struct ast_block *item = block->body.stmts[i].block;
        size_t kind = item == NULL ? N_ITEMS : table_of(r, item, test_item_tables, N_ITEMS, "expect");

        if (kind < N_ITEMS)
            read_item(r, e, (enum item_kind)kind, item);
    }
    check_expect(r, e, block);
}

/* --- steps --- */

static void check_logs(struct reader *r, const struct ast_block *block, struct test_logs *logs)
{
    if (logs->has_line == logs->has_lines)
        diags_error(&r->file->diags, r->source, block->name_span, "write either line or lines");
    if (logs->has_line) {
        logs->lines.items = &logs->line;
        logs->lines.n = 1;
    }
    if (logs->has_timestamp)
        (void)read_time(r, logs->timestamp, span_of(&block->body, "timestamp", block->name_span), &logs->ts_ns);
}

static void check_otlp(struct reader *r, const struct ast_block *block, const struct test_otlp *otlp)
{
    if (otlp->has_traces + otlp->has_metrics + otlp->has_logs != 1)
        diags_error(&r->file->diags, r->source, block->name_span, "write one of traces, metrics and logs");
}

static void check_set(struct reader *r, const struct ast_block *block, const struct test_set *set)
{
    if (set->exports->type != VALUE_OBJECT)
        diags_error(&r->file->diags, r->source, span_of(&block->body, "exports", block->name_span),
                    "exports is an object: {targets = […]}");
}

static void check_object(struct reader *r, const struct ast_block *block, const char *name, const struct value *v)
{
    if (v != NULL && v->type != VALUE_OBJECT)
        diags_error(&r->file->diags, r->source, span_of(&block->body, name, block->name_span), "%s is an object", name);
}

static void check_spans(struct reader *r, const struct ast_block *block, const struct test_spans *spans)
{
    const struct test_span *span = spans->spans.items;

    check_object(r, block, "resource", spans->resource);
    for (size_t i = 0; i < spans->spans.n; i++)
        check_object(r, block, "attributes", span[i].attributes);
}

/* What the tables cannot say. */
static void check_step(struct reader *r, const struct ast_block *block, struct test_step *step)
{
    switch (step->kind) {
    case STEP_LOGS:
        check_logs(r, block, &step->as.logs);
        break;
    case STEP_SAMPLES:
        if (step->as.samples.has_timestamp)
            (void)read_time(r, step->as.samples.timestamp, span_of(&block->body, "timestamp", block->name_span),
                            &step->as.samples.ts_ns);
        break;
    case STEP_SPANS:
        check_spans(r, block, &step->as.spans);
        break;
    case STEP_OTLP:
        check_otlp(r, block, &step->as.otlp);
        break;
    case STEP_SET:
        check_set(r, block, &step->as.set);
        break;
    case STEP_ADVANCE:
    case STEP_RELOAD:
    case STEP_EXPECT:
        break;
    }
}

static const char *beside(struct reader *r, struct slice config)
{
    const char *slash = strrchr(r->file->path, '/');

    if (slash == NULL || slice_starts(config, SLICE_LIT("/")))
        return arena_strndup(&r->file->arena, config);
    return arena_printf(&r->file->arena, "%.*s%.*s", (int)(slash + 1 - r->file->path), r->file->path,
                        SLICE_ARG(config));
}

static void read_step(struct reader *r, const struct ast_block *block, struct test *test)
{
    size_t n_tables = STEP_EXPECT + 1;
    size_t kind = table_of(r, block, test_step_tables, n_tables, "a test");
    struct test_step *step = &test->steps[test->n];

    if (kind == n_tables)
        return;
    *step = (struct test_step){.kind = (enum test_step_kind)kind, .at = position_of(r, block->name_span)};
    test->n++;
    if (block->label.len != 0)
        diags_error(&r->file->diags, r->source, block->label_span, "block \"%.*s\" takes no label",
                    SLICE_ARG(block->name));
    if (kind == STEP_EXPECT)
        read_expect(r, block, step);
    else if (river_decode(&r->ctx, test_step_tables[kind], block, &step->as) == OK)
        check_step(r, block, step);
    if (kind == STEP_RELOAD && step->as.reload.has_config)
        step->as.reload.config = slice_str(beside(r, step->as.reload.config));
}

/* --- tests --- */

static const char *config_path(struct reader *r, const struct test_setting *own, struct span at)
{
    static const char ending[] = "_test.river";
    const struct test_setting *s = own->has_config ? own : &r->defaults;
    struct slice path = slice_str(r->file->path);

    if (s->has_config)
        return beside(r, s->config);
    if (slice_ends(path, slice_str(ending)))
        return arena_printf(&r->file->arena, "%.*s.river", (int)(path.len - (sizeof ending - 1)), path.ptr);
    diag_hint(&r->file->diags, diags_error(&r->file->diags, r->source, at, "which configuration is tested is not said"),
              "write config = \"x.river\", or call the file x_test.river");
    return "";
}

/* The file's variables and the test's: what the test says goes before. */
static struct river_map merge_env(struct reader *r, const struct river_map *own)
{
    const struct river_map *outer = &r->defaults.env;
    struct river_map all = {.items = arena_alloc(&r->file->arena, (outer->n + own->n + 1) * sizeof *all.items)};

    for (size_t i = 0; i < own->n; i++)
        all.items[all.n++] = own->items[i];
    for (size_t i = 0; i < outer->n; i++) {
        bool is_own = false;

        for (size_t k = 0; k < own->n; k++)
            is_own = is_own || slice_eq(own->items[k].name, outer->items[i].name);
        if (!is_own)
            all.items[all.n++] = outer->items[i];
    }
    return all;
}

static void check_name(struct reader *r, const struct ast_block *block)
{
    if (block->label.len == 0) {
        diag_hint(&r->file->diags, diags_error(&r->file->diags, r->source, block->name_span, "a test needs a name"),
                  "write test \"errors_keep_their_level\" { … }");
        return;
    }
    for (size_t i = 0; i < r->file->n; i++)
        if (slice_eq_str(block->label, r->file->tests[i].name))
            diags_error(&r->file->diags, r->source, block->label_span,
                        "there is a test of this name already: at line %u", r->file->tests[i].at.line);
}

static void read_test(struct reader *r, const struct ast_block *block)
{
    struct test *test = &r->file->tests[r->file->n];
    struct test_setting own = {0};
    const struct test_setting *start = &own;

    check_name(r, block);
    *test = (struct test){.name = arena_strndup(&r->file->arena, block->label), .at = position_of(r, block->name_span)};
    r->file->n++;
    if (read_attributes(r, &test_setting_table, &block->body, block->name_span, &own) != OK)
        return;
    if (!own.has_at && r->defaults.has_at)
        start = &r->defaults;
    (void)read_time(r, start->at, span_of(&block->body, "at", block->name_span), &test->start_ns);
    test->stability = own.has_stability ? own.stability : r->defaults.stability;
    test->config = config_path(r, &own, block->name_span);
    test->env = merge_env(r, &own.env);
    test->steps = arena_alloc(&r->file->arena, (count_blocks(&block->body) + 1) * sizeof *test->steps);
    for (size_t i = 0; i < block->body.n; i++)
        if (block->body.stmts[i].block != NULL)
            read_step(r, block->body.stmts[i].block, test);
}

static void read_body(struct reader *r, const struct ast_body *body)
{
    static const struct river_block *const tables[] = {&test_setting_table};

    (void)read_attributes(r, &test_setting_table, body, no_span(), &r->defaults);
    r->file->tests = arena_alloc(&r->file->arena, (count_blocks(body) + 1) * sizeof *r->file->tests);
    for (size_t i = 0; i < body->n; i++) {
        const struct ast_block *block = body->stmts[i].block;

        if (block != NULL && table_of(r, block, tables, 1, "a file of tests") == 0)
            read_test(r, block);
    }
    if (r->file->n == 0 && !diags_has_errors(&r->file->diags))
        diags_error_file(&r->file->diags, r->file->path, "there is no test in this file");
}

static bool no_env(void *self, struct slice name, struct slice *out)
{
    (void)self;
    (void)name;
    (void)out;
    return false;
}

static struct test_file *file_new(const char *path)
{
    struct test_file *f = mem_zalloc(sizeof *f);

    arena_init(&f->arena, 0);
    diags_init(&f->diags);
    f->path = arena_strndup(&f->arena, slice_str(path));
    return f;
}

static void parse(struct test_file *f, struct slice text)
{
    struct river_host host = *river_host_system();
    struct reader r = {.file = f, .ctx = {.arena = &f->arena, .diags = &f->diags, .host = &host}};
    struct ast_file *file = NULL;

    host.env = no_env; /* a test does not depend on where it runs */
    r.ctx.flags = RIVER_ALLOW_EXPERIMENTAL;
    if (river_parse(text, f->path, &f->arena, &f->diags, &file) == OK) {
        r.source = file->source;
        read_body(&r, &file->body);
    } else if (!diags_has_errors(&f->diags)) {
        diags_error_file(&f->diags, f->path, "cannot be parsed");
    }
}

struct test_file *test_file_parse(const char *path, struct slice text)
{
    struct test_file *f = file_new(path);

    parse(f, text);
    return f;
}

struct test_file *test_file_read(const char *path)
{
    struct test_file *f = file_new(path);
    struct error err = {0};
    struct buf text;

    buf_init(&text, LIMIT_CONFIG_FILE_BYTES);
    if (config_file_read(path, &text, &err) == OK)
        parse(f, buf_slice(&text));
    else
        diags_error_file(&f->diags, path, "%s", err.text);
    buf_release(&text);
    return f;
}

static void free_step(struct test_step *step)
{
    if (step->kind != STEP_EXPECT)
        return;
    for (size_t i = 0; i < step->as.expect.n; i++)
        for (size_t k = 0; k < step->as.expect.items[i].n; k++)
            regex_free(step->as.expect.items[i].conditions[k].regex);
}

void test_file_free(struct test_file *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; k < f->tests[i].n; k++)
            free_step(&f->tests[i].steps[k]);
    diags_release(&f->diags);
    arena_release(&f->arena);
    mem_free(f);
}
