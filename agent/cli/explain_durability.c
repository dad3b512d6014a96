/* What is durable from where to where: what a source does at a restart, who holds items on the way, and what the
 * endpoints do when they are full. */
#include "agent/base/mem.h"
#include "agent/cli/explain.h"

enum { TEXT_BYTES = 1024 * 1024 };

/* One destination of a sink. */
struct destination {
    size_t node, block; /* its endpoint block; SIZE_MAX: the component has one destination */
    struct arguments all;
};

static void write_bytes(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double shown = (double)bytes;
    size_t unit = 0;

    while (shown >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        shown /= 1024;
        unit++;
    }
    if (unit == 0 || shown >= 100)
        buf_printf(out, "%.0f %s", shown, units[unit]);
    else
        buf_printf(out, "%.1f %s", shown, units[unit]);
}

/* A number, or a size as a text; 0: not given. */
static uint64_t number_of(const struct argument *a)
{
    uint64_t n = 0;
    struct error err = {0};

    if (a == NULL || !a->is_known)
        return 0;
    if (a->value.type == VALUE_NUMBER)
        return value_number_u64(a->value.as.number, &n) ? n : 0;
    return value_is_text(&a->value) && river_bytes_parse(a->value.as.text.bytes, &n, &err) == OK ? n : 0;
}

static size_t count_destinations(struct arguments all)
{
    size_t n = 0;

    for (size_t i = SIZE_MAX; (i = arguments_block(all, SIZE_MAX, "endpoint", i)) != SIZE_MAX;)
        n++;
    if (n == 0 && arguments_block(all, SIZE_MAX, "client", SIZE_MAX) != SIZE_MAX)
        n = 1;
    return n;
}

static size_t count_sinks(const struct explain *x)
{
    size_t n = 0;

    for (size_t i = 0; i < x->graph->n; i++)
        n += x->graph->nodes[i].role == GRAPH_SINK;
    return n;
}

static bool blocks_when_full(const struct destination *d)
{
    size_t queue = arguments_block(d->all, SIZE_MAX, "sending_queue", SIZE_MAX);
    const struct argument *a =
        d->block == SIZE_MAX && queue != SIZE_MAX ? arguments_find(d->all, queue, "block_on_overflow") : NULL;

    if (a != NULL)
        return a->value.type == VALUE_BOOL && a->value.as.boolean;
    return slice_eq_str(arguments_text(d->all, d->block, "on_full"), "block");
}

static void write_cap(const struct explain *x, const struct destination *d, struct buf *out)
{
    size_t sinks = count_sinks(x), n = count_destinations(d->all);
    size_t inner = d->block != SIZE_MAX ? arguments_block(d->all, d->block, "queue_config", SIZE_MAX)
                                        : arguments_block(d->all, SIZE_MAX, "sending_queue", SIZE_MAX);
    const struct argument *cap =
        inner == SIZE_MAX ? NULL : arguments_find(d->all, inner, d->block != SIZE_MAX ? "capacity" : "queue_size");
    bool is_bytes = cap != NULL && cap->field != NULL && cap->field->kind == RIVER_BYTES;
    bool is_count = false;

    if (cap != NULL && cap->field != NULL && d->block == SIZE_MAX && !cap->is_default) {
        is_bytes = slice_eq_str(arguments_text(d->all, inner, "sizer"), "bytes");
        is_count = !is_bytes;
    }
    if (is_bytes && number_of(cap) != 0) {
        buf_add_str(out, "at most ");
        write_bytes(out, number_of(cap));
        return;
    }
    if (is_count)
        buf_printf(out, "at most %llu requests and ", (unsigned long long)number_of(cap));
    else
        buf_add_str(out, "at most ");
    if (x->memory_limit == 0) {
        buf_add_str(out, "its share of half the memory limit");
        return;
    }
    write_bytes(out, x->memory_limit / 2 / (sinks != 0 ? sinks : 1) / (n != 0 ? n : 1));
    buf_add_str(out, " (its share of memory)");
}

static void row(struct columns *rows, const char *left, const struct buf *right)
{
    columns_add(rows, PAINT_NONE, slice_str(left), PAINT_NONE, buf_slice(right));
}

static void add_destination(const struct explain *x, const struct destination *d, struct columns *rows)
{
    struct slice age = arguments_text(d->all, d->block, "max_age");
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    buf_add(&text, explain_id(x, d->node));
    buf_add_str(&text, "  ");
    buf_add(&text, explain_address(d->all, d->block));
    columns_add(rows, PAINT_BOLD, buf_slice(&text), PAINT_NONE, (struct slice){0});
    buf_reset(&text);
    write_cap(x, d, &text);
    row(rows, "  queue", &text);
    buf_reset(&text);
    buf_add_str(&text, blocks_when_full(d)
                           ? "block: the sources that reach it wait until there is room; nothing is dropped"
                           : "drop_oldest: its oldest items are dropped, counted queue_full, and not read again; "
                             "nobody waits");
    row(rows, "  when full", &text);
    if (age.len != 0 && !slice_eq_str(age, "0s")) {
        buf_reset(&text);
        buf_printf(&text, "what waited longer than %.*s is dropped, counted too_old", SLICE_ARG(age));
        row(rows, "  age", &text);
    }
    if (slice_eq_str(arguments_text(d->all, d->block, "durability"), "memory")) {
        buf_reset(&text);
        buf_add_str(&text, "durability = \"memory\": clients are answered before it was delivered; a SIGKILL loses "
                           "what is queued");
        row(rows, "  clients", &text);
    }
    buf_release(&text);
}

static void add_destinations(const struct explain *x, size_t node, struct columns *rows)
{
    struct destination d = {.node = node, .block = SIZE_MAX, .all = description_arguments(x->description, node)};
    struct buf text;

    if (count_destinations(d.all) == 0) {
        buf_init(&text, TEXT_BYTES);
        buf_add_str(&text, "none: items end here as they come");
        columns_add(rows, PAINT_BOLD, explain_id(x, node), PAINT_NONE, (struct slice){0});
        row(rows, "  queue", &text);
        buf_release(&text);
        return;
    }
    d.block = arguments_block(d.all, SIZE_MAX, "endpoint", SIZE_MAX);
    if (d.block == SIZE_MAX)
        add_destination(x, &d, rows);
    for (; d.block != SIZE_MAX; d.block = arguments_block(d.all, SIZE_MAX, "endpoint", d.block))
        add_destination(x, &d, rows);
}

/* --- sources --- */

static bool answers_early(const struct explain *x, const bool *marks)
{
    for (size_t i = 0; i < x->graph->n; i++) {
        struct arguments all;

        if (!marks[i] || x->graph->nodes[i].role != GRAPH_SINK)
            continue;
        all = description_arguments(x->description, i);
        for (size_t b = SIZE_MAX; (b = arguments_block(all, SIZE_MAX, "endpoint", b)) != SIZE_MAX;)
            if (slice_eq_str(arguments_text(all, b, "durability"), "memory"))
                return true;
    }
    return false;
}

/* loki.process can hold lines back, and does when one of its stages joins them. */
static bool joins_lines(struct arguments all)
{
    static const char *const stages[] = {"stage.multiline", "stage.docker", "stage.cri"};

    for (size_t i = 0; i < all.n; i++)
        for (size_t k = 0; all.items[i].is_block && k < sizeof stages / sizeof stages[0]; k++)
            if (slice_eq_str(all.items[i].name, stages[k]))
                return true;
    return false;
}

static bool does_hold(const struct explain *x, size_t node)
{
    const struct component_type *type = x->config->blocks[node].type;

    return type->holds != HOLDS_NONE &&
           (strcmp(type->name, "loki.process") != 0 || joins_lines(description_arguments(x->description, node)));
}

static const char *restart_text(enum recovery recovers)
{
    switch (recovers) {
    case RECOVERS_POSITIONS:
        return "reads on behind what was acknowledged: positions are kept below --storage.path, written within a "
               "second";
    case RECOVERS_CLIENTS:
        return "its clients have no answer yet and send again";
    case RECOVERS_UNSAID:
    case RECOVERS_NOTHING:
        break;
    }
    return "goes on from now: what happened meanwhile was not seen";
}

static const char *kill_text(enum recovery recovers, bool is_early)
{
    switch (recovers) {
    case RECOVERS_POSITIONS:
        return "loses nothing that can still be read; repeats what was acknowledged after the last position was "
               "written, and what was in flight";
    case RECOVERS_CLIENTS:
        return is_early ? "loses what is queued at endpoints with durability = \"memory\"; repeats requests that were "
                          "in flight"
                        : "loses nothing that was answered; repeats requests whose answer did not get out";
    case RECOVERS_UNSAID:
    case RECOVERS_NOTHING:
        break;
    }
    return "loses what is queued; repeats nothing";
}

/* What a component between does that its neighbours notice. */
static const char *way_text(const struct component_type *type)
{
    if (type->has_gate)
        return " refuses when memory is short: clients are asked to send again, files are read later";
    if (type->holds == HOLDS_STATE)
        return " keeps what it takes as state: from here on a SIGKILL loses it";
    return " holds lines until they are joined; until then they count as not delivered";
}

static void add_source(const struct explain *x, size_t at, struct columns *rows)
{
    enum recovery recovers = x->config->blocks[at].type->recovers;
    bool *marks = mem_array(x->graph->n + 1, sizeof *marks);
    struct buf text;
    size_t n = 0;

    buf_init(&text, TEXT_BYTES);
    graph_reach(x->graph, at, marks);
    columns_add(rows, PAINT_BOLD, explain_id(x, at), PAINT_NONE, (struct slice){0});
    for (size_t i = 0; i < x->graph->n; i++)
        if (marks[i] && x->graph->nodes[i].role == GRAPH_SINK)
            buf_printf(&text, "%s%.*s", n++ != 0 ? ", " : "", SLICE_ARG(explain_id(x, i)));
    if (n == 0)
        buf_add_str(&text, "nothing");
    row(rows, "  delivers to", &text);
    buf_reset(&text);
    buf_add_str(&text, restart_text(recovers));
    row(rows, "  at a restart", &text);
    buf_reset(&text);
    buf_add_str(&text, kill_text(recovers, answers_early(x, marks)));
    row(rows, "  SIGKILL", &text);
    for (size_t i = 0; i < x->graph->n; i++) {
        if (!marks[i] || (!does_hold(x, i) && !x->config->blocks[i].type->has_gate))
            continue;
        buf_reset(&text);
        buf_add(&text, explain_id(x, i));
        buf_add_str(&text, way_text(x->config->blocks[i].type));
        row(rows, "  on the way", &text);
    }
    buf_release(&text);
    mem_free(marks);
}

void explain_durability(const struct explain *x, struct buf *out)
{
    struct columns rows;

    columns_init(&rows);
    explain_heading(x, out, "What is durable");
    buf_add_str(out,
                "Queues are in memory (memory mode; spools on disk are not built yet): a SIGTERM sends what it can "
                "in time,\na SIGKILL or a power cut empties them.\n\n");
    for (size_t i = 0; i < x->graph->n; i++)
        if (x->graph->nodes[i].role == GRAPH_SOURCE && (x->only == SIZE_MAX || x->only == i))
            add_source(x, i, &rows);
    if (rows.n != 0)
        columns_add(&rows, PAINT_NONE, (struct slice){0}, PAINT_NONE, (struct slice){0});
    for (size_t i = 0; i < x->graph->n; i++)
        if (x->graph->nodes[i].role == GRAPH_SINK && (x->only == SIZE_MAX || x->only == i))
            add_destinations(x, i, &rows);
    columns_print(&rows, out, x->is_coloured, sizeof "  at a restart" - 1);
    columns_release(&rows);
}
