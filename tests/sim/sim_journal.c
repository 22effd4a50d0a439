/*
 * The history at the end of all, as somebody reads it off line: each delivery
 * that it tells of has happened, and so often; and none is missing, unless it
 * was told as lost or is older than it is kept (I-10).
 */
#include "common/base/check.h"
#include "queued/journal/journal_read.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_world.h"

#include <stdlib.h>

struct place {
	uint64_t id, unit, row;
	struct sim_rcpt *rcpt;
};

static struct {
	struct place *v;
	size_t n;
} places;

static void
add_place(uint64_t id, const struct journal_recipient *r)
{
	struct sim_rcpt *rcpt = NULL;

	if (sim_mail_by_rcpt(r->address, &rcpt) == NULL)
		return;			/* a report's, a list's */
	places.v = realloc(places.v, (places.n + 1) * sizeof(*places.v));
	MUST(places.v != NULL);
	places.v[places.n++] = (struct place){ id, r->unit, r->row, rcpt };
}

static bool
see_recipients(void *ctx, const struct journal_record *r)
{
	struct journal_accepted a = { .list = r->fields };
	struct journal_recipient rcpt;

	(void)ctx;
	if (r->type != JOURNAL_ACCEPTED && r->type != JOURNAL_RECIPIENTS)
		return true;
	if (r->type == JOURNAL_ACCEPTED)
		MUST(journal_accepted_get(r->fields, &a) == OK);
	while (journal_recipient_next(&a.list, &rcpt))
		add_place(r->id, &rcpt);
	return true;
}

static int
compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static void
tell(uint64_t id, uint64_t unit, uint64_t row)
{
	const struct place key = { .id = id, .unit = unit, .row = row };
	struct place *p = places.n == 0 ? NULL : bsearch(&key, places.v,
	    places.n, sizeof(key), compare);

	if (p != NULL)
		p->rcpt->told++;
}

static bool
see_results(void *ctx, const struct journal_record *r)
{
	struct journal_attempt a;
	struct journal_result result;

	(void)ctx;
	if (r->type != JOURNAL_ATTEMPT)
		return true;
	MUST(journal_attempt_get(r->fields, &a) == OK);
	while (journal_result_next(&a.results, &result))
		for (uint64_t row = result.first; row <= result.last &&
		    result.outcome == OUTCOME_DELIVERED; row++)
			tell(r->id, a.unit, row);
	return true;
}

static bool
is_delivered(const struct sim_rcpt *r)
{
	return r->is_settled && r->is_told_done && !r->is_told_failed &&
	    !r->is_expired && !r->may_vanish;
}

static void
compare_all(bool is_whole)
{
	for (uint32_t i = 0; i < mails.n; i++)
		for (uint32_t k = 0; k < mails.v[i]->rcpt_count &&
		    !mails.v[i]->is_report; k++) {
			const struct sim_rcpt *r = &mails.v[i]->rcpts[k];

			if (r->told > r->deliveries)
				sim_broken("I-10", "%s was delivered %u "
				    "times, by the history %u", r->address,
				    r->deliveries, r->told);
			else if (is_whole && r->told == 0 && is_delivered(r))
				sim_broken("I-10", "%s was delivered, and the "
				    "history does not know", r->address);
			sim.counts[SIM_TOLD] += r->told;
		}
}

void
sim_mails_history(bool is_whole)
{
	struct journal_reader *r;

	MUST(journal_read_open(".", &r) == OK);
	MUST(journal_read_all(r, see_recipients, NULL) == OK);
	if (places.n > 0)
		qsort(places.v, places.n, sizeof(*places.v), compare);
	MUST(journal_read_all(r, see_results, NULL) == OK);
	journal_read_close(&r);
	free(places.v);
	places.v = NULL;
	places.n = 0;
	compare_all(is_whole);
}
