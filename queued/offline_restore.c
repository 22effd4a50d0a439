#include "queued/offline_restore.h"

#include "common/os/copy_dir.h"
#include "common/os/fd.h"
#include "common/os/file.h"
#include "queued/journal/journal_head.h"
#include "queued/keep/keep_restore.h"
#include "queued/store/store_identity.h"
#include "queued/survey/survey_manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, ASIDE_TRIED = 1000 };

static const char *const folders[] = { "log", "body", "history", NULL };

struct work {
	const struct offline_restore *o;
	struct survey_manifest list;
	struct copy_dir to;
	int from_fd;			/* the copy */
	int present_fd;			/* the spool that is there; -1 */
	int lock_fd;
	struct creds_user owner;
	char beside[PATH_BYTES];	/* where the new one is made */
	char aside[PATH_BYTES];		/* where the present one goes */
};

static enum err
sys(struct why *why, const char *name)
{
	return why_set(why, ERR_IO, "%s: %s", name, strerror(errno));
}

/* ---- what is there ---- */

/* Held until the process ends: no queued starts on what is going. */
static enum err
lock(struct work *w, struct why *why)
{
	if (store_identity_lock_as_is(w->present_fd, &w->lock_fd))
		return OK;
	return why_set(why, ERR_EXISTS, "%s: a running mtad has this spool; "
	    "stop it first", w->o->spool);
}

/* The first name that nobody has. */
static enum err
name_aside(struct work *w, struct why *why)
{
	struct stat st;

	for (int i = 1; i < ASIDE_TRIED; i++) {
		if (snprintf(w->aside, sizeof(w->aside), "%s.aside.%d",
		    w->o->spool, i) >= (int)sizeof(w->aside))
			return why_set(why, ERR_RANGE, "%s: is too long",
			    w->o->spool);
		if (lstat(w->aside, &st) != 0 && errno == ENOENT)
			return OK;
	}
	return why_set(why, ERR_FULL, "%s: many were set aside already; "
	    "remove some %s.aside.*", w->o->spool, w->o->spool);
}

static enum err
look_at_present(struct work *w, struct why *why)
{
	const char *path = w->o->spool;
	enum err e;

	w->present_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->present_fd < 0)
		return errno == ENOENT ? OK : sys(why, path);
	if (file_dir_is_empty(w->present_fd))
		return OK;
	if ((e = lock(w, why)) != OK)
		return e;
	if (!w->o->may_set_aside)
		return why_set(why, ERR_EXISTS, "%s: there is a spool; "
		    "--set-aside keeps it under another name", path);
	return name_aside(w, why);
}

/* That of the spool, else of the copy; root's is given to queued's user. */
static void
find_owner(struct work *w)
{
	int fd = w->present_fd >= 0 ? w->present_fd : w->from_fd;
	struct creds_user user;
	struct stat st;

	w->owner = (struct creds_user){ geteuid(), getegid() };
	if (geteuid() != 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid != 0)
		w->owner = w->o->owner_of(st.st_uid, st.st_gid);
	else if (creds_user("_mtad-queue", &user) == OK)
		w->owner = user;
}

/* ---- files ---- */

static enum err
copy_one(struct work *w, int from_dir, const char *from, const char *to,
    uint64_t bytes, struct why *why)
{
	struct stat st;
	int fd;
	enum err e = file_open_beneath(from_dir, from, O_RDONLY | O_CLOEXEC,
	    0, &fd);

	/* who looks at the copy will miss it */
	if (e == ERR_NOT_FOUND)
		return OK;
	if (e != OK)
		return why_set(why, e, "%s: %s", from, err_text(e));
	if (bytes == UINT64_MAX && fstat(fd, &st) == 0)
		bytes = (uint64_t)st.st_size;
	e = copy_dir_add(&w->to, to, bytes, fd, NULL, NULL, why);
	(void)close(fd);
	return e;
}

static enum err
copy_files(struct work *w, struct why *why)
{
	uint64_t total = 0, done = 0;
	enum err e = copy_one(w, w->from_fd, SURVEY_MANIFEST, SURVEY_MANIFEST,
	    UINT64_MAX, why);

	for (size_t i = 0; i < w->list.n; i++)
		total += w->list.files[i].bytes;
	for (size_t i = 0; i < w->list.n && e == OK; i++) {
		const struct survey_file *f = &w->list.files[i];

		e = copy_one(w, w->from_fd, f->name, f->name, UINT64_MAX,
		    why);
		done += f->bytes;
		w->o->sink->progress(w->o->sink->ctx, done, total);
	}
	return e;
}

/* ---- the history ---- */

static enum err
copy_history_of(struct work *w, DIR *dir, struct why *why)
{
	const struct dirent *entry;
	enum err e = OK;

	while (e == OK && (entry = readdir(dir)) != NULL) {
		char to[sizeof("history/") + JOURNAL_NAME_SIZE];

		if (!journal_name_is_one(entry->d_name))
			continue;
		(void)snprintf(to, sizeof(to), "history/%.20s",
		    entry->d_name);
		e = copy_one(w, dirfd(dir), entry->d_name, to, UINT64_MAX,
		    why);
	}
	return e;
}

static int
open_in(int dir_fd)
{
	return dir_fd < 0 ? -1 : openat(dir_fd, "history",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* That was asked for: a spool's, or the directory itself; else that of the
 * spool that is there, or what was saved of it; -1: there is none. */
static int
open_history(const struct work *w)
{
	int fd, history;

	if (w->o->journal == NULL) {
		history = open_in(w->present_fd);
		return history >= 0 ? history : open_in(w->from_fd);
	}
	fd = open(w->o->journal, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	history = open_in(fd);
	if (history < 0)
		return fd;
	(void)close(fd);
	return history;
}

static enum err
copy_history(struct work *w, struct why *why)
{
	int fd = open_history(w);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	enum err e;

	if (dir == NULL) {
		fd_close(&fd);
		return w->o->journal != NULL ? sys(why, w->o->journal) : OK;
	}
	e = copy_history_of(w, dir, why);
	(void)closedir(dir);
	return e;
}

/* ---- the reader ---- */

/* In a process of its own, for it becomes another user. */
static _Noreturn void
read_it(struct work *w)
{
	const struct keep_restore r = { .present_fd = w->present_fd,
	    .aside = w->aside[0] != '\0' ? w->aside : NULL,
	    .does_release = w->o->does_release };
	struct why why = { .text = "" };
	enum survey_verdict verdict = SURVEY_FAILED;

	if (fchdir(w->to.dir_fd) != 0)
		(void)sys(&why, w->beside);
	else if (geteuid() == 0 && w->owner.uid != 0)
		(void)creds_drop(&w->owner, &why);
	if (why.text[0] != '\0')
		(void)fprintf(stderr, "queued: %s\n", why.text);
	else
		verdict = keep_restore(&r, w->o->sink);
	if (fflush(stdout) != 0)
		verdict = SURVEY_FAILED;
	_exit((int)verdict);
}

static int
have_it_read(struct work *w)
{
	pid_t pid;
	int status = 0;

	(void)fflush(stdout);
	if ((pid = fork()) == 0)
		read_it(w);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return SURVEY_FAILED;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) :
	    SURVEY_FAILED;
}

/* ---- its place ---- */

static enum err
sync_parent(const char *path)
{
	char parent[PATH_BYTES];
	const char *slash = strrchr(path, '/');
	int fd;
	enum err e;

	(void)snprintf(parent, sizeof(parent), "%.*s", slash == NULL ? 1 :
	    slash == path ? 1 : (int)(slash - path),
	    slash == NULL ? "." : path);
	if ((fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return ERR_IO;
	e = file_sync_dir(fd);
	(void)close(fd);
	return e;
}

static bool
move(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to) == 0;
}

/* An empty directory that is there is replaced by the rename itself. */
static enum err
put_in_place(struct work *w, struct why *why)
{
	enum err e = copy_dir_sync(&w->to, why);

	if (e != OK)
		return e;
	if (w->aside[0] != '\0' && !move(w->o->spool, w->aside))
		return sys(why, w->aside);
	/* or a power cut may know of the second rename alone */
	(void)sync_parent(w->o->spool);
	if (!move(w->beside, w->o->spool)) {
		e = sys(why, w->beside);
		/* it failed: what was there stays where it was */
		if (w->aside[0] != '\0')
			(void)move(w->aside, w->o->spool);
		return e;
	}
	return sync_parent(w->o->spool) == OK ? OK : sys(why, w->o->spool);
}

/* ---- the whole ---- */

static enum err
prepare(struct work *w, struct why *why)
{
	enum err e;

	if (snprintf(w->beside, sizeof(w->beside), "%s.restoring",
	    w->o->spool) >= (int)sizeof(w->beside))
		return why_set(why, ERR_RANGE, "%s: is too long", w->o->spool);
	w->from_fd = open(w->o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->from_fd < 0)
		return sys(why, w->o->dir);
	if ((e = survey_manifest_read(w->from_fd, &w->list, why)) != OK)
		return e == ERR_NOT_FOUND ? why_set(why, e, "%s: is no "
		    "backup: there is no file '" SURVEY_MANIFEST "' in it\n"
		    "`mtactl spool backup DIR` makes one, and `mtactl spool "
		    "salvage DIR` of a damaged spool", w->o->dir) : e;
	if (!w->list.is_complete)
		return why_set(why, ERR_DENIED, "%s: this backup is not "
		    "complete: it was not brought to its end\n"
		    "restore another one, or make it again, by `mtactl spool "
		    "backup` or `salvage`", w->o->dir);
	/* before anything is made; it is opened again when it is copied */
	if (w->o->journal != NULL && access(w->o->journal, R_OK | X_OK) != 0)
		return sys(why, w->o->journal);
	return look_at_present(w, why);
}

static enum err
copy_all(struct work *w, struct why *why)
{
	enum err e = copy_dir_open(w->beside, folders, SURVEY_MANIFEST_NEW,
	    &w->to, why);

	if (e == ERR_EXISTS)
		return why_set(why, e, "%s: was left by a restore that did "
		    "not come to its end; remove it", w->beside);
	if (e != OK)
		return e;
	find_owner(w);
	if (geteuid() == 0 &&
	    copy_dir_give(&w->to, w->owner.uid, w->owner.gid) != OK)
		return sys(why, w->beside);
	if ((e = copy_files(w, why)) == OK)
		e = copy_history(w, why);
	return e;
}

static void
work_close(struct work *w)
{
	copy_dir_close(&w->to);
	survey_manifest_clear(&w->list);
	fd_close(&w->from_fd);
	fd_close(&w->present_fd);
	fd_close(&w->lock_fd);
	free(w);
}

int
offline_restore(const struct offline_restore *o)
{
	struct work *w = calloc(1, sizeof(*w));
	struct why why = { .text = "no memory" };
	int code = SURVEY_FAILED;
	enum err e = ERR_NOMEM;

	if (w != NULL) {
		w->o = o;
		w->from_fd = w->present_fd = w->lock_fd = -1;
		w->to.dir_fd = w->to.list_fd = -1;
		if ((e = prepare(w, &why)) == OK)
			e = copy_all(w, &why);
		if (e == OK)
			code = have_it_read(w);
		if (e == OK && code != SURVEY_FAILED)
			e = put_in_place(w, &why);
		if ((e != OK || code == SURVEY_FAILED) && w->to.dir_fd >= 0)
			(void)fprintf(stderr, "queued: %s: what was made "
			    "until then; remove it before the next try\n",
			    w->beside);
		work_close(w);
	}
	if (e == OK)
		return code;
	(void)fprintf(stderr, "queued: %s\n", why.text);
	return SURVEY_FAILED;
}
