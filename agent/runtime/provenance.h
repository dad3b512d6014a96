/* agent/runtime/provenance.h - a configuration looked at without running it: every component's arguments, their values
 * as far as they are known, and where each came from: written, default, environment, another component's export, an
 * argument of a module. Opens no sockets, writes nothing. One thread. */
#ifndef AGENT_RUNTIME_PROVENANCE_H
#define AGENT_RUNTIME_PROVENANCE_H
#include "agent/runtime/config.h"

/* One line of a component's arguments. */
struct argument {
    struct slice name;  /* "url"; of a block "endpoint", "stage.json" */
    struct slice label; /* of a block */
    unsigned depth;     /* blocks around it */
    bool is_block;
    bool is_default;                 /* not written */
    bool is_known;                   /* false: what it uses is known only when the agent runs */
    const struct river_field *field; /* NULL: the table does not know it */
    struct value value;              /* attributes: secrets are masked already */
    struct slice origin;             /* "written", "sys.env HOME (set)"; empty for blocks */
    const size_t *blocks;            /* components whose exports it uses, by number */
    size_t n_blocks;
    const struct source *source; /* NULL when it was not written */
    struct position at;
};

struct arguments {
    const struct argument *items; /* in order of writing, a block's own behind it, then the defaults of each body */
    size_t n;
};

struct description;

/* config is borrowed and was checked (runtime_check); without_defaults leaves out what is not written. NULL never. */
struct description *description_new(struct config *config, enum stability stability);
void description_free(struct description *d); /* NULL is fine */
/* Of block number i of the configuration. Valid as long as d. */
struct arguments description_arguments(struct description *d, size_t i);
/* The export a capsule of a described value stands for. False: it is none. */
bool description_export(const struct description *d, const void *capsule, size_t *block, const char **name);
/* What stands for an export while nothing runs; null: there is none of that name. */
struct value description_export_value(struct description *d, size_t block, const char *name);
/* Appends text; secrets that stood in an argument of what was described so far are replaced by (secret). */
void description_write_text(const struct description *d, struct slice text, struct buf *out);
/* Appends v as River text: receivers under their component's name, what is secret as (secret). */
void description_write_value(const struct description *d, const struct value *v, struct buf *out);

/* The value of the attribute name directly in the body of items[block] (SIZE_MAX: of the component), or NULL. */
const struct argument *arguments_find(struct arguments all, size_t block, const char *name);
/* It as a text, "" when it is unknown or no text. Borrowed. */
struct slice arguments_text(struct arguments all, size_t block, const char *name);
/* The next block of that name behind items[after] (SIZE_MAX: the first), directly in the body of items[in] (SIZE_MAX:
 * of the component), written or default. SIZE_MAX: none. */
size_t arguments_block(struct arguments all, size_t in, const char *name, size_t after);
#endif
