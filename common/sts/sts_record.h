/*
 * The TXT record of MTA-STS, RFC 8461 3.1: `v=STSv1; id=20160831085700Z;`.
 *
 * Records of other kinds are passed over; one of this kind has to be alone and
 * whole, or there is no policy.  Unknown fields are ignored, of repeated ones
 * the first counts.
 */
#ifndef MTAD_STS_STS_RECORD_H
#define MTAD_STS_STS_RECORD_H

#include "common/base/err.h"
#include "common/base/span.h"

#define STS_ID_SIZE	33	/* with a NUL */

/* Begin with a zeroed one. */
struct sts_records {
	unsigned n;			/* of this kind */
	bool is_bad;			/* one of them */
	char id[STS_ID_SIZE];
};

/* One TXT record, its strings joined. */
void sts_records_add(struct sts_records *r, struct span text);

/* The id of the policy, or NULL: there is none to be had. */
const char *sts_records_id(const struct sts_records *r);

/* Letters and digits, 1 to 32 of them. */
bool sts_id_is_valid(struct span id);

#endif
