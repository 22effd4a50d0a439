/*
 * A smtpd keeps the token of each message until it is answered; after a
 * restart of queued it asks for those.  When it dies itself, its clients do
 * not know: either end is right then.
 */
#include "tests/sim/sim_smtpd.h"

#include "common/base/check.h"
#include "common/mail/envelope.h"
#include "queued/service.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_world.h"

enum { CHUNK_MAX = 30000 };

static struct smtpd {
	struct channel *c;
	uint64_t instance;
	struct msg_room room;
} smtpds[SIM_WORKERS];

static uint64_t next_token;

void
sim_smtpds_new(void)
{
	next_token = 1;
	for (uint64_t i = 0; i < SIM_WORKERS; i++)
		smtpds[i] = (struct smtpd){ .instance = 1 + i };
}

void
sim_smtpds_free(void)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		sim_channel_free(&smtpds[i].c);
}

bool
sim_smtpd_is_connected(unsigned i)
{
	return smtpds[i].c != NULL;
}

/* ---- what it says ---- */

static void
put_rcpt(const struct sim_mail *m, uint32_t i, struct buf *out)
{
	const struct envelope_rcpt r = {
		.address = span_str(m->rcpts[i].address),
		.notify = m->rcpts[i].notify,
	};

	envelope_put_rcpt(&r, out);
}

static void
put_envelope(const struct sim_mail *m, struct buf *out)
{
	const struct envelope head = { .sender = span_str(m->sender) };

	envelope_put_head(&head, out);
	for (uint32_t i = 0; i < m->rcpt_count && !m->is_list; i++)
		put_rcpt(m, i, out);
}

static void
send_submit(struct smtpd *s, struct sim_mail *m)
{
	struct msg msg = { .type = MSG_submit };
	struct buf envelope;

	buf_init(&envelope, 1 << 20);
	put_envelope(m, &envelope);
	msg.submit.token = m->token;
	msg.submit.envelope = buf_span(&envelope);
	msg.submit.trace_head = SPAN_LIT("Received: by self.sim id ");
	msg.submit.trace_tail = SPAN_LIT("; now\r\n");
	msg.submit.is_streamed = m->is_streamed;
	msg.submit.body_bytes = m->body.n;
	if (!m->is_streamed)
		msg.submit.body = buf_span(&m->body);
	sim_channel_put(s->c, &msg);
	m->is_sent = true;
	buf_clear(&envelope);
}

/* Some more recipients of a list. */
static void
send_list(struct smtpd *s, struct sim_mail *m)
{
	struct msg msg = { .type = MSG_list_data };
	uint32_t n = 1 + (uint32_t)sim_below(20);
	struct buf list;

	buf_init(&list, 1 << 16);
	for (; n > 0 && m->listed < m->rcpt_count; n--)
		put_rcpt(m, m->listed++, &list);
	m->listed_bytes += list.n;
	msg.list_data.token = m->token;
	msg.list_data.recipients = buf_span(&list);
	sim_channel_put(s->c, &msg);
	buf_clear(&list);
}

static void
send_open(struct smtpd *s, const struct sim_mail *m)
{
	struct msg msg = { .type = MSG_body_open };

	msg.body_open.token = m->token;
	msg.body_open.is_list = m->is_list;
	sim_channel_put(s->c, &msg);
}

static void
send_token(struct smtpd *s, enum msg_type type, uint64_t token)
{
	struct msg msg = { .type = type };

	/* all of them are a token alone */
	msg.token_ask.token = token;
	sim_channel_put(s->c, &msg);
}

bool
sim_smtpd_submit(unsigned i)
{
	struct smtpd *s = &smtpds[i];
	struct sim_mail *m;

	/* at MAIL; a few come across each other */
	if (s->c == NULL || (!s->room.is_accepting && !sim_chance(100)))
		return false;
	m = sim_mail_new();
	m->token = (s->instance << 32) | next_token++;
	m->smtpd = (uint16_t)i;
	m->is_streamed = m->is_list ||
	    sim_chance(m->body.n > 16000 ? 500 : 150);
	sim_trace("message %u: submitted, %zu bytes, %u recipients%s",
	    m->number, m->body.n, m->rcpt_count,
	    m->is_list ? ", a list" : m->is_streamed ? ", streamed" : "");
	if (!m->is_streamed) {
		send_submit(s, m);
		return true;
	}
	sim_note(SIM_STREAMED);
	send_open(s, m);
	return true;
}

/* Its client went away, or its queued: nothing was promised. */
static void
give_up(struct sim_mail *m)
{
	sim_note(SIM_BODIES_DROPPED);
	sim_mail_answered(m, false, 0);
}

/* One of its large bodies that is not yet whole. */
static struct sim_mail *
find_stream(unsigned i)
{
	for (uint32_t k = 0; k < mails.n; k++) {
		struct sim_mail *m = mails.v[k];

		if (m->is_streamed && !m->is_sent && m->fate == SIM_OPEN &&
		    m->smtpd == i && (m->sent == m->body.n ||
		    m->credit > m->sent + m->listed_bytes))
			return m;
	}
	return NULL;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

bool
sim_smtpd_go_on(unsigned i)
{
	struct smtpd *s = &smtpds[i];
	struct sim_mail *m = s->c != NULL ? find_stream(i) : NULL;
	struct msg msg = { .type = MSG_body_data };
	size_t n;

	if (m == NULL)
		return false;
	if (sim_chance(20)) {
		send_token(s, MSG_body_drop, m->token);
		give_up(m);
		return true;
	}
	if (m->is_list && m->listed < m->rcpt_count) {
		send_list(s, m);
		return true;
	}
	if (m->sent == m->body.n) {
		send_submit(s, m);
		return true;
	}
	n = smaller(1 + (size_t)sim_below(CHUNK_MAX),
	    smaller(m->body.n, m->credit - m->listed_bytes) - m->sent);
	msg.body_data.token = m->token;
	msg.body_data.bytes = span_sub(buf_span(&m->body), m->sent, n);
	sim_channel_put(s->c, &msg);
	m->sent += n;
	return true;
}

/* ---- what it hears ---- */

static void
on_answer(const struct msg_submitted *a)
{
	struct sim_mail *m = sim_mail_by_token(a->token);

	if (m == NULL || (m->fate == SIM_ORPHAN))
		return;
	if (a->result == SUBMIT_MALFORMED)
		sim_broken("I-02", "message %u is called malformed",
		    m->number);
	if (m->is_asked && m->fate == SIM_OPEN)
		sim_note(a->result == SUBMIT_ACCEPTED ? SIM_TOKENS_FOUND :
		    SIM_TOKENS_UNKNOWN);
	sim_mail_answered(m, a->result == SUBMIT_ACCEPTED, a->id);
}

static void
on_body_failed(uint64_t token)
{
	struct sim_mail *m = sim_mail_by_token(token);

	if (m != NULL && m->fate == SIM_OPEN)
		give_up(m);
}

static void
handle(struct smtpd *s, const struct msg *msg)
{
	struct sim_mail *m;

	switch ((int)msg->type) {
	case MSG_submitted:
		on_answer(&msg->submitted);
		break;
	case MSG_room:
		if (s->room.is_accepting && !msg->room.is_accepting)
			sim_note(SIM_NO_ROOM);
		s->room = msg->room;
		break;
	case MSG_body_credit:
		m = sim_mail_by_token(msg->body_credit.token);
		if (m != NULL)
			m->credit += msg->body_credit.bytes;
		break;
	case MSG_body_failed:
		on_body_failed(msg->body_failed.token);
		break;
	default:
		break;
	}
}

bool
sim_smtpd_hear(unsigned i)
{
	struct msg m;

	if (smtpds[i].c == NULL || !sim_channel_take(smtpds[i].c, &m, NULL))
		return false;
	handle(&smtpds[i], &m);
	return true;
}

bool
sim_smtpd_speak(unsigned i)
{
	return smtpds[i].c != NULL && world.q != NULL &&
	    sim_channel_feed(smtpds[i].c);
}

void
sim_smtpd_stick(unsigned i, bool is_stuck)
{
	if (smtpds[i].c != NULL)
		smtpds[i].c->is_stuck = is_stuck;
}

/* ---- deaths ---- */

/* What it had submitted before: what became of it? */
void
sim_smtpd_connect(unsigned i)
{
	struct smtpd *s = &smtpds[i];

	s->c = sim_channel_new(ROLE_SMTPD, (uint16_t)i, s->instance);
	service_ops.on_peer(world.q, world.proc, s->c);
	for (uint32_t k = 0; k < mails.n; k++) {
		struct sim_mail *m = mails.v[k];

		if (m->fate != SIM_OPEN || m->smtpd != i)
			continue;
		send_token(s, MSG_token_ask, m->token);
		m->is_asked = true;
	}
}

static void
drop_streams(unsigned i)
{
	for (uint32_t k = 0; k < mails.n; k++) {
		struct sim_mail *m = mails.v[k];

		if (m->is_streamed && !m->is_sent && m->smtpd == i &&
		    m->fate == SIM_OPEN)
			give_up(m);
	}
}

static void
orphan(unsigned i)
{
	for (uint32_t k = 0; k < mails.n; k++) {
		struct sim_mail *m = mails.v[k];

		if (m->fate != SIM_OPEN || m->smtpd != i)
			continue;
		m->fate = SIM_ORPHAN;
		sim_note(SIM_UNANSWERED);
	}
}

void
sim_smtpds_alone(bool is_power_cut)
{
	for (unsigned i = 0; i < SIM_WORKERS; i++) {
		while (!is_power_cut && sim_smtpd_hear(i))
			;
		sim_channel_free(&smtpds[i].c);
		drop_streams(i);
		if (is_power_cut)
			sim_smtpd_kill(i);
	}
}

void
sim_smtpd_kill(unsigned i)
{
	struct smtpd *s = &smtpds[i];

	if (s->c != NULL) {
		/* what it had written is read by queued before the end */
		while (sim_chance(700) && sim_smtpd_speak(i))
			;
		service_ops.on_peer_gone(world.q, world.proc, s->c);
		sim_channel_free(&s->c);
	}
	drop_streams(i);
	orphan(i);
	s->instance += SIM_WORKERS;
}
