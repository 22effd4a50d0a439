/*
 * The envelope of a message: sender, recipients, and what they asked for, in
 * the byte form that travels between our processes and lies in the spool.
 *
 * A version octet, then attributes {u8 tag, u32 length, bytes} in any order,
 * little-endian.  Tags that this version does not know are skipped and kept
 * when below ENVELOPE_TAG_CRITICAL, and make the envelope unreadable from
 * there on, so that later additions need no new version.  A recipient is an
 * attribute whose bytes are attributes of its own.
 *
 * Readers borrow the bytes; writers append to a struct buf and inherit its
 * sticky failure.  envelope_check() checks every byte in one pass; addresses
 * it has passed are safe to write into an SMTP command.
 */
#ifndef MTAD_MAIL_ENVELOPE_H
#define MTAD_MAIL_ENVELOPE_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"

#define ENVELOPE_VERSION	1
#define ENVELOPE_TAG_CRITICAL	128
#define ENVELOPE_RCPT_COUNT_MAX	1000000
#define ENVELOPE_HELO_MAX	255
#define ENVELOPE_USER_MAX	255
#define ENVELOPE_PRIORITY_MAX	9	/* RFC 6710 section 3 */
#define ENVELOPE_ENVID_MAX	100	/* RFC 3461 5.4 */
#define ENVELOPE_ORCPT_MAX	500	/* RFC 3461 5.4 */
#define ENVELOPE_HOLD_MAX (INT64_C(366) * 86400000)	/* ms */
#define ENVELOPE_HOLD_ASKED_MAX	40
#define ENVELOPE_BY_MAX	INT64_C(2000000000000)	/* ms, either way */

enum envelope_flag {
	ENVELOPE_SAID_8BIT = 1,	/* BODY=8BITMIME was given */
	ENVELOPE_HAS_8BIT = 2,	/* some octet of the content is above 127 */
	ENVELOPE_REPORT = 4,	/* a report of our own */
	ENVELOPE_UTF8 = 8,	/* SMTPUTF8: addresses may be UTF-8 */
	ENVELOPE_UTF8_HEADER = 16, /* ... and some header is */
	ENVELOPE_TLS_OPTIONAL = 32, /* TLS-Required: No (RFC 8689 3) */
	ENVELOPE_REQUIRE_TLS = 0x10000,	/* REQUIRETLS (RFC 8689) */
	ENVELOPE_FLAGS_CRITICAL = 0xfffe0000U,	/* unknown here: unreadable */
};

enum envelope_ret { ENVELOPE_RET_NONE, ENVELOPE_RET_FULL, ENVELOPE_RET_HDRS };
enum envelope_by {		/* one of the first two */
	ENVELOPE_BY_RETURN = 1, ENVELOPE_BY_NOTIFY = 2, ENVELOPE_BY_TRACE = 4,
};

enum envelope_notify {		/* a set; none given: 0 */
	ENVELOPE_NOTIFY_NEVER = 1, ENVELOPE_NOTIFY_SUCCESS = 2,
	ENVELOPE_NOTIFY_FAILURE = 4, ENVELOPE_NOTIFY_DELAY = 8,
};

struct envelope {
	struct span sender;	/* reverse-path without <>; empty: null */
	struct span client;	/* 4 or 16 raw octets; empty: local */
	struct span helo;	/* as the client said, may be hostile */
	struct span user;	/* who authenticated; empty: nobody */
	uint64_t arrived_at;	/* wall ms */
	uint32_t flags;		/* enum envelope_flag */
	uint32_t longest_line;	/* octets without line end, 0: not known */
	uint16_t listener;	/* row of conf.listeners */
	uint8_t ret;		/* enum envelope_ret */
	int8_t priority;	/* RFC 6710: -9 to 9 */
	struct span envid;	/* xtext as given; empty: none */
	uint64_t hold_ms;	/* RFC 4865: after arrival; 0: none */
	struct span headers;	/* header_notes.h; empty: none */
	struct span hold_asked;	/* `for;60`, RFC 4865 5.1.2; empty: none */
	int64_t by_ms;		/* RFC 2852: after arrival, also below 0 */
	uint8_t by;		/* enum envelope_by; 0: none */
	uint32_t rcpt_count;	/* both by envelope_check(); not written */
	struct span bytes;	/* the whole byte form */
};

struct envelope_rcpt {
	struct span address;	/* forward-path without <> */
	uint8_t notify;		/* enum envelope_notify */
	struct span orcpt;	/* as given, see orcpt.h; empty: none */
	struct span bytes;	/* its attribute, to be copied as it is */
};

/* writing: head first, then each recipient */
void envelope_put_head(const struct envelope *e, struct buf *out);
void envelope_put_rcpt(const struct envelope_rcpt *r, struct buf *out);

/*
 * Copies what OLD says of the message, unknown attributes included, but no
 * recipient; then envelope_put_rcpt_as_is() adds those that are wanted.
 * OLD and R must have passed envelope_check().
 */
void envelope_put_head_as_is(const struct envelope *old, struct buf *out);
void envelope_put_rcpt_as_is(const struct envelope_rcpt *r, struct buf *out);

/* reading: ERR_SYNTAX, ERR_RANGE, or ERR_VERSION (made by a later version).
 * An envelope without recipients is well formed. */
enum err envelope_check(struct span bytes, struct envelope *out);

/* Takes a recipient off the front of *REST, which holds recipients as they stand
 * in an envelope with these FLAGS, and checks it. */
enum err envelope_next_rcpt(struct span *rest, uint32_t flags,
    struct envelope_rcpt *out);

/* The same for one recipient that was stored by itself (its bytes), under the
 * flags of its envelope. */
enum err envelope_check_rcpt(struct span attribute, uint32_t flags,
    struct envelope_rcpt *out);

struct envelope_iter {
	struct span rest;
	uint32_t index;		/* of the recipient given last */
};

/* E must have passed envelope_check(). */
void envelope_iter_init(const struct envelope *e, struct envelope_iter *it);

/* The next recipient in the order written; false behind the last. */
bool envelope_iter_next(struct envelope_iter *it, struct envelope_rcpt *out);

#endif
