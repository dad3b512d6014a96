/* agent/river/schema_int.h - what decoding of bodies and of single values share. */
#ifndef AGENT_RIVER_SCHEMA_INT_H
#define AGENT_RIVER_SCHEMA_INT_H
#include "agent/river/schema.h"

/* Where in a list or object a value did not fit: an element's number, or SIZE_MAX. */
struct misfit {
    struct error err;
    size_t item;
    struct slice key; /* of an object's field */
};

/* Writes v as field wants it to dst. INVALID fills misfit, NOMEM: the arena is full. */
MUST_USE enum code schema_convert(struct arena *arena, const struct river_field *field, const struct value *v,
                                  void *dst, struct misfit *misfit);
bool schema_is_attr(enum river_kind kind);  /* written name = value */
bool schema_is_block(enum river_kind kind); /* written name { } */
/* Bytes of the C type at the field's offset. */
size_t schema_size(const struct river_field *field);
/* FLATTEN, LABEL and ANY_BLOCKS need no name: the end of a table is a field without name of another kind. */
bool schema_is_end(const struct river_field *field);
/* All defaults of type into out, which is zeroed here. */
MUST_USE enum code schema_defaults(struct arena *arena, const struct river_block *type, void *out, struct error *err);
#endif
