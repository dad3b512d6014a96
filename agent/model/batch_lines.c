/* One line per item. What the items say is shown without control characters: a log line must not drive a terminal. */
#include "agent/model/batch_lines.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/model/pbwire.h"

/* Field numbers of opentelemetry/proto: {trace,metrics,logs}/v1 */
enum {
    RESOURCE_RESOURCE = 1,
    RESOURCE_SCOPES = 2,
    SCOPE_ITEMS = 2,
    ATTRIBUTES = 1,
    KEY = 1,
    VALUE = 2,
    VALUE_STRING = 1,
    SPAN_TRACE_ID = 1,
    SPAN_NAME = 5,
    METRIC_NAME = 1,
    LOG_TIME = 1,
    LOG_BODY = 5,
    LOG_OBSERVED = 11,
};

enum { TRACE_ID_BYTES = 16 };

struct paint {
    const char *logs, *samples, *spans, *dim, *off;
};

/* Where the lines go: one after the other into out, or each alone to a listener until it has enough. */
struct writer {
    struct buf *out;
    const struct paint *paint;
    line_fn each; /* NULL: all into out */
    void *ctx;
    bool is_over;
};

static const struct paint plain = {"", "", "", "", ""};
static const struct paint coloured = {"\033[32m", "\033[36m", "\033[35m", "\033[2m", "\033[0m"};

static void end_line(struct writer *w)
{
    if (w->each == NULL) {
        buf_add_char(w->out, '\n');
        return;
    }
    w->is_over = !w->each(w->ctx, buf_slice(w->out));
    buf_reset(w->out);
}

/* A listener gets the head of a long text. */
static struct slice head(const struct writer *w, struct slice text)
{
    return w->each == NULL ? text : slice_head(text, LIMIT_SHOWN_TEXT_BYTES);
}

static void put_text(struct buf *out, struct slice s)
{
    size_t from = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c >= 0x20 && c != 0x7f)
            continue;
        buf_add(out, slice_make(s.ptr + from, i - from));
        if (c == '\n')
            buf_add_str(out, "\\n");
        else if (c == '\t')
            buf_add_str(out, "\\t");
        else
            buf_printf(out, "\\x%02x", c);
        from = i + 1;
    }
    buf_add(out, slice_from(s, from));
}

static void put_labels(struct buf *out, const struct labels *l, bool with_name)
{
    bool is_first = true;

    buf_add_char(out, '{');
    for (uint32_t i = 0; l != NULL && i < l->n; i++) {
        if (!with_name && slice_eq_str(l->pairs[i].name, "__name__"))
            continue;
        if (!is_first)
            buf_add_str(out, ", ");
        is_first = false;
        put_text(out, l->pairs[i].name);
        buf_add_str(out, "=\"");
        put_text(out, l->pairs[i].value);
        buf_add_char(out, '"');
    }
    buf_add_char(out, '}');
}

static void put_time(struct buf *out, int64_t ns)
{
    char when[32];

    clock_format_rfc3339(ns, when);
    buf_add_str(out, when);
}

static void write_logs(struct writer *w, const struct log_batch *b)
{
    const struct paint *p = w->paint;
    struct buf *out = w->out;

    for (uint32_t i = 0; i < b->n && !w->is_over; i++) {
        const struct log_entry *e = &b->entries[i];

        buf_printf(out, "%slog%s    %s", p->logs, p->off, p->dim);
        put_time(out, e->ts_ns);
        buf_printf(out, "%s ", p->off);
        put_labels(out, e->labels < b->base.n_labels ? b->base.labels[e->labels] : NULL, true);
        buf_add_char(out, ' ');
        put_text(out, head(w, e->line));
        end_line(w);
    }
}

static void write_samples(struct writer *w, const struct sample_batch *b)
{
    const struct paint *p = w->paint;
    struct buf *out = w->out;

    for (uint32_t i = 0; i < b->n && !w->is_over; i++) {
        const struct sample *s = &b->samples[i];
        uint64_t bits;

        memcpy(&bits, &s->value, sizeof bits);
        buf_printf(out, "%smetric%s ", p->samples, p->off);
        put_text(out, labels_get(s->labels, SLICE_LIT("__name__")));
        put_labels(out, s->labels, false);
        if (s->kind == SAMPLE_HISTOGRAM)
            buf_add_str(out, " (native histogram)");
        else if (bits == STALE_NAN_BITS)
            buf_add_str(out, " (stale)");
        else
            buf_printf(out, " %.15g", s->value);
        end_line(w);
    }
}

/* The first BYTES field of that number in a message; empty when there is none. */
static struct slice find_bytes(struct slice message, uint32_t number)
{
    struct pb_reader r;
    struct pb_field f;

    pb_reader_init(&r, message);
    while (pb_next(&r, &f) == PB_FIELD)
        if (f.number == number && f.type == PB_BYTES)
            return f.bytes;
    return (struct slice){NULL, 0};
}

static uint64_t find_fixed64(struct slice message, uint32_t number)
{
    struct pb_reader r;
    struct pb_field f;

    pb_reader_init(&r, message);
    while (pb_next(&r, &f) == PB_FIELD)
        if (f.number == number && f.type == PB_FIXED64)
            return f.value;
    return 0;
}

static struct slice service_name(struct slice resource_message)
{
    struct pb_reader r;
    struct pb_field f;

    pb_reader_init(&r, find_bytes(resource_message, RESOURCE_RESOURCE));
    while (pb_next(&r, &f) == PB_FIELD)
        if (f.number == ATTRIBUTES && f.type == PB_BYTES && slice_eq_str(find_bytes(f.bytes, KEY), "service.name"))
            return find_bytes(find_bytes(f.bytes, VALUE), VALUE_STRING);
    return (struct slice){NULL, 0};
}

static void write_span(struct writer *w, struct slice span, struct slice service)
{
    const struct paint *p = w->paint;
    struct buf *out = w->out;
    struct slice id = find_bytes(span, SPAN_TRACE_ID);

    buf_printf(out, "%sspan%s   ", p->spans, p->off);
    put_text(out, find_bytes(span, SPAN_NAME));
    buf_printf(out, " %strace=", p->dim);
    for (size_t i = 0; i < id.len && i < TRACE_ID_BYTES; i++)
        buf_printf(out, "%02x", (unsigned char)id.ptr[i]);
    buf_printf(out, "%s service=", p->off);
    put_text(out, service);
    end_line(w);
}

static void write_record(struct writer *w, struct slice record, struct slice service)
{
    const struct paint *p = w->paint;
    struct buf *out = w->out;
    uint64_t time = find_fixed64(record, LOG_TIME);

    buf_printf(out, "%slog%s    %s", p->logs, p->off, p->dim);
    put_time(out, (int64_t)(time != 0 ? time : find_fixed64(record, LOG_OBSERVED)));
    buf_printf(out, "%s service=", p->off);
    put_text(out, service);
    buf_add_char(out, ' ');
    put_text(out, head(w, find_bytes(find_bytes(record, LOG_BODY), VALUE_STRING)));
    end_line(w);
}

static void write_item(struct writer *w, enum otlp_signal signal, struct slice item, struct slice service)
{
    const struct paint *p = w->paint;
    struct buf *out = w->out;

    switch (signal) {
    case OTLP_TRACES:
        write_span(w, item, service);
        break;
    case OTLP_LOGS:
        write_record(w, item, service);
        break;
    case OTLP_METRICS:
        buf_printf(out, "%smetric%s ", p->samples, p->off);
        put_text(out, find_bytes(item, METRIC_NAME));
        buf_add_str(out, " service=");
        put_text(out, service);
        end_line(w);
        break;
    }
}

static void write_scope(struct writer *w, enum otlp_signal signal, struct slice scope, struct slice service)
{
    struct pb_reader r;
    struct pb_field f;

    pb_reader_init(&r, scope);
    while (!w->is_over && pb_next(&r, &f) == PB_FIELD)
        if (f.number == SCOPE_ITEMS && f.type == PB_BYTES)
            write_item(w, signal, f.bytes, service);
}

static void write_otlp(struct writer *w, const struct otlp_batch *b)
{
    for (uint32_t i = 0; i < b->n && !w->is_over; i++) {
        struct slice service = service_name(b->resources[i].bytes);
        struct pb_reader r;
        struct pb_field f;

        pb_reader_init(&r, b->resources[i].bytes);
        while (!w->is_over && pb_next(&r, &f) == PB_FIELD)
            if (f.number == RESOURCE_SCOPES && f.type == PB_BYTES)
                write_scope(w, b->signal, f.bytes, service);
    }
}

static void write_batch(struct writer *w, const struct batch *b)
{
    switch (b->kind) {
    case BATCH_LOGS:
        write_logs(w, (const void *)b);
        break;
    case BATCH_SAMPLES:
        write_samples(w, (const void *)b);
        break;
    case BATCH_OTLP:
        write_otlp(w, (const void *)b);
        break;
    }
}

void batch_write_lines(struct buf *out, const struct batch *b, bool is_coloured)
{
    struct writer w = {.out = out, .paint = is_coloured ? &coloured : &plain};

    write_batch(&w, b);
}

void batch_each_line(struct buf *scratch, const struct batch *b, line_fn each, void *ctx)
{
    struct writer w = {.out = scratch, .paint = &plain, .each = each, .ctx = ctx};

    buf_reset(scratch);
    write_batch(&w, b);
}
