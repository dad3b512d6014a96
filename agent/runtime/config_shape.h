/* agent/runtime/config_shape.h - what an expansion was made from: exports of running components that decided about
 * imports and foreach blocks. While they stay as they are, expanding the same texts again gives the same graph. */
#ifndef AGENT_RUNTIME_CONFIG_SHAPE_H
#define AGENT_RUNTIME_CONFIG_SHAPE_H
#include "agent/base/map.h"
#include "agent/runtime/evaluate.h"

struct shape_use {
    struct slice id;         /* full id of the component; owned */
    struct exports *exports; /* owned reference; NULL: it did not run */
};

struct config_shape {
    struct shape_use *items; /* owned */
    size_t n, cap;
    struct map by_id;   /* number of the item, from 1 */
    struct map sources; /* name of an imported text -> full id of its import, owned */
    char blamed[256];   /* after a failure: full id of the import or foreach that could not be expanded; "": none */
};

void config_shape_init(struct config_shape *s);
void config_shape_release(struct config_shape *s);
/* Component id exported that when it was asked; NULL: nothing yet. */
void config_shape_add(struct config_shape *s, struct slice id, struct exports *exports);
/* Would an expansion now see something else? */
bool config_shape_is_stale(const struct config_shape *s, struct exports *(*exports_of)(void *self, struct slice id),
                           void *self);
#endif
