#include "agent/ui/auth.h"
#include "agent/base/arena.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/text/base64.h"
#include "agent/text/digest.h"
#include <pthread.h>

struct auth {
    pthread_mutex_t lock; /* for all below */
    char *sealed;         /* owned; NULL: open as the rest says */
    bool has_basic, authenticate_matching_paths;
    uint8_t user[DIGEST_BYTES], password[DIGEST_BYTES]; /* compared as digests: lengths do not show either */
    struct slice *paths;                                /* owned */
    size_t n_paths;
};

struct auth *auth_new(void)
{
    struct auth *a = mem_zalloc(sizeof *a);

    pthread_mutex_init(&a->lock, NULL);
    return a;
}

static void clear(struct auth *a)
{
    for (size_t i = 0; i < a->n_paths; i++)
        mem_free_slice(a->paths[i]);
    mem_free(a->paths);
    mem_free(a->sealed);
    a->paths = NULL;
    a->sealed = NULL;
    a->n_paths = 0;
}

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    clear(a);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
}

void auth_set(struct auth *a, const struct http_settings *settings)
{
    pthread_mutex_lock(&a->lock);
    clear(a);
    a->sealed = settings->sealed != NULL ? mem_strdup(settings->sealed) : NULL;
    a->has_basic = settings->has_basic;
    a->authenticate_matching_paths = settings->authenticate_matching_paths;
    digest_sha256(settings->username, slice_str(""), a->user);
    digest_sha256(settings->password, slice_str(""), a->password);
    a->n_paths = settings->paths.n;
    a->paths = mem_array(a->n_paths + 1, sizeof *a->paths);
    for (size_t i = 0; i < a->n_paths; i++)
        a->paths[i] = mem_slice(settings->paths.items[i]);
    pthread_mutex_unlock(&a->lock);
}

static bool is_asked_for(const struct auth *a, struct slice path)
{
    bool is_listed = false;

    for (size_t i = 0; i < a->n_paths; i++)
        is_listed = is_listed || slice_starts(path, a->paths[i]);
    return is_listed == a->authenticate_matching_paths;
}

static bool fits(const struct auth *a, struct slice header)
{
    uint8_t user[DIGEST_BYTES], password[DIGEST_BYTES];
    struct slice scheme, rest, decoded, name, word;
    struct error err = {0};
    struct arena arena;
    bool has_found = false;

    if (!slice_cut(header, ' ', &scheme, &rest) || !slice_eq_nocase(scheme, SLICE_LIT("Basic")))
        return false;
    arena_init(&arena, 64 * 1024);
    if (base64_decode(&arena, slice_trim(rest), &decoded, &err) == OK && slice_cut(decoded, ':', &name, &word)) {
        digest_sha256(name, slice_str(""), user);
        digest_sha256(word, slice_str(""), password);
        has_found = slice_eq_secret(slice_make(a->user, DIGEST_BYTES), slice_make(user, DIGEST_BYTES));
        has_found &= slice_eq_secret(slice_make(a->password, DIGEST_BYTES), slice_make(password, DIGEST_BYTES));
    }
    arena_release(&arena);
    return has_found;
}

static void challenge(struct http_call *call)
{
    const struct http_header headers[] = {
        {SLICE_LIT("WWW-Authenticate"), SLICE_LIT("Basic realm=\"Restricted\""), false},
    };

    http_reply(call, &(struct http_reply){.status = 401,
                                          .media_type = SLICE_LIT("text/plain; charset=utf-8"),
                                          .headers = headers,
                                          .n_headers = 1,
                                          .body = SLICE_LIT("a name and a password are needed (http block, auth)\n")});
}

static bool is_probe(struct slice path)
{
    return slice_eq_str(path, "/-/ready") || slice_eq_str(path, "/-/healthy");
}

bool auth_check(struct auth *a, struct http_call *call)
{
    struct slice path = http_call_path(call);
    char *sealed;
    bool is_let_in;

    pthread_mutex_lock(&a->lock);
    sealed = a->sealed != NULL && !is_probe(path)
                 ? mem_printf("closed: the http block cannot be applied: %s", a->sealed)
                 : NULL;
    is_let_in = !a->has_basic || !is_asked_for(a, path) || fits(a, http_call_header(call, "Authorization"));
    pthread_mutex_unlock(&a->lock);
    if (sealed != NULL) {
        http_reply_text(call, 503, sealed);
        mem_free(sealed);
        return false;
    }
    if (is_let_in)
        return true;
    log_warn("http", "a request without the right password was refused", log_slice("path", slice_head(path, 200)));
    challenge(call);
    return false;
}
