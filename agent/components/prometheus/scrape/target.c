/* One target on its loop: the timer, the request, the report. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/prometheus/scrape/scrape.h"
#include <pthread.h>
#include <stdio.h>

enum { METADATA_EVERY_MS = 60000, INTERNAL_BODY_BYTES = 64 * 1024 * 1024, SWEEP_EVERY = 16 };

struct target {
    struct scraper *scraper;
    struct loop *loop;
    struct target_spec spec;
    struct settings *settings; /* owned reference */
    struct table table;
    struct timer *timer;
    uint32_t number; /* of the scrape that runs or ran last; the first is 2, so that "the one before" is never 0 */
    int64_t last_metadata_ms, next_ms;
    bool was_up, has_reported;

    /* the scrape under way */
    struct http_transfer *transfer;
    struct transaction tx;
    struct settings *tx_settings; /* owned reference */
    struct arena tx_arena;
    struct error tx_err;
    int64_t started_ns, scrape_ms;
    bool is_open; /* tx is */

    pthread_mutex_t state_lock;
    struct target_state state;

    loop_fn done;
    void *done_arg;
    bool is_gone;
};

struct target *target_new(struct scraper *scraper, struct loop *loop, struct target_spec *take_spec,
                          struct settings *settings)
{
    struct target *t = mem_zalloc(sizeof *t);

    t->scraper = scraper;
    t->loop = loop;
    t->spec = *take_spec;
    *take_spec = (struct target_spec){0};
    t->settings = settings_ref(settings);
    t->number = 1;
    table_init(&t->table);
    (void)pthread_mutex_init(&t->state_lock, NULL);
    return t;
}

uint64_t target_key(const struct target *t)
{
    return t->spec.key;
}

const struct target_spec *target_spec(const struct target *t)
{
    return &t->spec;
}

void target_state(struct target *t, struct target_state *out)
{
    (void)pthread_mutex_lock(&t->state_lock);
    *out = t->state;
    (void)pthread_mutex_unlock(&t->state_lock);
}

static int64_t wall_ms(const struct target *t)
{
    return clock_wall_ns(host_clock(t->scraper->host)) / NS_PER_MS;
}

static void note_state(struct target *t, bool is_ok, double seconds, const char *text)
{
    (void)pthread_mutex_lock(&t->state_lock);
    t->state = (struct target_state){
        .is_up = is_ok, .last_ms = t->scrape_ms, .duration_ms = (int64_t)(seconds * 1000), .samples = t->tx.n_scraped};
    (void)snprintf(t->state.error, sizeof t->state.error, "%.190s", is_ok ? "" : text);
    (void)pthread_mutex_unlock(&t->state_lock);
}

/* A target that is down is normal (profiles that are not started): said once when it goes down and once when it is
 * back. */
static void say_change(struct target *t, bool is_ok, const char *text)
{
    if (t->has_reported && t->was_up == is_ok)
        return;
    if (!is_ok)
        log_warn(host_id(t->scraper->host), "a target cannot be scraped: up is 0 until it can",
                 log_str("target", t->spec.url), log_str("err", text));
    else if (t->has_reported)
        log_info(host_id(t->scraper->host), "a target can be scraped again", log_str("target", t->spec.url));
    t->was_up = is_ok;
    t->has_reported = true;
}

static void push_report(struct target *t, bool is_ok, double seconds)
{
    struct transaction *tx = &t->tx;
    const struct settings *s = t->tx_settings;
    uint64_t kept = tx->n_scraped - tx->n_duplicate - tx->n_out_of_order;
    const struct {
        const char *name;
        double value;
        bool is_wanted;
    } rows[] = {
        {"up", is_ok ? 1 : 0, true},
        {"scrape_duration_seconds", seconds, true},
        {"scrape_samples_scraped", is_ok ? (double)tx->n_scraped : 0, true},
        {"scrape_samples_post_metric_relabeling", is_ok ? (double)kept : 0, true},
        {"scrape_series_added", is_ok ? (double)tx->n_added : 0, true},
        {"scrape_timeout_seconds", (double)t->spec.timeout_ms / 1000, s->extra_metrics},
        {"scrape_sample_limit", (double)s->sample_limit, s->extra_metrics},
        {"scrape_body_size_bytes", is_ok ? (double)tx->plain_bytes : -1, s->extra_metrics},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].is_wanted && transaction_report(tx, rows[i].name, rows[i].value) != OK)
            log_error(host_id(t->scraper->host), "no memory for a target's report", log_str("target", t->spec.url),
                      log_str("series", rows[i].name));
}

static void push_batch(struct target *t, struct sample_batch *b)
{
    struct ledger *ledger = host_ledger(t->scraper->host);

    if (b->n != 0 && batch_span(&b->base, NULL, b->n) != OK) {
        ledger_created(ledger, b->n);
        ledger_dropped(ledger, DROP_MEMORY, b->n);
        batch_unref(&b->base);
        return;
    }
    ledger_created(ledger, b->n);
    metric_add(t->scraper->forwarded, b->n);
    fanout_push_metrics(t->scraper->to, b);
}

/* What was read and did not come through is counted: created and dropped. */
static void count_losses(struct target *t, bool is_ok)
{
    struct ledger *ledger = host_ledger(t->scraper->host);
    struct transaction *tx = &t->tx;

    metric_add(t->scraper->out_of_order, (double)tx->n_out_of_order);
    metric_add(t->scraper->duplicates, (double)tx->n_duplicate);
    if (is_ok) {
        ledger_created(ledger, tx->n_duplicate + tx->n_out_of_order);
        ledger_dropped(ledger, DROP_DUPLICATE, tx->n_duplicate);
        ledger_dropped(ledger, DROP_OUT_OF_ORDER, tx->n_out_of_order);
    } else {
        ledger_created(ledger, tx->n_scraped);
        ledger_dropped(ledger, DROP_SCRAPE_FAILED, tx->n_scraped);
    }
}

/* The body is over or broken: commit or abort, report, push. */
static void finish(struct target *t, bool is_whole, const char *text)
{
    double seconds = (double)(clock_mono_ns(host_clock(t->scraper->host)) - t->started_ns) / NS_PER_S;
    struct error err = {0};
    bool is_ok = is_whole && transaction_commit(&t->tx, &err) == OK;

    if (is_ok) {
        if (t->tx.with_metadata)
            t->last_metadata_ms = t->scrape_ms;
    } else {
        transaction_abort(&t->tx);
        metric_inc(t->scraper->failed);
        if (is_whole)
            text = err.text;
    }
    count_losses(t, is_ok);
    push_report(t, is_ok, seconds);
    say_change(t, is_ok, text);
    note_state(t, is_ok, seconds, text);
    push_batch(t, transaction_end(&t->tx));
    t->is_open = false;
    if (t->number % SWEEP_EVERY == 0) /* after failures, too: a body that breaks off may bring new series each time */
        table_sweep(&t->table, t->number > SWEEP_EVERY ? t->number - SWEEP_EVERY : 1);
    arena_release(&t->tx_arena);
    settings_unref(t->tx_settings);
    t->tx_settings = NULL;
}

/* The format is known only when the head of the answer is: the transaction begins with it. */
static bool open_transaction(struct target *t, enum exposition_format format)
{
    bool with_metadata = t->last_metadata_ms == 0 || t->scrape_ms - t->last_metadata_ms >= METADATA_EVERY_MS;

    if (transaction_begin(&t->tx, &t->table, t->tx_settings, t->spec.labels, t->number, t->scrape_ms, with_metadata,
                          format) != OK)
        return false;
    t->tx.id = host_id(t->scraper->host);
    t->is_open = true;
    return true;
}

static enum http_flow on_head(void *arg, const struct http_result *head)
{
    struct target *t = arg;

    if (head->status != 200) {
        (void)error_set(&t->tx_err, IO, "the target answered with HTTP status %d", head->status);
        return HTTP_STOP;
    }
    if (!open_transaction(t, exposition_format_of(http_result_header(head, "content-type")))) {
        (void)error_set(&t->tx_err, NOMEM, "out of memory");
        return HTTP_STOP;
    }
    return HTTP_CONTINUE;
}

static enum http_flow on_body(void *arg, struct slice chunk)
{
    struct target *t = arg;

    return transaction_feed(&t->tx, chunk, &t->tx_err) == OK ? HTTP_CONTINUE : HTTP_STOP;
}

static void finish_without_body(struct target *t, bool is_whole, const char *text)
{
    if (!t->is_open && !open_transaction(t, EXPOSITION_PROMETHEUS)) {
        log_error(host_id(t->scraper->host), "no memory to report a failed scrape", log_str("target", t->spec.url));
        metric_inc(t->scraper->failed);
        arena_release(&t->tx_arena);
        settings_unref(t->tx_settings);
        t->tx_settings = NULL;
        return;
    }
    finish(t, is_whole, text);
}

static void on_done(void *arg, const struct http_result *r)
{
    struct target *t = arg;
    char text[256];

    t->transfer = NULL;
    if (r->outcome == HTTP_TOO_LARGE)
        (void)snprintf(text, sizeof text, "body_size_limit exceeded");
    else if (t->tx_err.text[0] != '\0')
        (void)snprintf(text, sizeof text, "%.250s", t->tx_err.text);
    else
        (void)snprintf(text, sizeof text, "%.*s", (int)(r->error.len < 250 ? r->error.len : 250),
                       r->error.len != 0 ? r->error.ptr : "");
    finish_without_body(t, r->outcome == HTTP_ANSWERED && t->is_open, text);
}

static void scrape_internal(struct target *t)
{
    struct buf body;
    struct error err = {0};
    bool is_ok;

    buf_init(&body, INTERNAL_BODY_BYTES);
    is_ok = host_scrape_internal(t->scraper->host, slice_str(t->spec.internal_path), &body, &err) == OK &&
            open_transaction(t, EXPOSITION_PROMETHEUS) && transaction_feed(&t->tx, buf_slice(&body), &err) == OK;
    buf_release(&body);
    finish_without_body(t, is_ok, err.text);
}

static void scrape_http(struct target *t)
{
    const char *seconds = arena_printf(&t->tx_arena, "%g", (double)t->spec.timeout_ms / 1000);
    struct http_header headers[] = {
        {.name = SLICE_LIT("Accept"), .value = slice_str(t->tx_settings->accept)},
        {.name = SLICE_LIT("X-Prometheus-Scrape-Timeout-Seconds"), .value = slice_str(seconds)},
    };
    struct http_request r = {
        .url = slice_str(t->spec.url),
        .headers = headers,
        .n_headers = 2,
        .accept_gzip = t->tx_settings->enable_compression,
        .timeout_ms = (uint64_t)t->spec.timeout_ms,
        .connect_timeout_ms = (uint64_t)t->spec.timeout_ms,
        .max_response_bytes =
            t->tx_settings->body_size_limit != 0 ? t->tx_settings->body_size_limit : LIMIT_SCRAPE_BYTES,
        .arg = t,
        .on_head = on_head,
        .on_body = on_body,
        .done = on_done,
    };
    struct error err = {0};

    if (http_auth_apply(t->tx_settings->auth, &r, &t->tx_arena, &err) != OK) {
        finish_without_body(t, false, err.text);
        return;
    }
    t->transfer = http_request_start(host_http(t->scraper->host, t->loop), &r);
}

static void schedule(struct target *t)
{
    int64_t now = loop_now_ms(t->loop);

    t->next_ms += t->spec.interval_ms;
    if (t->next_ms <= now) /* the loop was late by more than an interval: go on from here, in step */
        t->next_ms = now + t->spec.interval_ms - (now - t->next_ms) % t->spec.interval_ms;
    timer_start(t->timer, (uint64_t)(t->next_ms - now), 0);
}

static void on_timer(void *arg)
{
    struct target *t = arg;

    schedule(t);
    if (t->transfer != NULL)
        return; /* cannot be: the timeout is at most the interval; then this scrape is left out */
    if (admission_ask(t->scraper->admission, 0) != ADMIT) {
        metric_inc(t->scraper->skipped);
        return;
    }
    metric_inc(t->scraper->scrapes);
    t->number++;
    t->started_ns = clock_mono_ns(host_clock(t->scraper->host));
    t->scrape_ms = wall_ms(t);
    t->tx_err = (struct error){0};
    t->tx_settings = settings_ref(t->settings);
    arena_init(&t->tx_arena, 1024 * 1024);
    if (t->spec.internal_path != NULL)
        scrape_internal(t);
    else
        scrape_http(t);
}

/* --- from the control loop ---------------------------------------------------------------------------------------- */

static void start_on_loop(void *arg)
{
    struct target *t = arg;
    int64_t now = loop_now_ms(t->loop);

    t->timer = timer_new(t->loop, on_timer, t);
    /* spread over the interval by the target's hash, so that a thousand targets are not asked in one moment */
    t->next_ms = now + (int64_t)(t->spec.key % (uint64_t)t->spec.interval_ms) % t->spec.interval_ms;
    timer_start(t->timer, (uint64_t)(t->next_ms - now), 0);
}

void target_start(struct target *t)
{
    loop_post(t->loop, start_on_loop, t);
}

struct change {
    struct target *target;
    struct settings *settings; /* reference moves */
};

static void change_on_loop(void *arg)
{
    struct change *change = arg;
    struct settings *old = change->target->settings;

    change->target->settings = change->settings;
    settings_unref(old);
    mem_free(change);
}

void target_set(struct target *t, struct settings *settings)
{
    struct change *change = mem_zalloc(sizeof *change);

    change->target = t;
    change->settings = settings_ref(settings);
    loop_post(t->loop, change_on_loop, change);
}

/* The target is gone for good: staleness markers for its series and for what was reported of it. */
static void push_end(struct target *t)
{
    static const char *const reports[] = {"up",
                                          "scrape_duration_seconds",
                                          "scrape_samples_scraped",
                                          "scrape_samples_post_metric_relabeling",
                                          "scrape_series_added",
                                          "scrape_timeout_seconds",
                                          "scrape_sample_limit",
                                          "scrape_body_size_bytes"};
    enum { BASIC_REPORTS = 5 };
    uint64_t bits = STALE_NAN_BITS;
    double stale;

    memcpy(&stale, &bits, sizeof stale);
    t->number++;
    t->scrape_ms = wall_ms(t);
    t->tx_settings = settings_ref(t->settings);
    if (open_transaction(t, EXPOSITION_PROMETHEUS)) {
        transaction_abort(&t->tx);
        for (size_t i = 0; i < (t->settings->extra_metrics ? sizeof reports / sizeof *reports : BASIC_REPORTS); i++)
            if (transaction_report(&t->tx, reports[i], stale) != OK)
                break; /* no memory: the series end by themselves after five minutes */
        push_batch(t, transaction_end(&t->tx));
    }
    settings_unref(t->tx_settings);
}

static void free_target(void *arg)
{
    struct target *t = arg;
    loop_fn done = t->done;
    void *done_arg = t->done_arg;

    target_spec_release(&t->spec);
    (void)pthread_mutex_destroy(&t->state_lock);
    mem_free(t);
    done(done_arg);
}

static void stop_on_loop(void *arg)
{
    struct target *t = arg;

    if (t->transfer != NULL)
        http_request_cancel(t->transfer);
    if (t->is_open)
        batch_unref(&transaction_end(&t->tx)->base);
    if (t->tx_settings != NULL) {
        arena_release(&t->tx_arena);
        settings_unref(t->tx_settings);
        t->tx_settings = NULL;
    }
    t->is_open = false;
    if (t->is_gone && t->has_reported)
        push_end(t);
    timer_free(t->timer);
    table_release(&t->table);
    settings_unref(t->settings);
    loop_post(loops_control(host_loops(t->scraper->host)), free_target, t);
}

void target_discard(struct target *t)
{
    target_spec_release(&t->spec);
    settings_unref(t->settings);
    (void)pthread_mutex_destroy(&t->state_lock);
    mem_free(t);
}

void target_stop(struct target *t, bool is_gone, loop_fn done, void *arg)
{
    t->is_gone = is_gone;
    t->done = done;
    t->done_arg = arg;
    loop_post(t->loop, stop_on_loop, t);
}
