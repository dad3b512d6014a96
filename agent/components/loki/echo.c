/* loki.echo: a sink that writes every entry to standard error as one line, for trying out a pipeline. With --tap the
 * tap prints instead. */
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include <stdio.h>

struct component {
    struct receiver receiver;
    struct metric *received; /* owned reference */
};

static void put_quoted(struct buf *out, struct slice s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c); /* no control sequence reaches the terminal */
        else
            buf_add_char(out, (char)c);
    }
    buf_add_char(out, '"');
}

static void print(const struct component *c, const struct log_batch *b)
{
    char time[32];
    struct buf line;
    struct buf labels;

    buf_init(&line, LIMIT_BATCH_BYTES);
    buf_init(&labels, LIMIT_LINE_BYTES);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct log_entry *e = &b->entries[i];

        buf_reset(&labels);
        labels_write(b->base.labels[e->labels], &labels);
        clock_format_rfc3339(e->ts_ns, time);
        buf_printf(&line, "receiver=%s entry_timestamp=%s entry=", c->receiver.owner, time);
        put_quoted(&line, e->line);
        buf_add_str(&line, " labels=");
        put_quoted(&line, buf_slice(&labels));
        buf_add_char(&line, '\n');
    }
    fwrite(line.ptr, 1, line.len, stderr); /* whole lines in one write; a terminal that is gone is no reason to stop */
    buf_release(&labels);
    buf_release(&line);
}

static void push(void *self, struct log_batch *take)
{
    struct component *c = self;

    if (!tap_is_printing() && take->n != 0)
        print(c, take);
    metric_add(c->received, take->n);
    ledger_out(c->receiver.ledger, take->n); /* its way ends here: accepted */
    batch_settle(&take->base, c->receiver.owner, SETTLED_ACKED, DROP_RULE, NULL);
    batch_unref(&take->base);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);

    (void)args;
    (void)err;
    c->receiver = (struct receiver){.kind = RECEIVES_LOGS, .is_sink = true, .self = c, .push = {.logs = push}};
    c->received = host_counter(host, "loki_echo_entries_total", "Log entries accepted.", NULL, 0);
    host_receiver(host, &c->receiver);
    host_export(host, "receiver", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    metric_unref(c->received);
    mem_free(c);
    done(arg);
}

struct no_args {
    char unused;
};

static const struct river_field fields[] = {RIVER_FIELDS_END};
static const struct river_block args_block = {.name = "loki.echo",
                                              .fields = fields,
                                              .size = sizeof(struct no_args),
                                              .doc = "Prints log entries; it takes no arguments."};

static const struct component_export exports[] = {
    {"receiver", "LogsReceiver", "Takes log entries."},
    {0},
};

const struct component_type component_loki_echo = {
    .name = "loki.echo",
    .stability = STABILITY_GA, /* experimental in Alloy; there is nothing to change about it */
    .doc = "Prints every log entry on standard error.",
    .args = &args_block,
    .exports = exports,
    .is_sink = true,
    .create = create,
    .close = close_component,
};
