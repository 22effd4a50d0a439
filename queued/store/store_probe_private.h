/*
 * Pages of LMDB's file, as store_probe.c walks them.
 */
#ifndef MTAD_QUEUED_STORE_STORE_PROBE_PRIVATE_H
#define MTAD_QUEUED_STORE_STORE_PROBE_PRIVATE_H

#include "common/base/span.h"
#include "queued/store/store_probe.h"

enum {
	PAGE_HEAD = 16, NODE_HEAD = 8, KEY_MAX = 511, DEPTH_MAX = 32,
	TABLE_BYTES = 48, META_BYTES = 136, PAGE_MIN = 512, PAGE_MAX = 65536,
	LOOK_AT_CLOCK = 256,		/* pages between two looks */
};

/* flags of pages, nodes and tables */
enum {
	P_BRANCH = 1, P_LEAF = 2, P_OVERFLOW = 4, P_META = 8,
	P_FIXED = 0x20,			/* keys of one length, no nodes */
	P_INSIDE = 0x40,		/* a small page inside a node: */
	P_DIRTY = 0x10,			/* ... it is written with this */
};
enum { N_BIG = 1, N_TABLE = 2, N_SEVERAL = 4 };
enum { T_SEVERAL = 4, T_INTEGER_KEY = 8, T_FIXED = 0x10 };

#define META_MAGIC	UINT32_C(0xbeefc0de)
#define META_VERSION	1u
#define NO_PAGE		UINT64_MAX
#define PAGES_MAX	(UINT64_C(1) << 40)

/* What a tree says of itself. */
struct probe_table {
	uint32_t value_bytes;		/* when they have one length */
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct probe {
	int fd;
	uint32_t page_bytes;
	uint64_t pages;			/* the last one's number, and 1 */
	uint64_t txn;
	struct probe_table trees[2];
	uint8_t *used;			/* a bit a page */
	uint8_t *stack;			/* a page for each level */
	uint8_t *inner;		/* the same, of a tree inside a tree */
	int64_t until_ms;
	uint32_t looked;
	struct store_probe_result out;
	struct why *why;
	/* of the tree being walked */
	struct probe_table found;
	bool is_integer, has_sums, has_tables, is_free;
	bool has_several;		/* values of a key */
	uint32_t fixed;			/* bytes of a key without a node; 0 */
	uint8_t last[KEY_MAX];
	size_t last_n;
	bool has_last, may_equal;	/* a separator may equal the next key */
};

static inline uint16_t
u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
u64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline struct span
probe_key_of(const uint8_t *node)
{
	return span_of(node + NODE_HEAD, u16_at(node + 6));
}

/* ERR_CORRUPT, with the page and WHAT for people. */
enum err probe_wrong(struct probe *x, uint64_t page, const char *what);

/* N pages from PAGE on are in use: each once, and none beyond the end. */
enum err probe_use(struct probe *x, uint64_t page, uint64_t n);

/* Into P, a page long. */
enum err probe_read_page(struct probe *x, uint64_t page, uint8_t *p);

/* Meta page 0, then 1; the newer one's trees are taken. */
enum err probe_read_meta(struct probe *x, unsigned number);
struct probe_table probe_get_table(const uint8_t *p);

/* The place of node I of page P, its head and key inside the page; NULL. */
const uint8_t *probe_node_at(const struct probe *x, const uint8_t *p,
    unsigned i);

/* Keys ascend; IS_SEPARATOR: the next may be equal. */
enum err probe_order(struct probe *x, uint64_t page, struct span key,
    bool is_separator);

#endif
