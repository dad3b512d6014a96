/* agent/text/digest.h - SHA-256 (FIPS 180-4) and SHA3-256 (FIPS 202) for template functions: OpenSSL belongs to io. */
#ifndef AGENT_TEXT_DIGEST_H
#define AGENT_TEXT_DIGEST_H
#include "agent/base/slice.h"

enum { DIGEST_BYTES = 32 };

/* Over a followed by b: callers salt without copying. */
void digest_sha256(struct slice a, struct slice b, uint8_t out[DIGEST_BYTES]);
void digest_sha3_256(struct slice a, struct slice b, uint8_t out[DIGEST_BYTES]);
/* Lower-case hexadecimal and a NUL. */
void digest_hex(const uint8_t digest[DIGEST_BYTES], char out[2 * DIGEST_BYTES + 1]);
#endif
