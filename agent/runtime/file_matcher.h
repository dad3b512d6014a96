/* agent/runtime/file_matcher.h - targets whose __path__ is a pattern, matched against the disk again and again on a
 * worker loop: local.file_match, and the file_match block of loki.source.file. */
#ifndef AGENT_RUNTIME_FILE_MATCHER_H
#define AGENT_RUNTIME_FILE_MATCHER_H
#include "agent/runtime/component.h"

struct file_matcher;

/* Copies the targets. found(arg, targets) runs on the control loop after each match that differs from the one before
 * (and after the first): one target per file, its labels kept, __path__ the file's, __path_exclude__ gone; sorted by
 * pattern, then path; valid for the call. INVALID names the pattern. */
MUST_USE enum code file_matcher_new(struct file_matcher **out, struct host *h, const struct river_targets *targets,
                                    int64_t sync_period_ns, int64_t ignore_older_than_ns,
                                    void (*found)(void *arg, const struct river_targets *targets), void *arg,
                                    struct error *err);
void file_matcher_start(struct file_matcher *m);
/* found does not run again; done(arg) on the control loop when it is gone. */
void file_matcher_free(struct file_matcher *m, loop_fn done, void *arg);
#endif
