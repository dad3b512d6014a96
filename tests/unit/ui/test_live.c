/* Live streams over real sockets while batches are pushed on the loops. */
#include "agent/base/limits.h"
#include "agent/ui/admin.h"
#include "tests/unit/runtime/fakes.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 10000 };

static const char config[] = "livedebugging {\n\tenabled = true\n}\n"
                             "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver, fake.sink.b.receiver]\n}\n"
                             "fake.sink \"a\" {\n\tpassword = \"hunter2-long\"\n}\nfake.sink \"b\" {\n}\n";

struct fixture {
    struct world w;
    struct admin *admin;
};

static void begin(struct fixture *f, const char *text)
{
    struct admin_options options = {.listen = SLICE_LIT("127.0.0.1:0"), .path_prefix = SLICE_LIT("/")};
    struct error err = {0};

    world_begin(&f->w, NULL);
    options.runtime = f->w.rt;
    options.loops = f->w.loops;
    assert_int_equal(admin_start(&f->admin, &options, &err), OK);
    assert_true(load(&f->w, text));
}

static void end(struct fixture *f)
{
    admin_free(f->admin);
    world_end(&f->w);
}

static int ask(struct fixture *f, const char *path)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(admin_port(f->admin))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[256];

    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
    return fd;
}

/* Reads on until the text was seen; false when the connection ended or nothing came in time. */
static bool reads(int fd, const char *want, char *all, size_t size)
{
    size_t len = strlen(all);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (strstr(all, want) == NULL) {
        ssize_t n = poll(&p, 1, WAIT_MS) == 1 && len + 1 < size ? recv(fd, all + len, size - 1 - len, 0) : 0;

        if (n <= 0)
            return false;
        len += (size_t)n;
        all[len] = '\0';
    }
    return true;
}

static void every_listener_gets_what_it_asked_for(void **state)
{
    static char of_source[1 << 16], of_edge[1 << 16];
    struct fixture f;
    int source, edge;

    (void)state;
    of_source[0] = of_edge[0] = '\0';
    begin(&f, config);
    source = ask(&f, "/api/v0/web/debug/fake.source.s");
    edge = ask(&f, "/api/v0/web/debug/fake.source.s?to=fake.sink.b");
    assert_true(reads(source, "\r\n\r\n", of_source, sizeof of_source));
    assert_true(reads(edge, "\r\n\r\n", of_edge, sizeof of_edge));
    emit(&f.w, "fake.source.s", 3);
    assert_true(reads(source, "[fake.source.s → fake.sink.a]", of_source, sizeof of_source));
    assert_true(reads(source, "[fake.source.s → fake.sink.b]", of_source, sizeof of_source));
    assert_true(reads(edge, "[fake.source.s → fake.sink.b]", of_edge, sizeof of_edge));
    assert_null(strstr(of_edge, "fake.sink.a]"));
    assert_non_null(strstr(of_edge, "{app=\"x\"}"));
    close(source);
    close(edge);
    end(&f);
}

static void streams_end_when_live_debugging_does(void **state)
{
    static char text[1 << 16];
    struct fixture f;
    int fd;

    (void)state;
    text[0] = '\0';
    begin(&f, config);
    fd = ask(&f, "/api/v0/web/debug/fake.sink.a");
    assert_true(reads(fd, "\r\n\r\n", text, sizeof text));
    assert_true(load(&f.w, strstr(config, "fake.source")));
    assert_true(reads(fd, "live debugging was disabled|;|", text, sizeof text));
    assert_true(reads(fd, "\r\n0\r\n\r\n", text, sizeof text)); /* the last chunk */
    close(fd);
    fd = ask(&f, "/api/v0/web/debug/fake.sink.a");
    text[0] = '\0';
    assert_true(reads(fd, " 403 ", text, sizeof text));
    close(fd);
    end(&f);
}

static void there_are_only_so_many_listeners(void **state)
{
    static char text[1 << 16];
    struct fixture f;
    int fds[LIMIT_LIVE_STREAMS + 1];

    (void)state;
    begin(&f, config);
    for (size_t i = 0; i <= LIMIT_LIVE_STREAMS; i++) {
        text[0] = '\0';
        fds[i] = ask(&f, i % 2 == 0 ? "/api/v0/web/graph" : "/api/v0/web/debug/fake.sink.a");
        assert_true(reads(fds[i], i < LIMIT_LIVE_STREAMS ? " 200 " : " 503 ", text, sizeof text));
    }
    emit(&f.w, "fake.source.s", 100);
    end(&f); /* with all of them open */
    for (size_t i = 0; i <= LIMIT_LIVE_STREAMS; i++)
        close(fds[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_listener_gets_what_it_asked_for),
        cmocka_unit_test(streams_end_when_live_debugging_does),
        cmocka_unit_test(there_are_only_so_many_listeners),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)noted;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
