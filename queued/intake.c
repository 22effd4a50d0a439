/*
 * A small message comes whole in one frame.  A large one opens a body, sends
 * pieces for which it was given credit, and submits at last; its stream here
 * lives from the opening until its record stands in a group.  Either way
 * submit() puts the record into the open group together with an effect, and
 * the answer leaves with that effect (I-01).
 *
 * Two credits bound what smtpd can make us hold (I-04): one in bytes of submit
 * frames, given back with each answer, one in bytes of each large body, given
 * back as the store takes them.
 *
 * Tokens are smtpd's names for what it hands over; they outlive us, so that a
 * client whose answer got lost in our death hears the truth (I-03).
 */
#include "queued/intake.h"

#include "common/mail/envelope.h"
#include "queued/residence.h"
#include "queued/store/store_body.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"

#include <stdlib.h>

/* Bytes of one large body that may be on their way or unwritten. */
enum { STREAM_CREDIT = 1024 * 1024 };

/* Who submitted something, and the credit that its frame cost. */
struct origin {
	uint64_t instance;
	uint32_t bytes;
	uint16_t peer;
};

/* A large body on its way in, from body_open to its submission. */
struct stream {
	uint64_t token;
	uint64_t credited;		/* bytes smtpd was told it may send */
	struct origin origin;
	bool is_submitted;		/* waits for its file's sync */
	uint8_t content_flags;
	struct buf envelope;
	struct buf trace_head;
	struct buf trace_tail;
};

/* What a token's map entry points at: the id, boxed. */
struct token {
	uint64_t token;
	uint64_t id;
};

/* All sending to a smtpd goes through here: it may be gone. */
static void
send_to(struct queued_peer *peer, const struct msg *m)
{
	/* A channel that can't take it ends, and its client asks again. */
	if (peer->channel != NULL)
		channel_send_or_end(peer->channel, m);
}

/* While the disk or the index lags the credit is kept back: smtpd then stops
 * reading from its clients. */
static void
give_credit(struct queued_peer *peer, uint32_t bytes)
{
	struct msg m = { .type = MSG_credit };

	peer->credit_owed += bytes;
	if (peer->credit_owed == 0 || store_room(peer->q->store).is_pausing)
		return;
	m.credit.bytes = peer->credit_owed;
	peer->credit_owed = 0;
	send_to(peer, &m);
}

/* BYTES: what goes back to it as credit with the answer. */
static struct origin
origin_of(const struct queued_peer *peer, size_t bytes)
{
	return (struct origin){ .instance = peer->instance,
	    .bytes = (uint32_t)bytes, .peer = peer->index };
}

/* Neither answer nor credit goes to the successor of who asked. */
static void
send_result(struct queued *q, struct origin to, uint64_t token,
    uint8_t result, uint64_t id)
{
	struct queued_peer *peer = &q->smtpds[to.peer];
	struct msg m = { .type = MSG_submitted };

	if (peer->instance != to.instance)
		return;
	m.submitted.token = token;
	m.submitted.result = result;
	m.submitted.id = id;
	send_to(peer, &m);
	give_credit(peer, to.bytes);
}

/* So that smtpd can refuse at MAIL, before a client has sent it all. */
static void
send_room(struct queued_peer *peer)
{
	struct store_room room = store_room(peer->q->store);
	struct msg m = { .type = MSG_room };

	m.room.is_accepting = room.is_accepting;
	m.room.bytes = room.bytes;
	send_to(peer, &m);
}

void
intake_tell_room(struct queued *q)
{
	for (size_t i = 0; i < QUEUED_WORKERS_MAX; i++) {
		send_room(&q->smtpds[i]);
		give_credit(&q->smtpds[i], 0);
	}
}

/* A new channel starts with the whole credit: what was on its way in the old
 * one is not answered to this one. */
void
intake_open(struct queued *q, struct queued_peer *peer)
{
	(void)q;
	peer->credit_owed = 0;
	give_credit(peer, INTAKE_CREDIT);
	send_room(peer);
}

/* ---- submissions ---- */

/* A unit is a destination: recipients with one key share a lease.  The span
 * lies in q->scratch and ends with the next call. */
struct span
intake_key_of(void *ctx, struct span recipient)
{
	struct intake_keys *keys = ctx;
	struct buf *out = &keys->q->scratch;
	struct route route = route_table_find(keys->q->routes, keys->sender,
	    recipient);

	buf_reset(out);
	route_key(&route, recipient, out);
	return buf_span(out);
}

/* What is not the client's fault is temporary; smtpd makes the replies. */
static uint8_t
result_of(enum err e)
{
	switch (e) {
	case ERR_FULL:
	case ERR_NOMEM:
		return SUBMIT_NO_ROOM;
	case ERR_SYNTAX:
	case ERR_RANGE:
	case ERR_VERSION:
		return SUBMIT_MALFORMED;
	default:
		return SUBMIT_IO;
	}
}

/* smtpd has checked the same: it may be in a stranger's hands by now. */
static enum err
check_envelope(const struct queued *q, struct span bytes,
    struct envelope *out)
{
	enum err e = envelope_check(bytes, out);

	if (e != OK)
		return e;
	if (out->rcpt_count == 0 ||
	    out->rcpt_count > q->conf->limits.recipients)
		return ERR_RANGE;
	/* Only queued makes reports (I-08). */
	return out->flags & ENVELOPE_REPORT ? ERR_SYNTAX : OK;
}

/* Into the open group; the answer follows its sync. */
static enum err
submit(struct queued *q, struct origin from, struct store_submission *sub)
{
	struct effect effect = { .kind = EFFECT_SUBMITTED };
	struct intake_keys keys = { .q = q };
	struct store_unit *unit;
	struct envelope envelope;
	enum err e = check_envelope(q, sub->envelope, &envelope);

	if (e != OK)
		return e;
	if (!store_room(q->store).is_accepting)
		return ERR_FULL;
	if ((e = effects_reserve(&q->on_synced)) != OK)
		return e;
	keys.sender = envelope.sender;
	sub->key_of = intake_key_of;
	sub->ctx = &keys;
	sub->arrived_at = queued_wall(q);
	if ((e = store_submit(q->store, sub, &unit)) != OK)
		return e;
	effect.group = store_group(q->store);
	effect.a = sub->token;
	effect.b = unit->message->id;
	effect.bytes = from.bytes;
	effect.peer = from.peer;
	effect.instance = from.instance;
	effects_add(&q->on_synced, &effect);
	queued_touch(q);
	return OK;
}

static void
on_submit(struct queued *q, struct queued_peer *peer,
    const struct msg_submit *m)
{
	struct store_submission sub = { .token = m->token };
	struct origin from = origin_of(peer, m->body.n + m->envelope.n);
	enum err e;

	sub.envelope = m->envelope;
	sub.trace_head = m->trace_head;
	sub.trace_tail = m->trace_tail;
	sub.body = m->body;
	sub.content_flags = m->flags;
	if (m->body_bytes != m->body.n)
		e = ERR_SYNTAX;
	else
		e = submit(q, from, &sub);
	if (e == OK)
		return;
	q->figures.refused++;
	send_result(q, from, m->token, result_of(e), 0);
}

/* The inverse of what submit() noted. */
static struct origin
origin_of_effect(const struct effect *effect)
{
	return (struct origin){ .instance = effect->instance,
	    .bytes = effect->bytes, .peer = effect->peer };
}

/* Only now may the units be leased: before the sync the message did not exist
 * for anybody.  A unit that finds no memory is found in the index again. */
void
intake_synced(struct queued *q, const struct effect *effect)
{
	uint32_t n = store_count_units(q->store, effect->b);
	struct store_unit *unit;

	if (effect->kind == EFFECT_SUBMITTED) {
		q->figures.accepted++;
		send_result(q, origin_of_effect(effect), effect->a,
		    SUBMIT_ACCEPTED, effect->b);
	}
	for (uint32_t i = 0; i < n; i++) {
		unit = store_find_unit(q->store, effect->b, i);
		/* an operator may have ended it already */
		if (unit != NULL && residence_welcome(q, unit) != OK)
			residence_release(q, unit);
	}
}

/* Answered at once; the effect stays in its place in the ring as NONE, for
 * its group number will still come by. */
void
intake_refused(struct queued *q, uint64_t token, uint64_t id)
{
	struct effect *effect =
	    effects_find(&q->on_synced, EFFECT_SUBMITTED, token);

	q->figures.refused++;
	if (effect == NULL || effect->b != id)
		return;
	send_result(q, origin_of_effect(effect), token, SUBMIT_IO, 0);
	effect->kind = EFFECT_NONE;
}

/* ---- large bodies ---- */

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
		send_to(peer, m);
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
		send_result(q, st->origin, st->token, result_of(e), 0);
	} else {
		m.body_failed.token = st->token;
		m.body_failed.why = result_of(e);
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
	st->origin = origin_of(peer, 0);
	buf_init(&st->envelope, 64 * 1024 * 1024);
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
on_body_open(struct queued *q, struct queued_peer *peer, uint64_t token)
{
	struct stream *st = NULL;
	struct msg m = { .type = MSG_body_failed };
	enum err e = stream_new(q, peer, token, &st);

	if (e == OK && !store_room(q->store).is_accepting)
		e = ERR_FULL;
	if (e == OK)
		e = store_body_open(q->store, token);
	if (e == OK) {
		stream_credit(q, st, 0);
		return;
	}
	if (st != NULL)
		stream_free(q, st);
	m.body_failed.token = token;
	m.body_failed.why = result_of(e);
	send_to(peer, &m);
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
	e = store_body_add(q->store, m->token, m->bytes);
	if (e != OK)
		stream_fail(q, st, e);
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
		send_result(q, origin_of(peer, m->envelope.n), m->token,
		    SUBMIT_IO, 0);
		return;
	}
	st->is_submitted = true;
	st->origin.bytes = (uint32_t)m->envelope.n;
	st->content_flags = m->flags;
	buf_add_span(&st->envelope, m->envelope);
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
	e = submit(q, st->origin, &sub);
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

/* ---- tokens of groups that were replayed ---- */

/* While the store opens: a token of a group that is replayed may still be
 * asked for. */
void
intake_token(struct queued *q, uint64_t token, uint64_t id)
{
	struct token *t = malloc(sizeof(*t));

	/* Without memory the client is told 451 and sends again: doubled, not
	 * lost. */
	if (t == NULL)
		return;
	t->token = token;
	t->id = id;
	if (map_u64_add(&q->tokens, token, t) != OK)
		free(t);
}

/* Unknown: its group did not survive, or is older than what was replayed
 * (docs/SPOOL.md, tokens).  The client is told to come again. */
static void
on_token_ask(struct queued *q, struct queued_peer *peer, uint64_t token)
{
	const struct token *t = map_u64_get(&q->tokens, token);

	send_result(q, origin_of(peer, 0), token, t != NULL ?
	    SUBMIT_ACCEPTED : SUBMIT_UNKNOWN, t != NULL ? t->id : 0);
}

/* A client waits some ten minutes for this answer (RFC 5321 4.5.3.2.6). */
void
intake_forget_tokens(struct queued *q)
{
	struct token *t;
	size_t cursor = 0;

	while ((t = map_u64_next(&q->tokens, &cursor)) != NULL) {
		map_u64_remove(&q->tokens, t->token);
		free(t);
	}
}

void
intake_clear(struct queued *q)
{
	struct stream *st;
	size_t cursor = 0;

	while ((st = map_u64_next(&q->streams, &cursor)) != NULL)
		stream_free(q, st);
	intake_forget_tokens(q);
	map_u64_clear(&q->streams);
	map_u64_clear(&q->tokens);
}

void
intake_msg(struct queued *q, struct queued_peer *peer, const struct msg *m)
{
	switch (m->type) {
	case MSG_submit:
		if (m->submit.is_streamed)
			on_submit_streamed(q, peer, &m->submit);
		else
			on_submit(q, peer, &m->submit);
		break;
	case MSG_body_open:
		on_body_open(q, peer, m->body_open.token);
		break;
	case MSG_body_data:
		on_body_data(q, peer, &m->body_data);
		break;
	case MSG_body_drop:
		on_body_drop(q, peer, m->body_drop.token);
		break;
	case MSG_token_ask:
		on_token_ask(q, peer, m->token_ask.token);
		break;
	default:
		break;
	}
}
