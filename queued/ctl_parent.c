#include "queued/ctl_parent.h"

#include "common/base/slots.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/proc/proc.h"
#include "queued/ctl.h"
#include "queued/ctl_private.h"

/* The cookie tells this answer from that of a reload by signal, which has 0. */
void
ctl_parent_reload(struct ctl_session *s)
{
	struct ctl *ctl = s->q->ctl;
	struct msg m = { .type = MSG_reload_ask };

	s->reload_cookie = ++ctl->next_cookie;
	m.reload_ask.cookie = s->reload_cookie;
	if (channel_send(proc_parent(s->q->proc), &m) != OK)
		ctl_end(s, CTL_FAILED, 0,
		    SPAN_LIT("the parent process can't be reached"));
}

/* It is the parent that tells all processes, us too. */
void
ctl_parent_log_level(struct ctl_session *s, uint8_t level)
{
	struct msg m = { .type = MSG_log_level };

	m.log_level.level = level;
	if (level >= LOG_LEVEL_COUNT)
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("there is no such level"));
	else if (channel_send(proc_parent(s->q->proc), &m) != OK)
		ctl_end(s, CTL_FAILED, 0,
		    SPAN_LIT("the parent process can't be reached"));
	else
		ctl_end(s, CTL_DONE, 0, SPAN_NONE);
}

static void
on_reload_done(struct ctl *ctl, const struct msg_reload_done *m)
{
	struct ctl_session *s;
	uint32_t cursor = 0;

	while ((s = slots_next(ctl->sessions, &cursor)) != NULL) {
		if (s->reload_cookie != m->cookie || m->cookie == 0)
			continue;
		s->reload_cookie = 0;
		ctl_end(s, m->is_done ? CTL_DONE : CTL_FAILED, 0, m->text);
	}
}

/* Whoever asked right after the start has waited for this. */
static void
on_processes(struct ctl *ctl, const struct msg_processes *m)
{
	struct ctl_session *s;
	uint32_t cursor = 0;

	buf_reset(&ctl->processes);
	buf_add_span(&ctl->processes, m->rows.bytes);
	ctl->process_count = buf_failed(&ctl->processes) ? 0 : m->rows.n;
	while ((s = slots_next(ctl->sessions, &cursor)) != NULL) {
		if (!s->wants_status)
			continue;
		s->wants_status = false;
		ctl_status(s);
	}
}

void
ctl_parent_msg(struct queued *q, const struct msg *m)
{
	struct ctl *ctl = ctl_get(q);

	if (ctl == NULL)
		return;
	if (m->type == MSG_reload_done)
		on_reload_done(ctl, &m->reload_done);
	else if (m->type == MSG_processes)
		on_processes(ctl, &m->processes);
}
