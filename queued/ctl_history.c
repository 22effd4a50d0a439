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
#include "common/base/ipaddr.h"
#include "queued/ctl_names.h"
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
	bool has_looked_up;		/* names of what is queued */
	uint64_t events;
	struct ctl_names names;
	struct buf hosts;		/* of the last attempt */
	struct buf list;
	uint64_t begun_at;		/* likewise */
};

static ctl_step history_step;

/* ---- life ---- */

static void
ask_free(struct ctl_history *h)
{
	buf_clear(&h->ask.out);
	buf_clear(&h->hosts);
	buf_clear(&h->list);
	ctl_names_clear(&h->names);
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
	uint64_t events = h->events;

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

/* ---- names ---- */

static bool
add_names(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct ctl_history *h = ctx;

	(void)m;
	for (size_t i = 0; units[i] != NULL; i++)
		for (uint32_t r = 0; r < units[i]->count; r++)
			ctl_names_add(&h->names, units[i]->number, r,
			    units[i]->recipients[r].address);
	return true;
}

/* Of an old message whose begin the journal has no more the queue may still
 * know the recipients; else they have numbers only. */
static struct span
name_of(struct ctl_history *h, uint64_t unit, uint64_t row, char number[48])
{
	struct span name = ctl_names_find(&h->names, unit, row);

	if (name.n == 0 && !h->has_looked_up) {
		h->has_looked_up = true;
		(void)store_show(h->s->q->store, h->id, add_names, h);
		name = ctl_names_find(&h->names, unit, row);
	}
	if (name.n > 0)
		return name;
	snprintf(number, 48, "#%llu.%llu", (unsigned long long)unit,
	    (unsigned long long)row);
	return span_str(number);
}

/* ---- telling ---- */

static void
send_event(struct ctl_history *h, struct msg *m)
{
	h->events++;
	m->type = MSG_ctl_event;
	m->ctl_event.id = h->id;
	ctl_send(h->s, m);
}

/* Values of a record may be anything. */
static uint32_t
u32(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static struct span
word(struct span s)
{
	return span_sub(s, 0, JOURNAL_NAME_MAX);
}

/* Those of a record fit into one message: there are at most some thousand,
 * and at least two bytes each. */
static void
send_recipients(struct ctl_history *h, struct span list, struct msg *m)
{
	struct journal_recipient r;
	uint32_t n = 0;

	buf_reset(&h->list);
	while (journal_recipient_next(&list, &r)) {
		struct msg_ctl_name name = { .address = word(r.address) };

		ctl_names_add(&h->names, r.unit, r.row, r.address);
		if (n == 1000) {
			m->ctl_event.recipients.n = n;
			m->ctl_event.recipients.bytes = buf_span(&h->list);
			send_event(h, m);
			memset(m, 0, sizeof(*m));
			m->ctl_event.kind = EVENT_RECIPIENTS;
			buf_reset(&h->list);
			n = 0;
		}
		msg_put_ctl_name(&h->list, &name);
		n++;
	}
	m->ctl_event.recipients.n = buf_failed(&h->list) ? 0 : n;
	m->ctl_event.recipients.bytes = m->ctl_event.recipients.n > 0 ?
	    buf_span(&h->list) : SPAN_NONE;
	send_event(h, m);
}

static void
tell_accepted(struct ctl_history *h, const struct journal_record *r)
{
	char client[IPADDR_TEXT_SIZE] = "";
	struct journal_accepted a;
	struct msg m = { .type = MSG_ctl_event };

	if (journal_accepted_get(r->fields, &a) != OK)
		return;
	ctl_format_client(a.client, client);
	m.ctl_event.kind = EVENT_ACCEPTED;
	m.ctl_event.at = a.at;
	m.ctl_event.who = word(a.sender);
	m.ctl_event.client = span_str(client);
	m.ctl_event.helo = word(a.helo);
	m.ctl_event.value = a.bytes;
	m.ctl_event.total = u32(a.recipients);
	m.ctl_event.is_report = a.is_report;
	send_recipients(h, a.list, &m);
}

static void
put_host(struct msg *m, const struct journal_host *host)
{
	m->ctl_event.host = word(host->name);
	m->ctl_event.address = word(host->address);
	m->ctl_event.tls = word(host->tls);
	m->ctl_event.stage = host->stage;
	m->ctl_event.duration_ms = u32(host->duration_ms);
}

static void
tell_hosts(struct ctl_history *h)
{
	struct span list = buf_span(&h->hosts);
	struct journal_host host;

	while (journal_host_next(&list, h->begun_at, &host)) {
		struct msg m = { .type = MSG_ctl_event };

		m.ctl_event.kind = EVENT_ATTEMPT;
		m.ctl_event.at = host.begun_at;
		put_host(&m, &host);
		m.ctl_event.code = (uint16_t)host.code;
		m.ctl_event.text = word(host.text);
		send_event(h, &m);
	}
}

static uint8_t
kind_of(uint8_t outcome)
{
	static const uint8_t kinds[OUTCOME_COUNT] = {
		[OUTCOME_DELIVERED] = EVENT_DELIVERED,
		[OUTCOME_DEFERRED] = EVENT_DEFERRED,
		[OUTCOME_FAILED] = EVENT_FAILED,
		[OUTCOME_UNTRIED] = EVENT_DEFERRED,
		[OUTCOME_IN_DOUBT] = EVENT_IN_DOUBT,
		[OUTCOME_EXPIRED] = EVENT_EXPIRED,
		[OUTCOME_DISCARDED] = EVENT_DISCARDED,
		[OUTCOME_BEGUN] = EVENT_BEGUN,
	};

	return outcome < OUTCOME_COUNT ? kinds[outcome] : EVENT_DEFERRED;
}

/* When it ended, as well as is known: its host's answer, else its begin. */
static void
find_host(const struct ctl_history *h, const struct journal_result *r,
    struct msg *m)
{
	struct span list = buf_span(&h->hosts);
	struct journal_host host;
	uint64_t row = 0;

	while (r->host != JOURNAL_NO_HOST &&
	    journal_host_next(&list, h->begun_at, &host)) {
		if (row++ != r->host)
			continue;
		put_host(m, &host);
		m->ctl_event.at = host.begun_at + host.duration_ms;
		if (r->is_hosts_text)
			m->ctl_event.text = word(host.text);
		return;
	}
}

/* One event for each recipient, as it is one fate. */
static void
tell_result(struct ctl_history *h, const struct journal_attempt *a,
    const struct journal_result *r)
{
	struct msg m = { .type = MSG_ctl_event };

	m.ctl_event.kind = kind_of(r->outcome);
	m.ctl_event.at = a->at;
	m.ctl_event.code = (uint16_t)r->code;
	m.ctl_event.status = word(r->status);
	m.ctl_event.text = word(r->text);
	m.ctl_event.tries = u32(a->tries);
	m.ctl_event.next_at = r->is_settled ? 0 : a->due_at;
	find_host(h, r, &m);
	for (uint64_t row = r->first;
	    row <= r->last && row - r->first < STORE_UNIT_RECIPIENTS; row++) {
		char number[48];

		m.ctl_event.who = word(name_of(h, a->unit, row, number));
		send_event(h, &m);
	}
}

static void
tell_attempt(struct ctl_history *h, const struct journal_record *r)
{
	struct journal_attempt a;
	struct journal_result result;

	if (journal_attempt_get(r->fields, &a) != OK)
		return;
	if (!a.is_continued) {
		buf_reset(&h->hosts);
		buf_add_span(&h->hosts, a.hosts);
		h->begun_at = a.at;
		tell_hosts(h);
	}
	while (journal_result_next(&a.results, &result))
		tell_result(h, &a, &result);
}

static void
tell_action(struct ctl_history *h, const struct journal_record *r)
{
	static const uint8_t kinds[] = {
		[JOURNAL_HELD] = EVENT_HELD,
		[JOURNAL_RELEASED] = EVENT_RELEASED,
		[JOURNAL_RETRIED] = EVENT_RETRIED,
		[JOURNAL_REPORTED] = EVENT_REPORTED,
		[JOURNAL_NOTICED] = EVENT_NOTICED,
		[JOURNAL_QUARANTINED] = EVENT_QUARANTINED,
		[JOURNAL_DELETED] = EVENT_DELETED,
		[JOURNAL_PART] = EVENT_PART,
	};
	struct msg m = { .type = MSG_ctl_event };
	struct journal_action a;

	if (journal_action_get(r->fields, &a) != OK || a.kind == 0 ||
	    a.kind >= COUNT_OF(kinds))
		return;
	m.ctl_event.kind = kinds[a.kind];
	m.ctl_event.at = a.at;
	m.ctl_event.who = word(a.by);
	m.ctl_event.value = a.value;
	send_event(h, &m);
}

static void
tell(struct ctl_history *h, const struct journal_record *r)
{
	struct msg m = { .type = MSG_ctl_event };

	switch (r->type) {
	case JOURNAL_ACCEPTED:
		tell_accepted(h, r);
		break;
	case JOURNAL_RECIPIENTS:
		m.ctl_event.kind = EVENT_RECIPIENTS;
		send_recipients(h, r->fields, &m);
		break;
	case JOURNAL_ATTEMPT:
		tell_attempt(h, r);
		break;
	case JOURNAL_ACTION:
		tell_action(h, r);
		break;
	default:
		break;
	}
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
	while (rest.n > 0 && journal_record_next(&rest, &r) == OK)
		tell(h, &r);
	if (!h->ask.query.is_over) {
		ask(h);
		return true;
	}
	if (h->events == 0)
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
	buf_init(&h->hosts, JOURNAL_RECORD_MAX * 2);
	buf_init(&h->list, 2 * 1024 * 1024);
	ctl_names_init(&h->names);
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
	if (low == 0 || low > high ||
	    (h = open_history(s, low, high)) == NULL) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("that can't be asked"));
		return;
	}
	h->on_found = on_found;
	h->is_looking = low != high;
	h->id = low == high ? low : 0;
	if (!h->is_looking || look_in_queue(h))
		ask_when_synced(h);
}
