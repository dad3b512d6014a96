#include "agent/runtime/exporter.h"
#include <unistd.h>

enum code exporter_targets(struct host *host, const char *name, struct error *err)
{
    char instance[256] = "localhost";
    struct arena arena;
    struct value target;
    const char *job, *path;
    enum code rc;

    (void)gethostname(instance, sizeof instance - 1);
    arena_init(&arena, 0);
    job = arena_printf(&arena, "integrations/%s", name);
    path = arena_printf(&arena, "/api/v0/component/%s/metrics", host_id(host));
    {
        const struct slice names[] = {SLICE_LIT("__address__"), SLICE_LIT("__metrics_path__"), SLICE_LIT("__scheme__"),
                                      SLICE_LIT("instance"), SLICE_LIT("job")};
        const struct slice texts[] = {slice_str(host_memory_addr(host)), slice_str(path), SLICE_LIT("http"),
                                      slice_str(instance), slice_str(job)};

        rc = value_object_of_strings(&arena, names, texts, sizeof names / sizeof *names, &target);
    }
    if (rc == OK)
        host_export(host, "targets", value_array(&target, 1));
    else
        (void)error_set(err, rc, "out of memory for the target");
    arena_release(&arena);
    return rc;
}
