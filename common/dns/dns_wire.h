/*
 * Answers of a resolver, taken out of their packet, RFC 1035, 2181, 2308.
 *
 * The one place where DNS bytes are read.  Every length is checked; at most
 * DNS_WIRE_RECORDS records are looked at; a chain of CNAMEs is followed inside
 * the packet, DNS_WIRE_CHAIN links at most.  Flat: an answer can be copied.
 */
#ifndef MTAD_DNS_DNS_WIRE_H
#define MTAD_DNS_DNS_WIRE_H

#include "common/base/err.h"
#include "common/base/span.h"
#include "common/dns/dns_names.h"

#define DNS_WIRE_RECORDS 100
#define DNS_WIRE_CHAIN	8
#define DNS_WIRE_BYTES	16384	/* of all data of one answer */

enum dns_wire_type {
	DNS_TYPE_A = 1, DNS_TYPE_CNAME = 5, DNS_TYPE_SOA = 6, DNS_TYPE_PTR = 12,
	DNS_TYPE_MX = 15, DNS_TYPE_TXT = 16, DNS_TYPE_AAAA = 28,
	DNS_TYPE_TLSA = 52,
};

enum dns_wire_result {
	DNS_WIRE_DATA,		/* one or more records */
	DNS_WIRE_NO_DATA,	/* the name exists, not this type */
	DNS_WIRE_NO_NAME,	/* NXDOMAIN */
	DNS_WIRE_FAILED,	/* SERVFAIL or another code: try again later */
	DNS_WIRE_UNUSABLE,	/* records exist, but none that we can use */
};

struct dns_wire_record {
	uint32_t ttl_s;
	uint16_t preference;	/* of an MX */
	uint8_t usage, selector, matching;	/* of a TLSA */
	uint16_t at, n;		/* its data in the answer's bytes */
};

struct dns_wire_answer {
	enum dns_wire_result result;
	uint8_t rcode;
	bool is_secure;		/* the AD bit; worth what the resolver is */
	bool is_truncated;	/* the TC bit: ask again over TCP */
	bool is_cut;		/* more than the limits here was left out */
	uint16_t type;
	uint16_t count;
	uint16_t bad;		/* records of this type left out as unusable */
	uint16_t used;		/* of bytes */
	uint32_t ttl_s;		/* the smallest on the way, or the negative
				 * one of the SOA; 0: do not keep */
	char canonical[DNS_NAME_SIZE];	/* behind the CNAMEs */
	struct dns_wire_record records[DNS_WIRE_RECORDS];
	uint8_t bytes[DNS_WIRE_BYTES];
};

/*
 * Reads PACKET as the answer to NAME and TYPE.  ERR_SYNTAX: malformed, no
 * answer, or the answer to another question (OUT is untouched).  Data of the
 * records: A 4 and AAAA 16 octets; MX, CNAME and PTR a name as text ("" is
 * the root); TXT its strings joined; TLSA the certificate data, empty when the
 * record is too short to have any; SOA nothing.
 */
enum err dns_wire_parse(struct span packet, struct span name, uint16_t type,
    struct dns_wire_answer *out);

/* Data of record I, which must exist; borrowed from the answer. */
struct span dns_wire_data(const struct dns_wire_answer *a, unsigned i);

/* A single MX with an empty name: no mail is taken there, RFC 7505 3. */
bool dns_wire_is_null_mx(const struct dns_wire_answer *a);

/* Copies only what is in use. */
void dns_wire_copy(const struct dns_wire_answer *a,
    struct dns_wire_answer *out);

#endif
