#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/codec.h"
#include "agent/io/grpc_int.h"
#include <grpc/support/log.h>
#include <limits.h>
#include <pthread.h>

enum { STEP_BYTES = 64 * 1024 };
#define RETRY_INFO_TYPE "type.googleapis.com/google.rpc.RetryInfo"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void on_log(gpr_log_func_args *args)
{
    if (strstr(args->message, "ssertion failed") != NULL) { /* it aborts next */
        log_error(NULL, "the gRPC library found itself broken", log_str("text", args->message));
        log_flush();
    } else if (log_is_traced("grpc"))
        log_debug(NULL, "grpc", log_str("text", args->message), log_str("file", args->file),
                  log_int("line", args->line));
}

static void set_log(void)
{
    gpr_set_log_function(on_log);
}

void rpc_library_init(void)
{
    pthread_once(&once, set_log);
    grpc_init();
}

struct slice rpc_slice(const grpc_slice *s)
{
    return slice_make(GRPC_SLICE_START_PTR(*s), GRPC_SLICE_LENGTH(*s));
}

static enum code inflate_all(struct inflater *inf, struct slice in, struct buf *out, struct error *err)
{
    size_t n = 1;

    while (in.len != 0 || n != 0) {
        size_t allowed = out->max - out->len;
        char spare;
        enum code rc = OK;

        if (allowed != 0)
            rc = buf_reserve(out, allowed < STEP_BYTES ? allowed : STEP_BYTES);
        if (rc != OK)
            return rc;
        rc = inflater_step(inf, &in, allowed != 0 ? out->ptr + out->len : &spare,
                           allowed != 0 ? out->cap - out->len < allowed ? out->cap - out->len : allowed : 1, &n, err);
        if (rc != OK)
            return rc;
        if (allowed == 0 && n != 0)
            return error_set(err, FULL, "the decompressed message is larger than %zu bytes", out->max);
        out->len += n;
    }
    return OK;
}

/* grpc-encoding values that the library does not know reach us as plain; two of them start with a mark. */
static enum code refuse_unknown(struct slice head, struct error *err)
{
    if (slice_starts(head, slice_make("\x28\xb5\x2f\xfd", 4)))
        return error_set(err, INVALID, "the grpc-encoding \"zstd\" is not supported: use gzip, deflate or identity");
    if (slice_starts(head, slice_make("\xff\x06\0\0sNaPpY", 10)))
        return error_set(err, INVALID, "the grpc-encoding \"snappy\" is not supported: use gzip, deflate or identity");
    return OK;
}

enum code rpc_flatten(grpc_byte_buffer *message, struct buf *out, struct error *err)
{
    grpc_slice_buffer *slices = &message->data.raw.slice_buffer;
    grpc_compression_algorithm algorithm = message->data.raw.compression;
    struct inflater *inf = NULL;
    enum code rc = OK;

    if (slices->length == 0)
        return OK;
    if (algorithm == GRPC_COMPRESS_NONE) {
        if (slices->length > out->max - out->len)
            return error_set(err, FULL, "the message of %zu bytes is larger than %zu bytes", slices->length, out->max);
        rc = buf_reserve(out, slices->length);
        for (size_t i = 0; i < slices->count && rc == OK; i++)
            rc = buf_add(out, rpc_slice(&slices->slices[i]));
        return rc == OK ? refuse_unknown(buf_slice(out), err) : rc;
    }
    if (algorithm != GRPC_COMPRESS_GZIP && algorithm != GRPC_COMPRESS_DEFLATE)
        return error_set(err, INVALID, "the grpc-encoding number %d is not supported: use gzip, deflate or identity",
                         (int)algorithm);
    rc = inflater_new(&inf, algorithm == GRPC_COMPRESS_GZIP ? CODEC_GZIP : CODEC_DEFLATE, UINT64_MAX, err);
    for (size_t i = 0; i < slices->count && rc == OK; i++)
        rc = inflate_all(inf, rpc_slice(&slices->slices[i]), out, err);
    if (rc == OK && !inflater_is_complete(inf))
        rc = error_set(err, CORRUPT, "the compressed message is cut short");
    inflater_free(inf);
    return rc;
}

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v > 0x7f; v >>= 7)
        buf_add_char(out, (char)(0x80 | (v & 0x7f)));
    buf_add_char(out, (char)v);
}

static void put_bytes(struct buf *out, unsigned field, struct slice s)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, s.len);
    buf_add(out, s);
}

static void put_number(struct buf *out, unsigned field, uint64_t v)
{
    if (v == 0)
        return;
    put_varint(out, field << 3);
    put_varint(out, v);
}

/* Status {code 1, message 2, details 3: Any {type_url 1, value 2: RetryInfo {retry_delay 1: {seconds 1, nanos 2}}}} */
void rpc_put_retry_info(struct buf *out, enum rpc_status status, const char *message, uint64_t retry_ms)
{
    struct buf delay, info, any;

    buf_init(&delay, 64);
    buf_init(&info, 64);
    buf_init(&any, 256);
    put_number(&delay, 1, retry_ms / 1000);
    put_number(&delay, 2, retry_ms % 1000 * 1000000);
    put_bytes(&info, 1, buf_slice(&delay));
    put_bytes(&any, 1, SLICE_LIT(RETRY_INFO_TYPE));
    put_bytes(&any, 2, buf_slice(&info));
    put_number(out, 1, (uint64_t)status);
    put_bytes(out, 2, slice_str(message));
    put_bytes(out, 3, buf_slice(&any));
    buf_release(&delay);
    buf_release(&info);
    buf_release(&any);
}

struct field {
    unsigned number;
    uint64_t value;     /* of a varint */
    struct slice bytes; /* of a length-delimited field */
};

static bool take_varint(struct slice *in, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && in->len != 0; shift += 7) {
        unsigned char byte = (unsigned char)in->ptr[0];

        *in = slice_from(*in, 1);
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

static bool take_field(struct slice *in, struct field *f)
{
    uint64_t key, len;

    *f = (struct field){0};
    if (!take_varint(in, &key) || key > UINT32_MAX)
        return false;
    f->number = (unsigned)(key >> 3);
    switch (key & 7) {
    case 0:
        return take_varint(in, &f->value);
    case 1:
    case 5:
        len = (key & 7) == 1 ? 8 : 4;
        break;
    case 2:
        if (!take_varint(in, &len))
            return false;
        break;
    default:
        return false;
    }
    if (len > in->len)
        return false;
    f->bytes = slice_head(*in, (size_t)len);
    *in = slice_from(*in, (size_t)len);
    return true;
}

static int64_t delay_of(struct slice info)
{
    uint64_t seconds = 0, nanos = 0;
    struct field f, part;

    while (info.len != 0 && take_field(&info, &f))
        while (f.number == 1 && f.bytes.len != 0 && take_field(&f.bytes, &part)) {
            seconds = part.number == 1 ? part.value : seconds;
            nanos = part.number == 2 ? part.value : nanos;
        }
    if (seconds > 24 * 3600 || nanos > 999999999) /* negative ones are huge here */
        return seconds > INT64_MAX ? 0 : (int64_t)24 * 3600 * 1000;
    return (int64_t)(seconds * 1000 + nanos / 1000000);
}

int64_t rpc_find_retry_info(struct slice details)
{
    struct field f, part;

    while (details.len != 0 && take_field(&details, &f)) {
        struct slice type = {0}, value = {0};

        if (f.number != 3)
            continue;
        while (f.bytes.len != 0 && take_field(&f.bytes, &part)) {
            type = part.number == 1 ? part.bytes : type;
            value = part.number == 2 ? part.bytes : value;
        }
        if (slice_ends(type, SLICE_LIT("/google.rpc.RetryInfo")))
            return delay_of(value);
    }
    return -1;
}

void rpc_args_init(struct rpc_args *a)
{
    a->args.args = a->at;
    a->args.num_args = 0;
}

static grpc_arg *next_arg(struct rpc_args *a, const char *key, grpc_arg_type type)
{
    grpc_arg *arg;

    BUG_ON(a->args.num_args == RPC_ARGS_MAX);
    arg = &a->at[a->args.num_args++];
    arg->type = type;
    arg->key = (char *)(uintptr_t)key;
    return arg;
}

void rpc_args_int(struct rpc_args *a, const char *key, uint64_t value)
{
    next_arg(a, key, GRPC_ARG_INTEGER)->value.integer = value > INT_MAX ? INT_MAX : (int)value;
}

void rpc_args_text(struct rpc_args *a, const char *key, const char *text)
{
    next_arg(a, key, GRPC_ARG_STRING)->value.string = (char *)(uintptr_t)text;
}
