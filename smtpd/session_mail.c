/*
 * A message on its way from the engine to queued (I-01, I-03).
 *
 * Content gathers in s->body, up to limit_of().  What stays below goes along
 * with the submission, in one frame, and is kept until the answer, since a
 * queued that died may have to get it again.  What grows beyond is streamed:
 * spool_job_open() asks for a file of its own, push_body() sends as much as
 * there is credit for, and nothing is kept of what was sent; if queued dies
 * then, the message is refused (451) and the client sends it again.
 *
 * Recipients that are too many to be kept go before the body in the same way,
 * and their job is opened for them.
 *
 * When a body that is streamed has come wholly (is_whole), the submission
 * waits until the last of it has gone.  While more is kept than limit_of()
 * says, the session takes no more from the client.
 */
#include "smtpd/session_mail.h"

#include "common/conf/conf.h"
#include "common/mail/mail_date.h"
#include "common/mail/queue_id.h"
#include "common/mail/received.h"
#include "common/os/random.h"
#include "smtpd/server.h"
#include "smtpd/session_gate.h"
#include "smtpd/session_log.h"
#include "smtpd/session_tls.h"

#define PRESSED_BYTES	((size_t)16 * 1024)	/* kept when memory is short */

void
session_mail_return(struct session *s)
{
	if (!s->has_body)
		return;
	bodies_return(&s->server->bodies, &s->body);
	s->has_body = false;
	s->is_streaming = false;
	s->is_list = false;
	s->is_whole = false;
}

void
session_mail_drop(struct session *s)
{
	/* what was sent may have to be sent again */
	if (spool_job_drop(&s->server->spool, &s->job))
		session_mail_return(s);
}

void
session_mail_begin(struct session *s)
{
	if (s->has_body)		/* since its recipients became many */
		return;
	bodies_take(&s->server->bodies, &s->body);
	s->has_body = true;
}

/* How much content may gather here: when memory is short, less. */
static size_t
limit_of(const struct session *s)
{
	return bodies_is_pressed(&s->server->bodies) ? PRESSED_BYTES
	    : SPOOL_INLINE_MAX;
}

/* A body becomes one in pieces when it is too large to be kept. */
static bool
wants_streaming(const struct session *s)
{
	return s->has_body && s->job.state == SPOOL_JOB_IDLE &&
	    (s->is_list || s->body.n > limit_of(s));
}

/* A body that can't be kept is refused at its end; when that was there
 * already, now, and then S may be gone on return. */
static void
refuse_body(struct session *s, enum submit_result result)
{
	if (s->is_whole) {
		session_on_result(&s->job, result, 0);
		return;
	}
	session_mail_return(s);
	rx_body_failed(s->rx, result == SUBMIT_NO_ROOM ? RX_NO_ROOM
	    : RX_FAILED);
}

static void
submit(struct session *s)
{
	/* on_result may come from inside, and then all is done */
	if (spool_job_submit(&s->server->spool, &s->job) != OK)
		session_on_result(&s->job, SUBMIT_NO_ROOM, 0);
}

/* All that gathered, when a piece is full or the content has begun.  False:
 * there is some, and no credit for it. */
static bool
push_list(struct session *s)
{
	struct span all = rx_recipients(s->rx);

	if (!s->is_list || all.n == 0 ||
	    (!rx_is_list_due(s->rx) && !rx_has_content(s->rx)))
		return true;
	if (!spool_job_push_list(&s->server->spool, &s->job, all))
		return false;
	rx_recipients_taken(s->rx);
	return true;
}

/* Sends on what there is; the submission when all has gone. */
static void
push_body(struct session *s)
{
	size_t n;

	if (!push_list(s))
		return;
	n = spool_job_push(&s->server->spool, &s->job, buf_span(&s->body));
	buf_drop(&s->body, n);
	/* under pressure an empty buffer is given back; the next piece
	 * allocates a small one */
	if (s->body.n == 0 && bodies_is_pressed(&s->server->bodies)) {
		bodies_note(&s->server->bodies, s->body.size, 0);
		buf_clear(&s->body);
	}
	if (s->is_whole && s->body.n == 0) {
		s->is_whole = false;
		submit(s);
	}
}

/* ERR_AGAIN isn't refused: queued may be back before the client notices. */
static void
open_body(struct session *s)
{
	switch (spool_job_open(&s->server->spool, &s->job, s->is_list)) {
	case OK:
		s->is_streaming = true;
		break;
	case ERR_AGAIN:
		break;		/* session_wake() when queued is back */
	default:
		refuse_body(s, SUBMIT_NO_ROOM);
		break;
	}
}

void
session_mail_look(struct session *s)
{
	if (wants_streaming(s))
		open_body(s);
	if (s->has_body && s->job.state == SPOOL_JOB_OPEN)
		push_body(s);
}

bool
session_mail_is_full(const struct session *s)
{
	return s->has_body && (s->body.n > limit_of(s) ||
	    (s->is_list && rx_is_list_due(s->rx)));
}

void
session_mail_list(struct session *s)
{
	session_mail_begin(s);
	s->is_list = true;
	session_mail_look(s);
}

/* The engine says so when the whole content is in s->body, or was streamed. */
void
session_mail_finish(struct session *s)
{
	if (s->is_streaming || s->is_list || s->body.n > SPOOL_INLINE_MAX) {
		s->is_whole = true;
		session_mail_look(s);
	} else
		submit(s);
}

void
session_wake(struct session *s)
{
	if (s->stream == NULL || !wants_streaming(s))
		return;
	stream_resume(s->stream);
	open_body(s);
}

void
session_give_up(struct session *s)
{
	if (s->stream == NULL || !wants_streaming(s))
		return;
	stream_resume(s->stream);
	refuse_body(s, SUBMIT_IO);
}

/*
 * ---- queued's answers ----
 *
 * Outside of session_on_bytes() an answer may end the session: nothing may be
 * asked of it afterwards.  Reading on is asked for before; it happens at the
 * end of the turn, if the session is still there.
 */

static struct session *
session_of(struct spool_job *job)
{
	return CONTAINER_OF(job, struct session, job);
}

/* RFC 6409 8.1, 8.2: what a user's program has left out.  The identification is
 * random: unique whatever the clock says. */
static void
add_missing(struct session *s, const struct rx_message *m,
    const struct received *r)
{
	struct buf *out = &s->server->trace_tail;
	char date[MAIL_DATE_SIZE];
	uint64_t id[2];

	if (m->lacks_date) {
		buf_add_str(out, "Date: ");
		buf_add(out, date, mail_date_format(r->at_ms, r->zone_min,
		    date));
		buf_add_str(out, "\r\n");
	}
	if (m->lacks_message_id && random_fill(id, sizeof(id)) == OK) {
		buf_addf(out, "Message-ID: <%016llx.%016llx@",
		    (unsigned long long)id[0], (unsigned long long)id[1]);
		buf_add_span(out, r->host);
		buf_add_str(out, ">\r\n");
	}
}

/* Received in two halves: the queue id, which queued chooses, stands between
 * them.  FOR only with one recipient, or it would tell each of the others (RFC
 * 5321 7.2). */
static void
fill_trace(struct session *s, const struct rx_message *m, int64_t wall_ms)
{
	struct server *sv = s->server;
	struct received r = {
		.helo = m->head.helo,
		.client = s->client.addr.family != IPADDR_NONE
		    ? &s->client.addr : NULL,
		.name = session_gate_name(s),
		.host = span_str(sv->conf->hostname),
		.with = received_with(
		    (m->is_esmtp ? RECEIVED_ESMTP : 0U) |
		    (m->is_tls ? RECEIVED_TLS : 0U) |
		    (m->is_auth ? RECEIVED_AUTH : 0U) |
		    (m->is_utf8 ? RECEIVED_UTF8 : 0U)),
		.tls = session_tls_cipher(s),
		.only_rcpt = m->rcpt_count == 1 ? m->first_rcpt : SPAN_NONE,
		.priority = m->head.priority,
		.at_ms = wall_ms,
		.zone_min = server_zone_min(sv, wall_ms),
	};

	buf_reset(&sv->trace_head);
	buf_reset(&sv->trace_tail);
	received_head(&r, &sv->trace_head);
	received_tail(&r, &sv->trace_tail);
	add_missing(s, m, &r);
}

/* Called when the submission is about to leave, perhaps for the second time
 * after queued died: the envelope is made anew from the dialogue, which keeps
 * the transaction until rx_submitted(). */
bool
session_on_fill(struct spool_job *job, struct msg_submit *m)
{
	struct session *s = session_of(job);
	struct server *sv = s->server;
	struct rx_message message;
	int64_t wall_ms = loop_wall_ms(sv->loop);

	rx_message(s->rx, &message);
	message.head.arrived_at = (uint64_t)wall_ms;
	if (message.hold_until > wall_ms)
		message.head.hold_ms =
		    (uint64_t)(message.hold_until - wall_ms);
	if (message.head.by != 0)
		message.head.by_ms = message.by_at - wall_ms;
	buf_reset(&sv->envelope);
	envelope_put_head(&message.head, &sv->envelope);
	buf_add_span(&sv->envelope, message.rcpts);
	fill_trace(s, &message, wall_ms);
	m->envelope = buf_span(&sv->envelope);
	m->trace_head = buf_span(&sv->trace_head);
	m->trace_tail = buf_span(&sv->trace_tail);
	m->flags = (uint8_t)((message.has_8bit ? CONTENT_8BIT : 0) |
	    (message.has_dots ? CONTENT_DOTS : 0) |
	    (message.is_binary ? CONTENT_BINARY : 0) |
	    (message.has_no_eol ? CONTENT_NO_EOL : 0));
	m->body_bytes = message.body_bytes;
	m->body = job->is_streamed ? SPAN_NONE : buf_span(&s->body);
	return !buf_failed(&sv->envelope) && !buf_failed(&sv->trace_head) &&
	    !buf_failed(&sv->trace_tail);
}

void
session_on_result(struct spool_job *job, enum submit_result result,
    uint64_t id)
{
	static const enum rx_result meanings[SUBMIT_RESULT_COUNT] = {
		[SUBMIT_ACCEPTED] = RX_ACCEPTED,
		[SUBMIT_UNKNOWN] = RX_FAILED,
		[SUBMIT_NO_ROOM] = RX_NO_ROOM,
		[SUBMIT_IO] = RX_FAILED,
		[SUBMIT_MALFORMED] = RX_FAILED,
		[SUBMIT_OVER_QUOTA] = RX_OVER_QUOTA,
		[SUBMIT_BEYOND_QUOTA] = RX_BEYOND_QUOTA,
	};
	struct session *s = session_of(job);
	char text[QUEUE_ID_SIZE] = "";

	session_mail_return(s);
	if (result == SUBMIT_ACCEPTED) {
		s->accepted++;
		session_log_accepted(s, id);
		queue_id_format(id, text);
	} else
		session_log_not_stored(s, result);
	/* the client didn't wait; the message is stored or not all the same */
	if (s->stream == NULL) {
		if (!s->is_busy)
			session_free(s);
		return;
	}
	rx_submitted(s->rx, meanings[result], span_str(text),
	    stream_out(s->stream));
	session_settle(s);
}

/* Only for a body in pieces.  When its end had come, the client waits for this
 * answer; else the content is read to its end and refused there. */
void
session_on_failed(struct spool_job *job, enum submit_result result)
{
	struct session *s = session_of(job);

	bool was_whole = s->is_whole;

	refuse_body(s, result);
	if (!was_whole)
		session_settle(s);
}

void
session_on_credit(struct spool_job *job)
{
	struct session *s = session_of(job);

	if (s->stream != NULL)
		stream_resume(s->stream);
	push_body(s);
}
