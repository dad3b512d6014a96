/* agent/io/docker.h - the Docker Engine API, only GET: what a read-only socket proxy lets through. One client per loop
 * and host; everything on that loop. The API's version is the server's own, from GET /version (Docker 24 speaks at
 * most 1.43, Docker 29 refuses what is below 1.44); where a proxy refuses /version, paths without a version are used.
 * Specification: docs.docker.com, Engine API reference. */
#ifndef AGENT_IO_DOCKER_H
#define AGENT_IO_DOCKER_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct docker;
struct docker_call; /* a request under way; gone when done has run or after docker_cancel */
struct http_client;
struct http_request;

/* Adds credentials, TLS, proxy (agent/runtime/http_args.h has the function). IO: cannot be had now. */
typedef enum code (*docker_prepare_fn)(void *ctx, struct http_request *request, struct arena *arena, struct error *err);

/* INVALID unless host is unix://PATH, tcp://HOST:PORT, http://HOST or https://HOST. */
MUST_USE enum code docker_host_check(struct slice host, struct error *err);
/* Copies host; http and prepare's ctx are borrowed (prepare may be NULL). INVALID as docker_host_check. */
MUST_USE enum code docker_new(struct docker **out, struct http_client *http, struct slice host,
                              docker_prepare_fn prepare, void *ctx, struct error *err);
/* Calls under way are cancelled: nothing of them runs any more. NULL is fine. Not from a done of this client's. */
void docker_free(struct docker *d);

struct docker_answer {
    enum code code;     /* OK: 2xx. AGAIN: no such thing (404). FULL: over max_bytes. INVALID: refused. IO: no answer */
    int status;         /* 0: none came */
    struct slice body;  /* whole, of an OK docker_get; else empty */
    struct slice error; /* words for a person, with what to do; empty when OK */
};
typedef void (*docker_done_fn)(void *arg, const struct docker_answer *answer);

enum docker_flow { DOCKER_GO_ON, DOCKER_PAUSE };

/* path: "/containers/json?all=1", without version. done runs once, never inline. */
struct docker_call *docker_get(struct docker *d, struct slice path, uint64_t max_bytes, docker_done_fn done, void *arg);
/* A body without end (/events, logs?follow=1): on_chunk for each piece, done when it ends (OK) or fails. on_open (may
 * be NULL) runs when the server has accepted. */
struct docker_call *docker_stream(struct docker *d, struct slice path, void (*on_open)(void *arg),
                                  enum docker_flow (*on_chunk)(void *arg, struct slice chunk), docker_done_fn done,
                                  void *arg);
/* No callback runs any more. Not from its done; from on_chunk and on_open it is allowed. NULL is fine. */
void docker_cancel(struct docker_call *call);
void docker_resume(struct docker_call *call);

/* Appends ?filters= or &filters= with {"name":["value",..]} escaped: `names` may repeat, their values are joined. */
struct docker_filter {
    struct slice name;
    const struct slice *values;
    size_t n_values;
};
enum code docker_add_filters(struct buf *path, const struct docker_filter *filters, size_t n); /* as buf_add */

/* Is id (64 hex digits) the container this process runs in? Told by /proc/self/cgroup, /proc/self/mountinfo or a
 * hostname that is the short id; looked up once per process. */
bool docker_is_self(struct slice id);
/* The same from the two files' texts: the last 64 hex digits of cgroup, else those in the source of the mounts over
 * /etc/hostname, /etc/hosts and /etc/resolv.conf. */
bool docker_find_self(struct slice cgroup, struct slice mountinfo, struct slice *id);

/* ---- the bodies of /containers/{id}/logs with timestamps=1 (docker_logs.c) ---- */

enum docker_std { DOCKER_STDOUT, DOCKER_STDERR, DOCKER_SOURCES };

/* One line, without its newline, in one piece: parts that Docker split at 16 KiB are joined. */
struct docker_line {
    enum docker_std source;
    int64_t ts_ns;
    struct slice text; /* borrowed for the call */
    bool is_cut;       /* longer than the maximum: the rest was left out */
};

struct docker_logs {
    bool is_raw; /* a container with a terminal: no frames, all is stdout */
    void (*line)(void *arg, const struct docker_line *line);
    void (*bad)(void *arg, const char *what); /* a line without a timestamp, left out */
    void *arg;
    size_t max_line_bytes;
    /* private */
    unsigned char head[8];
    unsigned n_head;
    uint32_t frame_left;
    bool is_left_out;
    enum docker_std source;
    struct docker_part {
        enum { PART_STAMP, PART_TEXT } state;
        struct buf stamp; /* while it is collected */
        struct buf text;  /* of the line so far */
        size_t part_bytes;
        int64_t ts_ns;
        bool has_ts, is_cut;
    } parts[DOCKER_SOURCES];
};

void docker_logs_init(struct docker_logs *l, bool is_raw, size_t max_line_bytes);
void docker_logs_release(struct docker_logs *l);
/* Calls line for each complete one. CORRUPT: no such frame header. */
MUST_USE enum code docker_logs_feed(struct docker_logs *l, struct slice chunk, struct error *err);
/* The body ended: a last line without newline is given out. */
void docker_logs_end(struct docker_logs *l);
#endif
