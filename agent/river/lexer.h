/* agent/river/lexer.h - text to tokens, one at a time. */
#ifndef AGENT_RIVER_LEXER_H
#define AGENT_RIVER_LEXER_H
#include "agent/river/diag.h"

enum token_kind {
    TOK_EOF,
    TOK_ILLEGAL, /* reported already */
    TOK_TERMINATOR,
    TOK_COMMENT,
    TOK_IDENT,
    TOK_NULL,
    TOK_BOOL,
    TOK_NUMBER, /* digits only */
    TOK_FLOAT,
    TOK_STRING, /* "…" or `…` */
    TOK_OR,
    TOK_AND,
    TOK_NOT,
    TOK_NE,
    TOK_ASSIGN,
    TOK_EQ,
    TOK_LT,
    TOK_LE,
    TOK_GT,
    TOK_GE,
    TOK_ADD,
    TOK_SUB,
    TOK_MUL,
    TOK_DIV,
    TOK_MOD,
    TOK_POW,
    TOK_LCURLY,
    TOK_RCURLY,
    TOK_LPAREN,
    TOK_RPAREN,
    TOK_LBRACK,
    TOK_RBRACK,
    TOK_COMMA,
    TOK_DOT,
};

struct token {
    enum token_kind kind;
    struct span span;
    struct slice text; /* of the source; empty for TERMINATOR and EOF */
};

struct lexer {
    const struct source *source;
    struct diags *diags;
    size_t at;
    bool wants_terminator; /* a newline here ends a statement */
    size_t busy_until;     /* what stands here is no comment, so its line's comments do not end the line */
};

void lexer_init(struct lexer *l, const struct source *source, struct diags *diags);
/* The next token; errors go to diags. EOF for ever at the end. */
struct token lexer_next(struct lexer *l);
/* "identifier", "\"}\"", …: for messages. */
const char *token_name(enum token_kind kind);

/* The value of a STRING token, by Go's strconv.Unquote; errors were reported by the lexer. ptr NULL: arena is full. */
struct slice lexer_unquote(struct arena *arena, struct slice text);
#endif
