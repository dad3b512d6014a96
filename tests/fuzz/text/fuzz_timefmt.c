#include "agent/text/timefmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The first line is the layout, the rest the value. The fast path and the layout agree on RFC 3339. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice layout, value;
    struct timefmt *f;
    struct buf b;
    int64_t ns = 0, fast = 0;

    (void)slice_cut(slice_make(bytes, size), '\n', &layout, &value);
    if (timefmt_compile(&f, layout, NULL) != OK)
        return 0;
    buf_init(&b, 4096);
    if (timefmt_parse(f, value, tz_utc(), 0, &ns, NULL) == OK)
        (void)timefmt_format(f, ns, tz_utc(), &b);
    timefmt_free(f);
    BUG_ON(timefmt_compile(&f, SLICE_LIT("2006-01-02T15:04:05.999Z07:00"), NULL) != OK);
    if (timefmt_parse_rfc3339(value, &fast))
        BUG_ON(timefmt_parse(f, value, tz_utc(), 0, &ns, NULL) != OK || ns != fast);
    timefmt_free(f);
    buf_release(&b);
    return 0;
}
