/*
 * All checks are made on an open descriptor, never on a path: what was checked
 * is what is used, whoever renames things meanwhile.
 */
#include "common/os/file_check.h"

#include "common/os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* errno in words for people, sorted for the caller. */
static enum err
system_error(struct why *why, const char *path)
{
	enum err e = errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND :
	    errno == EACCES || errno == EPERM || errno == ELOOP ? ERR_DENIED :
	    ERR_IO;

	return why_set(why, e, "%s: %s", path, strerror(errno));
}

/* O_NOFOLLOW: the last part of the path may be no link; the folders above
 * belong to the administrator. */
static enum err
open_dir(int dir, const char *path, int *fd, struct why *why)
{
	int made = openat(dir, path,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (made < 0 && (errno == ENOTDIR || errno == ELOOP))
		return why_set(why, ERR_DENIED,
		    "%s: is not a directory, or a link", path);
	if (made < 0)
		return system_error(why, path);
	*fd = made;
	return OK;
}

/* Makes owner and mode so, in a directory that was made just now.  fchmod()
 * after fchown(), which clears bits. */
static enum err
set_up(int fd, const char *path, uid_t uid, gid_t gid, mode_t mode,
    struct why *why)
{
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		return system_error(why, path);
	return OK;
}

/* More closed than asked for is right, too: only bits for group and others
 * that MODE lacks are refused. (uid_t)-1 and (gid_t)-1 allow any. */
static enum err
check_owner(const struct stat *st, const char *path, uid_t uid, gid_t gid,
    mode_t mode, struct why *why)
{
	if (uid != (uid_t)-1 && st->st_uid != uid)
		return why_set(why, ERR_DENIED,
		    "%s: belongs to user %u, not %u", path,
		    (unsigned)st->st_uid, (unsigned)uid);
	if (gid != (gid_t)-1 && st->st_gid != gid)
		return why_set(why, ERR_DENIED,
		    "%s: belongs to group %u, not %u", path,
		    (unsigned)st->st_gid, (unsigned)gid);
	if ((st->st_mode & 07777 & ~mode & 077) != 0)
		return why_set(why, ERR_DENIED,
		    "%s: has mode %04o, which is more open than %04o", path,
		    (unsigned)st->st_mode & 07777, (unsigned)mode);
	return OK;
}

/* Made closed first; only then, by descriptor, given to its owner and opened as
 * far as wanted. */
enum err
file_check_dir(int dir, const char *path, uid_t uid, gid_t gid, mode_t mode,
    struct why *why)
{
	bool is_new = mkdirat(dir, path, 0700) == 0;
	struct stat st;
	int fd = -1;
	enum err e;

	if (!is_new && errno != EEXIST)
		return system_error(why, path);
	e = open_dir(dir, path, &fd, why);
	if (e != OK)
		return e;
	if (is_new)
		e = set_up(fd, path, uid, gid, mode, why);
	if (e == OK && fstat(fd, &st) < 0)
		e = system_error(why, path);
	if (e == OK)
		e = check_owner(&st, path, uid, gid, mode, why);
	fd_close(&fd);
	return e;
}

/* Root could do anything to us anyhow, and so could our own user. */
static bool
is_trusted_owner(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* The group may read, so that a daemon's group can be given the file; it may
 * not write, and others nothing. */
enum err
file_check_secret(int fd, const char *path, struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return system_error(why, path);
	if (!S_ISREG(st.st_mode))
		return why_set(why, ERR_DENIED, "%s: is not a regular file",
		    path);
	if (!is_trusted_owner(&st))
		return why_set(why, ERR_DENIED,
		    "%s: holds secrets but belongs to user %u", path,
		    (unsigned)st.st_uid);
	if ((st.st_mode & 027) != 0)
		return why_set(why, ERR_DENIED, "%s: holds secrets but is open "
		    "to others (mode %04o); chmod 0600 it", path,
		    (unsigned)st.st_mode & 07777);
	return OK;
}

/* Nobody but root, us and OWNER can have put anything there. */
enum err
file_check_closed(const char *dir, uid_t owner, struct why *why)
{
	struct stat st;
	int fd = -1;
	enum err e = open_dir(AT_FDCWD, dir, &fd, why);

	if (e != OK)
		return e;
	if (fstat(fd, &st) < 0)
		e = system_error(why, dir);
	else if (!is_trusted_owner(&st) && st.st_uid != owner)
		e = why_set(why, ERR_DENIED, "%s: belongs to user %u", dir,
		    (unsigned)st.st_uid);
	else if ((st.st_mode & 022) != 0)
		e = why_set(why, ERR_DENIED,
		    "%s: is writable by others (mode %04o)", dir,
		    (unsigned)st.st_mode & 07777);
	fd_close(&fd);
	return e;
}
