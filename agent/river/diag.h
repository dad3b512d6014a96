/* agent/river/diag.h - what is wrong in a configuration, as a list: report all, not the first. Self-contained: a list
 * keeps its own copies and outlives the sources, so reload and API can show it later. */
#ifndef AGENT_RIVER_DIAG_H
#define AGENT_RIVER_DIAG_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/river/source.h"

enum severity {
    SEVERITY_ERROR,
    SEVERITY_WARNING,
};

enum diag_kind {
    DIAG_PLAIN,
    DIAG_ONLY_VALIDATE, /* worth saying in `validate` only: an unset environment variable */
    DIAG_NO_EFFECT,     /* an accepted argument hyagent has no use for */
    DIAG_DEPRECATED,
};

struct diag {
    enum severity severity;
    enum diag_kind kind;
    bool is_certain;            /* wrong whatever the values are that come at run time */
    const char *file;           /* "" when it belongs to no file */
    struct position start, end; /* line 0: no position. end is past the last character. */
    const char *text;
    const char *hint;    /* NULL or what to do: "did you mean \"x\"?" */
    const char *page;    /* NULL, or page of the reference and place on it: "loki.write#endpoint" */
    const char *excerpt; /* the source line without the secrets in it, or a part of it around start; tabs and all */
    uint32_t caret;      /* characters of excerpt before the caret */
    uint32_t caret_len;  /* how many characters are underlined, at least 1 */
};

/* At most LIMIT_CONFIG_DIAGS are kept; the rest is counted. */
struct diags {
    struct arena arena;
    struct diag *items;
    size_t n, cap;
    size_t n_errors;  /* all errors, also those not kept */
    size_t n_dropped; /* not kept */
};

void diags_init(struct diags *d);
void diags_release(struct diags *d);
void diags_reset(struct diags *d);

/* Each returns the diagnostic to give it a hint, or NULL when it was not kept (or repeats one at the same place).
 * source may be NULL. */
struct diag *diags_add(struct diags *d, enum severity severity, const struct source *source, struct span at,
                       const char *fmt, ...) PRINTF_LIKE(5, 6);
struct diag *diags_error(struct diags *d, const struct source *source, struct span at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
struct diag *diags_warn(struct diags *d, const struct source *source, struct span at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* An error about a file as a whole: cannot be read, too large. */
void diags_error_file(struct diags *d, const char *file, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* diag may be NULL. */
void diag_hint(struct diags *d, struct diag *diag, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The page of the reference that documents what is wrong: "loki.write", "loki.write#endpoint.basic_auth". diag may be
 * NULL. */
void diag_page(struct diags *d, struct diag *diag, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* That page for all from number first on which have none. */
void diags_page_rest(struct diags *d, size_t first, const char *page);
static inline bool diags_has_errors(const struct diags *d)
{
    return d->n_errors != 0;
}
/* Appends copies of all of src's. */
void diags_append(struct diags *d, const struct diags *src);
/* By file, line, column; errors and warnings mixed. */
void diags_sort(struct diags *d);

/* For every diagnostic "file:line:col: error: text", the source line, a caret range, "  = help: hint" and "  = see:
 * page".
 */
void diags_print(struct buf *out, const struct diags *d, bool colour);
/* One diagnostic, one line: "file:line:col: text (hint)"; for the log and the API. */
void diag_print_line(struct buf *out, const struct diag *diag);

/* Of a diagnostic with a page: its file and place in the repository, and what `hyagent docs` is asked for it. */
void diag_print_page(struct buf *out, const struct diag *diag);
void diag_print_topic(struct buf *out, const struct diag *diag);

/* Does what has this name look like a secret where no table says? "client_secret", "X-Api-Key"; not "password_file",
 * which names where the secret is. */
bool river_sounds_secret(struct slice name);

/* How many single-character edits (insert, delete, replace, swap of neighbours) make b of a; above max it is max + 1.
 */
size_t edit_distance(struct slice a, struct slice b, size_t max);

/* Collects the nearest candidate to a word. Start with nearest_init. */
struct nearest {
    struct slice word;
    struct slice best; /* ptr NULL: nothing near enough */
    size_t distance;
};
void nearest_init(struct nearest *n, struct slice word);
void nearest_offer(struct nearest *n, struct slice candidate);
/* Gives diag the hint 'did you mean "best"?' when something was near. */
void nearest_hint(const struct nearest *n, struct diags *d, struct diag *diag);
#endif
