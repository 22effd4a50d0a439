/*
 * The argument of XCLIENT, by which a client that is trusted to do so says for
 * whom it speaks: Postfix's XCLIENT_README.
 *
 *	NAME=spike.example ADDR=192.0.2.1 PROTO=ESMTP
 *
 * Values are xtext; ADDR and DESTADDR have IPV6: before an IPv6 address;
 * [UNAVAILABLE] and [TEMPUNAVAIL] stand for what is not known.
 */
#ifndef MTAD_SMTP_SMTP_XCLIENT_H
#define MTAD_SMTP_SMTP_XCLIENT_H

#include "common/base/endpoint.h"

#define SMTP_XCLIENT_TEXT_MAX	255	/* of a name, decoded */

/* Its row in the EHLO reply, behind the keyword. */
#define SMTP_XCLIENT_ATTRIBUTES \
	" NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

enum smtp_xclient_attr {
	SMTP_XCLIENT_NAME, SMTP_XCLIENT_ADDR, SMTP_XCLIENT_PORT,
	SMTP_XCLIENT_PROTO, SMTP_XCLIENT_HELO, SMTP_XCLIENT_LOGIN,
	SMTP_XCLIENT_DESTADDR, SMTP_XCLIENT_DESTPORT,
	SMTP_XCLIENT_COUNT
};

struct smtp_xclient_text {
	uint8_t n;
	char text[SMTP_XCLIENT_TEXT_MAX];
};

struct smtp_xclient {
	unsigned given;			/* 1 << attribute */
	unsigned unknown;		/* ... of those given */
	struct endpoint client;		/* ADDR, PORT */
	struct endpoint server;		/* DESTADDR, DESTPORT */
	bool is_esmtp;			/* PROTO */
	struct smtp_xclient_text name, helo, login;
};

static inline bool
smtp_xclient_has(const struct smtp_xclient *x, enum smtp_xclient_attr attr)
{
	return (x->given & ~x->unknown & 1U << attr) != 0;
}

/* All or nothing; WHY is static, for the reply.  ERR_SYNTAX. */
enum err smtp_xclient_parse(struct span argument, struct smtp_xclient *out,
    const char **why);

/* Takes over what MORE gives; the rest of X stays. */
void smtp_xclient_merge(struct smtp_xclient *x,
    const struct smtp_xclient *more);

#endif
