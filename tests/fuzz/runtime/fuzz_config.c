/* Any bytes as a whole configuration: parsed, expanded, linked and evaluated with a few fake components, nothing runs.
 * Whatever comes in ends soon with a configuration that holds together, or with at least one error. No file is read. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/evaluate.h"
#include "agent/runtime/runtime.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct fake_args {
    struct river_capsules forward_to;
    struct slice text;
    struct river_secret password;
    struct river_blocks rules;
};

struct fake_rule {
    struct slice name;
};

static const struct river_field rule_fields[] = {
    {.name = "name", .kind = RIVER_STRING, .offset = offsetof(struct fake_rule, name), .doc = "a text"},
    RIVER_FIELDS_END,
};
static const struct river_block rule_block = {.name = "rule", .fields = rule_fields, .size = sizeof(struct fake_rule)};

static const struct river_field fields[] = {
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .offset = offsetof(struct fake_args, forward_to),
     .capsule = &capsule_logs_receiver,
     .doc = "receivers"},
    {.name = "text", .kind = RIVER_STRING, .offset = offsetof(struct fake_args, text), .doc = "a text"},
    {.name = "password", .kind = RIVER_SECRET, .offset = offsetof(struct fake_args, password), .doc = "a secret"},
    {.name = "rule",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = offsetof(struct fake_args, rules),
     .block = &rule_block,
     .doc = "blocks"},
    RIVER_FIELDS_END,
};
static const struct river_block block = {.name = "fake", .fields = fields, .size = sizeof(struct fake_args)};
static const struct component_export exports[] = {
    {"receiver", "LogsReceiver", "takes logs"}, {"content", "string", "a text"}, {NULL, NULL, NULL}};
static const struct component_type one = {.name = "fake.one", .args = &block, .exports = exports};
static const struct component_type two = {
    .name = "fake.two", .args = &block, .exports = exports, .stability = STABILITY_EXPERIMENTAL};
static const struct component_type *const types[] = {&one, &two, NULL};

/* The files of the machine are none of a fuzzer's business. */
static bool reads_files(struct slice text)
{
    return slice_find_slice(text, SLICE_LIT("import.file")) != text.len ||
           slice_find_slice(text, SLICE_LIT("import.\xC4")) != text.len;
}

/* Every text decides: some components run already and export what the fuzzer wrote. */
static struct exports *known_exports(void *self, struct slice id)
{
    struct exports **known = self;

    return id.len % 2 == 0 ? known[0] : NULL;
}

static void check(const struct config *c)
{
    bool *seen = mem_array(c->n + 1, sizeof *seen);

    BUG_ON(c->n_ordered != c->n || c->n_scopes == 0);
    for (size_t i = 0; i < c->n_ordered; i++) {
        const struct config_block *b = &c->blocks[c->order[i]];

        BUG_ON(b->type == NULL || b->scope == NULL || config_block_by_id(c, b->id) != b);
        for (size_t k = 0; k < b->n_needs; k++)
            BUG_ON(!seen[b->needs[k]]); /* needed ones come first */
        seen[c->order[i]] = true;
    }
    for (size_t i = 1; i < c->n_scopes; i++) {
        const struct config_scope *s = c->scopes[i];

        BUG_ON(s->outer == NULL || s->outer->number >= s->number || s->depth > LIMIT_MODULE_DEPTH);
    }
    mem_free(seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice whole = slice_make(bytes, size), content = {0}, text = whole;
    struct exports *zero = exports_zero(&one, false), *known[1];
    struct config_options options = {
        .types = types, .stability = STABILITY_EXPERIMENTAL, .exports_of = known_exports, .self = known};
    struct config_text main_text = {"fuzz.river", whole};
    struct config *config = NULL;
    struct diags diags;
    struct value exported;
    enum code rc;

    /* What stands before a line of "%%" is what running components export. */
    if (slice_find_slice(whole, SLICE_LIT("\n%%\n")) != whole.len) {
        content = slice_head(whole, slice_find_slice(whole, SLICE_LIT("\n%%\n")));
        text = slice_from(whole, content.len + 4);
    }
    if (reads_files(whole)) {
        exports_unref(zero);
        return 0;
    }
    exported = value_string(content);
    known[0] = exports_with(zero, SLICE_LIT("content"), &exported);
    exports_unref(zero);
    main_text.text = text;
    diags_init(&diags);
    rc = config_load(&config, &options, &main_text, 1, &diags);
    BUG_ON((rc == OK) != (config != NULL) || (rc != OK) != diags_has_errors(&diags));
    if (config != NULL)
        check(config);
    config_unref(config);
    diags_reset(&diags);
    rc = runtime_check(&options, &main_text, 1, &diags);
    BUG_ON((rc != OK) != diags_has_errors(&diags));
    diags_release(&diags);
    exports_unref(known[0]);
    return 0;
}
