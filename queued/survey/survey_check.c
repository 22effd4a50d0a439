/*
 * A whole verification: file `spool', index as far as it can be opened, log,
 * rows, bodies, in this order; then a verdict in words.
 *
 * The index comes first, for its position says up to where the log must be
 * whole; and the log is gone through before the rows, for rows name records.
 */
#include "queued/survey/survey_check.h"

#include "common/os/random.h"
#include "queued/store/store_dead.h"
#include "queued/store/store_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCRATCH_MAX = 16 << 20 };

static int
open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum err
open_spool(struct survey *s, struct why *why)
{
	s->dir_fd = open_dir(AT_FDCWD, s->spool->path);
	if (s->dir_fd < 0)
		return why_set(why, ERR_IO, "%s: %s", s->spool->path,
		    strerror(errno));
	s->log_fd = open_dir(s->dir_fd, "log");
	s->body_fd = open_dir(s->dir_fd, "body");
	if (s->log_fd < 0 || s->body_fd < 0)
		return why_set(why, ERR_IO, "directory %s of it: %s; is this "
		    "a spool or a backup?", s->log_fd < 0 ? "log" : "body",
		    strerror(errno));
	return OK;
}

/* Of another version: nothing can be said about it.  Damaged: go on. */
static enum err
read_identity(struct survey *s, struct why *why)
{
	enum err e = store_identity_read(s->dir_fd, s->uuid, why);

	if (e != ERR_CORRUPT && e != ERR_NOT_FOUND)
		return e;
	survey_damage(&s->report, (struct survey_place){ 0 }, "%s",
	    why->text);
	return OK;
}

static enum err
init(struct survey *s, const struct survey_spool *spool,
    const struct survey_sink *sink)
{
	struct siphash_key seed;
	enum err e = random_key(&seed);

	*s = (struct survey){ .spool = spool, .dir_fd = -1, .log_fd = -1,
	    .body_fd = -1 };
	s->log.fd = -1;
	survey_report_init(&s->report, sink);
	buf_init(&s->scratch, SCRATCH_MAX);
	map_u64_init(&s->waiting, &seed);
	map_u64_init(&s->fresh_files, &seed);
	map_u64_init(&s->bodies, &seed);
	s->results = calloc(STORE_UNIT_RECIPIENTS, sizeof(*s->results));
	return e == OK && s->results == NULL ? ERR_NOMEM : e;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void
clear(struct survey *s)
{
	store_index_close(&s->index);
	survey_log_clear(&s->log);
	store_numbers_clear(&s->dead);
	map_u64_clear(&s->waiting);
	map_u64_clear(&s->fresh_files);
	survey_clear_copy(s);
	free(s->results);
	free(s->live);
	buf_clear(&s->scratch);
	survey_report_clear(&s->report);
	close_fd(s->body_fd);
	close_fd(s->log_fd);
	close_fd(s->dir_fd);
}

/* Verdicts written while the index was asked for messages: up to where it is
 * now. */
static enum err
catch_up(struct survey *s)
{
	if (!s->spool->is_live || map_u64_count(&s->waiting) == 0)
		return OK;
	return survey_follow(s);
}

/* Up to where the log is looked at; NULL: to its end. */
static const struct store_position *
end_of_log(const struct survey *s)
{
	if (s->is_copy)
		return s->manifest.end.segment != 0 ? &s->manifest.end : NULL;
	return s->spool->is_live ? &s->meta.at : NULL;
}

static enum err
open_all(struct survey *s, struct why *why)
{
	enum err e = open_spool(s, why);

	if (e == OK)
		e = survey_open_copy(s, why);
	if (e == OK)
		e = read_identity(s, why);
	if (e != OK)
		return e;
	if (!s->is_copy && (e = survey_open_index(s)) != OK)
		return why_set(why, e, "index: %s", err_text(e));
	if ((e = survey_log_open(&s->log, s->spool, s->log_fd,
	    end_of_log(s))) != OK)
		return why_set(why, e, "log: %s", err_text(e));
	return OK;
}

static enum err
run(struct survey *s, struct why *why)
{
	enum err e = open_all(s, why);

	if (e != OK)
		return e;
	s->report.total = survey_log_bytes(&s->log);
	/* a new spool's index that lags says nothing */
	if (s->has_meta || !s->spool->is_live)
		survey_read_log(s);
	if (s->failure == OK)
		s->failure = catch_up(s);
	if (s->failure == OK && s->is_copy)
		survey_count_copy(s);
	else if (s->failure == OK)
		survey_settle_waiting(s);
	if (s->failure == OK && s->index != NULL)
		survey_read_index(s);
	if (s->failure == OK && s->index != NULL && !s->spool->is_live)
		survey_list_bodies(s);
	return s->failure == OK ? OK : why_set(why, s->failure, "%s",
	    err_text(s->failure));
}

/* ---- the verdict ---- */

static void
put_counts(struct survey *s, struct json *j)
{
	const struct { const char *name; uint64_t value; } counts[] = {
		{ "segments", s->count.segments },
		{ "log_bytes", s->count.log_bytes },
		{ "groups", s->count.groups },
		{ "records", s->count.records },
		{ "index_rows", s->count.rows },
		{ "messages", s->count.messages },
		{ "recipients", s->count.recipients },
		{ "bodies", s->count.bodies },
		{ "damages", s->report.damages },
		{ "notes", s->report.notes },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		json_key(j, counts[i].name);
		json_u64(j, counts[i].value);
	}
}

/* {"v":1,"verdict":…,counts,"found":[…]} */
static void
print_json(struct survey *s, const char *verdict, const char *failure)
{
	struct survey_report *r = &s->report;
	struct json j;
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	json_init(&j, &b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "verdict");
	json_str(&j, verdict);
	if (failure != NULL) {
		json_key(&j, "why");
		json_str(&j, failure);
	}
	put_counts(s, &j);
	if (s->is_copy)
		survey_put_copy(s, &j);
	json_array_end(&r->json);
	r->sink->text(r->sink->ctx, buf_span(&b));
	survey_say(r, ",\"found\":");
	r->sink->text(r->sink->ctx, buf_span(&r->found));
	survey_say(r, "}\n");
	buf_clear(&b);
}

static void
print_text(struct survey *s, const char *failure)
{
	struct survey_report *r = &s->report;

	survey_say(r, "log: %ju segments, %ju groups, %ju records, %ju "
	    "bytes\n", (uintmax_t)s->count.segments,
	    (uintmax_t)s->count.groups, (uintmax_t)s->count.records,
	    (uintmax_t)s->count.log_bytes);
	if (s->is_copy)
		survey_print_copy(s);
	else
		survey_say(r, "index: %ju rows of %ju messages for %ju "
		    "recipients; %ju bodies in files\n",
		    (uintmax_t)s->count.rows, (uintmax_t)s->count.messages,
		    (uintmax_t)s->count.recipients,
		    (uintmax_t)s->count.bodies);
	if (failure != NULL)
		survey_say(r, "NOT CHECKED: %s\n", failure);
	else if (r->damages > 0)
		survey_say(r, "DAMAGED: %ju finding%s\n",
		    (uintmax_t)r->damages, r->damages == 1 ? "" : "s");
	else
		survey_say(r, "sound\n");
}

enum survey_verdict
survey_check(const struct survey_spool *spool, const struct survey_sink *sink)
{
	struct why why = { .text = "" };
	enum survey_verdict verdict;
	struct survey s;
	enum err e = init(&s, spool, sink);

	if (e == OK)
		e = run(&s, &why);
	if (e == OK && s.is_copy && spool->is_sealing)
		e = survey_seal_copy(&s, &why);
	verdict = e != OK ? SURVEY_FAILED : s.report.damages > 0 ?
	    SURVEY_DAMAGED : SURVEY_SOUND;
	if (e != OK && why.text[0] == '\0')
		(void)why_set(&why, e, "%s", err_text(e));
	if (sink->is_json)
		print_json(&s, verdict == SURVEY_SOUND ? "sound" :
		    verdict == SURVEY_DAMAGED ? "damaged" : "not checked",
		    e != OK ? why.text : NULL);
	else
		print_text(&s, e != OK ? why.text : NULL);
	clear(&s);
	return verdict;
}
