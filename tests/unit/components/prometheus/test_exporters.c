/* prometheus.exporter.unix over a made-up /proc, expectations from proc(5), iostats.rst and node_exporter's names; and
 * prometheus.exporter.self. */
#include "tests/unit/components/harness.h"
#include <sys/stat.h>

extern const struct component_type component_prometheus_exporter_self;
extern const struct component_type component_prometheus_exporter_unix;
static const struct component_type *const types[] = {&component_prometheus_exporter_self,
                                                     &component_prometheus_exporter_unix, NULL};

static const struct {
    const char *path, *text;
} files[] = {
    {"/proc/stat",
     "cpu  300 20 100 1000 50 3 2 1 40 4\ncpu0 200 10 60 500 20 1 2 0 30 3\ncpu1 100 10 40 500 30 2 0 1 10 1\n"
     "intr 12345 1 2 3\nctxt 67890\nbtime 1767225600\nprocesses 4242\nprocs_running 3\nprocs_blocked 1\nsoftirq 99 "
     "1\n"},
    {"/proc/loadavg", "0.50 1.25 2.00 2/345 6789\n"},
    {"/proc/meminfo",
     "MemTotal:       16384 kB\nMemFree:            8 kB\nActive(anon):     10 kB\nHugePages_Total:       7\n"
     "Hugepagesize:       2048 kB\nDirectMap4k:      512 kB\n"},
    {"/proc/net/dev",
     "Inter-|   Receive                                                |  Transmit\n"
     " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
     "compressed\n"
     "    lo:    1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0  "
     "        0\n"
     "  eth0:123456789012 20 1 2 3 4 5 6 987654321 30 7 8 9 10 11 12\n veth1: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"},
    {"/proc/diskstats", "   8       0 sda 100 1 2000 1500 50 2 4000 2500 3 1250 5000 7 8 9 10 11 12\n"
                        "   8       1 sda1 1 1 1 1 1 1 1 1 1 1 1\n   7       0 loop0 1 1 1 1 1 1 1 1 1 1 1\n"
                        " 259       0 nvme0n1 5 0 8 2 0 0 0 0 0 4 4\n"},
    {"/proc/1/mounts",
     "/dev/sda1 / ext4 rw,relatime 0 0\n/dev/sdb\\0401 /my\\040disk xfs ro,noatime 0 0\ntmpfs /run tmpfs rw 0 0\n"
     "proc /proc proc rw 0 0\n/dev/gone /not/there ext4 rw 0 0\n"},
};

static char root[64];

static void make_files(void)
{
    static const char *const folders[] = {"/proc", "/proc/net", "/proc/1", "/root", "/root/my disk"};

    (void)snprintf(root, sizeof root, "%s", "/tmp/hyagent_unix_XXXXXX");
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[256];

        (void)snprintf(path, sizeof path, "%s%s", root, folders[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[256];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s%s", root, files[i].path);
        f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(files[i].text, 1, strlen(files[i].text), f), strlen(files[i].text));
        assert_int_equal(fclose(f), 0);
    }
}

static void remove_files(void)
{
    static const char *const folders[] = {"/root/my disk", "/root", "/proc/1", "/proc/net", "/proc", ""};
    char path[256];

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s%s", root, files[i].path);
        (void)unlink(path);
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        (void)snprintf(path, sizeof path, "%s%s", root, folders[i]);
        (void)rmdir(path);
    }
}

static const char *scrape(const char *id)
{
    static char text[1 << 20];
    struct error err = {0};
    struct buf out;

    buf_init(&out, sizeof text - 1);
    if (runtime_scrape(bench.rt, slice_str(id), &out, &err) != OK)
        fail_msg("%s", err.text);
    (void)snprintf(text, sizeof text, "\n%.*s", (int)out.len, out.ptr);
    buf_release(&out);
    return text;
}

static const char *scrape_unix(const char *more)
{
    char river[2048];

    (void)snprintf(river, sizeof river,
                   "prometheus.exporter.unix \"u\" {\n procfs_path = \"%s/proc\"\n rootfs_path = \"%s/root\"\n%s\n}\n",
                   root, root, more);
    if (!bench_load(river))
        fail_msg("%s", bench.errors);
    bench_settle();
    return scrape("prometheus.exporter.unix.u");
}

static void has(const char *text, const char *line)
{
    char whole[512];

    (void)snprintf(whole, sizeof whole, "\n%s\n", line);
    if (strstr(text, whole) == NULL)
        fail_msg("no line %s in\n%.6000s", line, text);
}

static void has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("%s is there", part);
}

static void proc_files_become_node_exporters_series(void **state)
{
    static const char *const lines[] = {
        "# TYPE node_cpu_seconds_total counter",
        "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 2",
        "node_cpu_seconds_total{cpu=\"0\",mode=\"nice\"} 0.10000000000000001",
        "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 5",
        "node_cpu_seconds_total{cpu=\"1\",mode=\"steal\"} 0.01",
        "node_cpu_seconds_total{cpu=\"1\",mode=\"iowait\"} 0.29999999999999999",
        "node_intr_total 12345",
        "node_context_switches_total 67890",
        "node_boot_time_seconds 1767225600",
        "node_forks_total 4242",
        "node_procs_running 3",
        "node_procs_blocked 1",
        "node_load1 0.5",
        "node_load5 1.25",
        "node_load15 2",
        "node_memory_MemTotal_bytes 16777216",
        "node_memory_MemFree_bytes 8192",
        "node_memory_Active_anon_bytes 10240",
        "node_memory_HugePages_Total 7",
        "node_memory_Hugepagesize_bytes 2097152",
        "node_memory_DirectMap4k_bytes 524288",
        "node_network_receive_bytes_total{device=\"eth0\"} 123456789012",
        "node_network_receive_packets_total{device=\"eth0\"} 20",
        "node_network_receive_errs_total{device=\"eth0\"} 1",
        "node_network_receive_multicast_total{device=\"eth0\"} 6",
        "node_network_transmit_bytes_total{device=\"eth0\"} 987654321",
        "node_network_transmit_colls_total{device=\"eth0\"} 10",
        "node_network_transmit_compressed_total{device=\"eth0\"} 12",
        "node_network_receive_bytes_total{device=\"lo\"} 1000",
        "node_disk_reads_completed_total{device=\"sda\"} 100",
        "node_disk_read_bytes_total{device=\"sda\"} 1024000",
        "node_disk_read_time_seconds_total{device=\"sda\"} 1.5",
        "node_disk_written_bytes_total{device=\"sda\"} 2048000",
        "node_disk_write_time_seconds_total{device=\"sda\"} 2.5",
        "node_disk_io_now{device=\"sda\"} 3",
        "node_disk_io_time_seconds_total{device=\"sda\"} 1.25",
        "node_disk_io_time_weighted_seconds_total{device=\"sda\"} 5",
        "node_disk_discarded_sectors_total{device=\"sda\"} 9",
        "node_disk_flush_requests_total{device=\"sda\"} 11",
        "node_disk_reads_completed_total{device=\"nvme0n1\"} 5",
        "node_scrape_collector_success{collector=\"cpu\"} 1",
        "node_scrape_collector_success{collector=\"meminfo\"} 1",
    };
    const char *text;

    (void)state;
    make_files();
    bench_begin(types);
    text = scrape_unix("");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        has(text, lines[i]);
    has_not(text, "device=\"sda1\"");
    has_not(text, "device=\"loop0\"");
    has_not(text, "node_disk_flush_requests_total{device=\"nvme0n1\"}"); /* an older kernel's row is shorter */
    has_not(text, "cpu=\"\"");
    bench_end();
    remove_files();
}

static void mounts_are_unescaped_and_filtered(void **state)
{
    const char *text;

    (void)state;
    make_files();
    bench_begin(types);
    text = scrape_unix("");
    assert_non_null(strstr(text, "node_filesystem_size_bytes{device=\"/dev/sdb 1\""));
    assert_non_null(strstr(text, "mountpoint=\"/my disk\""));
    assert_non_null(strstr(text, "fstype=\"ext4\",mountpoint=\"/\""));
    assert_non_null(strstr(text, "fstype=\"tmpfs\"")); /* node_exporter's default leaves devtmpfs out, not tmpfs */
    has_not(text, "mountpoint=\"/proc\"");
    text = strstr(text, "\n# TYPE node_filesystem_readonly");
    assert_non_null(text);
    text = strstr(text, "mountpoint=\"/my disk\"} ");
    assert_non_null(text);
    assert_memory_equal(text + strlen("mountpoint=\"/my disk\"} "), "1\n", 2);
    bench_end();
    bench_begin(types);
    text = scrape_unix("filesystem {\n fs_types_exclude = \"^tmpfs$\"\n}");
    has_not(text, "fstype=\"tmpfs\"");
    bench_end();
    remove_files();
}

static void collectors_and_devices_can_be_chosen(void **state)
{
    const char *text;

    (void)state;
    make_files();
    bench_begin(types);
    text = scrape_unix("set_collectors = [\"loadavg\", \"netdev\", \"cpu\"]\n netdev {\n device_exclude = "
                       "\"^(veth.*|lo)$\"\n}\n cpu {\n guest = true\n}");
    has(text, "node_load1 0.5");
    has(text, "node_cpu_guest_seconds_total{cpu=\"0\",mode=\"user\"} 0.29999999999999999");
    has_not(text, "node_memory");
    has_not(text, "device=\"veth1\"");
    has_not(text, "device=\"lo\"");
    text = scrape_unix("disable_collectors = [\"cpu\"]\n disk {\n device_include = \"^sda1$\"\n}");
    has_not(text, "node_cpu_seconds_total");
    has(text, "node_disk_reads_completed_total{device=\"sda1\"} 1");
    has_not(text, "device=\"sda\"");
    bench_end();
    remove_files();
}

static void a_collector_that_fails_costs_only_itself(void **state)
{
    char path[256];
    const char *text;

    (void)state;
    make_files();
    (void)snprintf(path, sizeof path, "%s/proc/loadavg", root);
    assert_int_equal(unlink(path), 0);
    bench_begin(types);
    text = scrape_unix("");
    has(text, "node_scrape_collector_success{collector=\"loadavg\"} 0");
    has(text, "node_scrape_collector_success{collector=\"stat\"} 1");
    has(text, "node_forks_total 4242");
    assert_false(bench_load("prometheus.exporter.unix \"u\" {\n enable_collectors = [\"nosuch\"]\n}\n"));
    bench_end();
    remove_files();
}

static void the_agents_own_metrics_are_a_target(void **state)
{
    (void)state;
    bench_begin(types);
    assert_true(bench_load("prometheus.exporter.self \"s\" { }\n"));
    bench_settle();
    assert_non_null(strstr(scrape("prometheus.exporter.self.s"), "\n# TYPE "));
    assert_non_null(strstr(bench_page("prometheus.exporter.self.s")->exports,
                           "/api/v0/component/prometheus.exporter.self.s/metrics"));
    assert_non_null(strstr(bench_page("prometheus.exporter.self.s")->exports, "integrations/self"));
    bench_end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proc_files_become_node_exporters_series),
        cmocka_unit_test(mounts_are_unescaped_and_filtered),
        cmocka_unit_test(collectors_and_devices_can_be_chosen),
        cmocka_unit_test(a_collector_that_fails_costs_only_itself),
        cmocka_unit_test(the_agents_own_metrics_are_a_target),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
