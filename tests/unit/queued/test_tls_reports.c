/*
 * Reports about TLS, from what a deliverd tells to the mail: RPT-01, RPT-02,
 * RPT-05.
 */
#include "bench.h"
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "queued/tlsrpt/tlsrpt.h"

#include <stdio.h>

static struct bench b;

#define ON "reports: {tls: send, postmaster: pm@sender.example}\n"
#define RECORD "v=TLSRPTv1; rua=mailto:r@d.example,https://d.example/r"

/* Until a day is over, and its four hours. */
#define A_DAY (MTIME_DAY + 5 * MTIME_HOUR)

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
tell(const char *domain, enum tlsrpt_result result)
{
	struct msg m = { .type = MSG_tls_result };

	m.tls_result.domain = span_str(domain);
	m.tls_result.kind = TLSRPT_STS;
	m.tls_result.result = (uint8_t)result;
	m.tls_result.host = SPAN_LIT("mx.d.example");
	MUST(channel_send(b.deliverds[0].theirs, &m) == OK);
	bench_turn(&b, 5);
}

static void
answer(enum dns_status status, const char *txt)
{
	struct msg_dns_record row = { .type = 16, .data = span_str(txt) };
	struct msg m = { .type = MSG_tls_record };
	struct buf rows;

	buf_init(&rows, 65536);
	msg_put_dns_record(&rows, &row);
	m.tls_record.cookie = b.deliverds[0].cookie;
	m.tls_record.status = (uint8_t)status;
	if (status == DNS_OK) {
		m.tls_record.records.n = 1;
		m.tls_record.records.bytes = buf_span(&rows);
	}
	MUST(channel_send(b.deliverds[0].theirs, &m) == OK);
	buf_clear(&rows);
	bench_turn(&b, 5);
}

/* Time goes by; housekeeping and its looks come in real seconds. */
static void
wait_for_asks(unsigned n)
{
	WAIT(b.deliverds[0].asks == n);
}

static bool
has(const struct bench_lease *l, const char *text)
{
	return memmem(l->content.p, l->content.n, text, strlen(text)) != NULL;
}

Test(tls_reports, one_is_sent, .fini = end)
{
	begin(ON);
	tell("d.example", TLSRPT_SUCCESS);
	tell("d.example", TLSRPT_EXPIRED);
	bench_skip(&b, A_DAY);
	wait_for_asks(1);
	cr_assert_str_eq(b.deliverds[0].domain, "d.example");
	answer(DNS_OK, RECORD);
	WAIT(b.n_leases == 1);
	cr_assert(span_equal(buf_span(&b.leases[0].to),
	    SPAN_LIT("r@d.example")));
	cr_assert_eq(b.leases[0].sender.n, 0);
	cr_assert(has(&b.leases[0], "TLS-Report-Domain: d.example\r\n"));
	cr_assert(has(&b.leases[0], "From: <pm@sender.example>\r\n"));
	bench_next(&b, OUTCOME_DELIVERED, SCOPE_RECIPIENTS, "ok");
	/* once is enough */
	bench_skip(&b, MTIME_HOUR);
	bench_turn(&b, 1500);
	cr_assert_eq(b.deliverds[0].asks, 1);
	cr_assert_eq(b.n_leases, 1);
}

/* One that fails is nobody's business: no report about a report. */
Test(tls_reports, a_failure_ends_it, .fini = end)
{
	begin(ON);
	tell("d.example", TLSRPT_SUCCESS);
	bench_skip(&b, A_DAY);
	wait_for_asks(1);
	answer(DNS_OK, RECORD);
	bench_next(&b, OUTCOME_FAILED, SCOPE_RECIPIENTS, "unknown");
	WAIT(bench_messages(&b) == 0);
	bench_turn(&b, 50);
	cr_assert_eq(b.n_leases, 1);
}

Test(tls_reports, not_wanted, .fini = end)
{
	static const char *const records[] = {
		"v=spf1 -all", "v=TLSRPTv1; rua=https://d.example/r",
		"v=TLSRPTv1; rua=mailto:nobody",
	};

	begin(ON);
	for (unsigned i = 0; i < 3; i++) {
		tell("d.example", TLSRPT_SUCCESS);
		bench_skip(&b, A_DAY);
		wait_for_asks(i + 1);
		answer(DNS_OK, records[i]);
	}
	tell("d.example", TLSRPT_SUCCESS);
	bench_skip(&b, A_DAY);
	wait_for_asks(4);
	answer(DNS_NO_NAME, "");
	bench_turn(&b, 1500);
	cr_assert_eq(b.deliverds[0].asks, 4);
	cr_assert_eq(b.n_leases, 0);
}

/* The name service is away: again in an hour. */
Test(tls_reports, asked_again, .fini = end)
{
	begin(ON);
	tell("d.example", TLSRPT_SUCCESS);
	bench_skip(&b, A_DAY);
	wait_for_asks(1);
	answer(DNS_TEMPORARY, "");
	bench_turn(&b, 1500);
	cr_assert_eq(b.deliverds[0].asks, 1);
	bench_skip(&b, MTIME_HOUR);
	wait_for_asks(2);
	/* nobody answers at all */
	bench_skip(&b, 61000);
	bench_turn(&b, 1500);
	bench_skip(&b, MTIME_HOUR);
	wait_for_asks(3);
	answer(DNS_OK, RECORD);
	WAIT(b.n_leases == 1);
}

Test(tls_reports, outlive_a_restart, .fini = end)
{
	begin(ON);
	tell("d.example", TLSRPT_SUCCESS);
	bench_stop(&b);
	bench_start(&b);
	bench_usual(&b);
	bench_skip(&b, A_DAY);
	wait_for_asks(1);
}

Test(tls_reports, a_damaged_file, .fini = end)
{
	char path[BENCH_PATH + 16];
	FILE *f;

	begin(ON);
	tell("d.example", TLSRPT_SUCCESS);
	bench_stop(&b);
	(void)snprintf(path, sizeof(path), "%s/tlsrpt", b.dir);
	cr_assert_not_null(f = fopen(path, "r+"));
	cr_assert_eq(fputc('X', f), 'X');
	cr_assert_eq(fclose(f), 0);
	bench_start(&b);
	bench_usual(&b);
	cr_assert_eq(bench_log_count(&b, "begin anew"), 1);
	tell("d.example", TLSRPT_SUCCESS);
	bench_skip(&b, A_DAY);
	wait_for_asks(1);
}

/* Without reports.tls nothing is counted. */
Test(tls_reports, off, .fini = end)
{
	begin("");
	tell("d.example", TLSRPT_SUCCESS);
	bench_reload(&b, ON);
	bench_skip(&b, A_DAY);
	bench_turn(&b, 1500);
	cr_assert_eq(b.deliverds[0].asks, 0);
}

/* A deliverd that was taken over: words beyond the list, answers that nobody
 * asked for. */
Test(tls_reports, hostile, .fini = end)
{
	begin(ON);
	tell("d.example", TLSRPT_RESULTS);
	tell("d.example\r\nBcc: x@y", TLSRPT_SUCCESS);
	answer(DNS_OK, RECORD);
	bench_skip(&b, A_DAY);
	bench_turn(&b, 1500);
	cr_assert_eq(b.deliverds[0].asks, 0);
	cr_assert(!b.deliverds[0].is_cut);
	cr_assert_eq(b.n_leases, 0);
	tell("d.example", TLSRPT_SUCCESS);
	bench_skip(&b, A_DAY);
	wait_for_asks(1);
	b.deliverds[0].cookie++;
	answer(DNS_OK, RECORD);
	cr_assert_eq(b.n_leases, 0);
	b.deliverds[0].cookie--;
	answer(DNS_OK, RECORD);
	WAIT(b.n_leases == 1);
}
