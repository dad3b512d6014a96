/* agent/model/item_int.h - how items are filled in (item.c, item_otlp.c). */
#ifndef AGENT_MODEL_ITEM_INT_H
#define AGENT_MODEL_ITEM_INT_H
#include "agent/model/item.h"

struct item_writer {
    struct arena *arena;
    struct item item;
    enum code (*each)(void *ctx, const struct item *item);
    void *ctx;
    bool is_full; /* the arena is */
};

void item_begin(struct item_writer *w, enum item_kind kind);
void item_text(struct item_writer *w, const char *name, struct slice text); /* copied */
void item_take_text(struct item_writer *w, const char *name, struct slice on_arena);
void item_set(struct item_writer *w, const char *name, const struct label *pairs, size_t n); /* texts are copied */
MUST_USE enum code item_end(struct item_writer *w);
MUST_USE enum code item_each_otlp(struct item_writer *w, const struct otlp_batch *b);
#endif
