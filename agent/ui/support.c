#include "agent/ui/support.h"
#include "agent/base/budget.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/zip.h"
#include "agent/river/eval.h"
#include "agent/text/json.h"
#include "agent/ui/redact.h"
#include <inttypes.h>
#include <stdlib.h>
#include <sys/utsname.h>

static const char folder[] = "hyagent-support-bundle/";

struct bundle {
    const struct support_options *options;
    struct redactor *redactor;
    struct zip *zip;
    int64_t now_s;
    unsigned n_sources;
    enum code rc;
    struct error *err;
    size_t size; /* unpacked, so far */
};

enum text_kind { TEXT_FREE, TEXT_DATA };

/* Everything passes here: what the tables did not mask is masked by value, free text by its looks too. */
static void add(struct bundle *b, const char *name, struct slice text, enum text_kind kind)
{
    struct buf masked;
    char *path;

    if (b->rc != OK)
        return;
    b->size += text.len;
    if (b->size > LIMIT_SUPPORT_BYTES) {
        b->rc = error_set(b->err, FULL, "the support bundle would be larger than %u MiB",
                          LIMIT_SUPPORT_BYTES / (1024 * 1024));
        return;
    }
    buf_init(&masked, 2 * (size_t)LIMIT_SUPPORT_BYTES);
    if (kind == TEXT_FREE)
        redact(b->redactor, text, &masked);
    else
        redact_known(b->redactor, text, &masked);
    path = mem_printf("%s%s", folder, name);
    b->rc = masked.is_full ? error_set(b->err, FULL, "%s is too large", name)
                           : zip_add(b->zip, path, b->now_s, buf_slice(&masked), b->err);
    mem_free(path);
    buf_release(&masked);
}

static void add_buf(struct bundle *b, const char *name, struct buf *take, enum text_kind kind)
{
    if (take->is_full)
        b->rc = b->rc != OK ? b->rc : error_set(b->err, FULL, "%s is too large", name);
    else
        add(b, name, buf_slice(take), kind);
    buf_release(take);
}

static void add_metadata(struct bundle *b)
{
    struct utsname system = {0};
    struct buf text;
    char when[32];

    (void)uname(&system);
    clock_format_rfc3339(b->now_s * NS_PER_S, when);
    buf_init(&text, LIMIT_CONFIG_FILE_BYTES);
    buf_printf(&text, "build_version: v%s\nos: %s\narchitecture: %s\nkernel: %s %s\ntaken_at: %s\n", HYAGENT_VERSION,
               river_host_system()->os, river_host_system()->arch, system.sysname, system.release, when);
    buf_printf(&text, "compiler: %s\nmemory_limit_bytes: %zu\nready: %s\nlive_debugging: %s\n", __VERSION__,
               budget_limit(), runtime_is_ready(b->options->runtime) ? "true" : "false",
               runtime_is_live_debugging_on(b->options->runtime) ? "true" : "false");
    add_buf(b, "metadata.yaml", &text, TEXT_DATA);
}

static void add_flags(struct bundle *b)
{
    struct buf text;

    buf_init(&text, LIMIT_CONFIG_FILE_BYTES);
    for (size_t i = 0; b->options->flags != NULL && b->options->flags[i] != NULL; i++)
        buf_printf(&text, "%s\n", b->options->flags[i]);
    add_buf(b, "runtime-flags.txt", &text, TEXT_FREE);
}

static void add_environment(struct bundle *b)
{
    static const char *const names[] = {
        "HOSTNAME", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY",   "https_proxy",
        "NO_PROXY", "no_proxy",   "TZ",         "HYAGENT_TRACE", "HYAGENT_MEMORY_LIMIT"};
    struct buf text;

    buf_init(&text, LIMIT_CONFIG_FILE_BYTES);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);

        buf_printf(&text, "%s=%s\n", names[i], value != NULL ? value : "");
    }
    add_buf(b, "environment.txt", &text, TEXT_FREE);
}

static void add_source(void *ctx, struct slice name, struct slice text)
{
    struct bundle *b = ctx;
    size_t at = name.len;
    char *path;

    while (at > 0 && name.ptr[at - 1] != '/')
        at--;
    b->n_sources++; /* two files of one name in two folders */
    path = mem_printf("sources/%02u-%.*s", b->n_sources, SLICE_ARG(slice_from(name, at)));
    add(b, path, text, TEXT_FREE);
    mem_free(path);
}

static void add_component(void *ctx, const struct component_row *row)
{
    struct buf *ids = ctx;

    buf_add_str(ids, row->id);
    buf_add_char(ids, '\0');
}

/* As the API shows them, with arguments, exports and what they say of themselves. */
static void add_components(struct bundle *b)
{
    struct runtime *rt = b->options->runtime;
    struct buf ids, json;

    buf_init(&ids, LIMIT_CONFIG_STRING_BYTES);
    buf_init(&json, LIMIT_SUPPORT_BYTES);
    runtime_each_component(rt, add_component, &ids);
    buf_add_char(&json, '[');
    for (size_t at = 0; at < ids.len; at += strlen(ids.ptr + at) + 1) {
        size_t before = json.len;

        if (before > 1)
            buf_add_str(&json, ",\n");
        if (!runtime_write_component(rt, slice_str(ids.ptr + at), &json))
            json.len = before; /* gone meanwhile */
    }
    buf_add_str(&json, "]\n");
    buf_release(&ids);
    add_buf(b, "components.json", &json, TEXT_DATA);
}

static void add_ledgers(struct bundle *b)
{
    int64_t difference, held;
    struct buf text;

    runtime_ledger_totals(b->options->runtime, &difference, &held);
    buf_init(&text, LIMIT_METRICS_PAGE_BYTES);
    buf_printf(&text,
               "sum of all differences: %" PRId64 " (what is in transit may show here)\nheld: %" PRId64
               "\nThe accounts themselves are in metrics.txt: hyagent_component_items_*, hyagent_endpoint_*.\n",
               difference, held);
    add_buf(b, "ledger.txt", &text, TEXT_DATA);
}

static void add_all(struct bundle *b)
{
    struct runtime *rt = b->options->runtime;
    struct buf text;

    add_metadata(b);
    add_flags(b);
    add_environment(b);
    runtime_each_source(rt, add_source, b);
    add_components(b);
    buf_init(&text, LIMIT_SUPPORT_BYTES);
    runtime_write_graph(rt, &text);
    add_buf(b, "graph.json", &text, TEXT_DATA);
    buf_init(&text, LIMIT_METRICS_PAGE_BYTES);
    runtime_write_metrics(rt, &text);
    add_buf(b, "metrics.txt", &text, TEXT_DATA);
    add_ledgers(b);
    buf_init(&text, 2 * (size_t)LIMIT_LOG_KEPT_BYTES);
    log_write_kept(&text);
    add_buf(b, "logs.txt", &text, TEXT_FREE);
}

enum code support_write(const struct support_options *options, struct buf *out, struct error *err)
{
    struct bundle b = {.options = options, .now_s = clock_wall_ns(clock_system()) / NS_PER_S, .err = err};

    b.rc = zip_new(&b.zip, out, err);
    if (b.rc != OK)
        return b.rc;
    b.redactor = redactor_new(options->runtime);
    add_all(&b);
    redactor_free(b.redactor);
    if (b.rc != OK)
        (void)!zip_close(b.zip, NULL);
    else
        b.rc = zip_close(b.zip, err);
    return b.rc;
}
