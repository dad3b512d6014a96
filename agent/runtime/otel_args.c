#include "agent/runtime/otel_args.h"

static const struct river_enum min_versions[] = {
    {"", TLS_VERSION_DEFAULT},    {"1.0", TLS_VERSION_1_0},
    {"1.1", TLS_VERSION_1_1},     {"1.2", TLS_VERSION_1_2},
    {"1.3", TLS_VERSION_1_3},     {"TLS 1.0", TLS_VERSION_1_0},
    {"TLS 1.1", TLS_VERSION_1_1}, {"TLS 1.2", TLS_VERSION_1_2},
    {"TLS 1.3", TLS_VERSION_1_3}, {NULL, 0},
};

#define VERSION_FIELDS(S)                                                                                              \
    {.name = "min_version",                                                                                            \
     .kind = RIVER_ENUM,                                                                                               \
     .offset = offsetof(struct S, min_version),                                                                        \
     .def = "\"TLS 1.2\"",                                                                                             \
     .choices = min_versions,                                                                                          \
     .doc = "The lowest TLS version."},                                                                                \
        {.name = "max_version",                                                                                        \
         .kind = RIVER_ENUM,                                                                                           \
         .offset = offsetof(struct S, max_version),                                                                    \
         .def = "\"\"",                                                                                                \
         .choices = min_versions,                                                                                      \
         .doc = "The highest TLS version; the library's highest when it is not given."},                               \
        {.name = "reload_interval",                                                                                    \
         .kind = RIVER_DURATION,                                                                                       \
         .flags = RIVER_NO_EFFECT,                                                                                     \
         .offset = offsetof(struct S, reload_interval_ns),                                                             \
         .def = "\"0s\"",                                                                                              \
         .doc = "Accepted: changed files are always read again within 60 s."},                                         \
        {.name = "cipher_suites",                                                                                      \
         .kind = RIVER_STRING_LIST,                                                                                    \
         .flags = RIVER_REFUSED,                                                                                       \
         .offset = offsetof(struct S, cipher_suites),                                                                  \
         .doc = "a choice of cipher suites; hyagent uses the library's"},                                              \
        {.name = "curve_preferences",                                                                                  \
         .kind = RIVER_STRING_LIST,                                                                                    \
         .flags = RIVER_REFUSED,                                                                                       \
         .offset = offsetof(struct S, curve_preferences),                                                              \
         .doc = "a choice of curves; hyagent uses the library's"},                                                     \
    {                                                                                                                  \
        .name = "tpm", .kind = RIVER_BODY, .flags = RIVER_REFUSED, .offset = offsetof(struct S, tpm),                  \
        .doc = "keys in a TPM; hyagent does not have this"                                                             \
    }

/* ca_flags and ca_note: of the CAs, which a server does not look at. */
#define CERTIFICATE_FIELDS(S, ca_flags, ca_note)                                                                       \
    {.name = "ca_pem",                                                                                                 \
     .kind = RIVER_STRING,                                                                                             \
     .flags = (ca_flags),                                                                                              \
     .offset = offsetof(struct S, ca_pem),                                                                             \
     .doc = "CA certificates." ca_note},                                                                               \
        {.name = "ca_file",                                                                                            \
         .kind = RIVER_STRING,                                                                                         \
         .flags = (ca_flags),                                                                                          \
         .offset = offsetof(struct S, ca_file),                                                                        \
         .doc = "File with CA certificates." ca_note},                                                                 \
        {.name = "cert_pem", .kind = RIVER_STRING, .offset = offsetof(struct S, cert_pem), .doc = "Own certificate."}, \
        {.name = "cert_file",                                                                                          \
         .kind = RIVER_STRING,                                                                                         \
         .offset = offsetof(struct S, cert_file),                                                                      \
         .doc = "File with the own certificate."},                                                                     \
        {.name = "key_pem", .kind = RIVER_SECRET, .offset = offsetof(struct S, key_pem), .doc = "Its key."},           \
        {.name = "key_file",                                                                                           \
         .kind = RIVER_STRING,                                                                                         \
         .offset = offsetof(struct S, key_file),                                                                       \
         .doc = "File with its key."},                                                                                 \
    {                                                                                                                  \
        .name = "include_system_ca_certs_pool", .kind = RIVER_BOOL, .flags = (ca_flags),                               \
        .offset = offsetof(struct S, include_system_ca), .def = "false",                                               \
        .doc = "Trust the system's CA certificates besides these." ca_note                                             \
    }

#define CLIENT_FIELDS(insecure_flags, insecure_doc)                                                                    \
    CERTIFICATE_FIELDS(otel_client_tls_args, 0, ""),                                                                   \
        {.name = "insecure",                                                                                           \
         .kind = RIVER_BOOL,                                                                                           \
         .flags = (insecure_flags),                                                                                    \
         .offset = offsetof(struct otel_client_tls_args, insecure),                                                    \
         .doc = insecure_doc},                                                                                         \
        {.name = "insecure_skip_verify",                                                                               \
         .kind = RIVER_BOOL,                                                                                           \
         .offset = offsetof(struct otel_client_tls_args, insecure_skip_verify),                                        \
         .doc = "Take any certificate: who listens in can read everything."},                                          \
        {.name = "server_name",                                                                                        \
         .kind = RIVER_STRING,                                                                                         \
         .offset = offsetof(struct otel_client_tls_args, server_name),                                                 \
         .doc = "The name to verify instead of the endpoint's host."},                                                 \
        VERSION_FIELDS(otel_client_tls_args), RIVER_FIELDS_END

static const struct river_field client_tls_fields[] = {CLIENT_FIELDS(0, "No TLS at all.")};
static const struct river_field http_client_tls_fields[] = {
    CLIENT_FIELDS(RIVER_NO_EFFECT, "Accepted: the endpoint's scheme, http or https, decides.")};

void otel_client_tls_options(const struct otel_client_tls_args *args, struct tls_options *out)
{
    *out = (struct tls_options){
        .ca_file = args->ca_file,
        .ca_pem = args->ca_pem,
        .cert_file = args->cert_file,
        .cert_pem = args->cert_pem,
        .key_file = args->key_file,
        .key_pem = args->key_pem.text,
        .server_name = args->server_name,
        .insecure_skip_verify = args->insecure_skip_verify,
        .include_system_ca = args->include_system_ca,
        .min_version = (enum tls_version)args->min_version,
        .max_version = (enum tls_version)args->max_version,
    };
}

static enum code client_tls_validate(const void *args, struct river_problems *problems)
{
    struct tls_options options;
    struct error err = {0};

    otel_client_tls_options(args, &options);
    if (tls_options_check(&options, false, &err) != OK)
        return river_problem(problems, NULL, "%s", err.text);
    return OK;
}

const struct river_block otel_client_tls_block = {.name = "tls",
                                                  .fields = client_tls_fields,
                                                  .size = sizeof(struct otel_client_tls_args),
                                                  .doc = "TLS to the server.",
                                                  .validate = client_tls_validate};

const struct river_block otel_http_client_tls_block = {.name = "tls",
                                                       .fields = http_client_tls_fields,
                                                       .size = sizeof(struct otel_client_tls_args),
                                                       .doc = "TLS to the server.",
                                                       .validate = client_tls_validate};

enum code otel_grpc_tls_check(int min_version, int max_version, struct river_problems *problems)
{
    if (min_version == TLS_VERSION_1_3)
        return river_problem(problems, "tls.min_version",
                             "min_version cannot be TLS 1.3 with gRPC: its library offers TLS 1.2 and 1.3");
    if (max_version != TLS_VERSION_DEFAULT && max_version != TLS_VERSION_1_3)
        return river_problem(problems, "tls.max_version",
                             "max_version cannot be below TLS 1.3 with gRPC: its library offers TLS 1.2 and 1.3");
    return OK;
}

static const struct river_field server_tls_fields[] = {
    CERTIFICATE_FIELDS(otel_server_tls_args, RIVER_NO_EFFECT,
                       " Accepted: client_ca_file is what clients are verified with."),
    {.name = "client_ca_file",
     .kind = RIVER_STRING,
     .offset = offsetof(struct otel_server_tls_args, client_ca_file),
     .doc = "File with the CA certificates a client's certificate must be signed by."},
    VERSION_FIELDS(otel_server_tls_args),
    RIVER_FIELDS_END,
};

const struct river_block otel_server_tls_block = {
    .name = "tls", .fields = server_tls_fields, .size = sizeof(struct otel_server_tls_args), .doc = "TLS for clients."};

/* ---- sending_queue, retry_on_failure ---- */

static const struct river_enum sizers[] = {
    {"requests", OTEL_SIZER_REQUESTS}, {"items", OTEL_SIZER_ITEMS}, {"bytes", OTEL_SIZER_BYTES}, {NULL, 0}};

#define BATCH(member) offsetof(struct otel_queue_batch_args, member)
static const struct river_field batch_fields[] = {
    {.name = "flush_timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = BATCH(flush_timeout_ns),
     .def = "\"200ms\"",
     .doc = "Accepted: OTLP's clients wait for their answer, so a request is sent as soon as one may be."},
    {.name = "min_size",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN | RIVER_NO_EFFECT,
     .min = 0,
     .offset = BATCH(min_size),
     .def = "8192",
     .doc = "Accepted, see flush_timeout."},
    {.name = "max_size",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN,
     .min = 0,
     .offset = BATCH(max_size),
     .def = "0",
     .doc = "Never more in one request; 0: no bound."},
    {.name = "sizer",
     .kind = RIVER_ENUM,
     .offset = BATCH(sizer),
     .choices = sizers,
     .def = "\"items\"",
     .doc = "What the sizes count: items or bytes."},
    RIVER_FIELDS_END,
};
static const struct river_block batch_block = {.name = "batch",
                                               .fields = batch_fields,
                                               .size = sizeof(struct otel_queue_batch_args),
                                               .doc = "How items are put together to requests."};

#define QUEUE(member) offsetof(struct otel_queue_args, member)
static const struct river_field queue_fields[] = {
    {.name = "enabled",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = QUEUE(enabled),
     .def = "true",
     .doc = "Accepted: requests always queue in front of the destination."},
    {.name = "num_consumers",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN | RIVER_HAS_MAX,
     .min = 1,
     .max = 256,
     .offset = QUEUE(num_consumers),
     .def = "10",
     .doc = "Requests in flight at once."},
    {.name = "queue_size",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN,
     .min = 1,
     .offset = QUEUE(queue_size),
     .def = "1000",
     .present = RIVER_PRESENT_AT(struct otel_queue_args, has_queue_size),
     .doc = "A cap in the sizer's unit. When it is not written, the endpoint's share of memory is the cap."},
    {.name = "block_on_overflow",
     .kind = RIVER_BOOL,
     .offset = QUEUE(block_on_overflow),
     .def = "false",
     .doc = "At the cap the sources wait; else the oldest items are dropped, counted."},
    {.name = "sizer",
     .kind = RIVER_ENUM,
     .offset = QUEUE(sizer),
     .choices = sizers,
     .def = "\"requests\"",
     .doc = "What queue_size counts: requests or bytes."},
    {.name = "wait_for_result",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = QUEUE(wait_for_result),
     .def = "false",
     .doc = "Accepted: a client is always answered when its items are durable or acknowledged."},
    {.name = "batch",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = QUEUE(batch),
     .block = &batch_block,
     .doc = "How items are put together to requests."},
    {.name = "storage",
     .kind = RIVER_VALUE,
     .flags = RIVER_REFUSED,
     .offset = QUEUE(storage),
     .doc = "a storage extension; queues live below --storage.path"},
    RIVER_FIELDS_END,
};

static enum code queue_validate(const void *args, struct river_problems *problems)
{
    const struct otel_queue_args *a = args;

    if (a->has_queue_size && a->sizer == OTEL_SIZER_ITEMS)
        return river_problem(problems, "sizer", "\"items\" is not available for queue_size: use requests or bytes");
    if (a->batch != NULL && a->batch->sizer == OTEL_SIZER_REQUESTS)
        return river_problem(problems, "batch", "sizer of batch is items or bytes");
    return OK;
}

const struct river_block otel_queue_block = {.name = "sending_queue",
                                             .fields = queue_fields,
                                             .size = sizeof(struct otel_queue_args),
                                             .doc = "The queue in front of the destination.",
                                             .validate = queue_validate};

#define RETRY(member) offsetof(struct otel_retry_args, member)
static const struct river_field retry_fields[] = {
    {.name = "enabled",
     .kind = RIVER_BOOL,
     .offset = RETRY(enabled),
     .def = "true",
     .doc = "Send again what failed for now; else the first failure drops, counted."},
    {.name = "initial_interval",
     .kind = RIVER_DURATION,
     .offset = RETRY(initial_interval_ns),
     .def = "\"5s\"",
     .doc = "Wait before the first retry."},
    {.name = "randomization_factor",
     .kind = RIVER_FLOAT,
     .flags = RIVER_HAS_MIN | RIVER_HAS_MAX | RIVER_NO_EFFECT,
     .min = 0,
     .max = 1,
     .offset = RETRY(randomization_factor),
     .def = "0.5",
     .doc = "Accepted: up to half of every wait is taken away at random."},
    {.name = "multiplier",
     .kind = RIVER_FLOAT,
     .flags = RIVER_HAS_MIN,
     .min = 1,
     .offset = RETRY(multiplier),
     .def = "1.5",
     .doc = "Each wait is so many times the one before."},
    {.name = "max_interval",
     .kind = RIVER_DURATION,
     .offset = RETRY(max_interval_ns),
     .def = "\"30s\"",
     .doc = "The longest wait."},
    {.name = "max_elapsed_time",
     .kind = RIVER_DURATION,
     .offset = RETRY(max_elapsed_time_ns),
     .def = "\"5m\"",
     .present = RIVER_PRESENT_AT(struct otel_retry_args, has_max_elapsed_time),
     .doc =
         "Give up, counted, after this time; 0s: never. Only when it is written: by itself hyagent keeps trying until "
         "the queue's cap."},
    RIVER_FIELDS_END,
};
const struct river_block otel_retry_block = {.name = "retry_on_failure",
                                             .fields = retry_fields,
                                             .size = sizeof(struct otel_retry_args),
                                             .doc = "What happens when a request fails for now."};
