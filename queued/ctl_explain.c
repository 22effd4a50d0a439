/*
 * `message explain`: what keeps each recipient of a queued message now, until
 * when, and what comes next.  Asked of the planner and the store as they are
 * this moment; nothing of it is stored.
 */
#include "common/base/mtime.h"
#include "queued/ctl_dest.h"
#include "queued/ctl_history.h"
#include "queued/lease.h"
#include "queued/lease_doubt.h"
#include "queued/plan/plan_look.h"
#include "queued/residence.h"
#include "queued/shaping.h"
#include "queued/spool_time.h"
#include "queued/times.h"

/* ---- what keeps it ---- */

struct block {
	uint8_t kind;			/* enum block_kind */
	int64_t until;			/* a moment of the planner; 0: none */
};

static uint32_t
workers(const struct queued *q)
{
	uint32_t n = 0;

	for (size_t i = 0; i < QUEUED_WORKERS_MAX; i++)
		n += q->deliverds[i].channel != NULL &&
		    q->deliverds[i].is_presented ? 1 : 0;
	return n;
}

static struct span
key_of(const struct store_unit *unit)
{
	return unit->plan != NULL ? plan_unit_key(unit->plan) : unit->key;
}

/* What suspends its destination or its route. */
static bool
find_stop(struct queued *q, const struct store_unit *unit,
    struct shape_stop *out)
{
	const struct route route = residence_route(q, unit);

	return shaping_stop_of(q, key_of(unit), route.index, out);
}

static int64_t
moment_of(const struct queued *q, int64_t until)
{
	return until == 0 ? PLAN_NEVER : mtime_add(queued_now(q),
	    mtime_sub(until, (int64_t)queued_wall(q)));
}

/* Of a unit that the planner does not have: it is in the index, and comes in
 * by its time. */
static struct block
block_of_absent(struct queued *q, const struct store_unit *unit)
{
	int64_t until = plan_blocked_until(q->plan, unit->key);
	struct shape_stop stop;

	if (find_stop(q, unit, &stop))
		return (struct block){ BLOCK_SUSPENDED,
		    moment_of(q, stop.until) };
	if (until > queued_now(q))
		return (struct block){ BLOCK_BACK_OFF, until };
	if (unit->due_at > queued_wall(q))
		return (struct block){ BLOCK_TIME,
		    times_plan(q, unit->message, unit->due_at) };
	return (struct block){ .kind = BLOCK_NONE };
}

/* The planner's words are those of the protocol. */
static struct block
block_of_present(const struct queued *q, const struct plan_unit *pu)
{
	struct block block = { .until = 0 };

	_Static_assert((int)BLOCK_LEASED == (int)PLAN_BLOCK_LEASED &&
	    (int)BLOCK_BACK_OFF == (int)PLAN_BLOCK_BACK_OFF &&
	    (int)BLOCK_SCARCE == (int)PLAN_BLOCK_SCARCE, "one order");
	block.kind = (uint8_t)plan_unit_block(q->plan, pu, queued_now(q),
	    &block.until);
	if (block.kind == BLOCK_NONE)
		block.until = 0;
	if (block.kind == (uint8_t)PLAN_BLOCK_STOPPED)
		block.kind = BLOCK_SUSPENDED;
	return block;
}

/* What is about the message or all of us comes first: the rest has no effect
 * then. */
static struct block
block_of(struct queued *q, const struct store_unit *unit)
{
	const struct plan_unit *pu = unit->plan;
	bool is_leased = pu != NULL && plan_unit_state(pu) == PLAN_LEASED;
	struct block block;

	if (effects_has_message(&q->on_synced, unit->message->id))
		return (struct block){ .kind = BLOCK_UNSYNCED };
	if (unit->message->is_held && !is_leased)
		return (struct block){ .kind = BLOCK_HELD };
	block = pu != NULL ? block_of_present(q, pu) :
	    block_of_absent(q, unit);
	if (block.kind == BLOCK_TIME && unit->tries == 0 &&
	    times_released(unit->message) > queued_wall(q))
		block.kind = BLOCK_RELEASE;
	if (block.kind != BLOCK_NONE)
		return block;
	if (lease_is_waiting(q))
		block.kind = BLOCK_STARTING;
	else if (workers(q) == 0)
		block.kind = BLOCK_NO_WORKER;
	return block;
}

/* ---- telling ---- */

static uint64_t
wall_of(const struct queued *q, int64_t moment)
{
	int64_t wait = moment - queued_now(q);

	if (moment == 0 || moment == PLAN_NEVER)
		return 0;
	return spool_time_shown(q, queued_wall(q) +
	    (wait > 0 ? (uint64_t)wait : 0));
}

/* Its own time or that of what keeps it, whichever is later; 0: at once, or
 * when somebody does something. */
static uint64_t
next_at(const struct queued *q, const struct store_unit *unit,
    const struct block *block)
{
	uint64_t until = wall_of(q, block->until);
	uint64_t due = spool_time_shown(q, unit->due_at);

	if (block->kind == BLOCK_HELD)
		return 0;
	if (block->kind == BLOCK_SUSPENDED)
		return until;
	return until > due ? until :
	    unit->due_at > queued_wall(q) ? due : until;
}

/* What is known of its destination. */
static void
put_destination(const struct queued *q, struct span key,
    struct msg_ctl_why *out)
{
	struct plan_dest_view dest;
	uint64_t ago;

	if (!plan_dest_look(q->plan, key, &dest))
		return;
	out->reason = span_sub(dest.why, 0, 1024);
	out->ahead = dest.ready;
	if (dest.failures == 0)
		return;
	ago = (uint64_t)(queued_now(q) - dest.failed_at);
	if (ago < queued_wall(q))
		out->since_at = spool_time_shown(q, queued_wall(q) - ago);
}

static void
send_why(struct ctl_session *s, const struct store_unit *unit,
    const struct block *block, const struct store_recipient *r)
{
	struct queued *q = s->q;
	struct msg m = { .type = MSG_ctl_why };
	struct span key = key_of(unit);
	char why[CTL_DEST_WHY_SIZE];
	struct shape_stop stop;

	m.ctl_why.address = span_sub(r->address, 0, 1024);
	m.ctl_why.state = ctl_recipient_state(ctl_unit_state(q, unit), r);
	m.ctl_why.block = r->is_settled ? BLOCK_SETTLED : block->kind;
	m.ctl_why.until_at = wall_of(q, block->until);
	m.ctl_why.next_at = next_at(q, unit, block);
	m.ctl_why.tries = unit->tries;
	m.ctl_why.last_at = unit->last_at;
	m.ctl_why.code = r->code;
	m.ctl_why.host = span_sub(r->host, 0, 1024);
	m.ctl_why.text = span_sub(r->text, 0, 4096);
	m.ctl_why.destination = span_sub(key, 0, 2048);
	put_destination(q, key, &m.ctl_why);
	if (block->kind == BLOCK_SUSPENDED && find_stop(q, unit, &stop)) {
		m.ctl_why.reason = ctl_dest_why(&stop, why);
		m.ctl_why.since_at = spool_time_shown(q,
		    (uint64_t)stop.since);
	}
	m.ctl_why.is_in_doubt = r->outcome == OUTCOME_IN_DOUBT;
	ctl_send(s, &m);
}

/* The delay is told once, and not of a report or to nobody. */
static uint64_t
warn_at(struct queued *q, const struct store_unit *unit)
{
	const struct store_message *m = unit->message;
	int64_t warn = residence_policy(q, unit)->warn_ms;

	if (warn == 0 || m->is_warned || m->is_report || m->sender.n == 0)
		return 0;
	return spool_time_shown(q, times_released(m) + (uint64_t)warn);
}

static bool
explain(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct ctl_session *s = ctx;
	struct msg msg = { .type = MSG_ctl_state };

	msg.ctl_state.id = m->id;
	msg.ctl_state.sender = span_sub(m->sender, 0, 1024);
	msg.ctl_state.size = store_message_size(m);
	msg.ctl_state.arrived_at = spool_time_shown(s->q, m->arrived_at);
	if (units[0] != NULL) {		/* by the route of the first */
		msg.ctl_state.expires_at = spool_time_shown(s->q,
		    times_end(s->q, units[0]));
		msg.ctl_state.warn_at = warn_at(s->q, units[0]);
	}
	msg.ctl_state.is_warned = m->is_warned;
	msg.ctl_state.is_held = m->is_held;
	msg.ctl_state.is_quarantined = m->is_quarantined;
	msg.ctl_state.is_report = m->is_report;
	msg.ctl_state.total = m->recipients;
	msg.ctl_state.left = m->left;
	msg.ctl_state.workers = workers(s->q);
	ctl_send(s, &msg);
	for (size_t i = 0; units[i] != NULL; i++) {
		struct block block = block_of(s->q, units[i]);

		for (uint32_t r = 0; r < units[i]->count; r++)
			send_why(s, units[i], &block,
			    &units[i]->recipients[r]);
	}
	return true;
}

static bool
explain_queued(struct ctl_session *s, uint64_t id)
{
	return store_show(s->q->store, id, explain, s) == OK;
}

/* From a step of the history: it ends itself. */
static bool
on_found(struct ctl_session *s, uint64_t id)
{
	return explain_queued(s, id);
}

void
ctl_explain_begin(struct ctl_session *s, uint64_t low, uint64_t high)
{
	if (low == high && explain_queued(s, low))
		ctl_end(s, CTL_DONE, 1, SPAN_NONE);
	else
		ctl_history_begin(s, low, high, on_found);
}
