/* OTLP protobuf: first byte picks the signal. What scans must decode, cut without loss and convert. */
#include "agent/model/otlp_decode.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"
#include "agent/model/otlp_to_loki.h"
#include "agent/model/otlp_to_prom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void cut_all(const struct otlp_batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t sum = 0, n = 0, scanned = 0;
        struct otlp_cut cut;
        struct buf out;

        otlp_cut_init(&cut, b->signal, b->resources[i].bytes);
        buf_init(&out, 16 << 20);
        do {
            buf_reset(&out);
            if (otlp_cut_next(&cut, 2, 100, &out, &n) != OK)
                break;
            BUG_ON(n != 0 && otlp_scan_resource(b->signal, buf_slice(&out), &scanned, NULL) != OK);
            BUG_ON(n != 0 && scanned != n);
            sum += n;
        } while (n != 0);
        BUG_ON(!out.is_full && sum != b->resources[i].n_items);
        buf_reset(&out);
        BUG_ON(otlp_json_write(b->signal, b->resources[i].bytes, &out) == CORRUPT);
        buf_release(&out);
    }
}

static void convert(const struct otlp_batch *b)
{
    const struct otlp_to_prom_options options = {true, true, true, true, true};
    struct otlp_to_prom_result prom;
    struct otlp_to_loki_result loki;
    struct sample_batch *samples;
    struct log_batch *entries;

    if (b->signal == OTLP_METRICS && otlp_to_prom(b, &options, "fuzz", &samples, &prom, NULL) == OK) {
        BUG_ON(prom.samples != samples->n);
        batch_unref(&samples->base);
    }
    if (b->signal == OTLP_LOGS && otlp_to_loki(b, "fuzz", 1, &entries, &loki, NULL) == OK) {
        BUG_ON(entries->n + loki.dropped_invalid != b->n_items);
        batch_unref(&entries->base);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct otlp_batch *b;
    struct error err;

    if (size == 0)
        return 0;
    b = otlp_batch_new((enum otlp_signal)(data[0] % 3));
    if (otlp_scan(b, slice_make(data + 1, size - 1), &err) == OK) {
        cut_all(b);
        convert(b);
    }
    batch_unref(&b->base);
    return 0;
}
