/*
 * A session is a channel that answers one question at a time, in three ways:
 * at once; by a job, whose steps a timer runs in slices between the turns of
 * mail; or when somebody else has spoken (the parent about a reload or its
 * processes, the store about a sync).  Each question ends with one ctl_end.
 *
 * Sessions are known to others by number (slots), never by pointer: whoever
 * answers late finds that the session is gone, or the right one.
 */
#include "queued/ctl.h"

#include "common/base/slots.h"
#include "common/log/log.h"
#include "common/loop/listener.h"
#include "common/mail/domain.h"
#include "common/os/clock.h"
#include "common/os/creds.h"
#include "common/proc/proc.h"
#include "queued/ctl_backup.h"
#include "queued/ctl_dest.h"
#include "queued/ctl_forecast.h"
#include "queued/ctl_history.h"
#include "queued/ctl_parent.h"
#include "queued/ctl_route.h"
#include "queued/ctl_spool.h"
#include "queued/ctl_sts.h"
#include "queued/history.h"
#include "queued/lease_doubt.h"
#include "queued/store/store_write.h"

#include <stdlib.h>
#include <unistd.h>

/* A timer of 0 ms comes with the next turn: others have theirs in between. */
enum { CALLS_MAX = 4 };		/* of clients, at a time */

enum { CTL_NEXT_TURN_MS = 0, CTL_WAIT_MS = 5, CTL_ASIDE_MS = 4 };

/* ---- answers ---- */

void
ctl_send(struct ctl_session *s, const struct msg *m)
{
	/* its end is told by on_close; clients of smtpd have none */
	if (s->channel != NULL)
		channel_send_or_end(s->channel, m);
}

/* Also what a job that never began has left; the counts stay for the answer. */
static void
job_clear(struct ctl_session *s)
{
	struct ctl_job *job = &s->job;

	ctl_forecast_end(s);
	ctl_route_end(s);
	select_free(&job->select);
	buf_clear(&job->words);
	buf_clear(&job->ids);
	ctl_active_clear(&job->active);
	job->step = NULL;
}

struct ctl_session *
ctl_find(struct queued *q, uint64_t session)
{
	return q->ctl != NULL ? slots_get(q->ctl->sessions, session) : NULL;
}

/* An answer that touches no job: of the session that is busy. */
static void
send_end(struct ctl_session *s, uint8_t result, uint64_t count,
    struct span text)
{
	struct msg m = { .type = MSG_ctl_end };

	m.ctl_end.result = result;
	m.ctl_end.count = count;
	m.ctl_end.text = text;
	ctl_send(s, &m);
}

void
ctl_end(struct ctl_session *s, uint8_t result, uint64_t count,
    struct span text)
{
	send_end(s, result, count, text);
	job_clear(s);
}

void
ctl_end_job(struct ctl_session *s)
{
	if (s->job.has_failed)
		ctl_end(s, CTL_FAILED, s->job.count, SPAN_LIT("not all could "
		    "be changed: no memory, or the spool can't be written"));
	else
		ctl_end(s, CTL_DONE, s->job.count, SPAN_NONE);
}

/* ---- slices of jobs ---- */

/* What a job does next. */
enum slice { SLICE_OVER, SLICE_GOES_ON, SLICE_WAITS };

/* One that changes the queue waits for the index: what that lags behind lies in
 * memory (I-04); and after a start for the deliverds: what they hold, and may
 * have delivered, is not known before they have spoken. */
static bool
must_wait(const struct ctl_session *s)
{
	const struct queued *q = s->q;

	if (s->job.verb <= CTL_LIST)
		return false;
	/* until a group of this life is synced, the index waits too */
	return lease_is_waiting(q) ||
	    (q->synced > 0 && store_is_behind(q->store));
}

/* One that waits for its reader is over until on_sent(). */
static enum slice
run_slice(struct ctl_session *s)
{
	int64_t end = clock_mono_ms() + CTL_SLICE_MS;

	while (s->job.step != NULL) {
		if (s->channel != NULL &&
		    channel_backlog(s->channel) > CTL_BACKLOG_MAX)
			return SLICE_OVER;
		if (must_wait(s))
			return SLICE_WAITS;
		if (s->job.step(s))
			s->job.step = NULL;
		if (clock_mono_ms() >= end)
			break;
	}
	return s->job.step != NULL ? SLICE_GOES_ON : SLICE_OVER;
}

/* A change of many takes as much time as it gets, and is itself what brings
 * mail that is sent: while some is, it has a fifth of it. */
static int64_t
next_turn_ms(struct ctl *ctl, bool is_change)
{
	uint64_t before = ctl->delivered;

	ctl->delivered = ctl->q->figures.delivered;
	return is_change && ctl->delivered != before ? CTL_ASIDE_MS :
	    CTL_NEXT_TURN_MS;
}

/* ---- the end of a session ---- */

/* Its number first: what others still hold of it leads nowhere then. */
static void
session_free(struct ctl *ctl, struct ctl_session *s)
{
	slots_remove(ctl->sessions, s->id);
	ctl_history_end(s);
	ctl_spool_gone(s);
	job_clear(s);
	buf_clear(&s->rows);
	channel_close(&s->channel);
	free(s);
}

/* One without a channel ends with its job. */
static void
end_call(struct ctl *ctl, struct ctl_session *s)
{
	if (s->channel == NULL && s->job.step == NULL && !s->awaits_sync)
		session_free(ctl, s);
}

/* A reader that is slow says itself when it has taken all (on_sent). */
static void
on_slice(void *ctx)
{
	struct ctl *ctl = ctx;
	struct ctl_session *s;
	uint32_t cursor = 0;
	bool goes_on = false, waits = false, is_change = false;

	while ((s = slots_next(ctl->sessions, &cursor)) != NULL) {
		if (s->job.step == NULL)
			continue;
		switch (run_slice(s)) {
		case SLICE_GOES_ON:
			goes_on = true;
			is_change |= s->job.verb > CTL_LIST;
			break;
		case SLICE_WAITS:
			waits = true;
			break;
		case SLICE_OVER:
			end_call(ctl, s);
			break;
		}
	}
	if (goes_on)
		timer_start(&ctl->slice, next_turn_ms(ctl, is_change));
	else if (waits)
		timer_start(&ctl->slice, CTL_WAIT_MS);
	queued_touch(ctl->q);
}

/* ---- sessions ---- */

/* Questions that await others have no step left to run: they count, too. */
static bool
is_busy(const struct ctl_session *s)
{
	return s->job.step != NULL || s->awaits_sync || s->wants_status ||
	    s->reload_cookie != 0 || s->history != NULL || s->is_checking ||
	    s->route != NULL;
}

static void
on_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct ctl_session *s = ctx;

	(void)c;
	if (fd >= 0)
		close(fd);
	if (is_busy(s)) {
		send_end(s, CTL_BUSY, 0, SPAN_LIT("one question at a time"));
		return;
	}
	switch (m->type) {
	case MSG_ctl_queue:
		ctl_queue_begin(s, &m->ctl_queue);
		break;
	case MSG_ctl_message:
		ctl_show(s, m->ctl_message.id);
		break;
	case MSG_ctl_history:
		ctl_history_begin(s, m->ctl_history.low, m->ctl_history.high,
		    NULL);
		break;
	case MSG_ctl_explain:
		ctl_explain_begin(s, m->ctl_explain.low, m->ctl_explain.high);
		break;
	case MSG_ctl_status:
		s->wants_status = s->q->ctl->process_count == 0;
		if (!s->wants_status)
			ctl_status(s);
		break;
	case MSG_ctl_forecast:
		ctl_forecast(s);
		break;
	case MSG_ctl_route:
		ctl_route(s, &m->ctl_route);
		break;
	case MSG_ctl_quota:
		ctl_quota(s, &m->ctl_quota);
		break;
	case MSG_ctl_sts:
		ctl_sts(s, &m->ctl_sts);
		break;
	case MSG_ctl_dest:
		ctl_dest(s, &m->ctl_dest);
		break;
	case MSG_ctl_reload:
		ctl_parent_reload(s);
		break;
	case MSG_ctl_spool:
		ctl_spool(s, &m->ctl_spool);
		break;
	case MSG_ctl_spool_file:
		ctl_backup_file(s, m->ctl_spool_file.name);
		break;
	case MSG_ctl_log_level:
		ctl_parent_log_level(s, m->ctl_log_level.level);
		break;
	default:
		break;
	}
	if (s->job.step != NULL)
		timer_start(&s->q->ctl->slice, CTL_NEXT_TURN_MS);
}

static void
on_close(void *ctx, struct channel *c, enum channel_end end, const char *why)
{
	struct ctl_session *s = ctx;

	(void)c;
	if (end == CHANNEL_VIOLATION && log_begin(s->q->log,
	    LOG_PEER_VIOLATION, NULL)) {
		log_str(s->q->log, "peer", "mtactl");
		log_u64(s->q->log, "uid", s->uid);
		log_str(s->q->log, "why", why);
		log_end(s->q->log);
	}
	session_free(s->q->ctl, s);
}

/* Its reader has taken all: more of the job can be sent, if it waited for that;
 * it is told of each row that leaves, and keeps its pace. */
static void
on_sent(void *ctx)
{
	const struct ctl_session *s = ctx;
	struct timer *slice = &s->q->ctl->slice;

	if (s->job.step != NULL && !timer_is_running(slice))
		timer_start(slice, CTL_NEXT_TURN_MS);
}

static const struct channel_ops channel_ops = {
	.on_msg = on_msg,
	.on_close = on_close,
};

/* Root, ourselves, and the group of the socket (`mtad`). */
static bool
may_speak(const struct ctl *ctl, int fd, struct creds_peer *peer)
{
	bool is_member = false;

	if (creds_peer(fd, peer) != OK)
		return false;
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	return ctl->group != UINT32_MAX &&
	    creds_peer_in_group(fd, ctl->group, &is_member) == OK && is_member;
}

/* FD is taken only if it succeeds; the table is bounded, so ERR_FULL too. */
static enum err
session_new(struct ctl *ctl, int fd, uint32_t uid)
{
	struct channel_id self = { .role = ROLE_QUEUED };
	struct channel_id peer = { .role = ROLE_CTL };
	struct ctl_session *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return ERR_NOMEM;
	s->q = ctl->q;
	s->uid = uid;
	buf_init(&s->rows, 4 * 1024 * 1024);
	self.instance = proc_instance(ctl->q->proc);
	if ((e = slots_add(ctl->sessions, s, &s->id)) != OK) {
		free(s);
		return e;
	}
	e = channel_new(ctl->q->loop, fd, &self, &peer, &channel_ops, s,
	    &s->channel);
	if (e != OK) {
		slots_remove(ctl->sessions, s->id);
		free(s);
		return e;
	}
	channel_on_sent(s->channel, on_sent);
	return OK;
}

/* Who may not speak hears nothing: the log has the uid. */
static void
on_accept(void *ctx, int fd, const struct endpoint *peer)
{
	struct ctl *ctl = ctx;
	struct creds_peer who = { .uid = (uid_t)-1 };

	(void)peer;
	if (may_speak(ctl, fd, &who) && session_new(ctl, fd, who.uid) == OK)
		return;
	if (log_begin(ctl->q->log, LOG_CONTROL_REFUSED, NULL)) {
		log_u64(ctl->q->log, "uid", who.uid);
		log_end(ctl->q->log);
	}
	close(fd);
}

static const struct listener_ops listener_ops = {
	.on_accept = on_accept,
};

static struct ctl *
ctl_new(struct queued *q)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));

	if (ctl == NULL)
		return NULL;
	ctl->q = q;
	buf_init(&ctl->processes, 1024 * 1024);
	if (slots_new(CTL_SESSIONS_MAX, &ctl->sessions) != OK ||
	    timer_init(&ctl->slice, q->loop, on_slice, ctl) != OK) {
		slots_free(&ctl->sessions);
		free(ctl);
		return NULL;
	}
	return ctl;
}

struct ctl *
ctl_get(struct queued *q)
{
	if (q->ctl == NULL)
		q->ctl = ctl_new(q);
	return q->ctl;
}

/* ---- clients of smtpd that call for mail ---- */

static bool
is_called(struct ctl *ctl, struct span selection, unsigned *calls)
{
	struct ctl_session *s;
	uint32_t cursor = 0;
	bool is_there = false;

	while ((s = slots_next(ctl->sessions, &cursor)) != NULL) {
		*calls += s->channel == NULL;
		is_there |= s->channel == NULL &&
		    span_equal(buf_span(&s->job.words), selection);
	}
	return is_there;
}

static enum err
begin_call(struct ctl *ctl, struct span selection)
{
	struct msg_ctl_queue m = { .verb = CTL_RETRY, .selection = selection };
	struct ctl_session *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return ERR_NOMEM;
	s->q = ctl->q;
	s->uid = HISTORY_NOBODY;
	buf_init(&s->rows, 1024 * 1024);
	if ((e = slots_add(ctl->sessions, s, &s->id)) != OK) {
		free(s);
		return e;
	}
	ctl_queue_begin(s, &m);
	if (s->job.step != NULL)
		timer_start(&ctl->slice, CTL_NEXT_TURN_MS);
	end_call(ctl, s);
	return OK;
}

/* Another call for the same is what is under way already. */
void
ctl_call(struct queued *q, const struct msg_etrn *m)
{
	struct ctl *ctl = ctl_get(q);
	struct buf words;
	unsigned calls = 0;

	if (ctl == NULL || domain_check(m->domain, DOMAIN_UNDERSCORE) != OK)
		return;
	buf_init(&words, 1024);
	buf_add_str(&words, "domain:");
	buf_add_span(&words, m->domain);
	if (m->is_below) {
		buf_add_str(&words, " or domain:*.");
		buf_add_span(&words, m->domain);
	}
	if (!buf_failed(&words) && !is_called(ctl, buf_span(&words), &calls) &&
	    calls < CALLS_MAX)
		(void)begin_call(ctl, buf_span(&words));
	buf_clear(&words);
}

/* ---- life ---- */

/* At the start; a reload may bring another socket.  Without one no operator
 * could ever ask (I-10): then a new process is to try. */
void
ctl_listen(struct queued *q, int fd, uint32_t group)
{
	struct ctl *ctl = ctl_get(q);
	enum err e = ERR_NOMEM;

	if (ctl != NULL) {
		listener_close(&ctl->listener);
		ctl->group = group;
		e = listener_new(q->loop, fd, &listener_ops, ctl,
		    &ctl->listener);
	}
	if (e == OK)
		return;
	close(fd);
	proc_fail(q->proc, "the control socket cannot be served");
}

/* ---- what awaits others ---- */

/* The job's count was kept for this answer. */
void
ctl_synced(struct queued *q, uint64_t session)
{
	struct ctl_session *s = ctl_find(q, session);

	if (s == NULL)
		return;
	s->awaits_sync = false;
	if (s->history != NULL)
		ctl_history_synced(s);
	else
		ctl_end(s, CTL_DONE, s->job.count, SPAN_NONE);
	end_call(q->ctl, s);
}

void
ctl_clear(struct queued *q)
{
	struct ctl *ctl = q->ctl;
	struct ctl_session *s;
	uint32_t cursor = 0;

	if (ctl == NULL)
		return;
	while ((s = slots_next(ctl->sessions, &cursor)) != NULL)
		session_free(ctl, s);
	listener_close(&ctl->listener);
	timer_clear(&ctl->slice);
	slots_free(&ctl->sessions);
	buf_clear(&ctl->processes);
	free(ctl);
	q->ctl = NULL;
}
