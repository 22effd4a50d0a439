#include "smtpd/session.h"

#include "common/base/check.h"
#include "common/mail/queue_id.h"
#include "common/mail/received.h"
#include "smtpd/admission.h"
#include "smtpd/server.h"
#include "smtpd/session_log.h"

#include <stdlib.h>

#define READ_BYTES	((size_t)64 * 1024)	/* at once, and kept unread */
#define OUT_KEEP	((size_t)1024)
#define OUT_HIGH	((size_t)64 * 1024)	/* unsent replies: stop reading */
#define EARLY_BYTES	((size_t)32 * 1024)	/* in pieces when memory is short */
#define LINGER_MS	2000
#define FINISH_MS	10000
#define BUSY_IDLE_MS	10000	/* idle inside a transaction */

/* ---- the end ---- */

static void
return_body(struct session *s)
{
	if (!s->has_body)
		return;
	bodies_return(&s->server->bodies, &s->body);
	s->has_body = false;
	s->is_streaming = false;
	s->is_whole = false;
}

void
session_free(struct session *s)
{
	struct server *sv = s->server;

	(void)spool_job_drop(&sv->spool, &s->job);
	stream_close(&s->stream);
	timer_clear(&s->timer);
	list_remove(&s->node);
	list_remove(&s->idle_node);
	if (s->is_counted)
		admission_leave(sv->clients, &s->client.addr);
	return_body(s);
	rx_free(&s->rx);
	free(s);
	server_session_over(sv);
}

/*
 * The client is gone, or nearly: its place is free.  A message whose fate is
 * in queued's hands keeps the rest until that is known, for the log.
 */
static void
end(struct session *s, const char *how)
{
	stream_finish(&s->stream, LINGER_MS, FINISH_MS);
	timer_stop(&s->timer);
	list_remove(&s->idle_node);
	if (!s->is_over)
		session_log_gone(s, how);
	s->is_over = true;
	if (s->is_counted) {
		admission_leave(s->server->clients, &s->client.addr);
		s->is_counted = false;
	}
	if (!s->is_busy && spool_job_drop(&s->server->spool, &s->job))
		session_free(s);
}

/* ---- content ---- */

static void
drop_body(struct session *s)
{
	/* what was sent may have to be sent again */
	if (spool_job_drop(&s->server->spool, &s->job))
		return_body(s);
}

static void
begin_body(struct session *s)
{
	bodies_take(&s->server->bodies, &s->body);
	s->has_body = true;
}

/* A body becomes one in pieces when it is large, or memory short. */
static bool
wants_streaming(const struct session *s)
{
	if (s->is_streaming)
		return false;
	return s->body.n > SPOOL_INLINE_MAX || (s->body.n > EARLY_BYTES &&
	    bodies_is_pressed(&s->server->bodies));
}

/* A body that can't be kept is refused at its end; when that was there
 * already, now. */
static void
refuse_body(struct session *s, enum submit_result result)
{
	if (s->is_whole) {
		session_on_result(&s->job, result, 0);
		return;
	}
	return_body(s);
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

/* Sends on what there is; the submission when all has gone. */
static void
push_body(struct session *s)
{
	size_t n = spool_job_push(&s->server->spool, &s->job,
	    buf_span(&s->body));

	buf_drop(&s->body, n);
	if (s->is_whole && s->body.n == 0) {
		s->is_whole = false;
		submit(s);
	}
}

static void
open_body(struct session *s)
{
	switch (spool_job_open(&s->server->spool, &s->job)) {
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

/* After each piece of content. */
static void
look_after_body(struct session *s)
{
	if (!s->has_body)
		return;
	if (wants_streaming(s))
		open_body(s);
	if (s->has_body && s->is_streaming &&
	    s->job.state == SPOOL_JOB_OPEN)
		push_body(s);
}

/* No more content can be kept now. */
static bool
is_body_full(const struct session *s)
{
	return s->has_body && s->body.n > SPOOL_INLINE_MAX;
}

static void
finish_body(struct session *s)
{
	if (s->is_streaming || is_body_full(s)) {
		s->is_whole = true;
		look_after_body(s);
	} else
		submit(s);
}

/* ---- the dialogue ---- */

static bool
is_blocked(const struct session *s)
{
	return s->is_over || is_body_full(s) ||
	    stream_backlog(s->stream) > OUT_HIGH;
}

/* False: no further step now. */
static bool
act_on(struct session *s, enum rx_act act)
{
	switch (act) {
	case RX_READ:
	case RX_WAIT:
		return false;
	case RX_CONTENT:
		begin_body(s);
		return true;
	case RX_DROP:
		drop_body(s);
		return true;
	case RX_SUBMIT:
		finish_body(s);
		return true;
	case RX_REFUSED:
		session_log_refusal(s);
		return true;
	case RX_CLOSE:
		drop_body(s);
		end(s, "closed by us");
		return false;
	}
	return false;
}

static void
keep_time(struct session *s, bool has_input)
{
	struct server *sv = s->server;
	uint64_t bytes = stream_bytes_in(s->stream) +
	    stream_bytes_out(s->stream);
	int64_t now = loop_now_ms(sv->loop);
	/* what can't be kept now is not the client's delay */
	enum rx_phase phase = is_body_full(s) ? RX_PHASE_OURS
	    : rx_phase(s->rx, has_input);
	int64_t deadline;

	rx_patience_note(&s->patience, phase, rx_turns(s->rx),
	    (size_t)(bytes - s->bytes_noted), now);
	s->bytes_noted = bytes;
	deadline = rx_patience_deadline(&s->patience, sv->conf);
	if (deadline == MTIME_NEVER)
		timer_stop(&s->timer);
	else
		timer_start_at(&s->timer, deadline);
}

static void
touch(struct session *s)
{
	if (rx_is_trusted(s->rx) || !s->is_counted)
		return;
	list_remove(&s->idle_node);
	list_add_last(&s->server->strangers, &s->idle_node);
}

static size_t
run(struct session *s, struct span in)
{
	struct buf *out = stream_out(s->stream);
	size_t taken = 0;
	bool goes_on = true;

	while (goes_on && !is_blocked(s)) {
		size_t used = 0, before = s->body.size;
		bool had_body = s->has_body;
		enum rx_act act = rx_step(s->rx, span_from(in, taken), &used,
		    &s->body, out);

		if (had_body)
			bodies_note(&s->server->bodies, before, s->body.size);
		goes_on = act_on(s, act);
		taken += used;
		if (act == RX_READ)
			look_after_body(s);
	}
	return taken;
}

static size_t
on_bytes(void *ctx, struct span in)
{
	struct session *s = ctx;
	size_t taken;

	s->is_busy = true;
	taken = run(s, in);
	s->is_busy = false;
	if (s->is_over) {
		if (spool_job_drop(&s->server->spool, &s->job))
			session_free(s);
		return taken;
	}
	touch(s);
	keep_time(s, taken < in.n);
	return taken;
}

/* A client that ended its side may still read our answer to its message. */
static void
on_end(void *ctx, enum stream_end how, int error)
{
	struct session *s = ctx;

	(void)error;
	s->is_at_eof = true;
	if (how == STREAM_EOF && rx_phase(s->rx, false) == RX_PHASE_OURS)
		return;
	end(s, how == STREAM_EOF ? "closed by the client"
	    : how == STREAM_OVERFLOW ? "reads no replies" : "connection lost");
}

static void
on_sent(void *ctx)
{
	struct session *s = ctx;

	stream_resume(s->stream);
}

static const struct stream_ops stream_ops = { on_bytes, on_end, on_sent };

static void
on_timer(void *ctx)
{
	session_close(ctx, RX_CLOSE_TIMEOUT);
}

/* After a call that may have closed the dialogue, outside of run(). */
static void
settle_down(struct session *s)
{
	if (s->is_busy || s->stream == NULL)
		return;
	if (rx_phase(s->rx, false) == RX_PHASE_CLOSED) {
		drop_body(s);
		end(s, "closed by us");
	} else if (s->is_at_eof) {
		end(s, "closed by the client");
	} else {
		stream_resume(s->stream);
		keep_time(s, false);
	}
}

void
session_close(struct session *s, enum rx_closing why)
{
	if (s->stream == NULL)
		return;
	rx_close(s->rx, why, stream_out(s->stream));
	settle_down(s);
}

void
session_drain(struct session *s)
{
	if (s->stream == NULL)
		return;
	rx_drain(s->rx, stream_out(s->stream));
	settle_down(s);
}

bool
session_is_idle(const struct session *s, int64_t now_ms)
{
	enum rx_phase phase = rx_phase(s->rx, false);

	if (s->stream == NULL || phase == RX_PHASE_OURS)
		return false;
	if (phase == RX_PHASE_COMMAND && !rx_has_transaction(s->rx))
		return true;
	return now_ms - s->patience.moved_at_ms >= BUSY_IDLE_MS;
}

void
session_wake(struct session *s)
{
	if (s->stream == NULL || !s->has_body)
		return;
	if (wants_streaming(s))
		open_body(s);
	stream_resume(s->stream);
}

void
session_give_up(struct session *s)
{
	if (s->stream == NULL || !s->has_body || !wants_streaming(s))
		return;
	refuse_body(s, SUBMIT_IO);
	if (s->stream != NULL)
		stream_resume(s->stream);
}

/* ---- queued's answers ---- */

static struct session *
session_of(struct spool_job *job)
{
	return CONTAINER_OF(job, struct session, job);
}

static void
fill_trace(struct session *s, const struct rx_message *m, int64_t wall_ms)
{
	struct server *sv = s->server;
	struct received r = {
		.helo = m->head.helo,
		.client = s->client.addr.family != IPADDR_NONE
		    ? &s->client.addr : NULL,
		.host = span_str(sv->conf->hostname),
		.with = m->is_esmtp ? SPAN_LIT("ESMTP") : SPAN_LIT("SMTP"),
		.only_rcpt = m->rcpt_count == 1 ? m->first_rcpt : SPAN_NONE,
		.at_ms = wall_ms,
		.zone_min = server_zone_min(sv, wall_ms),
	};

	buf_reset(&sv->trace_head);
	buf_reset(&sv->trace_tail);
	received_head(&r, &sv->trace_head);
	received_tail(&r, &sv->trace_tail);
}

bool
session_on_fill(struct spool_job *job, struct msg_submit *m)
{
	struct session *s = session_of(job);
	struct server *sv = s->server;
	struct rx_message message;

	rx_message(s->rx, &message);
	message.head.arrived_at = (uint64_t)loop_wall_ms(sv->loop);
	buf_reset(&sv->envelope);
	envelope_put_head(&message.head, &sv->envelope);
	buf_add_span(&sv->envelope, message.rcpts);
	fill_trace(s, &message, loop_wall_ms(sv->loop));
	m->envelope = buf_span(&sv->envelope);
	m->trace_head = buf_span(&sv->trace_head);
	m->trace_tail = buf_span(&sv->trace_tail);
	m->flags = (uint8_t)((message.has_8bit ? CONTENT_8BIT : 0) |
	    (message.has_dots ? CONTENT_DOTS : 0));
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
	};
	struct session *s = session_of(job);
	char text[QUEUE_ID_SIZE] = "";

	return_body(s);
	if (result == SUBMIT_ACCEPTED) {
		s->accepted++;
		session_log_accepted(s, id);
		queue_id_format(id, text);
	} else
		session_log_not_stored(s, result);
	if (s->stream == NULL) {
		if (!s->is_busy)
			session_free(s);
		return;
	}
	rx_submitted(s->rx, meanings[result], span_str(text),
	    stream_out(s->stream));
	settle_down(s);
}

void
session_on_failed(struct spool_job *job, enum submit_result result)
{
	struct session *s = session_of(job);

	refuse_body(s, result);
	if (rx_phase(s->rx, false) == RX_PHASE_CONTENT)
		settle_down(s);
}

void
session_on_credit(struct spool_job *job)
{
	struct session *s = session_of(job);

	push_body(s);
	if (s->stream != NULL)
		stream_resume(s->stream);
}

/* ---- the beginning ---- */

static enum err
equip(struct session *s, int fd, uint16_t listener)
{
	static const struct stream_limits limits = {
		.in_max = READ_BYTES, .out_keep = OUT_KEEP,
	};
	struct server *sv = s->server;
	enum err e;

	if ((e = rx_new(&sv->site, &s->client.addr, listener, &s->rx)) != OK)
		return e;
	if ((e = timer_init(&s->timer, sv->loop, on_timer, s)) != OK)
		return e;
	return stream_new(sv->loop, fd, &limits, &stream_ops, s, &s->stream);
}

enum err
session_new(struct server *sv, int fd, const struct endpoint *client,
    uint16_t listener, enum rx_greeting how, bool is_counted)
{
	struct session *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return ERR_NOMEM;
	s->server = sv;
	s->client = *client;
	s->begun_at_ms = loop_now_ms(sv->loop);
	list_init(&s->idle_node);
	spool_job_init(&s->job);
	buf_init(&s->body, BODIES_BUF_MAX);
	if ((e = equip(s, fd, listener)) != OK) {
		timer_clear(&s->timer);
		rx_free(&s->rx);
		free(s);
		return e;
	}
	s->is_counted = is_counted;
	list_add_last(&sv->sessions, &s->node);
	sv->session_count++;
	session_log_connected(s);
	rx_patience_init(&s->patience, s->begun_at_ms);
	rx_greet(s->rx, how, stream_out(s->stream));
	touch(s);
	settle_down(s);
	return OK;
}
