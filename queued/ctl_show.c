/*
 * Questions that are answered in one go: one message with the header of its
 * content, and the figures of queued with its parent's table of processes.
 */
#include "common/base/check.h"
#include "common/mail/header.h"
#include "mtad_version.h"
#include "queued/ctl_history.h"
#include "queued/ctl_private.h"
#include "queued/history.h"
#include "queued/shaping.h"

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

static bool
add_part(void *ctx, struct store_glance *g)
{
	const struct store_message *m = store_glance_message(g);
	struct ctl_whole *w = ctx;

	if (m->list.id != w->id)
		return true;
	w->first = w->first != 0 ? w->first : m->id;
	w->total = m->list.total;
	w->left += m->left;
	if (m->id == w->id)
		w->begun = m->list.count;
	else
		w->parts++;
	return true;
}

/* What is left of list ID: itself, parts. */
static void
gather(struct ctl_session *s, uint64_t id)
{
	struct store_path path = { .first = id,
	    .last = id + STORE_LIST_PARTS };
	struct ctl_whole *w = &s->whole;
	uint64_t after = id - 1;

	w->id = id;
	w->first = 0;
	w->total = w->left = w->parts = w->begun = 0;
	while (after != UINT64_MAX)
		after = store_look(s->q->store, &path, after,
		    STORE_LIST_PARTS + 1, add_part, w);
}

/* ---- what became of the recipients of a list ---- */

static void
count_end(struct ctl_whole *w, const struct journal_result *r)
{
	uint64_t n = r->last - r->first + 1;

	if (!r->is_settled || r->last < r->first || n > STORE_UNIT_RECIPIENTS)
		return;
	switch (r->outcome) {
	case OUTCOME_DELIVERED:
		w->delivered += (uint32_t)n;
		break;
	case OUTCOME_FAILED:
		w->failed += (uint32_t)n;
		break;
	case OUTCOME_EXPIRED:
		w->expired += (uint32_t)n;
		break;
	case OUTCOME_DISCARDED:
		w->deleted += (uint32_t)n;
		break;
	default:
		break;
	}
}

/* Of the list itself, whose one recipient stands for those not begun. */
static void
count_list(struct ctl_whole *w, const struct journal_record *r)
{
	struct journal_action action;
	struct journal_attempt attempt;
	struct journal_result result;

	if (r->type == JOURNAL_ACTION &&
	    journal_action_get(r->fields, &action) == OK &&
	    action.kind == JOURNAL_PART)
		w->told += STORE_UNIT_RECIPIENTS;
	if (r->type != JOURNAL_ATTEMPT ||
	    journal_attempt_get(r->fields, &attempt) != OK)
		return;
	while (journal_result_next(&attempt.results, &result))
		w->is_deleted |= result.outcome == OUTCOME_DISCARDED;
}

static void
count_record(struct ctl_session *s, const struct journal_record *r)
{
	struct journal_attempt attempt;
	struct journal_result result;

	if (r->id == s->whole.id) {
		count_list(&s->whole, r);
		return;
	}
	if (r->type != JOURNAL_ATTEMPT ||
	    journal_attempt_get(r->fields, &attempt) != OK)
		return;
	while (journal_result_next(&attempt.results, &result))
		count_end(&s->whole, &result);
}

/* Before the row that it belongs to.  A list that is no more was begun wholly,
 * or deleted before that. */
static void
send_list(struct ctl_session *s, bool is_known)
{
	struct msg m = { .type = MSG_ctl_list };
	const struct ctl_whole *w = &s->whole;
	uint32_t begun = w->total;

	if (w->first == w->id)
		begun = w->begun;
	else if (w->is_deleted && w->told < w->total)
		begun = w->told;
	m.ctl_list.begun = begun;
	m.ctl_list.is_known = is_known;
	m.ctl_list.delivered = w->delivered;
	m.ctl_list.failed = w->failed;
	m.ctl_list.expired = w->expired;
	m.ctl_list.deleted = w->deleted +
	    (w->is_deleted ? w->total - begun : 0);
	ctl_send(s, &m);
}

/* ---- the answer ---- */

/* The head is shown by the id that was asked for. */
static bool
show_head(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct ctl_session *s = ctx;

	(void)units;
	send_head(s, m, s->whole.first != 0 ? s->whole.id : m->id);
	return true;
}

/* Unlike a list it does not stop at a hundred recipients. */
static bool
show_row(void *ctx, struct store_glance *g)
{
	struct ctl_session *s = ctx;

	ctl_send_row(s, g, STORE_UNIT_RECIPIENTS,
	    s->whole.first != 0 ? &s->whole : NULL);
	return true;
}

/* The row is shown in place; for its content it must be in memory.  Of a list
 * the first that is left speaks for all, with sums over them. */
static void
show(struct ctl_session *s)
{
	uint64_t id = s->whole.first != 0 ? s->whole.first : s->whole.id;
	struct store_path path = { .is_listed = true, .ids = &id,
	    .id_count = 1, .first = id, .last = id };

	(void)store_look(s->q->store, &path, 0, 1, show_row, s);
	if (store_show(s->q->store, id, show_head, s) == OK)
		ctl_end(s, CTL_DONE, 1, SPAN_NONE);
	else
		ctl_end(s, CTL_NO_SUCH_MESSAGE, 0,
		    SPAN_LIT("no such message is queued; `mtactl message "
		    "history ID` tells what became of one"));
}

/* Some may have ended while the history was read. */
static void
show_list(struct ctl_session *s, bool is_known)
{
	gather(s, s->whole.id);
	if (s->whole.first != 0)
		send_list(s, is_known);
	show(s);
}

void
ctl_show(struct ctl_session *s, uint64_t id)
{
	s->whole = (struct ctl_whole){ .id = id };
	gather(s, id);
	if (s->whole.first == 0)
		show(s);
	else if (!ctl_history_scan(s, id, id + STORE_LIST_PARTS, count_record,
	    show_list))
		show_list(s, false);
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
		{ "suspended", shape_stops(shaping_known(q)) },
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
