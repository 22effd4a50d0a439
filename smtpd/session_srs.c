#include "smtpd/session_srs.h"

#include "common/ipc/channel.h"
#include "smtpd/engine/rx_srs.h"
#include "smtpd/server.h"
#include "smtpd/session_log.h"

/* The session may be gone afterwards, unless it is in the middle of its own
 * bytes. */
static void
answer(struct session *s, enum rx_verdict verdict, struct span address)
{
	list_remove(&s->asking_node);
	if (rx_srs_answered(s->rx, verdict, address, stream_out(s->stream)))
		session_log_refusal(s);
	session_settle(s);
}

bool
session_srs_ask(struct session *s, struct span address)
{
	struct server *sv = s->server;
	struct msg m = { .type = MSG_srs_ask };

	s->asking = ++sv->cookie;
	m.srs_ask.cookie = s->asking;
	m.srs_ask.is_reverse = 1;
	m.srs_ask.address = address;
	if (sv->certificates.keyd == NULL ||
	    channel_send(sv->certificates.keyd, &m) != OK) {
		answer(s, RX_VERDICT_LATER, SPAN_NONE);
		return true;
	}
	list_add_last(&sv->tracing, &s->asking_node);
	return false;
}

void
session_srs_done(struct server *sv, const struct msg_srs_answer *m)
{
	struct list *node = list_first(&sv->tracing);

	while (node != NULL) {
		struct session *s = CONTAINER_OF(node, struct session,
		    asking_node);

		if (s->asking == m->cookie) {
			answer(s, m->result == AUTH_GOOD ? RX_VERDICT_GOOD :
			    m->result == AUTH_BAD ? RX_VERDICT_BAD :
			    RX_VERDICT_LATER, m->address);
			return;
		}
		node = list_next(&sv->tracing, node);
	}
}

void
session_srs_give_up(struct server *sv)
{
	struct list *node;

	while ((node = list_first(&sv->tracing)) != NULL)
		answer(CONTAINER_OF(node, struct session, asking_node),
		    RX_VERDICT_LATER, SPAN_NONE);
}
