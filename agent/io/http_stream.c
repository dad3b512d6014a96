#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/http_server_int.h"

enum { BLOCK_BYTES = 32 * 1024 };

void http_stream_free(struct http_stream *st)
{
    if (st == NULL)
        return;
    buf_release(&st->data);
    mem_free(st);
}

/* On libmicrohttpd's thread: it wants more bytes. */
static ssize_t on_read(void *arg, uint64_t pos, char *out, size_t max)
{
    struct http_call *c = arg;
    struct http_server *s = c->server;
    struct http_stream *st;
    ssize_t n = 0;

    (void)pos;
    pthread_mutex_lock(&s->lock);
    st = c->stream;
    if (st->data.len != 0) {
        size_t some = st->data.len < max ? st->data.len : max;

        memcpy(out, st->data.ptr, some);
        buf_consume(&st->data, some);
        n = (ssize_t)some;
    } else if (st->is_closed) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (s->is_stopping || c->daemon->is_closing || c->daemon->retired_ms != 0) {
        st->is_closed = true;
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        c->is_suspended = true;
        list_add_tail(&s->waiting, &c->link);
        s->counts.waiting++;
        MHD_suspend_connection(c->mhd);
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

void http_stream_end_locked(struct http_call *c)
{
    c->stream->is_closed = true;
    http_call_resume_locked(c);
}

struct http_stream *http_reply_stream(struct http_call *c, const struct http_reply *head)
{
    struct http_stream *st = mem_zalloc(sizeof *st);
    struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, c, NULL);

    BUG_ON(r == NULL);
    http_call_add_headers(c, r, head);
    st->call = c;
    buf_init(&st->data, LIMIT_HTTP_STREAM_BYTES);
    pthread_mutex_lock(&c->server->lock);
    c->stream = st;
    st->is_closed = true;
    if (c->state != CALL_ANSWERED && !c->is_ended) {
        st->is_closed = false;
        http_call_answer_locked(c, (unsigned)head->status, r);
        r = NULL;
    }
    pthread_mutex_unlock(&c->server->lock);
    if (r != NULL)
        MHD_destroy_response(r);
    return st;
}

enum code http_stream_write(struct http_stream *st, struct slice chunk)
{
    struct http_call *c = st->call;
    enum code rc;

    pthread_mutex_lock(&c->server->lock);
    if (c->is_ended || st->is_closed) {
        rc = IO;
    } else {
        rc = buf_add(&st->data, chunk) == OK ? OK : AGAIN;
        http_call_resume_locked(c);
    }
    pthread_mutex_unlock(&c->server->lock);
    return rc;
}

void http_stream_close(struct http_stream *st)
{
    struct http_call *c = st->call;

    pthread_mutex_lock(&c->server->lock);
    st->is_closed = true;
    if (!c->is_ended)
        http_call_resume_locked(c);
    pthread_mutex_unlock(&c->server->lock);
    http_call_unref(c); /* the handler's reference; the stream goes with the call */
}
