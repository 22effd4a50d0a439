/*
 * The walk through the index (store_probe.h) is bounded in time, so that a
 * start is quick however long the queue.  But pages that were passed over may
 * be what ended the last life: so the more lives in a row ended out of order,
 * the more time it has, and in the end all it needs.
 */
#include "queued/store/store_aside.h"

#include "common/base/mtime.h"
#include "common/os/clock.h"
#include "queued/store/store_build.h"
#include "queued/store/store_probe.h"
#include "queued/store/store_shrink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0600 };

#define CLEAN_MS	300	/* also after one that was killed */
#define UNCLEAN_MS	3000	/* after so many in a row: */
#define UNCLEAN_LIVES	2

static const char index_dir[] = "index";
static const char aside_dir[] = "index.aside";
static const char unclean[] = "unclean";
static const char damaged[] = "damaged";

/* ---- looking ---- */

static int64_t
time_for(off_t lives)
{
	if (lives > UNCLEAN_LIVES)
		return INT64_MAX;
	return mtime_add(clock_mono_ms(), lives == UNCLEAN_LIVES ?
	    UNCLEAN_MS : CLEAN_MS);
}

/* A hint only: nothing depends on its being there. */
static void
note_life(int index_fd)
{
	int fd = openat(index_fd, unclean, O_WRONLY | O_CREAT | O_APPEND |
	    O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

	if (fd < 0)
		return;
	(void)!write(fd, "x", 1);
	(void)close(fd);
}

enum err
store_aside_look(struct store *s, int index_fd, struct why *why)
{
	struct stat lives = { .st_size = 0 }, st;
	enum err e;

	/* not yet in the index's place, so of no use */
	(void)s->io->unlink(s->io->ctx, index_fd, STORE_SHRINK_NAME);
	(void)s->io->unlink(s->io->ctx, index_fd, STORE_BUILD_LOCK);
	if (faccessat(index_fd, damaged, F_OK, 0) == 0)
		return why_set(why, ERR_CORRUPT, "index: a row was found "
		    "damaged");
	/* LMDB makes what is not there, and takes an empty file for new */
	if (fstatat(index_fd, "data.mdb", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_size > 0) {
		struct why what = { .text = "" };

		(void)fstatat(index_fd, unclean, &lives,
		    AT_SYMLINK_NOFOLLOW);
		e = store_probe(index_fd, "data.mdb", time_for(lives.st_size),
		    NULL, &what);
		if (e != OK)
			return why_set(why, e, "index: %s", what.text);
	}
	note_life(index_fd);
	return OK;
}

/* ---- out of the way ---- */

enum err
store_aside_move(struct store *s)
{
	int fd = openat(s->dir_fd, aside_dir, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0) {
		(void)unlinkat(fd, "data.mdb", 0);
		(void)unlinkat(fd, "lock.mdb", 0);
		(void)unlinkat(fd, unclean, 0);
		(void)unlinkat(fd, damaged, 0);
		(void)unlinkat(fd, STORE_SHRINK_NAME, 0);
		(void)unlinkat(fd, STORE_BUILD_LOCK, 0);
		(void)close(fd);
		(void)unlinkat(s->dir_fd, aside_dir, AT_REMOVEDIR);
	}
	if (s->io->rename(s->io->ctx, s->dir_fd, index_dir, aside_dir) != 0 ||
	    s->io->sync_dir(s->io->ctx, s->dir_fd) != 0)
		return ERR_IO;
	return OK;
}

/* ---- for the next start ---- */

void
store_aside_damaged(struct store *s)
{
	int fd = openat(s->dir_fd, "index/damaged", O_WRONLY | O_CREAT |
	    O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

	if (fd >= 0)
		(void)close(fd);
}

void
store_aside_end(struct store *s)
{
	(void)unlinkat(s->dir_fd, "index/unclean", 0);
}
