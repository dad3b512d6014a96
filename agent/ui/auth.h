/* agent/ui/auth.h - basic authentication as the http block asks for it (RFC 7617). Any thread. */
#ifndef AGENT_UI_AUTH_H
#define AGENT_UI_AUTH_H
#include "agent/io/http_server.h"
#include "agent/runtime/config_blocks.h"

struct auth;
struct auth *auth_new(void); /* lets everybody in */
void auth_free(struct auth *a);
void auth_set(struct auth *a, const struct http_settings *settings); /* copied */
/* False: it was answered (401 with a challenge; 503 while the server is sealed). */
bool auth_check(struct auth *a, struct http_call *call);
#endif
