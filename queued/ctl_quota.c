/*
 * `mtactl quota`: who handed in how much of late, and to let somebody go on.
 */
#include "common/log/log.h"
#include "queued/ctl_private.h"
#include "queued/quota/quota.h"
#include "queued/quotas.h"

enum { ROWS_A_STEP = 64 };

static uint32_t
to_u32(int64_t ms)
{
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void
send_row(struct ctl_session *s, const struct quota_view *view)
{
	struct msg m = { .type = MSG_ctl_quota_row };

	buf_reset(&s->rows);
	for (int i = 0; i < QUOTA_WHATS; i++)
		msg_put_ctl_quota_use(&s->rows, &(struct msg_ctl_quota_use){
		    .used = view->use[i].used,
		    .limit = view->use[i].limit.count,
		    .period_ms = view->use[i].limit.period_ms });
	m.ctl_quota_row.each = (uint8_t)view->each;
	m.ctl_quota_row.name = view->name;
	m.ctl_quota_row.uses.n = QUOTA_WHATS;
	m.ctl_quota_row.uses.bytes = buf_span(&s->rows);
	m.ctl_quota_row.refused = view->refused;
	m.ctl_quota_row.wait_ms = to_u32(view->wait_ms);
	if (!buf_failed(&s->rows))
		ctl_send(s, &m);
}

/* Those that must wait, then the others.  Who comes or is forgotten between two
 * steps may be missed, or told twice. */
static bool
list_some(struct ctl_session *s)
{
	const struct quota *counts = quotas_counts(s->q);
	int64_t now = (int64_t)queued_wall(s->q);
	struct ctl_job *job = &s->job;
	struct quota_view view;

	for (int i = 0; i < ROWS_A_STEP; i++) {
		if (!quota_next(counts, &job->cursor, now, &view)) {
			job->cursor = 0;
			if (job->seen++ == 0)
				continue;
			ctl_end(s, CTL_DONE, job->count, SPAN_NONE);
			return true;
		}
		if ((view.wait_ms > 0) != (job->seen == 0))
			continue;
		job->count++;
		send_row(s, &view);
	}
	return false;
}

static void
reset(struct ctl_session *s, const struct msg_ctl_quota *m)
{
	uint32_t n = m->each < CONF_EACH_COUNT ?
	    quotas_reset(s->q, m->each, m->name) : 0;

	if (n > 0 && log_begin(s->q->log, LOG_QUOTA_RESET, NULL)) {
		log_text(s->q->log, conf_each_name(m->each), m->name);
		log_u64(s->q->log, "uid", s->uid);
		log_end(s->q->log);
	}
	if (n > 0)
		ctl_end(s, CTL_DONE, n, SPAN_NONE);
	else
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("nothing is counted for "
		    "that name; `mtactl quota list` has all"));
}

void
ctl_quota(struct ctl_session *s, const struct msg_ctl_quota *m)
{
	if (m->verb == CTL_QUOTA_RESET) {
		reset(s, m);
		return;
	}
	s->job.cursor = 0;
	s->job.count = s->job.seen = 0;
	s->job.verb = CTL_LIST;		/* changes nothing: waits for nobody */
	s->job.step = list_some;
}
