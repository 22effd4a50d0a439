/*
 * ESMTP parameters of MAIL and RCPT: keyword[=value], RFC 5321 4.1.2.
 */
#ifndef MTAD_SMTP_SMTP_PARAMS_H
#define MTAD_SMTP_SMTP_PARAMS_H

#include "common/base/err.h"
#include "common/base/span.h"

enum smtp_param_id {
	SMTP_PARAM_UNKNOWN,
#define PARAM(name, text) SMTP_PARAM_##name,
#include "common/smtp/smtp_params.def"
#undef PARAM
	SMTP_PARAM_COUNT
};

struct smtp_param {
	enum smtp_param_id id;
	struct span keyword;	/* as written */
	struct span value;	/* empty when there is none */
	bool has_value;		/* `=` was there */
};

struct smtp_params {
	struct span rest;
	uint32_t seen;		/* known ids, for duplicates */
	enum smtp_param_id twice;	/* the one, at ERR_EXISTS */
};

void smtp_params_init(struct smtp_params *p, struct span text);

/* OK; ERR_NOT_FOUND at the end; ERR_SYNTAX; ERR_EXISTS for a known keyword
 * that was there before.  After a failure the iteration is over. */
enum err smtp_params_next(struct smtp_params *p, struct smtp_param *out);

/* A number of octets in digits; more than 64 bits hold is UINT64_MAX.
 * ERR_SYNTAX. */
enum err smtp_params_octets(struct span digits, uint64_t *out);

/* SIZE=: octets; more than 64 bits hold is UINT64_MAX.  ERR_SYNTAX. */
enum err smtp_params_size(const struct smtp_param *p, uint64_t *out);

/* MT-PRIORITY=, RFC 6710 section 4.1: -9 to 9.  ERR_SYNTAX. */
enum err smtp_params_priority(const struct smtp_param *p, int8_t *out);

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };

/* BODY=.  ERR_SYNTAX. */
enum err smtp_params_body(const struct smtp_param *p, enum smtp_body *out);

#endif
