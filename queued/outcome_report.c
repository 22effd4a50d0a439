/*
 * What a verdict has told to the sender: which results, in which reports.  They
 * are built while the message is still there, and appended to the open group
 * before the verdict, which can't fail any more then (I-02).
 */
#include "queued/outcome_work.h"

#include "common/base/mtime.h"
#include "queued/history.h"
#include "queued/residence.h"
#include "queued/times.h"

/* By the wall clock, for the arrival may lie before our start.  Below 0 before
 * it may be delivered. */
int64_t
outcome_age_ms(const struct queued *q, const struct store_message *m)
{
	return mtime_sub((int64_t)queued_wall(q), (int64_t)times_released(m));
}

/* Never of a report or to a null sender. */
static bool
can_be_told(const struct store_message *m)
{
	return !m->is_report && m->sender.n > 0;
}

/* Once in the life of a message. */
static bool
wants_notice(struct queued *q, const struct store_unit *unit)
{
	const struct store_message *m = unit->message;
	int64_t warn = residence_policy(q, unit)->warn_ms;

	return !m->is_warned && can_be_told(m) && (times_is_late(q, m) ||
	    (warn > 0 && outcome_age_ms(q, m) >= warn));
}

/* Tells of result I. */
static void
tell(struct bounce *b, const struct store_unit *unit,
    const struct outcome_work *w, size_t i)
{
	const struct store_result *r = &w->results[i];
	const struct store_recipient *rcpt = &unit->recipients[r->first];
	struct report_rcpt *row =
	    bounce_add(b, rcpt->address, rcpt->attributes);

	if (row == NULL)
		return;
	row->is_expired = r->outcome == OUTCOME_EXPIRED;
	/* a path is nothing for a sender */
	row->remote_host = r->host.n > 0 && r->host.p[0] == '/' ? SPAN_NONE :
	    r->host;
	row->code = r->code;
	row->text = r->text;
	row->is_in_doubt = w->is_in_doubt[i];
	row->last_attempt_at = (int64_t)w->begun_at;
	if (status_parse(r->status, &row->status) != OK)
		row->status = STATUS(0, 0, 0);
	/* RFC 2852 4.1.3 */
	if (b == &w->delay && w->is_late)
		row->status = STATUS(4, 4, 7);
}

/* One report for all failures of this verdict, one for all delays, and one for
 * all whose delivery the sender wants to know and nobody else will tell. */
enum err
outcome_build_reports(struct queued *q, struct outcome_work *w,
    const struct store_unit *unit)
{
	bool notice = wants_notice(q, unit);
	enum err e;

	bounce_init(&w->failure, unit->message, REPORT_FAILED);
	bounce_init(&w->delay, unit->message, REPORT_DELAYED);
	bounce_init(&w->relayed, unit->message, REPORT_RELAYED);
	w->delay.life_ms = residence_life_ms(q, unit);
	w->is_late = times_is_late(q, unit->message);
	for (size_t i = 0; i < w->count; i++) {
		const struct store_result *r = &w->results[i];

		if (r->outcome == OUTCOME_FAILED ||
		    r->outcome == OUTCOME_EXPIRED)
			tell(&w->failure, unit, w, i);
		else if (!outcome_settles(r->outcome) && notice)
			tell(&w->delay, unit, w, i);
		else if (r->outcome == OUTCOME_DELIVERED &&
		    can_be_told(unit->message) && w->told_by[i] != 1) {
			w->relayed.is_by_lost = w->told_by[i] == 2;
			tell(&w->relayed, unit, w, i);
		}
	}
	if ((e = bounce_build(q, &w->failure)) != OK ||
	    (e = bounce_build(q, &w->relayed)) != OK)
		return e;
	return bounce_build(q, &w->delay);
}

/* Reserving comes first: after it the verdict cannot fail any more, so that no
 * report is ever appended without it. */
enum err
outcome_submit_reports(struct queued *q, struct outcome_work *w,
    const struct store_unit *unit)
{
	uint64_t id = unit->message->id;
	enum err e = store_reserve(q->store, w->history.n +
	    w->run_count * 4096 + bounce_bytes(&w->failure) +
	    bounce_bytes(&w->relayed) + bounce_bytes(&w->delay));

	if (e != OK || (e = bounce_submit(q, &w->failure)) != OK)
		return e;
	if (w->failure.is_wanted)
		history_note(q, id, unit->number, JOURNAL_REPORTED,
		    w->failure.id, HISTORY_NOBODY, "");
	/* Others may find no room: a delay is told with a later attempt, that
	 * it was passed on not at all. */
	if (bounce_submit(q, &w->relayed) == OK && w->relayed.is_wanted)
		history_note(q, id, unit->number, JOURNAL_REPORTED,
		    w->relayed.id, HISTORY_NOBODY, "");
	if (bounce_submit(q, &w->delay) != OK)
		w->delay.is_wanted = false;
	if (w->delay.is_wanted)
		history_note(q, id, unit->number, JOURNAL_NOTICED,
		    w->delay.id, HISTORY_NOBODY, "");
	return OK;
}
