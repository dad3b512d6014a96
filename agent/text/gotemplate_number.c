/* Template functions on numbers and times: sprig's. */
#include "agent/base/clock.h"
#include "agent/text/gotemplate_int.h"
#include "agent/text/timefmt.h"
#include <math.h>

#define FUNCTION(name) static enum code name(struct run *run, const struct value *args, size_t n, struct value *out)

enum { ANY = TEMPLATE_ARGUMENTS };

/* ---- numbers: 64-bit integers that wrap, and on floats ---- */

#define WRAP(name, operation)                                                                                          \
    FUNCTION(name)                                                                                                     \
    {                                                                                                                  \
        uint64_t v = (uint64_t)tvalue_to_i64(&args[0]);                                                                \
                                                                                                                       \
        (void)run;                                                                                                     \
        for (size_t i = 1; i < n; i++)                                                                                 \
            v = v operation(uint64_t) tvalue_to_i64(&args[i]);                                                         \
        *out = tvalue_int((int64_t)v);                                                                                 \
        return OK;                                                                                                     \
    }

WRAP(add, +)
WRAP(subtract, -)
WRAP(multiply, *)

static enum code divide_by(struct run *run, const struct value *args, bool wants_rest, struct value *out)
{
    int64_t a = tvalue_to_i64(&args[0]), b = tvalue_to_i64(&args[1]);

    if (b == 0)
        return run_fail(run, INVALID, "division by zero");
    if (b == -1) /* the one quotient that does not fit wraps, as in Go */
        *out = tvalue_int(wants_rest ? 0 : (int64_t)(0 - (uint64_t)a));
    else
        *out = tvalue_int(wants_rest ? a % b : a / b);
    return OK;
}

FUNCTION(divide)
{
    (void)n;
    return divide_by(run, args, false, out);
}

FUNCTION(modulo)
{
    (void)n;
    return divide_by(run, args, true, out);
}

FUNCTION(add1)
{
    (void)run;
    (void)n;
    *out = tvalue_int((int64_t)((uint64_t)tvalue_to_i64(&args[0]) + 1));
    return OK;
}

FUNCTION(largest)
{
    (void)run;
    *out = tvalue_int(tvalue_to_i64(&args[0]));
    for (size_t i = 1; i < n; i++)
        out->integer = tvalue_to_i64(&args[i]) > out->integer ? tvalue_to_i64(&args[i]) : out->integer;
    return OK;
}

FUNCTION(smallest)
{
    (void)run;
    *out = tvalue_int(tvalue_to_i64(&args[0]));
    for (size_t i = 1; i < n; i++)
        out->integer = tvalue_to_i64(&args[i]) < out->integer ? tvalue_to_i64(&args[i]) : out->integer;
    return OK;
}

#define FLOATS(name, operation)                                                                                        \
    FUNCTION(name)                                                                                                     \
    {                                                                                                                  \
        double v = tvalue_to_f64(&args[0]);                                                                            \
                                                                                                                       \
        (void)run;                                                                                                     \
        for (size_t i = 1; i < n; i++)                                                                                 \
            v = v operation tvalue_to_f64(&args[i]);                                                                   \
        *out = tvalue_float(v);                                                                                        \
        return OK;                                                                                                     \
    }

FLOATS(addf, +)
FLOATS(subf, -)
FLOATS(mulf, *)
FLOATS(divf, /)

#define ROUNDED(name, call)                                                                                            \
    FUNCTION(name)                                                                                                     \
    {                                                                                                                  \
        (void)run;                                                                                                     \
        (void)n;                                                                                                       \
        *out = tvalue_float(call(tvalue_to_f64(&args[0])));                                                            \
        return OK;                                                                                                     \
    }

ROUNDED(ceiling, ceil)
ROUNDED(floor_of, floor)

FUNCTION(round_to)
{
    int64_t places;
    enum code rc = run_int(run, &args[1], &places);
    double scale, scaled, rest;

    (void)n;
    if (rc != OK)
        return rc;
    if (places < -15 || places > 15)
        return run_fail(run, INVALID, "round: %lld places", (long long)places);
    scale = pow(10, (double)places);
    scaled = tvalue_to_f64(&args[0]) * scale;
    rest = scaled - floor(scaled);
    *out = tvalue_float((rest >= 0.5 ? ceil(scaled) : floor(scaled)) / scale);
    return OK;
}

FUNCTION(to_int)
{
    (void)run;
    (void)n;
    *out = tvalue_int(tvalue_to_i64(&args[0]));
    return OK;
}

FUNCTION(to_float)
{
    (void)run;
    (void)n;
    *out = tvalue_float(tvalue_to_f64(&args[0]));
    return OK;
}

/* ---- time ---- */

FUNCTION(now)
{
    (void)args;
    (void)n;
    *out = (struct value){.kind = VALUE_TIME, .integer = run->data->now_ns};
    return OK;
}

static enum code local_zone(struct run *run, const struct tz **out)
{
    return tz_load(out, SLICE_LIT("Local"), run->err);
}

/* date layout time: seconds since 1970 for an integer, now for what is no time, as sprig has it. */
FUNCTION(date)
{
    int64_t ns = run->data->now_ns;
    struct slice layout;
    struct timefmt *f = NULL;
    const struct tz *zone;
    struct buf b;
    enum code rc = run_string(run, &args[0], &layout);

    (void)n;
    if (args[1].kind == VALUE_TIME)
        ns = args[1].integer;
    else if (args[1].kind == VALUE_INT && __builtin_mul_overflow(args[1].integer, (int64_t)NS_PER_S, &ns))
        return run_fail(run, INVALID, "date: time is outside of 1677 to 2262");
    if (rc == OK)
        rc = local_zone(run, &zone);
    if (rc == OK)
        rc = timefmt_compile(&f, layout, run->err);
    if (rc != OK)
        return rc;
    run_scratch(run, &b);
    (void)timefmt_format(f, ns, zone, &b);
    timefmt_free(f);
    return run_take(run, &b, out);
}

FUNCTION(to_date)
{
    struct slice layout, text;
    struct timefmt *f = NULL;
    const struct tz *zone;
    int64_t ns;
    enum code rc = run_string(run, &args[0], &layout);

    (void)n;
    if (rc == OK)
        rc = run_string(run, &args[1], &text);
    if (rc == OK)
        rc = local_zone(run, &zone);
    if (rc == OK)
        rc = timefmt_compile(&f, layout, run->err);
    if (rc == OK)
        rc = timefmt_parse(f, text, zone, run->data->now_ns, &ns, run->err);
    timefmt_free(f);
    if (rc == OK)
        *out = (struct value){.kind = VALUE_TIME, .integer = ns};
    return rc;
}

FUNCTION(unix_epoch)
{
    int64_t seconds;
    struct buf b;

    (void)n;
    if (args[0].kind != VALUE_TIME)
        return run_fail(run, INVALID, "wrong type for value; expected time.Time; got %s", tvalue_type(&args[0]));
    seconds = args[0].integer / NS_PER_S - (args[0].integer % NS_PER_S < 0);
    run_scratch(run, &b);
    (void)buf_printf(&b, "%lld", (long long)seconds);
    return run_take(run, &b, out);
}

const struct template_function template_number_functions[] = {
    {"add", 1, ANY, add},      {"add1", 1, 1, add1},
    {"sub", 2, 2, subtract},   {"mul", 1, ANY, multiply},
    {"div", 2, 2, divide},     {"mod", 2, 2, modulo},
    {"max", 1, ANY, largest},  {"min", 1, ANY, smallest},
    {"addf", 1, ANY, addf},    {"subf", 1, ANY, subf},
    {"mulf", 1, ANY, mulf},    {"divf", 1, ANY, divf},
    {"ceil", 1, 1, ceiling},   {"floor", 1, 1, floor_of},
    {"round", 2, 2, round_to}, {"int", 1, 1, to_int},
    {"int64", 1, 1, to_int},   {"float64", 1, 1, to_float},
    {"now", 0, 0, now},        {"date", 2, 2, date},
    {"toDate", 2, 2, to_date}, {"unixEpoch", 1, 1, unix_epoch},
    {NULL, 0, 0, NULL},
};
