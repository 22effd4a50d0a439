/*
 * What a domain is told of TLS: under which policy it was, and how it ended
 * (RPT-02; RFC 8460 4.3).
 */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "deliverd/policy/policy_report.h"

#define DEFAULT CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS

static const struct dns_tlsa records[] = {
	{ DNS_TLSA_DANE_EE, 1, DNS_TLSA_SHA256, SPAN_LIT("0123\xff") },
	{ DNS_TLSA_DANE_TA, 0, DNS_TLSA_SHA512, SPAN_LIT("ab") },
};

static const struct policy_sts no_sts = { .domain = "", .why = "" };

static struct policy_facts
facts(enum conf_route_tls tls, enum hop_dane_state state,
    struct hop_dane *dane)
{
	*dane = (struct hop_dane){ .state = state, .base = "mx.example" };
	if (state == HOP_DANE_USABLE) {
		dane->records = records;
		dane->n = COUNT_OF(records);
	}
	return (struct policy_facts){ .tls = tls, .dane = dane,
	    .sts = &no_sts };
}

/* -1: nothing is told */
static int
kind(enum conf_route_tls tls, enum hop_dane_state state, enum policy_end end)
{
	struct hop_dane dane;
	struct policy_facts f = facts(tls, state, &dane);
	struct policy_report r;

	return policy_report(&f, end, TLSRPT_STS_FETCH, &r) ? (int)r.kind : -1;
}

/* Who has not looked for both policies can't say that there was none. */
Test(policy_report, kinds)
{
	static const enum conf_route_tls silent[] = {
		CONF_ROUTE_TLS_NONE, CONF_ROUTE_TLS_OPPORTUNISTIC,
		CONF_ROUTE_TLS_REQUIRED, CONF_ROUTE_TLS_VERIFIED,
	};

	for (size_t i = 0; i < COUNT_OF(silent); i++)
		for (unsigned state = 0; state < 4; state++)
			cr_expect_eq(kind(silent[i], state, POLICY_END_TLS),
			    -1);
	cr_expect_eq(kind(DEFAULT, HOP_DANE_NONE, POLICY_END_TLS),
	    TLSRPT_NO_POLICY);
	cr_expect_eq(kind(DEFAULT, HOP_DANE_USABLE, POLICY_END_TLS),
	    TLSRPT_TLSA);
	cr_expect_eq(kind(DEFAULT, HOP_DANE_UNUSABLE, POLICY_END_TLS),
	    TLSRPT_TLSA);
	cr_expect_eq(kind(DEFAULT, HOP_DANE_FAILED, POLICY_END_SKIPPED),
	    TLSRPT_TLSA);
	cr_expect_eq(kind(CONF_ROUTE_TLS_DANE, HOP_DANE_NONE,
	    POLICY_END_SKIPPED), TLSRPT_TLSA);
}

Test(policy_report, results)
{
	static const struct row {
		enum hop_dane_state state;
		enum policy_end end;
		enum tlsrpt_result want;
	} rows[] = {
		{ HOP_DANE_USABLE, POLICY_END_TLS, TLSRPT_SUCCESS },
		{ HOP_DANE_USABLE, POLICY_END_NONE, TLSRPT_NO_STARTTLS },
		{ HOP_DANE_USABLE, POLICY_END_NAME, TLSRPT_WRONG_NAME },
		{ HOP_DANE_USABLE, POLICY_END_TIME, TLSRPT_EXPIRED },
		{ HOP_DANE_USABLE, POLICY_END_TRUST, TLSRPT_NOT_TRUSTED },
		{ HOP_DANE_USABLE, POLICY_END_BROKEN, TLSRPT_INVALID },
		{ HOP_DANE_FAILED, POLICY_END_SKIPPED, TLSRPT_DNSSEC_INVALID },
		{ HOP_DANE_UNUSABLE, POLICY_END_SKIPPED, TLSRPT_TLSA_INVALID },
		{ HOP_DANE_NONE, POLICY_END_SKIPPED, TLSRPT_DANE_REQUIRED },
	};
	struct hop_dane dane;
	struct policy_report r;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct policy_facts f = facts(CONF_ROUTE_TLS_DANE,
		    rows[i].state, &dane);

		cr_assert(policy_report(&f, rows[i].end, TLSRPT_STS_FETCH,
		    &r), "row %zu", i);
		cr_expect_eq(r.result, rows[i].want, "row %zu", i);
	}
}

static struct span
text(struct hop_dane *dane, enum tlsrpt_kind kind_, struct buf *out)
{
	struct policy_facts f = { .tls = DEFAULT, .dane = dane,
	    .sts = &no_sts };

	buf_reset(out);
	policy_report_text(&f, kind_, SPAN_NONE, out);
	cr_assert(!buf_failed(out));
	return buf_span(out);
}

/* As in a zone file; what has no room is left out as a whole. */
Test(policy_report, texts)
{
	static const uint8_t octets[900];
	const struct dns_tlsa large[] = {
		{ DNS_TLSA_DANE_EE, 0, DNS_TLSA_FULL, span_of(octets, 900) },
		{ DNS_TLSA_DANE_EE, 0, DNS_TLSA_FULL, span_of(octets, 900) },
	};
	struct hop_dane dane;
	struct buf out;
	struct span got;

	buf_init(&out, POLICY_REPORT_TEXT_MAX);
	(void)facts(DEFAULT, HOP_DANE_USABLE, &dane);
	got = text(&dane, TLSRPT_TLSA, &out);
	cr_expect(span_equal(got, SPAN_LIT("3 1 1 30313233ff\n2 0 2 6162\n")),
	    "%.*s", (int)got.n, (const char *)got.p);
	cr_expect_eq(text(&dane, TLSRPT_NO_POLICY, &out).n, 0);
	dane.records = large;
	cr_expect_eq(text(&dane, TLSRPT_TLSA, &out).n, 6 + 1800 + 1);
	buf_clear(&out);
}

/* MTA-STS counts where there is no DANE, and its own troubles have names. */
Test(policy_report, sts)
{
	static const struct row {
		enum policy_sts_state state;
		enum policy_end end;
		enum tlsrpt_result want;
	} rows[] = {
		{ POLICY_STS_ENFORCE, POLICY_END_TLS, TLSRPT_SUCCESS },
		{ POLICY_STS_ENFORCE, POLICY_END_SKIPPED, TLSRPT_INVALID },
		{ POLICY_STS_ENFORCE, POLICY_END_NAME, TLSRPT_WRONG_NAME },
		{ POLICY_STS_TESTING, POLICY_END_TIME, TLSRPT_EXPIRED },
		{ POLICY_STS_UNKNOWN, POLICY_END_TLS, TLSRPT_STS_WEBPKI },
		{ POLICY_STS_UNKNOWN, POLICY_END_NONE, TLSRPT_STS_WEBPKI },
	};
	struct hop_dane dane;
	struct policy_report r;
	struct buf out;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct policy_facts f = facts(DEFAULT, HOP_DANE_NONE, &dane);
		const struct policy_sts sts = { .state = rows[i].state };

		f.sts = &sts;
		cr_assert(policy_report(&f, rows[i].end, TLSRPT_STS_WEBPKI,
		    &r), "row %zu", i);
		cr_expect_eq(r.kind, TLSRPT_STS, "row %zu", i);
		cr_expect_eq(r.result, rows[i].want, "row %zu", i);
		dane.state = HOP_DANE_USABLE;
		cr_assert(policy_report(&f, POLICY_END_TLS, TLSRPT_STS_WEBPKI,
		    &r));
		cr_expect_eq(r.kind, TLSRPT_TLSA);
	}
	buf_init(&out, POLICY_REPORT_TEXT_MAX);
	{
		struct policy_facts f = facts(DEFAULT, HOP_DANE_NONE, &dane);
		const struct policy_sts sts = { .state = POLICY_STS_ENFORCE };

		f.sts = &sts;
		policy_report_text(&f, TLSRPT_STS,
		    SPAN_LIT("a.example\n*.b.example\n"), &out);
	}
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("version: STSv1\n"
	    "mode: enforce\nmx: a.example\nmx: *.b.example\n")));
	buf_clear(&out);
}
