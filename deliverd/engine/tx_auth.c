/*
 * An exchange is a row of steps, each of which reads one reply.  PLAIN, LOGIN and
 * those with a token ask for it before anything is said, EXTERNAL for nothing.
 *
 * Who is refused is this client, and no recipient was named yet: any refusal is
 * temporary, and the next host is tried.
 */
#include "deliverd/engine/tx_auth.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "deliverd/engine/tx_fault.h"
#include "deliverd/engine/tx_login.h"

/* So that an initial response fits a command line (RFC 5321 4.5.3.1.4). */
#define INITIAL_MAX	480

/* ---- life ---- */

enum err
tx_authenticate(struct tx *t, const struct tx_credential *c)
{
	struct tx_login *l = calloc(1, sizeof(*l));
	struct buf text;

	if (l == NULL)
		return ERR_NOMEM;
	l->c = *c;
	buf_init(&l->response, TX_LOGIN_LINE_MAX);
	buf_init(&l->message, TX_LOGIN_MESSAGE_MAX);
	buf_init(&text, TX_LOGIN_NONCE_TEXT);
	base64_encode(&text, span_of(c->nonce, sizeof(c->nonce)));
	if (buf_failed(&text) || text.n != TX_LOGIN_NONCE_TEXT) {
		buf_clear(&text);
		free(l);
		return ERR_NOMEM;
	}
	memcpy(l->nonce, text.p, TX_LOGIN_NONCE_TEXT);
	buf_clear(&text);
	t->login = l;
	return OK;
}

void
tx_login_wipe(struct buf *b)
{
	const size_t max = b->max;

	if (b->p != NULL)
		explicit_bzero(b->p, b->size);
	buf_clear(b);
	buf_init(b, max);
}

void
tx_login_free(struct tx *t)
{
	if (t->login == NULL)
		return;
	tx_login_wipe(&t->login->response);
	buf_clear(&t->login->message);
	free(t->login);
	t->login = NULL;
}

bool
tx_auth_take_secret(struct tx *t)
{
	bool has_one = t->login != NULL && t->login->has_secret;

	if (has_one)
		t->login->has_secret = false;
	return has_one;
}

/* ---- ends ---- */

void
tx_login_end(struct tx *t, const char *why)
{
	const struct tx_finding f = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_AUTH,
		.status = STATUS(4, 7, 0), .text = span_str(why),
	};

	tx_fault_finding(t, &f);
}

/* ---- saying ---- */

void
tx_login_say(struct tx *t, struct span line)
{
	if (buf_reserve(t->out, line.n + 2) == NULL)
		return;
	buf_add_span(t->out, line);
	buf_add_str(t->out, "\r\n");
}

void
tx_login_say_base64(struct tx *t, struct span message)
{
	struct buf line;

	buf_init(&line, 2 * TX_LOGIN_MESSAGE_MAX);
	base64_encode(&line, message);
	if (!buf_failed(&line))
		tx_login_say(t, buf_span(&line));
	else
		tx_login_end(t, "a message of AUTH has no room");
	buf_clear(&line);
}

static void
say_auth(struct tx *t, struct span initial)
{
	struct tx_login *l = t->login;

	if (buf_reserve(t->out, 32 + initial.n) == NULL)
		return;
	buf_addf(t->out, "AUTH %s", sasl_name(l->mechanism));
	if (initial.n > 0)
		buf_add_byte(t->out, ' ');
	tx_login_say(t, initial);
}

void
tx_login_await(struct tx *t, enum tx_login_step step)
{
	t->login->step = step;
	t->login->is_over = false;
	t->has_just_sent = true;
	tx_rules_enter(t, TX_AUTH_SAID);
}

void
tx_login_ask(struct tx *t)
{
	t->login->is_asked = false;
	tx_rules_enter(t, TX_AUTH_ASKING);
}

bool
tx_login_is_open(const struct tx *t)
{
	return (t->state == TX_AUTH_SAID && !t->login->is_over) ||
	    (t->state == TX_AUTH_ASKING &&
	    t->login->mechanism == SASL_SCRAM_SHA_256);
}

bool
tx_login_asks(struct tx *t)
{
	if (t->state != TX_AUTH_ASKING || t->login->is_asked)
		return false;
	t->login->is_asked = true;
	return true;
}

/* ---- the beginning ---- */

static bool
tells_secret(const struct tx_login *l)
{
	return l->mechanism != SASL_SCRAM_SHA_256 &&
	    l->mechanism != SASL_EXTERNAL;
}

void
tx_login_open(struct tx *t, enum tx_login_step with, enum tx_login_step without)
{
	struct tx_login *l = t->login;

	if (buf_failed(&l->response)) {
		tx_login_end(t, "no memory for AUTH");
		return;
	}
	if (l->response.n > INITIAL_MAX) {
		say_auth(t, SPAN_NONE);
		tx_login_await(t, without);
		return;
	}
	say_auth(t, buf_span(&l->response));
	l->has_secret = tells_secret(l);
	tx_login_wipe(&l->response);
	tx_login_await(t, with);
}

/* RFC 4422 appendix A: who we are the certificate says; a user is named to act
 * as him.  "=" is an empty response (RFC 4954 section 4). */
static void
begin_external(struct tx *t)
{
	struct tx_login *l = t->login;

	if (l->c.user.n == 0) {
		say_auth(t, SPAN_LIT("="));
		tx_login_await(t, TX_STEP_END);
	} else {
		(void)tx_login_encode(l, l->c.user);
		tx_login_open(t, TX_STEP_END, TX_STEP_RESPONSE);
	}
}

static bool
may_use(const struct tx *t, enum sasl_mechanism m)
{
	if ((t->login->c.mechanisms & t->ext.auth & 1U << m) == 0)
		return false;
	/* with a proof nobody learns anything */
	return m == SASL_SCRAM_SHA_256 || t->is_secured ||
	    (t->login->c.may_clear && m != SASL_EXTERNAL);
}

static const char *
lack(const struct tx *t)
{
	if (!smtp_ext_has(&t->ext, SMTP_EXT_AUTH))
		return "the host offers no AUTH, and this route has a user";
	if ((t->login->c.mechanisms & t->ext.auth) == 0)
		return "the host offers no AUTH that can be made";
	return "the host offers only AUTH that tells the password or token, "
	    "and there is no TLS";
}

bool
tx_login_begin(struct tx *t)
{
	static const struct {
		enum sasl_mechanism mechanism;
		void (*begin)(struct tx *t);
	} preferred[] = {
		{ SASL_SCRAM_SHA_256, tx_scram_begin },
		{ SASL_PLAIN, tx_login_ask }, { SASL_LOGIN, tx_login_ask },
		{ SASL_OAUTHBEARER, tx_login_ask },
		{ SASL_XOAUTH2, tx_login_ask },
		{ SASL_EXTERNAL, begin_external },
	};

	if (t->login == NULL)
		return false;
	for (size_t i = 0; i < COUNT_OF(preferred); i++) {
		if (may_use(t, preferred[i].mechanism)) {
			t->login->mechanism = preferred[i].mechanism;
			preferred[i].begin(t);
			return true;
		}
	}
	tx_login_end(t, lack(t));
	return true;
}

/* ---- answers of the owner ---- */

void
tx_auth_question(const struct tx *t, struct tx_auth_question *out)
{
	const struct tx_login *l = t->login;

	*out = (struct tx_auth_question){
		.wants_proof = l->mechanism == SASL_SCRAM_SHA_256,
		.wants_token = tx_bearer_is_mine(t),
		.refused = l->number,
		.salt = span_of(l->first.salt, l->first.salt_n),
		.iterations = l->first.iterations,
		.auth_message = buf_span(&l->message),
	};
}

bool
tx_login_encode(struct tx_login *l, struct span message)
{
	if (buf_reserve(&l->response, TX_LOGIN_LINE_MAX) == NULL)
		return false;
	base64_encode(&l->response, message);
	return !buf_failed(&l->response);
}

static void
begin_plain(struct tx *t, struct span password)
{
	struct tx_login *l = t->login;
	struct buf message;

	buf_init(&message, TX_LOGIN_LINE_MAX);
	if (buf_reserve(&message, TX_LOGIN_LINE_MAX) != NULL)
		sasl_client_put_plain(l->c.user, password, &message);
	(void)tx_login_encode(l, buf_span(&message));
	tx_login_wipe(&message);
	tx_login_open(t, TX_STEP_END, TX_STEP_RESPONSE);
}

static void
begin_login(struct tx *t, struct span password)
{
	if (!tx_login_encode(t->login, password)) {
		tx_login_end(t, "no memory for AUTH");
		return;
	}
	say_auth(t, SPAN_NONE);
	tx_login_await(t, TX_STEP_USER);
}

void
tx_auth_answer(struct tx *t, const struct tx_auth_answer *a)
{
	if (t->state != TX_AUTH_ASKING || !t->login->is_asked)
		return;
	if (tx_bearer_is_mine(t) && a->trouble != NULL)
		tx_bearer_lack(t, a->trouble);
	else if (a->trouble != NULL)
		tx_login_end(t, a->trouble);
	else if (tx_bearer_is_mine(t))
		tx_bearer_tell(t, a);
	else if (t->login->mechanism == SASL_PLAIN)
		begin_plain(t, a->password);
	else if (t->login->mechanism == SASL_LOGIN)
		begin_login(t, a->password);
	else if (a->proof.n == 32 && a->signature.n == 32)
		tx_scram_prove(t, a);
	else
		tx_login_end(t, "no proof could be made");
}

/* ---- replies of the host ---- */

bool
tx_login_decode(const struct smtp_response *r,
    uint8_t out[TX_LOGIN_DECODED_MAX], size_t *n)
{
	return base64_decode(buf_span(&r->text), out, TX_LOGIN_DECODED_MAX,
	    n) == OK;
}

void
tx_login_respond(struct tx *t, enum tx_login_step next)
{
	struct tx_login *l = t->login;

	tx_login_say(t, buf_span(&l->response));
	l->has_secret = tells_secret(l);
	tx_login_wipe(&l->response);
	tx_login_await(t, next);
}

static void
go_on(struct tx *t, const struct smtp_response *r)
{
	switch (t->login->step) {
	case TX_STEP_RESPONSE:
	case TX_STEP_PASSWORD:
		tx_login_respond(t, TX_STEP_END);
		break;
	case TX_STEP_USER:
		tx_login_say_base64(t, t->login->c.user);
		if (t->state == TX_AUTH_SAID)
			tx_login_await(t, TX_STEP_PASSWORD);
		break;
	case TX_STEP_FIRST:
		tx_scram_first(t, r);
		break;
	case TX_STEP_FINAL:
		tx_scram_final(t, r);
		break;
	case TX_STEP_REFUSED:
	case TX_STEP_END:
		if (t->login->step == TX_STEP_END && tx_bearer_is_mine(t))
			tx_bearer_challenge(t, r);
		else
			tx_fault_violation(t, "more to say in AUTH than there "
			    "is");
		break;
	}
}

/* 235 before the host has proved itself is no success. */
void
tx_login_reply(struct tx *t, const struct smtp_response *r)
{
	t->login->is_over = r->code != 334;
	if (r->code == 334)
		go_on(t, r);
	else if (r->code / 100 == 3)
		tx_fault_violation(t, "a strange reply to AUTH");
	else if (r->code / 100 != 2 && tx_bearer_is_mine(t))
		tx_bearer_refused(t, r);
	else if (r->code / 100 != 2)
		tx_fault_reply(t, r);
	else if (t->login->step != TX_STEP_END)
		tx_fault_violation(t, "a success before AUTH was over");
	else
		tx_hello_up(t);
}

void
tx_login_early(struct tx *t, const struct smtp_response *r)
{
	(void)r;
	tx_fault_violation(t, "a reply that nothing asked for");
}
