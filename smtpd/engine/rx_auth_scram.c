/*
 * SCRAM-SHA-256 of a client, with and without channel binding: what it says, and
 * what is made of keyd's answers (RFC 5802, 7677).
 */
#include "smtpd/engine/rx_exchange.h"

#include "common/base/base64.h"
#include "common/base/check.h"

#include <string.h>

/* Whether this flag of the client may be, RFC 5802 section 6. */
static enum rx_reply_id
judge_flag(const struct rx *rx, struct rx_exchange *x)
{
	if (x->mechanism != SASL_SCRAM_SHA_256_PLUS) {
		if (x->scram.flag == SASL_GS2_BOUND)
			return RX_REPLY_AUTH_SYNTAX;
		return x->scram.flag == SASL_GS2_THOUGHT_NONE &&
		    rx_auth_is_listed(rx, SASL_SCRAM_SHA_256_PLUS)
		    ? RX_REPLY_AUTH_BINDING : RX_REPLY_NONE;
	}
	return x->scram.flag == SASL_GS2_BOUND &&
	    sasl_find_binding(x->scram.binding, &x->binding) &&
	    (rx->bindings & 1U << x->binding) != 0
	    ? RX_REPLY_NONE : RX_REPLY_AUTH_BINDING;
}

enum rx_reply_id
rx_scram_first(struct rx *rx, struct span message)
{
	struct rx_exchange *x = rx->exchange;
	enum rx_reply_id reply;

	buf_add_span(&x->first, message);
	if (buf_failed(&x->first) ||
	    sasl_scram_first(buf_span(&x->first), &x->scram) != OK)
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_SYNTAX);
	reply = judge_flag(rx, x);
	if (reply != RX_REPLY_NONE)
		return rx_exchange_refuse(rx, reply);
	rx_exchange_set_user(x, span_of(x->scram.user, x->scram.user_n));
	return rx_exchange_ask(rx, RX_ASK_SALT);
}

enum rx_reply_id
rx_scram_final(struct rx *rx, struct span message)
{
	struct rx_exchange *x = rx->exchange;
	struct sasl_final f;
	const enum err e = sasl_scram_final(message, x->scram.gs2,
	    span_of(x->binding_data, x->binding_n), x->scram.nonce,
	    span_of(x->nonce, x->nonce_n), &f);

	if (e != OK)
		return rx_exchange_refuse(rx, e == ERR_DENIED ? RX_REPLY_AUTH_BINDING
		    : RX_REPLY_AUTH_SYNTAX);
	memcpy(x->proof, f.proof, sizeof(x->proof));
	buf_add_byte(&x->auth_message, ',');
	buf_add_span(&x->auth_message, f.without_proof);
	if (buf_failed(&x->auth_message))
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_LATER);
	return rx_exchange_ask(rx, RX_ASK_PROOF);
}

/* False: none came, and it is wanted. */
static bool
keep_binding(struct rx_exchange *x, struct span data)
{
	if (x->mechanism != SASL_SCRAM_SHA_256_PLUS)
		return true;
	if (data.n == 0 || data.n > sizeof(x->binding_data))
		return false;
	memcpy(x->binding_data, data.p, data.n);
	x->binding_n = data.n;
	return true;
}

/* The server's first message; our nonce is printable as base64 is. */
enum rx_reply_id
rx_scram_salt(struct rx *rx, const struct rx_answer *a)
{
	struct rx_exchange *x = rx->exchange;
	struct span nonce;
	struct buf text, b64;
	enum rx_reply_id reply;

	if (!keep_binding(x, a->binding))
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_LATER);
	buf_init(&b64, sizeof(x->nonce));
	base64_encode(&b64, span_of(a->nonce, RX_AUTH_NONCE_BYTES));
	nonce = buf_span(&b64);
	MUST(!buf_failed(&b64) || b64.p == NULL);
	if (nonce.n > 0)
		memcpy(x->nonce, nonce.p, nonce.n);
	x->nonce_n = nonce.n;
	buf_clear(&b64);
	buf_init(&text, 1024);
	sasl_scram_put_first(x->scram.nonce, span_of(x->nonce, x->nonce_n),
	    a->salt, a->iterations, &text);
	buf_add_span(&x->auth_message, x->scram.bare);
	buf_add_byte(&x->auth_message, ',');
	buf_add_span(&x->auth_message, buf_span(&text));
	reply = x->nonce_n > 0 && !buf_failed(&text)
	    ? rx_exchange_challenge(rx, STEP_FINAL, buf_span(&text))
	    : rx_exchange_refuse(rx, RX_REPLY_AUTH_LATER);
	buf_clear(&text);
	return reply;
}

enum rx_reply_id
rx_scram_signature(struct rx *rx, const struct rx_answer *a)
{
	struct buf text;
	enum rx_reply_id reply;

	buf_init(&text, 128);
	buf_add_str(&text, "v=");
	base64_encode(&text, a->signature);
	reply = buf_failed(&text) ? rx_exchange_refuse(rx, RX_REPLY_AUTH_LATER)
	    : rx_exchange_challenge(rx, STEP_END, buf_span(&text));
	buf_clear(&text);
	return reply;
}
