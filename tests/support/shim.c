/*
 * Kills, freezes, failures and delays at chosen system calls of our processes.
 *
 * Named in a private /etc/ld.so.preload (the processes are started with an
 * empty environment) it finds shim.state beside itself and maps it: there each
 * call of each process is counted by what it is about, and the test leaves its
 * orders.  An order is about the Nth call of one kind from now on.  In
 * any other program the shim passes everything on.
 *
 * What a descriptor is about is noted when its file is opened, or asked of the
 * kernel when it is first used; a channel tells by the hello that comes over
 * it.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ROLE(name)
#define CALL(name)
#define OBJECT(name)
#define ACTION(name)

#undef ROLE
#define ROLE(name) ROLE_##name,
enum role {
#include "shim.def"
	ROLES
};
#undef ROLE
#define ROLE(name) #name,
static const char *const role_names[] = {
#include "shim.def"
};
#undef ROLE
#define ROLE(name)

#undef CALL
#define CALL(name) CALL_##name,
enum call {
#include "shim.def"
	CALLS
};
#undef CALL
#define CALL(name)

#undef OBJECT
#define OBJECT(name) OBJECT_##name,
enum object {
#include "shim.def"
	OBJECTS
};
#undef OBJECT
#define OBJECT(name)

#undef ACTION
#define ACTION(name) ACTION_##name,
enum action {
#include "shim.def"
	ACTIONS
};

enum { ORDERS = 8, FDS = 4096, UNKNOWN = 0, ANY = 0xffff };

/* As faults.py writes it. */
struct order {
	_Atomic uint32_t is_given;
	uint16_t role, call, object, action;	/* role to object: or ANY */
	uint32_t error;				/* errno of a failure */
	uint64_t first, count;			/* calls it is about */
	uint64_t delay_us;
	_Atomic uint64_t seen;			/* such calls since then */
	_Atomic uint64_t hits;
};

struct state {
	struct order orders[ORDERS];
	_Atomic uint64_t counts[ROLES][CALLS][OBJECTS];
};

static struct state *state;
static enum role role;
static uint8_t objects[FDS];		/* of each descriptor, and one */
static int (*real_fstatvfs)(int, struct statvfs *);
static int (*real_thread)(pthread_t *, const pthread_attr_t *,
    void *(*)(void *), void *);

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

/* ---- beginning ---- */

/* Between fork and exec it is neither the one nor the other. */
static void
in_child(void)
{
	state = NULL;
}

static bool
find_role(void)
{
	char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *name;

	if (n <= 0)
		return false;
	path[n] = '\0';
	name = strrchr(path, '/');
	for (role = 0; role < ROLES; role++) {
		if (name != NULL && strcmp(name + 1, role_names[role]) == 0)
			return true;
	}
	return false;
}

__attribute__((constructor)) static void
begin(void)
{
	char path[512];
	Dl_info self;
	char *slash;
	void *p;
	int fd;

	*(void **)&real_fstatvfs = dlsym(RTLD_NEXT, "fstatvfs");
	*(void **)&real_thread = dlsym(RTLD_NEXT, "pthread_create");
	if (!find_role() || dladdr(&state, &self) == 0)
		return;
	(void)snprintf(path, sizeof(path), "%s", self.dli_fname);
	if ((slash = strrchr(path, '/')) == NULL)
		return;
	(void)snprintf(slash, sizeof(path) - (size_t)(slash - path),
	    "/shim.state");
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	(void)syscall(SYS_close, fd);
	(void)pthread_atfork(NULL, NULL, in_child);
	if (p != MAP_FAILED)
		state = p;
}

/* ---- what a descriptor is about ---- */

static bool
begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static enum object
of_name(const char *path, int flags)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	if (begins(name, "log."))
		return OBJECT_log;
	if (begins(name, "spare.") || begins(name, "new.segment"))
		return OBJECT_spare;
	if (begins(name, "body."))
		return OBJECT_body;
	if (strcmp(name, "data.mdb") == 0)
		return (flags & O_DSYNC) != 0 ? OBJECT_index_meta :
		    OBJECT_index;
	if (strcmp(name, "data.mdb.new") == 0)
		return OBJECT_index_new;
	if (strcmp(name, "lock.mdb") == 0)
		return OBJECT_index_lock;
	if (begins(name, "journal"))
		return OBJECT_journal;
	if ((flags & O_DIRECTORY) == 0)
		return OBJECT_file;
	return strcmp(name, "log") == 0 ? OBJECT_log_dir :
	    strcmp(name, "body") == 0 ? OBJECT_body_dir :
	    strcmp(name, "index") == 0 ? OBJECT_index_dir : OBJECT_dir;
}

static void
note(int fd, enum object object)
{
	if (fd >= 0 && fd < FDS)
		objects[fd] = (uint8_t)(object + 1);
}

static void
forget(int fd)
{
	if (fd >= 0 && fd < FDS)
		objects[fd] = UNKNOWN;
}

static enum object
ask_kernel(int fd)
{
	struct stat st;
	int domain;
	socklen_t n = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0)
		return domain != AF_UNIX ? OBJECT_net :
		    fd == 3 && role != ROLE_mtad ? OBJECT_parent : OBJECT_new;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return OBJECT_dir;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? OBJECT_file :
	    OBJECT_none;
}

static enum object
of_fd(int fd)
{
	if (state == NULL || fd < 0 || fd >= FDS)
		return OBJECT_none;
	if (objects[fd] == UNKNOWN)
		note(fd, ask_kernel(fd));
	return (enum object)(objects[fd] - 1);
}

/* The first frame is u32 length, u16 type 0, u16 descriptors, u32 length of
 * the build id, the id, u8 role (common/ipc). */
static void
learn(int fd, const uint8_t *p, ssize_t n)
{
	static const enum object ends[] = { OBJECT_parent, OBJECT_to_smtpd,
	    OBJECT_to_queued, OBJECT_to_deliverd, OBJECT_to_dnsd, OBJECT_new,
	    OBJECT_mtactl };
	uint32_t build;

	if (n < 16 || of_fd(fd) != OBJECT_new || p[4] != 0 || p[5] != 0)
		return;
	memcpy(&build, p + 8, sizeof(build));
	if (build < 128 && n > 12 + (ssize_t)build &&
	    p[12 + build] < sizeof(ends) / sizeof(ends[0]))
		note(fd, ends[p[12 + build]]);
}

/* A descriptor keeps its number when its file gets another name. */
static void
renamed(int dir, const char *to)
{
	enum object object = of_name(to, 0);
	struct stat st, one;

	if (state == NULL ||
	    fstatat(dir, to, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	for (int fd = 0; fd < FDS; fd++) {
		if ((objects[fd] == OBJECT_spare + 1 ||
		    objects[fd] == OBJECT_log + 1) &&
		    fstat(fd, &one) == 0 && one.st_ino == st.st_ino)
			note(fd, object);
	}
}

/* ---- orders ---- */

struct pass {
	enum action then;		/* ACTIONS: nothing */
};

static void
strike(int number)
{
	for (;;) {
		(void)syscall(SYS_kill, syscall(SYS_getpid), number);
		(void)syscall(SYS_sched_yield);
	}
}

static void
wait_us(uint64_t us)
{
	struct timespec t = { (time_t)(us / 1000000),
	    (long)(us % 1000000) * 1000 };

	while (syscall(SYS_nanosleep, &t, &t) != 0 && errno == EINTR)
		continue;
}

/* Whether this call is one that the order is about. */
static bool
applies(struct order *o, enum call call, enum object object)
{
	uint64_t number;

	if (atomic_load(&o->is_given) == 0 ||
	    (o->role != ANY && o->role != role) ||
	    (o->call != ANY && o->call != call) ||
	    (o->object != ANY && o->object != object))
		return false;
	number = atomic_fetch_add(&o->seen, 1) + 1;
	if (number < o->first ||
	    (o->count != 0 && number >= o->first + o->count))
		return false;
	atomic_fetch_add(&o->hits, 1);
	return true;
}

/* N, where not NULL, is what is to be written: half of it for the half
 * ones.  False: the call fails. */
static bool
enter(struct pass *p, enum call call, enum object object, size_t *n)
{
	p->then = ACTIONS;
	if (state == NULL)
		return true;
	atomic_fetch_add_explicit(&state->counts[role][call][object], 1,
	    memory_order_relaxed);
	for (int i = 0; i < ORDERS; i++) {
		struct order *o = &state->orders[i];

		if (!applies(o, call, object))
			continue;
		if (o->action == ACTION_kill_before)
			strike(SIGKILL);
		if (o->action == ACTION_stop_before)
			strike(SIGSTOP);
		if (o->action == ACTION_delay)
			wait_us(o->delay_us);
		if (o->action == ACTION_fail) {
			errno = (int)o->error;
			return false;
		}
		if ((o->action == ACTION_kill_half ||
		    o->action == ACTION_stop_half) && n != NULL)
			*n = (*n + 1) / 2;
		p->then = o->action;
	}
	return true;
}

static long
leave(const struct pass *p, long result)
{
	if (p->then == ACTION_kill_after || p->then == ACTION_kill_half)
		strike(SIGKILL);
	if (p->then == ACTION_stop_after || p->then == ACTION_stop_half)
		strike(SIGSTOP);
	return result;
}

/* ---- files ---- */

static int
open_at(int dir, const char *path, int flags, mode_t mode)
{
	enum object object = of_name(path, flags);
	struct pass p;
	int fd;

	if (!enter(&p, CALL_open, object, NULL))
		return -1;
	fd = (int)leave(&p, syscall(SYS_openat, dir, path, flags, mode));
	if (state != NULL)
		note(fd, object);
	return fd;
}

static mode_t
mode_of(int flags, va_list more)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) :
	    0;
}

int
open(const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = mode_of(flags, more);
	va_end(more);
	return open_at(AT_FDCWD, path, flags, mode);
}

int
openat(int dir, const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = mode_of(flags, more);
	va_end(more);
	return open_at(dir, path, flags, mode);
}

/* What _FORTIFY_SOURCE makes of those without O_CREAT. */
int __open_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);

int
__open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

int
__openat_2(int dir, const char *path, int flags)
{
	return open_at(dir, path, flags, 0);
}

int open64(const char *path, int flags, ...)
    __attribute__((alias("open")));
int openat64(int dir, const char *path, int flags, ...)
    __attribute__((alias("openat")));

int
close(int fd)
{
	forget(fd);
	return (int)syscall(SYS_close, fd);
}

ssize_t
read(int fd, void *b, size_t n)
{
	struct pass p;

	if (!enter(&p, CALL_read, of_fd(fd), NULL))
		return -1;
	return leave(&p, syscall(SYS_read, fd, b, n));
}

ssize_t
pread(int fd, void *b, size_t n, off_t at)
{
	struct pass p;

	if (!enter(&p, CALL_pread, of_fd(fd), NULL))
		return -1;
	return leave(&p, syscall(SYS_pread64, fd, b, n, at));
}

ssize_t
write(int fd, const void *b, size_t n)
{
	struct pass p;

	if (!enter(&p, CALL_write, of_fd(fd), &n))
		return -1;
	return leave(&p, syscall(SYS_write, fd, b, n));
}

ssize_t
pwrite(int fd, const void *b, size_t n, off_t at)
{
	struct pass p;

	if (!enter(&p, CALL_pwrite, of_fd(fd), &n))
		return -1;
	return leave(&p, syscall(SYS_pwrite64, fd, b, n, at));
}

ssize_t pread64(int fd, void *b, size_t n, off_t at)
    __attribute__((alias("pread")));
ssize_t pwrite64(int fd, const void *b, size_t n, off_t at)
    __attribute__((alias("pwrite")));

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	struct pass p;

	if (!enter(&p, CALL_writev, of_fd(fd), NULL))
		return -1;
	return leave(&p, syscall(SYS_writev, fd, v, n));
}

ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	struct pass p;

	if (!enter(&p, CALL_writev, of_fd(fd), NULL))
		return -1;
	return leave(&p, syscall(SYS_pwritev, fd, v, n, at, 0));
}

int
fdatasync(int fd)
{
	struct pass p;

	if (!enter(&p, CALL_fdatasync, of_fd(fd), NULL))
		return -1;
	return (int)leave(&p, syscall(SYS_fdatasync, fd));
}

int
fsync(int fd)
{
	struct pass p;

	if (!enter(&p, CALL_fsync, of_fd(fd), NULL))
		return -1;
	return (int)leave(&p, syscall(SYS_fsync, fd));
}

/* By the new name; a sealed segment that becomes a spare is "rename spare". */
int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct pass p;
	long done;

	if (!enter(&p, CALL_rename, of_name(to, 0), NULL))
		return -1;
	done = syscall(SYS_renameat, from_dir, from, to_dir, to);
	if (done == 0)
		renamed(to_dir, to);
	return (int)leave(&p, done);
}

int
unlinkat(int dir, const char *path, int flags)
{
	struct pass p;

	if (!enter(&p, CALL_unlink, of_name(path, 0), NULL))
		return -1;
	return (int)leave(&p, syscall(SYS_unlinkat, dir, path, flags));
}

int
fallocate(int fd, int mode, off_t at, off_t n)
{
	struct pass p;

	if (!enter(&p, CALL_fallocate, of_fd(fd), NULL))
		return -1;
	return (int)leave(&p, syscall(SYS_fallocate, fd, mode, at, n));
}

int
fstatvfs(int fd, struct statvfs *out)
{
	struct pass p;

	if (!enter(&p, CALL_statvfs, of_fd(fd), NULL))
		return -1;
	return (int)leave(&p, real_fstatvfs(fd, out));
}

int fallocate64(int fd, int mode, off_t at, off_t n)
    __attribute__((alias("fallocate")));

/* ---- sockets ---- */

ssize_t
send(int fd, const void *b, size_t n, int flags)
{
	struct pass p;

	if (!enter(&p, CALL_send, of_fd(fd), &n))
		return -1;
	return leave(&p, syscall(SYS_sendto, fd, b, n, flags, NULL, 0));
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct pass p;

	if (!enter(&p, CALL_sendmsg, of_fd(fd), NULL))
		return -1;
	return leave(&p, syscall(SYS_sendmsg, fd, m, flags));
}

ssize_t
recv(int fd, void *b, size_t n, int flags)
{
	struct pass p;
	long done;

	if (!enter(&p, CALL_recv, of_fd(fd), NULL))
		return -1;
	done = syscall(SYS_recvfrom, fd, b, n, flags, NULL, NULL);
	learn(fd, b, done);
	return leave(&p, done);
}

/* Descriptors that come along had other owners before. */
static void
forget_passed(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd),
			    sizeof(fd));
			forget(fd);
		}
	}
}

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	struct pass p;
	long done;

	if (!enter(&p, CALL_recvmsg, of_fd(fd), NULL))
		return -1;
	done = syscall(SYS_recvmsg, fd, m, flags);
	if (done > 0 && state != NULL) {
		forget_passed(m);
		learn(fd, m->msg_iov[0].iov_base, done);
	}
	return leave(&p, done);
}

int
socket(int domain, int type, int protocol)
{
	struct pass p;
	int fd;

	if (!enter(&p, CALL_socket, OBJECT_none, NULL))
		return -1;
	fd = (int)leave(&p, syscall(SYS_socket, domain, type, protocol));
	forget(fd);
	return fd;
}

int
socketpair(int domain, int type, int protocol, int fds[2])
{
	struct pass p;
	long done;

	if (!enter(&p, CALL_socket, OBJECT_none, NULL))
		return -1;
	done = syscall(SYS_socketpair, domain, type, protocol, fds);
	if (done == 0) {
		forget(fds[0]);
		forget(fds[1]);
	}
	return (int)leave(&p, done);
}

int
connect(int fd, const struct sockaddr *to, socklen_t n)
{
	struct pass p;

	if (!enter(&p, CALL_connect, of_fd(fd), NULL))
		return -1;
	return (int)leave(&p, syscall(SYS_connect, fd, to, n));
}

int
accept4(int fd, struct sockaddr *from, socklen_t *n, int flags)
{
	struct pass p;
	int got;

	if (!enter(&p, CALL_accept, of_fd(fd), NULL))
		return -1;
	got = (int)leave(&p, syscall(SYS_accept4, fd, from, n, flags));
	forget(got);
	return got;
}

/* ---- what else makes a descriptor or a thread ---- */

int
eventfd(unsigned count, int flags)
{
	struct pass p;
	int fd;

	if (!enter(&p, CALL_eventfd, OBJECT_none, NULL))
		return -1;
	fd = (int)leave(&p, syscall(SYS_eventfd2, count, flags));
	forget(fd);
	return fd;
}

int
timerfd_create(clockid_t clock, int flags)
{
	struct pass p;
	int fd;

	if (!enter(&p, CALL_timerfd, OBJECT_none, NULL))
		return -1;
	fd = (int)leave(&p, syscall(SYS_timerfd_create, clock, flags));
	forget(fd);
	return fd;
}

int
epoll_create1(int flags)
{
	struct pass p;
	int fd;

	if (!enter(&p, CALL_epoll, OBJECT_none, NULL))
		return -1;
	fd = (int)leave(&p, syscall(SYS_epoll_create1, flags));
	forget(fd);
	return fd;
}

int
pthread_create(pthread_t *out, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg)
{
	struct pass p;

	if (!enter(&p, CALL_thread, OBJECT_none, NULL))
		return errno;
	return (int)leave(&p, real_thread(out, attr, run, arg));
}

/* ---- memory ---- */

void *
malloc(size_t n)
{
	struct pass p;

	return enter(&p, CALL_malloc, OBJECT_none, NULL) ? __libc_malloc(n) :
	    NULL;
}

void *
calloc(size_t n, size_t size)
{
	struct pass p;

	return enter(&p, CALL_calloc, OBJECT_none, NULL) ?
	    __libc_calloc(n, size) : NULL;
}

void *
realloc(void *old, size_t n)
{
	struct pass p;

	return enter(&p, CALL_realloc, OBJECT_none, NULL) ?
	    __libc_realloc(old, n) : NULL;
}
