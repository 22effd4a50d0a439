/*
 * The directories of an instance, its lock, its control socket, and the
 * numbers of its processes.
 *
 * runtime/ has the pid file (which is the lock), the control socket, the file
 * of instance numbers, and empty/, the root directory of all children but
 * queued.  The parent is root, and the configuration may name any path:
 * nothing is followed that somebody else could have put there (O_NOFOLLOW,
 * owner and mode are checked on what was opened).
 */
#include "mtad/dirs.h"

#include "common/base/units.h"
#include "common/os/clock.h"
#include "common/os/fd.h"
#include "common/os/file.h"
#include "common/os/file_check.h"
#include "common/os/random.h"
#include "common/os/sandbox.h"
#include "common/os/sock_unix.h"
#include "common/proc/proc.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES	4200
#define CONTROL_BACKLOG	64
#define LOCK_POLL_MS	20
#define INSTANCE_MASK	0xffffffu

static void
path_in(const char *dir, const char *name, char out[PATH_BYTES])
{
	(void)snprintf(out, PATH_BYTES, "%s/%s", dir, name);
}

static enum err
failed(struct why *why, const char *path)
{
	return why_set(why, ERR_IO, "%s: %s", path, strerror(errno));
}

/* ---- directories ---- */

static bool
is_empty(int fd)
{
	int copy = dup(fd);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	unsigned count = 0;

	if (d == NULL) {
		fd_close(&copy);
		return false;
	}
	while ((entry = readdir(d)) != NULL)
		count++;
	(void)closedir(d);
	return count <= 2;	/* . and .. */
}

/*
 * What an administrator made by hand is put right as far as that is safe: our
 * own directory is closed to others, and an empty one of root's is given to
 * USER.  Everything else is for file_check_dir() to refuse.
 */
static void
mend(const char *path, const struct creds_user *user, mode_t mode)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) != 0 || (st.st_uid != geteuid() &&
	    st.st_uid != user->uid)) {
		fd_close(&fd);
		return;
	}
	/* bits are only taken away, never given */
	if ((st.st_uid == user->uid || (is_empty(fd) &&
	    fchown(fd, user->uid, user->gid) == 0)) &&
	    (st.st_mode & 0777 & ~mode) != 0)
		(void)fchmod(fd, st.st_mode & mode);
	fd_close(&fd);
}

/* Makes it when it is absent.  MODE is what it may have at most. */
static enum err
make_dir(const char *path, const struct creds_user *user, mode_t mode,
    struct why *why)
{
	mend(path, user, mode);
	return file_check_dir(AT_FDCWD, path, user->uid, (gid_t)-1, mode, why);
}

/* queue.path is owned by queued's user and closed to all others; the other two
 * hold nothing secret and are only written by us. */
enum err
dirs_make(struct mtad *m, struct why *why)
{
	const struct creds_user self = { geteuid(), getegid() };
	const char *runtime = m->conf->runtime;
	enum err e = make_dir(runtime, &self, 0755, why);

	if (e != OK)
		return e;
	(void)snprintf(m->empty_dir, sizeof(m->empty_dir), "%s/empty",
	    runtime);
	e = make_dir(m->empty_dir, &self, 0755, why);
	if (e == OK)
		e = sandbox_check_empty(m->empty_dir, why);
	if (e == OK)
		e = make_dir(m->conf->queue.path,
		    m->is_root ? &m->users[PROC_QUEUED] : &self, 0700, why);
	return e;
}

/* ---- lock and pid file ---- */

/*
 * Two locks on one file.  The record lock dies with the parent and tells its
 * pid; the flock lives on in the descriptors of its children, so that a parent
 * that was killed is not replaced before they have let go of ports and spool.
 * Theirs is read only: none of them may write a pid for a script to kill.
 * The record lock would also be lost when this process closes any other
 * descriptor of the file: dirs_running() is not for one that holds it.
 */
static struct flock
record_lock(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

/* F_GETLK needs a descriptor that could be written; nothing is written. */
pid_t
dirs_running(const struct conf *conf)
{
	struct flock lock = record_lock();
	char path[PATH_BYTES];
	pid_t pid = 0;
	int fd;

	path_in(conf->runtime, "mtad.pid", path);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		pid = lock.l_pid;
	fd_close(&fd);
	return pid;
}

/* Children without a parent end by themselves within PROC_ORPHAN_GRACE_MS.
 * This is before the loop, so it may sleep. */
static enum err
await_children(int fd, struct why *why)
{
	const int64_t until_ms = clock_mono_ms() + PROC_ORPHAN_GRACE_MS + 2000;

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return failed(why, "flock");
		if (clock_mono_ms() >= until_ms)
			return why_set(why, ERR_EXISTS, "processes of an mtad "
			    "that was killed still run: `ps -C "
			    "queued,smtpd,deliverd,keyd,dnsd,fetchd` "
			    "shows them");
		(void)usleep(LOCK_POLL_MS * 1000);
	}
	return OK;
}

static enum err
write_pid(int fd, const char *path, struct why *why)
{
	char text[UNITS_TEXT_SIZE];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) != 0 ||
	    file_pwrite_all(fd, text, (size_t)n, 0) != OK)
		return failed(why, path);
	return OK;
}

/* The file is never removed: two processes would then lock two files of one
 * name. */
static enum err
hold_pid_file(struct mtad *m, int fd, const char *path, struct why *why)
{
	int shared = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum err e = shared < 0 ? failed(why, path) :
	    await_children(shared, why);

	if (e == OK)
		e = write_pid(fd, path, why);
	if (e != OK) {
		fd_close(&shared);
		return e;
	}
	m->lock_fd = fd;
	m->shared_lock_fd = shared;
	return OK;
}

enum err
dirs_lock(struct mtad *m, struct why *why)
{
	struct flock lock = record_lock();
	char path[PATH_BYTES];
	enum err e;
	int fd;

	path_in(m->conf->runtime, "mtad.pid", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return failed(why, path);
	if (fcntl(fd, F_SETLK, &lock) != 0) {
		fd_close(&fd);
		return why_set(why, ERR_EXISTS, "mtad runs already (pid %d, "
		    "runtime %s)", (int)dirs_running(m->conf),
		    m->conf->runtime);
	}
	e = hold_pid_file(m, fd, path, why);
	if (e != OK)
		fd_close(&fd);
	return e;
}

/* ---- control socket ---- */

enum err
dirs_open_control(struct mtad *m, struct why *why)
{
	char path[PATH_BYTES];
	enum err e;

	path_in(m->conf->runtime, "control.sock", path);
	e = sock_unix_listen(path, 0600, CONTROL_BACKLOG, &m->control_fd);
	if (e == ERR_IO)
		return failed(why, path);
	if (e != OK)
		return why_set(why, e, "%s: %s", path, err_text(e));
	/* made with 0600 and opened up afterwards: nobody is let in between */
	if (!m->is_root)
		return OK;
	/* queued asks each client's credentials as well */
	if (lchown(path, 0, m->control_group) != 0 || chmod(path, 0660) != 0)
		return failed(why, path);
	return OK;
}

/* The pid file stays, empty: whoever waits for its lock has it open. */
void
dirs_tidy(const struct mtad *m)
{
	char path[PATH_BYTES];

	if (m->lock_fd < 0)
		return;
	path_in(m->conf->runtime, "control.sock", path);
	(void)unlink(path);
	if (ftruncate(m->lock_fd, 0) != 0)
		return;		/* it only shows a number too many */
}

/* ---- instances ---- */

/* A block of numbers is taken at a time, and the file says where the next
 * begins; without the file (a reboot) it begins anywhere. */
#define INSTANCE_BLOCK	4096u

/* A file that says nonsense is as good as none.  The start of a block, so that
 * dirs_next_instance() sees when a block is used up. */
static uint32_t
read_next(const char *path)
{
	struct buf text;
	uint64_t v = 0;

	buf_init(&text, 64);
	if (file_read(AT_FDCWD, path, 32, &text, NULL) != OK ||
	    units_parse_u64(buf_span(&text), &v) != OK || v > INSTANCE_MASK)
		(void)random_u64(&v);
	buf_clear(&text);
	return (uint32_t)v & (INSTANCE_MASK & ~(INSTANCE_BLOCK - 1));
}

/* The file is written before any number of the block is used: a parent that is
 * killed loses the rest of the block, and no number comes twice. */
static void
take_block(struct mtad *m)
{
	char path[PATH_BYTES], text[UNITS_TEXT_SIZE];
	uint32_t after;
	int dir, n;

	path_in(m->conf->runtime, "instance", path);
	if (m->next_instance == 0)
		m->next_instance = read_next(path);
	after = (m->next_instance + INSTANCE_BLOCK) & INSTANCE_MASK;
	n = snprintf(text, sizeof(text), "%u", after);
	dir = open(m->conf->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	/* a lost file costs certainty, not service */
	(void)file_replace(dir, "instance", 0644, span_of(text, (size_t)n));
	fd_close(&dir);
}

/* 0 means none everywhere; 24 bits, for 40 more make the token of a
 * message. */
uint64_t
dirs_next_instance(struct mtad *m)
{
	if (m->next_instance % INSTANCE_BLOCK == 0)
		take_block(m);
	m->next_instance = (m->next_instance + 1) & INSTANCE_MASK;
	if (m->next_instance == 0)
		m->next_instance = 1;
	return m->next_instance;
}
