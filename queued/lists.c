/*
 * The table holds ids only: a list that ends or is deleted meanwhile is not
 * found at its next turn, and leaves.  Its unit is loaded for the turn and
 * given back, like any that the planner does not keep.
 */
#include "queued/lists.h"

#include "common/log/log.h"
#include "queued/facts.h"
#include "queued/history.h"
#include "queued/intake.h"
#include "queued/lease.h"
#include "queued/residence.h"
#include "queued/store/store_list.h"
#include "queued/store/store_read.h"

#include <stdlib.h>
#include <string.h>

/* More wait in the index; those of a replay are all taken. */
enum { LISTS_MAX = 64 };

/* Parts in memory at a time, if there is more than LISTS_CROWD in it. */
enum { PARTS_MAX = 8 };

static bool
has(const struct lists_table *t, uint64_t id)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->ids[i] == id)
			return true;
	return false;
}

/* Of a start none may be left out: what is in memory is not found by time. */
bool
lists_add(struct queued *q, const struct store_unit *unit)
{
	struct lists_table *t = &q->lists;
	uint64_t id = unit->message->id;

	if (unit->message->is_held || has(t, id) || (q->is_started && t->n >= LISTS_MAX))
		return false;
	if (t->n == t->size) {
		uint32_t size = t->size > 0 ? t->size * 2 : LISTS_MAX;
		uint64_t *ids = realloc(t->ids, size * sizeof(*ids));

		if (ids == NULL)
			return false;
		t->ids = ids;
		t->size = size;
	}
	t->ids[t->n++] = id;
	queued_touch(q);
	return true;
}

static void
leave(struct lists_table *t, uint32_t i)
{
	t->n--;
	memmove(t->ids + i, t->ids + i + 1, (t->n - i) * sizeof(*t->ids));
}

void
lists_clear(struct queued *q)
{
	free(q->lists.ids);
	q->lists = (struct lists_table){ .n = 0 };
}

/* All of it is in parts: the list itself is over. */
static enum err
end(struct queued *q, struct store_unit *unit)
{
	static const struct store_result begun = {
		.outcome = OUTCOME_BEGUN, .is_settled = true,
		.text = SPAN_LIT("each recipient is in one of its parts"),
	};
	struct store_verdict v = { .begun_at = queued_wall(q),
	    .due_at = unit->due_at, .results = &begun, .count = 1 };
	bool is_over;

	return store_verdict(q->store, unit, &v, &is_over);
}

/* Whoever looks for a recipient by the id that the client was told finds by
 * this line the id under which it is delivered. */
static void
log_part(struct queued *q, const struct store_message *list,
    const struct store_message *part)
{
	if (!log_begin(q->log, LOG_PART, NULL))
		return;
	log_queue_id(q->log, "id", list->id);
	log_queue_id(q->log, "part", part->id);
	log_u64(q->log, "recipients", part->recipients);
	log_u64(q->log, "begun", list->list.count);
	log_u64(q->log, "of", list->list.total);
	log_end(q->log);
}

/* The part is leased when its group is synced, as any message (I-01). */
static enum err
begin(struct queued *q, struct store_unit *unit)
{
	struct intake_keys keys = { .q = q,
	    .facts = facts_of(q, unit->message) };
	const struct store_submission how = { .key_of = intake_key_of,
	    .ctx = &keys };
	struct effect effect = { .kind = EFFECT_PART };
	struct envelope head;
	struct store_unit *part;
	enum err e = effects_reserve(&q->on_synced);

	if (e == OK && envelope_check(unit->message->envelope, &head) == OK)
		keys.flags = head.flags;
	if (e == OK)
		e = store_list_begin(q->store, unit, &how, &part);
	if (e != OK)
		return e;
	effect.group = q->lists.group = store_group(q->store);
	effect.b = part->message->id;
	q->lists.recent[q->lists.begun++ % LISTS_RECENT] = effect.b;
	effects_add(&q->on_synced, &effect);
	history_note(q, unit->message->id, unit->number, JOURNAL_PART,
	    part->message->id, HISTORY_NOBODY, "");
	log_part(q, unit->message, part->message);
	return OK;
}

/* Its bytes are damaged: as any message of which that is so it is held, and an
 * operator reads why.  Who releases it has it tried again. */
static void
set_aside(struct queued *q, struct store_unit *unit)
{
	lease_log_unreadable(q, unit->message, ERR_CORRUPT);
	if (store_hold(q->store, unit->message, true) != OK)
		return;
	history_note(q, unit->message->id, unit->number, JOURNAL_QUARANTINED,
	    0, HISTORY_NOBODY, err_text(ERR_CORRUPT));
	queued_touch(q);
}

/* True: it stays in the table. */
static bool
go_on(struct queued *q, struct store_unit *unit)
{
	const struct store_message *m = unit->message;
	enum err e = OK;

	if (!store_is_list(m) || m->is_held)
		return false;
	if (!store_list_is_begun(m))
		e = begin(q, unit);
	if (e == ERR_CORRUPT)
		set_aside(q, unit);
	if (e == OK && store_list_is_begun(m) && end(q, unit) == OK)
		return false;
	return e != ERR_CORRUPT;
}

/* On a full disk parts may use the reserve if nothing else is there that would
 * free room: what is delivered of them does. */
static bool
has_room(const struct queued *q)
{
	struct store_room room = store_room(q->store);

	return (room.is_accepting && !room.is_pausing) ||
	    residence_crowd(q) + plan_count(q->plan, PLAN_LEASED) == 0;
}

/* However crowded it is by others, some parts may always be there. */
static bool
has_memory(const struct queued *q)
{
	uint32_t crowd = residence_crowd(q), parts = 0;

	if (crowd < LISTS_CROWD)
		return true;
	for (size_t i = 0; i < LISTS_RECENT; i++)
		parts += q->lists.recent[i] != 0 &&
		    store_count_units(q->store, q->lists.recent[i]) > 0;
	return parts < PARTS_MAX && crowd < RESIDENCE_LOW + LISTS_ROOM;
}

bool
lists_are_stuck(const struct queued *q)
{
	return q->lists.n > 0 && !has_memory(q);
}

void
lists_turn(struct queued *q)
{
	struct lists_table *t = &q->lists;
	struct store_unit *unit;
	uint64_t id;
	enum err e;

	if (t->n == 0 || !q->is_started || q->is_draining ||
	    t->group > q->synced || !has_memory(q) ||
	    store_is_behind(q->store) || !has_room(q))
		return;
	t->next = t->next < t->n ? t->next : 0;
	id = t->ids[t->next];
	e = store_load_unit(q->store, id, 0, &unit);
	if (e == OK && go_on(q, unit))
		t->next++;
	else if (e != ERR_NOMEM && e != ERR_IO)
		leave(t, t->next);
	/* it may be over */
	if (e == OK && (unit = store_find_unit(q->store, id, 0)) != NULL)
		store_yield_unit(q->store, &unit);
}
