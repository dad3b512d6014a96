/* loki.source.file in pieces: args.c (the table), run.c (the component, control loop), follower.c (one path on its
 * loop: rotation, polling), rotated.c (files that left while nobody looked), tail.c (one open file: reading and letting
 * go), lines.c (bytes to lines), record.c (what is kept in the positions file).
 *
 * A follower has the files that stood at its path, oldest first: the last one is what stands there now. Each has a
 * window, so that a checkpoint moves over what the destinations have. */
#ifndef AGENT_COMPONENTS_LOKI_SOURCE_FILE_H
#define AGENT_COMPONENTS_LOKI_SOURCE_FILE_H
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/map.h"
#include "agent/delivery/positions.h"
#include "agent/io/file.h"
#include "agent/io/watch.h"
#include "agent/model/window.h"
#include "agent/runtime/component.h"
#include <pthread.h>

/* --- arguments ---------------------------------------------------------------------------------------------------- */

enum file_encoding { FILE_UTF8, FILE_UTF16, FILE_UTF16_LE, FILE_UTF16_BE };
enum positions_error { POSITIONS_FROM_BEGINNING, POSITIONS_FROM_END, POSITIONS_SKIP };

struct file_watch_args {
    int64_t min_poll_ns, max_poll_ns;
};
struct file_match_args {
    bool enabled;
    int64_t sync_period_ns, ignore_older_than_ns;
};
struct decompression_args {
    bool enabled;
    int64_t initial_delay_ns;
    struct slice format;
};
struct source_file_args {
    struct river_targets targets;
    struct river_capsules forward_to;
    int encoding; /* enum file_encoding */
    struct decompression_args decompression;
    struct file_watch_args watch;
    struct file_match_args match;
    bool tail_from_end;
    struct slice legacy_positions_file;
    int on_positions_error; /* enum positions_error */
};
extern const struct river_block source_file_args_block;

/* What a follower needs of them; copied to its loop. */
struct file_options {
    enum file_encoding encoding;
    enum positions_error on_positions_error;
    bool tail_from_end;
    bool positions_lost; /* the positions file could not be read */
    uint64_t min_poll_ms, max_poll_ms;
};

/* --- what all followers share ------------------------------------------------------------------------------------- */

enum lost_bytes { LOST_TRUNCATED, LOST_RELEASED, LOST_LINE, LOST_BYTES_COUNT };

/* One per worker loop; the watcher is made and freed there. */
struct reader {
    struct file_source *source;
    struct loop *loop;
    struct watcher *watcher;
    bool was_tried;
};

struct file_source {
    struct host *host;
    struct fanout *to;
    struct admission *admission;
    struct positions_file *positions; /* owned */
    struct reader *readers;           /* owned, one per worker */
    unsigned n_readers;
    _Atomic int64_t in_flight; /* bytes read and not settled, of all files */
    struct metric *lost[LOST_BYTES_COUNT], *active, *repaired;
    pthread_mutex_t lock;
    struct map claims; /* file and labels -> struct claim: who reads it, or where reading ended; under lock */
};

/* --- claims (claims.c): one file under two names, with the same labels, is read once ---------------------------------
 */

struct follower;
enum { MARK_BYTES = 32 };
/* The last bytes before an offset: a file that was truncated and filled again differs there. */
struct mark {
    char bytes[MARK_BYTES];
    unsigned n;
};

void claims_init(struct file_source *s);
void claims_release(struct file_source *s);
/* True: f may read the file, from *offset on (0, or where another follower with these labels left off; mark then says
 * what stood before). False: another one reads it now. */
bool claims_take(struct follower *f, const struct file_identity *id, uint64_t *offset, struct mark *mark);
/* is_gone: deleted, so nothing is remembered of it. */
void claims_drop(struct follower *f, const struct file_identity *id, uint64_t offset, const struct mark *mark,
                 bool is_gone);

/* --- lines (lines.c) ------------------------------------------------------------------------------------------------
 */

struct line_counts {
    uint32_t lines;
    size_t repaired_bytes;
};
/* Bytes up to and with the last newline of text; 0 when it has none. */
size_t lines_complete(struct slice text, enum file_encoding encoding);
/* Bytes up to and with the first newline; 0 when it has none. */
size_t lines_first_end(struct slice text, enum file_encoding encoding);
/* How much of text, at most n bytes, can be taken without cutting a character in two. */
size_t lines_cut(struct slice text, size_t n, enum file_encoding encoding);
/* Adds each line of text to b as a slice of it, valid UTF-8, without its newline and carriage return. The first gets
 * *ts_ns, each next one a nanosecond more: equal lines stay different entries in Loki. NOMEM: b is of no use any more.
 */
MUST_USE enum code lines_add(struct log_batch *b, uint32_t labels, struct slice text, enum file_encoding encoding,
                             int64_t *ts_ns, struct line_counts *counts);

/* --- follower and tails ---------------------------------------------------------------------------------------------
 */

struct follower {
    struct file_source *source;
    struct reader *reader;
    struct loop *loop;
    char *path;                  /* owned */
    char *labels_text;           /* owned; key of the position, as Alloy writes it */
    char *record_key;            /* owned; key of the record */
    const struct labels *labels; /* owned reference; with filename */
    uint64_t affinity;
    struct file_options options;
    struct list tails; /* oldest first; the last stands at path unless it was moved away */
    size_t n_tails, n_open;
    struct timer *timer;                     /* made on the loop */
    int64_t rotated_ms;                      /* something last left the path */
    int64_t known_ns;                        /* wall clock of the last look that found one of ours at the path */
    int64_t last_run_ms, due_ms, last_ts_ns; /* due_ms INT64_MAX: the timer is off */
    uint64_t idle_ms;                        /* the poll's present step */
    bool is_running, is_leaving, is_stopped, has_started_once, is_first_set, is_skipped;

    char said[160]; /* the last trouble told */
    struct metric *file_bytes, *read_bytes, *read_lines, *encoding_failures;
    /* control loop */
    bool is_wanted, is_on_loop;
    void (*ended)(void *arg, struct follower *f);
    void *ended_arg;
};

struct tail {
    struct list link;
    struct follower *follower;
    int fd; /* -1: read to its end and closed, waits for settlement */
    struct file_identity id;
    enum file_encoding encoding; /* UTF16 resolved */
    struct window *window;       /* positions are base + offset */
    int64_t base;
    uint64_t offset;       /* where the next line starts; no part of it is kept */
    uint64_t seen_size;    /* at the last look */
    int64_t seen_mtime_ns; /* the same; 0: too fresh to tell a later change by it */
    struct mark mark;
    struct watch *watch;
    int64_t charged;          /* its part of source.in_flight */
    int64_t cut_from, cut_to; /* positions inside a line whose start was sent; cut_to INT64_MAX: its end was not seen */
    int64_t quiet_since_ms, away_since_ms, gone_since_ms;
    uint64_t part_bytes; /* that wait at the end without a newline */
    unsigned missed;     /* growths that inotify did not tell of, in a row */
    bool is_at_path, is_gone, was_told, was_active;
};

enum tail_state {
    TAIL_END,     /* all whole lines are read */
    TAIL_MORE,    /* there is more, let others go first */
    TAIL_BLOCKED, /* too much is not settled, or a sink or the memory has no room */
    TAIL_BROKEN,  /* cannot be read (said); nothing more will come */
};

MUST_USE enum code tail_open(struct tail **out, struct follower *f, const char *path, uint64_t offset, bool is_cut,
                             struct error *err);
void tail_free(struct tail *t);
enum tail_state tail_read(struct tail *t, bool with_rest);
void tail_close_file(struct tail *t, enum lost_bytes why);
bool tail_is_settled(const struct tail *t);
uint64_t tail_settled_offset(const struct tail *t);
bool tail_is_inside_line(const struct tail *t); /* at its settled offset */
/* Opens a file that was seen as id and puts it behind the others; mark (may be NULL) is what stood before offset.
 * False: it cannot be read (said), or was moved away in between (the next look sees). */
bool follower_add_tail(struct follower *f, const char *path, const struct file_identity *id, uint64_t offset,
                       bool is_cut, const struct mark *mark, bool is_at_path);
struct tail *follower_newest(const struct follower *f);    /* NULL: none */
void follower_moved(void *arg, int64_t position);          /* the window's moved function; arg is the tail */
void follower_wake(struct follower *f, uint64_t after_ms); /* runs it soon; on its loop */
void follower_say(struct follower *f, const char *what, const char *text);

struct follower *follower_new(struct file_source *s, struct slice path, const struct labels *labels,
                              char *take_labels_text, const struct file_options *options);
void follower_free(struct follower *f); /* after ended, or never started */
/* From the control loop. */
void follower_start(struct follower *f);
void follower_leave(struct follower *f); /* reads to the end, waits for settlement, then ended */
void follower_stay(struct follower *f);  /* undoes leave */
void follower_set(struct follower *f, const struct file_options *options);
void follower_stop(struct follower *f); /* no more reading; settlements still move the checkpoint */
void follower_end(struct follower *f);  /* ended as soon as nothing of it is on its loop */

/* --- record (record.c): the files of a path with their offsets, kept beside Alloy's plain position -------------------
 */

enum { RECORD_TAILS = 256 }; /* rotations while nothing is settled */
struct record {
    struct {
        struct file_identity id;
        uint64_t offset;
        bool is_cut;
    } at[RECORD_TAILS];
    size_t n;
};
/* --- rotated.c: files that left the path while nobody looked
 * ---------------------------------------------------------- */
bool file_is_same(const struct file_identity *a, const struct file_identity *b);
/* What the record names, oldest first: those rotated away, searched in the folder, and the one at the path. */
void rotated_open_recorded(struct follower *f, struct record *r);
/* Files that came to the path and left it since the last look. */
void rotated_open_between(struct follower *f);

bool record_read(struct follower *f, struct record *out);
void record_write(struct follower *f);
void record_remove(struct follower *f);
#endif
