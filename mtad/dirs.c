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
	if ((st.st_uid == user->uid || (is_empty(fd) &&
	    fchown(fd, user->uid, user->gid) == 0)) &&
	    (st.st_mode & 0777 & ~mode) != 0)
		(void)fchmod(fd, st.st_mode & mode);
	fd_close(&fd);
}

static enum err
make_dir(const char *path, const struct creds_user *user, mode_t mode,
    struct why *why)
{
	mend(path, user, mode);
	return file_check_dir(AT_FDCWD, path, user->uid, (gid_t)-1, mode, why);
}

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
 */
static struct flock
record_lock(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

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
			    "queued,smtpd,deliverd,dnsd` shows them");
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
	e = await_children(fd, why);
	if (e == OK)
		e = write_pid(fd, path, why);
	if (e != OK) {
		fd_close(&fd);
		return e;
	}
	m->lock_fd = fd;
	return OK;
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
