/*
 * What the receiver's domain is told of a try to reach one of its hosts by TLS
 * (RFC 8460 4.3, 4.4).  Pure.
 */
#ifndef MTAD_DELIVERD_POLICY_POLICY_REPORT_H
#define MTAD_DELIVERD_POLICY_POLICY_REPORT_H

#include "common/base/buf.h"
#include "common/mail/tlsrpt_kinds.h"
#include "deliverd/policy/policy.h"

#define POLICY_REPORT_TEXT_MAX	2048u	/* records behind it are left out */

enum policy_end {
	POLICY_END_TLS,		/* there is TLS */
	POLICY_END_NONE,	/* the host does not offer it */
	POLICY_END_NAME,	/* the certificate is for another host … */
	POLICY_END_TIME,	/* … or not valid now … */
	POLICY_END_TRUST,	/* … or nobody vouches for it */
	POLICY_END_BROKEN,	/* for another reason */
	POLICY_END_SKIPPED,	/* by the policy: never connected */
};

struct policy_report {
	enum tlsrpt_kind kind;
	enum tlsrpt_result result;
};

/* TROUBLE: why a policy of MTA-STS could not be found out, where that is so.
 * False: there is nothing to tell, or we did not look for all policies that
 * there may be and can't say under which it happened. */
bool policy_report(const struct policy_facts *f, enum policy_end end,
    enum tlsrpt_result trouble, struct policy_report *out);

/* The policy itself, its lines parted by LF: of DANE the TLSA records, of MTA-STS
 * its fields, of which MX are the hosts, a line each.  Appends. */
void policy_report_text(const struct policy_facts *f, enum tlsrpt_kind kind,
    struct span mx, struct buf *out);

#endif
