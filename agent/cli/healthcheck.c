/* hyagent healthcheck: asks a running agent; for containers without a shell. */
#include "agent/cli/commands.h"
#include "agent/cli/flags.h"
#include "agent/io/http_client.h"
#include "agent/io/loop.h"
#include "agent/io/tls.h"

enum { TIMEOUT_MS = 3000 };

struct args {
    const char *address;
    bool is_ready, is_help;
};

const struct flag healthcheck_flags[] = {
    {"address", 0, FLAG_STRING, offsetof(struct args, address), "ADDR",
     "the agent's admin server (127.0.0.1:12345); https://ADDR where it serves TLS, the certificate is not looked at",
     NULL},
    {"ready", 0, FLAG_BOOL, offsetof(struct args, is_ready), NULL, "ask /-/ready instead of /-/healthy", NULL},
    {"help", 'h', FLAG_BOOL, offsetof(struct args, is_help), NULL, "this text", NULL},
    {NULL, 0, FLAG_BOOL, 0, NULL, NULL, NULL},
};

struct check {
    struct loops *loops;
    struct http_client *client;
    char url[512];
    int exit_code;
};

static void end(void *arg)
{
    struct check *c = arg;

    http_client_free(c->client);
    loops_stop(c->loops);
}

static void answered(void *arg, const struct http_result *result)
{
    struct check *c = arg;

    if (result->outcome == HTTP_ANSWERED && result->status == 200) {
        c->exit_code = EXIT_OK;
    } else if (result->outcome == HTTP_ANSWERED) {
        fprintf(stderr, "%s: %d\n%.*s", c->url, result->status, SLICE_ARG(result->body));
        c->exit_code = EXIT_CHECK;
    } else {
        fprintf(stderr, "%s: %.*s\n", c->url, SLICE_ARG(result->error));
        c->exit_code = EXIT_FAILED;
    }
    loop_post(loops_control(c->loops), end, c);
}

static void ask(void *arg)
{
    struct check *c = arg;
    struct error err = {0};
    const struct tls_options tls = {.insecure_skip_verify =
                                        true}; /* nothing secret is sent, and it names no loopback */
    struct http_request request = {.url = slice_str(c->url),
                                   .timeout_ms = TIMEOUT_MS,
                                   .cut_response = true,
                                   .tls = &tls,
                                   .arg = c,
                                   .done = answered};

    if (http_client_new(&c->client, loops_control(c->loops), &err) != OK) {
        fprintf(stderr, "hyagent: healthcheck: %s\n", err.text);
        loops_stop(c->loops);
        return;
    }
    http_request_start(c->client, &request);
}

int command_healthcheck(const char *program, int argc, char **argv)
{
    struct args args = {.address = "127.0.0.1:12345"};
    struct check check = {.exit_code = EXIT_FAILED};
    struct error err = {0};
    int n_words;

    (void)program;
    if (flags_parse(healthcheck_flags, argc, argv, &args, &n_words, &err) != OK)
        return usage_error("healthcheck: %s", err.text);
    if (args.is_help) {
        puts(
            "Usage: hyagent healthcheck [flags]\n\nExit code 0: well; 3: it answers, but is not well; 1: no answer.\n");
        flags_print(healthcheck_flags, stdout);
        return EXIT_OK;
    }
    if (n_words != 0)
        return usage_error("healthcheck: takes no words; the address is given with --address");
    snprintf(check.url, sizeof check.url, "%s%s%s/-/%s", strstr(args.address, "://") == NULL ? "http://" : "",
             args.address[0] == ':' ? "127.0.0.1" : "", args.address, args.is_ready ? "ready" : "healthy");
    if (loops_new(&check.loops, 1, &err) != OK) {
        fprintf(stderr, "hyagent: healthcheck: %s\n", err.text);
        return EXIT_FAILED;
    }
    loop_post(loops_control(check.loops), ask, &check);
    loops_run(check.loops);
    loops_free(check.loops);
    return check.exit_code;
}
