/*
 * `mtactl spool`: figures at once; a check, or the list of a backup, by a
 * process of its own, during which no file of the spool goes.  A backup keeps
 * the files until its session ends, for mtactl copies them.  One of these at a
 * time, for it costs the disk; when the disk needs the room that is kept back,
 * it is given up.
 */
#include "queued/ctl_spool.h"

#include "common/loop/watch.h"
#include "common/os/clock.h"
#include "queued/ctl_private.h"
#include "queued/store/store_stats.h"
#include "queued/survey/survey_child.h"
#include "queued/survey/survey_stats.h"

#include <stdlib.h>
#include <unistd.h>

struct ctl_check {
	struct queued *q;
	uint64_t session;
	struct survey_child child;
	struct watch *watch;
	bool is_backup;
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

/* The list is told: its files stay, and are asked for one by one. */
static void
begin_copying(struct ctl_check *c)
{
	struct ctl_session *s = session_of(c);

	watch_free(&c->watch);
	survey_child_end(&c->child);
	s->is_checking = false;
	s->has_backup = true;
	ctl_end(s, CTL_DONE, 0, SPAN_NONE);
}

static void
on_list(struct ctl_check *c)
{
	if (c->child.has_verdict && c->child.verdict == SURVEY_SOUND &&
	    session_of(c) != NULL)
		begin_copying(c);
	else
		finish(c, CTL_FAILED, SPAN_LIT("the spool's files could not "
		    "be listed"));
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
	if (c->is_backup)
		on_list(c);
	else if (e != OK || !c->child.has_verdict)
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
	/* the clock first: what was acknowledged before is in it (I-01) */
	struct survey_spool spool = { .path = ".", .is_live = true,
	    .at = (uint64_t)clock_wall_ms(),
	    .until = store_synced_at(c->q->store) };
	enum err e = store_going(c->q->store, &going);

	spool.going = going.p;
	spool.going_n = going.n;
	if (e == OK)
		e = survey_child_start(&c->child, c->is_backup ? survey_list :
		    survey_check, &spool, is_json);
	store_numbers_clear(&going);
	return e;
}

static enum err
check_new(struct ctl_session *s, bool is_backup, bool is_json)
{
	struct ctl_check *c = calloc(1, sizeof(*c));
	enum err e;

	if (c == NULL)
		return ERR_NOMEM;
	c->q = s->q;
	c->session = s->id;
	c->is_backup = is_backup;
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
begin_check(struct ctl_session *s, bool is_backup, bool is_json)
{
	if (s->q->ctl->check != NULL) {
		ctl_end(s, CTL_BUSY, 0, s->q->ctl->check->is_backup ?
		    SPAN_LIT("a backup is under way") :
		    SPAN_LIT("a check is under way"));
		return;
	}
	/* before the child looks for its first file */
	store_pin(s->q->store);
	if (check_new(s, is_backup, is_json) != OK) {
		store_unpin(s->q->store);
		ctl_end(s, CTL_FAILED, 0, SPAN_LIT("no memory or process to "
		    "look at the spool"));
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
		begin_check(s, false, m->is_json != 0);
		return;
	case CTL_SPOOL_BACKUP:
		/* whoever may speak to us may not therefore read all mail */
		if (s->uid == 0 || s->uid == geteuid())
			begin_check(s, true, false);
		else
			ctl_end(s, CTL_FAILED, 0, SPAN_LIT("only root may "
			    "take the mail out of the spool"));
		return;
	case CTL_SPOOL_VERB_COUNT:
		break;
	}
	ctl_end(s, CTL_FAILED, 0, SPAN_LIT("there is no such verb"));
}

/* Between two files of a backup nobody waits for an answer: the next one that
 * is asked for is refused. */
void
ctl_spool_room(struct queued *q, bool is_accepting)
{
	struct ctl_check *c = q->ctl != NULL ? q->ctl->check : NULL;
	struct ctl_session *s = c != NULL ? session_of(c) : NULL;

	if (is_accepting || c == NULL)
		return;
	if (s != NULL && s->has_backup) {
		s->has_backup = false;
		check_free(q);
		return;
	}
	finish(c, CTL_FAILED, SPAN_LIT("given up: the disk needs the room of "
	    "what must be kept for it"));
}

void
ctl_spool_gone(struct ctl_session *s)
{
	if (s->is_checking || s->has_backup)
		check_free(s->q);
}
