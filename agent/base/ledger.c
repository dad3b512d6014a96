#include "agent/base/ledger.h"

const char *drop_reason_name(enum drop_reason reason)
{
    static const char *const names[] = {
#define X(name, text) [DROP_##name] = text,
        DROP_REASONS(X)
#undef X
    };

    return names[reason];
}

int64_t ledger_difference(const struct ledger *l)
{
    int64_t left = (int64_t)(l->in + l->created) - (int64_t)(l->out + l->merged) - l->held;

    for (int i = 0; i < DROP_REASON_COUNT; i++)
        left -= (int64_t)l->dropped[i];
    return left;
}
