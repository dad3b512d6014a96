#include "agent/text/tz_int.h"
#include "agent/base/mem.h"

enum { HEADER_BYTES = 44, MAX_TYPES = 256 };

static const struct tz utc = {.name = "UTC", .types = {{.abbrev = "UTC"}}, .n_types = 1};

const struct tz *tz_utc(void)
{
    return &utc;
}

struct slice tz_name(const struct tz *z)
{
    return slice_str(z->name);
}

void tz_free(struct tz *z)
{
    if (z == NULL)
        return;
    mem_free(z->at);
    mem_free(z->type_of);
    mem_free(z);
}

/* ---- TZif (RFC 8536, section 3) ---- */

struct header {
    uint32_t n_utc, n_std, n_leap, n_times, n_types, n_chars;
    unsigned version;
};

static uint64_t big_endian(const char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static bool read_header(struct slice s, struct header *h)
{
    if (s.len < HEADER_BYTES || memcmp(s.ptr, "TZif", 4) != 0)
        return false;
    h->version = (unsigned char)s.ptr[4];
    h->n_utc = (uint32_t)big_endian(s.ptr + 20, 4);
    h->n_std = (uint32_t)big_endian(s.ptr + 24, 4);
    h->n_leap = (uint32_t)big_endian(s.ptr + 28, 4);
    h->n_times = (uint32_t)big_endian(s.ptr + 32, 4);
    h->n_types = (uint32_t)big_endian(s.ptr + 36, 4);
    h->n_chars = (uint32_t)big_endian(s.ptr + 40, 4);
    return h->n_types >= 1 && h->n_types <= MAX_TYPES && h->n_times <= 65536 && h->n_chars <= 65536 &&
           h->n_leap <= 65536 && h->n_utc <= MAX_TYPES && h->n_std <= MAX_TYPES;
}

static size_t block_bytes(const struct header *h, size_t time_bytes)
{
    return h->n_times * (time_bytes + 1) + h->n_types * 6 + h->n_chars + h->n_leap * (time_bytes + 4) + h->n_std +
           h->n_utc;
}

static bool read_types(struct tz *z, const struct header *h, const char *types, const char *chars)
{
    for (uint32_t i = 0; i < h->n_types; i++) {
        const char *p = types + i * 6;
        uint32_t from = (unsigned char)p[5];
        struct slice abbrev = slice_make(chars + from, from < h->n_chars ? h->n_chars - from : 0);

        if (from >= h->n_chars)
            return false;
        abbrev = slice_head(abbrev, slice_find(abbrev, '\0'));
        abbrev = slice_head(abbrev, TZ_ABBREV_BYTES - 1);
        z->types[i].offset_s = (int32_t)(uint32_t)big_endian(p, 4);
        if (z->types[i].offset_s < -26 * 3600 || z->types[i].offset_s > 26 * 3600)
            return false;
        z->types[i].is_dst = p[4] != 0;
        memcpy(z->types[i].abbrev, abbrev.ptr, abbrev.len);
    }
    z->n_types = h->n_types;
    return true;
}

static bool read_block(struct tz *z, const struct header *h, struct slice body, size_t time_bytes)
{
    const char *p = body.ptr, *type_of = p + h->n_times * time_bytes;

    if (!read_types(z, h, type_of + h->n_times, type_of + h->n_times + h->n_types * 6))
        return false;
    z->at = mem_try_alloc((h->n_times + 1) * sizeof *z->at);
    z->type_of = mem_try_alloc(h->n_times + 1);
    if (z->at == NULL || z->type_of == NULL)
        return false;
    for (uint32_t i = 0; i < h->n_times; i++) {
        uint64_t raw = big_endian(p + i * time_bytes, time_bytes);

        z->at[i] = time_bytes == 8 ? (int64_t)raw : (int32_t)(uint32_t)raw;
        z->type_of[i] = (uint8_t)type_of[i];
        if (z->type_of[i] >= h->n_types || (i != 0 && z->at[i] <= z->at[i - 1]))
            return false;
    }
    z->n_times = h->n_times;
    return true;
}

enum code tz_parse(struct tz **out, struct slice name, struct slice bytes, struct error *err)
{
    struct tz *z = mem_zalloc(sizeof *z);
    struct header h;
    size_t time_bytes = 4, size;
    bool is_good = read_header(bytes, &h);

    *out = NULL;
    memcpy(z->name, name.ptr != NULL ? name.ptr : "", slice_head(name, sizeof z->name - 1).len);
    if (is_good && h.version >= '2') { /* the first block is for readers of version 1 */
        bytes = slice_from(bytes, HEADER_BYTES + block_bytes(&h, 4));
        is_good = read_header(bytes, &h);
        time_bytes = 8;
    }
    if (is_good) {
        size = block_bytes(&h, time_bytes);
        bytes = slice_from(bytes, HEADER_BYTES);
        is_good = bytes.len >= size && read_block(z, &h, bytes, time_bytes);
        if (is_good && time_bytes == 8) {
            struct slice footer = slice_from(bytes, size);

            if (footer.len >= 2 && footer.ptr[0] == '\n') {
                footer = slice_from(footer, 1);
                footer = slice_head(footer, slice_find(footer, '\n'));
                is_good = footer.len == 0 || tz_rule_parse(&z->rule, footer);
            }
        }
    }
    if (!is_good) {
        tz_free(z);
        return error_set(err, INVALID, "time zone \"%.*s\": not a TZif file", SLICE_ARG(name));
    }
    *out = z;
    return OK;
}

/* ---- questions ---- */

void tz_lookup(const struct tz *z, int64_t unix_s, struct tz_info *out)
{
    size_t low = 0, high = z->n_times;

    if (z->rule.is_set && (z->n_times == 0 || unix_s >= z->at[z->n_times - 1])) {
        *out = *tz_rule_at(&z->rule, unix_s);
        return;
    }
    while (low < high) { /* the first transition after unix_s */
        size_t mid = low + (high - low) / 2;

        if (z->at[mid] <= unix_s)
            low = mid + 1;
        else
            high = mid;
    }
    *out = z->types[low != 0 ? z->type_of[low - 1] : 0];
}

int64_t tz_to_unix(const struct tz *z, int64_t wall_s)
{
    struct tz_info info;

    tz_lookup(z, wall_s, &info);
    if (info.offset_s == 0)
        return wall_s;
    tz_lookup(z, wall_s - info.offset_s, &info);
    return wall_s - info.offset_s;
}

static bool is_in_use(const struct tz *z, const struct tz_info *type, struct slice abbrev, int64_t wall_s,
                      int32_t *offset_s)
{
    struct tz_info then;

    if (!slice_eq_str(abbrev, type->abbrev))
        return false;
    tz_lookup(z, wall_s - type->offset_s, &then);
    *offset_s = then.offset_s;
    return slice_eq_str(abbrev, then.abbrev);
}

bool tz_abbrev_offset(const struct tz *z, struct slice abbrev, int64_t unix_s, int32_t *offset_s)
{
    for (size_t i = 0; i < z->n_types; i++) {
        if (is_in_use(z, &z->types[i], abbrev, unix_s, offset_s))
            return true;
    }
    for (size_t i = 0; i < z->n_types; i++) {
        if (slice_eq_str(abbrev, z->types[i].abbrev)) {
            *offset_s = z->types[i].offset_s;
            return true;
        }
    }
    return false;
}
