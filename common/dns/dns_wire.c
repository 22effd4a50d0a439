/*
 * Two passes: the first looks at the form of question and answers and may
 * fail; the second takes out what was asked for and can't, so that the
 * caller's answer is written whole or not at all.
 *
 * Records are first noted by their place only (struct rr).  A chain of aliases
 * is then followed by looking through them again for each link; a hundred
 * records and eight links bound that.  The order of records in the packet
 * means nothing.
 *
 * A record of the asked type that can't be used is counted, not taken for
 * absent: a broken MX must not send mail to the A record (RFC 5321 5.1).
 */
#include "common/dns/dns_wire.h"

#include "common/base/check.h"

#define HEADER_BYTES	12
#define CLASS_IN	1
#define FLAG_QR		0x8000
#define FLAG_TC		0x0200
#define FLAG_AD		0x0020
#define RCODE_NXDOMAIN	3
#define NO_USAGE	255	/* of a TLSA: nobody's, RFC 7218 2.1 */

/* A record as it stands in the packet; its owner name is at `owner`. */
struct rr {
	size_t owner;
	uint16_t type, class;
	uint32_t ttl_s;
	size_t at;		/* of its data */
	uint16_t n;
};

/* The packet on its way through the first pass. */
struct reading {
	struct span packet;
	size_t at;
	struct rr answer[DNS_WIRE_RECORDS];
	unsigned answers;	/* rows of it */
	unsigned records;	/* looked at, of all sections */
	bool is_cut;
};

/* Beyond the end nothing is taken and the place stays. */
static bool
take_u16(struct reading *r, uint16_t *out)
{
	struct span s = span_sub(r->packet, r->at, 2);

	if (s.n < 2)
		return false;
	*out = (uint16_t)(s.p[0] << 8 | s.p[1]);
	r->at += 2;
	return true;
}

/* A TTL, or what bounds one. */
static bool
take_u32(struct reading *r, uint32_t *out)
{
	uint16_t high, low;

	if (!take_u16(r, &high) || !take_u16(r, &low))
		return false;
	*out = (uint32_t)high << 16 | low;
	/* RFC 2181 8: with the top bit set a TTL counts as 0 */
	if (*out > INT32_MAX)
		*out = 0;
	return true;
}

/* A record of any type, stepped over as a whole. */
static bool
take_rr(struct reading *r, struct rr *out)
{
	out->owner = r->at;
	if (dns_names_skip(r->packet, &r->at) != OK ||
	    !take_u16(r, &out->type) || !take_u16(r, &out->class) ||
	    !take_u32(r, &out->ttl_s) || !take_u16(r, &out->n))
		return false;
	out->at = r->at;
	/* the data is inside the packet; what it holds is looked at later */
	if (out->n > r->packet.n - r->at)
		return false;
	r->at += out->n;
	return true;
}

/* The name at AT as text; false when it is none that we can use. */
static bool
name_at(struct span packet, size_t at, char out[DNS_NAME_SIZE])
{
	return dns_names_decode(packet, &at, out) == OK;
}

/* A resolver that answers something else is confused, or somebody else. */
static bool
is_question(struct reading *r, struct span name, uint16_t type)
{
	char text[DNS_NAME_SIZE];
	uint16_t asked_type, asked_class;

	if (dns_names_decode(r->packet, &r->at, text) != OK ||
	    !take_u16(r, &asked_type) || !take_u16(r, &asked_class))
		return false;
	return asked_type == type && asked_class == CLASS_IN &&
	    dns_names_equal(span_str(text), name);
}

/* ---- the data of records ---- */

/* Appends the data to the answer's bytes; false when they are full. */
static bool
add_data(struct dns_wire_answer *a, struct span data,
    struct dns_wire_record *record)
{
	if (data.n > sizeof(a->bytes) - a->used) {
		a->is_cut = true;
		return false;
	}
	record->at = a->used;
	record->n = (uint16_t)data.n;
	if (data.n > 0)
		memcpy(a->bytes + a->used, data.p, data.n);
	a->used = (uint16_t)(a->used + data.n);
	return true;
}

/* A name that must fill the record's data from AT to its end. */
static bool
add_name(struct dns_wire_answer *a, struct span packet, const struct rr *rr,
    size_t at, struct dns_wire_record *record)
{
	char text[DNS_NAME_SIZE];

	/* a name may point backwards, but its own octets end with the data */
	packet = span_sub(packet, 0, rr->at + rr->n);
	if (dns_names_decode(packet, &at, text) != OK ||
	    at != rr->at + rr->n)
		return false;
	return add_data(a, span_str(text), record);
}

/* RFC 1035 3.3.9. */
static bool
add_mx(struct dns_wire_answer *a, struct span packet, const struct rr *rr,
    struct dns_wire_record *record)
{
	const uint8_t *p = packet.p + rr->at;

	/* preference and the shortest name, the root */
	if (rr->n < 3)
		return false;
	record->preference = (uint16_t)(p[0] << 8 | p[1]);
	return add_name(a, packet, rr, rr->at + 2, record);
}

/* Character-strings are joined without a blank between them. */
static bool
add_txt(struct dns_wire_answer *a, struct span data,
    struct dns_wire_record *record)
{
	uint16_t start = a->used;
	struct dns_wire_record part = { .n = 0 };

	while (data.n > 0) {
		size_t n = data.p[0];

		if (n + 1 > data.n ||
		    !add_data(a, span_sub(data, 1, n), &part)) {
			a->used = start;
			return false;
		}
		data = span_from(data, n + 1);
	}
	record->at = start;
	record->n = (uint16_t)(a->used - start);
	return true;
}

/* One that is too short is a record all the same, which matches nothing: that
 * it is there says something (RFC 7672 2.2). */
static bool
add_tlsa(struct dns_wire_answer *a, struct span data,
    struct dns_wire_record *record)
{
	if (data.n < 4) {
		record->usage = NO_USAGE;
		return add_data(a, SPAN_NONE, record);
	}
	record->usage = data.p[0];
	record->selector = data.p[1];
	record->matching = data.p[2];
	return add_data(a, span_from(data, 3), record);
}

/* Data of the wrong length or form makes no record, and nothing is left behind
 * in the answer's bytes. */
static bool
add_record(struct dns_wire_answer *a, struct span packet, const struct rr *rr)
{
	struct dns_wire_record record = { .ttl_s = rr->ttl_s };
	struct span data = span_sub(packet, rr->at, rr->n);
	bool is_good = false;

	switch (rr->type) {
	case DNS_TYPE_A:
		is_good = rr->n == 4 && add_data(a, data, &record);
		break;
	case DNS_TYPE_AAAA:
		is_good = rr->n == 16 && add_data(a, data, &record);
		break;
	case DNS_TYPE_MX:
		is_good = add_mx(a, packet, rr, &record);
		break;
	case DNS_TYPE_CNAME:
	case DNS_TYPE_PTR:
		is_good = add_name(a, packet, rr, rr->at, &record);
		break;
	case DNS_TYPE_TXT:
		is_good = add_txt(a, data, &record);
		break;
	case DNS_TYPE_SOA:
		is_good = add_data(a, SPAN_NONE, &record);
		break;
	case DNS_TYPE_TLSA:
		is_good = add_tlsa(a, data, &record);
		break;
	default:
		break;
	}
	if (is_good)
		a->records[a->count++] = record;
	return is_good;
}

/* ---- from the sections to an answer ---- */

/* Does NAME, in lower case, own the record? */
static bool
is_owned(const struct reading *r, const struct rr *rr, const char *name)
{
	char text[DNS_NAME_SIZE];

	return rr->class == CLASS_IN && name_at(r->packet, rr->owner, text) &&
	    strcmp(text, name) == 0;
}

static void
lower_ttl(struct dns_wire_answer *a, uint32_t ttl_s)
{
	if (ttl_s < a->ttl_s)
		a->ttl_s = ttl_s;
}

/* Takes all records of the asked type that the canonical name owns. */
static void
collect(const struct reading *r, struct dns_wire_answer *a)
{
	for (unsigned i = 0; i < r->answers; i++) {
		const struct rr *rr = &r->answer[i];

		if (rr->type != a->type || !is_owned(r, rr, a->canonical))
			continue;
		lower_ttl(a, rr->ttl_s);
		if (!add_record(a, r->packet, rr))
			a->bad++;
	}
}

enum step { STEP_END, STEP_ON, STEP_BAD };

/* The name that a CNAME holds: all of its data, and no octet of what follows. */
static bool
target_of(const struct reading *r, const struct rr *rr,
    char out[DNS_NAME_SIZE])
{
	size_t at = rr->at;
	char text[DNS_NAME_SIZE];

	if (dns_names_decode(span_sub(r->packet, 0, rr->at + rr->n), &at,
	    text) != OK || at != rr->at + rr->n)
		return false;
	return span_copy(span_str(text), out, DNS_NAME_SIZE);
}

/* One link of the chain: the canonical name becomes its alias's target. */
static enum step
follow(const struct reading *r, struct dns_wire_answer *a)
{
	for (unsigned i = 0; i < r->answers; i++) {
		const struct rr *rr = &r->answer[i];

		if (rr->type != DNS_TYPE_CNAME ||
		    !is_owned(r, rr, a->canonical))
			continue;
		lower_ttl(a, rr->ttl_s);
		return target_of(r, rr, a->canonical) ? STEP_ON : STEP_BAD;
	}
	return STEP_END;
}

/* RFC 2308 5: how long it may be remembered that there is nothing, the lesser
 * of the SOA's own TTL and its last field; 0 without an SOA. */
static uint32_t
negative_ttl(struct reading *r, unsigned authorities)
{
	for (unsigned i = 0; i < authorities; i++) {
		struct reading soa = { .packet = r->packet };
		struct rr rr;
		uint32_t minimum;

		if (r->records++ == DNS_WIRE_RECORDS || !take_rr(r, &rr))
			return 0;
		if (rr.type != DNS_TYPE_SOA || rr.class != CLASS_IN)
			continue;
		/* two names, serial, refresh, retry, expire, minimum */
		soa.packet = span_sub(r->packet, 0, rr.at + rr.n);
		soa.at = rr.at;
		if (dns_names_skip(soa.packet, &soa.at) != OK ||
		    dns_names_skip(soa.packet, &soa.at) != OK)
			return 0;
		soa.at += 16;
		if (!take_u32(&soa, &minimum) || soa.at != soa.packet.n)
			return 0;
		return minimum < rr.ttl_s ? minimum : rr.ttl_s;
	}
	return 0;
}

/* Notes the records of the answer section; false when it is malformed.  What
 * is beyond the limit is not even looked at for its form. */
static bool
read_answers(struct reading *r, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (r->answers == DNS_WIRE_RECORDS) {
			r->is_cut = true;
			return true;
		}
		if (!take_rr(r, &r->answer[r->answers]))
			return false;
		r->answers++;
		r->records++;
	}
	return true;
}

/* What it means that the name and its aliases own no such record. */
static void
conclude_nothing(struct reading *r, unsigned authorities,
    struct dns_wire_answer *a)
{
	/* what was cut off could have been the answer */
	if (a->is_cut || a->is_truncated) {
		a->result = DNS_WIRE_FAILED;
		a->ttl_s = 0;
		return;
	}
	a->result = a->rcode == RCODE_NXDOMAIN ? DNS_WIRE_NO_NAME :
	    DNS_WIRE_NO_DATA;
	lower_ttl(a, negative_ttl(r, authorities));
}

/* Looks for records under the name that was asked for, then under its alias,
 * and so on; the first name that owns any ends the search. */
static void
resolve(struct reading *r, unsigned authorities, struct dns_wire_answer *a)
{
	enum step step = STEP_ON;

	/* lowered by whatever the answer rests on */
	a->ttl_s = INT32_MAX;
	for (unsigned i = 0; step == STEP_ON && i <= DNS_WIRE_CHAIN; i++) {
		collect(r, a);
		if (a->count > 0 || a->bad > 0)
			break;
		step = follow(r, a);
	}
	if (a->count > 0)
		a->result = DNS_WIRE_DATA;
	else if (a->bad > 0 || step != STEP_END)
		/* step: a chain that is too long, or runs in a circle */
		a->result = DNS_WIRE_UNUSABLE;
	else
		conclude_nothing(r, authorities, a);
}

enum err
dns_wire_parse(struct span packet, struct span name, uint16_t type,
    struct dns_wire_answer *out)
{
	struct reading r = { .packet = packet, .at = 2 };
	uint16_t flags, questions, answers, authorities, additional;

	if (!take_u16(&r, &flags) || !take_u16(&r, &questions) ||
	    !take_u16(&r, &answers) || !take_u16(&r, &authorities) ||
	    !take_u16(&r, &additional))
		return ERR_SYNTAX;
	if ((flags & FLAG_QR) == 0 || questions != 1 ||
	    !is_question(&r, name, type) || !read_answers(&r, answers))
		return ERR_SYNTAX;

	/* nothing can fail from here on */
	memset(out, 0, offsetof(struct dns_wire_answer, records));
	out->type = type;
	out->rcode = flags & 0xf;
	/* believed only where the configuration says that the resolver and the
	 * way to it are to be trusted (RFC 4035 4.9.3) */
	out->is_secure = (flags & FLAG_AD) != 0;
	out->is_truncated = (flags & FLAG_TC) != 0;
	out->is_cut = r.is_cut;
	/* is_question() has read it: it is a name */
	(void)name_at(packet, HEADER_BYTES, out->canonical);
	if (out->rcode == 0 || out->rcode == RCODE_NXDOMAIN)
		resolve(&r, authorities, out);
	else
		out->result = DNS_WIRE_FAILED;
	return OK;
}

struct span
dns_wire_data(const struct dns_wire_answer *a, unsigned i)
{
	MUST(i < a->count);
	return span_of(a->bytes + a->records[i].at, a->records[i].n);
}

bool
dns_wire_is_null_mx(const struct dns_wire_answer *a)
{
	return a->type == DNS_TYPE_MX && a->count == 1 && a->bad == 0 &&
	    a->records[0].n == 0;
}

void
dns_wire_copy(const struct dns_wire_answer *a, struct dns_wire_answer *out)
{
	memcpy(out, a, offsetof(struct dns_wire_answer, records));
	memcpy(out->records, a->records, a->count * sizeof(a->records[0]));
	memcpy(out->bytes, a->bytes, a->used);
}
