/* agent/io/dns.h - DNS questions of any type, on a loop (c-ares: the library libcurl and gRPC bring along; the system's
 * resolver asks for addresses only, and blocks). Servers, search list and options come from /etc/resolv.conf as it is
 * when the client is made: make one per round of questions. Answers that do not fit into UDP are asked for by TCP. */
#ifndef AGENT_IO_DNS_H
#define AGENT_IO_DNS_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct dns;

enum dns_type { DNS_A, DNS_AAAA, DNS_SRV, DNS_MX, DNS_NS };

struct dns_record {
    struct slice name; /* A, AAAA: the address as text; else the target's name without the last dot */
    uint16_t port;     /* SRV */
};

struct dns_answer {
    enum code code;                   /* OK: also when there is no such name or record; IO: no server answered well */
    const struct dns_record *records; /* valid for the call; at most LIMIT_DNS_RECORDS */
    size_t n;
    const char *error; /* words, unless OK */
};
typedef void (*dns_fn)(void *arg, const struct dns_answer *answer);

struct dns_options {
    const char *servers; /* "127.0.0.1:5353,..." instead of resolv.conf's; NULL: those */
    unsigned timeout_ms; /* per try; 0: 2000 */
    unsigned tries;      /* per server; 0: 2 */
};

/* INVALID, IO: the configuration cannot be used. */
MUST_USE enum code dns_new(struct dns **out, struct loop *loop, const struct dns_options *options, struct error *err);
/* Questions under way end without their fn. NULL is fine. Not from within fn. */
void dns_free(struct dns *d);
/* Looks the name up with the search list (a name that ends with a dot: as it is). fn once, perhaps inline. */
void dns_ask(struct dns *d, const char *name, enum dns_type type, dns_fn fn, void *arg);
#endif
