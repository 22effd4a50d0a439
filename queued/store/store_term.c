/*
 * Numbers are big-endian, as in all keys, so that pairs sort by id.  A pair has
 * a sum over its key too: under another key it is damage.
 */
#include "queued/store/store_term.h"

#include "common/base/crc32c.h"
#include "common/base/siphash.h"
#include "common/base/text.h"

#include <endian.h>

enum { ID_BYTES = 8, UNIT_BYTES = 4, TAG_BYTES = 4,
	TAG_AT = ID_BYTES + UNIT_BYTES, SUM_AT = TAG_AT + TAG_BYTES };

#define MINUTE_MS 60000U

/* The first byte of the key; they stand on disk. */
static const uint8_t kinds[STORE_TERMS] = {
	[STORE_TERM_SENDER] = 'f', [STORE_TERM_SENDER_DOMAIN] = 's',
	[STORE_TERM_DOMAIN] = 'd', [STORE_TERM_HELD] = 'h',
	[STORE_TERM_MINUTE] = 'm',
};

/* Eight bits choose the bucket, others are the tag.  The key of the hash
 * stands on disk, too, in a manner: it never changes. */
void
store_term_key(enum store_term term, struct span text,
    struct store_term_key *out)
{
	static const struct siphash_key fixed = {
		UINT64_C(0x6d74616473706f6f), UINT64_C(0x6c7465726d686173),
	};
	uint8_t lower[STORE_TERM_TEXT];
	uint64_t hash;

	text = span_sub(text, 0, sizeof(lower));
	text_lower(text, lower);
	hash = siphash(&fixed, span_of(lower, text.n));
	out->p[0] = kinds[term];
	out->p[1] = (uint8_t)hash;
	out->n = 2;
	out->tag = (uint32_t)(hash >> 32);
}

void
store_term_key_minute(uint64_t at_ms, struct store_term_key *out)
{
	uint64_t minute = htobe64(at_ms / MINUTE_MS);

	out->p[0] = kinds[STORE_TERM_MINUTE];
	memcpy(out->p + 1, &minute, sizeof(minute));
	out->n = 1 + sizeof(minute);
	out->tag = 0;
}

/* ---- pairs ---- */

static void
put_body(uint64_t id, uint32_t unit, uint32_t tag, uint8_t *out)
{
	id = htobe64(id);
	unit = htobe32(unit);
	tag = htobe32(tag);
	memcpy(out, &id, ID_BYTES);
	memcpy(out + ID_BYTES, &unit, UNIT_BYTES);
	memcpy(out + TAG_AT, &tag, TAG_BYTES);
}

static uint32_t
sum_of(struct span key, const uint8_t *body)
{
	return crc32c(crc32c(0, key.p, key.n), body, SUM_AT);
}

/* Tags and sums are not known when one seeks: all that is below any. */
void
store_term_from(uint64_t id, uint8_t out[STORE_TERM_PAIR])
{
	memset(out, 0, STORE_TERM_PAIR);
	put_body(id, 0, 0, out);
}

bool
store_term_is(const struct store_term_key *key, struct span pair)
{
	uint32_t tag;

	if (pair.n != STORE_TERM_PAIR)
		return false;
	memcpy(&tag, pair.p + TAG_AT, sizeof(tag));
	return be32toh(tag) == key->tag;
}

bool
store_term_read(struct span key, struct span pair, uint64_t *id)
{
	uint32_t sum;
	uint64_t v;

	if (pair.n != STORE_TERM_PAIR)
		return false;
	memcpy(&sum, pair.p + SUM_AT, sizeof(sum));
	if (le32toh(sum) != sum_of(key, pair.p))
		return false;
	memcpy(&v, pair.p, sizeof(v));
	*id = be64toh(v);
	return true;
}

static void
write_pair(struct buf *ops, const struct store_term_key *key, uint64_t id,
    uint32_t unit, bool is_there)
{
	struct span k = span_of(key->p, key->n);
	uint8_t pair[STORE_TERM_PAIR];
	uint32_t sum;

	put_body(id, unit, key->tag, pair);
	sum = htole32(sum_of(k, pair));
	memcpy(pair + SUM_AT, &sum, sizeof(sum));
	(is_there ? store_index_put_pair : store_index_delete_pair)(ops,
	    STORE_TABLE_TERM, k, span_of(pair, sizeof(pair)));
}

/* ---- of messages and units ---- */

/* What is behind the last @; none: nothing. */
static struct span
domain_of(struct span address)
{
	size_t at = address.n;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	return at > 0 ? span_from(address, at) : SPAN_NONE;
}

void
store_term_message(struct buf *ops, const struct message *m, bool is_there)
{
	struct span domain = domain_of(m->pub.sender);
	struct store_term_key key;

	store_term_key(STORE_TERM_SENDER, m->pub.sender, &key);
	write_pair(ops, &key, m->pub.id, 0, is_there);
	if (domain.n > 0) {
		store_term_key(STORE_TERM_SENDER_DOMAIN, domain, &key);
		write_pair(ops, &key, m->pub.id, 0, is_there);
	}
	store_term_key_minute(m->pub.arrived_at, &key);
	write_pair(ops, &key, m->pub.id, 0, is_there);
}

void
store_term_held(struct buf *ops, const struct message *m, bool is_there)
{
	struct store_term_key key;

	store_term_key(STORE_TERM_HELD, SPAN_NONE, &key);
	write_pair(ops, &key, m->pub.id, 0, is_there);
}

/* Recipients that are settled keep theirs as long as the unit has a row: so
 * nothing need be remembered about what the index has.  Doubles that do not
 * follow one another are written again, which changes nothing. */
void
store_term_unit(struct buf *ops, const struct unit *u, bool is_there)
{
	struct span last = SPAN_NONE;
	struct store_term_key key;

	for (uint32_t i = 0; i < u->pub.count; i++) {
		struct span domain = domain_of(u->pub.recipients[i].address);

		if (domain.n == 0 || span_equal_nocase(domain, last))
			continue;
		store_term_key(STORE_TERM_DOMAIN, domain, &key);
		write_pair(ops, &key, u->pub.message->id, u->pub.number,
		    is_there);
		last = domain;
	}
}
