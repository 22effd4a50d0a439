/*
 * A disk with slow syncs: each fsync, fdatasync, syncfs and msync(MS_SYNC)
 * takes some milliseconds longer.  Preload it:
 *
 *   cc -shared -fPIC -O2 -DSLOWSYNC_MS=2 -o slowsync.so slowsync.c -ldl
 *   LD_PRELOAD=./slowsync.so SLOWSYNC_MS=5 program
 *
 * The environment's value wins over the one compiled in.  The latter serves
 * programs that start others with an empty environment: bench.py names the
 * library in a private /etc/ld.so.preload.
 */
#include <sys/mman.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifndef SLOWSYNC_MS
#define SLOWSYNC_MS 0
#endif

static struct timespec delay;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_syncfs)(int);
static int (*real_msync)(void *, size_t, int);

__attribute__((constructor)) static void
slowsync_start(void)
{
	const char *text = getenv("SLOWSYNC_MS");
	double ms = text != NULL ? strtod(text, NULL) : SLOWSYNC_MS;

	if (ms > 0) {
		delay.tv_sec = (time_t)(ms / 1000);
		delay.tv_nsec = (long)(ms * 1e6) % 1000000000L;
	}
	*(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
	*(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
	*(void **)&real_syncfs = dlsym(RTLD_NEXT, "syncfs");
	*(void **)&real_msync = dlsym(RTLD_NEXT, "msync");
}

static void
wait_a_bit(void)
{
	struct timespec left = delay;
	int kept = errno;

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
	errno = kept;
}

int
fsync(int fd)
{
	wait_a_bit();
	return real_fsync(fd);
}

int
fdatasync(int fd)
{
	wait_a_bit();
	return real_fdatasync(fd);
}

int
syncfs(int fd)
{
	wait_a_bit();
	return real_syncfs(fd);
}

int
msync(void *start, size_t n, int flags)
{
	if ((flags & MS_SYNC) != 0)
		wait_a_bit();
	return real_msync(start, n, flags);
}
