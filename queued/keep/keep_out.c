#include "queued/keep/keep_out.h"

#include "common/base/json.h"
#include "common/os/file.h"
#include "queued/journal/journal_head.h"
#include "queued/survey/survey_manifest.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const keep_folders[] = { "log", "body", NULL };
const char *const keep_salvage_folders[] = { "log", "body", "history", NULL };

struct out {
	struct copy_dir *dir;
	const struct survey_sink *sink;
	bool is_salvage;
	struct survey_manifest list;
	struct buf text;
	uint64_t done, total;
	const char *name;		/* of the file being copied */
};

/* ---- words ---- */

/* For programs the look at the copy tells what is damaged. */
static void
say_unreadable(const struct out *o, const char *name, uint64_t bytes,
    uint64_t at)
{
	char line[128];

	if (o->sink->is_json)
		return;
	(void)snprintf(line, sizeof(line), "unreadable: %s: %" PRIu64
	    " bytes at %" PRIu64 "\n", name, bytes, at);
	o->sink->text(o->sink->ctx, span_str(line));
}

/* In the form of a check's verdict. */
static enum survey_verdict
fail(const struct survey_sink *sink, const char *why)
{
	struct buf line;

	buf_init(&line, 4096);
	if (sink->is_json) {
		buf_add_str(&line, "{\"v\":1,\"verdict\":\"failed\",\"why\":");
		json_quote(&line, span_str(why));
		buf_add_str(&line, "}\n");
	} else {
		buf_addf(&line, "FAILED: %s\n", why);
	}
	sink->text(sink->ctx, buf_span(&line));
	buf_clear(&line);
	return SURVEY_FAILED;
}

/* ---- the files ---- */

static void
gather(void *ctx, struct span text)
{
	struct out *o = ctx;

	buf_add_span(&o->text, text);
}

static enum err
make_list(struct out *o, struct why *why)
{
	const struct survey_spool spool = { .path = ".",
	    .is_salvage = o->is_salvage };
	const struct survey_sink sink = { .text = gather, .ctx = o };

	if (survey_list(&spool, &sink) != SURVEY_SOUND)
		return why_set(why, ERR_IO, "%.*s", (int)o->text.n,
		    (const char *)o->text.p);
	if (buf_failed(&o->text) || survey_manifest_parse(buf_span(&o->text),
	    false, &o->list) != OK)
		return why_set(why, ERR_NOMEM, "no memory for the list of "
		    "files");
	for (size_t i = 0; i < o->list.n; i++)
		o->total += o->list.files[i].bytes;
	buf_reset(&o->text);
	survey_manifest_put_head(&o->text, &o->list);
	return copy_dir_note(o->dir, buf_span(&o->text), why);
}

static void
on_lost(void *ctx, uint64_t at, uint64_t bytes)
{
	const struct out *o = ctx;

	say_unreadable(o, o->name, bytes, at);
}

static enum err
copy_file_named(struct out *o, const struct survey_file *f, struct why *why)
{
	int fd;
	enum err e = file_open_beneath(AT_FDCWD, f->name, O_RDONLY | O_CLOEXEC,
	    0, &fd);

	if (e != OK && o->is_salvage) {
		say_unreadable(o, f->name, f->bytes, 0);
		return OK;
	}
	if (e != OK)
		return why_set(why, e, "%s: %s", f->name, err_text(e));
	o->name = f->name;
	e = copy_dir_add(o->dir, f->name, f->bytes, fd, on_lost, o, why);
	(void)close(fd);
	if (e != OK)
		return e;
	buf_reset(&o->text);
	survey_manifest_put_file(&o->text, f->name, f->bytes);
	return copy_dir_note(o->dir, buf_span(&o->text), why);
}

/* It is no part of the list: the next look at the copy needs it no more. */
static enum err
copy_history(struct out *o, struct why *why)
{
	DIR *dir = opendir("history");
	const struct dirent *entry;
	char name[sizeof("history/") + JOURNAL_NAME_SIZE];
	enum err e = OK;
	int fd;

	if (dir == NULL)
		return OK;
	while (e == OK && (entry = readdir(dir)) != NULL) {
		struct stat st;

		if (!journal_name_is_one(entry->d_name))
			continue;
		(void)snprintf(name, sizeof(name), "history/%.20s",
		    entry->d_name);
		o->name = name;
		fd = openat(dirfd(dir), entry->d_name,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && fstat(fd, &st) == 0)
			e = copy_dir_add(o->dir, name, (uint64_t)st.st_size,
			    fd, on_lost, o, why);
		if (fd >= 0)
			(void)close(fd);
	}
	(void)closedir(dir);
	return e;
}

static enum err
copy_all(struct out *o, struct why *why)
{
	enum err e = make_list(o, why);

	for (size_t i = 0; i < o->list.n && e == OK; i++) {
		e = copy_file_named(o, &o->list.files[i], why);
		o->done += o->list.files[i].bytes;
		o->sink->progress(o->sink->ctx, o->done, o->total);
	}
	if (e == OK && o->is_salvage)
		e = copy_history(o, why);
	return e == OK ? copy_dir_sync(o->dir, why) : e;
}

enum survey_verdict
keep_out(struct copy_dir *d, bool is_salvage, const struct survey_sink *sink)
{
	const struct survey_spool copy = { .path = ".", .is_sealing = true };
	struct out o = { .dir = d, .sink = sink, .is_salvage = is_salvage };
	struct why why = { .text = "" };
	enum err e;

	buf_init(&o.text, SURVEY_MANIFEST_MAX);
	e = copy_all(&o, &why);
	survey_manifest_clear(&o.list);
	buf_clear(&o.text);
	if (e == OK && fchdir(d->dir_fd) != 0)
		e = why_set(&why, ERR_IO, "the copy can't be entered");
	return e == OK ? survey_check(&copy, sink) : fail(sink, why.text);
}
