/* Any bytes as YAML, in both readings: a tree within the limits or an error with a reason. */
#include "agent/base/limits.h"
#include "agent/text/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Nodes with aliases unfolded; depth is checked on the way. */
static size_t walk(const struct json *j, unsigned depth)
{
    size_t n = 1;

    BUG_ON(depth > LIMIT_YAML_DEPTH);
    if (j->type == JSON_ARRAY) {
        for (size_t i = 0; i < j->array.n; i++)
            n += walk(&j->array.items[i], depth + 1);
    } else if (j->type == JSON_OBJECT) {
        for (size_t i = 0; i < j->object.n; i++)
            n += walk(&j->object.members[i].value, depth + 1);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const enum yaml_scalars readings[] = {YAML_TYPED, YAML_STRINGS};
    struct slice in = slice_make(bytes, size);

    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        struct error err = {0};
        struct arena a;
        struct json j;
        enum code rc;

        arena_init(&a, 256u << 20);
        rc = yaml_parse(&a, in, readings[i], &j, &err);
        BUG_ON((rc == OK) != (err.text[0] == '\0'));
        if (rc == OK)
            BUG_ON(walk(&j, 1) > LIMIT_YAML_NODES);
        arena_release(&a);
    }
    return 0;
}
