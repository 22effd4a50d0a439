/*
 * An answer of "done" is a promise: what is held is not given out, what was
 * deleted and not just being tried is gone.  Between question and answer, and
 * when no answer comes, either is right.
 */
#include "tests/sim/sim_operator.h"

#include "common/base/check.h"
#include "common/mail/queue_id.h"
#include "queued/plan/plan.h"
#include "queued/service.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_deliverd.h"
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_world.h"

#include <stdio.h>

static struct {
	struct channel *c;
	uint8_t verb;
	uint32_t number;	/* of the message, unless … */
	bool is_all;
	bool is_waiting;
	uint8_t clean_up;	/* steps of it that are done */
} operator;

/* Whether all mail is suspended. */
static struct {
	bool is_asked;		/* a question about it is open */
	bool is_sure;		/* the answer said so, … */
	bool is_quiet;		/* … and nothing was under way since */
	bool may_be;		/* it was asked for */
	bool may_return;	/* that it ended could not be written */
	struct sim_moment until;	/* it may have been until then */
} stop;

void
sim_operator_new(void)
{
	memset(&operator, 0, sizeof(operator));
	memset(&stop, 0, sizeof(stop));
}

void
sim_operator_free(void)
{
	sim_channel_free(&operator.c);
}

void
sim_operator_alone(bool is_power_cut)
{
	while (!is_power_cut && sim_operator_hear())
		;
	sim_channel_free(&operator.c);
	operator.is_waiting = stop.is_asked = false;
	stop.may_be |= stop.may_return;
}

bool
sim_operator_is_waiting(void)
{
	return operator.is_waiting;
}

/* ---- asking ---- */

static void
begin_delete(const struct sim_mail *m, struct sim_rcpt *r)
{
	r->may_vanish = true;
	r->was_out = r->unconfirmed > 0 || sim_deliverd_will_get(m, r);
}

/* From here on, until the answer, nothing is promised any more. */
static void
begin(void)
{
	for (uint32_t i = 0; i < mails.n; i++) {
		struct sim_mail *m = mails.v[i];

		m->is_meant = (operator.is_all || i == operator.number) &&
		    m->fate == SIM_KEPT;
		if (!operator.is_all && !m->is_meant)
			continue;
		if (operator.verb == CTL_RELEASE)
			m->is_held = false;
		if (operator.verb != CTL_DELETE)
			continue;
		m->has_vanished_report |= operator.is_all;
		for (uint32_t k = 0; k < m->rcpt_count; k++)
			begin_delete(m, &m->rcpts[k]);
	}
}

static void
ask(enum ctl_verb verb, const char *selection)
{
	struct msg m = { .type = MSG_ctl_queue };

	sim_trace("operator: %d %s", verb, selection);
	operator.verb = (uint8_t)verb;
	operator.is_waiting = true;
	m.ctl_queue.verb = (uint8_t)verb;
	m.ctl_queue.selection = span_str(selection);
	sim_channel_put(operator.c, &m);
	begin();
}

/* From here on, until the answer, either is right. */
static void
ask_dest(enum ctl_dest_verb verb)
{
	struct msg m = { .type = MSG_ctl_dest };

	sim_trace("operator: %s all", verb == CTL_DEST_SUSPEND ? "suspend" :
	    "resume");
	operator.verb = (uint8_t)verb;
	operator.is_waiting = stop.is_asked = true;
	m.ctl_dest.verb = (uint8_t)verb;
	m.ctl_dest.name = SPAN_LIT("*");
	sim_channel_put(operator.c, &m);
	stop.is_sure = false;
	stop.may_be = true;
}

static bool
connect(void)
{
	if (world.q == NULL || operator.is_waiting)
		return false;
	if (operator.c == NULL)
		operator.c = world_connect();
	return operator.c != NULL;
}

static const struct sim_mail *
choose(void)
{
	const struct sim_mail *m;

	if (mails.n == 0)
		return NULL;
	m = mails.v[sim_below(mails.n)];
	for (int n = 0; n < 4 && m->rcpts[0].leases == 0; n++)
		m = mails.v[sim_below(mails.n)];
	return m->fate == SIM_KEPT && m->id != 0 ? m : NULL;
}

static void
ask_all(enum ctl_verb verb, const char *selection)
{
	operator.is_all = true;
	ask(verb, selection);
}

static void
ask_one(enum ctl_verb verb, const struct sim_mail *m)
{
	char selection[32 + QUEUE_ID_SIZE + SIM_ADDRESS] = "id:";

	queue_id_format(m->id, selection + 3);
	/* all of its parts, and what is not begun; by looking at each message,
	 * for this index has no lists of ids by sender */
	if (m->is_list)
		(void)snprintf(selection, sizeof(selection),
		    "not (not from:%s)",
		    m->sender);
	operator.is_all = false;
	operator.number = m->number;
	ask(verb, selection);
}

/* All of them are deleted rarely: little would be left to look at. */
bool
sim_operator_ask(void)
{
	static const enum ctl_verb verbs[] = { CTL_HOLD, CTL_RELEASE,
		CTL_RETRY, CTL_DELETE, CTL_COUNT, CTL_LIST };
	const struct sim_mail *m = choose();
	enum ctl_verb verb = verbs[sim_below(COUNT_OF(verbs))];

	if (!connect())
		return false;
	if (sim_chance(stop.may_be ? 400 : 60))
		ask_dest(stop.may_be ? CTL_DEST_RESUME : CTL_DEST_SUSPEND);
	else if (verb == CTL_COUNT || verb == CTL_LIST ||
	    (verb != CTL_DELETE && sim_chance(300)) || sim_chance(5))
		ask_all(verb, "all");
	else if (m == NULL || (verb == CTL_DELETE && sim_chance(500)))
		return false;
	else
		ask_one(verb, m);
	return true;
}

/* First the held ones are let go, then the damaged ones are deleted. */
bool
sim_operator_clean_up(void)
{
	if (operator.is_waiting || !connect())
		return true;
	if (stop.may_be) {
		ask_dest(CTL_DEST_RESUME);
		return true;
	}
	if (operator.clean_up == 0) {
		ask_all(CTL_RELEASE, "all");
		operator.clean_up++;
		return true;
	}
	for (uint32_t i = operator.clean_up - 1; i < mails.n; i++) {
		if (!mails.v[i]->is_damaged)
			continue;
		operator.clean_up = (uint8_t)(i + 2);
		ask_one(CTL_DELETE, mails.v[i]);
		return true;
	}
	return false;
}

/* ---- answers ---- */

static void
note_done(uint64_t count)
{
	static const enum sim_count counts[CTL_VERB_COUNT] = {
		[CTL_HOLD] = SIM_HOLDS, [CTL_RELEASE] = SIM_RELEASES,
		[CTL_RETRY] = SIM_RETRIES,
	};

	if (count > 0 && counts[operator.verb] != 0)
		sim_note(counts[operator.verb]);
}

/* What no deliverd has now is gone for good; or, after a death of queued or a
 * power cut, when what was out of its unit is looked at. */
static void
done_delete(struct sim_mail *m)
{
	bool is_out = false;

	for (uint32_t k = 0; k < m->rcpt_count; k++)
		is_out |= m->rcpts[k].was_out || m->rcpts[k].unconfirmed > 0 ||
		    sim_deliverd_will_get(m, &m->rcpts[k]);
	for (uint32_t k = 0; k < m->rcpt_count; k++) {
		struct sim_rcpt *r = &m->rcpts[k];

		r->is_deleted |= r->unconfirmed == 0 && !r->may_repeat &&
		    !sim_deliverd_will_get(m, r);
		r->may_linger |= is_out;
	}
}

static void
done(uint64_t count, uint64_t order)
{
	note_done(count);
	/* leases that were sent before the answer */
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		while (sim_deliverd_hear(i))
			;
	for (uint32_t i = 0; i < mails.n; i++) {
		struct sim_mail *m = mails.v[i];

		if (!m->is_meant || m->is_report)
			continue;
		if (operator.verb == CTL_HOLD) {
			m->is_held = true;
			m->held_since = order;
		} else if (operator.verb == CTL_DELETE &&
		    (operator.is_all || count > 0)) {
			done_delete(m);
		}
	}
}

/* What can't be written may be forgotten by a restart. */
static void
done_dest(const struct msg_ctl_end *end)
{
	bool is_done = end->result == CTL_DONE, is_none =
	    span_starts_nocase(end->text, SPAN_LIT("nothing of"));

	stop.is_asked = false;
	stop.until = sim_clock_now();
	if (operator.verb == CTL_DEST_SUSPEND) {
		stop.is_sure = is_done;
		stop.is_quiet = false;
		if (stop.is_sure)
			sim_note(SIM_SUSPENDED);
	} else {
		stop.may_be = !is_done && !is_none;
		stop.may_return &= is_none;
		stop.may_return |= !is_done && !is_none;
	}
}

/* What the planner had given out before may wait for its note to be synced. */
void
sim_operator_look(void)
{
	stop.is_quiet |= world.q == NULL ||
	    plan_count(world.q->plan, PLAN_LEASED) == 0;
}

bool
sim_operator_has_stopped(void)
{
	return stop.is_sure && stop.is_quiet;
}

bool
sim_operator_stopped_for(const struct sim_mail *m)
{
	struct sim_moment until = stop.may_be || stop.may_return ?
	    sim_clock_now() : stop.until;

	return until.mono != 0 && sim_age_most(m->since, until) >=
	    sim_mail_life(m);
}

bool
sim_operator_hear(void)
{
	struct msg m;
	uint64_t order;

	if (operator.c == NULL || !sim_channel_take(operator.c, &m, &order))
		return false;
	if (m.type != MSG_ctl_end)
		return true;
	operator.is_waiting = false;
	if (stop.is_asked)
		done_dest(&m.ctl_end);
	else if (m.ctl_end.result == CTL_DONE)
		done(m.ctl_end.count, order);
	else if (m.ctl_end.result != CTL_FAILED)
		sim_broken("I-10", "the operator is answered %u",
		    m.ctl_end.result);
	return true;
}

bool
sim_operator_speak(void)
{
	return operator.c != NULL && world.q != NULL &&
	    sim_channel_feed(operator.c);
}
