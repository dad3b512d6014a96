/* OTLP/JSON: first byte picks the signal. What is read must scan, unless a text in it is not UTF-8 or an id too short.
 */
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct arena scratch;
    struct otlp_batch *b;
    struct buf out;
    enum otlp_signal signal;

    if (size == 0)
        return 0;
    signal = (enum otlp_signal)(data[0] % 3);
    arena_init(&scratch, 16 << 20);
    buf_init(&out, 16 << 20);
    b = otlp_batch_new(signal);
    if (otlp_json_read(signal, slice_make(data + 1, size - 1), &scratch, &out, &err) == OK &&
        otlp_scan(b, buf_slice(&out), &err) != OK)
        BUG_ON(strstr(err.text, "framing") != NULL || strstr(err.text, "wire type") != NULL);
    batch_unref(&b->base);
    buf_release(&out);
    arena_release(&scratch);
    return 0;
}
