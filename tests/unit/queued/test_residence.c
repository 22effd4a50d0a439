/*
 * What memory holds of a queue that is longer than it: with limits of some ten
 * units (see the build), so that a few dozen messages are a crowd.  Passes over
 * all that is due are kept from beginning, as one over a million rows would be
 * for seconds: what goes on must do so without them.
 */
#include "bench.h"
#include "common/base/mtime.h"
#include "queued/plan/plan_look.h"
#include "queued/residence.h"
#include "queued/residence_lines.h"
#include "queued/store/store_write.h"

#include <stdio.h>

enum { MANY = 60 };

#define MX "routes: [{to: \"*\", via: mx}]\n"

static struct bench b;

static void
begin(const char *conf)
{
	bench_open(&b, conf);
	bench_usual(&b);
}

static void
end(void)
{
	bench_close(&b);
}

static void
no_pass(void)
{
	b.q->pass.next_at = INT64_MAX;
	b.q->pass.cursor = (struct store_due){ .due_at = 0 };
}

static void
mails(unsigned n, const char *to)
{
	for (unsigned i = 0; i < n; i++)
		(void)bench_mail(&b, "s@a.example", to);
}

/* A check-point each second, as ever, but without the wait for it: what comes
 * next of a line may be known by then only. */
static bool
and_time_goes_by(bool is_so)
{
	if (!is_so)
		bench_skip(&b, 20);
	return is_so;
}

static bool
is_leased(void)
{
	no_pass();
	return and_time_goes_by(bench_untold(&b) != NULL);
}

static unsigned
deliver(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		WAIT(is_leased());
		bench_tell(&b, bench_untold(&b), OUTCOME_DELIVERED,
		    SCOPE_RECIPIENTS, "ok");
	}
	return n;
}

/* Of a line of MANY some six are here; each time that is half empty more of it
 * comes, until the last. */
Test(residence, a_line_goes_on_without_a_pass, .fini = end)
{
	begin(MX "deliver: {window: 1}\n");
	mails(MANY, "r@b.example");
	cr_expect_leq(residence_crowd(b.q), RESIDENCE_HIGH + 1);
	cr_expect_eq(b.q->pass.lines.n, 1);
	cr_expect_eq(deliver(MANY), MANY);
	WAIT(bench_messages(&b) == 0);
}

/* Of two lines each has its own place. */
Test(residence, lines_go_on_beside_each_other, .fini = end)
{
	unsigned at_c = 0;

	begin(MX "deliver: {window: 1}\n");
	mails(MANY / 2, "r@b.example");
	mails(MANY / 2, "r@c.example");
	cr_expect_eq(b.q->pass.lines.n, 2);
	(void)deliver(MANY);
	for (unsigned i = 0; i < b.n_leases && i < MANY / 2 + 8; i++)
		at_c += strstr((char *)b.leases[i].to.p, "@c.") != NULL;
	cr_expect_geq(at_c, MANY / 8, "%u", at_c);
}

/* Dead destinations fill what passes may fill: a line that is known to answer
 * has room besides. */
Test(residence, the_dead_leave_room_for_a_line, .fini = end)
{
	begin(MX "deliver: {window: 1}\n"
	    "queue: {first_retry: 20s, max_retry: 20s}\n");
	mails(1, "r@b.example");
	(void)deliver(1);
	for (int i = 0; i < RESIDENCE_LOW + 4; i++) {
		char to[32];

		snprintf(to, sizeof(to), "r@d%d.example", i);
		mails(1, to);
		bench_next(&b, OUTCOME_DEFERRED, SCOPE_DESTINATION, "dead");
	}
	mails(MANY, "r@b.example");
	cr_expect_geq(residence_crowd(b.q), RESIDENCE_LOW);
	cr_expect_eq(deliver(MANY), MANY);
}

/* Nothing of it is left in the index: after a while no place is kept. */
Test(residence, a_line_that_is_over_is_forgotten, .fini = end)
{
	begin(MX "deliver: {window: 1}\n");
	mails(MANY / 2, "r@b.example");
	(void)deliver(MANY / 2);
	bench_skip(&b, 4000);
	WAIT(b.q->pass.lines.n == 0);
}

/* One that fails keeps its place; what it gets then comes as for all. */
Test(residence, a_line_whose_destination_fails_is_not_read, .fini = end)
{
	begin(MX "deliver: {window: 1}\n"
	    "queue: {first_retry: 100s, max_retry: 100s}\n");
	mails(MANY, "r@b.example");
	(void)deliver(4);
	bench_next(&b, OUTCOME_DEFERRED, SCOPE_DESTINATION, "dead");
	bench_turn(&b, 5);
	cr_expect_eq(residence_lines_at(b.q), PLAN_NEVER);
}

/* More lines than places: the ones that answer have them. */
Test(residence, places_are_for_lines_that_answer, .fini = end)
{
	struct store_due row = { .due_at = 5, .id = 7 };
	struct residence_lines *t;
	struct span key;

	begin(MX "deliver: {window: 1}\n");
	mails(1, "r@b.example");
	(void)deliver(1);
	mails(1, "r@b.example");
	t = &b.q->pass.lines;
	for (uint64_t i = 0; i < 2 * RESIDENCE_LINES; i++) {
		char text[16];

		snprintf(text, sizeof(text), "unknown %ju", (uintmax_t)i);
		row.key_hash = store_key_hash(span_str(text));
		residence_lines_note(b.q, span_str(text), &row, true);
	}
	cr_expect_eq(t->n, RESIDENCE_LINES);
	key = plan_unit_key(store_find_unit(b.q->store, b.leases[1].m.id,
	    0)->plan);
	row.key_hash = store_key_hash(key);
	residence_lines_note(b.q, key, &row, true);
	cr_expect_eq(t->n, RESIDENCE_LINES);
	cr_expect_eq(t->lines[0].hash, row.key_hash);
}

/* An earlier row moves the begin of a line, a later one does not. */
Test(residence, a_line_begins_at_its_first_row, .fini = end)
{
	uint64_t hash = store_key_hash(SPAN_LIT("a"));
	struct store_due row = { .due_at = 50, .id = 7, .key_hash = hash };
	const struct residence_line *line;

	begin(MX);
	line = &b.q->pass.lines.lines[0];
	residence_lines_note(b.q, SPAN_LIT("a"), &row, true);
	cr_expect(line->first.due_at == 50 && line->first.id == 6);
	row.id = 9;
	residence_lines_note(b.q, SPAN_LIT("a"), &row, true);
	cr_expect_eq(line->first.id, 6);
	row = (struct store_due){ .due_at = 40, .id = 9, .unit = 3,
	    .key_hash = hash };
	residence_lines_note(b.q, SPAN_LIT("a"), &row, true);
	cr_expect(line->first.due_at == 40 && line->first.id == 9 &&
	    line->first.unit == 2 && line->at.due_at == 40);
}

/* What was written under another key, before a reload, has no line: a walk for
 * this one would find it again and again. */
Test(residence, a_row_of_another_key_has_no_line, .fini = end)
{
	struct store_due row = { .due_at = 50, .id = 7,
	    .key_hash = store_key_hash(SPAN_LIT("before")) };

	begin(MX);
	residence_lines_note(b.q, SPAN_LIT("after"), &row, true);
	cr_expect_eq(b.q->pass.lines.n, 0);
	cr_expect_eq(residence_lines_at(b.q), PLAN_NEVER);
}

/* A pass over rows whose units are all here finds nothing and costs as much as
 * any other: the next one waits. */
Test(residence, a_pass_over_what_is_here_counts, .fini = end)
{
	enum { HERE = 5 };

	begin(MX "deliver: {window: 1}\n");
	mails(HERE, "r@b.example");
	no_pass();
	WAIT(and_time_goes_by(store_unindexed(b.q->store) == 0));
	b.q->pass.next_at = 0;
	b.q->pass.cursor = (struct store_due){ .due_at = 0 };
	residence_refill(b.q);
	cr_expect_geq(b.q->pass.next_at, queued_now(b.q) + HERE);
}
