/* agent/base/error.h - result codes and error text. A code exists only where a caller acts on it. */
#ifndef AGENT_BASE_ERROR_H
#define AGENT_BASE_ERROR_H
#include <stdarg.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

enum code {
    OK = 0,
    INVALID, /* the input is wrong; retrying it is of no use */
    AGAIN,   /* not now: try later */
    FULL,    /* a limit or cap was reached; nothing was changed */
    CORRUPT, /* stored or received bytes do not check */
    IO,      /* the operating system or the far side failed */
    NOMEM,   /* an allocation of a size chosen outside failed */
};

enum { ERROR_TEXT_BYTES = 512 };

/* Fixed-size text for a person; untouched on success. Initialise with `struct error err = {0}`. */
struct error {
    char text[ERROR_TEXT_BYTES];
};

/* Writes the text (err may be NULL) and returns code, so that `return error_set(err, INVALID, ...)` reads well. */
enum code error_set(struct error *err, enum code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts a prefix in front of the text already there: "prefix: text". */
void error_prefix(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *code_name(enum code code);

/* Our own broken invariant: prints the condition and aborts, in every build. Never for input, network, disk, memory. */
_Noreturn void bug(const char *file, int line, const char *condition);
#define BUG_ON(condition)                                                                                              \
    do {                                                                                                               \
        if (__builtin_expect(!!(condition), 0))                                                                        \
            bug(__FILE__, __LINE__, #condition);                                                                       \
    } while (0)

#endif
