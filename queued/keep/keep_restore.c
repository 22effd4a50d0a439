/*
 * The copy is looked at first, while it still says what it is; then its list
 * goes, the store is opened on it, which gives it a number of its own and
 * makes its index, and what became of its messages since is done in it.
 */
#include "queued/keep/keep_restore.h"

#include "common/base/json.h"
#include "common/mail/queue_id.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "queued/journal/journal.h"
#include "queued/journal/journal_event.h"
#include "queued/keep/keep_known.h"
#include "queued/keep/keep_late.h"
#include "queued/store/store_read.h"
#include "queued/survey/survey_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* Ids that may have been given since, unknown to everybody we ask: starts
 * between the copy and now. */
enum { STARTS_UNKNOWN = 1000, RECIPIENTS_MAX = 1 << 20 };

#define OUT_MAX ((size_t)64 << 20)

static const char held_by[] = "spool restore: what became of it after the "
    "backup is not known";

struct restore {
	const struct keep_restore *params;
	const struct survey_sink *sink;
	struct survey_manifest copy;
	struct keep_known known;
	struct keep_store store;
	struct journal *journal;	/* of the new spool */
	struct buf notes;		/* records of it, of one group */
	uint64_t notes_group, notes_n;
	struct buf check;		/* what was found in the copy, as JSON */
	struct buf missing;		/* ids */
	enum survey_verdict verdict;
	bool is_whole;			/* all is known */
	struct why unknown;
	uint64_t held;
	struct store_figures figures;
};

/* ---- the copy ---- */

static void
take_json(void *ctx, struct span text)
{
	struct restore *r = ctx;

	buf_add_span(&r->check, text);
}

static void
no_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)done;
	(void)total;
}

/* What it finds is told at once to people, in the end to programs. */
static enum err
look_at_copy(struct restore *r, struct why *why)
{
	const struct survey_spool spool = { .path = "." };
	const struct survey_sink quiet = { .text = take_json,
	    .progress = no_progress, .ctx = r, .is_json = true };
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = dir >= 0 ? survey_manifest_read(dir, &r->copy, why) :
	    ERR_IO;

	if (dir >= 0)
		(void)close(dir);
	if (e != OK)
		return e;
	if (!r->copy.is_complete)
		return why_set(why, ERR_DENIED, "this backup is not complete: "
		    "it was not brought to its end");
	r->verdict = survey_check(&spool, r->sink->is_json ? &quiet : r->sink);
	return r->verdict != SURVEY_FAILED ? OK :
	    why_set(why, ERR_IO, "the copy can't be looked at");
}

/* ---- the new spool ---- */

/* The highest start number that the segments of a spool tell. */
static uint64_t
start_of(int spool_fd)
{
	const struct survey_spool spool = { .path = "." };
	int fd = spool_fd < 0 ? -1 : openat(spool_fd, "log",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct survey_log log;
	uint64_t start = 0;

	if (fd < 0)
		return 0;
	if (survey_log_open(&log, &spool, fd, NULL) == OK)
		for (size_t i = 0; i < log.n; i++)
			if (log.rows[i].is_known &&
			    log.rows[i].first.start > start)
				start = log.rows[i].first.start;
	survey_log_clear(&log);
	(void)close(fd);
	return start;
}

static uint64_t
own_start(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t start = start_of(fd);

	if (fd >= 0)
		(void)close(fd);
	return start;
}

/* Ids must never be used twice: the history would mix two messages up. */
static uint64_t
next_start(const struct restore *r)
{
	uint64_t present = start_of(r->params->present_fd), own = own_start();
	uint64_t told = r->known.greatest_id >> STORE_START_SHIFT;
	uint64_t start = present > own ? present : own;

	return (told > start ? told : start) + STARTS_UNKNOWN;
}

/* What made it a copy, and the name of the old spool: the store makes a new
 * one.  From here on it is a spool; but the directory is not where mtad
 * looks. */
static enum err
open_store(struct restore *r, struct why *why)
{
	static const char *const names[] = { "spool", SURVEY_MANIFEST,
	    SURVEY_MANIFEST_NEW };
	uint64_t start = next_start(r);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (unlink(names[i]) != 0 && errno != ENOENT)
			return why_set(why, ERR_IO, "%s: %s", names[i],
			    strerror(errno));
	return keep_store_open(&r->store, start, &r->known.listener, why);
}

/* ---- what is held ---- */

static void
on_position(void *ctx, uint64_t group)
{
	(void)ctx;
	(void)group;
}

static void
on_notice(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static enum err
open_journal(struct restore *r)
{
	static const struct journal_ops ops = { on_position, on_notice };
	uint8_t uuid[16];
	struct why why;
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = dir >= 0 ? store_identity_read(dir, uuid, &why) : ERR_IO;

	if (e == OK)
		e = journal_open(dir, &store_io_system, uuid, &ops, r,
		    &r->journal);
	if (dir >= 0)
		(void)close(dir);
	return e;
}

/* The journal takes each group once, so all notes of one go together. */
static void
flush_notes(struct restore *r)
{
	struct buf *out;

	if (r->notes.n > 0 && r->journal != NULL &&
	    (out = journal_begin(r->journal, r->notes_group)) != NULL) {
		buf_add_span(out, buf_span(&r->notes));
		journal_end(r->journal, r->notes_group, r->notes_n);
		if (journal_gathered(r->journal) >= JOURNAL_PIECE)
			journal_wait(r->journal, (uint64_t)clock_wall_ms());
	}
	buf_reset(&r->notes);
	r->notes_n = 0;
}

/* Why it is held stands in its history; without one it is held all the
 * same. */
static void
note_held(struct restore *r, uint64_t id)
{
	struct journal_action a = { .at = (uint64_t)clock_wall_ms(),
	    .kind = JOURNAL_HELD, .by = span_str(held_by) };
	uint64_t group = store_last_group(r->store.store);

	if (group != r->notes_group)
		flush_notes(r);
	r->notes_group = group;
	r->notes_n++;
	journal_action_put(&r->notes, id, &a);
}

static enum err
hold(void *ctx, struct keep_store *k, uint64_t id)
{
	struct restore *r = ctx;
	struct store_unit *u = NULL;
	enum err e = ERR_NOT_FOUND;

	/* any unit that is left has its message; all come with the hold */
	for (uint32_t i = 0; e == ERR_NOT_FOUND && i < RECIPIENTS_MAX; i++)
		e = store_load_unit(k->store, id, i, &u);
	if (e == ERR_NOT_FOUND || e == ERR_CORRUPT)
		return OK;
	if (e == OK && !u->message->is_held) {
		e = store_hold(k->store, u->message, true);
		r->held++;
		if (e == OK)
			note_held(r, id);
	}
	keep_store_yield(k, id);
	return e;
}

static enum err
hold_all(struct restore *r)
{
	/* no history is no reason to send */
	(void)open_journal(r);
	return keep_store_each(&r->store, hold, r);
}

/* What of them was delivered since would be once more. */
static enum err
hold_lists(struct restore *r)
{
	const struct buf *ids = &r->known.lists;
	enum err e = OK;

	if (ids->n > 0)
		(void)open_journal(r);
	for (size_t i = 0; i < ids->n && e == OK; i += sizeof(uint64_t)) {
		uint64_t id;

		memcpy(&id, ids->p + i, sizeof(id));
		e = hold(r, &r->store, id);
	}
	return e;
}

/* ---- the whole ---- */

static enum err
do_what_is_known(struct restore *r, struct why *why)
{
	enum err e = keep_known_apply(&r->known, &r->store);

	if (e == OK)
		e = keep_late_apply(&r->known, &r->store,
		    r->params->present_fd, &r->copy);
	if (e == OK)
		e = keep_known_missing(&r->known, &r->store, &r->missing);
	if (e == OK && !r->is_whole && !r->params->does_release)
		e = hold_all(r);
	if (e == OK && r->is_whole && !r->params->does_release)
		e = hold_lists(r);
	if (e == OK)
		e = keep_store_sync(&r->store);
	if (e != OK)
		return why_set(why, e, "the new spool can't be written: %s",
		    err_text(e));
	store_figures(r->store.store, &r->figures);
	return OK;
}

/* The journal's position is that of the index, or the next start would miss
 * what lies between. */
static void
close_all(struct restore *r)
{
	flush_notes(r);
	if (r->journal != NULL && r->store.store != NULL) {
		uint64_t group = store_last_group(r->store.store);

		if (journal_begin(r->journal, group) != NULL)
			journal_end(r->journal, group, 0);
	}
	journal_close(&r->journal, (uint64_t)clock_wall_ms());
	keep_store_close(&r->store);
}

static enum err
run(struct restore *r, struct why *why)
{
	enum err e = look_at_copy(r, why);

	if (e == OK)
		e = keep_known_open(&r->known, &r->copy, why);
	if (e != OK)
		return e;
	r->is_whole = keep_known_is_whole(&r->known, &r->copy, &r->unknown);
	if ((e = open_store(r, why)) == OK)
		e = do_what_is_known(r, why);
	close_all(r);
	return e;
}

/* ---- the verdict ---- */

static size_t
missing_n(const struct restore *r)
{
	return r->missing.n / sizeof(uint64_t);
}

static uint64_t
missing_at(const struct restore *r, size_t i)
{
	uint64_t id;

	memcpy(&id, r->missing.p + i * sizeof(id), sizeof(id));
	return id;
}

static const char *
word(const struct restore *r, const char *failure)
{
	return failure != NULL ? "failed" :
	    r->verdict == SURVEY_SOUND ? "restored" : "restored, damaged";
}

static void
put_json(const struct restore *r, const char *failure, struct buf *out)
{
	const struct { const char *name; uint64_t value; } counts[] = {
		{ "messages", r->figures.messages },
		{ "recipients", r->figures.recipients },
		{ "delivered", r->known.delivered },
		{ "ended", r->known.ended },
		{ "unreported", r->known.retried },
		{ "held", r->held },
	};
	struct json j;
	char id[QUEUE_ID_SIZE];

	json_init(&j, out);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "verdict");
	json_str(&j, word(r, failure));
	if (failure != NULL) {
		json_key(&j, "why");
		json_str(&j, failure);
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		json_key(&j, counts[i].name);
		json_u64(&j, counts[i].value);
	}
	json_key(&j, "is_known");
	json_bool(&j, r->is_whole);
	if (!r->is_whole) {
		json_key(&j, "unknown");
		json_str(&j, r->unknown.text);
	}
	if (r->params->aside != NULL) {
		json_key(&j, "aside");
		json_str(&j, r->params->aside);
	}
	json_key(&j, "missing");
	json_array(&j);
	for (size_t i = 0; i < missing_n(r); i++) {
		queue_id_format(missing_at(r, i), id);
		json_str(&j, id);
	}
	json_array_end(&j);
}

/* With what was found in the copy, which is a line of JSON itself. */
static void
print_json(const struct restore *r, const char *failure, struct buf *out)
{
	put_json(r, failure, out);
	if (r->check.n > 1) {
		buf_add_str(out, ",\"copy\":");
		buf_add(out, r->check.p, r->check.n - 1);
	}
	buf_add_str(out, "}\n");
}

static void
print_missing(const struct restore *r, struct buf *out)
{
	char id[QUEUE_ID_SIZE];

	for (size_t i = 0; i < missing_n(r); i++) {
		queue_id_format(missing_at(r, i), id);
		buf_addf(out, "missing: message %s was in the queue and is "
		    "not in the copy\n", id);
	}
}

/* What is left to be decided by whoever restored it. */
static void
print_next(const struct restore *r, struct buf *out)
{
	const char *aside = r->params->aside;

	if (r->held > 0 && !r->params->does_release)
		buf_add_str(out, "next: start mtad, look at `mtactl queue list "
		    "state:held`, then `queue release` or `queue delete` "
		    "them\n");
	if (missing_n(r) > 0 && aside != NULL)
		buf_addf(out, "next: `queued --spool %s salvage DIR --mail` "
		    "writes those missing that can be read as "
		    "DIR/mail/ID.eml\n", aside);
}

static void
print_text(const struct restore *r, const char *failure, struct buf *out)
{
	if (failure != NULL) {
		buf_addf(out, "NOT RESTORED: %s\n", failure);
		return;
	}
	print_missing(r, out);
	buf_addf(out, "restored: %" PRIu64 " messages for %" PRIu64
	    " recipients\n", r->figures.messages, r->figures.recipients);
	buf_addf(out, "known to be done: %" PRIu64 " recipients delivered, %"
	    PRIu64 " refused or discarded\n", r->known.delivered,
	    r->known.ended);
	if (r->known.retried > 0)
		buf_addf(out, "tried again, for their report is lost: %" PRIu64
		    " recipients\n", r->known.retried);
	if (r->is_whole && r->held == 0)
		buf_add_str(out, "held: none, for all is known\n");
	else if (r->is_whole)
		buf_addf(out, "held: %" PRIu64 " messages to very many "
		    "recipients, some of whom have had it since\n", r->held);
	else
		buf_addf(out, "held: %" PRIu64 " messages, for %s%s\n",
		    r->held, r->unknown.text, r->params->does_release ?
		    "; they are sent all the same, as you said" : "");
	buf_addf(out, "missing: %zu messages; damages: %s\n", missing_n(r),
	    r->verdict == SURVEY_SOUND ? "none" : "as above");
	if (r->params->aside != NULL)
		buf_addf(out, "the spool that was there: %s\n",
		    r->params->aside);
	print_next(r, out);
}

enum survey_verdict
keep_restore(const struct keep_restore *params, const struct survey_sink *sink)
{
	struct restore *r = calloc(1, sizeof(*r));
	struct why why = { .text = "no memory" };
	enum survey_verdict verdict;
	struct buf out;
	enum err e = ERR_NOMEM;

	if (r == NULL)
		return SURVEY_FAILED;
	r->params = params;
	r->sink = sink;
	buf_init(&r->check, OUT_MAX);
	buf_init(&r->missing, OUT_MAX);
	buf_init(&r->notes, OUT_MAX);
	buf_init(&out, OUT_MAX);
	e = run(r, &why);
	if (sink->is_json)
		print_json(r, e != OK ? why.text : NULL, &out);
	else
		print_text(r, e != OK ? why.text : NULL, &out);
	sink->text(sink->ctx, buf_span(&out));
	verdict = e != OK ? SURVEY_FAILED : r->verdict;
	keep_known_clear(&r->known);
	survey_manifest_clear(&r->copy);
	buf_clear(&out);
	buf_clear(&r->notes);
	buf_clear(&r->missing);
	buf_clear(&r->check);
	free(r);
	return verdict;
}
