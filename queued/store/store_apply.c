/*
 * What a record does to the messages and units in memory.
 *
 * The same functions serve the writer, when the record has been appended, and
 * the replay of a log, so that a start comes to what the store held before.
 * They cannot fail: whatever a record could contradict is checked before it is
 * appended or applied (store_apply_fits()).  Each marks what it changed for the
 * next check-point.
 */
#include "queued/store/store_apply.h"

#include "queued/store/store_memory.h"
#include "queued/store/store_record.h"

#include <stdlib.h>

bool
store_apply_fits(const struct unit *u, const struct store_verdict *v)
{
	for (size_t i = 0; i < v->count; i++) {
		const struct store_result *r = &v->results[i];

		if (r->first > r->last || r->last >= u->pub.count)
			return false;
	}
	return true;
}

bool
store_apply_matters(const struct store_verdict *v)
{
	bool matters = v->is_warned;

	for (size_t i = 0; i < v->count; i++)
		matters = matters || v->results[i].is_settled;
	return matters;
}

/* ---- last words ---- */

/* Copies of what spans point at: first counted, then made. */
struct words {
	uint8_t *p;		/* NULL while counting */
	size_t n;
};

static struct span
keep(struct words *w, struct span s, size_t max)
{
	/* cut here, for a record may come from a deliverd or a disk that
	 * keeps no limit (I-05) */
	struct span cut = span_sub(s, 0, max);

	if (w->p != NULL && cut.n > 0) {
		memcpy(w->p + w->n, cut.p, cut.n);
		cut.p = w->p + w->n;
	}
	w->n += cut.n;
	return cut;
}

/* Those of a result are kept once, however many recipients share them. */
static void
say(struct words *w, struct unit *u, const struct store_result *r)
{
	struct span status = keep(w, r->status, STORE_STATUS_MAX);
	struct span text = keep(w, r->text, STORE_TEXT_MAX);
	struct span host = keep(w, r->host, STORE_HOST_MAX);

	if (w->p == NULL)
		return;
	for (uint32_t i = r->first; i <= r->last; i++) {
		u->pub.recipients[i].status = status;
		u->pub.recipients[i].text = text;
		u->pub.recipients[i].host = host;
	}
}

/* Words that stay: of recipients that this verdict does not mention.  Runs of
 * the same words are kept once. */
static void
keep_old(struct words *w, struct unit *u, const bool *is_new)
{
	const struct store_recipient *last = NULL;
	struct store_recipient was, now;

	memset(&was, 0, sizeof(was));
	memset(&now, 0, sizeof(now));
	for (uint32_t i = 0; i < u->pub.count; i++) {
		struct store_recipient *r = &u->pub.recipients[i];

		if (is_new[i] || r->status.n + r->text.n + r->host.n == 0)
			continue;
		if (last == NULL || was.text.p != r->text.p ||
		    was.status.p != r->status.p || was.host.p != r->host.p) {
			was = *r;
			now.status = keep(w, r->status, STORE_STATUS_MAX);
			now.text = keep(w, r->text, STORE_TEXT_MAX);
			now.host = keep(w, r->host, STORE_HOST_MAX);
			last = r;
		}
		if (w->p == NULL)
			continue;
		r->status = now.status;
		r->text = now.text;
		r->host = now.host;
	}
}

/* Without memory: what is told about a failure is then less than could be, but
 * the verdict counts. */
static void
forget_words(struct unit *u)
{
	for (uint32_t i = 0; i < u->pub.count; i++) {
		struct store_recipient *r = &u->pub.recipients[i];

		r->status = r->text = r->host = SPAN_NONE;
	}
}

/* The words of a unit lie in one allocation.  Each verdict makes a new one, of
 * its own words and of those it leaves alone: counted first, then copied. */
static void
take_words(struct unit *u, const struct store_verdict *v)
{
	bool is_new[STORE_UNIT_RECIPIENTS] = { false };
	struct words w = { .p = NULL };

	for (size_t i = 0; i < v->count; i++) {
		for (uint32_t k = v->results[i].first;
		    k <= v->results[i].last; k++)
			is_new[k] = true;
		say(&w, u, &v->results[i]);
	}
	keep_old(&w, u, is_new);
	w.p = malloc(w.n > 0 ? w.n : 1);
	w.n = 0;
	if (w.p == NULL) {
		forget_words(u);
	} else {
		keep_old(&w, u, is_new);
		for (size_t i = 0; i < v->count; i++)
			say(&w, u, &v->results[i]);
	}
	free(u->words);
	u->words = w.p;
}

/* ---- verdict ---- */

/* A recipient is settled once: only then do the counters move, so a verdict
 * that repeats itself does no harm (I-02). */
static void
take_result(struct store *s, struct unit *u, const struct store_result *r)
{
	struct message *m = store_memory_message(u->pub.message);
	uint32_t n;

	for (uint32_t i = r->first; i <= r->last; i++) {
		struct store_recipient *row = &u->pub.recipients[i];

		row->outcome = r->outcome;
		row->code = r->code;
		if (row->is_settled || !r->is_settled)
			continue;
		row->is_settled = true;
		u->pub.left--;
		/* a list's stands for all that were not begun */
		n = store_is_list(&m->pub) ? m->pub.left : 1;
		m->pub.left -= n;
		s->count.recipients -= n;
	}
}

void
store_apply_verdict(struct store *s, struct unit *u,
    const struct store_verdict *v, bool *is_over)
{
	struct message *m = store_memory_message(u->pub.message);

	for (size_t i = 0; i < v->count; i++)
		take_result(s, u, &v->results[i]);
	/* the top bit is ours: in due keys it means held */
	u->pub.due_at = v->due_at & ~STORE_DUE_HELD;
	u->pub.last_at = v->begun_at;
	u->pub.tries = v->tries;
	u->pub.noted_lease = 0;
	u->has_verdict = true;
	if (v->is_warned && !m->pub.is_warned) {
		m->pub.is_warned = true;
		store_overlay_message(&s->overlay, m);
	}
	*is_over = u->pub.left == 0;
	if (*is_over) {
		/* U may be freed by this, so it comes last */
		store_memory_unit_over(s, u);
		return;
	}
	take_words(u, v);
	store_overlay_unit(&s->overlay, u);
	store_overlay_message(&s->overlay, m);
}

/* ---- the small ones ---- */

void
store_apply_lease(struct store *s, struct unit *u, uint64_t lease)
{
	u->pub.noted_lease = lease;
	store_overlay_unit(&s->overlay, u);
}

void
store_apply_due(struct store *s, struct unit *u, uint64_t due_at)
{
	u->pub.due_at = due_at & ~STORE_DUE_HELD;
	store_overlay_unit(&s->overlay, u);
}

/* Whoever looks for held messages finds it, before the index has it; in order
 * of ids, in which an operator's walk mostly comes. */
static void
note_held(struct store *s, struct message *m)
{
	struct list *before = s->held.prev;

	if (list_is_linked(&m->held))
		return;
	while (before != &s->held && CONTAINER_OF(before, struct message,
	    held)->pub.id > m->pub.id)
		before = before->prev;
	list_insert_between(&m->held, before, before->next);
}

void
store_apply_hold(struct store *s, struct message *m, bool is_held)
{
	if (m->pub.is_held == is_held)
		return;
	m->pub.is_held = is_held;
	m->pub.is_released = !is_held;
	if (is_held)
		note_held(s, m);
	store_overlay_message(&s->overlay, m);
	/* the hold stands in each unit's row by time too */
	for (uint32_t i = 0; i < m->pub.unit_count; i++) {
		if (m->units[i] != NULL && !m->units[i]->is_gone)
			store_overlay_unit(&s->overlay, m->units[i]);
	}
}
