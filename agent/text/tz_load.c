#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/text/tz_int.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Zones stay for good: components keep pointers to them and there are only so many names. */
static struct {
    pthread_mutex_t lock;
    struct tz *zones[LIMIT_TIME_ZONES];
    size_t n;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const folders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo"};

static bool is_safe(struct slice name)
{
    if (name.len >= sizeof((struct tz *)0)->name || name.ptr[0] == '/')
        return false;
    return slice_find(name, '\\') == name.len && slice_find(name, '\0') == name.len &&
           slice_find_slice(name, SLICE_LIT("..")) == name.len;
}

static enum code read_zone(struct tz **out, struct slice name, const char *path, struct error *err)
{
    FILE *f = fopen(path, "rb");
    enum code rc;
    char *bytes;
    size_t n;

    if (f == NULL)
        return error_set(err, INVALID, "time zone \"%.*s\" is not known", SLICE_ARG(name));
    bytes = mem_alloc(LIMIT_TIME_ZONE_FILE_BYTES);
    n = fread(bytes, 1, LIMIT_TIME_ZONE_FILE_BYTES, f);
    (void)fclose(f);
    rc = tz_parse(out, name, slice_make(bytes, n), err);
    mem_free(bytes);
    return rc;
}

static enum code find_zone(struct tz **out, struct slice name, struct error *err)
{
    const char *own = getenv("ZONEINFO");
    enum code rc = INVALID;
    char path[512];

    if (slice_eq_str(name, "Local"))
        return read_zone(out, name, "/etc/localtime", err);
    if (own != NULL && own[0] == '/') {
        (void)snprintf(path, sizeof path, "%s/%.*s", own, SLICE_ARG(name));
        rc = read_zone(out, name, path, err);
    }
    for (size_t i = 0; rc != OK && i < sizeof folders / sizeof *folders; i++) {
        (void)snprintf(path, sizeof path, "%s/%.*s", folders[i], SLICE_ARG(name));
        rc = read_zone(out, name, path, err);
    }
    return rc;
}

static enum code load_locked(const struct tz **out, struct slice name, struct error *err)
{
    struct tz *z;
    enum code rc;

    for (size_t i = 0; i < cache.n; i++) {
        if (slice_eq_str(name, cache.zones[i]->name)) {
            *out = cache.zones[i];
            return OK;
        }
    }
    if (cache.n == LIMIT_TIME_ZONES)
        return error_set(err, FULL, "time zone \"%.*s\": %d are loaded already", SLICE_ARG(name), LIMIT_TIME_ZONES);
    rc = find_zone(&z, name, err);
    if (rc == OK) {
        cache.zones[cache.n++] = z;
        *out = z;
    }
    return rc;
}

enum code tz_load(const struct tz **out, struct slice name, struct error *err)
{
    bool is_local = slice_eq_str(name, "Local");
    const char *from_env = is_local ? getenv("TZ") : NULL;
    enum code rc;

    *out = NULL;
    if (from_env != NULL) {
        name = slice_str(from_env);
        if (slice_starts(name, SLICE_LIT(":")))
            name = slice_from(name, 1);
    }
    if (name.len == 0 || slice_eq_str(name, "UTC")) {
        *out = tz_utc();
        return OK;
    }
    if (!is_safe(name)) {
        if (!is_local)
            return error_set(err, INVALID, "time zone \"%.*s\": not a zone's name", SLICE_ARG(name));
        *out = tz_utc();
        return OK;
    }
    (void)pthread_mutex_lock(&cache.lock);
    rc = load_locked(out, name, is_local ? NULL : err);
    (void)pthread_mutex_unlock(&cache.lock);
    if (rc != OK && is_local) {
        *out = tz_utc();
        return OK;
    }
    return rc;
}
