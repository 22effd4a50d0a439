/*
 * `mtactl spool`: figures at once; a check by a process of its own, during
 * which no file of the spool goes.  One check at a time, for it costs the disk;
 * when the disk needs the room that it keeps back, it is given up.
 */
#include "queued/ctl_spool.h"

#include "common/loop/watch.h"
#include "queued/ctl_private.h"
#include "queued/store/store_stats.h"
#include "queued/survey/survey_child.h"
#include "queued/survey/survey_stats.h"

#include <stdlib.h>

struct ctl_check {
	struct queued *q;
	uint64_t session;
	struct survey_child child;
	struct watch *watch;
};

enum { TEXT_MAX = 64 * 1024 };

static void
send_text(struct ctl_session *s, struct span text)
{
	struct msg m = { .type = MSG_ctl_text };

	for (; text.n > 0; text = span_from(text, TEXT_MAX)) {
		m.ctl_text.text = span_sub(text, 0, TEXT_MAX);
		ctl_send(s, &m);
	}
}

/* ---- stats ---- */

static void
answer_stats(struct ctl_session *s, bool is_json)
{
	struct survey_stats stats;
	struct buf out;

	if (survey_stats_live(s->q->store, &stats) != OK) {
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no memory"));
		return;
	}
	buf_init(&out, (size_t)64 << 20);
	survey_stats_print(&stats, is_json, &out);
	send_text(s, buf_span(&out));
	buf_clear(&out);
	survey_stats_clear(&stats);
	ctl_end(s, CTL_DONE, 0, SPAN_NONE);
}

/* ---- check ---- */

/* Its session may be gone: then nobody hears of it. */
static struct ctl_session *
session_of(const struct ctl_check *c)
{
	return ctl_find(c->q, c->session);
}

static void
on_text(void *ctx, struct span text)
{
	struct ctl_session *s = session_of(ctx);

	if (s != NULL)
		send_text(s, text);
}

static void
on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct ctl_session *s = session_of(ctx);
	struct msg m = { .type = MSG_ctl_progress };

	m.ctl_progress.done = done;
	m.ctl_progress.total = total;
	if (s != NULL)
		ctl_send(s, &m);
}

static void
check_free(struct queued *q)
{
	struct ctl_check *c = q->ctl->check;

	q->ctl->check = NULL;
	watch_free(&c->watch);
	survey_child_end(&c->child);
	store_reader_gone(q->store);
	store_unpin(q->store);
	free(c);
}

/* TEXT: why it was given up. */
static void
finish(struct ctl_check *c, enum ctl_result result, struct span text)
{
	struct ctl_session *s = session_of(c);

	if (s != NULL) {
		s->is_checking = false;
		ctl_end(s, (uint8_t)result, 0, text);
	}
	check_free(c->q);
}

static void
on_ready(void *ctx, unsigned events)
{
	struct ctl_check *c = ctx;
	const struct survey_sink sink = { .text = on_text,
	    .progress = on_progress, .ctx = c };
	enum err e = survey_child_take(&c->child, &sink);

	(void)events;
	if (e == ERR_AGAIN && session_of(c) != NULL)
		return;
	if (e != OK || !c->child.has_verdict)
		finish(c, CTL_FAILED, SPAN_LIT("the check ended before its "
		    "time: the index may be damaged; restart mtad, whose start "
		    "looks at it"));
	else if (c->child.verdict == SURVEY_SOUND)
		finish(c, CTL_DONE, SPAN_NONE);
	else if (c->child.verdict == SURVEY_DAMAGED)
		finish(c, CTL_DAMAGED, SPAN_NONE);
	else
		finish(c, CTL_FAILED, SPAN_LIT("not all could be checked"));
}

/* Those whose removal began before the store was pinned are passed over. */
static enum err
start_child(struct ctl_check *c, bool is_json)
{
	struct store_numbers going = { .p = NULL };
	struct survey_spool spool = { .path = ".", .is_live = true };
	enum err e = store_going(c->q->store, &going);

	spool.going = going.p;
	spool.going_n = going.n;
	if (e == OK)
		e = survey_child_start(&c->child, &spool, is_json);
	store_numbers_clear(&going);
	return e;
}

static enum err
check_new(struct ctl_session *s, bool is_json)
{
	struct ctl_check *c = calloc(1, sizeof(*c));
	enum err e;

	if (c == NULL)
		return ERR_NOMEM;
	c->q = s->q;
	c->session = s->id;
	if ((e = start_child(c, is_json)) != OK) {
		free(c);
		return e;
	}
	e = watch_new(s->q->loop, c->child.fd, on_ready, c, &c->watch);
	if (e != OK) {
		survey_child_end(&c->child);
		free(c);
		return e;
	}
	watch_set(c->watch, WATCH_READ);
	s->q->ctl->check = c;
	return OK;
}

static void
begin_check(struct ctl_session *s, bool is_json)
{
	if (s->q->ctl->check != NULL) {
		ctl_end(s, CTL_BUSY, 0, SPAN_LIT("a check is under way"));
		return;
	}
	/* before the child looks for its first file */
	store_pin(s->q->store);
	if (check_new(s, is_json) != OK) {
		store_unpin(s->q->store);
		ctl_end(s, CTL_FAILED, 0,
		    SPAN_LIT("no memory or process for a check"));
		return;
	}
	s->is_checking = true;
}

void
ctl_spool(struct ctl_session *s, const struct msg_ctl_spool *m)
{
	switch ((enum ctl_spool_verb)m->verb) {
	case CTL_SPOOL_STATS:
		answer_stats(s, m->is_json != 0);
		return;
	case CTL_SPOOL_CHECK:
		begin_check(s, m->is_json != 0);
		return;
	case CTL_SPOOL_VERB_COUNT:
		break;
	}
	ctl_end(s, CTL_FAILED, 0, SPAN_LIT("there is no such verb"));
}

void
ctl_spool_room(struct queued *q, bool is_accepting)
{
	if (!is_accepting && q->ctl != NULL && q->ctl->check != NULL)
		finish(q->ctl->check, CTL_FAILED, SPAN_LIT("given up: the "
		    "disk needs the room of what the check looks at"));
}

void
ctl_spool_gone(struct ctl_session *s)
{
	if (s->is_checking)
		check_free(s->q);
}
