/*
 * Preloaded into the processes of a test: their wall clock is the system's and
 * as many milliseconds as the file WALL_PATH says, which may change while they
 * run.  The monotonic clock is left alone.  Mapped before main(), so that a
 * process which may open nothing any more still sees it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_ms;

__attribute__((constructor)) static void
begin(void)
{
	int fd = open(WALL_PATH, O_RDONLY | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*offset_ms), PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		offset_ms = p;
	(void)close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	int result = (int)syscall(SYS_clock_gettime, clock, t);
	int64_t by = offset_ms != NULL ? *offset_ms : 0;

	if (result == 0 &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		t->tv_sec += by / 1000;
	return result;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	tv->tv_sec = t.tv_sec;
	tv->tv_usec = t.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}
