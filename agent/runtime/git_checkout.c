#include "agent/runtime/git_checkout.h"
#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/io/http_url.h"
#include "agent/io/process.h"
#include "agent/io/work.h"
#include "agent/runtime/git_environment.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGS_MAX = 24, COMMIT_MAX = 64, TREE_DEPTH_MAX = 200 };

enum step { STEP_INIT, STEP_FETCH_ONE, STEP_FETCH_ALL, STEP_RESOLVE, STEP_INDEX, STEP_FILES };

struct git_checkout {
    struct loop *loop;
    struct arena arena; /* all texts below */
    struct git_access access;
    char *git_dir, *at, *revision;

    enum step step;
    struct process *process;
    bool is_shallow_refused; /* by this server or for this revision: fetch everything */
    bool is_all;             /* this pull fetched everything */
    unsigned n_resolved;     /* ways tried to find the revision among it */
    char commit[COMMIT_MAX + 1];
    char accepted[COMMIT_MAX + 1]; /* what is used; "": not known */
    char *root;                    /* of commit; owned */
    git_done_fn done;
    void *arg;
    bool is_working; /* a thread of the pool has it */
    struct error failure;
    bool is_ending;
    loop_fn gone;
    void *gone_arg;
};

/* ---- what may be given to git ---- */

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return true;
    return false;
}

enum code git_check_revision(struct slice r, struct error *err)
{
    static const char *const special[] = {"FETCH_HEAD", "ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD"};

    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (slice_eq_str(r, special[i]))
            return error_set(err, INVALID, "%s is not a revision of the repository: give a branch, tag or commit",
                             special[i]);
    if (r.len == 0 || r.len > 1024 || r.ptr[0] == '-' || r.ptr[0] == '+')
        return error_set(err, INVALID, "\"%.*s\" is not a branch, tag or commit", SLICE_ARG(r));
    for (size_t i = 0; i < r.len; i++)
        if ((unsigned char)r.ptr[i] <= ' ' || strchr(":*?[\\", r.ptr[i]) != NULL)
            return error_set(err, INVALID, "\"%.*s\" is not a branch, tag or commit", SLICE_ARG(r));
    return OK;
}

enum code git_check_repository(struct slice r, struct error *err)
{
    if (r.len == 0 || r.ptr[0] == '-' || has_control(r) ||
        slice_find_slice(r, SLICE_LIT("::")) != r.len) /* ext::COMMAND and other helpers */
        return error_set(err, INVALID, "it is not the address of a repository");
    return OK;
}

/* User and password of an HTTP address become what basic_auth gives: git would put them on a command line. */
static void take_user_info(struct git_checkout *g, struct slice repository)
{
    struct slice user, password;
    struct http_url u;
    struct buf plain;
    size_t before;

    g->access.url = arena_strndup(&g->arena, repository);
    if ((!slice_starts(repository, SLICE_LIT("http://")) && !slice_starts(repository, SLICE_LIT("https://"))) ||
        http_url_parse(&u, repository, NULL) != OK || u.userinfo.ptr == NULL || u.userinfo.len == 0)
        return;
    before = (size_t)(u.userinfo.ptr - repository.ptr);
    g->access.url =
        arena_printf(&g->arena, "%.*s%.*s", (int)before, repository.ptr,
                     (int)(repository.len - before - u.userinfo.len - 1), u.userinfo.ptr + u.userinfo.len + 1);
    if (g->access.user.len != 0 || g->access.password.len != 0)
        return;
    (void)slice_cut(u.userinfo, ':', &user, &password);
    buf_init(&plain, LIMIT_CREDENTIAL_FILE_BYTES);
    if (http_url_unescape(&plain, user, false) == OK)
        g->access.user = arena_copy(&g->arena, buf_slice(&plain));
    buf_reset(&plain);
    if (http_url_unescape(&plain, password, false) == OK)
        g->access.password = arena_copy(&g->arena, buf_slice(&plain));
    buf_release(&plain);
}

struct git_checkout *git_checkout_new(struct loop *loop, const char *folder, const struct git_options *options)
{
    struct git_checkout *g = mem_zalloc(sizeof *g);
    struct slice key = options->ssh_key;

    g->loop = loop;
    arena_init(&g->arena, 0);
    g->access.folder = arena_strndup(&g->arena, slice_str(folder));
    g->git_dir = arena_printf(&g->arena, "%s/repo.git", folder);
    g->access.index = arena_printf(&g->arena, "%s/index.tmp", folder);
    g->at = arena_printf(&g->arena, "%s/at", folder);
    g->revision = arena_strndup(&g->arena, options->revision);
    g->access.user = arena_copy(&g->arena, options->user);
    g->access.password = arena_copy(&g->arena, options->password);
    g->access.ssh_user = arena_copy(&g->arena, options->ssh_user);
    if (key.len != 0) /* ssh wants the last line ended */
        g->access.ssh_key = slice_str(
            arena_printf(&g->arena, "%.*s%s", (int)key.len, key.ptr, key.ptr[key.len - 1] == '\n' ? "" : "\n"));
    g->access.ssh_key_file = arena_copy(&g->arena, options->ssh_key_file);
    g->access.ssh_passphrase = arena_copy(&g->arena, options->ssh_passphrase);
    take_user_info(g, options->repository);
    return g;
}

/* ---- the steps ---- */

static void run(struct git_checkout *g, enum step step);

static void tell(struct git_checkout *g, const char *error)
{
    struct git_result result = {.error = error, .commit = g->commit, .root = g->root};

    if (g->access.ssh_key.len != 0) {
        char *path = mem_printf("%s/ssh_key", g->access.folder);

        (void)unlink(path);
        mem_free(path);
    }
    g->done(g->arg, &result);
}

static void forget_secret(struct buf *text, struct slice secret)
{
    size_t at;

    if (secret.len == 0)
        return;
    while ((at = slice_find_slice(buf_slice(text), secret)) < text->len)
        memset(text->ptr + at, '*', secret.len);
}

/* The last line that says what is wrong: "fatal: ...", without our secrets. */
static const char *why_of(struct git_checkout *g, struct slice text, struct buf *out)
{
    struct slice line, best = SLICE_LIT("git failed");

    while (text.len != 0) {
        (void)slice_cut(text, '\n', &line, &text);
        line = slice_trim(line);
        if (line.len != 0 && (slice_starts(line, SLICE_LIT("fatal:")) || slice_starts(line, SLICE_LIT("error:")) ||
                              !slice_starts(best, SLICE_LIT("fatal:"))))
            best = line;
    }
    (void)buf_add(out, slice_head(best, 400));
    forget_secret(out, g->access.password);
    forget_secret(out, g->access.ssh_passphrase);
    (void)buf_add_char(out, '\0');
    return out->ptr;
}

static void on_laid_out(struct git_checkout *g)
{
    char *partial = mem_printf("%s/%s.tmp", g->at, g->commit), *whole = mem_printf("%s/%s", g->at, g->commit);

    (void)unlink(g->access.index);
    if (rename(partial, whole) != 0) {
        error_set(&g->failure, IO, "the checkout cannot be put in place: %s", whole);
        mem_free(whole);
        mem_free(partial);
        tell(g, g->failure.text);
        return;
    }
    mem_free(partial);
    mem_free(g->root);
    g->root = whole;
    tell(g, NULL);
}

/* The commit is known: its files are there already, or are laid out. */
static void on_resolved(struct git_checkout *g, struct slice out)
{
    char *whole, *partial;
    struct file_stat st;
    struct error err = {0};

    out = slice_head(slice_trim(out), COMMIT_MAX);
    memcpy(g->commit, out.ptr, out.len);
    g->commit[out.len] = '\0';
    whole = mem_printf("%s/%s", g->at, g->commit);
    if (file_stat_path(whole, &st, &err) == OK && st.is_dir) {
        mem_free(g->root);
        g->root = whole;
        tell(g, NULL);
        return;
    }
    mem_free(whole);
    partial = mem_printf("%s/%s.tmp", g->at, g->commit);
    if (dir_make(partial, 0700, &g->failure) == OK)
        run(g, STEP_INDEX);
    else
        tell(g, g->failure.text);
    mem_free(partial);
}

static bool is_commit(struct slice s)
{
    s = slice_trim(s);
    for (size_t i = 0; i < s.len; i++)
        if (strchr("0123456789abcdef", s.ptr[i]) == NULL)
            return false;
    return s.len == 40 || s.len == 64;
}

static void on_ran(struct git_checkout *g, struct slice out)
{
    switch (g->step) {
    case STEP_INIT:
        run(g, g->is_shallow_refused ? STEP_FETCH_ALL : STEP_FETCH_ONE);
        return;
    case STEP_FETCH_ONE:
    case STEP_FETCH_ALL:
        g->is_all = g->step == STEP_FETCH_ALL;
        g->n_resolved = 0;
        run(g, STEP_RESOLVE);
        return;
    case STEP_RESOLVE:
        if (is_commit(out))
            on_resolved(g, out);
        else
            tell(g, "git gave no commit");
        return;
    case STEP_INDEX:
        run(g, STEP_FILES);
        return;
    case STEP_FILES:
        on_laid_out(g);
        return;
    }
}

/* True: there is another way, and it was begun. */
static bool try_otherwise(struct git_checkout *g)
{
    if (g->step == STEP_FETCH_ONE) { /* no shallow fetches here (dumb HTTP), or the revision is no name there */
        g->is_shallow_refused = true;
        run(g, STEP_FETCH_ALL);
        return true;
    }
    if (g->step == STEP_RESOLVE && g->is_all && ++g->n_resolved < 3) {
        run(g, STEP_RESOLVE);
        return true;
    }
    return false;
}

static void on_exit_of(void *arg, const struct process_result *r)
{
    struct git_checkout *g = arg;
    struct buf why;

    g->process = NULL;
    if (r->outcome == PROCESS_EXITED && r->status == 0) {
        on_ran(g, r->out);
        return;
    }
    if (r->outcome == PROCESS_EXITED && try_otherwise(g))
        return;
    buf_init(&why, 1024);
    if (r->outcome == PROCESS_TIMED_OUT)
        error_set(&g->failure, IO, "git took longer than %d s", LIMIT_GIT_S);
    else if (r->outcome == PROCESS_NOT_RUN)
        error_set(&g->failure, IO, "%.*s: install git", SLICE_ARG(r->error));
    else if (r->outcome == PROCESS_KILLED)
        error_set(&g->failure, IO, "git was ended by signal %d", r->status);
    else if (g->step == STEP_RESOLVE)
        error_set(&g->failure, INVALID, "there is no branch, tag or commit %s in the repository", g->revision);
    else
        error_set(&g->failure, IO, "%s", why_of(g, r->err, &why));
    buf_release(&why);
    g->is_shallow_refused = g->is_shallow_refused && g->is_all; /* a failed fetch says nothing about the server */
    tell(g, g->failure.text);
}

/* What a revision may be once everything was fetched, as Alloy looks for it: a tag, a branch, anything else. */
static const char *candidate(struct git_checkout *g, struct arena *arena)
{
    if (!g->is_all)
        return "FETCH_HEAD^{commit}";
    switch (g->n_resolved) {
    case 0:
        return arena_printf(arena, "refs/tags/%s^{commit}", g->revision);
    case 1:
        return arena_printf(arena, "refs/remotes/origin/%s^{commit}", g->revision);
    default:
        return arena_printf(arena, "%s^{commit}", g->revision);
    }
}

static size_t put_fetch(struct git_checkout *g, enum step step, struct arena *arena, const char **argv)
{
    const char *shallow = arena_printf(arena, "%s/shallow", g->git_dir);
    struct error err = {0};
    struct file_stat st;
    size_t n = 0;

    argv[n++] = "fetch";
    argv[n++] = "--quiet";
    argv[n++] = "--force";
    argv[n++] = "--no-tags";
    if (step == STEP_FETCH_ONE) {
        argv[n++] = "--depth=1";
        argv[n++] = "origin";
        argv[n++] = g->revision;
        return n;
    }
    argv[n++] = "--prune";
    if (file_stat_path(shallow, &st, &err) == OK)
        argv[n++] = "--unshallow";
    argv[n++] = "origin";
    if (strcmp(g->revision, "HEAD") == 0)
        argv[n++] = "+HEAD:refs/remotes/origin/HEAD";
    argv[n++] = "+refs/heads/*:refs/remotes/origin/*";
    argv[n++] = "+refs/tags/*:refs/tags/*";
    return n;
}

static void run(struct git_checkout *g, enum step step)
{
    const char *argv[ARGS_MAX] = {"git", "--git-dir", g->git_dir};
    struct arena arena;
    size_t n = 3;

    arena_init(&arena, 0);
    g->step = step;
    switch (step) {
    case STEP_INIT:
        argv[1] = "init";
        argv[2] = "--quiet";
        argv[n++] = "--bare";
        argv[n++] = g->git_dir;
        break;
    case STEP_FETCH_ONE:
    case STEP_FETCH_ALL:
        n += put_fetch(g, step, &arena, argv + n);
        break;
    case STEP_RESOLVE:
        argv[n++] = "rev-parse";
        argv[n++] = "--verify";
        argv[n++] = "--quiet";
        argv[n++] = candidate(g, &arena);
        break;
    case STEP_INDEX:
        argv[n++] = "read-tree";
        argv[n++] = g->commit;
        break;
    case STEP_FILES:
        argv[n++] = "--work-tree";
        argv[n++] = arena_printf(&arena, "%s/%s.tmp", g->at, g->commit);
        argv[n++] = "checkout-index";
        argv[n++] = "--all";
        argv[n++] = "--force";
        argv[n++] = "--quiet";
        break;
    }
    argv[n] = NULL;
    g->process = process_start(g->loop, &(struct process_options){.argv = argv,
                                                                  .env = git_environment(&g->access, &arena),
                                                                  .timeout_ms = (uint64_t)LIMIT_GIT_S * MS_PER_S,
                                                                  .done = on_exit_of,
                                                                  .arg = g});
    arena_release(&arena);
}

/* ---- what older pulls left ---- */

struct removal {
    const char *folder;
    unsigned depth;
};

static void remove_tree(const char *path, unsigned depth);

static bool remove_entry(void *arg, const char *name, bool is_dir)
{
    struct removal *r = arg;
    char *path = mem_printf("%s/%s", r->folder, name);
    struct stat st;

    (void)is_dir; /* a link to a folder is no folder */
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        remove_tree(path, r->depth + 1);
    else
        (void)unlink(path);
    mem_free(path);
    return true;
}

static void remove_tree(const char *path, unsigned depth)
{
    struct removal r = {path, depth};
    struct error err = {0};

    if (depth > TREE_DEPTH_MAX || dir_list(path, remove_entry, &r, &err) != OK)
        return;
    (void)rmdir(path);
}

static bool remove_other(void *arg, const char *name, bool is_dir)
{
    struct git_checkout *g = arg;
    char *path;

    (void)is_dir;
    if (strcmp(name, g->accepted) == 0)
        return true;
    path = mem_printf("%s/%s", g->at, name);
    remove_tree(path, 0);
    mem_free(path);
    return true;
}

static enum code write_ssh_files(struct git_checkout *g, struct error *err)
{
    char *path = mem_printf("%s/ssh_key", g->access.folder);
    enum code rc = OK;

    if (g->access.ssh_key.len != 0)
        rc = file_write_atomic(path, g->access.ssh_key, 0600, false, err);
    mem_free(path);
    if (rc != OK || g->access.ssh_passphrase.len == 0)
        return rc;
    path = mem_printf("%s/askpass", g->access.folder);
    rc =
        file_write_atomic(path, SLICE_LIT("#!/bin/sh\nprintf '%s\\n' \"$HYAGENT_SSH_PASSPHRASE\"\n"), 0700, false, err);
    mem_free(path);
    return rc;
}

/* On a thread of the pool: the checkouts of other commits go, except on the first pull, which may want one of them. */
static void tidy(void *arg)
{
    struct git_checkout *g = arg;
    struct error err = {0};

    if (dir_make(g->at, 0700, &g->failure) != OK || write_ssh_files(g, &g->failure) != OK)
        return;
    if (g->accepted[0] != '\0' && dir_list(g->at, remove_other, g, &err) != OK)
        return; /* tried again with the next pull */
}

static void free_now(struct git_checkout *g)
{
    loop_fn gone = g->gone;
    void *arg = g->gone_arg;
    char *key = mem_printf("%s/ssh_key", g->access.folder);

    if (g->access.ssh_key.len != 0)
        (void)unlink(key);
    mem_free(key);
    mem_free(g->root);
    arena_release(&g->arena);
    mem_free(g);
    gone(arg);
}

static void on_killed(void *arg)
{
    free_now(arg);
}

static void on_tidied(void *arg)
{
    struct git_checkout *g = arg;
    struct file_stat st;
    struct error err = {0};
    char *head;

    g->is_working = false;
    if (g->is_ending) {
        free_now(g);
        return;
    }
    if (g->failure.text[0] != '\0') {
        tell(g, g->failure.text);
        return;
    }
    head = mem_printf("%s/HEAD", g->git_dir);
    if (file_stat_path(head, &st, &err) == OK)
        run(g, g->is_shallow_refused ? STEP_FETCH_ALL : STEP_FETCH_ONE);
    else
        run(g, STEP_INIT);
    mem_free(head);
}

void git_checkout_pull(struct git_checkout *g, git_done_fn done, void *arg)
{
    g->done = done;
    g->arg = arg;
    g->failure = (struct error){0};
    g->is_working = true;
    work_run(g->loop, tidy, on_tidied, g);
}

/* Which repository and revision: "current" is of no use to another. */
static uint64_t identity_of(const struct git_checkout *g)
{
    return hash64_stable(slice_str(g->access.url)) * 31 + hash64_stable(slice_str(g->revision));
}

void git_checkout_accept(struct git_checkout *g)
{
    char *path = mem_printf("%s/current", g->access.folder);
    char *text = mem_printf("%016llx %s\n", (unsigned long long)identity_of(g), g->commit);
    bool is_new = strcmp(g->accepted, g->commit) != 0;
    struct error err = {0};

    memcpy(g->accepted, g->commit, sizeof g->accepted);
    if (is_new && file_write_atomic(path, slice_str(text), 0600, false, &err) != OK)
        log_warn(NULL, "the revision that is used cannot be kept for a restart", log_str("err", err.text));
    mem_free(text);
    mem_free(path);
}

bool git_checkout_recall(struct git_checkout *g, struct git_result *out)
{
    char *path = mem_printf("%s/current", g->access.folder);
    char *begin = mem_printf("%016llx ", (unsigned long long)identity_of(g)), *root = NULL;
    struct error err = {0};
    struct slice commit = {0};
    struct file_stat st;
    struct buf text;

    buf_init(&text, 256);
    if (file_read_all(path, &text, &err) == OK && slice_starts(buf_slice(&text), slice_str(begin)))
        commit = slice_trim(slice_from(buf_slice(&text), strlen(begin)));
    if (is_commit(commit))
        root = mem_printf("%s/%.*s", g->at, SLICE_ARG(commit));
    if (root != NULL && file_stat_path(root, &st, &err) == OK && st.is_dir) {
        memcpy(g->commit, commit.ptr, commit.len);
        g->commit[commit.len] = '\0';
        memcpy(g->accepted, g->commit, sizeof g->accepted);
        mem_free(g->root);
        g->root = root;
        root = NULL;
        *out = (struct git_result){.commit = g->commit, .root = g->root};
    }
    mem_free(root);
    mem_free(begin);
    mem_free(path);
    buf_release(&text);
    return g->accepted[0] != '\0';
}

void git_checkout_free(struct git_checkout *g, loop_fn gone, void *arg)
{
    g->is_ending = true;
    g->gone = gone;
    g->gone_arg = arg;
    if (g->is_working)
        return; /* on_tidied */
    if (g->process != NULL)
        process_cancel(g->process, on_killed, g);
    else
        free_now(g);
}
