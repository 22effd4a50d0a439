/*
 * The table of leases is a map by lease id; a lease points at its unit, which
 * stays in memory and in the planner while it is leased.  A unit has no
 * pointer back: who needs the lease of a unit searches, which is rare.
 *
 * The planner says which unit is next; here its worker is picked, the rows
 * that share a way today are gathered, and one frame carries all of it.  A
 * lease is in the table before its frame is sent, so a verdict always finds
 * it.  What comes of it is outcome.c's.
 */
#include "queued/lease.h"

#include "common/base/mtime.h"
#include "common/base/siphash.h"
#include "common/base/wire.h"
#include "common/log/log.h"
#include "common/mail/envelope.h"
#include "common/proc/proc.h"
#include "queued/facts.h"
#include "queued/history.h"
#include "queued/lease_doubt.h"
#include "queued/lease_rows.h"
#include "queued/ours.h"
#include "queued/outcome.h"
#include "queued/residence.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"
#include "queued/times.h"
#include "queued/tls_reports.h"

#include <stdlib.h>

/* Unsent bytes to a deliverd above which it gets no more leases. */
#define LEASE_BACKLOG_MAX ((size_t)4 * 1024 * 1024)

/* Destinations of such deliverds that one dispatch passes over. */
enum { SKIPPED_MAX = 64 };

/* ---- the table ---- */

/* A deliverd cannot speak about what another one holds. */
struct lease *
lease_get(struct queued *q, const struct queued_peer *peer, uint64_t id)
{
	struct lease *lease = map_u64_get(&q->leases, id);

	return lease != NULL && lease->peer == peer->index ? lease : NULL;
}

/* Slow on purpose: only operators and units that have two leases need it. */
struct lease *
lease_of_unit(struct queued *q, const struct store_unit *unit)
{
	struct lease *lease, *unsent = NULL;
	size_t cursor = 0;

	while ((lease = map_u64_next(&q->leases, &cursor)) != NULL) {
		if (lease->unit == unit && !lease->is_unsent)
			return lease;
		if (lease->unit == unit)
			unsent = lease;
	}
	return unsent;
}

static void
lease_free(struct lease *lease)
{
	free(lease->rows);
	free(lease);
}

void
lease_end(struct queued *q, struct lease *lease)
{
	map_u64_remove(&q->leases, lease->id);
	q->shared_leases -= lease->is_shared ? 1 : 0;
	lease_free(lease);
}

/* The search costs as much as the table is long: without any shared lease
 * there is nothing to find. */
bool
lease_end_one(struct queued *q, struct lease *lease)
{
	const struct store_unit *unit = lease->unit;
	bool may_share = q->shared_leases > 0;

	lease_end(q, lease);
	return may_share && lease_of_unit(q, unit) != NULL;
}

void
lease_end_all(struct queued *q, const struct store_unit *unit)
{
	struct lease *lease;

	while ((lease = lease_of_unit(q, unit)) != NULL)
		lease_end(q, lease);
}

void
lease_delete(struct queued *q, const struct store_unit *unit)
{
	struct lease *lease, *unsent = NULL;
	size_t cursor = 0;

	while ((lease = map_u64_next(&q->leases, &cursor)) != NULL) {
		if (lease->unit == unit && lease->is_unsent)
			unsent = lease;		/* there is no other */
		else if (lease->unit == unit)
			lease->is_deleted = true;
	}
	if (unsent != NULL)
		lease_end(q, unsent);
}

/* In the table at once, with room for every row of the unit and none of them
 * in it yet.  NULL: no memory, or the id is taken. */
static struct lease *
lease_new(struct queued *q, struct store_unit *unit, uint64_t id,
    uint16_t peer)
{
	struct lease *lease = calloc(1, sizeof(*lease));

	if (lease == NULL)
		return NULL;
	lease->rows = calloc(unit->count, sizeof(*lease->rows));
	lease->id = id;
	lease->unit = unit;
	lease->peer = peer;
	if (lease->rows == NULL || map_u64_add(&q->leases, id, lease) != OK) {
		lease_free(lease);
		return NULL;
	}
	return lease;
}

/* ---- giving out ---- */

/* Destinations stick to workers, whose connections they then find open. */
static struct queued_peer *
pick_worker(struct queued *q, struct span key)
{
	static const struct siphash_key even = { 0, 0 };
	uint64_t h = siphash(&even, key);
	struct queued_peer *best = NULL;
	uint64_t best_score = 0;

	/* Rendezvous hashing: a worker that died moves only its own. */
	for (uint16_t i = 0; i < QUEUED_WORKERS_MAX; i++) {
		struct queued_peer *p = &q->deliverds[i];
		uint64_t score;

		if (p->channel == NULL || !p->is_presented)
			continue;
		score = siphash_u64(&even, h ^ (uint64_t)i << 56);
		if (best == NULL || score > best_score) {
			best = p;
			best_score = score;
		}
	}
	return best;
}

uint32_t
lease_inline_bytes(const struct store_message *m)
{
	uint64_t size = store_message_size(m);

	return m->place.is_file || size > LEASE_INLINE_MAX ? 0 :
	    (uint32_t)size;
}

/* The content to go along: none when it is to be asked for. */
static enum err
find_content(struct queued *q, const struct store_message *m,
    struct span *out)
{
	uint64_t size = lease_inline_bytes(m);
	enum err e;

	*out = SPAN_NONE;
	if (size == 0)
		return OK;
	*out = store_content_cached(q->store, m);
	if (out->n > 0)
		return OK;
	buf_reset(&q->content);
	e = store_content(q->store, m, 0, size, &q->content);
	*out = buf_span(&q->content);
	return e;
}

/* All or nothing: the frame is queued in the channel whole.  Fails like
 * find_content() and channel_send(). */
static enum err
send_lease(struct queued *q, struct queued_peer *peer, struct lease *lease,
    const struct route *route, struct span key)
{
	const struct store_message *message = lease->unit->message;
	struct msg m = { .type = MSG_lease };
	struct span content;
	enum err e = find_content(q, message, &content);

	if (e != OK)
		return e;
	buf_reset(&q->scratch);
	buf_reset(&q->rows);
	lease_rows_put_envelope(lease->unit, lease, &q->scratch);
	lease_rows_put(lease, &q->rows);
	m.lease.lease = lease->id;
	m.lease.id = message->id;
	m.lease.unit = lease->unit->number;
	m.lease.generation = q->generation;
	m.lease.route = route->index;
	m.lease.destination = key;
	m.lease.envelope = buf_span(&q->scratch);
	m.lease.rows = buf_span(&q->rows);
	m.lease.flags = message->content_flags;
	m.lease.size = store_message_size(message);
	m.lease.content = content;
	return channel_send(peer->channel, &m);
}

void
lease_log_unreadable(struct queued *q, const struct store_message *m, enum err e)
{
	if (!log_begin(q->log, LOG_SPOOL_DAMAGED, NULL))
		return;
	log_queue_id(q->log, "id", m->id);
	log_str(q->log, "what", "a message can't be given out");
	log_str(q->log, "why", err_text(e));
	log_end(q->log);
}

/* Damaged, it is kept for an operator, and nobody gets it. */
static void
quarantine(struct queued *q, struct plan_unit *pu, enum err e)
{
	struct store_unit *unit = plan_unit_owner(pu);

	lease_log_unreadable(q, unit->message, e);
	if (e == ERR_IO || store_hold(q->store, unit->message, true) != OK)
		return;
	history_note(q, unit->message->id, unit->number,
	    JOURNAL_QUARANTINED, 0, HISTORY_NOBODY, err_text(e));
	plan_hold(q->plan, pu, true);
}

/* It can't be sent; what is not damaged is tried again later.  Others go on. */
static void
set_aside(struct queued *q, struct plan_unit *pu, enum err e)
{
	quarantine(q, pu, e);
	plan_later(q->plan, pu, mtime_add(queued_now(q),
	    q->conf->queue.first_retry_ms));
}

/* All rows have the same destination. */
static enum err
send(struct queued *q, struct lease *lease, const struct route *route)
{
	struct span first =
	    lease->unit->recipients[lease->rows[0]].address;
	uint8_t bytes[ROUTE_KEY_MAX];
	struct envelope head;
	size_t n;

	buf_reset(&q->scratch);
	route_key(route, first, &q->scratch);
	if (envelope_check(lease->unit->message->envelope, &head) == OK)
		route_key_tls(head.flags, &q->scratch);
	n = q->scratch.n < sizeof(bytes) ? q->scratch.n : sizeof(bytes);
	memcpy(bytes, q->scratch.p, n);
	return send_lease(q, &q->deliverds[lease->peer], lease, route,
	    span_of(bytes, n));
}

/* At once, or when its note is written. */
static enum err
note_and_send(struct queued *q, struct lease *lease,
    const struct route *route)
{
	struct effect effect = { .kind = EFFECT_LEASE, .a = lease->id };
	bool is_noted;
	enum err e = effects_reserve(&q->on_written);

	if (e == OK)
		e = store_lease(q->store, lease->unit, lease->id, &is_noted);
	if (e != OK || !is_noted)
		return e != OK ? ERR_NOMEM : send(q, lease, route);
	lease->is_unsent = true;
	effect.group = store_group(q->store);
	effects_add(&q->on_written, &effect);
	return OK;
}

/* ERR_AGAIN, ERR_NOMEM and ERR_PEER are about us or the worker, any other
 * failure is about this message. */
static enum err
give_out(struct queued *q, struct plan_unit *pu)
{
	struct store_unit *unit = plan_unit_owner(pu);
	struct route route = residence_route(q, unit);
	const bool is_ours = route_is_ours(&route);
	struct queued_peer *peer = pick_worker(q, plan_unit_key(pu));
	/* in a former life, while it was out */
	bool is_deleted = store_lease_is_deleted(unit->noted_lease);
	bool is_held = false;
	struct lease *lease;
	enum err e;

	if (peer == NULL && !is_ours)
		return ERR_PEER;
	/* a lease of another unit has met the damage */
	if (unit->message->is_quarantined && unit->message->is_held)
		return ERR_CORRUPT;
	if (!is_ours && channel_backlog(peer->channel) > LEASE_BACKLOG_MAX)
		return ERR_AGAIN;
	if (lease_doubt(q, pu, &is_held) != OK)
		return ERR_NOMEM;
	if (is_deleted && outcome_delete(q, unit) == OK)
		return OK;
	if (is_held || is_deleted)
		return is_held ? OK : ERR_NOMEM;
	if (times_is_returned(q, unit->message) && outcome_late(q, unit) == OK)
		return OK;
	if (is_ours)
		return ours_take(q, pu, &route);
	lease = lease_new(q, unit, q->next_lease++, peer->index);
	if (lease == NULL)
		return ERR_NOMEM;
	route = lease_rows_choose(q, unit, lease);
	if ((e = note_and_send(q, lease, &route)) != OK)
		lease_end(q, lease);
	return e;
}

static bool
may_lease(const struct queued *q)
{
	return q->is_started && !q->is_draining && !lease_is_waiting(q);
}

void
lease_dispatch(struct queued *q)
{
	struct plan_unit *pu;
	int skipped = 0;

	while (may_lease(q) && plan_next(q->plan, queued_now(q), &pu)) {
		enum err e = give_out(q, pu);

		if (e == OK)
			continue;
		if (e != ERR_AGAIN && e != ERR_NOMEM && e != ERR_PEER) {
			set_aside(q, pu, e);
			continue;
		}
		plan_back(q->plan, pu);
		/* its worker is slow, others may not be; housekeeping comes
		 * back to it */
		if (e != ERR_AGAIN || ++skipped == SKIPPED_MAX)
			return;
	}
}

/* The lease may have ended with its deliverd. */
void
lease_noted(struct queued *q, uint64_t id)
{
	struct lease *lease = map_u64_get(&q->leases, id);
	struct route_facts facts;
	struct plan_unit *pu;
	struct route route;
	enum err e;

	if (lease == NULL)
		return;
	lease->is_unsent = false;
	pu = lease->unit->plan;
	facts = facts_of(q, lease->unit->message);
	facts.recipient = lease->unit->recipients[lease->rows[0]].address;
	route = route_table_find(q->routes, &facts);
	if ((e = send(q, lease, &route)) == OK)
		return;
	if (e == ERR_AGAIN || e == ERR_NOMEM || e == ERR_PEER) {
		outcome_untried(q, lease);
		return;
	}
	/* another may have been presented meanwhile */
	if (!lease_end_one(q, lease))
		set_aside(q, pu, e);
}

/* ---- what deliverd asks and says ---- */

/* Content in the log comes whole: a report may be longer than a frame. */
static enum err
read_piece(struct queued *q, const struct store_message *m, uint64_t offset,
    size_t bytes, struct span *out)
{
	enum err e;

	buf_reset(&q->content);
	e = store_content(q->store, m, offset, bytes, &q->content);
	if (e != OK)
		return e;
	*out = buf_span(&q->content);
	if (!m->place.is_file) {
		if (offset > out->n)
			return ERR_RANGE;
		*out = span_sub(*out, (size_t)offset, bytes);
	}
	return OK;
}

/* An empty answer that says "failed" rather than none: the dialogue of
 * deliverd waits for it.  What is damaged is not tried again. */
static void
on_content_want(struct queued *q, struct queued_peer *peer,
    const struct msg_content_want *want)
{
	struct lease *lease = lease_get(q, peer, want->lease);
	struct msg m = { .type = MSG_content };
	enum err e = ERR_NOT_FOUND;

	m.content.lease = want->lease;
	m.content.offset = want->offset;
	/* else its unit was settled by another deliverd */
	if (lease != NULL)
		e = read_piece(q, lease->unit->message, want->offset,
		    want->bytes < LEASE_INLINE_MAX ? want->bytes :
		    LEASE_INLINE_MAX, &m.content.bytes);
	m.content.is_failed = e != OK;
	if (e == ERR_CORRUPT)
		quarantine(q, lease->unit->plan, e);
	channel_send_or_end(peer->channel, &m);
}

/* A lease that our predecessor gave out and DELIVERD is still at. */
static void
on_held(struct queued *q, struct queued_peer *peer,
    const struct msg_held *held)
{
	struct store_unit *unit;
	struct lease *lease;
	enum err e;

	if (map_u64_get(&q->leases, held->lease) != NULL ||
	    effects_has_message(&q->on_synced, held->id))
		return;
	e = store_load_unit(q->store, held->id, held->unit, &unit);
	if (e == OK && !store_is_list(unit->message))	/* never leased */
		e = residence_adopt(q, unit);
	if (e != ERR_NOMEM && (e != OK || unit->plan == NULL))
		return;			/* settled, or its row is damaged */
	lease = e == OK ? lease_new(q, unit, held->lease, peer->index) : NULL;
	if (lease == NULL) {
		/* or its verdict would be lost; a new process is told */
		proc_fail(q->proc, "no memory for what is being delivered");
		return;
	}
	lease->is_deleted = store_lease_is_deleted(unit->noted_lease);
	if (lease_rows_get(held->rows, unit, lease) != OK) {
		lease_end(q, lease);
	} else if (plan_unit_state(unit->plan) != PLAN_LEASED) {
		plan_take(q->plan, unit->plan);
	} else {
		lease->is_shared = true;
		q->shared_leases++;
	}
}

/* It tells what it holds first, then MSG_presented. */
void
lease_open(struct queued *q, struct queued_peer *peer)
{
	(void)q;
	peer->is_presented = false;
}

void
lease_msg(struct queued *q, struct queued_peer *peer, const struct msg *m)
{
	switch (m->type) {
	case MSG_content_want:
		on_content_want(q, peer, &m->content_want);
		break;
	case MSG_held:
		on_held(q, peer, &m->held);
		break;
	case MSG_presented:
		if (m->presented.is_new != 0 && lease_is_waiting(q))
			lease_doubt_all(q);
		peer->is_presented = true;
		/* from now on it is not new: what it has taken the place of
		 * is recorded in what is written by then */
		if (effects_reserve(&q->on_written) == OK)
			outcome_confirm(q, peer, 0);
		queued_touch(q);
		break;
	case MSG_tls_result:
		tls_reports_count(q, &m->tls_result);
		break;
	case MSG_tls_record:
		tls_reports_record(q, &m->tls_record);
		break;
	case MSG_pushback:
		plan_key_less(q->plan, m->pushback.destination,
		    queued_now(q));
		break;
	case MSG_verdict:
		outcome_verdict(q, peer, &m->verdict);
		queued_touch(q);
		break;
	default:
		break;
	}
}

/* Removing from the map while it is walked is allowed. */
void
lease_gone(struct queued *q, struct queued_peer *peer)
{
	struct lease *lease;
	size_t cursor = 0;

	while ((lease = map_u64_next(&q->leases, &cursor)) != NULL)
		if (lease->peer == peer->index)
			outcome_in_doubt(q, lease);
	queued_touch(q);
}

/* At the end of the process; units and plan are the others' to free. */
void
lease_clear(struct queued *q)
{
	struct lease *lease;
	size_t cursor = 0;

	while ((lease = map_u64_next(&q->leases, &cursor)) != NULL)
		lease_end(q, lease);
	map_u64_clear(&q->leases);
}
