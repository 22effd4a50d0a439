/*
 * The end, in an order in which nobody waits for one that is gone: smtpd
 * finishes the messages in hand, which needs queued; deliverd finishes its
 * attempts and gives the verdicts to queued; queued writes all of it; fetchd,
 * dnsd and keyd were needed by the first two.  Each stage begins when the processes of the one
 * before have ended.
 *
 * A second signal hurries: the graces become short, but queued keeps enough
 * time for its last groups.  Even a kill would lose no accepted message
 * (I-01); it would cost a repeated delivery and a longer start.
 */
#include "mtad/stop.h"

#include "mtad/child.h"

#define GRACE_SMTPD_MS		10000
#define GRACE_DELIVERD_MS	10000
#define GRACE_QUEUED_MS		30000	/* writes its last groups and index */
#define GRACE_FETCHD_MS		2000
#define GRACE_DNSD_MS		2000
#define GRACE_KEYD_MS		2000
#define GRACE_HURRIED_MS	500
#define GRACE_QUEUED_HURRIED_MS	5000

static const struct stage {
	enum proc_id id;
	int64_t grace_ms;
	int64_t hurried_ms;
} stages[] = {
	{ PROC_SMTPD, GRACE_SMTPD_MS, GRACE_HURRIED_MS },
	{ PROC_DELIVERD, GRACE_DELIVERD_MS, GRACE_HURRIED_MS },
	{ PROC_QUEUED, GRACE_QUEUED_MS, GRACE_QUEUED_HURRIED_MS },
	{ PROC_FETCHD, GRACE_FETCHD_MS, GRACE_HURRIED_MS },
	{ PROC_DNSD, GRACE_DNSD_MS, GRACE_HURRIED_MS },
	{ PROC_KEYD, GRACE_KEYD_MS, GRACE_HURRIED_MS },
};

#define STAGE_COUNT (sizeof(stages) / sizeof(stages[0]))

static bool
is_running(const struct mtad *m, enum proc_id id)
{
	for (size_t i = 0; i < m->child_count; i++) {
		if (m->children[i].row->id == id && m->children[i].pid != 0)
			return true;
	}
	return false;
}

static void
drain_stage(struct mtad *m)
{
	const struct stage *stage = &stages[m->stop_stage];

	for (size_t i = 0; i < m->child_count; i++) {
		if (m->children[i].row->id == stage->id)
			child_drain(&m->children[i], m->is_hurried ?
			    stage->hurried_ms : stage->grace_ms);
	}
}

/* Called after each death.  A stage without processes is passed over. */
void
stop_next(struct mtad *m)
{
	while (m->stop_stage < STAGE_COUNT &&
	    !is_running(m, stages[m->stop_stage].id)) {
		if (++m->stop_stage < STAGE_COUNT)
			drain_stage(m);
	}
	if (m->stop_stage == STAGE_COUNT)
		loop_stop(m->loop);
}

/* Nothing is started any more, and nobody can connect. */
static void
begin(struct mtad *m)
{
	m->phase = MTAD_STOPPING;
	for (size_t i = 0; i < m->child_count; i++)
		timer_stop(&m->children[i].restart);
	ports_close(&m->ports, NULL);
	m->stop_stage = 0;
	drain_stage(m);
	stop_next(m);
}

void
stop_start(struct mtad *m)
{
	if (m->phase == MTAD_STOPPING) {
		if (m->is_hurried)
			return;
		m->is_hurried = true;
		drain_stage(m);
		return;
	}
	if (log_begin(m->log, LOG_STOPPING, NULL))
		log_end(m->log);
	begin(m);
}

/* Only before all have served once: later a child that can't start is tried
 * again and again. */
void
stop_failed(struct mtad *m)
{
	if (m->phase == MTAD_STOPPING)
		return;
	m->exit_code = MTAD_EXIT_FAILED;
	m->is_hurried = true;
	if (log_begin(m->log, LOG_FAILED, NULL)) {
		log_str(m->log, "why", "a process could not begin");
		log_end(m->log);
	}
	begin(m);
}
