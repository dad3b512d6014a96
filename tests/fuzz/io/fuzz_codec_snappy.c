/* Whatever comes in, at most the maximum comes out, and nothing on failure. */
#include "agent/io/codec.h"
#include <stdlib.h>

enum { MAX_PLAIN = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum codec codecs[] = {CODEC_SNAPPY, CODEC_SNAPPY_FRAMED};
    struct slice body;
    uint64_t claimed;

    for (size_t i = 0; i < 2; i++) {
        struct buf out;
        enum code rc;

        buf_init(&out, MAX_PLAIN);
        rc = codec_decompress(codecs[i], slice_make(data, size), &out, NULL);
        if (rc != OK && out.len != 0)
            abort();
        if (codecs[i] == CODEC_SNAPPY && rc == OK &&
            (codec_snappy_split(slice_make(data, size), &claimed, &body) != OK || claimed != out.len))
            abort();
        buf_release(&out);
    }
    return 0;
}
