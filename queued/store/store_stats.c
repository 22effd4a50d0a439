#include "queued/store/store_stats.h"

#include "common/base/check.h"
#include "queued/store/store_body_private.h"
#include "queued/store/store_private.h"

enum err
store_stats(struct store *s, struct store_stats *out)
{
	struct store_stats r = {
		.start = s->start,
		.next_id = s->next_id,
		.segment_bytes = s->spares.segment_bytes,
		.segments = s->segments.n,
		.spares = s->spares.count,
		.spare_bytes = s->spares.bytes,
		.body_bytes = store_bodies_bytes(s),
		.bodies = store_bodies_count(s),
		.messages = s->count.messages,
		.recipients = s->count.recipients,
		.index_lag_bytes = store_overlay_lag(&s->overlay),
		.room_bytes = s->space.told.bytes,
		.is_accepting = s->space.told.is_accepting,
		.is_pinned = s->pins > 0,
	};
	enum err e = store_index_size(s->index, &r.index);

	if (e != OK)
		return e;
	memcpy(r.uuid, s->uuid, sizeof(r.uuid));
	for (size_t i = 0; i < s->segments.n; i++)
		r.live_bytes += s->segments.rows[i]->live_bytes;
	*out = r;
	return OK;
}

void
store_stats_segment(const struct store *s, size_t row,
    struct store_stats_segment *out)
{
	const struct store_segment *seg;

	MUST(row < s->segments.n);
	seg = s->segments.rows[row];
	*out = (struct store_stats_segment){
		.number = seg->number,
		.bytes = seg->bytes,
		.live_bytes = seg->live_bytes,
		.messages = seg->messages,
		.is_written = seg == s->log.segment,
		.is_needed = seg->settles.n > 0,
		.is_going = seg->is_going || seg->is_doomed,
	};
	if (out->is_written)
		out->used_bytes = s->log.end.offset;
}

void
store_pin(struct store *s)
{
	s->pins++;
}

/* What has waited goes with the next check-point and the next sync. */
void
store_unpin(struct store *s)
{
	MUST(s->pins > 0);
	s->pins--;
}

enum err
store_going(const struct store *s, struct store_numbers *out)
{
	enum err e = OK;

	for (size_t i = 0; i < s->segments.n && e == OK; i++)
		if (s->segments.rows[i]->is_going)
			e = store_numbers_add(out,
			    s->segments.rows[i]->number);
	return e;
}

struct store_position
store_synced_at(const struct store *s)
{
	return s->log.synced;
}

void
store_reader_gone(struct store *s)
{
	store_index_forget_dead(s->index);
}
