#include "agent/base/buf.h"
#include "agent/base/limits.h"
#include "agent/river/letters.h"
#include "agent/runtime/foreach.h"
#include "agent/text/digest.h"
#include "agent/text/utf8.h"
#include <inttypes.h>
#include <stdio.h>

enum { MAX_TEXT_BYTES = 64 };

void foreach_ids_init(struct foreach_ids *ids)
{
    map_init(&ids->counts, 0);
}

void foreach_ids_release(struct foreach_ids *ids)
{
    map_release(&ids->counts, NULL);
}

static void add_hash(struct buf *out, struct slice text)
{
    uint8_t digest[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1];

    digest_sha256(text, slice_str(NULL), digest);
    digest_hex(digest, hex);
    buf_add_str(out, hex);
}

static void add_value_hash(struct buf *out, const struct value *v)
{
    struct buf text;

    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    value_to_json(&text, v, false); /* what is secret goes no further than the hash */
    add_hash(out, buf_slice(&text));
    buf_release(&text);
}

/* Letters and digits of any script stay, each other character is one _. */
static void add_text(struct buf *out, struct slice text)
{
    while (text.len > 0) {
        uint32_t rune;
        size_t n = utf8_decode(text, &rune);

        if (letter_is(rune) || digit_is(rune)) /* letter_is knows '_' too */
            buf_add(out, slice_head(text, n));
        else
            buf_add_char(out, '_');
        text = slice_from(text, n);
    }
}

static void add_number(struct buf *out, struct number n)
{
    char text[400];

    switch (n.kind) {
    case NUMBER_INT:
        snprintf(text, sizeof text, "%" PRId64, n.as.i);
        break;
    case NUMBER_UINT:
        snprintf(text, sizeof text, "%" PRIu64, n.as.u);
        break;
    case NUMBER_FLOAT:
        snprintf(text, sizeof text, "%f", n.as.f);
        break;
    }
    add_text(out, slice_str(text));
}

static void add_item(struct buf *out, const struct foreach_args *args, const struct value *id)
{
    bool is_text = value_is_text(id) && !value_is_secret(id);

    if (is_text && args->hash_string_id)
        add_hash(out, id->as.text.bytes);
    else if (is_text && id->as.text.bytes.len <= MAX_TEXT_BYTES)
        add_text(out, id->as.text.bytes);
    else if (is_text)
        add_hash(out, id->as.text.bytes);
    else if (id->type == VALUE_NUMBER)
        add_number(out, id->as.number);
    else if (id->type == VALUE_BOOL)
        buf_add_str(out, id->as.boolean ? "true" : "false");
    else
        add_value_hash(out, id);
}

void foreach_id(struct foreach_ids *ids, const struct foreach_args *args, const struct value *item,
                char out[FOREACH_ID_BYTES])
{
    const struct value *id = args->id.len == 0 ? NULL : value_get(item, args->id);
    struct buf name;
    uintptr_t count;

    buf_init(&name, FOREACH_ID_BYTES - 24);
    buf_add_str(&name, "foreach_");
    add_item(&name, args, id != NULL ? id : item);
    count = (uintptr_t)map_get(&ids->counts, buf_slice(&name)) + 1;
    if (map_put(&ids->counts, buf_slice(&name), (void *)count, NULL) != OK)
        count = (uintptr_t)map_count(&ids->counts); /* no memory: still a number nobody else has for long */
    snprintf(out, FOREACH_ID_BYTES, "%.*s_%" PRIuPTR, SLICE_ARG(buf_slice(&name)), count);
    buf_release(&name);
}
