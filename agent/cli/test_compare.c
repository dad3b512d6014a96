#include "agent/cli/test_compare.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/text/regex.h"
#include <stdlib.h>

enum { SHOWN_ITEMS = 10, MARKED_TEXT_BYTES = 160 };
static const size_t nothing = SIZE_MAX;

/* One expect block at work. */
struct comparison {
    const struct test_expect *e;
    const struct item **items; /* those that count: of the kinds that are expected; owned */
    size_t n;
    uint8_t *fits;       /* [expected * n + item]; owned */
    size_t *item_of;     /* of each expected one, or nothing; owned */
    size_t *expected_of; /* of each item, or nothing; owned */
    const char *file;
    struct buf *out;
};

/* --- does one item fit? --- */

static const struct label *find_pair(const struct label *pairs, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(pairs[i].name, name))
            return &pairs[i];
    return NULL;
}

static bool has_all(const struct item_field *f, const struct condition *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct label *got = find_pair(f->pairs, f->n, c->pairs[i].name);

        if (got == NULL || !slice_eq(got->value, c->pairs[i].value))
            return false;
    }
    return true;
}

static bool lacks_all(const struct item_field *f, const struct condition *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (find_pair(f->pairs, f->n, c->pairs[i].name) != NULL)
            return false;
    return true;
}

static bool holds(const struct condition *c, const struct item *item)
{
    const struct item_field *f = item_field(item, c->field);

    if (f == NULL)
        return false;
    switch (c->op) {
    case CONDITION_IS:
        return f->is_set ? f->n == c->n && has_all(f, c) : slice_eq(f->text, c->text);
    case CONDITION_HAS:
        return has_all(f, c);
    case CONDITION_LACKS:
        return lacks_all(f, c);
    case CONDITION_MATCHES:
        return c->regex != NULL && regex_is_match(c->regex, f->text);
    }
    return false;
}

static bool fits(const struct expected *x, const struct item *item)
{
    if (x->kind != item->kind)
        return false;
    for (size_t i = 0; i < x->n; i++)
        if (!holds(&x->conditions[i], item))
            return false;
    return true;
}

/* How much of it holds: the nearest item is shown beside what was expected. */
static size_t nearness(const struct expected *x, const struct item *item)
{
    size_t n = x->kind == item->kind;

    for (size_t i = 0; i < x->n && n > 0; i++)
        n += holds(&x->conditions[i], item);
    return n;
}

/* --- who belongs to whom --- */

static bool fits_at(const struct comparison *c, size_t x, size_t item)
{
    return c->fits[x * c->n + item] != 0;
}

static void join(struct comparison *c, size_t x, size_t item)
{
    c->item_of[x] = item;
    c->expected_of[item] = x;
}

/* The longest run of both in order: what is left out on either side is missing or too much. */
static void pair_in_order(struct comparison *c)
{
    size_t rows = c->e->n, columns = c->n, x = 0, item = 0;
    uint32_t *longest = mem_array((rows + 1) * (columns + 1), sizeof *longest);

#define LONGEST(row, column) longest[(row) * (columns + 1) + (column)]
    for (size_t r = rows; r-- > 0;)
        for (size_t k = columns; k-- > 0;) {
            uint32_t without = LONGEST(r + 1, k) > LONGEST(r, k + 1) ? LONGEST(r + 1, k) : LONGEST(r, k + 1);
            uint32_t with = fits_at(c, r, k) ? LONGEST(r + 1, k + 1) + 1 : 0;

            LONGEST(r, k) = with > without ? with : without;
        }
    while (x < rows && item < columns) {
        if (fits_at(c, x, item) && LONGEST(x, item) == LONGEST(x + 1, item + 1) + 1)
            join(c, x++, item++);
        else if (LONGEST(x + 1, item) >= LONGEST(x, item + 1))
            x++;
        else
            item++;
    }
#undef LONGEST
    mem_free(longest);
}

/* Augmenting paths, breadth first: a partial expectation may not take the only item another one fits. */
static bool place(struct comparison *c, size_t x, size_t *queue, size_t *from)
{
    size_t head = 0, tail = 0;

    for (size_t i = 0; i < c->n; i++)
        from[i] = nothing;
    queue[tail++] = x;
    while (head < tail) {
        size_t at = queue[head++];

        for (size_t item = 0; item < c->n; item++) {
            if (!fits_at(c, at, item) || from[item] != nothing)
                continue;
            from[item] = at;
            if (c->expected_of[item] != nothing) {
                queue[tail++] = c->expected_of[item];
                continue;
            }
            while (true) { /* free: everyone on the way moves up by one */
                size_t owner = from[item], given_up = c->item_of[owner];

                join(c, owner, item);
                if (owner == x)
                    return true;
                item = given_up;
            }
        }
    }
    return false;
}

static void pair_in_any_order(struct comparison *c)
{
    size_t *queue = mem_array(c->e->n + 1, sizeof *queue), *from = mem_array(c->n + 1, sizeof *from);

    for (size_t x = 0; x < c->e->n; x++)
        (void)place(c, x, queue, from);
    mem_free(queue);
    mem_free(from);
}

/* --- texts --- */

static void put_pairs(struct buf *out, const struct label *pairs, size_t n)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add_str(out, ", ");
        buf_add(out, pairs[i].name);
        buf_add_char(out, '=');
        label_value_write(pairs[i].value, out);
    }
    buf_add_char(out, '}');
}

static bool is_shown(const struct item_field *f)
{
    return f->is_set ? f->n != 0 : f->text.len != 0 && strcmp(f->name, "timestamp") != 0;
}

static void put_item(struct buf *out, const struct item *item)
{
    buf_printf(out, "        + %s", item_kind_name(item->kind));
    for (size_t i = 0; i < item->n; i++) {
        const struct item_field *f = &item->fields[i];

        if (!is_shown(f))
            continue;
        buf_printf(out, " %s=", f->name);
        if (f->is_set)
            put_pairs(out, f->pairs, f->n);
        else
            label_value_write(f->text, out);
    }
    buf_add_char(out, '\n');
}

static void put_pair(struct buf *out, char sign, const struct label *pair, const char *note)
{
    buf_printf(out, "          %c ", sign);
    buf_add(out, pair->name);
    buf_add_char(out, '=');
    label_value_write(pair->value, out);
    buf_printf(out, "%s\n", note);
}

/* Both in order of their names; what is as expected is shown too, as the place to look at. */
static void put_sets(struct buf *out, const struct condition *c, const struct item_field *f)
{
    size_t want = 0, got = 0;

    while (want < c->n || got < f->n) {
        int order = want == c->n ? 1 : got == f->n ? -1 : slice_cmp(c->pairs[want].name, f->pairs[got].name);

        if (order == 0 && slice_eq(c->pairs[want].value, f->pairs[got].value)) {
            put_pair(out, ' ', &c->pairs[want], "");
        } else {
            if (order <= 0)
                put_pair(out, '-', &c->pairs[want], "");
            if (order == 0 || (order > 0 && c->op == CONDITION_IS))
                put_pair(out, '+', &f->pairs[got], "");
        }
        want += order <= 0;
        got += order >= 0;
    }
}

static void put_unwanted(struct buf *out, const struct condition *c, const struct item_field *f)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct label *got = find_pair(f->pairs, f->n, c->pairs[i].name);

        if (got != NULL)
            put_pair(out, '+', got, " should not be there");
    }
}

/* A caret under the first character that differs, where lines are short enough to look at. */
static void put_mark(struct buf *out, struct slice a, struct slice b)
{
    size_t same = 0, column = 0;

    while (same < a.len && same < b.len && a.ptr[same] == b.ptr[same])
        same++;
    while (same > 0 && same < b.len && (b.ptr[same] & 0xc0) == 0x80) /* the beginning of the character */
        same--;
    for (size_t i = 0; i < same; i++)
        column += (b.ptr[i] & 0xc0) != 0x80;
    if (same < 8 || a.len > MARKED_TEXT_BYTES || b.len > MARKED_TEXT_BYTES)
        return;
    buf_printf(out, "            %*s^\n", (int)column, "");
}

static void put_texts(struct buf *out, const struct condition *c, const struct item_field *f)
{
    struct buf want, got;

    buf_init(&want, LIMIT_TEST_REPORT_BYTES);
    buf_init(&got, LIMIT_TEST_REPORT_BYTES);
    label_value_write(c->text, &want);
    label_value_write(f->text, &got);
    buf_printf(out, "          - %s", c->op == CONDITION_MATCHES ? "matches " : "");
    buf_add(out, buf_slice(&want));
    buf_add_str(out, "\n          + ");
    buf_add(out, buf_slice(&got));
    buf_add_char(out, '\n');
    if (c->op == CONDITION_IS)
        put_mark(out, buf_slice(&want), buf_slice(&got));
    buf_release(&want);
    buf_release(&got);
}

static void put_condition(struct buf *out, const struct condition *c, const struct item *item)
{
    const struct item_field *f = item_field(item, c->field);

    if (f == NULL || holds(c, item))
        return;
    buf_printf(out, "        %s:\n", c->field);
    if (c->op == CONDITION_LACKS)
        put_unwanted(out, c, f);
    else if (f->is_set)
        put_sets(out, c, f);
    else
        put_texts(out, c, f);
}

static void put_place(const struct comparison *c, size_t x)
{
    const struct expected *e = &c->e->items[x];

    buf_printf(c->out, "      %s %zu of %zu (%s:%u:%u)", item_kind_name(e->kind), x + 1, c->e->n, c->file, e->at.line,
               e->at.column);
}

static void put_difference(const struct comparison *c, size_t x, size_t item)
{
    const struct expected *e = &c->e->items[x];

    put_place(c, x);
    buf_add_str(c->out, " differs:\n");
    for (size_t i = 0; i < e->n; i++)
        put_condition(c->out, &e->conditions[i], c->items[item]);
}

static void put_missing(const struct comparison *c, size_t x)
{
    static const char *const words[] = {
        [CONDITION_IS] = "", [CONDITION_HAS] = "has ", [CONDITION_LACKS] = "has no ", [CONDITION_MATCHES] = "matches "};
    const struct expected *e = &c->e->items[x];

    put_place(c, x);
    buf_add_str(c->out, " did not come:\n");
    for (size_t i = 0; i < e->n; i++) {
        const struct condition *w = &e->conditions[i];

        buf_printf(c->out, "        - %s: %s", w->field, words[w->op]);
        if (w->op == CONDITION_LACKS)
            for (size_t k = 0; k < w->n; k++)
                buf_printf(c->out, "%s%.*s", k > 0 ? ", " : "", SLICE_ARG(w->pairs[k].name));
        else if (w->pairs != NULL)
            put_pairs(c->out, w->pairs, w->n);
        else
            label_value_write(w->text, c->out);
        buf_add_char(c->out, '\n');
    }
}

/* --- the report --- */

/* Of those items nobody expected, the one nearest to x; nothing when none is of its kind. */
static size_t nearest_free(const struct comparison *c, size_t x)
{
    size_t best = nothing, most = 0;

    for (size_t i = 0; i < c->n; i++) {
        size_t n = c->expected_of[i] == nothing ? nearness(&c->e->items[x], c->items[i]) : 0;

        if (n > most) {
            most = n;
            best = i;
        }
    }
    return best;
}

/* In order, the next free item before the one that belongs to the next expected one. */
static size_t next_free(const struct comparison *c, size_t x)
{
    size_t from = 0, end = c->n;

    for (size_t i = x; i-- > 0;)
        if (c->item_of[i] != nothing) {
            from = c->item_of[i] + 1;
            break;
        }
    for (size_t i = x + 1; i < c->e->n; i++)
        if (c->item_of[i] != nothing) {
            end = c->item_of[i];
            break;
        }
    for (size_t i = from; i < end; i++)
        if (c->expected_of[i] == nothing && c->items[i]->kind == c->e->items[x].kind)
            return i;
    return nothing;
}

static void report_extra(const struct comparison *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++)
        n += c->expected_of[i] == nothing;
    if (n == 0)
        return;
    buf_printf(c->out, "      %zu came that %s not expected:\n", n, n == 1 ? "was" : "were");
    for (size_t i = 0, shown = 0; i < c->n; i++) {
        if (c->expected_of[i] != nothing)
            continue;
        if (shown++ == SHOWN_ITEMS) {
            buf_printf(c->out, "        + and %zu more\n", n - SHOWN_ITEMS);
            return;
        }
        put_item(c->out, c->items[i]);
    }
}

static bool report(struct comparison *c)
{
    bool is_exact = c->e->order == ORDER_EXACT, is_good = true;

    for (size_t x = 0; x < c->e->n; x++)
        is_good = is_good && c->item_of[x] != nothing;
    for (size_t i = 0; i < c->n && c->e->order != ORDER_CONTAINS; i++)
        is_good = is_good && c->expected_of[i] != nothing;
    if (is_good)
        return true;
    for (size_t x = 0; x < c->e->n; x++) {
        size_t beside;

        if (c->item_of[x] != nothing)
            continue;
        beside = is_exact ? next_free(c, x) : nearest_free(c, x);
        if (beside == nothing) {
            put_missing(c, x);
            continue;
        }
        put_difference(c, x, beside);
        join(c, x, beside); /* shown: it is not called too much as well */
    }
    if (c->e->order != ORDER_CONTAINS)
        report_extra(c);
    return false;
}

static bool compare_items(struct comparison *c)
{
    size_t n = c->e->n;

    if (n != 0 && c->n > LIMIT_TEST_COMPARISONS / n) {
        buf_printf(c->out, "      %zu items came, too many to compare with %zu expected ones\n", c->n, n);
        return false;
    }
    c->fits = mem_array(n * c->n + 1, 1);
    for (size_t x = 0; x < n; x++)
        for (size_t i = 0; i < c->n; i++)
            c->fits[x * c->n + i] = fits(&c->e->items[x], c->items[i]);
    if (c->e->order == ORDER_EXACT)
        pair_in_order(c);
    else
        pair_in_any_order(c);
    return report(c);
}

static bool compare_count(struct comparison *c)
{
    size_t want = c->e->none ? 0 : (size_t)c->e->count;

    if (c->n == want)
        return true;
    if (c->e->none)
        buf_printf(c->out, "      nothing is expected, %zu came:\n", c->n);
    else
        buf_printf(c->out, "      count:\n          - %zu\n          + %zu\n", want, c->n);
    for (size_t i = 0; i < c->n && i < SHOWN_ITEMS && c->e->n == 0; i++)
        put_item(c->out, c->items[i]);
    if (c->n > SHOWN_ITEMS && c->e->n == 0)
        buf_printf(c->out, "        + and %zu more\n", c->n - SHOWN_ITEMS);
    return false;
}

static bool is_wanted(const struct test_expect *e, enum item_kind kind)
{
    for (size_t x = 0; x < e->n; x++)
        if (e->items[x].kind == kind)
            return true;
    return e->n == 0;
}

bool test_compare(const struct test_expect *e, const struct item *items, size_t n, const char *file, struct buf *out)
{
    struct comparison c = {.e = e, .file = file, .out = out};
    bool wanted[ITEM_TARGET + 1], is_good = true;

    for (size_t kind = 0; kind <= ITEM_TARGET; kind++)
        wanted[kind] = is_wanted(e, (enum item_kind)kind);
    c.items = mem_array(n + 1, sizeof *c.items);
    c.item_of = mem_array(e->n + 1, sizeof *c.item_of);
    c.expected_of = mem_array(n + 1, sizeof *c.expected_of);
    for (size_t i = 0; i < n; i++)
        if (wanted[items[i].kind])
            c.items[c.n++] = &items[i];
    for (size_t i = 0; i < e->n; i++)
        c.item_of[i] = nothing;
    for (size_t i = 0; i < n; i++)
        c.expected_of[i] = nothing;
    if (e->none || e->has_count)
        is_good = compare_count(&c);
    if (e->n != 0)
        is_good = compare_items(&c) && is_good;
    mem_free(c.fits);
    mem_free(c.items);
    mem_free(c.item_of);
    mem_free(c.expected_of);
    return is_good;
}
