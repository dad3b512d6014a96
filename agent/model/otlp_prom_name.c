/* Names and units: the rules the Collector and Alloy share (OpenTelemetry "Prometheus and OpenMetrics Compatibility").
 */
#include "agent/model/otlp_to_prom.h"
#include "agent/model/otlp_to_prom_int.h"

enum { MAX_TOKENS = 64 };

struct pair {
    const char *from, *to;
};

/* UCUM to Prometheus' base units. */
static const struct pair units[] = {
    {"d", "days"},          {"h", "hours"},        {"min", "minutes"},   {"s", "seconds"},      {"ms", "milliseconds"},
    {"us", "microseconds"}, {"ns", "nanoseconds"}, {"By", "bytes"},      {"KiBy", "kibibytes"}, {"MiBy", "mebibytes"},
    {"GiBy", "gibibytes"},  {"TiBy", "tibibytes"}, {"KBy", "kilobytes"}, {"MBy", "megabytes"},  {"GBy", "gigabytes"},
    {"TBy", "terabytes"},   {"m", "meters"},       {"V", "volts"},       {"A", "amperes"},      {"J", "joules"},
    {"W", "watts"},         {"g", "grams"},        {"Cel", "celsius"},   {"Hz", "hertz"},       {"1", ""},
    {"%", "percent"},
};
static const struct pair per_units[] = {
    {"s", "second"}, {"m", "minute"}, {"h", "hour"}, {"d", "day"}, {"w", "week"}, {"mo", "month"}, {"y", "year"},
};

static struct slice look_up(const struct pair *list, size_t n, struct slice s)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_str(s, list[i].from))
            return slice_str(list[i].to);
    return s;
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':';
}

struct tokens {
    struct slice list[MAX_TOKENS];
    size_t n;
};

/* Runs of letters, digits and colons; what lies between is dropped. */
static void add_tokens(struct tokens *t, struct slice s)
{
    size_t i = 0;

    while (i < s.len && t->n < MAX_TOKENS) {
        size_t first;

        while (i < s.len && !is_token_char(s.ptr[i]))
            i++;
        first = i;
        while (i < s.len && is_token_char(s.ptr[i]))
            i++;
        if (i != first)
            t->list[t->n++] = slice_make(s.ptr + first, i - first);
    }
}

static bool has_token(const struct tokens *t, struct slice s)
{
    for (size_t i = 0; i < t->n; i++)
        if (slice_eq(t->list[i], s))
            return true;
    return false;
}

/* As the last one, wherever it stood before. */
static void move_last(struct tokens *t, struct slice word)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->n; i++)
        if (!slice_eq(t->list[i], word))
            t->list[kept++] = t->list[i];
    if (kept < MAX_TOKENS)
        t->list[kept++] = word;
    t->n = kept;
}

static struct slice join(struct arena *a, const struct tokens *t)
{
    size_t len = 1;
    char *text, *at;

    for (size_t i = 0; i < t->n; i++)
        len += t->list[i].len + 1;
    at = text = arena_try_alloc(a, len);
    if (text == NULL || t->n == 0)
        return (struct slice){0};
    if (t->list[0].ptr[0] >= '0' && t->list[0].ptr[0] <= '9')
        *at++ = '_';
    for (size_t i = 0; i < t->n; i++) {
        if (i != 0)
            *at++ = '_';
        at = mempcpy(at, t->list[i].ptr, t->list[i].len);
    }
    return slice_make(text, (size_t)(at - text));
}

/* The part of a unit before or after "/", in Prometheus' words; empty for annotations ({request}) and "1". */
static struct slice unit_part(struct arena *a, struct slice part, bool is_per)
{
    struct tokens t = {.n = 0};

    part = slice_trim(part);
    if (slice_find(part, '{') != part.len || slice_find(part, '}') != part.len)
        return (struct slice){0};
    add_tokens(&t, is_per ? look_up(per_units, sizeof per_units / sizeof per_units[0], part)
                          : look_up(units, sizeof units / sizeof units[0], part));
    return join(a, &t);
}

static void add_unit(struct arena *a, struct tokens *t, struct slice unit)
{
    struct slice main_unit, per;

    (void)slice_cut(unit, '/', &main_unit, &per);
    main_unit = unit_part(a, main_unit, false);
    per = unit_part(a, per, true);
    if (main_unit.len != 0 && !has_token(t, main_unit) && t->n < MAX_TOKENS)
        t->list[t->n++] = main_unit;
    if (per.len != 0 && !has_token(t, per) && t->n + 2 <= MAX_TOKENS) {
        t->list[t->n++] = SLICE_LIT("per");
        t->list[t->n++] = per;
    }
}

struct slice otlp_prom_unit(struct arena *a, struct slice unit)
{
    struct tokens t = {.n = 0};

    add_unit(a, &t, unit);
    return join(a, &t);
}

struct slice otlp_prom_name(struct arena *a, struct slice name, struct slice unit, enum metric_type type,
                            bool add_suffixes)
{
    struct tokens t = {.n = 0};

    add_tokens(&t, name);
    if (add_suffixes && t.n != 0) {
        add_unit(a, &t, unit);
        if (type == METRIC_COUNTER)
            move_last(&t, SLICE_LIT("total"));
        if (type == METRIC_GAUGE && slice_eq_str(unit, "1"))
            move_last(&t, SLICE_LIT("ratio"));
    }
    return join(a, &t);
}

struct slice otlp_prom_label(struct arena *a, struct slice name)
{
    bool is_digit = name.len != 0 && name.ptr[0] >= '0' && name.ptr[0] <= '9';
    bool is_private = name.len > 1 && name.ptr[0] == '_' && name.ptr[1] != '_';
    struct slice lead = is_digit ? SLICE_LIT("key_") : is_private ? SLICE_LIT("key") : SLICE_LIT("");
    char *text;

    if (name.len == 0 || (lead.len == 0 && label_name_is_legacy(name)))
        return name;
    text = arena_try_alloc(a, name.len + lead.len);
    if (text == NULL)
        return (struct slice){0};
    memcpy(text, lead.ptr, lead.len);
    for (size_t i = 0; i < name.len; i++)
        text[lead.len + i] = is_token_char(name.ptr[i]) && name.ptr[i] != ':' ? name.ptr[i] : '_';
    return slice_make(text, name.len + lead.len);
}
