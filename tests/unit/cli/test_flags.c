/* Command lines: all of Alloy's flags are taken, ignored or refused by name. */
#include "agent/base/clock.h"
#include "agent/cli/run_args.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MAX_WORDS = 8 };

static enum code parse(struct run_args *args, const char *program, const char *const *words, struct error *err)
{
    static char copies[MAX_WORDS + 1][128];
    char *argv[MAX_WORDS + 2] = {copies[0]};
    int argc = 1;

    memcpy(copies[0], "run", sizeof "run");
    for (; *words != NULL; words++, argc++) {
        strncpy(copies[argc], *words, sizeof copies[argc] - 1);
        argv[argc] = copies[argc];
    }
    return run_args_parse(args, program, argc, argv, err);
}

static const struct {
    const char *words[MAX_WORDS];
    enum code want;
    const char *error; /* part of the message */
} rows[] = {
    {{"x.river"}, OK, ""},
    {{"--config", "x.river"}, OK, ""},
    {{"--config=x.river"}, OK, ""},
    {{"x.river", "--server.http.listen-addr=0.0.0.0:1"}, OK, ""},
    {{"--stability.level=experimental", "x.river"}, OK, ""},
    {{"--disable-reporting", "x.river"}, OK, ""},
    {{"--server.http.enable-pprof=false", "x.river"}, OK, ""},
    {{"--no-server.http.enable-pprof", "x.river"}, OK, ""},
    {{"--config.format=alloy", "x.river"}, OK, ""},
    {{"--cluster.enabled=false", "x.river"}, OK, ""},
    {{"--windows.priority=high", "x.river"}, OK, ""},
    {{"--feature.component-shutdown-deadline=1m", "x.river"}, OK, ""},
    {{"--", "--strange.river"}, OK, ""},
    {{NULL}, INVALID, "which configuration"},
    {{"a", "b"}, INVALID, "name one"},
    {{"a", "--config=b"}, INVALID, "name one"},
    {{"--config"}, INVALID, "--config needs a value"},
    {{"--confg=x"}, INVALID, "did you mean --config?"},
    {{"x", "--cluster.enabled"}, INVALID, "--cluster.enabled is refused: hyagent has no clustering yet"},
    {{"x", "--cluster.join-addresses=a"}, OK, ""},
    {{"x", "--config.extra-args=-a"}, INVALID, "is refused"},
    {{"x", "--config.format=promtail"}, INVALID, "\"promtail\" is not alloy: only Alloy's language is read"},
    {{"x", "--stability.level=beta"}, INVALID, "\"beta\" is none of generally-available, public-preview, experimental"},
    {{"x", "--memory.limit=much"}, INVALID, "--memory.limit"},
    {{"x", "--shutdown.timeout=8"}, INVALID, "--shutdown.timeout"},
    {{"x", "--shutdown.timeout=10ms"}, INVALID, "at least 1s"},
    {{"x", "--tap=maybe"}, INVALID, "neither true nor false"},
    {{"x", "-z"}, INVALID, "unknown flag -z"},
};

static void command_lines_are_taken_or_refused_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run_args args;
        struct error err = {0};
        enum code rc = parse(&args, "hyagent", rows[i].words, &err);

        if (rc != rows[i].want || strstr(err.text, rows[i].error) == NULL)
            fail_msg("row %zu: %s \"%s\"", i, code_name(rc), err.text);
    }
}

/* Every flag of Alloy 1.12's `run`, with a value it takes there. */
static void no_flag_of_alloy_is_unknown(void **state)
{
    static const char *const flags[] = {
        "--server.http.listen-addr=127.0.0.1:12345",
        "--server.http.memory-addr=alloy.internal:12345",
        "--server.http.ui-path-prefix=/",
        "--server.http.enable-pprof=true",
        "--server.http.disable-support-bundle=false",
        "--cluster.enabled=false",
        "--cluster.node-name=a",
        "--cluster.advertise-address=a:1",
        "--cluster.join-addresses=a",
        "--cluster.discover-peers=x",
        "--cluster.advertise-interfaces=eth0,en0",
        "--cluster.rejoin-interval=60s",
        "--cluster.max-join-peers=5",
        "--cluster.name=c",
        "--cluster.enable-tls=false",
        "--cluster.tls-ca-path=/x",
        "--cluster.tls-cert-path=/x",
        "--cluster.tls-key-path=/x",
        "--cluster.tls-server-name=x",
        "--cluster.wait-for-size=0",
        "--cluster.wait-timeout=0",
        "--config.format=alloy",
        "--config.bypass-conversion-errors=false",
        "--config.extra-args=-x",
        "--disable-reporting=true",
        "--storage.path=data-alloy/",
        "--stability.level=generally-available",
        "--feature.community-components.enabled=false",
        "--windows.priority=normal",
        "--feature.component-shutdown-deadline=10m",
    };

    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        const char *const words[] = {"x.alloy", flags[i], NULL};
        struct run_args args;
        struct error err = {0};

        if (parse(&args, "alloy", words, &err) != OK && strstr(err.text, " is refused: ") == NULL)
            fail_msg("%s: %s", flags[i], err.text);
    }
}

static void switches_are_written_as_go_takes_them(void **state)
{
    static const struct {
        const char *flag;
        enum code want;
    } switches[] = {
        {"--cluster.enabled=0", OK},      {"--cluster.enabled=F", OK},       {"--cluster.enabled=False", OK},
        {"--cluster.enabled=1", INVALID}, {"--cluster.enabled=no", INVALID}, {"--no-cluster.enabled", OK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        const char *const words[] = {"x.alloy", switches[i].flag, NULL};
        struct run_args args;
        struct error err = {0};

        if (parse(&args, "hyagent", words, &err) != switches[i].want)
            fail_msg("%s: %s", switches[i].flag, err.text);
    }
}

static void values_arrive(void **state)
{
    const char *const words[] = {"x.river", "--memory.limit=64MiB", "--shutdown.timeout",
                                 "3s",      "--tap-until-all=60s",  "--stability.level=public-preview",
                                 NULL};
    struct run_args args;
    struct error err = {0};

    (void)state;
    assert_int_equal(parse(&args, "hyagent", words, &err), OK);
    assert_string_equal(args.config, "x.river");
    assert_int_equal(args.memory_limit, 64 << 20);
    assert_int_equal(args.shutdown_timeout_ns, 3 * (int64_t)NS_PER_S);
    assert_int_equal(args.tap_until_all_ns, 60 * (int64_t)NS_PER_S);
    assert_int_equal(args.stability, 1);
    assert_string_equal(args.listen_addr, "127.0.0.1:12345");
    assert_string_equal(args.storage_path, "data-hyagent/");
}

static void called_as_alloy_it_keeps_its_data_where_alloy_does(void **state)
{
    const char *const words[] = {"x.river", NULL};
    struct run_args args;
    struct error err = {0};

    (void)state;
    assert_int_equal(parse(&args, "alloy", words, &err), OK);
    assert_string_equal(args.storage_path, "data-alloy/");
}

static void the_environment_gives_the_memory_limit_and_the_flag_wins(void **state)
{
    const char *const plain[] = {"x.river", NULL}, *const flag[] = {"x.river", "--memory.limit=2MiB", NULL};
    struct run_args args;
    struct error err = {0};

    (void)state;
    setenv("HYAGENT_MEMORY_LIMIT", "1MiB", 1);
    assert_int_equal(parse(&args, "hyagent", plain, &err), OK);
    assert_int_equal(args.memory_limit, 1 << 20);
    assert_int_equal(parse(&args, "hyagent", flag, &err), OK);
    assert_int_equal(args.memory_limit, 2 << 20);
    setenv("HYAGENT_MEMORY_LIMIT", "lots", 1);
    assert_int_equal(parse(&args, "hyagent", plain, &err), INVALID);
    unsetenv("HYAGENT_MEMORY_LIMIT");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_taken_or_refused_in_words),
        cmocka_unit_test(no_flag_of_alloy_is_unknown),
        cmocka_unit_test(switches_are_written_as_go_takes_them),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(called_as_alloy_it_keeps_its_data_where_alloy_does),
        cmocka_unit_test(the_environment_gives_the_memory_limit_and_the_flag_wins),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
