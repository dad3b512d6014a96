/* agent/river/parser_int.h - what the two halves of the parser, statements and expressions, share. */
#ifndef AGENT_RIVER_PARSER_INT_H
#define AGENT_RIVER_PARSER_INT_H
#include "agent/river/ast.h"
#include "agent/river/lexer.h"

struct parser {
    struct lexer lexer;
    struct token tok;  /* the one looked at */
    uint32_t last_end; /* end of the token before it */
    struct arena *arena;
    struct diags *diags;
    const struct source *source;
    char *pile; /* owned: items of the lists still open, innermost last */
    size_t pile_len, pile_cap;
    struct ast_comment *comments; /* arena */
    size_t n_comments, cap_comments;
    size_t n_nodes;
    unsigned depth;       /* of recursion */
    unsigned level;       /* brackets of any kind still open */
    uint32_t stmt_column; /* bytes before the current statement on its line */
    bool is_at_next;      /* lost, but the next statement has been found already */
    bool is_lost;         /* an error was reported: nothing more until the statement's end */
    enum code failure;    /* NOMEM, FULL: stop altogether */
};

void parser_next(struct parser *p);
/* Reports "TEXT, got TOKEN" at the token looked at (or just after the last one, at a line's end) and is lost. */
struct diag *parser_unexpected(struct parser *p, const char *text);
/* Stops altogether: no memory, or past a limit. */
void parser_fail(struct parser *p, enum code code, const char *text);
bool parser_is_done(const struct parser *p); /* lost, failed or at the end */
/* One more level of recursion; false (and failed) past the limit. Pair with depth--. */
bool parser_enter(struct parser *p);
/* Counts a node. */
bool parser_count(struct parser *p);
void *parser_alloc(struct parser *p, size_t size); /* zeroed; NULL: failed */

size_t parser_pile_mark(const struct parser *p);
void parser_pile_push(struct parser *p, const void *item, size_t size);
/* Moves everything above mark to the arena. NULL when there is nothing or it failed. */
void *parser_pile_take(struct parser *p, size_t mark);

/* Bytes between the start of offset's line and offset. */
uint32_t parser_column(const struct parser *p, uint32_t offset);

struct expr *parse_expr(struct parser *p); /* NULL: lost or failed */
#endif
