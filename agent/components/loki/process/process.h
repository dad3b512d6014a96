/* agent/components/loki/process/process.h - shared by the files of loki.process. Stage semantics are Promtail's.
 *
 * A pipeline is compiled into a flat program: each op is run on an entry and says what comes next. A match stage jumps
 * over its nested stages when the entry does not match, so an entry that a stage held back can go on at any op later.
 */
#ifndef AGENT_COMPONENTS_LOKI_PROCESS_PROCESS_H
#define AGENT_COMPONENTS_LOKI_PROCESS_PROCESS_H
#include "agent/base/limits.h"
#include "agent/base/map.h"
#include "agent/runtime/component.h"
#include "agent/runtime/trace.h"
#include "agent/text/regex.h"
#include <pthread.h>

/* --- an entry on its way ------------------------------------------------------------------------------------------ */

struct extracted {
    struct slice name, value;
    bool is_null; /* known, but no text can be made of it */
};

struct entry {
    struct arena *arena; /* the batch's: results of stages go here */
    int64_t ts_ns;
    struct slice line;
    const struct labels *start; /* the labels it came with: what is extracted begins with them */
    struct labels_builder labels;
    bool is_changed;         /* labels differ from start */
    struct extracted *found; /* what stages extracted; in the arena */
    size_t n_found, cap_found;
    struct label *meta; /* structured metadata; in the arena */
    size_t n_meta, cap_meta;
    struct ticket *ticket; /* of this entry: one item owed; NULL: none */
};

void entry_init(struct entry *e, struct arena *arena, const struct log_entry *from, const struct labels *labels,
                struct ticket *ticket);
/* What a stage extracted under this name, else the label it came with. False: unknown, or without a text. */
bool entry_get(const struct entry *e, struct slice name, struct slice *value);
MUST_USE enum code entry_set(struct entry *e, struct slice name, struct slice value);
MUST_USE enum code entry_set_null(struct entry *e, struct slice name);
void entry_unset(struct entry *e, struct slice name);
struct slice entry_label(const struct entry *e, struct slice name);
MUST_USE enum code entry_set_label(struct entry *e, struct slice name, struct slice value); /* "" deletes */
MUST_USE enum code entry_add_meta(struct entry *e, struct slice name, struct slice value);
/* The text a stage reads: what is extracted as source, or the line when source is empty. */
bool entry_source(const struct entry *e, struct slice source, struct slice *text);

/* --- the program -------------------------------------------------------------------------------------------------- */

enum verdict {
    NEXT,
    JUMP, /* to op.jump */
    DROP, /* the stage counted it; the entry's ticket is settled as dropped */
    HOLD, /* the stage copied it and holds its ticket */
    FAIL, /* no memory */
};

struct pipeline;
struct op {
    enum verdict (*run)(void *self, struct entry *e, struct pipeline *p);
    void (*release)(void *self);
    /* Holding stages: pushes entries held since before `before_ns` (monotonic) into p's later ops; INT64_MAX: all. */
    void (*flush)(void *self, struct pipeline *p, int64_t before_ns);
    void *self; /* owned */
    size_t jump, index;
};

/* What a tracer is told of an op; apart, since running does not need it. */
struct op_about {
    char kind[48];      /* "stage.json" */
    struct position at; /* of its block */
    unsigned depth;     /* inside so many match stages */
    size_t number;      /* from 1, among its neighbours */
    char *reason;       /* owned; of loki_process_dropped_lines_total, NULL: it never drops */
};

struct pipeline {
    struct host *host;
    struct ledger *ledger;
    struct op *ops;         /* owned */
    struct op_about *about; /* owned; one per op */
    size_t n, cap;
    unsigned depth;    /* while building: of match stages around the next op */
    char *next_reason; /* owned; while building: the next op may drop for it */
    bool is_stateful;  /* lock per batch */
    pthread_mutex_t lock;
    int64_t now_ns;         /* wall, of this batch */
    int64_t mono_ns;        /* of this batch */
    struct log_batch *late; /* entries that holding stages let go on a flush collect here */
};

MUST_USE enum code pipeline_new(struct pipeline **out, struct host *host, const struct river_enum_blocks *stages,
                                struct error *err);
void pipeline_free(struct pipeline *p); /* NULL is fine; nothing may be held any more */
/* Runs e from op `from` on. NEXT: it came through. */
enum verdict pipeline_run(struct pipeline *p, struct entry *e, size_t from);
/* The same while a tracer listens: it is told every step. */
enum verdict pipeline_run_traced(struct pipeline *p, struct entry *e, size_t from);
/* Tells the tracer that op lets go of e. */
void pipeline_trace_release(const struct pipeline *p, const struct op *op, struct entry *e);
/* Writes the entry back: an index of its labels in b, and its parts. False: no memory. */
bool entry_store(struct entry *e, struct log_batch *b, struct log_entry *to);
/* A held entry goes on behind op and, when it comes through, joins p->late with its ticket. */
void pipeline_emit(struct pipeline *p, const struct op *op, struct entry *e);
struct op *pipeline_add(struct pipeline *p, enum verdict (*run)(void *, struct entry *, struct pipeline *),
                        void (*release)(void *), void *self);
/* Says which block op i came from: its kind, its place, its number among its neighbours. */
void pipeline_name(struct pipeline *p, size_t i, const char *kind, struct position at, size_t number);
/* The counter loki_process_dropped_lines_total{reason} of the op that is added next; the caller owns the reference. */
struct metric *pipeline_drop_counter(struct pipeline *p, struct slice reason);

/* --- held.c: lines that stages join ------------------------------------------------------------------------------- */

/* Lines of one stream that wait to become one entry. All copied. */
struct held {
    const struct labels *labels; /* owned reference; the labels the entry had when it was held */
    struct buf text;
    int64_t ts_ns;
    size_t n_lines;
    int64_t since_ns;     /* monotonic, of the last line */
    struct ticket *child; /* one item, made of those held; NULL: none had a ticket */
    struct label *meta;   /* owned, with owned texts */
    size_t n_meta;
    struct extracted *found; /* owned, with owned texts */
    size_t n_found;
};

/* Begins with e: copies it and takes over its ticket. NULL: no memory (e unchanged). */
struct held *held_new(struct pipeline *p, const struct entry *e, size_t max_bytes);
/* Joins e's line, separator first. FULL/NOMEM: e unchanged. */
MUST_USE enum code held_add(struct pipeline *p, struct held *h, const struct entry *e, const char *separator);
/* Becomes an entry on arena; the books are kept (held, merged). The labels stay borrowed from h, which the caller frees
 * when the entry is stored. False: no memory; its items are settled. */
bool held_take(struct pipeline *p, struct held *h, struct arena *arena, struct entry *e);
void held_free(struct held *h);

/* --- stages ------------------------------------------------------------------------------------------------------- */
/* args.c lists the blocks; each builder adds its op (and, for match, those of its nested stages). */
typedef enum code (*stage_build_fn)(struct pipeline *p, const void *args, struct error *err);
MUST_USE enum code stages_build(struct pipeline *p, const struct river_enum_blocks *stages, struct error *err);
enum code stage_docker_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_cri_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_json_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_logfmt_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_regex_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_replace_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_template_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_timestamp_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_labels_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_static_labels_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_structured_metadata_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_structured_metadata_drop_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_label_drop_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_label_keep_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_output_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_drop_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_match_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_multiline_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_decolorize_build(struct pipeline *p, const void *args, struct error *err);
enum code stage_tenant_build(struct pipeline *p, const void *args, struct error *err);

struct cri_args {
    int64_t max_partial_lines;
    uint64_t max_partial_line_size;
};
struct json_args {
    struct river_map expressions;
    struct slice source;
    bool drop_malformed;
};
struct logfmt_args {
    struct river_map mapping;
    struct slice source;
};
struct regex_args {
    struct slice expression, source;
    bool labels_from_groups;
};
struct replace_args {
    struct slice expression, source, replace;
};
struct template_args {
    struct slice source, template_text;
};
struct timestamp_args {
    struct slice source, format, location;
    struct river_strings fallback_formats;
    int on_failure; /* enum on_failure */
};
enum on_failure { TIMESTAMP_FUDGE, TIMESTAMP_SKIP };
struct map_args {
    struct river_map values;
};
struct metadata_args {
    struct river_map values;
    struct slice regex;
};
struct names_args {
    struct river_strings values;
};
struct output_args {
    struct slice source;
};
struct drop_args {
    struct slice source, value, separator, expression, reason;
    int64_t older_than_ns;
    uint64_t longer_than;
    bool has_value, has_source;
};
struct match_args {
    struct slice selector, pipeline_name, reason;
    int action; /* enum match_action */
    struct river_enum_blocks stages;
};
enum match_action { MATCH_KEEP, MATCH_DROP };
struct multiline_args {
    struct slice firstline;
    int64_t max_lines, max_wait_ns;
    bool trim_newlines;
};
struct tenant_args {
    struct slice label, source, value;
};

/* --- selector.c: {app="x", env=~"p.*"} |= "text" !~ "re" ---------------------------------------------------------- */
struct selector;
MUST_USE enum code selector_parse(struct selector **out, struct slice text, struct error *err);
void selector_free(struct selector *s); /* NULL is fine */
bool selector_matches(const struct selector *s, const struct entry *e);

struct process_args {
    struct river_capsules forward_to;
    struct river_enum_blocks stages;
};
extern const struct river_block process_args_block;

#endif
