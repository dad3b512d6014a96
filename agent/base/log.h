/* agent/base/log.h - the agent's own log: logfmt (or JSON) on stderr, RFC 3339 UTC with ms, one line per cause per 10 s
 * with the count of those left out. A cause is (component, message): values belong into fields, not into the message.
 * Log once, where the decision is taken, together with a counter. Never log payloads or secrets. Thread-safe. */
#ifndef AGENT_BASE_LOG_H
#define AGENT_BASE_LOG_H
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct clock;

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_FLOAT } kind;
    struct slice text;
    int64_t number;
    double real;
};

static inline struct log_field log_str(const char *key, const char *value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_SLICE, .text = slice_str(value)};
}
static inline struct log_field log_slice(const char *key, struct slice value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_SLICE, .text = value};
}
static inline struct log_field log_int(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_INT, .number = value};
}
static inline struct log_field log_float(const char *key, double value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_FLOAT, .real = value};
}

/* component: the id ("loki.write.default"), or NULL for the agent itself. */
void log_event(enum log_level level, const char *component, const char *message, const struct log_field *fields,
               size_t n_fields);
/* log_warn("loki.write.x", "push refused", log_int("status", 400), log_str("do", "check the tenant")) */
#define LOG_EVENT(level, component, ...) LOG_EVENT_(level, component, __VA_ARGS__, (struct log_field){0})
#define LOG_EVENT_(level, component, message, ...)                                                                     \
    log_event(level, component, message, (const struct log_field[]){__VA_ARGS__},                                      \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_debug(component, ...) LOG_EVENT(LOG_DEBUG, component, __VA_ARGS__)
#define log_info(component, ...) LOG_EVENT(LOG_INFO, component, __VA_ARGS__)
#define log_warn(component, ...) LOG_EVENT(LOG_WARN, component, __VA_ARGS__)
#define log_error(component, ...) LOG_EVENT(LOG_ERROR, component, __VA_ARGS__)

void log_set(enum log_level lowest, enum log_format format);
bool log_is_on(enum log_level level);
/* Rooms named in HYAGENT_TRACE ("spool,http") are traced: if (log_is_traced("http")) log_debug(...). */
bool log_is_traced(const char *room);
/* Where finished lines go instead of stderr (tests); NULL restores stderr. */
void log_set_sink(void (*sink)(void *self, enum log_level level, struct slice line), void *self);
/* Keeps the end of the log from now on, at most max_bytes of text: for the support bundle, and for a copy that comes
 * late. 0: forgets it. */
void log_keep(size_t max_bytes);
struct buf;
void log_write_kept(struct buf *out); /* appends the kept lines, oldest first, each with a line feed */

struct log_line {
    int64_t ts_ns;
    enum log_level level;
    const char *component; /* NULL: the agent itself */
    struct slice text;     /* without a line feed */
};
/* A second reader beside stderr (logging.write_to): gets every finished line under the log's lock, so it has to be
 * quick and must not log. with_kept: the kept lines first. One at a time; NULL ends it, and fn does not run after that.
 */
void log_set_copy(void (*fn)(void *self, const struct log_line *line), void *self, bool with_kept);
/* Where the time comes from; NULL restores the system's clocks. */
void log_set_clock(const struct clock *clock);
/* Prints the "left out" counts that are still open; called at exit. */
void log_flush(void);
#endif
