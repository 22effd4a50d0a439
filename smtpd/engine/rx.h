/*
 * The SMTP server's side of one dialogue, RFC 5321, without any I/O.
 *
 * The driver feeds what the client sent and does what comes back: replies
 * gather in a buffer of the driver's, content of a message in another one, and
 * each step ends in one action.  No system call, no clock, no callback.
 *
 *	while ((act = rx_step(rx, in, &taken, body, out)) != RX_READ)
 *		do what it says; drop TAKEN octets of the input;
 *
 * rx_view.h tells what a dialogue is at, and what its message is.
 * A struct rx owns its memory and borrows the struct rx_site, which outlives
 * it and whose content may change between two steps (a reload).
 */
#ifndef MTAD_SMTPD_ENGINE_RX_H
#define MTAD_SMTPD_ENGINE_RX_H

#include "common/base/buf.h"
#include "common/base/ipaddr.h"
#include "smtpd/engine/rx_site.h"

struct rx;

enum rx_act {
	RX_READ,	/* more input, please; the rest is half a line */
	RX_WAIT,	/* nothing goes on before rx_submitted(), rx_resume(),
			 * rx_set_gate() */
	RX_CONTENT,	/* 354 was said: BODY begins to fill */
	RX_LIST,	/* very many recipients: take rx_recipients() away */
	RX_DROP,	/* the content so far isn't wanted any more */
	RX_SUBMIT,	/* a message is whole: rx_submitted() is due */
	RX_ASK,		/* a question to keyd is due: rx_auth.h */
	RX_STARTTLS,	/* write OUT, then TLS: rx_secured() is due */
	RX_CLIENT,	/* it is another one: rx_client(), rx_xclient() */
	RX_CALL,	/* a client calls for mail: rx_called() */
	RX_REFUSED,	/* something for the log: rx_refusal() */
	RX_CLOSE,	/* write OUT, then hang up */
};

enum rx_greeting {
	RX_GREET_WELCOME,	/* 220 */
	RX_GREET_UNWANTED,	/* 554, then 503 to all but QUIT */
	RX_GREET_EARLY,		/* 554 and close: spoke before the greeting */
	RX_GREET_BUSY,		/* 421 and close: too many connections */
	RX_GREET_CROWD,		/* 421 and close: too many of this client */
	RX_GREET_STOPPING,	/* 421 and close */
};

enum rx_closing {
	RX_CLOSE_TIMEOUT,	/* 421 4.4.2 */
	RX_CLOSE_STOPPING,	/* 421 4.3.2 */
	RX_CLOSE_CROWDED,	/* 421 4.3.2: somebody else needs the place */
};

/* life: CLIENT and DOOR are copied.  ERR_NOMEM. */
enum err rx_new(const struct rx_site *site, const struct ipaddr *client,
    const struct rx_door *door, struct rx **out);
void rx_free(struct rx **rx);

/* First of all calls. */
void rx_greet(struct rx *rx, enum rx_greeting how, struct buf *out);

/*
 * Goes on with IN, and adds to *TAKEN the octets that need not come again.
 * To be called until RX_READ (with all input used up), RX_WAIT or RX_CLOSE.
 * BODY may be emptied between two steps.
 */
enum rx_act rx_step(struct rx *rx, struct span in, size_t *taken,
    struct buf *body, struct buf *out);

/* The fate of what RX_SUBMIT announced; RESULT is an enum submit_result's
 * meaning in enum rx_result, ID the queue id as text. */
enum rx_result { RX_ACCEPTED, RX_NO_ROOM, RX_FAILED, RX_OVER_QUOTA,
	RX_BEYOND_QUOTA };
void rx_submitted(struct rx *rx, enum rx_result result, struct span id,
    struct buf *out);

/* Recipients that gathered, in the byte form of an envelope; at RX_LIST, and if
 * that ever came also at the end, before the content.  Taken: they are kept
 * elsewhere.  Nothing goes on while RX_LIST is due. */
struct span rx_recipients(const struct rx *rx);
bool rx_is_list_due(const struct rx *rx);
void rx_recipients_taken(struct rx *rx);

/* The content that is coming can't be kept; it will be refused at its end.  Of
 * recipients that were taken: the rest is refused, and DATA. */
void rx_body_failed(struct rx *rx, enum rx_result result);

/* TLS is open: the dialogue begins again, RFC 3207 4.2. */
void rx_secured(struct rx *rx);

/* Says 421 and closes at once, whatever the state; twice does no harm. */
void rx_close(struct rx *rx, enum rx_closing why, struct buf *out);

/* From now on: close after the message in hand, or now when there is none. */
void rx_drain(struct rx *rx, struct buf *out);

#endif
