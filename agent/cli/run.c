/* hyagent run: sets up loops, storage and the admin server, loads the configuration, and ends in order. */
#include "agent/base/budget.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/cli/commands.h"
#include "agent/cli/config_watch.h"
#include "agent/cli/registry.h"
#include "agent/cli/run_args.h"
#include "agent/cli/storage.h"
#include "agent/cli/tap.h"
#include "agent/delivery/positions.h"
#include "agent/io/http_client.h"
#include "agent/io/signals.h"
#include "agent/ui/admin.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FLUSH_MS = 5000, STOP_MARGIN_MS = 500, MAX_ALLOWED_HOSTS = 64, MOST_DESCRIPTORS = 1 << 20 };

struct run {
    struct run_args args;
    struct storage storage;
    struct loops *loops;
    struct signals *signals;
    struct metrics *metrics;
    struct positions *positions;
    struct position_writer *writer;
    struct http_client **http; /* one per loop, the control loop's last */
    struct runtime *runtime;
    struct admin *admin;
    struct admin_link admin_link; /* zeroed while there is no admin server */
    char **argv;
    struct timer *tap_timer;
    struct config_watch *config_watch; /* --config.watch, else NULL */
    char *hosts_text;
    const char *hosts[MAX_ALLOWED_HOSTS + 1];
    unsigned n_loads;
    bool is_stopping;
    int exit_code;
};

struct http_step {
    struct run *run;
    struct loop *loop;
};

static unsigned n_loops(const struct run *r)
{
    return loops_count(r->loops) + 1;
}

static struct loop *loop_at(struct run *r, unsigned i)
{
    return i + 1 == n_loops(r) ? loops_control(r->loops) : loops_worker(r->loops, i);
}

static void make_client(void *arg)
{
    struct http_step *step = arg;
    struct error err = {0};

    if (http_client_new(&step->run->http[loop_index(step->loop)], step->loop, &err) != OK) {
        log_error(NULL, "no HTTP client can be made", log_str("error", err.text));
        _exit(EXIT_FAILED);
    }
    mem_free(step);
}

static void free_client(void *arg)
{
    struct http_step *step = arg;

    http_client_free(step->run->http[loop_index(step->loop)]);
    step->run->http[loop_index(step->loop)] = NULL;
    mem_free(step);
}

/* An HTTP client belongs to its loop: made and freed there. */
static void on_every_loop(struct run *r, loop_fn fn)
{
    for (unsigned i = 0; i < n_loops(r); i++) {
        struct http_step *step = mem_zalloc(sizeof *step);

        *step = (struct http_step){.run = r, .loop = loop_at(r, i)};
        if (i + 1 == n_loops(r))
            fn(step);
        else
            loop_post(step->loop, fn, step);
    }
}

static void notify(const char *state)
{
    struct error err = {0};

    if (sd_notify_send(state, &err) != OK)
        log_warn(NULL, "the service manager cannot be told", log_str("error", err.text));
}

/* --- the end --- */

static void clients_freed(void *arg)
{
    struct run *r = arg;

    loops_stop(r->loops);
}

static void stopped(void *arg)
{
    struct run *r = arg;

    tap_stop();
    timer_free(r->tap_timer);
    r->tap_timer = NULL;
    config_watch_free(r->config_watch);
    r->config_watch = NULL;
    if (!runtime_is_clean(r->runtime)) { /* something hangs: no more waiting */
        position_writer_free(r->writer);
        log_flush();
        _exit(r->exit_code);
    }
    r->admin_link = (struct admin_link){0};
    admin_free(r->admin); /* answered until here */
    r->admin = NULL;
    on_every_loop(r, free_client);
    loops_barrier(r->loops, clients_freed, r);
}

static void stop(struct run *r)
{
    int64_t timeout_ms = r->args.shutdown_timeout_ns / NS_PER_MS - STOP_MARGIN_MS;

    if (r->is_stopping)
        return;
    r->is_stopping = true;
    notify("STOPPING=1");
    log_info(NULL, "shutting down");
    runtime_stop(r->runtime, timeout_ms < FLUSH_MS ? timeout_ms : FLUSH_MS, timeout_ms, stopped, r);
}

/* --- loads --- */

/* Somebody asked for each of these loads and wants to know: the number makes each a cause of its own, never left out.
 */
static void log_failure(struct run *r, const struct diags *diags)
{
    char message[96];
    struct buf errors;

    buf_init(&errors, LIMIT_LOG_FIELD_BYTES);
    for (size_t i = 0; i < diags->n; i++) {
        if (diags->items[i].severity != SEVERITY_ERROR)
            continue;
        buf_add_str(&errors, errors.len > 0 ? "; " : "");
        diag_print_line(&errors, &diags->items[i]);
    }
    snprintf(message, sizeof message, "reload %u failed, the old configuration goes on", r->n_loads);
    log_error(NULL, message, log_slice("error", buf_slice(&errors)));
    buf_release(&errors);
}

static void watch_file(void *ctx, const struct config_file *file)
{
    struct run *r = ctx;

    if (strcmp(file->path, "-") != 0 && !config_watch_add(r->config_watch, file->path))
        log_warn(NULL, "too many files to watch: a change of this one is not seen", log_str("path", file->path),
                 log_int("limit", LIMIT_CONFIG_FILES));
}

static void log_load(void *ctx, const struct load_result *result)
{
    struct run *r = ctx;

    r->n_loads++;
    if (result->is_ok) {
        if (r->config_watch != NULL)
            runtime_each_config_file(r->runtime, watch_file, r);
        log_info(NULL, "configuration loaded", log_int("components", (int64_t)result->n_components),
                 log_int("added", (int64_t)result->n_added), log_int("updated", (int64_t)result->n_updated),
                 log_int("replaced", (int64_t)result->n_replaced), log_int("removed", (int64_t)result->n_removed));
        return;
    }
    log_failure(r, result->diags);
}

static void reloaded(void *ctx, const struct load_result *result)
{
    log_load(ctx, result);
    notify("READY=1");
}

static void reload(struct run *r)
{
    char state[96];

    if (r->is_stopping)
        return;
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)(clock_mono_ns(clock_system()) / 1000));
    notify(state);
    log_info(NULL, "loading the configuration again");
    runtime_load_path(r->runtime, r->args.config, reloaded, r);
}

static void config_changed(void *arg)
{
    log_info(NULL, "a file of the configuration changed");
    reload(arg);
}

static void start_config_watch(struct run *r)
{
    if (!r->args.is_config_watched)
        return;
    r->config_watch = config_watch_new(loops_control(r->loops), config_changed, r);
    (void)config_watch_add(r->config_watch, r->args.config); /* the first always has room */
}

static void first_loaded(void *ctx, const struct load_result *result)
{
    struct run *r = ctx;

    print_diags(result->diags, false);
    if (!result->is_ok) {
        r->exit_code = EXIT_FAILED;
        stop(r);
        return;
    }
    log_load(ctx, result);
    notify("READY=1");
}

static void on_signal(void *arg, int signum)
{
    struct run *r = arg;

    if (signum == SIGHUP) {
        reload(r);
        return;
    }
    if (r->is_stopping)
        _exit(EXIT_SECOND_SIGNAL);
    stop(r);
}

/* --- the start --- */

static void saw_all(void *arg)
{
    struct run *r = arg;

    if (r->args.tap_until_all_ns != 0) {
        log_info(NULL, "logs, metrics and traces have all been seen");
        stop(r);
    }
}

static void saw_not_all(void *arg)
{
    struct run *r = arg;

    log_error(NULL, "not all of logs, metrics and traces were seen in time");
    r->exit_code = EXIT_FAILED;
    stop(r);
}

static void start_tap(struct run *r)
{
    const char *no_color = getenv("NO_COLOR");
    bool is_coloured = isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0');

    if (!r->args.has_tap && r->args.tap_until_all_ns == 0)
        return;
    tap_start(r->loops, is_coloured, saw_all, r);
    if (r->args.tap_until_all_ns == 0)
        return;
    r->tap_timer = timer_new(loops_control(r->loops), saw_not_all, r);
    timer_start(r->tap_timer, (uint64_t)(r->args.tap_until_all_ns / NS_PER_MS), 0);
}

static void start_admin(struct run *r)
{
    struct admin_options options = {.listen = slice_str(r->args.listen_addr),
                                    .path_prefix = slice_str(r->args.path_prefix),
                                    .hosts = r->hosts,
                                    .note = r->storage.note,
                                    .config_path = r->args.config,
                                    .flags = (const char *const *)r->argv,
                                    .is_support_disabled = r->args.disable_support_bundle,
                                    .runtime = r->runtime,
                                    .loops = r->loops,
                                    .on_loaded = log_load,
                                    .ctx = r};
    struct error err = {0};

    if (admin_start(&r->admin, &options, &err) != OK) {
        log_error(NULL, "the admin server cannot listen, the rest goes on without it", log_str("error", err.text),
                  log_str("do", "free the port or give another --server.http.listen-addr"));
        return;
    }
    r->admin_link = admin_link(r->admin);
    log_info(NULL, "admin server listens", log_str("address", r->args.listen_addr),
             log_int("port", admin_port(r->admin)));
}

static void clients_made(void *arg)
{
    struct run *r = arg;
    size_t limit = budget_limit();
    struct runtime_options options = {.types = registry,
                                      .stability = (enum stability)r->args.stability,
                                      .loops = r->loops,
                                      .metrics = r->metrics,
                                      .clock = clock_system(),
                                      .storage_path = r->storage.path,
                                      .listen_addr = r->args.listen_addr,
                                      .memory_addr = r->args.memory_addr,
                                      .positions = r->positions,
                                      .http = r->http,
                                      .admin = &r->admin_link,
                                      .queue_bytes = limit / 2};

    r->runtime = runtime_new(&options);
    start_admin(r);
    start_tap(r);
    start_config_watch(r);
    runtime_load_path(r->runtime, r->args.config, first_loaded, r);
}

static void boot(void *arg)
{
    struct run *r = arg;

    on_every_loop(r, make_client);
    loops_barrier(r->loops, clients_made, r);
}

static void split_hosts(struct run *r)
{
    char *at = r->args.allowed_hosts == NULL ? NULL : mem_strdup(r->args.allowed_hosts);
    size_t n = 0;

    r->hosts_text = at;
    while (at != NULL && n < MAX_ALLOWED_HOSTS) {
        char *comma = strchr(at, ',');

        if (comma != NULL)
            *comma = '\0';
        if (*at != '\0')
            r->hosts[n++] = at;
        at = comma == NULL ? NULL : comma + 1;
    }
}

/* As many descriptors as we may have: gRPC's listener does not come back from running out of them (docs/security.md).
 */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max < MOST_DESCRIPTORS ? limit.rlim_max : MOST_DESCRIPTORS;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* refused: the old limit stays */
}

static enum code open_all(struct run *r, struct error *err)
{
    char *storage_path = mem_strdup(r->args.storage_path);
    size_t len = strlen(storage_path);
    enum code rc;

    while (len > 1 && storage_path[len - 1] == '/')
        storage_path[--len] = '\0';
    r->args.storage_path = storage_path;
    raise_descriptor_limit();
    budget_set_limit(r->args.memory_limit != 0 ? r->args.memory_limit : budget_detect_limit());
    rc = storage_open(&r->storage, storage_path, err);
    if (rc == OK)
        rc = loops_new(&r->loops, (unsigned)r->args.threads, err);
    if (rc != OK)
        return rc;
    r->metrics = metrics_new();
    r->positions = positions_new(clock_system());
    r->writer = position_writer_new(r->positions);
    r->http = mem_array(n_loops(r), sizeof(struct http_client *));
    return signals_new(&r->signals, r->loops, on_signal, r, err);
}

static void close_all(struct run *r)
{
    union {
        const char *borrowed;
        char *owned;
    } storage_path = {.borrowed = r->args.storage_path};

    signals_free(r->signals);
    loops_free(r->loops);
    runtime_free(r->runtime);
    position_writer_free(r->writer);
    positions_free(r->positions);
    metrics_free(r->metrics);
    storage_close(&r->storage);
    mem_free(r->http);
    mem_free(r->hosts_text);
    mem_free(storage_path.owned);
    log_flush();
    log_keep(0);
}

int command_run(const char *program, int argc, char **argv)
{
    struct run r = {0};
    struct error err = {0};

    if (run_args_parse(&r.args, program, argc, argv, &err) != OK)
        return usage_error("run: %s", err.text);
    if (r.args.is_help) {
        puts("Usage: hyagent run FILE|DIR [flags]\n");
        flags_print(run_flags, stdout);
        return EXIT_OK;
    }
    r.argv = argv;
    log_keep(LIMIT_LOG_KEPT_BYTES);
    split_hosts(&r);
    if (open_all(&r, &err) != OK) {
        log_error(NULL, "cannot start", log_str("error", err.text));
        r.exit_code = EXIT_FAILED;
    } else {
        loop_post(loops_control(r.loops), boot, &r);
        loops_run(r.loops);
    }
    close_all(&r);
    return r.exit_code;
}
