#include "queued/store/store_io.h"
#include "queued/store/store_probe_private.h"

#include <inttypes.h>

enum err
probe_wrong(struct probe *x, uint64_t page, const char *what)
{
	return why_set(x->why, ERR_CORRUPT, "page %" PRIu64 ": %s", page,
	    what);
}

/* ---- pages ---- */

enum err
probe_use(struct probe *x, uint64_t page, uint64_t n)
{
	for (uint64_t i = page; i < page + n; i++) {
		if (i < 2 || i >= x->pages)
			return probe_wrong(x, page, "there is no such page");
		if ((x->used[i / 8] & 1u << i % 8) != 0)
			return probe_wrong(x, page, "it is used twice");
		x->used[i / 8] = (uint8_t)(x->used[i / 8] | 1u << i % 8);
	}
	return OK;
}

enum err
probe_read_page(struct probe *x, uint64_t page, uint8_t *p)
{
	enum err e = store_io_read(x->fd, p, x->page_bytes,
	    page * x->page_bytes);

	if (e == ERR_CORRUPT)
		return probe_wrong(x, page, "the file ends before it");
	if (e != OK)
		return probe_wrong(x, page, "it can't be read");
	return u64_at(p) == page ? OK : probe_wrong(x, page,
	    "another page is in its place");
}

/* ---- meta pages ---- */

struct probe_table
probe_get_table(const uint8_t *p)
{
	return (struct probe_table){ .value_bytes = u32_at(p),
	    .flags = u16_at(p + 4), .depth = u16_at(p + 6),
	    .branches = u64_at(p + 8), .leaves = u64_at(p + 16),
	    .overflows = u64_at(p + 24), .entries = u64_at(p + 32),
	    .root = u64_at(p + 40) };
}

/* Both must be sound, for LMDB looks at both. */
enum err
probe_read_meta(struct probe *x, unsigned number)
{
	uint8_t bytes[PAGE_HEAD + META_BYTES];
	const uint8_t *meta = bytes + PAGE_HEAD;
	uint32_t page_bytes;
	uint64_t txn;

	if (store_io_read(x->fd, bytes, sizeof(bytes),
	    (uint64_t)number * x->page_bytes) != OK)
		return probe_wrong(x, number, "the file ends before it");
	page_bytes = u32_at(meta + 24);
	if ((u16_at(bytes + 10) & P_META) == 0 || u64_at(bytes) != number ||
	    u32_at(meta) != META_MAGIC || u32_at(meta + 4) != META_VERSION ||
	    page_bytes < PAGE_MIN || page_bytes > PAGE_MAX ||
	    (page_bytes & (page_bytes - 1)) != 0 ||
	    (number == 1 && page_bytes != x->page_bytes))
		return probe_wrong(x, number, "it is no meta page");
	x->page_bytes = page_bytes;
	txn = u64_at(meta + 128);
	if (number == 1 && txn <= x->txn)
		return OK;
	x->txn = txn;
	x->pages = u64_at(meta + 120) + 1;
	x->trees[0] = probe_get_table(meta + 24);
	x->trees[1] = probe_get_table(meta + 24 + TABLE_BYTES);
	return x->pages >= 2 && x->pages < PAGES_MAX ? OK :
	    probe_wrong(x, number, "it counts an impossible number of pages");
}

/* ---- nodes ---- */

const uint8_t *
probe_node_at(const struct probe *x, const uint8_t *p, unsigned i)
{
	uint32_t at = u16_at(p + PAGE_HEAD + 2 * (size_t)i);

	if (at < u16_at(p + 14) || at % 2 != 0 ||
	    at + NODE_HEAD > x->page_bytes ||
	    at + NODE_HEAD + u16_at(p + at + 6) > x->page_bytes)
		return NULL;
	return p + at;
}

enum err
probe_order(struct probe *x, uint64_t page, struct span key, bool is_separator)
{
	int c;

	if (key.n > KEY_MAX || key.n == 0 || (x->is_integer && key.n != 8))
		return probe_wrong(x, page, "a key has an impossible length");
	if (x->has_last && x->is_integer) {
		uint64_t a = u64_at(x->last), b = u64_at(key.p);

		c = a < b ? -1 : a > b;
	} else {
		c = x->has_last ? span_compare(span_of(x->last, x->last_n),
		    key) : -1;
	}
	if (c > 0 || (c == 0 && !x->may_equal))
		return probe_wrong(x, page, "its keys are not in order");
	memcpy(x->last, key.p, key.n);
	x->last_n = key.n;
	x->has_last = true;
	x->may_equal = is_separator;
	return OK;
}
