/*
 * A message as an operator sees it (I-10).  The states are not stored: they
 * follow from hold, lease, due time and the destination's back-off, as of now.
 * A unit may be shown straight from the index, without a plan entry; then its
 * stored due time and key speak for it.
 */
#include "common/base/ipaddr.h"
#include "common/mail/envelope.h"
#include "queued/ctl_private.h"
#include "queued/residence.h"
#include "queued/spool_time.h"
#include "queued/times.h"

/* ---- states ---- */

/* Held wins over leased: a held message may still have an attempt under way.
 * Due but not leased counts as active: only its turn is missing. */
enum select_state
ctl_unit_state(const struct queued *q, const struct store_unit *unit)
{
	const struct plan_unit *pu = unit->plan;
	int64_t blocked;

	if (unit->message->is_held)
		return SELECT_HELD;
	if (pu != NULL && plan_unit_state(pu) == PLAN_LEASED)
		return SELECT_ACTIVE;
	if (pu != NULL ? plan_unit_due(pu) > queued_now(q) :
	    unit->due_at > queued_wall(q))
		return SELECT_DEFERRED;
	blocked = pu != NULL ? plan_unit_blocked_until(q->plan, pu) :
	    plan_blocked_until(q->plan, unit->key);
	return blocked > queued_now(q) ? SELECT_DEFERRED : SELECT_ACTIVE;
}

/* Active as soon as one of its units is.  No unit is read of one that is
 * held. */
enum select_state
ctl_message_state(const struct queued *q, struct store_glance *g)
{
	enum select_state state = SELECT_DEFERRED;
	const struct store_unit *u;

	if (store_glance_message(g)->is_held)
		return SELECT_HELD;
	store_glance_rewind(g);
	while (state == SELECT_DEFERRED && (u = store_glance_next(g)) != NULL)
		state = ctl_unit_state(q, u);
	return state;
}

/* Words of the selection to those of the protocol. */
static uint8_t
wire_state(enum select_state state)
{
	return state == SELECT_HELD ? STATE_HELD :
	    state == SELECT_ACTIVE ? STATE_ACTIVE : STATE_DEFERRED;
}

/* Settled ones show as long as others of their unit are open. */
uint8_t
ctl_recipient_state(enum select_state unit, const struct store_recipient *r)
{
	if (!r->is_settled)
		return wire_state(unit);
	if (r->outcome == OUTCOME_DELIVERED)
		return STATE_DELIVERED;
	return r->outcome == OUTCOME_DISCARDED ? STATE_DELETED : STATE_FAILED;
}

/* ---- rows ---- */

/* The planner's is by today's routes, the unit's by those of its arrival. */
static struct span
unit_key(const struct store_unit *unit)
{
	return unit->plan != NULL ? plan_unit_key(unit->plan) : unit->key;
}

/* What happens next waits for the destination, too. */
static uint64_t
unit_due(const struct queued *q, const struct store_unit *unit)
{
	int64_t wait = plan_blocked_until(q->plan, unit_key(unit)) -
	    queued_now(q);
	uint64_t blocked = wait > 0 ? queued_wall(q) + (uint64_t)wait : 0;

	return blocked > unit->due_at ? blocked : unit->due_at;
}

/* At most MAX of a message, of which there are N already; gives how many then.
 * What is the same for all of a unit is asked once. */
static uint32_t
put_recipients(const struct queued *q, const struct store_unit *unit,
    enum select_state state, uint64_t due, uint32_t n, uint32_t max,
    struct buf *out)
{
	struct msg_ctl_recipient m = { .tries = unit->tries, .due_at = due,
	    .last_at = unit->last_at };

	for (uint32_t i = 0; i < unit->count && n < max; i++, n++) {
		const struct store_recipient *r = &unit->recipients[i];

		m.address = r->address;
		m.state = ctl_recipient_state(state, r);
		m.code = r->code;
		m.host = r->host;
		m.text = r->text;
		if (!r->is_settled && r->text.n == 0)	/* its turn never came */
			m.text = plan_blocked_why(q->plan, unit_key(unit));
		msg_put_ctl_recipient(out, &m);
	}
	return n;
}

/* Of all units: the state as ctl_message_state() has it, the earliest next
 * time, the last end, the most tries; and at most MAX recipients. */
static void
put_units(struct queued *q, struct store_glance *g,
    struct msg_ctl_row *row, uint32_t max, struct buf *out)
{
	enum select_state state = SELECT_DEFERRED;
	const struct store_unit *u;
	uint32_t n = 0;

	row->due_at = UINT64_MAX;
	row->expires_at = 0;
	store_glance_rewind(g);
	while ((u = store_glance_next(g)) != NULL) {
		enum select_state unit = ctl_unit_state(q, u);
		uint64_t due = spool_time_shown(q, unit_due(q, u));
		uint64_t end = spool_time_shown(q, times_end(q, u));

		if (state == SELECT_DEFERRED)
			state = unit;
		if (due < row->due_at)
			row->due_at = due;
		if (end > row->expires_at)
			row->expires_at = end;
		if (u->tries > row->tries)
			row->tries = u->tries;
		n = put_recipients(q, u, unit, due, n, max, out);
	}
	row->state = wire_state(state);
	row->recipients.n = n;
	row->recipients.bytes = buf_span(out);
}

/* Mail that came from no address is our own. */
void
ctl_format_client(struct span bytes, char out[IPADDR_TEXT_SIZE])
{
	struct ipaddr address;

	if (bytes.n != 4 && bytes.n != 16)
		return;
	address = bytes.n == 4 ? ipaddr_v4(bytes.p) : ipaddr_v6(bytes.p);
	ipaddr_format(&address, out);
}

/* G is borrowed from a look: nothing here may change the store. */
void
ctl_send_row(struct ctl_session *s, struct store_glance *g,
    uint32_t recipients_max, const struct ctl_whole *whole)
{
	const struct store_message *m = store_glance_message(g);
	char client[IPADDR_TEXT_SIZE] = "";
	struct msg msg = { .type = MSG_ctl_row };
	struct msg_ctl_row *row = &msg.ctl_row;
	struct envelope envelope;

	if (envelope_check(m->envelope, &envelope) != OK)
		return;
	ctl_format_client(envelope.client, client);
	buf_reset(&s->rows);
	row->arrived_at = spool_time_shown(s->q, m->arrived_at);
	/* what stands for a million of them is none */
	put_units(s->q, g, row, whole != NULL || store_is_list(m) ? 0 :
	    recipients_max, &s->rows);
	row->id = m->id;
	row->sender = m->sender;
	row->size = store_message_size(m);
	row->total = m->recipients;
	row->left = m->left;
	row->list = store_is_list(m) ? 0 : m->list.id;
	if (whole != NULL) {
		row->id = whole->id;
		row->total = whole->total;
		row->left = whole->left;
		row->parts = whole->parts;
		row->list = 0;
	}
	row->client = span_str(client);
	row->helo = span_sub(envelope.helo, 0, 256);
	row->user = envelope.user;
	ctl_send(s, &msg);
}
