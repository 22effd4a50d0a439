/*
 * What the next hop took is written down in the accounts at the moment it takes
 * it; what queued hears of it comes later, or never.
 */
#include "tests/sim/sim_lease.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_hops.h"

void
sim_lease_let_go(struct lease *l)
{
	for (uint32_t i = 0; i < l->n && l->stage != TOLD; i++)
		l->rcpts[i]->leases--;
}

static void
fetch(struct deliverd *d, struct lease *l)
{
	struct msg m = { .type = MSG_content_want };

	m.content_want.lease = l->lease;
	m.content_want.offset = l->content.n;
	m.content_want.bytes = 1 + (uint32_t)sim_below(100000);
	sim_channel_put(d->c, &m);
	sim_note(SIM_CONTENT_ASKED);
	l->stage = WAITING;
}

void
sim_lease_content(struct lease *l, const struct msg_content *m)
{
	if (l->stage != WAITING || m->offset != l->content.n)
		return;
	buf_add_span(&l->content, m->bytes);
	l->is_read_failed = m->is_failed != 0;
	l->stage = l->content.n < l->size && !l->is_read_failed ?
	    FETCHING : READY;
}

/* Before the next hop takes anything, or it never heard of it. */
static bool
ends_early(struct lease *l)
{
	uint8_t outcome = OUTCOME_UNTRIED;

	if (l->is_read_failed) {
		outcome = OUTCOME_DEFERRED;
		l->code = 451;
	} else if (sim_hop_is_down(l->rcpts[0])) {
		outcome = OUTCOME_DEFERRED;
		l->scope = SCOPE_DESTINATION;
		sim_note(SIM_DESTINATION_DOWN);
	} else if (!sim_chance(50)) {
		return false;
	} else {
		sim_note(SIM_UNTRIED);
	}
	for (uint32_t i = 0; i < l->n; i++)
		l->outcomes[i] = outcome;
	return true;
}

/* A reply that was lost: the next hop may have it. */
static void
lose_reply(struct lease *l, struct sim_rcpt *r)
{
	sim_note(SIM_IN_DOUBT);
	if (!sim_chance(500))
		return;
	sim_mail_delivered(l->mail, r);
	sim_rcpt_excuse(r);
}

static void
try(struct lease *l)
{
	bool is_mixed = false;

	l->stage = TRIED;
	l->scope = SCOPE_RECIPIENTS;
	if (ends_early(l))
		return;
	sim_mail_check_content(l->mail, buf_span(&l->content));
	for (uint32_t i = 0; i < l->n; i++) {
		l->outcomes[i] = sim_hop_outcome(l->rcpts[i]);
		is_mixed |= l->outcomes[i] != l->outcomes[0];
		if (l->outcomes[i] == OUTCOME_DELIVERED)
			sim_mail_delivered(l->mail, l->rcpts[i]);
		else if (l->outcomes[i] == OUTCOME_IN_DOUBT)
			lose_reply(l, l->rcpts[i]);
		else
			sim_note(l->outcomes[i] == OUTCOME_FAILED ?
			    SIM_FAILED : SIM_DEFERRED);
	}
	/* it would rather have less, or it broke off */
	l->code = l->outcomes[0] == OUTCOME_IN_DOUBT ? 0 :
	    l->outcomes[0] == OUTCOME_DEFERRED && sim_chance(500) ? 421 : 250;
	if (is_mixed)
		sim_note(SIM_MIXTURES);
}

static void
put_result(struct buf *out, const struct lease *l, uint32_t first,
    uint32_t last)
{
	static const uint16_t codes[] = { 250, 450, 550, 0, 0 };
	static const char *const statuses[] = { "2.0.0", "4.2.1", "5.1.1",
		"4.0.0", "4.4.2" };
	uint8_t outcome = l->outcomes[first];
	const struct msg_result r = {
		.first = first, .last = last, .outcome = outcome,
		.code = codes[outcome],
		.status = span_str(statuses[outcome]),
		.text = SPAN_LIT("so it said"),
	};

	msg_put_result(out, &r);
}

static void
put_attempt(struct buf *out, const struct lease *l)
{
	const struct msg_attempt a = {
		.host = SPAN_LIT("mx.sim"), .address = SPAN_LIT("192.0.2.1:25"),
		.stage = STAGE_FINAL, .begun_at = (uint64_t)sim.wall_ms,
		.duration_ms = 5, .code = l->code,
	};

	msg_put_attempt(out, &a);
}

/* Recipients next to each other that fared the same share a result. */
void
sim_lease_tell_again(struct deliverd *d, const struct lease *l)
{
	struct msg m = { .type = MSG_verdict };
	struct buf results, attempts;
	uint32_t first = 0;

	buf_init(&results, 1 << 20);
	buf_init(&attempts, 1 << 16);
	for (uint32_t i = 1; i <= l->n; i++) {
		if (i < l->n && l->outcomes[i] == l->outcomes[first])
			continue;
		put_result(&results, l, first, i - 1);
		m.verdict.results.n++;
		first = i;
	}
	put_attempt(&attempts, l);
	m.verdict.lease = l->lease;
	m.verdict.id = l->id;
	m.verdict.unit = l->unit;
	m.verdict.scope = l->scope;
	m.verdict.attempts.n = 1;
	m.verdict.attempts.bytes = buf_span(&attempts);
	m.verdict.results.bytes = buf_span(&results);
	sim_channel_put(d->c, &m);
	buf_clear(&results);
	buf_clear(&attempts);
}

static void
tell(struct deliverd *d, struct lease *l)
{
	sim_lease_tell_again(d, l);
	sim_lease_let_go(l);
	l->stage = TOLD;
	for (uint32_t i = 0; i < l->n; i++) {
		l->rcpts[i]->is_told_done |=
		    l->outcomes[i] == OUTCOME_DELIVERED;
		if (l->outcomes[i] != OUTCOME_FAILED)
			continue;
		l->rcpts[i]->is_told_failed = true;
		if (l->rcpts[i]->notify == ENVELOPE_NOTIFY_NEVER)
			sim_note(SIM_NEVER_FAILED);
	}
}

bool
sim_lease_go_on(struct deliverd *d, struct lease *l)
{
	switch (l->stage) {
	case FETCHING:
		fetch(d, l);
		return true;
	case READY:
		try(l);
		return true;
	case TRIED:
		tell(d, l);
		return true;
	case TOLD:
		if (!sim_chance(30))
			return false;
		sim_note(SIM_DOUBLE_VERDICTS);
		sim_lease_tell_again(d, l);
		return true;
	default:
		return false;
	}
}
