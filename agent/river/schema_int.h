/* agent/river/schema_int.h - what decoding of bodies and of single values share. */
#ifndef AGENT_RIVER_SCHEMA_INT_H
#define AGENT_RIVER_SCHEMA_INT_H
#include "agent/river/schema.h"

/* Where in a list or object a value did not fit: an element's number, or SIZE_MAX. */
struct misfit {
    struct error err;
    size_t item;
    struct slice key; /* of an object's field */
    char hint[192];   /* what to write instead, or "" */
    bool is_certain;  /* no other value from the same place would fit */
};

/* A body being decoded, as its errors name it. */
struct schema_frame {
    const struct schema_frame *outer; /* NULL: the component's own body */
    struct river_context *ctx;
    const struct river_block *type;
    const struct ast_body *body;
    struct slice name; /* the block's: "stage.json" */
};

/* Reports with the page of the reference the body's table stands on; may return NULL. */
struct diag *schema_report(const struct schema_frame *frame, enum severity severity, struct span at, const char *fmt,
                           ...) PRINTF_LIKE(4, 5);
/* Gives every diagnostic from number first on, which has none, the page of this body. */
void schema_page_rest(const struct schema_frame *frame, size_t first);
/* Returns the name that was meant, as far as one can guess, or "". */
struct slice schema_report_unknown(const struct schema_frame *frame, struct slice name, struct span at, bool is_block);
/* A value as it might be written: "30s" with its quotes. */
const char *schema_example(const struct river_field *f);
/* What was left out, with how it is written. */
void schema_report_missing(const struct schema_frame *frame, const struct river_field *field, struct span at);

/* Writes v as field wants it to dst. INVALID fills misfit, NOMEM: the arena is full. */
MUST_USE enum code schema_convert(struct arena *arena, const struct river_field *field, const struct value *v,
                                  void *dst, struct misfit *misfit);
void schema_hint(struct misfit *misfit, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What an engineer at night has to type instead of v; nothing when there is nothing to say. */
void schema_hint_form(const struct river_field *field, struct misfit *misfit, const struct value *v);
/* "7d" is what people write first. */
void schema_hint_days(struct misfit *misfit, struct slice text);
bool schema_is_attr(enum river_kind kind);  /* written name = value */
bool schema_is_block(enum river_kind kind); /* written name { } */
/* Bytes of the C type at the field's offset. */
size_t schema_size(const struct river_field *field);
/* FLATTEN, LABEL and ANY_BLOCKS need no name: the end of a table is a field without name of another kind. */
bool schema_is_end(const struct river_field *field);
/* All defaults of type into out, which is zeroed here. */
MUST_USE enum code schema_defaults(struct arena *arena, const struct river_block *type, void *out, struct error *err);
#endif
