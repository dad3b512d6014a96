/* "did you mean": the candidate with the fewest edits. */
#include "agent/river/diag.h"

enum { LONGEST_WORD = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t edit_distance(struct slice a, struct slice b, size_t max)
{
    size_t rows[3][LONGEST_WORD + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2], *spare;

    if (a.len > LONGEST_WORD || b.len > LONGEST_WORD || (a.len > b.len ? a.len - b.len : b.len - a.len) > max)
        return max + 1;
    for (size_t j = 0; j <= b.len; j++)
        before[j] = last[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            now[j] = last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            now[j] = least(now[j], least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return least(last[b.len], max + 1);
}

void nearest_init(struct nearest *n, struct slice word)
{
    *n = (struct nearest){.word = word, .distance = word.len <= 3 ? 2 : word.len <= 8 ? 3 : 4};
}

void nearest_offer(struct nearest *n, struct slice candidate)
{
    size_t distance;

    if (n->distance == 0)
        return;
    distance = edit_distance(n->word, candidate, n->distance - 1);
    /* a word of two letters is near to every other word of two letters: at least half must stay */
    if (distance < n->distance && distance * 2 <= n->word.len) {
        n->distance = distance;
        n->best = candidate;
    }
}

void nearest_hint(const struct nearest *n, struct diags *d, struct diag *diag)
{
    if (n->best.ptr != NULL)
        diag_hint(d, diag, "did you mean \"%.*s\"?", SLICE_ARG(n->best));
}
