/*
 * The inside of the client dialogue, for the files of this room only: its
 * states, its rules and what each file does for the others.
 *
 * state says which reply is awaited next.  With PIPELINING the commands of a
 * transaction were all sent when it began; without, entering a state sends
 * its command.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_STATE_H
#define MTAD_DELIVERD_ENGINE_TX_STATE_H

#include "common/smtp/smtp_dots_out.h"
#include "common/smtp/smtp_ext.h"
#include "common/smtp/smtp_response.h"
#include "deliverd/engine/tx.h"
#include "deliverd/engine/tx_rules.h"

/* What the engine keeps of a recipient during a transaction. */
enum tx_rcpt_progress {
	TX_RCPT_ASIDE,		/* not in this transaction */
	TX_RCPT_AWAITED,
	TX_RCPT_ANSWERED,
	TX_RCPT_ACCEPTED,
};
struct tx_convert;
struct tx_login;

#define TX_INPUT_IGNORED_MAX 65536	/* octets behind QUIT */

struct tx {
	const struct tx_setup *setup;
	struct buf *out;
	enum tx_state state;
	struct smtp_ext ext;		/* of this EHLO */
	struct smtp_response response;	/* being read */
	struct tx_mail *mail;		/* in its transaction */
	struct tx_mail *ahead;		/* begun while mail awaits its end */
	struct tx_mail *over[2];	/* to be given back, in order */
	struct smtp_dots_out dots;
	uint64_t after_dot;		/* octets sent behind the final dot */
	size_t ignored;			/* octets read behind QUIT */
	uint32_t progress;
	uint32_t mail_count;
	uint8_t need;			/* enum tx_tls_need */
	struct tx_login *login;		/* AUTH; NULL: none is wanted */
	struct tx_convert *convert;	/* NULL: nothing was converted */
	bool is_lmtp, is_secured, requires_ext;	/* REQUIRETLS */
	bool is_begun;			/* TX_START_TLS was said */
	bool is_up;
	bool is_ahead_unsaid;		/* it is to be looked at first */
	bool needs_rset;		/* a transaction was left open */
	bool has_just_sent;		/* in answer to the last reply */
	bool is_quit_wanted, is_violated;
	struct tx_finding trouble;
	char trouble_text[TX_TEXT_MAX];
};

static inline bool
tx_rules_may_pipeline(const struct tx *t)
{
	return smtp_ext_has(&t->ext, SMTP_EXT_PIPELINING);
}

/* up to the first mail */
void tx_hello_send_ehlo(struct tx *t);
void tx_hello_send_helo(struct tx *t);
void tx_hello_greeting(struct tx *t, const struct smtp_response *r);
void tx_hello_ehlo(struct tx *t, const struct smtp_response *r);
void tx_hello_helo(struct tx *t, const struct smtp_response *r);
void tx_hello_up(struct tx *t);

/* tx_send: commands and content */
void tx_send_rset(struct tx *t);
void tx_send_mail(struct tx *t);
void tx_send_rcpt(struct tx *t);
void tx_send_data(struct tx *t);
void tx_send_bdat(struct tx *t);	/* of binary content (RFC 3030) */
void tx_send_looked(struct tx *t);	/* the mail has its plan: begins it */

/* tx_reply: what the host says within a transaction */
void tx_reply_idle(struct tx *t, const struct smtp_response *r);
void tx_reply_rset(struct tx *t, const struct smtp_response *r);
void tx_reply_mail(struct tx *t, const struct smtp_response *r);
void tx_reply_rcpt(struct tx *t, const struct smtp_response *r);
void tx_reply_data(struct tx *t, const struct smtp_response *r);
void tx_reply_early(struct tx *t, const struct smtp_response *r);
void tx_reply_final(struct tx *t, const struct smtp_response *r);
void tx_reply_quit(struct tx *t, const struct smtp_response *r);

/* A finding that borrows the reply's words; OUTCOME by the first digit. */
struct tx_finding tx_reply_finding(enum tx_stage stage,
    const struct smtp_response *r);

#endif
