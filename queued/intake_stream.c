/*
 * Bodies that come in pieces, and before them the recipients of a list.  A
 * stream lives from the opening until its record stands in a group, or until
 * it fails; its credit follows what the store has taken (I-04).
 */
#include "queued/intake_private.h"

#include "common/mail/envelope.h"
#include "queued/store/store_body.h"
#include "queued/store/store_list.h"

#include <stdlib.h>

/* Bytes of one large body that may be on their way or unwritten. */
enum { STREAM_CREDIT = 1024 * 1024 };

/* A large body on its way in, from body_open to its submission. */
struct stream {
	uint64_t token;
	uint64_t credited;		/* bytes smtpd was told it may send */
	uint64_t list_bytes;		/* of recipients in front of the body */
	uint64_t body_bytes;		/* as smtpd said at the end */
	uint32_t list_total;
	bool is_list;
	bool has_body;			/* no recipient may follow */
	struct intake_origin origin;
	bool is_submitted;		/* waits for its file's sync */
	uint8_t content_flags;
	struct buf envelope;
	struct buf trace_head;
	struct buf trace_tail;
};

/* The file, if it is still nobody's, is the caller's to drop. */
static void
stream_free(struct queued *q, struct stream *st)
{
	map_u64_remove(&q->streams, st->token);
	buf_clear(&st->envelope);
	buf_clear(&st->trace_head);
	buf_clear(&st->trace_tail);
	free(st);
}

/* Nothing goes to a successor of the smtpd that began it. */
static void
stream_send(struct queued *q, const struct stream *st, const struct msg *m)
{
	struct queued_peer *peer = &q->smtpds[st->origin.peer];

	if (peer->instance == st->origin.instance)
		intake_send(peer, m);
}

/* Before its submission smtpd is told to stop sending; after it, it waits for
 * an answer like any other. */
static void
stream_fail(struct queued *q, struct stream *st, enum err e)
{
	struct msg m = { .type = MSG_body_failed };

	store_body_drop(q->store, st->token);
	if (st->is_submitted) {
		q->figures.refused++;
		intake_send_result(q, st->origin, st->token, intake_result_of(e), 0);
	} else {
		m.body_failed.token = st->token;
		m.body_failed.why = intake_result_of(e);
		stream_send(q, st, &m);
	}
	stream_free(q, st);
}

/* TAKEN: bytes that the store has taken so far, of the whole body. */
static void
stream_credit(struct queued *q, struct stream *st, uint64_t taken)
{
	uint64_t upto = taken + STREAM_CREDIT;
	struct msg m = { .type = MSG_body_credit };

	if (upto <= st->credited)
		return;
	m.body_credit.token = st->token;
	m.body_credit.bytes = (uint32_t)(upto - st->credited);
	st->credited = upto;
	stream_send(q, st, &m);
}

/* ERR_EXISTS for a token in use: nobody may take over another one's body.
 * *OUT is also in q->streams, until stream_free(). */
static enum err
stream_new(struct queued *q, const struct queued_peer *peer, uint64_t token,
    struct stream **out)
{
	struct stream *st = calloc(1, sizeof(*st));
	enum err e;

	if (st == NULL)
		return ERR_NOMEM;
	st->token = token;
	st->origin = intake_origin_of(peer, 0);
	buf_init(&st->envelope, INTAKE_ENVELOPE_MAX);
	buf_init(&st->trace_head, 4096);
	buf_init(&st->trace_tail, 8192);
	if ((e = map_u64_add(&q->streams, token, st)) != OK)
		free(st);
	else
		*out = st;
	return e;
}

/* In this order, so that a refusal has no file to drop. */
static void
on_body_open(struct queued *q, struct queued_peer *peer,
    const struct msg_body_open *open)
{
	struct stream *st = NULL;
	struct msg m = { .type = MSG_body_failed };
	uint64_t token = open->token;
	enum err e = stream_new(q, peer, token, &st);

	if (e == OK && !store_room(q->store).is_accepting)
		e = ERR_FULL;
	if (e == OK)
		e = open->is_list ? store_list_open(q->store, token) :
		    store_body_open(q->store, token);
	if (e == OK) {
		st->is_list = open->is_list != 0;
		stream_credit(q, st, 0);
		return;
	}
	if (st != NULL)
		stream_free(q, st);
	m.body_failed.token = token;
	m.body_failed.why = intake_result_of(e);
	intake_send(peer, &m);
}

/* Only the smtpd that opened a body may add to it. */
static struct stream *
stream_get(struct queued *q, const struct queued_peer *peer, uint64_t token)
{
	struct stream *st = map_u64_get(&q->streams, token);

	return st != NULL && st->origin.peer == peer->index &&
	    st->origin.instance == peer->instance ? st : NULL;
}

static void
on_body_data(struct queued *q, struct queued_peer *peer,
    const struct msg_body_data *m)
{
	struct stream *st = stream_get(q, peer, m->token);
	enum err e;

	if (st == NULL || st->is_submitted)
		return;		/* it was failed while these were coming */
	st->has_body = true;
	e = store_body_add(q->store, m->token, m->bytes);
	if (e != OK)
		stream_fail(q, st, e);
}

/* Counts them.  Each is checked as an envelope's are: the envelope of its part
 * is made of these bytes. */
static enum err
check_recipients(struct span bytes, uint32_t *n)
{
	struct envelope_rcpt rcpt;
	enum err e;

	while (bytes.n > 0) {
		e = envelope_next_rcpt(&bytes, 0, &rcpt);
		if (e != OK)
			return e;
		(*n)++;
	}
	return OK;
}

/* Not one more than the configuration allows, whatever smtpd says. */
static void
on_list_data(struct queued *q, struct queued_peer *peer,
    const struct msg_list_data *m)
{
	struct stream *st = stream_get(q, peer, m->token);
	uint32_t n = 0;
	enum err e;

	if (st == NULL || st->is_submitted)
		return;
	e = st->is_list && !st->has_body ?
	    check_recipients(m->recipients, &n) : ERR_SYNTAX;
	if (e == OK && st->list_total + n > q->conf->limits.recipients)
		e = ERR_RANGE;
	if (e == OK)
		e = store_body_add(q->store, m->token, m->recipients);
	if (e != OK) {
		stream_fail(q, st, e);
		return;
	}
	st->list_bytes += m->recipients.n;
	st->list_total += n;
}

/* The envelope is kept here while the file is synced: the record may only
 * follow it, or a crash would leave a record without a body. */
static void
on_submit_streamed(struct queued *q, struct queued_peer *peer,
    const struct msg_submit *m)
{
	struct stream *st = stream_get(q, peer, m->token);
	enum err e;

	if (st == NULL || st->is_submitted) {
		intake_send_result(q, intake_origin_of(peer, m->envelope.n), m->token,
		    SUBMIT_IO, 0);
		return;
	}
	st->is_submitted = true;
	st->origin.bytes = (uint32_t)m->envelope.n;
	st->content_flags = m->flags;
	st->body_bytes = m->body_bytes;
	buf_add_span(&st->envelope, m->envelope);
	if (st->is_list)
		envelope_put_rcpt(&(struct envelope_rcpt){
		    .address = STORE_LIST_ADDRESS }, &st->envelope);
	buf_add_span(&st->trace_head, m->trace_head);
	buf_add_span(&st->trace_tail, m->trace_tail);
	e = buf_failed(&st->envelope) || buf_failed(&st->trace_head) ||
	    buf_failed(&st->trace_tail) ? ERR_NOMEM :
	    store_body_close(q->store, m->token);
	if (e != OK)
		stream_fail(q, st, e);
}

/* The file is on disk: now the record that makes it exist. */
static void
stream_submit(struct queued *q, struct stream *st)
{
	struct store_submission sub = { .token = st->token };
	enum err e;

	sub.envelope = buf_span(&st->envelope);
	sub.trace_head = buf_span(&st->trace_head);
	sub.trace_tail = buf_span(&st->trace_tail);
	sub.is_streamed = true;
	sub.content_flags = st->content_flags;
	sub.list_bytes = st->list_bytes;
	sub.list_total = st->list_total;
	/* its own recipients, and no others */
	e = st->is_list && st->list_total == 0 ? ERR_SYNTAX :
	    intake_submit(q, st->origin, &sub, st->body_bytes);
	if (e != OK)
		stream_fail(q, st, e);
	else
		stream_free(q, st);
}

/* The store speaks of a body; its stream may have ended meanwhile. */
void
intake_body(struct queued *q, uint64_t token, uint64_t bytes, bool is_closed,
    enum err e)
{
	struct stream *st = map_u64_get(&q->streams, token);

	if (st == NULL)
		return;
	if (e != OK)
		stream_fail(q, st, e);
	else if (is_closed)
		stream_submit(q, st);
	else
		stream_credit(q, st, bytes);
}

static void
on_body_drop(struct queued *q, struct queued_peer *peer, uint64_t token)
{
	struct stream *st = stream_get(q, peer, token);

	/* What was submitted has an answer to come. */
	if (st == NULL || st->is_submitted)
		return;
	store_body_drop(q->store, token);
	stream_free(q, st);
}

void
intake_gone(struct queued *q, struct queued_peer *peer)
{
	struct stream *st;
	size_t cursor = 0;

	while ((st = map_u64_next(&q->streams, &cursor)) != NULL) {
		/* What was submitted whole is finished all the same. */
		if (st->origin.peer != peer->index || st->is_submitted)
			continue;
		store_body_drop(q->store, st->token);
		stream_free(q, st);
	}
}

void
intake_stream_clear(struct queued *q)
{
	struct stream *st;
	size_t cursor = 0;

	while ((st = map_u64_next(&q->streams, &cursor)) != NULL)
		stream_free(q, st);
	map_u64_clear(&q->streams);
}

void
intake_stream_msg(struct queued *q, struct queued_peer *peer,
    const struct msg *m)
{
	switch (m->type) {
	case MSG_submit:
		on_submit_streamed(q, peer, &m->submit);
		break;
	case MSG_body_open:
		on_body_open(q, peer, &m->body_open);
		break;
	case MSG_list_data:
		on_list_data(q, peer, &m->list_data);
		break;
	case MSG_body_data:
		on_body_data(q, peer, &m->body_data);
		break;
	case MSG_body_drop:
		on_body_drop(q, peer, m->body_drop.token);
		break;
	default:
		break;
	}
}
