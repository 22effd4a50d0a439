/*
 * How a group is put together and taken apart.
 *
 * The head is written twice: as zeros when the group is opened, for records are
 * appended behind it, and whole at the end, when its place, length and chain
 * are known.  The tail's sum runs over the head and the sums of the records
 * only; each of these covers its record's head, and in it the sum of the
 * content.  So every byte is covered, and ending a group costs no second pass
 * over contents.
 */
#include "queued/store/store_group.h"

#include "common/base/crc32c.h"

#include <endian.h>

#define TAIL_MAGIC UINT32_C(0x4c494154)		/* "TAIL" */

enum { AT_CRC = 8, AT_COVERED = 12, GROUP_VERSION = 1 };

static const uint8_t magic[8] = { 'M', 'T', 'A', 'D', 'G', 'R', 'P', '\n' };

void
store_group_begin(struct buf *out)
{
	static const uint8_t zeros[STORE_GROUP_HEAD];

	buf_reset(out);
	buf_add(out, zeros, sizeof(zeros));
}

static void
put_head(struct buf *out, const struct store_group_head *h)
{
	size_t at = out->n;

	buf_add(out, magic, sizeof(magic));
	wire_put_u32(out, 0);
	wire_put_u32(out, GROUP_VERSION);
	wire_put_u64(out, h->sequence);
	wire_put_u64(out, h->segment);
	wire_put_u64(out, h->offset);
	wire_put_u64(out, h->synced);
	wire_put_u64(out, h->written_at);
	wire_put_u64(out, h->start);
	wire_put_u64(out, h->previous_segment);
	wire_put_u64(out, h->previous_length);
	wire_put_u32(out, h->chain);
	wire_put_u32(out, h->length);
	wire_put_u32(out, h->records);
	wire_put_u32(out, h->flags);
	if (!buf_failed(out))
		wire_patch_u32(out, at + AT_CRC, crc32c(0,
		    out->p + at + AT_COVERED, STORE_GROUP_HEAD - AT_COVERED));
}

/* The length of a record whose head we made. */
static size_t
record_size(struct span records)
{
	uint32_t lengths[2];

	memcpy(lengths, records.p + 16, sizeof(lengths));
	return (size_t)le32toh(lengths[0]) + le32toh(lengths[1]);
}

static uint32_t
count_records(struct span records)
{
	uint32_t count = 0;

	for (; records.n > 0; count++)
		records = span_from(records, record_size(records));
	return count;
}

/* Sum of a head and the sums that begin each record. */
static uint32_t
sum_up(const uint8_t *head, struct span records)
{
	uint32_t crc = crc32c(0, head, STORE_GROUP_HEAD);

	for (; records.n > 0; records = span_from(records,
	    record_size(records)))
		crc = crc32c(crc, records.p, sizeof(uint32_t));
	return crc;
}

/* Whether all of a stored group's records are sound. */
static enum err
check_records(struct span records, uint32_t count)
{
	struct store_record r;

	for (; records.n > 0; count--) {
		enum err e = store_record_next(&records, &r);

		if (e != OK)
			return e;
		if (count == 0 || !store_record_content_ok(&r))
			return ERR_CORRUPT;
	}
	return count == 0 ? OK : ERR_CORRUPT;
}

/* Whole blocks: the next group never shares one with a synced group, and no
 * old byte is read as its begin. */
static void
pad(struct buf *out)
{
	size_t over = out->n % STORE_BLOCK;
	uint8_t *p;

	if (over == 0)
		return;
	if ((p = buf_reserve(out, STORE_BLOCK - over)) != NULL) {
		memset(p, 0, STORE_BLOCK - over);
		buf_commit(out, STORE_BLOCK - over);
	}
}

static void
rewrite_head(struct buf *out, const struct store_group_head *head)
{
	uint8_t bytes[STORE_GROUP_HEAD];
	struct buf b = { .p = bytes, .size = sizeof(bytes),
	    .max = sizeof(bytes) };

	put_head(&b, head);
	memcpy(out->p, bytes, sizeof(bytes));
}

enum err
store_group_end(struct buf *out, struct store_group_head *head, uint32_t *sum)
{
	size_t n = out->n;
	struct span records;
	uint32_t crc;

	if (buf_failed(out) || n + STORE_GROUP_TAIL + STORE_BLOCK > out->max)
		return ERR_NOMEM;
	/* all memory is taken before the first byte changes */
	if (buf_reserve(out, STORE_GROUP_TAIL + STORE_BLOCK) == NULL)
		return ERR_NOMEM;
	records = span_of(out->p + STORE_GROUP_HEAD, n - STORE_GROUP_HEAD);
	head->length = (uint32_t)records.n;
	head->records = count_records(records);
	rewrite_head(out, head);
	crc = sum_up(out->p, records);
	wire_put_u32(out, TAIL_MAGIC);
	wire_put_u32(out, crc);
	wire_put_u64(out, head->sequence);
	pad(out);
	*sum = crc;
	return OK;
}

enum err
store_group_get_head(struct span bytes, struct store_group_head *out)
{
	struct store_group_head h = { .sequence = 0 };
	uint32_t crc, version;
	struct wire w;

	if (bytes.n < STORE_GROUP_HEAD ||
	    memcmp(bytes.p, magic, sizeof(magic)) != 0)
		return ERR_CORRUPT;
	wire_init(&w, span_from(bytes, AT_CRC));
	crc = wire_u32(&w);
	if (crc != crc32c(0, bytes.p + AT_COVERED,
	    STORE_GROUP_HEAD - AT_COVERED))
		return ERR_CORRUPT;
	version = wire_u32(&w);
	h.sequence = wire_u64(&w);
	h.segment = wire_u64(&w);
	h.offset = wire_u64(&w);
	h.synced = wire_u64(&w);
	h.written_at = wire_u64(&w);
	h.start = wire_u64(&w);
	h.previous_segment = wire_u64(&w);
	h.previous_length = wire_u64(&w);
	h.chain = wire_u32(&w);
	h.length = wire_u32(&w);
	h.records = wire_u32(&w);
	h.flags = wire_u32(&w);
	/* after the sum: damage must not look like another version */
	if (version != GROUP_VERSION)
		return ERR_VERSION;
	/* whoever reads allocates this much (I-05) */
	if (store_group_size(&h) > STORE_GROUP_MAX)
		return ERR_CORRUPT;
	*out = h;
	return OK;
}

size_t
store_group_size(const struct store_group_head *head)
{
	size_t n = (size_t)STORE_GROUP_HEAD + head->length + STORE_GROUP_TAIL;

	return (n + STORE_BLOCK - 1) / STORE_BLOCK * STORE_BLOCK;
}

struct span
store_group_records(struct span group, const struct store_group_head *head)
{
	return span_sub(group, STORE_GROUP_HEAD, head->length);
}

enum err
store_group_check(struct span group, const struct store_group_head *head,
    uint32_t *sum)
{
	struct span records = store_group_records(group, head);
	uint32_t crc;
	struct wire w;
	enum err e;

	if (group.n < store_group_size(head))
		return ERR_CORRUPT;
	/* sum_up() goes by lengths that this has verified */
	if ((e = check_records(records, head->records)) != OK)
		return e;
	crc = sum_up(group.p, records);
	wire_init(&w, span_from(group, STORE_GROUP_HEAD +
	    (size_t)head->length));
	if (wire_u32(&w) != TAIL_MAGIC || wire_u32(&w) != crc ||
	    wire_u64(&w) != head->sequence)
		return ERR_CORRUPT;
	*sum = crc;
	return OK;
}
