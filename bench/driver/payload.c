/* Input, made from a fixed seed: lines like the stack's systems write, an exposition like its exporters', spans and log
 * records like the SDKs'. */
#include "agent/model/pbwire.h"
#include "bench/driver/bench.h"
#include <inttypes.h>

enum { ID_BYTES = 16, SPAN_ID_BYTES = 8, LINE_BYTES = 4096, STEP_NS = 1700000 };

uint32_t random_below(struct random *r, uint32_t n)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((r->state >> 33) % n);
}

#define PICK(r, list) ((list)[random_below(r, sizeof(list) / sizeof((list)[0]))])

static const char *const paths[] = {
    "/api/v1/sessions", "/api/v1/documents/search", "/realms/main/protocol/openid-connect/token",
    "/healthz",         "/v1/chat/completions",     "/assets/index-8d1f.js"};
static const char *const users[] = {"alice", "bob", "carol", "dave", "erin", "service-account-n8n"};
static const char *const levels[] = {"info", "info", "info", "info", "debug", "warn", "error"};
static const char *const words[] = {"connection", "accepted", "cache",      "refreshed", "for",   "tenant",
                                    "worker",     "finished", "task",       "in",        "queue", "retrying",
                                    "upstream",   "request",  "checkpoint", "complete"};

static void put_hex(struct random *r, size_t digits, struct buf *out)
{
    for (size_t i = 0; i < digits; i++)
        buf_add_char(out, "0123456789abcdef"[random_below(r, 16)]);
}

static void put_words(struct random *r, uint32_t n, struct buf *out)
{
    for (uint32_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i != 0 ? " " : "", PICK(r, words));
}

static void put_access_json(struct random *r, struct buf *out)
{
    buf_printf(out,
               "{\"ClientHost\":\"10.%u.%u.%u\",\"DownstreamStatus\":%u,\"Duration\":%u,\"RequestMethod\":\"GET\","
               "\"RequestPath\":\"%s\",\"RouterName\":\"web@docker\",\"level\":\"%s\",\"msg\":\"\","
               "\"time\":\"2026-03-01T12:%02u:%02uZ\",\"traceId\":\"",
               random_below(r, 256), random_below(r, 256), random_below(r, 256), random_below(r, 20) == 0 ? 502 : 200,
               random_below(r, 90000000), PICK(r, paths), PICK(r, levels), random_below(r, 60), random_below(r, 60));
    put_hex(r, 2 * ID_BYTES, out);
    buf_add_str(out, "\"}");
}

static void put_database(struct random *r, struct buf *out)
{
    buf_printf(out,
               "2026-03-01 12:%02u:%02u.%03u UTC [%u] LOG:  duration: %u.%03u ms  statement: SELECT * FROM documents"
               " WHERE tenant_id = %u AND state = 'open' ORDER BY id LIMIT 50",
               random_below(r, 60), random_below(r, 60), random_below(r, 1000), 100 + random_below(r, 900),
               random_below(r, 500), random_below(r, 1000), random_below(r, 10000));
}

static void put_logfmt(struct random *r, struct buf *out)
{
    buf_printf(out, "ts=2026-03-01T12:%02u:%02u.%03uZ caller=main.go:%u level=%s user=%s msg=\"", random_below(r, 60),
               random_below(r, 60), random_below(r, 1000), random_below(r, 900), PICK(r, levels), PICK(r, users));
    put_words(r, 5 + random_below(r, 10), out);
    buf_printf(out, "\" duration=%u.%ums", random_below(r, 100), random_below(r, 10));
}

static void put_java(struct random *r, struct buf *out)
{
    buf_printf(
        out, "2026-03-01 12:%02u:%02u,%03u INFO  [org.keycloak.events] (executor-thread-%u) type=\"LOGIN\", realmId=\"",
        random_below(r, 60), random_below(r, 60), random_below(r, 1000), random_below(r, 40));
    put_hex(r, 32, out);
    buf_printf(out, "\", clientId=\"web\", userId=\"%s\", ipAddress=\"10.0.%u.%u\"", PICK(r, users),
               random_below(r, 256), random_below(r, 256));
}

void payload_docker_lines(struct random *r, size_t bytes, struct buf *out)
{
    static void (*const writers[])(struct random *, struct buf *) = {put_access_json, put_access_json, put_database,
                                                                     put_logfmt, put_java};
    uint64_t ns = 0;
    struct buf line;

    buf_init(&line, LINE_BYTES);
    while (out->len < bytes) {
        buf_reset(&line);
        PICK(r, writers)(r, &line);
        buf_add_str(out, "{\"log\":\"");
        for (size_t i = 0; i < line.len; i++) {
            if (line.ptr[i] == '"')
                buf_add_char(out, '\\');
            buf_add_char(out, line.ptr[i]);
        }
        ns += random_below(r, STEP_NS);
        buf_printf(
            out, "\\n\",\"stream\":\"%s\",\"time\":\"2026-03-01T12:%02" PRIu64 ":%02" PRIu64 ".%09" PRIu64 "Z\"}\n",
            random_below(r, 8) == 0 ? "stderr" : "stdout", ns / NS_PER_S / 60 % 60, ns / NS_PER_S % 60, ns % NS_PER_S);
    }
    buf_release(&line);
}

/* ---- metrics ---- */

void payload_exposition(uint32_t target, uint32_t scrape, uint32_t series, struct buf *out)
{
    static const char *const les[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"};
    static const uint32_t per_family = 40, buckets = sizeof les / sizeof les[0];
    struct random r = {.state = target * 7919u + 1};

    for (uint32_t family = 0, n = 0; n < series; family++) {
        bool is_histogram = family % 4 == 3;

        buf_printf(out, "# HELP app_%s_%u What the %s of part %u came to.\n# TYPE app_%s_%u %s\n",
                   is_histogram ? "request_seconds" : "events_total", family, is_histogram ? "duration" : "number",
                   family, is_histogram ? "request_seconds" : "events_total", family,
                   is_histogram ? "histogram" : "counter");
        for (uint32_t i = 0; i < per_family && n < series; i++, n++) {
            uint32_t value = random_below(&r, 1000000) + scrape * (1 + i % 7);

            if (is_histogram)
                buf_printf(out, "app_request_seconds_%u_bucket{handler=\"%s\",method=\"GET\",le=\"%s\"} %u\n", family,
                           paths[i / buckets], les[i % buckets], value);
            else
                buf_printf(out, "app_events_total_%u{node=\"n%u\",shard=\"%u\",state=\"%s\"} %u.%u\n", family, target,
                           i, levels[i % 7], value, scrape % 10);
        }
    }
}

/* ---- OTLP, by the field numbers of opentelemetry.proto ---- */

static void put_text_attribute(struct buf *out, uint32_t field, const char *key, const char *value)
{
    size_t pair = pb_open(out, field), any;

    pb_put_bytes(out, 1, slice_str(key));
    any = pb_open(out, 2);
    pb_put_bytes(out, 1, slice_str(value));
    pb_close(out, any);
    pb_close(out, pair);
}

static void put_int_attribute(struct buf *out, uint32_t field, const char *key, uint64_t value)
{
    size_t pair = pb_open(out, field), any;

    pb_put_bytes(out, 1, slice_str(key));
    any = pb_open(out, 2);
    pb_put_u64(out, 3, value);
    pb_close(out, any);
    pb_close(out, pair);
}

static void put_id(struct random *r, uint32_t field, size_t bytes, struct buf *out)
{
    char id[ID_BYTES];

    for (size_t i = 0; i < bytes; i++)
        id[i] = (char)random_below(r, 256);
    pb_put_bytes(out, field, slice_make(id, bytes));
}

static void put_span(struct random *r, struct buf *out)
{
    uint64_t start = (uint64_t)1772366400 * NS_PER_S + random_below(r, NS_PER_S);
    size_t span = pb_open(out, 2), status;

    put_id(r, 1, ID_BYTES, out);
    put_id(r, 2, SPAN_ID_BYTES, out);
    put_id(r, 4, SPAN_ID_BYTES, out);
    pb_put_bytes(out, 5, slice_str(PICK(r, paths)));
    pb_put_u64(out, 6, 1 + random_below(r, 3));
    pb_put_fixed64(out, 7, start);
    pb_put_fixed64(out, 8, start + random_below(r, 90000000));
    put_text_attribute(out, 9, "http.request.method", "GET");
    put_text_attribute(out, 9, "url.path", PICK(r, paths));
    put_text_attribute(out, 9, "user_agent.original", "python-requests/2.32");
    put_text_attribute(out, 9, "enduser.id", PICK(r, users));
    put_text_attribute(out, 9, "network.protocol.version", "1.1");
    put_int_attribute(out, 9, "http.response.status_code", random_below(r, 20) == 0 ? 500 : 200);
    put_int_attribute(out, 9, "server.port", 8000 + random_below(r, 8));
    status = pb_open(out, 15);
    pb_put_u64(out, 3, 1);
    pb_close(out, status);
    pb_close(out, span);
}

void payload_spans(struct random *r, uint32_t resources, uint32_t spans, struct buf *out)
{
    for (uint32_t i = 0; i < resources; i++) {
        size_t resource = pb_open(out, 1), part = pb_open(out, 1), scope;

        put_text_attribute(out, 1, "service.name", PICK(r, words));
        put_text_attribute(out, 1, "telemetry.sdk.language", "python");
        put_int_attribute(out, 1, "process.pid", random_below(r, 30000));
        pb_close(out, part);
        scope = pb_open(out, 2);
        part = pb_open(out, 1);
        pb_put_bytes(out, 1, SLICE_LIT("opentelemetry.instrumentation.requests"));
        pb_close(out, part);
        for (uint32_t n = 0; n < spans; n++)
            put_span(r, out);
        pb_close(out, scope);
        pb_close(out, resource);
    }
}

void payload_json_logs(struct random *r, uint32_t resources, uint32_t records, struct buf *out)
{
    buf_add_str(out, "{\"resourceLogs\":[");
    for (uint32_t i = 0; i < resources; i++) {
        buf_printf(out,
                   "%s{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"%s\"}}]},"
                   "\"scopeLogs\":[{\"scope\":{\"name\":\"app\"},\"logRecords\":[",
                   i != 0 ? "," : "", words[i % (sizeof words / sizeof words[0])]);
        for (uint32_t n = 0; n < records; n++) {
            buf_printf(out,
                       "%s{\"timeUnixNano\":\"1772366400%09u\",\"severityNumber\":9,\"severityText\":\"INFO\","
                       "\"body\":{\"stringValue\":\"",
                       n != 0 ? "," : "", random_below(r, NS_PER_S));
            put_words(r, 6 + random_below(r, 10), out);
            buf_printf(out,
                       "\"},\"attributes\":[{\"key\":\"http.route\",\"value\":{\"stringValue\":\"%s\"}},"
                       "{\"key\":\"http.status_code\",\"value\":{\"intValue\":\"%u\"}}],\"traceId\":\"",
                       PICK(r, paths), 200 + random_below(r, 4) * 100);
            put_hex(r, 2 * ID_BYTES, out);
            buf_add_str(out, "\",\"spanId\":\"");
            put_hex(r, 2 * SPAN_ID_BYTES, out);
            buf_add_str(out, "\"}");
        }
        buf_add_str(out, "]}]}");
    }
    buf_add_str(out, "]}");
}
