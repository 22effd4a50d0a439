/*
 * A message as an operator sees it (I-10).  The states are not stored: they
 * follow from hold, lease, due time and the destination's back-off, as of now.
 * A unit may be shown straight from the index, without a plan entry; then its
 * stored due time and key speak for it.
 */
#include "common/base/ipaddr.h"
#include "common/mail/envelope.h"
#include "queued/ctl_private.h"

/* ---- states ---- */

/* Held wins over leased: a held message may still have an attempt under way.
 * Due but not leased counts as active: only its turn is missing. */
enum select_state
ctl_unit_state(const struct queued *q, const struct store_unit *unit)
{
	const struct plan_unit *pu = unit->plan;
	bool is_later = unit->due_at > queued_wall(q);
	int64_t blocked;

	if (unit->message->is_held)
		return SELECT_HELD;
	if (pu != NULL && plan_unit_state(pu) == PLAN_LEASED)
		return SELECT_ACTIVE;
	if (pu != NULL)
		is_later = plan_unit_due(pu) > queued_now(q);
	blocked = pu != NULL ? plan_unit_blocked_until(pu) :
	    plan_blocked_until(q->plan, unit->key);
	return is_later || blocked > queued_now(q) ? SELECT_DEFERRED :
	    SELECT_ACTIVE;
}

/* Active as soon as one of its units is. */
enum select_state
ctl_message_state(const struct queued *q, struct store_unit *const *units)
{
	enum select_state state = SELECT_DEFERRED;

	for (size_t i = 0; units[i] != NULL; i++) {
		state = ctl_unit_state(q, units[i]);
		if (state != SELECT_DEFERRED)
			break;
	}
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
static uint8_t
recipient_state(const struct queued *q, const struct store_unit *unit,
    const struct store_recipient *r)
{
	if (!r->is_settled)
		return wire_state(ctl_unit_state(q, unit));
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

static void
put_recipient(const struct queued *q, const struct store_unit *unit,
    const struct store_recipient *r, struct buf *out)
{
	struct msg_ctl_recipient m = { .address = r->address };

	m.state = recipient_state(q, unit, r);
	m.tries = unit->tries;
	m.due_at = unit_due(q, unit);
	m.last_at = unit->last_at;
	m.code = r->code;
	m.host = r->host;
	m.text = r->text;
	if (!r->is_settled && r->text.n == 0)	/* its turn never came */
		m.text = plan_blocked_why(q->plan, unit_key(unit));
	msg_put_ctl_recipient(out, &m);
}

/* At most MAX over all units; gives how many. */
static uint32_t
put_recipients(const struct queued *q, struct store_unit *const *units,
    uint32_t max, struct buf *out)
{
	uint32_t n = 0;

	for (size_t i = 0; units[i] != NULL; i++)
		for (uint32_t r = 0; r < units[i]->count && n < max; r++) {
			put_recipient(q, units[i], &units[i]->recipients[r],
			    out);
			n++;
		}
	return n;
}

/* Of all units: the earliest next time, the most tries. */
static void
summarise(const struct queued *q, struct store_unit *const *units,
    struct msg_ctl_row *row)
{
	row->due_at = UINT64_MAX;
	for (size_t i = 0; units[i] != NULL; i++) {
		uint64_t due = unit_due(q, units[i]);

		if (due < row->due_at)
			row->due_at = due;
		if (units[i]->tries > row->tries)
			row->tries = units[i]->tries;
	}
}

/* Empty for mail that came from no address: our own. */
static void
format_client(struct span bytes, char out[IPADDR_TEXT_SIZE])
{
	struct ipaddr address;

	if (bytes.n != 4 && bytes.n != 16)
		return;
	address = bytes.n == 4 ? ipaddr_v4(bytes.p) : ipaddr_v6(bytes.p);
	ipaddr_format(&address, out);
}

/* UNITS are borrowed from a walk: nothing here may change the store. */
void
ctl_send_row(struct ctl_session *s, const struct store_message *m,
    struct store_unit *const *units, uint32_t recipients_max)
{
	const struct conf *conf = s->q->conf;
	char client[IPADDR_TEXT_SIZE] = "";
	struct msg msg = { .type = MSG_ctl_row };
	struct msg_ctl_row *row = &msg.ctl_row;
	struct envelope envelope;

	if (envelope_check(m->envelope, &envelope) != OK)
		return;
	format_client(envelope.client, client);
	buf_reset(&s->rows);
	row->id = m->id;
	row->state = wire_state(ctl_message_state(s->q, units));
	row->sender = m->sender;
	row->size = store_message_size(m);
	row->arrived_at = m->arrived_at;
	summarise(s->q, units, row);
	row->expires_at = m->arrived_at + (uint64_t)(m->is_report ?
	    conf->queue.report_expire_ms : conf->queue.expire_ms);
	row->total = m->recipients;
	row->left = m->left;
	row->client = span_str(client);
	row->helo = span_sub(envelope.helo, 0, 256);
	row->recipients.n =
	    put_recipients(s->q, units, recipients_max, &s->rows);
	row->recipients.bytes = buf_span(&s->rows);
	ctl_send(s, &msg);
}
