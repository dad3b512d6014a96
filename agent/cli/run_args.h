/* agent/cli/run_args.h - what `hyagent run` takes. */
#ifndef AGENT_CLI_RUN_ARGS_H
#define AGENT_CLI_RUN_ARGS_H
#include "agent/cli/flags.h"

struct run_args {
    const char *config, *listen_addr, *memory_addr, *path_prefix, *allowed_hosts, *storage_path;
    uint64_t memory_limit; /* 0: from the cgroup */
    int64_t shutdown_timeout_ns, tap_until_all_ns;
    int stability, is_alloy_format;
    uint64_t threads;
    bool has_tap, is_help, disable_support_bundle, is_config_watched;
};

extern const struct flag run_flags[];
/* Defaults, then HYAGENT_MEMORY_LIMIT, then the command line. INVALID: err says what. */
MUST_USE enum code run_args_parse(struct run_args *args, const char *program, int argc, char **argv, struct error *err);
#endif
