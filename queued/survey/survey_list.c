/*
 * Which files a copy must have, and how much of them: segments up to where
 * they are sealed, the last one up to the moment of the copy.
 *
 * Bodies whose messages came after that moment, or never came, are listed too:
 * nobody can tell them apart by their names, and the first start on the copy
 * removes what has no message.  The index is not part of it: it can be made
 * again from the log at any time.
 */
#include "common/os/clock.h"
#include "queued/store/store_identity.h"
#include "queued/store/store_segment.h"
#include "queued/survey/survey.h"
#include "queued/survey/survey_log.h"
#include "queued/survey/survey_manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINES_MAX = 1 << 20, LINES_TOLD = 16 << 10 };

struct listing {
	const struct survey_spool *spool;
	const struct survey_sink *sink;
	int dir_fd;
	struct buf lines;
	struct why why;
};

static void
tell(struct listing *l)
{
	l->sink->text(l->sink->ctx, buf_span(&l->lines));
	buf_reset(&l->lines);
}

static void
put_file(struct listing *l, const char *name, uint64_t bytes)
{
	survey_manifest_put_file(&l->lines, name, bytes);
	if (l->lines.n > LINES_TOLD)
		tell(l);
}

static enum err
put_head(struct listing *l)
{
	struct survey_manifest m = { .at = l->spool->at,
	    .is_salvage = l->spool->is_salvage, .end = l->spool->until };
	enum err e = store_identity_read(l->dir_fd, m.uuid, &l->why);

	if (m.at == 0)
		m.at = (uint64_t)clock_wall_ms();
	/* without it the mail is worth no less */
	if (l->spool->is_salvage && e != ERR_VERSION)
		e = OK;
	if (e == OK)
		survey_manifest_put_head(&l->lines, &m);
	return e;
}

/* One that is not there is none of the copy's. */
static void
put_small(struct listing *l, const char *name)
{
	struct stat st;

	if (fstatat(l->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode))
		put_file(l, name, (uint64_t)st.st_size);
}

static enum err
put_segments(struct listing *l, int log_fd)
{
	const struct store_position *until = &l->spool->until;
	struct survey_log log;
	enum err e = survey_log_open(&log, l->spool, log_fd,
	    until->segment != 0 ? until : NULL);

	for (size_t i = 0; e == OK && i < log.n; i++) {
		char segment[STORE_SEGMENT_NAME], name[SURVEY_FILE_NAME];

		if (!log.rows[i].counts && !l->spool->is_salvage)
			continue;
		store_segment_name(log.rows[i].number, segment);
		(void)snprintf(name, sizeof(name), "log/%.26s", segment);
		put_file(l, name, survey_log_length(&log, i));
	}
	survey_log_clear(&log);
	return e;
}

static enum err
put_bodies(struct listing *l, DIR *dir)
{
	const struct dirent *entry;
	struct stat st;
	uint64_t id;

	while ((errno = 0, entry = readdir(dir)) != NULL) {
		char name[SURVEY_FILE_NAME];

		if (!store_name_number(entry->d_name, "body.", &id) ||
		    fstatat(dirfd(dir), entry->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		(void)snprintf(name, sizeof(name), "body/%.26s",
		    entry->d_name);
		put_file(l, name, (uint64_t)st.st_size);
	}
	return errno == 0 ? OK : ERR_IO;
}

static enum err
list_in(struct listing *l, const char *name,
    enum err (*put)(struct listing *l, int fd))
{
	int fd = openat(l->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = fd >= 0 ? put(l, fd) : ERR_IO;

	if (e != OK)
		(void)why_set(&l->why, e, "directory %s: %s", name,
		    e == ERR_IO ? strerror(errno) : err_text(e));
	if (fd >= 0)
		(void)close(fd);
	return e;
}

static enum err
list_bodies(struct listing *l, int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again >= 0 ? fdopendir(again) : NULL;
	enum err e = dir != NULL ? put_bodies(l, dir) : ERR_IO;

	if (dir != NULL)
		(void)closedir(dir);
	else if (again >= 0)
		(void)close(again);
	return e;
}

static enum err
list(struct listing *l)
{
	enum err e;

	l->dir_fd = open(l->spool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir_fd < 0)
		return why_set(&l->why, ERR_IO, "%s: %s", l->spool->path,
		    strerror(errno));
	if ((e = put_head(l)) == OK) {
		put_small(l, "spool");
		put_small(l, "clock");
		e = list_in(l, "log", put_segments);
	}
	if (e == OK)
		e = list_in(l, "body", list_bodies);
	if (e == OK && buf_failed(&l->lines))
		e = why_set(&l->why, ERR_NOMEM, "no memory");
	(void)close(l->dir_fd);
	return e;
}

enum survey_verdict
survey_list(const struct survey_spool *spool, const struct survey_sink *sink)
{
	struct listing l = { .spool = spool, .sink = sink };
	enum err e;

	buf_init(&l.lines, LINES_MAX);
	if ((e = list(&l)) != OK) {
		buf_reset(&l.lines);
		buf_add_str(&l.lines, l.why.text);
	}
	tell(&l);
	buf_clear(&l.lines);
	return e == OK ? SURVEY_SOUND : SURVEY_FAILED;
}
