/* agent/text/utf8.h - UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing past U+10FFFF. */
#ifndef AGENT_TEXT_UTF8_H
#define AGENT_TEXT_UTF8_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"

enum { UTF8_REPLACEMENT = 0xFFFD, UTF8_MAX_BYTES = 4 };

/* Length of the longest valid start of s; s.len when all of it is valid. */
size_t utf8_valid_prefix(struct slice s);
static inline bool utf8_is_valid(struct slice s)
{
    return utf8_valid_prefix(s) == s.len;
}
/* Number of leading bytes below 0x80. */
size_t utf8_ascii_prefix(struct slice s);
/* Reads the first rune; returns its bytes (0 for the empty slice). A bad byte counts as U+FFFD, one byte, as in Go. */
size_t utf8_decode(struct slice s, uint32_t *rune);
/* Writes rune (U+FFFD instead of one that has no encoding); returns 1 to 4. */
size_t utf8_encode(uint32_t rune, char out[UTF8_MAX_BYTES]);
/* Runes in s; each bad byte counts as one. */
size_t utf8_runes(struct slice s);
/* Bytes of the first n runes of s, or s.len when it has fewer. */
size_t utf8_rune_offset(struct slice s, size_t n);
/* Appends s with every bad byte replaced by U+FFFD; *n_replaced counts them. FULL, NOMEM as buf_add. */
MUST_USE enum code utf8_repair(struct buf *out, struct slice s, size_t *n_replaced);
/* The same on an arena: *out is s itself when s is valid. */
MUST_USE enum code utf8_repair_arena(struct arena *a, struct slice s, struct slice *out, size_t *n_replaced);
#endif
