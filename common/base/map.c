#include "common/base/map.h"

#include "common/base/check.h"

#include <stdlib.h>

/*
 * Linear probing.  A removed object leaves a grave, so that walks may remove;
 * graves go when the table is built anew: that happens at an addition, when
 * objects and graves fill three quarters of it, or objects hardly any.
 */
struct map_slot {
	uint64_t tag;		/* by number: the number; by bytes: the hash */
	void *object;		/* NULL: never used since the last building */
};

#define FIRST_SIZE 16

/* What a search compares with: a number, or bytes. */
struct wanted {
	uint64_t tag;
	uint64_t hash;
	struct span (*key_of)(const void *object);	/* NULL: by number */
	struct span key;
};

static char grave_place;

/* An address that no caller's object can have. */
static inline void *
grave(void)
{
	return &grave_place;
}

/* Grave and NULL are the two kinds of slots without an object. */
static inline bool
is_live(const struct map_slot *slot)
{
	return slot->object != NULL && slot->object != grave();
}

/* The tag first: objects lie elsewhere in memory, and are asked for their key
 * only when they are almost certainly the right ones. */
static bool
is_wanted(const struct map_slot *slot, const struct wanted *w)
{
	if (slot->tag != w->tag || !is_live(slot))
		return false;
	return w->key_of == NULL ||
	    span_equal(w->key_of(slot->object), w->key);
}

/* Ends at a slot never used; there always is one, because additions keep a
 * quarter of the table so. */
static struct map_slot *
find(const struct map_table *t, const struct wanted *w)
{
	if (t->size == 0)
		return NULL;
	for (size_t i = w->hash & (t->size - 1);; i = (i + 1) & (t->size - 1)) {
		if (t->slots[i].object == NULL)
			return NULL;
		if (is_wanted(&t->slots[i], w))
			return &t->slots[i];
	}
}

/* The first slot on the way that holds no object. */
static struct map_slot *
find_room(struct map_slot *slots, size_t size, uint64_t hash)
{
	size_t i = hash & (size - 1);

	/* ends: a quarter of the table is free of objects */
	while (is_live(&slots[i]))
		i = (i + 1) & (size - 1);
	return &slots[i];
}

/* Numbers are stored as they are and hashed again; hashes of bytes are kept,
 * since they are dear. */
static uint64_t
hash_of(const struct map_table *t, bool is_number, uint64_t tag)
{
	return is_number ? siphash_u64(&t->seed, tag) : tag;
}

/* A size at which N objects fill less than half. */
static size_t
size_for(size_t n)
{
	size_t size = FIRST_SIZE;

	while (size / 2 <= n)
		size *= 2;
	return size;
}

/* Into a table for what is live, larger or smaller or of the same size without
 * graves.  Nothing is changed when there is no memory. */
static enum err
build_anew(struct map_table *t, bool is_number)
{
	size_t size = size_for(t->live);
	struct map_slot *slots = calloc(size, sizeof(*slots));

	if (slots == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < t->size; i++) {
		const struct map_slot *old = &t->slots[i];

		if (is_live(old))
			*find_room(slots, size,
			    hash_of(t, is_number, old->tag)) = *old;
	}
	free(t->slots);
	t->slots = slots;
	t->size = size;
	t->used = t->live;
	return OK;
}

/* Makes room for one object more, or less room for few. */
static enum err
adapt(struct map_table *t, bool is_number)
{
	if (t->used >= t->size / 4 * 3)
		return build_anew(t, is_number);
	/* what is too large still works */
	if (t->size > FIRST_SIZE && t->live < t->size / 16)
		(void)build_anew(t, is_number);
	return OK;
}

/* The graves on the way are used again: a table with steady traffic is built
 * anew seldom.  Nothing changes on a failure. */
static enum err
add(struct map_table *t, const struct wanted *w, void *object)
{
	struct map_slot *slot;
	enum err e;

	MUST(object != NULL);
	if (find(t, w) != NULL)
		return ERR_EXISTS;
	e = adapt(t, w->key_of == NULL);
	if (e != OK)
		return e;
	slot = find_room(t->slots, t->size, w->hash);
	/* a grave was counted when it was a place in use */
	if (slot->object == NULL)
		t->used++;
	*slot = (struct map_slot){ w->tag, object };
	t->live++;
	return OK;
}

/* Graves before a slot that was never used stop no search: they can go. */
static void
level_graves(struct map_table *t, size_t i)
{
	size_t mask = t->size - 1;

	if (t->slots[(i + 1) & mask].object != NULL)
		return;
	while (t->slots[i].object == grave()) {
		t->slots[i].object = NULL;
		t->used--;
		i = (i - 1) & mask;
	}
}

/* The object, or NULL when there was none. */
static void *
take(struct map_table *t, const struct wanted *w)
{
	struct map_slot *slot = find(t, w);
	void *object;

	if (slot == NULL)
		return NULL;
	object = slot->object;
	slot->object = grave();
	t->live--;
	level_graves(t, (size_t)(slot - t->slots));
	return object;
}

/* In the order of the table, which is none that means anything.  Removal while
 * walking is allowed because it moves nothing. */
static void *
next(const struct map_table *t, size_t *cursor)
{
	while (*cursor < t->size) {
		const struct map_slot *slot = &t->slots[(*cursor)++];

		if (is_live(slot))
			return slot->object;
	}
	return NULL;
}

static void *
get(const struct map_table *t, const struct wanted *w)
{
	const struct map_slot *slot = find(t, w);

	return slot != NULL ? slot->object : NULL;
}

/* The seed stays: the map can be filled again. */
static void
clear(struct map_table *t)
{
	free(t->slots);
	*t = (struct map_table){ .seed = t->seed };
}

void
map_u64_init(struct map_u64 *m, const struct siphash_key *seed)
{
	*m = (struct map_u64){ .table.seed = *seed };
}

void
map_u64_clear(struct map_u64 *m)
{
	clear(&m->table);
}

/* Numbers are hashed with the seed, too: ids may be chosen by a peer. */
static struct wanted
wanted_u64(const struct map_u64 *m, uint64_t key)
{
	return (struct wanted){
		.tag = key,
		.hash = siphash_u64(&m->table.seed, key),
	};
}

enum err
map_u64_add(struct map_u64 *m, uint64_t key, void *object)
{
	struct wanted w = wanted_u64(m, key);

	return add(&m->table, &w, object);
}

void *
map_u64_get(const struct map_u64 *m, uint64_t key)
{
	struct wanted w = wanted_u64(m, key);

	return get(&m->table, &w);
}

void *
map_u64_remove(struct map_u64 *m, uint64_t key)
{
	struct wanted w = wanted_u64(m, key);

	return take(&m->table, &w);
}

void *
map_u64_next(const struct map_u64 *m, size_t *cursor)
{
	return next(&m->table, cursor);
}

void *
map_u64_next_key(const struct map_u64 *m, size_t *cursor, uint64_t *key)
{
	void *object = next(&m->table, cursor);

	/* the slot behind which the cursor stands */
	if (object != NULL)
		*key = m->table.slots[*cursor - 1].tag;
	return object;
}

void
map_span_init(struct map_span *m, const struct siphash_key *seed,
    struct span (*key_of)(const void *object))
{
	*m = (struct map_span){ .table.seed = *seed, .key_of = key_of };
}

void
map_span_clear(struct map_span *m)
{
	clear(&m->table);
}

/* The hash is both tag and hash: it is compared before the bytes are. */
static struct wanted
wanted_span(const struct map_span *m, struct span key)
{
	uint64_t hash = siphash(&m->table.seed, key);

	return (struct wanted){
		.tag = hash, .hash = hash, .key_of = m->key_of, .key = key,
	};
}

enum err
map_span_add(struct map_span *m, void *object)
{
	struct wanted w = wanted_span(m, m->key_of(object));

	return add(&m->table, &w, object);
}

void *
map_span_get(const struct map_span *m, struct span key)
{
	struct wanted w = wanted_span(m, key);

	return get(&m->table, &w);
}

void *
map_span_remove(struct map_span *m, struct span key)
{
	struct wanted w = wanted_span(m, key);

	return take(&m->table, &w);
}

void *
map_span_next(const struct map_span *m, size_t *cursor)
{
	return next(&m->table, cursor);
}
