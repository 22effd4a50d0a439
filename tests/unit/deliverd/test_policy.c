/*
 * What a host has to show: every route, message and state of DANE and MTA-STS
 * (DANE-02, DANE-03, DANE-08, RTLS-03, STS-05 to -09).
 */
#include <criterion/criterion.h>

#include "common/base/check.h"
#include "deliverd/policy/policy.h"

#define DEFAULT CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS

static struct policy
judge_both(enum conf_route_tls tls, enum hop_dane_state state,
    const struct policy_sts *sts, bool requires_tls, bool has_secret)
{
	const struct hop_dane dane = { .state = state, .why = "because",
	    .base = "mx.example" };
	const struct policy_facts facts = {
		.tls = tls, .requires_tls = requires_tls,
		.has_secret = has_secret, .dane = &dane, .sts = sts,
	};
	struct policy p;

	policy_judge(&facts, &p);
	return p;
}

static struct policy
judge(enum conf_route_tls tls, enum hop_dane_state state, bool requires_tls,
    bool has_secret)
{
	static const struct policy_sts none = { .domain = "d.example",
	    .why = "" };

	return judge_both(tls, state, &none, requires_tls, has_secret);
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

/* MTA-STS, by the state: none, unknown, testing, enforce; and the last with a
 * host that the policy does not name. */
static const struct sts_row {
	enum conf_route_tls tls;
	enum hop_dane_state dane;
	bool requires_tls, has_secret;
	const char *want[5];
} sts_rows[] = {
	{ DEFAULT, HOP_DANE_NONE, false, false,
	    { "may", "may", "may", "must pkix", "skip unfit" } },
	{ DEFAULT, HOP_DANE_NONE, true, false,
	    { "must pkix", "must pkix", "must pkix", "must pkix",
	      "skip unfit" } },
	{ DEFAULT, HOP_DANE_NONE, false, true,
	    { "must pkix", "must pkix", "must pkix", "must pkix",
	      "skip unfit" } },
	/* STS-09: what DANE says goes before */
	{ DEFAULT, HOP_DANE_USABLE, false, false,
	    { "must dane", "must dane", "must dane", "must dane",
	      "must dane" } },
	{ DEFAULT, HOP_DANE_FAILED, false, false,
	    { "skip", "skip", "skip", "skip", "skip" } },
	{ DEFAULT, HOP_DANE_UNUSABLE, false, false,
	    { "must", "must", "must", "must pkix", "skip unfit" } },
	{ CONF_ROUTE_TLS_STS, HOP_DANE_NONE, false, false,
	    { "skip unfit", "skip", "may", "must pkix", "skip unfit" } },
	{ CONF_ROUTE_TLS_STS, HOP_DANE_NONE, true, false,
	    { "skip unfit", "skip", "must pkix", "must pkix",
	      "skip unfit" } },
	{ CONF_ROUTE_TLS_STS, HOP_DANE_NONE, false, true,
	    { "skip unfit", "skip", "must pkix", "must pkix",
	      "skip unfit" } },
	/* others do not look at it */
	{ CONF_ROUTE_TLS_NONE, HOP_DANE_NONE, false, false,
	    { "clear", "clear", "clear", "clear", "clear" } },
	{ CONF_ROUTE_TLS_OPPORTUNISTIC, HOP_DANE_NONE, false, false,
	    { "may", "may", "may", "may", "may" } },
	{ CONF_ROUTE_TLS_REQUIRED, HOP_DANE_NONE, false, false,
	    { "must", "must", "must", "must", "must" } },
	{ CONF_ROUTE_TLS_VERIFIED, HOP_DANE_NONE, false, false,
	    { "must pkix", "must pkix", "must pkix", "must pkix",
	      "must pkix" } },
	{ CONF_ROUTE_TLS_DANE, HOP_DANE_NONE, false, false,
	    { "skip unfit", "skip unfit", "skip unfit", "skip unfit",
	      "skip unfit" } },
};

static struct policy
judge_sts(const struct sts_row *r, unsigned state)
{
	const struct policy_sts sts = {
		.state = state > POLICY_STS_ENFORCE ? POLICY_STS_ENFORCE :
		    (enum policy_sts_state)state,
		.has_host = state == POLICY_STS_ENFORCE,
		.domain = "d.example", .why = "nobody answers",
	};

	return judge_both(r->tls, r->dane, &sts, r->requires_tls,
	    r->has_secret);
}

Test(policy, every_sts_state)
{
	for (size_t i = 0; i < COUNT_OF(sts_rows); i++)
		for (unsigned state = 0; state < 5; state++) {
			struct policy p = judge_sts(&sts_rows[i], state);

			cr_expect_str_eq(name(&p), sts_rows[i].want[state],
			    "row %zu, state %u: %s", i, state, name(&p));
			cr_expect_eq(p.why[0] != '\0', p.need == POLICY_MUST ||
			    p.need == POLICY_SKIP);
			cr_expect(p.need != POLICY_SKIP ||
			    (p.status.class == 4 && p.status.subject == 7));
		}
}

/* STS-06: what is wrong is said, and it passes. */
Test(policy, sts_words)
{
	struct policy p = judge_sts(&sts_rows[0], 4);

	cr_expect_not_null(strstr(p.text, "MTA-STS policy allows of d.example"),
	    "%s", p.text);
	cr_expect(p.status.detail == 5);
	cr_expect_not_null(strstr(judge_sts(&sts_rows[0],
	    POLICY_STS_ENFORCE).why, "MTA-STS"));
	p = judge_sts(&sts_rows[6], POLICY_STS_UNKNOWN);
	cr_expect_str_eq(p.text, "the route demands MTA-STS: nobody answers");
	p = judge_sts(&sts_rows[6], POLICY_STS_NONE);
	cr_expect_not_null(strstr(p.text, "no policy of d.example"));
	cr_expect(p.status.detail == 4);
}

Test(policy, wants_sts)
{
	for (unsigned tls = 0; tls <= DEFAULT; tls++)
		cr_expect_eq(policy_wants_sts(tls), tls == DEFAULT ||
		    tls == CONF_ROUTE_TLS_STS, "%u", tls);
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

/* RTLS-07: what others publish is passed over, what the route says is not. */
Test(policy, optional)
{
	for (unsigned tls = 0; tls <= DEFAULT; tls++)
		cr_expect_eq(policy_of_optional(tls), tls == DEFAULT ?
		    CONF_ROUTE_TLS_OPPORTUNISTIC : tls);
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

/* Who shows a certificate does not go in clear, and believes as before. */
Test(policy, certificates)
{
	const struct hop_dane dane = { .state = HOP_DANE_NONE, .why = "",
	    .base = "" };
	const struct policy_sts sts = { .domain = "d.example", .why = "" };
	struct policy_facts facts = { .has_certificate = true,
	    .dane = &dane, .sts = &sts };
	static const struct {
		enum conf_route_tls tls;
		bool has_secret;
		const char *want;
	} shown[] = {
		{ CONF_ROUTE_TLS_OPPORTUNISTIC, false, "must" },
		{ CONF_ROUTE_TLS_OPPORTUNISTIC, true, "must pkix" },
		{ DEFAULT, false, "must" },
		{ CONF_ROUTE_TLS_REQUIRED, false, "must" },
		{ CONF_ROUTE_TLS_VERIFIED, false, "must pkix" },
	};

	for (size_t i = 0; i < COUNT_OF(shown); i++) {
		struct policy p;

		facts.tls = shown[i].tls;
		facts.has_secret = shown[i].has_secret;
		policy_judge(&facts, &p);
		cr_expect_str_eq(name(&p), shown[i].want, "%zu", i);
		cr_expect_neq(p.why[0], '\0');
	}
}
