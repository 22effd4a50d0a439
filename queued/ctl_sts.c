/*
 * `mtactl sts`: which policies of MTA-STS are known, and to have one fetched
 * anew.
 */
#include "queued/ctl_sts.h"

#include "common/log/log.h"
#include "queued/ctl_private.h"
#include "queued/policies.h"

enum { ROWS_A_STEP = 64 };

static void
send_row(struct ctl_session *s, struct span record)
{
	struct msg m = { .type = MSG_ctl_sts_row };

	m.ctl_sts_row.record = record;
	ctl_send(s, &m);
}

/* What comes or goes between two steps may be missed, or told twice. */
static bool
list_some(struct ctl_session *s)
{
	struct ctl_job *job = &s->job;
	size_t cursor = (size_t)job->cursor;

	for (int i = 0; i < ROWS_A_STEP; i++) {
		struct span record = policies_next(s->q, &cursor);

		if (record.n == 0) {
			ctl_end(s, CTL_DONE, job->count, SPAN_NONE);
			return true;
		}
		job->count++;
		send_row(s, record);
	}
	job->cursor = cursor;
	return false;
}

static void
tell_one(struct ctl_session *s, struct span domain)
{
	struct span record = policies_find(s->q, domain);

	if (record.n > 0)
		send_row(s, record);
	ctl_end(s, CTL_DONE, record.n > 0, SPAN_NONE);
}

static void
forget(struct ctl_session *s, struct span domain)
{
	if (!policies_forget(s->q, domain)) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no policy is known of "
		    "that domain; `mtactl sts list` has all"));
		return;
	}
	if (log_begin(s->q->log, LOG_POLICY_FORGOTTEN, NULL)) {
		log_text(s->q->log, "domain", domain);
		log_u64(s->q->log, "uid", s->uid);
		log_end(s->q->log);
	}
	ctl_end(s, CTL_DONE, 1, SPAN_NONE);
}

void
ctl_sts(struct ctl_session *s, const struct msg_ctl_sts *m)
{
	if (m->verb == CTL_STS_FORGET) {
		forget(s, m->domain);
	} else if (m->domain.n > 0) {
		tell_one(s, m->domain);
	} else {
		s->job.cursor = 0;
		s->job.count = 0;
		s->job.verb = CTL_LIST;	/* changes nothing: waits for nobody */
		s->job.step = list_some;
	}
}
