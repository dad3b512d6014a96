/* Containers as targets, the way Prometheus' docker_sd has them (prometheus.io, Configuration, docker_sd_config). */
#include "agent/components/discovery/docker/discovery.h"
#include "agent/text/json.h"
#include "agent/text/utf8.h"

#define META "__meta_docker_"

/* The labels of one target while it is put together; a copy shares what stands before. */
struct labels_list {
    struct slice *names, *texts;
    size_t n, cap;
};

struct build {
    struct arena *arena;
    const struct discovery_docker_args *args;
    const struct map *containers;
    struct map networks; /* id -> const struct json * */
    struct value *targets;
    size_t n, cap;
    bool is_full;
};

struct networks {
    const struct json_member **items; /* name -> endpoint settings */
    size_t n;
};

static struct slice text_of(const struct json *object, const char *name)
{
    const struct json *j = json_get(object, slice_str(name));

    return j != NULL && (j->type == JSON_STRING || j->type == JSON_NUMBER) ? j->text : (struct slice){0};
}

static struct slice mode_of(const struct json *container)
{
    const struct json *host = json_get(container, SLICE_LIT("HostConfig"));

    return host != NULL ? text_of(host, "NetworkMode") : (struct slice){0};
}

struct slice container_id(const struct json *c)
{
    return text_of(c, "Id");
}

bool container_has_ended(const struct json *c)
{
    struct slice state = text_of(c, "State");

    return slice_eq_str(state, "exited") || slice_eq_str(state, "dead") || slice_eq_str(state, "removing");
}

bool container_log_is_left_out(const struct json *c)
{
    const struct json *labels = json_get(c, SLICE_LIT("Labels"));

    if (docker_is_self(container_id(c)))
        return true;
    return labels != NULL && slice_eq_str(text_of(labels, "hyagent.logs"), "false");
}

static void add(struct build *b, struct labels_list *l, struct slice name, struct slice text)
{
    if (l->n == l->cap) {
        size_t cap = l->cap != 0 ? 2 * l->cap : 32;
        struct slice *names = arena_try_array(b->arena, cap, sizeof *names);
        struct slice *texts = arena_try_array(b->arena, cap, sizeof *texts);

        if (names == NULL || texts == NULL) {
            b->is_full = true;
            return;
        }
        if (l->n != 0) {
            memcpy(names, l->names, l->n * sizeof *names);
            memcpy(texts, l->texts, l->n * sizeof *texts);
        }
        l->names = names;
        l->texts = texts;
        l->cap = cap;
    }
    l->names[l->n] = name;
    l->texts[l->n++] = text;
}

/* prefix + name, every character that a label's name cannot have as one '_'. */
static struct slice label_name(struct arena *arena, struct slice prefix, struct slice name)
{
    char *out = arena_try_alloc(arena, prefix.len + name.len);
    size_t n = prefix.len;

    if (out == NULL)
        return prefix;
    memcpy(out, prefix.ptr, prefix.len);
    while (name.len != 0) {
        uint32_t rune;
        size_t bytes = utf8_decode(name, &rune);
        bool is_plain = (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z') || (rune >= '0' && rune <= '9');

        out[n++] = is_plain ? (char)rune : '_';
        name = slice_from(name, bytes);
    }
    return slice_make(out, n);
}

static void add_labels_of(struct build *b, struct labels_list *l, const struct json *object, struct slice prefix)
{
    const struct json *labels = json_get(object, SLICE_LIT("Labels"));

    if (labels == NULL || labels->type != JSON_OBJECT)
        return;
    for (size_t i = 0; i < labels->object.n; i++) {
        const struct json_member *m = &labels->object.members[i];

        if (m->value.type == JSON_STRING)
            add(b, l, label_name(b->arena, prefix, m->key), m->value.text);
    }
}

static struct slice bool_text(const struct json *network, const char *name)
{
    const struct json *j = json_get(network, slice_str(name));

    return j != NULL && j->type == JSON_BOOL && j->boolean ? SLICE_LIT("true") : SLICE_LIT("false");
}

/* A proxy may keep /networks to itself: name and id are known from the container. */
static void add_network(struct build *b, struct labels_list *l, const struct json_member *endpoint)
{
    struct slice id = text_of(&endpoint->value, "NetworkID");
    const struct json *network = id.len != 0 ? map_get(&b->networks, id) : NULL;

    add(b, l, SLICE_LIT(META "network_ip"), text_of(&endpoint->value, "IPAddress"));
    add(b, l, SLICE_LIT(META "network_id"), id);
    if (network == NULL) {
        add(b, l, SLICE_LIT(META "network_name"), endpoint->key);
        return;
    }
    add(b, l, SLICE_LIT(META "network_name"), text_of(network, "Name"));
    add(b, l, SLICE_LIT(META "network_scope"), text_of(network, "Scope"));
    add(b, l, SLICE_LIT(META "network_internal"), bool_text(network, "Internal"));
    add(b, l, SLICE_LIT(META "network_ingress"), bool_text(network, "Ingress"));
    add_labels_of(b, l, network, SLICE_LIT(META "network_label_"));
}

static void end_target(struct build *b, const struct labels_list *l)
{
    if (b->n == b->cap) {
        size_t cap = b->cap != 0 ? 2 * b->cap : 64;
        struct value *targets = arena_try_array(b->arena, cap, sizeof *targets);

        if (targets == NULL) {
            b->is_full = true;
            return;
        }
        if (b->n != 0)
            memcpy(targets, b->targets, b->n * sizeof *targets);
        b->targets = targets;
        b->cap = cap;
    }
    if (value_object_of_strings(b->arena, l->names, l->texts, l->n, &b->targets[b->n]) != OK)
        b->is_full = true;
    else
        b->n++;
}

static struct slice join_host_port(struct arena *arena, struct slice host, struct slice port)
{
    bool is_ipv6 = slice_find(host, ':') < host.len;

    return slice_str(arena_printf(arena, is_ipv6 ? "[%.*s]:%.*s" : "%.*s:%.*s", SLICE_ARG(host), SLICE_ARG(port)));
}

static const struct json *ports_of(const struct json *container)
{
    const struct json *ports = json_get(container, SLICE_LIT("Ports"));

    return ports != NULL && ports->type == JSON_ARRAY ? ports : NULL;
}

/* The log's labels stand on the first target of a container. */
static void add_log(struct build *b, struct labels_list *l, const struct container *c, bool *is_first)
{
    if (!*is_first)
        return;
    *is_first = false;
    if (c->log_path != NULL)
        add(b, l, SLICE_LIT(META "container_log_path"), slice_str(c->log_path));
    if (c->log_driver != NULL)
        add(b, l, SLICE_LIT(META "container_log_driver"), slice_str(c->log_driver));
}

/* One target per TCP port; false: none. */
static bool add_ports(struct build *b, const struct labels_list *common, const struct container *c,
                      const struct json *container, const struct json_member *endpoint, bool *is_first)
{
    const struct json *ports = ports_of(container);
    bool is_any = false;

    for (size_t i = 0; ports != NULL && i < ports->array.n; i++) {
        const struct json *p = &ports->array.items[i];
        struct slice port = text_of(p, "PrivatePort"), public_port = text_of(p, "PublicPort");
        struct labels_list l = *common;

        if (!slice_eq_str(text_of(p, "Type"), "tcp"))
            continue;
        l.cap = l.n; /* what is added goes to a copy */
        add(b, &l, SLICE_LIT("__address__"), join_host_port(b->arena, text_of(&endpoint->value, "IPAddress"), port));
        add(b, &l, SLICE_LIT(META "port_private"), port);
        if (public_port.len != 0 && !slice_eq_str(public_port, "0")) {
            add(b, &l, SLICE_LIT(META "port_public"), public_port);
            add(b, &l, SLICE_LIT(META "port_public_ip"), text_of(p, "IP"));
        }
        add_network(b, &l, endpoint);
        add_log(b, &l, c, is_first);
        end_target(b, &l);
        is_any = true;
    }
    return is_any;
}

static void add_without_port(struct build *b, const struct labels_list *common, const struct container *c,
                             const struct json *container, const struct json_member *endpoint, bool *is_first)
{
    struct labels_list l = *common;
    struct slice port = slice_str(arena_printf(b->arena, "%u", (unsigned)b->args->port));

    l.cap = l.n;
    if (slice_eq_str(mode_of(container), "host"))
        add(b, &l, SLICE_LIT("__address__"), b->args->host_networking_host);
    else
        add(b, &l, SLICE_LIT("__address__"), join_host_port(b->arena, text_of(&endpoint->value, "IPAddress"), port));
    add_network(b, &l, endpoint);
    add_log(b, &l, c, is_first);
    end_target(b, &l);
}

static void read_networks(struct build *b, const struct json *container, struct networks *out)
{
    const struct json *settings = json_get(container, SLICE_LIT("NetworkSettings"));
    const struct json *networks = settings != NULL ? json_get(settings, SLICE_LIT("Networks")) : NULL;

    *out = (struct networks){0};
    if (networks == NULL || networks->type != JSON_OBJECT)
        return;
    out->items = arena_try_array(b->arena, networks->object.n + 1, sizeof *out->items);
    for (size_t i = 0; out->items != NULL && i < networks->object.n; i++)
        if (networks->object.members[i].value.type == JSON_OBJECT)
            out->items[out->n++] = &networks->object.members[i];
}

/* Those of the container whose network it shares ("container:ID"), when it has none of its own. */
static void find_networks(struct build *b, const struct json *container, struct networks *out)
{
    struct slice mode = mode_of(container);

    read_networks(b, container, out);
    for (unsigned hops = 0; out->n == 0 && hops < 8 && slice_starts(mode, SLICE_LIT("container:")); hops++) {
        const struct container *other = map_get(b->containers, slice_from(mode, sizeof "container:" - 1));
        struct json *j = arena_try_alloc(b->arena, sizeof *j);

        if (other == NULL || j == NULL || json_parse(b->arena, slice_str(other->json), j, NULL) != OK)
            return;
        read_networks(b, j, out);
        mode = mode_of(j);
    }
}

static void keep_first(struct networks *n)
{
    for (size_t i = 1; i < n->n; i++)
        if (slice_cmp(n->items[i]->key, n->items[0]->key) < 0)
            n->items[0] = n->items[i];
    n->n = n->n != 0 ? 1 : 0;
}

static void add_container(struct build *b, const struct container *c)
{
    struct json *container = arena_try_alloc(b->arena, sizeof *container);
    struct labels_list common = {0};
    const struct json *names;
    struct networks networks;
    bool is_first = true;

    if (container == NULL || json_parse(b->arena, slice_str(c->json), container, NULL) != OK) {
        b->is_full = true;
        return;
    }
    names = json_get(container, SLICE_LIT("Names"));
    if (names == NULL || names->type != JSON_ARRAY || names->array.n == 0 || names->array.items[0].type != JSON_STRING)
        return;
    add(b, &common, SLICE_LIT(META "container_id"), container_id(container));
    add(b, &common, SLICE_LIT(META "container_name"), names->array.items[0].text);
    add(b, &common, SLICE_LIT(META "container_network_mode"), mode_of(container));
    add_labels_of(b, &common, container, SLICE_LIT(META "container_label_"));
    find_networks(b, container, &networks);
    if (b->args->match_first_network)
        keep_first(&networks);
    for (size_t i = 0; i < networks.n && !b->is_full; i++)
        if (!add_ports(b, &common, c, container, networks.items[i], &is_first))
            add_without_port(b, &common, c, container, networks.items[i], &is_first);
    if (networks.n == 0 && c->log_path != NULL) { /* nothing to scrape, yet a log to read */
        add_log(b, &common, c, &is_first);
        end_target(b, &common);
    }
}

static void index_networks(struct build *b, struct slice text, struct json *list)
{
    if (text.len == 0 || json_parse(b->arena, text, list, NULL) != OK || list->type != JSON_ARRAY)
        return;
    for (size_t i = 0; i < list->array.n; i++) {
        struct slice id = text_of(&list->array.items[i], "Id");

        if (id.len != 0 && map_put(&b->networks, id, &list->array.items[i], NULL) != OK)
            return; /* its labels are missing, no more */
    }
}

enum code targets_build(struct arena *arena, const struct discovery_docker_args *args, const struct map *containers,
                        struct slice networks, struct value *out)
{
    struct build b = {.arena = arena, .args = args, .containers = containers};
    struct json list = {0};

    map_init(&b.networks, 0);
    index_networks(&b, networks, &list);
    for (struct map_entry *e = map_next(containers, NULL); e != NULL && !b.is_full; e = map_next(containers, e))
        add_container(&b, e->value);
    *out = value_array(b.targets, b.n);
    map_release(&b.networks, NULL);
    return b.is_full ? NOMEM : OK;
}
