/* What is masked before a text is shown, and what is left alone. */
#include "agent/ui/redact.h"
#include "tests/unit/runtime/fakes.h"

static const struct {
    const char *in, *want;
} free_texts[] = {
    {"", ""},
    {"nothing to see", "nothing to see"},
    /* a secret of the configuration, wherever it stands */
    {"found hunter2-long here", "found (secret) here"},
    {"hunter2-longhunter2-long", "(secret)(secret)"},
    {"hunter2-lon hunter2-long", "hunter2-lon (secret)"},
    {"hunter2-long-and-more", "(secret)"}, /* the longer of two that begin alike */
    {"fake.sink.a", "fake.sink.a"}, /* a component's name stays, even where somebody's password is a word of it */
    {"short: abc", "short: abc"},   /* a short one would be found everywhere */
    {"{\"a\":\"qu\\\"oted\\\\secret\"}", "{\"a\":\"(secret)\"}"},
    /* URLs */
    {"GET http://me:pa55@host/x?y=1", "GET http://me:(secret)@host/x?y=1"},
    {"https://host/a:b@c", "https://host/a:b@c"},
    {"https://me@host/", "https://me@host/"},
    {"postgres://u:p@/db and http://h:80/", "postgres://u:(secret)@/db and http://h:80/"},
    /* headers and pairs */
    {"Authorization: Bearer abc.def", "Authorization: Bearer (secret)"},
    {"authorization=Basic dXNlcjpwYXNz", "authorization=Basic (secret)"},
    {"sent bearer abcdefgh12345678==", "sent bearer (secret)"},
    {"password=abc user=me", "password=(secret) user=me"},
    {"password = \"a b\\\"c\" user = 1", "password = \"(secret)\" user = 1"},
    {"db_password: 'x y' z", "db_password: '(secret) y' z"},
    {"{\"client_secret\":\"x\",\"b\":1}", "{\"client_secret\":\"(secret)\",\"b\":1}"},
    {"api_key=k1&x=2", "api_key=(secret)&x=2"},
    {"access-key: k", "access-key: (secret)"},
    /* a path or an address is no secret */
    {"password_file = \"/etc/x\" token_url=http://h/", "password_file = \"/etc/x\" token_url=http://h/"},
    {"secretary = 1", "secretary = 1"},
    {"the password is wrong", "the password is wrong"},
    /* keys */
    {"a\n-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nb",
     "a\n-----BEGIN PRIVATE KEY-----(secret)-----END PRIVATE KEY-----\nb"},
    {"-----BEGIN RSA PRIVATE KEY-----\ncut off", "-----BEGIN RSA PRIVATE KEY-----(secret)"},
    {"-----BEGIN CERTIFICATE-----\nMIIE", "-----BEGIN CERTIFICATE-----\nMIIE"},
};

static struct redactor *begin(struct world *w)
{
    world_begin(w, NULL);
    assert_true(load(w, "fake.sink \"a\" {\n\tpassword = \"hunter2-long\"\n}\n"
                        "fake.sink \"b\" {\n\tpassword = \"hunter2-long-and-more\"\n}\n"
                        "fake.sink \"c\" {\n\tpassword = \"abc\"\n}\n"
                        "fake.sink \"d\" {\n\tpassword = \"qu\\\"oted\\\\secret\"\n}\n"
                        "fake.sink \"e\" {\n\tpassword = \"fake.sink\"\n}\n"));
    return redactor_new(w->rt);
}

static void secrets_are_masked_and_the_rest_is_left(void **state)
{
    struct world w;
    struct redactor *r = begin(&w);
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof free_texts / sizeof free_texts[0]; i++) {
        buf_reset(&out);
        redact(r, slice_str(free_texts[i].in), &out);
        buf_add_char(&out, '\0');
        assert_string_equal(out.ptr, free_texts[i].want);
        out.len--;
    }
    buf_release(&out);
    redactor_free(r);
    world_end(&w);
}

static void data_keeps_its_form(void **state)
{
    static const char json[] =
        "{\"token\":{\"type\":\"string\"},\"password\":\"x\",\"u\":\"h://a:b@c\",\"v\":\"hunter2-long\"}";
    static const char want[] =
        "{\"token\":{\"type\":\"string\"},\"password\":\"(secret)\",\"u\":\"h://a:(secret)@c\",\"v\":\"(secret)\"}";
    struct world w;
    struct redactor *r = begin(&w);
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    redact_known(r, slice_str(json), &out);
    buf_add_char(&out, '\0');
    assert_string_equal(out.ptr, want);
    buf_release(&out);
    redactor_free(r);
    world_end(&w);
}

static void without_room_nothing_is_shown(void **state)
{
    struct world w;
    struct redactor *r = begin(&w);
    struct buf out;

    (void)state;
    buf_init(&out, 8);
    redact(r, SLICE_LIT("password=hunter2-long and so on"), &out);
    assert_true(out.is_full);
    assert_int_equal(out.len, 0);
    buf_release(&out);
    redactor_free(r);
    world_end(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_masked_and_the_rest_is_left),
        cmocka_unit_test(data_keeps_its_form),
        cmocka_unit_test(without_room_nothing_is_shown),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)emit;
    (void)noted;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
