/* agent/model/md5.h - MD5 (RFC 1321), only because Prometheus' hashmod is defined by it. Not for security. */
#ifndef AGENT_MODEL_MD5_H
#define AGENT_MODEL_MD5_H
#include "agent/base/slice.h"

enum { MD5_BYTES = 16 };
void md5(struct slice s, uint8_t out[MD5_BYTES]);
#endif
