/*
 * MTA-STS of a session: the policy of the domain that the host now tried
 * belongs to (RFC 8461 3.4: the recipients' by MX, else the host itself).
 */
#ifndef MTAD_DELIVERD_SESSION_STS_H
#define MTAD_DELIVERD_SESSION_STS_H

#include "common/base/buf.h"
#include "common/dns/dns_names.h"
#include "common/ipc/ipc_words.h"
#include "deliverd/policy/policy.h"

struct session;

enum session_sts_state { SESSION_STS_NONE, SESSION_STS_ASKED, SESSION_STS_HAS };

/* A part of a session, zeroed at first. */
struct session_sts {
	enum session_sts_state state;
	bool is_awaited;		/* its host waits for the answer */
	bool is_trusted;		/* its certificate, if that was watched */
	char domain[DNS_NAME_SIZE];	/* asked for */
	struct buf mx;			/* see sts_policy.h */
	enum policy_trouble trouble;	/* with looking for it */
	struct policy_sts facts;	/* of the answer, and of a host */
	char why[320];			/* what facts.why points to */
};

/* By MX: asks, while the exchangers are asked for. */
void session_sts_begin(struct session *s);

/* What counts for the host now tried is known (in facts); false: the dial goes
 * on by itself when it is. */
bool session_sts_find(struct session *s);

/* The connection is up: a policy that is testing would have refused it? */
void session_sts_note(struct session *s);

void session_sts_clear(struct session *s);

#endif
