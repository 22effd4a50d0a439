/*
 * What a host has to show before it gets a message: the one place where the
 * route, the message and what the receiver publishes are weighed against each
 * other.  Pure.
 *
 * The strongest that applies wins, and none is ever undone by a weaker one:
 * DANE before all else (RFC 7672 2.2; RFC 8461 2), then MTA-STS (RFC 8461 5),
 * then REQUIRETLS (RFC 8689 4.2.1), then the route.
 */
#ifndef MTAD_DELIVERD_POLICY_POLICY_H
#define MTAD_DELIVERD_POLICY_POLICY_H

#include "common/conf/conf_types.h"
#include "common/mail/status.h"
#include "deliverd/hops/hop_dane.h"

enum policy_sts_state {
	POLICY_STS_NONE,	/* the domain has no policy, or it says none */
	POLICY_STS_UNKNOWN,	/* that could not be found out */
	POLICY_STS_TESTING,
	POLICY_STS_ENFORCE,
};

/* MTA-STS of the host's domain (RFC 8461). */
struct policy_sts {
	enum policy_sts_state state;
	bool has_host;		/* it names this host */
	const char *domain;
	const char *why;	/* UNKNOWN: in words */
};

enum policy_need {
	POLICY_CLEAR,		/* TLS isn't asked for */
	POLICY_MAY,		/* TLS if it goes, else none */
	POLICY_MUST,
	POLICY_SKIP,		/* this host gets nothing now */
};

enum policy_proof {
	POLICY_ANY,		/* any certificate will do */
	POLICY_PKIX,		/* of a known authority, for the host's name */
	POLICY_DANE,		/* one that its TLSA records are for */
};

struct policy_facts {
	enum conf_route_tls tls;	/* of the route */
	bool requires_tls;		/* the message's REQUIRETLS */
	bool has_secret;		/* the host will be told a password */
	bool has_certificate;		/* it is to know us by one */
	const struct hop_dane *dane;
	const struct policy_sts *sts;
};

struct policy {
	enum policy_need need;
	enum policy_proof proof;
	const char *why;	/* who wants TLS, static; "" for nobody */
	/* of a skip: */
	bool is_unfit;		/* it lacks what is demanded; else it can't be
				 * known now whether it does */
	struct status status;
	char text[512];
};

/* Whether what hosts publish by DANE matters, before any is known. */
bool policy_wants_dane(enum conf_route_tls tls, bool requires_tls);

/* The same of MTA-STS. */
bool policy_wants_sts(enum conf_route_tls tls);

/* Of mail with TLS-Required: No: what receivers publish is passed over, what the
 * route demands itself is not (RFC 8689 4.2.2). */
enum conf_route_tls policy_of_optional(enum conf_route_tls tls);

void policy_judge(const struct policy_facts *f, struct policy *out);

#endif
