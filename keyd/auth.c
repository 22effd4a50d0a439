/*
 * A question lives from its message to its answer: for a password first in
 * the checker's queue, and always until its moment has come.
 */
#include "keyd/auth.h"

#include "common/base/check.h"
#include "common/ipc/ipc_words.h"
#include "common/loop/timer.h"
#include "common/os/random.h"
#include "keyd/checker.h"
#include "keyd/guesses.h"

#include <stdlib.h>

struct auth {
	struct loop *loop;
	const struct passwords *passwords;
	struct dovecot_link *dovecot;	/* asked instead; NULL: none */
	auth_send_fn *send;
	void *ctx;
	struct guesses *guesses;
	struct checker *checker;
	struct list questions;
	unsigned count;
};

struct question {
	struct list node;
	struct auth *auth;
	uint64_t peer;
	uint64_t cookie;
	struct guess guess;
	struct timer timer;
	struct checker_job job;
	struct dovecot_job dovecot;
	bool is_good;
	uint8_t signature[SCRAM_KEY_BYTES];
	size_t signature_bytes;
};

/* ---- answers ---- */

static void
answer_later(struct auth *a, uint64_t peer, uint64_t cookie)
{
	struct msg m = { .type = MSG_auth_done };

	m.auth_done.cookie = cookie;
	m.auth_done.result = AUTH_LATER;
	a->send(a->ctx, peer, &m);
}

static void
answer(struct question *q)
{
	const struct dovecot_job *d = &q->dovecot;
	struct msg m = { .type = MSG_auth_done };

	m.auth_done.cookie = q->cookie;
	m.auth_done.result = q->is_good ? AUTH_GOOD : AUTH_BAD;
	m.auth_done.signature = span_of(q->signature, q->signature_bytes);
	if (q->is_good)
		m.auth_done.user = span_of(d->user, d->user_n);
	else
		m.auth_done.challenge = span_of(d->challenge, d->challenge_n);
	q->auth->send(q->auth->ctx, q->peer, &m);
}

static void
end(struct question *q)
{
	timer_clear(&q->timer);
	list_remove(&q->node);
	q->auth->count--;
	explicit_bzero(q, sizeof(*q));
	free(q);
}

/* Its time has come. */
static void
on_time(void *ctx)
{
	struct question *q = ctx;

	answer(q);
	end(q);
}

/* Looked at. */
static void
settle(struct question *q, bool is_good)
{
	q->is_good = is_good;
	if (is_good)
		guesses_good(q->auth->guesses, &q->guess,
		    loop_now_ms(q->auth->loop));
	timer_start_at(&q->timer, q->guess.answer_at_ms);
}

static void
on_checked(void *ctx, struct checker_job *job)
{
	(void)ctx;
	settle(CONTAINER_OF(job, struct question, job), job->fits);
}

/* ---- questions ---- */

static bool
read_address(struct span bytes, struct ipaddr *out)
{
	if (bytes.n == 4)
		*out = ipaddr_v4(bytes.p);
	else if (bytes.n == 16)
		*out = ipaddr_v6(bytes.p);
	return bytes.n == 4 || bytes.n == 16;
}

static struct question *
new_question(struct auth *a, uint64_t peer, uint64_t cookie,
    const struct guess *guess)
{
	struct question *q = a->count < AUTH_QUESTIONS_MAX ?
	    calloc(1, sizeof(*q)) : NULL;

	if (q == NULL || timer_init(&q->timer, a->loop, on_time, q) != OK) {
		free(q);
		return NULL;
	}
	q->auth = a;
	q->peer = peer;
	q->cookie = cookie;
	q->guess = *guess;
	list_init(&q->job.node);
	list_init(&q->dovecot.node);
	list_add_last(&a->questions, &q->node);
	a->count++;
	return q;
}

/* NULL: it was answered. */
static struct question *
begin(struct auth *a, uint64_t peer, uint64_t cookie, struct span client,
    struct span user)
{
	const int64_t now_ms = loop_now_ms(a->loop);
	struct question *q = NULL;
	struct ipaddr addr;
	struct guess guess;

	if (read_address(client, &addr) && guesses_begin(a->guesses, &addr,
	    user, now_ms, &guess) == OK) {
		q = new_question(a, peer, cookie, &guess);
		if (q == NULL)
			guesses_undo(a->guesses, &guess, now_ms);
	}
	if (q == NULL)
		answer_later(a, peer, cookie);
	return q;
}

static void
refuse(struct question *q)
{
	guesses_undo(q->auth->guesses, &q->guess, loop_now_ms(q->auth->loop));
	answer_later(q->auth, q->peer, q->cookie);
	end(q);
}

static void
on_dovecot(struct dovecot_job *job)
{
	struct question *q = CONTAINER_OF(job, struct question, dovecot);

	if (job->result == AUTH_LATER)
		refuse(q);
	else
		settle(q, job->result == AUTH_GOOD);
}

/* What may go by has waited its turn in guesses.h, as with the file. */
static void
ask_dovecot(struct question *q, struct dovecot_question *ask,
    struct span client, struct span local)
{
	(void)read_address(client, &ask->client);
	(void)read_address(local, &ask->local);
	q->dovecot.on_done = on_dovecot;
	if (dovecot_link_ask(q->auth->dovecot, &q->dovecot, ask) != OK)
		refuse(q);
}

static void
take_token(struct auth *a, uint64_t peer, const struct msg_auth_token *m)
{
	struct dovecot_question ask = {
		.mechanism = DOVECOT_OAUTHBEARER, .user = m->user,
		.secret = m->token,
	};
	struct question *q;

	if (a->dovecot == NULL)
		answer_later(a, peer, m->cookie);
	else if ((q = begin(a, peer, m->cookie, m->client, m->user)) != NULL)
		ask_dovecot(q, &ask, m->client, m->local);
}

static void
take_check(struct auth *a, uint64_t peer, const struct msg_auth_check *m)
{
	struct question *q = begin(a, peer, m->cookie, m->client, m->user);

	if (q == NULL)
		return;
	if (a->dovecot != NULL) {
		struct dovecot_question ask = {
			.mechanism = DOVECOT_PLAIN, .user = m->user,
			.secret = m->password,
		};

		ask_dovecot(q, &ask, m->client, m->local);
		return;
	}
	passwords_check(a->passwords, m->user, &q->job.check);
	MUST(m->password.n <= sizeof(q->job.password));
	if (m->password.n > 0)
		memcpy(q->job.password, m->password.p, m->password.n);
	q->job.password_bytes = m->password.n;
	if (checker_ask(a->checker, &q->job, q->guess.is_known) != OK)
		refuse(q);
}

static void
take_begin(struct auth *a, uint64_t peer, const struct msg_scram_begin *m)
{
	struct msg out = { .type = MSG_scram_salt };
	struct password_check c;

	if (a->dovecot == NULL &&
	    passwords_scram(a->passwords, m->user, &c)) {
		out.scram_salt.cookie = m->cookie;
		out.scram_salt.iterations = c.scram.iterations;
		out.scram_salt.salt = span_of(c.scram.salt,
		    c.scram.salt_bytes);
		a->send(a->ctx, peer, &out);
	} else {
		answer_later(a, peer, m->cookie);
	}
	explicit_bzero(&c, sizeof(c));
}

/* Some microseconds: it needs no thread. */
static void
take_proof(struct auth *a, uint64_t peer, const struct msg_scram_proof *m)
{
	struct question *q = begin(a, peer, m->cookie, m->client, m->user);
	struct password_check c;
	bool is_good;

	if (q == NULL)
		return;
	if (a->dovecot != NULL ||
	    !passwords_scram(a->passwords, m->user, &c)) {
		refuse(q);
		return;
	}
	is_good = scram_prove(&c.scram, m->auth_message, m->proof,
	    q->signature) && c.is_user;
	explicit_bzero(&c, sizeof(c));
	if (is_good)
		q->signature_bytes = sizeof(q->signature);
	settle(q, is_good);
}

void
auth_message(struct auth *a, uint64_t peer, const struct msg *m)
{
	if (m->type == MSG_auth_check)
		take_check(a, peer, &m->auth_check);
	else if (m->type == MSG_scram_begin)
		take_begin(a, peer, &m->scram_begin);
	else if (m->type == MSG_scram_proof)
		take_proof(a, peer, &m->scram_proof);
	else if (m->type == MSG_auth_token)
		take_token(a, peer, &m->auth_token);
}

void
auth_offer(const struct auth *a, struct msg *out)
{
	unsigned mechanisms;

	*out = (struct msg){ .type = MSG_auth_offer };
	if (a->dovecot != NULL) {
		mechanisms = dovecot_link_mechanisms(a->dovecot);
		out->auth_offer.has_plain = (mechanisms & DOVECOT_PLAIN) != 0;
		out->auth_offer.has_bearer =
		    (mechanisms & DOVECOT_OAUTHBEARER) != 0;
		return;
	}
	out->auth_offer.has_plain = a->passwords->n > 0;
	out->auth_offer.has_scram = a->passwords->scram_count > 0;
}

void
auth_set_dovecot(struct auth *a, struct dovecot_link *dovecot)
{
	a->dovecot = dovecot;
}

/* ---- life ---- */

enum err
auth_new(struct loop *l, const struct passwords *passwords,
    auth_send_fn *send, void *ctx, struct auth **out)
{
	struct auth *a = calloc(1, sizeof(*a));
	struct siphash_key key;
	enum err e;

	if (a == NULL)
		return ERR_NOMEM;
	a->loop = l;
	a->passwords = passwords;
	a->send = send;
	a->ctx = ctx;
	list_init(&a->questions);
	e = random_key(&key);
	if (e == OK)
		e = guesses_new(&key, &a->guesses);
	if (e == OK)
		e = checker_new(l, on_checked, a, &a->checker);
	if (e != OK)
		auth_free(&a);
	else
		*out = a;
	return e;
}

void
auth_free(struct auth **out)
{
	struct auth *a = *out;
	struct list *node;

	*out = NULL;
	if (a == NULL)
		return;
	/* first: a job lies in its question */
	checker_free(&a->checker);
	while ((node = list_first(&a->questions)) != NULL)
		end(CONTAINER_OF(node, struct question, node));
	guesses_free(&a->guesses);
	free(a);
}
