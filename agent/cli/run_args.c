#include "agent/cli/run_args.h"
#include "agent/base/clock.h"
#include "agent/river/schema.h"
#include <stdlib.h>

enum { MAX_THREADS = 256 };

#define AT(member) offsetof(struct run_args, member)

static const char no_cluster[] = "hyagent has no clustering yet: every agent scrapes all its targets";
static const char needs_cluster[] = "it only matters with --cluster.enabled, which is refused";
static const char no_conversion[] = "only Alloy's language is read, nothing is converted";
static const char *const stability_words[] = {"generally-available", "public-preview", "experimental", NULL};

const struct flag run_flags[] = {
    {"config", 0, FLAG_STRING, AT(config), "FILE", "the configuration: a file, or a folder of *.river and *.alloy",
     NULL},
    {"server.http.listen-addr", 0, FLAG_STRING, AT(listen_addr), "ADDR", "admin server (127.0.0.1:12345)", NULL},
    {"server.http.allowed-hosts", 0, FLAG_STRING, AT(allowed_hosts), "HOSTS",
     "Host names, with commas, that may use more than /metrics and health", NULL},
    {"server.http.ui-path-prefix", 0, FLAG_STRING, AT(path_prefix), "PATH", "path of the page and its API (/)", NULL},
    {"server.http.memory-addr", 0, FLAG_STRING, AT(memory_addr), "ADDR",
     "address under which own exporters are scraped (alloy.internal:12345)", NULL},
    {"storage.path", 0, FLAG_STRING, AT(storage_path), "DIR", "positions and queues (data-hyagent/)", NULL},
    {"memory.limit", 0, FLAG_BYTES, AT(memory_limit), "SIZE", "memory budget, \"256MiB\" (90 % of the cgroup's limit)",
     NULL},
    {"shutdown.timeout", 0, FLAG_DURATION, AT(shutdown_timeout_ns), "TIME", "at most this long to end (8s)", NULL},
    {"stability.level", 0, FLAG_CHOICE, AT(stability), "LEVEL",
     "generally-available (default), public-preview or experimental", stability_words},
    {"config.watch", 0, FLAG_BOOL, AT(is_config_watched), NULL,
     "load the configuration again when a file it was read from changes, imports included", NULL},
    {"threads", 0, FLAG_BYTES, AT(threads), "N", "worker threads (one per core)", NULL},
    {"tap", 0, FLAG_BOOL, AT(has_tap), NULL, "print every item that reaches a destination", NULL},
    {"tap-until-all", 0, FLAG_DURATION, AT(tap_until_all_ns), "TIME",
     "as --tap; end with 0 once logs, metrics and traces were seen, with 1 after TIME", NULL},
    {"help", 'h', FLAG_BOOL, AT(is_help), NULL, "this text", NULL},
    /* Alloy's, accepted */
    {"disable-reporting", 0, FLAG_IGNORED_BOOL, 0, NULL, "hyagent reports to nobody", NULL},
    {"server.http.enable-pprof", 0, FLAG_IGNORED_BOOL, 0, NULL, "hyagent is no Go program, it has no pprof", NULL},
    {"server.http.disable-support-bundle", 0, FLAG_BOOL, AT(disable_support_bundle), NULL,
     "do not serve /-/support, the support bundle", NULL},
    {"disable-support-bundle", 0, FLAG_BOOL, AT(disable_support_bundle), NULL,
     "as --server.http.disable-support-bundle (the name in Alloy's documentation)", NULL},
    {"windows.priority", 0, FLAG_IGNORED, 0, "PRIORITY", "this is not Windows", NULL},
    {"feature.community-components.enabled", 0, FLAG_IGNORED_BOOL, 0, NULL, "hyagent has no community components",
     NULL},
    {"feature.component-shutdown-deadline", 0, FLAG_IGNORED, 0, "TIME", "--shutdown.timeout bounds the whole end",
     NULL},
    {"config.bypass-conversion-errors", 0, FLAG_IGNORED_BOOL, 0, NULL, no_conversion, NULL},
    {"config.format", 0, FLAG_CHOICE, AT(is_alloy_format), "FORMAT", no_conversion,
     (const char *const[]){"alloy", NULL}},
    {"config.extra-args", 0, FLAG_REFUSED, 0, "ARGS", no_conversion, NULL},
    {"cluster.enabled", 0, FLAG_REFUSED_BOOL, 0, NULL, no_cluster, NULL},
    {"cluster.node-name", 0, FLAG_IGNORED, 0, "NAME", needs_cluster, NULL},
    {"cluster.advertise-address", 0, FLAG_IGNORED, 0, "ADDR", needs_cluster, NULL},
    {"cluster.join-addresses", 0, FLAG_IGNORED, 0, "ADDRS", needs_cluster, NULL},
    {"cluster.discover-peers", 0, FLAG_IGNORED, 0, "HOW", needs_cluster, NULL},
    {"cluster.advertise-interfaces", 0, FLAG_IGNORED, 0, "NAMES", needs_cluster, NULL},
    {"cluster.rejoin-interval", 0, FLAG_IGNORED, 0, "TIME", needs_cluster, NULL},
    {"cluster.max-join-peers", 0, FLAG_IGNORED, 0, "N", needs_cluster, NULL},
    {"cluster.name", 0, FLAG_IGNORED, 0, "NAME", needs_cluster, NULL},
    {"cluster.enable-tls", 0, FLAG_IGNORED_BOOL, 0, NULL, needs_cluster, NULL},
    {"cluster.tls-ca-path", 0, FLAG_IGNORED, 0, "PATH", needs_cluster, NULL},
    {"cluster.tls-cert-path", 0, FLAG_IGNORED, 0, "PATH", needs_cluster, NULL},
    {"cluster.tls-key-path", 0, FLAG_IGNORED, 0, "PATH", needs_cluster, NULL},
    {"cluster.tls-server-name", 0, FLAG_IGNORED, 0, "NAME", needs_cluster, NULL},
    {"cluster.wait-for-size", 0, FLAG_IGNORED, 0, "N", needs_cluster, NULL},
    {"cluster.wait-timeout", 0, FLAG_IGNORED, 0, "TIME", needs_cluster, NULL},
    {NULL, 0, FLAG_BOOL, 0, NULL, NULL, NULL},
};

static enum code take_words(struct run_args *args, int n_words, char **argv, struct error *err)
{
    if (n_words > 1 || (n_words == 1 && args->config != NULL))
        return error_set(err, INVALID, "name one configuration file or folder");
    if (n_words == 1)
        args->config = argv[1];
    if (args->config != NULL && strcmp(args->config, "-") == 0)
        return error_set(err, INVALID, "run needs a FILE it can read again, not standard input");
    if (args->config == NULL && !args->is_help)
        return error_set(err, INVALID, "which configuration? hyagent run FILE");
    if (args->threads > MAX_THREADS)
        return error_set(err, INVALID, "--threads is at most %d", MAX_THREADS);
    if (args->tap_until_all_ns < 0 || args->shutdown_timeout_ns < NS_PER_S)
        return error_set(err, INVALID, "--shutdown.timeout is at least 1s, --tap-until-all not negative");
    return OK;
}

enum code run_args_parse(struct run_args *args, const char *program, int argc, char **argv, struct error *err)
{
    const char *limit = getenv("HYAGENT_MEMORY_LIMIT");
    struct error why = {0};
    int n_words;
    enum code rc;

    *args = (struct run_args){.listen_addr = "127.0.0.1:12345",
                              .memory_addr = "alloy.internal:12345",
                              .path_prefix = "/",
                              .storage_path = strcmp(program, "alloy") == 0 ? "data-alloy/" : "data-hyagent/",
                              .shutdown_timeout_ns = 8 * (int64_t)NS_PER_S};
    if (limit != NULL && limit[0] != '\0' && river_bytes_parse(slice_str(limit), &args->memory_limit, &why) != OK)
        return error_set(err, INVALID, "HYAGENT_MEMORY_LIMIT: %s", why.text);
    rc = flags_parse(run_flags, argc, argv, args, &n_words, err);
    return rc == OK ? take_words(args, n_words, argv, err) : rc;
}
