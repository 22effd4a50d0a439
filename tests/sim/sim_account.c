/*
 * Comparing the accounts with the queue, and closing them.
 */
#include "common/base/check.h"
#include "queued/store/store_read.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_world.h"

#include <stdlib.h>

/* Written, told, and not synced for up to a second. */
enum { UNSYNCED_MS = 1000 };

bool
sim_rcpt_is_over(const struct sim_mail *m, const struct sim_rcpt *r)
{
	return r->is_told_done || r->is_told_failed || r->is_expired ||
	    r->may_vanish || m->is_damaged;
}

/* Results that are lost were there when the operator's answer came, so what is
 * back may not be what he held. */
static bool
was_over(const struct sim_mail *m)
{
	for (uint32_t k = 0; k < m->rcpt_count; k++)
		if (!sim_rcpt_is_over(m, &m->rcpts[k]))
			return false;
	return true;
}

/* On a disk that fails nothing is promised of when a note or a result is
 * durable: the rest of the log waits for room in another segment. */
static uint64_t
durable_group(void)
{
	if (sim_faults.sync_share + sim_faults.write_share == 0 ||
	    world.q == NULL)
		return UINT64_MAX;
	return store_synced(world.q->store);
}

static bool
is_lasting(const struct sim_rcpt *r, uint64_t durable)
{
	return r->is_settled && sim.mono_ms - r->settled_at > UNSYNCED_MS &&
	    r->settled_group <= durable;
}

void
sim_mails_power_cut(void)
{
	uint64_t durable = durable_group();
	bool is_lost = durable != UINT64_MAX &&
	    durable < store_last_group(world.q->store);

	for (uint32_t i = 0; i < mails.n; i++) {
		if (was_over(mails.v[i]))
			mails.v[i]->is_held = false;
		for (uint32_t k = 0; k < mails.v[i]->rcpt_count; k++) {
			struct sim_rcpt *r = &mails.v[i]->rcpts[k];

			if (is_lasting(r, durable))
				continue;
			r->is_settled = false;
			if (r->deliveries > 0)
				sim_rcpt_excuse(r);
			r->is_unmarked |= is_lost ||
			    sim.mono_ms - r->leased_at <= UNSYNCED_MS;
		}
	}
}

static bool are_doubts_unkept;

void
sim_mails_unkept(void)
{
	are_doubts_unkept = true;
}

/* The next one knows no more than what was written. */
void
sim_mails_alone(void)
{
	for (uint32_t i = 0; i < mails.n; i++) {
		/* its end may not have been written: it is back, as it was */
		if (was_over(mails.v[i]))
			mails.v[i]->is_held = false;
		if (mails.v[i]->begun > 0 &&
		    mails.v[i]->begun < mails.v[i]->rcpt_count &&
		    !was_over(mails.v[i]))
			sim_note(SIM_LIST_DEATHS);
		for (uint32_t k = 0; k < mails.v[i]->rcpt_count; k++) {
			struct sim_rcpt *r = &mails.v[i]->rcpts[k];

			r->is_unmarked |= are_doubts_unkept &&
			    r->may_deliver > r->deliveries;
		}
	}
	are_doubts_unkept = false;
}

/* What was leased before it had it is in doubt by its age alone. */
void
sim_mails_index_lost(void)
{
	for (uint32_t i = 0; i < mails.n; i++)
		for (uint32_t k = 0; k < mails.v[i]->rcpt_count; k++)
			mails.v[i]->rcpts[k].is_unmarked = true;
}

/* ---- an audit ---- */

struct audit {
	uint8_t **is_queued;		/* by message and recipient */
	uint64_t messages, recipients;
};

static void
see(struct audit *a, const struct store_message *m, struct span address)
{
	struct sim_rcpt *r;
	struct sim_mail *mail = sim_mail_by_rcpt(address, &r);

	a->recipients++;
	if (mail == NULL)
		return;			/* a report's */
	if (m->is_report)
		return;
	if (a->is_queued[mail->number][r - mail->rcpts]++ > 0)
		sim_broken("I-02", "%s is in the queue twice", r->address);
}

/* Those of a list that were not begun. */
static void
see_rest(struct audit *a, const struct store_message *m)
{
	const struct sim_mail *mail = sim_mail_by_id(m->id);

	/* its smtpd does not know it yet, or never did */
	if (mail == NULL) {
		a->recipients += m->left;
		return;
	}
	for (uint32_t i = m->list.count; i < mail->rcpt_count; i++)
		see(a, m, span_str(mail->rcpts[i].address));
}

static bool
on_message(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct audit *a = ctx;

	a->messages++;
	sim_trace("    audit: %jx%s, %u left, due %ju", (uintmax_t)m->id,
	    m->is_held ? ", held" : "", m->left,
	    *units != NULL ? (uintmax_t)(*units)->due_at : 0);
	if (store_is_list(m)) {
		see_rest(a, m);
		return true;
	}
	for (; *units != NULL; units++)
		for (uint32_t i = 0; i < (*units)->count; i++)
			if (!(*units)->recipients[i].is_settled)
				see(a, m, (*units)->recipients[i].address);
	return true;
}

static void
judge(const struct sim_mail *m, const struct sim_rcpt *r, bool is_queued)
{
	if (is_queued && m->fate == SIM_TURNED_AWAY)
		sim_broken("I-01", "message %u was refused, and is queued",
		    m->number);
	if (is_queued && r->is_settled)
		sim_broken("I-02", "%s is settled, and is queued",
		    r->address);
	if (is_queued && r->is_deleted && !r->may_linger)
		sim_broken("I-02", "%s was deleted, and is queued",
		    r->address);
	if (!is_queued && m->fate == SIM_KEPT && !sim_rcpt_is_over(m, r))
		sim_broken("I-02", "%s is lost", r->address);
}

static void
compare(const struct audit *a)
{
	struct store_figures f;

	store_figures(world.q->store, &f);
	if (f.memory_messages < f.messages)
		sim_note(SIM_MOVED_OUT);
	if (f.messages != a->messages || f.recipients != a->recipients)
		sim_broken("I-10", "%ju messages and %ju recipients by "
		    "figures, %ju and %ju by the list",
		    (uintmax_t)f.messages, (uintmax_t)f.recipients,
		    (uintmax_t)a->messages, (uintmax_t)a->recipients);
	for (uint32_t i = 0; i < mails.n; i++)
		for (uint32_t k = 0; k < mails.v[i]->rcpt_count &&
		    !mails.v[i]->is_report; k++)
			judge(mails.v[i], &mails.v[i]->rcpts[k],
			    a->is_queued[i][k] > 0);
}

void
sim_mails_audit(void)
{
	struct audit a = { .is_queued = calloc(mails.n + 1,
	    sizeof(uint8_t *)) };
	uint64_t after = 0;

	MUST(a.is_queued != NULL);
	for (uint32_t i = 0; i < mails.n; i++) {
		a.is_queued[i] = calloc(1, mails.v[i]->rcpt_count);
		MUST(a.is_queued[i] != NULL);
	}
	while (after != UINT64_MAX)
		after = store_walk(world.q->store, after, 100, on_message, &a);
	compare(&a);
	for (uint32_t i = 0; i < mails.n; i++)
		free(a.is_queued[i]);
	free(a.is_queued);
	sim_note(SIM_AUDITS);
}

/* ---- the end ---- */

/* A failure whose report is nowhere. */
static bool
lacks_report(const struct sim_mail *m, const struct sim_rcpt *r)
{
	return r->deliveries == 0 && r->reports == 0 && !r->may_vanish &&
	    !r->is_unreported && !m->has_vanished_report &&
	    r->notify != ENVELOPE_NOTIFY_NEVER && !m->is_damaged;
}

void
sim_mails_close(void)
{
	for (uint32_t i = 0; i < mails.n; i++) {
		const struct sim_mail *m = mails.v[i];

		if (m->fate != SIM_KEPT)
			continue;
		for (uint32_t k = 0; k < m->rcpt_count; k++) {
			const struct sim_rcpt *r = &m->rcpts[k];

			if (!sim_rcpt_is_over(m, r))
				sim_broken("I-02", "%s has no end",
				    r->address);
			else if (lacks_report(m, r))
				sim_broken("I-02", "%s failed, and nobody is "
				    "told", r->address);
		}
	}
}
