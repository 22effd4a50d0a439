/*
 * The system's calls of the store, caught by the linker (--wrap): what is
 * about a descriptor of ours goes to the disk in memory, all else on to the
 * system.
 */
#include "tests/sim/sim_posix.h"

#include "common/base/check.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { FIRST = 1 << 20, DESCRIPTORS = 256 };

enum kind { FREE, OBJECT, WAKE, TIMER, POLL };

struct descriptor {
	enum kind kind;
	int object;
	uint64_t count;			/* of WAKE */
	uint64_t place;			/* of OBJECT: where is read or written */
	int64_t at_ms;			/* of TIMER; 0: not set */
	int polled[4];			/* of POLL */
	size_t n;
};

/* As it was when it was opened. */
struct sim_dir {
	int fd;
	size_t next, n;
	char (*names)[SIM_DISK_NAME];
	struct dirent entry;
};

static struct descriptor table[DESCRIPTORS];

static struct descriptor *
ours(int fd)
{
	if (fd < FIRST || fd >= FIRST + DESCRIPTORS)
		return NULL;
	MUST(table[fd - FIRST].kind != FREE);
	return &table[fd - FIRST];
}

static int
descriptor_new(enum kind kind, int object)
{
	for (int i = 0; i < DESCRIPTORS; i++) {
		if (table[i].kind != FREE)
			continue;
		table[i] = (struct descriptor){ .kind = kind,
		    .object = object };
		return FIRST + i;
	}
	errno = EMFILE;
	return -1;
}

/* ---- waking ---- */

bool
sim_posix_is_awake(int fd)
{
	const struct descriptor *d = ours(fd);
	bool is_awake = false;

	if (d->kind == WAKE)
		return d->count > 0;
	if (d->kind == TIMER)
		return d->at_ms > 0 && d->at_ms <= sim.mono_ms;
	for (size_t i = 0; i < d->n; i++)
		is_awake |= sim_posix_is_awake(d->polled[i]);
	return is_awake;
}

/* Of the store that is open; at most one is. */
static struct descriptor *timer;

int64_t
sim_posix_timer(void)
{
	return timer != NULL && timer->at_ms > 0 ? timer->at_ms : INT64_MAX;
}

void
sim_posix_wake(int fd)
{
	ours(fd)->count++;
}

size_t
sim_posix_open_count(void)
{
	size_t n = 0;

	for (int i = 0; i < DESCRIPTORS; i++)
		n += table[i].kind != FREE;
	return n;
}

int
__wrap_eventfd(unsigned count, int flags)
{
	(void)count;
	(void)flags;
	return descriptor_new(WAKE, 0);
}

int
__wrap_timerfd_create(int clock, int flags)
{
	int fd = descriptor_new(TIMER, 0);

	(void)clock;
	(void)flags;
	timer = ours(fd);
	return fd;
}

int
__wrap_timerfd_settime(int fd, int flags, const struct itimerspec *to,
    struct itimerspec *old)
{
	(void)flags;
	(void)old;
	ours(fd)->at_ms = sim.mono_ms + to->it_value.tv_sec * 1000 +
	    to->it_value.tv_nsec / 1000000;
	return 0;
}

int
__wrap_epoll_create1(int flags)
{
	(void)flags;
	return descriptor_new(POLL, 0);
}

int
__wrap_epoll_ctl(int poll, int op, int fd, struct epoll_event *event)
{
	(void)op;
	(void)event;
	MUST(ours(fd) != NULL && ours(poll)->n < COUNT_OF(ours(poll)->polled));
	ours(poll)->polled[ours(poll)->n++] = fd;
	return 0;
}

static ssize_t
moved(struct descriptor *d, ssize_t n)
{
	if (n > 0)
		d->place += (uint64_t)n;
	return n;
}

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	struct descriptor *d = ours(fd);

	return d != NULL ? moved(d, sim_disk_pwrite(d->object, p, n,
	    d->place)) : __real_write(fd, p, n);
}

int
__wrap_fchmod(int fd, mode_t mode)
{
	return ours(fd) != NULL ? 0 : __real_fchmod(fd, mode);
}

ssize_t
__wrap_read(int fd, void *p, size_t n)
{
	struct descriptor *d = ours(fd);
	uint64_t count = 1;

	if (d == NULL)
		return __real_read(fd, p, n);
	if (d->kind == OBJECT)
		return moved(d, sim_disk_pread(d->object, p, n, d->place));
	if (d->kind == WAKE && d->count > 0) {
		count = d->count;
		d->count = 0;
	} else if (d->kind == TIMER && d->at_ms > 0 &&
	    d->at_ms <= sim.mono_ms) {
		d->at_ms = 0;
	} else {
		errno = EAGAIN;
		return -1;
	}
	memcpy(p, &count, sizeof(count));
	return sizeof(count);
}

ssize_t
__wrap___read_chk(int fd, void *p, size_t n, size_t size)
{
	MUST(n <= size);
	return __wrap_read(fd, p, n);
}

/* ---- files ---- */

static int
opened(int object)
{
	int fd;

	if (object < 0)
		return -1;
	if ((fd = descriptor_new(OBJECT, object)) < 0)
		sim_disk_close(object);
	return fd;
}

/* The spool is the working directory of queued; 0: not ours. */
static int
dir_of(int dir, const char *name)
{
	const struct descriptor *d = ours(dir);

	return d != NULL ? d->object :
	    dir == AT_FDCWD && name[0] != '/' ? SIM_DISK_ROOT : 0;
}

static int
open_at(int dir, const char *name, int flags)
{
	int object = dir_of(dir, name);

	return opened(sim_disk_open(object != 0 ? object : SIM_DISK_ROOT,
	    name, flags));
}

int
__wrap_openat(int dir, const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (ours(dir) == NULL && name[0] == '/')
		return __real_openat(dir, name, flags, mode);
	return open_at(dir, name, flags);
}

int
__wrap_open(const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	return name[0] == '/' ? __real_open(name, flags, mode) :
	    open_at(AT_FDCWD, name, flags);
}

int
__wrap___open_2(const char *name, int flags)
{
	return __wrap_open(name, flags & ~O_CREAT);
}

int
__wrap___openat_2(int dir, const char *name, int flags)
{
	return __wrap_openat(dir, name, flags & ~O_CREAT);
}

int
__wrap_close(int fd)
{
	struct descriptor *d = ours(fd);

	if (d == NULL)
		return __real_close(fd);
	if (d->kind == OBJECT)
		sim_disk_close(d->object);
	if (d == timer)
		timer = NULL;
	d->kind = FREE;
	return 0;
}

ssize_t
__wrap_pread(int fd, void *p, size_t n, off_t at)
{
	const struct descriptor *d = ours(fd);

	return d != NULL ? sim_disk_pread(d->object, p, n, (uint64_t)at) :
	    __real_pread(fd, p, n, at);
}

ssize_t
__wrap___pread_chk(int fd, void *p, size_t n, off_t at, size_t size)
{
	MUST(n <= size);
	return __wrap_pread(fd, p, n, at);
}

ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	const struct descriptor *d = ours(fd);

	return d != NULL ? sim_disk_pwrite(d->object, p, n, (uint64_t)at) :
	    __real_pwrite(fd, p, n, at);
}

int
__wrap_fdatasync(int fd)
{
	const struct descriptor *d = ours(fd);

	return d != NULL ? sim_disk_sync(d->object) : __real_fdatasync(fd);
}

int
__wrap_fsync(int fd)
{
	const struct descriptor *d = ours(fd);

	return d != NULL ? sim_disk_sync(d->object) : __real_fsync(fd);
}

int
__wrap_fcntl(int fd, int command, void *arg)
{
	return ours(fd) != NULL ? 0 : __real_fcntl(fd, command, arg);
}

int
__wrap_fstat(int fd, struct stat *out)
{
	const struct descriptor *d = ours(fd);

	return d != NULL ? sim_disk_stat(d->object, out) :
	    __real_fstat(fd, out);
}

int
__wrap_fstatat(int dir, const char *name, struct stat *out, int flags)
{
	const struct descriptor *d = ours(dir);

	return d != NULL ? sim_disk_stat_at(d->object, name, out) :
	    __real_fstatat(dir, name, out, flags);
}

int
__wrap_fstatvfs(int fd, struct statvfs *out)
{
	uint64_t available, total;

	if (ours(fd) == NULL)
		return __real_fstatvfs(fd, out);
	memset(out, 0, sizeof(*out));
	sim_disk_room(&available, &total);
	out->f_frsize = 1;
	out->f_bavail = available;
	out->f_blocks = total;
	return 0;
}

int
__wrap_mkdirat(int dir, const char *name, mode_t mode)
{
	const struct descriptor *d = ours(dir);

	return d != NULL ? sim_disk_mkdir(d->object, name) :
	    __real_mkdirat(dir, name, mode);
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	int object = dir_of(dir, name);

	return object != 0 ? sim_disk_unlink(object, name) :
	    __real_unlinkat(dir, name, flags);
}

int
__wrap_renameat(int dir, const char *from, int to_dir, const char *to)
{
	int object = dir_of(dir, from);

	if (object == 0)
		return __real_renameat(dir, from, to_dir, to);
	MUST(dir == to_dir);
	return sim_disk_rename(object, from, to);
}

/* ---- directories ---- */

DIR *
__wrap_fdopendir(int fd)
{
	struct sim_dir *d;
	char name[SIM_DISK_NAME];

	if (ours(fd) == NULL)
		return __real_fdopendir(fd);
	d = calloc(1, sizeof(*d));
	MUST(d != NULL);
	d->fd = fd;
	while (sim_disk_name(ours(fd)->object, d->n, name)) {
		d->names = realloc(d->names, (d->n + 1) * sizeof(name));
		MUST(d->names != NULL);
		memcpy(d->names[d->n++], name, sizeof(name));
	}
	return (DIR *)(void *)d;
}

/* Nobody else in this program reads directories. */
struct dirent *
__wrap_readdir(DIR *dir)
{
	struct sim_dir *d = (struct sim_dir *)(void *)dir;

	if (d->next == d->n)
		return NULL;
	memcpy(d->entry.d_name, d->names[d->next++], SIM_DISK_NAME);
	return &d->entry;
}

int
__wrap_closedir(DIR *dir)
{
	struct sim_dir *d = (struct sim_dir *)(void *)dir;
	int rc = __wrap_close(d->fd);

	free(d->names);
	free(d);
	return rc;
}
