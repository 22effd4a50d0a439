/*
 * MTA-STS of a round over hosts: the policy of the domain that the host now
 * tried belongs to (RFC 8461 3.4: the recipients' by MX, else the host itself).
 */
#ifndef MTAD_DELIVERD_WAY_STS_H
#define MTAD_DELIVERD_WAY_STS_H

#include "common/base/buf.h"
#include "common/dns/dns_names.h"
#include "common/ipc/ipc_words.h"
#include "common/route/route.h"
#include "deliverd/policy/policy.h"

struct sts_ask;

enum way_sts_state { WAY_STS_NONE, WAY_STS_ASKED, WAY_STS_HAS };

/* Called when what a host waited for is known; T may be gone afterwards. */
typedef void way_sts_fn(void *ctx);

/* A part of a session, or of who only asks. */
struct way_sts {
	struct sts_ask *ask;		/* borrowed, as is route */
	const struct route *route;
	way_sts_fn *fn;
	void *ctx;
	enum way_sts_state state;
	bool is_awaited;		/* its host waits for the answer */
	bool is_trusted;		/* its certificate, if that was watched */
	char domain[DNS_NAME_SIZE];	/* asked for */
	struct buf mx;			/* see sts_policy.h */
	enum policy_trouble trouble;	/* with looking for it */
	struct policy_sts facts;	/* of the answer, and of a host */
	char why[320];			/* what facts.why points to */
};

struct way_sts_host {
	const char *name;
	bool has_none;			/* it is an address, or a path */
	bool is_lmtp;
};

void way_sts_init(struct way_sts *t, struct sts_ask *ask,
    const struct route *route, way_sts_fn *fn, void *ctx);

/* Forgets its question, if there is one; nothing when it was not made. */
void way_sts_clear(struct way_sts *t);

/* By MX: asks about DOMAIN, while the exchangers are asked for. */
void way_sts_begin(struct way_sts *t, const char *domain);

/* What counts for HOST is known (in facts); false: FN tells when it is. */
bool way_sts_find(struct way_sts *t, const struct way_sts_host *host);

#endif
