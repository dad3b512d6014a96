/* Whatever comes in, at most the maximum comes out, and nothing on failure. */
#include "agent/io/codec.h"
#include <stdlib.h>

enum { MAX_PLAIN = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum codec codecs[] = {CODEC_ZSTD, CODEC_LZ4};

    for (size_t i = 0; i < 2; i++) {
        struct buf out;

        buf_init(&out, MAX_PLAIN);
        if (codec_decompress(codecs[i], slice_make(data, size), &out, NULL) != OK && out.len != 0)
            abort();
        buf_release(&out);
    }
    return 0;
}
