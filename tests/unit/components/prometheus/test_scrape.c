/* prometheus.scrape against a small server: one row per behaviour, its answers one after the other and what the sink
 * gets of each scrape. Expectations: Prometheus' documentation of scrape_config and of staleness. The clock stands
 * still but for the step each answer makes. */
#include "agent/io/http_server.h"
#include "tests/unit/components/harness.h"

extern const struct component_type component_prometheus_scrape;
static const struct component_type *const types[] = {&component_prometheus_scrape, NULL};

enum { ANSWERS_MAX = 5, WAITING_MAX = 64 };
#define T0 "1767225600000"
#define T1 "1767225601000"
#define T2 "1767225602000"
#define T3 "1767225603000"
#define S(name, more) "{__name__=\"" name "\"," more "instance=\"i\",job=\"j\"}"
#define UP(value, t) S("up", "") " " value " " t "\n"

struct answer {
    const char *body; /* NULL and no status: no more */
    int status;       /* 0: 200; -1: only when the server is gone */
};

struct row {
    const char *name, *args;
    struct answer answers[ANSWERS_MAX];
    const char *want[ANSWERS_MAX]; /* without scrape_* */
    bool is_openmetrics;
};

static struct server {
    struct http_server *http;
    pthread_mutex_t lock;
    const struct answer *answers; /* the last one is repeated */
    size_t n, next;
    int64_t step_ns;
    bool is_openmetrics;
    char url[1024]; /* of the last request: path and query, in order */
    char header[256];
    struct http_call *waiting[WAITING_MAX];
    size_t n_waiting;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void answer(void *self, struct http_call *call)
{
    struct http_reply reply = {.status = 200};
    const struct answer *a;
    struct http_header q;
    size_t len;

    (void)self;
    (void)pthread_mutex_lock(&server.lock);
    a = &server.answers[server.next < server.n ? server.next : server.n - 1];
    server.next++;
    bench_advance(server.step_ns);
    len = (size_t)snprintf(server.url, sizeof server.url, "%.*s", SLICE_ARG(http_call_path(call)));
    for (size_t i = 0; http_call_query_at(call, i, &q); i++)
        len += (size_t)snprintf(server.url + len, sizeof server.url - len, "%s%.*s=%.*s", i == 0 ? "?" : "&",
                                SLICE_ARG(q.name), SLICE_ARG(q.value));
    (void)snprintf(server.header, sizeof server.header, "%.*s",
                   SLICE_ARG(http_call_header(call, "X-Prometheus-Scrape-Timeout-Seconds")));
    if (a->status < 0) { /* late: by end() */
        assert_true(server.n_waiting < WAITING_MAX);
        server.waiting[server.n_waiting++] = call;
        (void)pthread_mutex_unlock(&server.lock);
        return;
    }
    reply.media_type = server.is_openmetrics ? SLICE_LIT("application/openmetrics-text; version=1.0.0; charset=utf-8")
                                             : SLICE_LIT("text/plain; version=0.0.4");
    reply.status = a->status != 0 ? a->status : 200;
    reply.body = slice_str(a->body != NULL ? a->body : "");
    (void)pthread_mutex_unlock(&server.lock);
    http_reply(call, &reply);
}

static void serve(const struct answer *answers, size_t n, bool is_openmetrics)
{
    const struct http_server_options options = {.listen = SLICE_LIT("127.0.0.1:0")};
    const struct http_handler handler = {.on_request = answer};
    struct error err = {0};

    server.answers = answers;
    server.n = n;
    server.next = 0;
    server.step_ns = NS_PER_S;
    server.is_openmetrics = is_openmetrics;
    if (http_server_start(&server.http, &options, &handler, &err) != OK)
        fail_msg("%s", err.text);
}

static const char *config(const char *target_labels, const char *args)
{
    static char text[8192];

    (void)snprintf(text, sizeof text,
                   "prometheus.scrape \"s\" {\n targets = [{__address__ = \"127.0.0.1:%u\", instance = \"i\"%s}]\n"
                   " job_name = \"j\"\n scrape_interval = \"500ms\"\n scrape_timeout = \"500ms\"\n"
                   " forward_to = [test.metrics.m.receiver]\n%s\n}\ntest.metrics \"m\" { }\n",
                   http_server_port(server.http), target_labels, args);
    return text;
}

/* The nth batch's lines without the scrape_* reports. */
static void block(const char *text, size_t n, char *out, size_t size)
{
    struct slice rest = slice_str(text), line;
    size_t len = 0;

    out[0] = '\0';
    while (rest.len != 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        if (slice_eq_str(line, "--")) {
            if (n-- == 0)
                return;
            continue;
        }
        if (n == 0 && !slice_starts(line, SLICE_LIT("{__name__=\"scrape_")))
            len += (size_t)snprintf(out + len, size - len, "%.*s\n", SLICE_ARG(line));
    }
}

static size_t count(const struct answer *answers)
{
    size_t n = 0;

    while (n < ANSWERS_MAX && (answers[n].body != NULL || answers[n].status != 0))
        n++;
    return n;
}

static void end(void)
{
    bench_end();
    http_server_free(server.http);
    for (size_t i = 0; i < server.n_waiting; i++)
        http_reply_text(server.waiting[i], 200, "late");
    server.n_waiting = 0;
}

static void run(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        size_t n_answers = count(r->answers);
        static char got[16384], text[256 * 1024];

        bench_begin(types);
        serve(r->answers, n_answers, r->is_openmetrics);
        if (!bench_load(config("", r->args)))
            fail_msg("%s: %s", r->name, bench.errors);
        bench_await_batches((uint32_t)n_answers);
        (void)snprintf(text, sizeof text, "%s", bench_text());
        for (size_t k = 0; k < n_answers; k++) {
            block(text, k, got, sizeof got);
            if (strcmp(got, r->want[k]) != 0)
                fail_msg("%s, scrape %zu: got\n%swant\n%s", r->name, k, got, r->want[k]);
        }
        end();
    }
}
#define RUN(rows) run(rows, sizeof(rows) / sizeof *(rows))

static void samples_get_the_targets_labels(void **state)
{
    static const struct row rows[] = {
        {"plain",
         "",
         {{"a 1\nb{x=\"y\"} 2.5\n", 0}},
         {S("a", "") " 1 " T0 "\n{__name__=\"b\",instance=\"i\",job=\"j\",x=\"y\"} 2.5 " T0 "\n" UP("1", T0)},
         false},
        {"conflicts become exported_",
         "",
         {{"a{instance=\"own\",exported_instance=\"e\",job=\"\"} 1\n", 0}},
         {"{__name__=\"a\",exported_exported_instance=\"own\",exported_instance=\"e\",instance=\"i\",job=\"j\"} 1 " T0
          "\n" UP("1", T0)},
         false},
        {"honor_labels",
         "honor_labels = true",
         {{"a{instance=\"own\"} 1\nb{instance=\"\"} 2\n", 0}},
         {"{__name__=\"a\",instance=\"own\",job=\"j\"} 1 " T0 "\n{__name__=\"b\",job=\"j\"} 2 " T0 "\n" UP("1", T0)},
         false},
        {"timestamps", "", {{"a 1 1767225599000\n", 0}}, {S("a", "") " 1 1767225599000\n" UP("1", T0)}, false},
        {"timestamps not honoured",
         "honor_timestamps = false",
         {{"a 1 1767225599000\n", 0}},
         {S("a", "") " 1 " T0 "\n" UP("1", T0)},
         false},
        {"metadata comes once a minute",
         "",
         {{"# HELP a how many\n# TYPE a counter\na 1\n", 0}, {"# HELP a how many\n# TYPE a counter\na 1\n", 0}},
         {"# a 1 how many\n" S("a", "") " 1 " T0 "\n" UP("1", T0), S("a", "") " 1 " T1 "\n" UP("1", T1)},
         false},
        {"OpenMetrics",
         "",
         {{"# TYPE c counter\nc_total 5 # {trace_id=\"x\"} 1\n# EOF\n", 0}},
         {"# c 1 \n" S("c_total", "") " 5 " T0 "\n" UP("1", T0)},
         true},
    };

    (void)state;
    RUN(rows);
}

static void what_is_gone_becomes_stale(void **state)
{
    static const struct row rows[] = {
        {"a series",
         "",
         {{"a 1\nb 2\n", 0}, {"a 1\n", 0}, {"a 1\n", 0}, {"a 1\nb 3\n", 0}},
         {S("a", "") " 1 " T0 "\n" S("b", "") " 2 " T0 "\n" UP("1", T0),
          S("a", "") " 1 " T1 "\n" S("b", "") " stale " T1 "\n" UP("1", T1), S("a", "") " 1 " T2 "\n" UP("1", T2),
          S("a", "") " 1 " T3 "\n" S("b", "") " 3 " T3 "\n" UP("1", T3)},
         false},
        {"the whole target",
         "",
         {{"a 1\n", 0}, {NULL, 503}, {NULL, 500}, {"a 2\n", 0}},
         {S("a", "") " 1 " T0 "\n" UP("1", T0), S("a", "") " stale " T1 "\n" UP("0", T1), UP("0", T2),
          S("a", "") " 2 " T3 "\n" UP("1", T3)},
         false},
        {"not with timestamps of their own",
         "",
         {{"a 1 1767225599000\n", 0}, {"b 1\n", 0}},
         {S("a", "") " 1 1767225599000\n" UP("1", T0), S("b", "") " 1 " T1 "\n" UP("1", T1)},
         false},
        {"but when they are tracked",
         "track_timestamps_staleness = true",
         {{"a 1 1767225599000\n", 0}, {"b 1\n", 0}},
         {S("a", "") " 1 1767225599000\n" UP("1", T0),
          S("b", "") " 1 " T1 "\n" S("a", "") " stale " T1 "\n" UP("1", T1)},
         false},
    };

    (void)state;
    RUN(rows);
}

static void a_broken_scrape_counts_as_a_whole(void **state)
{
    static const struct row rows[] = {
        {"a bad line",
         "",
         {{"a 1\n", 0}, {"a 2\nb{ 1\n", 0}, {"a 3\n", 0}},
         {S("a", "") " 1 " T0 "\n" UP("1", T0), S("a", "") " stale " T1 "\n" UP("0", T1),
          S("a", "") " 3 " T2 "\n" UP("1", T2)},
         false},
        {"no EOF", "", {{"a 1\n", 0}}, {UP("0", T0)}, true},
        {"sample_limit",
         "sample_limit = 1",
         {{"a 1\nb 1\n", 0}, {"a 1\n", 0}},
         {UP("0", T0), S("a", "") " 1 " T1 "\n" UP("1", T1)},
         false},
        {"label_limit", "label_limit = 3", {{"a{x=\"y\"} 1\n", 0}}, {UP("0", T0)}, false},
        {"label_name_length_limit",
         "label_name_length_limit = 8",
         {{"a{longlabel=\"y\"} 1\n", 0}},
         {UP("0", T0)},
         false},
        {"label_value_length_limit", "label_value_length_limit = 4", {{"a{x=\"yyyyy\"} 1\n", 0}}, {UP("0", T0)}, false},
        {"body_size_limit", "body_size_limit = \"4B\"", {{"a 1\nb 1\n", 0}}, {UP("0", T0)}, false},
    };

    (void)state;
    RUN(rows);
}

static void doubles_and_late_ones_are_counted(void **state)
{
    static const struct answer answers[] = {{"a 1\na 2\nb 1 1767225599000\nb 1 1767225598000\n", 0},
                                            {"a 1\nb 1 1767225597000\n", 0}};
    const struct ledger *l;
    static char got[4096];

    (void)state;
    bench_begin(types);
    serve(answers, 2, false);
    assert_true(bench_load(config("", "")));
    bench_await_batches(2);
    block(bench_text(), 0, got, sizeof got);
    assert_string_equal(got, S("a", "") " 1 " T0 "\n" S("b", "") " 1 1767225599000\n" UP("1", T0));
    block(bench_text(), 1, got, sizeof got);
    assert_string_equal(got, S("a", "") " 1 " T1 "\n" UP("1", T1));
    l = runtime_ledger_of(bench.rt, "prometheus.scrape.s");
    assert_int_equal(atomic_load(&l->dropped[DROP_DUPLICATE]), 1);
    assert_true(atomic_load(&l->dropped[DROP_OUT_OF_ORDER]) >= 2);
    end();
}

static void the_report_says_what_was_scraped(void **state)
{
    static const struct answer answers[] = {{"a 1\na 2\nb 1\n", 0}, {"a 1\nb 1\nc 1\n", 0}};
    const char *want[] = {S("scrape_duration_seconds", "") " 1 " T0 "\n",
                          S("scrape_samples_scraped", "") " 3 " T0 "\n",
                          S("scrape_samples_post_metric_relabeling", "") " 2 " T0 "\n",
                          S("scrape_series_added", "") " 2 " T0 "\n",
                          S("scrape_series_added", "") " 1 " T1 "\n",
                          S("scrape_timeout_seconds", "") " 0.5 " T0 "\n",
                          S("scrape_sample_limit", "") " 50 " T0 "\n",
                          S("scrape_body_size_bytes", "") " 12 " T0 "\n"};

    (void)state;
    bench_begin(types);
    serve(answers, 2, false);
    assert_true(bench_load(config("", "extra_metrics = true\n sample_limit = 50")));
    bench_await_batches(2);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (strstr(bench_text(), want[i]) == NULL)
            fail_msg("no %s in\n%s", want[i], bench_text());
    end();
}

static void a_target_that_is_taken_away_ends_stale(void **state)
{
    static const struct answer answers[] = {{"a 1\n", 0}};
    static const char gone[] = "prometheus.scrape \"s\" {\n targets = []\n forward_to = [test.metrics.m.receiver]\n"
                               " scrape_interval = \"500ms\"\n scrape_timeout = \"500ms\"\n}\ntest.metrics \"m\" { }\n";

    (void)state;
    bench_begin(types);
    serve(answers, 1, false);
    assert_true(bench_load(config("", "")));
    bench_await_batches(2);
    assert_null(strstr(bench_text(), "stale"));
    assert_true(bench_load(gone));
    bench_settle();
    assert_non_null(strstr(bench_text(), S("a", "") " stale "));
    assert_non_null(strstr(bench_text(), S("up", "") " stale "));
    assert_non_null(strstr(bench_text(), S("scrape_series_added", "") " stale "));
    end();
}

static void parameters_reach_the_target(void **state)
{
    static const struct answer answers[] = {{"a 1\n", 0}};

    (void)state;
    bench_begin(types);
    serve(answers, 1, false);
    assert_true(bench_load(
        config(", __metrics_path__ = \"/m\", __param_fmt = \"own\", __param_x = \"a b\", __meta_y = \"n\", k = \"v\"",
               "params = {fmt = [\"prometheus\", \"second\"]}")));
    bench_await_batches(1);
    (void)pthread_mutex_lock(&server.lock);
    assert_string_equal(server.url, "/m?fmt=own&fmt=second&x=a b");
    assert_string_equal(server.header, "0.5");
    (void)pthread_mutex_unlock(&server.lock);
    assert_non_null(strstr(bench_text(), "{__name__=\"a\",instance=\"i\",job=\"j\",k=\"v\"} 1 "));
    end();
}

static void a_target_that_cannot_be_reached_is_down(void **state)
{
    (void)state;
    bench_begin(types);
    assert_true(bench_load(
        "prometheus.scrape \"s\" {\n targets = [{__address__ = \"127.0.0.1:1\"}]\n scrape_interval = \"500ms\"\n"
        " scrape_timeout = \"500ms\"\n forward_to = [test.metrics.m.receiver]\n}\ntest.metrics \"m\" { }\n"));
    bench_await_batches(2);
    assert_non_null(
        strstr(bench_text(), "{__name__=\"up\",instance=\"127.0.0.1:1\",job=\"prometheus.scrape.s\"} 0 " T0 "\n"));
    bench_end();
}

static void a_scrape_under_way_ends_with_the_agent(void **state)
{
    static const struct answer answers[] = {{"a 1\n", 0}, {NULL, -1}};
    const struct timespec pause = {.tv_nsec = 1000000};
    size_t n = 0;

    (void)state;
    bench_begin(types);
    serve(answers, 2, false);
    assert_true(bench_load(config("", "")));
    while (n < 2) { /* the second request is there, and waits */
        (void)nanosleep(&pause, NULL);
        (void)pthread_mutex_lock(&server.lock);
        n = server.next;
        (void)pthread_mutex_unlock(&server.lock);
    }
    end();
}

/* Series that come and go do not fill the table, also when each scrape breaks off; and a stop amid scrapes leaks
 * nothing. */
static void endless_new_series_are_let_go(void **state)
{
    static char bodies[40][8192];
    static struct answer answers[40];
    size_t before;

    (void)state;
    for (int i = 0; i < 40; i++) {
        size_t len = 0;

        for (int k = 0; k < 100; k++)
            len += (size_t)snprintf(bodies[i] + len, sizeof bodies[i] - len, "m{n=\"%d_%d\"} 1\n", i, k);
        (void)snprintf(bodies[i] + len, sizeof bodies[i] - len, "broken{\n");
        answers[i] = (struct answer){bodies[i], 0};
    }
    bench_begin(types);
    before = labels_interned_count();
    serve(answers, 40, false);
    assert_true(bench_load("prometheus.scrape \"s\" { targets = []\n forward_to = [] }\n"));
    {
        static char text[8192];

        (void)snprintf(
            text, sizeof text,
            "prometheus.scrape \"s\" {\n targets = [{__address__ = \"127.0.0.1:%u\"}]\n scrape_interval = \"30ms\"\n"
            " scrape_timeout = \"30ms\"\n forward_to = [test.metrics.m.receiver]\n}\ntest.metrics \"m\" { }\n",
            http_server_port(server.http));
        assert_true(bench_load(text));
    }
    bench_await_batches(40);
    bench_settle();
    assert_true(labels_interned_count() < before + 20 * 100);
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_get_the_targets_labels),
        cmocka_unit_test(what_is_gone_becomes_stale),
        cmocka_unit_test(a_broken_scrape_counts_as_a_whole),
        cmocka_unit_test(doubles_and_late_ones_are_counted),
        cmocka_unit_test(the_report_says_what_was_scraped),
        cmocka_unit_test(a_target_that_is_taken_away_ends_stale),
        cmocka_unit_test(parameters_reach_the_target),
        cmocka_unit_test(a_target_that_cannot_be_reached_is_down),
        cmocka_unit_test(a_scrape_under_way_ends_with_the_agent),
        cmocka_unit_test(endless_new_series_are_let_go),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
