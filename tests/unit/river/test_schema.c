/* Decoding of blocks by their tables: what is set, and what is reported where. */
#include "agent/river/parser.h"
#include "agent/river/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>

struct auth {
    struct slice username;
    struct river_secret password, pin;
    struct river_secret_map answers;
};

struct tls {
    bool insecure;
};

struct http {
    struct slice proxy;
    struct auth *auth;
};

struct endpoint {
    struct slice label;
    struct slice url;
    int64_t timeout_ns;
    uint64_t batch_bytes;
    struct tls tls;
    struct http http;
};

struct keep {
    struct slice source;
};

struct match {
    struct slice selector;
    struct river_enum_blocks stages;
};

struct args {
    struct river_blocks endpoints;
    struct river_enum_blocks stages;
    struct river_targets targets;
    struct river_capsules forward_to;
    struct river_map labels;
    struct river_strings names;
    struct river_ints ports;
    int mode;
    int64_t count;
    bool has_count;
    double ratio;
    const struct value *any;
    struct river_any_blocks others;
    const struct ast_block *body;
};

enum { MODE_OFF = 3, MODE_ON = 7 };

static const struct capsule_type receiver_type = {.name = "loki.LogsReceiver"};
static const struct capsule_type other_type = {.name = "otelcol.Consumer"};
static const struct river_enum modes[] = {{"off", MODE_OFF}, {"on", MODE_ON}, {NULL, 0}};

static const struct river_field auth_fields[] = {
    {.name = "username", .kind = RIVER_STRING, .offset = offsetof(struct auth, username), .doc = "Name."},
    {.name = "password",
     .kind = RIVER_SECRET,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct auth, password),
     .doc = "Password."},
    {.name = "pin", .kind = RIVER_SECRET, .offset = offsetof(struct auth, pin), .doc = "Pin."},
    {.name = "answers", .kind = RIVER_SECRET_MAP, .offset = offsetof(struct auth, answers), .doc = "Answers."},
    RIVER_FIELDS_END,
};
static const struct river_block auth_block = {.name = "basic_auth", .fields = auth_fields, .size = sizeof(struct auth)};

static const struct river_field tls_fields[] = {
    {.name = "insecure",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct tls, insecure),
     .def = "true",
     .doc = "Insecure."},
    RIVER_FIELDS_END,
};
static const struct river_block tls_block = {.name = "tls", .fields = tls_fields, .size = sizeof(struct tls)};

static const struct river_field http_fields[] = {
    {.name = "proxy_url", .kind = RIVER_STRING, .offset = offsetof(struct http, proxy), .doc = "Proxy."},
    {.name = "basic_auth",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = offsetof(struct http, auth),
     .block = &auth_block,
     .doc = "Auth."},
    RIVER_FIELDS_END,
};

static enum code http_validate(const void *args, struct river_problems *problems)
{
    const struct http *http = args;

    if (http->auth != NULL && http->proxy.len != 0)
        return river_problem(problems, "basic_auth.username", "not with a proxy");
    return OK;
}

static const struct river_block http_block = {
    .name = "http", .fields = http_fields, .size = sizeof(struct http), .validate = http_validate};

static const struct river_field endpoint_fields[] = {
    {.name = "name", .kind = RIVER_LABEL, .offset = offsetof(struct endpoint, label)},
    {.name = "url",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct endpoint, url),
     .doc = "URL."},
    {.name = "timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .offset = offsetof(struct endpoint, timeout_ns),
     .def = "\"10s\"",
     .min = 1e6,
     .doc = "Timeout."},
    {.name = "batch_size",
     .kind = RIVER_BYTES,
     .offset = offsetof(struct endpoint, batch_bytes),
     .def = "\"1MiB\"",
     .doc = "Size."},
    {.name = "tls", .kind = RIVER_BLOCK, .offset = offsetof(struct endpoint, tls), .block = &tls_block, .doc = "TLS."},
    {.kind = RIVER_FLATTEN, .offset = offsetof(struct endpoint, http), .block = &http_block},
    {.name = "wal", .kind = RIVER_STRING, .flags = RIVER_REFUSED, .doc = "hyagent has a spool of its own"},
    {.name = "old", .kind = RIVER_BOOL, .flags = RIVER_NO_EFFECT, .doc = "hyagent always does"},
    RIVER_FIELDS_END,
};
static const struct river_block endpoint_block = {
    .name = "endpoint", .fields = endpoint_fields, .size = sizeof(struct endpoint)};

static const struct river_field keep_fields[] = {
    {.name = "source", .kind = RIVER_STRING, .offset = offsetof(struct keep, source), .doc = "Source."},
    RIVER_FIELDS_END,
};
static const struct river_block keep_block = {.name = "keep", .fields = keep_fields, .size = sizeof(struct keep)};
static const struct river_block gone_block = {.name = "gone", .flags = RIVER_REFUSED, .doc = "not built", .size = 1};

static const struct river_block *const stage_blocks[4];
static const struct river_field match_fields[] = {
    {.name = "selector",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct match, selector),
     .doc = "Selector."},
    {.name = "stage",
     .kind = RIVER_ENUM_BLOCKS,
     .offset = offsetof(struct match, stages),
     .blocks = stage_blocks,
     .doc = "Stages."},
    RIVER_FIELDS_END,
};
static const struct river_block match_block = {.name = "match", .fields = match_fields, .size = sizeof(struct match)};
static const struct river_block *const stage_blocks[4] = {&keep_block, &match_block, &gone_block, NULL};

static const struct river_field fields[] = {
    {.name = "endpoint",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = offsetof(struct args, endpoints),
     .block = &endpoint_block,
     .doc = "Endpoints."},
    {.name = "stage",
     .kind = RIVER_ENUM_BLOCKS,
     .offset = offsetof(struct args, stages),
     .blocks = stage_blocks,
     .doc = "Stages."},
    {.name = "targets", .kind = RIVER_TARGETS, .offset = offsetof(struct args, targets), .doc = "Targets."},
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, forward_to),
     .capsule = &receiver_type,
     .doc = "Receivers."},
    {.name = "labels", .kind = RIVER_STRING_MAP, .offset = offsetof(struct args, labels), .doc = "Labels."},
    {.name = "names",
     .kind = RIVER_STRING_LIST,
     .offset = offsetof(struct args, names),
     .def = "[\"a\", \"b\"]",
     .doc = "Names."},
    {.name = "ports",
     .kind = RIVER_INT_LIST,
     .flags = RIVER_HAS_MAX,
     .offset = offsetof(struct args, ports),
     .max = 65535,
     .doc = "Ports."},
    {.name = "mode",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct args, mode),
     .def = "\"on\"",
     .choices = modes,
     .doc = "Mode."},
    {.name = "count",
     .kind = RIVER_INT,
     .offset = offsetof(struct args, count),
     .present = RIVER_PRESENT_AT(struct args, has_count),
     .doc = "Count."},
    {.name = "ratio",
     .kind = RIVER_FLOAT,
     .flags = RIVER_EXPERIMENTAL,
     .offset = offsetof(struct args, ratio),
     .doc = "Ratio."},
    {.name = "any", .kind = RIVER_VALUE, .offset = offsetof(struct args, any), .doc = "Any."},
    {.name = "template", .kind = RIVER_BODY, .offset = offsetof(struct args, body), .doc = "Body."},
    RIVER_FIELDS_END,
};
static const struct river_block table = {.name = "test.component", .fields = fields, .size = sizeof(struct args)};

static int receiver;

static bool lookup(void *self, const struct slice *parts, size_t n, size_t *n_used, struct value *out)
{
    (void)self;
    (void)n;
    *n_used = 1;
    if (slice_eq_str(parts[0], "receiver"))
        *out = value_capsule(&receiver_type, &receiver);
    else if (slice_eq_str(parts[0], "consumer"))
        *out = value_capsule(&other_type, &receiver);
    else if (slice_eq_str(parts[0], "secret"))
        *out = value_secret(SLICE_LIT("hunter2"));
    else
        return false;
    return true;
}

static const struct scope scope = {.lookup = lookup};

struct fixture {
    struct arena tree, arena;
    struct diags diags;
    struct args args;
    struct ast_file *file;
    enum code rc;
};

static struct fixture *decode(const char *text, unsigned flags)
{
    static struct fixture f;
    struct river_context ctx = {.arena = &f.arena, .diags = &f.diags, .scope = &scope, .flags = flags};

    arena_init(&f.tree, 0);
    arena_init(&f.arena, 0);
    diags_init(&f.diags);
    assert_int_equal(river_parse(slice_str(text), "t.river", &f.tree, &f.diags, &f.file), OK);
    f.rc = river_decode_body(&ctx, &table, &f.file->body, (struct span){0, 0}, &f.args);
    return &f;
}

static void release(struct fixture *f)
{
    arena_release(&f->tree);
    arena_release(&f->arena);
    diags_release(&f->diags);
}

static void tables_are_sound(void **state)
{
    struct error err = {0};

    (void)state;
    if (river_block_check(&table, &err) != OK)
        fail_msg("%s", err.text);
}

static void a_broken_table_is_told(void **state)
{
    static const struct river_field bad_default[] = {
        {.name = "x", .kind = RIVER_DURATION, .def = "\"soon\"", .doc = "X."}, RIVER_FIELDS_END};
    static const struct river_field outside[] = {{.name = "x", .kind = RIVER_STRING, .offset = 8, .doc = "X."},
                                                 RIVER_FIELDS_END};
    static const struct river_field twice[] = {{.name = "x", .kind = RIVER_BOOL, .doc = "X."},
                                               {.name = "x", .kind = RIVER_BOOL, .doc = "X."},
                                               RIVER_FIELDS_END};
    static const struct river_field undocumented[] = {{.name = "x", .kind = RIVER_BOOL}, RIVER_FIELDS_END};
    static const struct river_block tables[] = {{.name = "a", .fields = bad_default, .size = 16},
                                                {.name = "a", .fields = outside, .size = 16},
                                                {.name = "a", .fields = twice, .size = 16},
                                                {.name = "a", .fields = undocumented, .size = 16}};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(river_block_check(&tables[i], NULL), INVALID);
}

static void everything_lands_in_its_field(void **state)
{
    struct fixture *f =
        decode("forward_to = [receiver, null]\n"
               "targets = [{__address__ = \"a:1\", port = 80}]\n"
               "labels = {b = \"2\", a = \"1\"}\n"
               "ports = [1, \"2\"]\n"
               "count = \"-5\"\n"
               "any = [1, {x = null}]\n"
               "endpoint \"one\" {\n\turl = \"http://x\"\n\ttimeout = \"1m30s\"\n\tbatch_size = \"5MB\"\n"
               "\ttls {\n\t\tinsecure = false\n\t}\n\tbasic_auth {\n\t\tpassword = secret\n\t}\n}\n"
               "stage.keep {\n\tsource = \"s1\"\n}\n"
               "endpoint \"two\" {\n\turl = \"http://y\"\n}\n"
               "stage.match {\n\tselector = \"{}\"\n\n\tstage.keep { }\n}\n"
               "template {\n\tnot.evaluated \"x\" { }\n}\n",
               0);
    const struct endpoint *e = f->args.endpoints.items;
    const struct match *m;

    (void)state;
    if (f->rc != OK)
        fail_msg("%s", f->diags.items[0].text);
    assert_int_equal(f->args.forward_to.n, 1);
    assert_ptr_equal(f->args.forward_to.items[0], &receiver);
    assert_int_equal(f->args.targets.n, 1);
    assert_true(slice_eq_str(f->args.targets.items[0].items[1].value, "80"));
    assert_true(slice_eq_str(f->args.labels.items[0].name, "b"));
    assert_int_equal(f->args.ports.items[1], 2);
    assert_int_equal(f->args.count, -5);
    assert_true(f->args.has_count);
    assert_int_equal(f->args.mode, MODE_ON);
    assert_int_equal(f->args.names.n, 2);
    assert_int_equal(f->args.any->as.array.n, 2);
    assert_int_equal(f->args.endpoints.n, 2);
    assert_true(slice_eq_str(e[0].label, "one"));
    assert_true(e[0].timeout_ns == 90000000000);
    assert_int_equal(e[0].batch_bytes, 5 * 1024 * 1024);
    assert_false(e[0].tls.insecure);
    assert_non_null(e[0].http.auth);
    assert_true(slice_eq_str(e[0].http.auth->password.text, "hunter2"));
    assert_true(e[0].http.auth->password.is_secret);
    assert_true(slice_eq_str(e[1].label, "two"));
    assert_true(e[1].timeout_ns == 10000000000);
    assert_int_equal(e[1].batch_bytes, 1024 * 1024);
    assert_true(e[1].tls.insecure);
    assert_null(e[1].http.auth);
    assert_int_equal(f->args.stages.n, 2);
    assert_int_equal(f->args.stages.items[0].index, 0);
    assert_int_equal(f->args.stages.items[1].index, 1);
    assert_int_equal(f->args.stages.items[1].at.line, 24);
    m = f->args.stages.items[1].args;
    assert_int_equal(m->stages.n, 1);
    assert_int_equal(f->args.body->body.n, 1);
    release(f);
}

static void nothing_decoded_points_into_the_tree(void **state)
{
    struct fixture *f = decode("forward_to = []\nnames = [\"from the text\"]\nlabels = {key = \"value\"}\n", 0);

    (void)state;
    assert_int_equal(f->rc, OK);
    arena_release(&f->tree); /* AddressSanitizer sees a read of it from here on */
    assert_true(slice_eq_str(f->args.names.items[0], "from the text"));
    assert_true(slice_eq_str(f->args.labels.items[0].name, "key"));
    release(f);
}

struct problem {
    const char *in;
    unsigned line, column;
    const char *text, *hint;
};

static void problems_are_reported_where_they_are(void **state)
{
    static const struct problem rows[] = {
        {"mode = \"on\"", 1, 1, "argument \"forward_to\" is missing in test.component", "write forward_to = [...]"},
        {"forward_to = []\nmod = \"on\"", 2, 1, "unknown argument \"mod\" in test.component", "did you mean \"mode\"?"},
        {"forward_to = []\nendpont \"x\" { }", 2, 1, "unknown block \"endpont\"", "did you mean \"endpoint\"?"},
        {"forward_to = []\nstage.kep { }", 2, 1, "unknown block \"stage.kep\"", "did you mean \"stage.keep\"?"},
        {"forward_to = []\nstage.gone { }", 2, 1, "\"stage.gone\" is not supported", "not built"},
        {"forward_to = []\nforward_to = []", 2, 1, "\"forward_to\" is given twice", "first in line 1"},
        {"forward_to = []\nmode { }", 2, 1, "\"mode\" is an argument, not a block", "write mode = \"...\""},
        {"forward_to = []\nendpoint = 1", 2, 1, "\"endpoint\" is a block, not an argument", "write endpoint { ... }"},
        {"forward_to = []\nmode = \"of\"", 2, 8, "\"of\" is none of \"off\", \"on\"", NULL},
        {"forward_to = [consumer]", 1, 15, "expected loki.LogsReceiver, got otelcol.Consumer", NULL},
        {"forward_to = []\nports = [1,\n\t70000]", 3, 2, "must be at most 65535", NULL},
        {"forward_to = []\nlabels = {a = \"x\", b = true}", 2, 24, "expected a string, got a bool", NULL},
        {"forward_to = []\ntargets = [{a = \"x\"}, {b = []}]", 2, 28, "expected a string, got a list", NULL},
        {"forward_to = []\ncount = \"-1.5\"", 2, 9, "expected a number, got a string", NULL},
        {"forward_to = []\ncount = 1.5", 2, 9, "expected a whole number", NULL},
        {"forward_to = []\nnames = [secret]", 2, 10, "expected a string, got a secret",
         "write convert.nonsensitive(...) around it; it is then shown on pages and in logs"},
        {"forward_to = []\nnames = \"a\"", 2, 9, "expected a list of strings, got a string",
         "a list is written in brackets: names = [\"...\"]"},
        {"forward_to = receiver", 1, 14, "expected a list, got loki.LogsReceiver",
         "a list is written in brackets: forward_to = [...]"},
        {"forward_to = [\"receiver\"]", 1, 15, "expected loki.LogsReceiver, got a string",
         "a reference is written without quotes"},
        {"forward_to = []\nlabels = [\"a\"]", 2, 10, "expected an object of strings, got a list",
         "an object is written in braces: labels = {key = \"...\"}"},
        {"forward_to = []\nurl = \"x\"", 2, 1, "unknown argument \"url\" in test.component",
         "it belongs into the block endpoint { ... }"},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\tforward_to = []\n}", 4, 2,
         "unknown argument \"forward_to\" in endpoint", "it belongs into test.component, outside of endpoint { ... }"},
        {"forward_to = []\nratio = 1", 2, 1, "\"ratio\" is experimental", NULL},
        {"forward_to = []\nendpoint { url = \"x\" }", 2, 1, "needs a label", NULL},
        {"forward_to = []\nstage.keep \"x\" { }", 2, 12, "has no label", NULL},
        {"forward_to = []\nendpoint \"x\" { }", 2, 1, "argument \"url\" is missing in endpoint", "write url = \"...\""},
        {"forward_to = []\nendpoint \"x\" { url = \"\" }", 2, 22, "must not be empty", NULL},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\twal = \"x\"\n}", 4, 2, "\"wal\" is not supported",
         "hyagent has a spool of its own"},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\ttimeout = \"5\"\n}", 4, 12, "\"5\" is no duration",
         "a unit is missing: \"5s\" is in seconds"},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\ttimeout = \"7d\"\n}", 4, 12, "\"7d\" is no duration",
         "there is no unit for days: write \"168h\""},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\ttimeout = 5\n}", 4, 12, "expected a duration",
         "a duration has a unit and stands in quotes: \"5s\""},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\ttimeout = \"1us\"\n}", 4, 12, "must be at least 1ms",
         NULL},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\ttls { }\n\ttls { }\n}", 5, 2, "\"tls\" is given twice",
         NULL},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\tproxy_url = \"p\"\n\tbasic_auth {\n\t\tpassword = "
         "\"x\"\n\t\tusername = \"u\"\n\t}\n}",
         7, 14, "not with a proxy", NULL},
        {"forward_to = nothing", 1, 14, "\"nothing\" does not exist", NULL},
    };
    size_t bad = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = decode(rows[i].in, 0);
        const struct diag *d = f->diags.n != 0 ? &f->diags.items[0] : NULL;

        if (f->rc != INVALID || d == NULL || f->diags.n_errors != 1 || d->start.line != rows[i].line ||
            d->start.column != rows[i].column || strstr(d->text, rows[i].text) == NULL ||
            (rows[i].hint != NULL && (d->hint == NULL || strcmp(d->hint, rows[i].hint) != 0))) {
            print_error("%s\n  gives %zu errors, first %u:%u %s (%s)\n  wants %u:%u %s\n", rows[i].in,
                        f->diags.n_errors, d != NULL ? d->start.line : 0, d != NULL ? d->start.column : 0,
                        d != NULL ? d->text : "", d != NULL && d->hint != NULL ? d->hint : "", rows[i].line,
                        rows[i].column, rows[i].text);
            bad++;
        }
        release(f);
    }
    assert_int_equal(bad, 0);
}

static void the_page_names_the_table(void **state)
{
    static const struct {
        const char *in, *page;
    } rows[] = {
        {"mode = \"on\"", "test.component#arguments"},
        {"forward_to = [nothing]", "test.component#arguments"},
        {"forward_to = []\nendpoint \"x\" { }", "test.component#endpoint"},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\tbasic_auth {\n\t\tpassword = []\n\t}\n}",
         "test.component#endpoint.basic_auth"},
        {"forward_to = []\nstage.match {\n\tselector = \"s\"\n\tstage.keep {\n\t\tnope = 1\n\t}\n}",
         "test.component#stage.match.stage.keep"},
        {"forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\tproxy_url = \"p\"\n\tbasic_auth {\n\t\tpassword = "
         "\"x\"\n\t\tusername = \"u\"\n\t}\n}",
         "test.component#endpoint"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = decode(rows[i].in, 0);

        assert_int_equal(f->diags.n, 1);
        assert_string_equal(f->diags.items[0].page, rows[i].page);
        release(f);
    }
}

static void no_line_shows_what_the_table_calls_secret(void **state)
{
    /* None of the names sounds like a secret: only the table knows. */
    static const char *const rows[] = {
        "pin = [\"hunter2\"]",
        "pin = nothing + \"hunter2\"",
        "pin = \"hunter2\" + nothing",
        "pin = (nothing(\"hunter2\"))",
        "pim = \"hunter2\"",
        "answers = {who = \"hunter2\", what = true}",
        "answers = {\n\t\t\twho = nothing + \"hunter2\",\n\t\t}",
        "answers = {who = [\n\t\t\t`hunter2\n`, nothing]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        struct fixture *f;
        struct buf out;

        snprintf(text, sizeof text, "forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\tbasic_auth {\n\t\t%s\n\t}\n}",
                 rows[i]);
        f = decode(text, 0);
        assert_true(f->diags.n_errors > 0);
        river_hide_secrets(&f->diags, &table, &f->file->body);
        buf_init(&out, 65536);
        diags_print(&out, &f->diags, false);
        if (slice_find_slice(buf_slice(&out), SLICE_LIT("hunter2")) != out.len)
            fail_msg("%s is shown:\n%.*s", rows[i], (int)out.len, out.ptr);
        buf_release(&out);
        release(f);
    }
}

static void the_name_of_an_environment_variable_is_shown(void **state)
{
    struct fixture *f = decode("forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\tbasic_auth {\n\t\tpassword = "
                               "sys.env(\"HYAGENT_UNSET_PASSWORD\")\n\t}\n}",
                               0);

    (void)state;
    assert_int_equal(f->diags.n, 1);
    river_hide_secrets(&f->diags, &table, &f->file->body);
    assert_string_equal(f->diags.items[0].excerpt, "\t\tpassword = sys.env(\"HYAGENT_UNSET_PASSWORD\")");
    release(f);
}

static void all_problems_of_a_block_are_reported(void **state)
{
    struct fixture *f = decode("mode = 1\ncount = \"x\"\nnope = 2\nendpoint \"a\" {\n\ttimeout = 3\n}\n", 0);

    (void)state;
    assert_int_equal(f->rc, INVALID);
    assert_int_equal(f->diags.n_errors, 6); /* mode, count, nope, timeout, url and forward_to missing */
    release(f);
}

static void an_argument_without_effect_is_a_warning(void **state)
{
    struct fixture *f = decode("forward_to = []\nendpoint \"x\" {\n\turl = \"u\"\n\told = true\n}", 0);

    (void)state;
    assert_int_equal(f->rc, OK);
    assert_int_equal(f->diags.n, 1);
    assert_int_equal(f->diags.items[0].kind, DIAG_NO_EFFECT);
    release(f);
}

static void equal_bodies_give_equal_values(void **state)
{
    static const char *const texts[] = {
        "a = 1 + 1\nb {\n\tc = secret\n}\n",
        "b {\n\tc = secret\n}\n\na = 2\n",
        "b {\n\tc = \"other\"\n}\n\na = 2\n",
    };
    struct value values[3];
    struct arena arena, tree;
    struct diags diags;
    struct buf json;

    (void)state;
    arena_init(&arena, 0);
    diags_init(&diags);
    for (size_t i = 0; i < 3; i++) {
        struct river_context ctx = {.arena = &arena, .diags = &diags, .scope = &scope};
        struct ast_file *file;

        arena_init(&tree, 0);
        assert_int_equal(river_parse(slice_str(texts[i]), "t", &tree, &diags, &file), OK);
        assert_int_equal(river_body_value(&ctx, &file->body, &values[i]), OK);
        arena_release(&tree);
    }
    assert_true(value_equal(&values[0], &values[1]));
    assert_false(value_equal(&values[0], &values[2]));
    buf_init(&json, 4096);
    river_body_value_json(&json, &values[0]);
    assert_true(slice_eq_str(buf_slice(&json),
                             "[{\"name\":\"a\",\"type\":\"attr\",\"value\":{\"type\":\"number\",\"value\":2}},"
                             "{\"name\":\"b\",\"type\":\"block\",\"body\":[{\"name\":\"c\",\"type\":\"attr\","
                             "\"value\":{\"type\":\"capsule\",\"value\":\"(secret)\"}}]}]"));
    buf_release(&json);
    diags_release(&diags);
    arena_release(&arena);
}

static void durations_and_sizes_are_read_as_go_reads_them(void **state)
{
    static const struct {
        const char *in;
        int64_t ns;
        const char *out;
    } rows[] = {{"1h30m", 5400000000000, "1h30m0s"},
                {"1.5s", 1500000000, "1.5s"},
                {"100ms", 100000000, "100ms"},
                {"0", 0, "0s"},
                {"-1m", -60000000000, "-1m0s"},
                {"1us", 1000, "1\xC2\xB5s"},
                {"9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s"}};
    static const char *const bad[] = {"", "5", "1d", "s", "1.2.3s", ".s", "1 s", "9223372036854775808ns", "--1s"};
    struct buf out;
    uint64_t bytes;
    int64_t ns;

    (void)state;
    buf_init(&out, 256);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(river_duration_parse(slice_str(rows[i].in), &ns, NULL), OK);
        assert_true(ns == rows[i].ns);
        buf_reset(&out);
        river_duration_print(&out, ns);
        assert_true(slice_eq_str(buf_slice(&out), rows[i].out));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(river_duration_parse(slice_str(bad[i]), &ns, NULL), INVALID);
    assert_int_equal(river_bytes_parse(SLICE_LIT("1.5KiB"), &bytes, NULL), OK);
    assert_int_equal(bytes, 1536);
    assert_int_equal(river_bytes_parse(SLICE_LIT("4MB"), &bytes, NULL), OK);
    assert_int_equal(bytes, 4 * 1024 * 1024);
    assert_int_equal(river_bytes_parse(SLICE_LIT("100"), &bytes, NULL), OK);
    assert_int_equal(bytes, 100);
    assert_int_equal(river_bytes_parse(SLICE_LIT("5 MB"), &bytes, NULL), INVALID);
    assert_int_equal(river_bytes_parse(SLICE_LIT(""), &bytes, NULL), INVALID);
    assert_int_equal(river_bytes_parse(SLICE_LIT("-1KiB"), &bytes, NULL), INVALID);
    buf_release(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(a_broken_table_is_told),
        cmocka_unit_test(everything_lands_in_its_field),
        cmocka_unit_test(nothing_decoded_points_into_the_tree),
        cmocka_unit_test(problems_are_reported_where_they_are),
        cmocka_unit_test(the_page_names_the_table),
        cmocka_unit_test(no_line_shows_what_the_table_calls_secret),
        cmocka_unit_test(the_name_of_an_environment_variable_is_shown),
        cmocka_unit_test(all_problems_of_a_block_are_reported),
        cmocka_unit_test(an_argument_without_effect_is_a_warning),
        cmocka_unit_test(equal_bodies_give_equal_values),
        cmocka_unit_test(durations_and_sizes_are_read_as_go_reads_them),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
