/* agent/runtime/config.h - a configuration as a graph: one or more files parsed into blocks, what each block refers to,
 * and an order in which every block stands after those it needs. Knows the component types it is handed, runs nothing.
 *
 * Modules are names, not nodes: what declare, import and foreach bring along is expanded into the same flat graph of
 * real components. A scope is where names are looked up: the root, and one more per instance of a custom component, per
 * import and per item of a foreach. */
#ifndef AGENT_RUNTIME_CONFIG_H
#define AGENT_RUNTIME_CONFIG_H
#include "agent/base/map.h"
#include "agent/river/ast.h"
#include "agent/runtime/component.h"

/* Ends with NULL. */
typedef const struct component_type *const *component_types;

struct config_text {
    const char *name; /* file name as people know it */
    struct slice text;
};

struct config_scope;
struct exports; /* evaluate.h */
struct exports_used;
struct config_shape; /* config_shape.h */

enum config_name_kind {
    NAME_BLOCK,    /* a component, an import or a foreach: has a config_block */
    NAME_INSTANCE, /* of a custom component: what it expands to is .inside */
    NAME_DECLARE,
    NAME_ARGUMENT, /* of the instance whose scope it stands in */
    NAME_EXPORT,
};

/* A block as its scope knows it. */
struct config_name {
    enum config_name_kind kind;
    size_t number;   /* in config->names */
    size_t at;       /* in scope->names */
    struct slice id; /* in its scope: "loki.write.x", "custom.label", "argument.a", "declare.d" */
    const struct ast_block *ast;
    const struct source *source;
    struct config_scope *scope;      /* it stands in */
    size_t block;                    /* NAME_BLOCK: its number in config->blocks */
    struct config_scope *inside;     /* NAME_INSTANCE: always one, perhaps pending. Imports: the module's top level */
    const struct config_name **uses; /* names its expressions refer to, each once; arguments of instances included */
    size_t n_uses;
    const struct expr *value;           /* ARGUMENT: as given or the default; EXPORT; NULL: null */
    const struct config_scope *meaning; /* where the names in value are looked up */
    const struct source *value_source;
    size_t *needs; /* ARGUMENT, EXPORT: real components its value comes from, numbers of blocks */
    size_t n_needs;
    struct ast_refs refs;      /* of all of its body */
    unsigned mark;             /* while sorting */
    bool is_broken, is_linked; /* part of a cycle: not expanded; uses are known */
};

enum config_scope_kind { SCOPE_ROOT, SCOPE_INSTANCE, SCOPE_IMPORT, SCOPE_ITEM };

struct config_scope {
    enum config_scope_kind kind;
    size_t number;     /* in config->scopes; outer ones have smaller numbers */
    struct slice path; /* "" at the root, "x.label", "x.label/y.other", "import.file.m", "foreach.f/foreach_a_1" */
    struct config_scope *outer;     /* the one its block stands in; NULL: root */
    struct config_scope *lexical;   /* where declares and imports are looked up next; NULL: nowhere */
    const struct config_name *of;   /* the instance, import or foreach; NULL: root */
    struct slice declared;          /* INSTANCE: name of the custom component, "x" or "namespace.x" */
    struct slice module_path;       /* the value of module_path inside */
    struct slice var;               /* ITEM: the name of the item */
    struct value item;              /* ITEM: its value */
    struct exports_used *item_used; /* ITEM: what its value points to; owned by the config */
    bool is_pending;                /* the inside is not known yet: its exports are not either */
    bool is_unmeasured;             /* of a foreach without enable_metrics, or inside such a one */
    struct slice waits_for;         /* pending: id of the import that is waited for */
    struct config_name **names;     /* in order of writing */
    size_t n_names, cap_names;
    struct map by_id; /* id -> struct config_name */
    unsigned depth;   /* 0 at the root */
    const char *file; /* IMPORT: the file or folder it was read from; NULL: a text */
    bool is_fetched;  /* IMPORT: by import.http, or inside such a module: may not read files */
};

struct config_block {
    const struct ast_block *ast;
    const struct source *source;
    const struct component_type *type;
    struct slice id;            /* full path: "x.label/loki.write.y", or "logging" */
    struct slice local_id;      /* in its scope: "loki.write.y" */
    struct config_scope *scope; /* names in it are looked up here */
    struct config_name *name;
    size_t *needs; /* real blocks it refers to, through arguments and exports too, each once */
    size_t n_needs;
};

/* A file that was read. */
struct config_file {
    const char *path;
    bool is_main;   /* among the texts that were handed in, not imported */
    bool is_folder; /* import.file of a folder */
};

struct config {
    unsigned refs; /* control loop only */
    struct arena arena;
    struct config_block *blocks;
    size_t n, cap;
    size_t *order; /* all blocks, those needed first */
    size_t n_ordered;
    struct map by_id;             /* full id -> number of the block, from 1 */
    struct config_scope **scopes; /* the root first */
    size_t n_scopes, cap_scopes;
    struct config_name **names; /* of all scopes */
    size_t n_names, cap_names;
    struct config_file *files; /* every file that was read, main texts too, each once */
    size_t n_files, cap_files;
    struct exports_used **kept; /* what items of foreach blocks point to */
    size_t n_kept, cap_kept;
    char hash[65]; /* SHA-256 of the main texts, hex */
};

struct config_options {
    component_types types;
    enum stability stability; /* the least stable that is allowed */
    /* Exports of what runs under a full id, for what shapes the graph (an import's content, a foreach's collection);
     * returns NULL when nothing does. May be NULL: nothing runs. */
    struct exports *(*exports_of)(void *self, struct slice id);
    void *self;
    struct config_shape *shape; /* gets what the expansion depended on, also when it fails; may be NULL */
    /* Gets what was understood of a configuration that is refused, so that its arguments are checked as well; untouched
     * when a text does not even parse. Only for change_check. May be NULL. */
    struct config **refused;
};

/* Parses, expands and resolves. INVALID: every reason is in diags, *out is NULL. The caller owns one reference. */
MUST_USE enum code config_load(struct config **out, const struct config_options *options,
                               const struct config_text *texts, size_t n_texts, struct diags *diags);
struct config *config_ref(struct config *c);
void config_unref(struct config *c);                                                    /* NULL is fine */
const struct config_block *config_block_by_id(const struct config *c, struct slice id); /* full id */
const struct component_type *component_type_find(component_types types, struct slice name);
const char *stability_name(enum stability stability); /* "generally-available", … */

/* What a dotted reference means in a scope. */
struct config_found {
    enum { FOUND_NOTHING, FOUND_BLOCK, FOUND_ARGUMENT, FOUND_INSTANCE, FOUND_EXPORT, FOUND_VALUE } kind;
    size_t n_used;                    /* parts that were used; the rest are field accesses */
    const struct config_name *name;   /* BLOCK, ARGUMENT (also argument.a without .value), INSTANCE (all its exports, or
                                         pending), EXPORT */
    struct value value;               /* VALUE: the item of a foreach, module_path */
    const struct config_scope *scope; /* VALUE of an item: its scope */
};
struct config_found config_look_up(const struct config_scope *scope, const struct slice *parts, size_t n);
/* The same at the root, for blocks only: NULL when it is no block. */
struct config_block *config_find(const struct config *c, const struct slice *parts, size_t n, size_t *n_used);
/* The module instances, imports and items are c->scopes[1..n_scopes): outer ones before what they hold. */
const struct config_scope *config_scope_by_path(const struct config *c, struct slice path);
#endif
