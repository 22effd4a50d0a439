/*
 * What is known of one verdict while it is worked on (outcome.c's own); one
 * of them lives as long as queued, for its arrays are large.
 */
#ifndef MTAD_QUEUED_OUTCOME_WORK_H
#define MTAD_QUEUED_OUTCOME_WORK_H

#include "common/ipc/messages.h"
#include "queued/bounce.h"
#include "queued/lease.h"
#include "queued/plan/plan_look.h"
#include "queued/shape/shape_rules.h"
#include "queued/store/store_write.h"

#define OUTCOME_NO_ATTEMPT 0xff

struct outcome_work {
	struct store_result results[STORE_UNIT_RECIPIENTS];
	uint8_t attempt_of[STORE_UNIT_RECIPIENTS];	/* of each result */
	bool is_in_doubt[STORE_UNIT_RECIPIENTS];	/* at its end */
	struct store_result runs[STORE_UNIT_RECIPIENTS];
	size_t run_count;		/* the same, neighbours together */
	size_t count;			/* each about one recipient … */
	bool is_told[STORE_UNIT_RECIPIENTS];	/* … that is told of once */
	struct msg_attempt attempts[64];
	size_t attempt_count;
	struct span history;		/* the attempts as deliverd told them */
	uint64_t begun_at;		/* wall ms, as the clock was then */
	bool is_late;			/* the time of its BY= is over */
	bool is_try;			/* counts as an attempt */
	/* whoever took it tells the sender what he asked for */
	uint8_t told_by[STORE_UNIT_RECIPIENTS];	/* as has_dsn of a result */
	struct shape_lesson lesson;	/* of its first temporary refusal */
	struct bounce failure;
	struct bounce delay;
	struct bounce relayed;
};

/* outcome_log.c: attempts as deliverd told them; whether nobody of those told
 * of is tried again; results as runs of neighbours */
void outcome_read_attempts(struct outcome_work *w, struct msg_list attempts);
bool outcome_is_all_settled(const struct outcome_work *w);
void outcome_gather_runs(struct outcome_work *w);

/* Why mail for a destination waits that may go with its unit: TEXT and STATUS
 * keep the words. */
void outcome_put_why(const struct plan_dest_view *dest,
    char text[PLAN_WHY_MAX], char status[sizeof("5.999.999")],
    struct store_result *out);

/* What the verdict of LEASE means for more than its message; the scope of what
 * is left to the planner. */
uint8_t outcome_learn(struct queued *q, struct outcome_work *w,
    const struct lease *lease, uint8_t scope);

/* Whether a recipient with this outcome is done with. */
bool outcome_settles(uint8_t outcome);

/* outcome_doubt.c: holds UNIT when somebody of those told of stays in doubt and
 * its route wants that.  Before the verdict: what fails can be told again. */
enum err outcome_doubt_apply(struct queued *q, const struct outcome_work *w,
    struct store_unit *unit);

/* Nobody has an answer: whoever talked would rather have less. */
bool outcome_is_pushback(const struct outcome_work *w);

/* By the wall clock. */
int64_t outcome_age_ms(const struct queued *q, const struct store_message *m);

/* outcome_report.c: the reports of one verdict, and their appending, after which
 * the verdict can't fail; both before it.  ERR_NOMEM, ERR_FULL. */
enum err outcome_build_reports(struct queued *q, struct outcome_work *w,
    const struct store_unit *unit);
enum err outcome_submit_reports(struct queued *q, struct outcome_work *w,
    const struct store_unit *unit);

/* For forecasts: how an attempt at the destination KEY went. */
void outcome_note_rates(struct queued *q, const struct outcome_work *w,
    struct span key, uint8_t scope);

#endif
