/*
 * The dialogue's rules of sequence (RFC 5321 4.1.4) as a table: a row a verb.
 *
 * A test walks every state with every verb and holds the dialogue against it,
 * so a new verb or state needs its row here and nothing in rx.c.
 *
 * RX_IN_CONTENT, RX_IN_CHUNK, RX_SUBMITTING, RX_HANDSHAKE, RX_AUTH and
 * RX_ASKING are in no row: no command is read in them.
 */
#include "smtpd/engine/rx_table.h"

#include "smtpd/engine/rx_auth_impl.h"
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

#define OPEN	(RX_IN(MAIL) | RX_IN(RCPT))
#define GREETED	(RX_IN(READY) | OPEN | RX_IN(CHUNKS))
#define ALWAYS	(RX_IN(START) | GREETED)
#define TO_END	RX_IN(CLOSED)

static const struct rx_verb verbs[SMTP_VERB_COUNT] = {
	[SMTP_VERB_HELO] = { rx_do_helo, .allowed = ALWAYS,
	    .may_enter = RX_IN(READY), .argument = RX_ARG_SOME,
	    .without_argument = RX_REPLY_HELLO_NAME, .is_junk = true,
	    .is_without_tls = true },
	[SMTP_VERB_EHLO] = { rx_do_ehlo, .allowed = ALWAYS,
	    .may_enter = RX_IN(READY), .argument = RX_ARG_SOME,
	    .without_argument = RX_REPLY_HELLO_NAME, .is_junk = true,
	    .is_without_tls = true },
	[SMTP_VERB_MAIL] = { rx_do_mail, .allowed = RX_IN(READY),
	    .may_enter = RX_IN(MAIL), .argument = RX_ARG_SOME,
	    .without_argument = RX_REPLY_NEED_ARGUMENT },
	[SMTP_VERB_RCPT] = { rx_do_rcpt, .allowed = OPEN,
	    .may_enter = RX_IN(RCPT) | RX_IN(ASKING), .argument = RX_ARG_SOME,
	    .without_argument = RX_REPLY_NEED_ARGUMENT },
	[SMTP_VERB_DATA] = { rx_do_data, .allowed = RX_IN(RCPT),
	    .may_enter = RX_IN(IN_CONTENT), .argument = RX_ARG_NONE },
	/* where it is wrong it says so behind its chunk */
	[SMTP_VERB_BDAT] = { rx_do_bdat, .allowed = ALWAYS | RX_IN(UNWANTED),
	    .may_enter = RX_IN(IN_CHUNK) | RX_IN(CHUNKS) |
	    RX_IN(SUBMITTING) | TO_END, .is_without_tls = true },
	[SMTP_VERB_RSET] = { rx_do_rset, .allowed = ALWAYS,
	    .may_enter = RX_IN(READY), .argument = RX_ARG_NONE,
	    .is_junk = true },
	[SMTP_VERB_NOOP] = { rx_do_noop, .allowed = ALWAYS, .is_junk = true,
	    .is_without_tls = true },
	[SMTP_VERB_VRFY] = { rx_do_vrfy, .allowed = ALWAYS,
	    .argument = RX_ARG_SOME,
	    .without_argument = RX_REPLY_NEED_ARGUMENT, .is_junk = true },
	[SMTP_VERB_HELP] = { rx_do_help, .allowed = ALWAYS, .is_junk = true },
	[SMTP_VERB_QUIT] = { rx_do_quit,
	    .allowed = ALWAYS | RX_IN(UNWANTED), .may_enter = TO_END,
	    .argument = RX_ARG_NONE, .is_without_tls = true },
	[SMTP_VERB_STARTTLS] = { rx_do_starttls, .allowed = RX_IN(READY),
	    .may_enter = RX_IN(HANDSHAKE) | TO_END, .argument = RX_ARG_NONE,
	    .is_without_tls = true },
	[SMTP_VERB_AUTH] = { rx_do_auth, .allowed = RX_IN(READY),
	    .may_enter = RX_IN(AUTH) | RX_IN(ASKING), .argument = RX_ARG_SOME,
	    .without_argument = RX_REPLY_NEED_ARGUMENT },
	/* not offered, and said so in every state: no state makes them
	 * right */
	[SMTP_VERB_EXPN] = { rx_do_absent, .allowed = ALWAYS },
	[SMTP_VERB_ETRN] = { rx_do_etrn, .allowed = RX_IN(READY),
	    .argument = RX_ARG_SOME,
	    .without_argument = RX_REPLY_ETRN_SYNTAX, .is_junk = true },
	[SMTP_VERB_XCLIENT] = { rx_do_xclient,
	    .allowed = RX_IN(START) | RX_IN(READY),
	    .may_enter = RX_IN(START) | RX_IN(READY) },
	[SMTP_VERB_UNKNOWN] = { rx_do_unknown, .allowed = ALWAYS,
	    .is_without_tls = true },
	[SMTP_VERB_FOREIGN] = { rx_do_foreign, .allowed = ALWAYS,
	    .may_enter = TO_END, .is_without_tls = true },
};

const struct rx_verb *
rx_table_verb(enum smtp_verb verb)
{
	return &verbs[verb];
}

/* The step that is missing, from the most general reason to the most special
 * one. */
enum rx_reply_id
rx_table_refusal(const struct rx *rx, enum smtp_verb verb)
{
	if (rx->state == RX_UNWANTED)
		return RX_REPLY_ONLY_QUIT;
	if (verb == SMTP_VERB_STARTTLS && !rx->door.may_tls)
		return rx->door.is_tls ? RX_REPLY_TLS_ALREADY
		    : RX_REPLY_NOT_OFFERED;
	if (verb == SMTP_VERB_AUTH && rx_auth_refusal(rx) != RX_REPLY_NONE)
		return rx_auth_refusal(rx);
	if (rx->state == RX_START)
		return RX_REPLY_HELLO_FIRST;
	if (rx->state == RX_CHUNKS)
		return RX_REPLY_CHUNKS_BEGUN;
	if (verb == SMTP_VERB_MAIL || verb == SMTP_VERB_STARTTLS ||
	    verb == SMTP_VERB_XCLIENT || verb == SMTP_VERB_AUTH ||
	    verb == SMTP_VERB_ETRN)
		return RX_REPLY_NESTED_MAIL;
	if (rx->state != RX_MAIL)
		return RX_REPLY_MAIL_FIRST;
	/* RFC 2920 3.2: 554 when recipients were tried and none accepted */
	return rx->mail.rcpt_refused > 0 ? RX_REPLY_NO_RECIPIENTS
	    : RX_REPLY_RCPT_FIRST;
}

enum rx_state
rx_state(const struct rx *rx)
{
	return rx->state;
}
