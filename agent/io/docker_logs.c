/* The stream of /containers/{id}/logs. With frames: {source, 0, 0, 0, length (big endian)} and then "TIMESTAMP text", a
 * newline at the end of the line's last part; every part has the timestamp again. A terminal has no frames: the same
 * text, where a part ends after 16 KiB. */
#include "agent/io/docker.h"
#include "agent/text/timefmt.h"

enum { STAMP_BYTES = 48, PART_BYTES = 16 * 1024, FRAME_STDIN = 0, FRAME_STDERR = 2, FRAME_ERROR = 3 };

void docker_logs_init(struct docker_logs *l, bool is_raw, size_t max_line_bytes)
{
    *l = (struct docker_logs){.is_raw = is_raw, .max_line_bytes = max_line_bytes};
    for (size_t i = 0; i < DOCKER_SOURCES; i++) {
        buf_init(&l->parts[i].stamp, STAMP_BYTES);
        buf_init(&l->parts[i].text, max_line_bytes);
        l->parts[i].state = PART_STAMP;
    }
}

void docker_logs_release(struct docker_logs *l)
{
    for (size_t i = 0; i < DOCKER_SOURCES; i++) {
        buf_release(&l->parts[i].stamp);
        buf_release(&l->parts[i].text);
    }
}

static void add_text(struct docker_part *p, struct slice text)
{
    size_t room = p->text.max - p->text.len;

    p->is_cut = p->is_cut || text.len > room;
    if (buf_add(&p->text, slice_head(text, room)) != OK)
        p->is_cut = true;
}

static void end_line(struct docker_logs *l, enum docker_std source)
{
    struct docker_part *p = &l->parts[source];
    struct slice text = buf_slice(&p->text);

    if (slice_ends(text, SLICE_LIT("\r")) && !p->is_cut)
        text.len--;
    if (p->has_ts)
        l->line(l->arg, &(struct docker_line){source, p->ts_ns, text, p->is_cut});
    else
        l->bad(l->arg, "a line without a timestamp");
    buf_reset(&p->text);
    buf_reset(&p->stamp);
    p->has_ts = p->is_cut = false;
    p->part_bytes = 0;
    p->state = PART_STAMP;
}

/* What was collected is a timestamp: of the line, or of its next part. Else it is text of the line. */
static bool end_stamp(struct docker_part *p)
{
    struct slice stamp = buf_slice(&p->stamp);
    int64_t ts_ns;
    bool is_stamp = timefmt_parse_rfc3339(stamp, &ts_ns);

    p->state = PART_TEXT;
    p->part_bytes = 0;
    if (is_stamp) {
        if (!p->has_ts)
            p->ts_ns = ts_ns;
        p->has_ts = true;
    } else {
        add_text(p, stamp);
        p->part_bytes = stamp.len;
    }
    buf_reset(&p->stamp);
    return is_stamp;
}

/* Takes one run of bytes of a source; returns how many. */
static size_t take_stamp(struct docker_logs *l, enum docker_std source, struct slice s)
{
    struct docker_part *p = &l->parts[source];

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == ' ') {
            if (!end_stamp(p))
                add_text(p, SLICE_LIT(" "));
            return i + 1;
        }
        if (s.ptr[i] == '\n' || buf_add_char(&p->stamp, s.ptr[i]) != OK) {
            (void)end_stamp(p);
            return i; /* that byte is text */
        }
    }
    return s.len;
}

static size_t take_text(struct docker_logs *l, enum docker_std source, struct slice s)
{
    struct docker_part *p = &l->parts[source];
    size_t n = s.len;

    if (l->is_raw && n > PART_BYTES - p->part_bytes)
        n = PART_BYTES - p->part_bytes;
    s = slice_head(s, n);
    n = slice_find(s, '\n');
    add_text(p, slice_head(s, n));
    p->part_bytes += n;
    if (n < s.len) {
        bool was_framed = !l->is_raw && l->frame_left > n + 1;
        int64_t ts_ns = p->ts_ns;
        bool has_ts = p->has_ts;

        end_line(l, source);
        if (was_framed) { /* several lines of one message: they share its time */
            p->ts_ns = ts_ns;
            p->has_ts = has_ts;
            p->state = PART_TEXT;
        }
        return n + 1;
    }
    if (l->is_raw && p->part_bytes == PART_BYTES)
        p->state = PART_STAMP;
    return n;
}

static size_t take(struct docker_logs *l, enum docker_std source, struct slice s)
{
    return l->parts[source].state == PART_STAMP ? take_stamp(l, source, s) : take_text(l, source, s);
}

static enum code take_head(struct docker_logs *l, char c, struct error *err)
{
    l->head[l->n_head++] = (unsigned char)c;
    if (l->n_head < sizeof l->head)
        return OK;
    if (l->head[0] > FRAME_ERROR || l->head[1] != 0 || l->head[2] != 0 || l->head[3] != 0)
        return error_set(err, CORRUPT, "Docker's log stream is damaged: no frame begins with %02x%02x%02x%02x",
                         l->head[0], l->head[1], l->head[2], l->head[3]);
    l->frame_left = (uint32_t)l->head[4] << 24 | (uint32_t)l->head[5] << 16 | (uint32_t)l->head[6] << 8 | l->head[7];
    l->source = l->head[0] == FRAME_STDERR ? DOCKER_STDERR : DOCKER_STDOUT;
    l->is_left_out = l->head[0] == FRAME_ERROR;
    if (l->is_left_out)
        l->bad(l->arg, "Docker cannot read a part of the log");
    if (l->frame_left == 0)
        l->n_head = 0;
    return OK;
}

/* The frame is over: what comes next of this source begins with a timestamp again. */
static void end_frame(struct docker_logs *l)
{
    struct docker_part *p = &l->parts[l->source];

    l->n_head = 0;
    if (p->state == PART_STAMP && p->stamp.len != 0)
        (void)end_stamp(p);
    p->state = PART_STAMP;
}

static size_t take_frame(struct docker_logs *l, struct slice s)
{
    size_t n;

    s = slice_head(s, l->frame_left);
    n = l->is_left_out ? s.len : take(l, l->source, s);
    l->frame_left -= (uint32_t)n;
    if (l->frame_left == 0)
        end_frame(l);
    return n;
}

enum code docker_logs_feed(struct docker_logs *l, struct slice chunk, struct error *err)
{
    enum code rc = OK;

    while (chunk.len != 0 && rc == OK) {
        size_t n = 1;

        if (l->is_raw)
            n = take(l, DOCKER_STDOUT, chunk);
        else if (l->n_head == sizeof l->head)
            n = take_frame(l, chunk);
        else
            rc = take_head(l, chunk.ptr[0], err);
        chunk = slice_from(chunk, n);
    }
    return rc;
}

void docker_logs_end(struct docker_logs *l)
{
    for (unsigned i = 0; i < DOCKER_SOURCES; i++) {
        struct docker_part *p = &l->parts[i];

        if (p->stamp.len != 0)
            (void)end_stamp(p);
        if (p->has_ts || p->text.len != 0)
            end_line(l, (enum docker_std)i);
    }
}
