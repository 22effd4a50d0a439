/*
 * The policy of MTA-STS, RFC 8461 3.2, and which hosts it allows, 4.1.
 *
 *	version: STSv1
 *	mode: enforce
 *	mx: mail.example.com
 *	mx: *.example.net
 *	max_age: 604800
 *
 * Lines end with LF or CRLF.  Unknown fields are ignored, of repeated ones but
 * mx the first counts.  A text that breaks the grammar is no policy.
 */
#ifndef MTAD_STS_STS_POLICY_H
#define MTAD_STS_STS_POLICY_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"

#define STS_POLICY_MAX	((size_t)64 * 1024)	/* of the text, 3.3 */
#define STS_AGE_MAX_S	31557600U		/* a year, 3.2 */
#define STS_MX_MAX	8192U			/* of all patterns together */

enum sts_mode { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE };

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age_s;		/* at most STS_AGE_MAX_S */
};

/* The patterns go into MX (emptied first, with a ceiling of STS_MX_MAX), in
 * lower case and each followed by LF.  ERR_SYNTAX, with WHY; ERR_RANGE: more
 * patterns than that; ERR_NOMEM. */
enum err sts_policy_parse(struct span text, struct sts_policy *out,
    struct buf *mx, struct why *why);

/* Whether MX is such a list; for what comes from elsewhere. */
bool sts_mx_is_list(struct span mx);

/* Whether HOST is one of MX; `*.` stands for exactly one label. */
bool sts_mx_has(struct span mx, struct span host);

/* Whether TYPE, of Content-Type, is text/plain, 3.3. */
bool sts_is_plain_text(struct span type);

const char *sts_mode_name(enum sts_mode mode);

#endif
