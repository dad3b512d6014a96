#include "agent/components/prometheus/exporter_unix/unix.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum code unix_read(const char *root, const char *path, struct buf *out, struct error *err)
{
    char full[4096];
    enum code rc = OK;
    ssize_t n;
    int fd;

    (void)snprintf(full, sizeof full, "%s%s", root, path);
    buf_init(out, 1024 * 1024);
    fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, IO, "cannot read %s: %s", full, strerror(errno));
    do {
        rc = buf_reserve(out, 16 * 1024);
        if (rc != OK)
            break;
        n = read(fd, out->ptr + out->len, out->cap - out->len);
        if (n < 0)
            rc = error_set(err, IO, "cannot read %s: %s", full, strerror(errno));
        else
            out->len += (size_t)n;
    } while (rc == OK && n > 0);
    (void)close(fd);
    if (rc != OK)
        buf_release(out);
    return rc;
}

bool unix_next_line(struct slice *rest, struct slice *line)
{
    if (rest->len == 0)
        return false;
    (void)slice_cut(*rest, '\n', line, rest);
    return true;
}

struct slice unix_next_word(struct slice *rest)
{
    size_t from = 0, to;

    while (from < rest->len && (rest->ptr[from] == ' ' || rest->ptr[from] == '\t'))
        from++;
    to = from;
    while (to < rest->len && rest->ptr[to] != ' ' && rest->ptr[to] != '\t')
        to++;
    struct slice word = slice_make(rest->ptr + from, to - from);
    *rest = slice_from(*rest, to);
    return word;
}

void unix_family(struct buf *out, const char *name, const char *type, const char *help)
{
    (void)buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void unix_sample(struct buf *out, const char *name, const char *labels, double value)
{
    (void)buf_add_str(out, name);
    if (labels[0] != '\0')
        (void)buf_printf(out, "{%s}", labels);
    if (value == floor(value) && fabs(value) < 1e15)
        (void)buf_printf(out, " %.0f\n", value);
    else
        (void)buf_printf(out, " %.17g\n", value);
}

void unix_add_label(struct buf *labels, const char *name, struct slice value)
{
    (void)buf_printf(labels, "%s%s=\"", labels->len != 0 ? "," : "", name);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\\' || value.ptr[i] == '"')
            (void)buf_add_char(labels, '\\');
        if (value.ptr[i] == '\n')
            (void)buf_add_str(labels, "\\n");
        else
            (void)buf_add_char(labels, value.ptr[i]);
    }
    (void)buf_add_str(labels, "\"");
}
