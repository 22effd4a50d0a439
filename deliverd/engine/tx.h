/*
 * The client side of one SMTP connection, RFC 5321 section 3 and 4: a pure
 * engine.  Events go in, bytes and actions come out.
 *
 * Bytes to send are appended to the buffer given at tx_new(), which the owner
 * empties.  After every event the owner asks tx_next() until it says
 * TX_WAIT, and does what it says.  With PIPELINING a second mail may be begun
 * while the reply to the end of the first is awaited: the content, the final
 * dot and the next MAIL, RCPT and DATA leave in one write (RFC 2920).
 *
 * Nothing that a server says ends more than this connection.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_H
#define MTAD_DELIVERD_ENGINE_TX_H

#include "common/base/err.h"
#include "deliverd/engine/tx_mail.h"
#include "deliverd/engine/tx_setup.h"

enum tx_action {
	TX_WAIT,		/* nothing to do until the next event */
	TX_READY,		/* tx_begin() or tx_quit() may come now; else
				 * just wait */
	TX_WANT_CONTENT,	/* tx_content() of the mail given: what follows,
				 * behind IS_LAST from its beginning again */
	TX_MAIL_OVER,		/* the mail given is the owner's again */
	TX_START_TLS,		/* write what there is, then TLS: tx_secured()
				 * or tx_lost() is due */
	TX_ASK,			/* for a password: tx_auth.h */
	TX_CLOSE,		/* write what is left if it can be, close */
};

enum tx_tls_need {
	TX_TLS_NEVER, TX_TLS_MAY,	/* where it is offered, RFC 7435 */
	TX_TLS_MUST,		/* or no mail is sent */
	TX_TLS_INSIDE,		/* the connection begins with it, RFC 8314 */
};

struct tx;

/* OUT and SETUP are borrowed for life.  ERR_NOMEM. */
enum err tx_new(const struct tx_setup *setup, enum tx_tls_need need,
    struct buf *out, struct tx **new);
/* Before tx_connected(): the host speaks LMTP (RFC 2033). */
void tx_speak_lmtp(struct tx *t);
/* For mail with REQUIRETLS: the host must have that (RFC 8689 4.2.1). */
void tx_require_tls(struct tx *t);
void tx_free(struct tx **t);	/* no mail may be in it */

/* events */
void tx_connected(struct tx *t);
void tx_input(struct tx *t, struct span bytes);
void tx_secured(struct tx *t, struct buf *out);	/* TLS is open; OUT from now */

/* After TX_READY.  What the host can't take is settled without being sent. */
void tx_begin(struct tx *t, struct tx_mail *mail);

/* The next bytes, at the end with IS_LAST. */
void tx_content(struct tx *t, struct span bytes, bool is_last);

/* The content can't be read: the connection ends, the mail is deferred. */
void tx_content_failed(struct tx *t);

/* tx_deadline_ms() has passed since the last tx_progress(). */
void tx_timeout(struct tx *t);

/* The connection is gone, WHY as a sentence ("connection reset by peer");
 * UNSENT bytes of the output were never written. */
void tx_lost(struct tx *t, const char *why, uint64_t unsent);

/* No further mail; QUIT once those in hand are over. */
void tx_quit(struct tx *t);

/* actions: *MAIL is set with TX_WANT_CONTENT and TX_MAIL_OVER */
enum tx_action tx_next(struct tx *t, struct tx_mail **mail);

/* inspection */

/* Time that the present wait may take; MTIME_NEVER while it is idle. */
int64_t tx_deadline_ms(const struct tx *t);

/* Changes whenever the wait begins anew: when a reply was complete or another
 * state was entered, not with each byte that trickles in. */
uint32_t tx_progress(const struct tx *t);

/* The dialogue has come to where mails are taken (EHLO or HELO succeeded). */
bool tx_is_up(const struct tx *t);

bool tx_is_idle(const struct tx *t);		/* no mail in it */

/* The mail whose content is wanted, or NULL. */
const struct tx_mail *tx_sending(const struct tx *t);

uint32_t tx_mail_count(const struct tx *t);	/* that it was given */

/* The host has said that it takes no more of them (RFC 9422, MAILMAX). */
bool tx_is_full(const struct tx *t);

/* Why the connection ends other than by tx_quit(); outcome TX_OPEN when
 * nothing is wrong.  A greeting or EHLO refused for good is TX_DEFERRED too:
 * the host isn't ready, no recipient is bad.  Borrowed until tx_free(). */
const struct tx_finding *tx_trouble(const struct tx *t);

/* The host broke the protocol (for a warning in the log). */
bool tx_is_violated(const struct tx *t);

#endif
