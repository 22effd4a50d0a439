/*
 * A list is made in three passes over what is known: suspensions, then
 * destinations that are in trouble, then the others.  Who comes or goes between two
 * steps may be missed, or told twice.
 */
#include "queued/ctl_dest.h"

#include "common/base/glob.h"
#include "common/base/mtime.h"
#include "common/base/text.h"
#include "common/log/log.h"
#include "queued/shaping.h"

#include <string.h>

enum { ROWS_A_STEP = 64, INDEX_LOOKS = 4096 };

enum pass { PASS_STOPS, PASS_TROUBLE, PASS_OTHERS, PASS_END };

#define FOR_MAX_MS (UINT64_C(365) * 86400000)

static struct span
name_of(const struct ctl_session *s)
{
	return buf_span(&s->job.words);
}

static bool
is_meant(struct span pattern, struct span name)
{
	return pattern.n == 0 || span_equal_nocase(pattern, name) ||
	    (glob_has_wildcard(pattern) && glob_match(pattern, name));
}

/* Domains and numbers of routes in lower case, as keys have them; hosts of a rule
 * stand in theirs as they are in the configuration. */
static bool
has_case(struct span name)
{
	for (size_t i = 0; i + 2 < name.n; i++)
		if (memcmp(name.p + i, "://", 3) == 0)
			return true;
	return false;
}

/* What the job is about lies in its words, and goes with it. */
static bool
take_name(struct ctl_session *s, struct span name)
{
	bool is_exact = has_case(name);

	buf_init(&s->job.words, SHAPE_NAME_MAX + 1);
	for (size_t i = 0; i < name.n; i++)
		buf_add_byte(&s->job.words, is_exact ? name.p[i] :
		    text_lower_byte(name.p[i]));
	if (!buf_failed(&s->job.words))
		return true;
	ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no memory"));
	return false;
}

/* ---- list ---- */

static bool
is_in_trouble(const struct ctl_session *s, const struct plan_dest_view *v)
{
	struct shape_slow slow;

	return v->failures > 0 || v->blocked_until != 0 ||
	    v->stopped_until != 0 || shape_slow_of(shaping_known(s->q), v->key,
	    (int64_t)queued_wall(s->q), &slow);
}

/* False behind the last of this pass. */
static bool
list_stop(struct ctl_session *s, size_t *cursor)
{
	struct plan_dest_view view;
	struct shape_stop stop;

	if (!shape_next_stop(shaping_known(s->q), cursor, &stop))
		return false;
	if (!is_meant(name_of(s), stop.name))
		return true;
	s->job.count++;
	ctl_dest_send(s, stop.name, stop.route == 0 && plan_dest_look(
	    s->q->plan, stop.name, &view) ? &view : NULL, &stop, false, 0);
	return true;
}

static bool
has_row(const struct ctl_session *s, struct span key)
{
	struct shape_stop stop;

	return shape_stop_of(shaping_known(s->q), key,
	    (int64_t)queued_wall(s->q), &stop) && span_equal(stop.name, key);
}

static bool
list_dest(struct ctl_session *s, size_t *cursor, bool is_trouble)
{
	struct plan_dest_view view;
	struct shape_stop stop;
	bool is_stopped;

	if (!plan_dest_next(s->q->plan, cursor, &view))
		return false;
	if (is_in_trouble(s, &view) != is_trouble ||
	    !is_meant(name_of(s), view.key) || has_row(s, view.key))
		return true;
	s->job.count++;
	is_stopped = shaping_stop_of(s->q, view.key, view.limits.origin,
	    &stop);
	ctl_dest_send(s, view.key, &view, is_stopped ? &stop : NULL, false,
	    0);
	return true;
}

static bool
list_some(struct ctl_session *s)
{
	struct ctl_job *job = &s->job;

	for (int i = 0; i < ROWS_A_STEP && job->seen < PASS_END; i++) {
		size_t cursor = (size_t)job->cursor;
		bool has_more = job->seen == PASS_STOPS ?
		    list_stop(s, &cursor) :
		    list_dest(s, &cursor, job->seen == PASS_TROUBLE);

		job->cursor = has_more ? cursor : 0;
		job->seen += has_more ? 0 : 1;
	}
	if (job->seen < PASS_END)
		return false;
	ctl_end(s, CTL_DONE, job->count, SPAN_NONE);
	return true;
}

/* ---- show ---- */

static void
show_route(struct ctl_session *s, uint32_t index)
{
	struct shape_stop stop;
	bool is_stopped = shape_stop_of_route(shaping_known(s->q),
	    shaping_route_id(s->q, index), (int64_t)queued_wall(s->q), &stop);

	ctl_dest_send_route(s, name_of(s), index, is_stopped ? &stop : NULL);
	ctl_end(s, CTL_DONE, 1, SPAN_NONE);
}

static void
show(struct ctl_session *s)
{
	struct span name = name_of(s);
	struct plan_dest_view view;
	struct shape_stop stop;
	struct shape_slow slow;
	bool is_slow = shape_slow_of(shaping_known(s->q), name,
	    (int64_t)queued_wall(s->q), &slow);
	bool is_here = plan_dest_look(s->q->plan, name, &view);
	bool is_stopped = shaping_stop_of(s->q, name, is_here ?
	    view.limits.origin : UINT32_MAX - 1, &stop);

	if (!is_here && !is_stopped && !is_slow && s->job.count == 0) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("nothing is known of that "
		    "destination; `mtactl dest list` has all"));
		return;
	}
	ctl_dest_send(s, name, is_here ? &view : NULL, is_stopped ? &stop :
	    NULL, true, s->job.count);
	ctl_end(s, CTL_DONE, 1, SPAN_NONE);
}

static bool
count_row(void *ctx, const struct store_due *row)
{
	struct ctl_session *s = ctx;

	s->job.count += row->key_hash == s->job.total;
	return true;
}

/* What the index has of it is counted first: a pass over its rows. */
static bool
show_some(struct ctl_session *s)
{
	struct store_due cursor;
	size_t looks = INDEX_LOOKS;

	memcpy(&cursor, s->job.ids.p, sizeof(cursor));
	if (store_due_scan(s->q->store, &cursor, UINT64_MAX, &looks,
	    count_row, s)) {
		memcpy(s->job.ids.p, &cursor, sizeof(cursor));
		return false;
	}
	show(s);
	return true;
}

static void
begin_show(struct ctl_session *s)
{
	const struct store_due first = { .due_at = 0 };
	uint32_t index;

	if (shaping_route_find(s->q, name_of(s), &index)) {
		show_route(s, index);
		return;
	}
	buf_init(&s->job.ids, sizeof(first));
	buf_add(&s->job.ids, &first, sizeof(first));
	if (buf_failed(&s->job.ids)) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no memory"));
		return;
	}
	s->job.total = store_key_hash(name_of(s));
	s->job.step = show_some;
}

/* ---- changes ---- */

static uint32_t
count_meant(const struct ctl_session *s, struct span name, uint32_t route)
{
	struct plan_dest_view view;
	size_t cursor = 0;
	uint32_t n = 0;

	while (plan_dest_next(s->q->plan, &cursor, &view))
		n += route != 0 ? shaping_route_id(s->q,
		    view.limits.origin) == route : is_meant(name, view.key);
	return n;
}

static void
end_change(struct ctl_session *s, enum err e, uint32_t n)
{
	switch (e) {
	case OK:
		ctl_end(s, CTL_DONE, n, SPAN_NONE);
		break;
	case ERR_RANGE:
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("that is no name of a "
		    "destination"));
		break;
	case ERR_FULL:
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("too many are suspended, "
		    "or the disk is full; a pattern stands for many"));
		break;
	default:
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("done, but it could not be "
		    "written to the spool: a restart forgets it"));
	}
}

static void
suspend(struct ctl_session *s, const struct msg_ctl_dest *m)
{
	uint32_t route = shaping_route_named(s->q, m->name);
	uint64_t time = m->for_ms < FOR_MAX_MS ? m->for_ms : FOR_MAX_MS;
	int64_t wall = (int64_t)queued_wall(s->q);
	const struct shape_stop stop = { .name = m->name, .route = route,
	    .by = SHAPE_BY_OPERATOR, .uid = s->uid, .since = wall,
	    .until = time > 0 ? wall + (int64_t)time : 0, .why = m->why };
	uint32_t n = count_meant(s, m->name, route);
	enum err e = OK;

	if (route == 0 && span_starts_nocase(m->name, SPAN_LIT("route:"))) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("there is no such route; "
		    "they are counted from route:1 on, and route:mx is what "
		    "no rule takes"));
		return;
	}
	if (m->is_dry_run == 0)
		e = shaping_suspend(s->q, &stop);
	end_change(s, e, n);
}

/* One that is suspended by a pattern goes on with that alone. */
static void
resume(struct ctl_session *s, const struct msg_ctl_dest *m)
{
	struct shape_stop stop;
	enum err e;
	uint32_t n = shaping_resume(s->q, m->name, m->is_dry_run != 0, &e);
	struct buf words;

	if (n > 0) {
		end_change(s, e, n);
		return;
	}
	buf_init(&words, SHAPE_NAME_MAX + 256);
	if (shape_stop_of(shaping_known(s->q), m->name,
	    (int64_t)queued_wall(s->q), &stop)) {
		buf_add_str(&words, "it is suspended by the pattern ");
		buf_add_span(&words, stop.name);
		buf_add_str(&words, ": resume that");
	} else {
		buf_add_str(&words, "nothing of that name is suspended; "
		    "`mtactl dest list` has all");
	}
	ctl_end(s, CTL_FAILED, 0, buf_span(&words));
	buf_clear(&words);
}

static void
reset(struct ctl_session *s, const struct msg_ctl_dest *m)
{
	uint32_t n = shaping_reset(s->q, m->name, m->is_dry_run != 0);

	if (n == 0) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("nothing is known of that "
		    "destination; `mtactl dest list` has all"));
		return;
	}
	if (m->is_dry_run == 0 && log_begin(s->q->log, LOG_DEST_RESET, NULL)) {
		log_text(s->q->log, "destination", m->name);
		log_u64(s->q->log, "uid", s->uid);
		log_end(s->q->log);
	}
	ctl_end(s, CTL_DONE, n, SPAN_NONE);
}

void
ctl_dest(struct ctl_session *s, const struct msg_ctl_dest *m)
{
	struct msg_ctl_dest meant = *m;

	/* nothing that is over is shown, or resumed */
	shaping_keep_house(s->q);
	s->job.cursor = 0;
	s->job.count = s->job.seen = 0;
	s->job.verb = CTL_LIST;		/* the index has nothing to say to it */
	if (!take_name(s, m->name))
		return;
	meant.name = name_of(s);
	switch (m->verb) {
	case CTL_DEST_SUSPEND:
		suspend(s, &meant);
		break;
	case CTL_DEST_RESUME:
		resume(s, &meant);
		break;
	case CTL_DEST_RESET:
		reset(s, &meant);
		break;
	case CTL_DEST_SHOW:
		begin_show(s);
		break;
	default:
		s->job.step = list_some;
	}
}
