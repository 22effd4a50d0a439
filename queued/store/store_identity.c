/*
 * Two small files: `spool' says which format and which spool this is, `lock'
 * keeps a second process out, and so does a lock of the directory.
 *
 * `spool' is written under another name, synced, renamed, and the name synced:
 * it is there whole or not at all.  Its UUID stands in the index too, so an
 * index from another spool is not taken for this one's.
 */
#include "queued/store/store_identity.h"

#include "common/base/hex.h"
#include "common/base/span.h"
#include "common/os/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES = 64, KIND_BYTES = sizeof("mtad spool ") - 1 };

static const char name[] = "spool";
static const char new_name[] = "spool.new";
static const char first_line[] = "mtad spool 1\n";

/* "mtad spool 1\n", 32 hexadecimal digits, "\n" */
static enum err
parse(struct span text, uint8_t uuid[STORE_UUID_BYTES], struct why *why)
{
	size_t head = sizeof(first_line) - 1, n;

	if (!span_starts_nocase(text, SPAN_LIT("mtad spool ")))
		return why_set(why, ERR_CORRUPT, "file `spool' is damaged");
	if (!span_starts_nocase(text, span_str(first_line)))
		return why_set(why, ERR_VERSION, "the spool has format %.*s; "
		    "this program knows 1: use the one that made it",
		    (int)span_find(span_from(text, KIND_BYTES), '\n'),
		    span_from(text, KIND_BYTES).p);
	text = span_from(text, head);
	if (text.n != 2 * STORE_UUID_BYTES + 1 ||
	    hex_decode(span_sub(text, 0, text.n - 1), uuid, STORE_UUID_BYTES,
	    &n) != OK)
		return why_set(why, ERR_CORRUPT, "file `spool' is damaged");
	return OK;
}

/* A `spool.new' that is there was left by a start that failed. */
static enum err
write_file(const struct store_io *io, int dir_fd, struct span text)
{
	enum err e;
	int fd;

	(void)io->unlink(io->ctx, dir_fd, new_name);
	e = store_io_open(io, dir_fd, new_name, O_WRONLY | O_CREAT | O_EXCL,
	    &fd);
	if (e != OK)
		return e;
	e = store_io_write(io, fd, text.p, text.n, 0);
	if (e == OK && io->fdatasync(io->ctx, fd) != 0)
		e = store_io_error();
	(void)close(fd);
	if (e == OK && (io->rename(io->ctx, dir_fd, new_name, name) != 0 ||
	    io->sync_dir(io->ctx, dir_fd) != 0))
		e = store_io_error();
	return e;
}

static enum err
make(const struct store_io *io, int dir_fd, uint8_t uuid[STORE_UUID_BYTES],
    struct why *why)
{
	char digits[2 * STORE_UUID_BYTES + 1], text[FILE_BYTES];
	enum err e = random_fill(uuid, STORE_UUID_BYTES);

	if (e == OK) {
		for (int i = 0; i < STORE_UUID_BYTES; i++)
			(void)snprintf(digits + 2 * i, 3, "%02x", uuid[i]);
		(void)snprintf(text, sizeof(text), "%s%s\n", first_line,
		    digits);
		e = write_file(io, dir_fd, span_str(text));
	}
	return e == OK ? OK :
	    why_set(why, e, "file `spool' can't be made: %s", err_text(e));
}

enum err
store_identity_read(int dir_fd, uint8_t uuid[STORE_UUID_BYTES],
    struct why *why)
{
	uint8_t text[FILE_BYTES];
	ssize_t n;
	enum err e;
	int fd;

	e = store_io_open(&store_io_system, dir_fd, name, O_RDONLY, &fd);
	if (e != OK)
		return why_set(why, e, "file `spool': %s", strerror(errno));
	do
		n = pread(fd, text, sizeof(text), 0);
	while (n < 0 && errno == EINTR);
	(void)close(fd);
	if (n < 0)
		return why_set(why, ERR_IO, "file `spool' can't be read");
	return parse(span_of(text, (size_t)n), uuid, why);
}

static bool
is_copy(int dir_fd)
{
	struct stat st;

	return fstatat(dir_fd, STORE_COPY_NAME, &st, 0) == 0 ||
	    fstatat(dir_fd, STORE_COPY_NEW_NAME, &st, 0) == 0;
}

enum err
store_identity(const struct store_io *io, int dir_fd,
    uint8_t uuid[STORE_UUID_BYTES], struct why *why)
{
	enum err e;

	if (is_copy(dir_fd))
		return why_set(why, ERR_DENIED, "the directory is a backup: "
		    "`mtactl spool restore' makes a spool of it");
	e = store_identity_read(dir_fd, uuid, why);
	return e == ERR_NOT_FOUND ? make(io, dir_fd, uuid, why) : e;
}

/* The file may be removed by somebody who takes it for a stale one; then the
 * next process would make and lock another.  The directory itself stays.  Where
 * the file system can't lock that, the file has to do. */
static bool
is_taken(int dir_fd)
{
	return flock(dir_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/* Of the open file, so that two opens in one process exclude each other too. */
static bool
lock_file(int fd)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &all) == 0;
}

/* The kernel lets go of it with the process: a kill leaves no stale lock. */
enum err
store_identity_lock(const struct store_io *io, int dir_fd, int *lock_fd,
    struct why *why)
{
	enum err e;
	int fd;

	e = store_io_open(io, dir_fd, "lock", O_RDWR | O_CREAT, &fd);
	if (e != OK)
		return why_set(why, e, "file `lock': %s", strerror(errno));
	if (!lock_file(fd) || is_taken(dir_fd)) {
		(void)close(fd);
		return why_set(why, ERR_EXISTS,
		    "another process has the spool open");
	}
	*lock_fd = fd;
	return OK;
}

bool
store_identity_lock_as_is(int dir_fd, int *lock_fd)
{
	int fd = openat(dir_fd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	*lock_fd = fd;
	if ((fd < 0 || lock_file(fd)) && !is_taken(dir_fd))
		return true;
	if (fd >= 0)
		(void)close(fd);
	*lock_fd = -1;
	return false;
}
