/* agent/io/grpc_int.h - what the gRPC server and client share. */
#ifndef AGENT_IO_GRPC_INT_H
#define AGENT_IO_GRPC_INT_H
#include "agent/base/buf.h"
#include "agent/io/grpc_client.h"
#include "agent/io/grpc_server.h"
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>

void rpc_library_init(void);                 /* grpc_init, with its log led into ours; ends with grpc_shutdown */
struct slice rpc_slice(const grpc_slice *s); /* borrowed */
/* The message in one piece, inflated. FULL past out->max, INVALID for another compression, CORRUPT, NOMEM. */
MUST_USE enum code rpc_flatten(grpc_byte_buffer *message, struct buf *out, struct error *err);

/* google.rpc.Status with a RetryInfo, as in grpc-status-details-bin. */
void rpc_put_retry_info(struct buf *out, enum rpc_status status, const char *message, uint64_t retry_ms);
int64_t rpc_find_retry_info(struct slice details); /* ms; -1: none */

/* Credentials from tls (NULL: plain). */
MUST_USE enum code rpc_client_credentials(grpc_channel_credentials **out, const struct tls_options *tls,
                                          struct error *err);
struct rpc_server_tls; /* hands the library new certificates when the files change */
MUST_USE enum code rpc_server_credentials(grpc_server_credentials **out, struct rpc_server_tls **keeper,
                                          const struct tls_options *tls, struct error *err);
void rpc_server_tls_free(struct rpc_server_tls *t); /* after the server is destroyed; NULL is fine */

enum { RPC_ARGS_MAX = 24 };
struct rpc_args {
    grpc_arg at[RPC_ARGS_MAX];
    grpc_channel_args args;
};
void rpc_args_init(struct rpc_args *a);
/* key and text are borrowed as long as the arguments are used; 64-bit values are cut at INT_MAX. */
void rpc_args_int(struct rpc_args *a, const char *key, uint64_t value);
void rpc_args_text(struct rpc_args *a, const char *key, const char *text);
#endif
