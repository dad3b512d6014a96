#include "agent/base/log.h"
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct cause {
    uint64_t id; /* hash of component and message; 0: free */
    int64_t last_ns;
    uint64_t left_out;
    enum log_level level;
    char what[160]; /* for the line that tells the count at exit */
};

struct kept {
    struct list link;
    struct log_line line; /* owns its text and component */
    char *text, *component;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list kept = {&kept, &kept}; /* oldest first; under lock, like all below */
static size_t kept_bytes, max_kept_bytes;
static void (*copy_fn)(void *, const struct log_line *);
static void *copy_self;
static struct cause causes[LIMIT_LOG_CAUSES]; /* under lock */
static void (*sink_fn)(void *, enum log_level, struct slice);
static void *sink_self;
static const struct clock *line_clock; /* NULL: the system's */
static _Atomic int lowest_level = LOG_INFO;
static _Atomic int line_format = LOG_LOGFMT;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

void log_set(enum log_level lowest, enum log_format format)
{
    atomic_store(&lowest_level, (int)lowest);
    atomic_store(&line_format, (int)format);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&lowest_level, memory_order_relaxed);
}

bool log_is_traced(const char *room)
{
    struct slice rest = slice_str(getenv("HYAGENT_TRACE")), one;

    while (rest.len != 0) {
        (void)slice_cut(rest, ',', &one, &rest);
        if (slice_eq_str(slice_trim(one), room))
            return true;
    }
    return false;
}

static void add_quoted(struct buf *line, struct slice s)
{
    (void)buf_add_char(line, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c == '"' || c == '\\')
            (void)buf_printf(line, "\\%c", c);
        else if (c == '\n')
            (void)buf_add_str(line, "\\n");
        else if (c < 0x20 || c == 0x7f)
            (void)buf_printf(line, "\\u%04x", c);
        else
            (void)buf_add_char(line, (char)c);
    }
    (void)buf_add_char(line, '"');
}

static bool is_plain(struct slice s)
{
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return false;
    }
    return true;
}

static void add_pair(struct buf *line, const char *key, struct slice value, bool is_number)
{
    bool is_json = atomic_load(&line_format) == LOG_JSON;

    if (is_json) {
        (void)buf_add_char(line, line->len == 0 ? '{' : ',');
        add_quoted(line, slice_str(key));
        (void)buf_add_char(line, ':');
    } else {
        if (line->len != 0)
            (void)buf_add_char(line, ' ');
        (void)buf_printf(line, "%s=", key);
    }
    if (is_number || (!is_json && is_plain(value)))
        (void)buf_add(line, value);
    else
        add_quoted(line, value);
}

/* True: print now, *left_out lines of the same cause were held back since the last one. */
static bool admit(enum log_level level, const char *component, const char *message, int64_t now_ns, uint64_t *left_out)
{
    char what[sizeof causes[0].what];
    int n = snprintf(what, sizeof what, "%s: %s", component != NULL ? component : "hyagent", message);
    uint64_t id = hash64(slice_make(what, n < (int)sizeof what ? (size_t)n : sizeof what - 1)) | 1;
    struct cause *c = NULL, *oldest = &causes[0];

    *left_out = 0;
    for (size_t i = 0; i < LIMIT_LOG_CAUSES && c == NULL; i++) {
        if (causes[i].id == id)
            c = &causes[i];
        else if (causes[i].last_ns < oldest->last_ns)
            oldest = &causes[i];
    }
    if (c != NULL && now_ns - c->last_ns < (int64_t)LIMIT_LOG_CAUSE_S * NS_PER_S) {
        c->left_out++;
        return false;
    }
    if (c == NULL) {
        c = oldest;
        c->left_out = 0;
    }
    *left_out = c->left_out;
    *c = (struct cause){.id = id, .last_ns = now_ns, .level = level};
    memcpy(c->what, what, sizeof what);
    return true;
}

static void forget_kept(size_t until_bytes)
{
    while (kept_bytes > until_bytes) {
        struct kept *oldest = CONTAINER_OF(kept.next, struct kept, link);

        kept_bytes -= oldest->line.text.len;
        list_remove(&oldest->link);
        mem_free(oldest->component);
        mem_free(oldest->text);
        mem_free(oldest);
    }
}

static void keep_line(const struct log_line *line)
{
    struct kept *k;

    if (max_kept_bytes == 0)
        return;
    k = mem_zalloc(sizeof *k);
    k->line = *line;
    k->text = mem_strndup(line->text);
    k->line.text.ptr = k->text;
    if (line->component != NULL)
        k->line.component = k->component = mem_strdup(line->component);
    list_add_tail(&kept, &k->link);
    kept_bytes += line->text.len;
    forget_kept(max_kept_bytes);
}

static void emit(enum log_level level, const char *component, struct buf *line)
{
    struct log_line copy = {.level = level, .component = component};

    if (atomic_load(&line_format) == LOG_JSON)
        (void)buf_add_char(line, '}');
    copy.text = buf_slice(line);
    copy.ts_ns = clock_wall_ns(line_clock != NULL ? line_clock : clock_system());
    keep_line(&copy);
    if (copy_fn != NULL)
        copy_fn(copy_self, &copy);
    if (sink_fn != NULL) {
        sink_fn(sink_self, level, buf_slice(line));
        return;
    }
    (void)buf_add_char(line, '\n');
    if (write(STDERR_FILENO, line->ptr, line->len) < 0)
        return; /* nobody reads our log: nothing better to do than go on */
}

static const struct clock *current_clock(void)
{
    return line_clock != NULL ? line_clock : clock_system();
}

static void add_head(struct buf *line, enum log_level level, const char *component, const char *message)
{
    char ts[32];

    clock_format_rfc3339(clock_wall_ns(current_clock()), ts);
    add_pair(line, "ts", slice_str(ts), false);
    add_pair(line, "level", slice_str(level_names[level]), false);
    if (component != NULL)
        add_pair(line, "component_id", slice_str(component), false);
    add_pair(line, "msg", slice_str(message), false);
}

void log_event(enum log_level level, const char *component, const char *message, const struct log_field *fields,
               size_t n_fields)
{
    struct buf line;
    uint64_t left_out = 0;
    char number[40];

    if (!log_is_on(level))
        return;
    (void)pthread_mutex_lock(&lock);
    if (level >= LOG_WARN && !admit(level, component, message, clock_mono_ns(current_clock()), &left_out)) {
        (void)pthread_mutex_unlock(&lock);
        return;
    }
    buf_init(&line, LIMIT_LOG_LINE_BYTES);
    add_head(&line, level, component, message);
    for (size_t i = 0; i < n_fields && fields[i].key != NULL; i++) {
        struct slice text = fields[i].text;

        if (fields[i].kind == LOG_FIELD_INT)
            text = slice_make(number, (size_t)snprintf(number, sizeof number, "%lld", (long long)fields[i].number));
        else if (fields[i].kind == LOG_FIELD_FLOAT)
            text = slice_make(number, (size_t)snprintf(number, sizeof number, "%g", fields[i].real));
        add_pair(&line, fields[i].key, slice_head(text, LIMIT_LOG_FIELD_BYTES), fields[i].kind != LOG_FIELD_SLICE);
    }
    if (left_out != 0)
        add_pair(&line, "left_out",
                 slice_make(number, (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)left_out)),
                 true);
    emit(level, component, &line);
    (void)pthread_mutex_unlock(&lock);
    buf_release(&line);
}

void log_set_sink(void (*sink)(void *self, enum log_level level, struct slice line), void *self)
{
    (void)pthread_mutex_lock(&lock);
    sink_fn = sink;
    sink_self = self;
    (void)pthread_mutex_unlock(&lock);
}

void log_keep(size_t max_bytes)
{
    (void)pthread_mutex_lock(&lock);
    max_kept_bytes = max_bytes;
    forget_kept(max_bytes);
    (void)pthread_mutex_unlock(&lock);
}

void log_write_kept(struct buf *out)
{
    (void)pthread_mutex_lock(&lock);
    LIST_EACH (it, &kept) {
        (void)buf_add(out, CONTAINER_OF(it, struct kept, link)->line.text);
        (void)buf_add_char(out, '\n');
    }
    (void)pthread_mutex_unlock(&lock);
}

void log_set_copy(void (*fn)(void *self, const struct log_line *line), void *self, bool with_kept)
{
    (void)pthread_mutex_lock(&lock);
    copy_fn = fn;
    copy_self = self;
    if (with_kept && fn != NULL)
        LIST_EACH (it, &kept)
            fn(self, &CONTAINER_OF(it, struct kept, link)->line);
    (void)pthread_mutex_unlock(&lock);
}

void log_set_clock(const struct clock *clock)
{
    (void)pthread_mutex_lock(&lock);
    line_clock = clock;
    (void)pthread_mutex_unlock(&lock);
}

void log_flush(void)
{
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < LIMIT_LOG_CAUSES; i++) {
        struct buf line;
        char number[24];

        if (causes[i].left_out == 0)
            continue;
        buf_init(&line, LIMIT_LOG_LINE_BYTES);
        add_head(&line, causes[i].level, NULL, "the same was logged more often than shown");
        add_pair(&line, "cause", slice_str(causes[i].what), false);
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)causes[i].left_out);
        add_pair(&line, "left_out", slice_str(number), true);
        emit(causes[i].level, NULL, &line);
        buf_release(&line);
        causes[i].left_out = 0;
    }
    (void)pthread_mutex_unlock(&lock);
}
