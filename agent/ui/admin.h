/* agent/ui/admin.h - the admin HTTP server: /metrics, /-/ready, /-/healthy, /-/reload, /-/support, Alloy's API and the
 * page.
 *
 * Who may ask (P-H9): /metrics, /-/ready and /-/healthy anybody; everything else a loopback peer, or who names a Host
 * that was allowed; reload also refuses a request a foreign page sent. Where the http block asks for a password it is
 * asked for first. Every text shown is escaped. */
#ifndef AGENT_UI_ADMIN_H
#define AGENT_UI_ADMIN_H
#include "agent/runtime/config_blocks.h"
#include "agent/runtime/runtime.h"

struct admin;

struct admin_options {
    struct slice listen;      /* "127.0.0.1:12345" */
    struct slice path_prefix; /* of the page and the API: "/" or "/x/" */
    const char *const *hosts; /* allowed Host names besides; ends with NULL; may be NULL */
    const char *note;         /* said on /-/healthy besides (no writable storage); may be NULL */
    const char *config_path;  /* what /-/reload loads */
    const char *const *flags; /* the command line, for the support bundle; ends with NULL; may be NULL */
    bool is_support_disabled;
    struct runtime *runtime;
    struct loops *loops;
    void (*on_loaded)(void *ctx, const struct load_result *result); /* after a reload, for the log; may be NULL */
    void *ctx;
};

/* IO: the address cannot be had. Options are copied, what they point to is borrowed. */
MUST_USE enum code admin_start(struct admin **out, const struct admin_options *options, struct error *err);
/* What the http block's settings go through: for runtime_options. Valid as long as a is. */
struct admin_link admin_link(struct admin *a);
uint16_t admin_port(const struct admin *a);
/* NULL is fine. Not on the server's threads; the runtime has to be alive still. */
void admin_free(struct admin *a);
#endif
