/* agent/river/source.h - one text of configuration and places in it. */
#ifndef AGENT_RIVER_SOURCE_H
#define AGENT_RIVER_SOURCE_H
#include "agent/base/arena.h"
#include "agent/base/slice.h"

struct source {
    struct slice name;     /* file name as people know it; a NUL follows */
    struct slice text;     /* at most LIMIT_CONFIG_FILE_BYTES */
    uint32_t *line_starts; /* offset of each line's first byte */
    size_t n_lines;
};

/* Bytes [start, end) of a source. */
struct span {
    uint32_t start, end;
};

struct position {
    uint32_t line, column; /* from 1; columns count characters (code points) */
};

/* Name and text are copied into arena. NULL when the arena is full or text is longer than LIMIT_CONFIG_FILE_BYTES. */
const struct source *source_new(struct arena *arena, struct slice name, struct slice text);
struct position source_position(const struct source *s, uint32_t offset);
uint32_t source_line_of(const struct source *s, uint32_t offset); /* from 1 */
/* Without its newline; empty past the end. */
struct slice source_line(const struct source *s, uint32_t line);
#endif
