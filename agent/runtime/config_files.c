#include "agent/runtime/config_files.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

static enum code read_all(int fd, struct buf *out, struct error *err)
{
    enum code rc = OK;
    ssize_t n = 0;

    buf_init(out, LIMIT_CONFIG_FILE_BYTES);
    do {
        rc = buf_reserve(out, READ_BYTES);
        if (rc == FULL && out->len < out->max) { /* the last piece */
            out->is_full = false;
            rc = buf_reserve(out, out->max - out->len);
        }
        if (rc == FULL)
            error_set(err, rc, "is larger than %u bytes", LIMIT_CONFIG_FILE_BYTES);
        if (rc != OK)
            break;
        n = read(fd, out->ptr + out->len, out->cap - out->len);
        if (n > 0)
            out->len += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    if (rc == OK && n < 0)
        rc = error_set(err, IO, "cannot be read: %s", strerror(errno));
    if (rc != OK)
        buf_release(out);
    return rc;
}

enum code config_file_read(const char *path, struct buf *out, struct error *err)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    enum code rc;

    if (fd < 0)
        return error_set(err, IO, "cannot be opened: %s", strerror(errno));
    rc = read_all(fd, out, err);
    close(fd);
    return rc;
}

enum code config_import_read(const char *path, struct buf *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    enum code rc;

    if (fd < 0)
        return error_set(err, IO, "cannot be opened: %s", strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        rc = error_set(err, INVALID, "is no file");
    else
        rc = read_all(fd, out, err);
    close(fd);
    return rc;
}

static enum code add_file(struct config_texts *out, const char *path, struct diags *diags)
{
    struct error err = {0};
    struct buf text;
    size_t len;

    if (config_file_read(path, &text, &err) != OK) {
        diags_error_file(diags, path, "%s", err.text);
        return IO;
    }
    out->items = mem_realloc(out->items, (out->n + 1) * sizeof *out->items);
    len = text.len;
    out->items[out->n].text = slice_make(buf_take(&text, &len), len);
    out->items[out->n].name = mem_strdup(path);
    out->n++;
    return OK;
}

static int is_config_file(const struct dirent *entry)
{
    struct slice name = slice_str(entry->d_name);

    if (entry->d_type == DT_DIR || slice_ends(name, SLICE_LIT("_test.river")) || slice_starts(name, SLICE_LIT(".")))
        return 0;
    return slice_ends(name, SLICE_LIT(".river")) || slice_ends(name, SLICE_LIT(".alloy"));
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum code list_folder(const char *path, char ***paths, size_t *n_paths, struct error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, is_config_file, by_bytes);
    bool has_slash = slice_ends(slice_str(path), SLICE_LIT("/"));

    *n_paths = 0;
    if (n < 0)
        return error_set(err, IO, "cannot be listed: %s", strerror(errno));
    *paths = mem_array((size_t)n + 1, sizeof **paths);
    for (int i = 0; i < n; i++) {
        (*paths)[(*n_paths)++] = mem_printf("%s%s%s", path, has_slash ? "" : "/", entries[i]->d_name);
        free(entries[i]); /* scandir's */
    }
    free(entries);
    return OK;
}

enum code config_import_list(const char *path, char ***paths, size_t *n, bool *is_folder, struct error *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return error_set(err, IO, "cannot be opened: %s", strerror(errno));
    *is_folder = S_ISDIR(st.st_mode);
    if (*is_folder)
        return list_folder(path, paths, n, err);
    *paths = mem_array(1, sizeof **paths);
    (*paths)[0] = mem_strdup(path);
    *n = 1;
    return OK;
}

static enum code add_folder(struct config_texts *out, const char *path, struct diags *diags)
{
    struct error err = {0};
    char **paths = NULL;
    size_t n;
    enum code rc = list_folder(path, &paths, &n, &err);

    if (rc != OK) {
        diags_error_file(diags, path, "%s", err.text);
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        enum code one = add_file(out, paths[i], diags);

        rc = rc == OK ? one : rc;
        mem_free(paths[i]);
    }
    mem_free(paths);
    if (n == 0) {
        diags_error_file(diags, path, "the folder holds no *.river and no *.alloy file");
        rc = INVALID;
    }
    return rc;
}

enum code config_files_read(const char *path, struct config_texts *out, struct diags *diags)
{
    struct stat st;

    *out = (struct config_texts){0};
    if (strcmp(path, "-") == 0)
        return add_file(out, path, diags);
    if (stat(path, &st) != 0) {
        diags_error_file(diags, path, "cannot be opened: %s", strerror(errno));
        return IO;
    }
    return S_ISDIR(st.st_mode) ? add_folder(out, path, diags) : add_file(out, path, diags);
}

void config_texts_release(struct config_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++) {
        union {
            const char *borrowed;
            char *owned;
        } name = {.borrowed = texts->items[i].name}, text = {.borrowed = texts->items[i].text.ptr};

        mem_free(name.owned);
        mem_free(text.owned);
    }
    mem_free(texts->items);
    *texts = (struct config_texts){0};
}
