#include "agent/text/json.h"
#include "agent/text/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What was read and written reads again as the same value; the reader alone agrees on what is JSON. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice in = slice_make(bytes, size), plain;
    struct json first, second;
    struct json_reader r;
    struct arena a;
    struct buf text;
    enum code rc, read;

    arena_init(&a, 64u << 20);
    buf_init(&text, 64u << 20);
    rc = json_parse(&a, in, &first, NULL);
    json_reader_init(&r, in);
    do
        read = json_next(&r, NULL);
    while (read == OK && r.token != JSON_TOK_END);
    BUG_ON(rc != NOMEM && rc != read);
    if (rc == OK) {
        BUG_ON(json_write(&text, &first) != OK);
        BUG_ON(json_parse(&a, buf_slice(&text), &second, NULL) != OK);
        BUG_ON(second.type != first.type);
    }
    if (base64_decode(&a, in, &plain, NULL) == OK)
        BUG_ON(plain.len > size);
    buf_release(&text);
    arena_release(&a);
    return 0;
}
