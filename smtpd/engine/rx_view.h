/*
 * What can be seen of a dialogue from outside: its message, its last refusal,
 * whose turn it is.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_VIEW_H
#define MTAD_SMTPD_ENGINE_RX_VIEW_H

#include "common/mail/envelope.h"
#include "common/smtp/smtp_command.h"
#include "common/smtp/smtp_xclient.h"
#include "smtpd/engine/rx.h"

/* What the client is at, for time limits. */
enum rx_phase {
	RX_PHASE_COMMAND,	/* its turn, at a line's start */
	RX_PHASE_LINE,		/* in the middle of a line */
	RX_PHASE_CONTENT,
	RX_PHASE_OURS,		/* waits for us */
	RX_PHASE_CLOSED,
};

/* A whole message; borrowed until rx_submitted(). */
struct rx_message {
	struct envelope head;	/* all but arrived_at, hold_ms, by_ms */
	struct span rcpts;	/* byte form, to follow the head's */
	uint32_t rcpt_count;
	struct span first_rcpt;
	uint64_t body_bytes;
	bool has_8bit;
	bool has_dots;		/* some line begins with a dot */
	bool is_binary;		/* BODY=BINARYMIME: any octets, no lines */
	bool has_no_eol;	/* its end is no CRLF */
	int64_t hold_until;	/* wall: when delivery may begin; 0: now */
	int64_t by_at;		/* wall: when it is of no more use (head.by) */
	bool is_esmtp;
	bool is_utf8;		/* SMTPUTF8 was given */
	bool is_tls;
	bool is_auth;
	bool lacks_date;	/* a submission: to be added */
	bool lacks_message_id;
};

/* What was refused; borrowed until the next step. */
struct rx_refusal {
	enum smtp_verb verb;
	const char *stage;	/* "MAIL", "RCPT", "DATA", "AUTH", "command" */
	bool is_policy;		/* about an address or a message, no typo */
	unsigned code;
	struct span reply;	/* with code, without CRLF */
	struct span from;
	struct span argument;	/* of the command, raw */
};

/* Who it is now, and what XCLIENT has said of it in all (NULL: nothing). */
const struct ipaddr *rx_client(const struct rx *rx);
const struct smtp_xclient *rx_xclient(const struct rx *rx);

void rx_message(const struct rx *rx, struct rx_message *out);
void rx_refusal(const struct rx *rx, struct rx_refusal *out);
enum rx_phase rx_phase(const struct rx *rx, bool has_input);
uint64_t rx_turns(const struct rx *rx);		/* replies so far */
bool rx_has_quit(const struct rx *rx);		/* and was answered */
bool rx_is_trusted(const struct rx *rx);	/* in relay.networks */
bool rx_is_tls(const struct rx *rx);
bool rx_has_transaction(const struct rx *rx);
bool rx_has_content(const struct rx *rx);	/* begun: no recipient more */
struct span rx_called(const struct rx *rx, bool *is_below); /* at RX_CALL */
struct span rx_helo(const struct rx *rx);

#endif
