/* Processes of a /proc made by hand, and how they are joined with containers. */
#include "agent/base/mem.h"
#include "agent/components/discovery/process/process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define ID_A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_B "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void container_ids_end_a_path_of_a_control_group(void **state)
{
    static const struct {
        const char *cgroup, *want;
    } rows[] = {
        {"0::/system.slice/docker-" ID_A ".scope\n", ID_A},
        {"12:cpu:/docker/" ID_A "\n", ID_A},
        {"0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-" ID_A ".scope\n", ID_A},
        {"11:memory:/kubepods/besteffort/pod85adbef3/" ID_A "\n", ID_A},
        {"0::/../cri-containerd-" ID_A ".scope/x\n", ID_A},
        {"no-path-" ID_A "\n", ""},
        {"0::/docker/" ID_A "/x\n", ""},
        {"1:name=systemd:/\n0::/docker/" ID_B "  \n", ID_B},
        {"1:a:/docker/" ID_A "\n2:b:/docker/" ID_B "\n", ID_A},
        {"0::/user.slice/user-1000.slice/session-2.scope\n", ""},
        {"0::/docker/0123\n", ""},
        {"0::/docker/" ID_A "0\n", ""},
        {"0::/docker/X" ID_A "\n", ""},
        {"0::/docker/ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice got = process_container_id(slice_str(rows[i].cgroup));

        if (!slice_eq_str(got, rows[i].want))
            fail_msg("%s: %.*s", rows[i].cgroup, SLICE_ARG(got));
    }
}

static char proc[64];

static void put(const char *pid, const char *name, const char *text, size_t n)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", proc, pid);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%s/%s", proc, pid, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void put_link(const char *pid, const char *name, const char *target)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s/%s", proc, pid, name);
    assert_int_equal(symlink(target, path), 0);
}

#define PUT(pid, name, literal) put(pid, name, literal, sizeof(literal) - 1)

static int make_proc(void **state)
{
    (void)state;
    snprintf(proc, sizeof proc, "%s", "/tmp/hyagent-test-XXXXXX");
    if (mkdtemp(proc) == NULL)
        return -1;
    PUT("12", "cmdline", "prog\0--flag\0\0a b\0");
    PUT("12", "status", "Name:\tprog\nUid:\t0\t1\t2\t3\nGid:\t5\n");
    PUT("12", "cgroup", "1:cpu:/docker/" ID_A "\n0::/x\n");
    put_link("12", "exe", "/usr/bin/prog");
    put_link("12", "cwd", "/srv");
    PUT("7", "cmdline", "");
    PUT("7", "status", "Uid:\t4294967\t0\t0\t0\n");
    PUT("7", "cgroup", "0::/\n");
    put_link("7", "exe", "/bin/x (deleted)");
    put_link("7", "cwd", "/");
    PUT("9", "cmdline", ""); /* a kernel thread: no exe */
    PUT("self", "cmdline", "not a number");
    return 0;
}

static int remove_proc(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", proc);
    return system(command);
}

static void processes_are(const struct process_discover_args *args, const char *want)
{
    struct error err = {0};
    struct targets found;
    size_t n_denied;
    struct buf out;

    targets_init(&found, 0);
    buf_init(&out, 65536);
    assert_int_equal(processes_read(&found, proc, args, &n_denied, &err), OK);
    for (size_t i = 0; i < found.n; i++) {
        value_to_json(&out, &found.items[i], true);
        (void)buf_add_char(&out, '\n');
    }
    (void)buf_add_char(&out, '\0');
    assert_string_equal(out.ptr, want);
    buf_release(&out);
    targets_release(&found);
}

static void every_switch_adds_its_label(void **state)
{
    (void)state;
    processes_are(&(struct process_discover_args){0},
                  "{\"__process_pid__\":\"7\"}\n{\"__process_pid__\":\"9\"}\n{\"__process_pid__\":\"12\"}\n");
    processes_are(&(struct process_discover_args){.exe = true},
                  "{\"__process_pid__\":\"7\",\"__meta_process_exe\":\"/bin/x (deleted)\"}\n"
                  "{\"__process_pid__\":\"12\",\"__meta_process_exe\":\"/usr/bin/prog\"}\n");
    processes_are(
        &(struct process_discover_args){true, true, true, true, true, true, true},
        "{\"__process_pid__\":\"7\",\"__meta_process_exe\":\"/bin/x (deleted)\",\"__meta_process_cwd\":\"/\","
        "\"__meta_process_uid\":\"4294967\",\"__meta_process_cgroup_path\":\"0::/\"}\n"
        "{\"__process_pid__\":\"12\",\"__meta_process_exe\":\"/usr/bin/prog\",\"__meta_process_cwd\":\"/srv\","
        "\"__meta_process_commandline\":\"prog --flag a b\",\"__meta_process_username\":\"root\","
        "\"__meta_process_uid\":\"0\",\"__container_id__\":\"" ID_A
        "\",\"__meta_process_cgroup_path\":\"1:cpu:/docker/" ID_A "|0::/x\"}\n");
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    struct error err = {0};
    struct targets found;
    size_t n_denied;

    (void)state;
    targets_init(&found, 0);
    assert_int_not_equal(processes_read(&found, "/nonexistent", &(struct process_discover_args){0}, &n_denied, &err),
                         OK);
    assert_non_null(strstr(err.text, "/nonexistent"));
    targets_release(&found);
}

static void add(struct targets *t, const char *name1, const char *text1, const char *name2, const char *text2)
{
    const struct slice names[] = {slice_str(name1), slice_str(name2)}, texts[] = {slice_str(text1), slice_str(text2)};

    assert_int_equal(targets_add(t, names, texts, name2 != NULL ? 2 : 1, NULL), OK);
}

#define PAIR(n, v)                                                                                                     \
    {                                                                                                                  \
        SLICE_LIT(n), SLICE_LIT(v)                                                                                     \
    }

static void processes_get_the_labels_of_their_container(void **state)
{
    struct river_pair docker[] = {PAIR("__meta_docker_container_id", ID_A), PAIR("name", "a"),
                                  PAIR("who", "container")};
    struct river_pair pod[] = {PAIR("__meta_kubernetes_pod_container_id", "containerd://" ID_B), PAIR("pod", "p")};
    struct river_pair strange[] = {PAIR("__meta_kubernetes_pod_container_id", "other://" ID_B), PAIR("pod", "q")};
    struct river_pair none[] = {PAIR("x", "y")};
    struct river_map items[] = {{docker, 3}, {none, 1}, {pod, 2}, {strange, 2}};
    struct targets processes, out;
    struct buf text;

    (void)state;
    targets_init(&processes, 0);
    targets_init(&out, 0);
    buf_init(&text, 65536);
    add(&processes, "__container_id__", ID_A, "who", "process");
    add(&processes, "__container_id__", ID_B, NULL, NULL);
    add(&processes, "__process_pid__", "3", NULL, NULL);
    add(&processes, "__container_id__", "unknown", NULL, NULL);
    assert_int_equal(processes_join(&out, &processes, &(struct river_targets){items, 4}, NULL), OK);
    for (size_t i = 0; i < out.n; i++) {
        value_to_json(&text, &out.items[i], true);
        (void)buf_add_char(&text, '\n');
    }
    (void)buf_add_char(&text, '\0');
    assert_string_equal(text.ptr,
                        "{\"x\":\"y\"}\n{\"__meta_kubernetes_pod_container_id\":\"other://" ID_B "\",\"pod\":\"q\"}\n"
                        "{\"__container_id__\":\"" ID_A
                        "\",\"who\":\"container\",\"__meta_docker_container_id\":\"" ID_A "\",\"name\":\"a\"}\n"
                        "{\"__container_id__\":\"" ID_B "\",\"__meta_kubernetes_pod_container_id\":\"containerd://" ID_B
                        "\",\"pod\":\"p\"}\n"
                        "{\"__process_pid__\":\"3\"}\n{\"__container_id__\":\"unknown\"}\n"
                        "{\"__meta_docker_container_id\":\"" ID_A "\",\"name\":\"a\",\"who\":\"container\"}\n"
                        "{\"__meta_kubernetes_pod_container_id\":\"containerd://" ID_B "\",\"pod\":\"p\"}\n");
    buf_release(&text);
    targets_release(&processes);
    targets_release(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(container_ids_end_a_path_of_a_control_group),
        cmocka_unit_test_setup_teardown(every_switch_adds_its_label, make_proc, remove_proc),
        cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
        cmocka_unit_test(processes_get_the_labels_of_their_container),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
