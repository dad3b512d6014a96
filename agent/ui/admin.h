/* agent/ui/admin.h - the admin HTTP server: /metrics, /-/ready, /-/healthy, /-/reload, the components API and a plain
 * page.
 *
 * Who may ask (P-H9): /metrics, /-/ready and /-/healthy anybody; everything else a loopback peer, or who names a Host
 * that was allowed; reload also refuses a request a foreign page sent. Every text shown is escaped. */
#ifndef AGENT_UI_ADMIN_H
#define AGENT_UI_ADMIN_H
#include "agent/runtime/runtime.h"

struct admin;

struct admin_options {
    struct slice listen;      /* "127.0.0.1:12345" */
    struct slice path_prefix; /* of the page and the API: "/" or "/x/" */
    const char *const *hosts; /* allowed Host names besides; ends with NULL; may be NULL */
    const char *note;         /* said on /-/healthy besides (no writable storage); may be NULL */
    const char *config_path;  /* what /-/reload loads */
    struct runtime *runtime;
    struct loops *loops;
    void (*on_loaded)(void *ctx, const struct load_result *result); /* after a reload, for the log; may be NULL */
    void *ctx;
};

/* IO: the address cannot be had. Options are copied, what they point to is borrowed. */
MUST_USE enum code admin_start(struct admin **out, const struct admin_options *options, struct error *err);
uint16_t admin_port(const struct admin *a);
/* NULL is fine. Not on the server's threads; the runtime has to be alive still. */
void admin_free(struct admin *a);
#endif
