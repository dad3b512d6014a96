/* agent/model/exposition_int.h - what the files of the exposition parser share. */
#ifndef AGENT_MODEL_EXPOSITION_INT_H
#define AGENT_MODEL_EXPOSITION_INT_H
#include "agent/base/slice.h"

/* Length of the longest [a-zA-Z_:][a-zA-Z0-9_:]* at the start of s; colons only where has_colon. */
size_t exposition_name_len(struct slice s, bool has_colon);
/* Index just past the closing quote; s.ptr[0] is the opening one. 0: there is none. */
size_t exposition_quoted_len(struct slice s);
/* Index just past the closing brace; s.ptr[0] is the opening one. 0: there is none. */
size_t exposition_braces_len(struct slice s);
static inline bool exposition_is_blank(char c)
{
    return c == ' ' || c == '\t';
}
/* Without leading spaces and tabs. */
struct slice exposition_skip_blanks(struct slice s);
#endif
