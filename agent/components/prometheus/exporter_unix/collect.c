/* The collectors that read one file of /proc each: cpu, stat, loadavg, meminfo, netdev, diskstats, time, uname. */
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/components/prometheus/exporter_unix/unix.h"
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *terminated(struct buf *labels)
{
    (void)buf_add_char(labels, '\0');
    return labels->is_full || labels->ptr == NULL ? "" : labels->ptr;
}

/* One sample with up to two labels. */
static void labelled(struct buf *out, const char *metric, const char *name1, struct slice value1, const char *name2,
                     struct slice value2, double value)
{
    struct buf labels;

    buf_init(&labels, 8192);
    unix_add_label(&labels, name1, value1);
    if (name2 != NULL)
        unix_add_label(&labels, name2, value2);
    unix_sample(out, metric, terminated(&labels), value);
    buf_release(&labels);
}

static double number(struct slice s)
{
    double value;

    return slice_to_f64(s, &value) ? value : 0;
}

/* "cpu0 4705 150 1120 16250 520 30 45 10 20 5": user nice system idle iowait irq softirq steal guest guest_nice, in
 * ticks (proc(5)). The kernel counts guest in user; node_exporter leaves it there, and so does this. */
static void write_cpu_line(struct slice line, struct buf *out, bool is_guest)
{
    static const char *const modes[] = {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};
    static const char *const guest_modes[] = {"user", "nice"};
    double ticks = (double)sysconf(_SC_CLK_TCK);
    struct slice cpu = slice_from(unix_next_word(&line), 3);

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        double value = number(unix_next_word(&line)) / ticks;

        if (!is_guest)
            labelled(out, "node_cpu_seconds_total", "cpu", cpu, "mode", slice_str(modes[i]), value);
    }
    for (size_t i = 0; is_guest && i < sizeof guest_modes / sizeof *guest_modes; i++)
        labelled(out, "node_cpu_guest_seconds_total", "cpu", cpu, "mode", slice_str(guest_modes[i]),
                 number(unix_next_word(&line)) / ticks);
}

enum code unix_collect_cpu(struct unix_exporter *x, struct buf *out, struct error *err)
{
    struct buf text;
    enum code rc = unix_read(x->procfs, "/stat", &text, err);

    if (rc != OK)
        return rc;
    for (int pass = 0; pass < (x->cpu_guest ? 2 : 1); pass++) {
        struct slice rest = buf_slice(&text), line;

        if (pass == 0)
            unix_family(out, "node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.");
        else
            unix_family(out, "node_cpu_guest_seconds_total", "counter",
                        "Seconds the CPUs spent in guests (VMs) for each mode.");
        while (unix_next_line(&rest, &line))
            if (slice_starts(line, SLICE_LIT("cpu")) && line.len > 3 && line.ptr[3] != ' ')
                write_cpu_line(line, out, pass == 1);
    }
    buf_release(&text);
    return OK;
}

enum code unix_collect_stat(struct unix_exporter *x, struct buf *out, struct error *err)
{
    static const struct {
        const char *key, *name, *type, *help;
    } rows[] = {
        {"intr", "node_intr_total", "counter", "Total number of interrupts serviced."},
        {"ctxt", "node_context_switches_total", "counter", "Total number of context switches."},
        {"btime", "node_boot_time_seconds", "gauge", "Node boot time, in unixtime."},
        {"processes", "node_forks_total", "counter", "Total number of forks."},
        {"procs_running", "node_procs_running", "gauge", "Number of processes in runnable state."},
        {"procs_blocked", "node_procs_blocked", "gauge", "Number of processes blocked waiting for I/O to complete."},
    };
    struct slice rest, line;
    struct buf text;
    enum code rc = unix_read(x->procfs, "/stat", &text, err);

    if (rc != OK)
        return rc;
    rest = buf_slice(&text);
    while (unix_next_line(&rest, &line)) {
        struct slice key = unix_next_word(&line);

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (!slice_eq_str(key, rows[i].key))
                continue;
            unix_family(out, rows[i].name, rows[i].type, rows[i].help);
            unix_sample(out, rows[i].name, "", number(unix_next_word(&line)));
        }
    }
    buf_release(&text);
    return OK;
}

enum code unix_collect_loadavg(struct unix_exporter *x, struct buf *out, struct error *err)
{
    static const char *const names[] = {"node_load1", "node_load5", "node_load15"};
    static const char *const helps[] = {"1m load average.", "5m load average.", "15m load average."};
    struct slice rest;
    struct buf text;
    enum code rc = unix_read(x->procfs, "/loadavg", &text, err);

    if (rc != OK)
        return rc;
    rest = buf_slice(&text);
    for (size_t i = 0; i < 3; i++) {
        unix_family(out, names[i], "gauge", helps[i]);
        unix_sample(out, names[i], "", number(unix_next_word(&rest)));
    }
    buf_release(&text);
    return OK;
}

/* "Active(anon):  123 kB" is node_memory_Active_anon_bytes; rows without a unit are counts. */
enum code unix_collect_meminfo(struct unix_exporter *x, struct buf *out, struct error *err)
{
    struct slice rest, line;
    struct buf text;
    enum code rc = unix_read(x->procfs, "/meminfo", &text, err);

    if (rc != OK)
        return rc;
    rest = buf_slice(&text);
    while (unix_next_line(&rest, &line)) {
        struct slice key = unix_next_word(&line), value = unix_next_word(&line), unit = unix_next_word(&line);
        char name[160], help[220];
        size_t n = (size_t)snprintf(name, sizeof name, "node_memory_");

        for (size_t i = 0; i < key.len && n < sizeof name - 8; i++)
            if (key.ptr[i] == '(' || (key.ptr[i] >= '0' && key.ptr[i] <= 'z' && key.ptr[i] != ':'))
                name[n++] = key.ptr[i] == '(' ? '_' : key.ptr[i];
        (void)snprintf(name + n, sizeof name - n, "%s", slice_eq_str(unit, "kB") ? "_bytes" : "");
        (void)snprintf(help, sizeof help, "Memory information field %s.", name + 12);
        unix_family(out, name, "gauge", help);
        unix_sample(out, name, "", number(value) * (slice_eq_str(unit, "kB") ? 1024 : 1));
    }
    buf_release(&text);
    return OK;
}

/* One counter of every line of a table: skip words, then the value of the wanted column. */
static void write_column(struct buf *out, struct slice table, const struct unix_filter *filter, size_t column,
                         const char *metric, const char *type, const char *help, double factor, bool is_netdev)
{
    struct slice line;

    unix_family(out, metric, type, help);
    while (unix_next_line(&table, &line)) {
        struct slice device, value = {0};

        if (is_netdev) { /* "  eth0: 1 2 3 …": the colon may stand right before the first number */
            struct slice values;

            if (!slice_cut(line, ':', &device, &values))
                continue; /* the two lines of headings */
            device = slice_trim(device);
            line = values;
        } else { /* "   8       0 sda 1 2 3 …" */
            (void)unix_next_word(&line);
            (void)unix_next_word(&line);
            device = unix_next_word(&line);
        }
        if (device.len == 0 || !unix_filter_takes(filter, device))
            continue;
        for (size_t i = 0; i <= column; i++)
            value = unix_next_word(&line);
        if (value.len != 0)
            labelled(out, metric, "device", device, NULL, (struct slice){0}, number(value) * factor);
    }
}

/* /proc/net/dev has these columns for 20 years (net/core/net-procfs.c): receive, then transmit. */
enum code unix_collect_netdev(struct unix_exporter *x, struct buf *out, struct error *err)
{
    static const char *const names[] = {
        "receive_bytes",  "receive_packets",  "receive_errs",       "receive_drop",
        "receive_fifo",   "receive_frame",    "receive_compressed", "receive_multicast",
        "transmit_bytes", "transmit_packets", "transmit_errs",      "transmit_drop",
        "transmit_fifo",  "transmit_colls",   "transmit_carrier",   "transmit_compressed",
    };
    struct buf text;
    enum code rc = unix_read(x->procfs, "/net/dev", &text, err);

    if (rc != OK)
        return rc;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char metric[64], help[96];

        (void)snprintf(metric, sizeof metric, "node_network_%s_total", names[i]);
        (void)snprintf(help, sizeof help, "Network device statistic %s.", names[i]);
        write_column(out, buf_slice(&text), &x->netdev, i, metric, "counter", help, 1, true);
    }
    buf_release(&text);
    return OK;
}

/* Columns after the device name (Documentation/admin-guide/iostats.rst); times are in ms, sectors of 512 bytes. */
enum code unix_collect_diskstats(struct unix_exporter *x, struct buf *out, struct error *err)
{
    static const struct {
        const char *name, *type, *help;
        double factor;
    } columns[] = {
        {"node_disk_reads_completed_total", "counter", "The total number of reads completed successfully.", 1},
        {"node_disk_reads_merged_total", "counter", "The total number of reads merged.", 1},
        {"node_disk_read_bytes_total", "counter", "The total number of bytes read successfully.", 512},
        {"node_disk_read_time_seconds_total", "counter", "The total number of seconds spent by all reads.", 0.001},
        {"node_disk_writes_completed_total", "counter", "The total number of writes completed successfully.", 1},
        {"node_disk_writes_merged_total", "counter", "The number of writes merged.", 1},
        {"node_disk_written_bytes_total", "counter", "The total number of bytes written successfully.", 512},
        {"node_disk_write_time_seconds_total", "counter", "This is the total number of seconds spent by all writes.",
         0.001},
        {"node_disk_io_now", "gauge", "The number of I/Os currently in progress.", 1},
        {"node_disk_io_time_seconds_total", "counter", "Total seconds spent doing I/Os.", 0.001},
        {"node_disk_io_time_weighted_seconds_total", "counter", "The weighted # of seconds spent doing I/Os.", 0.001},
        {"node_disk_discards_completed_total", "counter", "The total number of discards completed successfully.", 1},
        {"node_disk_discards_merged_total", "counter", "The total number of discards merged.", 1},
        {"node_disk_discarded_sectors_total", "counter", "The total number of sectors discarded successfully.", 1},
        {"node_disk_discard_time_seconds_total", "counter",
         "This is the total number of seconds spent by all discards.", 0.001},
        {"node_disk_flush_requests_total", "counter", "The total number of flush requests completed successfully", 1},
        {"node_disk_flush_requests_time_seconds_total", "counter",
         "This is the total number of seconds spent by all flush requests.", 0.001},
    };
    struct buf text;
    enum code rc = unix_read(x->procfs, "/diskstats", &text, err);

    if (rc != OK)
        return rc;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        write_column(out, buf_slice(&text), &x->disk, i, columns[i].name, columns[i].type, columns[i].help,
                     columns[i].factor, false);
    buf_release(&text);
    return OK;
}

enum code unix_collect_time(struct unix_exporter *x, struct buf *out, struct error *err)
{
    (void)x;
    (void)err;
    unix_family(out, "node_time_seconds", "gauge", "System time in seconds since epoch (1970).");
    unix_sample(out, "node_time_seconds", "", (double)clock_wall_ns(clock_system()) / NS_PER_S);
    return OK;
}

enum code unix_collect_uname(struct unix_exporter *x, struct buf *out, struct error *err)
{
    struct utsname name;
    struct buf labels;

    (void)x;
    if (uname(&name) != 0)
        return error_set(err, IO, "uname failed");
    buf_init(&labels, 8192);
    unix_add_label(&labels, "domainname", slice_str(name.domainname));
    unix_add_label(&labels, "machine", slice_str(name.machine));
    unix_add_label(&labels, "nodename", slice_str(name.nodename));
    unix_add_label(&labels, "release", slice_str(name.release));
    unix_add_label(&labels, "sysname", slice_str(name.sysname));
    unix_add_label(&labels, "version", slice_str(name.version));
    unix_family(out, "node_uname_info", "gauge", "Labeled system information as provided by the uname system call.");
    unix_sample(out, "node_uname_info", terminated(&labels), 1);
    buf_release(&labels);
    return OK;
}
