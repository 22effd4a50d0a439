/*
 * The engine decides, the pool has the jobs, the stream the bytes: here they
 * meet, in pump(), after every event.  A session may end inside pump(), and so
 * inside everything that calls it as its last step.
 *
 * A session looks for a host (session_dial), has a dialogue, and is up once
 * mails may be sent; it goes back to looking for a host only before that.
 * From then on it is busy, or idle in the pool's list.  It leaves its
 * destination when it takes no more jobs (pool_leave()), and may live on to
 * finish those in hand and to say QUIT.
 *
 * Before each event is handed to the engine stream_out() is called: it gives
 * the engine's buffer, and asks for the write at the end of this turn.
 */
#include "deliverd/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/ipc/ask.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/proc/own.h"
#include "deliverd/body.h"
#include "deliverd/converted.h"
#include "deliverd/engine/tx_auth.h"
#include "deliverd/jobs.h"
#include "deliverd/providers.h"
#include "deliverd/session_auth.h"
#include "deliverd/session_dial.h"
#include "deliverd/session_log.h"
#include "deliverd/session_report.h"
#include "deliverd/session_sts.h"
#include "deliverd/session_unix.h"
#include "deliverd/session_way.h"
#include "deliverd/verdict.h"
#include "deliverd/way.h"

/* HOPS_TRIED_MAX records at their longest, twice. */
#define FAILED_BYTES	((size_t)16 * 1024)
#define INPUT_BYTES	((size_t)64 * 1024)
#define OUTPUT_KEPT	((size_t)16 * 1024)
/* For QUIT to leave and the host to close; nothing hangs on it. */
#define GOODBYE_MS	2000
/* For keyd, which tells its certificates when it comes. */
#define WAIT_MS		100
#define WAITS_MAX	50

/* ---- the stream's events ---- */

/* Whatever the engine has to say to these bytes leaves in one piece. */
static size_t
on_bytes(void *ctx, struct span bytes)
{
	struct session *s = ctx;

	(void)stream_out(s->stream);
	tx_input(s->tx, bytes);
	session_pump(s);
	return bytes.n;
}

/* Also when only the host's side has ended: it won't reply any more. */
static void
on_end(void *ctx, enum stream_end end, int error)
{
	struct session *s = ctx;
	char text[128] = "the host closed the connection";

	if (end == STREAM_ERROR)
		(void)span_copy(span_str(strerror(error)), text, sizeof(text));
	else if (end == STREAM_OVERFLOW)
		(void)span_copy(SPAN_LIT("the host takes too little"), text,
		    sizeof(text));
	if (end == STREAM_ERROR && s->tls != NULL && error == EPROTO)
		(void)span_copy(span_str(tls_filter_fault(s->tls)), text,
		    sizeof(text));
	/* of what is turned into TLS nobody can tell how much has gone */
	tx_lost(s->tx, text, s->tls != NULL ? 0
	    : stream_backlog(s->stream));
	session_pump(s);
}

/* Behind this EHLO is said again, or for the first time. */
static void
on_open(void *ctx)
{
	struct session *s = ctx;

	session_tls_note(s);
	tx_secured(s->tx, stream_out(s->stream));
	session_pump(s);
}

/* More content may be asked for now (body_feed()). */
static void
on_sent(void *ctx)
{
	struct session *s = ctx;

	(void)stream_out(s->stream);
	session_pump(s);
}

/* The engine has no clock for an idle connection; that one just ends. */
static void
on_timer(void *ctx)
{
	struct session *s = ctx;

	s->is_timed = false;
	if (s->tx == NULL) {
		session_dial_hurry(s);
		return;
	}
	if (tx_is_idle(s->tx)) {
		session_quit(s);
		return;
	}
	(void)stream_out(s->stream);
	tx_timeout(s->tx);
	session_pump(s);
}

/* Each wait has its whole time; an idle connection has the pool's.  Called
 * after every event, it starts the timer only when the engine has moved on: a
 * host that sends a byte now and then gains nothing. */
static void
set_timer(struct session *s)
{
	int64_t wait_ms = tx_deadline_ms(s->tx);

	if (s->is_timed && s->progress == tx_progress(s->tx))
		return;
	s->is_timed = true;
	s->progress = tx_progress(s->tx);
	timer_start(&s->timer,
	    wait_ms == MTIME_NEVER ? s->settings->idle_ms : wait_ms);
}

/* ---- jobs ---- */

static struct job *
job_of(struct tx_mail *mail)
{
	return CONTAINER_OF(mail, struct job, mail);
}

/* A mail may have been begun before, here or elsewhere: its content starts
 * anew.  The engine may give it back at once. */
static void
begin(struct session *s, struct job *j)
{
	struct msg_list failed = { s->n_failed, buf_span(&s->failed) };
	struct msg_attempt a;

	/* what it took to get here is told with the first job */
	if (s->is_first && !buf_failed(&s->failed))
		while (msg_next_attempt(&failed, &a))
			(void)job_add_attempt(j, &a);
	s->is_first = false;
	j->session = s;
	j->content_at = 0;
	j->asked_to = 0;
	j->begun_at = (uint64_t)loop_wall_ms(s->d->loop);
	j->begun_at_ms = loop_now_ms(s->d->loop);
	j->mail.by_seconds = mtime_sub(j->by_at, (int64_t)j->begun_at) /
	    MTIME_SECOND;
	tx_begin(s->tx, &j->mail);
}

/* The row of this connection, for the recipients that it settled: what was
 * said last decides it.  None for a mail that it didn't try. */
static void
note_attempt(struct session *s, struct job *j)
{
	char address[ENDPOINT_TEXT_SIZE];
	char text[CONVERTED_TEXT_SIZE];
	const struct tx_rcpt *told = NULL;
	struct msg_attempt a = {
		.host = span_str(s->host),
		.begun_at = j->begun_at,
		.duration_ms = (uint32_t)(loop_now_ms(s->d->loop) -
		    j->begun_at_ms),
	};

	for (uint32_t i = 0; i < j->mail.rcpt_count; i++) {
		const struct tx_rcpt *r = &j->mail.rcpts[i];

		if (r->outcome != TX_OPEN &&
		    j->attempt_of[i] == JOB_NO_ATTEMPT &&
		    (told == NULL || r->stage > told->stage))
			told = r;
	}
	if (told == NULL)
		return;
	a.address = session_address(s, address);
	a.tls = span_str(s->tls_text);
	a.stage = (uint8_t)verdict_stage(told->stage);
	a.code = told->code;
	a.text = converted_note(s, j, told, tx_mail_text(&j->mail, told),
	    text);
	job_mark_settled(j, job_add_attempt(j, &a));
}

/* A host that takes a connection and then no mail at all fails as a whole. */
static bool
is_useless(const struct session *s, const struct job *j)
{
	const struct tx_finding *trouble = tx_trouble(s->tx);

	return trouble->outcome != TX_OPEN && tx_mail_count(s->tx) == 1 &&
	    trouble->stage == TX_STAGE_MAIL && !j->mail.is_answered;
}

/* This connection had its share of mails, by us or by the host. */
static bool
is_used_up(const struct session *s)
{
	return tx_mail_count(s->tx) >= s->mails_max ||
	    tx_is_full(s->tx);
}

/*
 * The engine is through with a mail, for now.  Its recipients are settled, or
 * there was no room for all of them in one transaction, or the connection
 * ended before it was its turn.
 */
static void
take_back(struct session *s, struct tx_mail *mail)
{
	struct job *j = job_of(mail);
	struct tx_finding lost = *tx_trouble(s->tx);

	note_attempt(s, j);
	if (is_useless(s, j))
		j->scope = SCOPE_DESTINATION;
	if (mail->open == 0) {
		jobs_tell(s->d->jobs, j);
		return;
	}
	if (mail->rest == TX_REST_MORE && tx_is_up(s->tx) &&
	    !s->d->is_draining) {
		/* the rest of its recipients, as soon as may be */
		if (tx_is_idle(s->tx) && !tx_is_full(s->tx)) {
			begin(s, j);
			return;
		}
		j->returns = 0;
		pool_return(s->d->pool, j, NULL);
		return;
	}
	if (lost.outcome == TX_OPEN)
		lost = (struct tx_finding){
			.outcome = TX_DEFERRED, .stage = TX_STAGE_MAIL,
			.status = STATUS(4, 4, 2),
			.text = SPAN_LIT("the connection ended too early"),
		};
	pool_return(s->d->pool, j, &lost);
}

/* False when there is nothing to do now.  A connection that had its share of
 * mails ends. */
static bool
take_job(struct session *s)
{
	struct job *j = NULL;

	if (is_used_up(s)) {
		if (tx_is_idle(s->tx))
			session_quit(s);
		return false;
	}
	if (s->dest != NULL)
		j = pool_take(s->dest, tx_mail_count(s->tx) == 0);
	if (j != NULL) {
		begin(s, j);
		return true;
	}
	if (tx_is_idle(s->tx))
		pool_idle(s->d->pool, s);
	return false;
}

/* ---- the dialogue ---- */

static void
limit_mails(struct session *s)
{
	uint32_t most = s->route.policy->mails, mails =
	    providers_mails(s->settings->providers, span_str(s->host));

	s->mails_max = mails > 0 && mails < most ? mails : most;
}

/* The hosts that are left are of no more use: what fails from now on is the
 * business of the next connection. */
static void
come_up(struct session *s)
{
	s->is_up = true;
	session_sts_note(s);
	session_report_up(s);
	s->dane = NULL;			/* its */
	ask_cancel(s->d->ask, s);	/* one family may not be answered yet */
	limit_mails(s);
	pool_note_group(s);
	hops_free(&s->hops);
	session_log_up(s);
	pool_up(s->d->pool, s);
}

/* QUIT, if it was said, goes out by itself.  The stream outlives us with what
 * is written: the engine that borrows its buffer goes first. */
static void
hang_up(struct session *s)
{
	timer_stop(&s->timer);
	s->is_timed = false;
	session_auth_leave(s);
	if (s->tx != NULL)
		session_log_violation(s);
	tx_free(&s->tx);
	if (s->stream != NULL)
		stream_finish(&s->stream, GOODBYE_MS, GOODBYE_MS);
	s->tls = NULL;			/* the stream's */
	s->sts.is_trusted = false;
}

/* The dialogue ended before it was up: what about the next host? */
static void
try_next(struct session *s)
{
	struct tx_finding why = *tx_trouble(s->tx);

	const bool is_again = session_tls_may_retry(s, &why);

	session_dial_note(s, &why);
	hang_up(s);
	if (is_again) {
		s->is_plain = true;
		session_dial_again(s);
		return;
	}
	session_dial_next(s);
}

/* Whatever the engine wants done; the session may be gone afterwards. */
void
session_pump(struct session *s)
{
	if (tx_auth_take_secret(s->tx))
		stream_wipe_out(s->stream);
	for (;;) {
		struct tx_mail *mail = NULL;
		enum tx_action action = tx_next(s->tx, &mail);

		if (!s->is_up && tx_trouble(s->tx)->outcome != TX_OPEN) {
			try_next(s);
			return;
		}
		if (!s->is_up && tx_is_up(s->tx))
			come_up(s);
		switch (action) {
		case TX_MAIL_OVER:
			take_back(s, mail);
			continue;
		case TX_WANT_CONTENT:
			if (body_feed(s, job_of(mail)))
				continue;
			break;
		case TX_READY:
			if (take_job(s))
				continue;
			break;
		case TX_START_TLS:
			if (session_tls_begin(s) == OK)
				break;
			tx_lost(s->tx, "no memory for TLS, or no certificate "
			    "for this route", 0);
			continue;
		case TX_ASK:
			session_auth_ask(s);
			if (!list_is_linked(&s->asking))
				continue;
			break;
		case TX_CLOSE:
			session_end(s);
			return;
		case TX_WAIT:
			break;
		}
		/* QUIT may have been said meanwhile: not a job's turn */
		if (s->tx != NULL)
			set_timer(s);
		return;
	}
}

void
session_connected(struct session *s, int fd)
{
	static const struct stream_ops ops = {
		.on_bytes = on_bytes, .on_end = on_end, .on_sent = on_sent,
		.on_open = on_open,
	};
	struct stream_limits limits = {
		.in_max = INPUT_BYTES, .out_keep = OUTPUT_KEPT,
	};
	struct tx_finding why = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_CONNECT,
		.status = STATUS(4, 3, 0), .text = SPAN_LIT("out of memory"),
	};

	if (s->is_tls_host && session_tls_make(s) == OK)
		limits.filter = tls_filter_base(s->tls);
	if ((s->is_tls_host && s->tls == NULL) || stream_new(s->d->loop, fd,
	    &limits, &ops, s, &s->stream) != OK) {
		(void)close(fd);
		tls_filter_free(&s->tls);
		session_dial_note(s, &why);
		session_dial_next(s);
		return;
	}
	if (tx_new(&s->setup, session_tls_need(s),
	    stream_out(s->stream), &s->tx) != OK ||
	    session_auth_begin(s) != OK) {
		tx_free(&s->tx);
		stream_close(&s->stream);
		s->tls = NULL;
		session_dial_note(s, &why);
		session_dial_next(s);
		return;
	}
	if (s->requires_tls)
		tx_require_tls(s->tx);
	if (s->is_lmtp)
		tx_speak_lmtp(s->tx);
	tx_connected(s->tx);
	set_timer(s);
}

/* ---- life ---- */

/* All that wait go the same way: by MX to one domain, whichever is first. */
static enum err
make_hops(struct session *s, const struct dest *dest)
{
	const struct job *first = CONTAINER_OF(list_first(&dest->waiting),
	    struct job, node);
	struct hops_setup setup;

	way_setup(s->settings, &s->route, s->requires_tls,
	    job_domain(first), rng_u64(&s->d->dice), &setup);
	return hops_new(&setup, &s->hops);
}

/* What is left of one that has no connection, or never had. */
static void
free_session(struct session *s)
{
	timer_clear(&s->timer);
	way_sts_clear(&s->sts);
	hops_free(&s->hops);
	buf_clear(&s->failed);
	settings_drop(&s->settings);
	free(s);
}

/* The first answers come in a later turn, also when none is needed.  keyd may
 * be just about to tell what the route shows. */
static void
on_begin(void *ctx)
{
	struct session *s = ctx;

	if (session_tls_is_ready(s)) {
		s->timer.fn = on_timer;
		session_sts_begin(s);
		session_dial_next(s);
	} else if (s->n_waits++ < WAITS_MAX) {
		timer_start(&s->timer, WAIT_MS);
	} else {
		session_dial_refuse(s, "the certificate of this route can't "
		    "be shown now");
	}
}

enum err
session_new(struct deliverd *d, struct dest *dest, struct session **out)
{
	struct session *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return ERR_NOMEM;
	list_init(&s->all);
	list_init(&s->node);
	list_init(&s->idle);
	list_init(&s->least);
	list_init(&s->early);
	list_init(&s->asking);
	s->user = "";
	buf_init(&s->failed, FAILED_BYTES);
	s->d = d;
	s->dest = dest;
	s->is_first = true;
	s->settings = settings_use(dest->settings);
	s->route = dest->route;
	s->requires_tls = dest->requires_tls;
	session_way_begin(s);
	e = timer_init(&s->timer, d->loop, on_begin, s);
	if (e == OK)
		e = make_hops(s, dest);
	if (e != OK) {
		free_session(s);
		return e;
	}
	timer_start(&s->timer, 0);
	*out = s;
	return OK;
}

/* Out of everything that might call back, then out of the pool, which may then
 * be drained. */
void
session_end(struct session *s)
{
	pool_leave(s->d->pool, s);
	ask_cancel(s->d->ask, s);
	session_dial_stop(s);
	hang_up(s);
	pool_gone(s->d->pool, s);
	free_session(s);
}

void
session_offer(struct session *s)
{
	(void)stream_out(s->stream);
	session_pump(s);
}

/* An idle one says QUIT at once, a busy one when its mails are over. */
void
session_quit(struct session *s)
{
	pool_leave(s->d->pool, s);
	if (s->tx == NULL) {
		session_end(s);
		return;
	}
	(void)stream_out(s->stream);
	tx_quit(s->tx);
	set_timer(s);
}

/* The engine gives back each mail as lost: in doubt, deferred or untried, as
 * it stood. */
void
session_kill(struct session *s, const char *why)
{
	struct tx_mail *mail;

	if (s->tx != NULL) {
		tx_lost(s->tx, why, stream_backlog(s->stream));
		while (tx_next(s->tx, &mail) == TX_MAIL_OVER)
			take_back(s, mail);
	}
	session_end(s);
}

void
session_content(struct session *s, struct job *j, const struct msg_content *m)
{
	(void)stream_out(s->stream);
	body_content(s, j, m);
	session_pump(s);
}
