/* agent/text/json.h - JSON, strictly RFC 8259, nesting at most LIMIT_JSON_DEPTH.
 *
 * Three parts: a pull reader that allocates nothing, a tree on an arena, and an escaping writer. Strings that are not
 * UTF-8 are taken as they are (a caller that needs valid text repairs it: utf8.h); a lone \uD800 escape becomes U+FFFD.
 */
#ifndef AGENT_TEXT_JSON_H
#define AGENT_TEXT_JSON_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"

/* ---- reader ---- */

enum json_token {
    JSON_TOK_END, /* the document is over, nothing but white space followed */
    JSON_TOK_OBJECT_BEGIN,
    JSON_TOK_OBJECT_END,
    JSON_TOK_ARRAY_BEGIN,
    JSON_TOK_ARRAY_END,
    JSON_TOK_KEY,    /* text: as json_reader.text says; the value follows */
    JSON_TOK_STRING, /* text without quotes, escapes still in it: json_unescape */
    JSON_TOK_NUMBER, /* text as written */
    JSON_TOK_TRUE,
    JSON_TOK_FALSE,
    JSON_TOK_NULL,
};

struct json_reader {
    const char *start, *at, *end;
    uint64_t is_object; /* one bit per open level, lowest is the innermost */
    unsigned depth;     /* open levels, <= LIMIT_JSON_DEPTH */
    unsigned state;     /* what may come next; private */
    bool is_prefix;     /* json_reader_init_prefix: what follows the value is not looked at */
    enum json_token token;
    struct slice text; /* of KEY, STRING, NUMBER; points into the input */
    bool has_escapes;  /* of KEY, STRING: text holds a backslash */
};

/* input must outlive the reader and every slice taken from it. */
void json_reader_init(struct json_reader *r, struct slice input);
/* Reads one value at the start of input and then gives END without looking further; at - start is where it stopped. */
void json_reader_init_prefix(struct json_reader *r, struct slice input);
/* The next token into r->token, r->text. INVALID names the byte offset; FULL means too deep. Not callable after either.
 */
MUST_USE enum code json_next(struct json_reader *r, struct error *err);
/* Just after KEY: skips its value. Just after OBJECT_BEGIN or ARRAY_BEGIN: skips to its end. Else nothing to skip. */
MUST_USE enum code json_skip(struct json_reader *r, struct error *err);
/* Decodes escapes; text itself when it has none. NOMEM when the arena is full. */
MUST_USE enum code json_unescape(struct arena *a, struct slice text, struct slice *out);
/* Text of the last KEY or STRING, unescaped when needed. */
MUST_USE enum code json_reader_string(struct json_reader *r, struct arena *a, struct slice *out);
/* True when the last KEY equals name (escapes considered). */
bool json_key_is(const struct json_reader *r, const char *name);
/* From NUMBER or STRING, as protobuf's JSON mapping writes 64-bit integers: "12", 12, 12.0, 1.2e1. INVALID otherwise.
 */
MUST_USE enum code json_reader_i64(const struct json_reader *r, int64_t *out, struct error *err);
MUST_USE enum code json_reader_u64(const struct json_reader *r, uint64_t *out, struct error *err);
/* From NUMBER, or STRING holding a number, "NaN", "Infinity", "-Infinity". */
MUST_USE enum code json_reader_f64(const struct json_reader *r, double *out, struct error *err);

/* ---- tree ---- */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_member;

struct json {
    enum json_type type;
    union {
        bool boolean;
        struct slice text; /* NUMBER: as written; STRING: unescaped */
        struct {
            struct json *items;
            size_t n;
        } array;
        struct {
            struct json_member *members; /* in the order written; a key may occur twice */
            size_t n;
        } object;
    };
};

struct json_member {
    struct slice key; /* unescaped */
    struct json value;
};

/* Whole input as one value. Text may point into input, which must outlive the tree. INVALID, FULL (too deep), NOMEM
 * (arena's max). */
MUST_USE enum code json_parse(struct arena *a, struct slice input, struct json *out, struct error *err);
/* The same for the first value of input; *used is where it ended. */
MUST_USE enum code json_parse_prefix(struct arena *a, struct slice input, struct json *out, size_t *used,
                                     struct error *err);
/* The member's value (the last of equal keys, as Go and JavaScript have it), or NULL, also when j is no object. */
const struct json *json_get(const struct json *j, struct slice key);
/* Of a NUMBER; false for other types and for integers that do not fit. */
bool json_as_i64(const struct json *j, int64_t *out);
bool json_as_f64(const struct json *j, double *out);
/* Equal as values: numbers by value, objects regardless of order. */
bool json_equal(const struct json *a, const struct json *b);

/* ---- writer ---- */

/* Appends "s" with quotes. Bad UTF-8 is written as U+FFFD. */
enum code json_write_string(struct buf *out, struct slice s);
/* The shortest text that reads back the same; null for NaN and infinities. */
enum code json_write_f64(struct buf *out, double v);
/* Compact, members in order, numbers as written. */
enum code json_write(struct buf *out, const struct json *j);
#endif
