/* agent/river/gofmt_int.h - one verb of a format while it is printed; shared by texts and numbers. */
#ifndef AGENT_RIVER_GOFMT_INT_H
#define AGENT_RIVER_GOFMT_INT_H
#include "agent/river/stdlib_int.h"

struct gofmt {
    struct buf *out;
    const struct value *args;
    size_t n_args, arg; /* the next argument */
    int width, precision;
    bool has_width, has_precision;
    bool plus, minus, sharp, space, zero;
    bool is_go_syntax; /* %#v */
    bool is_reordered, is_good_index;
};

void gofmt_padding(struct gofmt *p, int n);
void gofmt_pad(struct gofmt *p, struct slice s); /* s, as wide as is asked for */
void gofmt_rune(struct buf *out, uint32_t rune);
/* One character of a quoted text; byte >= 0: it is that byte, which is no UTF-8. */
void gofmt_quote_rune(struct buf *out, uint32_t rune, int byte, char quote, bool only_ascii);
bool gofmt_is_printable(uint32_t rune);
void gofmt_bad_verb(struct gofmt *p, const struct value *v, uint32_t verb); /* %!d(string=x) */
void gofmt_int(struct gofmt *p, const struct value *v, uint32_t verb);
void gofmt_float(struct gofmt *p, const struct value *v, uint32_t verb);
#endif
