/*
 * An exchange is a row of steps, each of which reads one reply.  PLAIN and LOGIN
 * ask for the password before anything is said; SCRAM asks for the proof when the
 * host has said what it is to be made of.
 *
 * Who is refused is this client, and no recipient was named yet: any refusal is
 * temporary, and the next host is tried.
 */
#include "deliverd/engine/tx_auth.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/smtp/smtp_sasl_client.h"
#include "deliverd/engine/tx_fault.h"
#include "deliverd/engine/tx_login.h"

/* So that an initial response fits a command line (RFC 5321 4.5.3.1.4). */
#define INITIAL_MAX	480
#define LINE_MAX_BYTES	4096	/* of SASL_PASSWORD_MAX in base64, and more */
#define NONCE_TEXT	(TX_AUTH_NONCE_BYTES / 3 * 4)
#define MESSAGE_MAX	8192		/* as in messages.def */
#define DECODED_MAX	2048

enum step {
	STEP_PLAIN,			/* the response is said at 334 */
	STEP_USER, STEP_PASSWORD,	/* of LOGIN */
	STEP_FIRST, STEP_FINAL,		/* what the host says of SCRAM */
	STEP_END,			/* 235 is due */
};

struct tx_login {
	struct tx_credential c;
	uint8_t nonce[NONCE_TEXT];
	enum sasl_mechanism mechanism;
	enum step step;
	bool is_asked;			/* TX_ASK was said */
	bool has_secret;		/* in the output */
	bool is_over;			/* the host has ended it */
	struct buf response;		/* PLAIN's or LOGIN's, base64 */
	struct buf message;		/* SCRAM's auth_message */
	size_t proofless_at;		/* in it */
	struct sasl_server_first first;
	uint8_t signature[32];
};

/* ---- life ---- */

enum err
tx_authenticate(struct tx *t, const struct tx_credential *c)
{
	struct tx_login *l = calloc(1, sizeof(*l));
	struct buf text;

	if (l == NULL)
		return ERR_NOMEM;
	l->c = *c;
	buf_init(&l->response, LINE_MAX_BYTES);
	buf_init(&l->message, MESSAGE_MAX);
	buf_init(&text, NONCE_TEXT);
	base64_encode(&text, span_of(c->nonce, sizeof(c->nonce)));
	if (buf_failed(&text) || text.n != NONCE_TEXT) {
		buf_clear(&text);
		free(l);
		return ERR_NOMEM;
	}
	memcpy(l->nonce, text.p, NONCE_TEXT);
	buf_clear(&text);
	t->login = l;
	return OK;
}

static void
wipe(struct buf *b)
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
	wipe(&t->login->response);
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

static void
end(struct tx *t, const char *why)
{
	const struct tx_finding f = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_AUTH,
		.status = STATUS(4, 7, 0), .text = span_str(why),
	};

	tx_fault_finding(t, &f);
}

/* ---- saying ---- */

static void
say(struct tx *t, struct span line)
{
	if (buf_reserve(t->out, line.n + 2) == NULL)
		return;
	buf_add_span(t->out, line);
	buf_add_str(t->out, "\r\n");
}

static void
say_base64(struct tx *t, struct span message)
{
	struct buf line;

	buf_init(&line, 2 * MESSAGE_MAX);
	base64_encode(&line, message);
	if (!buf_failed(&line))
		say(t, buf_span(&line));
	else
		end(t, "a message of AUTH has no room");
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
	say(t, initial);
}

static void
await(struct tx *t, enum step step)
{
	t->login->step = step;
	t->has_just_sent = true;
	tx_rules_enter(t, TX_AUTH_SAID);
}

static void
ask(struct tx *t)
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

/* With the first response, where it fits: else at the host's 334. */
static void
begin_exchange(struct tx *t, enum step with, enum step without)
{
	struct tx_login *l = t->login;

	if (buf_failed(&l->response)) {
		end(t, "no memory for AUTH");
		return;
	}
	if (l->response.n > INITIAL_MAX) {
		say_auth(t, SPAN_NONE);
		await(t, without);
		return;
	}
	say_auth(t, buf_span(&l->response));
	l->has_secret = l->mechanism != SASL_SCRAM_SHA_256;
	wipe(&l->response);
	await(t, with);
}

static void
begin_scram(struct tx *t)
{
	struct tx_login *l = t->login;
	struct buf first;

	buf_init(&first, LINE_MAX_BYTES);
	buf_add_str(&first, "n,,");
	sasl_client_put_bare(l->c.user, span_of(l->nonce, NONCE_TEXT), &first);
	buf_add_span(&l->message, span_from(buf_span(&first), 3));
	base64_encode(&l->response, buf_span(&first));
	buf_clear(&first);
	begin_exchange(t, STEP_FIRST, STEP_FIRST);
}

bool
tx_login_begin(struct tx *t)
{
	static const enum sasl_mechanism preferred[] = {
		SASL_SCRAM_SHA_256, SASL_PLAIN, SASL_LOGIN,
	};
	struct tx_login *l = t->login;
	const bool may_tell = l != NULL &&
	    (t->is_secured || l->c.may_clear);

	if (l == NULL)
		return false;
	for (size_t i = 0; i < COUNT_OF(preferred); i++) {
		l->mechanism = preferred[i];
		if ((t->ext.auth & 1U << preferred[i]) == 0)
			continue;
		if (preferred[i] == SASL_SCRAM_SHA_256) {
			begin_scram(t);
			return true;
		}
		if (may_tell) {
			ask(t);
			return true;
		}
	}
	end(t, !smtp_ext_has(&t->ext, SMTP_EXT_AUTH) ?
	    "the host offers no AUTH, and this route has a user" : may_tell ?
	    "the host offers no AUTH that can be made" :
	    "the host offers only AUTH that tells the password, and there is "
	    "no TLS");
	return true;
}

/* ---- answers of the owner ---- */

void
tx_auth_question(const struct tx *t, struct tx_auth_question *out)
{
	const struct tx_login *l = t->login;

	*out = (struct tx_auth_question){
		.wants_proof = l->mechanism == SASL_SCRAM_SHA_256,
		.salt = span_of(l->first.salt, l->first.salt_n),
		.iterations = l->first.iterations,
		.auth_message = buf_span(&l->message),
	};
}

/* Room for all of it at once: memory that grows leaves a copy behind. */
static bool
encode(struct tx_login *l, struct span message)
{
	if (buf_reserve(&l->response, LINE_MAX_BYTES) == NULL)
		return false;
	base64_encode(&l->response, message);
	return !buf_failed(&l->response);
}

static void
begin_plain(struct tx *t, struct span password)
{
	struct tx_login *l = t->login;
	struct buf message;

	buf_init(&message, LINE_MAX_BYTES);
	if (buf_reserve(&message, LINE_MAX_BYTES) != NULL)
		sasl_client_put_plain(l->c.user, password, &message);
	(void)encode(l, buf_span(&message));
	wipe(&message);
	begin_exchange(t, STEP_END, STEP_PLAIN);
}

static void
begin_login(struct tx *t, struct span password)
{
	if (!encode(t->login, password)) {
		end(t, "no memory for AUTH");
		return;
	}
	say_auth(t, SPAN_NONE);
	await(t, STEP_USER);
}

static void
finish_scram(struct tx *t, const struct tx_auth_answer *a)
{
	struct tx_login *l = t->login;
	struct buf message;

	memcpy(l->signature, a->signature.p, sizeof(l->signature));
	buf_init(&message, MESSAGE_MAX);
	buf_add_span(&message, span_from(buf_span(&l->message),
	    l->proofless_at));
	buf_add_str(&message, ",p=");
	base64_encode(&message, a->proof);
	say_base64(t, buf_span(&message));
	buf_clear(&message);
	if (t->state == TX_AUTH_ASKING)
		await(t, STEP_FINAL);
}

void
tx_auth_answer(struct tx *t, const struct tx_auth_answer *a)
{
	if (t->state != TX_AUTH_ASKING || !t->login->is_asked)
		return;
	if (a->trouble != NULL)
		end(t, a->trouble);
	else if (t->login->mechanism == SASL_PLAIN)
		begin_plain(t, a->password);
	else if (t->login->mechanism == SASL_LOGIN)
		begin_login(t, a->password);
	else if (a->proof.n == 32 && a->signature.n == 32)
		finish_scram(t, a);
	else
		end(t, "no proof could be made");
}

/* ---- replies of the host ---- */

/* The text of a 334, decoded; false: it is none. */
static bool
decode(const struct smtp_response *r, uint8_t out[DECODED_MAX], size_t *n)
{
	return base64_decode(buf_span(&r->text), out, DECODED_MAX, n) == OK;
}

static void
say_response(struct tx *t, enum step next)
{
	struct tx_login *l = t->login;

	say(t, buf_span(&l->response));
	l->has_secret = l->mechanism != SASL_SCRAM_SHA_256;
	wipe(&l->response);
	await(t, next);
}

/* What the host has is signed with the rest, so it is kept as it came. */
static void
read_first(struct tx *t, const struct smtp_response *r)
{
	struct tx_login *l = t->login;
	uint8_t bytes[DECODED_MAX];
	struct buf *m = &l->message;
	size_t n;

	/* the first 334 asks for our first message */
	if (l->response.n > 0) {
		say_response(t, STEP_FIRST);
		return;
	}
	if (!decode(r, bytes, &n) || sasl_client_read_first(span_of(bytes, n),
	    span_of(l->nonce, NONCE_TEXT), &l->first) != OK) {
		end(t, "the host's first message of SCRAM is none");
		return;
	}
	buf_add_byte(m, ',');
	buf_add(m, bytes, n);
	buf_add_byte(m, ',');
	l->proofless_at = m->n;
	sasl_client_put_without_proof(l->first.nonce, m);
	if (buf_failed(m))
		end(t, "the host's first message of SCRAM is too long");
	else
		ask(t);
}

/* RFC 5802 section 3: whoever does not know the password is no such host. */
static void
read_final(struct tx *t, const struct smtp_response *r)
{
	struct tx_login *l = t->login;
	uint8_t bytes[DECODED_MAX], signature[32];
	size_t n;

	if (!decode(r, bytes, &n) ||
	    sasl_client_read_final(span_of(bytes, n), signature) != OK ||
	    memcmp(signature, l->signature, sizeof(signature)) != 0) {
		end(t, "the host could not prove that it knows the password");
		return;
	}
	say(t, SPAN_NONE);
	await(t, STEP_END);
}

static void
go_on(struct tx *t, const struct smtp_response *r)
{
	switch (t->login->step) {
	case STEP_PLAIN:
	case STEP_PASSWORD:
		say_response(t, STEP_END);
		break;
	case STEP_USER:
		say_base64(t, t->login->c.user);
		if (t->state == TX_AUTH_SAID)
			await(t, STEP_PASSWORD);
		break;
	case STEP_FIRST:
		read_first(t, r);
		break;
	case STEP_FINAL:
		read_final(t, r);
		break;
	case STEP_END:
		tx_fault_violation(t, "more to say in AUTH than there is");
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
	else if (r->code / 100 != 2)
		tx_fault_reply(t, r);
	else if (t->login->step != STEP_END)
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
