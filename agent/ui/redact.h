/* agent/ui/redact.h - the last look at a text before it is shown (P-H8): secrets of the configuration wherever they
 * turn up, passwords in URLs, private keys, and what stands behind a word like password= or Authorization:. */
#ifndef AGENT_UI_REDACT_H
#define AGENT_UI_REDACT_H
#include "agent/base/buf.h"
#include "agent/runtime/runtime.h"

struct redactor; /* immutable: any thread */

/* Knows the secrets the runtime has now. Shorter ones than REDACT_MIN_BYTES are not looked for in other texts: they
 * would be found everywhere. */
enum { REDACT_MIN_BYTES = 6 };
struct redactor *redactor_new(struct runtime *rt);
void redactor_free(struct redactor *r); /* NULL is fine */
/* Appends text, masked. */
void redact(const struct redactor *r, struct slice text, struct buf *out);
/* The same for what is not free text: known secrets and passwords in URLs only. */
void redact_known(const struct redactor *r, struct slice text, struct buf *out);
#endif
