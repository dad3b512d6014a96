/* agent/runtime/config_blocks.h - blocks that set up the agent itself: http, livedebugging, logging, tracing. They are
 * components without a label that the runtime brings along. */
#ifndef AGENT_RUNTIME_CONFIG_BLOCKS_H
#define AGENT_RUNTIME_CONFIG_BLOCKS_H
#include "agent/io/tls.h"
#include "agent/runtime/component.h"

extern const struct component_type component_http, component_livedebugging, component_logging, component_tracing;
extern const struct component_type *const config_block_types[]; /* ends with NULL */

/* What the http block asks of the admin server; zeroed: plain, open to whoever may ask anyway. Borrowed for the call.
 */
struct http_settings {
    const struct tls_options *tls; /* NULL: plain */
    bool has_basic;
    struct slice username, password;
    struct river_strings paths; /* beginnings of paths: they ask for the password, or all others do */
    bool authenticate_matching_paths;
    const char *sealed; /* not NULL: answer probes only, and say why */
};

/* The runtime's way to the admin server, which is above it: cli makes it, runtime_options lends it. Control loop. */
struct admin_link {
    void *self;
    /* INVALID, IO: they cannot be had, nothing changed. NULL: there is no server. */
    enum code (*apply_http)(void *self, const struct http_settings *settings, struct error *err);
};

struct runtime;
/* logging.write_to: who is below it now, so that their own lines do not come back to them. After wiring. */
void logging_wired(struct runtime *rt);
#endif
