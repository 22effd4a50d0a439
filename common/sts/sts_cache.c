/*
 * A map by domain, and a list in the order in which entries were asked for, of
 * which the first goes when there is no room.  An entry without a policy only
 * says until when its domain is left alone.
 */
#include "common/sts/sts_cache.h"

#include <stdlib.h>

#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/mtime.h"

struct item {
	struct list node;		/* asked for longest ago: first */
	struct sts_entry entry;
	uint8_t *mx;			/* what entry.mx points to */
};

struct sts_cache {
	struct map_span items;
	struct list order;
};

static struct span
key_of(const void *object)
{
	return span_str(((const struct item *)object)->entry.domain);
}

static void
free_item(struct sts_cache *c, struct item *i)
{
	(void)map_span_remove(&c->items, key_of(i));
	list_remove(&i->node);
	free(i->mx);
	free(i);
}

enum err
sts_cache_new(const struct siphash_key *seed, struct sts_cache **out)
{
	struct sts_cache *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	map_span_init(&c->items, seed, key_of);
	list_init(&c->order);
	*out = c;
	return OK;
}

void
sts_cache_free(struct sts_cache **cache)
{
	struct sts_cache *c = *cache;
	struct list *node;

	if (c == NULL)
		return;
	while ((node = list_first(&c->order)) != NULL)
		free_item(c, CONTAINER_OF(node, struct item, node));
	map_span_clear(&c->items);
	free(c);
	*cache = NULL;
}

size_t
sts_cache_count(const struct sts_cache *c)
{
	return map_span_count(&c->items);
}

/* ---- looking ---- */

static struct item *
find(const struct sts_cache *c, struct span domain)
{
	char lower[DOMAIN_MAX + 1];
	int n = domain_lower(domain, lower);

	return n < 0 ? NULL : map_span_get(&c->items,
	    span_of(lower, (size_t)n));
}

/* A clock that was set back makes no policy older, one that was set forward
 * ends it: at worst it is fetched again. */
static bool
holds(const struct sts_entry *e, int64_t now_ms)
{
	return e->id[0] != '\0' && now_ms < e->expires_at_ms;
}

const struct sts_entry *
sts_cache_find(const struct sts_cache *c, struct span domain, int64_t now_ms)
{
	const struct item *i = find(c, domain);

	return i != NULL && holds(&i->entry, now_ms) ? &i->entry : NULL;
}

const struct sts_entry *
sts_cache_next(const struct sts_cache *c, size_t *cursor)
{
	const struct item *i = map_span_next(&c->items, cursor);

	return i == NULL ? NULL : &i->entry;
}

/* A pause that lies farther ahead than any is made was set by another clock. */
static bool
is_paused(const struct sts_entry *e, int64_t now_ms)
{
	return now_ms < e->pause_to_ms &&
	    e->pause_to_ms - now_ms <= STS_PAUSE_MS;
}

/* A clock that was set makes it due sooner or later, no harm done. */
static bool
is_due(const struct sts_entry *e, int64_t now_ms)
{
	return holds(e, now_ms) && !is_paused(e, now_ms) &&
	    now_ms - e->fetched_at_ms >= STS_REFRESH_MS &&
	    now_ms - e->asked_at_ms < STS_INTEREST_MS;
}

const struct sts_entry *
sts_cache_due(const struct sts_cache *c, size_t *cursor, int64_t now_ms)
{
	const struct sts_entry *e;

	while ((e = sts_cache_next(c, cursor)) != NULL && !is_due(e, now_ms))
		;
	return e;
}

static enum sts_advice
judge(const struct sts_entry *e, const char *id, int64_t now_ms)
{
	bool is_valid = holds(e, now_ms);

	if (id == NULL || is_paused(e, now_ms))
		return is_valid ? STS_APPLY : STS_NONE;
	if (!is_valid || strcmp(id, e->id) != 0)
		return STS_FETCH;
	return now_ms - e->fetched_at_ms >= STS_REFRESH_MS ? STS_REFRESH :
	    STS_APPLY;
}

enum sts_advice
sts_cache_judge(struct sts_cache *c, struct span domain, const char *id,
    int64_t now_ms, const struct sts_entry **policy)
{
	struct item *i = find(c, domain);

	*policy = NULL;
	if (i == NULL)
		return id == NULL ? STS_NONE : STS_FETCH;
	list_remove(&i->node);
	list_add_last(&c->order, &i->node);
	i->entry.asked_at_ms = now_ms;
	if (holds(&i->entry, now_ms))
		*policy = &i->entry;
	return judge(&i->entry, id, now_ms);
}

/* ---- learning ---- */

static void
make_room(struct sts_cache *c)
{
	struct list *node = list_first(&c->order);

	if (map_span_count(&c->items) >= STS_ENTRIES_MAX && node != NULL)
		free_item(c, CONTAINER_OF(node, struct item, node));
}

static struct item *
make_item(struct sts_cache *c, struct span domain)
{
	struct item *i;

	make_room(c);
	i = calloc(1, sizeof(*i));
	if (i == NULL)
		return NULL;
	if (domain.n == 0 || domain_lower(domain, i->entry.domain) < 0 ||
	    map_span_add(&c->items, i) != OK) {
		free(i);
		return NULL;
	}
	list_add_last(&c->order, &i->node);
	return i;
}

void
sts_cache_forget(struct sts_cache *c, struct span domain)
{
	struct item *i = find(c, domain);

	if (i != NULL)
		free_item(c, i);
}

static struct item *
find_or_make(struct sts_cache *c, struct span domain)
{
	struct item *i = find(c, domain);

	return i != NULL ? i : make_item(c, domain);
}

/* All that can fail comes first. */
static enum err
set_item(struct item *i, const struct sts_entry *e)
{
	uint8_t *mx = malloc(e->mx.n + 1);

	if (mx == NULL)
		return ERR_NOMEM;
	if (e->mx.n > 0)
		memcpy(mx, e->mx.p, e->mx.n);
	free(i->mx);
	i->mx = mx;
	memcpy(i->entry.id, e->id, sizeof(i->entry.id));
	i->entry.mode = e->mode;
	i->entry.fetched_at_ms = e->fetched_at_ms;
	i->entry.expires_at_ms = e->expires_at_ms;
	i->entry.pause_to_ms = e->pause_to_ms;
	i->entry.mx = span_of(mx, e->mx.n);
	return OK;
}

/* One that lives shorter than the pause would be fetched for every mail. */
enum err
sts_cache_store(struct sts_cache *c, struct span domain, const char *id,
    const struct sts_policy *policy, struct span mx, int64_t now_ms)
{
	int64_t age_ms = (int64_t)policy->max_age_s * 1000;
	struct sts_entry e = {
		.mode = policy->mode, .fetched_at_ms = now_ms, .mx = mx,
		.expires_at_ms = mtime_add(now_ms, age_ms > STS_PAUSE_MS ?
		    age_ms : STS_PAUSE_MS),
	};
	struct item *i;

	if (!sts_id_is_valid(span_str(id)) || domain.n > DOMAIN_MAX)
		return ERR_RANGE;
	(void)span_copy(span_str(id), e.id, sizeof(e.id));
	i = find_or_make(c, domain);
	if (i != NULL && i->entry.asked_at_ms == 0)
		i->entry.asked_at_ms = now_ms;
	return i == NULL ? ERR_NOMEM : set_item(i, &e);
}

/* Without memory for it the next mail tries again, no harm done. */
void
sts_cache_fail(struct sts_cache *c, struct span domain, int64_t now_ms)
{
	struct item *i = find_or_make(c, domain);

	if (i != NULL)
		i->entry.pause_to_ms = mtime_add(now_ms, STS_PAUSE_MS);
}

enum err
sts_cache_restore(struct sts_cache *c, struct span bytes, int64_t now_ms)
{
	struct sts_entry e;
	struct item *i;

	if (sts_entry_read(bytes, &e) != OK)
		return ERR_SYNTAX;
	if (!holds(&e, now_ms) || find(c, span_str(e.domain)) != NULL)
		return OK;
	i = make_item(c, span_str(e.domain));
	if (i == NULL)
		return ERR_NOMEM;
	i->entry.asked_at_ms = e.fetched_at_ms;
	if (set_item(i, &e) == OK)
		return OK;
	free_item(c, i);
	return ERR_NOMEM;
}
