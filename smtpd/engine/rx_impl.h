/*
 * The inside of struct rx and what the files of the engine share; nobody else
 * includes this, but a test that needs a ceiling lower than it is.
 *
 * State changes go through rx_enter(), every end of a transaction through
 * rx_forget().
 */
#ifndef MTAD_SMTPD_ENGINE_RX_IMPL_H
#define MTAD_SMTPD_ENGINE_RX_IMPL_H

#include "common/conf/conf.h"
#include "common/mail/address.h"
#include "common/smtp/smtp_lines.h"
#include "common/smtp/smtp_sasl.h"
#include "common/smtp/smtp_xclient.h"
#include "smtpd/engine/rx_content.h"
#include "smtpd/engine/rx_gate.h"
#include "smtpd/engine/rx_pace.h"
#include "smtpd/engine/rx_params.h"
#include "smtpd/engine/rx_table.h"
#include "smtpd/engine/rx_transaction.h"
#include "smtpd/engine/rx_view.h"

#define RX_HELO_MAX	ENVELOPE_HELO_MAX
#define RX_FILL_MAX	240
#define RX_RCPTS_PIECE	(64U * 1024)	/* so many bytes of them must leave */
#define RX_RCPTS_MAX	(RX_RCPTS_PIECE + 4096)
#define RX_RCPTS_KEEP	4096	/* memory kept between transactions */
#define RX_RCPTS_STRANGER 1000	/* RFC 5321 4.5.3.1.10 wants 100 */
#define RX_JUNK_MAX	100	/* idle commands between two messages */

struct rx {
	const struct rx_site *site;
	struct ipaddr client;
	struct ipaddr peer;		/* who it was when it connected */
	struct rx_door door;
	struct rx_exchange *exchange;	/* of AUTH; NULL: none */
	struct rx_srs *srs;		/* of RCPT; NULL: none yet */
	bool has_read_secret;		/* the input is to be wiped */
	enum rx_state state;
	bool is_trusted, has_quit;
	bool is_esmtp, is_draining;
	struct {			/* ETRN: RX_CALL is due */
		bool is_due, is_below;
		uint8_t n;
		char domain[DOMAIN_MAX];
	} call;
	bool is_dropped;		/* RX_DROP is due: of a list */
	bool is_changed;		/* RX_CLIENT is due */
	struct smtp_xclient *xclient;	/* NULL: it said none */
	bool has_more;			/* came behind the line in hand */
	uint32_t errors;		/* since the last message */
	uint32_t errors_paced;		/* ... of them had their pause */
	uint32_t pause_ms;		/* before the next command */
	uint32_t junk;
	struct rx_budget budget;
	enum rx_gate gate;
	struct span gate_text;		/* the driver's */
	uint64_t turns;
	struct smtp_lines lines;
	struct rx_transaction mail;
	struct rx_content content;
	struct rx_chunk chunk;
	struct buf rcpts;		/* of the transaction, byte form */
	struct {			/* for rx_refusal() */
		enum smtp_verb verb;
		unsigned code;
		struct span reply;
		struct span argument;
		uint16_t sender_n;	/* of mail.sender.text */
	} last;
	uint8_t fill_n, helo_n, user_n;
	char fill[RX_FILL_MAX];		/* %s of the reply to come */
	char helo[RX_HELO_MAX];
	char user[SASL_USER_MAX];	/* who authenticated */
	uint8_t mechanism, bindings;	/* the user's; of TLS, a set */
	struct span certified;		/* user by TLS; the driver's */
};

void rx_enter(struct rx *rx, enum rx_state state);

/* Ends a transaction, whatever was of it; the one place where that is done. */
void rx_forget(struct rx *rx);

void rx_fill(struct rx *rx, struct span text);
void rx_fill_u64(struct rx *rx, uint64_t v);

/* Counts and appends a reply; says 421 instead when it is one refusal too
 * many.  Returns whether it refused something. */
bool rx_answer(struct rx *rx, enum rx_reply_id id, struct buf *out);

/* One less of what is left of a budget. */
void rx_spend(uint32_t *left);

/* What XCLIENT has said is no more. */
void rx_xclient_forget(struct rx *rx);

/* No command is looked at now. */
bool rx_is_held(const struct rx *rx);

/* Whether the gate lets this recipient pass. */
enum rx_reply_id rx_ask_gate(struct rx *rx);

/* Asks for a pause after a reply, perhaps. */
void rx_pace(struct rx *rx);

/* Appends a last reply and closes. */
void rx_hang_up(struct rx *rx, enum rx_reply_id id, struct buf *out);

/* Copies an address, with our host name when it has no domain.  ERR_RANGE. */
enum err rx_qualify(const struct rx *rx, const struct address *address,
    struct rx_text *out);

/* Most recipients of one message of this client. */
uint32_t rx_rcpts_max(const struct rx *rx);

/* The rows of an EHLO reply. */
void rx_hello_reply(const struct rx *rx, struct buf *out);

#endif
