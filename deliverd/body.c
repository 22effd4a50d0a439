/*
 * One piece is asked for at a time: asked_to is beyond content_at while it is
 * on its way.  Together with the bound on what is unsent this keeps of a
 * message of any size little more than a piece in memory (I-04), and a slow
 * host slows the reading of the spool, nothing else.
 */
#include "deliverd/body.h"

#include "common/ipc/channel.h"
#include "deliverd/session.h"

static void
ask_piece(struct session *s, struct job *j)
{
	struct msg m = { .type = MSG_content_want };
	uint64_t left = j->mail.size - j->content_at;
	uint32_t n = left < BODY_PIECE ? (uint32_t)left : BODY_PIECE;

	/* asked even while queued is away: jobs_present() asks again */
	j->asked_to = j->content_at + n;
	if (s->d->queued == NULL)
		return;
	m.content_want.lease = j->lease;
	m.content_want.offset = j->content_at;
	m.content_want.bytes = n;
	channel_send_or_end(s->d->queued, &m);
}

/* With too much unsent nothing is asked for: on_sent() comes here again when
 * it has gone. */
bool
body_feed(struct session *s, struct job *j)
{
	if (j->is_inline) {
		tx_content(s->tx, j->content, true);
		return true;
	}
	if (j->asked_to == j->content_at &&
	    stream_backlog(s->stream) <= BODY_BACKLOG)
		ask_piece(s, j);
	return false;
}

/* A piece that wasn't asked for (of an earlier attempt, or twice after
 * queued's return) is nobody's. */
void
body_content(struct session *s, struct job *j, const struct msg_content *m)
{
	struct span bytes = m->bytes;
	bool is_last;

	if (m->offset != j->content_at || j->asked_to <= j->content_at ||
	    tx_sending(s->tx) != &j->mail)
		return;
	if (m->is_failed || bytes.n == 0 ||
	    bytes.n > j->mail.size - j->content_at) {
		tx_content_failed(s->tx);
		return;
	}
	j->content_at += bytes.n;
	is_last = j->content_at == j->mail.size;
	if (is_last)		/* it may be wanted once more */
		j->content_at = 0;
	j->asked_to = j->content_at;
	tx_content(s->tx, bytes, is_last);
}
