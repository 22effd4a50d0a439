/*
 * Names are looked up by hash; patterns and routes are few, and are looked
 * through only when there are some.
 */
#include "queued/shape/shape_impl.h"

#include "common/base/glob.h"
#include "common/base/mtime.h"

#include <stdlib.h>

static struct span
key_of(const void *object)
{
	const struct shape_entry *entry = object;

	return span_of(entry->bytes, entry->name_n);
}

/* ---- life ---- */

enum err
shape_new(const struct siphash_key *seed, struct shape **out)
{
	struct shape *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ERR_NOMEM;
	for (int i = 0; i < SHAPE_KINDS; i++)
		map_span_init(&s->known[i], seed, key_of);
	map_u64_init(&s->warms, seed);
	*out = s;
	return OK;
}

void
shape_forget(struct shape *s)
{
	for (int i = 0; i < SHAPE_KINDS; i++) {
		struct shape_entry *entry;
		size_t cursor = 0;

		while ((entry = map_span_next(&s->known[i], &cursor)) != NULL)
			free(entry);
		map_span_clear(&s->known[i]);
	}
	for (size_t cursor = 0;;) {
		struct shape_warm *warm = map_u64_next(&s->warms, &cursor);

		if (warm == NULL)
			break;
		free(warm);
	}
	map_u64_clear(&s->warms);
	s->patterns = s->routes = 0;
}

void
shape_free(struct shape **s)
{
	if (*s == NULL)
		return;
	shape_forget(*s);
	free(*s);
	*s = NULL;
}

/* ---- entries ---- */

/* With room for name and reason, which are copied. */
static struct shape_entry *
entry_new(struct span name, struct span *why)
{
	struct shape_entry *entry;

	*why = span_sub(*why, 0, SHAPE_WHY_MAX);
	entry = calloc(1, sizeof(*entry) + name.n + why->n);
	if (entry == NULL)
		return NULL;
	entry->name_n = (uint16_t)name.n;
	memcpy(entry->bytes, name.p, name.n);
	if (why->n > 0)
		memcpy(entry->bytes + name.n, why->p, why->n);
	*why = span_of(entry->bytes + name.n, why->n);
	return entry;
}

static void
count(struct shape *s, enum shape_kind kind, const struct shape_entry *entry,
    uint32_t by)
{
	if (kind != SHAPE_STOP)
		return;
	s->patterns += entry->is_pattern ? by : 0;
	s->routes += entry->stop.route != 0 ? by : 0;
}

static bool
take_out(struct shape *s, enum shape_kind kind, struct span name)
{
	struct shape_entry *entry = map_span_remove(&s->known[kind], name);

	if (entry == NULL)
		return false;
	count(s, kind, entry, UINT32_MAX);	/* one less */
	free(entry);
	s->has_changed = true;
	return true;
}

/* In the place of one of the same name.  ERR_NOMEM: neither is there. */
static enum err
put_in(struct shape *s, enum shape_kind kind, struct shape_entry *entry)
{
	enum err e;

	(void)take_out(s, kind, key_of(entry));
	if ((e = map_span_add(&s->known[kind], entry)) != OK) {
		free(entry);
		return e;
	}
	count(s, kind, entry, 1);
	s->has_changed = true;
	return OK;
}

static enum err
check_name(struct span name, const struct shape *s, enum shape_kind kind,
    uint32_t most, const struct shape_entry *old)
{
	if (name.n == 0 || name.n > SHAPE_NAME_MAX)
		return ERR_RANGE;
	return old == NULL && map_span_count(&s->known[kind]) >= most ?
	    ERR_FULL : OK;
}

enum err
shape_stop(struct shape *s, const struct shape_stop *stop)
{
	struct shape_entry *old = map_span_get(&s->known[SHAPE_STOP],
	    stop->name), *entry;
	struct span why = stop->why;
	enum err e = check_name(stop->name, s, SHAPE_STOP, SHAPE_STOPS_MAX,
	    old);

	if (e != OK)
		return e;
	if ((entry = entry_new(stop->name, &why)) == NULL)
		return ERR_NOMEM;
	entry->stop = *stop;
	entry->stop.name = key_of(entry);
	entry->stop.why = why;
	entry->is_pattern = stop->route == 0 && glob_has_wildcard(stop->name);
	return put_in(s, SHAPE_STOP, entry);
}

bool
shape_resume(struct shape *s, struct span name)
{
	return take_out(s, SHAPE_STOP, name);
}

bool
shape_hurry(struct shape *s, struct span key)
{
	return take_out(s, SHAPE_SLOW, key);
}

enum err
shape_slow(struct shape *s, const struct shape_slow *slow)
{
	struct shape_entry *old = map_span_get(&s->known[SHAPE_SLOW],
	    slow->name), *entry;
	struct span why = slow->why;
	enum err e = check_name(slow->name, s, SHAPE_SLOW, SHAPE_SLOWS_MAX,
	    old);

	if (e != OK)
		return e;
	if ((entry = entry_new(slow->name, &why)) == NULL)
		return ERR_NOMEM;
	entry->slow = *slow;
	entry->slow.name = key_of(entry);
	entry->slow.why = why;
	if (old != NULL && old->slow.until > slow->until)
		entry->slow.until = old->slow.until;
	return put_in(s, SHAPE_SLOW, entry);
}

/* ---- looking ---- */

static bool
is_over(int64_t until, int64_t now)
{
	return until != 0 && until <= now;
}

/* Of two stops the one that ends last; 0 is no end. */
static void
take_later(const struct shape_stop *stop, int64_t now,
    const struct shape_stop **best)
{
	if (is_over(stop->until, now))
		return;
	if (*best == NULL || ((*best)->until != 0 &&
	    (stop->until == 0 || stop->until > (*best)->until)))
		*best = stop;
}

static bool
give(const struct shape_stop *best, struct shape_stop *out)
{
	if (best != NULL)
		*out = *best;
	return best != NULL;
}

bool
shape_stop_of(const struct shape *s, struct span key, int64_t now,
    struct shape_stop *out)
{
	const struct map_span *known = &s->known[SHAPE_STOP];
	const struct shape_entry *entry = map_span_get(known, key);
	const struct shape_stop *best = NULL;
	size_t cursor = 0;

	if (entry != NULL && entry->stop.route == 0)
		take_later(&entry->stop, now, &best);
	while (s->patterns > 0 &&
	    (entry = map_span_next(known, &cursor)) != NULL)
		if (entry->is_pattern && glob_match(key_of(entry), key))
			take_later(&entry->stop, now, &best);
	return give(best, out);
}

bool
shape_stop_of_route(const struct shape *s, uint32_t route, int64_t now,
    struct shape_stop *out)
{
	const struct map_span *known = &s->known[SHAPE_STOP];
	const struct shape_entry *entry;
	const struct shape_stop *best = NULL;
	size_t cursor = 0;

	while (route != 0 && s->routes > 0 &&
	    (entry = map_span_next(known, &cursor)) != NULL)
		if (entry->stop.route == route)
			take_later(&entry->stop, now, &best);
	return give(best, out);
}

bool
shape_slow_of(const struct shape *s, struct span key, int64_t now,
    struct shape_slow *out)
{
	const struct shape_entry *entry =
	    map_span_get(&s->known[SHAPE_SLOW], key);

	if (entry == NULL || is_over(entry->slow.until, now))
		return false;
	*out = entry->slow;
	return true;
}

bool
shape_next_stop(const struct shape *s, size_t *cursor, struct shape_stop *out)
{
	const struct shape_entry *entry =
	    map_span_next(&s->known[SHAPE_STOP], cursor);

	if (entry != NULL)
		*out = entry->stop;
	return entry != NULL;
}

bool
shape_next_slow(const struct shape *s, size_t *cursor, struct shape_slow *out)
{
	const struct shape_entry *entry =
	    map_span_next(&s->known[SHAPE_SLOW], cursor);

	if (entry != NULL)
		*out = entry->slow;
	return entry != NULL;
}

size_t
shape_stops(const struct shape *s)
{
	return map_span_count(&s->known[SHAPE_STOP]);
}

/* ---- warming up ---- */

int64_t
shape_warm_since(struct shape *s, uint32_t route, int64_t now)
{
	struct shape_warm *warm = map_u64_get(&s->warms, route);

	if (warm != NULL)
		return warm->since;
	if (map_u64_count(&s->warms) >= SHAPE_WARMS_MAX ||
	    (warm = malloc(sizeof(*warm))) == NULL)
		return now;
	*warm = (struct shape_warm){ .route = route, .since = now };
	if (map_u64_add(&s->warms, route, warm) != OK) {
		free(warm);
		return now;
	}
	s->has_changed = true;
	return now;
}

bool
shape_cool(struct shape *s, uint32_t route)
{
	struct shape_warm *warm = map_u64_remove(&s->warms, route);

	if (warm == NULL)
		return false;
	free(warm);
	s->has_changed = true;
	return true;
}

bool
shape_warm_rate(const struct conf_rates *curve, int64_t since, int64_t now,
    struct conf_rate *out)
{
	int64_t day = now > since ? mtime_sub(now, since) / MTIME_DAY : 0;

	if ((uint64_t)day >= curve->n)
		return false;
	*out = curve->v[day];
	return out->count > 0;
}

/* ---- forgetting ---- */

bool
shape_sweep(struct shape *s, int64_t now)
{
	bool has_found = false;

	for (int kind = 0; kind < SHAPE_KINDS; kind++) {
		const struct shape_entry *entry;
		size_t cursor = 0;

		while ((entry = map_span_next(&s->known[kind], &cursor)) !=
		    NULL) {
			int64_t until = kind == SHAPE_STOP ?
			    entry->stop.until : entry->slow.until;

			if (!is_over(until, now))
				continue;
			(void)take_out(s, (enum shape_kind)kind,
			    key_of(entry));
			has_found = true;
		}
	}
	return has_found;
}

bool
shape_has_changed(const struct shape *s)
{
	return s->has_changed;
}
