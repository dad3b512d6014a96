#include "agent/text/tz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A TZif file. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const int64_t times[] = {INT32_MIN, 0, 1136214245, 4102444800, 253402300799};
    struct tz_info info;
    struct tz *z;

    if (tz_parse(&z, SLICE_LIT("fuzz"), slice_make(bytes, size), NULL) != OK)
        return 0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        tz_lookup(z, times[i], &info);
        (void)tz_to_unix(z, times[i]);
    }
    tz_free(z);
    return 0;
}
