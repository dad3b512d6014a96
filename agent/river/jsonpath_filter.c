/* What stands in [?...], as ohler55/ojg evaluates it: what a path finds counts as true, also null and false; a path
 * that finds several is tried with each; types that do not fit give "nothing", which equals only itself. */
#include "agent/base/limits.h"
#include "agent/river/jsonpath_int.h"
#include "agent/text/regex.h"

enum node_kind { NODE_VALUE, NODE_PATH, NODE_OP };

enum operation {
    DO_OR,
    DO_AND,
    DO_EQ,
    DO_NE,
    DO_LE,
    DO_GE,
    DO_LT,
    DO_GT,
    DO_IN,
    DO_EMPTY,
    DO_HAS,
    DO_FIND, /* =~ */
    DO_ADD,
    DO_SUB,
    DO_MUL,
    DO_DIV,
    DO_NOT,
    DO_LENGTH,
    DO_COUNT,
    DO_MATCH,
    DO_SEARCH,
};

enum val_type { VAL_NOTHING, VAL_NULL, VAL_BOOL, VAL_INT, VAL_FLOAT, VAL_TEXT, VAL_LIST, VAL_OBJECT, VAL_PATTERN };

struct val {
    enum val_type type;
    bool is_found; /* by a path: true whatever it is */
    union {
        bool boolean;
        int64_t i;
        double f;
        struct slice text;
        const struct json *json; /* LIST, OBJECT */
        struct {
            const struct val *items;
            size_t n;
        } list; /* LIST written in the filter: json is not used */
    } as;
    bool is_written; /* LIST: as.list */
};

struct filter_node {
    enum node_kind kind;
    enum operation op;
    struct filter_node *left, *right;
    struct val value;
    struct step *steps;  /* PATH */
    bool is_root;        /* PATH from $, not @ */
    size_t number;       /* PATH: in filter->paths */
    struct regex *regex; /* compiled once: VALUE of a pattern, or a function's text; NULL: it is none */
    struct filter_node *next_matcher;
};

struct filter {
    struct filter_node *top;
    size_t n_paths;
};

/* --- reading --- */

static enum code parse_level(struct path *p, unsigned level, struct filter_node **out);

static struct filter_node *new_node(struct path *p, enum node_kind kind)
{
    struct filter_node *n = jsonpath_piece(p, sizeof *n);

    if (n != NULL)
        n->kind = kind;
    return n;
}

static enum code compile(struct path *p, struct filter_node *n, struct slice pattern, struct error *err)
{
    enum code rc = regex_compile(&n->regex, pattern, REGEX_PLAIN, err);

    if (rc == OK) {
        n->next_matcher = p->matchers;
        p->matchers = n;
    }
    return rc;
}

static enum code parse_nested(struct path *p, unsigned level, struct filter_node **out)
{
    enum code rc;

    if (p->depth == MOST_DEPTH)
        return jsonpath_syntax(p, "nested too deeply");
    p->depth++;
    rc = parse_level(p, level, out);
    p->depth--;
    return rc;
}

static enum code parse_list(struct path *p, struct val *out)
{
    struct val *items = arena_try_array(p->arena, MOST_PARTS, sizeof *items);
    size_t n = 0;

    if (items == NULL)
        return error_set(p->err, NOMEM, "no memory left");
    p->rest = slice_from(p->rest, 1);
    do {
        struct filter_node *item = NULL;
        enum code rc = n < MOST_PARTS ? parse_nested(p, 0, &item) : jsonpath_syntax(p, "too many parts");

        if (rc != OK)
            return rc;
        if (item == NULL || item->kind != NODE_VALUE)
            return jsonpath_syntax(p, "a list holds values only");
        items[n++] = item->value;
        jsonpath_skip_space(p);
    } while (jsonpath_take(p, ","));
    if (!jsonpath_take(p, "]"))
        return jsonpath_syntax(p, "expected ]");
    *out = (struct val){.type = VAL_LIST, .is_written = true, .as.list = {items, n}};
    return OK;
}

static struct val val_of(const struct json *j)
{
    struct val v = {.is_found = true};

    switch (j->type) {
    case JSON_NULL:
        v.type = VAL_NULL;
        return v;
    case JSON_BOOL:
        v.type = VAL_BOOL;
        v.as.boolean = j->boolean;
        return v;
    case JSON_NUMBER:
        v.type = VAL_INT;
        if (!slice_to_i64(j->text, &v.as.i))
            v.type = json_as_f64(j, &v.as.f) ? VAL_FLOAT : VAL_NOTHING;
        return v;
    case JSON_STRING:
        v.type = VAL_TEXT;
        v.as.text = j->text;
        return v;
    case JSON_ARRAY:
    case JSON_OBJECT:
        v.type = j->type == JSON_ARRAY ? VAL_LIST : VAL_OBJECT;
        v.as.json = j;
        return v;
    }
    return v;
}

/* /pattern/ */
static enum code parse_pattern(struct path *p, struct filter_node *n)
{
    size_t end = 1;

    while (end < p->rest.len && p->rest.ptr[end] != '/')
        end += p->rest.ptr[end] == '\\' ? 2 : 1;
    if (end >= p->rest.len)
        return jsonpath_syntax(p, "the pattern is not closed");
    n->value.type = VAL_PATTERN;
    if (compile(p, n, slice_make(p->rest.ptr + 1, end - 1), p->err) != OK)
        return INVALID;
    p->rest = slice_from(p->rest, end + 1);
    return OK;
}

static enum code parse_value(struct path *p, struct filter_node **out)
{
    struct filter_node *n = new_node(p, NODE_VALUE);
    struct json json;
    size_t used;
    char c = jsonpath_peek(p);
    enum code rc;

    *out = n;
    if (n == NULL)
        return INVALID;
    if (c == '[')
        return parse_list(p, &n->value);
    if (c == '/')
        return parse_pattern(p, n);
    if (c == '\'' || c == '"') {
        n->value.type = VAL_TEXT;
        return jsonpath_quoted(p, &n->value.as.text);
    }
    if (jsonpath_take(p, "Nothing"))
        return OK;
    rc = json_parse_prefix(p->arena, p->rest, &json, &used, p->err);
    if (rc != OK)
        return rc;
    n->value = val_of(&json);
    n->value.is_found = false;
    p->rest = slice_from(p->rest, used);
    return OK;
}

static enum code parse_path_node(struct path *p, struct filter_node **out)
{
    struct filter *outer = p->filter;
    struct filter_node *n = new_node(p, NODE_PATH);
    enum code rc;

    *out = n;
    if (n == NULL)
        return INVALID;
    n->number = outer->n_paths++;
    n->is_root = jsonpath_peek(p) == '$';
    p->rest = slice_from(p->rest, 1);
    if (p->depth == MOST_DEPTH)
        return jsonpath_syntax(p, "nested too deeply");
    p->depth++;
    rc = jsonpath_steps(p, &n->steps);
    p->depth--;
    p->filter = outer; /* a filter inside the path had its own */
    return rc;
}

/* A pattern that is written as a text is compiled here; one that is none matches nothing. match() is anchored. */
static void compile_text(struct path *p, struct filter_node *call)
{
    struct filter_node *right = call->right;
    struct slice s = right != NULL && right->kind == NODE_VALUE && right->value.type == VAL_TEXT ? right->value.as.text
                                                                                                 : (struct slice){0};
    const char *anchored;

    if (s.len == 0 || (call->op != DO_MATCH && call->op != DO_SEARCH && call->op != DO_FIND))
        return;
    if (call->op != DO_MATCH) {
        (void)(compile(p, call, s, NULL) == OK);
        return;
    }
    anchored = arena_printf(p->arena, "%s%.*s%s", s.ptr[0] == '^' ? "" : "^", SLICE_ARG(s),
                            s.ptr[s.len - 1] == '$' ? "" : "$");
    (void)(compile(p, call, slice_str(anchored), NULL) == OK);
}

/* After "name(". */
static enum code parse_arguments(struct path *p, struct filter_node *call)
{
    enum code rc = parse_nested(p, 0, &call->left);

    jsonpath_skip_space(p);
    if (rc == OK && jsonpath_take(p, ",")) {
        rc = parse_nested(p, 0, &call->right);
        jsonpath_skip_space(p);
    }
    if (rc == OK && !jsonpath_take(p, ")"))
        rc = jsonpath_syntax(p, "expected )");
    if (rc == OK)
        compile_text(p, call);
    return rc;
}

static enum code parse_operand(struct path *p, struct filter_node **out)
{
    static const struct {
        const char *text;
        enum operation op;
    } functions[] = {
        {"length(", DO_LENGTH}, {"count(", DO_COUNT}, {"match(", DO_MATCH}, {"search(", DO_SEARCH}, {"!", DO_NOT}};
    enum code rc;

    jsonpath_skip_space(p);
    if (jsonpath_take(p, "(")) {
        rc = parse_nested(p, 0, out);
        jsonpath_skip_space(p);
        return rc == OK && !jsonpath_take(p, ")") ? jsonpath_syntax(p, "expected )") : rc;
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        struct filter_node *n;

        if (!jsonpath_take(p, functions[i].text))
            continue;
        n = *out = new_node(p, NODE_OP);
        if (n == NULL)
            return INVALID;
        n->op = functions[i].op;
        if (n->op != DO_NOT)
            return parse_arguments(p, n);
        if (p->depth == MOST_DEPTH)
            return jsonpath_syntax(p, "nested too deeply");
        p->depth++;
        rc = parse_operand(p, &n->left);
        p->depth--;
        return rc;
    }
    return jsonpath_peek(p) == '@' || jsonpath_peek(p) == '$' ? parse_path_node(p, out) : parse_value(p, out);
}

enum { LEVELS = 4 }; /* || and && bind alike, then comparisons, then + -, then * / */

static bool take_operator(struct path *p, unsigned level, enum operation *op)
{
    static const struct {
        const char *text;
        unsigned level;
        enum operation op;
    } table[] = {{"||", 0, DO_OR},    {"&&", 0, DO_AND},      {"==", 1, DO_EQ},  {"!=", 1, DO_NE},
                 {"<=", 1, DO_LE},    {">=", 1, DO_GE},       {"<", 1, DO_LT},   {">", 1, DO_GT},
                 {"=~", 1, DO_FIND},  {"~=", 1, DO_FIND},     {"in ", 1, DO_IN}, {"empty ", 1, DO_EMPTY},
                 {"has ", 1, DO_HAS}, {"exists ", 1, DO_HAS}, {"+", 2, DO_ADD},  {"-", 2, DO_SUB},
                 {"*", 3, DO_MUL},    {"/", 3, DO_DIV}};

    jsonpath_skip_space(p);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].level == level && jsonpath_take(p, table[i].text)) {
            *op = table[i].op;
            return true;
        }
    }
    return false;
}

static enum code parse_level(struct path *p, unsigned level, struct filter_node **out)
{
    enum code rc = level == LEVELS ? parse_operand(p, out) : parse_level(p, level + 1, out);
    enum operation op;

    while (rc == OK && level < LEVELS && take_operator(p, level, &op)) {
        struct filter_node *n = new_node(p, NODE_OP);

        if (n == NULL)
            return INVALID;
        n->op = op;
        n->left = *out;
        *out = n;
        rc = parse_level(p, level + 1, &n->right);
        if (rc == OK)
            compile_text(p, n);
    }
    return rc;
}

enum code filter_parse(struct path *p, struct filter **out)
{
    struct filter *outer = p->filter, *f = jsonpath_piece(p, sizeof *f);
    enum code rc;

    *out = f;
    if (f == NULL)
        return INVALID;
    p->filter = f;
    rc = parse_nested(p, 0, &f->top);
    p->filter = outer;
    return rc;
}

void filters_free(struct path *p)
{
    for (struct filter_node *n = p->matchers; n != NULL; n = n->next_matcher)
        regex_free(n->regex);
    p->matchers = NULL;
}

/* --- evaluation --- */

/* What the paths of a filter found for one candidate, and which of it is tried now. */
struct trial {
    struct path *p;
    struct found *found; /* by number of the path */
    size_t *chosen;
};

static struct val val_bool(bool b)
{
    return (struct val){.type = VAL_BOOL, .as.boolean = b};
}

static bool is_true(const struct val *v)
{
    return v->is_found || (v->type == VAL_BOOL && v->as.boolean);
}

static bool is_number(const struct val *v)
{
    return v->type == VAL_INT || v->type == VAL_FLOAT;
}

static double number_of(const struct val *v)
{
    return v->type == VAL_INT ? (double)v->as.i : v->as.f;
}

/* Of the same type; lists and objects never are equal. */
static bool is_same(const struct val *a, const struct val *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VAL_NOTHING:
    case VAL_NULL:
        return true;
    case VAL_BOOL:
        return a->as.boolean == b->as.boolean;
    case VAL_INT:
        return a->as.i == b->as.i;
    case VAL_FLOAT:
        return a->as.f == b->as.f;
    case VAL_TEXT:
        return slice_eq(a->as.text, b->as.text);
    case VAL_LIST:
    case VAL_OBJECT:
    case VAL_PATTERN:
        break;
    }
    return false;
}

static bool is_equal(const struct val *a, const struct val *b)
{
    return is_same(a, b) || (is_number(a) && is_number(b) && a->type != b->type && number_of(a) == number_of(b));
}

static struct val ordered(enum operation op, const struct val *a, const struct val *b)
{
    int order;

    if (a->type == VAL_TEXT && b->type == VAL_TEXT)
        order = slice_cmp(a->as.text, b->as.text);
    else if (a->type == VAL_INT && b->type == VAL_INT)
        order = a->as.i < b->as.i ? -1 : a->as.i > b->as.i;
    else if (is_number(a) && is_number(b))
        order = number_of(a) < number_of(b) ? -1 : number_of(a) > number_of(b);
    else
        return val_bool(false);
    if (op == DO_LT || op == DO_LE)
        return val_bool(order < 0 || (order == 0 && op == DO_LE));
    return val_bool(order > 0 || (order == 0 && op == DO_GE));
}

static struct val integers(enum operation op, int64_t a, int64_t b)
{
    struct val v = {.type = VAL_INT};

    if (op == DO_ADD)
        (void)__builtin_add_overflow(a, b, &v.as.i);
    else if (op == DO_SUB)
        (void)__builtin_sub_overflow(a, b, &v.as.i);
    else if (op == DO_MUL)
        (void)__builtin_mul_overflow(a, b, &v.as.i);
    else if (b == 0)
        v.type = VAL_NOTHING;
    else if (b == -1)
        (void)__builtin_sub_overflow((int64_t)0, a, &v.as.i);
    else
        v.as.i = a / b;
    return v;
}

static struct val arithmetic(struct trial *t, enum operation op, const struct val *a, const struct val *b)
{
    struct val v = {.type = VAL_FLOAT};

    if (op == DO_ADD && a->type == VAL_TEXT && b->type == VAL_TEXT) {
        size_t n = a->as.text.len + b->as.text.len;
        char *text = arena_try_alloc(t->p->arena, n + 1);

        t->p->n_seen += n / 64;
        if (text == NULL)
            return (struct val){.type = VAL_NOTHING};
        if (a->as.text.len != 0)
            memcpy(text, a->as.text.ptr, a->as.text.len);
        if (b->as.text.len != 0)
            memcpy(text + a->as.text.len, b->as.text.ptr, b->as.text.len);
        return (struct val){.type = VAL_TEXT, .as.text = {text, n}};
    }
    if (a->type == VAL_INT && b->type == VAL_INT)
        return integers(op, a->as.i, b->as.i);
    if (!is_number(a) || !is_number(b) || (op == DO_DIV && number_of(b) == 0))
        return (struct val){.type = VAL_NOTHING};
    v.as.f = op == DO_ADD   ? number_of(a) + number_of(b)
             : op == DO_SUB ? number_of(a) - number_of(b)
             : op == DO_MUL ? number_of(a) * number_of(b)
                            : number_of(a) / number_of(b);
    return v;
}

static size_t length_of(const struct val *v)
{
    if (v->type == VAL_TEXT)
        return v->as.text.len;
    if (v->type == VAL_OBJECT)
        return v->as.json->object.n;
    return v->is_written ? v->as.list.n : v->as.json->array.n;
}

static bool has_length(const struct val *v)
{
    return v->type == VAL_TEXT || v->type == VAL_LIST || v->type == VAL_OBJECT;
}

static struct val is_in(struct trial *t, const struct val *a, const struct val *list)
{
    for (size_t i = 0; list->type == VAL_LIST && i < length_of(list); i++) {
        struct val item = list->is_written ? list->as.list.items[i] : val_of(&list->as.json->array.items[i]);

        t->p->n_seen++;
        if (is_same(a, &item))
            return val_bool(true);
    }
    return val_bool(false);
}

static struct val matches(struct trial *t, const struct filter_node *n, const struct val *text)
{
    const struct regex *regex = n->right != NULL && n->right->value.type == VAL_PATTERN ? n->right->regex : n->regex;

    if (text->type != VAL_TEXT)
        return n->op == DO_FIND ? val_bool(false) : (struct val){.type = VAL_NOTHING};
    t->p->n_seen += text->as.text.len / 64;
    return val_bool(regex != NULL && regex_is_match(regex, text->as.text));
}

static struct val eval(struct trial *t, const struct filter_node *n);

static struct val operation(struct trial *t, const struct filter_node *n)
{
    struct val a, b = {.type = VAL_NULL};

    if (n->op == DO_COUNT)
        return n->left->kind == NODE_PATH ? (struct val){.type = VAL_INT, .as.i = (int64_t)t->found[n->left->number].n}
                                          : (struct val){.type = VAL_NOTHING};
    a = eval(t, n->left);
    if (n->right != NULL)
        b = eval(t, n->right);
    switch (n->op) {
    case DO_OR:
        return val_bool(is_true(&a) || is_true(&b));
    case DO_AND:
        return val_bool(is_true(&a) && is_true(&b));
    case DO_NOT:
        return val_bool(!is_true(&a));
    case DO_EQ:
    case DO_NE:
        return val_bool(is_equal(&a, &b) == (n->op == DO_EQ));
    case DO_LE:
    case DO_GE:
    case DO_LT:
    case DO_GT:
        return ordered(n->op, &a, &b);
    case DO_IN:
        return is_in(t, &a, &b);
    case DO_EMPTY:
        return val_bool(b.type == VAL_BOOL && has_length(&a) && b.as.boolean == (length_of(&a) == 0));
    case DO_HAS:
        return val_bool(b.type == VAL_BOOL && b.as.boolean == (a.type != VAL_NOTHING));
    case DO_FIND:
    case DO_MATCH:
    case DO_SEARCH:
        return matches(t, n, &a);
    case DO_ADD:
    case DO_SUB:
    case DO_MUL:
    case DO_DIV:
        return arithmetic(t, n->op, &a, &b);
    case DO_LENGTH:
        return has_length(&a) ? (struct val){.type = VAL_INT, .as.i = (int64_t)length_of(&a)}
                              : (struct val){.type = VAL_NOTHING};
    case DO_COUNT:
        break;
    }
    return (struct val){.type = VAL_NOTHING};
}

static struct val eval(struct trial *t, const struct filter_node *n)
{
    const struct found *found;

    t->p->n_seen++;
    if (n->kind == NODE_VALUE)
        return n->value;
    if (n->kind == NODE_OP)
        return operation(t, n);
    found = &t->found[n->number];
    return found->n != 0 ? val_of(found->items[t->chosen[n->number]]) : (struct val){.type = VAL_NOTHING};
}

static enum code find_all(struct trial *t, const struct filter_node *n, const struct json *at)
{
    enum code rc = OK;

    if (n == NULL || n->kind == NODE_VALUE)
        return OK;
    if (n->kind == NODE_PATH) {
        t->found[n->number] = (struct found){0};
        t->chosen[n->number] = 0;
        return jsonpath_walk(t->p, n->steps, n->is_root ? t->p->root : at, &t->found[n->number]);
    }
    rc = find_all(t, n->left, at);
    return rc == OK ? find_all(t, n->right, at) : rc;
}

/* The next combination; false when all were tried. */
static bool choose_next(struct trial *t, size_t n_paths)
{
    for (size_t i = 0; i < n_paths; i++) {
        if (t->found[i].n > 1 && ++t->chosen[i] < t->found[i].n)
            return true;
        t->chosen[i] = 0;
    }
    return false;
}

enum code filter_holds(struct path *p, const struct filter *f, const struct json *at, bool *out)
{
    struct trial t = {.p = p};
    enum code rc;

    *out = false;
    t.found = arena_try_array(p->arena, f->n_paths, sizeof *t.found);
    t.chosen = arena_try_array(p->arena, f->n_paths, sizeof *t.chosen);
    if (t.found == NULL || t.chosen == NULL)
        return error_set(p->err, NOMEM, "no memory left for what the path finds");
    rc = find_all(&t, f->top, at);
    if (rc != OK)
        return rc;
    do {
        struct val v = eval(&t, f->top);

        *out = is_true(&v);
        if (p->n_seen > LIMIT_RIVER_JSONPATH_STEPS)
            return error_set(p->err, INVALID, "the path looks at more than %d nodes", LIMIT_RIVER_JSONPATH_STEPS);
    } while (!*out && choose_next(&t, f->n_paths));
    return OK;
}
