/* agent/cli/config_watch.h - --config.watch: tells when one of the files a configuration was read from changed. A hint
 * by inotify on their folders, checked against size, time and inode; looked at every few seconds as well, for file
 * systems that tell nothing. Control loop only. */
#ifndef AGENT_CLI_CONFIG_WATCH_H
#define AGENT_CLI_CONFIG_WATCH_H
#include "agent/io/loop.h"

struct config_watch;

/* changed(arg) runs once per change, CONFIG_WATCH_SETTLE_MS after the last sign of it. */
struct config_watch *config_watch_new(struct loop *loop, loop_fn changed, void *arg);
void config_watch_free(struct config_watch *w); /* NULL is fine */
/* Adds a file or a folder, as it is now; one that is watched already stays. At most LIMIT_CONFIG_FILES; false: full. */
bool config_watch_add(struct config_watch *w, const char *path);

enum { CONFIG_WATCH_SETTLE_MS = 100, CONFIG_WATCH_POLL_MS = 5000 };
#endif
