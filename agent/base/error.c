#include "agent/base/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum code error_set(struct error *err, enum code code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return code;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return code;
}

void error_prefix(struct error *err, const char *fmt, ...)
{
    char prefixed[ERROR_TEXT_BYTES];
    size_t used;
    va_list ap;
    int n;

    if (err == NULL)
        return;
    va_start(ap, fmt);
    n = vsnprintf(prefixed, sizeof prefixed, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    used = (size_t)n < sizeof prefixed ? (size_t)n : sizeof prefixed - 1;
    (void)snprintf(prefixed + used, sizeof prefixed - used, ": %s", err->text);
    memcpy(err->text, prefixed, sizeof err->text);
}

const char *code_name(enum code code)
{
    switch (code) {
    case OK:
        return "ok";
    case INVALID:
        return "invalid";
    case AGAIN:
        return "again";
    case FULL:
        return "full";
    case CORRUPT:
        return "corrupt";
    case IO:
        return "io";
    case NOMEM:
        return "nomem";
    }
    return "unknown";
}

_Noreturn void bug(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "hyagent: BUG at %s:%d: %s\n", file, line, condition);
    abort();
}
