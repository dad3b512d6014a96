/* agent/ui/live.h - live items and rates as endless answers, in the form of Alloy's API: pieces of text ended by "|;|".
 *
 * Bounded: LIMIT_LIVE_STREAMS at once, LIMIT_LIVE_ITEMS_PER_S and LIMIT_LIVE_QUEUE_BYTES for each; what is over is
 * counted and said. A push pays for it only while somebody looks, and never waits. Secrets are masked (redact.h). */
#ifndef AGENT_UI_LIVE_H
#define AGENT_UI_LIVE_H
#include "agent/io/http_server.h"
#include "agent/runtime/runtime.h"

struct live;
struct live *live_new(struct runtime *rt, struct loops *loops);
/* Ends all streams. After the server is gone, while the loops still run. NULL is fine. */
void live_free(struct live *live);

/* Both answer the call, on the server's threads. Items that the component (or a custom component's inside) sends or
 * gets; query: sampleProb (0 to 1), to (id: only this edge). Refused unless livedebugging is enabled. */
void live_items(struct live *live, struct http_call *call, struct slice id);
/* What flows over each edge of a module, once per window (query, seconds, 5): componentID, targetComponentIDs, type,
 * rate. */
void live_rates(struct live *live, struct http_call *call, struct slice module);
#endif
