/*
 * A token as a client: OAUTHBEARER, RFC 7628, and XOAUTH2, its forerunner, which
 * differ in two messages.
 *
 * A host that does not take a token may say why in a last 334, in JSON, which
 * waits for an answer before the refusal itself comes (section 3.2.3).  The token
 * may have ended before its time, so another one is asked for, once.
 */
#include <stdio.h>

#include "common/base/text.h"
#include "common/smtp/smtp_sasl.h"
#include "deliverd/engine/tx_fault.h"
#include "deliverd/engine/tx_login.h"

#define TEXT_SIZE	1024

bool
tx_bearer_is_mine(const struct tx *t)
{
	return t->login->mechanism == SASL_OAUTHBEARER ||
	    t->login->mechanism == SASL_XOAUTH2;
}

void
tx_bearer_tell(struct tx *t, const struct tx_auth_answer *a)
{
	struct tx_login *l = t->login;
	struct buf message;

	if (!sasl_is_token(a->token)) {
		tx_login_end(t, "the token is none that can be told");
		return;
	}
	l->number = a->number;
	l->challenge[0] = '\0';
	buf_init(&message, TX_LOGIN_LINE_MAX);
	if (buf_reserve(&message, TX_LOGIN_LINE_MAX) == NULL)
		;
	else if (l->mechanism == SASL_OAUTHBEARER)
		sasl_client_put_bearer(l->c.user, a->token, &message);
	else
		sasl_client_put_xoauth2(l->c.user, a->token, &message);
	(void)tx_login_encode(l, buf_span(&message));
	tx_login_wipe(&message);
	tx_login_open(t, TX_STEP_END, TX_STEP_RESPONSE);
}

void
tx_bearer_challenge(struct tx *t, const struct smtp_response *r)
{
	struct tx_login *l = t->login;
	uint8_t bytes[TX_LOGIN_DECODED_MAX];
	size_t n;

	if (tx_login_decode(r, bytes, &n)) {
		n = text_escape(span_of(bytes, n), NULL, l->challenge,
		    sizeof(l->challenge) - 1);
		l->challenge[n] = '\0';
	}
	if (l->mechanism == SASL_OAUTHBEARER)
		tx_login_say_base64(t, SPAN_LIT("\1"));
	else
		tx_login_say(t, SPAN_NONE);
	if (t->state == TX_AUTH_SAID)
		tx_login_await(t, TX_STEP_REFUSED);
}

/* The host's words, and behind them what it has said of the token. */
static void
end(struct tx *t, const struct smtp_response *r)
{
	char text[TEXT_SIZE], said[TEXT_SIZE / 2];
	struct tx_finding f = tx_reply_finding(TX_STAGE_AUTH, r);

	if (t->login->challenge[0] == '\0') {
		tx_fault_reply(t, r);
		return;
	}
	(void)span_copy(span_sub(buf_span(&r->text), 0, sizeof(said) - 1),
	    said, sizeof(said));
	(void)snprintf(text, sizeof(text), "%s (of the token: %s)", said,
	    t->login->challenge);
	f.outcome = TX_DEFERRED;
	if (f.status.class == 5)	/* it isn't the recipients' fault */
		f.status.class = 4;
	f.text = span_str(text);
	tx_fault_finding(t, &f);
}

/* RFC 4954 section 6: 535 is about the credentials; others say that AUTH can't
 * be had, or not now. */
void
tx_bearer_refused(struct tx *t, const struct smtp_response *r)
{
	struct tx_login *l = t->login;
	const bool is_token = r->code == 535 || l->step == TX_STEP_REFUSED;

	if (!is_token || l->is_renewed || l->number == 0) {
		end(t, r);
		return;
	}
	l->is_renewed = true;
	tx_login_wipe(&l->response);
	tx_login_ask(t);
}

void
tx_bearer_lack(struct tx *t, const char *why)
{
	char text[TEXT_SIZE];

	if (t->login->is_renewed) {
		(void)snprintf(text, sizeof(text), "the host refused the token, "
		    "and there is no other one: %s", why);
		why = text;
	}
	tx_login_end(t, why);
}
