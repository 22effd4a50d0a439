/*
 * A message is looked at against all limits that count for it before it is
 * counted for any: what one refuses the others have not seen.
 */
#include "queued/quota/quota_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/wire.h"

enum { LOOKED_AT = 16 };		/* before one of them is forgotten */
#define SWEEP_MS INT64_C(60000)

static struct span
key_of(const void *object)
{
	const struct quota_entry *entry = object;

	return span_of(entry->key, entry->key_n);
}

/* ---- life ---- */

enum err
quota_new(const struct siphash_key *seed, const struct quota_ops *ops,
    void *ctx, struct quota **out)
{
	struct quota *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return ERR_NOMEM;
	q->ops = ops;
	q->ctx = ctx;
	q->swept_at = INT64_MIN / 2;
	for (size_t i = 0; i < CONF_EACH_COUNT; i++)
		map_span_init(&q->known[i], seed, key_of);
	*out = q;
	return OK;
}

void
quota_forget(struct quota *q)
{
	for (size_t i = 0; i < CONF_EACH_COUNT; i++) {
		struct quota_entry *entry;
		size_t cursor = 0;

		while ((entry = map_span_next(&q->known[i], &cursor)) != NULL)
			quota_entry_free(q, (enum conf_each)i, entry);
		map_span_clear(&q->known[i]);
	}
}

void
quota_free(struct quota **q)
{
	if (*q == NULL)
		return;
	quota_forget(*q);
	conf_quotas_free(&(*q)->table);
	free(*q);
	*q = NULL;
}

enum err
quota_take_conf(struct quota *q, const struct conf *conf)
{
	struct conf_quotas_table *table;
	enum err e = conf_quotas_new(conf, &table);

	if (e != OK)
		return e;
	conf_quotas_free(&q->table);
	q->table = table;
	for (size_t i = 0; i < CONF_EACH_COUNT; i++) {
		struct quota_entry *entry;
		size_t cursor = 0;

		while ((entry = map_span_next(&q->known[i], &cursor)) != NULL)
			entry->is_told = false;
	}
	return OK;
}

/* ---- who is known ---- */

static struct span
make_key(uint32_t id, struct span name,
    uint8_t key[QUOTA_KEY_HEAD + CONF_QUOTA_NAME_MAX])
{
	uint32_t le = htole32(id);

	MUST(name.n <= CONF_QUOTA_NAME_MAX);
	memcpy(key, &le, QUOTA_KEY_HEAD);
	memcpy(key + QUOTA_KEY_HEAD, name.p, name.n);
	return span_of(key, QUOTA_KEY_HEAD + name.n);
}

struct quota_entry *
quota_entry_new(struct quota *q, enum conf_each each, uint32_t id,
    struct span name)
{
	uint8_t bytes[QUOTA_KEY_HEAD + CONF_QUOTA_NAME_MAX];
	struct span key = make_key(id, name, bytes);
	struct quota_entry *entry = calloc(1, sizeof(*entry) + key.n);

	if (entry == NULL)
		return NULL;
	entry->key_n = (uint16_t)key.n;
	memcpy(entry->key, key.p, key.n);
	if (map_span_add(&q->known[each], entry) == OK)
		return entry;
	free(entry);
	return NULL;
}

void
quota_entry_free(struct quota *q, enum conf_each each,
    struct quota_entry *entry)
{
	map_span_remove(&q->known[each], key_of(entry));
	free(entry);
}

static struct quota_entry *
entry_of(const struct quota *q, const struct conf_quota_limit *limit)
{
	uint8_t key[QUOTA_KEY_HEAD + CONF_QUOTA_NAME_MAX];

	return map_span_get(&q->known[limit->each], make_key(limit->id,
	    span_of(limit->name, limit->name_n), key));
}

/* ---- what is used ---- */

static uint32_t
used(const struct quota_entry *entry, enum quota_what what, int64_t now)
{
	const struct conf_rate *limit = &entry->limits[what];

	return limit->count == 0 ? 0 :
	    quota_window_used(&entry->windows[what], limit->period_ms, now);
}

static int64_t
wait_of(const struct quota_entry *entry, enum quota_what what, int64_t now)
{
	const struct conf_rate *limit = &entry->limits[what];

	return limit->count == 0 ? 0 :
	    quota_window_wait(&entry->windows[what], limit->period_ms, now,
	    limit->count);
}

static struct quota_view
view_of(enum conf_each each, const struct quota_entry *entry, int64_t now)
{
	struct wire id;
	struct quota_view view = { .each = each, .refused = entry->refused };

	wire_init(&id, span_of(entry->key, QUOTA_KEY_HEAD));
	view.id = wire_u32(&id);
	view.name = span_of(entry->key + QUOTA_KEY_HEAD,
	    entry->key_n - (size_t)QUOTA_KEY_HEAD);
	for (unsigned i = 0; i < QUOTA_WHATS; i++) {
		view.use[i].limit = entry->limits[i];
		view.use[i].used = used(entry, i, now);
		view.use[i].wait_ms = wait_of(entry, i, now);
		if (view.use[i].wait_ms > view.wait_ms)
			view.wait_ms = view.use[i].wait_ms;
	}
	return view;
}

/* ---- forgetting ---- */

static bool
is_over(const struct quota_entry *entry, int64_t now)
{
	return used(entry, QUOTA_MESSAGES, now) == 0 &&
	    used(entry, QUOTA_RECIPIENTS, now) == 0;
}

static void
sweep(struct quota *q, enum conf_each each, int64_t now)
{
	struct quota_entry *entry;
	size_t cursor = 0;

	while ((entry = map_span_next(&q->known[each], &cursor)) != NULL) {
		if (!is_over(entry, now))
			continue;
		quota_entry_free(q, each, entry);
		q->has_changed = true;
	}
}

void
quota_sweep(struct quota *q, int64_t now)
{
	q->swept_at = now;
	for (size_t i = 0; i < CONF_EACH_COUNT; i++)
		sweep(q, (enum conf_each)i, now);
}

/* Of some that stand together in the map, who used the least. */
static void
forget_one(struct quota *q, enum conf_each each, int64_t now)
{
	struct quota_entry *entry, *least = NULL;
	uint32_t least_used = 0;

	for (int i = 0; i < LOOKED_AT; i++) {
		uint32_t n;

		entry = map_span_next(&q->known[each], &q->hands[each]);
		if (entry == NULL) {
			q->hands[each] = 0;
			continue;
		}
		n = used(entry, QUOTA_MESSAGES, now);
		if (least != NULL && n >= least_used)
			continue;
		least = entry;
		least_used = n;
	}
	if (least != NULL)
		quota_entry_free(q, each, least);
}

static void
make_room(struct quota *q, enum conf_each each, int64_t now)
{
	if (map_span_count(&q->known[each]) < QUOTA_KNOWN_MAX)
		return;
	if (now - q->swept_at >= SWEEP_MS || now < q->swept_at)
		quota_sweep(q, now);
	while (map_span_count(&q->known[each]) >= QUOTA_KNOWN_MAX)
		forget_one(q, each, now);
}

/* ---- a message ---- */

/* Its limits may have been edited since the last one. */
static void
set_limits(struct quota_entry *entry, const struct conf_quota_limit *limit)
{
	entry->limits[QUOTA_MESSAGES] = limit->messages;
	entry->limits[QUOTA_RECIPIENTS] = limit->recipients;
}

static bool
fits(const struct quota_entry *entry, enum quota_what what, uint32_t n,
    int64_t now)
{
	const struct conf_rate *limit = &entry->limits[what];
	uint32_t before = used(entry, what, now);

	return limit->count == 0 ||
	    (before < limit->count && n <= limit->count - before);
}

static void
tell_if_full(struct quota *q, enum conf_each each, struct quota_entry *entry,
    int64_t now)
{
	struct quota_view view = view_of(each, entry, now);

	if (view.wait_ms == 0) {
		entry->is_told = false;
	} else if (!entry->is_told) {
		entry->is_told = true;
		q->ops->on_full(q->ctx, &view);
	}
}

static enum quota_verdict
look(struct quota *q, const struct conf_quota_limit *limit, uint32_t recipients,
    int64_t now)
{
	struct quota_entry *entry = entry_of(q, limit);

	if (limit->recipients.count > 0 &&
	    recipients > limit->recipients.count)
		return QUOTA_TOO_MUCH;
	if (entry == NULL)
		return QUOTA_FITS;
	set_limits(entry, limit);
	if (fits(entry, QUOTA_MESSAGES, 1, now) &&
	    fits(entry, QUOTA_RECIPIENTS, recipients, now))
		return QUOTA_FITS;
	if (entry->refused < UINT32_MAX)
		entry->refused++;
	tell_if_full(q, limit->each, entry, now);
	return QUOTA_USED_UP;
}

static void
count(struct quota *q, const struct conf_quota_limit *limit,
    uint32_t recipients, int64_t now)
{
	struct quota_entry *entry = entry_of(q, limit);
	const uint32_t n[QUOTA_WHATS] = { 1, recipients };

	if (entry == NULL) {
		make_room(q, limit->each, now);
		entry = quota_entry_new(q, limit->each, limit->id,
		    span_of(limit->name, limit->name_n));
	}
	if (entry == NULL)
		return;
	set_limits(entry, limit);
	for (int i = 0; i < QUOTA_WHATS; i++)
		if (entry->limits[i].count > 0)
			quota_window_add(&entry->windows[i],
			    entry->limits[i].period_ms, now, n[i]);
	entry->refused = 0;
	q->has_changed = true;
	tell_if_full(q, limit->each, entry, now);
}

enum quota_verdict
quota_take(struct quota *q, const struct conf_quota_who *who,
    uint32_t recipients, int64_t now)
{
	struct conf_quota_limit limits[CONF_EACH_COUNT];
	enum quota_verdict verdict, worst = QUOTA_FITS;
	size_t n = 0;

	for (unsigned i = 0; q->table != NULL && i < CONF_EACH_COUNT; i++) {
		if (!conf_quotas_find(q->table, i, who, &limits[n]))
			continue;
		verdict = look(q, &limits[n++], recipients, now);
		worst = verdict > worst ? verdict : worst;
	}
	for (size_t i = 0; worst == QUOTA_FITS && i < n; i++)
		count(q, &limits[i], recipients, now);
	return worst;
}

/* ---- operators ---- */

/* The kind is in the upper bits of the cursor, the place in its map below. */
bool
quota_next(const struct quota *q, uint64_t *cursor, int64_t now,
    struct quota_view *out)
{
	for (;;) {
		uint64_t each = *cursor >> 56;
		size_t at = (size_t)(*cursor & ((UINT64_C(1) << 56) - 1));
		const struct quota_entry *entry;

		if (each >= CONF_EACH_COUNT)
			return false;
		entry = map_span_next(&q->known[each], &at);
		if (entry != NULL) {
			*cursor = each << 56 | at;
			*out = view_of((enum conf_each)each, entry, now);
			return true;
		}
		*cursor = (each + 1) << 56;
	}
}

uint32_t
quota_reset(struct quota *q, enum conf_each each, struct span name)
{
	struct quota_entry *entry;
	uint32_t n = 0;
	size_t cursor = 0;

	while ((entry = map_span_next(&q->known[each], &cursor)) != NULL) {
		if (!span_equal(span_from(key_of(entry), QUOTA_KEY_HEAD),
		    name))
			continue;
		quota_entry_free(q, each, entry);
		q->has_changed = true;
		n++;
	}
	return n;
}

bool
quota_has_changed(const struct quota *q)
{
	return q->has_changed;
}
