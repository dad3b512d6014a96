/* hyagent_bench_config: a configuration read as a load does it: parsed, linked, evaluated, decoded; counted per line.
 * On the real runtime, which the driver of bench/driver has stand-ins for.
 *
 * `config` measures 1,000 lines once (under callgrind, which collects inside bench_measure only) and prints "items N
 * bytes M"; `config --wall` prints "ns NS" per line of 10,000, the median of eleven; `--list` prints the path;
 * `--config N` prints the configuration with N lines. */
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/cli/registry.h"
#include "agent/runtime/change.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum { LINES_COUNTED = 1000, LINES_TIMED = 10000, MOST_LINES = 40000, RUNS = 11 };

/* The agent's hash tables take their seed from here: a constant, so that counts repeat. */
ssize_t getrandom(void *buffer, size_t length, unsigned flags)
{
    (void)flags;
    memset(buffer, 0x5a, length);
    return (ssize_t)length;
}

/* One service of a fleet: its containers' logs, its metrics, where they go. %u is its number. */
static const char part[] = "// service %u\n"
                           "discovery.relabel \"service_%u\" {\n"
                           "\ttargets = array.concat(\n"
                           "\t\t[{__address__ = \"10.0.%u.1:9090\", job = \"service-%u\"}],\n"
                           "\t\t[{\n"
                           "\t\t\t__address__ = string.format(\"10.0.%%d.2:%%d\", %u, 9090),\n"
                           "\t\t\tjob         = \"service-%u\",\n"
                           "\t\t\tteam        = coalesce(sys.env(\"TEAM\"), \"platform\"),\n"
                           "\t\t}],\n"
                           "\t)\n"
                           "\n"
                           "\trule {\n"
                           "\t\tsource_labels = [\"__meta_docker_container_name\", \"job\"]\n"
                           "\t\tregex         = \"/(.*);service-(\\\\d+)\"\n"
                           "\t\ttarget_label  = \"container\"\n"
                           "\t\treplacement   = \"$1\"\n"
                           "\t}\n"
                           "\n"
                           "\trule {\n"
                           "\t\taction = \"labeldrop\"\n"
                           "\t\tregex  = \"tmp_.*\"\n"
                           "\t}\n"
                           "}\n"
                           "\n"
                           "prometheus.scrape \"service_%u\" {\n"
                           "\ttargets         = discovery.relabel.service_%u.output\n"
                           "\tforward_to      = [prometheus.remote_write.main.receiver]\n"
                           "\tscrape_interval = \"%us\"\n"
                           "\tscrape_timeout  = \"5s\"\n"
                           "\tmetrics_path    = \"/metrics\"\n"
                           "}\n"
                           "\n"
                           "loki.process \"service_%u\" {\n"
                           "\tforward_to = [loki.write.main.receiver]\n"
                           "\n"
                           "\tstage.json {\n"
                           "\t\texpressions = {\n"
                           "\t\t\tlevel   = \"severity\",\n"
                           "\t\t\tmessage = \"msg\",\n"
                           "\t\t\tat      = \"ts\",\n"
                           "\t\t}\n"
                           "\t}\n"
                           "\n"
                           "\tstage.timestamp {\n"
                           "\t\tsource = \"at\"\n"
                           "\t\tformat = \"RFC3339\"\n"
                           "\t}\n"
                           "\n"
                           "\tstage.labels {\n"
                           "\t\tvalues = {level = \"\", service = \"\"}\n"
                           "\t}\n"
                           "\n"
                           "\tstage.drop {\n"
                           "\t\texpression = \"^(debug|trace) .*health\"\n"
                           "\t}\n"
                           "}\n"
                           "\n"
                           "loki.source.file \"service_%u\" {\n"
                           "\ttargets    = [{__path__ = \"/var/log/service-%u.log\", service = \"service-%u\"}]\n"
                           "\tforward_to = [loki.process.service_%u.receiver]\n"
                           "}\n"
                           "\n";
static const char sinks[] = "loki.write \"main\" {\n"
                            "\tendpoint {\n"
                            "\t\turl = \"http://loki:3100/loki/api/v1/push\"\n"
                            "\t}\n"
                            "}\n"
                            "\n"
                            "prometheus.remote_write \"main\" {\n"
                            "\tendpoint {\n"
                            "\t\turl = \"http://prometheus:9090/api/v1/write\"\n"
                            "\t}\n"
                            "}\n";

/* Every %u of a part is i (scrape_interval has a few bits of it); "%%" is "%". */
static void add_part(struct buf *out, uint32_t i)
{
    struct slice rest = slice_str(part);

    while (rest.len != 0) {
        size_t n = slice_find(rest, '%');

        (void)buf_add(out, slice_head(rest, n));
        rest = slice_from(rest, n);
        if (rest.len == 0)
            return;
        if (rest.ptr[1] == '%')
            (void)buf_add_char(out, '%');
        else
            (void)buf_printf(out, "%" PRIu32, rest.len > 2 && rest.ptr[2] == 's' ? 15 + i % 45 : i);
        rest = slice_from(rest, 2);
    }
}

static uint32_t count_lines(struct slice s)
{
    uint32_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == '\n';
    return n;
}

static uint32_t make_config(uint32_t lines, struct buf *out)
{
    uint32_t n;

    buf_init(out, LIMIT_CONFIG_FILE_BYTES);
    (void)buf_add_str(out, sinks);
    n = count_lines(slice_str(sinks));
    for (uint32_t i = 0; n < lines; i++) {
        add_part(out, i);
        n += count_lines(slice_str(part));
    }
    if (out->is_full) {
        (void)fputs("hyagent_bench_config: the configuration does not fit\n", stderr);
        exit(1);
    }
    return n;
}

static void load(struct slice text)
{
    const struct config_options options = {.types = registry, .stability = STABILITY_GA};
    const struct config_text texts[] = {{"bench.river", text}};
    struct config *config;
    struct diags diags;

    diags_init(&diags);
    if (change_load(NULL, &config, &options, texts, 1, &diags) != OK || diags_has_errors(&diags)) {
        struct buf why;

        buf_init(&why, 1u << 20);
        diags_print(&why, &diags, false);
        (void)fwrite(why.ptr, 1, why.len, stderr);
        exit(1);
    }
    config_unref(config);
    diags_release(&diags);
}

/* What callgrind looks at: named, not inlined, not cloned. */
void bench_measure(struct slice text);
__attribute__((noinline, noclone)) void bench_measure(struct slice text)
{
    load(text);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure_wall(void)
{
    double ns[RUNS];
    struct buf text;
    uint32_t lines = make_config(LINES_TIMED, &text);

    for (int i = 0; i < RUNS; i++) {
        struct timespec from, to;

        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        load(buf_slice(&text));
        (void)clock_gettime(CLOCK_MONOTONIC, &to);
        ns[i] = ((double)(to.tv_sec - from.tv_sec) * NS_PER_S + (double)(to.tv_nsec - from.tv_nsec)) / lines;
    }
    qsort(ns, RUNS, sizeof ns[0], by_value);
    (void)printf("ns %.1f\n", ns[RUNS / 2]);
    buf_release(&text);
}

static int measure(void)
{
    struct buf text;
    uint32_t lines = make_config(LINES_COUNTED, &text);

    load(buf_slice(&text)); /* what is made once is made */
    bench_measure(buf_slice(&text));
    (void)printf("items %" PRIu32 " bytes 0\n", lines);
    buf_release(&text);
    return 0;
}

static int print_config(const char *lines)
{
    struct buf text;
    int64_t n;
    bool is_written;

    if (!slice_to_i64(slice_str(lines), &n) || n < 1 || n > MOST_LINES) {
        (void)fprintf(stderr, "--config takes a number of lines up to %d\n", MOST_LINES);
        return 2;
    }
    (void)make_config((uint32_t)n, &text);
    is_written = fwrite(text.ptr, 1, text.len, stdout) == text.len;
    buf_release(&text);
    return is_written ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--config") == 0)
        return print_config(argv[2]);
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return puts("config lines") < 0;
    if (argc == 2 && strcmp(argv[1], "config") == 0)
        return measure();
    if (argc == 3 && strcmp(argv[1], "config") == 0 && strcmp(argv[2], "--wall") == 0) {
        measure_wall();
        return 0;
    }
    (void)fputs("usage: hyagent_bench_config config [--wall] | --list | --config LINES\n", stderr);
    return 2;
}
