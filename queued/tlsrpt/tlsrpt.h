/*
 * What became of TLS on the way to each domain, a day at a time, and the reports
 * about it that the domain may have asked for: RFC 8460.
 *
 * Counted are connections.  A day is one of UTC (RFC 8460 4.1); when it is over
 * its counts are due, spread over four hours, so that not all of the world
 * reports at midnight.  Pure: the driver has the clock (wall, ms), the disk,
 * the DNS and the mail.
 *
 * Bounded: beyond TLSRPT_DOMAINS_MAX domains nothing new is counted, beyond
 * TLSRPT_POLICIES_MAX policies of one neither; failures beyond
 * TLSRPT_DETAILS_MAX kinds are counted by their result alone.
 */
#ifndef MTAD_QUEUED_TLSRPT_TLSRPT_H
#define MTAD_QUEUED_TLSRPT_TLSRPT_H

#include "common/base/buf.h"
#include "common/base/siphash.h"
#include "common/mail/tlsrpt_kinds.h"

#define TLSRPT_DOMAINS_MAX	20000u	/* of all days together */
#define TLSRPT_POLICIES_MAX	8u	/* of a domain in a day */
#define TLSRPT_DETAILS_MAX	32u	/* of a policy */
#define TLSRPT_DOMAIN_MAX	253u	/* bytes */
#define TLSRPT_POLICY_MAX	2048u	/* of a policy's text; cut at a line */
#define TLSRPT_TEXT_MAX		255u	/* of any other text; cut */
#define TLSRPT_FILE_MAX		((size_t)64 * 1024 * 1024)

#define TLSRPT_LIFE_MS	(INT64_C(48) * 3600000)	/* after its day */

/* A connection, or why there was none; texts may be empty, and any bytes. */
struct tlsrpt_event {
	struct span domain;		/* the policy's, as A-labels */
	enum tlsrpt_kind kind;
	struct span policy;		/* its lines, parted by \n */
	struct span patterns;		/* mx: of MTA-STS, parted by \n */
	enum tlsrpt_result result;
	struct span host;		/* that was to be reached */
	struct span to;			/* its address */
	struct span from;		/* ours */
	struct span why;		/* in words */
};

struct tlsrpt;
struct tlsrpt_day;			/* a domain in a day */

/* SEED: for its map.  ERR_NOMEM. */
enum err tlsrpt_new(const struct siphash_key *seed, struct tlsrpt **out);
void tlsrpt_free(struct tlsrpt **t);

/* Counts E at NOW; what has no room is counted as lost. */
void tlsrpt_count(struct tlsrpt *t, const struct tlsrpt_event *e,
    int64_t now);
uint64_t tlsrpt_lost(const struct tlsrpt *t);

/* One whose day is over and that is due, or NULL; what is too old is forgotten.
 * In no order. */
struct tlsrpt_day *tlsrpt_due(struct tlsrpt *t, int64_t now);

/* What is to become of it: not before UNTIL; nothing more (it is freed). */
void tlsrpt_put_off(struct tlsrpt *t, struct tlsrpt_day *day, int64_t until);
void tlsrpt_forget(struct tlsrpt *t, struct tlsrpt_day **day);

/* inspection */
size_t tlsrpt_domains(const struct tlsrpt *t);
struct span tlsrpt_day_domain(const struct tlsrpt_day *day);
int64_t tlsrpt_day_begin(const struct tlsrpt_day *day);	/* wall ms */
struct tlsrpt_day *tlsrpt_find(const struct tlsrpt *t, struct span domain,
    int64_t at);

/* What is to outlive the process, and whether it has changed since it was put
 * last.  READ adds to an empty one: ERR_CORRUPT (nothing is known then),
 * ERR_VERSION (of a later version), ERR_NOMEM. */
bool tlsrpt_has_changed(const struct tlsrpt *t);
void tlsrpt_put(struct tlsrpt *t, struct buf *out);
enum err tlsrpt_read(struct tlsrpt *t, struct span bytes);

#endif
