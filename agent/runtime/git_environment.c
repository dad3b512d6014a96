#include "agent/runtime/git_environment.h"
#include "agent/base/buf.h"
#include "agent/io/http_url.h"

extern char **environ;

enum { ENV_MAX = 4096, CONFIG_MAX = 16 };

struct environment {
    struct arena *arena;
    const char **items;
    size_t n;
    const char *keys[CONFIG_MAX], *values[CONFIG_MAX];
    size_t n_config;
};

static void put(struct environment *e, const char *text)
{
    if (e->n < ENV_MAX)
        e->items[e->n++] = text;
}

static void configure(struct environment *e, const char *key, const char *value)
{
    BUG_ON(e->n_config == CONFIG_MAX);
    e->keys[e->n_config] = key;
    e->values[e->n_config++] = value;
}

/* For the shell that GIT_SSH_COMMAND goes through. */
static const char *shell_quote(struct arena *arena, struct slice s)
{
    struct buf out;
    const char *text;

    buf_init(&out, 64 * 1024);
    (void)buf_add_char(&out, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'')
            (void)buf_add_str(&out, "'\\''");
        else
            (void)buf_add_char(&out, s.ptr[i]);
    }
    (void)buf_add_char(&out, '\'');
    text = arena_strndup(arena, buf_slice(&out));
    buf_release(&out);
    return text;
}

static void add_http(const struct git_access *a, struct environment *e)
{
    struct http_url u;

    configure(e, "credential.helper", "");
    if ((a->user.len == 0 && a->password.len == 0) || http_url_parse(&u, slice_str(a->url), NULL) != OK)
        return;
    /* Only to the repository's own host, wherever it redirects to. */
    configure(e,
              arena_printf(e->arena, "credential.%.*s://%s%.*s%s:%u.helper", SLICE_ARG(u.scheme), u.is_ipv6 ? "[" : "",
                           SLICE_ARG(u.host), u.is_ipv6 ? "]" : "", (unsigned)u.port),
              "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$HYAGENT_GIT_USER\" "
              "\"$HYAGENT_GIT_PASSWORD\"; }; f");
    put(e, arena_printf(e->arena, "HYAGENT_GIT_USER=%.*s", (int)a->user.len, a->user.len != 0 ? a->user.ptr : ""));
    put(e, arena_printf(e->arena, "HYAGENT_GIT_PASSWORD=%.*s", (int)a->password.len,
                        a->password.len != 0 ? a->password.ptr : ""));
}

static void add_ssh(const struct git_access *a, struct environment *e)
{
    bool asks = a->ssh_passphrase.len != 0;
    const char *key = "", *user = "";

    if (a->ssh_key.len != 0)
        key = shell_quote(e->arena, slice_str(arena_printf(e->arena, "%s/ssh_key", a->folder)));
    else if (a->ssh_key_file.len != 0)
        key = shell_quote(e->arena, a->ssh_key_file);
    if (a->ssh_user.len != 0)
        user = arena_printf(e->arena, " -l %s", shell_quote(e->arena, a->ssh_user));
    put(e, arena_printf(e->arena,
                        "GIT_SSH_COMMAND=ssh -o %s -o NumberOfPasswordPrompts=1 -o PasswordAuthentication=no -o "
                        "KbdInteractiveAuthentication=no%s%s%s",
                        asks ? "StrictHostKeyChecking=yes" : "BatchMode=yes", user,
                        key[0] != '\0' ? " -o IdentitiesOnly=yes -i " : "", key));
    if (!asks)
        return;
    put(e, arena_printf(e->arena, "SSH_ASKPASS=%s/askpass", a->folder));
    put(e, "SSH_ASKPASS_REQUIRE=force");
    put(e, arena_printf(e->arena, "HYAGENT_SSH_PASSPHRASE=%.*s", (int)a->ssh_passphrase.len, a->ssh_passphrase.ptr));
}

const char *const *git_environment(const struct git_access *a, struct arena *arena)
{
    struct environment e = {.arena = arena, .items = arena_zalloc(arena, (ENV_MAX + 1) * sizeof *e.items)};

    for (char **at = environ; at != NULL && *at != NULL && e.n < ENV_MAX / 2; at++)
        if (!slice_starts(slice_str(*at), SLICE_LIT("GIT_")) &&
            !slice_starts(slice_str(*at), SLICE_LIT("SSH_ASKPASS")) &&
            !slice_starts(slice_str(*at), SLICE_LIT("LC_ALL=")))
            put(&e, *at);
    put(&e, "LC_ALL=C");
    put(&e, "GIT_TERMINAL_PROMPT=0");
    put(&e, "GIT_ASKPASS=");
    put(&e, "GIT_CONFIG_NOSYSTEM=1");
    put(&e, "GIT_CONFIG_GLOBAL=/dev/null");
    put(&e, "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh");
    put(&e, arena_printf(arena, "GIT_INDEX_FILE=%s", a->index));
    configure(&e, "remote.origin.url", a->url);
    configure(&e, "core.hooksPath", "/dev/null");
    configure(&e, "core.fsmonitor", "false");
    configure(&e, "gc.auto", "0");
    configure(&e, "maintenance.auto", "false");
    configure(&e, "fetch.recurseSubmodules", "false");
    add_http(a, &e);
    add_ssh(a, &e);
    put(&e, arena_printf(arena, "GIT_CONFIG_COUNT=%zu", e.n_config));
    for (size_t i = 0; i < e.n_config; i++) {
        put(&e, arena_printf(arena, "GIT_CONFIG_KEY_%zu=%s", i, e.keys[i]));
        put(&e, arena_printf(arena, "GIT_CONFIG_VALUE_%zu=%s", i, e.values[i]));
    }
    return e.items;
}
