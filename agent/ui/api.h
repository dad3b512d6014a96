/* agent/ui/api.h - the paths below PREFIX/api/v0/web, in the form Alloy's page asks for them, and what the own page
 * asks for besides (pipeline). Called on the server's threads by who has been let in. */
#ifndef AGENT_UI_API_H
#define AGENT_UI_API_H
#include "agent/io/http_server.h"
#include "agent/runtime/runtime.h"
#include "agent/ui/live.h"

/* path: what stands behind "/api/v0/web", with its slash. Answers the call. */
void api_answer(struct runtime *rt, struct live *live, struct http_call *call, struct slice path);
/* The admin server's way to answer: the headers every answer has. policy: Content-Security-Policy, NULL: nothing at all
 * may be loaded. */
void reply_buf(struct http_call *call, int status, const char *media_type, const char *policy, struct buf *take);
#endif
