/*
 * The states: name, stage as people know it, clock, the command that is sent
 * on entering, and who reads the reply.  Connecting and over read nothing, so
 * they have no reader; quit and over name a stage only to have one.
 */
#include "common/base/check.h"
#include "deliverd/engine/tx_login.h"
#include "deliverd/engine/tx_tls.h"

static const struct tx_rule rules[TX_STATE_COUNT] = {
	[TX_CONNECTING] = { "connecting", TX_STAGE_CONNECT, -1,
	    NULL, NULL },
	[TX_GREETING] = { "greeting", TX_STAGE_GREETING, TX_FOR_GREETING,
	    NULL, tx_hello_greeting },
	[TX_EHLO] = { "EHLO", TX_STAGE_HELLO, TX_FOR_HELLO,
	    tx_hello_send_ehlo, tx_hello_ehlo },
	[TX_HELO] = { "HELO", TX_STAGE_HELLO, TX_FOR_HELLO,
	    tx_hello_send_helo, tx_hello_helo },
	[TX_TLS_ASKED] = { "STARTTLS", TX_STAGE_TLS, TX_FOR_HELLO,
	    tx_tls_send, tx_tls_reply },
	[TX_TLS_SHAKING] = { "TLS handshake", TX_STAGE_TLS, TX_FOR_HELLO,
	    NULL, NULL },
	[TX_AUTH_ASKING] = { "AUTH, asking for a secret", TX_STAGE_AUTH,
	    TX_FOR_HELLO, NULL, tx_login_early },
	[TX_AUTH_SAID] = { "AUTH", TX_STAGE_AUTH, TX_FOR_HELLO,
	    NULL, tx_login_reply },
	[TX_IDLE] = { "idle", TX_STAGE_MAIL, -1,
	    NULL, tx_reply_idle },
	[TX_LOOKING] = { "looking through the message", TX_STAGE_MAIL,
	    TX_FOR_BLOCK, NULL, tx_reply_idle },
	[TX_RSET] = { "RSET", TX_STAGE_MAIL, TX_FOR_MAIL,
	    tx_send_rset, tx_reply_rset },
	[TX_MAIL] = { "MAIL", TX_STAGE_MAIL, TX_FOR_MAIL,
	    tx_send_mail, tx_reply_mail },
	[TX_RCPT] = { "RCPT", TX_STAGE_RCPT, TX_FOR_RCPT,
	    tx_send_rcpt, tx_reply_rcpt },
	[TX_DATA] = { "DATA", TX_STAGE_DATA, TX_FOR_DATA,
	    tx_send_data, tx_reply_data },
	[TX_SENDING] = { "content", TX_STAGE_CONTENT, TX_FOR_BLOCK,
	    NULL, tx_reply_early },
	[TX_FINAL] = { "final dot", TX_STAGE_FINAL, TX_FOR_FINAL,
	    NULL, tx_reply_final },
	[TX_QUIT] = { "QUIT", TX_STAGE_FINAL, TX_FOR_QUIT,
	    NULL, tx_reply_quit },
	[TX_OVER] = { "over", TX_STAGE_FINAL, -1,
	    NULL, NULL },
};

const struct tx_rule *
tx_rules_get(enum tx_state s)
{
	MUST(s < TX_STATE_COUNT);
	return &rules[s];
}

/* The states of a transaction send their commands one by one only when the
 * host takes no groups; else tx_begin() has sent them all. */
void
tx_rules_enter(struct tx *t, enum tx_state s)
{
	bool was_sent = s >= TX_RSET && s <= TX_DATA &&
	    tx_rules_may_pipeline(t);

	t->state = s;
	t->progress++;
	if (rules[s].send != NULL && !was_sent) {
		rules[s].send(t);
		t->has_just_sent = true;
	}
}
