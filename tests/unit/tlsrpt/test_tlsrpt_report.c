/* The report itself: RPT-02, RPT-04. */
#include <criterion/criterion.h>

#include "common/base/base64.h"
#include "queued/tlsrpt/tlsrpt_impl.h"
#include "queued/tlsrpt/tlsrpt_report.h"

static const struct siphash_key seed = { 5, 6 };
static const struct tlsrpt_sender sender = {
	.host = SPAN_LIT("mail.sender.example"),
	.contact = SPAN_LIT("postmaster@sender.example"),
};
static struct tlsrpt *t;
static struct buf json, mail;

#define NOON (20000 * TLSRPT_DAY_MS + TLSRPT_DAY_MS / 2)	/* 2024-10-04 */

static void
begin(void)
{
	cr_assert_eq(tlsrpt_new(&seed, &t), OK);
	buf_init(&json, 1 << 20);
	buf_init(&mail, 1 << 21);
}

static void
end(void)
{
	tlsrpt_free(&t);
	buf_clear(&json);
	buf_clear(&mail);
}

TestSuite(tlsrpt_report, .init = begin, .fini = end);

static const struct tlsrpt_day *
take(enum tlsrpt_result result, struct span why)
{
	struct tlsrpt_event e = {
		.domain = SPAN_LIT("d.example"), .kind = TLSRPT_STS,
		.policy = SPAN_LIT("version: STSv1\nmode: testing\n"),
		.patterns = SPAN_LIT("*.mx.example"), .result = result,
		.host = SPAN_LIT("a.mx.example"), .to = SPAN_LIT("192.0.2.1"),
		.from = SPAN_LIT("198.51.100.1"), .why = why,
	};

	tlsrpt_count(t, &e, NOON);
	return tlsrpt_find(t, e.domain, NOON);
}

Test(tlsrpt_report, json)
{
	static const char want[] =
	    "{\"organization-name\":\"mail.sender.example\",\"date-range\":{"
	    "\"start-datetime\":\"2024-10-04T00:00:00Z\","
	    "\"end-datetime\":\"2024-10-04T23:59:59Z\"},"
	    "\"contact-info\":\"postmaster@sender.example\","
	    "\"report-id\":\"2024-10-04.d.example@mail.sender.example\","
	    "\"policies\":[{\"policy\":{\"policy-type\":\"sts\","
	    "\"policy-string\":[\"version: STSv1\",\"mode: testing\"],"
	    "\"policy-domain\":\"d.example\",\"mx-host\":[\"*.mx.example\"]},"
	    "\"summary\":{\"total-successful-session-count\":1,"
	    "\"total-failure-session-count\":2},\"failure-details\":[{"
	    "\"result-type\":\"certificate-expired\","
	    "\"sending-mta-ip\":\"198.51.100.1\","
	    "\"receiving-mx-hostname\":\"a.mx.example\","
	    "\"receiving-ip\":\"192.0.2.1\",\"failed-session-count\":2,"
	    "\"failure-reason-code\":\"it\\\"s\\n\"}]}]}";
	const struct tlsrpt_day *day;

	(void)take(TLSRPT_SUCCESS, SPAN_NONE);
	(void)take(TLSRPT_EXPIRED, SPAN_LIT("it\"s\n"));
	day = take(TLSRPT_EXPIRED, SPAN_LIT("it\"s\n"));
	cr_assert_eq(tlsrpt_report_json(day, &sender, &json), OK);
	buf_add_byte(&json, 0);
	cr_assert_str_eq((const char *)json.p, want);
}

static bool
has(const char *text)
{
	return memmem(mail.p, mail.n, text, strlen(text)) != NULL;
}

Test(tlsrpt_report, mail)
{
	const struct tlsrpt_day *day = take(TLSRPT_SUCCESS, SPAN_NONE);
	size_t line = 0;

	cr_assert_eq(tlsrpt_report_json(day, &sender, &json), OK);
	tlsrpt_report_mail(day, &sender, SPAN_LIT("r@d.example"),
	    buf_span(&json), NOON + TLSRPT_DAY_MS, &mail);
	cr_assert(!buf_failed(&mail));
	cr_assert(has("From: <postmaster@sender.example>\r\n"));
	cr_assert(has("\r\nTo: <r@d.example>\r\n"));
	cr_assert(has("\r\nDate: Sat, 5 Oct 2024 12:00:00 +0000\r\n"));
	cr_assert(has("\r\nSubject: Report Domain: d.example\r\n"
	    " Submitter: mail.sender.example\r\n"
	    " Report-ID: <2024-10-04.d.example@mail.sender.example>\r\n"));
	cr_assert(has("\r\nTLS-Report-Domain: d.example\r\n"
	    "TLS-Report-Submitter: mail.sender.example\r\n"));
	cr_assert(has("report-type=\"tlsrpt\""));
	cr_assert(has("filename=\"mail.sender.example!d.example!1728000000!"
	    "1728086399.json\"\r\n"));
	for (size_t i = 0; i < mail.n; i++, line++) {
		cr_assert_lt(mail.p[i], 0x80);
		if (mail.p[i] == '\n') {
			cr_assert_eq(mail.p[i - 1], '\r');
			line = 0;
		}
		cr_assert_leq(line, 998);
	}
}

/* What is attached is what was to be told. */
Test(tlsrpt_report, attachment)
{
	static const char head[] = ".json\"\r\n\r\n";
	const struct tlsrpt_day *day = take(TLSRPT_EXPIRED, SPAN_NONE);
	uint8_t *p, text[8192], bytes[8192];
	size_t n = 0, got;

	cr_assert_eq(tlsrpt_report_json(day, &sender, &json), OK);
	tlsrpt_report_mail(day, &sender, SPAN_LIT("r@d.example"),
	    buf_span(&json), NOON, &mail);
	p = memmem(mail.p, mail.n, head, sizeof(head) - 1);
	cr_assert_not_null(p);
	for (p += sizeof(head) - 1; p[0] != '-'; p++)
		if (*p != '\r' && *p != '\n')
			text[n++] = *p;
	cr_assert_eq(base64_decode(span_of(text, n), bytes, sizeof(bytes),
	    &got), OK);
	cr_assert(span_equal(span_of(bytes, got), buf_span(&json)));
}
