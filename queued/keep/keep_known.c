/*
 * Two ways through the history.  The first finds out what it misses, which
 * reports were still under way at its end, and which messages lived then.  The
 * second does what each record tells, in order.
 */
#include "queued/keep/keep_known.h"

#include "common/ipc/ipc_words.h"
#include "common/os/random.h"
#include "queued/journal/journal_event.h"
#include "queued/store/store_read.h"
#include "queued/store/store_record.h"

#include <inttypes.h>
#include <stdlib.h>

/* Ids of lists: a hundred thousand of them. */
#define LISTS_MAX ((size_t)1 << 20)

/* ---- the first way ---- */

static void *
as_object(uint64_t id)
{
	return (void *)(uintptr_t)id;
}

static void
add(struct keep_known *n, struct map_u64 *map, uint64_t key, uint64_t value)
{
	enum err e = map_u64_add(map, key, as_object(value));

	if (e != OK && e != ERR_EXISTS)
		n->failure = e;
}

static void
note_lost(struct keep_known *n, const struct journal_record *r)
{
	uint64_t at, first, last;

	if (journal_lost_get(r->fields, &at, &first, &last) == OK &&
	    last > n->lost_last)
		n->lost_last = last;
}

static void
note_report(struct keep_known *n, const struct journal_record *r)
{
	struct journal_action a;

	if (journal_action_get(r->fields, &a) == OK &&
	    a.kind == JOURNAL_REPORTED && a.value != 0)
		add(n, &n->reports, a.value, r->id);
}

static bool
visit_first(void *ctx, const struct journal_record *r)
{
	struct keep_known *n = ctx;

	if (r->type == JOURNAL_LOST)
		note_lost(n, r);
	if (r->type == JOURNAL_LOST || r->type == JOURNAL_MARK)
		return true;
	if (r->id > n->greatest_id)
		n->greatest_id = r->id;
	if (r->type == JOURNAL_ACTION)
		note_report(n, r);
	if (r->type == JOURNAL_ACCEPTED)
		add(n, &n->alive, r->id, 1);
	if ((r->flags & JOURNAL_IS_OVER) != 0) {
		(void)map_u64_remove(&n->alive, r->id);
		(void)map_u64_remove(&n->reports, r->id);
	}
	return n->failure == OK;
}

/* Reports that did not end: those of their messages may be lost. */
static void
find_unreported(struct keep_known *n)
{
	size_t cursor = 0;
	uint64_t report;
	void *id;

	while ((id = map_u64_next_key(&n->reports, &cursor, &report)) != NULL)
		add(n, &n->unreported, (uint64_t)(uintptr_t)id, 1);
}

/* ---- what the log says beyond it ---- */

static void
on_group(void *ctx, const struct store *s, uint64_t group,
    struct span records)
{
	struct keep_known *n = ctx;
	struct store_record r;

	if (group <= n->until)
		return;
	while (records.n > 0 && store_record_next(&records, &r) == OK)
		if (r.type == STORE_RECORD_VERDICT &&
		    store_tap_is_over(s, r.id))
			add(n, &n->over, r.id, 1);
}

/* ---- opening ---- */

enum err
keep_known_open(struct keep_known *n, const struct survey_manifest *m,
    struct why *why)
{
	struct siphash_key seed;
	enum err e = random_key(&seed);

	memset(n, 0, sizeof(*n));
	map_u64_init(&n->reports, &seed);
	map_u64_init(&n->unreported, &seed);
	map_u64_init(&n->alive, &seed);
	map_u64_init(&n->over, &seed);
	buf_init(&n->lists, LISTS_MAX);
	n->listener = (struct keep_listener){ on_group, n };
	if (e == OK)
		e = journal_read_open(".", &n->journal);
	if (e == OK) {
		n->is_about = journal_read_groups(n->journal, m->uuid,
		    &n->after, &n->until) == OK;
		e = journal_read_all(n->journal, visit_first, n);
	}
	if (e == OK)
		e = n->failure;
	if (e != OK)
		return why_set(why, e, "history: %s", err_text(e));
	find_unreported(n);
	return n->failure;
}

void
keep_known_clear(struct keep_known *n)
{
	journal_read_close(&n->journal);
	map_u64_clear(&n->reports);
	map_u64_clear(&n->unreported);
	map_u64_clear(&n->alive);
	map_u64_clear(&n->over);
	buf_clear(&n->lists);
}

/* Groups that the copy does not have, or that may have been lost in it. */
static bool
has_hole(const struct keep_known *n, const struct survey_manifest *m)
{
	for (size_t i = 0; i < m->lost_n; i++)
		if (m->lost[i].after < n->after ||
		    m->lost[i].before > n->until + 1)
			return true;
	return false;
}

bool
keep_known_is_whole(const struct keep_known *n,
    const struct survey_manifest *m, struct why *why)
{
	/* nothing came after what was saved of a spool at its end */
	if (m->is_salvage && m->lost_n == 0)
		return true;
	if (!n->is_about)
		return why_set(why, ERR_NOT_FOUND, "there is no history of "
		    "what came after it") == OK;
	if (!m->is_salvage && n->until < m->end.sequence)
		return why_set(why, ERR_NOT_FOUND, "the history ends before "
		    "it, at group %" PRIu64, n->until) == OK;
	if (!m->is_salvage && n->after > m->end.sequence)
		return why_set(why, ERR_NOT_FOUND, "the history begins after "
		    "it, at group %" PRIu64, n->after) == OK;
	if (has_hole(n, m))
		return why_set(why, ERR_NOT_FOUND, "parts of the log are "
		    "lost that the history does not tell of") == OK;
	if (n->lost_last > m->end.sequence ||
	    journal_read_damaged(n->journal) > 0)
		return why_set(why, ERR_NOT_FOUND, "the history has a hole")
		    == OK;
	return true;
}

/* ---- the second way ---- */

static bool
is_refused(uint8_t outcome)
{
	return outcome == OUTCOME_FAILED || outcome == OUTCOME_EXPIRED;
}

/* The words and the name of the host that said them. */
static void
put_words(const struct journal_attempt *a, const struct journal_result *j,
    struct store_result *r)
{
	struct span hosts = a->hosts;
	struct journal_host host;

	r->status = j->status;
	r->text = j->text;
	for (uint64_t i = 0; j->host != JOURNAL_NO_HOST &&
	    journal_host_next(&hosts, a->at, &host); i++) {
		if (i != j->host)
			continue;
		r->host = host.name;
		if (j->is_hosts_text)
			r->text = host.text;
	}
}

/* Recipients of the run that are not settled yet; a run for each, for those
 * between them may be. */
static size_t
take_run(struct keep_known *n, const struct store_unit *u,
    const struct journal_attempt *a, const struct journal_result *j,
    size_t count)
{
	for (uint64_t row = j->first; row <= j->last && row < u->count; row++) {
		struct store_result *r = &n->results[count];

		if (u->recipients[row].is_settled ||
		    count == STORE_UNIT_RECIPIENTS)
			continue;
		*r = (struct store_result){ .first = (uint32_t)row,
		    .last = (uint32_t)row, .outcome = j->outcome,
		    .is_settled = j->is_settled, .code = (uint16_t)j->code };
		put_words(a, j, r);
		count++;
		if (j->is_settled && j->outcome == OUTCOME_DELIVERED)
			n->delivered++;
		else if (j->is_settled)
			n->ended++;
	}
	return count;
}

/* An attempt that the copy knows changes nothing. */
static bool
is_new(const struct store_unit *u, const struct journal_attempt *a,
    const struct journal_result *j)
{
	return j->is_settled || a->is_continued || a->at > u->last_at;
}

static size_t
take_results(struct keep_known *n, const struct store_unit *u,
    struct journal_attempt *a)
{
	bool is_unreported = map_u64_get(&n->unreported, u->message->id) !=
	    NULL;
	struct journal_result j;
	size_t count = 0;

	while (journal_result_next(&a->results, &j)) {
		if (j.is_settled && is_refused(j.outcome) && is_unreported)
			n->retried += j.last - j.first + 1;
		else if (is_new(u, a, &j))
			count = take_run(n, u, a, &j, count);
	}
	return count;
}

static enum err
apply_attempt(struct keep_known *n, const struct journal_record *r)
{
	struct journal_attempt a;
	struct store_verdict v;
	struct store_unit *u;
	bool is_over;
	enum err e;

	if (journal_attempt_get(r->fields, &a) != OK || a.unit > UINT32_MAX)
		return OK;
	e = store_load_unit(n->k->store, r->id, (uint32_t)a.unit, &u);
	if (e != OK)
		return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
	v = (struct store_verdict){ .begun_at = a.at, .due_at = a.due_at,
	    .tries = (uint32_t)a.tries, .results = n->results,
	    .count = take_results(n, u, &a) };
	if (v.count > 0)
		e = store_verdict(n->k->store, u, &v, &is_over);
	keep_store_yield(n->k, r->id);
	return e;
}

static bool
is_noted(const struct keep_known *n, uint64_t id)
{
	for (size_t i = 0; i < n->lists.n; i += sizeof(id))
		if (memcmp(n->lists.p + i, &id, sizeof(id)) == 0)
			return true;
	return false;
}

enum err
keep_known_begun(struct keep_known *n, uint64_t id, uint64_t part)
{
	struct store_unit *u;
	const struct store_message *m;
	enum err e = store_load_unit(n->k->store, id, 0, &u);

	if (e != OK)
		return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
	m = u->message;
	if (store_is_list(m) && !is_noted(n, id) && part > id +
	    (m->list.count + STORE_UNIT_RECIPIENTS - 1) /
	    STORE_UNIT_RECIPIENTS)
		buf_add(&n->lists, &id, sizeof(id));
	keep_store_yield(n->k, id);
	return buf_failed(&n->lists) ? ERR_NOMEM : OK;
}

static enum err
apply_action(struct keep_known *n, const struct journal_record *r)
{
	struct journal_action a;
	struct store_unit *u;
	bool is_held;
	enum err e;

	if (journal_action_get(r->fields, &a) != OK || a.unit > UINT32_MAX)
		return OK;
	if (a.kind == JOURNAL_PART)
		return keep_known_begun(n, r->id, a.value);
	if (a.kind != JOURNAL_HELD && a.kind != JOURNAL_RELEASED)
		return OK;
	is_held = a.kind == JOURNAL_HELD;
	e = store_load_unit(n->k->store, r->id, (uint32_t)a.unit, &u);
	if (e != OK)
		return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
	e = store_hold(n->k->store, u->message, is_held);
	keep_store_yield(n->k, r->id);
	return e;
}

static bool
visit_second(void *ctx, const struct journal_record *r)
{
	struct keep_known *n = ctx;

	if (r->type == JOURNAL_ATTEMPT)
		n->failure = apply_attempt(n, r);
	else if (r->type == JOURNAL_ACTION)
		n->failure = apply_action(n, r);
	else
		return true;
	if (n->failure == OK)
		n->failure = keep_store_turn(n->k);
	return n->failure == OK;
}

enum err
keep_known_apply(struct keep_known *n, struct keep_store *k)
{
	enum err e;

	n->k = k;
	e = journal_read_all(n->journal, visit_second, n);
	return n->failure != OK ? n->failure : e;
}

/* ---- what is not there ---- */

static bool
ignore(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	(void)ctx;
	(void)m;
	(void)units;
	return true;
}

enum err
keep_known_missing(struct keep_known *n, struct keep_store *k,
    struct buf *ids)
{
	size_t cursor = 0;
	uint64_t id;

	while (map_u64_next_key(&n->alive, &cursor, &id) != NULL) {
		if (map_u64_get(&n->over, id) == NULL &&
		    store_show(k->store, id, ignore, NULL) == ERR_NOT_FOUND)
			buf_add(ids, &id, sizeof(id));
	}
	return buf_failed(ids) ? ERR_NOMEM : OK;
}
