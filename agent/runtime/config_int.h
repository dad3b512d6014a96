/* agent/runtime/config_int.h - what the files that load a configuration share. */
#ifndef AGENT_RUNTIME_CONFIG_INT_H
#define AGENT_RUNTIME_CONFIG_INT_H
#include "agent/runtime/config.h"
#include "agent/runtime/config_shape.h"

struct load {
    struct config *config;
    const struct config_options *options;
    struct diags *diags;
    struct evaluator ev; /* for what shapes the graph */
    struct config_shape own_shape, *shape;
    struct map types;  /* name -> component_type */
    struct map parsed; /* path of an imported file -> struct ast_file, so that each is read once */
    size_t n_expanded, n_expanded_bytes, n_refs, n_uses, n_imports, n_items, n_imported_bytes;
    uint32_t *seen, stamp; /* per name: seen while linking the one whose stamp it is */
    size_t n_seen;
    bool is_parsed; /* every text given is good River */
    bool is_over;   /* a limit was reported: nothing more is expanded */
};

enum { MARK_NEW, MARK_OPEN, MARK_DONE };

/* --- config_scope.c --- */

struct config_scope *scope_new(struct load *l, enum config_scope_kind kind, const struct config_name *of,
                               struct slice path);
/* The full id of what is called id in scope. */
struct slice scope_full_id(struct arena *arena, const struct config_scope *scope, struct slice id);
/* NULL (reported): there is one of that id already, or a limit was reached. */
struct config_name *scope_add(struct load *l, struct config_scope *scope, enum config_name_kind kind,
                              const struct ast_block *ast, const struct source *source);
bool scope_has_argument(const struct config_scope *scope, struct slice name);
/* Looked up in scope and those around it by the text. NULL: none. */
struct config_name *scope_find_declare(const struct config_scope *scope, struct slice name);
struct config_name *scope_find_import(const struct config_scope *scope, struct slice namespace);
/* Reports once that a limit was reached, at block, and stops all expanding. */
void load_over(struct load *l, const struct config_name *at, const char *what, unsigned limit);

/* Counts references that are kept against their limit. */
void load_count_refs(struct load *l, const struct config_name *at, size_t n);
/* The folder a path's last part stands in; in arena. */
struct slice load_folder_of(struct arena *arena, struct slice path);
/* One more file that was read; a second time changes nothing. */
void load_add_file(struct load *l, const char *path, bool is_folder);

/* --- config_collect.c: the blocks of a body become names. The definitions (declare, import) of all bodies of a scope
 * come first: they decide what the other blocks are. --- */
void collect_definitions(struct load *l, struct config_scope *scope, const struct ast_body *body);
void collect_others(struct load *l, struct config_scope *scope, const struct ast_body *body);

/* Which block provides a custom component: its declare, and the import it came through (NULL: none). With an import
 * that is not known yet *declare is NULL and the answer true. False (nothing is reported): there is none. */
bool find_provider(const struct config_scope *scope, struct slice name, struct config_name **declare,
                   struct config_name **import);

/* --- config_level.c: the names of one scope in an order in which they can be expanded; NULL-terminated, the caller
 * mem_free()s it. Cycles are reported, their members are broken. --- */
struct config_name **level_order(struct load *l, struct config_scope *scope);

/* --- config_expand.c, config_import.c --- */
void expand_scope(struct load *l, struct config_scope *scope);
void expand_import(struct load *l, struct config_name *name);
void expand_foreach(struct load *l, struct config_name *name);
/* Evaluates the arguments of an import or foreach. AGAIN: they are not known yet, l->ev.waits_for says why. */
MUST_USE enum code expand_evaluate(struct load *l, const struct config_name *name, struct evaluation **out);

/* For `validate`: part of what name brings is known only when it runs. */
void warn_not_checked(struct load *l, const struct config_name *name, const char *why);

/* --- config_link.c: references, needs and the order of blocks --- */
/* Finds out what the expressions of name refer to. Reports what does not exist. */
void link_name(struct load *l, struct config_name *name);
/* The same for all that name uses, directly or not. */
void link_closure(struct load *l, struct config_name *name);
void link_all(struct load *l);

#endif
