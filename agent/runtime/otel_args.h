/* agent/runtime/otel_args.h - argument tables the otelcol.* components share: tls of clients and servers, the sending
 * queue and retry_on_failure (`output` and `debug_metrics` are otel_output.h's). Include the struct in the component's
 * own and name the block in its table. */
#ifndef AGENT_RUNTIME_OTEL_ARGS_H
#define AGENT_RUNTIME_OTEL_ARGS_H
#include "agent/io/tls.h"
#include "agent/river/schema.h"

/* tls { } of an exporter's client. */
struct otel_client_tls_args {
    struct slice ca_pem, ca_file, cert_pem, cert_file, key_file, server_name;
    struct river_secret key_pem;
    int min_version, max_version; /* enum tls_version */
    int64_t reload_interval_ns;
    bool include_system_ca, insecure, insecure_skip_verify;
    struct river_strings cipher_suites, curve_preferences;
    const struct ast_block *tpm; /* refused */
};
/* tls { } of a receiver. */
struct otel_server_tls_args {
    struct slice ca_pem, ca_file, cert_pem, cert_file, key_file, client_ca_file;
    struct river_secret key_pem;
    int min_version, max_version;
    int64_t reload_interval_ns;
    bool include_system_ca;
    struct river_strings cipher_suites, curve_preferences;
    const struct ast_block *tpm; /* refused */
};
extern const struct river_block otel_client_tls_block; /* name "tls" */
extern const struct river_block
    otel_http_client_tls_block;                        /* likewise, where the URL's scheme says whether there is TLS */
extern const struct river_block otel_server_tls_block; /* name "tls" */
/* For the validate of a block that has tls and speaks gRPC: versions the library cannot be held to are refused. */
enum code otel_grpc_tls_check(int min_version, int max_version, struct river_problems *problems);

struct otel_queue_batch_args {
    int64_t flush_timeout_ns, min_size, max_size;
    int sizer;
};
enum otel_sizer { OTEL_SIZER_REQUESTS, OTEL_SIZER_ITEMS, OTEL_SIZER_BYTES };
struct otel_queue_args { /* sending_queue { } */
    bool enabled, block_on_overflow, wait_for_result;
    int64_t num_consumers, queue_size;
    int sizer; /* enum otel_sizer */
    struct otel_queue_batch_args *batch;
    void *storage; /* refused */
    bool has_queue_size;
};
struct otel_retry_args { /* retry_on_failure { } */
    bool enabled;
    int64_t initial_interval_ns, max_interval_ns, max_elapsed_time_ns;
    double randomization_factor, multiplier;
    bool has_max_elapsed_time;
};
extern const struct river_block otel_queue_block; /* name "sending_queue" */
extern const struct river_block otel_retry_block; /* name "retry_on_failure" */

/* The settings as io takes them; texts are borrowed from args. insecure (no TLS at all) is the caller's to look at. */
void otel_client_tls_options(const struct otel_client_tls_args *args, struct tls_options *out);
#endif
