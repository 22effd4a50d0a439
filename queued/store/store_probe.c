/*
 * LMDB's file, as 0.9 writes it on this machine: pages of one size; two meta
 * pages in front, the one with the higher transaction counts; trees of branch
 * and leaf pages; values that are too long for a page in pages of their own.
 * The first tree lists free pages, the second has the tables.
 *
 * The walk is depth first, so keys come in order: each must be above the one
 * before, across pages too, and a branch's separators must lie between.
 */
#include "queued/store/store_probe.h"

#include "common/base/crc32c.h"
#include "common/os/clock.h"
#include "queued/store/store_io.h"
#include "queued/store/store_probe_private.h"

#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- values ---- */

/* Of a row of ours: it ends in the sum of key and value. */
static bool
has_sound_sum(struct span key, struct span value)
{
	uint32_t crc;

	if (value.n < sizeof(crc))
		return false;
	value.n -= sizeof(crc);
	crc = crc32c(crc32c(0, key.p, key.n), value.p, value.n);
	return le32toh(u32_at(value.p + value.n)) == crc;
}

/* A list of pages: their count, their numbers. */
static enum err
take_free(struct probe *x, uint64_t page, struct span value)
{
	uint64_t n = value.n >= 8 ? u64_at(value.p) : UINT64_MAX;
	enum err e = OK;

	if (n > value.n / 8 - 1)
		return probe_wrong(x, page, "a list of free pages is damaged");
	for (uint64_t i = 1; i <= n && e == OK; i++)
		e = probe_use(x, u64_at(value.p + 8 * i), 1);
	x->out.free_pages += n;
	return e;
}

static enum err
take_value(struct probe *x, uint64_t page, struct span key,
    struct span value)
{
	x->out.rows += !x->is_free;
	if (x->is_free)
		return take_free(x, page, value);
	if (x->has_sums && !has_sound_sum(key, value))
		return probe_wrong(x, page, "the sum of a row is wrong");
	return OK;
}

/* In pages of its own: only the first has a head. */
static enum err
take_big(struct probe *x, uint64_t page, struct span key, uint32_t bytes,
    uint64_t at)
{
	uint64_t n = ((uint64_t)PAGE_HEAD + bytes + x->page_bytes - 1) /
	    x->page_bytes;
	uint8_t *p;
	enum err e = probe_use(x, at, n);

	if (e != OK)
		return e;
	x->found.overflows += n;
	if ((p = malloc((size_t)(n * x->page_bytes))) == NULL)
		return why_set(x->why, ERR_NOMEM, "no memory");
	if (store_io_read(x->fd, p, PAGE_HEAD + bytes, at * x->page_bytes) !=
	    OK)
		e = probe_wrong(x, at, "it can't be read");
	else if (u64_at(p) != at || u16_at(p + 10) != P_OVERFLOW ||
	    u32_at(p + 12) != n)
		e = probe_wrong(x, at, "it is not the long value it should be");
	else
		e = take_value(x, page, key, span_of(p + PAGE_HEAD, bytes));
	free(p);
	return e;
}

static enum err walk_inside(struct probe *x, uint64_t page,
    struct span inside);
static enum err walk_below(struct probe *x, const struct probe_table *t);

/* A key has several values: in a small page, or in a tree of their own, whose
 * keys they are. */
static enum err
take_several(struct probe *x, uint64_t page, unsigned flags,
    struct span value)
{
	struct probe_table below;

	if (!x->has_several)
		return probe_wrong(x, page, "a row does not fit");
	x->found.entries--;
	if (flags == N_SEVERAL)
		return walk_inside(x, page, value);
	if (value.n != TABLE_BYTES)
		return probe_wrong(x, page, "a row does not fit");
	below = probe_get_table(value.p);
	return walk_below(x, &below);
}

static enum err
take_leaf_node(struct probe *x, uint64_t page, const uint8_t *p,
    const uint8_t *node)
{
	struct span key = probe_key_of(node);
	uint32_t bytes = u16_at(node) | (uint32_t)u16_at(node + 2) << 16;
	const uint8_t *value = node + NODE_HEAD + key.n;
	size_t room = (size_t)(p + x->page_bytes - value);
	unsigned flags = u16_at(node + 4);
	enum err e = probe_order(x, page, key, false);

	if (e != OK)
		return e;
	x->found.entries++;
	if (flags == N_BIG && room >= 8)
		return take_big(x, page, key, bytes, u64_at(value));
	if (bytes <= room && (flags & N_SEVERAL) != 0)
		return take_several(x, page, flags, span_of(value, bytes));
	if (flags != (x->has_tables ? N_TABLE : 0) || bytes > room ||
	    (x->has_tables && bytes != TABLE_BYTES))
		return probe_wrong(x, page, "a row does not fit");
	return x->has_tables ? OK :
	    take_value(x, page, key, span_of(value, bytes));
}

/* ---- trees ---- */

static bool
is_time_up(struct probe *x)
{
	if (x->out.is_partial || ++x->looked % LOOK_AT_CLOCK != 0)
		return x->out.is_partial;
	x->out.is_partial = clock_mono_ms() >= x->until_ms;
	return x->out.is_partial;
}

/* Head and the row of places; *N: how many nodes. */
static enum err
check_head(struct probe *x, uint64_t page, const uint8_t *p, unsigned flags,
    unsigned *n)
{
	unsigned lower = u16_at(p + 12), upper = u16_at(p + 14);

	if (u16_at(p + 10) != flags)
		return probe_wrong(x, page, "it is of another kind");
	if (lower < PAGE_HEAD || lower > upper || upper > x->page_bytes ||
	    lower % 2 != 0 || lower == PAGE_HEAD)
		return probe_wrong(x, page, "its head is damaged");
	*n = (lower - PAGE_HEAD) / 2;
	return OK;
}

static enum err
walk_leaf(struct probe *x, uint64_t page, const uint8_t *p, unsigned n)
{
	enum err e = OK;

	for (unsigned i = 0; i < n && e == OK; i++) {
		const uint8_t *node = probe_node_at(x, p, i);

		e = node == NULL ? probe_wrong(x, page, "a row lies outside") :
		    take_leaf_node(x, page, p, node);
	}
	return e;
}

/* Keys of one length stand one behind the other. */
static enum err
walk_fixed(struct probe *x, uint64_t page, struct span keys, unsigned n)
{
	enum err e = OK;

	if (x->fixed == 0 || keys.n / x->fixed < n)
		return probe_wrong(x, page, "its values are of another length");
	for (unsigned i = 0; i < n && e == OK; i++) {
		e = probe_order(x, page, span_sub(keys, (size_t)i * x->fixed,
		    x->fixed), false);
		x->found.entries++;
		x->out.rows++;
	}
	return e;
}

/* Values in a small page: they have one length, in all tables of ours. */
static enum err
walk_inside(struct probe *x, uint64_t page, struct span inside)
{
	struct probe around = *x;
	unsigned lower;
	enum err e;

	if (inside.n < PAGE_HEAD || (lower = u16_at(inside.p + 12)) <
	    PAGE_HEAD || lower % 2 != 0 ||
	    (u16_at(inside.p + 10) | P_DIRTY) !=
	    (P_LEAF | P_FIXED | P_INSIDE | P_DIRTY))
		return probe_wrong(x, page, "several values are damaged");
	x->fixed = u16_at(inside.p + 8);
	x->has_last = x->may_equal = x->is_integer = false;
	x->found.entries = 0;
	e = walk_fixed(x, page, span_from(inside, PAGE_HEAD),
	    (lower - PAGE_HEAD) / 2);
	around.out = x->out;
	around.found.entries += x->found.entries;
	*x = around;
	return e;
}

static enum err walk(struct probe *x, uint64_t page, unsigned level);

/* The first separator of a page is not looked at by LMDB, and not here. */
static enum err
walk_branch(struct probe *x, uint64_t page, const uint8_t *p, unsigned n,
    unsigned level)
{
	enum err e = OK;

	if (n < 2)
		return probe_wrong(x, page, "a branch has one way only");
	for (unsigned i = 0; i < n && e == OK; i++) {
		const uint8_t *node = probe_node_at(x, p, i);

		if (node == NULL)
			return probe_wrong(x, page, "a way lies outside");
		if (i > 0)
			e = probe_order(x, page, probe_key_of(node), true);
		if (e == OK)
			e = walk(x, u16_at(node) | (uint64_t)u16_at(node + 2)
			    << 16 | (uint64_t)u16_at(node + 4) << 32,
			    level - 1);
	}
	return e;
}

/* LEVEL 1 is a leaf; each level has its page, so the depth bounds memory. */
static enum err
walk(struct probe *x, uint64_t page, unsigned level)
{
	uint8_t *p = x->stack + (size_t)(level - 1) * x->page_bytes;
	unsigned n;
	enum err e = probe_use(x, page, 1);

	if (e == OK && level == 1 && is_time_up(x) && !x->has_tables)
		return OK;
	if (e == OK)
		e = probe_read_page(x, page, p);
	if (e == OK)
		e = check_head(x, page, p, level > 1 ? P_BRANCH :
		    x->fixed != 0 ? P_LEAF | P_FIXED : P_LEAF, &n);
	if (e != OK)
		return e;
	if (level == 1) {
		x->found.leaves++;
		return x->fixed == 0 ? walk_leaf(x, page, p, n) :
		    walk_fixed(x, page, span_of(p + PAGE_HEAD,
		    x->page_bytes - PAGE_HEAD), n);
	}
	x->found.branches++;
	return walk_branch(x, page, p, n, level);
}

static bool
is_counted(const struct probe *x, const struct probe_table *t)
{
	return x->found.branches == t->branches && (x->out.is_partial ||
	    (x->found.leaves == t->leaves &&
	    x->found.overflows == t->overflows &&
	    x->found.entries == t->entries));
}

static enum err
walk_tree(struct probe *x, const struct probe_table *t)
{
	enum err e;

	x->found = (struct probe_table){ .root = t->root };
	x->has_last = x->may_equal = false;
	x->is_integer = (t->flags & T_INTEGER_KEY) != 0;
	x->has_several = (t->flags & T_SEVERAL) != 0;
	if (t->root == NO_PAGE)
		return t->entries == 0 && t->depth == 0 ? OK :
		    why_set(x->why, ERR_CORRUPT, "a table has no root");
	if (t->depth == 0 || t->depth > DEPTH_MAX)
		return probe_wrong(x, t->root, "a table has an impossible depth");
	if ((e = walk(x, t->root, t->depth)) != OK)
		return e;
	return is_counted(x, t) ? OK : probe_wrong(x, t->root,
	    "a table counts other pages or rows than there are");
}

/* The values of one key, inside the walk of a leaf. */
static enum err
walk_below(struct probe *x, const struct probe_table *t)
{
	struct probe around = *x;
	enum err e;

	if (x->inner == x->stack)
		return probe_wrong(x, t->root, "a tree is too deep inside others");
	x->stack = x->inner;
	x->fixed = t->value_bytes;
	if (x->fixed == 0 || x->fixed > KEY_MAX || t->root == NO_PAGE)
		return probe_wrong(x, t->root, "several values are damaged");
	e = walk_tree(x, t);
	around.out = x->out;
	around.looked = x->looked;
	around.found.entries += t->entries;
	*x = around;
	return e;
}

/* Those whose rows end in a sum; others are walked all the same. */
static bool
has_sums(struct span name)
{
	static const char *const names[] = {
		"meta", "message", "unit", "due", "segment",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_equal(name, span_str(names[i])))
			return true;
	return false;
}

/* The tree of tables is small: one leaf, walked again node by node. */
static enum err
walk_tables(struct probe *x)
{
	const struct probe_table *t = &x->trees[1];
	uint8_t *p = x->inner + (size_t)DEPTH_MAX * x->page_bytes;
	unsigned n;
	enum err e;

	x->has_tables = true;
	e = walk_tree(x, t);
	x->has_tables = false;
	if (e != OK || t->root == NO_PAGE)
		return e;
	if (t->depth != 1)
		return probe_wrong(x, t->root, "it has too many tables");
	if ((e = probe_read_page(x, t->root, p)) == OK)
		e = check_head(x, t->root, p, P_LEAF, &n);
	for (unsigned i = 0; e == OK && i < n; i++) {
		const uint8_t *node = probe_node_at(x, p, i);
		struct probe_table sub;

		if (node == NULL)
			return probe_wrong(x, t->root, "a table lies outside");
		sub = probe_get_table(node + NODE_HEAD + probe_key_of(node).n);
		x->has_sums = has_sums(probe_key_of(node));
		e = walk_tree(x, &sub);
	}
	return e;
}

/* Free pages last: none of them may be in use. */
static enum err
walk_all(struct probe *x)
{
	enum err e;

	x->used = calloc(1, (size_t)(x->pages / 8 + 1));
	x->stack = malloc((size_t)(2 * DEPTH_MAX + 1) * x->page_bytes);
	if (x->used == NULL || x->stack == NULL)
		return why_set(x->why, ERR_NOMEM, "no memory");
	x->inner = x->stack + (size_t)DEPTH_MAX * x->page_bytes;
	if ((e = walk_tables(x)) != OK)
		return e;
	x->is_free = true;
	x->has_sums = false;
	return walk_tree(x, &x->trees[0]);
}

/* A meta page that counts more pages than the file can have would cost memory
 * for nothing: LMDB keeps at most a few unwritten ones at the end. */
static enum err
check_size(struct probe *x)
{
	struct stat st;

	if (fstat(x->fd, &st) != 0)
		return why_set(x->why, ERR_IO, "it can't be looked at");
	if (x->pages > (uint64_t)st.st_size / x->page_bytes + (1u << 16))
		return why_set(x->why, ERR_CORRUPT, "the file was cut off");
	return OK;
}

enum err
store_probe(int dir_fd, const char *name, int64_t until_ms,
    struct store_probe_result *result, struct why *why)
{
	struct probe x = { .until_ms = until_ms, .why = why };
	enum err e = store_io_open(&store_io_system, dir_fd, name, O_RDONLY,
	    &x.fd);

	if (e != OK)
		return why_set(why, e, "%s: %s", name, err_text(e));
	if ((e = probe_read_meta(&x, 0)) == OK && (e = probe_read_meta(&x, 1)) == OK &&
	    (e = check_size(&x)) == OK)
		e = walk_all(&x);
	x.out.pages = x.pages;
	if (e == OK && result != NULL)
		*result = x.out;
	free(x.used);
	free(x.stack);
	(void)close(x.fd);
	return e;
}
