#include "agent/components/prometheus/exporter_unix/unix.h"
#include <stddef.h>

static const char *const names[UNIX_COLLECTOR_COUNT] = {
    [UNIX_CPU] = "cpu",         [UNIX_DISKSTATS] = "diskstats", [UNIX_FILESYSTEM] = "filesystem",
    [UNIX_LOADAVG] = "loadavg", [UNIX_MEMINFO] = "meminfo",     [UNIX_NETDEV] = "netdev",
    [UNIX_STAT] = "stat",       [UNIX_TIME] = "time",           [UNIX_UNAME] = "uname",
};

/* Collectors of node_exporter that are not built here: named in a warning when switched on, so that a configuration
 * written for Alloy starts and says what is missing. */
static const char *const known[] = {
    "arp",           "bcache",       "bonding",      "boottime",
    "btrfs",         "buddyinfo",    "cgroups",      "conntrack",
    "cpufreq",       "devstat",      "dmi",          "drbd",
    "drm",           "edac",         "entropy",      "ethtool",
    "exec",          "fibrechannel", "filefd",       "hwmon",
    "infiniband",    "interrupts",   "ipvs",         "ksmd",
    "lnstat",        "logind",       "mdadm",        "meminfo_numa",
    "mountstats",    "netclass",     "netisr",       "netstat",
    "network_route", "nfs",          "nfsd",         "ntp",
    "nvme",          "os",           "perf",         "powersupplyclass",
    "pressure",      "processes",    "qdisc",        "rapl",
    "runit",         "schedstat",    "selinux",      "slabinfo",
    "softirqs",      "softnet",      "sockstat",     "supervisord",
    "sysctl",        "systemd",      "tapestats",    "tcpstat",
    "textfile",      "thermal",      "thermal_zone", "timex",
    "udp_queues",    "vmstat",       "wifi",         "watchdog",
    "xfrm",          "xfs",          "zfs",          "zoneinfo",
};

const char *unix_collector_name(enum unix_collector c)
{
    return names[c];
}

static bool is_in(struct slice name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_str(name, list[i]))
            return true;
    return false;
}

static enum code check_names(const struct river_strings *given, const char *field, bool is_wanted,
                             struct river_problems *problems)
{
    enum code rc = OK;

    for (size_t i = 0; i < given->n; i++) {
        struct slice name = given->items[i];

        if (is_in(name, names, UNIX_COLLECTOR_COUNT))
            continue;
        if (!is_in(name, known, sizeof known / sizeof *known))
            rc = river_problem(problems, field, "node_exporter has no collector \"%.*s\"", SLICE_ARG(name));
        else if (is_wanted)
            river_problem_warn(problems, field,
                               "collector \"%.*s\" is not built into hyagent: its metrics will be missing",
                               SLICE_ARG(name));
    }
    return rc;
}

static enum code check_pattern(struct slice pattern, const char *field, struct river_problems *problems)
{
    struct error err = {0};
    struct regex *r = NULL;

    if (pattern.len == 0 || regex_compile(&r, pattern, REGEX_PLAIN, &err) == OK) {
        regex_free(r);
        return OK;
    }
    return river_problem(problems, field, "not a regular expression: %s", err.text);
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct unix_args *a = args;
    const struct {
        struct slice pattern;
        const char *field;
    } patterns[] = {
        {a->disk.include, "disk"},
        {a->disk.exclude, "disk"},
        {a->netdev.include, "netdev"},
        {a->netdev.exclude, "netdev"},
        {a->filesystem.fs_types_exclude, "filesystem"},
        {a->filesystem.mount_points_exclude, "filesystem"},
    };
    enum code rc = check_names(&a->enable_collectors, "enable_collectors", true, problems);

    if (check_names(&a->set_collectors, "set_collectors", true, problems) != OK ||
        check_names(&a->disable_collectors, "disable_collectors", false, problems) != OK)
        rc = INVALID;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (check_pattern(patterns[i].pattern, patterns[i].field, problems) != OK)
            rc = INVALID;
    return rc;
}

#define CPU(member) offsetof(struct unix_cpu_args, member)
static const struct river_field cpu_fields[] = {
    {.name = "guest",
     .kind = RIVER_BOOL,
     .offset = CPU(guest),
     .def = "false",
     .doc = "Also export node_cpu_guest_seconds_total."},
    {.name = "info", .kind = RIVER_BOOL, .flags = RIVER_REFUSED, .doc = "node_cpu_info is not built into hyagent."},
    {.name = "bugs_include",
     .kind = RIVER_STRING,
     .flags = RIVER_REFUSED,
     .doc = "node_cpu_bug_info is not built into hyagent."},
    {.name = "flags_include",
     .kind = RIVER_STRING,
     .flags = RIVER_REFUSED,
     .doc = "node_cpu_flag_info is not built into hyagent."},
    RIVER_FIELDS_END,
};
static const struct river_block cpu_block = {
    .name = "cpu", .fields = cpu_fields, .size = sizeof(struct unix_cpu_args), .doc = "The cpu collector."};

static const struct river_field disk_fields[] = {
    {.name = "device_exclude",
     .kind = RIVER_STRING,
     .offset = offsetof(struct unix_filter_args, exclude),
     .def = "\"^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\\\d+n\\\\d+p)\\\\d+$\"",
     .doc = "Regular expression of devices to leave out."},
    {.name = "device_include",
     .kind = RIVER_STRING,
     .offset = offsetof(struct unix_filter_args, include),
     .doc = "Regular expression of devices to take; then device_exclude has no effect."},
    RIVER_FIELDS_END,
};
static const struct river_block disk_block = {
    .name = "disk", .fields = disk_fields, .size = sizeof(struct unix_filter_args), .doc = "The diskstats collector."};

#define FS(member) offsetof(struct unix_filesystem_args, member)
static const struct river_field filesystem_fields[] = {
    {.name = "fs_types_exclude",
     .kind = RIVER_STRING,
     .offset = FS(fs_types_exclude),
     .def = "\"^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|"
            "mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$\"",
     .doc = "Regular expression of file system types to leave out."},
    {.name = "mount_points_exclude",
     .kind = RIVER_STRING,
     .offset = FS(mount_points_exclude),
     .def = "\"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+)($|/)\"",
     .doc = "Regular expression of mount points to leave out."},
    {.name = "mount_timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = FS(mount_timeout_ns),
     .def = "\"5s\"",
     .doc = "How long a mount may take to answer before it counts as stuck (at most 1s of it is waited for)."},
    RIVER_FIELDS_END,
};
static const struct river_block filesystem_block = {.name = "filesystem",
                                                    .fields = filesystem_fields,
                                                    .size = sizeof(struct unix_filesystem_args),
                                                    .doc = "The filesystem collector."};

#define NET(member) offsetof(struct unix_netdev_args, member)
static const struct river_field netdev_fields[] = {
    {.name = "address_info",
     .kind = RIVER_BOOL,
     .offset = NET(address_info),
     .flags = RIVER_REFUSED,
     .doc = "node_network_address_info is not built into hyagent."},
    {.name = "device_exclude",
     .kind = RIVER_STRING,
     .offset = NET(exclude),
     .doc = "Regular expression of interfaces to leave out."},
    {.name = "device_include",
     .kind = RIVER_STRING,
     .offset = NET(include),
     .doc = "Regular expression of interfaces to take."},
    RIVER_FIELDS_END,
};
static const struct river_block netdev_block = {
    .name = "netdev", .fields = netdev_fields, .size = sizeof(struct unix_netdev_args), .doc = "The netdev collector."};

/* Blocks of collectors that are not built: their contents are not looked at, a warning names them. */
#define NOT_BUILT(block_name)                                                                                          \
    {                                                                                                                  \
        .name = block_name, .kind = RIVER_BODY, .flags = RIVER_NO_EFFECT, .offset = ARG(ignored),                      \
        .doc = "Accepted for Alloy; the collector is not built into hyagent."                                          \
    }
struct all_args {
    struct unix_args args; /* first: the component sees only this */
    const struct ast_block *ignored;
    struct slice ignored_path;
};
#define ARG(member) offsetof(struct all_args, member)
static const struct river_field fields[] = {
    {.name = "include_exporter_metrics",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = ARG(args.include_exporter_metrics),
     .def = "false",
     .doc = "Accepted for Alloy: node_scrape_collector_* are always there, the agent's own metrics are "
            "prometheus.exporter.self's."},
    {.name = "procfs_path",
     .kind = RIVER_STRING,
     .offset = ARG(args.procfs_path),
     .def = "\"/proc\"",
     .doc = "Where procfs is mounted."},
    {.name = "sysfs_path",
     .kind = RIVER_STRING,
     .flags = RIVER_NO_EFFECT,
     .offset = ARG(args.sysfs_path),
     .def = "\"/sys\"",
     .doc = "Accepted for Alloy: no collector of hyagent reads sysfs."},
    {.name = "rootfs_path",
     .kind = RIVER_STRING,
     .offset = ARG(args.rootfs_path),
     .def = "\"/\"",
     .doc = "Where the host's root file system is mounted."},
    {.name = "udev_data_path",
     .kind = RIVER_STRING,
     .flags = RIVER_NO_EFFECT,
     .offset = ARG(ignored_path),
     .doc = "Accepted for Alloy; node_disk_info is not built into hyagent."},
    {.name = "enable_collectors",
     .kind = RIVER_STRING_LIST,
     .offset = ARG(args.enable_collectors),
     .doc = "Collectors to switch on in addition."},
    {.name = "disable_collectors",
     .kind = RIVER_STRING_LIST,
     .offset = ARG(args.disable_collectors),
     .doc = "Collectors to switch off."},
    {.name = "set_collectors",
     .kind = RIVER_STRING_LIST,
     .offset = ARG(args.set_collectors),
     .present = RIVER_PRESENT_AT(struct all_args, args.has_set_collectors),
     .doc = "Exactly these collectors."},
    {.name = "cpu", .kind = RIVER_BLOCK, .offset = ARG(args.cpu), .block = &cpu_block, .doc = "The cpu collector."},
    {.name = "disk",
     .kind = RIVER_BLOCK,
     .offset = ARG(args.disk),
     .block = &disk_block,
     .doc = "The diskstats collector."},
    {.name = "filesystem",
     .kind = RIVER_BLOCK,
     .offset = ARG(args.filesystem),
     .block = &filesystem_block,
     .doc = "The filesystem collector."},
    {.name = "netdev",
     .kind = RIVER_BLOCK,
     .offset = ARG(args.netdev),
     .block = &netdev_block,
     .doc = "The netdev collector."},
    NOT_BUILT("arp"),
    NOT_BUILT("bcache"),
    NOT_BUILT("ethtool"),
    NOT_BUILT("hwmon"),
    NOT_BUILT("ipvs"),
    NOT_BUILT("netclass"),
    NOT_BUILT("netstat"),
    NOT_BUILT("ntp"),
    NOT_BUILT("perf"),
    NOT_BUILT("powersupply"),
    NOT_BUILT("runit"),
    NOT_BUILT("supervisord"),
    NOT_BUILT("sysctl"),
    NOT_BUILT("systemd"),
    NOT_BUILT("tapestats"),
    NOT_BUILT("textfile"),
    NOT_BUILT("vmstat"),
    RIVER_FIELDS_END,
};

const struct river_block unix_args_block = {.name = "prometheus.exporter.unix",
                                            .fields = fields,
                                            .size = sizeof(struct all_args),
                                            .validate = validate,
                                            .doc = "This machine's metrics, under node_exporter's names."};
