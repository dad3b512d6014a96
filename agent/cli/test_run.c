#include "agent/cli/test_run.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/cli/test_compare.h"
#include "agent/cli/test_give.h"
#include "agent/runtime/config_files.h"
#include <unistd.h>

/* A component an expectation looks at, and what came there. */
struct place {
    struct slice at;    /* as the expectation has it: the id, perhaps with an export behind it */
    struct slice id;    /* of the component this is now; empty: of none */
    struct item *items; /* owned; their texts are in the run's arena */
    size_t n, cap;
    size_t from; /* what came before was looked at by earlier expectations */
};

struct run {
    const struct test_file *file;
    const struct test *test;
    struct test_result *result;
    struct dry_run *dry;
    struct arena arena;   /* what came */
    struct arena scratch; /* of one step */
    struct place *places; /* owned */
    size_t n_places;
    size_t n_items;
    bool is_over_limit;
    bool was_looked_at; /* the last step was an expectation */
    char **env;         /* owned, for environ */
    size_t n_env;
};

/* --- what is wrong --- */

static void fail(struct run *r, enum test_status status, struct position at)
{
    if (r->result->status == TEST_PASSED)
        r->result->at = at;
    if (r->result->status < status)
        r->result->status = status;
}

static void put_at(struct run *r, struct position at)
{
    buf_printf(&r->result->text, "    %s:%u:%u: ", r->file->path, at.line, at.column);
}

static void break_off(struct run *r, struct position at, const char *why)
{
    fail(r, TEST_BROKEN, at);
    put_at(r, at);
    buf_printf(&r->result->text, "%s\n", why);
}

static void break_off_with(struct run *r, struct position at, const char *path, const struct diags *diags)
{
    fail(r, TEST_BROKEN, at);
    put_at(r, at);
    buf_printf(&r->result->text, "%s does not load\n", path);
    diags_print(&r->result->text, diags, false);
}

/* --- what comes --- */

struct arriving {
    struct run *run;
    struct place *place;
};

static enum code add_item(void *ctx, const struct item *item)
{
    struct arriving *a = ctx;
    struct place *p = a->place;

    if (a->run->n_items == LIMIT_TEST_ITEMS || a->run->arena.bytes > LIMIT_TEST_BYTES)
        return FULL;
    a->run->n_items++;
    if (p->n == p->cap) {
        p->cap = p->cap == 0 ? 16 : 2 * p->cap;
        p->items = mem_realloc(p->items, p->cap * sizeof *p->items);
    }
    p->items[p->n++] = *item;
    return OK;
}

static void passed(void *ctx, const char *from, const char *to, const struct batch *b)
{
    struct run *r = ctx;
    struct slice id = slice_str(to);

    (void)from;
    for (size_t i = 0; i < r->n_places; i++) {
        struct arriving a = {r, &r->places[i]};

        if (slice_eq(r->places[i].id, id) && batch_each_item(b, &r->arena, add_item, &a) != OK)
            r->is_over_limit = true;
    }
}

static struct place *place_of(struct run *r, struct slice at)
{
    for (size_t i = 0; i < r->n_places; i++)
        if (slice_eq(r->places[i].at, at))
            return &r->places[i];
    return NULL;
}

static void find_places(struct run *r)
{
    r->places = mem_array(r->test->n + 1, sizeof *r->places);
    for (size_t i = 0; i < r->test->n; i++) {
        const struct test_step *step = &r->test->steps[i];

        if (step->kind == STEP_EXPECT && place_of(r, step->as.expect.at) == NULL)
            r->places[r->n_places++].at = step->as.expect.at;
    }
}

/* After a load, which may have brought other components. */
static void name_places(struct run *r)
{
    for (size_t i = 0; i < r->n_places; i++) {
        const char *id = dry_run_find(r->dry, r->places[i].at, NULL);

        r->places[i].id = id != NULL ? arena_copy(&r->arena, slice_str(id)) : (struct slice){0};
    }
}

/* --- expectations --- */

struct ledger_line {
    struct run *run;
    bool has_title;
};

static void put_ledger(void *ctx, const char *id, const struct ledger *ledger)
{
    struct ledger_line *l = ctx;
    struct buf *out = &l->run->result->text;
    const char *between = "";

    for (int reason = 0; reason <= DROP_REASON_COUNT; reason++) {
        bool is_held = reason == DROP_REASON_COUNT;
        int64_t n = is_held ? atomic_load(&ledger->held) : (int64_t)atomic_load(&ledger->dropped[reason]);

        if (n <= 0)
            continue;
        if (!l->has_title)
            buf_add_str(out, "      on the way:\n");
        l->has_title = true;
        if (*between == '\0')
            buf_printf(out, "        %s ", id);
        if (is_held)
            buf_printf(out, "%sholds %lld (advance { } lets time pass)", between, (long long)n);
        else
            buf_printf(out, "%sdropped %lld (%s)", between, (long long)n, drop_reason_name((enum drop_reason)reason));
        between = ", ";
    }
    if (*between != '\0')
        buf_add_char(out, '\n');
}

/* The list an expectation is about, when it is about an export; NULL: about what comes in. */
static const struct value *list_at(struct run *r, const struct test_expect *e, const char *id)
{
    const struct value *exports = dry_run_exports(r->dry, e->at), *list = NULL;
    size_t n_lists = 0;

    if (!slice_starts(e->at, slice_str(id)))
        return NULL; /* an instance of a custom component: what comes in */
    if (e->at.len > strlen(id)) {
        list = value_get(exports, slice_from(e->at, strlen(id) + 1));
        return list != NULL && list->type == VALUE_ARRAY ? list : NULL;
    }
    for (size_t i = 0; i < exports->as.object.n; i++) {
        const struct value *v = &exports->as.object.fields[i].value;

        if (v->type == VALUE_CAPSULE && strstr(v->as.capsule.type->name, "ules") == NULL)
            return NULL;
        if (v->type == VALUE_ARRAY) {
            list = v;
            n_lists++;
        }
    }
    return n_lists == 1 ? list : NULL;
}

static struct item item_of_target(struct arena *arena, const struct value *v)
{
    size_t n = v->type == VALUE_OBJECT ? v->as.object.n : 0, n_texts = 0;
    struct label *pairs = arena_alloc(arena, (n + 1) * sizeof *pairs);
    struct item item = {.kind = ITEM_TARGET, .n = 1};

    for (size_t i = 0; i < n; i++)
        if (value_is_text(&v->as.object.fields[i].value))
            pairs[n_texts++] = (struct label){v->as.object.fields[i].name, v->as.object.fields[i].value.as.text.bytes};
    item.fields[0] =
        (struct item_field){.name = "labels", .is_set = true, .pairs = item_pairs(arena, pairs, n_texts), .n = n_texts};
    return item;
}

static bool compare_list(struct run *r, const struct test_expect *e, const struct value *list, struct buf *out)
{
    size_t n = list->as.array.n;
    struct item *items = mem_array(n + 1, sizeof *items);
    bool is_good;

    for (size_t i = 0; i < n; i++)
        items[i] = item_of_target(&r->scratch, &list->as.array.items[i]);
    is_good = test_compare(e, items, n, r->file->path, out);
    mem_free(items);
    return is_good;
}

static void expect(struct run *r, const struct test_step *step)
{
    const struct test_expect *e = &step->as.expect;
    struct place *place = place_of(r, e->at);
    struct ledger_line ledger = {.run = r};
    const struct value *list;
    struct error err = {0};
    struct buf differences;
    const char *id = dry_run_find(r->dry, e->at, &err);
    bool is_good;

    if (id == NULL) {
        break_off(r, step->at, err.text);
        return;
    }
    buf_init(&differences, LIMIT_TEST_REPORT_BYTES);
    list = list_at(r, e, id);
    if (list != NULL)
        is_good = compare_list(r, e, list, &differences);
    else
        is_good = test_compare(e, place->items + place->from, place->n - place->from, r->file->path, &differences);
    if (!is_good) {
        fail(r, TEST_FAILED, step->at);
        put_at(r, step->at);
        buf_printf(&r->result->text, "at %.*s (- expected, + came)\n", SLICE_ARG(e->at));
        buf_add(&r->result->text, buf_slice(&differences));
        if (differences.is_full)
            buf_add_str(&r->result->text, "\n      and more\n");
        if (list == NULL)
            dry_run_each_ledger(r->dry, put_ledger, &ledger);
    }
    buf_release(&differences);
}

/* --- configuration and environment --- */

extern char **environ;

static void free_env(struct run *r)
{
    for (size_t i = 0; i < r->n_env; i++)
        mem_free(r->env[i]);
    mem_free(r->env);
    r->env = NULL;
    r->n_env = 0;
}

/* sys.env sees what the test says, and nothing of where it runs. */
static void set_env(struct run *r, const struct river_map *env)
{
    free_env(r);
    r->env = mem_array(env->n + 1, sizeof *r->env);
    for (size_t i = 0; i < env->n; i++)
        r->env[r->n_env++] = mem_printf("%.*s=%.*s", SLICE_ARG(env->items[i].name), SLICE_ARG(env->items[i].value));
    environ = r->env;
}

static bool load(struct run *r, struct position at, const char *path)
{
    struct config_texts texts = {0};
    struct diags diags;
    bool is_loaded;

    diags_init(&diags);
    is_loaded =
        config_files_read(path, &texts, &diags) == OK && dry_run_load(r->dry, texts.items, texts.n, &diags) == OK;
    if (!is_loaded)
        break_off_with(r, at, path, &diags);
    else
        name_places(r);
    config_texts_release(&texts);
    diags_release(&diags);
    return is_loaded;
}

static void find_unhealthy(void *ctx, const struct component_row *row)
{
    struct run *r = ctx;
    struct error err = {0};

    if (row->health != HEALTH_UNHEALTHY)
        return;
    error_set(&err, INVALID, "%s is not well: %s", row->id, row->message);
    break_off(r, r->test->at, err.text);
}

static bool set_exports(struct run *r, const struct test_step *step)
{
    const struct value *exports = step->as.set.exports;

    for (size_t i = 0; i < exports->as.object.n; i++) {
        const struct value_field *f = &exports->as.object.fields[i];
        struct error err = {0};

        if (dry_run_set(r->dry, step->as.set.component, f->name, &f->value, &err) == OK)
            continue;
        break_off(r, step->at, err.text);
        return false;
    }
    return true;
}

/* What is set before anything else is there when the configuration is loaded. */
static bool start(struct run *r)
{
    size_t n_sets = 0;

    while (n_sets < r->test->n && r->test->steps[n_sets].kind == STEP_SET)
        if (!set_exports(r, &r->test->steps[n_sets++]))
            return false;
    if (!load(r, r->test->at, r->test->config))
        return false;
    for (size_t i = 0; i < n_sets; i++) /* now it is known whether there are such components */
        if (!set_exports(r, &r->test->steps[i]))
            return false;
    runtime_each_component(dry_run_runtime(r->dry), find_unhealthy, r);
    return r->result->status == TEST_PASSED;
}

static bool reload(struct run *r, const struct test_step *step)
{
    const struct test_reload *reload = &step->as.reload;

    if (reload->has_env)
        set_env(r, &reload->env);
    return load(r, step->at, reload->has_config ? reload->config.ptr : r->test->config);
}

/* --- steps --- */

static bool act(struct run *r, const struct test_step *step)
{
    struct error err = {0};
    enum code rc = OK;

    switch (step->kind) {
    case STEP_LOGS:
    case STEP_SAMPLES:
    case STEP_SPANS:
    case STEP_OTLP:
        rc = test_give(r->dry, step, &r->scratch, &err);
        break;
    case STEP_ADVANCE:
        rc = dry_run_pass(r->dry, step->as.advance_ns, &err);
        break;
    case STEP_SET:
        return set_exports(r, step);
    case STEP_RELOAD:
        return reload(r, step);
    case STEP_EXPECT:
        break;
    }
    if (rc != OK)
        break_off(r, step->at, err.text);
    return rc == OK;
}

/* A step after expectations begins a new round: they have seen what came before. */
static void begin_round(struct run *r)
{
    if (r->was_looked_at)
        for (size_t i = 0; i < r->n_places; i++)
            r->places[i].from = r->places[i].n;
    r->was_looked_at = false;
}

static void run_steps(struct run *r)
{
    for (size_t i = 0; i < r->test->n && r->result->status != TEST_BROKEN; i++) {
        const struct test_step *step = &r->test->steps[i];

        arena_init(&r->scratch, 0);
        if (step->kind == STEP_EXPECT) {
            r->was_looked_at = true;
            expect(r, step);
        } else {
            begin_round(r);
            (void)act(r, step);
        }
        if (r->is_over_limit)
            break_off(r, step->at, "more comes than a test can look at");
        arena_release(&r->scratch);
    }
}

static double now_s(void)
{
    return (double)clock_mono_ns(clock_system()) / NS_PER_S;
}

void test_run(const struct test_file *file, const struct test *test, component_types types, struct test_result *out)
{
    struct run r = {.file = file, .test = test, .result = out};
    struct dry_run_options options = {.types = types,
                                      .stability = (enum stability)test->stability,
                                      .start_ns = test->start_ns,
                                      .passed = passed,
                                      .ctx = &r};
    char **own_environ = environ;
    double began = now_s();

    *out = (struct test_result){.status = TEST_PASSED, .at = test->at};
    buf_init(&out->text, LIMIT_TEST_REPORT_BYTES);
    arena_init(&r.arena, 0);
    set_env(&r, &test->env);
    find_places(&r);
    r.dry = dry_run_new(&options);
    if (start(&r))
        run_steps(&r);
    dry_run_free(r.dry);
    environ = own_environ;
    free_env(&r);
    for (size_t i = 0; i < r.n_places; i++)
        mem_free(r.places[i].items);
    mem_free(r.places);
    arena_release(&r.arena);
    out->seconds = now_s() - began;
}
