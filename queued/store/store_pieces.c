/*
 * The tail's sum runs over the head and the sums that begin each record, so
 * when one record is damaged, that sum can still be formed: of what stands
 * where the damaged record begins, or, should its own sum be what is damaged,
 * of the sum that its bytes have.
 *
 * A group whose head is damaged is read from where its first record must
 * begin, as long as one record follows another.
 */
#include "queued/store/store_pieces.h"

#include "common/base/crc32c.h"

#include <endian.h>

/* Bytes that may be summed up in search of one place: a message can be made
 * of what looks like heads of records. */
#define SEARCH_MAX ((size_t)64 << 20)

enum { AT_TYPE = 4, AT_ID = 8, AT_FIELDS = 16 };

static uint32_t
get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* Of SUM and one more record's. */
static uint32_t
add_sum(uint32_t sum, uint32_t record)
{
	uint32_t v = htole32(record);

	return crc32c(sum, &v, sizeof(v));
}

void
store_pieces_init(struct store_pieces *p, struct span bytes)
{
	*p = (struct store_pieces){ .group = bytes };
	p->has_head = store_group_get_head(bytes, &p->head) == OK;
	p->rest = span_from(bytes, STORE_GROUP_HEAD);
	if (!p->has_head)
		return;
	p->rest = store_group_records(bytes, &p->head);
	p->left = p->head.records;
	p->sum = crc32c(0, bytes.p, STORE_GROUP_HEAD);
}

/* Whether the records from REST on are all that is left but one, whose sum is
 * LOST. */
static bool
fits(const struct store_pieces *p, struct span rest, uint32_t lost)
{
	struct span tail = span_sub(p->group, STORE_GROUP_HEAD +
	    (size_t)p->head.length, STORE_GROUP_TAIL);
	uint32_t sum = add_sum(p->sum, lost), count = 1;
	struct store_record r;

	for (; rest.n > 0; count++) {
		if (store_record_next(&rest, &r) != OK)
			return false;
		sum = add_sum(sum, r.head_crc);
	}
	return count == p->left && tail.n == STORE_GROUP_TAIL &&
	    get_u32(tail.p + 4) == sum;
}

/* What the damaged record's own sum would be, if its lengths are right. */
static uint32_t
computed(struct span record)
{
	uint32_t head = get_u32(record.p + AT_FIELDS);

	if (head < STORE_RECORD_HEAD || head > record.n)
		return 0;
	return crc32c(0, record.p + AT_TYPE, head - AT_TYPE);
}

/* Whether one record after the other stands from REST on, at least one.  What
 * has the form of a head is summed up, at the expense of BUDGET. */
static bool
may_begin(struct span rest, size_t *budget)
{
	uint32_t head = get_u32(rest.p + AT_FIELDS);
	struct store_record r;

	if (rest.p[AT_TYPE + 1] != 1 || head < STORE_RECORD_HEAD ||
	    head > rest.n)
		return false;
	*budget -= head < *budget ? head : *budget;
	return store_record_next(&rest, &r) == OK;
}

/* Moves REST behind the damaged record; false: it can't be told where that
 * ends. */
static bool
pass_gap(struct store_pieces *p)
{
	uint32_t stored = get_u32(p->rest.p), other = computed(p->rest);
	size_t budget = SEARCH_MAX;

	for (size_t at = STORE_RECORD_HEAD; at <= p->rest.n && budget > 0;
	    at++) {
		struct span from = span_from(p->rest, at);
		uint32_t lost = stored;

		if (from.n > 0 && (from.n < STORE_RECORD_HEAD ||
		    !may_begin(from, &budget)))
			continue;
		if (!fits(p, from, lost) && !fits(p, from, lost = other))
			continue;
		p->sum = add_sum(p->sum, lost);
		p->rest = from;
		p->left--;
		return true;
	}
	return false;
}

static void
note_gap(struct store_pieces *p)
{
	p->has_gap = true;
	p->gap_at = (uint64_t)(p->rest.p - p->group.p);
	p->gap_id = p->rest.n < STORE_RECORD_HEAD ? 0 :
	    get_u32(p->rest.p + AT_ID) |
	    (uint64_t)get_u32(p->rest.p + AT_ID + 4) << 32;
}

/* Without a head nobody says how many there are: the tail ends them. */
static bool
is_over(const struct store_pieces *p)
{
	if (p->has_head)
		return p->rest.n == 0;
	return p->rest.n < STORE_RECORD_HEAD ||
	    memcmp(p->rest.p, "TAIL", 4) == 0;
}

bool
store_pieces_next(struct store_pieces *p, struct store_record *out,
    bool *is_sound)
{
	while (!is_over(p)) {
		if (store_record_next(&p->rest, out) == OK) {
			p->sum = add_sum(p->sum, out->head_crc);
			p->left -= p->left > 0;
			*is_sound = store_record_content_ok(out);
			return true;
		}
		note_gap(p);
		if (!p->has_head || p->rest.n < STORE_RECORD_HEAD ||
		    !pass_gap(p)) {
			p->rest = SPAN_NONE;
			return false;
		}
	}
	return false;
}
