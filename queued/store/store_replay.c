/*
 * Records change memory through store_apply.c, as when they were written, so
 * what a start finds is what the former life had.  A record that contradicts
 * itself or its message is told and passed over (I-05), as is one about a
 * message that is not there any more.  No memory, an index that can't be read
 * and a type that must not be passed over end the start.
 *
 * Units made here are the store's own until the whole log is replayed: then
 * those still in memory are told.
 */
#include "queued/store/store_replay.h"

#include "queued/store/store_apply.h"
#include "queued/store/store_list.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_remake.h"
#include "queued/store/store_tap_private.h"

#include <stdlib.h>

struct replay {
	struct store *s;
	struct store_segment *seg;
	bool is_dead;			/* none of its messages counts */
	uint64_t offset;		/* of the record's content */
	struct store_result *results;
};

/* Only what is not there is passed over; the rest ends the recovery. */
static enum err
pass_over(enum err e)
{
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err
damaged(struct replay *p, const struct store_record *r)
{
	store_notice(p->s, "log-damage", "record of message %s in segment "
	    "%ju contradicts itself", store_id_text(r->id).p,
	    (uintmax_t)p->seg->number);
	return OK;
}

/* This segment is needed as long as SEGMENT is there.  It was noted when the
 * record was written, but the row of a segment may lag behind the log. */
static enum err
need(struct replay *p, uint64_t segment)
{
	if (segment == p->seg->number)
		return OK;
	p->seg->is_dirty = true;
	return store_numbers_add(&p->seg->settles, segment);
}

/* As a verdict that settles somebody. */
static enum err
reach(struct replay *p, struct message *list, uint64_t at, uint32_t count)
{
	enum err e = need(p, list->pub.place.segment);

	if (e == OK && count > list->pub.list.count)
		store_list_apply_begun(p->s, list, at, count);
	return e;
}

/* A part is begun, whether or not the record that says so of its list can be
 * read: else its recipients would be begun again. */
static enum err
replay_part(struct replay *p, const struct store_record_message *part)
{
	struct message *list;
	uint64_t at;
	uint32_t count;
	enum err e = store_memory_load(p->s, part->list.id, &list);

	if (e != OK)
		return pass_over(e);
	if (store_is_list(&list->pub) &&
	    store_list_reaches(list, part, &at, &count))
		e = reach(p, list, at, count);
	store_memory_release(p->s, list);
	return e;
}

/* Its token is told even if the segment is dead: smtpd may ask for it, and the
 * message was accepted. */
static enum err
replay_message(struct replay *p, const struct store_record *r)
{
	struct store_record_message fields;
	struct message *m;
	enum err e;

	if (store_record_get_message(r->fields, &fields) != OK)
		return damaged(p, r);
	if (fields.token != 0)
		p->s->ops.on_token(p->s->ctx, fields.token, r->id);
	if (fields.list.id != 0 && fields.list.id != r->id &&
	    (e = replay_part(p, &fields)) != OK)
		return e;
	if (p->is_dead)
		return OK;
	e = store_memory_birth(p->s, r->id, &fields, &m);
	if (e == ERR_CORRUPT || e == ERR_EXISTS)
		return damaged(p, r);
	if (e != OK)
		return e;
	m->record_bytes = (uint32_t)r->size;
	m->content_crc = r->content_crc;
	m->pub.place.segment = p->seg->number;
	m->pub.place.offset = p->offset;
	m->is_placed = true;
	/* its first lease needed no note: the record is one; a list has no
	 * lease, and what was put off has a note */
	for (uint32_t i = 0; i < m->pub.unit_count; i++) {
		m->units[i]->is_ours = true;
		m->units[i]->pub.noted_lease = store_is_list(&m->pub) ||
		    store_is_put_off(&m->units[i]->pub) ? 0 : p->s->had_index ? STORE_LEASED_UNINDEXED :
		    STORE_LEASED_AT_COMMIT;
	}
	p->seg->messages++;
	p->seg->live_bytes += m->record_bytes;
	p->seg->is_dirty = true;
	return OK;
}

static enum err
load_unit(struct replay *p, uint64_t id, uint32_t number, struct unit **out)
{
	struct message *m;
	enum err e = store_memory_load(p->s, id, &m);

	if (e != OK)
		return e;
	e = store_memory_load_unit(p->s, m, number, out);
	if (e != OK)
		store_memory_release(p->s, m);
	return e;
}

/* Needed as long as the segment of an older record is there: without it the
 * message would be there, and later verdicts about it perhaps not. */
static enum err
replay_moved(struct replay *p, const struct store_record *r)
{
	struct store_record_moved fields;
	uint64_t old;
	enum err e;

	if (store_record_get_moved(r->fields, &fields) != OK)
		return damaged(p, r);
	e = p->is_dead ? store_remake_none(p->s, r, &old) :
	    store_remake(p->s, p->seg, r, &fields, p->offset, &old);
	if (e == ERR_CORRUPT)
		return damaged(p, r);
	return e == OK && old != 0 ? need(p, old) : e;
}

/* The place is asked for first: with its last verdict the message goes. */
static enum err
replay_verdict(struct replay *p, const struct store_record *r)
{
	struct store_verdict v;
	struct unit *u;
	uint64_t segment;
	uint32_t number;
	bool is_over;
	enum err e;

	if (store_record_get_verdict(r->fields, &number, p->results, &v) != OK)
		return damaged(p, r);
	if ((e = load_unit(p, r->id, number, &u)) != OK)
		return pass_over(e);
	if (!store_apply_fits(u, &v))
		return damaged(p, r);
	segment = u->pub.message->place.segment;
	if (store_apply_matters(&v))
		e = need(p, segment);
	if (e == OK)
		store_apply_verdict(p->s, u, &v, &is_over);
	return e;
}

/* Keeps no segment: without it a unit is only tried at another time. */
static enum err
replay_unit(struct replay *p, const struct store_record *r)
{
	struct unit *u;
	uint32_t number;
	uint64_t value;
	enum err e;

	if (store_record_get_unit(r->fields, &number, &value) != OK)
		return damaged(p, r);
	if ((e = load_unit(p, r->id, number, &u)) != OK)
		return pass_over(e);
	if (r->type == STORE_RECORD_LEASE)
		store_apply_lease(p->s, u, value);
	else
		store_apply_due(p->s, u, value);
	return OK;
}

/* All units, for the time rows of all of them change. */
static enum err
replay_hold(struct replay *p, const struct store_record *r)
{
	struct message *m;
	bool is_held;
	enum err e;

	if (store_record_get_hold(r->fields, &is_held) != OK)
		return damaged(p, r);
	if ((e = store_memory_load(p->s, r->id, &m)) != OK)
		return pass_over(e);
	if ((e = store_memory_load_all(p->s, m)) != OK ||
	    (e = need(p, m->pub.place.segment)) != OK)
		return e;
	store_apply_hold(p->s, m, is_held);
	store_memory_release(p->s, m);
	return OK;
}

static enum err
replay_begun(struct replay *p, const struct store_record *r)
{
	struct message *m;
	uint64_t at;
	uint32_t count;
	enum err e;

	if (store_list_get_begun(r->fields, &at, &count) != OK)
		return damaged(p, r);
	if ((e = store_memory_load(p->s, r->id, &m)) != OK)
		return pass_over(e);
	e = store_list_begun_fits(m, at, count) ?
	    reach(p, m, at, count) : damaged(p, r);
	store_memory_release(p->s, m);
	return e;
}

static enum err
replay_record(struct replay *p, const struct store_record *r)
{
	switch ((enum store_record_type)r->type) {
	case STORE_RECORD_MESSAGE:
		return replay_message(p, r);
	case STORE_RECORD_VERDICT:
		return replay_verdict(p, r);
	case STORE_RECORD_LEASE:
	case STORE_RECORD_RESCHEDULE:
		return replay_unit(p, r);
	case STORE_RECORD_HOLD:
		return replay_hold(p, r);
	/* read before the replay, by the scan */
	case STORE_RECORD_DEAD:
	/* for whoever listens */
	case STORE_RECORD_NOTE:
		return OK;
	case STORE_RECORD_MOVED:
		return replay_moved(p, r);
	case STORE_RECORD_BEGUN:
		return replay_begun(p, r);
	case STORE_RECORD_DESTINATION:
		break;
	}
	/* made by a later version of this program */
	return (r->flags & STORE_RECORD_SKIPPABLE) != 0 ? OK : ERR_VERSION;
}

enum err
store_replay_group(struct store *s, struct store_segment *seg,
    bool is_dead, struct span group, const struct store_group_head *head)
{
	struct span records = store_group_records(group, head);
	struct replay p = { .s = s, .seg = seg, .is_dead = is_dead };
	struct store_record r;
	enum err e = OK;

	p.results = calloc(STORE_UNIT_RECIPIENTS, sizeof(*p.results));
	if (p.results == NULL)
		return ERR_NOMEM;
	if (head->offset == 0 && (head->flags & STORE_GROUP_CUTS) != 0 &&
	    store_segments_find(&s->segments, head->previous_segment) !=
	    NULL) {
		seg->cuts = head->previous_segment;
		e = store_numbers_add(&seg->settles, seg->cuts);
	}
	while (records.n > 0 && e == OK) {
		if ((e = store_record_next(&records, &r)) != OK)
			break;
		p.offset = head->offset +
		    (uint64_t)(records.p - group.p) - r.content.n;
		e = replay_record(&p, &r);
	}
	free(p.results);
	s->ended_at = head->written_at;
	if (e == OK)
		store_tap_group(s, head->sequence, head->written_at,
		    store_group_records(group, head));
	return e;
}

/* ---- damaged groups ---- */

static void
tell_gap(struct replay *p, struct store_pieces *pieces, uint64_t offset)
{
	if (!pieces->has_gap)
		return;
	pieces->has_gap = false;
	store_notice(p->s, "log-damage", "segment %ju at %ju: a record, "
	    "perhaps of message %s, can't be read",
	    (uintmax_t)p->seg->number,
	    (uintmax_t)(offset + pieces->gap_at), store_id_text(pieces->gap_id).p);
}

/* A message whose content is damaged stays in the queue, for an operator: it
 * is never delivered (I-09). */
enum err
store_replay_pieces(struct store *s, struct store_segment *seg, bool is_dead,
    struct store_pieces *pieces, uint64_t offset)
{
	struct replay p = { .s = s, .seg = seg, .is_dead = is_dead };
	struct store_record r;
	bool is_sound;
	enum err e = OK;

	p.results = calloc(STORE_UNIT_RECIPIENTS, sizeof(*p.results));
	if (p.results == NULL)
		return ERR_NOMEM;
	while (e == OK && store_pieces_next(pieces, &r, &is_sound)) {
		tell_gap(&p, pieces, offset);
		if (!is_sound)
			store_notice(s, "log-damage", "content of message "
			    "%s", store_id_text(r.id).p);
		p.offset = offset +
		    (uint64_t)(r.content.p - pieces->group.p);
		e = replay_record(&p, &r);
		/* what can't be understood is damage here */
		if (e == ERR_VERSION)
			e = OK;
	}
	tell_gap(&p, pieces, offset);
	free(p.results);
	return e;
}
