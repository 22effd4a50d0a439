/*
 * Groups in memory after they were written.
 *
 * A ring finds a group by its number, modulo its size; a newer group takes the
 * place of an older one, whose messages are then read from the log.  `kept' is
 * a list with those that nobody wants in front, then the synced ones, oldest
 * first; so trimming takes from the front until it meets one that is wanted and
 * all fit.  A few buffers are used again rather than freed.
 */
#include "queued/store/store_cache.h"

#include "queued/store/store_group.h"

#include <stdlib.h>

/* A spare buffer larger than this is not worth keeping. */
#define SPARE_BYTES_MAX ((size_t)4 << 20)
#define FIRST_BYTES ((size_t)64 << 10)

/* ---- sets of numbers ---- */

/* Reserving apart from adding, for callers that can't turn back in between. */
enum err
store_numbers_reserve(struct store_numbers *set)
{
	size_t size = set->size > 0 ? set->size * 2 : 8;
	uint64_t *p;

	if (set->size - set->n >= 4)
		return OK;
	if ((p = realloc(set->p, size * sizeof(*p))) == NULL)
		return ERR_NOMEM;
	set->p = p;
	set->size = size;
	return OK;
}

enum err
store_numbers_add(struct store_numbers *set, uint64_t number)
{
	/* mostly the one that was added last */
	for (size_t i = set->n; i > 0; i--) {
		if (set->p[i - 1] == number)
			return OK;
	}
	if (set->n == set->size && store_numbers_reserve(set) != OK)
		return ERR_NOMEM;
	set->p[set->n++] = number;
	return OK;
}

/* No order to keep: the last takes its place. */
void
store_numbers_remove(struct store_numbers *set, uint64_t number)
{
	for (size_t i = 0; i < set->n; i++) {
		if (set->p[i] == number) {
			set->p[i] = set->p[--set->n];
			return;
		}
	}
}

void
store_numbers_clear(struct store_numbers *set)
{
	free(set->p);
	*set = (struct store_numbers){ .p = NULL };
}

/* ---- buffers ---- */

static void
group_free(struct store_group_buf *g)
{
	buf_clear(&g->bytes);
	store_numbers_clear(&g->settles);
	free(g);
}

static struct store_group_buf *
of_link(struct list *link)
{
	return CONTAINER_OF(link, struct store_group_buf, link);
}

void
store_cache_init(struct store_cache *c, size_t max_bytes)
{
	list_init(&c->kept);
	list_init(&c->spare);
	c->spare_count = 0;
	c->bytes = 0;
	c->max = max_bytes;
	memset(c->ring, 0, sizeof(c->ring));
}

void
store_cache_clear(struct store_cache *c)
{
	struct list *link;

	while ((link = list_take_first(&c->kept)) != NULL)
		group_free(of_link(link));
	while ((link = list_take_first(&c->spare)) != NULL)
		group_free(of_link(link));
	memset(c->ring, 0, sizeof(c->ring));
	c->bytes = 0;
	c->spare_count = 0;
}

/* With memory for a usual turn, so that small appends need none. */
static struct store_group_buf *
group_new(void)
{
	struct store_group_buf *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	list_init(&g->link);
	buf_init(&g->bytes, STORE_GROUP_MAX);
	if (buf_reserve(&g->bytes, FIRST_BYTES) == NULL) {
		free(g);
		return NULL;
	}
	return g;
}

struct store_group_buf *
store_cache_take(struct store_cache *c)
{
	struct list *link = list_take_first(&c->spare);
	struct store_group_buf *g;

	if (link != NULL) {
		g = of_link(link);
		c->spare_count--;
	} else if ((g = group_new()) == NULL) {
		return NULL;
	}
	g->number = 0;
	g->wanted = 0;
	g->settles.n = 0;
	g->needs_sync = false;
	g->is_kept = false;
	list_init(&g->born);
	list_init(&g->moves);
	store_group_begin(&g->bytes);
	return g;
}

/* Of a group that was never handed over the messages are still in its list:
 * they outlive it. */
void
store_cache_give_back(struct store_cache *c, struct store_group_buf *g)
{
	while (list_take_first(&g->born) != NULL)
		;
	if (g->number != 0 && c->ring[g->number % STORE_CACHE_RING] == g)
		c->ring[g->number % STORE_CACHE_RING] = NULL;
	list_remove(&g->link);
	if (c->spare_count >= STORE_CACHE_SPARE ||
	    g->bytes.size > SPARE_BYTES_MAX) {
		group_free(g);
		return;
	}
	list_add_first(&c->spare, &g->link);
	c->spare_count++;
}

/* Nobody will look for its messages, or it can't be found any more. */
static void
unwanted(struct store_cache *c, struct store_group_buf *g)
{
	g->wanted = 0;
	/* the front of the list is where trim looks */
	if (g->is_kept) {
		list_remove(&g->link);
		list_add_first(&c->kept, &g->link);
	}
}

void
store_cache_show(struct store_cache *c, struct store_group_buf *g)
{
	struct store_group_buf **place =
	    &c->ring[g->number % STORE_CACHE_RING];

	if (*place != NULL && *place != g)
		unwanted(c, *place);
	*place = g;
}

void
store_cache_keep(struct store_cache *c, struct store_group_buf *g)
{
	list_remove(&g->link);
	list_add_last(&c->kept, &g->link);
	c->bytes += g->bytes.size;
	g->is_kept = true;
	/* its messages went while it was under way, or it never had one */
	if (g->wanted == 0)
		unwanted(c, g);
}

struct store_group_buf *
store_cache_find(const struct store_cache *c, uint64_t number)
{
	struct store_group_buf *g = c->ring[number % STORE_CACHE_RING];

	return g != NULL && g->number == number ? g : NULL;
}

void
store_cache_let_go(struct store_cache *c, uint64_t number)
{
	struct store_group_buf *g = store_cache_find(c, number);

	if (g != NULL && g->wanted > 0 && --g->wanted == 0)
		unwanted(c, g);
}

void
store_cache_trim(struct store_cache *c)
{
	struct list *link;

	while ((link = list_first(&c->kept)) != NULL) {
		struct store_group_buf *g = of_link(link);

		/* over the ceiling, wanted ones go too: a lease then reads */
		if (g->wanted > 0 && c->bytes <= c->max)
			return;
		c->bytes -= g->bytes.size;
		store_cache_give_back(c, g);
	}
}
