/* agent/components/prometheus/exporter_unix/unix.h - shared by the files of prometheus.exporter.unix. Metric names and
 * labels are node_exporter's, so that its dashboards and alerts go on working. */
#ifndef AGENT_COMPONENTS_PROMETHEUS_EXPORTER_UNIX_UNIX_H
#define AGENT_COMPONENTS_PROMETHEUS_EXPORTER_UNIX_UNIX_H
#include "agent/base/buf.h"
#include "agent/river/schema.h"
#include "agent/text/regex.h"
#include <stdint.h>

struct unix_filter_args {
    struct slice include, exclude;
};

struct unix_filesystem_args {
    struct slice fs_types_exclude, mount_points_exclude;
    int64_t mount_timeout_ns;
};

struct unix_cpu_args {
    bool guest;
};

struct unix_netdev_args {
    struct slice include, exclude;
    bool address_info;
};

struct unix_args {
    bool include_exporter_metrics;
    struct slice procfs_path, sysfs_path, rootfs_path;
    struct river_strings enable_collectors, disable_collectors, set_collectors;
    bool has_set_collectors;
    struct unix_cpu_args cpu;
    struct unix_filter_args disk;
    struct unix_filesystem_args filesystem;
    struct unix_netdev_args netdev;
};

extern const struct river_block unix_args_block;

enum unix_collector {
    UNIX_CPU,
    UNIX_DISKSTATS,
    UNIX_FILESYSTEM,
    UNIX_LOADAVG,
    UNIX_MEMINFO,
    UNIX_NETDEV,
    UNIX_STAT,
    UNIX_TIME,
    UNIX_UNAME,
    UNIX_COLLECTOR_COUNT,
};

const char *unix_collector_name(enum unix_collector c);

/* A name is taken when it matches include (if any) and does not match exclude (if any). */
struct unix_filter {
    struct regex *include, *exclude; /* owned; NULL: not set */
};
bool unix_filter_takes(const struct unix_filter *f, struct slice name);

struct unix_mounts; /* filesystem.c: statvfs on a thread of its own, because a dead network mount never answers */

struct unix_exporter {
    char *procfs, *rootfs; /* owned */
    bool is_on[UNIX_COLLECTOR_COUNT];
    bool cpu_guest;
    struct unix_filter disk, netdev;
    struct unix_mounts *mounts;
};

/* Each appends its families to out and returns IO with a reason when its source cannot be read. */
typedef enum code (*unix_collect_fn)(struct unix_exporter *x, struct buf *out, struct error *err);
enum code unix_collect_cpu(struct unix_exporter *x, struct buf *out, struct error *err);
enum code unix_collect_diskstats(struct unix_exporter *x, struct buf *out, struct error *err);
enum code unix_collect_filesystem(struct unix_exporter *x, struct buf *out, struct error *err);
enum code unix_collect_loadavg(struct unix_exporter *x, struct buf *out, struct error *err);
enum code unix_collect_meminfo(struct unix_exporter *x, struct buf *out, struct error *err);
enum code unix_collect_netdev(struct unix_exporter *x, struct buf *out, struct error *err);
enum code unix_collect_stat(struct unix_exporter *x, struct buf *out, struct error *err);
enum code unix_collect_time(struct unix_exporter *x, struct buf *out, struct error *err);
enum code unix_collect_uname(struct unix_exporter *x, struct buf *out, struct error *err);

MUST_USE enum code unix_mounts_new(struct unix_mounts **out, const struct unix_filesystem_args *args,
                                   const char *procfs, const char *rootfs, struct error *err);
void unix_mounts_free(struct unix_mounts *m); /* NULL is fine; a thread that hangs in a dead mount frees it later */
enum code unix_mounts_write(struct unix_mounts *m, struct buf *out, struct error *err);

/* text.c */
/* The whole of a /proc or /sys file, at most 1 MiB; the caller releases out. */
MUST_USE enum code unix_read(const char *root, const char *path, struct buf *out, struct error *err);
/* The next line (without its end) and what follows; false at the end. */
bool unix_next_line(struct slice *rest, struct slice *line);
/* The next run of non-blanks; empty at the end. */
struct slice unix_next_word(struct slice *rest);
void unix_family(struct buf *out, const char *name, const char *type, const char *help);
/* One sample; labels is `a="b",c="d"` already escaped, or "". */
void unix_sample(struct buf *out, const char *name, const char *labels, double value);
void unix_add_label(struct buf *labels, const char *name, struct slice value);
#endif
