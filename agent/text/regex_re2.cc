#include "agent/text/regex_int.h"
#include <cstdio>
#include <exception>
#include <new>
#include <re2/re2.h>

struct regex_program {
    re2::RE2 re;

    regex_program(const re2::StringPiece &pattern, const re2::RE2::Options &options) : re(pattern, options)
    {
    }
};

namespace
{
enum { MAX_SPANS = 128 };

regex_status status_of(re2::RE2::ErrorCode code)
{
    if (code == re2::RE2::NoError)
        return REGEX_STATUS_OK;
    return code == re2::RE2::ErrorPatternTooLarge ? REGEX_STATUS_TOO_BIG : REGEX_STATUS_SYNTAX;
}
} // namespace

regex_status regex_program_new(regex_program **out, const char *pattern, size_t len, bool dot_newline,
                               int64_t max_bytes, char *reason, size_t reason_bytes)
{
    *out = nullptr;
    try {
        re2::RE2::Options options;

        options.set_log_errors(false);
        options.set_dot_nl(dot_newline);
        options.set_max_mem(max_bytes);
        regex_program *p = new regex_program(re2::StringPiece(pattern, len), options);
        const regex_status status = status_of(p->re.error_code());

        if (status == REGEX_STATUS_OK) {
            *out = p;
            return status;
        }
        (void)snprintf(reason, reason_bytes, "%s", p->re.error().c_str());
        delete p;
        return status;
    } catch (const std::bad_alloc &) {
        (void)snprintf(reason, reason_bytes, "no memory");
        return REGEX_STATUS_NOMEM;
    } catch (const std::exception &e) {
        (void)snprintf(reason, reason_bytes, "%s", e.what());
        return REGEX_STATUS_SYNTAX;
    }
}

void regex_program_free(regex_program *p)
{
    delete p;
}

int regex_program_groups(const regex_program *p)
{
    return p->re.NumberOfCapturingGroups();
}

int regex_program_size(const regex_program *p)
{
    return p->re.ProgramSize();
}

void regex_program_names(const regex_program *p, bool (*each)(void *self, int group, const char *name, size_t len),
                         void *self)
{
    try {
        for (const auto &entry : p->re.CapturingGroupNames()) {
            if (!each(self, entry.first, entry.second.data(), entry.second.size()))
                return;
        }
    } catch (const std::exception &) {
        return; /* names are built on first use; without memory for them the groups stay unnamed */
    }
}

bool regex_program_match(const regex_program *p, const char *text, size_t len, size_t from, bool is_full,
                         regex_span *groups, int n_groups)
{
    re2::StringPiece spans[MAX_SPANS];
    const re2::RE2::Anchor anchor = is_full ? re2::RE2::ANCHOR_BOTH : re2::RE2::UNANCHORED;

    if (n_groups > MAX_SPANS)
        n_groups = MAX_SPANS;
    try {
        if (!p->re.Match(re2::StringPiece(text, len), from, len, anchor, spans, n_groups))
            return false;
    } catch (const std::exception &) {
        return false;
    }
    for (int i = 0; i < n_groups; i++)
        groups[i] = {spans[i].data(), spans[i].size()};
    return true;
}
