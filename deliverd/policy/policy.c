/*
 * DANE is looked at by routes that say so, and for mail with REQUIRETLS, for
 * which it proves as much as an authority does (RFC 8689 4.2.1).  What a host
 * publishes binds then: a failing look-up or certificate has no way around it.
 */
#include "deliverd/policy/policy.h"

#include <stdio.h>

bool
policy_wants_dane(enum conf_route_tls tls, bool requires_tls)
{
	switch (tls) {
	case CONF_ROUTE_TLS_DANE:
	case CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS:
		return true;
	case CONF_ROUTE_TLS_NONE:
	case CONF_ROUTE_TLS_OPPORTUNISTIC:
	case CONF_ROUTE_TLS_REQUIRED:
		return requires_tls;
	case CONF_ROUTE_TLS_VERIFIED:
	case CONF_ROUTE_TLS_STS:
		break;
	}
	return false;
}

bool
policy_wants_sts(enum conf_route_tls tls)
{
	return tls == CONF_ROUTE_TLS_STS ||
	    tls == CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS;
}

enum conf_route_tls
policy_of_optional(enum conf_route_tls tls)
{
	return tls == CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS ?
	    CONF_ROUTE_TLS_OPPORTUNISTIC : tls;
}

static bool
is_enforced(const struct policy_facts *f)
{
	return policy_wants_sts(f->tls) &&
	    f->sts->state == POLICY_STS_ENFORCE;
}

static void
demand(struct policy *p, enum policy_need need, enum policy_proof proof,
    const char *why)
{
	p->need = need;
	p->proof = proof;
	p->why = why;
}

/* RFC 3463: 4.7.5, a cryptographic failure; 4.7.4, a feature that is lacking. */
static void
skip(struct policy *p, bool is_unfit, const char *what,
    const struct hop_dane *dane)
{
	demand(p, POLICY_SKIP, POLICY_DANE, "DANE");
	p->is_unfit = is_unfit;
	p->status = is_unfit ? STATUS(4, 7, 4) : STATUS(4, 7, 5);
	(void)snprintf(p->text, sizeof(p->text), "%s%s", what, dane->why);
}

/* What the receiver publishes; false when that says nothing. */
static bool
judge_dane(const struct policy_facts *f, struct policy *p)
{
	switch (f->dane->state) {
	case HOP_DANE_FAILED:
		skip(p, false, "", f->dane);
		return true;
	case HOP_DANE_USABLE:
		demand(p, POLICY_MUST, POLICY_DANE,
		    "by its TLSA records (DANE)");
		return true;
	case HOP_DANE_UNUSABLE:
		if (f->tls == CONF_ROUTE_TLS_DANE)
			skip(p, true, "the route demands DANE, and the host "
			    "publishes no TLSA record that can be used",
			    f->dane);
		else if (f->requires_tls || f->has_secret || is_enforced(f))
			return false;
		else
			demand(p, POLICY_MUST, POLICY_ANY,
			    "by its TLSA records (DANE), none of which can be "
			    "used");
		return true;
	case HOP_DANE_NONE:
		break;
	}
	if (f->tls != CONF_ROUTE_TLS_DANE)
		return false;
	skip(p, true, "the route demands DANE, which the host does not have: ",
	    f->dane);
	return true;
}

static void
skip_for_sts(struct policy *p, bool is_unfit, struct status status,
    const char *what, const char *more)
{
	demand(p, POLICY_SKIP, POLICY_PKIX, "MTA-STS");
	p->is_unfit = is_unfit;
	p->status = status;
	(void)snprintf(p->text, sizeof(p->text), "%s%s", what, more);
}

/* RFC 8461 5: an enforced policy binds; one that is testing leaves all as it
 * is, and without one there is nothing to hold a host to, but for a route that
 * wants nothing else. */
static bool
judge_sts(const struct policy_facts *f, struct policy *p)
{
	const bool is_asked = f->tls == CONF_ROUTE_TLS_STS;

	switch (f->sts->state) {
	case POLICY_STS_ENFORCE:
		if (f->sts->has_host)
			demand(p, POLICY_MUST, POLICY_PKIX, "by the MTA-STS "
			    "policy of its domain");
		else
			skip_for_sts(p, true, STATUS(4, 7, 5), "the host is "
			    "none of those that the MTA-STS policy allows of ",
			    f->sts->domain);
		return true;
	case POLICY_STS_TESTING:
		if (!is_asked || f->requires_tls || f->has_secret)
			return false;
		demand(p, POLICY_MAY, POLICY_ANY, "");
		return true;
	case POLICY_STS_UNKNOWN:
		if (is_asked)
			skip_for_sts(p, false, STATUS(4, 7, 5), "the route "
			    "demands MTA-STS: ", f->sts->why);
		return is_asked;
	case POLICY_STS_NONE:
		break;
	}
	if (is_asked)
		skip_for_sts(p, true, STATUS(4, 7, 4), "the route demands "
		    "MTA-STS, and there is no policy of ", f->sts->domain);
	return is_asked;
}

/* A password is given to who can prove that it is the host it is meant for,
 * unless the route says that any TLS will do, or none.  Who is to be known by a
 * certificate is nobody in clear. */
static void
judge_route(const struct policy_facts *f, struct policy *p)
{
	switch (f->tls) {
	case CONF_ROUTE_TLS_NONE:
		demand(p, POLICY_CLEAR, POLICY_ANY, "");
		break;
	case CONF_ROUTE_TLS_REQUIRED:
		demand(p, POLICY_MUST, POLICY_ANY, "by the route");
		break;
	case CONF_ROUTE_TLS_VERIFIED:
	case CONF_ROUTE_TLS_DANE:
	case CONF_ROUTE_TLS_STS:
		demand(p, POLICY_MUST, POLICY_PKIX, "by the route");
		break;
	case CONF_ROUTE_TLS_OPPORTUNISTIC:
	case CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS:
		if (f->has_secret)
			demand(p, POLICY_MUST, POLICY_PKIX,
			    "before a password is given");
		else if (f->has_certificate)
			demand(p, POLICY_MUST, POLICY_ANY,
			    "to show a certificate in");
		else
			demand(p, POLICY_MAY, POLICY_ANY, "");
		break;
	}
}

void
policy_judge(const struct policy_facts *f, struct policy *out)
{
	*out = (struct policy){ .why = "" };
	if (policy_wants_dane(f->tls, f->requires_tls) &&
	    judge_dane(f, out))
		return;
	if (policy_wants_sts(f->tls) && judge_sts(f, out))
		return;
	if (f->requires_tls)
		demand(out, POLICY_MUST, POLICY_PKIX, "by REQUIRETLS");
	else
		judge_route(f, out);
}
