/* agent/text/regex_int.h - the C face of RE2, which regex.c alone includes; plain C types so that C++ can read it. */
#ifndef AGENT_TEXT_REGEX_INT_H
#define AGENT_TEXT_REGEX_INT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

struct regex_program;

struct regex_span {
    const char *ptr; /* NULL: took no part */
    size_t len;
};

enum regex_status { REGEX_STATUS_OK, REGEX_STATUS_SYNTAX, REGEX_STATUS_TOO_BIG, REGEX_STATUS_NOMEM };

/* reason gets RE2's text on failure. No C++ exception leaves any of these. */
enum regex_status regex_program_new(struct regex_program **out, const char *pattern, size_t len, bool dot_newline,
                                    int64_t max_bytes, char *reason, size_t reason_bytes);
void regex_program_free(struct regex_program *p);
int regex_program_groups(const struct regex_program *p);
int regex_program_size(const struct regex_program *p);
/* Calls each for every named group; stops when it returns false. */
void regex_program_names(const struct regex_program *p,
                         bool (*each)(void *self, int group, const char *name, size_t len), void *self);
bool regex_program_match(const struct regex_program *p, const char *text, size_t len, size_t from, bool is_full,
                         struct regex_span *groups, int n_groups);

#ifdef __cplusplus
}
#endif
#endif
