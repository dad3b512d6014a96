/* What is kept of a path: Alloy's plain offset (of the file that stands there now), and beside it, under a key that
 * Alloy leaves alone, the files not yet settled with identity and offset, oldest first:
 *
 *     ? path: cursor-files-/var/log/a.log
 *       labels: '{app="a"}'
 *     : "801:2f3a:1200;801:2f41:0"
 *
 * device and inode in hex, then the offset; "+" after it: inside a line whose start was sent. */
#include "agent/components/loki/source_file/source_file.h"
#include <inttypes.h>
#include <stdio.h>

enum { RECORD_BYTES = RECORD_TAILS * 64 };

static bool parse_hex(struct slice s, uint64_t *out)
{
    *out = 0;
    if (s.len == 0 || s.len > 16)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : 16;

        if (digit == 16)
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

static bool parse(struct slice text, struct record *out)
{
    while (text.len != 0 && out->n < RECORD_TAILS) {
        struct slice item, device, inode, offset;

        (void)slice_cut(text, ';', &item, &text);
        if (!slice_cut(item, ':', &device, &item) || !slice_cut(item, ':', &inode, &offset))
            return false;
        out->at[out->n].is_cut = slice_ends(offset, SLICE_LIT("+"));
        offset.len -= out->at[out->n].is_cut ? 1 : 0;
        if (!parse_hex(device, &out->at[out->n].id.device) || !parse_hex(inode, &out->at[out->n].id.inode) ||
            !slice_to_u64(offset, &out->at[out->n].offset))
            return false;
        out->n++;
    }
    return text.len == 0;
}

bool record_read(struct follower *f, struct record *out)
{
    struct buf text;
    bool is_there;

    *out = (struct record){0};
    buf_init(&text, RECORD_BYTES);
    is_there = positions_get_text(f->source->positions, slice_str(f->record_key), slice_str(f->labels_text), &text) &&
               parse(buf_slice(&text), out) && out->n != 0;
    buf_release(&text);
    return is_there;
}

void record_write(struct follower *f)
{
    struct positions_file *to = f->source->positions;
    uint64_t newest = 0;
    struct buf text;

    if (list_is_empty(&f->tails))
        return;
    buf_init(&text, RECORD_BYTES);
    LIST_EACH (it, &f->tails) {
        const struct tail *t = CONTAINER_OF(it, struct tail, link);

        newest = tail_settled_offset(t);
        (void)buf_printf(&text, "%s%" PRIx64 ":%" PRIx64 ":%" PRIu64 "%s", text.len != 0 ? ";" : "", t->id.device,
                         t->id.inode, newest, tail_is_inside_line(t) ? "+" : "");
    }
    positions_set_text(to, slice_str(f->record_key), slice_str(f->labels_text), buf_slice(&text));
    positions_set(to, slice_str(f->path), slice_str(f->labels_text), (int64_t)newest);
    buf_release(&text);
}

void record_remove(struct follower *f)
{
    positions_remove(f->source->positions, slice_str(f->record_key), slice_str(f->labels_text));
    positions_remove(f->source->positions, slice_str(f->path), slice_str(f->labels_text));
}
