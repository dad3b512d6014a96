/* agent/runtime/git_environment.h - what git is told through its environment: its configuration instead of the
 * machine's, and the secrets. */
#ifndef AGENT_RUNTIME_GIT_ENVIRONMENT_H
#define AGENT_RUNTIME_GIT_ENVIRONMENT_H
#include "agent/base/arena.h"
#include "agent/base/slice.h"

struct git_access {
    const char *folder;          /* has the files ssh_key and askpass */
    const char *index;           /* the index file to use */
    const char *url;             /* of the repository, without user info */
    struct slice user, password; /* for its own host, by HTTP; both empty: none */
    struct slice ssh_user, ssh_key, ssh_key_file, ssh_passphrase;
};

/* NULL ends it; all of it lives in arena, or in this process's environment. */
const char *const *git_environment(const struct git_access *a, struct arena *arena);
#endif
