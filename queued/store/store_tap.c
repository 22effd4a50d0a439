/*
 * Groups that were written only lie in the log's `loose' as records without
 * heads; a sync makes them and all groups in `unsynced' count, in this order.
 * What a rescue carries over is told with the group that it is carried to.
 */
#include "queued/store/store_tap_private.h"

#include "common/base/check.h"
#include "common/os/clock.h"
#include "queued/store/store_group.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_private.h"
#include "queued/store/store_record.h"

void
store_tap_replay(struct store *s)
{
	if (s->tap != NULL)
		s->tap->on_replay(s->tap->ctx, s->uuid,
		    s->overlay.indexed.sequence);
}

void
store_tap_group(struct store *s, uint64_t group, uint64_t written_at,
    struct span records)
{
	if (s->tap != NULL)
		s->tap->on_group(s->tap->ctx, s, group, written_at, records);
}

void
store_tap_synced(struct store *s)
{
	const struct store_log *l = &s->log;
	uint64_t now;

	if (s->tap == NULL)
		return;
	now = (uint64_t)clock_wall_ms();
	if (l->loose.n > 0)
		store_tap_group(s, l->loose_last, now, buf_span(&l->loose));
	for (struct list *link = list_first(&l->unsynced); link != NULL;
	    link = list_next(&l->unsynced, link)) {
		const struct store_group_buf *g =
		    CONTAINER_OF(link, struct store_group_buf, link);

		store_tap_group(s, g->number, now,
		    span_of(g->bytes.p + STORE_GROUP_HEAD, g->records_bytes));
	}
}

void
store_tap_flush(struct store *s)
{
	if (s->tap != NULL)
		s->tap->on_flush(s->tap->ctx, s);
}

/* A verdict leaves its message dirty, and so in memory, or settles it. */
bool
store_tap_is_over(const struct store *s, uint64_t id)
{
	return store_memory_find(s, id) == NULL;
}

void
store_journaled(struct store *s, uint64_t group)
{
	s->overlay.journaled = group;
	if (!s->is_recovering)
		store_overlay_send(s, clock_mono_ms());
}

uint64_t
store_awaits_journal(const struct store *s)
{
	const struct store_overlay *o = &s->overlay;

	return o->is_frozen && !o->is_sent &&
	    o->journaled < o->at.sequence ? o->at.sequence : 0;
}
