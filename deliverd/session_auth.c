/*
 * The password or token is keyd's, and is here for as long as it takes to say it.
 *
 * A session that waits for keyd is in deliverd's list; its answer finds it by a
 * number, or nobody.
 */
#include "deliverd/session_auth.h"

#include <stdio.h>

#include "common/base/check.h"
#include "common/ipc/channel.h"
#include "common/os/random.h"
#include "common/smtp/smtp_sasl.h"
#include "deliverd/engine/tx_auth.h"

#define AWAY		"the password can't be asked for now"
#define TROUBLE_SIZE	1024

/* By what a route may be known; 0: it is nobody. */
static unsigned
mechanisms(const struct route *route)
{
	static const unsigned sets[] = {
		[CONF_MECHANISM_ANY] = 1U << SASL_SCRAM_SHA_256 |
		    1U << SASL_PLAIN | 1U << SASL_LOGIN,
		[CONF_MECHANISM_PLAIN] = 1U << SASL_PLAIN,
		[CONF_MECHANISM_LOGIN] = 1U << SASL_LOGIN,
		[CONF_MECHANISM_SCRAM_SHA_256] = 1U << SASL_SCRAM_SHA_256,
		[CONF_MECHANISM_EXTERNAL] = 1U << SASL_EXTERNAL,
		[CONF_MECHANISM_OAUTHBEARER] = 1U << SASL_OAUTHBEARER,
		[CONF_MECHANISM_XOAUTH2] = 1U << SASL_XOAUTH2,
	};

	MUST((size_t)route->auth_mechanism < COUNT_OF(sets));
	if (route->auth_secret[0] == '\0' &&
	    route->auth_mechanism != CONF_MECHANISM_EXTERNAL)
		return 0;
	if (route->has_token && route->auth_mechanism == CONF_MECHANISM_ANY)
		return 1U << SASL_OAUTHBEARER | 1U << SASL_XOAUTH2;
	return sets[route->auth_mechanism];
}

bool
session_auth_tells_secret(const struct session *s)
{
	return s->route.auth_secret[0] != '\0' && !s->is_unix;
}

enum err
session_auth_begin(struct session *s)
{
	struct tx_credential c = {
		.user = span_str(s->user[0] != '\0' ? s->user :
		    s->route.auth_user),
		.mechanisms = mechanisms(&s->route),
		.may_clear = ipaddr_is_loopback(&s->at.addr),
	};
	enum err e;

	if (c.mechanisms == 0 || s->is_unix)
		return OK;
	e = random_fill(c.nonce, sizeof(c.nonce));
	return e == OK ? tx_authenticate(s->tx, &c) : e;
}

void
session_auth_leave(struct session *s)
{
	list_remove(&s->asking);
}

/* What was given to the output is overwritten when it has left. */
static void
give(struct session *s, const struct tx_auth_answer *a)
{
	session_auth_leave(s);
	(void)stream_out(s->stream);
	tx_auth_answer(s->tx, a);
	session_pump(s);
}

static void
put_question(const struct session *s, const struct tx_auth_question *q,
    struct msg *out)
{
	const struct span name = span_str(s->route.auth_secret);

	if (q->wants_token) {
		*out = (struct msg){ .type = MSG_hop_token_ask };
		out->hop_token_ask = (struct msg_hop_token_ask){
			.cookie = s->cookie, .name = name,
			.refused = q->refused,
		};
		return;
	}
	*out = (struct msg){ .type = MSG_hop_ask };
	out->hop_ask = (struct msg_hop_ask){
		.cookie = s->cookie, .name = name,
		.wants_proof = q->wants_proof, .iterations = q->iterations,
		.salt = q->salt, .auth_message = q->auth_message,
	};
}

/* From within the session's own turn: the answer must not end it there. */
void
session_auth_ask(struct session *s)
{
	static const struct tx_auth_answer away = { .trouble = AWAY };
	struct tx_auth_question q;
	struct msg m;

	tx_auth_question(s->tx, &q);
	s->cookie = ++s->d->cookie;
	put_question(s, &q, &m);
	if (s->d->keyd == NULL || channel_send(s->d->keyd, &m) != OK)
		tx_auth_answer(s->tx, &away);
	else
		list_add_last(&s->d->asking, &s->asking);
}

static struct session *
find(struct deliverd *d, uint64_t cookie)
{
	struct list *node;

	for (node = list_first(&d->asking); node != NULL;
	    node = list_next(&d->asking, node)) {
		struct session *s = CONTAINER_OF(node, struct session,
		    asking);

		if (s->cookie == cookie)
			return s;
	}
	return NULL;
}

void
session_auth_answer(struct deliverd *d, const struct msg_hop_answer *m)
{
	const struct tx_auth_answer a = {
		.trouble = m->result == AUTH_GOOD ? NULL :
		    m->result == AUTH_BAD ?
		    "the host's SCRAM can't be answered, or its password is "
		    "not known yet" : "no memory for AUTH",
		.password = m->password, .proof = m->proof,
		.signature = m->signature,
	};
	struct session *s = find(d, m->cookie);

	if (s != NULL)
		give(s, &a);
}

void
session_auth_token(struct deliverd *d, const struct msg_hop_token *m)
{
	struct session *s = find(d, m->cookie);
	struct tx_auth_answer a = { .token = m->token, .number = m->number };
	char text[TROUBLE_SIZE];

	if (s == NULL)
		return;
	if (m->number == 0) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)m->text.n,
		    m->text.n > 0 ? (const char *)m->text.p : "");
		a.trouble = text;
	}
	give(s, &a);
}

void
session_auth_give_up(struct deliverd *d)
{
	static const struct tx_auth_answer gone = { .trouble = AWAY };
	struct list *node;

	while ((node = list_first(&d->asking)) != NULL)
		give(CONTAINER_OF(node, struct session, asking), &gone);
}
