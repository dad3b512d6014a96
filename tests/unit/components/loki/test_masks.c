/* The masks of pipelines/default.river, read from the file: for each, in the forms it is met in, the secret is gone and
 * the rest is kept. Masks that run to the end of the line or word (Cookie, Slack) take what follows there with them. */
#include "tests/unit/components/harness.h"

extern const struct component_type component_loki_process;
static const struct component_type *const types[] = {&component_loki_process, NULL};

struct row {
    const char *in, *want;
};

static const struct row rows[] = {
    /* Authorization */
    {"GET / Authorization: Bearer s3cr3t-t0ken", "GET / Authorization: Bearer ***"},
    {"authorization=\"Basic dXNlcjpwdw==\" status=200", "authorization=\"Basic ***\" status=200"},
    {"{\"authorization\":\"Bearer abc123\",\"status\":200}", "{\"authorization\":\"Bearer ***\",\"status\":200}"},
    {"{\"msg\":\"{\\\"Authorization\\\":\\\"Bearer abc123\\\",\\\"n\\\":1}\"}",
     "{\"msg\":\"{\\\"Authorization\\\":\\\"Bearer ***\\\",\\\"n\\\":1}\"}"},
    {"Authorization: token ghx_12345 done", "Authorization: token *** done"},
    /* Cookie */
    {"x=1 Cookie: sid=abc; theme=dark", "x=1 Cookie: ***"},
    {"level=info set-cookie=sid=abc", "level=info set-cookie=***"},
    {"{\"n\":1,\"cookie\":\"sid=abc\"}", "{\"n\":1,\"cookie\":***"},
    /* keys */
    {"user=bob password=hunter2 ip=1", "user=bob password=*** ip=1"},
    {"{\"user\":\"bob\",\"password\":\"hunter2\",\"ip\":1}", "{\"user\":\"bob\",\"password\":\"***\",\"ip\":1}"},
    {"Password: hunter2", "Password: ***"},
    {"{\"m\":\"{\\\"password\\\":\\\"hunter2\\\",\\\"b\\\":2}\"}",
     "{\"m\":\"{\\\"password\\\":\\\"***\\\",\\\"b\\\":2}\"}"},
    {"passwd=hunter2 x", "passwd=*** x"},
    {"{\"pwd\":1234}", "{\"pwd\":***}"},
    {"secret: 'abc' y", "secret: '***' y"},
    {"?token=abc&page=2", "?token=***&page=2"},
    {"{\"token\": \"abc\", \"page\": 2}", "{\"token\": \"***\", \"page\": 2}"},
    {"X-Api-Key: abc", "X-Api-Key: ***"},
    {"api_key=abc apikey=def z", "api_key=*** apikey=*** z"},
    {"{\"api-key\":\"abc\"}", "{\"api-key\":\"***\"}"},
    {"client_secret=abc&refresh_token=def&access_token=ghi&scope=all",
     "client_secret=***&refresh_token=***&access_token=***&scope=all"},
    {"{\"client_secret\":\"a\",\"refresh_token\":\"b\",\"access_token\":\"c\",\"scope\":\"all\"}",
     "{\"client_secret\":\"***\",\"refresh_token\":\"***\",\"access_token\":\"***\",\"scope\":\"all\"}"},
    /* URLs */
    {"connect postgres://app:hunter2@mng-pg:5432/db ok", "connect postgres://app:***@mng-pg:5432/db ok"},
    {"url=\"amqp://u:p@h/\" n=1", "url=\"amqp://u:***@h/\" n=1"},
    {"{\"dsn\":\"redis://u:p@h:6379/0\",\"n\":1}", "{\"dsn\":\"redis://u:***@h:6379/0\",\"n\":1}"},
    {"see http://host:8080/a and b@c", "see http://host:8080/a and b@c"},
    /* JWT */
    {"got eyJhbGciOi.eyJzdWIiOi.c2lnLV8x from", "got *** from"},
    {"jwt=eyJhbGciOi.eyJzdWIiOi.c2ln n=1", "jwt=*** n=1"},
    {"{\"jwt\":\"eyJhbGciOi.eyJzdWIiOi.c2ln\",\"n\":1}", "{\"jwt\":\"***\",\"n\":1}"},
    {"X-Assertion: eyJhbGciOi.eyJzdWIiOi.c2ln", "X-Assertion: ***"},
    /* Vault */
    {"lease hvs.CAESIJ-x_1 renewed", "lease *** renewed"},
    {"{\"v\":\"hvs.CAESIJ\",\"n\":1}", "{\"v\":\"***\",\"n\":1}"},
    {"X-Vault-Lease: hvs.CAESIJ", "X-Vault-Lease: ***"},
    /* Slack */
    {"url=https://hooks.slack.com/services/T0/B0/xyz n=1", "url=https://hooks.slack.com/services/*** n=1"},
    {"POST https://hooks.slack.com/services/T0/B0/xyz", "POST https://hooks.slack.com/services/***"},
    {"{\"n\":1,\"url\":\"https://hooks.slack.com/services/T0/B0/xyz\"}",
     "{\"n\":1,\"url\":\"https://hooks.slack.com/services/***"},
    /* S3 */
    {"GET /b/o?X-Amz-Credential=AKIA%2Fus&X-Amz-Date=1&X-Amz-Signature=abc HTTP/1.1",
     "GET /b/o?X-Amz-Credential=***&X-Amz-Date=1&X-Amz-Signature=*** HTTP/1.1"},
    {"{\"q\":\"X-Amz-Signature=abc&n=1\"}", "{\"q\":\"X-Amz-Signature=***&n=1\"}"},
    /* Sonar */
    {"login=sqp_0123456789abcdef0123456789abcdef01234567 n=1", "login=*** n=1"},
    {"{\"l\":\"squ_0123456789abcdef0123456789abcdef01234567\"}", "{\"l\":\"***\"}"},
    {"X-Login: sqa_0123456789abcdef0123456789abcdef01234567", "X-Login: ***"},
    /* Postgres */
    {"statement: ALTER ROLE app PASSWORD 'hunter2' VALID UNTIL 'x'",
     "statement: ALTER ROLE app PASSWORD '***' VALID UNTIL 'x'"},
    {"{\"q\":\"CREATE USER a PASSWORD 'p w'\",\"n\":1}", "{\"q\":\"CREATE USER a PASSWORD '***'\",\"n\":1}"},
    /* what is no secret */
    {"the tokens were counted, the password was not asked for",
     "the tokens were counted, the password was not asked for"},
    {"{\"level\":\"info\",\"msg\":\"ready\",\"port\":8080}", "{\"level\":\"info\",\"msg\":\"ready\",\"port\":8080}"},
};

/* The block loki.process "masks" with its forward_to turned to the fake sink. */
static void read_masks(const char *path, struct buf *out)
{
    const struct slice head = SLICE_LIT("loki.process \"masks\" {"), end = SLICE_LIT("\n}\n");
    const struct slice sink = SLICE_LIT("loki.write.default.receiver");
    static char text[256 * 1024];
    FILE *f = fopen(path, "rb");
    struct slice block, whole;
    size_t n, at;

    if (f == NULL)
        fail_msg("cannot open %s: run this in the repository's folder", path);
    n = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    whole = slice_make(text, n);
    at = slice_find_slice(whole, head);
    assert_true(at < n);
    block = slice_from(whole, at);
    block = slice_head(block, slice_find_slice(block, end) + end.len);
    at = slice_find_slice(block, sink);
    assert_true(at < block.len);
    (void)buf_add_str(
        out, "test.source.logs \"s\" {\n\tforward_to = [loki.process.masks.receiver]\n}\ntest.logs \"l\" { }\n");
    (void)buf_add(out, slice_head(block, at));
    (void)buf_add_str(out, "test.logs.l.receiver");
    (void)buf_add(out, slice_from(block, at + sink.len));
    (void)buf_add_char(out, '\0');
}

static void secrets_are_gone_and_the_rest_is_kept(void **state)
{
    struct buf river;

    (void)state;
    buf_init(&river, 1 << 20);
    read_masks("pipelines/default.river", &river);
    bench_begin(types);
    if (!bench_load(river.ptr))
        fail_msg("%s", bench.errors);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct bench_line line = {"app=x", 1, rows[i].in};
        char want[1024];

        bench_forget();
        bench_push_lines(&line, 1);
        (void)snprintf(want, sizeof want, "{app=\"x\"} 1 %s\n", rows[i].want);
        assert_string_equal(bench_text(), want);
    }
    bench_end();
    buf_release(&river);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(secrets_are_gone_and_the_rest_is_kept)};

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
