/* A Docker that answers what the test says, and writes down what it was asked for. */
#ifndef TESTS_UNIT_COMPONENTS_FAKE_DOCKER_H
#define TESTS_UNIT_COMPONENTS_FAKE_DOCKER_H
#include "agent/io/http_server.h"
#include "world.h"

#define FAKE_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct {
    struct http_server *server;
    pthread_mutex_t lock;
    char asked[65536];
    const char *version; /* NULL: 403 */
    const char *list, *networks, *inspected;
    struct buf log;
    unsigned n_logs;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The server's threads read what is set. */
static inline void fake_set(const char **field, const char *value)
{
    pthread_mutex_lock(&fake.lock);
    *field = value;
    pthread_mutex_unlock(&fake.lock);
}

/* Number of times logs were asked for since the last call with is_reset. */
static inline unsigned fake_logs_asked(bool is_reset)
{
    unsigned n;

    pthread_mutex_lock(&fake.lock);
    n = fake.n_logs;
    if (is_reset)
        fake.n_logs = 0;
    pthread_mutex_unlock(&fake.lock);
    return n;
}

static inline void fake_line(int source, const char *text)
{
    size_t n = strlen(text);
    const char head[8] = {(char)source, 0, 0, 0, 0, 0, (char)(n >> 8), (char)(n & 255)};

    pthread_mutex_lock(&fake.lock);
    assert_int_equal(buf_add(&fake.log, slice_make(head, sizeof head)), OK);
    assert_int_equal(buf_add_str(&fake.log, text), OK);
    pthread_mutex_unlock(&fake.lock);
}

static void fake_request(void *self, struct http_call *call)
{
    struct slice path = http_call_path(call);
    struct http_reply reply = {.status = 404, .body = SLICE_LIT("{\"message\":\"no such thing\"}")};
    size_t at;

    (void)self;
    pthread_mutex_lock(&fake.lock);
    at = strlen(fake.asked);
    snprintf(fake.asked + at, sizeof fake.asked - at, "%.*s since=%.*s\n", SLICE_ARG(path),
             SLICE_ARG(http_call_query(call, "since")));
    if (slice_eq_str(path, "/version")) {
        reply.status = fake.version != NULL ? 200 : 403;
        reply.body = slice_str(fake.version != NULL ? fake.version : "no");
    } else if (slice_ends(path, SLICE_LIT("/containers/json")) && fake.list != NULL) {
        reply = (struct http_reply){.status = 200, .body = slice_str(fake.list)};
    } else if (slice_ends(path, SLICE_LIT("/networks")) && fake.networks != NULL) {
        reply = (struct http_reply){.status = 200, .body = slice_str(fake.networks)};
    } else if (slice_ends(path, SLICE_LIT("/json")) && fake.inspected != NULL) {
        reply = (struct http_reply){.status = 200, .body = slice_str(fake.inspected)};
    } else if (slice_ends(path, SLICE_LIT("/logs"))) {
        fake.n_logs++;
        reply = (struct http_reply){.status = 200, .body = buf_slice(&fake.log)};
    } else if (slice_ends(path, SLICE_LIT("/events"))) {
        reply = (struct http_reply){.status = 403, .body = SLICE_LIT("not allowed")};
    }
    http_reply(call, &reply);
    pthread_mutex_unlock(&fake.lock);
}

static inline void fake_begin(void)
{
    struct http_server_options options = {.listen = SLICE_LIT("127.0.0.1:0"), .n_threads = 2};
    struct http_handler handler = {.on_request = fake_request};
    struct error err = {0};

    fake.asked[0] = '\0';
    fake.n_logs = 0;
    fake.version = "{\"ApiVersion\":\"1.43\",\"MinAPIVersion\":\"1.12\"}";
    fake.list = fake.networks = fake.inspected = NULL;
    buf_init(&fake.log, 1 << 20);
    assert_int_equal(http_server_start(&fake.server, &options, &handler, &err), OK);
}

static inline void fake_end(void)
{
    http_server_free(fake.server);
    buf_release(&fake.log);
}

static inline bool fake_was_asked(const char *what)
{
    bool is_there;

    pthread_mutex_lock(&fake.lock);
    is_there = strstr(fake.asked, what) != NULL;
    pthread_mutex_unlock(&fake.lock);
    return is_there;
}
#endif
