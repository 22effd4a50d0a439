/*
 * The protocol in which Dovecot is asked about users (its "auth client"
 * protocol, 1.x): its lines taken apart, ours written.
 *
 * Pure: bytes in and out, no socket, no clock.  A line is fields with a TAB
 * between, in which 0x01 escapes what may not stand there.  Both sides begin
 * without waiting for each other; questions and answers have a number, and
 * answers come in any order.  What is unknown is passed over, what is known and
 * makes no sense ends the connection.
 */
#ifndef MTAD_SECRET_DOVECOT_H
#define MTAD_SECRET_DOVECOT_H

#include "common/base/buf.h"
#include "common/base/ipaddr.h"

#define DOVECOT_LINE_MAX	8192u	/* what Dovecot 2.3 takes, with LF */
#define DOVECOT_GREETING_MAX	64u	/* lines before DONE */
#define DOVECOT_USER_MAX	255u
#define DOVECOT_CHALLENGE_MAX	512u

enum dovecot_mechanism {
	DOVECOT_PLAIN = 1,		/* RFC 4616 */
	DOVECOT_OAUTHBEARER = 2,	/* RFC 7628 */
};

/* ---- what it says ---- */

enum dovecot_kind {
	DOVECOT_OTHER,			/* means nothing to us */
	DOVECOT_VERSION, DOVECOT_MECH, DOVECOT_DONE,
	DOVECOT_OK, DOVECOT_FAIL, DOVECOT_CONT,
};

struct dovecot_line {
	enum dovecot_kind kind;
	uint32_t id;			/* of OK, FAIL and CONT */
	uint32_t major;			/* of VERSION */
	unsigned mechanism;		/* of MECH; 0: none of ours */
	bool is_later;			/* FAIL: it could not be looked at; OK:
					 * of a user with an impossible name */
	char user[DOVECOT_USER_MAX];	/* OK: who it is; none: not said */
	size_t user_n;
	uint8_t challenge[DOVECOT_CHALLENGE_MAX];	/* of CONT, decoded */
	size_t challenge_n;		/* 0 also when it is none or too long */
};

/* LINE is without LF.  The user is UTF-8 without control characters.
 * ERR_SYNTAX. */
enum err dovecot_parse(struct span line, struct dovecot_line *out);

/* ---- a connection ---- */

struct dovecot {
	uint8_t line[DOVECOT_LINE_MAX];	/* what is not a whole one yet */
	size_t n;
	unsigned greeted;		/* lines */
	unsigned mechanisms;		/* enum dovecot_mechanism */
	bool has_version;
	bool is_ready;			/* it may be asked */
};

enum dovecot_event {
	DOVECOT_MORE,			/* nothing whole is left */
	DOVECOT_READY,			/* the greeting is over; once */
	DOVECOT_ANSWER,			/* OK, FAIL or CONT is in OUT */
	DOVECOT_NOISE,			/* a line that means nothing */
	DOVECOT_BROKEN,			/* it is not to be listened to again */
};

void dovecot_init(struct dovecot *d);

/* Takes off the front of INPUT what makes the next event. */
enum dovecot_event dovecot_next(struct dovecot *d, struct span *input,
    struct dovecot_line *out);

/* ---- what we say ---- */

struct dovecot_question {
	uint32_t id;
	enum dovecot_mechanism mechanism;
	struct span user;		/* of OAUTHBEARER: may be empty */
	struct span secret;		/* the password or token */
	struct ipaddr client, local;	/* IPADDR_NONE: not known */
};

/* ID is to be no other client's. */
void dovecot_put_hello(uint32_t id, struct buf *out);

/* "AUTH"; TLS is around it.  ERR_RANGE: the line would be longer than
 * DOVECOT_LINE_MAX; ERR_NOMEM: OUT is full.  Nothing was appended then, and no
 * copy of the secret is left but in OUT. */
enum err dovecot_put_question(const struct dovecot_question *q,
    struct buf *out);

/* The only answer to the challenge that tells why a token is refused
 * (RFC 7628 section 3.2.3). */
void dovecot_put_surrender(uint32_t id, struct buf *out);

#endif
