/*
 * Questions that are answered in one go: one message with the header of its
 * content, and the figures of queued with its parent's table of processes.
 */
#include "common/base/check.h"
#include "common/mail/header.h"
#include "mtad_version.h"
#include "queued/ctl_private.h"
#include "queued/history.h"

/* A header longer than this is cut: a frame carries it to a person. */
enum { HEAD_SHOWN = 64 * 1024 };

/* ---- one message ---- */

/* Without readable content the row stands alone: it is no reason to fail. */
static void
send_head(struct ctl_session *s, const struct store_message *m, uint64_t id)
{
	struct queued *q = s->q;
	struct msg msg = { .type = MSG_ctl_head };
	struct span head;
	uint64_t size = store_message_size(m);

	buf_reset(&q->content);
	if (store_content(q->store, m, 0, size < HEAD_SHOWN ? (size_t)size :
	    HEAD_SHOWN, &q->content) != OK)
		return;
	head = span_sub(buf_span(&q->content), 0, HEAD_SHOWN);
	msg.ctl_head.id = id;
	msg.ctl_head.bytes = span_sub(head, 0, header_length(head));
	ctl_send(s, &msg);
}

/* The head is shown by the id that was asked for. */
struct shown {
	struct ctl_session *s;
	struct ctl_whole whole;
};

static bool
add_part(void *ctx, struct store_glance *g)
{
	const struct store_message *m = store_glance_message(g);
	struct ctl_whole *w = &((struct shown *)ctx)->whole;

	if (m->list.id != w->id)
		return true;
	w->first = w->first != 0 ? w->first : m->id;
	w->total = m->list.total;
	w->left += m->left;
	w->parts += m->id != w->id;
	return true;
}

/* What is left of list ID: itself, parts. */
static void
gather(struct shown *sh, uint64_t id)
{
	struct store_path path = { .first = id,
	    .last = id + STORE_LIST_PARTS };
	uint64_t after = id - 1;

	sh->whole.id = id;
	while (after != UINT64_MAX)
		after = store_look(sh->s->q->store, &path, after,
		    STORE_LIST_PARTS + 1, add_part, sh);
}

static bool
show_head(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	const struct shown *sh = ctx;

	(void)units;
	send_head(sh->s, m, sh->whole.first != 0 ? sh->whole.id : m->id);
	return true;
}

/* Unlike a list it does not stop at a hundred recipients. */
static bool
show_row(void *ctx, struct store_glance *g)
{
	const struct shown *sh = ctx;

	ctl_send_row(sh->s, g, STORE_UNIT_RECIPIENTS,
	    sh->whole.first != 0 ? &sh->whole : NULL);
	return true;
}

/* The row is shown in place; for its content it must be in memory.  Of a list
 * the first that is left speaks for all, with sums over them. */
void
ctl_show(struct ctl_session *s, uint64_t id)
{
	struct shown sh = { .s = s };
	struct store_path path = { .is_listed = true, .ids = &id,
	    .id_count = 1 };

	gather(&sh, id);
	if (sh.whole.first != 0)
		id = sh.whole.first;
	path.first = path.last = id;
	(void)store_look(s->q->store, &path, 0, 1, show_row, &sh);
	if (store_show(s->q->store, id, show_head, &sh) == OK)
		ctl_end(s, CTL_DONE, 1, SPAN_NONE);
	else
		ctl_end(s, CTL_NO_SUCH_MESSAGE, 0,
		    SPAN_LIT("no such message is queued"));
}

/* ---- status ---- */

/* By name, so that a new figure needs no new protocol. */
struct named_figure {
	const char *name;
	uint64_t value;
};

static void
put_figures(struct ctl_session *s, struct msg_list *list)
{
	const struct queued *q = s->q;
	struct journal_figures h = { .events = 0 };
	struct store_figures f;

	store_figures(q->store, &f);
	if (history_journal(s->q) != NULL)
		journal_figures(history_journal(s->q), &h);
	const struct named_figure figures[] = {
		{ "messages", f.messages },
		{ "recipients", f.recipients },
		{ "bytes", f.bytes },
		{ "disk_bytes", f.disk_bytes },
		{ "ready", plan_count(q->plan, PLAN_READY) },
		{ "leased", plan_count(q->plan, PLAN_LEASED) },
		{ "waiting", plan_count(q->plan, PLAN_WAITING) },
		{ "held", plan_count(q->plan, PLAN_HELD) },
		{ "destinations", plan_destinations(q->plan) },
		{ "accepted", q->figures.accepted },
		{ "delivered", q->figures.delivered },
		{ "deferred", q->figures.deferred },
		{ "failed", q->figures.failed },
		{ "reports", q->figures.reports },
		{ "refused", q->figures.refused },
		{ "groups", f.groups },
		{ "syncs", f.syncs },
		{ "checkpoint_lag_bytes", f.checkpoint_lag_bytes },
		{ "memory_messages", f.memory_messages },
		{ "longest_read_us", f.longest_read_us },
		{ "history_events", h.events },
		{ "history_lost", h.lost },
		{ "history_written_bytes", h.written },
		{ "history_writes", h.writes },
		{ "history_bytes", h.bytes },
		{ "uptime_ms", (uint64_t)(queued_now(q) - q->started_at_ms) },
		{ "is_accepting", store_room(q->store).is_accepting },
	};

	buf_reset(&s->rows);
	for (size_t i = 0; i < COUNT_OF(figures); i++) {
		struct msg_figure m = { .name = span_str(figures[i].name) };

		m.value = figures[i].value;
		msg_put_figure(&s->rows, &m);
	}
	list->n = COUNT_OF(figures);
	list->bytes = buf_span(&s->rows);
}

/* The parent has told of its processes before this is called; without memory
 * for them they are left out. */
void
ctl_status(struct ctl_session *s)
{
	const struct ctl *ctl = s->q->ctl;
	struct msg m = { .type = MSG_ctl_figures };

	m.ctl_figures.version = span_str(MTAD_VERSION);
	m.ctl_figures.processes.n = ctl->process_count;
	m.ctl_figures.processes.bytes = ctl->process_count > 0 ?
	    buf_span(&ctl->processes) : SPAN_NONE;
	put_figures(s, &m.ctl_figures.figures);
	ctl_send(s, &m);
	ctl_end(s, CTL_DONE, 0, SPAN_NONE);
}
