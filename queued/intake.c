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
#include "queued/intake_private.h"

#include "common/mail/envelope.h"
#include "queued/ctl.h"
#include "queued/facts.h"
#include "queued/ours.h"
#include "queued/quotas.h"
#include "queued/residence.h"
#include "queued/store/store_body.h"
#include "queued/store/store_list.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"
#include "queued/times.h"

#include <stdlib.h>

/* What a token's map entry points at: the id, boxed. */
struct token {
	uint64_t token;
	uint64_t id;
};

/* All sending to a smtpd goes through here: it may be gone. */
void
intake_send(struct queued_peer *peer, const struct msg *m)
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
	intake_send(peer, &m);
}

/* BYTES: what goes back to it as credit with the answer. */
struct intake_origin
intake_origin_of(const struct queued_peer *peer, size_t bytes)
{
	return (struct intake_origin){ .instance = peer->instance,
	    .bytes = (uint32_t)bytes, .peer = peer->index };
}

/* Neither answer nor credit goes to the successor of who asked. */
void
intake_send_result(struct queued *q, struct intake_origin to, uint64_t token,
    uint8_t result, uint64_t id)
{
	struct queued_peer *peer = &q->smtpds[to.peer];
	struct msg m = { .type = MSG_submitted };

	if (peer->instance != to.instance)
		return;
	m.submitted.token = token;
	m.submitted.result = result;
	m.submitted.id = id;
	intake_send(peer, &m);
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
	intake_send(peer, &m);
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
	quotas_tell(peer);
}

/* ---- submissions ---- */

/* A unit is a destination: recipients with one key share a lease.  The span
 * lies in q->scratch and ends with the next call. */
struct span
intake_key_of(void *ctx, struct span recipient)
{
	struct intake_keys *keys = ctx;
	struct buf *out = &keys->q->scratch;
	struct route route;

	if (keys->is_list)
		return STORE_LIST_KEY;
	keys->facts.recipient = recipient;
	route = route_table_find(keys->q->routes, &keys->facts);
	buf_reset(out);
	route_key(&route, recipient, out);
	route_key_tls(keys->flags, out);
	return buf_span(out);
}

/* What is not the client's fault is temporary; smtpd makes the replies. */
uint8_t
intake_result_of(enum err e)
{
	switch (e) {
	case ERR_FULL:
	case ERR_NOMEM:
		return SUBMIT_NO_ROOM;
	case ERR_SYNTAX:
	case ERR_RANGE:
	case ERR_VERSION:
		return SUBMIT_MALFORMED;
	case ERR_AGAIN:
		return SUBMIT_OVER_QUOTA;
	case ERR_DENIED:
		return SUBMIT_BEYOND_QUOTA;
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
	if (out->rcpt_count == 0 || out->rcpt_count > INTAKE_RECIPIENTS_MAX ||
	    out->rcpt_count > q->conf->limits.recipients)
		return ERR_RANGE;
	/* Only queued makes reports (I-08). */
	return out->flags & ENVELOPE_REPORT ? ERR_SYNTAX : OK;
}

/* Into the open group; the answer follows its sync. */
enum err
intake_submit(struct queued *q, struct intake_origin from,
    struct store_submission *sub, uint64_t body_bytes)
{
	struct effect effect = { .kind = EFFECT_SUBMITTED };
	struct intake_keys keys = { .q = q,
	    .is_list = sub->list_total > 0 };
	struct store_unit *unit;
	struct envelope envelope;
	enum err e = check_envelope(q, sub->envelope, &envelope);

	if (e != OK)
		return e;
	if (keys.is_list && envelope.rcpt_count != 1)
		return ERR_SYNTAX;
	if (!store_room(q->store).is_accepting)
		return ERR_FULL;
	if ((e = effects_reserve(&q->on_synced)) != OK)
		return e;
	if ((e = quotas_count(q, &envelope, keys.is_list ? sub->list_total :
	    envelope.rcpt_count)) != OK)
		return e;
	keys.facts = facts_of_submission(&envelope, sub, body_bytes);
	keys.flags = envelope.flags;
	sub->content_flags = (uint8_t)((sub->content_flags & ~CONTENT_TIMED) |
	    times_flag(&envelope));
	sub->key_of = intake_key_of;
	sub->ctx = &keys;
	sub->arrived_at = queued_wall(q);
	if ((e = store_submit(q->store, sub, &unit)) != OK)
		return e == ERR_AGAIN || e == ERR_DENIED ? ERR_IO : e;
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
	struct intake_origin from = intake_origin_of(peer, m->body.n + m->envelope.n);
	enum err e;

	sub.envelope = m->envelope;
	sub.trace_head = m->trace_head;
	sub.trace_tail = m->trace_tail;
	sub.body = m->body;
	sub.content_flags = m->flags;
	if (m->body_bytes != m->body.n)
		e = ERR_SYNTAX;
	else
		e = intake_submit(q, from, &sub, sub.body.n);
	if (e == OK)
		return;
	q->figures.refused++;
	intake_send_result(q, from, m->token, intake_result_of(e), 0);
}

/* The inverse of what submit() noted. */
static struct intake_origin
origin_of_effect(const struct effect *effect)
{
	return (struct intake_origin){ .instance = effect->instance,
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
		intake_send_result(q, origin_of_effect(effect), effect->a,
		    SUBMIT_ACCEPTED, effect->b);
	}
	ours_welcome(q, effect->b, n);
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
	intake_send_result(q, origin_of_effect(effect), token, SUBMIT_IO, 0);
	effect->kind = EFFECT_NONE;
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

	intake_send_result(q, intake_origin_of(peer, 0), token, t != NULL ?
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
	intake_stream_clear(q);
	intake_forget_tokens(q);
	map_u64_clear(&q->tokens);
}

void
intake_msg(struct queued *q, struct queued_peer *peer, const struct msg *m)
{
	switch (m->type) {
	case MSG_submit:
		if (m->submit.is_streamed)
			intake_stream_msg(q, peer, m);
		else
			on_submit(q, peer, &m->submit);
		break;
	case MSG_etrn:
		ctl_call(q, &m->etrn);
		break;
	case MSG_token_ask:
		on_token_ask(q, peer, m->token_ask.token);
		break;
	default:
		intake_stream_msg(q, peer, m);
		break;
	}
}
