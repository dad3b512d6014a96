/* loki.process: what each stage makes of lines. Expectations are Promtail's and Alloy's documentation of the stages. */
#include "tests/unit/components/harness.h"

extern const struct component_type component_loki_process;
static const struct component_type *const types[] = {&component_loki_process, NULL};

#define T "1767225600000000000"
#define X(text)                                                                                                        \
    {                                                                                                                  \
        "app=x", 0, text                                                                                               \
    }
#define GOT(text) "{app=\"x\"} " T " " text "\n"
enum { LINES_MAX = 8 };

struct row {
    const char *name, *stages;
    struct bench_line in[LINES_MAX];
    const char *want; /* after the push and the end */
};

static const char *config(const char *stages)
{
    static char text[16384];

    (void)snprintf(text, sizeof text,
                   "test.source.logs \"s\" {\n\tforward_to = [loki.process.p.receiver]\n}\n"
                   "loki.process \"p\" {\n%s\n\tforward_to = [test.logs.l.receiver]\n}\ntest.logs \"l\" { }\n",
                   stages);
    return text;
}

static size_t count(const struct bench_line *lines)
{
    size_t n = 0;

    while (n < LINES_MAX && lines[n].line != NULL)
        n++;
    return n;
}

static void run(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bench_begin(types);
        if (!bench_load(config(rows[i].stages)))
            fail_msg("%s: %s", rows[i].name, bench.errors);
        bench_push_lines(rows[i].in, count(rows[i].in));
        bench_stop();
        if (strcmp(bench_text(), rows[i].want) != 0)
            fail_msg("%s: got\n%swant\n%s", rows[i].name, bench_text(), rows[i].want);
        bench_free();
    }
}
#define RUN(rows) run(rows, sizeof(rows) / sizeof *(rows))

static void docker_lines_are_read_and_joined(void **state)
{
    static const struct row rows[] = {
        {"Docker's own order",
         "stage.docker { }",
         {X("{\"log\":\"hello\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:01.5Z\"}")},
         "{app=\"x\",stream=\"stdout\"} 1767225601500000000 hello\n"},
        {"other order and attrs",
         "stage.docker { }",
         {X("{\"time\":\"2026-01-01T00:00:02Z\",\"attrs\":{\"a\":\"b\"},\"stream\":\"stderr\",\"log\":\"hi\\n\"}")},
         "{app=\"x\",stream=\"stderr\"} 1767225602000000000 hi\n"},
        {"escapes",
         "stage.docker { }",
         {X("{\"log\":\"a\\\"b\\\\ "
            "\\u00e9\\tz\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:01.000000001Z\"}")},
         "{app=\"x\",stream=\"stdout\"} 1767225601000000001 a\"b\\ \xc3\xa9\tz\n"},
        {"parts",
         "stage.docker { }",
         {X("{\"log\":\"one \",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:01Z\"}"),
          X("{\"log\":\"other\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-01T00:00:02Z\"}"),
          X("{\"log\":\"two \",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:03Z\"}"),
          X("{\"log\":\"three\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:04Z\"}")},
         "{app=\"x\",stream=\"stderr\"} 1767225602000000000 other\n"
         "{app=\"x\",stream=\"stdout\"} 1767225604000000000 one two three\n"},
        {"parts at the end go out when it drains",
         "stage.docker { }",
         {X("{\"log\":\"cut\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:01Z\"}")},
         "{app=\"x\",stream=\"stdout\"} 1767225601000000000 cut\n"},
        {"what is not Docker's passes",
         "stage.docker { }",
         {X("plain text"), X("{\"log\":5}"), X("{\"log\":\"broken"), X(""), X("[1]"), X("{}")},
         GOT("plain text") GOT("{\"log\":5}") GOT("{\"log\":\"broken") GOT("") GOT("[1]") GOT("{}")},
        {"a damaged time keeps the line's",
         "stage.docker { }",
         {X("{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"yesterday at about five o'clock\"}")},
         "{app=\"x\",stream=\"stdout\"} " T " a\n"},
    };

    (void)state;
    RUN(rows);
}

static void cri_lines_are_read_and_joined(void **state)
{
    static const struct row rows[] = {
        {"full",
         "stage.cri { }",
         {X("2026-01-01T00:00:01.5Z stdout F hello world")},
         "{app=\"x\",stream=\"stdout\"} 1767225601500000000 hello world\n"},
        {"an empty line",
         "stage.cri { }",
         {X("2026-01-01T00:00:01Z stdout F ")},
         "{app=\"x\",stream=\"stdout\"} 1767225601000000000 \n"},
        {"a zone with an offset",
         "stage.cri { }",
         {X("2026-01-01T09:00:01+09:00 stderr F x")},
         "{app=\"x\",stream=\"stderr\"} 1767225601000000000 x\n"},
        {"streams are joined apart",
         "stage.cri { }",
         {X("2026-01-01T00:00:01Z stdout P a"), X("2026-01-01T00:00:02Z stderr P 1"),
          X("2026-01-01T00:00:03Z stdout F b"), X("2026-01-01T00:00:04Z stderr F 2")},
         "{app=\"x\",stream=\"stdout\"} 1767225603000000000 ab\n{app=\"x\",stream=\"stderr\"} 1767225604000000000 "
         "12\n"},
        {"pods are joined apart",
         "stage.cri { }",
         {{"pod=a", 0, "2026-01-01T00:00:01Z stdout P a"},
          {"pod=b", 0, "2026-01-01T00:00:02Z stdout P b"},
          {"pod=b", 0, "2026-01-01T00:00:03Z stdout F 2"},
          {"pod=a", 0, "2026-01-01T00:00:04Z stdout F 1"}},
         "{pod=\"b\",stream=\"stdout\"} 1767225603000000000 b2\n{pod=\"a\",stream=\"stdout\"} 1767225604000000000 "
         "a1\n"},
        {"over the limit it goes on in pieces",
         "stage.cri {\n max_partial_line_size = \"6B\"\n}",
         {X("2026-01-01T00:00:01Z stdout P abcd"), X("2026-01-01T00:00:02Z stdout P efgh"),
          X("2026-01-01T00:00:03Z stdout P ijklmnop"), X("2026-01-01T00:00:04Z stdout F q")},
         "{app=\"x\",stream=\"stdout\"} 1767225601000000000 abcd\n{app=\"x\",stream=\"stdout\"} 1767225602000000000 "
         "efgh\n"
         "{app=\"x\",stream=\"stdout\"} 1767225603000000000 ijklmnop\n{app=\"x\",stream=\"stdout\"} "
         "1767225604000000000 q\n"},
        {"more streams than are held pass unjoined",
         "stage.cri {\n max_partial_lines = 1\n}",
         {{"pod=a", 0, "2026-01-01T00:00:01Z stdout P a"},
          {"pod=b", 0, "2026-01-01T00:00:02Z stdout P b"},
          {"pod=a", 0, "2026-01-01T00:00:03Z stdout F 1"}},
         "{pod=\"b\",stream=\"stdout\"} 1767225602000000000 b\n{pod=\"a\",stream=\"stdout\"} 1767225603000000000 a1\n"},
        {"what is not the kubelet's passes",
         "stage.cri { }",
         {X("hello"), X("2026-01-01T00:00:01Z stdlog F x"), X("2026-01-01T00:00:01Z stdout X x"), X("")},
         GOT("hello") GOT("2026-01-01T00:00:01Z stdlog F x") GOT("2026-01-01T00:00:01Z stdout X x") GOT("")},
    };

    (void)state;
    RUN(rows);
}

#define JSON_OUT(expr)                                                                                                 \
    "stage.json {\n expressions = {v = " expr                                                                          \
    "}\n}\nstage.template {\n source = \"o\"\n template = \"<{{ .v }}>\"\n}\nstage.output {\n source = \"o\"\n}"

static void values_are_extracted(void **state)
{
    static const struct row rows[] = {
        {"plain name", JSON_OUT("\"\""), {X("{\"v\":\"x\"}")}, GOT("<x>")},
        {"nested", JSON_OUT("\"a.b\""), {X("{\"a\":{\"b\":\"deep\"}}")}, GOT("<deep>")},
        {"index", JSON_OUT("\"a[1]\""), {X("{\"a\":[1,2]}")}, GOT("<2>")},
        {"quoted name", JSON_OUT("\"\\\"x-y\\\"\""), {X("{\"x-y\":\"q\"}")}, GOT("<q>")},
        {"a literal of the expression", JSON_OUT("\"v || `\\\"none\\\"`\""), {X("{}")}, GOT("<none>")},
        {"number", JSON_OUT("\"n\""), {X("{\"n\":12.5}")}, GOT("<12.5>")},
        {"a large exponent", JSON_OUT("\"n\""), {X("{\"n\":1e23}")}, GOT("<100000000000000000000000>")},
        {"a small exponent", JSON_OUT("\"n\""), {X("{\"n\":-1.5E-7}")}, GOT("<-0.00000015>")},
        {"past 64 bits", JSON_OUT("\"n\""), {X("{\"n\":1.25e2}")}, GOT("<125>")},
        {"bool", JSON_OUT("\"n\""), {X("{\"n\":true}")}, GOT("<true>")},
        {"an object is JSON", JSON_OUT("\"n\""), {X("{\"n\":{\"a\":[1,\"b\"]}}")}, GOT("<{\"a\":[1,\"b\"]}>")},
        {"another source",
         "stage.json {\n expressions = {inner = \"\"}\n}\nstage.json {\n source = \"inner\"\n expressions = {v = "
         "\"\"}\n}\n"
         "stage.output {\n source = \"v\"\n}",
         {X("{\"inner\":\"{\\\"v\\\":\\\"in\\\"}\"}")},
         GOT("in")},
        {"no JSON passes",
         "stage.json {\n expressions = {v = \"\"}\n}\nstage.output {\n source = \"v\"\n}",
         {X("no"), X("{")},
         GOT("no") GOT("{")},
        {"no JSON is dropped when told",
         "stage.json {\n expressions = {v = \"\"}\n drop_malformed = true\n}",
         {X("no"), X("{}")},
         GOT("{}")},
        {"null is not set as label",
         "stage.json {\n expressions = {v = \"\"}\n}\nstage.labels {\n values = {v = \"\"}\n}",
         {X("{\"v\":null}")},
         GOT("{\"v\":null}")},
        {"logfmt",
         "stage.logfmt {\n mapping = {lvl = \"level\", msg = \"\"}\n}\nstage.labels {\n values = {lvl = \"\"}\n}\n"
         "stage.output {\n source = \"msg\"\n}",
         {X("level=info msg=\"all is \\\"well\\\"\" dur=3ms")},
         "{app=\"x\",lvl=\"info\"} " T " all is \"well\"\n"},
        {"regex",
         "stage.regex {\n expression = \"^(?P<level>\\\\w+) (?P<rest>.*)$\"\n}\nstage.labels {\n values = {level = "
         "\"\"}\n}\n"
         "stage.output {\n source = \"rest\"\n}",
         {X("WARN it is late"), X("nomatch")},
         "{app=\"x\",level=\"WARN\"} " T " it is late\n" GOT("nomatch")},
        {"labels from groups",
         "stage.regex {\n expression = \"(?P<a>x)?(?P<b>y)\"\n labels_from_groups = true\n}",
         {X("y")},
         "{app=\"x\",b=\"y\"} " T " y\n"},
        {"labels an entry came with can be read", "stage.output {\n source = \"app\"\n}", {X("line")}, GOT("x")},
    };

    (void)state;
    RUN(rows);
}

static void texts_are_rewritten(void **state)
{
    static const struct row rows[] = {
        {"the group, not the match",
         "stage.replace {\n expression = \"password=(\\\\S+)\"\n replace = \"***\"\n}",
         {X("user=a password=b c")},
         GOT("user=a password=*** c")},
        {"several matches and groups",
         "stage.replace {\n expression = \"(\\\\d)-(\\\\d)\"\n replace = \"n\"\n}",
         {X("1-2 3-4.")},
         GOT("n-n n-n.")},
        {"nothing instead", "stage.replace {\n expression = \"(b)\"\n replace = \"\"\n}", {X("abcb")}, GOT("ac")},
        {"template",
         "stage.replace {\n expression = \"(\\\\w+)!\"\n replace = \"{{ .Value | ToUpper }}\"\n}",
         {X("say hey! ho")},
         GOT("say HEY! ho")},
        {"a group in a group goes with it",
         "stage.replace {\n expression = \"(a(b)c)\"\n replace = \"-\"\n}",
         {X("xabcx")},
         GOT("x-x")},
        {"an empty match does not hang",
         "stage.replace {\n expression = \"(z*)\"\n replace = \"-\"\n}",
         {X("ab")},
         GOT("-a-b-")},
        {"in an extracted text",
         "stage.json {\n expressions = {v = \"\"}\n}\nstage.replace {\n source = \"v\"\n expression = \"(\\\\d+)\"\n "
         "replace = \"#\"\n}\n"
         "stage.output {\n source = \"v\"\n}",
         {X("{\"v\":\"a12b\"}")},
         GOT("a#b")},
        {"named groups are extracted as replaced",
         "stage.replace {\n expression = \"id=(?P<id>\\\\d+)\"\n replace = \"N\"\n}\n"
         "stage.labels {\n values = {id = \"\"}\n}",
         {X("id=5")},
         "{app=\"x\",id=\"N\"} " T " id=N\n"},
        {"a failing template masks",
         "stage.replace {\n expression = \"k=(\\\\S+)\"\n replace = \"{{ index .Value 99 }}\"\n}",
         {X("k=secret end")},
         GOT("k=*** end")},
        {"template over extracted texts",
         "stage.regex {\n expression = \"(?P<a>\\\\w+) (?P<b>\\\\w+)\"\n}\nstage.template {\n source = \"new\"\n"
         " template = \"{{ .b }}-{{ .a }} {{ .Entry }}\"\n}\nstage.output {\n source = \"new\"\n}",
         {X("one two")},
         GOT("two-one one two")},
        {"an empty result takes the text away",
         "stage.template {\n source = \"app\"\n template = \"\"\n}\nstage.labels {\n values = {y = \"app\"}\n}",
         {X("l")},
         GOT("l")},
        {"colours",
         "stage.decolorize { }",
         {X("\x1b[1;31mred\x1b[0m and \x1b[Kplain"), X("none"), X("\x1b[31")},
         GOT("red and plain") GOT("none") GOT("")},
    };

    (void)state;
    RUN(rows);
}

#define TIME(format_and_more)                                                                                          \
    "stage.regex {\n expression = \"^(?P<t>[^|]*)\\\\|\"\n}\nstage.timestamp {\n source = \"t\"\n " format_and_more    \
    "\n}"

static void times_are_set(void **state)
{
    static const struct row rows[] = {
        {"RFC3339",
         TIME("format = \"RFC3339\""),
         {X("2026-01-01T00:00:05Z|a")},
         "{app=\"x\"} 1767225605000000000 2026-01-01T00:00:05Z|a\n"},
        {"UnixMs",
         TIME("format = \"UnixMs\""),
         {X("1767225605123|a")},
         "{app=\"x\"} 1767225605123000000 1767225605123|a\n"},
        {"Unix with a fraction",
         TIME("format = \"Unix\""),
         {X("1767225605.5|a")},
         "{app=\"x\"} 1767225605500000000 1767225605.5|a\n"},
        {"layout in a place",
         TIME("format = \"2006-01-02 15:04:05\"\n location = \"Asia/Seoul\""),
         {X("2026-01-01 09:00:05|a")},
         "{app=\"x\"} 1767225605000000000 2026-01-01 09:00:05|a\n"},
        {"fallback",
         TIME("format = \"RFC3339\"\n fallback_formats = [\"UnixMs\"]"),
         {X("1767225605123|a")},
         "{app=\"x\"} 1767225605123000000 1767225605123|a\n"},
        {"fudge stays right behind",
         TIME("format = \"RFC3339\""),
         {X("2026-01-01T00:00:05Z|a"), X("?|b"), X("?|c"), {"app=y", 0, "?|d"}},
         "{app=\"x\"} 1767225605000000000 2026-01-01T00:00:05Z|a\n{app=\"x\"} 1767225605000000001 ?|b\n"
         "{app=\"x\"} 1767225605000000002 ?|c\n{app=\"y\"} " T " ?|d\n"},
        {"fudge without a time before keeps the line's",
         TIME("format = \"RFC3339\""),
         {X("?|a"), {"app=x", 1767225601000000000, "?|b"}},
         GOT("?|a") "{app=\"x\"} 1767225601000000000 ?|b\n"},
        {"skip",
         TIME("format = \"RFC3339\"\n action_on_failure = \"skip\""),
         {X("2026-01-01T00:00:05Z|a"), X("?|b")},
         "{app=\"x\"} 1767225605000000000 2026-01-01T00:00:05Z|a\n" GOT("?|b")},
    };

    (void)state;
    RUN(rows);
}

static void labels_are_changed(void **state)
{
    static const struct row rows[] = {
        {"static",
         "stage.static_labels {\n values = {env = \"prod\", app = \"y\"}\n}",
         {X("l")},
         "{app=\"y\",env=\"prod\"} " T " l\n"},
        {"drop", "stage.label_drop {\n values = [\"a\", \"nope\"]\n}", {{"a=1,b=2", 0, "l"}}, "{b=\"2\"} " T " l\n"},
        {"keep", "stage.label_keep {\n values = [\"b\"]\n}", {{"a=1,b=2,c=3", 0, "l"}}, "{b=\"2\"} " T " l\n"},
        {"metadata moves a label",
         "stage.structured_metadata {\n values = {pod = \"\", id = \"b\"}\n}",
         {{"pod=p,b=2,c=3", 0, "l"}},
         "{c=\"3\"} " T " l [pod=p] [id=2]\n"},
        {"metadata from what is extracted",
         "stage.logfmt {\n mapping = {t = \"trace\"}\n}\nstage.structured_metadata {\n values = {trace_id = \"t\", "
         "gone = \"\"}\n}",
         {X("trace=abc")},
         "{app=\"x\"} " T " trace=abc [trace_id=abc]\n"},
        {"metadata by expression",
         "stage.structured_metadata {\n regex = \"^k8s_.*\"\n}\nstage.label_drop {\n values = [\"b\"]\n}",
         {{"a=0,b=0,k8s_1=1,k8s_2=2,k8s_3=3,z=9", 0, "l"}},
         "{a=\"0\",z=\"9\"} " T " l [k8s_3=3] [k8s_2=2] [k8s_1=1]\n"},
        {"all labels match",
         "stage.structured_metadata {\n regex = \".*\"\n}",
         {{"a=1,b=2", 0, "l"}},
         "{} " T " l [b=2] [a=1]\n"},
        {"metadata after a change",
         "stage.static_labels {\n values = {k8s_n = \"n\"}\n}\nstage.structured_metadata {\n regex = \"k8s_\"\n}",
         {{"k8s_a=1,q=2", 0, "l"}},
         "{q=\"2\"} " T " l [k8s_n=n] [k8s_a=1]\n"},
        {"metadata is dropped",
         "stage.structured_metadata {\n values = {a = \"\", b = \"\"}\n}\nstage.structured_metadata_drop {\n values = "
         "[\"a\"]\n}",
         {{"a=1,b=2,c=3", 0, "l"}},
         "{c=\"3\"} " T " l [b=2]\n"},
        {"tenant",
         "stage.tenant {\n label = \"team\"\n}",
         {{"team=t", 0, "l"}},
         "{__tenant_id__=\"t\",team=\"t\"} " T " l\n"},
        {"tenant by value",
         "stage.tenant {\n value = \"v\"\n}",
         {{"a=1", 0, "l"}},
         "{__tenant_id__=\"v\",a=\"1\"} " T " l\n"},
        {"tenant that is not there", "stage.tenant {\n source = \"nope\"\n}", {X("l")}, GOT("l")},
    };

    (void)state;
    RUN(rows);
}

static void lines_are_dropped(void **state)
{
    static const char logfmt[] = "stage.logfmt {\n mapping = {a = \"\", b = \"\"}\n}\n";
    static char with[8][512];
    static const char *const drops[] = {
        "stage.drop {\n source = \"a\"\n}",
        "stage.drop {\n source = \"a\"\n value = \"1\"\n}",
        "stage.drop {\n source = \"a\"\n expression = \"^1\"\n}",
        "stage.drop {\n source = \"a,b\"\n}",
        "stage.drop {\n source = \"a,b\"\n separator = \"#\"\n expression = \"^1#2$\"\n}",
        "stage.drop {\n source = \"a,b\"\n expression = \"^2$\"\n}",
    };
    struct row rows[] = {
        {"by expression", "stage.drop {\n expression = \"DEBUG|TRACE\"\n}", {X("a DEBUG"), X("b INFO")}, GOT("b INFO")},
        {"by length", "stage.drop {\n longer_than = \"4B\"\n}", {X("1234"), X("12345")}, GOT("1234")},
        {"by age",
         "stage.drop {\n older_than = \"1h\"\n}",
         {{"app=x", 1767221999000000000, "old"}, X("new")},
         GOT("new")},
        {"both must hold",
         "stage.drop {\n longer_than = \"4B\"\n expression = \"x\"\n}",
         {X("x"), X("12345"), X("1234x")},
         GOT("x") GOT("12345")},
        {"a source that is there", with[0], {X("a=1"), X("b=1")}, GOT("b=1")},
        {"a value", with[1], {X("a=1"), X("a=12"), X("b=1")}, GOT("a=12") GOT("b=1")},
        {"an expression on a source", with[2], {X("a=12"), X("a=2"), X("b=1")}, GOT("a=2") GOT("b=1")},
        {"all sources must be there", with[3], {X("a=1 b=2"), X("a=1"), X("b=2")}, GOT("a=1") GOT("b=2")},
        {"sources are joined", with[4], {X("a=1 b=2"), X("a=1 b=3")}, GOT("a=1 b=3")},
        {"sources that are not there are not joined", with[5], {X("b=2"), X("a=1 b=2")}, GOT("a=1 b=2")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof drops / sizeof *drops; i++)
        (void)snprintf(with[i], sizeof with[i], "%s%s", logfmt, drops[i]);
    RUN(rows);
}

static void matching_lines_go_their_own_way(void **state)
{
#define MARK "stage.static_labels {\n values = {m = \"1\"}\n}"
    static const struct row rows[] = {
        {"equal",
         "stage.match {\n selector = \"{app=\\\"x\\\"}\"\n " MARK "\n}",
         {X("a"), {"app=y", 0, "b"}},
         "{app=\"x\",m=\"1\"} " T " a\n{app=\"y\"} " T " b\n"},
        {"not equal, absent",
         "stage.match {\n selector = \"{app!=\\\"x\\\", no=\\\"\\\"}\"\n " MARK "\n}",
         {X("a"), {"app=y", 0, "b"}},
         GOT("a") "{app=\"y\",m=\"1\"} " T " b\n"},
        {"expressions are anchored",
         "stage.match {\n selector = \"{app=~\\\"x|y.\\\"}\"\n " MARK "\n}",
         {X("a"), {"app=y", 0, "b"}, {"app=yz", 0, "c"}},
         "{app=\"x\",m=\"1\"} " T " a\n{app=\"y\"} " T " b\n{app=\"yz\",m=\"1\"} " T " c\n"},
        {"line filters",
         "stage.match {\n selector = \"{app=\\\"x\\\"} |= \\\"err\\\" != \\\"no\\\" |~ `\\\\d+` !~ \\\"9$\\\"\"\n " MARK
         "\n}",
         {X("err 5"), X("err no 5"), X("err"), X("err 9")},
         "{app=\"x\",m=\"1\"} " T " err 5\n" GOT("err no 5") GOT("err") GOT("err 9")},
        {"drop",
         "stage.match {\n selector = \"{app=\\\"x\\\"} |= \\\"ping\\\"\"\n action = \"drop\"\n}",
         {X("ping"), X("pong")},
         GOT("pong")},
        {"nested, and what stands behind",
         "stage.match {\n selector = \"{app=\\\"x\\\"}\"\n stage.match {\n selector = \"{app=~\\\".+\\\"} |= "
         "\\\"b\\\"\"\n " MARK
         "\n}\n stage.static_labels {\n values = {n = \"2\"}\n}\n}\nstage.static_labels {\n values = {z = \"9\"}\n}",
         {X("a"), X("b"), {"app=y", 0, "b"}},
         "{app=\"x\",n=\"2\",z=\"9\"} " T " a\n{app=\"x\",m=\"1\",n=\"2\",z=\"9\"} " T " b\n{app=\"y\",z=\"9\"} " T
         " b\n"},
        {"labels that a stage set",
         MARK "\nstage.match {\n selector = \"{m=\\\"1\\\"}\"\n action = \"drop\"\n}",
         {X("a")},
         ""},
    };

    (void)state;
    RUN(rows);
}

static void blocks_are_joined(void **state)
{
#define ML "stage.multiline {\n firstline = \"^\\\\S\"\n"
    static const struct row rows[] = {
        {"a block ends with the next",
         ML "}",
         {X("a"), X(" 1"), X(" 2"), X("b"), X(" 3")},
         GOT("a\n 1\n 2") GOT("b\n 3")},
        {"lines before the first pass", ML "}", {X(" 0"), X("a")}, GOT(" 0") GOT("a")},
        {"streams are joined apart",
         ML "}",
         {X("a"), {"app=y", 0, "b"}, X(" 1"), {"app=y", 0, " 2"}},
         GOT("a\n 1") "{app=\"y\"} " T " b\n 2\n"},
        {"line ends are trimmed", ML "}", {X("a\r\n"), X(" 1\n")}, GOT("a\n 1")},
        {"or not", ML " trim_newlines = false\n}", {X("a\n"), X(" 1")}, GOT("a\n\n 1")},
        {"max_lines",
         ML " max_lines = 2\n}",
         {X("a"), X(" 1"), X(" 2"), X(" 3"), X("b")},
         GOT("a\n 1") GOT(" 2\n 3") GOT("b")},
        {"the time and labels of the first line",
         ML "}\nstage.static_labels {\n values = {m = \"1\"}\n}",
         {{"app=x", 5, "a"}, {"app=x", 6, " 1"}},
         "{app=\"x\",m=\"1\"} 5 a\n 1\n"},
        {"labels that a stage set stay",
         "stage.regex {\n expression = \"(?P<w>[a-z])\"\n}\nstage.labels {\n values = {w = \"app\"}\n}\n" ML "}",
         {X("a"), X(" 1"), X("b")},
         "{app=\"x\",w=\"x\"} " T " a\n 1\n{app=\"x\",w=\"x\"} " T " b\n"},
        {"cri, then blocks",
         "stage.cri { }\n" ML "}",
         {X("2026-01-01T00:00:01Z stdout F a"), X("2026-01-01T00:00:02Z stdout P  1"),
          X("2026-01-01T00:00:03Z stdout F 2"), X("2026-01-01T00:00:04Z stdout F b")},
         "{app=\"x\",stream=\"stdout\"} 1767225601000000000 a\n 12\n{app=\"x\",stream=\"stdout\"} 1767225604000000000 "
         "b\n"},
        {"two that join: the second holds what the first lets go at the end",
         ML "}\nstage.multiline {\n firstline = \"^a\"\n}",
         {X("a"), X(" 1"), X("b"), X(" 2")},
         GOT("a\n 1\nb\n 2")},
    };

    (void)state;
    RUN(rows);
}

/* --- time, books and tickets
 * --------------------------------------------------------------------------------------------- */

static int64_t held(void)
{
    int64_t difference, n;

    runtime_ledger_totals(bench.rt, &difference, &n);
    assert_int_equal(difference, 0);
    return n;
}

static uint64_t of(_Atomic uint64_t *n)
{
    return atomic_load(n);
}

static struct ledger *books(void)
{
    return (struct ledger *)(uintptr_t)runtime_ledger_of(bench.rt, "loki.process.p");
}

static void a_block_waits_for_max_wait_time_after_its_last_line(void **state)
{
    static const struct bench_line first[] = {X("a")}, more[] = {X(" 1")};

    (void)state;
    bench_begin(types);
    assert_true(bench_load(config("stage.multiline {\n firstline = \"^\\\\S\"\n max_wait_time = \"3s\"\n}")));
    bench_push_lines(first, 1);
    bench_advance(2 * (int64_t)NS_PER_S);
    bench_push_lines(more, 1);
    bench_advance(2 * (int64_t)NS_PER_S);
    bench_push_lines(more, 1);
    assert_int_equal(held(), 3);
    assert_string_equal(bench_text(), "");
    assert_int_equal(bench.n_settled, 0);
    bench_advance(4 * (int64_t)NS_PER_S);
    bench_await(1);
    bench_settle();
    assert_string_equal(bench_text(), GOT("a\n 1\n 1"));
    assert_int_equal(bench.n_settled, 3);
    assert_int_equal(held(), 0);
    assert_int_equal(of(&books()->merged), 2);
    bench_end();
}

static void joined_lines_settle_with_their_block(void **state)
{
    static const struct bench_line lines[] = {X("a"), X(" 1"), X(" 2"), X("b")};

    (void)state;
    bench_begin(types);
    bench.is_holding = true;
    assert_true(bench_load(config("stage.multiline {\n firstline = \"^\\\\S\"\n}")));
    bench_push_lines(lines, 4);
    assert_string_equal(bench_text(), GOT("a\n 1\n 2"));
    assert_int_equal(bench.n_settled, 0);
    bench.outcome = SETTLED_REJECTED;
    bench_release();
    assert_int_equal(bench.n_settled, 3);
    assert_int_equal(bench.last.rejected, 1);
    assert_string_equal(bench.last.worst_text, "no");
    bench.outcome = SETTLED_ACKED;
    bench.is_holding = false;
    bench_end();
}

static void dropped_lines_settle_as_dropped(void **state)
{
    static const struct bench_line lines[] = {X("keep"), X("drop 1"), X("drop 2"), X("keep")};

    (void)state;
    bench_begin(types);
    bench.is_holding = true;
    assert_true(bench_load(config("stage.drop {\n expression = \"drop\"\n}")));
    bench_push_lines(lines, 4);
    assert_int_equal(bench.n_settled, 2);
    assert_int_equal(bench.last.dropped, 1);
    assert_int_equal(of(&books()->dropped[DROP_RULE]), 2);
    assert_int_equal(of(&books()->out), 2);
    bench.is_holding = false;
    bench_release();
    bench_end();
}

static void a_block_may_be_dropped_after_it_was_joined(void **state)
{
    static const struct bench_line lines[] = {X("a"), X(" secret"), X("b")};

    (void)state;
    bench_begin(types);
    assert_true(bench_load(
        config("stage.multiline {\n firstline = \"^\\\\S\"\n}\nstage.drop {\n expression = \"secret|b\"\n}")));
    bench_push_lines(lines, 3);
    assert_int_equal(bench.n_settled, 2);
    assert_int_equal(held(), 1);
    bench_stop(); /* the block that is still held is dropped by the drain */
    assert_int_equal(bench.last.dropped, 1);
    assert_string_equal(bench_text(), "");
    bench_free();
}

static void a_shared_batch_is_left_as_it_is(void **state)
{
    static const struct bench_line lines[] = {X("a secret"), X("b")};

    (void)state;
    bench_begin(types);
    assert_true(bench_load("test.source.logs \"s\" {\n\tforward_to = [loki.process.p.receiver, "
                           "loki.process.q.receiver, test.logs.l.receiver]\n}\n"
                           "loki.process \"p\" {\n stage.replace {\n expression = \"(secret)\"\n replace = \"-\"\n}\n "
                           "forward_to = [test.logs.l.receiver]\n}\n"
                           "loki.process \"q\" {\n stage.drop {\n expression = \"b\"\n}\n forward_to = "
                           "[test.logs.l.receiver]\n}\ntest.logs \"l\" { }\n"));
    bench_push_lines(lines, 2);
    assert_string_equal(bench_text(), GOT("a -") GOT("b") GOT("a secret") GOT("a secret") GOT("b"));
    assert_int_equal(bench.n_settled, 2);
    bench_end();
}

/* A batch may wait in a sink while the component that made it is replaced: nothing of it may be the component's. */
static void what_was_pushed_outlives_the_component(void **state)
{
    static const struct bench_line lines[] = {X("{}")};

    (void)state;
    bench_begin(types);
    bench.is_holding = true;
    assert_true(bench_load(config(
        "stage.json {\n expressions = {v = \"a || `\\\"literal\\\"`\"}\n}\n"
        "stage.structured_metadata {\n values = {name_of_meta = \"v\"}\n}\nstage.output {\n source = \"v\"\n}")));
    bench_push_lines(lines, 1);
    assert_true(bench_load("test.logs \"l\" { }\n"));
    bench_settle();
    assert_int_equal(bench.n_held, 1);
    buf_reset(&bench.text);
    bench_write_logs(CONTAINER_OF(bench.held[0], struct log_batch, base));
    assert_string_equal(bench_text(), GOT("literal [name_of_meta=literal]"));
    bench_release();
    bench.is_holding = false;
    bench_end();
}

/* The nth allocation fails, for each n: nothing is lost without being settled, and the books balance. */
static void without_memory_everything_is_settled(void **state)
{
    static const struct bench_line lines[] = {X("2026-01-01T00:00:01Z stdout P a password=1"),
                                              X("2026-01-01T00:00:02Z stdout F b"),
                                              X("2026-01-01T00:00:03Z stdout F  c"),
                                              X("2026-01-01T00:00:04Z stdout F d"),
                                              X("2026-01-01T00:00:05Z stdout P e"),
                                              X("2026-01-01T00:00:06Z stdout P f")};

    uint64_t n_lost = 0;

    (void)state;
    for (uint64_t nth = 1; nth <= 60; nth += 1) {
        struct log_batch *b;
        struct bench_delivery d;

        bench_begin(types);
        assert_true(bench_load(
            config("stage.cri {\n max_partial_line_size = \"40B\"\n}\nstage.multiline {\n firstline = \"^\\\\S\"\n}\n"
                   "stage.replace {\n expression = \"password=(\\\\S+)\"\n replace = \"{{ .Value | ToUpper }}\"\n}\n"
                   "stage.structured_metadata {\n values = {stream = \"\"}\n}")));
        b = log_batch_new();
        for (size_t i = 0; i < 6; i++) {
            struct ticket *t = ticket_new(1, false, bench_ticket_done, NULL);

            bench.n_opened++;
            assert_int_equal(log_batch_add(b, batch_take_labels(&b->base, bench_labels(lines[i].labels)), 1,
                                           slice_str(lines[i].line), NULL, 0),
                             OK);
            assert_int_equal(batch_span(&b->base, t, 1), OK);
        }
        d = (struct bench_delivery){&b->base, RECEIVES_LOGS};
        batch_ref(&b->base); /* shared: it must be copied first */
        mem_fail_nth(nth);
        bench_on(bench_loop(0), bench_deliver, &d);
        mem_fail_nth(0);
        batch_unref(&b->base);
        n_lost += of(&books()->dropped[DROP_MEMORY]);
        bench_end();
    }
    assert_true(n_lost > 6); /* the failures did hit: at least one batch and some lines */
}

static void wrong_stages_are_refused(void **state)
{
    static const struct {
        const char *stages, *why;
    } rows[] = {
        {"stage.regex {\n expression = \"(\"\n}", "missing"},
        {"stage.drop { }", "must be given"},
        {"stage.match {\n selector = \"{app=\\\"x\\\"\"\n action = \"drop\"\n}", "expected"},
        {"stage.match {\n selector = \"{app=\\\"x\\\"} | json\"\n action = \"drop\"\n}", "line filter"},
        {"stage.tenant {\n value = \"a\"\n label = \"b\"\n}", "exactly one"},
        {"stage.timestamp {\n source = \"t\"\n format = \"nothing\"\n}", "layouts"},
        {"stage.labels {\n values = {\"a-b\" = \"\"}\n}", "label name"},
        {"stage.luhn { }", "Not built yet"},
        {"stage.unknown { }", "unknown"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf page;
        bool is_told;

        bench_begin(types);
        buf_init(&page, 1 << 20);
        is_told = !bench_load(config(rows[i].stages)) && strstr(bench.errors, rows[i].why) != NULL;
        if (bench.is_loaded) { /* refused when it was made: the component is unhealthy and says why */
            (void)runtime_write_component(bench.rt, SLICE_LIT("loki.process.p"), &page);
            is_told = slice_find_slice(buf_slice(&page), slice_str(rows[i].why)) != page.len;
        }
        if (!is_told)
            fail_msg("%s: %s %.*s", rows[i].stages, bench.errors, (int)page.len, page.ptr != NULL ? page.ptr : "");
        buf_release(&page);
        bench_end();
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docker_lines_are_read_and_joined),
        cmocka_unit_test(cri_lines_are_read_and_joined),
        cmocka_unit_test(values_are_extracted),
        cmocka_unit_test(texts_are_rewritten),
        cmocka_unit_test(times_are_set),
        cmocka_unit_test(labels_are_changed),
        cmocka_unit_test(lines_are_dropped),
        cmocka_unit_test(matching_lines_go_their_own_way),
        cmocka_unit_test(blocks_are_joined),
        cmocka_unit_test(a_block_waits_for_max_wait_time_after_its_last_line),
        cmocka_unit_test(joined_lines_settle_with_their_block),
        cmocka_unit_test(dropped_lines_settle_as_dropped),
        cmocka_unit_test(a_block_may_be_dropped_after_it_was_joined),
        cmocka_unit_test(a_shared_batch_is_left_as_it_is),
        cmocka_unit_test(what_was_pushed_outlives_the_component),
        cmocka_unit_test(without_memory_everything_is_settled),
        cmocka_unit_test(wrong_stages_are_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
