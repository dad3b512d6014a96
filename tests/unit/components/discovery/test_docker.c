/* discovery.docker's targets, as Prometheus' docker_sd makes them. */
#include "../fake_docker.h"

extern const struct component_type component_discovery_docker;
static const struct component_type *const types[] = {&component_discovery_docker, &component_test_sink, NULL};

#define NETWORKS                                                                                                       \
    "[{\"Id\":\"n1\",\"Name\":\"front\",\"Scope\":\"local\",\"Internal\":false,\"Ingress\":false,\"Labels\":{\"a.b\":" \
    "\"c\"}},"                                                                                                         \
    "{\"Id\":\"n2\",\"Name\":\"back\",\"Scope\":\"local\",\"Internal\":true,\"Ingress\":false,\"Labels\":{}}]"
#define CONTAINER(mode, ports, networks)                                                                               \
    "[{\"Id\":\"" FAKE_ID "\",\"Names\":[\"/web\"],\"State\":\"running\",\"Labels\":{\"com.x/y-\\u00e9\":\"v\"},"      \
    "\"HostConfig\":{\"NetworkMode\":\"" mode "\"},\"Ports\":[" ports "],\"NetworkSettings\":{\"Networks\":{" networks \
    "}}}]"
#define FRONT "\"front\":{\"NetworkID\":\"n1\",\"IPAddress\":\"172.20.0.2\"}"
#define BACK "\"back\":{\"NetworkID\":\"n2\",\"IPAddress\":\"172.21.0.2\"}"
#define TCP "{\"PrivatePort\":8080,\"Type\":\"tcp\"}"
#define PUBLISHED "{\"IP\":\"0.0.0.0\",\"PrivatePort\":9090,\"PublicPort\":19090,\"Type\":\"tcp\"}"
#define UDP "{\"PrivatePort\":53,\"Type\":\"udp\"}"
#define COMMON(mode)                                                                                                   \
    "__meta_docker_container_id=" FAKE_ID ";__meta_docker_container_name=/web;"                                        \
    "__meta_docker_container_network_mode=" mode ";__meta_docker_container_label_com_x_y__=v;"
#define IN_FRONT                                                                                                       \
    "__meta_docker_network_ip=172.20.0.2;__meta_docker_network_id=n1;__meta_docker_network_name=front;"                \
    "__meta_docker_network_scope=local;__meta_docker_network_internal=false;"                                          \
    "__meta_docker_network_ingress=false;__meta_docker_network_label_a_b=c;"
#define IN_BACK                                                                                                        \
    "__meta_docker_network_ip=172.21.0.2;__meta_docker_network_id=n2;__meta_docker_network_name=back;"                 \
    "__meta_docker_network_scope=local;__meta_docker_network_internal=true;__meta_docker_network_ingress=false;"

static const struct {
    const char *name, *more, *networks, *list, *want;
} rows[] = {
    {"one target per TCP port", "", NETWORKS, CONTAINER("front", TCP "," UDP "," PUBLISHED, FRONT),
     COMMON("front") "__address__=172.20.0.2:8080;__meta_docker_port_private=8080;" IN_FRONT "\n" COMMON(
         "front") "__address__=172.20.0.2:9090;__meta_docker_port_private=9090;__meta_docker_port_public=19090;"
                  "__meta_docker_port_public_ip=0.0.0.0;" IN_FRONT "\n"},
    {"without a port the configured one", "port = 99", NETWORKS, CONTAINER("front", UDP, FRONT),
     COMMON("front") "__address__=172.20.0.2:99;" IN_FRONT "\n"},
    {"the first network by name", "", NETWORKS, CONTAINER("front", "", FRONT "," BACK),
     COMMON("front") "__address__=172.21.0.2:80;" IN_BACK "\n"},
    {"every network", "match_first_network = false", NETWORKS, CONTAINER("front", "", FRONT "," BACK),
     COMMON("front") "__address__=172.20.0.2:80;" IN_FRONT "\n" COMMON("front") "__address__=172.21.0.2:80;" IN_BACK
                                                                                "\n"},
    {"the host's network", "host_networking_host = \"me\"", NETWORKS,
     CONTAINER("host", "", "\"host\":{\"NetworkID\":\"n9\",\"IPAddress\":\"\"}"),
     COMMON("host") "__address__=me;__meta_docker_network_ip=;__meta_docker_network_id=n9;__meta_docker_network_name="
                    "host;\n"},
    {"a proxy keeps the networks to itself", "", NULL, CONTAINER("front", "", FRONT),
     COMMON("front") "__address__=172.20.0.2:80;__meta_docker_network_ip=172.20.0.2;__meta_docker_network_id=n1;"
                     "__meta_docker_network_name=front;\n"},
    {"the log's path", "log_paths = true", NULL, CONTAINER("front", TCP "," PUBLISHED, FRONT),
     COMMON("front") "__address__=172.20.0.2:8080;__meta_docker_port_private=8080;__meta_docker_network_ip=172.20.0.2;"
                     "__meta_docker_network_id=n1;__meta_docker_network_name=front;__meta_docker_container_log_path=/c/"
                     "x-json.log;"
                     "__meta_docker_container_log_driver=json-file;\n" COMMON(
                         "front") "__address__=172.20.0.2:9090;__meta_docker_port_private=9090;__meta_docker_port_"
                                  "public=19090;"
                                  "__meta_docker_port_public_ip=0.0.0.0;__meta_docker_network_ip=172.20.0.2;__meta_"
                                  "docker_network_id=n1;"
                                  "__meta_docker_network_name=front;\n"},
};

static bool has_targets(void *arg)
{
    bool is;

    pthread_mutex_lock(&sink.lock);
    is = strcmp(sink_targets, arg) == 0;
    pthread_mutex_unlock(&sink.lock);
    return is;
}

static void load(struct world *w, const char *more)
{
    char config[1024];

    world_begin(w, types, NULL);
    snprintf(config, sizeof config,
             "test.sink \"out\" {\n targets = discovery.docker.d.targets\n}\n"
             "discovery.docker \"d\" {\n host = \"tcp://127.0.0.1:%u\"\n %s\n}\n",
             (unsigned)http_server_port(fake.server), more);
    if (!world_load(w, config))
        fail_msg("%s", w->errors);
}

static void containers_become_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;

        fake_begin();
        fake_set(&fake.networks, rows[i].networks);
        fake_set(&fake.list, rows[i].list);
        fake_set(&fake.inspected,
                 "{\"LogPath\":\"/c/x-json.log\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"json-file\"}}}");
        load(&w, rows[i].more);
        print_message("%s\n", rows[i].name);
        wait_until(has_targets, (void *)(uintptr_t)rows[i].want);
        world_end(&w);
        fake_end();
    }
}

static void what_is_to_be_left_out_has_no_log_path_and_stays_a_target(void **state)
{
    struct world w;

    (void)state;
    fake_begin();
    fake_set(&fake.list,
             "[{\"Id\":\"" FAKE_ID
             "\",\"Names\":[\"/web\"],\"State\":\"running\",\"Labels\":{\"hyagent.logs\":\"false\"},"
             "\"HostConfig\":{\"NetworkMode\":\"b\"},\"Ports\":[],\"NetworkSettings\":{\"Networks\":{" FRONT "}}}]");
    fake_set(&fake.inspected,
             "{\"LogPath\":\"/c/x-json.log\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"json-file\"}}}");
    load(&w, "log_paths = true");
    wait_until(
        has_targets,
        (void *)(uintptr_t)("__meta_docker_container_id=" FAKE_ID ";__meta_docker_container_name=/web;"
                            "__meta_docker_container_network_mode=b;__meta_docker_container_label_hyagent_logs=false;"
                            "__address__=172.20.0.2:80;__meta_docker_network_ip=172.20.0.2;"
                            "__meta_docker_network_id=n1;__meta_docker_network_name=front;\n"));
    assert_false(fake_was_asked("/containers/" FAKE_ID "/json"));
    world_end(&w);
    fake_end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_become_targets),
        cmocka_unit_test(what_is_to_be_left_out_has_no_log_path_and_stays_a_target),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
