#include "smtpd/session_auth.h"

#include "common/ipc/channel.h"
#include "common/os/random.h"
#include "common/os/sock.h"
#include "smtpd/server.h"
#include "smtpd/session_log.h"
#include "smtpd/session_tls.h"

#include <string.h>

static struct span
address_of(const struct ipaddr *a)
{
	return span_of(a->bytes, a->family == IPADDR_4 ? 4
	    : a->family == IPADDR_6 ? 16 : 0);
}

/* Where the client came in, for who wants to know; LOCAL holds it. */
static struct span
local_of(const struct session *s, struct endpoint *local)
{
	return sock_local(stream_fd(s->stream), local) == OK
	    ? address_of(&local->addr) : SPAN_NONE;
}

/* The session's words are the dialogue's until it is answered. */
static void
fill(const struct session *s, const struct rx_question *q,
    struct endpoint *local, struct msg *m)
{
	const struct span client = address_of(&s->client.addr);

	switch (q->kind) {
	case RX_ASK_PASSWORD:
		m->type = MSG_auth_check;
		m->auth_check = (struct msg_auth_check){
			s->asking, q->user, q->password, client,
			local_of(s, local),
		};
		break;
	case RX_ASK_SALT:
		m->type = MSG_scram_begin;
		m->scram_begin = (struct msg_scram_begin){
			s->asking, q->user,
		};
		break;
	case RX_ASK_PROOF:
		m->type = MSG_scram_proof;
		m->scram_proof = (struct msg_scram_proof){
			s->asking, q->user, q->auth_message, q->proof,
			client,
		};
		break;
	case RX_ASK_TOKEN:
		m->type = MSG_auth_token;
		m->auth_token = (struct msg_auth_token){
			s->asking, q->user, q->password, client,
			local_of(s, local),
		};
		break;
	}
}

/* The session may be gone afterwards, unless it is in the middle of its own
 * bytes. */
static void
answer(struct session *s, const struct rx_answer *a)
{
	struct rx_question q;

	list_remove(&s->asking_node);
	rx_question(s->rx, &q);
	if (a->verdict != RX_VERDICT_GOOD)
		session_log_auth(s, &q, a->verdict == RX_VERDICT_BAD
		    ? "wrong user or password" : "could not be checked");
	rx_answered(s->rx, a, stream_out(s->stream));
	session_settle(s);
}

bool
session_auth_is_unread(struct span unread)
{
	while (unread.n > 0) {
		if (span_starts_nocase(unread, SPAN_LIT("AUTH ")))
			return true;
		unread = span_from(unread, span_find(unread, '\n') + 1);
	}
	return false;
}

bool
session_auth_ask(struct session *s)
{
	static const struct rx_answer later = { .verdict = RX_VERDICT_LATER };
	struct server *sv = s->server;
	struct endpoint local;
	struct rx_question q;
	struct msg m;

	rx_question(s->rx, &q);
	s->asking = ++sv->cookie;
	fill(s, &q, &local, &m);
	if (sv->certificates.keyd == NULL ||
	    channel_send(sv->certificates.keyd, &m) != OK) {
		answer(s, &later);
		return true;
	}
	list_add_last(&sv->asking, &s->asking_node);
	return false;
}

static struct session *
find(struct server *sv, uint64_t cookie)
{
	struct list *node;

	for (node = list_first(&sv->asking); node != NULL;
	    node = list_next(&sv->asking, node)) {
		struct session *s = CONTAINER_OF(node, struct session,
		    asking_node);

		if (s->asking == cookie)
			return s;
	}
	return NULL;
}

void
session_auth_done(struct server *sv, const struct msg_auth_done *m)
{
	static const enum rx_verdict verdicts[AUTH_RESULT_COUNT] = {
		[AUTH_GOOD] = RX_VERDICT_GOOD, [AUTH_BAD] = RX_VERDICT_BAD,
		[AUTH_LATER] = RX_VERDICT_LATER,
	};
	const struct rx_answer a = {
		.verdict = m->result < AUTH_RESULT_COUNT
		    ? verdicts[m->result] : RX_VERDICT_LATER,
		.signature = m->signature,
		.user = m->user, .challenge = m->challenge,
	};
	struct session *s = find(sv, m->cookie);

	if (s != NULL)
		answer(s, &a);
}

/* Each exchange has its own nonce (RFC 5802 section 9). */
void
session_auth_salt(struct server *sv, const struct msg_scram_salt *m)
{
	uint8_t nonce[RX_AUTH_NONCE_BYTES], binding[RX_AUTH_BINDING_MAX];
	struct rx_answer a = {
		.verdict = RX_VERDICT_GOOD, .iterations = m->iterations,
		.salt = m->salt, .nonce = nonce,
	};
	struct session *s = find(sv, m->cookie);
	struct rx_question q;
	size_t n = 0;

	if (s == NULL)
		return;
	rx_question(s->rx, &q);
	if (q.is_bound)
		session_tls_binding(s, q.binding, binding, &n);
	a.binding = span_of(binding, n);
	if (random_fill(nonce, sizeof(nonce)) != OK)
		a.verdict = RX_VERDICT_LATER;
	answer(s, &a);
}

void
session_auth_give_up(struct server *sv)
{
	static const struct rx_answer later = { .verdict = RX_VERDICT_LATER };
	struct list *node;

	while ((node = list_first(&sv->asking)) != NULL)
		answer(CONTAINER_OF(node, struct session, asking_node),
		    &later);
}
