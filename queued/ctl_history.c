/*
 * `message history`: events of one message, told as the journal has them.
 *
 * The journal's thread reads; what it found comes piece by piece, and the next
 * piece is asked for when this one was sent.  The session may end meanwhile:
 * then the question lives on until its answer comes, and goes with it.
 *
 * An id that was cut short stands for a range of them: a first pass looks
 * whether all records in it, and all that is queued, are about one message.
 */
#include "queued/ctl_history.h"

#include "common/base/b32.h"
#include "common/base/check.h"
#include "queued/ctl_events.h"
#include "queued/history.h"
#include "queued/store/store_write.h"

#include <stdio.h>
#include <stdlib.h>

enum { PIECE_BYTES = 64 * 1024, HOSTS_MAX = 64 };

struct ctl_history {
	struct journal_ask ask;
	struct ctl_session *s;		/* NULL: gone */
	ctl_found *on_found;
	ctl_each *each;			/* of a scan, which is all it does */
	ctl_end_of *on_end;
	uint64_t id;			/* 0: not found yet */
	bool is_looking;		/* for the one message of the range */
	bool is_under_way;
	struct ctl_events events;
};

static ctl_step history_step;

/* ---- life ---- */

static void
ask_free(struct ctl_history *h)
{
	buf_clear(&h->ask.out);
	ctl_events_clear(&h->events);
	free(h);
}

/* With an answer on its way it is freed when that comes. */
void
ctl_history_end(struct ctl_session *s)
{
	struct ctl_history *h = s->history;

	if (h == NULL)
		return;
	s->history = NULL;
	h->s = NULL;
	if (!h->is_under_way)
		ask_free(h);
}

static bool
finish(struct ctl_history *h, uint8_t result, struct span text)
{
	struct ctl_session *s = h->s;
	uint64_t events = h->events.told;

	ctl_history_end(s);
	ctl_end(s, result, events, text);
	return true;
}

/* ---- asking ---- */

static void
on_answer(struct journal_ask *ask)
{
	struct ctl_history *h = CONTAINER_OF(ask, struct ctl_history, ask);

	h->is_under_way = false;
	if (h->s == NULL) {
		ask_free(h);
		return;
	}
	h->s->job.step = history_step;
	timer_start(&h->s->q->ctl->slice, 0);
}

static void
ask(struct ctl_history *h)
{
	struct queued *q = h->s->q;

	h->is_under_way = true;
	journal_ask(history_journal(q), &h->ask, queued_wall(q));
}

/* What is only written so far is synced first: the journal has it then. */
static void
ask_when_synced(struct ctl_history *h)
{
	struct effect effect = { .kind = EFFECT_ANSWER };
	struct queued *q = h->s->q;

	effect.group = store_last_group(q->store);
	effect.a = h->s->id;
	if (effect.group <= store_synced(q->store) ||
	    effects_reserve(&q->on_synced) != OK) {
		ask(h);
		return;
	}
	h->s->awaits_sync = true;
	store_want_all_synced(q->store);
	effects_insert(&q->on_synced, &effect);
	queued_touch(q);
}

void
ctl_history_synced(struct ctl_session *s)
{
	ask(s->history);
}

/* ---- which message ---- */

static bool
refuse_several(struct ctl_history *h, uint64_t other)
{
	char a[B32_LENGTH], b[B32_LENGTH], text[160];

	b32_encode(h->id, a);
	b32_encode(other, b);
	snprintf(text, sizeof(text), "several messages begin like that: "
	    "%.*s, %.*s; give more of the id", B32_LENGTH, a, B32_LENGTH, b);
	return finish(h, CTL_AMBIGUOUS, span_str(text));
}

/* False: another one was found, and the answer is given. */
static bool
is_the_one(struct ctl_history *h, uint64_t id)
{
	if (h->id == 0)
		h->id = id;
	if (h->id == id)
		return true;
	(void)refuse_several(h, id);
	return false;
}

struct queue_look {
	uint64_t high;
	uint64_t ids[2];
	size_t n;
};

static bool
note_id(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct queue_look *look = ctx;

	(void)units;
	if (m->id > look->high)
		return false;
	look->ids[look->n++] = m->id;
	return look->n < COUNT_OF(look->ids);
}

static bool
look_in_queue(struct ctl_history *h)
{
	struct queue_look look = { .high = h->ask.query.high };

	(void)store_walk(h->s->q->store, h->ask.query.low - 1,
	    COUNT_OF(look.ids), note_id, &look);
	for (size_t i = 0; i < look.n; i++)
		if (!is_the_one(h, look.ids[i]))
			return false;
	return true;
}

/* ---- steps ---- */

/* All of the piece is about one message, or several are. */
static bool
look_at_piece(struct ctl_history *h)
{
	struct span rest = buf_span(&h->ask.out);
	struct journal_record r;

	while (rest.n > 0 && journal_record_next(&rest, &r) == OK)
		if (!is_the_one(h, r.id))
			return true;
	if (!h->ask.query.is_over) {
		ask(h);
		return true;
	}
	if (h->id == 0)
		return finish(h, CTL_NO_SUCH_MESSAGE,
		    SPAN_LIT("no message begins like that"));
	if (h->on_found != NULL && h->on_found(h->s, h->id))
		return finish(h, CTL_DONE, SPAN_NONE);
	h->is_looking = false;
	h->ask.query = (struct journal_query){ .low = h->id, .high = h->id };
	ask(h);
	return true;
}

static bool
scan_step(struct ctl_history *h)
{
	struct span rest = buf_span(&h->ask.out);
	bool is_read = h->ask.result == OK;
	struct ctl_session *s = h->s;
	ctl_end_of *on_end = h->on_end;
	struct journal_record r;

	while (is_read && rest.n > 0 && journal_record_next(&rest, &r) == OK)
		h->each(s, &r);
	if (is_read && !h->ask.query.is_over) {
		ask(h);
		return true;
	}
	ctl_history_end(s);
	on_end(s, is_read);
	return true;
}

static bool
history_step(struct ctl_session *s)
{
	struct ctl_history *h = s->history;
	struct span rest = buf_span(&h->ask.out);
	struct journal_record r;

	if (h->on_end != NULL)
		return scan_step(h);
	if (h->ask.result != OK)
		return finish(h, CTL_FAILED,
		    SPAN_LIT("the history can't be read"));
	if (h->is_looking)
		return look_at_piece(h);
	h->events.id = h->id;
	while (rest.n > 0 && journal_record_next(&rest, &r) == OK)
		ctl_events_tell(&h->events, &r);
	if (!h->ask.query.is_over) {
		ask(h);
		return true;
	}
	ctl_events_flush(&h->events);
	if (h->events.told == 0)
		return finish(h, CTL_NO_SUCH_MESSAGE,
		    SPAN_LIT("nothing is known of such a message"));
	return finish(h, CTL_DONE, SPAN_NONE);
}

/* Not asked yet; NULL: no memory. */
static struct ctl_history *
open_history(struct ctl_session *s, uint64_t low, uint64_t high)
{
	struct ctl_history *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->s = s;
	h->ask.query.low = low;
	h->ask.query.high = high;
	h->ask.max = PIECE_BYTES;
	h->ask.done = on_answer;
	buf_init(&h->ask.out, (size_t)4 * PIECE_BYTES);
	ctl_events_init(&h->events, s);
	s->history = h;
	return h;
}

bool
ctl_history_scan(struct ctl_session *s, uint64_t low, uint64_t high,
    ctl_each *each, ctl_end_of *end)
{
	struct ctl_history *h;

	if (history_journal(s->q) == NULL ||
	    (h = open_history(s, low, high)) == NULL)
		return false;
	h->each = each;
	h->on_end = end;
	ask_when_synced(h);
	return true;
}

void
ctl_history_begin(struct ctl_session *s, uint64_t low, uint64_t high,
    ctl_found *on_found)
{
	struct ctl_history *h;

	if (history_journal(s->q) == NULL) {
		ctl_end(s, CTL_FAILED, 0,
		    SPAN_LIT("no history is kept (queue.history: 0)"));
		return;
	}
	if (low == 0 || low > high) {
		ctl_end(s, CTL_NO_SUCH_MESSAGE, 0,
		    SPAN_LIT("no message has that id"));
		return;
	}
	if ((h = open_history(s, low, high)) == NULL) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no memory"));
		return;
	}
	h->on_found = on_found;
	h->is_looking = low != high;
	h->id = low == high ? low : 0;
	if (!h->is_looking || look_in_queue(h))
		ask_when_synced(h);
}
