/* DNS questions to a server of the test on loopback: RFC 1035 by hand. */
#include "agent/io/dns.h"
#include "agent/base/mem.h"
#include "agent/io/loop.h"
#include "tests/unit/io/latch.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { HEADER = 12, TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_MX = 15, TYPE_AAAA = 28, TYPE_SRV = 33 };

/* An answer's records behind the question; '\xc0\x0c' is the question's name. */
struct record {
    int type;
    const char *data;
    size_t len;
};
struct answer {
    const char *name;
    int code; /* RCODE */
    bool is_silent;
    struct record records[4];
};

static const struct answer answers[] = {
    {"two.test", 0, false, {{TYPE_A, "\x0a\0\0\x01", 4}, {TYPE_A, "\x0a\0\0\x02", 4}}},
    {"six.test", 0, false, {{TYPE_AAAA, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16}}},
    {"srv.test", 0, false, {{TYPE_SRV, "\0\x0a\0\x05\x1f\x90\x01h\x04test\0", 14}}},
    {"mx.test", 0, false, {{TYPE_MX, "\0\x0a\x04mail\x04test\0", 13}}},
    {"ns.test", 0, false, {{TYPE_NS, "\x03ns1\x04test\0", 10}}},
    {"alias.test", 0, false, {{TYPE_CNAME, "\x03two\x04test\0", 10}}},
    {"empty.test", 0, false, {{0}}},
    {"fails.test", 2, false, {{0}}},
    {"refused.test", 5, false, {{0}}},
    {"silent.test", 0, true, {{0}}},
};

static int server_fd;
static pthread_t server_thread;
static char server_address[64];
static struct loops *loops;

static size_t put_records(unsigned char *out, const struct answer *a, int *n)
{
    size_t at = 0;

    for (*n = 0; *n < 4 && a->records[*n].data != NULL; ++*n) {
        const struct record *r = &a->records[*n];
        const unsigned char head[] = {0xc0, HEADER, 0, (unsigned char)r->type, 0, 1, 0, 0,
                                      0,    60,     0, (unsigned char)r->len};

        memcpy(out + at, head, sizeof head);
        memcpy(out + at + sizeof head, r->data, r->len);
        at += sizeof head + r->len;
    }
    return at;
}

/* "\3two\4test\0" as "two.test". */
static size_t read_name(const unsigned char *from, char *out)
{
    size_t at = 0, n = 0;

    while (from[at] != 0) {
        memcpy(out + n, from + at + 1, from[at]);
        n += from[at];
        out[n++] = '.';
        at += 1u + from[at];
    }
    out[n != 0 ? n - 1 : 0] = '\0';
    return at + 1;
}

static void *serve(void *arg)
{
    unsigned char packet[1024];
    char name[512];
    struct sockaddr_in who;
    socklen_t who_len;
    ssize_t n;

    (void)arg;
    for (;;) {
        const struct answer *a = NULL;
        size_t end;
        int n_records = 0;

        who_len = sizeof who;
        n = recvfrom(server_fd, packet, 512, 0, (struct sockaddr *)&who, &who_len);
        if (n < HEADER + 5)
            return NULL; /* the end of the test */
        end = HEADER + read_name(packet + HEADER, name) + 4;
        for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
            if (strcmp(answers[i].name, name) == 0)
                a = &answers[i];
        if (a != NULL && a->is_silent)
            continue;
        packet[2] = 0x81;
        packet[3] = (unsigned char)(0x80 | (a != NULL ? a->code : 3));
        memset(packet + 6, 0, 6);
        if (a != NULL)
            end += put_records(packet + end, a, &n_records);
        packet[7] = (unsigned char)n_records;
        sendto(server_fd, packet, end, 0, (struct sockaddr *)&who, who_len);
    }
}

struct ask {
    const char *name;
    enum dns_type type;
    bool ends_early;
    struct dns *dns;
    struct latch done;
    unsigned n_told;
    enum code code;
    char text[512], error[256];
};

static void free_now(void *arg)
{
    struct ask *a = arg;

    dns_free(a->dns);
    latch_hit(&a->done);
}

static void on_answer(void *arg, const struct dns_answer *answer)
{
    struct ask *a = arg;
    size_t at = 0;

    a->n_told++;
    a->code = answer->code;
    for (size_t i = 0; i < answer->n; i++)
        at += (size_t)snprintf(a->text + at, sizeof a->text - at, "%.*s:%u ", SLICE_ARG(answer->records[i].name),
                               (unsigned)answer->records[i].port);
    snprintf(a->error, sizeof a->error, "%s", answer->error != NULL ? answer->error : "");
    loop_post(loops_worker(loops, 0), free_now, a);
}

static void begin(void *arg)
{
    const struct dns_options options = {.servers = server_address, .timeout_ms = 200, .tries = 1};
    struct ask *a = arg;
    struct error err = {0};

    if (dns_new(&a->dns, loops_worker(loops, 0), &options, &err) != OK)
        fail_msg("%s", err.text);
    dns_ask(a->dns, a->name, a->type, on_answer, a);
    if (a->ends_early)
        free_now(a);
}

static struct ask ask(const char *name, enum dns_type type, bool ends_early)
{
    struct ask a = {.name = name, .type = type, .ends_early = ends_early, .done = LATCH_INIT};

    loop_post(loops_worker(loops, 0), begin, &a);
    assert_true(latch_wait(&a.done, 1));
    return a;
}

static void records_of_every_type_are_read(void **state)
{
    static const struct {
        const char *name;
        enum dns_type type;
        const char *want;
    } rows[] = {
        {"two.test.", DNS_A, "10.0.0.1:0 10.0.0.2:0 "},
        {"six.test.", DNS_AAAA, "fd00::1:0 "},
        {"srv.test.", DNS_SRV, "h.test:8080 "},
        {"mx.test.", DNS_MX, "mail.test:0 "},
        {"ns.test.", DNS_NS, "ns1.test:0 "},
        {"empty.test.", DNS_SRV, ""},
        {"empty.test.", DNS_A, ""},
        {"alias.test.", DNS_SRV, ""}, /* an alias of what has no such record */
        {"nobody.test.", DNS_MX, ""}, /* no such name: that is an answer too */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ask a = ask(rows[i].name, rows[i].type, false);

        if (a.code != OK || strcmp(a.text, rows[i].want) != 0)
            fail_msg("%s: %s %s", rows[i].name, a.text, a.error);
        assert_int_equal(a.n_told, 1);
    }
}

static void what_no_server_answers_well_is_an_error_in_words(void **state)
{
    static const char *const names[] = {"fails.test.", "refused.test.", "silent.test."};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct ask a = ask(names[i], DNS_A, false);

        if (a.code != IO)
            fail_msg("%s: %s %s", names[i], code_name(a.code), a.text);
        assert_true(a.error[0] != '\0');
        assert_int_equal(a.n_told, 1);
    }
}

static void a_free_ends_the_questions_without_a_word(void **state)
{
    struct ask a = ask("silent.test.", DNS_A, true);

    (void)state;
    assert_int_equal(a.n_told, 0);
}

static void servers_that_are_none_are_refused(void **state)
{
    const struct dns_options options = {.servers = "not an address"};
    struct error err = {0};
    struct dns *d;

    (void)state;
    assert_int_equal(dns_new(&d, loops_control(loops), &options, &err), INVALID);
    assert_non_null(strstr(err.text, "not an address"));
    assert_null(d);
}

static int set_up(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    (void)state;
    server_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (server_fd < 0 || bind(server_fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        getsockname(server_fd, (struct sockaddr *)&at, &len) != 0)
        return -1;
    snprintf(server_address, sizeof server_address, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    if (pthread_create(&server_thread, NULL, serve, NULL) != 0)
        return -1;
    return loops_new(&loops, 1, NULL) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)state;
    loops_free(loops);
    getsockname(server_fd, (struct sockaddr *)&at, &len);
    sendto(fd, "x", 1, 0, (struct sockaddr *)&at, len);
    pthread_join(server_thread, NULL);
    close(fd);
    return close(server_fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_every_type_are_read),
        cmocka_unit_test(what_no_server_answers_well_is_an_error_in_words),
        cmocka_unit_test(a_free_ends_the_questions_without_a_word),
        cmocka_unit_test(servers_that_are_none_are_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
