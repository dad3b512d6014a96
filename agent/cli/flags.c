#include "agent/cli/flags.h"
#include "agent/river/diag.h"
#include "agent/river/schema.h"
#include <stdio.h>

static const struct flag *find_long(const struct flag *flags, struct slice name)
{
    for (const struct flag *f = flags; f->name != NULL; f++)
        if (slice_eq_str(name, f->name))
            return f;
    return NULL;
}

static const struct flag *find_letter(const struct flag *flags, char letter)
{
    for (const struct flag *f = flags; f->name != NULL; f++)
        if (f->letter != 0 && f->letter == letter)
            return f;
    return NULL;
}

static bool is_switch(const struct flag *f)
{
    return f->kind == FLAG_BOOL || f->kind == FLAG_IGNORED_BOOL || f->kind == FLAG_REFUSED_BOOL;
}

static enum code unknown(const struct flag *flags, struct slice name, struct error *err)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    for (const struct flag *f = flags; f->name != NULL; f++)
        nearest_offer(&nearest, slice_str(f->name));
    if (nearest.best.ptr != NULL)
        return error_set(err, INVALID, "unknown flag --%.*s: did you mean --%.*s?", SLICE_ARG(name),
                         SLICE_ARG(nearest.best));
    return error_set(err, INVALID, "unknown flag --%.*s", SLICE_ARG(name));
}

static enum code set_choice(const struct flag *f, const char *text, int *out, struct error *err)
{
    char all[256] = "";

    for (int i = 0; f->choices[i] != NULL; i++) {
        if (strcmp(f->choices[i], text) == 0) {
            *out = i;
            return OK;
        }
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i > 0 ? ", " : "", f->choices[i]);
    }
    if (f->choices[1] == NULL)
        return error_set(err, INVALID, "--%s: \"%s\" is not %s: %s", f->name, text, all, f->doc);
    return error_set(err, INVALID, "--%s: \"%s\" is none of %s", f->name, text, all);
}

static enum code set_bool(const struct flag *f, const char *text, bool *out, struct error *err)
{
    /* as Go's strconv.ParseBool reads them */
    static const char *const yes[] = {"true", "1", "t", "T", "TRUE", "True"};
    static const char *const no[] = {"false", "0", "f", "F", "FALSE", "False"};

    *out = true;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (text == NULL || strcmp(text, yes[i]) == 0)
            return OK;
        *out = strcmp(text, no[i]) != 0;
        if (!*out)
            return OK;
    }
    return error_set(err, INVALID, "--%s: \"%s\" is neither true nor false", f->name, text);
}

static enum code add_item(const struct flag *f, const char *text, struct flag_list *out, struct error *err)
{
    if (out->n == sizeof out->items / sizeof out->items[0])
        return error_set(err, INVALID, "--%s is given more than %zu times", f->name, out->n);
    out->items[out->n++] = text;
    return OK;
}

static enum code set(const struct flag *f, const char *text, char *at, struct error *err)
{
    void *out = at + f->offset;
    struct error why = {0};
    bool is_on = true;
    enum code rc = OK;

    switch (f->kind) {
    case FLAG_BOOL:
        return set_bool(f, text, out, err);
    case FLAG_STRING:
        *(const char **)out = text;
        return OK;
    case FLAG_DURATION:
        rc = river_duration_parse(slice_str(text), out, &why);
        break;
    case FLAG_BYTES:
        rc = river_bytes_parse(slice_str(text), out, &why);
        break;
    case FLAG_CHOICE:
        return set_choice(f, text, out, err);
    case FLAG_LIST:
        return add_item(f, text, out, err);
    case FLAG_IGNORED:
    case FLAG_IGNORED_BOOL:
        fprintf(stderr, "hyagent: --%s has no effect: %s\n", f->name, f->doc);
        return OK;
    case FLAG_REFUSED_BOOL:
        rc = set_bool(f, text, &is_on, err);
        if (rc != OK || !is_on)
            return rc;
        return error_set(err, INVALID, "--%s is refused: %s", f->name, f->doc);
    case FLAG_REFUSED:
        return error_set(err, INVALID, "--%s is refused: %s", f->name, f->doc);
    }
    return rc == OK ? OK : error_set(err, INVALID, "--%s: %s", f->name, why.text);
}

struct words {
    int argc, next;
    char **argv;
};

static enum code set_next(const struct flag *f, const char *text, struct words *w, void *args, struct error *err)
{
    if (text == NULL && !is_switch(f)) {
        if (w->next >= w->argc)
            return error_set(err, INVALID, "--%s needs a value", f->name);
        text = w->argv[w->next++];
    }
    return set(f, text, args, err);
}

static enum code long_flag(const struct flag *flags, struct words *w, void *args, struct error *err)
{
    const char *word = w->argv[w->next++] + 2;
    struct slice name, text;
    bool has_text = slice_cut(slice_str(word), '=', &name, &text);
    const struct flag *f = find_long(flags, name);

    if (f == NULL && slice_starts(name, SLICE_LIT("no-"))) {
        f = find_long(flags, slice_from(name, 3));
        if (f != NULL && is_switch(f) && !has_text)
            return set(f, "false", args, err);
        f = NULL;
    }
    if (f == NULL)
        return unknown(flags, name, err);
    return set_next(f, has_text ? text.ptr : NULL, w, args, err);
}

static enum code letter_flag(const struct flag *flags, struct words *w, void *args, struct error *err)
{
    const char *word = w->argv[w->next++];
    const struct flag *f = find_letter(flags, word[1]);

    if (f == NULL)
        return error_set(err, INVALID, "unknown flag -%c", word[1]);
    if (is_switch(f) && word[2] != '\0')
        return error_set(err, INVALID, "-%c takes no value", word[1]);
    return set_next(f, word[2] != '\0' ? word + 2 : NULL, w, args, err);
}

enum code flags_parse(const struct flag *flags, int argc, char **argv, void *args, int *n_words, struct error *err)
{
    struct words w = {.argc = argc, .next = 1, .argv = argv};
    bool is_over = false;
    enum code rc = OK;

    *n_words = 0;
    while (w.next < argc && rc == OK) {
        const char *word = argv[w.next];

        if (is_over || word[0] != '-' || word[1] == '\0')
            argv[1 + (*n_words)++] = argv[w.next++];
        else if (strcmp(word, "--") == 0) {
            is_over = true;
            w.next++;
        } else if (word[1] == '-')
            rc = long_flag(flags, &w, args, err);
        else
            rc = letter_flag(flags, &w, args, err);
    }
    return rc;
}

void flags_print(const struct flag *flags, FILE *out)
{
    enum { COLUMN = 34 };

    for (const struct flag *f = flags; f->name != NULL; f++) {
        char left[128];
        int n;

        if (f->kind >= FLAG_IGNORED)
            continue;
        n = snprintf(left, sizeof left, "  %s%c%s--%s%s%s", f->letter != 0 ? "-" : "", f->letter != 0 ? f->letter : ' ',
                     f->letter != 0 ? ", " : "", f->name, f->value != NULL ? "=" : "",
                     f->value != NULL ? f->value : "");
        fprintf(out, "%-*s%s%s\n", COLUMN, left, n >= COLUMN ? "  " : "", f->doc);
    }
}
