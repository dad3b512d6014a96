#include "agent/ui/api.h"
#include "agent/base/limits.h"
#include "agent/text/json.h"
#include "agent/ui/redact.h"

void reply_buf(struct http_call *call, int status, const char *media_type, const char *policy, struct buf *take)
{
    const struct http_header headers[] = {
        {SLICE_LIT("X-Content-Type-Options"), SLICE_LIT("nosniff"), false},
        {SLICE_LIT("X-Frame-Options"), SLICE_LIT("DENY"), false},
        {SLICE_LIT("Referrer-Policy"), SLICE_LIT("no-referrer"), false},
        {SLICE_LIT("Content-Security-Policy"), slice_str(policy != NULL ? policy : "default-src 'none'"), false},
        {SLICE_LIT("Cache-Control"), SLICE_LIT("no-store"), false},
    };
    struct http_reply reply = {.status = status,
                               .media_type = slice_str(media_type),
                               .headers = headers,
                               .n_headers = sizeof headers / sizeof headers[0]};

    if (take->is_full) {
        buf_release(take);
        http_reply_text(call, 500, "the answer is too large");
        return;
    }
    reply.body.len = take->len;
    reply.take_body = buf_take(take, &reply.body.len);
    http_reply(call, &reply);
}

/* With the secrets of the configuration masked wherever they turn up. */
static void reply_json(struct runtime *rt, struct http_call *call, struct buf *take)
{
    struct redactor *redactor = redactor_new(rt);
    struct buf masked;

    buf_init(&masked, LIMIT_METRICS_PAGE_BYTES);
    redact_known(redactor, buf_slice(take), &masked);
    masked.is_full = masked.is_full || take->is_full;
    redactor_free(redactor);
    buf_release(take);
    reply_buf(call, 200, "application/json", NULL, &masked);
}

static void components(struct runtime *rt, struct http_call *call, struct slice module)
{
    struct buf json;

    buf_init(&json, LIMIT_METRICS_PAGE_BYTES);
    if (runtime_write_components(rt, module, &json)) {
        reply_json(rt, call, &json);
        return;
    }
    buf_release(&json);
    http_reply_text(call, 404, "there is no such module");
}

static void component(struct runtime *rt, struct http_call *call, struct slice id)
{
    struct buf json;

    buf_init(&json, LIMIT_METRICS_PAGE_BYTES);
    if (runtime_write_component(rt, id, &json)) {
        reply_json(rt, call, &json);
        return;
    }
    buf_release(&json);
    http_reply_text(call, 404, "there is no such component");
}

/* The whole graph at once, for the own page. What a load said quotes the file: it is looked at like free text. */
static void pipeline(struct runtime *rt, struct http_call *call)
{
    struct redactor *redactor = redactor_new(rt);
    struct buf said, masked, json;

    buf_init(&said, LIMIT_CONFIG_STRING_BYTES);
    buf_init(&masked, LIMIT_CONFIG_STRING_BYTES);
    buf_init(&json, LIMIT_METRICS_PAGE_BYTES);
    runtime_write_load_text(rt, &said);
    redact(redactor, buf_slice(&said), &masked);
    buf_add_str(&json, "{\"loadText\":");
    json_write_string(&json, buf_slice(&masked));
    buf_add_str(&json, ",\"graph\":");
    runtime_write_graph(rt, &json);
    buf_add_char(&json, '}');
    buf_release(&said);
    buf_release(&masked);
    redactor_free(redactor);
    reply_json(rt, call, &json);
}

static void nothing(struct http_call *call)
{
    struct buf json;

    buf_init(&json, 16);
    buf_add_str(&json, "[]");
    reply_buf(call, 200, "application/json", NULL, &json);
}

/* "/modules/ID/components": the ID may have slashes. */
static bool is_module_list(struct slice path, struct slice *module)
{
    const struct slice head = SLICE_LIT("/modules/"), tail = SLICE_LIT("/components");

    if (!slice_starts(path, head) || !slice_ends(path, tail) || path.len <= head.len + tail.len)
        return false;
    *module = slice_from(slice_head(path, path.len - tail.len), head.len);
    return true;
}

static bool is_below(struct slice path, const char *head, struct slice *rest)
{
    *rest = slice_from(path, strlen(head));
    return slice_starts(path, slice_str(head)) && rest->len != 0;
}

static void remotecfg(struct http_call *call, struct slice path)
{
    struct slice rest;

    if (slice_eq_str(path, "/components") || is_module_list(path, &rest))
        nothing(call);
    else
        http_reply_text(call, 404, "hyagent takes no configuration from a server (remotecfg): there is nothing here");
}

void api_answer(struct runtime *rt, struct live *live, struct http_call *call, struct slice path)
{
    struct slice rest;

    if (slice_eq_str(path, "/components"))
        components(rt, call, SLICE_LIT(""));
    else if (is_below(path, "/components/", &rest))
        component(rt, call, rest);
    else if (is_module_list(path, &rest))
        components(rt, call, rest);
    else if (slice_eq_str(path, "/pipeline"))
        pipeline(rt, call);
    else if (slice_eq_str(path, "/peers")) /* no clustering: nobody */
        nothing(call);
    else if (slice_eq_str(path, "/graph"))
        live_rates(live, call, SLICE_LIT(""));
    else if (is_below(path, "/graph/", &rest))
        live_rates(live, call, rest);
    else if (is_below(path, "/debug/", &rest))
        live_items(live, call, rest);
    else if (slice_starts(path, SLICE_LIT("/remotecfg/")))
        remotecfg(call, slice_from(path, sizeof "/remotecfg" - 1));
    else
        http_reply_text(call, 404, "there is no such page");
}
