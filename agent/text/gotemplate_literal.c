#include "agent/text/gotemplate_int.h"

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* n digits of a base after the escape's letter. */
static bool take_code(struct slice *s, size_t n, int base, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (i >= s->len || digit_value(s->ptr[i]) >= base)
            return false;
        *out = *out * (uint32_t)base + (uint32_t)digit_value(s->ptr[i]);
    }
    *s = slice_from(*s, n);
    return true;
}

bool template_take_escape(struct slice *s, char out[UTF8_MAX_BYTES], size_t *n)
{
    static const char names[] = "abfnrtv\\\"'", values[] = "\a\b\f\n\r\t\v\\\"'";
    char c = s->len != 0 ? s->ptr[0] : '\0';
    const char *found = c != '\0' ? strchr(names, c) : NULL;
    uint32_t code;

    *n = 1;
    if (found != NULL) {
        out[0] = values[found - names];
        *s = slice_from(*s, 1);
        return true;
    }
    if (c >= '0' && c <= '7') {
        if (!take_code(s, 3, 8, &code) || code > 255)
            return false;
        out[0] = (char)code;
        return true;
    }
    *s = slice_from(*s, 1);
    if (c == 'x') {
        if (!take_code(s, 2, 16, &code))
            return false;
        out[0] = (char)code;
        return true;
    }
    if ((c != 'u' && c != 'U') || !take_code(s, c == 'u' ? 4 : 8, 16, &code) || code > 0x10FFFF)
        return false;
    *n = utf8_encode(code, out);
    return true;
}
