#include "common/os/copy_dir.h"

#include "common/os/copy.h"
#include "common/os/fd.h"
#include "common/os/file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MODE = 0700, FILE_MODE = 0600 };

/* ---- the directory ---- */

static enum err
make_files(struct copy_dir *d, const char *list)
{
	for (const char *const *f = d->folders; *f != NULL; f++)
		if (mkdirat(d->dir_fd, *f, DIR_MODE) != 0)
			return ERR_IO;
	return file_open_beneath(d->dir_fd, list,
	    O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, FILE_MODE,
	    &d->list_fd);
}

enum err
copy_dir_open(const char *path, const char *const *folders, const char *list,
    struct copy_dir *d, struct why *why)
{
	enum err e;

	*d = (struct copy_dir){ .dir_fd = -1, .list_fd = -1,
	    .folders = folders };
	if (mkdir(path, DIR_MODE) != 0 && errno != EEXIST)
		return why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
	d->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd < 0)
		return why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
	if (!file_dir_is_empty(d->dir_fd))
		e = why_set(why, ERR_EXISTS, "%s: is not empty; name a "
		    "directory that is empty, or not there yet", path);
	else if (fchmod(d->dir_fd, DIR_MODE) != 0 ||
	    make_files(d, list) != OK ||
	    /* whatever a power cut leaves has its list, or nothing is there */
	    file_sync_dir(d->dir_fd) != OK)
		e = why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
	else
		return OK;
	copy_dir_close(d);
	return e;
}

void
copy_dir_close(struct copy_dir *d)
{
	fd_close(&d->list_fd);
	fd_close(&d->dir_fd);
}

enum err
copy_dir_note(struct copy_dir *d, struct span line, struct why *why)
{
	enum err e = file_write_all(d->list_fd, line.p, line.n);

	return e == OK ? OK : why_set(why, e, "the list of files: %s",
	    strerror(errno));
}

/* ---- files ---- */

enum err
copy_dir_give(struct copy_dir *d, uid_t uid, gid_t gid)
{
	for (const char *const *f = d->folders; *f != NULL; f++)
		if (fchownat(d->dir_fd, *f, uid, gid, AT_SYMLINK_NOFOLLOW) !=
		    0)
			return ERR_IO;
	if (fchown(d->list_fd, uid, gid) != 0 ||
	    fchown(d->dir_fd, uid, gid) != 0)
		return ERR_IO;
	d->has_owner = true;
	d->uid = uid;
	d->gid = gid;
	return OK;
}

struct losses {
	struct copy_dir *d;
	copy_lost *lost;
	void *ctx;
};

static void
on_lost(void *ctx, uint64_t at, uint64_t bytes)
{
	const struct losses *l = ctx;

	l->d->unreadable += bytes;
	if (l->lost != NULL)
		l->lost(l->ctx, at, bytes);
}

/* A bad sector costs what lies in it, not the rest.  The quick ways first: as
 * a rule there is none. */
static enum err
copy(struct losses *l, uint64_t bytes, int from, int to)
{
	enum err e = copy_file(from, to, bytes, NULL, NULL);

	if (e != ERR_RANGE && (e != ERR_IO || errno != EIO))
		return e;
	if (ftruncate(to, 0) != 0)
		return ERR_IO;
	return copy_file(from, to, bytes, on_lost, l);
}

static enum err
own(struct copy_dir *d, int from, int to)
{
	struct stat st;

	if (geteuid() != 0)
		return OK;
	if (!d->has_owner && (fstat(from, &st) != 0 ||
	    copy_dir_give(d, st.st_uid, st.st_gid) != OK))
		return ERR_IO;
	return fchown(to, d->uid, d->gid) == 0 ? OK : ERR_IO;
}

enum err
copy_dir_add(struct copy_dir *d, const char *name, uint64_t bytes, int fd,
    copy_lost *lost, void *ctx, struct why *why)
{
	struct losses l = { .d = d, .lost = lost, .ctx = ctx };
	int to = -1;
	enum err e = file_open_beneath(d->dir_fd, name,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE, &to);

	if (e == OK)
		e = own(d, fd, to);
	if (e == OK)
		e = copy(&l, bytes, fd, to);
	if (e != OK)
		(void)why_set(why, e, "%s: %s", name, e == ERR_IO ?
		    strerror(errno) : err_text(e));
	fd_close(&to);
	return e;
}

/* One call for all: a sync of each file would cost far more. */
enum err
copy_dir_sync(struct copy_dir *d, struct why *why)
{
	if (syncfs(d->dir_fd) != 0 || fsync(d->list_fd) != 0 ||
	    file_sync_dir(d->dir_fd) != OK)
		return why_set(why, ERR_IO, "the copy can't be synced: %s",
		    strerror(errno));
	return OK;
}
