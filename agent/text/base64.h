/* agent/text/base64.h - RFC 4648, both alphabets, padding optional when reading. */
#ifndef AGENT_TEXT_BASE64_H
#define AGENT_TEXT_BASE64_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"

/* Decodes s onto the arena. INVALID on any other character or a bad length, NOMEM when the arena is full. */
MUST_USE enum code base64_decode(struct arena *a, struct slice s, struct slice *out, struct error *err);
enum base64_alphabet { BASE64_STANDARD, BASE64_URL };

/* As Go's encoding/base64 reads one alphabet: padding needed, line ends skipped, bits left over at the end ignored. */
MUST_USE enum code base64_decode_as_go(struct arena *a, struct slice s, enum base64_alphabet alphabet,
                                       struct slice *out, struct error *err);
/* Appends the standard alphabet with padding. */
enum code base64_encode(struct buf *out, struct slice s);
#endif
