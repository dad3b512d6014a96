#include "agent/text/letter.h"
#include <stddef.h>

/* Upper-case letters low..high whose lower case lies `distance` further; 1: upper and lower case alternate. */
static const struct {
    uint32_t low, high, distance;
} ranges[] = {
    {'A', 'Z', 32},     {0xC0, 0xD6, 32},   {0xD8, 0xDE, 32},    {0x100, 0x12E, 1},   {0x132, 0x136, 1},
    {0x139, 0x147, 1},  {0x14A, 0x176, 1},  {0x179, 0x17D, 1},   {0x388, 0x38A, 37},  {0x391, 0x3A1, 32},
    {0x3A3, 0x3AB, 32}, {0x400, 0x40F, 80}, {0x410, 0x42F, 32},  {0x460, 0x480, 1},   {0x48A, 0x4BE, 1},
    {0x4D0, 0x52E, 1},  {0x531, 0x556, 48}, {0x1E00, 0x1E94, 1}, {0x1EA0, 0x1EFE, 1},
};

uint32_t letter_lower(uint32_t rune)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (rune < ranges[i].low || rune > ranges[i].high)
            continue;
        return ranges[i].distance != 1 || (rune - ranges[i].low) % 2 == 0 ? rune + ranges[i].distance : rune;
    }
    return rune == 0x178 ? 0xFF : rune;
}

uint32_t letter_upper(uint32_t rune)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        uint32_t upper = rune - ranges[i].distance;

        if (rune < ranges[i].distance || upper < ranges[i].low || upper > ranges[i].high)
            continue;
        if (ranges[i].distance != 1 || (upper - ranges[i].low) % 2 == 0)
            return upper;
    }
    if (rune == 0xFF)
        return 0x178;
    if (rune == 0xB5) /* micro sign */
        return 0x39C;
    return rune == 0x3C2 ? 0x3A3 : rune; /* final sigma */
}

bool letter_is_word(uint32_t rune)
{
    if (rune < 0x80)
        return (rune >= '0' && rune <= '9') || (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z') ||
               rune == '_';
    return rune != 0x85 && rune != 0xA0 && rune != 0x1680 && !(rune >= 0x2000 && rune <= 0x200A) && rune != 0x2028 &&
           rune != 0x2029 && rune != 0x202F && rune != 0x205F && rune != 0x3000;
}
