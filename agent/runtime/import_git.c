/* import.git: a module from a file or folder of a git repository. While pulls fail the revision that was got last
 * stays. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/runtime/git_checkout.h"
#include "agent/runtime/import.h"
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

enum { RETRY_S = 60 }; /* of the first pull, with pull_frequency 0 */

struct basic_args {
    struct slice username;
    struct river_secret password;
};
struct ssh_args {
    struct slice username, key_file;
    struct river_secret key, passphrase;
};
struct args {
    struct slice repository, revision, path;
    int64_t pull_ns;
    struct basic_args *basic_auth; /* NULL: absent */
    struct ssh_args *ssh_key;      /* NULL: absent */
};

struct component {
    struct host *host;
    struct loop *loop; /* the control loop */
    const struct args *args;
    struct git_checkout *git; /* owned */
    struct timer *timer;
    bool is_started, is_broken, has_any;
    unsigned n_ending; /* checkouts that are not gone yet */
    loop_fn closed;
    void *closed_arg;
};

static bool is_below(const char *root, const char *path)
{
    size_t n = strlen(root);

    return strncmp(path, root, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

struct check {
    const char *root, *folder;
    struct error *err;
    enum code code;
};

/* Links may not lead out of the checkout: what they lead to is this machine's. */
static enum code check_inside(const char *root, const char *path, struct error *err)
{
    char real_root[PATH_MAX], real[PATH_MAX];

    if (realpath(root, real_root) == NULL || realpath(path, real) == NULL)
        return error_set(err, INVALID, "%s is not in the repository", path + strlen(root) + 1);
    if (!is_below(real_root, real))
        return error_set(err, INVALID, "%s leads out of the repository", path + strlen(root) + 1);
    return OK;
}

static bool check_entry(void *arg, const char *name, bool is_dir)
{
    struct check *c = arg;
    char *path;

    if (is_dir ||
        (!slice_ends(slice_str(name), SLICE_LIT(".alloy")) && !slice_ends(slice_str(name), SLICE_LIT(".river"))))
        return true;
    path = mem_printf("%s/%s", c->folder, name);
    c->code = check_inside(c->root, path, c->err);
    mem_free(path);
    return c->code == OK;
}

static enum code check_path(const char *root, const char *path, struct error *err)
{
    struct check c = {.root = root, .folder = path, .err = err};
    struct file_stat st;
    enum code rc = check_inside(root, path, err);

    if (rc != OK)
        return rc;
    rc = file_stat_path(path, &st, err);
    if (rc == OK && st.is_dir)
        rc = dir_list(path, check_entry, &c, err);
    return rc == OK ? c.code : rc;
}

static void set_broken(struct component *c, const char *why)
{
    host_set_health(c->host, HEALTH_UNHEALTHY, "%s%s", why, c->has_any ? "; the revision that was got last stays" : "");
    if (!c->is_broken)
        log_error(host_id(c->host), "the repository cannot be pulled; the revision that was got last stays",
                  log_slice("repository", c->args->repository), log_str("err", why),
                  log_str("do", "it is tried again every pull_frequency"));
    c->is_broken = true;
}

/* False: why says what is wrong with it. */
static bool use(struct component *c, const struct git_result *r, struct error *why)
{
    char *path = mem_printf("%s/%.*s", r->root, SLICE_ARG(c->args->path));
    bool is_good = check_path(r->root, path, why) == OK;

    if (is_good) {
        git_checkout_accept(c->git);
        host_export(c->host, "folder", value_cstr(r->root));
        host_export(c->host, "path", value_cstr(path));
        host_export(c->host, "revision", value_cstr(r->commit));
        c->has_any = true;
    }
    mem_free(path);
    return is_good;
}

static void on_pulled(void *arg, const struct git_result *r)
{
    struct component *c = arg;
    int64_t next_ns = c->args->pull_ns;
    bool may_retry = !c->has_any;
    struct git_result before;
    struct error err = {0};

    if (r->error != NULL) {
        error_set(&err, IO, "%s", r->error);
        if (!c->has_any && git_checkout_recall(c->git, &before))
            (void)use(c, &before, NULL); /* of before the restart */
        set_broken(c, err.text);
    } else if (!use(c, r, &err)) {
        set_broken(c, err.text);
    } else {
        may_retry = false;
        host_set_health(c->host, HEALTH_HEALTHY, "at %s", r->commit);
        if (c->is_broken)
            log_info(host_id(c->host), "the repository can be pulled again", log_str("revision", r->commit));
        c->is_broken = false;
    }
    if (next_ns == 0 && may_retry)
        next_ns = (int64_t)RETRY_S * NS_PER_S;
    if (next_ns != 0)
        timer_start(c->timer, (uint64_t)(next_ns / NS_PER_MS), 0);
}

static void pull(void *arg)
{
    struct component *c = arg;

    git_checkout_pull(c->git, on_pulled, c);
}

static void free_when_gone(struct component *c)
{
    loop_fn closed = c->closed;
    void *closed_arg = c->closed_arg;

    if (closed == NULL || c->n_ending != 0)
        return;
    mem_free(c);
    closed(closed_arg);
}

static void on_gone(void *arg)
{
    struct component *c = arg;

    c->n_ending--;
    if (c->closed == NULL && c->n_ending == 0 && c->is_started)
        pull(c); /* with new arguments, now that nobody else is in the folder */
    free_when_gone(c);
}

static struct git_options options_of(const struct args *a)
{
    struct git_options o = {.repository = a->repository, .revision = a->revision};

    if (a->basic_auth != NULL) {
        o.user = a->basic_auth->username;
        o.password = a->basic_auth->password.text;
    }
    if (a->ssh_key != NULL) {
        o.ssh_user = a->ssh_key->username;
        o.ssh_key = a->ssh_key->key.text;
        o.ssh_key_file = a->ssh_key->key_file;
        o.ssh_passphrase = a->ssh_key->passphrase.text;
    }
    return o;
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct args *a = args;
    const struct git_options options = options_of(a);
    const char *folder = host_data_dir(host);
    struct component *c;

    *out = NULL;
    if (folder == NULL)
        return error_set(err, IO, "import.git needs a --storage.path that can be written: repositories are kept there");
    c = mem_zalloc(sizeof *c);
    c->host = host;
    c->loop = loops_control(host_loops(host));
    c->args = a;
    c->timer = timer_new(c->loop, pull, c);
    c->git = git_checkout_new(c->loop, folder, &options);
    host_set_health(host, HEALTH_UNKNOWN, "not pulled yet");
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    const struct args *a = args;
    const struct git_options options = options_of(a);
    struct component *c = self;
    struct git_checkout *old = c->git;

    (void)err;
    timer_stop(c->timer);
    c->args = a;
    c->git = git_checkout_new(c->loop, host_data_dir(c->host), &options);
    c->n_ending++;
    git_checkout_free(old, on_gone, c);
    return OK;
}

static void start(void *self)
{
    struct component *c = self;

    c->is_started = true;
    pull(c);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    timer_free(c->timer);
    c->closed = done;
    c->closed_arg = arg;
    c->n_ending++;
    git_checkout_free(c->git, on_gone, c);
}

/* ---- the table ---- */

static bool leads_out(struct slice path)
{
    struct slice part;

    if (path.len == 0 || path.ptr[0] == '/')
        return true;
    do {
        (void)slice_cut(path, '/', &part, &path);
        if (slice_eq_str(part, ".."))
            return true;
    } while (path.len != 0);
    return false;
}

static bool has_line_end(struct slice s)
{
    return slice_find(s, '\n') != s.len || slice_find(s, '\0') != s.len;
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct args *a = args;
    struct error why = {0};
    enum code rc = OK;

    if (git_check_repository(a->repository, &why) != OK)
        rc = river_problem(problems, "repository", "repository: %s", why.text);
    if (git_check_revision(a->revision, &why) != OK)
        rc = river_problem(problems, "revision", "revision: %s", why.text);
    if (leads_out(a->path) || has_line_end(a->path))
        rc = river_problem(problems, "path", "path must be one in the repository: relative, without \"..\"");
    if (a->basic_auth != NULL && a->ssh_key != NULL)
        rc = river_problem(problems, "ssh_key", "at most one of basic_auth and ssh_key may be set");
    if (a->basic_auth != NULL && (has_line_end(a->basic_auth->username) || has_line_end(a->basic_auth->password.text)))
        rc = river_problem(problems, "basic_auth", "user name and password may not have line ends");
    if (a->ssh_key != NULL && a->ssh_key->key.text.len != 0 && a->ssh_key->key_file.len != 0)
        rc = river_problem(problems, "ssh_key", "at most one of key and key_file may be set");
    if (a->ssh_key != NULL && (has_line_end(a->ssh_key->username) || has_line_end(a->ssh_key->key_file) ||
                               has_line_end(a->ssh_key->passphrase.text)))
        rc = river_problem(problems, "ssh_key", "username, key_file and passphrase may not have line ends");
    return rc;
}

static const struct river_field basic_fields[] = {
    {.name = "username",
     .kind = RIVER_STRING,
     .offset = offsetof(struct basic_args, username),
     .doc = "The user's name."},
    {.name = "password", .kind = RIVER_SECRET, .offset = offsetof(struct basic_args, password), .doc = "The password."},
    RIVER_FIELDS_END,
};
static const struct river_block basic_block = {.name = "basic_auth",
                                               .fields = basic_fields,
                                               .size = sizeof(struct basic_args),
                                               .doc = "User and password for HTTP."};
static const struct river_field ssh_fields[] = {
    {.name = "username",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct ssh_args, username),
     .doc = "The user's name at the SSH server; wins over the address's own."},
    {.name = "key", .kind = RIVER_SECRET, .offset = offsetof(struct ssh_args, key), .doc = "The private key."},
    {.name = "key_file",
     .kind = RIVER_STRING,
     .offset = offsetof(struct ssh_args, key_file),
     .doc = "File with the private key."},
    {.name = "passphrase",
     .kind = RIVER_SECRET,
     .offset = offsetof(struct ssh_args, passphrase),
     .doc = "The private key's passphrase."},
    RIVER_FIELDS_END,
};
static const struct river_block ssh_block = {.name = "ssh_key",
                                             .fields = ssh_fields,
                                             .size = sizeof(struct ssh_args),
                                             .doc = "A key for SSH; the server's own must be among the known hosts."};

static const struct river_field fields[] = {
    {.name = "repository",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct args, repository),
     .doc = "The repository's address, as git clone takes it."},
    {.name = "path",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct args, path),
     .doc = "The file in the repository, or a folder whose *.alloy and *.river files are one module."},
    {.name = "revision",
     .kind = RIVER_STRING,
     .offset = offsetof(struct args, revision),
     .def = "\"HEAD\"",
     .doc = "Branch, tag or commit; HEAD is the repository's default branch."},
    {.name = "pull_frequency",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 0,
     .offset = offsetof(struct args, pull_ns),
     .def = "\"60s\"",
     .doc = "How often the repository is pulled; 0s: once."},
    {.name = "basic_auth",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = offsetof(struct args, basic_auth),
     .block = &basic_block,
     .doc = "User and password for HTTP."},
    {.name = "ssh_key",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = offsetof(struct args, ssh_key),
     .block = &ssh_block,
     .doc = "A key for SSH."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {
    .name = "import.git",
    .fields = fields,
    .size = sizeof(struct args),
    .validate = validate,
    .doc = "A module from a git repository; its custom components are used as LABEL.NAME.",
};

static const struct component_export exports[] = {
    {"folder", "string", "The folder with the files of the revision."},
    {"path", "string", "The file or folder of the module in it."},
    {"revision", "string", "The commit."},
    {0},
};

const struct component_type component_import_git = {
    .name = "import.git",
    .stability = STABILITY_GA,
    .doc = "Imports a module from a git repository, again whenever it changes.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .start = start,
    .close = close_component,
};
