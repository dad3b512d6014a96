/* A dry run over a whole configuration: everything that is wrong is found before anything is touched. */
#include "agent/base/mem.h"
#include "agent/runtime/change.h"

struct dry {
    struct runtime *rt; /* NULL: nothing runs */
    const struct config *config;
    struct exports **stand_ins; /* one per block, made when needed */
};

static struct exports *dry_exports_of(void *self, const struct config_block *block)
{
    struct dry *d = self;
    struct host *h = d->rt == NULL ? NULL : host_by_id(d->rt, block->id);
    size_t at = (size_t)(block - d->config->blocks);

    if (h != NULL && h->self != NULL)
        return h->exports;
    if (d->stand_ins[at] == NULL)
        d->stand_ins[at] = exports_zero(block->type, true);
    return d->stand_ins[at];
}

/* Evaluates and decodes all blocks; of a refused configuration in any order. */
static enum code check(struct runtime *rt, struct config *config, enum stability stability, struct diags *diags)
{
    struct dry dry = {.rt = rt, .config = config};
    struct evaluator ev = {
        .config = config, .stability = stability, .exports_of = dry_exports_of, .self = &dry, .is_check = rt == NULL};

    dry.stand_ins = mem_array(config->n + 1, sizeof(struct exports *));
    for (size_t i = 0; i < config->n; i++) {
        const struct config_block *block = &config->blocks[config->n_ordered == config->n ? config->order[i] : i];
        struct evaluation *e;

        if (block->type == NULL || evaluate_block(&ev, block, &e, diags) != OK)
            continue;
        if (dry.stand_ins[block - config->blocks] == NULL && block->type->exports_secrets != NULL &&
            block->type->exports_secrets(e->args))
            dry.stand_ins[block - config->blocks] = exports_zero_secret(block->type);
        evaluation_free(e);
    }
    if (evaluate_all_modules(&ev, diags) != OK)
        BUG_ON(!diags_has_errors(diags));
    evaluator_release(&ev);
    for (size_t i = 0; i < config->n; i++)
        exports_unref(dry.stand_ins[i]);
    mem_free(dry.stand_ins);
    return diags_has_errors(diags) ? INVALID : OK;
}

/* What diags shows of the blocks holds no secret of theirs. */
static void hide_secrets(const struct config *config, struct diags *diags)
{
    for (size_t i = 0; config != NULL && diags->n > 0 && i < config->n; i++)
        if (config->blocks[i].type != NULL)
            river_hide_secrets(diags, config->blocks[i].type->args, &config->blocks[i].ast->body);
}

enum code change_load(struct runtime *rt, struct config **out, const struct config_options *options,
                      const struct config_text *texts, size_t n, struct diags *diags)
{
    struct config_options all = *options;
    struct config *refused = NULL;
    enum code rc;

    all.refused = &refused;
    rc = config_load(out, &all, texts, n, diags);
    if (rc == OK)
        rc = check(rt, *out, options->stability, diags);
    else if (refused != NULL)
        rc = check(rt, refused, options->stability, diags);
    hide_secrets(*out != NULL ? *out : refused, diags);
    config_unref(refused);
    if (rc != OK) {
        config_unref(*out);
        *out = NULL;
    }
    return rc;
}
