#include "common/os/client_table.h"

#include "common/base/check.h"
#include "common/os/client_rates.h"
#include "common/os/shm.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/*
 * A region is an array of sets of WAYS places.  A client's place is in one of
 * two sets that its hash names, the emptier one when it came.  So nothing ever
 * moves, a place with count 0 is free, and a reader looks at sixteen places
 * whatever a writer does meanwhile.  With twice as many places as clients a
 * set practically never overflows.
 */
#define WAYS 8u
#define SETS_MIN 16u
#define LINE 64

struct place {
	_Atomic uint64_t key;
	_Atomic uint32_t count;
	uint32_t unused;
};

struct set {
	struct place places[WAYS];
};

/* All that lies in shared memory, before as many sets of rates; a total has a
 * cache line of its own. */
struct region {
	_Alignas(LINE) _Atomic uint32_t total;
	_Alignas(LINE) struct set sets[];
};

struct client_table {
	struct shm shm;
	struct siphash_key key;
	uint32_t workers;
	uint32_t sets;			/* a power of two */
	struct region *own;		/* NULL in the parent */
};

/* Half of the places stay free, see above. */
static uint32_t
sets_for(uint32_t capacity)
{
	uint32_t sets = SETS_MIN;

	while (sets * WAYS / 2 < capacity)
		sets *= 2;
	return sets;
}

/* A multiple of a cache line, so that no two workers write to the same one. */
static size_t
region_size(uint32_t sets)
{
	return sizeof(struct region) + (size_t)sets * sizeof(struct set) +
	    client_rates_bytes(sets);
}

/* Worker I's; all are of the same size. */
static struct region *
region(const struct client_table *t, uint32_t worker)
{
	uint8_t *base = t->shm.p;

	return (struct region *)(void *)(base + worker * region_size(t->sets));
}

static struct client_rates *
rates_of(const struct client_table *t, struct region *r)
{
	return (struct client_rates *)(void *)&r->sets[t->sets];
}

/* What both sides compute alike from the configuration; memory comes later. */
static enum err
make(uint32_t workers, uint32_t capacity, const struct siphash_key *key,
    struct client_table **out)
{
	struct client_table *t;

	if (workers == 0 || workers > CLIENT_TABLE_WORKERS_MAX ||
	    capacity == 0 || capacity > CLIENT_TABLE_CAPACITY_MAX)
		return ERR_RANGE;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return ERR_NOMEM;
	t->key = *key;
	t->workers = workers;
	t->sets = sets_for(capacity);
	*out = t;
	return OK;
}

/* In the parent: it has no region of its own and only forgets for others. */
enum err
client_table_new(uint32_t workers, uint32_t capacity,
    const struct siphash_key *key, struct client_table **out)
{
	struct client_table *t;
	enum err e = make(workers, capacity, key, &t);

	if (e != OK)
		return e;
	e = shm_make("clients", workers * region_size(t->sets), &t->shm);
	if (e != OK) {
		free(t);
		return e;
	}
	*out = t;
	return OK;
}

/* The size must be that of our own numbers, so a table of other ones is
 * refused before it is looked into. */
enum err
client_table_attach(int fd, uint32_t worker, uint32_t workers,
    uint32_t capacity, const struct siphash_key *key,
    struct client_table **out)
{
	struct client_table *t;
	enum err e;

	if (worker >= workers)
		return ERR_RANGE;
	e = make(workers, capacity, key, &t);
	if (e != OK)
		return e;
	e = shm_attach(fd, workers * region_size(t->sets), &t->shm);
	if (e != OK) {
		free(t);
		return e;
	}
	t->own = region(t, worker);
	*out = t;
	return OK;
}

void
client_table_free(struct client_table **t)
{
	if (t == NULL || *t == NULL)
		return;
	shm_close(&(*t)->shm);
	free(*t);
	*t = NULL;
}

int
client_table_fd(const struct client_table *t)
{
	return t->shm.fd;
}

/* Relaxed throughout: what is seen a moment late, or under the key of before,
 * makes a limit imprecise for that moment and nothing else wrong. */
static uint32_t
load_count(const struct place *p)
{
	return atomic_load_explicit(&p->count, memory_order_relaxed);
}

static uint64_t
load_key(const struct place *p)
{
	return atomic_load_explicit(&p->key, memory_order_relaxed);
}

/* Either of the two sets of a key; they may be the same. */
static struct set *
set_of(const struct client_table *t, struct region *r, uint64_t key, int which)
{
	uint32_t hash = which == 0 ? (uint32_t)key : (uint32_t)(key >> 32);

	return &r->sets[hash & (t->sets - 1)];
}

/* Safe on the region of a worker that writes at the same time, or nonsense: the
 * places looked at depend on the key alone. */
static struct place *
find(const struct client_table *t, struct region *r, uint64_t key)
{
	for (int which = 0; which < 2; which++) {
		struct set *set = set_of(t, r, key, which);

		for (uint32_t i = 0; i < WAYS; i++) {
			struct place *p = &set->places[i];

			if (load_key(p) == key && load_count(p) > 0)
				return p;
		}
	}
	return NULL;
}

/* A free place of the set, or NULL; *LOAD: places that are not free. */
static struct place *
find_free(struct set *set, uint32_t *load)
{
	struct place *found = NULL;

	*load = 0;
	for (uint32_t i = 0; i < WAYS; i++) {
		if (load_count(&set->places[i]) == 0)
			found = &set->places[i];
		else
			++*load;
	}
	return found;
}

/* The emptier of two sets: that keeps the fullest one near the average. */
static struct place *
choose(const struct client_table *t, struct region *r, uint64_t key)
{
	uint32_t load0, load1;
	struct place *p0 = find_free(set_of(t, r, key, 0), &load0);
	struct place *p1 = find_free(set_of(t, r, key, 1), &load1);

	return load0 <= load1 ? p0 : p1;
}

/* CHANGE is 1, or UINT32_MAX for one less. */
static void
add_to(_Atomic uint32_t *number, uint32_t change)
{
	uint32_t v = atomic_load_explicit(number, memory_order_relaxed);

	/* one writer: no read-modify-write needed */
	atomic_store_explicit(number, v + change, memory_order_relaxed);
}

/* ERR_FULL when both sets of the client are full. */
enum err
client_table_enter(struct client_table *t, const struct ipaddr *addr)
{
	uint64_t key = ipaddr_client_key(addr, &t->key);
	struct place *p;

	MUST(t->own != NULL);
	p = find(t, t->own, key);
	if (p == NULL) {
		p = choose(t, t->own, key);
		if (p == NULL)
			return ERR_FULL;
		atomic_store_explicit(&p->key, key, memory_order_relaxed);
	}
	add_to(&p->count, 1);
	add_to(&t->own->total, 1);
	return OK;
}

/* Never below zero, whatever was done to the memory. */
void
client_table_leave(struct client_table *t, const struct ipaddr *addr)
{
	struct place *p;

	MUST(t->own != NULL);
	p = find(t, t->own, ipaddr_client_key(addr, &t->key));
	/* the memory is shared: what is not there was wiped by another */
	if (p == NULL)
		return;
	add_to(&p->count, UINT32_MAX);
	if (atomic_load_explicit(&t->own->total, memory_order_relaxed) > 0)
		add_to(&t->own->total, UINT32_MAX);
}

/* Sums that no wrong number of another worker can make small. */
static void
add_capped(uint32_t *sum, uint32_t v)
{
	if (__builtin_add_overflow(*sum, v, sum))
		*sum = UINT32_MAX;
}

/*
 * The sum over all workers is a snapshot of no single moment: limits may be
 * missed by connections that are accepted at the same time, by one a worker.
 */
uint32_t
client_table_count(const struct client_table *t, const struct ipaddr *addr)
{
	uint64_t key = ipaddr_client_key(addr, &t->key);
	uint32_t sum = 0;

	for (uint32_t i = 0; i < t->workers; i++) {
		const struct place *p = find(t, region(t, i), key);

		if (p != NULL)
			add_capped(&sum, load_count(p));
	}
	return sum;
}

/* For the limit of all sessions together. */
uint32_t
client_table_total(const struct client_table *t)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < t->workers; i++)
		add_capped(&sum, atomic_load_explicit(&region(t, i)->total,
		    memory_order_relaxed));
	return sum;
}

/* One table holds all: no two kinds have a key in common. */
static uint64_t
rate_key(const struct client_table *t, enum client_rate rate,
    const struct ipaddr *addr)
{
	return ipaddr_client_key(addr, &t->key) ^
	    ((uint64_t)rate + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

void
client_table_note(struct client_table *t, enum client_rate rate,
    const struct ipaddr *addr, uint32_t period_ms, int64_t now_ms, uint32_t n)
{
	MUST(t->own != NULL && period_ms > 0);
	client_rates_add(rates_of(t, t->own), t->sets,
	    rate_key(t, rate, addr), period_ms, now_ms, n);
}

uint32_t
client_table_rate(const struct client_table *t, enum client_rate rate,
    const struct ipaddr *addr, uint32_t period_ms, int64_t now_ms)
{
	uint64_t key = rate_key(t, rate, addr);
	uint32_t sum = 0;

	MUST(period_ms > 0);
	for (uint32_t i = 0; i < t->workers; i++)
		add_capped(&sum, client_rates_count(rates_of(t, region(t, i)),
		    t->sets, key, period_ms, now_ms));
	return sum;
}

/* For the parent, when a worker has died: what it counted is over.  What its clients did
 * of late has happened: its successor goes on with that. */
void
client_table_forget(struct client_table *t, uint32_t worker)
{
	struct region *r;

	MUST(worker < t->workers);
	r = region(t, worker);
	for (uint32_t i = 0; i < t->sets; i++) {
		for (uint32_t k = 0; k < WAYS; k++)
			atomic_store_explicit(&r->sets[i].places[k].count, 0,
			    memory_order_relaxed);
	}
	atomic_store_explicit(&r->total, 0, memory_order_relaxed);
}
