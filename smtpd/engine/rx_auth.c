/*
 * AUTH, RFC 4954, with PLAIN, LOGIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS,
 * OAUTHBEARER and, for who showed a certificate, EXTERNAL.
 *
 * Offered inside TLS only, so that no password and no chosen mechanism can be
 * seen or changed on the way.  A wrong user and a wrong password hear the same.
 * Who has authenticated is trusted as relay.networks are.
 *
 * Somebody between the client and us can take a mechanism off the list, but
 * then a client that knows the stronger one says "y" in the weaker one, signed:
 * that is refused (RFC 5802 section 6).  What TLS says is about who connected,
 * so it counts for nothing once XCLIENT has named another.
 */
#include "smtpd/engine/rx_auth.h"

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/mail/xtext.h"
#include "smtpd/engine/rx_auth_impl.h"
#include "smtpd/engine/rx_exchange.h"
#include "smtpd/engine/rx_verbs.h"

#include <stdlib.h>

/* ---- life ---- */

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->size);
	buf_clear(b);
}

void
rx_auth_end(struct rx *rx)
{
	struct rx_exchange *x = rx->exchange;

	if (x == NULL)
		return;
	rx->has_read_secret = true;
	wipe(&x->message);
	wipe(&x->first);
	wipe(&x->auth_message);
	wipe(&x->challenge);
	explicit_bzero(x, sizeof(*x));
	free(x);
	rx->exchange = NULL;
	rx->lines.max = SMTP_LINES_MAX;
	if (rx->state == RX_AUTH || rx->state == RX_ASKING)
		rx_enter(rx, RX_READY);
}

bool
rx_take_secret(struct rx *rx)
{
	bool has = rx->has_read_secret || rx->exchange != NULL;

	rx->has_read_secret = false;
	return has;
}

/* The buffer for messages has its whole size at once: one that grows would
 * leave copies behind. */
static bool
begin(struct rx *rx, enum sasl_mechanism mechanism)
{
	struct rx_exchange *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return false;
	x->mechanism = mechanism;
	buf_init(&x->message, SASL_MESSAGE_MAX);
	buf_init(&x->first, SASL_MESSAGE_MAX);
	buf_init(&x->auth_message, 2 * SASL_MESSAGE_MAX);
	buf_init(&x->challenge, 2048);
	rx->exchange = x;
	rx->lines.max = RX_AUTH_LINE_MAX;
	if (buf_reserve(&x->message, SASL_MESSAGE_MAX) != NULL)
		return true;
	rx_auth_end(rx);
	return false;
}

enum rx_reply_id
rx_exchange_refuse(struct rx *rx, enum rx_reply_id reply)
{
	rx_auth_end(rx);
	return reply;
}

/* ---- what is offered ---- */

void
rx_auth_bindings(struct rx *rx, unsigned set)
{
	rx->bindings = (uint8_t)set;
}

void
rx_auth_certified(struct rx *rx, struct span user)
{
	MUST(user.n <= sizeof(rx->user));
	rx->certified = user;
}

bool
rx_auth_is_listed(const struct rx *rx, enum sasl_mechanism m)
{
	switch (m) {
	case SASL_SCRAM_SHA_256:
		return rx->site->has_scram;
	case SASL_SCRAM_SHA_256_PLUS:
		return rx->site->has_scram && rx->bindings != 0 &&
		    rx->xclient == NULL;
	case SASL_OAUTHBEARER:
		return rx->site->has_bearer;
	case SASL_EXTERNAL:
		return rx->certified.n > 0 && rx->xclient == NULL;
	case SASL_PLAIN:
	case SASL_LOGIN:
		return rx->site->has_passwords;
	case SASL_XOAUTH2:
	case SASL_MECHANISM_COUNT:
		break;
	}
	return false;
}

/* ---- what goes on ---- */

/* 334 with these bytes; the next line is the answer to it. */
enum rx_reply_id
rx_exchange_challenge(struct rx *rx, enum rx_auth_step next, struct span text)
{
	struct rx_exchange *x = rx->exchange;

	x->step = next;
	buf_reset(&x->challenge);
	buf_add_span(&x->challenge, text);
	rx_enter(rx, RX_AUTH);
	return RX_REPLY_CHALLENGE;
}

void
rx_auth_challenge(struct rx *rx, struct buf *out)
{
	buf_add_str(out, "334 ");
	base64_encode(out, buf_span(&rx->exchange->challenge));
	buf_add_str(out, "\r\n");
}

enum rx_reply_id
rx_exchange_ask(struct rx *rx, enum rx_question_kind kind)
{
	rx->exchange->asks = kind;
	rx_enter(rx, RX_ASKING);
	return RX_REPLY_NONE;
}

void
rx_exchange_set_user(struct rx_exchange *x, struct span user)
{
	MUST(user.n <= sizeof(x->user));
	memcpy(x->user, user.p, user.n);
	x->user_n = user.n;
}

static enum rx_reply_id
take_plain(struct rx *rx, struct span message)
{
	struct sasl_plain p;

	if (sasl_plain(message, &p) != OK)
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_SYNTAX);
	rx_exchange_set_user(rx->exchange, p.user);
	rx->exchange->password = p.password;
	return rx_exchange_ask(rx, RX_ASK_PASSWORD);
}

static enum rx_reply_id
take_login(struct rx *rx, struct span message)
{
	struct rx_exchange *x = rx->exchange;

	if (x->step == STEP_FIRST) {
		if (sasl_check_user(message) != OK)
			return rx_exchange_refuse(rx, RX_REPLY_AUTH_SYNTAX);
		rx_exchange_set_user(x, message);
		return rx_exchange_challenge(rx, STEP_PASSWORD, SPAN_LIT("Password:"));
	}
	if (sasl_check_password(message) != OK)
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_SYNTAX);
	x->password = message;
	return rx_exchange_ask(rx, RX_ASK_PASSWORD);
}

/* RFC 7628 section 3.2.2: the client hears why in JSON, and has a last word
 * that says nothing. */
static enum rx_reply_id
deny_token(struct rx *rx, struct span why)
{
	return rx_exchange_challenge(rx, STEP_DENIED, why.n > 0 ? why
	    : SPAN_LIT("{\"status\":\"invalid_token\"}"));
}

static enum rx_reply_id
take_bearer(struct rx *rx, struct span message)
{
	struct rx_exchange *x = rx->exchange;
	struct sasl_bearer b;

	/* it should be one 0x01, and changes nothing */
	if (x->step == STEP_DENIED)
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_BAD);
	if (sasl_bearer(message, &b) != OK)
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_SYNTAX);
	/* section 4.3: it wants to learn where tokens come from */
	if (b.token.n == 0)
		return deny_token(rx, SPAN_NONE);
	rx_exchange_set_user(x, span_of(b.user, b.user_n));
	x->password = b.token;
	return rx_exchange_ask(rx, RX_ASK_TOKEN);
}

/* The rest of a session is that user's. */
static enum rx_reply_id
succeed(struct rx *rx)
{
	struct rx_exchange *x = rx->exchange;

	memcpy(rx->user, x->user, x->user_n);
	rx->user_n = (uint8_t)x->user_n;
	rx->mechanism = (uint8_t)x->mechanism;
	rx->is_trusted = true;
	rx_auth_end(rx);
	return RX_REPLY_AUTH_OK;
}

/* TLS has proved it already. */
static enum rx_reply_id
take_external(struct rx *rx, struct span message)
{
	const enum err e = sasl_external(message, rx->certified);

	if (e != OK)
		return rx_exchange_refuse(rx, e == ERR_DENIED ? RX_REPLY_AUTH_IDENTITY
		    : RX_REPLY_AUTH_SYNTAX);
	rx_exchange_set_user(rx->exchange, rx->certified);
	return succeed(rx);
}

static enum rx_reply_id
take_message(struct rx *rx, struct span message)
{
	switch (rx->exchange->mechanism) {
	case SASL_EXTERNAL:
		return take_external(rx, message);
	case SASL_PLAIN:
		return take_plain(rx, message);
	case SASL_LOGIN:
		return take_login(rx, message);
	case SASL_OAUTHBEARER:
		return take_bearer(rx, message);
	default:
		break;
	}
	switch (rx->exchange->step) {
	case STEP_FIRST:
		return rx_scram_first(rx, message);
	case STEP_FINAL:
		return rx_scram_final(rx, message);
	default:
		/* nothing is left to be said */
		return message.n == 0 ? succeed(rx)
		    : rx_exchange_refuse(rx, RX_REPLY_AUTH_SYNTAX);
	}
}

/* RFC 4954 section 4: what is no base64 ends the exchange. */
static enum rx_reply_id
take_text(struct rx *rx, struct span text)
{
	struct buf *b = &rx->exchange->message;
	size_t n;

	if (base64_decode(text, b->p, b->size, &n) != OK)
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_BASE64);
	b->n = n;
	return take_message(rx, buf_span(b));
}

/* ---- the command ---- */

static bool
has_users(const struct rx *rx)
{
	return rx->site->has_passwords || rx->site->has_scram ||
	    rx->site->has_bearer;
}

bool
rx_auth_is_offered(const struct rx *rx)
{
	return rx->door.is_tls &&
	    (has_users(rx) || rx_auth_is_listed(rx, SASL_EXTERNAL));
}

void
rx_auth_write(const struct rx *rx, struct buf *out)
{
	for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
		enum sasl_mechanism m = (enum sasl_mechanism)i;

		if (!rx_auth_is_listed(rx, m))
			continue;
		buf_add_byte(out, ' ');
		buf_add_str(out, sasl_name(m));
	}
}

enum rx_reply_id
rx_auth_refusal(const struct rx *rx)
{
	if (rx_auth_is_offered(rx))
		return RX_REPLY_NONE;
	return rx->door.may_tls && has_users(rx) ? RX_REPLY_AUTH_NEEDS_TLS
	    : RX_REPLY_NOT_OFFERED;
}

static enum rx_reply_id
may_begin(const struct rx *rx)
{
	if (!rx_auth_is_offered(rx))
		return rx_auth_refusal(rx);
	if (!rx->is_esmtp)
		return RX_REPLY_HELLO_FIRST;
	return rx->user_n > 0 ? RX_REPLY_AUTH_TWICE : RX_REPLY_NONE;
}

/* What a client that sends no first message is asked. */
static enum rx_reply_id
ask_first(struct rx *rx)
{
	return rx_exchange_challenge(rx, STEP_FIRST, rx->exchange->mechanism == SASL_LOGIN
	    ? SPAN_LIT("Username:") : SPAN_NONE);
}

enum rx_reply_id
rx_do_auth(struct rx *rx, const struct smtp_command *c)
{
	const size_t blank = span_find(c->argument, ' ');
	struct span initial = span_from(c->argument, blank + 1);
	enum rx_reply_id reply = may_begin(rx);
	enum sasl_mechanism m;

	if (reply != RX_REPLY_NONE)
		return reply;
	if (!sasl_find(span_sub(c->argument, 0, blank), &m) ||
	    !rx_auth_is_listed(rx, m))
		return RX_REPLY_AUTH_MECHANISM;
	if (!begin(rx, m))
		return RX_REPLY_AUTH_LATER;
	if (blank == c->argument.n)
		return ask_first(rx);
	/* "=" is an empty one */
	if (span_equal(initial, SPAN_LIT("=")))
		initial = SPAN_NONE;
	return take_text(rx, initial);
}

enum rx_act
rx_auth_line(struct rx *rx, struct span line, struct buf *out)
{
	enum rx_reply_id reply;

	rx->last.verb = SMTP_VERB_AUTH;
	rx->last.argument = SPAN_NONE;
	reply = span_equal(line, SPAN_LIT("*"))
	    ? rx_exchange_refuse(rx, RX_REPLY_AUTH_CANCELLED) : take_text(rx, line);
	if (reply == RX_REPLY_NONE)
		return RX_ASK;
	if (rx_answer(rx, reply, out))
		return RX_REFUSED;
	return rx->state == RX_CLOSED ? RX_CLOSE : RX_READ;
}

/* ---- keyd's answers ---- */

void
rx_question(const struct rx *rx, struct rx_question *out)
{
	const struct rx_exchange *x = rx->exchange;

	MUST(x != NULL);
	*out = (struct rx_question){
		.kind = x->asks,
		.mechanism = sasl_name(x->mechanism),
		.user = span_of(x->user, x->user_n),
		.password = x->password,
		.auth_message = buf_span(&x->auth_message),
		.proof = span_of(x->proof, sizeof(x->proof)),
		.is_bound = x->mechanism == SASL_SCRAM_SHA_256_PLUS,
		.binding = x->binding,
	};
}

/* Whoever knows the user may know it by another name. */
static enum rx_reply_id
go_on_as(struct rx *rx, struct span user)
{
	struct rx_exchange *x = rx->exchange;

	if (user.n > 0 && sasl_check_user(user) != OK)
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_LATER);
	if (user.n > 0)
		rx_exchange_set_user(x, user);
	return x->user_n > 0 ? succeed(rx) : rx_exchange_refuse(rx, RX_REPLY_AUTH_LATER);
}

static enum rx_reply_id
judge(struct rx *rx, const struct rx_answer *a)
{
	if (a->verdict == RX_VERDICT_BAD)
		return rx->exchange->asks == RX_ASK_TOKEN
		    ? deny_token(rx, a->challenge)
		    : rx_exchange_refuse(rx, RX_REPLY_AUTH_BAD);
	if (a->verdict == RX_VERDICT_LATER)
		return rx_exchange_refuse(rx, RX_REPLY_AUTH_LATER);
	switch (rx->exchange->asks) {
	case RX_ASK_SALT:
		return rx_scram_salt(rx, a);
	case RX_ASK_PROOF:
		return rx_scram_signature(rx, a);
	default:
		return go_on_as(rx, a->user);
	}
}

void
rx_answered(struct rx *rx, const struct rx_answer *answer, struct buf *out)
{
	if (rx->state != RX_ASKING)
		return;
	(void)rx_answer(rx, judge(rx, answer), out);
	if (rx->is_draining)
		rx_close(rx, RX_CLOSE_STOPPING, out);
}

struct span
rx_user(const struct rx *rx)
{
	return span_of(rx->user, rx->user_n);
}

const char *
rx_user_mechanism(const struct rx *rx)
{
	return rx->user_n > 0
	    ? sasl_name((enum sasl_mechanism)rx->mechanism) : "";
}

/* ---- AUTH= ---- */

/* Nobody here speaks for another, so whatever stands there counts as <>. */
enum rx_reply_id
rx_auth_take(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	(void)out;
	if (!rx_auth_is_offered(rx))
		return RX_REPLY_PARAM_UNKNOWN;
	return p->value.n > 0 && xtext_is_printable(p->value) ? RX_REPLY_NONE
	    : RX_REPLY_PARAM_SYNTAX;
}
