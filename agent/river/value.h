/* agent/river/value.h - values of the configuration language. Immutable once made; everything a value points to lives
 * in an arena (or is static) and outlives the value. A struct value itself is small and passed around by copy. */
#ifndef AGENT_RIVER_VALUE_H
#define AGENT_RIVER_VALUE_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"

enum value_type {
    VALUE_NULL = 0, /* a zeroed struct value is null */
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_SECRET,          /* a string never shown; decodes into secret fields only */
    VALUE_OPTIONAL_SECRET, /* a string that may be secret (local.file's content): as.text.is_secret says which */
    VALUE_ARRAY,
    VALUE_OBJECT, /* ordered keys, each once. Targets are objects of strings. */
    VALUE_FUNCTION,
    VALUE_CAPSULE, /* a typed pointer to something of the program: a receiver, an auth handler */
};

enum number_kind {
    NUMBER_INT,
    NUMBER_UINT, /* only for what an int64 does not hold */
    NUMBER_FLOAT,
};

struct number {
    enum number_kind kind;
    union {
        int64_t i;
        uint64_t u;
        double f;
    } as;
};

/* One per kind of capsule, compared by address. The pointer inside a capsule is borrowed: whoever exports it keeps it
 * alive for as long as values that hold it are used (the runtime frees exports after the loops' barrier). */
struct capsule_type {
    const char *name;    /* as Alloy calls it: "loki.LogsReceiver" */
    const char *example; /* a list of one as it might be written, for messages; may be NULL */
};

struct value;
struct value_field;
struct river_function; /* eval.h */

struct value {
    enum value_type type;
    union {
        bool boolean;
        struct number number;
        struct {
            struct slice bytes;
            bool is_secret; /* true for SECRET, false for STRING, either for OPTIONAL_SECRET */
        } text;
        struct {
            const struct value *items;
            size_t n;
        } array;
        struct {
            const struct value_field *fields;
            size_t n;
            const uint32_t *sorted; /* field numbers by name; NULL for small objects */
        } object;
        const struct river_function *function;
        struct {
            const struct capsule_type *type;
            void *ptr;
        } capsule;
    } as;
};

struct value_field {
    struct slice name;
    struct value value;
};

/* Constructors that need no memory; slices and arrays are borrowed. */
struct value value_null(void);
struct value value_bool(bool b);
struct value value_int(int64_t i);
struct value value_uint(uint64_t u); /* an INT when it fits */
struct value value_float(double f);
struct value value_string(struct slice s);
struct value value_cstr(const char *s); /* borrowed; NULL gives "" */
struct value value_secret(struct slice s);
struct value value_optional_secret(struct slice s, bool is_secret);
struct value value_array(const struct value *items, size_t n);
struct value value_capsule(const struct capsule_type *type, void *ptr);
struct value value_function(const struct river_function *function);

/* Makes an object from fields in order; of a name given twice the last one wins, in the first one's place. The names
 * and values are borrowed, the table is the arena's. NOMEM: the arena is full. */
MUST_USE enum code value_object(struct arena *arena, const struct value_field *fields, size_t n, struct value *out);
/* An object of strings from names[0..n) and texts[0..n); all borrowed. */
MUST_USE enum code value_object_of_strings(struct arena *arena, const struct slice *names, const struct slice *texts,
                                           size_t n, struct value *out);

/* Deep copy into arena: nothing of the copy points to v's memory (capsules' pointers and functions stay as they are).
 */
MUST_USE enum code value_copy(struct arena *arena, const struct value *v, struct value *out);

/* The field, or NULL when v is no object or has no such field. */
const struct value *value_get(const struct value *v, struct slice name);
const struct value *value_get_str(const struct value *v, const char *name);
/* STRING, SECRET or OPTIONAL_SECRET. */
bool value_is_text(const struct value *v);
bool value_is_secret(const struct value *v); /* a text that must not be shown */
bool value_contains_secret(const struct value *v);
/* The capsule's pointer when v is a capsule of that type, else NULL. */
void *value_as_capsule(const struct value *v, const struct capsule_type *type);
double value_number_f64(struct number n);
/* False when n is a float or out of range. */
bool value_number_i64(struct number n, int64_t *out);
bool value_number_u64(struct number n, uint64_t *out);
int value_number_cmp(struct number a, struct number b); /* -1, 0, 1; NaN is below everything */

/* Deep equality; secrets by their text; objects regardless of the order of keys; capsules by type and pointer. */
bool value_equal(const struct value *a, const struct value *b);

/* "null", "bool", "number", "string", "array", "object", "function", "capsule": the word of error messages. Secrets are
 * capsules, as in Alloy. */
const char *value_type_name(const struct value *v);

/* Appends v as JSON. Secrets become "(secret)" when mask_secrets, else their text. Capsules become
 * "capsule(\"NAME\")", functions "function". Bad UTF-8 becomes U+FFFD. Check out->is_full at the end. */
void value_to_json(struct buf *out, const struct value *v, bool mask_secrets);
/* The typed form of Alloy's API: {"type":"string","value":"x"}; secrets always masked. */
void value_to_typed_json(struct buf *out, const struct value *v);
/* Appends v as River text that evaluates to an equal value; secrets become (secret), capsules capsule("NAME"). */
void value_to_river(struct buf *out, const struct value *v);
/* Appends s as a quoted River string. */
void river_quote(struct buf *out, struct slice s);
/* Appends a number as Go's strconv writes it: integers plain, floats shortest, never with an exponent. */
void value_number_print(struct buf *out, struct number n);
#endif
