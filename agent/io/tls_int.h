/* agent/io/tls_int.h - key material as text, for the libraries that want it so. */
#ifndef AGENT_IO_TLS_INT_H
#define AGENT_IO_TLS_INT_H
#include "agent/io/tls.h"
#include <stdint.h>

/* *out: NUL-terminated and owned, or NULL when neither is set. IO: the file cannot be read. */
MUST_USE enum code tls_read_pem(char **out, struct slice path, struct slice pem, struct error *err);
/* The system's root certificates; *out is NULL where none are found. */
MUST_USE enum code tls_read_system_roots(char **out, struct error *err);
/* A number that changes when one of the files does. */
uint64_t tls_stamp(const struct tls_options *tls);
#endif
