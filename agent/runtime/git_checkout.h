/* agent/runtime/git_checkout.h - one revision of a git repository on disk, by the git program. In its folder: repo.git
 * (a bare repository with what was fetched) and at/COMMIT (the files of a commit, complete from its first moment: they
 * are put together under another name and renamed).
 *
 * git runs without the machine's configuration, without hooks, without a terminal to ask on, at most LIMIT_GIT_S per
 * step. Secrets reach it through its environment or files only its user can read, never its command line. Fetches one
 * commit where the server can, else everything. On the control loop. */
#ifndef AGENT_RUNTIME_GIT_CHECKOUT_H
#define AGENT_RUNTIME_GIT_CHECKOUT_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include "agent/io/loop.h"
#include <stdbool.h>

struct git_checkout;

/* All copied. */
struct git_options {
    struct slice repository, revision;
    struct slice user, password; /* HTTP; both empty: none */
    struct slice ssh_user, ssh_key, ssh_key_file, ssh_passphrase;
};

struct git_result {
    const char *error;  /* NULL: it went well; words without secrets */
    const char *commit; /* 40 or 64 hex digits */
    const char *root;   /* the folder with its files; removed by the next pull unless it is accepted */
};
typedef void (*git_done_fn)(void *arg, const struct git_result *result);

/* What cannot be given to git: a revision or an address that would be taken for something else. */
MUST_USE enum code git_check_revision(struct slice revision, struct error *err);
MUST_USE enum code git_check_repository(struct slice repository, struct error *err);

struct git_checkout *git_checkout_new(struct loop *loop, const char *folder, const struct git_options *options);
/* Fetches and lays out; done once, not inline. One at a time. */
void git_checkout_pull(struct git_checkout *g, git_done_fn done, void *arg);
/* In done: what was pulled is what is used from now on; it stays until another one is accepted, and one pull longer. */
void git_checkout_accept(struct git_checkout *g);
/* What was accepted last of this repository and revision, also before a restart (kept in the file "current"): for when
 * pulls fail. False: nothing is known, or it is gone. It is accepted again. */
bool git_checkout_recall(struct git_checkout *g, struct git_result *out);
/* Ends a pull under way, whose done does not run; gone(arg) when nothing is left, perhaps inline. */
void git_checkout_free(struct git_checkout *g, loop_fn gone, void *arg);
#endif
