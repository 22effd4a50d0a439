/*
 * One message on its way to some recipients of one next hop, and what came
 * of each of them.
 *
 * The owner fills in the first part and keeps all that it points to alive
 * until the engine has given the mail back (TX_MAIL_OVER).  A mail that comes
 * back with open recipients may be begun again, here or on another
 * connection: recipients that have their outcome are left alone.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_MAIL_H
#define MTAD_DELIVERD_ENGINE_TX_MAIL_H

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/mail/status.h"
#include "common/mime/mime_survey.h"
#include "deliverd/engine/tx_stage.h"

#define TX_TEXT_MAX	2048		/* octets kept of one reply */
#define TX_TEXTS_MAX	(4U << 20)	/* of all replies about one mail */

enum tx_outcome {
	TX_OPEN,		/* not settled */
	TX_DELIVERED,
	TX_DEFERRED,
	TX_FAILED,
	TX_IN_DOUBT,		/* all was sent, the reply never seen */
	TX_OUTCOME_COUNT
};

enum tx_content_flag {
	TX_CONTENT_8BIT = 1,	/* some octet above 127 */
	TX_CONTENT_DOTS = 2,	/* some line begins with a dot: stuff it */
	TX_CONTENT_NO_EOL = 4,	/* the last line lacks its CRLF */
	TX_CONTENT_BINARY = 8,	/* BINARYMIME: any octets, no lines */
};

/* Why a mail came back with open recipients. */
enum tx_rest {
	TX_REST_NONE,
	TX_REST_MORE,		/* the transaction was full: go on at once */
	TX_REST_UNTRIED,	/* the connection ended before its first reply
				 * to this mail: another one may do */
};

struct tx_rcpt {
	struct span address;	/* forward-path without <>, borrowed */
	struct span orcpt;	/* RFC 3461, as given; empty: none */
	uint8_t notify;		/* enum envelope_notify */
	bool has_dsn;		/* the host that decided has it */
	bool is_by_lost;	/* it keeps no time, or is to be told of */
	uint8_t outcome;	/* enum tx_outcome */
	uint8_t stage;		/* enum tx_stage that decided */
	uint8_t progress;	/* the engine's own */
	uint16_t code;		/* of the reply; 0: our own decision */
	struct status status;	/* class 0: none came with the reply */
	uint32_t text_at;	/* in the mail's texts */
	uint32_t text_n;
};

struct tx_mail {
	/* the owner's */
	struct span sender;	/* reverse-path without <>; empty: null */
	uint64_t size;		/* octets of the content as it is stored */
	uint8_t flags;		/* enum tx_content_flag */
	int8_t priority;	/* RFC 6710: -9 to 9 */
	uint8_t ret;		/* enum envelope_ret */
	uint8_t by;		/* enum envelope_by, RFC 2852; 0: none */
	int64_t by_seconds;	/* left of it now */
	bool is_utf8;		/* it came with SMTPUTF8 ... */
	bool requires_tls;	/* it came with REQUIRETLS */
	bool is_tls_optional;	/* with TLS-Required: No */
	bool has_utf8_header;	/* ... and a header of it needs that */
	uint8_t eight_bit;	/* enum conf_eight_bit */
	struct span envid;	/* RFC 3461, as given; empty: none */
	struct tx_rcpt *rcpts;	/* zeroed but for address, orcpt, notify */
	uint32_t rcpt_count;
	struct buf texts;	/* buf_init() with TX_TEXTS_MAX */
	struct mime_plan *plan;	/* NULL, or what the engine found out of its
				 * content; tx_mail_forget() */
	/* the engine's; open and rest are for the owner to read */
	uint32_t open;		/* recipients without an outcome */
	uint8_t rest;		/* enum tx_rest */
	bool is_answered;	/* the host has said something about it */
	bool has_dsn;		/* the host has it */
	bool says_utf8;		/* this transaction does */
	bool is_converted;	/* 7-bit text is made of it for this host */
	bool is_chunked;	/* it goes there by BDAT */
	bool is_by_lost;	/* with this host */
	uint32_t accepted;	/* recipients that the host takes */
	uint32_t at;		/* the recipient whose reply is awaited */
};

/* A finding about one or more recipients. */
struct tx_finding {
	enum tx_outcome outcome;
	enum tx_stage stage;
	uint16_t code;
	struct status status;
	struct span text;	/* copied; cut at TX_TEXT_MAX */
};

/* The given recipients have RCPT_COUNT addresses; all become open. */
void tx_mail_reset(struct tx_mail *m);

/* Settles one open recipient, or all that are open.  Without memory for the
 * text the outcome stands without it. */
void tx_mail_settle(struct tx_mail *m, struct tx_rcpt *r,
    const struct tx_finding *f);
void tx_mail_settle_open(struct tx_mail *m, const struct tx_finding *f);

/* What was said about a settled recipient; borrowed from the mail. */
struct span tx_mail_text(const struct tx_mail *m, const struct tx_rcpt *r);

/* Lets the plan go: the content is another one from now on. */
void tx_mail_forget(struct tx_mail *m);

#endif
