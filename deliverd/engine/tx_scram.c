/*
 * SCRAM-SHA-256 as a client, RFC 5802 and 7677: the owner has the proof made
 * when the host has said what it is to be made of.
 */
#include <string.h>

#include "common/base/base64.h"
#include "deliverd/engine/tx_login.h"

void
tx_scram_begin(struct tx *t)
{
	struct tx_login *l = t->login;
	struct buf first;

	buf_init(&first, TX_LOGIN_LINE_MAX);
	buf_add_str(&first, "n,,");
	sasl_client_put_bare(l->c.user, span_of(l->nonce,
	    TX_LOGIN_NONCE_TEXT), &first);
	buf_add_span(&l->message, span_from(buf_span(&first), 3));
	base64_encode(&l->response, buf_span(&first));
	buf_clear(&first);
	tx_login_open(t, TX_STEP_FIRST, TX_STEP_FIRST);
}

void
tx_scram_prove(struct tx *t, const struct tx_auth_answer *a)
{
	struct tx_login *l = t->login;
	struct buf message;

	memcpy(l->signature, a->signature.p, sizeof(l->signature));
	buf_init(&message, TX_LOGIN_MESSAGE_MAX);
	buf_add_span(&message, span_from(buf_span(&l->message),
	    l->proofless_at));
	buf_add_str(&message, ",p=");
	base64_encode(&message, a->proof);
	tx_login_say_base64(t, buf_span(&message));
	buf_clear(&message);
	if (t->state == TX_AUTH_ASKING)
		tx_login_await(t, TX_STEP_FINAL);
}

/* What the host has is signed with the rest, so it is kept as it came. */
void
tx_scram_first(struct tx *t, const struct smtp_response *r)
{
	struct tx_login *l = t->login;
	uint8_t bytes[TX_LOGIN_DECODED_MAX];
	struct buf *m = &l->message;
	size_t n;

	/* the first 334 asks for our first message */
	if (l->response.n > 0) {
		tx_login_respond(t, TX_STEP_FIRST);
		return;
	}
	if (!tx_login_decode(r, bytes, &n) ||
	    sasl_client_read_first(span_of(bytes, n), span_of(l->nonce,
	    TX_LOGIN_NONCE_TEXT), &l->first) != OK) {
		tx_login_end(t, "the host's first message of SCRAM is none");
		return;
	}
	buf_add_byte(m, ',');
	buf_add(m, bytes, n);
	buf_add_byte(m, ',');
	l->proofless_at = m->n;
	sasl_client_put_without_proof(l->first.nonce, m);
	if (buf_failed(m))
		tx_login_end(t, "the host's first message of SCRAM is too "
		    "long");
	else
		tx_login_ask(t);
}

/* RFC 5802 section 3: whoever does not know the password is no such host. */
void
tx_scram_final(struct tx *t, const struct smtp_response *r)
{
	struct tx_login *l = t->login;
	uint8_t bytes[TX_LOGIN_DECODED_MAX], signature[32];
	size_t n;

	if (!tx_login_decode(r, bytes, &n) ||
	    sasl_client_read_final(span_of(bytes, n), signature) != OK ||
	    memcmp(signature, l->signature, sizeof(signature)) != 0) {
		tx_login_end(t, "the host could not prove that it knows the "
		    "password");
		return;
	}
	tx_login_say(t, SPAN_NONE);
	tx_login_await(t, TX_STEP_END);
}
