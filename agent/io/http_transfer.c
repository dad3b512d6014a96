#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/io/http_client_int.h"

enum { REDIRECTS_MAX = 10, REDIRECT_BODY_MAX = 64 * 1024, CHUNK_BYTES = 16 * 1024 };

static const struct {
    const char *name;
    enum http_outcome outcome;
} outcome_names[] = {
    {"answered", HTTP_ANSWERED}, {"unreachable", HTTP_UNREACHABLE}, {"timeout", HTTP_TIMEOUT},
    {"broken", HTTP_BROKEN},     {"too_large", HTTP_TOO_LARGE},     {"unprepared", HTTP_UNPREPARED},
    {"stopped", HTTP_STOPPED},
};

const char *http_outcome_name(enum http_outcome outcome)
{
    for (size_t i = 0; i < sizeof outcome_names / sizeof outcome_names[0]; i++)
        if (outcome_names[i].outcome == outcome)
            return outcome_names[i].name;
    return "unknown";
}

static struct slice header_of(struct http_transfer *t, const char *name)
{
    struct curl_header *h = NULL;

    if (t->easy == NULL || curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return (struct slice){0};
    return slice_trim(slice_str(h->value));
}

struct slice http_result_header(const struct http_result *result, const char *name)
{
    return header_of(result->transfer, name);
}

static int status_of(struct http_transfer *t)
{
    long status = 0;

    if (t->easy != NULL)
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static struct http_result result_of(struct http_transfer *t, enum http_outcome outcome)
{
    return (struct http_result){
        .outcome = outcome,
        .status = status_of(t),
        .body = buf_slice(&t->body),
        .is_body_cut = t->end == END_CUT,
        .error = slice_str(t->error.text),
        .received_bytes = t->received_bytes,
        .plain_bytes = t->plain_bytes,
        .duration_ns = clock_mono_ns(clock_system()) - t->started_ns,
        .transfer = t,
    };
}

static bool is_redirect_status(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* False: the transfer is to end. */
static bool tell_head(struct http_transfer *t)
{
    struct http_result head;

    if (t->is_told)
        return true;
    t->is_told = true;
    if (t->on_head == NULL)
        return true;
    head = result_of(t, HTTP_ANSWERED);
    if (t->on_head(t->arg, &head) == HTTP_STOP)
        t->end = END_STOPPED;
    return t->end == END_NONE && !t->is_cancelled;
}

/* libcurl calls it with every line; the empty one ends a response's headers (1xx responses have their own). */
size_t http_transfer_on_header(char *ptr, size_t size, size_t n, void *arg)
{
    struct http_transfer *t = arg;
    int status = status_of(t);

    if (t->is_cancelled)
        return 0;
    if (size * n > 2 || (ptr[0] != '\r' && ptr[0] != '\n') || status < 200)
        return size * n;
    t->is_redirect = t->follow_redirects && is_redirect_status(status) && header_of(t, "Location").len != 0;
    t->is_unauthorized = status == 401 && t->oauth2 != NULL && !t->was_unauthorized;
    return t->is_redirect || t->is_unauthorized || tell_head(t) ? size * n : 0;
}

/* False: no more. */
static bool deliver(struct http_transfer *t, struct slice chunk)
{
    uint64_t left = t->max_bytes - (t->plain_bytes < t->max_bytes ? t->plain_bytes : t->max_bytes);
    bool is_over = !t->is_stream && chunk.len > left;
    enum http_flow flow = HTTP_CONTINUE;

    if (is_over && !t->cut_response) {
        t->end = END_TOO_LARGE;
        error_set(&t->error, FULL, "the response is larger than %llu bytes", (unsigned long long)t->max_bytes);
        return false;
    }
    if (is_over) {
        t->end = END_CUT;
        chunk = slice_head(chunk, (size_t)left);
    }
    t->plain_bytes += chunk.len;
    if (t->on_body == NULL) {
        if (buf_add(&t->body, chunk) != OK) {
            t->end = END_TOO_LARGE;
            error_set(&t->error, NOMEM, "no memory for the response");
        }
    } else if (chunk.len != 0) {
        flow = t->on_body(t->arg, chunk);
    }
    if (flow == HTTP_STOP)
        t->end = END_STOPPED;
    if (flow == HTTP_PAUSE)
        t->is_paused = true;
    return t->end == END_NONE && !t->is_cancelled;
}

/* Inflates from *in until it is used up, the caller pauses, or the transfer is to end (false). */
static bool inflate_some(struct http_transfer *t, struct slice *in)
{
    char chunk[CHUNK_BYTES];
    size_t n;

    for (;;) {
        enum code rc = inflater_step(t->inflater, in, chunk, sizeof chunk, &n, &t->error);

        if (rc != OK) {
            t->end = rc == CORRUPT ? END_DAMAGED : END_TOO_LARGE;
            return false;
        }
        if (n != 0 && !deliver(t, slice_make(chunk, n)))
            return false;
        t->has_more = n != 0;
        if (t->is_paused || (n == 0 && in->len == 0))
            return true;
    }
}

static bool choose_inflater(struct http_transfer *t)
{
    struct slice encoding = header_of(t, "Content-Encoding");
    enum codec codec;

    t->is_inflater_chosen = true;
    if (!t->accept_gzip || encoding.len == 0 || slice_eq_nocase(encoding, SLICE_LIT("identity")))
        return true;
    if (!codec_from_name(encoding, &codec) || codec != CODEC_GZIP) {
        t->end = END_DAMAGED;
        error_set(&t->error, INVALID, "the response has the Content-Encoding \"%.*s\", which was not asked for",
                  SLICE_ARG(encoding));
        return false;
    }
    if (inflater_new(&t->inflater, codec, UINT64_MAX, &t->error) == OK) /* deliver sets the limit */
        return true;
    t->end = END_DAMAGED;
    return false;
}

size_t http_transfer_on_write(char *ptr, size_t size, size_t n, void *arg)
{
    struct http_transfer *t = arg;
    struct slice in = slice_make(ptr, size * n);
    bool go_on = true;

    if (t->is_cancelled || t->end != END_NONE)
        return 0;
    if (t->is_redirect || t->is_unauthorized) { /* read to its end, so that the connection can be used again */
        t->redirect_bytes += in.len;
        return t->redirect_bytes <= REDIRECT_BODY_MAX ? size * n : 0;
    }
    if (!tell_head(t) || (!t->is_inflater_chosen && !choose_inflater(t)))
        return 0;
    t->received_bytes += in.len;
    if (t->pending.len != 0 || t->is_paused)
        return buf_add(&t->pending, in) == OK ? size * n : 0;
    if (t->inflater == NULL)
        go_on = deliver(t, in);
    else
        go_on = inflate_some(t, &in);
    if (go_on && t->is_paused) {
        if (t->inflater != NULL && buf_add(&t->pending, in) != OK)
            return 0;
        curl_easy_pause(t->easy, CURLPAUSE_RECV);
    }
    return go_on ? size * n : 0;
}

static enum http_outcome outcome_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK:
        return HTTP_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_PROXY:
        return HTTP_UNREACHABLE;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_FAILED_INIT:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_OUT_OF_MEMORY:
        return HTTP_UNPREPARED;
    default:
        return HTTP_BROKEN;
    }
}

static enum http_outcome settle_outcome(struct http_transfer *t, CURLcode code)
{
    switch (t->end) {
    case END_STOPPED:
        error_set(&t->error, INVALID, "stopped");
        return HTTP_STOPPED;
    case END_CUT:
        return HTTP_ANSWERED;
    case END_TOO_LARGE:
        return HTTP_TOO_LARGE;
    case END_DAMAGED:
        return HTTP_BROKEN;
    case END_NONE:
        break;
    }
    if (code == CURLE_OK && t->inflater != NULL && !inflater_is_complete(t->inflater)) {
        error_set(&t->error, CORRUPT, "the compressed response is cut short");
        return HTTP_BROKEN;
    }
    if (code != CURLE_OK && t->error.text[0] == 0)
        error_set(&t->error, IO, "%s", t->curl_error[0] != 0 ? t->curl_error : curl_easy_strerror(code));
    return outcome_of(code);
}

/* True: the request is on its way again. */
static bool follow(struct http_transfer *t)
{
    if (++t->n_redirects > REDIRECTS_MAX) {
        error_set(&t->error, INVALID, "more than %d redirects", REDIRECTS_MAX);
        return false;
    }
    if (http_setup_redirect(t, &t->error) != OK)
        return false;
    t->is_redirect = false;
    t->redirect_bytes = 0;
    http_client_add(t);
    return true;
}

/* The token was refused: once more with a new one. */
static void authorize_again(struct http_transfer *t)
{
    t->is_unauthorized = false;
    t->was_unauthorized = true;
    t->redirect_bytes = 0;
    oauth2_forget(t->oauth2, t->token_serial);
    http_oauth2_start(t);
}

void http_transfer_finish(struct http_transfer *t, CURLcode code)
{
    struct http_client *c = t->client;
    struct http_result result;
    enum http_outcome outcome;

    if (t->is_cancelled) /* in the client's list, freed when we are out of libcurl */
        return;
    if (t->is_paused) {
        t->is_finished = true;
        t->finish_code = code;
        return;
    }
    if (t->is_unauthorized && t->end == END_NONE && (code == CURLE_OK || t->redirect_bytes > REDIRECT_BODY_MAX)) {
        authorize_again(t);
        return;
    }
    if (t->is_redirect && t->end == END_NONE && (code == CURLE_OK || t->redirect_bytes > REDIRECT_BODY_MAX)) {
        if (follow(t))
            return;
        t->end = END_DAMAGED;
    }
    c->depth++;
    if (code == CURLE_OK && t->end == END_NONE)
        tell_head(t);
    if (!t->is_cancelled) {
        outcome = settle_outcome(t, code);
        result = result_of(t, outcome);
        t->done(t->arg, &result);
        list_remove(&t->link);
        list_remove(&t->resume_link);
        http_transfer_free(t);
    }
    c->depth--;
}

/* The caller wants more: first what was kept back, then libcurl's. */
void http_transfer_pump(struct http_transfer *t)
{
    struct slice in;

    t->is_paused = false;
    in = buf_slice(&t->pending);
    if (t->end == END_NONE && t->inflater != NULL && (in.len != 0 || t->has_more))
        inflate_some(t, &in);
    else if (t->end == END_NONE && in.len != 0 && deliver(t, in))
        in.len = 0;
    if (t->is_cancelled)
        return;
    buf_consume(&t->pending, t->pending.len - in.len);
    if (t->is_paused && t->end == END_NONE)
        return;
    if (t->end != END_NONE && t->is_added) {
        curl_multi_remove_handle(t->client->multi, t->easy);
        t->is_added = false;
        t->is_finished = true;
        t->finish_code = CURLE_WRITE_ERROR;
    }
    t->is_paused = false;
    if (t->is_finished)
        http_transfer_finish(t, t->finish_code);
    else
        curl_easy_pause(t->easy, CURLPAUSE_CONT);
}

void http_transfer_free(struct http_transfer *t)
{
    if (t->is_added)
        curl_multi_remove_handle(t->client->multi, t->easy);
    curl_easy_cleanup(t->easy);
    http_oauth2_release(t);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->public_headers);
    curl_slist_free_all(t->proxy_headers);
    curl_slist_free_all(t->connect_to);
    inflater_free(t->inflater);
    buf_release(&t->pending);
    buf_release(&t->body);
    mem_free(t->url);
    mem_free(t);
}
