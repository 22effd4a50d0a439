/*
 * A map from type and name to entries, and a list of the same entries by last
 * use.  An entry is one block of just the size that its answer needs: an
 * answer with room for all limits is 18 KiB, a usual one some hundred bytes.
 *
 * An answer is kept as it was read, with the time of its birth; its TTLs are
 * lowered when it is given out.  There is no timer: what is dead is found when
 * it is asked for, or falls off the end of the list.
 */
#include "common/dns/dns_cache.h"

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/text.h"

#include <stdlib.h>

#define KEY_MAX		(2 + DNS_NAME_WIRE_MAX)
#define HEAD_BYTES	offsetof(struct dns_wire_answer, records)

/* A share of the map, counted as part of each entry. */
#define MAP_SHARE	64

/*
 * One allocation: this and, in `data`, the key, then the used parts of the
 * answer one behind the other.  They are only ever copied, so they need no
 * alignment.
 */
struct entry {
	struct list by_use;
	int64_t born_ms;
	int64_t dies_ms;
	uint32_t bytes;			/* of it all */
	uint16_t key_bytes;
	uint16_t records;
	uint16_t used;			/* bytes of the records' data */
	uint8_t data[];
};

struct dns_cache {
	struct map_span by_key;
	struct list by_use;		/* the latest first */
	size_t bytes;
	size_t bytes_max;
};

/* ---- entries ---- */

static struct span
key_of(const void *object)
{
	const struct entry *e = object;

	return span_of(e->data, e->key_bytes);
}

/* Type and lower-case name without a trailing dot; 0: too long a name. */
static size_t
make_key(struct span name, uint16_t type, uint8_t key[KEY_MAX])
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > DNS_NAME_WIRE_MAX)
		return 0;
	key[0] = (uint8_t)(type >> 8);
	key[1] = (uint8_t)type;
	text_lower(name, key + 2);
	return 2 + name.n;
}

/* Returns where the next part goes. */
static uint8_t *
put(uint8_t *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return to + n;
}

/* Gives an entry that is in no map and no list, or NULL. */
static struct entry *
entry_new(struct span key, const struct dns_wire_answer *a)
{
	size_t records_bytes = a->count * sizeof(a->records[0]);
	size_t n = sizeof(struct entry) + key.n + HEAD_BYTES + records_bytes +
	    a->used;
	struct entry *e = malloc(n);
	uint8_t *to;

	if (e == NULL)
		return NULL;
	*e = (struct entry){
		.bytes = (uint32_t)n, .key_bytes = (uint16_t)key.n,
		.records = a->count, .used = a->used,
	};
	list_init(&e->by_use);
	to = put(e->data, key.p, key.n);
	to = put(to, a, HEAD_BYTES);
	to = put(to, a->records, records_bytes);
	(void)put(to, a->bytes, a->used);
	return e;
}

/* What is left of a TTL. */
static uint32_t
aged(uint32_t ttl_s, uint32_t age_s)
{
	return ttl_s > age_s ? ttl_s - age_s : 0;
}

/* The parts in the order of entry_new().  Only what is in use is written: OUT
 * may be as large as it is because nobody fills it. */
static void
entry_copy(const struct entry *e, int64_t now_ms, struct dns_wire_answer *out)
{
	size_t records_bytes = e->records * sizeof(out->records[0]);
	const uint8_t *from = e->data + e->key_bytes;
	uint32_t age_s = (uint32_t)((now_ms - e->born_ms) / 1000);

	memcpy(out, from, HEAD_BYTES);
	memcpy(out->records, from + HEAD_BYTES, records_bytes);
	memcpy(out->bytes, from + HEAD_BYTES + records_bytes, e->used);
	out->ttl_s = aged(out->ttl_s, age_s);
	for (unsigned i = 0; i < e->records; i++)
		out->records[i].ttl_s = aged(out->records[i].ttl_s, age_s);
}

/* ---- the cache ---- */

struct dns_cache *
dns_cache_new(size_t bytes_max, const struct siphash_key *key)
{
	struct dns_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	map_span_init(&c->by_key, key, key_of);
	list_init(&c->by_use);
	c->bytes_max = bytes_max;
	return c;
}

void
dns_cache_free(struct dns_cache **cache)
{
	if (*cache == NULL)
		return;
	dns_cache_flush(*cache);
	map_span_clear(&(*cache)->by_key);
	free(*cache);
	*cache = NULL;
}

/* Out of map and list, and gone. */
static void
drop(struct dns_cache *c, struct entry *e)
{
	map_span_remove(&c->by_key, key_of(e));
	list_remove(&e->by_use);
	c->bytes -= e->bytes + MAP_SHARE;
	free(e);
}

void
dns_cache_flush(struct dns_cache *c)
{
	struct list *node;

	while ((node = list_first(&c->by_use)) != NULL)
		drop(c, CONTAINER_OF(node, struct entry, by_use));
}

/*
 * How long an answer may be kept; 0: not at all.  Long TTLs are cut, so that a
 * mistake in somebody's zone is over in a day, a negative one in an hour (RFC
 * 2308 5).
 */
static uint32_t
lifetime_s(const struct dns_wire_answer *a)
{
	uint32_t max = DNS_CACHE_NEGATIVE_MAX_S;

	if (a->result == DNS_WIRE_FAILED || a->is_truncated)
		return 0;
	if (a->result == DNS_WIRE_DATA)
		max = DNS_CACHE_TTL_MAX_S;
	return a->ttl_s < max ? a->ttl_s : max;
}

enum err
dns_cache_put(struct dns_cache *c, struct span name, uint16_t type,
    const struct dns_wire_answer *a, int64_t now_ms)
{
	uint8_t key[KEY_MAX];
	size_t key_bytes = make_key(name, type, key);
	uint32_t ttl_s = lifetime_s(a);
	struct entry *e;

	if (key_bytes == 0)
		return ERR_RANGE;
	e = map_span_get(&c->by_key, span_of(key, key_bytes));
	/* even an answer that isn't kept ends the life of an older one */
	if (e != NULL)
		drop(c, e);
	if (ttl_s == 0)
		return OK;
	e = entry_new(span_of(key, key_bytes), a);
	if (e == NULL)
		return ERR_NOMEM;
	/* the list comes last: until then a failure has nothing to undo */
	if (map_span_add(&c->by_key, e) != OK) {
		free(e);
		return ERR_NOMEM;
	}
	e->born_ms = now_ms;
	e->dies_ms = now_ms + (int64_t)ttl_s * 1000;
	list_add_first(&c->by_use, &e->by_use);
	c->bytes += e->bytes + MAP_SHARE;
	/* the new one is the last to go, but go it must if it is too big */
	while (c->bytes > c->bytes_max)
		drop(c, CONTAINER_OF(list_last(&c->by_use), struct entry,
		    by_use));
	return OK;
}

enum err
dns_cache_get(struct dns_cache *c, struct span name, uint16_t type,
    int64_t now_ms, struct dns_wire_answer *out)
{
	uint8_t key[KEY_MAX];
	size_t key_bytes = make_key(name, type, key);
	struct entry *e = NULL;

	if (key_bytes > 0)
		e = map_span_get(&c->by_key, span_of(key, key_bytes));
	if (e == NULL)
		return ERR_NOT_FOUND;
	/* nobody sweeps: what is dead goes when asked for, or as the oldest */
	if (now_ms >= e->dies_ms) {
		drop(c, e);
		return ERR_NOT_FOUND;
	}
	list_remove(&e->by_use);
	list_add_first(&c->by_use, &e->by_use);
	entry_copy(e, now_ms, out);
	return OK;
}

size_t
dns_cache_count(const struct dns_cache *c)
{
	return map_span_count(&c->by_key);
}

size_t
dns_cache_bytes(const struct dns_cache *c)
{
	return c->bytes;
}
