/*
 * Verdicts that lie, and bytes that are damaged.
 */
#include "bench.h"
#include "common/base/rng.h"

#include <stdio.h>

static struct bench b;

#define QUEUE "queue: {first_retry: 10s, max_retry: 100s}\n"

static void
begin(void)
{
	bench_open(&b, QUEUE);
	bench_usual(&b);
}

static void
begin_alone(void)
{
	bench_open(&b, QUEUE);
	bench_live(&b.smtpds[0]);
}

static void
end(void)
{
	bench_close(&b);
}

static struct msg_result
row(uint32_t first, uint32_t last, enum outcome outcome)
{
	return (struct msg_result){ .first = first, .last = last,
	    .outcome = (uint8_t)outcome,
	    .code = outcome == OUTCOME_DELIVERED ? 250 : 450,
	    .status = SPAN_LIT("4.0.0"), .text = SPAN_LIT("words") };
}

/* I-05: whatever a deliverd says, no crash, and nobody else's mail suffers. */
static void
put_hostile_rows(struct rng *dice, struct buf *out, uint32_t *n)
{
	static const uint32_t odd[] = { 0, 1, 2, 3, 999, 1000, 1001,
		INT32_MAX, UINT32_MAX - 1, UINT32_MAX };

	*n = (uint32_t)rng_below(dice, 30);
	for (uint32_t i = 0; i < *n; i++) {
		struct msg_result r = row(odd[rng_below(dice, 10)],
		    odd[rng_below(dice, 10)],
		    (enum outcome)rng_below(dice, 12));

		r.attempt = (uint8_t)rng_below(dice, 256);
		r.code = (uint16_t)rng_u64(dice);
		r.status = rng_below(dice, 2) == 0 ? SPAN_LIT("\xff\n.;9") :
		    SPAN_LIT("5.1.1");
		r.text = SPAN_LIT("a\r\nb\0c");
		msg_put_result(out, &r);
	}
}

static void
send_hostile(struct rng *dice, struct bench_peer *p, uint64_t known)
{
	uint64_t ids[] = { 0, 1, known, known, known, UINT64_MAX,
		rng_u64(dice) };
	struct msg m = { .type = MSG_verdict };
	struct msg_attempt attempt = { .begun_at = rng_u64(dice),
		.stage = (uint8_t)rng_u64(dice), .host = SPAN_LIT("\xff\r\n"),
		.duration_ms = UINT32_MAX };
	uint8_t junk[64];
	struct buf rows, attempts;

	buf_init(&rows, 1 << 20);
	buf_init(&attempts, 1 << 20);
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)rng_below(dice, 3);
	switch (rng_below(dice, 4)) {
	case 0:
		m.type = MSG_held;
		m.held.lease = ids[rng_below(dice, 7)];
		m.held.id = p->b->leases[0].m.id;
		m.held.unit = (uint32_t)rng_below(dice, 3);
		m.held.rows = span_of(junk, rng_below(dice, 65));
		break;
	case 1:
		m.type = MSG_content_want;
		m.content_want.lease = ids[rng_below(dice, 7)];
		m.content_want.offset = rng_u64(dice) >>
		    rng_below(dice, 64);
		m.content_want.bytes = (uint32_t)rng_u64(dice);
		break;
	default:
		m.verdict.lease = ids[rng_below(dice, 7)];
		m.verdict.id = rng_u64(dice);
		m.verdict.unit = (uint32_t)rng_u64(dice);
		m.verdict.scope = (uint8_t)rng_u64(dice);
		put_hostile_rows(dice, &rows, &m.verdict.results.n);
		m.verdict.results.bytes = buf_span(&rows);
		m.verdict.attempts.n = (uint32_t)rng_below(dice, 2);
		if (m.verdict.attempts.n > 0)
			msg_put_attempt(&attempts, &attempt);
		m.verdict.attempts.bytes = buf_span(&attempts);
		break;
	}
	(void)channel_send(p->theirs, &m);
	buf_clear(&rows);
	buf_clear(&attempts);
}

Test(hostile, frames, .init = begin, .fini = end)
{
	struct bench_peer *bad = &b.deliverds[1];
	struct rng dice;
	uint64_t good;

	rng_init(&dice, 5);
	good = bench_mail(&b, "s@a.example", "good@b.example q@b.example");
	WAIT(b.n_leases == 1);
	bench_live(bad);
	for (int i = 0; i < 4000; i++) {
		uint64_t known = b.leases[0].m.lease;

		/* what is leased to it may be treated as it likes */
		for (unsigned k = 0; k < b.n_leases; k++)
			if (b.leases[k].peer == 1)
				known = b.leases[k].m.lease;
		send_hostile(&dice, bad, known);
		if (i % 40 == 0) {
			(void)bench_submit(&b, "", "r@x.example q@x.example",
			    "Subject: y\r\n\r\n");
			bench_present(bad);
		}
		if (i % 10 == 0)
			bench_turn(&b, 1);
		if (i % 500 == 499)
			bench_skip(&b, 5000);
	}
	cr_expect(!bad->is_cut);
	bench_turn(&b, 50);
	cr_assert_not_null(store_find_unit(b.q->store, good, 0));
	cr_expect_eq(store_find_unit(b.q->store, good, 0)->left, 2);
	bench_tell(&b, bench_lease(&b, 0), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(store_find_unit(b.q->store, good, 0) == NULL);
	bench_die(bad);
	bench_turn(&b, 20);
}

/* I-02: a recipient that is told of twice in one verdict ends once. */
Test(hostile, overlapping_results, .init = begin, .fini = end)
{
	struct msg_result rows[3] = { row(0, 1, OUTCOME_DELIVERED),
		row(0, UINT32_MAX, OUTCOME_FAILED), row(5, 2,
		OUTCOME_FAILED) };

	(void)bench_mail(&b, "s@a.example",
	    "r@b.example q@b.example p@b.example");
	WAIT(b.n_leases == 1);
	bench_tell_rows(&b, bench_lease(&b, 0), SCOPE_RECIPIENTS, rows, 3);
	WAIT(b.n_leases == 2);		/* the report */
	cr_expect_eq(bench_messages(&b), 1);
	cr_expect_eq(bench_log_count(&b, " bounced "), 1);
	cr_expect_eq(bench_log_count(&b, " delivered "), 2);
	cr_expect_null(strstr((char *)bench_lease(&b, 1)->content.p,
	    "r@b.example"));
}

/* ... also when the unit is as large as one may be: nothing is written behind
 * the room for its results. */
Test(hostile, all_results_twice, .init = begin, .fini = end)
{
	struct msg_result rows[2] = { row(0, STORE_UNIT_RECIPIENTS - 1,
	    OUTCOME_DELIVERED), row(0, 0, OUTCOME_DELIVERED) };
	struct buf to;

	buf_init(&to, 1 << 20);
	for (int i = 0; i < STORE_UNIT_RECIPIENTS; i++)
		buf_addf(&to, "%sr%d@b.example", i > 0 ? " " : "", i);
	buf_add_byte(&to, 0);
	rows[1].has_dsn = 1;
	(void)bench_mail(&b, "s@a.example", (const char *)to.p);
	buf_clear(&to);
	WAIT(b.n_leases == 1);
	bench_tell_rows(&b, bench_lease(&b, 0), SCOPE_RECIPIENTS, rows, 2);
	WAIT(bench_messages(&b) == 0);
	cr_expect_eq(bench_log_count(&b, " delivered "),
	    STORE_UNIT_RECIPIENTS);
}

/* Damaged bytes are not sent, and do not stop others. */
Test(hostile, damaged_content, .init = begin_alone, .fini = end)
{
	static const char mark[] = "Subject: x";
	uint64_t bad = bench_mail(&b, "s@a.example", "r@b.example");
	struct store_message *m;
	FILE *f;
	char path[256];

	bench_stop(&b);
	/* the log's only segment with records */
	for (int i = 1; i < 4; i++) {
		static char bytes[1 << 20];
		size_t n;
		char *at;

		(void)snprintf(path, sizeof(path), "%s/log/log.%016x", b.dir,
		    (unsigned)i);
		if ((f = fopen(path, "r+")) == NULL)
			continue;
		n = fread(bytes, 1, sizeof(bytes), f);
		at = memmem(bytes, n, mark, sizeof(mark) - 1);
		if (at != NULL) {
			(void)fseek(f, at - bytes, SEEK_SET);
			(void)fputc('Z', f);
		}
		(void)fclose(f);
		if (at != NULL)
			break;
		path[0] = '\0';
	}
	bench_start(&b);
	bench_live(&b.smtpds[0]);
	(void)bench_mail(&b, "s@a.example", "r@b.example");
	bench_live(&b.deliverds[0]);
	bench_present(&b.deliverds[0]);
	WAIT(b.n_leases == 1);
	cr_expect_neq(bench_lease(&b, 0)->m.id, bad);
	cr_assert_not_null(store_find_unit(b.q->store, bad, 0));
	/* it is set aside when its turn comes, before or after the other's */
	m = store_find_unit(b.q->store, bad, 0)->message;
	WAIT(m->is_held);
	bench_tell(&b, bench_lease(&b, 0), OUTCOME_DELIVERED,
	    SCOPE_RECIPIENTS, "taken");
	WAIT(bench_messages(&b) == 1);
}
