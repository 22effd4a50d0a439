/*
 * A deliverd has leases and goes with each through what sim_lease.c says, until
 * it is confirmed.
 */
#include "tests/sim/sim_deliverd.h"

#include "common/base/check.h"
#include "common/base/wire.h"
#include "queued/service.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_hops.h"
#include "tests/sim/sim_lease.h"
#include "tests/sim/sim_operator.h"

#include <stdlib.h>

struct deliverd sim_deliverds[SIM_WORKERS];

/* Whose verdict queued is reading now, or of whose death it hears. */
static const struct lease *telling;
static const struct deliverd *dying;
static bool was_confirmed;

/* ---- leases ---- */

static void
lease_free(struct lease *l)
{
	sim_lease_let_go(l);
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
		sim_deliverds[i] = (struct deliverd){ .instance = 1 + i };
}

void
sim_deliverds_free(void)
{
	sim_hops_free();
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		leases_clear(&sim_deliverds[i]);
		sim_channel_free(&sim_deliverds[i].c);
	}
}

unsigned
sim_deliverd_leases(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SIM_WORKERS; i++)
		for (struct lease *l = sim_deliverds[i].leases; l != NULL;
		    l = l->next)
			n++;
	return n;
}

void
sim_deliverd_dump(void)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		for (struct lease *l = sim_deliverds[i].leases; l != NULL;
		    l = l->next)
			sim_trace("deliverd %u has lease %jx of message %u, "
			    "stage %d%s", i, (uintmax_t)l->lease,
			    l->mail->number, (int)l->stage,
			    sim_deliverds[i].c == NULL ? ", alone" : "");
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
	if (sim_operator_has_stopped())
		sim_broken("I-10", "all is suspended, and message %u leased",
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
		r->unconfirmed++;
		r->was_out = true;
		l->rcpts[l->n++] = r;
	}
	if (!span_equal(e.sender, span_str(l->mail->sender)))
		sim_broken("I-09", "message %u: another sender",
		    l->mail->number);
}

/* Of what it gives out first the smtpd may not know the id yet. */
static void
check_id(struct sim_mail *m, size_t row, uint64_t id)
{
	if (m->id == 0)
		m->id = id - sim_mail_id_of_row(m, row);
	if (id != sim_mail_id_of_row(m, row))
		sim_broken("I-02", "message %u has two ids", m->number);
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
	check_id(l->mail, (size_t)(l->rcpts[0] - l->mail->rcpts), m->id);
	if (l->n < l->mail->rcpt_count && !l->mail->is_list)
		sim_note(SIM_SPLIT_LEASES);
	check_lease(l->mail, order);
	l->stage = l->content.n < l->size ? FETCHING : READY;
	sim_trace("lease %jx: message %u, %u recipients",
	    (uintmax_t)l->lease, l->mail->number, l->n);
}

/* ---- going on ---- */

bool
sim_deliverd_work(unsigned i)
{
	struct deliverd *d = &sim_deliverds[i];
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
	if (sim_lease_go_on(d, l))
		return true;
	for (l = d->leases; l != NULL; l = l->next)
		if (sim_lease_go_on(d, l))
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

	d->is_known |= lease == 0;
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
		l->rcpts[i]->settled_group = world.q == NULL ? UINT64_MAX :
		    store_last_group(world.q->store);
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
	struct deliverd *d = &sim_deliverds[i];
	struct msg m;
	uint64_t order;

	if (d->c == NULL || !sim_channel_take(d->c, &m, &order))
		return false;
	if (m.type == MSG_lease)
		on_lease(d, &m.lease, order);
	else if (m.type == MSG_confirm)
		on_confirm(d, m.confirm.lease, order);
	else if (m.type == MSG_content && *find(d, m.content.lease) != NULL)
		sim_lease_content(*find(d, m.content.lease), &m.content);
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
	struct deliverd *d = &sim_deliverds[i];
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
		if (sim_deliverds[i].c != NULL &&
		    is_on_the_way(sim_deliverds[i].c, m, r))
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
	return sim_deliverds[i].c != NULL;
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
	struct deliverd *d = &sim_deliverds[i];
	struct msg done = { .type = MSG_presented };

	d->c = sim_channel_new(ROLE_DELIVERD, (uint16_t)i, d->instance);
	service_ops.on_peer(world.q, world.proc, d->c);
	for (struct lease *l = d->leases; l != NULL; l = l->next)
		present(d, l);
	for (struct lease *l = d->leases; l != NULL; l = l->next) {
		if (l->stage == WAITING)
			l->stage = FETCHING;
		if (l->stage == TOLD)
			sim_lease_tell_again(d, l);
	}
	done.presented.is_new = !d->is_known;
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
		if (sim_deliverds[i].c != NULL || sim_deliverds[i].leases == NULL)
			continue;
		sim_note(SIM_LATE_DELIVERDS);
		doubt(&sim_deliverds[i], true);
	}
}

void
sim_deliverds_alone(bool is_power_cut)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		while (!is_power_cut && sim_deliverd_hear(i))
			;
		sim_channel_free(&sim_deliverds[i].c);
		if (is_power_cut)
			sim_deliverd_kill(i);
	}
}

void
sim_deliverd_kill(unsigned i)
{
	struct deliverd *d = &sim_deliverds[i];

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
	d->is_known = false;
}
