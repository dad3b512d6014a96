/* agent/runtime/file_detector.h - says when a file or a folder may have changed: local.file, import.file. A hint: who
 * is told reads again and compares. */
#ifndef AGENT_RUNTIME_FILE_DETECTOR_H
#define AGENT_RUNTIME_FILE_DETECTOR_H
#include "agent/runtime/component.h"

enum file_detector_kind { DETECTOR_FSNOTIFY, DETECTOR_POLL };
extern const struct river_enum file_detector_kinds[]; /* "fsnotify", "poll" */

struct file_detector;

/* Control loop only. changed(arg) runs every poll_frequency, with FSNOTIFY also soon after something happened to path,
 * or to what is in it when it is a folder. It may be absent; a link's target that changes elsewhere is seen by the
 * polling only. */
struct file_detector *file_detector_new(struct host *host, enum file_detector_kind kind, struct slice path,
                                        int64_t poll_frequency_ns, loop_fn changed, void *arg);
void file_detector_free(struct file_detector *d); /* NULL is fine; changed does not run again */
#endif
