#include "agent/base/limits.h"
#include "agent/runtime/target_groups.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Bodies of http_sd and file_sd: whatever comes in, what is taken are objects of strings with an address, the added
 * label and no name twice; what JSON gives, YAML gives too. */
static void check(const struct targets *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct value *v = &t->items[i];

        BUG_ON(v->type != VALUE_OBJECT || value_get_str(v, "__address__") == NULL);
        BUG_ON(value_get_str(v, "__meta_url") == NULL);
        BUG_ON(!slice_eq_str(value_get_str(v, "__meta_url")->as.text.bytes, "u"));
        for (size_t k = 0; k < v->as.object.n; k++)
            BUG_ON(v->as.object.fields[k].value.type != VALUE_STRING ||
                   value_get(v, v->as.object.fields[k].name) != &v->as.object.fields[k].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct target_label more = {SLICE_LIT("__meta_url"), SLICE_LIT("u")};
    struct slice text = slice_make(bytes, size);
    struct targets targets;
    struct error err;

    for (int form = TARGET_GROUPS_JSON; form <= TARGET_GROUPS_YAML; form++) {
        enum code rc;

        err.text[0] = '\0';
        targets_init(&targets, LIMIT_TARGET_GROUPS_BYTES);
        rc = target_groups_read(&targets, (enum target_groups_form)form, text, more, &err);
        BUG_ON((rc == OK) != (err.text[0] == '\0'));
        if (rc == OK)
            check(&targets);
        targets_release(&targets);
    }
    return 0;
}
