#include "deliverd/explain_tls.h"

#include <stdio.h>

const char *
explain_tls_name(const struct policy *policy, bool is_tls_host)
{
	if (policy->need == POLICY_SKIP)
		return "skipped";
	if (policy->need == POLICY_MUST || is_tls_host)
		return policy->proof == POLICY_DANE ? "dane" :
		    policy->proof == POLICY_PKIX ? "verified" : "required";
	return policy->need == POLICY_MAY ? "opportunistic" : "none";
}

/* Who wants it. */
static const char *
reason(const struct policy *policy, bool is_tls_host)
{
	if (policy->need == POLICY_SKIP)
		return policy->text;
	if (policy->need == POLICY_MUST)
		return policy->why;
	if (is_tls_host)
		return "by the target, which begins with it (smtps://)";
	return policy->need == POLICY_CLEAR ? "by the route" :
	    "where it is offered; in clear where it is not, or fails";
}

/* What MTA-STS adds, where it does not decide; empty: nothing. */
static const char *
sts_note(const struct policy *policy, const struct policy_sts *sts)
{
	if (policy->need == POLICY_SKIP)
		return "";
	if (sts->state == POLICY_STS_TESTING)
		return "; the MTA-STS policy is one that is testing: ";
	return sts->state == POLICY_STS_UNKNOWN ? "; MTA-STS unknown: " : "";
}

/* That there is no DANE is worth its words only where it was looked for. */
size_t
explain_tls_why(const struct policy *policy, const struct hop *hop,
    const struct policy_sts *sts, char out[EXPLAIN_TLS_SIZE])
{
	bool has_more = policy->need != POLICY_SKIP &&
	    hop->dane->state == HOP_DANE_NONE && hop->dane->why[0] != '\0';
	const char *note = sts_note(policy, sts);
	const char *words = note[0] == '\0' ? "" :
	    sts->state == POLICY_STS_UNKNOWN ? sts->why :
	    sts->has_host ? "it names this host" :
	    "it does not name this host";
	int n = snprintf(out, EXPLAIN_TLS_SIZE, "%s%s%s%s%s",
	    reason(policy, hop->is_tls), has_more ? "; no DANE: " : "",
	    has_more ? hop->dane->why : "", note, words);

	return n < EXPLAIN_TLS_SIZE ? (size_t)n : EXPLAIN_TLS_SIZE - 1;
}
