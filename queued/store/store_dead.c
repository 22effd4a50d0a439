#include "queued/store/store_dead.h"

#include "queued/store/store_group.h"
#include "queued/store/store_private.h"
#include "queued/store/store_record.h"

enum { NUMBER_BYTES = 8 };

static enum err
collect(const struct store *s, struct store_numbers *dead)
{
	enum err e = OK;

	dead->n = 0;
	for (size_t i = 0; i < s->segments.n && e == OK; i++) {
		const struct store_segment *seg = s->segments.rows[i];

		/* the one to come has none yet */
		if (seg->messages == 0 && seg != s->log.fresh)
			e = store_numbers_add(dead, seg->number);
	}
	return e;
}

enum err
store_dead_state(struct store *s)
{
	struct store_numbers *dead = &s->log.dead;
	struct buf *b = store_log_records(s);
	enum err e = collect(s, dead);
	size_t at;

	if (e != OK || dead->n == 0)
		return e;
	if (buf_reserve(b, STORE_RECORD_HEAD + dead->n * NUMBER_BYTES +
	    2 * STORE_BLOCK) == NULL) {
		b->is_failed = false;
		return ERR_NOMEM;
	}
	at = store_record_begin(b);
	for (size_t i = 0; i < dead->n; i++)
		wire_put_u64(b, dead->p[i]);
	store_record_end(b, at, STORE_RECORD_DEAD, 0, 0);
	return OK;
}

void
store_dead_synced(struct store *s)
{
	struct store_numbers *dead = &s->log.dead;

	for (size_t i = 0; i < dead->n; i++)
		store_segments_unneed(&s->segments, dead->p[i]);
	dead->n = 0;
}

enum err
store_dead_read(struct span records, struct store_numbers *out)
{
	struct store_record r;
	enum err e = OK;

	while (records.n > 0 && e == OK) {
		struct wire w;

		if ((e = store_record_next(&records, &r)) != OK ||
		    r.type != STORE_RECORD_DEAD)
			continue;
		wire_init(&w, r.fields);
		while (wire_more(&w) && e == OK)
			e = store_numbers_add(out, wire_u64(&w));
	}
	return e;
}
