#include "agent/text/gotemplate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static bool lookup(void *self, struct slice name, struct slice *value)
{
    static const char *const fields[][2] = {
        {"Value", "Hello World"},
        {"Entry", "the line"},
        {"level", "warn"},
        {"empty", ""},
        {"n", "41"},
        {"json", "{\"b\":{\"c\":[1,2.5,\"x\"]},\"a\":null}"},
        {"html", "<a href='x'>&\"</a>"},
    };

    (void)self;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (slice_eq_str(name, fields[i][0])) {
            *value = slice_str(fields[i][1]);
            return true;
        }
    }
    return false;
}

static const struct gotemplate_data data = {.lookup = lookup, .now_ns = 1136214245000000000};

struct row {
    const char *text, *want;
};

static const struct row rows[] = {
    {"plain", "plain"},
    {"{{ .Value }}", "Hello World"},
    {"{{ .nothing }}", "<no value>"},
    {"{{ .nothing.deeper }}", "<no value>"},
    {"a {{- \" b \" -}} c", "a b c"},
    {"a {{- /* note */ -}} c", "ac"},
    {"{{/* note */}}x", "x"},
    {"{{ \"a\\tb\\u00e9\\x41\" }}{{ `raw\\n` }}", "a\tb\xC3\xA9"
                                                  "Araw\\n"},
    {"{{ -3 }}{{ 1.5 }}{{ true }}{{ 'a' }}", "-31.5true97"},
    {"{{ $x := .level }}{{ $x }}{{ $x = \"z\" }}{{ $x }}", "warnz"},
    {"{{ if eq .level \"warn\" }}W{{ else }}N{{ end }}", "W"},
    {"{{ if eq .level \"a\" \"warn\" }}W{{ end }}", "W"},
    {"{{ if .empty }}1{{ else if .level }}2{{ else }}3{{ end }}", "2"},
    {"{{ if and .level (not .empty) }}y{{ end }}", "y"},
    {"{{ or .empty .level }}{{ and .level \"last\" }}", "warnlast"},
    {"{{ with .level }}[{{ . }}]{{ end }}{{ with .empty }}x{{ else }}none{{ end }}", "[warn]none"},
    {"{{ with .level }}{{ $.Value }}{{ end }}", "Hello World"},
    {"{{ range $i, $v := list \"a\" \"b\" }}{{ $i }}={{ $v }};{{ end }}", "0=a;1=b;"},
    {"{{ range list }}x{{ else }}none{{ end }}", "none"},
    {"{{ range splitList \",\" \"a,b,c\" }}<{{ . }}>{{ end }}", "<a><b><c>"},
    {"{{ $x := 1 }}{{ range list 1 2 3 }}{{ $x = add $x . }}{{ end }}{{ $x }}", "7"},
    {"{{ range 3 }}{{ . }}{{ end }}", "012"},
    {"{{ .Value | ToLower | printf \"%s!\" }}", "hello world!"},
    {"{{ ToUpper .Value }}", "HELLO WORLD"},
    {"{{ Replace .Value \"l\" \"L\" 2 }}", "HeLLo World"},
    {"{{ Replace .Value \"l\" \"\" -1 }}", "Heo Word"},
    {"{{ Replace \"ab\" \"\" \"-\" -1 }}", "-a-b-"},
    {"{{ Trim .Value \"Hd\" }}|{{ TrimLeft .Value \"He\" }}|{{ TrimRight .Value \"ld\" }}",
     "ello Worl|llo World|Hello Wor"},
    {"{{ TrimPrefix .Value \"Hello \" }}{{ TrimSuffix .Value \"World\" }}.", "WorldHello ."},
    {"{{ TrimSpace \"  a b \" }}", "a b"},
    {"{{ regexReplaceAll \"(l+)o\" .Value \"<$1>\" }}", "He<ll> World"},
    {"{{ regexReplaceAllLiteral \"l\" .Value \"$1\" }}", "He$1$1o Wor$1d"},
    {"{{ Sha2Hash \"\" \"abc\" }}", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"{{ Hash \"a\" \"bc\" }}", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
    {"{{ lower \"\xC3\x89\xD0\x96\" }}{{ upper \"\xC3\xA9\xD0\xB6\" }}", "\xC3\xA9\xD0\xB6\xC3\x89\xD0\x96"},
    {"{{ title \"hello wide_world\" }}", "Hello Wide_world"},
    {"{{ trunc 5 .Value }}{{ trunc -5 .Value }}{{ substr 0 4 .Value }}", "HelloWorldHell"},
    {"{{ contains \"World\" .Value }}{{ hasPrefix \"He\" .Value }}{{ hasSuffix \"x\" .Value }}", "truetruefalse"},
    {"{{ indent 2 \"a\\nb\" }}{{ nindent 1 \"c\" }}", "  a\n  b\n c"},
    {"{{ .Value | replace \"l\" \"1\" }}{{ repeat 3 \"ab\" }}{{ trim \" x \" }}", "He11o Wor1dabababx"},
    {"{{ default \"d\" .nothing }}{{ default \"d\" .level }}", "dwarn"},
    {"{{ add .n 1 }} {{ sub 5 7 }} {{ mul 2 3 4 }} {{ div 7 2 }} {{ mod 7 3 }}", "42 -2 24 3 1"},
    {"{{ int \"12\" }} {{ int 3.9 }} {{ float64 \"1.25\" }} {{ toString 7 }}", "12 3 1.25 7"},
    {"{{ addf 1.5 2 }} {{ floor 1.7 }} {{ ceil 1.2 }} {{ round 1.2345 2 }} {{ max 1 9 3 }}", "3.5 1 2 1.23 9"},
    {"{{ b64enc \"foobar\" }} {{ b64dec \"Zm9v\" }}", "Zm9vYmFy foo"},
    {"{{ quote \"a\\\"b\" }}{{ join \"-\" (list 1 \"x\" true) }}", "\"a\\\"b\"1-x-true"},
    {"{{ ternary \"t\" \"f\" (eq .level \"warn\") }}{{ true | ternary 1 2 }}", "t1"},
    {"{{ $j := fromJson .json }}{{ $j.b.c }} {{ index $j \"b\" \"c\" 2 }} {{ $j.a }} {{ len $j.b.c }}",
     "[1 2.5 x] x <no value> 3"},
    {"{{ (fromJson .json).b }}", "map[c:[1 2.5 x]]"},
    {"{{ range $k, $v := fromJson `{\"z\":1,\"a\":2,\"z\":3}` }}{{ $k }}{{ $v }}{{ end }}", "a2z3"},
    {"{{ index .Value 0 }} {{ slice .Value 0 5 }} {{ index . \"level\" }}", "72 Hello warn"},
    {"{{ html .html }}", "&lt;a href=&#39;x&#39;&gt;&amp;&#34;&lt;/a&gt;"},
    {"{{ urlquery \"a b&c/\xC3\xA9\" }}", "a+b%26c%2F%C3%A9"},
    {"{{ js \"it's <b>\" }}", "it\\'s \\u003Cb\\u003E"},
    {"{{ print 1 2 \"a\" 3 }}{{ println \"x\" 1 }}", "1 2a3x 1\n"},
    {"{{ printf \"%05d|%-4s|%4s|%q|%.2f|%x|%v|%%|%t\" 42 \"ab\" \"cd\" \"e\\n\" 1.005 255 .level true }}",
     "00042|ab  |  cd|\"e\\n\"|1.00|ff|warn|%|true"},
    {"{{ printf \"%d\" \"x\" }} {{ printf \"%s\" 1 }} {{ printf \"%s\" }} {{ printf \"a\" 1 }}",
     "%!d(string=x) %!s(int=1) %!s(MISSING) a%!(EXTRA int=1)"},
    {"{{ lt 1 2 }}{{ ge \"b\" \"a\" }}{{ ne 1 1 }}", "truetruefalse"},
    {"{{ eq .nothing .level }}", "false"},
    {"{{ unixEpoch now }}", "1136214245"},
    {"{{ 1e3 }} {{ 12345678.5 }} {{ 1e21 }}", "1000 1.23456785e+07 1e+21"},
    {"{{ \"}}\" }}{{ printf \"%s\" `{{` }}", "}}{{"},
};

static enum code exec(const char *text, size_t max, struct buf *b, struct error *err)
{
    struct gotemplate *t;
    struct arena a;
    enum code rc;

    arena_init(&a, 1 << 20);
    buf_init(b, max);
    rc = gotemplate_compile(&t, slice_str(text), err);
    if (rc != OK)
        fail_msg("%s: %s", text, err->text);
    rc = gotemplate_exec(t, &data, &a, b, err);
    gotemplate_free(t);
    arena_release(&a);
    return rc;
}

static void templates_give_what_go_gives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        struct buf b;

        if (exec(rows[i].text, 4096, &b, &err) != OK)
            fail_msg("%s: %s", rows[i].text, err.text);
        if (!slice_eq_str(buf_slice(&b), rows[i].want))
            fail_msg("%s gives %.*s", rows[i].text, SLICE_ARG(buf_slice(&b)));
        buf_release(&b);
    }
}

static void bad_templates_are_refused_with_their_line(void **state)
{
    static const char *const bad[] = {
        "{{",
        "{{ .a",
        "{{ end }}",
        "{{ if .a }}x",
        "{{ nosuch .a }}",
        "{{ \"open }}",
        "{{ $x }}",
        "{{ .a | }}",
        "{{ }}",
        "{{ define \"x\" }}",
        "{{ template \"x\" }}",
        "{{ (.a }}",
        "{{ else }}",
        "{{ /* x */ }}",
        "{{ .a .b }}",
        "{{ nil }}",
        "{{ if }}x{{ end }}",
        "{{ break }}",
        "{{ 'ab' }}",
        "{{ 1x }}",
        "{{ .a | .b }}",
        "{{ regexReplaceAll \"(\" .a \"\" }}",
        "{{ $x = 1 }}",
        "{{ if .a }}{{ else }}{{ else }}{{ end }}",
        "{{ $a, $b := .x }}",
        "{{/* x }}",
        "{{ .a. }}",
        "{{ \"\\q\" }}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        struct gotemplate *t;

        if (gotemplate_compile(&t, slice_str(bad[i]), &err) != INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_null(t);
        if (strstr(err.text, "template line 1") == NULL)
            fail_msg("%s: %s", bad[i], err.text);
    }
}

static void mistakes_at_run_time_are_errors(void **state)
{
    static const char *const bad[] = {
        "{{ ToLower .nothing }}",
        "{{ .level.x }}",
        "{{ ToLower 1 }}",
        "{{ index .Value 99 }}",
        "{{ eq 1 \"1\" }}",
        "{{ lt 1 \"1\" }}",
        "{{ div 1 0 }}",
        "{{ len 3 }}",
        "{{ range .level }}{{ end }}",
        "{{ ToLower }}",
        "{{ slice .Value 5 2 }}",
        "{{ . }}",
        "{{ repeat -1 \"x\" }}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        struct buf b;

        if (exec(bad[i], 4096, &b, &err) != INVALID)
            fail_msg("taken: %s", bad[i]);
        buf_release(&b);
    }
}

static void output_steps_and_nesting_are_limited(void **state)
{
    static const char *const big[] = {
        "{{ repeat 1000000 \"abc\" }}",
        "{{ range 5000 }}{{ $.Value }}{{ end }}",
        "{{ range 1000000 }}{{ end }}",
        "{{ $x := list }}{{ range 1000 }}{{ $x = list $x }}{{ end }}{{ $x }}",
    };
    char deep[100 * 10 + 1];
    struct gotemplate *t;

    (void)state;
    for (size_t i = 0; i < sizeof big / sizeof *big; i++) {
        struct error err = {0};
        struct buf b;

        if (exec(big[i], 1024, &b, &err) != FULL)
            fail_msg("%s: %s", big[i], err.text);
        buf_release(&b);
    }
    for (size_t i = 0; i < 100; i++)
        memcpy(deep + i * 10, "{{if true}", 10);
    assert_int_equal(gotemplate_compile(&t,
                                        SLICE_LIT("{{ ((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
                                                  "(((((((((((((((((((1)))) }}"),
                                        NULL),
                     FULL);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(gotemplate_compile(&t, slice_str(deep), NULL), INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_give_what_go_gives),
        cmocka_unit_test(bad_templates_are_refused_with_their_line),
        cmocka_unit_test(mistakes_at_run_time_are_errors),
        cmocka_unit_test(output_steps_and_nesting_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
