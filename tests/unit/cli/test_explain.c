/* hyagent explain: origins, the graph, what is durable, the way of a line; and no secret anywhere. */
#include "agent/cli/explain_line.h"
#include "agent/cli/registry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct config *load(const char *text)
{
    const struct config_text one = {.name = "t.river", .text = slice_str(text)};
    const struct config_options options = {.types = registry, .stability = STABILITY_EXPERIMENTAL};
    struct config *config = NULL;
    struct diags diags;

    diags_init(&diags);
    if (config_load(&config, &options, &one, 1, &diags) != OK) {
        struct buf out;

        buf_init(&out, 1 << 20);
        diags_print(&out, &diags, false);
        fail_msg("%.*s", (int)out.len, out.ptr);
    }
    diags_release(&diags);
    return config;
}

struct world {
    struct explain x;
    struct buf out;
};

static void world_init(struct world *w, const char *text)
{
    *w = (struct world){.x = {.path = "t.river", .only = SIZE_MAX, .memory_limit = 400u << 20}};
    w->x.config = load(text);
    w->x.description = description_new(w->x.config, STABILITY_EXPERIMENTAL);
    w->x.graph = graph_new(w->x.config, w->x.description);
    buf_init(&w->out, 16 << 20);
}

static void world_release(struct world *w)
{
    buf_release(&w->out);
    graph_free(w->x.graph);
    description_free(w->x.description);
    config_unref(w->x.config);
}

static size_t number(const struct world *w, const char *id)
{
    const struct config_block *block = config_block_by_id(w->x.config, slice_str(id));

    if (block == NULL)
        fail_msg("no %s", id);
    return (size_t)(block - w->x.config->blocks);
}

static void expect(const struct world *w, const char *wanted)
{
    if (slice_find_slice(buf_slice(&w->out), slice_str(wanted)) == w->out.len)
        fail_msg("\"%s\" is not in:\n%.*s", wanted, (int)w->out.len, w->out.ptr);
}

static void expect_none(const struct world *w, const char *unwanted)
{
    if (slice_find_slice(buf_slice(&w->out), slice_str(unwanted)) != w->out.len)
        fail_msg("\"%s\" is in:\n%.*s", unwanted, (int)w->out.len, w->out.ptr);
}

/* --- origins --- */

static const char module[] = "declare \"shop\" {\n"
                             "  argument \"url\" { }\n"
                             "  argument \"env\" {\n"
                             "    optional = true\n"
                             "    default  = \"dev\"\n"
                             "  }\n"
                             "  argument \"pw\" { optional = true }\n"
                             "  export \"input\" { value = loki.process.p.receiver }\n"
                             "  loki.process \"p\" {\n"
                             "    stage.static_labels { values = {env = argument.env.value} }\n"
                             "    forward_to = [loki.write.w.receiver]\n"
                             "  }\n"
                             "  loki.write \"w\" {\n"
                             "    endpoint {\n"
                             "      url = argument.url.value\n"
                             "      basic_auth {\n"
                             "        username = \"u\"\n"
                             "        password = argument.pw.value\n"
                             "      }\n"
                             "    }\n"
                             "  }\n"
                             "}\n"
                             "shop \"eu\" {\n"
                             "  url = coalesce(sys.env(\"HYU_UNSET\"), \"http://eu/push\")\n"
                             "  pw  = \"canary-module\"\n"
                             "}\n"
                             "shop \"us\" {\n"
                             "  url = sys.env(\"HYU_URL\")\n"
                             "  env = \"prod\"\n"
                             "}\n"
                             "loki.source.file \"f\" {\n"
                             "  targets    = [{__path__ = \"/var/log/x.log\"}]\n"
                             "  forward_to = [shop.eu.input, shop.us.input]\n"
                             "}\n";

static const char plain[] = "local.file \"key\" {\n"
                            "  filename  = \"/nowhere/key\"\n"
                            "  is_secret = true\n"
                            "}\n"
                            "discovery.relabel \"r\" { targets = [] }\n"
                            "loki.source.file \"f\" {\n"
                            "  targets    = discovery.relabel.r.output\n"
                            "  forward_to = {\"a\" = [loki.write.w.receiver]}[sys.env(\"HYU_A\")]\n"
                            "}\n"
                            "loki.write \"w\" {\n"
                            "  endpoint {\n"
                            "    url          = coalesce(sys.env(\"HYU_UNSET\"), sys.env(\"HYU_URL\"))\n"
                            "    name         = string.format(\"x-%s\", sys.env(\"HYU_A\"))\n"
                            "    headers      = {Authorization = \"canary-header\", Accept = \"yes\"}\n"
                            "    tenant_id    = sys.env(\"HYU_TENANT_TOKEN\")\n"
                            "    bearer_token = \"canary-literal\"\n"
                            "  }\n"
                            "  endpoint {\n"
                            "    url = \"http://me:canary-url@h/push\"\n"
                            "    basic_auth {\n"
                            "      username = \"me\"\n"
                            "      password = local.file.key.content\n"
                            "    }\n"
                            "  }\n"
                            "  endpoint {\n"
                            "    url = \"http://h/push\"\n"
                            "    basic_auth {\n"
                            "      username = \"me\"\n"
                            "      password = sys.env(\"HYU_PASSWORD\")\n"
                            "    }\n"
                            "  }\n"
                            "}\n";

static void set_environment(void)
{
    unsetenv("HYU_UNSET");
    setenv("HYU_A", "a", 1);
    setenv("HYU_URL", "http://us/push", 1);
    setenv("HYU_TENANT_TOKEN", "canary-token", 1);
    setenv("HYU_PASSWORD", "canary-env", 1);
}

/* The n-th argument of that name, from 0. */
static const struct argument *find(struct world *w, const char *id, const char *name, size_t n)
{
    struct arguments all = description_arguments(w->x.description, number(w, id));

    for (size_t i = 0; i < all.n; i++)
        if (slice_eq_str(all.items[i].name, name) && n-- == 0)
            return &all.items[i];
    fail_msg("%s has no such %s", id, name);
    return NULL;
}

static void every_argument_says_its_value_and_where_it_came_from(void **state)
{
    static const struct {
        const char *text, *id, *name;
        size_t n;
        const char *value, *origin; /* value NULL: known when it runs */
    } rows[] = {
        {plain, "local.file.key", "filename", 0, "\"/nowhere/key\"", "written"},
        {plain, "local.file.key", "detector", 0, "\"fsnotify\"", "default"},
        {plain, "loki.source.file.f", "targets", 0, NULL, "export output of discovery.relabel.r"},
        {plain, "loki.source.file.f", "forward_to", 0, "[loki.write.w.receiver]",
         "computed from export receiver of loki.write.w, sys.env HYU_A (set)"},
        {plain, "loki.write.w", "url", 0, "\"http://us/push\"", "sys.env HYU_URL (set), not sys.env HYU_UNSET (unset)"},
        {plain, "loki.write.w", "name", 0, "\"x-a\"", "computed from sys.env HYU_A (set)"},
        {plain, "loki.write.w", "headers", 0, "{Authorization = (secret), Accept = \"yes\"}", "written"},
        {plain, "loki.write.w", "tenant_id", 0, "(secret)", "sys.env HYU_TENANT_TOKEN (set)"},
        {plain, "loki.write.w", "bearer_token", 0, "(secret)", "written"},
        {plain, "loki.write.w", "url", 1, "\"http://me:xxxxx@h/push\"", "written"},
        {plain, "loki.write.w", "password", 0, NULL, "export content of local.file.key (/nowhere/key)"},
        {plain, "loki.write.w", "password", 1, "(secret)", "sys.env HYU_PASSWORD (set)"},
        {plain, "loki.write.w", "on_full", 0, "\"drop_oldest\"", "default"},
        {module, "shop.eu/loki.write.w", "url", 0, "\"http://eu/push\"",
         "argument url of shop.eu ← written, not sys.env HYU_UNSET (unset) (t.river:24)"},
        {module, "shop.us/loki.write.w", "url", 0, "\"http://us/push\"",
         "argument url of shop.us ← sys.env HYU_URL (set) (t.river:28)"},
        {module, "shop.eu/loki.process.p", "values", 0, "{env = \"dev\"}",
         "default of argument env of shop.eu ← written (t.river:5)"},
        {module, "shop.us/loki.process.p", "values", 0, "{env = \"prod\"}",
         "argument env of shop.us ← written (t.river:29)"},
        {module, "shop.eu/loki.write.w", "password", 0, "(secret)", "argument pw of shop.eu ← written (t.river:25)"},
        {module, "shop.us/loki.write.w", "password", 0, "null", "argument pw of shop.us, which is not given"},
        {module, "loki.source.file.f", "forward_to", 0,
         "[shop.eu/loki.process.p.receiver, shop.us/loki.process.p.receiver]",
         "export input of shop.eu ← export receiver of shop.eu/loki.process.p (t.river:8), "
         "export input of shop.us ← export receiver of shop.us/loki.process.p (t.river:8)"},
    };

    (void)state;
    set_environment();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        const struct argument *a;

        world_init(&w, rows[i].text);
        a = find(&w, rows[i].id, rows[i].name, rows[i].n);
        description_write_value(w.x.description, &a->value, &w.out);
        buf_add_char(&w.out, '\0');
        if (a->is_known != (rows[i].value != NULL) || (a->is_known && strcmp(w.out.ptr, rows[i].value) != 0))
            fail_msg("row %zu: %s is %s%s", i, rows[i].name, w.out.ptr, a->is_known ? "" : " (not known)");
        if (!slice_eq_str(a->origin, rows[i].origin))
            fail_msg("row %zu: %s comes from \"%.*s\"", i, rows[i].name, SLICE_ARG(a->origin));
        world_release(&w);
    }
}

static void no_form_of_the_answer_shows_a_secret(void **state)
{
    static const char *const texts[] = {plain, module};

    (void)state;
    set_environment();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct world w;

        world_init(&w, texts[i]);
        explain_graph(&w.x, &w.out);
        explain_dot(&w.x, &w.out);
        explain_json(&w.x, &w.out);
        explain_arguments(&w.x, &w.out);
        explain_durability(&w.x, &w.out);
        for (w.x.only = 0; w.x.only < w.x.config->n; w.x.only++)
            explain_arguments(&w.x, &w.out);
        expect_none(&w, "canary");
        expect(&w, "(secret)");
        world_release(&w);
    }
}

/* --- the graph --- */

static const char flows[] = "otelcol.receiver.otlp \"in\" {\n"
                            "  grpc { }\n"
                            "  output {\n"
                            "    traces  = [otelcol.processor.batch.b.input]\n"
                            "    metrics = [otelcol.processor.batch.b.input]\n"
                            "  }\n"
                            "}\n"
                            "otelcol.processor.batch \"b\" {\n"
                            "  output {\n"
                            "    traces  = [otelcol.exporter.debug.t.input]\n"
                            "    metrics = [otelcol.exporter.prometheus.m.input]\n"
                            "    logs    = [otelcol.exporter.loki.l.input]\n"
                            "  }\n"
                            "}\n"
                            "otelcol.exporter.debug \"t\" { }\n"
                            "otelcol.exporter.prometheus \"m\" { forward_to = [prometheus.echo.e.receiver] }\n"
                            "otelcol.exporter.loki \"l\" { forward_to = [loki.echo.e.receiver] }\n"
                            "prometheus.echo \"e\" { }\n"
                            "loki.echo \"e\" { }\n";

static void items_reach_only_what_their_signal_is_sent_to(void **state)
{
    struct world w;
    bool marks[16];

    (void)state;
    world_init(&w, flows);
    graph_reach(w.x.graph, number(&w, "otelcol.receiver.otlp.in"), marks);
    assert_true(marks[number(&w, "otelcol.exporter.debug.t")]);
    assert_true(marks[number(&w, "prometheus.echo.e")]);
    assert_false(marks[number(&w, "loki.echo.e")]); /* the receiver sends no logs */
    explain_graph(&w.x, &w.out);
    expect(&w, "t.river: 1 source, 3 between, 3 sinks\n");
    expect(&w, "otelcol.receiver.otlp.in\n"
               "  ├ traces → otelcol.processor.batch.b\n"
               "  │ → otelcol.exporter.debug.t\n"
               "  └ metrics → otelcol.processor.batch.b\n"
               "    → otelcol.exporter.prometheus.m\n"
               "    → prometheus.echo.e\n");
    expect(&w, "No source reaches:\n"
               "otelcol.exporter.loki.l\n"
               "  → loki.echo.e\n");
    world_release(&w);
}

static void a_stretch_that_flows_share_is_described_once(void **state)
{
    struct world w;

    (void)state;
    world_init(&w,
               "loki.source.file \"a\" {\n  targets    = []\n  forward_to = [loki.process.p.receiver]\n}\n"
               "loki.source.file \"b\" {\n  targets    = []\n  forward_to = [loki.process.p.receiver]\n}\n"
               "loki.process \"p\" {\n  stage.cri { }\n  forward_to = [loki.echo.x.receiver, loki.echo.y.receiver]\n}\n"
               "loki.echo \"x\" { }\nloki.echo \"y\" { }\n");
    explain_graph(&w.x, &w.out);
    expect(&w, "loki.source.file.a\n"
               "  → loki.process.p  1 stage\n"
               "  ├ loki.echo.x\n"
               "  └ loki.echo.y\n"
               "loki.source.file.b\n"
               "  → loki.process.p  as above\n");
    world_release(&w);
}

static void modules_are_groups_with_their_paths(void **state)
{
    struct world w;

    (void)state;
    set_environment();
    world_init(&w, module);
    explain_graph(&w.x, &w.out);
    explain_dot(&w.x, &w.out);
    expect(&w, "  ├ shop.eu/loki.process.p");
    expect(&w, "Modules:\n  shop.eu  2 components, t.river:23\n  shop.us  2 components, t.river:27\n");
    expect(&w, "label=\"shop.eu\";");
    world_release(&w);
}

static void what_is_fetched_at_run_time_is_waited_for(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, "import.http \"far\" { url = \"http://h/m.alloy\" }\n"
                   "far.thing \"x\" { }\n"
                   "loki.source.file \"f\" {\n"
                   "  targets    = []\n"
                   "  forward_to = [loki.echo.e.receiver, far.thing.x.input]\n"
                   "}\n"
                   "loki.echo \"e\" { }\n");
    explain_graph(&w.x, &w.out);
    expect(&w, "loki.source.file.f\n  → loki.echo.e (perhaps)\n");
    expect(&w, "Modules:\n  far.thing.x  waits for import.http.far, t.river:2\n");
    buf_reset(&w.out);
    explain_arguments(&w.x, &w.out);
    expect(&w, "forward_to = (known when it runs)  # export receiver of loki.echo.e, "
               "exports of far.thing.x, which waits for import.http.far\n");
    world_release(&w);
}

static void items_of_a_foreach_are_instances(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, "foreach \"logs\" {\n"
                   "  collection = [\"a\", \"b\"]\n"
                   "  var        = \"name\"\n"
                   "  template {\n"
                   "    loki.source.file \"f\" {\n"
                   "      targets    = [{__path__ = string.format(\"/l/%s\", name)}]\n"
                   "      forward_to = [loki.echo.e.receiver]\n"
                   "    }\n"
                   "  }\n"
                   "}\n"
                   "loki.echo \"e\" { }\n");
    explain_arguments(&w.x, &w.out);
    expect(&w, "targets = [{__path__ = \"/l/a\"}]");
    expect(&w, "# computed from name of foreach.logs\n");
    expect(&w, "targets = [{__path__ = \"/l/b\"}]");
    world_release(&w);
}

static void one_component_has_its_neighbours(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, flows);
    w.x.only = number(&w, "otelcol.processor.batch.b");
    explain_neighbours(&w.x, &w.out);
    expect(&w, "items from  otelcol.receiver.otlp.in (traces), otelcol.receiver.otlp.in (metrics)\n"
               "items to    otelcol.exporter.debug.t (traces), otelcol.exporter.prometheus.m (metrics), "
               "otelcol.exporter.loki.l (logs)\n");
    world_release(&w);
    world_init(&w, plain);
    w.x.only = number(&w, "loki.source.file.f");
    explain_neighbours(&w.x, &w.out);
    expect(&w, "values from  discovery.relabel.r (targets)\n");
    world_release(&w);
}

/* --- what is durable --- */

static void durability_follows_the_source_and_the_endpoints(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, "loki.source.file \"f\" {\n  targets    = []\n  forward_to = [loki.process.p.receiver]\n}\n"
                   "loki.process \"p\" {\n  stage.cri { }\n  forward_to = [loki.write.w.receiver]\n}\n"
                   "loki.write \"w\" {\n"
                   "  endpoint {\n    url     = \"http://a/push\"\n    on_full = \"block\"\n"
                   "    queue_config { capacity = \"3MiB\" }\n  }\n"
                   "  endpoint {\n    url = \"http://b/push\"\n  }\n"
                   "}\n"
                   "prometheus.scrape \"s\" {\n  targets    = []\n  forward_to = [prometheus.echo.e.receiver]\n}\n"
                   "prometheus.echo \"e\" { }\n");
    explain_durability(&w.x, &w.out);
    expect(&w, "loki.source.file.f\n  delivers to   loki.write.w\n");
    expect(&w, "  on the way    loki.process.p holds lines");
    expect(&w, "http://a/push\n  queue         at most 3.0 MiB\n  when full     block");
    /* 400 MiB: half of it for 2 sinks, two endpoints each share 100 MiB */
    expect(&w, "http://b/push\n  queue         at most 50.0 MiB (its share of memory)\n  when full     drop_oldest");
    expect(&w, "prometheus.scrape.s\n  delivers to   prometheus.echo.e\n  at a restart  goes on from now");
    expect(&w, "  SIGKILL       loses what is queued");
    world_release(&w);
}

/* --- the way of a line --- */

static const char stages[] = "loki.process \"a\" {\n"
                             "  stage.json { expressions = {level = \"lvl\", msg = \"\"} }\n"
                             "  stage.labels { values = {level = \"\"} }\n"
                             "  stage.match {\n"
                             "    selector = \"{level=\\\"debug\\\"}\"\n"
                             "    stage.drop {\n"
                             "      expression          = \".*\"\n"
                             "      drop_counter_reason = \"chatty\"\n"
                             "    }\n"
                             "  }\n"
                             "  stage.output { source = \"msg\" }\n"
                             "  stage.label_drop { values = [\"tmp\"] }\n"
                             "  forward_to = [loki.relabel.r.receiver]\n"
                             "}\n"
                             "loki.relabel \"r\" {\n"
                             "  rule {\n"
                             "    source_labels = [\"app\"]\n"
                             "    regex         = \"sh(.*)\"\n"
                             "    target_label  = \"kind\"\n"
                             "    replacement   = \"x-$1\"\n"
                             "  }\n"
                             "  rule {\n"
                             "    source_labels = [\"app\"]\n"
                             "    regex         = \"noise\"\n"
                             "    action        = \"drop\"\n"
                             "  }\n"
                             "  forward_to = [loki.write.w.receiver]\n"
                             "}\n"
                             "loki.write \"w\" {\n"
                             "  endpoint {\n"
                             "    url       = \"http://h/push\"\n"
                             "    tenant_id = \"t1\"\n"
                             "  }\n"
                             "  external_labels = {cluster = \"c1\", app = \"never\"}\n"
                             "}\n"
                             "loki.process \"m\" {\n"
                             "  stage.multiline {\n"
                             "    firstline     = \"^\\\\d\"\n"
                             "    max_wait_time = \"2s\"\n"
                             "  }\n"
                             "  forward_to = [loki.write.w.receiver]\n"
                             "}\n";

static enum code tell(struct world *w, struct line_args args, struct error *err)
{
    struct config_text text = {.name = "t.river", .text = slice_str(stages)};
    const struct config_texts texts = {.items = &text, .n = 1};

    args.stability = STABILITY_EXPERIMENTAL;
    return explain_line(&w->x, &args, &texts, &w->out, err);
}

static void each_stage_and_rule_tells_what_it_changed(void **state)
{
    struct world w;
    struct error err = {0};
    struct line_args args = {.component = "loki.process.a",
                             .line = "{\"lvl\":\"info\",\"msg\":\"hello\"}",
                             .timestamp = "2026-01-02T15:04:05.000000007Z",
                             .labels = {.items = {"app=shop", "tmp=1"}, .n = 2}};

    (void)state;
    world_init(&w, stages);
    assert_int_equal(tell(&w, args, &err), OK);
    expect(&w, "  loki.process.a\n"
               "    stage.json (t.river:2)\n"
               "        extracted  + level = \"info\"\n"
               "        extracted  + msg = \"hello\"\n"
               "    stage.labels (t.river:3)\n"
               "        label      + level = \"info\"\n"
               "    stage.match (t.river:4)  does not match: its stages are passed over\n"
               "    stage.output (t.river:11)\n"
               "        line       \"{\"lvl\":\"info\",\"msg\":\"hello\"}\"\n"
               "                 → \"hello\"\n"
               "    stage.label_drop (t.river:12)\n"
               "        label      - tmp = \"1\"\n"
               "  loki.relabel.r  from loki.process.a\n"
               "    rule 1 replace app =~ \"sh(.*)\" → kind = \"x-$1\" (t.river:16)\n"
               "        label      + kind = \"x-op\"\n"
               "    rule 2 drop app =~ \"noise\" (t.river:22)  does not match\n"
               "  loki.write.w  from loki.relabel.r\n"
               "    endpoint   http://h/push, tenant t1\n"
               "    stream     {app=\"shop\", cluster=\"c1\", kind=\"x-op\", level=\"info\"}\n"
               "    time       2026-01-02T15:04:05.000000007Z\n"
               "    line       \"hello\"\n"
               "  ⇒ reaches loki.write.w\n");
    world_release(&w);
}

static void a_dropped_line_names_the_stage_or_rule_and_the_counter(void **state)
{
    struct world w;
    struct error err = {0};
    struct line_args by_stage = {.component = "loki.process.a", .line = "{\"lvl\":\"debug\"}"};
    struct line_args by_rule = {
        .component = "loki.relabel.r.receiver", .line = "x", .labels = {.items = {"app=noise"}, .n = 1}};

    (void)state;
    world_init(&w, stages);
    assert_int_equal(tell(&w, by_stage, &err), OK);
    expect(&w, "    stage.match (t.river:4)  matches\n"
               "      stage.drop (t.river:6)  dropped, counted "
               "loki_process_dropped_lines_total{reason=\"chatty\"}\n"
               "  ⇒ dropped by loki.process.a stage.drop 1\n");
    buf_reset(&w.out);
    assert_int_equal(tell(&w, by_rule, &err), OK);
    expect(&w, "rule 2 drop app =~ \"noise\" (t.river:22)  dropped, counted "
               "hyagent_component_items_dropped_total{reason=\"rule\"}\n");
    expect(&w, "  ⇒ dropped by loki.relabel.r rule 2\n");
    world_release(&w);
}

static void lines_that_are_held_go_on_when_their_time_is_up(void **state)
{
    struct world w;
    struct error err = {0};
    struct line_args args = {.component = "loki.process.m", .line = "1 first"};

    (void)state;
    world_init(&w, stages);
    assert_int_equal(tell(&w, args, &err), OK);
    expect(&w, "held until the lines it belongs with have come\n  ⇒ held back for now\n");
    expect(&w, "s later\n  loki.process.m\n    stage.multiline (t.river:37)  no more lines came in time: "
               "what was held goes on\n        line       \"1 first\"\n  loki.write.w  from loki.process.m\n");
    expect(&w, "  ⇒ reaches loki.write.w\n");
    world_release(&w);
}

static void what_cannot_be_told_is_refused_in_words(void **state)
{
    static const struct {
        struct line_args args;
        const char *want;
    } rows[] = {
        {{.component = "loki.process.b", .line = "x"}, "loki.process.b"},
        {{.component = "loki.process.a", .line = "x", .timestamp = "yesterday"}, "yesterday"},
        {{.component = "loki.process.a", .line = "x", .labels = {.items = {"app"}, .n = 1}}, "NAME=VALUE"},
        {{.component = "loki.process.a", .sample = "up 1"}, "loki.process.a"},
        {{.component = "loki.process.a", .sample = "# nothing"}, "name{label="},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        struct error err = {0};

        world_init(&w, stages);
        assert_int_equal(tell(&w, rows[i].args, &err), INVALID);
        if (strstr(err.text, rows[i].want) == NULL)
            fail_msg("row %zu: %s", i, err.text);
        world_release(&w);
    }
}

/* --- text for a terminal --- */

static void outside_text_cannot_steer_the_terminal(void **state)
{
    static const struct {
        struct slice in;
        size_t max;
        const char *want;
    } rows[] = {
        {{"plain ü", 8}, 0, "plain ü"},
        {{"a\tb\nc", 5}, 0, "a\\tb\\nc"},
        {{"\033[31mred\177", 9}, 0, "\\x1b[31mred\\x7f"},
        {{"\302\233x", 3}, 0, "\\xc2x"}, /* U+009B begins a control sequence */
        {{"\377", 1}, 0, "\\xff"},
        {{"abcdef", 6}, 3, "abc…"},
        {{"abc", 3}, 3, "abc"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;

        buf_init(&out, 4096);
        write_visible(&out, rows[i].in, rows[i].max);
        buf_add_char(&out, '\0');
        if (strcmp(out.ptr, rows[i].want) != 0)
            fail_msg("row %zu: %s", i, out.ptr);
        buf_release(&out);
    }
}

static void colours_are_only_written_when_wanted(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, flows);
    explain_graph(&w.x, &w.out);
    expect_none(&w, "\033");
    w.x.is_coloured = true;
    explain_graph(&w.x, &w.out);
    expect(&w, "\033[1motelcol.receiver.otlp.in\033[0m");
    world_release(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_argument_says_its_value_and_where_it_came_from),
        cmocka_unit_test(no_form_of_the_answer_shows_a_secret),
        cmocka_unit_test(items_reach_only_what_their_signal_is_sent_to),
        cmocka_unit_test(a_stretch_that_flows_share_is_described_once),
        cmocka_unit_test(modules_are_groups_with_their_paths),
        cmocka_unit_test(what_is_fetched_at_run_time_is_waited_for),
        cmocka_unit_test(items_of_a_foreach_are_instances),
        cmocka_unit_test(one_component_has_its_neighbours),
        cmocka_unit_test(durability_follows_the_source_and_the_endpoints),
        cmocka_unit_test(each_stage_and_rule_tells_what_it_changed),
        cmocka_unit_test(a_dropped_line_names_the_stage_or_rule_and_the_counter),
        cmocka_unit_test(lines_that_are_held_go_on_when_their_time_is_up),
        cmocka_unit_test(what_cannot_be_told_is_refused_in_words),
        cmocka_unit_test(outside_text_cannot_steer_the_terminal),
        cmocka_unit_test(colours_are_only_written_when_wanted),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
