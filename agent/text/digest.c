#include "agent/text/digest.h"

/* ---- SHA-256 (FIPS 180-4, 5 and 6.2) ---- */

static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotr32(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

struct sha256 {
    uint32_t h[8];
    uint8_t block[64];
    size_t used;
    uint64_t bytes;
};

static void sha256_block(struct sha256 *s)
{
    uint32_t w[64], v[8];

    for (size_t i = 0; i < 16; i++)
        w[i] = (uint32_t)s->block[4 * i] << 24 | (uint32_t)s->block[4 * i + 1] << 16 |
               (uint32_t)s->block[4 * i + 2] << 8 | s->block[4 * i + 3];
    for (size_t i = 16; i < 64; i++) {
        uint32_t s0 = rotr32(w[i - 15], 7) ^ rotr32(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotr32(w[i - 2], 17) ^ rotr32(w[i - 2], 19) ^ w[i - 2] >> 10;

        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, s->h, sizeof v);
    for (size_t i = 0; i < 64; i++) {
        uint32_t s1 = rotr32(v[4], 6) ^ rotr32(v[4], 11) ^ rotr32(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha256_k[i] + w[i];
        uint32_t s0 = rotr32(v[0], 2) ^ rotr32(v[0], 13) ^ rotr32(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (size_t i = 0; i < 8; i++)
        s->h[i] += v[i];
    s->used = 0;
}

static void sha256_add(struct sha256 *s, struct slice data)
{
    s->bytes += data.len;
    while (data.len != 0) {
        size_t n = sizeof s->block - s->used < data.len ? sizeof s->block - s->used : data.len;

        memcpy(s->block + s->used, data.ptr, n);
        s->used += n;
        data = slice_from(data, n);
        if (s->used == sizeof s->block)
            sha256_block(s);
    }
}

void digest_sha256(struct slice a, struct slice b, uint8_t out[DIGEST_BYTES])
{
    struct sha256 s = {
        .h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
    uint64_t bits;

    sha256_add(&s, a);
    sha256_add(&s, b);
    bits = s.bytes * 8;
    s.block[s.used++] = 0x80;
    if (s.used > 56) {
        memset(s.block + s.used, 0, 64 - s.used);
        sha256_block(&s);
    }
    memset(s.block + s.used, 0, 56 - s.used);
    for (size_t i = 0; i < 8; i++)
        s.block[56 + i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_block(&s);
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        out[i] = (uint8_t)(s.h[i / 4] >> (24 - 8 * (i % 4)));
}

/* ---- SHA3-256 (FIPS 202) ---- */

enum { LANES = 25, RATE_BYTES = 136, ROUNDS = 24 };

static const uint64_t keccak_constants[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

static uint64_t rotl64(uint64_t v, unsigned n)
{
    return n != 0 ? v << n | v >> (64 - n) : v;
}

static void keccak_f(uint64_t a[LANES])
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t c[5], held = a[1];
        unsigned x = 1, y = 0;

        for (unsigned i = 0; i < 5; i++)
            c[i] = a[i] ^ a[i + 5] ^ a[i + 10] ^ a[i + 15] ^ a[i + 20];
        for (unsigned i = 0; i < LANES; i++)
            a[i] ^= c[(i % 5 + 4) % 5] ^ rotl64(c[(i % 5 + 1) % 5], 1);
        held = a[1];
        for (unsigned t = 0; t < 24; t++) { /* rho and pi walk the lanes together */
            unsigned next_y = (2 * x + 3 * y) % 5;
            uint64_t moved = rotl64(held, (t + 1) * (t + 2) / 2 % 64);

            x = y;
            y = next_y;
            held = a[x + 5 * y];
            a[x + 5 * y] = moved;
        }
        for (unsigned row = 0; row < LANES; row += 5) {
            memcpy(c, a + row, sizeof c);
            for (unsigned i = 0; i < 5; i++)
                a[row + i] = c[i] ^ (~c[(i + 1) % 5] & c[(i + 2) % 5]);
        }
        a[0] ^= keccak_constants[round];
    }
}

static size_t keccak_add(uint64_t lanes[LANES], size_t at, struct slice data)
{
    for (size_t i = 0; i < data.len; i++) {
        lanes[at / 8] ^= (uint64_t)(unsigned char)data.ptr[i] << (8 * (at % 8));
        if (++at == RATE_BYTES) {
            keccak_f(lanes);
            at = 0;
        }
    }
    return at;
}

void digest_sha3_256(struct slice a, struct slice b, uint8_t out[DIGEST_BYTES])
{
    uint64_t lanes[LANES] = {0};
    size_t at = keccak_add(lanes, keccak_add(lanes, 0, a), b);

    lanes[at / 8] ^= (uint64_t)0x06 << (8 * (at % 8));
    lanes[(RATE_BYTES - 1) / 8] ^= (uint64_t)0x80 << 56;
    keccak_f(lanes);
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        out[i] = (uint8_t)(lanes[i / 8] >> (8 * (i % 8)));
}

void digest_hex(const uint8_t digest[DIGEST_BYTES], char out[2 * DIGEST_BYTES + 1])
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    out[2 * DIGEST_BYTES] = '\0';
}
