/*
 * The extensions of an EHLO reply, RFC 5321 4.1.1.1: keywords are matched
 * whole and in any case.
 */
#ifndef MTAD_SMTP_SMTP_EXT_H
#define MTAD_SMTP_SMTP_EXT_H

#include "common/base/span.h"

enum smtp_ext_id {
#define EXT(name, keyword) SMTP_EXT_##name,
#include "common/smtp/smtp_ext.def"
#undef EXT
	SMTP_EXT_COUNT
};

/* RFC 9422 4; 0: none was told. */
struct smtp_limits {
	uint32_t mails;		/* MAILMAX: MAIL in a session */
	uint32_t rcpts;		/* RCPTMAX: RCPT in a transaction */
	uint32_t domains;	/* RCPTDOMAINMAX: of them, in a transaction */
};

struct smtp_ext {
	uint32_t set;		/* 1 << enum smtp_ext_id */
	uint64_t size_max;	/* of SIZE; 0: no limit was told */
	uint8_t auth;		/* of AUTH: 1 << enum sasl_mechanism */
	uint64_t by_min;	/* of DELIVERBY, seconds; 0: none was told */
	struct smtp_limits limits;	/* of LIMITS */
};

static inline bool
smtp_ext_has(const struct smtp_ext *e, enum smtp_ext_id id)
{
	return (e->set & (1U << id)) != 0;
}

/* TEXT as in struct smtp_response: the first line is the host's greeting, each
 * further one a keyword with parameters.  Unknown keywords and malformed
 * parameters are ignored. */
void smtp_ext_parse(struct span text, struct smtp_ext *out);

/* The keyword as it stands in an EHLO reply. */
const char *smtp_ext_name(enum smtp_ext_id id);

#endif
