/* loki.source.docker in pieces: args.c (the table), run.c (the component, control loop), tailer.c (one container on its
 * loop: connecting, resuming, ending), way.c (how Docker is reached), entries.c (its lines to batches, and what is
 * settled).
 *
 * What a tailer has read is kept as the last timestamp of stdout and of stderr: each of the two rises, together they
 * need not. A line that is not newer than what its source had is one that was read before. */
#ifndef AGENT_COMPONENTS_LOKI_SOURCE_DOCKER_H
#define AGENT_COMPONENTS_LOKI_SOURCE_DOCKER_H
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/map.h"
#include "agent/delivery/positions.h"
#include "agent/io/docker.h"
#include "agent/model/relabel.h"
#include "agent/model/window.h"
#include "agent/runtime/component.h"
#include "agent/runtime/http_args.h"

struct source_docker_args {
    struct slice host;
    struct river_targets targets;
    struct river_capsules forward_to;
    struct river_map labels;
    struct relabel_rules *relabel_rules; /* NULL: none */
    struct http_args http;
    int64_t refresh_ns;
};
extern const struct river_block source_docker_args_block;

/* What all tailers share. */
struct docker_source {
    struct host *host;
    struct fanout *to;
    struct admission *admission;
    struct positions_file *positions; /* owned */
    _Atomic int64_t in_flight;        /* bytes read and not settled, of all containers */
    struct metric *entries, *parsing_errors;
};

/* How Docker is reached; immutable, shared by the tailers. */
struct docker_way {
    _Atomic uint32_t refs;
    char *host;
    struct http_auth *auth;
    uint64_t refresh_ms;
    struct hash128 args;
};
MUST_USE enum code docker_way_new(struct docker_way **out, const struct source_docker_args *a, struct error *err);
bool docker_way_is(const struct docker_way *w, const struct source_docker_args *a); /* made of equal arguments */
struct docker_way *docker_way_ref(struct docker_way *w);
void docker_way_unref(struct docker_way *w); /* NULL is fine */

/* The last timestamps of stdout and stderr; 0: none. */
struct stamps {
    int64_t ns[DOCKER_SOURCES];
};

struct tailer {
    struct docker_source *source;
    struct loop *loop;
    char *id;          /* owned */
    char *labels_text; /* owned; key of Alloy's position */
    uint64_t affinity;
    /* on its loop */
    const struct labels *labels[DOCKER_SOURCES]; /* owned references; NULL: a rule drops these lines */
    struct docker_way *way;                      /* owned reference */
    struct docker *docker;                       /* owned */
    struct docker_call *call;                    /* the inspection or the stream under way */
    struct timer *timer;
    struct docker_logs logs;
    bool has_logs; /* logs is initialised */
    enum { TAILER_OFF, TAILER_WAITING, TAILER_ASKING, TAILER_READING } state;
    struct stamps read, settled;
    struct window *window; /* positions are numbers of batches */
    int64_t n_batches;
    struct list marks; /* struct docker_mark: what is read with each batch, oldest first */
    int64_t unsettled_bytes;
    uint64_t retry_ms;    /* the next pause after a failure */
    uint64_t n_lines_now; /* of this connection */
    bool is_running, is_leaving, is_stopped;
    bool is_paused;   /* the stream waits for room */
    bool is_broken;   /* the stream is to be cut and begun again */
    bool is_left_out; /* labelled hyagent.logs=false */
    bool is_gone;     /* Docker does not know it any more */
    bool is_terminal;
    bool was_read;                        /* a stream was had since the container was last seen not running */
    bool was_drained;                     /* not running, and read to its end */
    bool has_restarted;                   /* asked for again after it had left */
    uint64_t started;                     /* hash of the time at which it was started */
    int64_t leave_by_ms, due_ms, next_ms; /* due_ms INT64_MAX: the timer is off; next_ms: when to connect */
    /* the batch being filled: entries.c */
    struct log_batch *batch;
    struct stamps batch_read;
    uint32_t label_index[DOCKER_SOURCES];
    uint64_t n_dropped;
    size_t batch_bytes;
    bool is_batch_broken;
    char said[200]; /* the last trouble told */
    /* control loop */
    bool is_wanted, is_on_loop;
    void (*ended)(void *arg, struct tailer *f);
    void *ended_arg;
};

/* --- entries.c ------------------------------------------------------------------------------------------------------
 */

void entries_init(struct tailer *f); /* reads the position */
void entries_release(struct tailer *f);
void entries_take(void *arg, const struct docker_line *line); /* arg: the tailer */
/* Pushes what was taken. False: no memory, nothing of it was taken: the connection must start again. */
bool entries_push(struct tailer *f);
void entries_drop(struct tailer *f); /* lets go of what was taken */
/* An entry was abandoned further on: from the settled position again. */
void entries_read_again(struct tailer *f);
bool entries_are_settled(const struct tailer *f);
bool entries_may_read(struct tailer *f);
/* For ?since=: everything newer is asked for. */
void entries_since(const struct tailer *f, struct buf *out);
void entries_forget(struct tailer *f); /* the container is gone: its position, too */
/* --- tailer.c ----------------------------------------------------------------------------------------------------- */

struct tailer *tailer_new(struct docker_source *s, struct slice id, char *take_labels_text);
void tailer_free(struct tailer *f);                    /* after ended, or never started */
void tailer_wake(struct tailer *f, uint64_t after_ms); /* on its loop */
/* From the control loop. Takes over the references in labels. */
void tailer_set(struct tailer *f, struct docker_way *way, const struct labels *const take_labels[DOCKER_SOURCES]);
void tailer_start(struct tailer *f);
void tailer_leave(struct tailer *f); /* reads to the end if the container has ended, waits for settlement, then ended */
void tailer_stay(struct tailer *f);  /* undoes leave */
void tailer_stop(struct tailer *f);  /* no more reading; settlements still move the position */
void tailer_end(struct tailer *f);   /* ended as soon as nothing of it is on its loop */
#endif
