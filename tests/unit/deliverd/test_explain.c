/* What is demanded of TLS, in words: as the policy has it. */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "deliverd/explain_tls.h"

static const struct policy_sts none = { .domain = "", .why = "" },
    enforce = { POLICY_STS_ENFORCE, true, "b.example", "" },
    other = { POLICY_STS_ENFORCE, false, "b.example", "" },
    testing = { POLICY_STS_TESTING, true, "b.example", "" },
    unknown = { POLICY_STS_UNKNOWN, false, "b.example", "no answer" };

static const struct row {
	struct policy_facts facts;
	bool is_tls_host;
	enum hop_dane_state dane;
	const char *name;
	const char *why;
} rows[] = {
	{ { .tls = CONF_ROUTE_TLS_NONE }, false, HOP_DANE_NONE, "none",
	    "by the route" },
	{ { .tls = CONF_ROUTE_TLS_NONE }, true, HOP_DANE_NONE, "required",
	    "by the target" },
	{ { .tls = CONF_ROUTE_TLS_NONE, .requires_tls = true }, false,
	    HOP_DANE_NONE, "verified", "REQUIRETLS" },
	{ { .tls = CONF_ROUTE_TLS_OPPORTUNISTIC }, false, HOP_DANE_NONE,
	    "opportunistic", "where it is offered" },
	{ { .tls = CONF_ROUTE_TLS_OPPORTUNISTIC, .has_secret = true }, false,
	    HOP_DANE_NONE, "verified", "password" },
	{ { .tls = CONF_ROUTE_TLS_OPPORTUNISTIC, .has_secret = true }, true,
	    HOP_DANE_NONE, "verified", "password" },
	{ { .tls = CONF_ROUTE_TLS_REQUIRED }, false, HOP_DANE_NONE,
	    "required", "by the route" },
	{ { .tls = CONF_ROUTE_TLS_VERIFIED }, true, HOP_DANE_NONE,
	    "verified", "by the route" },
	{ { .tls = CONF_ROUTE_TLS_DANE }, false, HOP_DANE_USABLE, "dane",
	    "TLSA" },
	{ { .tls = CONF_ROUTE_TLS_DANE }, false, HOP_DANE_NONE, "skipped",
	    "the words" },
	{ { .tls = CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS }, false,
	    HOP_DANE_NONE, "opportunistic", "; no DANE: the words" },
	{ { .tls = CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS }, false,
	    HOP_DANE_FAILED, "skipped", "the words" },
	{ { .tls = CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS, .sts = &enforce },
	    false, HOP_DANE_NONE, "verified", "by the MTA-STS policy" },
	{ { .tls = CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS, .sts = &other },
	    false, HOP_DANE_NONE, "skipped", "b.example" },
	{ { .tls = CONF_ROUTE_TLS_STS, .sts = &testing }, false,
	    HOP_DANE_NONE, "opportunistic", "testing: it names this host" },
	{ { .tls = CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS, .sts = &unknown },
	    false, HOP_DANE_NONE, "opportunistic",
	    "MTA-STS unknown: no answer" },
	{ { .tls = CONF_ROUTE_TLS_STS, .sts = &unknown }, false,
	    HOP_DANE_NONE, "skipped", "no answer" },
};

Test(explain_tls, name_and_reason)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *row = &rows[i];
		struct hop_dane dane = { .state = row->dane, .base = "",
			.why = "the words" };
		struct hop hop = { .is_tls = row->is_tls_host,
			.dane = &dane };
		struct policy_facts facts = row->facts;
		struct policy policy;
		char why[EXPLAIN_TLS_SIZE];
		size_t n;

		facts.dane = &dane;
		if (facts.sts == NULL)
			facts.sts = &none;
		policy_judge(&facts, &policy);
		n = explain_tls_why(&policy, &hop, facts.sts, why);
		cr_expect_eq(n, strlen(why));
		cr_expect_str_eq(explain_tls_name(&policy, row->is_tls_host),
		    row->name, "row %zu", i);
		cr_expect_not_null(strstr(why, row->why), "row %zu: %s", i,
		    why);
	}
}
