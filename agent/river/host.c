/* What the standard library sees of this machine. */
#include "agent/river/eval.h"
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__)
#define HOST_ARCH "amd64"
#elif defined(__aarch64__)
#define HOST_ARCH "arm64"
#else
#error "name this architecture as Go does"
#endif

enum { NAME_BYTES = 256 };

static bool process_env(void *self, struct slice name, struct slice *out)
{
    char key[NAME_BYTES];
    const char *value;

    (void)self;
    if (name.len == 0 || name.len >= sizeof key || slice_find(name, '\0') != name.len)
        return false;
    memcpy(key, name.ptr, name.len);
    key[name.len] = '\0';
    value = getenv(key);
    if (value == NULL)
        return false;
    *out = slice_str(value);
    return true;
}

const struct river_host *river_host_system(void)
{
    static char hostname[NAME_BYTES];
    static const struct river_host host = {
        .env = process_env, .hostname = hostname, .os = "linux", .arch = HOST_ARCH, .version = "v" HYAGENT_VERSION};

    if (hostname[0] == '\0' && gethostname(hostname, sizeof hostname - 1) != 0)
        hostname[0] = '\0';
    return &host;
}
