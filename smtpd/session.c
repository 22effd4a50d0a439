/*
 * One client and its dialogue: moves bytes between stream and engine.
 *
 * Everything starts in on_bytes(): run() feeds the engine until it wants more
 * input, waits for queued, or must not go on (is_blocked).  Bytes that were
 * not taken stay with the stream, which stops reading when its buffer is full,
 * and so the client's TCP window closes; stream_resume() offers them again.
 *
 * A session may be ended by the engine, the client, a timer, the server or
 * queued's answer, and often in the middle of its own functions.  Therefore
 * two flags: inside on_bytes() (is_busy) end() only notes it (is_over), and
 * the session is freed when that is left.  And a session whose message is in
 * queued's hands outlives its client (stream is NULL) until the answer comes,
 * for then the log must say what became of the message (I-02).
 */
#include "smtpd/session.h"

#include "common/conf/conf.h"
#include "smtpd/admission.h"
#include "smtpd/engine/rx_srs.h"
#include "smtpd/session_auth.h"
#include "smtpd/server.h"
#include "smtpd/session_gate.h"
#include "smtpd/session_log.h"
#include "smtpd/session_mail.h"
#include "smtpd/session_pace.h"
#include "smtpd/session_srs.h"
#include "smtpd/session_tls.h"

#include <stdlib.h>

#define READ_BYTES	((size_t)64 * 1024)	/* at once, and kept unread */
/* Many sessions under pressure each keep one piece: a small one. */
#define PRESSED_PIECE	((size_t)16 * 1024)	/* when memory is short */
#define OUT_KEEP	((size_t)1024)
#define OUT_HIGH	((size_t)64 * 1024)	/* unsent replies: stop reading */
#define LINGER_MS	2000
#define REFUSED_LINGER_MS 200	/* a flood of them holds descriptors */
/* For sending the last replies and the linger, in all. */
#define FINISH_MS	10000

/* ---- the end ---- */

/* The order matters: the job refers to the session's body, the stream's
 * callbacks to all of it. */
void
session_free(struct session *s)
{
	struct server *sv = s->server;

	(void)spool_job_drop(&sv->spool, &s->job);
	stream_close(&s->stream);
	timer_clear(&s->timer);
	list_remove(&s->node);
	list_remove(&s->asking_node);
	list_remove(&s->idle_node);
	if (s->is_counted)
		admission_leave(sv->clients, &s->peer.addr);
	session_mail_return(s);
	gate_free(&s->gate);
	rx_free(&s->rx);
	free(s->identity);
	free(s);
	server_session_over(sv);
}

/* After QUIT nothing more comes that the kernel would answer with a reset. */
static int64_t
linger_of(const struct session *s)
{
	if (rx_has_quit(s->rx) && !s->has_unread)
		return 0;
	return rx_turns(s->rx) > 1 ? LINGER_MS : REFUSED_LINGER_MS;
}

/*
 * The client is gone, or nearly: its place is free.  A message whose fate is
 * in queued's hands keeps the rest until that is known, for the log.
 */
static void
end(struct session *s, const char *how)
{
	stream_finish(&s->stream, linger_of(s), FINISH_MS);
	s->tls = NULL;			/* the stream's */
	list_remove(&s->asking_node);
	timer_stop(&s->timer);
	gate_stop(s->gate);
	list_remove(&s->idle_node);
	if (!s->is_over)
		session_log_gone(s, how);
	s->is_over = true;
	if (s->is_counted) {
		admission_leave(s->server->clients, &s->peer.addr);
		s->is_counted = false;
	}
	if (!s->is_busy && spool_job_drop(&s->server->spool, &s->job))
		session_free(s);
}

/* ---- the dialogue ---- */

/* For reasons of ours; the client's half lines are no block. */
static bool
is_blocked(const struct session *s)
{
	return s->is_over || session_mail_is_full(s) ||
	    stream_backlog(s->stream) > OUT_HIGH;
}

/* By XCLIENT, or because that is forgotten.  Its place stays that of the one
 * who connected. */
static void
become(struct session *s)
{
	const struct smtp_xclient *x = rx_xclient(s->rx);

	s->client.addr = *rx_client(s->rx);
	s->client.port = x != NULL ? x->client.port : s->peer.port;
	session_log_xclient(s);
	list_remove(&s->idle_node);
	session_gate_prepare(s);
}

/* queued may be gone by now: the client calls again. */
static void
session_call(struct session *s)
{
	struct msg m = { .type = MSG_etrn };
	bool is_below;

	m.etrn.domain = rx_called(s->rx, &is_below);
	m.etrn.is_below = is_below;
	session_log_call(s, m.etrn.domain);
	if (s->server->spool.channel != NULL)
		channel_send_or_end(s->server->spool.channel, &m);
}

/* False: no further step now. */
static bool
act_on(struct session *s, enum rx_act act)
{
	struct span address;

	switch (act) {
	case RX_READ:
	case RX_WAIT:
		return false;
	case RX_CONTENT:
		session_mail_begin(s);
		return true;
	case RX_LIST:
		session_mail_list(s);
		return true;
	case RX_DROP:
		session_mail_drop(s);
		return true;
	case RX_SUBMIT:
		session_mail_finish(s);
		return true;
	case RX_ASK:
		return rx_srs_question(s->rx, &address) ?
		    session_srs_ask(s, address) : session_auth_ask(s);
	case RX_STARTTLS:
		/* what lies behind it was looked at piece by piece */
		if (s->has_unread || session_tls_begin(s) != OK)
			end(s, "no TLS");
		return false;
	case RX_CLIENT:
		s->quota_changes = 0;
		become(s);
		return true;
	case RX_CALL:
		session_call(s);
		return true;
	case RX_REFUSED:
		session_log_refusal(s);
		return true;
	case RX_CLOSE:
		session_mail_drop(s);
		end(s, "closed by us");
		return false;
	}
	return false;
}

/* One timer a session, set anew after each turn to the deadline that holds
 * then. */
static void
keep_time(struct session *s, bool has_input)
{
	struct server *sv = s->server;
	uint64_t bytes = stream_bytes_in(s->stream) +
	    stream_bytes_out(s->stream);
	int64_t now = loop_now_ms(sv->loop);
	/* what can't be kept now is not the client's delay */
	enum rx_phase phase = session_mail_is_full(s) ? RX_PHASE_OURS
	    : rx_phase(s->rx, has_input);
	int64_t deadline = session_pace_until_ms(s);

	if (deadline > 0) {
		timer_start_at(&s->timer, deadline);
		return;
	}
	if (session_tls_is_shaking(s)) {
		timer_start_at(&s->timer, s->tls_until_ms);
		return;
	}
	rx_patience_note(&s->patience, phase, rx_turns(s->rx),
	    (size_t)(bytes - s->bytes_noted), now);
	s->bytes_noted = bytes;
	deadline = rx_patience_deadline(&s->patience, sv->conf);
	if (deadline == MTIME_NEVER)
		timer_stop(&s->timer);
	else
		timer_start_at(&s->timer, deadline);
}

/* Keeps the list of strangers in the order in which they last got on: by a
 * command, or with content at its rate.  Single octets move nobody. */
static void
touch(struct session *s)
{
	uint64_t turns = rx_turns(s->rx);
	bool gets_on = turns != s->turns_noted ||
	    (rx_phase(s->rx, false) == RX_PHASE_CONTENT &&
	    !rx_patience_is_slow(&s->patience,
	        loop_now_ms(s->server->loop)));

	if (!gets_on || rx_is_trusted(s->rx) || !s->is_counted)
		return;
	s->turns_noted = turns;
	list_remove(&s->idle_node);
	list_add_last(&s->server->strangers, &s->idle_node);
}

/* Content is taken in pieces that can be kept. */
static size_t
piece_of(const struct session *s)
{
	return s->has_body && bodies_is_pressed(&s->server->bodies)
	    ? PRESSED_PIECE : READ_BYTES;
}

/* Returns what was taken of IN. The engine gets a piece at a time, so that
 * between two pieces session_mail_look() can pass content on. */
static size_t
run(struct session *s, struct span in)
{
	struct buf *out = stream_out(s->stream);
	size_t taken = 0;
	bool goes_on = true;

	s->server->site.wall_ms = loop_wall_ms(s->server->loop);
	session_mail_look(s);
	while (goes_on && !is_blocked(s)) {
		size_t used = 0, before = s->body.size;
		/* a body that is taken or returned by act_on() is counted
		 * there */
		bool had_body = s->has_body;
		enum rx_act act;

		session_pace_before(s);
		act = rx_step(s->rx, span_sub(in, taken, piece_of(s)), &used,
		    &s->body, out);
		session_pace_after(s);
		session_gate_look(s);
		if (had_body)
			bodies_note(&s->server->bodies, before, s->body.size);
		taken += used;
		s->has_unread = taken < in.n;
		goes_on = act_on(s, act);
		if (act == RX_READ) {
			session_mail_look(s);
			/* it saw a piece only: there may be more */
			goes_on = used > 0 && taken < in.n;
		}
	}
	return taken;
}

/* What the client said isn't all dealt with, and that is up to us. */
static bool
is_waiting(const struct session *s)
{
	return rx_phase(s->rx, false) == RX_PHASE_OURS || is_blocked(s);
}

static size_t
on_bytes(void *ctx, struct span in)
{
	struct session *s = ctx;
	/* it lives as long as this callback, even if the session lets go */
	struct stream *stream = s->stream;
	size_t taken;

	s->is_busy = true;
	taken = run(s, in);
	if (rx_take_secret(s->rx) ||
	    session_auth_is_unread(span_from(in, taken)))
		stream_wipe(stream);
	/* all that came before the end is answered */
	if (s->is_at_eof && !s->is_over && !is_waiting(s))
		end(s, "closed by the client");
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

/* A client that ended its side may still read the answers to what it said
 * before. */
static void
on_end(void *ctx, enum stream_end how, int error)
{
	struct session *s = ctx;

	(void)error;
	s->is_at_eof = true;
	if (how == STREAM_EOF &&
	    (is_waiting(s) || stream_unread(s->stream) > 0)) {
		/* with its side ended nothing more will come to tell whether
		 * it is still there */
		if (rx_phase(s->rx, false) != RX_PHASE_OURS)
			timer_start(&s->timer,
			    s->server->conf->limits.data_timeout_ms);
		/* half a line is offered in vain once more: on_bytes() ends */
		if (!is_waiting(s))
			stream_resume(s->stream);
		return;
	}
	if (how == STREAM_ERROR && session_tls_fault(s) != NULL)
		session_log_tls_failed(s);
	if (session_tls_is_shaking(s))
		server_look_at_signer(s->server);
	end(s, how == STREAM_EOF ? "closed by the client"
	    : how == STREAM_OVERFLOW ? "reads no replies" : "connection lost");
}

/* The replies it had not read were the block; now the rest may be taken. */
static void
on_sent(void *ctx)
{
	struct session *s = ctx;

	stream_resume(s->stream);
}

/* Now the greeting, or the first command inside. */
static void
on_open(void *ctx)
{
	struct session *s = ctx;

	session_tls_note(s);
	rx_secured(s->rx);
	keep_time(s, false);
}

static const struct stream_ops stream_ops = {
	on_bytes, on_end, on_sent, on_open,
};

static void
on_timer(void *ctx)
{
	struct session *s = ctx;

	if (s->stream != NULL && session_pace_until_ms(s) > 0) {
		session_pace_resume(s);
		session_settle(s);
		return;
	}
	session_close(s, RX_CLOSE_TIMEOUT);
}

/* S may be freed on return. */
void
session_settle(struct session *s)
{
	if (s->is_busy || s->stream == NULL)
		return;
	if (rx_phase(s->rx, false) == RX_PHASE_CLOSED) {
		session_mail_drop(s);
		end(s, "closed by us");
	} else if (s->is_at_eof && stream_unread(s->stream) == 0) {
		end(s, "closed by the client");
	} else {
		stream_resume(s->stream);
		keep_time(s, false);
	}
}

/* Nothing is said to a client that is gone already. */
void
session_close(struct session *s, enum rx_closing why)
{
	if (s->stream == NULL)
		return;
	rx_close(s->rx, why, stream_out(s->stream));
	session_settle(s);
}

void
session_drain(struct session *s)
{
	if (s->stream == NULL)
		return;
	rx_drain(s->rx, stream_out(s->stream));
	session_settle(s);
}

/* Idle between two transactions counts at once; inside of one a client gets
 * RX_PATIENCE_SLOW_MS, or a flood of newcomers would push out those that send
 * mail. */
bool
session_is_idle(const struct session *s, int64_t now_ms)
{
	enum rx_phase phase = rx_phase(s->rx, false);

	if (s->stream == NULL || phase == RX_PHASE_OURS)
		return false;
	if (phase == RX_PHASE_COMMAND && !rx_has_transaction(s->rx))
		return true;
	return rx_patience_is_slow(&s->patience, now_ms);
}

bool
session_is_between(const struct session *s)
{
	enum rx_phase phase = rx_phase(s->rx, false);

	return s->stream != NULL && !rx_has_content(s->rx) &&
	    (phase == RX_PHASE_COMMAND || phase == RX_PHASE_LINE);
}

/* ---- the beginning ---- */

/* On failure the caller frees what was made; FD is taken by the last step. */
static enum err
equip(struct session *s, int fd, const struct session_door *door)
{
	struct stream_limits limits = {
		.in_max = READ_BYTES, .out_keep = OUT_KEEP,
		.is_nonblocking = true,
	};
	struct server *sv = s->server;
	enum err e;

	if ((e = rx_new(&sv->site, &s->client.addr, &door->rx, &s->rx)) != OK)
		return e;
	if ((e = timer_init(&s->timer, sv->loop, on_timer, s)) != OK)
		return e;
	if (door->rx.is_tls) {
		if ((e = session_tls_make(s)) != OK)
			return e;
		limits.filter = tls_filter_base(s->tls);
	}
	e = stream_new(sv->loop, fd, &limits, &stream_ops, s, &s->stream);
	if (e != OK)
		tls_filter_free(&s->tls);
	return e;
}

enum err
session_new(struct server *sv, int fd, const struct endpoint *client,
    const struct session_door *door, enum rx_greeting how, bool is_counted)
{
	struct session *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return ERR_NOMEM;
	s->server = sv;
	s->client = *client;
	s->peer = *client;
	s->proxy = door->proxy;
	s->begun_at_ms = loop_now_ms(sv->loop);
	list_init(&s->idle_node);
	list_init(&s->asking_node);
	spool_job_init(&s->job);
	buf_init(&s->body, BODIES_BUF_MAX);
	s->service = door->service;
	if ((e = equip(s, fd, door)) != OK) {
		timer_clear(&s->timer);
		rx_free(&s->rx);
		free(s);
		return e;
	}
	s->is_counted = is_counted;
	if (how == RX_GREET_WELCOME)
		session_gate_prepare(s);
	list_add_last(&sv->sessions, &s->node);
	sv->session_count++;
	session_log_connected(s);
	rx_patience_init(&s->patience, s->begun_at_ms);
	rx_greet(s->rx, how, stream_out(s->stream));
	touch(s);
	/* a refused one ends here, and only its reply is still to go */
	session_settle(s);
	return OK;
}
