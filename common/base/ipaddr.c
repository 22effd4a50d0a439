/*
 * One parser, written for strictness: inet_pton() differs between systems, and
 * inet_aton() reads 010.1 as an address.  All forms are first read as written;
 * mapped addresses turn into IPv4 at the way out.
 */
#include "common/base/ipaddr.h"

#include "common/base/check.h"
#include "common/base/hex.h"
#include "common/base/text.h"

#define GROUPS 8

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

struct ipaddr
ipaddr_v4(const uint8_t bytes[4])
{
	struct ipaddr a = { .family = IPADDR_4 };

	memcpy(a.bytes, bytes, 4);
	return a;
}

/* Without the turn into IPv4 that all addresses from outside take. */
static struct ipaddr
raw_v6(const uint8_t bytes[16])
{
	struct ipaddr a = { .family = IPADDR_6 };

	memcpy(a.bytes, bytes, 16);
	return a;
}

/* RFC 4291 2.5.5.2: ::ffff:0:0/96. */
static bool
is_mapped(const uint8_t bytes[16])
{
	return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

/* Also for what the kernel gives: a listener on :: would name IPv4 clients by
 * mapped addresses, which no rule for IPv4 would match. */
struct ipaddr
ipaddr_v6(const uint8_t bytes[16])
{
	if (is_mapped(bytes))
		return ipaddr_v4(bytes + sizeof(mapped));
	return raw_v6(bytes);
}

/* Takes 0..MAX off the front: no sign, and no leading zero, which some readers
 * take for octal. */
static enum err
take_decimal(struct span *s, unsigned max, unsigned *out)
{
	unsigned v = 0;
	size_t n = 0;

	while (n < s->n && n < 3 && text_is_digit(s->p[n]))
		v = v * 10 + (unsigned)(s->p[n++] - '0');
	if (n == 0 || v > max || (n > 1 && s->p[0] == '0'))
		return ERR_SYNTAX;
	*s = span_from(*s, n);
	*out = v;
	return OK;
}

static bool
take_byte(struct span *s, uint8_t byte)
{
	if (s->n == 0 || s->p[0] != byte)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* The whole of S is a dotted quad. */
static enum err
parse_v4(struct span s, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned v;

		if (i > 0 && !take_byte(&s, '.'))
			return ERR_SYNTAX;
		if (take_decimal(&s, 255, &v) != OK)
			return ERR_SYNTAX;
		out[i] = (uint8_t)v;
	}
	return s.n == 0 ? OK : ERR_SYNTAX;
}

/* Takes one to four hexadecimal digits off the front. */
static enum err
take_group(struct span *s, uint8_t out[2])
{
	unsigned v = 0;
	size_t n = 0;

	while (n < s->n && n < 4 && hex_value(s->p[n]) >= 0)
		v = v << 4 | (unsigned)hex_value(s->p[n++]);
	if (n == 0)
		return ERR_SYNTAX;
	*s = span_from(*s, n);
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
	return OK;
}

/*
 * Groups between colons, up to the end or to a "::", which is taken too.
 * The last two groups of all may be a dotted quad (RFC 4291, 2.2 form 3).
 */
static enum err
take_groups(struct span *s, uint8_t *out, size_t max, size_t *count,
    bool *is_gap)
{
	size_t n = 0;

	*is_gap = false;
	while (s->n > 0) {
		/* tried first: the digits in front of a dot could also be a
		 * group */
		if (n + 2 <= max && parse_v4(*s, out + 2 * n) == OK) {
			*s = span_from(*s, s->n);
			n += 2;
			break;
		}
		if (n == max || take_group(s, out + 2 * n) != OK)
			return ERR_SYNTAX;
		n++;
		if (s->n == 0)
			break;
		if (!take_byte(s, ':') || s->n == 0)
			return ERR_SYNTAX;
		if (take_byte(s, ':')) {
			*is_gap = true;
			break;
		}
	}
	*count = n;
	return OK;
}

/* What is before and behind the "::" is read apart, then set at either end. */
static enum err
parse_v6(struct span s, uint8_t out[16])
{
	uint8_t head[16] = { 0 }, tail[16] = { 0 };
	size_t heads = 0, tails = 0;
	bool is_gap = false, is_again = false;

	if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') {
		s = span_from(s, 2);
		is_gap = true;
	} else if (take_groups(&s, head, GROUPS, &heads, &is_gap) != OK) {
		return ERR_SYNTAX;
	}
	/* "::" stands for one group at least */
	if (is_gap) {
		if (heads > GROUPS - 1 || take_groups(&s, tail,
		    GROUPS - 1 - heads, &tails, &is_again) != OK || is_again)
			return ERR_SYNTAX;
	} else if (heads != GROUPS) {
		return ERR_SYNTAX;
	}
	memset(out, 0, 16);
	memcpy(out, head, 2 * heads);
	memcpy(out + 16 - 2 * tails, tail, 2 * tails);
	return OK;
}

/* As written: a mapped address stays IPv6. */
static enum err
parse_raw(struct span text, struct ipaddr *out)
{
	uint8_t bytes[16];

	if (parse_v4(text, bytes) == OK)
		*out = ipaddr_v4(bytes);
	else if (parse_v6(text, bytes) == OK)
		*out = raw_v6(bytes);
	else
		return ERR_SYNTAX;
	return OK;
}

/* A host that is written as a mapped address is the IPv4 host (RFC 4291
 * 2.5.5.2), so rules for IPv4 hold for it. */
enum err
ipaddr_parse(struct span text, struct ipaddr *out)
{
	struct ipaddr a;

	if (parse_raw(text, &a) != OK)
		return ERR_SYNTAX;
	*out = a.family == IPADDR_6 ? ipaddr_v6(a.bytes) : a;
	return OK;
}

/* Bits of an address of that family; 0 for none. */
static unsigned
width(const struct ipaddr *a)
{
	return a->family == IPADDR_4 ? 32 : a->family == IPADDR_6 ? 128 : 0;
}

/* Whether the first BITS bits of both are the same. */
static bool
is_same_start(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* The first BITS bits, the others 0. */
static struct ipaddr
masked(const struct ipaddr *a, unsigned bits)
{
	struct ipaddr m = *a;

	for (unsigned i = 0; i < sizeof(m.bytes); i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;

		/* whole octets stay; kept is 0 behind the prefix */
		if (kept < 8)
			m.bytes[i] &= (uint8_t)(0xff00u >> kept);
	}
	return m;
}

enum err
ipaddr_prefix_parse(struct span text, struct ipaddr_prefix *out)
{
	size_t slash = span_find(text, '/');
	struct span rest = span_from(text, slash);
	struct ipaddr_prefix p;
	struct ipaddr kept;
	unsigned bits;

	if (parse_raw(span_sub(text, 0, slash), &p.addr) != OK)
		return ERR_SYNTAX;
	bits = width(&p.addr);
	if (take_byte(&rest, '/') &&
	    (take_decimal(&rest, bits, &bits) != OK || rest.n > 0))
		return ERR_SYNTAX;
	/* bits behind the prefix are most likely a typing error: refused, so
	 * that a rule means what its author reads in it */
	kept = masked(&p.addr, bits);
	if (!ipaddr_equal(&kept, &p.addr))
		return ERR_RANGE;
	/* a prefix within ::ffff:0:0/96 is one of IPv4 addresses */
	if (p.addr.family == IPADDR_6 && is_mapped(p.addr.bytes) &&
	    bits >= 96) {
		p.addr = ipaddr_v6(p.addr.bytes);
		bits -= 96;
	}
	p.bits = (uint8_t)bits;
	*out = p;
	return OK;
}

/* Where the longest run of at least two zero groups begins and ends
 * (RFC 5952 section 4.2); the first among equals. */
static void
find_gap(const uint8_t *bytes, int *from, int *to)
{
	int begin = -1;

	*from = *to = -1;
	/* one turn behind the last group ends a run that reaches it */
	for (int i = 0; i <= GROUPS; i++) {
		bool is_zero = i < GROUPS && bytes[2 * i] == 0 &&
		    bytes[2 * i + 1] == 0;

		if (is_zero && begin < 0)
			begin = i;
		if (is_zero || begin < 0)
			continue;
		if (i - begin >= 2 && i - begin > *to - *from) {
			*from = begin;
			*to = i;
		}
		begin = -1;
	}
}

/* No leading zeros (RFC 5952 section 4.1), lower case (4.3). */
static size_t
put_hex(unsigned v, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (int shift = 12; shift >= 0; shift -= 4) {
		if (n > 0 || shift == 0 || v >> shift != 0)
			out[n++] = digits[v >> shift & 15];
	}
	return n;
}

/* 0 to 255, without leading zeros. */
static size_t
put_decimal(unsigned v, char *out)
{
	size_t n = 0;

	if (v >= 100)
		out[n++] = (char)('0' + v / 100);
	if (v >= 10)
		out[n++] = (char)('0' + v / 10 % 10);
	out[n++] = (char)('0' + v % 10);
	return n;
}

/* As RFC 5952 section 4 wants it. */
static size_t
format_v6(const uint8_t *bytes, char *out)
{
	size_t n = 0;
	int from, to;

	find_gap(bytes, &from, &to);
	for (int i = 0; i < GROUPS; i++) {
		/* both colons of the gap are put here, its groups are jumped
		 * over */
		if (i == from) {
			out[n++] = ':';
			out[n++] = ':';
			i = to - 1;
			continue;
		}
		if (i > 0 && i != to)
			out[n++] = ':';
		n += put_hex((unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1],
		    out + n);
	}
	return n;
}

static size_t
format_v4(const uint8_t *bytes, char *out)
{
	size_t n = 0;

	for (int i = 0; i < 4; i++) {
		if (i > 0)
			out[n++] = '.';
		n += put_decimal(bytes[i], out + n);
	}
	return n;
}

size_t
ipaddr_format(const struct ipaddr *a, char out[IPADDR_TEXT_SIZE])
{
	size_t n;

	if (a->family == IPADDR_4) {
		n = format_v4(a->bytes, out);
	} else if (a->family == IPADDR_6) {
		n = format_v6(a->bytes, out);
	} else {
		n = 4;
		memcpy(out, "none", n);
	}
	out[n] = '\0';
	return n;
}

size_t
ipaddr_prefix_format(const struct ipaddr_prefix *p,
    char out[IPADDR_PREFIX_TEXT_SIZE])
{
	size_t n = ipaddr_format(&p->addr, out);

	out[n++] = '/';
	n += put_decimal(p->bits, out + n);
	out[n] = '\0';
	return n;
}

bool
ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family &&
	    memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Any order will do, as long as it is total: by family, then as the bytes
 * are. */
int
ipaddr_compare(const struct ipaddr *a, const struct ipaddr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* Families never match each other, not even 0.0.0.0/0 and ::/0. */
bool
ipaddr_prefix_has(const struct ipaddr_prefix *p, const struct ipaddr *a)
{
	return p->addr.family == a->family && p->bits <= width(a) &&
	    is_same_start(p->addr.bytes, a->bytes, p->bits);
}

/* Whether A lies in one of the prefixes. */
static bool
is_in(const struct ipaddr *a, const struct ipaddr_prefix *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ipaddr_prefix_has(&prefixes[i], a))
			return true;
	}
	return false;
}

/* The ranges of the IANA's special-purpose registries (RFC 6890). */
bool
ipaddr_is_loopback(const struct ipaddr *a)
{
	static const struct ipaddr_prefix prefixes[] = {
		{ { IPADDR_4, { 127 } }, 8 },
		{ { IPADDR_6, { [15] = 1 } }, 128 },
	};

	return is_in(a, prefixes, COUNT_OF(prefixes));
}

bool
ipaddr_is_private(const struct ipaddr *a)
{
	static const struct ipaddr_prefix prefixes[] = {
		{ { IPADDR_4, { 10 } }, 8 },
		{ { IPADDR_4, { 172, 16 } }, 12 },
		{ { IPADDR_4, { 192, 168 } }, 16 },
		{ { IPADDR_6, { 0xfc } }, 7 },
	};

	return is_in(a, prefixes, COUNT_OF(prefixes));
}

bool
ipaddr_is_link_local(const struct ipaddr *a)
{
	static const struct ipaddr_prefix prefixes[] = {
		{ { IPADDR_4, { 169, 254 } }, 16 },
		{ { IPADDR_6, { 0xfe, 0x80 } }, 10 },
	};

	return is_in(a, prefixes, COUNT_OF(prefixes));
}

bool
ipaddr_is_multicast(const struct ipaddr *a)
{
	static const struct ipaddr_prefix prefixes[] = {
		{ { IPADDR_4, { 224 } }, 4 },
		{ { IPADDR_6, { 0xff } }, 8 },
	};

	return is_in(a, prefixes, COUNT_OF(prefixes));
}

bool
ipaddr_is_unspecified(const struct ipaddr *a)
{
	static const struct ipaddr_prefix prefixes[] = {
		{ { IPADDR_4, { 0 } }, 32 },
		{ { IPADDR_6, { 0 } }, 128 },
	};

	return is_in(a, prefixes, COUNT_OF(prefixes));
}

bool
ipaddr_is_broadcast(const struct ipaddr *a)
{
	static const struct ipaddr_prefix prefixes[] = {
		{ { IPADDR_4, { 255, 255, 255, 255 } }, 32 },
	};

	return is_in(a, prefixes, COUNT_OF(prefixes));
}

bool
ipaddr_is_nobodys(const struct ipaddr *a)
{
	if (a->family == IPADDR_4 && a->bytes[0] == 0)
		return true;
	return ipaddr_is_unspecified(a) || ipaddr_is_multicast(a) ||
	    ipaddr_is_link_local(a) || ipaddr_is_broadcast(a);
}

/* A host with IPv6 usually has a /64 for itself, so counting single addresses
 * would count nothing. */
struct ipaddr
ipaddr_client(const struct ipaddr *a)
{
	return a->family == IPADDR_6 ? masked(a, 64) : *a;
}

uint64_t
ipaddr_client_key(const struct ipaddr *a, const struct siphash_key *key)
{
	struct ipaddr client = ipaddr_client(a);
	uint64_t hash;

	/* no padding: a family byte and sixteen others */
	hash = siphash(key, span_of(&client, sizeof(client)));
	/* 0 is left for those who need a key that nobody has */
	return hash != 0 ? hash : 1;
}
