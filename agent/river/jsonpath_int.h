/* agent/river/jsonpath_int.h - between a path's steps and its filters. */
#ifndef AGENT_RIVER_JSONPATH_INT_H
#define AGENT_RIVER_JSONPATH_INT_H
#include "agent/river/stdlib_int.h"
#include "agent/text/json.h"
#include "agent/text/utf8.h"

enum { MOST_PARTS = 16, MOST_PIECES = 256, MOST_DEPTH = 16 };

enum step_kind { STEP_CHOSEN, STEP_ALL, STEP_SLICE, STEP_FILTER, STEP_DESCEND };

struct filter;
struct filter_node;

struct step {
    struct step *next;
    enum step_kind kind;
    struct slice names[MOST_PARTS]; /* CHOSEN; ptr NULL: it is the index beside it */
    int64_t indexes[MOST_PARTS];    /* SLICE: from, to, by */
    size_t n;
    bool has_to;
    struct filter *filter;
};

struct path {
    struct arena *arena;
    struct slice all, rest; /* rest is still to be read */
    size_t n_pieces;        /* steps and nodes made */
    unsigned depth;
    struct filter *filter;        /* the one that is being read */
    struct filter_node *matchers; /* all nodes with a regex, to be freed */
    struct error *err;
    const struct json *root;
    size_t n_seen; /* nodes looked at */
};

struct found {
    const struct json **items; /* arena */
    size_t n, cap;
};

/* --- reading --- */

static inline char jsonpath_peek(const struct path *p)
{
    return p->rest.len != 0 ? p->rest.ptr[0] : '\0';
}

enum code jsonpath_syntax(struct path *p, const char *text); /* INVALID */
bool jsonpath_take(struct path *p, const char *text);
void jsonpath_skip_space(struct path *p);
MUST_USE enum code jsonpath_quoted(struct path *p, struct slice *out); /* in the quotes rest begins with */
void *jsonpath_piece(struct path *p, size_t size);                     /* zeroed; NULL (err is set): too many */
MUST_USE enum code jsonpath_steps(struct path *p, struct step **out);

/* --- walking --- */

MUST_USE enum code jsonpath_walk(struct path *p, const struct step *s, const struct json *at, struct found *found);

/* --- jsonpath_filter.c --- */

/* After "?", up to the closing bracket. */
MUST_USE enum code filter_parse(struct path *p, struct filter **out);
MUST_USE enum code filter_holds(struct path *p, const struct filter *f, const struct json *at, bool *out);
void filters_free(struct path *p);
#endif
