/*
 * What a host has to show: every route, message and state of DANE (DANE-02,
 * DANE-03, DANE-08, RTLS-03).
 */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "deliverd/policy/policy.h"

#define DEFAULT CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS

static struct policy
judge(enum conf_route_tls tls, enum hop_dane_state state, bool requires_tls,
    bool has_secret)
{
	const struct hop_dane dane = { .state = state, .why = "because",
	    .base = "mx.example" };
	const struct policy_facts facts = {
		.tls = tls, .requires_tls = requires_tls,
		.has_secret = has_secret, .dane = &dane,
	};
	struct policy p;

	policy_judge(&facts, &p);
	return p;
}

/* "clear", "may", "must", "must pkix", "must dane", "skip", "skip unfit"; in
 * the order of enum hop_dane_state. */
static const struct row {
	enum conf_route_tls tls;
	bool requires_tls, has_secret;
	const char *want[4];
} rows[] = {
	{ CONF_ROUTE_TLS_NONE, false, false,
	    { "clear", "clear", "clear", "clear" } },
	{ CONF_ROUTE_TLS_NONE, false, true,
	    { "clear", "clear", "clear", "clear" } },
	{ CONF_ROUTE_TLS_NONE, true, false,
	    { "must pkix", "skip", "must pkix", "must dane" } },
	{ CONF_ROUTE_TLS_OPPORTUNISTIC, false, false,
	    { "may", "may", "may", "may" } },
	{ CONF_ROUTE_TLS_OPPORTUNISTIC, false, true,
	    { "must pkix", "must pkix", "must pkix", "must pkix" } },
	{ CONF_ROUTE_TLS_OPPORTUNISTIC, true, false,
	    { "must pkix", "skip", "must pkix", "must dane" } },
	{ CONF_ROUTE_TLS_REQUIRED, false, false,
	    { "must", "must", "must", "must" } },
	{ CONF_ROUTE_TLS_REQUIRED, false, true,
	    { "must", "must", "must", "must" } },
	{ CONF_ROUTE_TLS_REQUIRED, true, false,
	    { "must pkix", "skip", "must pkix", "must dane" } },
	{ CONF_ROUTE_TLS_VERIFIED, false, false,
	    { "must pkix", "must pkix", "must pkix", "must pkix" } },
	{ CONF_ROUTE_TLS_VERIFIED, true, false,
	    { "must pkix", "must pkix", "must pkix", "must pkix" } },
	{ CONF_ROUTE_TLS_DANE, false, false,
	    { "skip unfit", "skip", "skip unfit", "must dane" } },
	{ CONF_ROUTE_TLS_DANE, false, true,
	    { "skip unfit", "skip", "skip unfit", "must dane" } },
	{ CONF_ROUTE_TLS_DANE, true, false,
	    { "skip unfit", "skip", "skip unfit", "must dane" } },
	{ DEFAULT, false, false, { "may", "skip", "must", "must dane" } },
	{ DEFAULT, false, true,
	    { "must pkix", "skip", "must pkix", "must dane" } },
	{ DEFAULT, true, false,
	    { "must pkix", "skip", "must pkix", "must dane" } },
	{ DEFAULT, true, true,
	    { "must pkix", "skip", "must pkix", "must dane" } },
};

static const char *
name(const struct policy *p)
{
	static const char *const musts[] = {
		[POLICY_ANY] = "must", [POLICY_PKIX] = "must pkix",
		[POLICY_DANE] = "must dane",
	};

	switch (p->need) {
	case POLICY_CLEAR: return "clear";
	case POLICY_MAY: return "may";
	case POLICY_MUST: return musts[p->proof];
	case POLICY_SKIP: return p->is_unfit ? "skip unfit" : "skip";
	}
	return "";
}

Test(policy, every_state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (unsigned state = 0; state < 4; state++) {
			const struct row *r = &rows[i];
			struct policy p = judge(r->tls, state,
			    r->requires_tls, r->has_secret);

			cr_expect_str_eq(name(&p), r->want[state],
			    "row %zu, state %u: %s", i, state, name(&p));
			/* what is demanded has a reason, for people */
			cr_expect_eq(p.why[0] != '\0', p.need == POLICY_MUST ||
			    p.need == POLICY_SKIP);
			cr_expect_eq(p.text[0] != '\0',
			    p.need == POLICY_SKIP);
			cr_expect(p.need != POLICY_SKIP ||
			    (p.status.class == 4 && p.status.subject == 7));
		}
}

/* Facts are asked for where they matter, and only there. */
Test(policy, wants_dane)
{
	for (unsigned tls = 0; tls <= DEFAULT; tls++)
		for (int requires = 0; requires < 2; requires++) {
			struct policy with = judge(tls, HOP_DANE_USABLE,
			    requires, false);
			struct policy without = judge(tls, HOP_DANE_NONE,
			    requires, false);

			cr_expect_eq(policy_wants_dane(tls, requires),
			    with.need != without.need ||
			    with.proof != without.proof, "%u %d", tls,
			    requires);
		}
}

/* DANE-02: what can't be known holds the mail, and says what that is. */
Test(policy, words)
{
	struct policy p = judge(DEFAULT, HOP_DANE_FAILED, false, false);

	cr_expect_str_eq(p.text, "because");
	cr_expect(p.status.detail == 5);
	p = judge(CONF_ROUTE_TLS_DANE, HOP_DANE_NONE, false, false);
	cr_expect_neq(strstr(p.text, "demands DANE"), NULL);
	cr_expect_neq(strstr(p.text, "because"), NULL);
	cr_expect(p.status.detail == 4);
}
