/*
 * A deliverd has leases and goes with each through: fetching the content, the
 * dialogue with the next hop, telling what came of it, being confirmed.  What
 * the next hop took is written down in the accounts at the moment it takes it;
 * what queued hears of it comes later, or never.
 */
#include "tests/sim/sim_deliverd.h"

#include "common/base/check.h"
#include "common/base/wire.h"
#include "queued/service.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_hops.h"
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_world.h"

#include <stdlib.h>

enum stage { FETCHING, WAITING, READY, TRIED, TOLD };

struct lease {
	struct lease *next;
	enum stage stage;
	uint64_t lease, id, size;
	uint32_t unit;
	struct buf rows, content;
	struct sim_mail *mail;
	struct sim_rcpt *rcpts[SIM_RCPTS];
	uint32_t n;
	uint8_t outcomes[SIM_RCPTS];
	uint8_t scope;
	uint16_t code;			/* of the attempt */
	bool is_read_failed;
	struct sim_moment told;		/* queued read its verdict; mono 0 */
};

static struct deliverd {
	struct channel *c;
	uint64_t instance;
	struct lease *leases;
	bool has_presented;
} deliverds[SIM_WORKERS];

/* Whose verdict queued is reading now, or of whose death it hears. */
static const struct lease *telling;
static const struct deliverd *dying;
static bool was_confirmed;

/* ---- leases ---- */

/* Told of, its recipients may be leased again, even before the confirmation
 * comes. */
static void
let_go(struct lease *l)
{
	for (uint32_t i = 0; i < l->n && l->stage != TOLD; i++)
		l->rcpts[i]->leases--;
}

static void
lease_free(struct lease *l)
{
	let_go(l);
	for (uint32_t i = 0; i < l->n; i++)
		l->rcpts[i]->unconfirmed--;
	buf_clear(&l->rows);
	buf_clear(&l->content);
	free(l);
}

static void
leases_clear(struct deliverd *d)
{
	struct lease *l;

	while ((l = d->leases) != NULL) {
		d->leases = l->next;
		lease_free(l);
	}
}

void
sim_deliverds_new(void)
{
	telling = NULL;
	dying = NULL;
	was_confirmed = false;
	sim_hops_new();
	for (uint64_t i = 0; i < SIM_WORKERS; i++)
		deliverds[i] = (struct deliverd){ .instance = 1 + i };
}

void
sim_deliverds_free(void)
{
	sim_hops_free();
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		leases_clear(&deliverds[i]);
		sim_channel_free(&deliverds[i].c);
	}
}

unsigned
sim_deliverd_leases(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SIM_WORKERS; i++)
		for (struct lease *l = deliverds[i].leases; l != NULL;
		    l = l->next)
			n++;
	return n;
}

void
sim_deliverd_dump(void)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		for (struct lease *l = deliverds[i].leases; l != NULL;
		    l = l->next)
			sim_trace("deliverd %u has lease %jx of message %u, "
			    "stage %d%s", i, (uintmax_t)l->lease,
			    l->mail->number, (int)l->stage,
			    deliverds[i].c == NULL ? ", alone" : "");
}

/* Of a report, whose address says nothing, the id does. */
static struct sim_mail *
find_mail(const struct msg_lease *m, struct span address,
    struct sim_rcpt **rcpt, bool is_report)
{
	struct sim_mail *mail = sim_mail_by_rcpt(address, rcpt);

	if (!is_report)
		return mail;
	mail = sim_mail_by_id(m->id);
	if (mail == NULL)
		mail = sim_mail_report(m->id, address, m->content);
	*rcpt = &mail->rcpts[0];
	return mail;
}

static void
check_lease(const struct sim_mail *m, uint64_t order)
{
	if (m->fate == SIM_TURNED_AWAY)
		sim_broken("I-01", "message %u was refused, and is leased",
		    m->number);
	if (m->is_held && order > m->held_since)
		sim_broken("I-10", "message %u is held, and leased",
		    m->number);
}

static void
check_rcpt(const struct sim_rcpt *r, uint64_t order)
{
	if (r->is_settled && order > r->settled_order)
		sim_broken("I-02", "%s is settled, and leased again",
		    r->address);
	if (r->is_deleted)
		sim_broken("I-02", "%s was deleted, and leased", r->address);
	if (r->leases > 0 && !r->may_repeat)
		sim_broken("I-03", "%s is leased twice", r->address);
}

static void
take_rcpts(struct lease *l, const struct msg_lease *m, uint64_t order)
{
	struct envelope e;
	struct envelope_iter it;
	struct envelope_rcpt rcpt;

	MUST(envelope_check(m->envelope, &e) == OK);
	envelope_iter_init(&e, &it);
	while (envelope_iter_next(&it, &rcpt) && l->n < SIM_RCPTS) {
		struct sim_rcpt *r = NULL;

		l->mail = find_mail(m, rcpt.address, &r,
		    (e.flags & ENVELOPE_REPORT) != 0);
		if (l->mail == NULL) {
			sim_broken("I-02", "a lease for nobody we know");
			return;
		}
		check_rcpt(r, order);
		r->leases++;
		r->leased_at = sim.mono_ms;
		r->awaits_mark = false;
		r->unconfirmed++;
		l->rcpts[l->n++] = r;
	}
	if (!span_equal(e.sender, span_str(l->mail->sender)))
		sim_broken("I-09", "message %u: another sender",
		    l->mail->number);
}

/* Kept apart from its envelope: only a part of a unit, or all of it. */
static void
on_lease(struct deliverd *d, const struct msg_lease *m, uint64_t order)
{
	struct lease *l = calloc(1, sizeof(*l));

	MUST(l != NULL);
	l->lease = m->lease;
	l->id = m->id;
	l->unit = m->unit;
	l->size = m->size;
	buf_init(&l->rows, 8192);
	buf_init(&l->content, 1 << 24);
	buf_add_span(&l->rows, m->rows);
	buf_add_span(&l->content, m->content);
	l->next = d->leases;
	d->leases = l;
	sim_note(SIM_LEASES);
	take_rcpts(l, m, order);
	if (l->mail == NULL)
		return;
	if (l->mail->id == 0)
		l->mail->id = m->id;	/* its smtpd does not know yet */
	else if (l->mail->id != m->id)
		sim_broken("I-02", "message %u has two ids", l->mail->number);
	if (l->n < l->mail->rcpt_count)
		sim_note(SIM_SPLIT_LEASES);
	check_lease(l->mail, order);
	l->stage = l->content.n < l->size ? FETCHING : READY;
	sim_trace("lease %jx: message %u, %u recipients",
	    (uintmax_t)l->lease, l->mail->number, l->n);
}

/* ---- going on ---- */

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

static void
on_content(struct lease *l, const struct msg_content *m)
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
static void
send_verdict(struct deliverd *d, const struct lease *l)
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
	send_verdict(d, l);
	let_go(l);
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

static bool
go_on(struct deliverd *d, struct lease *l)
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
		send_verdict(d, l);
		return true;
	default:
		return false;
	}
}

bool
sim_deliverd_work(unsigned i)
{
	struct deliverd *d = &deliverds[i];
	struct lease *l = d->leases;
	unsigned n = 0;

	if (d->c == NULL)
		return false;
	for (; l != NULL; l = l->next)
		n++;
	if (n == 0)
		return false;
	l = d->leases;
	for (uint64_t skip = sim_below(n); skip > 0; skip--)
		l = l->next;
	/* else the first that can go on */
	if (go_on(d, l))
		return true;
	for (l = d->leases; l != NULL; l = l->next)
		if (go_on(d, l))
			return true;
	return false;
}

/* ---- what it hears ---- */

static struct lease **
find(struct deliverd *d, uint64_t lease)
{
	struct lease **at = &d->leases;

	while (*at != NULL && (*at)->lease != lease)
		at = &(*at)->next;
	return at;
}

/* Whoever is too old is not tried again. */
static void
check_age(const struct lease *l, uint32_t i)
{
	if (l->outcomes[i] != OUTCOME_DEFERRED &&
	    l->outcomes[i] != OUTCOME_IN_DOUBT)
		return;
	if (l->mail->kept.mono != 0 && l->told.mono >= l->mail->kept.mono &&
	    sim_age_least(l->mail->kept, l->told) >= sim_mail_life(l->mail) &&
	    !sim_rcpt_is_over(l->mail, l->rcpts[i]))
		sim_broken("I-02", "%s is too old, and tried again",
		    l->rcpts[i]->address);
}

static void
on_confirm(struct deliverd *d, uint64_t lease, uint64_t order)
{
	struct lease **at = find(d, lease);
	struct lease *l = *at;

	if (l == NULL)
		return;
	if (l->stage != TOLD)
		sim_broken("I-03", "a lease is confirmed that was not told");
	for (uint32_t i = 0; i < l->n; i++) {
		check_age(l, i);
		if (l->outcomes[i] != OUTCOME_DELIVERED &&
		    l->outcomes[i] != OUTCOME_FAILED)
			continue;
		l->rcpts[i]->is_settled = true;
		l->rcpts[i]->settled_at = sim.mono_ms;
		l->rcpts[i]->settled_order = order;
	}
	*at = l->next;
	lease_free(l);
	was_confirmed = true;
}

bool
sim_deliverd_was_confirmed(void)
{
	bool was = was_confirmed;

	was_confirmed = false;
	return was;
}

bool
sim_deliverd_hear(unsigned i)
{
	struct deliverd *d = &deliverds[i];
	struct msg m;
	uint64_t order;

	if (d->c == NULL || !sim_channel_take(d->c, &m, &order))
		return false;
	if (m.type == MSG_lease)
		on_lease(d, &m.lease, order);
	else if (m.type == MSG_confirm)
		on_confirm(d, m.confirm.lease, order);
	else if (m.type == MSG_content && *find(d, m.content.lease) != NULL)
		on_content(*find(d, m.content.lease), &m.content);
	return true;
}

/* That of its destination as a whole; or, when it is asked how it is, that it
 * breaks off. */
static bool
is_failure(const struct lease *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->outcomes[i] != OUTCOME_DEFERRED &&
		    l->outcomes[i] != OUTCOME_IN_DOUBT)
			return false;
	return l->scope == SCOPE_DESTINATION || l->code == 421 || l->code == 0;
}

bool
sim_deliverd_speak(unsigned i)
{
	struct deliverd *d = &deliverds[i];
	struct lease *l = NULL;
	struct msg m;
	bool has_spoken;

	if (d->c == NULL || world.q == NULL)
		return false;
	if (sim_channel_peek(d->c, &m) && m.type == MSG_verdict)
		l = *find(d, m.verdict.lease);
	if (l != NULL && l->told.mono == 0)
		l->told = sim_clock_now();
	if (l != NULL && is_failure(l))
		sim_hop_failed(l->mail, l->rcpts[0]);
	telling = l;
	has_spoken = sim_channel_feed(d->c);
	telling = NULL;
	return has_spoken;
}

static bool
has_rcpt(const struct lease *l, const struct sim_rcpt *r)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->rcpts[i] == r)
			return true;
	return false;
}

/* Given out, and not read before it died: queued can't know that. */
static bool
is_on_the_way(const struct channel *c, const struct sim_mail *mail,
    const struct sim_rcpt *r)
{
	for (size_t i = c->out.first; i < c->out.n; i++) {
		struct envelope_rcpt rcpt;
		struct envelope_iter it;
		struct envelope e;
		struct msg m;

		if (c->out.v[i].type != MSG_lease)
			continue;
		MUST(msg_decode(MSG_lease, buf_span(&c->out.v[i].fields),
		    &m) == OK);
		/* a report's address says nothing */
		if (mail->is_report && m.lease.id != mail->id)
			continue;
		MUST(envelope_check(m.lease.envelope, &e) == OK);
		envelope_iter_init(&e, &it);
		while (envelope_iter_next(&it, &rcpt))
			if (span_equal(rcpt.address, span_str(r->address)))
				return true;
	}
	return false;
}

bool
sim_deliverd_will_get(const struct sim_mail *m, const struct sim_rcpt *r)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		if (deliverds[i].c != NULL &&
		    is_on_the_way(deliverds[i].c, m, r))
			return true;
	return false;
}

bool
sim_deliverd_tells_of(const struct sim_mail *m, const struct sim_rcpt *r)
{
	if (telling != NULL && has_rcpt(telling, r))
		return true;
	if (dying == NULL)
		return false;
	for (const struct lease *l = dying->leases; l != NULL; l = l->next)
		if (has_rcpt(l, r))
			return true;
	return is_on_the_way(dying->c, m, r);
}

/* ---- deaths ---- */

bool
sim_deliverd_is_connected(unsigned i)
{
	return deliverds[i].c != NULL;
}

static void
present(struct deliverd *d, const struct lease *l)
{
	struct msg m = { .type = MSG_held };

	m.held.lease = l->lease;
	m.held.id = l->id;
	m.held.unit = l->unit;
	m.held.rows = buf_span(&l->rows);
	sim_channel_put(d->c, &m);
	sim_note(SIM_HELD_PRESENTED);
}

void
sim_deliverd_connect(unsigned i)
{
	struct deliverd *d = &deliverds[i];
	struct msg done = { .type = MSG_presented };

	d->c = sim_channel_new(ROLE_DELIVERD, (uint16_t)i, d->instance);
	service_ops.on_peer(world.q, world.proc, d->c);
	for (struct lease *l = d->leases; l != NULL; l = l->next)
		present(d, l);
	for (struct lease *l = d->leases; l != NULL; l = l->next) {
		if (l->stage == WAITING)
			l->stage = FETCHING;
		if (l->stage == TOLD)
			send_verdict(d, l);
	}
	done.presented.is_new = !d->has_presented;
	d->has_presented = true;
	sim_channel_put(d->c, &done);
}

/* What its next hops took, and queued does not know for sure; or, when it is
 * late, what two may be at. */
static void
doubt(struct deliverd *d, bool is_late)
{
	for (struct lease *l = d->leases; l != NULL; l = l->next)
		for (uint32_t i = 0; i < l->n; i++) {
			struct sim_rcpt *r = l->rcpts[i];

			r->is_unmarked |= is_late;
			r->late += is_late ? 1 : 0;
			if (is_late || r->deliveries > 0)
				sim_rcpt_excuse(r);
		}
}

void
sim_deliverds_late(void)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		if (deliverds[i].c != NULL || deliverds[i].leases == NULL)
			continue;
		sim_note(SIM_LATE_DELIVERDS);
		doubt(&deliverds[i], true);
	}
}

void
sim_deliverds_alone(bool is_power_cut)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		while (!is_power_cut && sim_deliverd_hear(i))
			;
		sim_channel_free(&deliverds[i].c);
		if (is_power_cut)
			sim_deliverd_kill(i);
	}
}

void
sim_deliverd_kill(unsigned i)
{
	struct deliverd *d = &deliverds[i];

	if (d->c != NULL) {
		while (sim_chance(700) && sim_deliverd_speak(i))
			;
		dying = d;
		service_ops.on_peer_gone(world.q, world.proc, d->c);
		dying = NULL;
		sim_channel_free(&d->c);
	}
	doubt(d, false);
	leases_clear(d);
	d->instance += SIM_WORKERS;
	d->has_presented = false;
}
