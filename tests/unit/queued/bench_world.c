/*
 * What queued sees of the world: clocks, syncs, its process (struct proc is
 * the bench's own here, proc.c is not linked).
 */
#include "bench.h"
#include "bench_world.h"
#include "common/os/clock.h"
#include "common/proc/proc.h"
#include "queued/store/store_quick.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t skipped_ms;
static int64_t jumped_ms;
static atomic_bool is_held;
static atomic_int sync_error;
static atomic_ullong syncs;

/* ---- clocks ---- */

static int64_t
read_ms(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC) + skipped_ms;
}

int64_t
clock_mono_ns(void)
{
	return clock_mono_ms() * 1000000;
}

int64_t
clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME) + skipped_ms + jumped_ms;
}

int64_t
bench_real_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

void
bench_skip(struct bench *b, int64_t ms)
{
	bench_turn(b, 1);
	skipped_ms += ms;
	bench_turn(b, 1);
}

void
bench_jump(struct bench *b, int64_t ms)
{
	bench_turn(b, 1);
	jumped_ms += ms;
	bench_turn(b, 1);
}

/* ---- the disk ---- */

static bool
is_log(int fd)
{
	char link[64], path[256];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return strstr(path, "/log/") != NULL;
}

/* In front of the C library's; called by the store's threads. */
int fdatasync(int fd);

int
fdatasync(int fd)
{
	int error;

	if (!is_log(fd))
		return (int)syscall(SYS_fdatasync, fd);
	while (atomic_load(&is_held))
		(void)usleep(500);
	error = atomic_load(&sync_error);
	if (error != 0) {
		errno = error;
		return -1;
	}
	atomic_fetch_add(&syncs, 1);
	return (int)syscall(SYS_fdatasync, fd);
}

void
bench_hold_syncs(bool held)
{
	atomic_store(&is_held, held);
}

void
bench_fail_syncs(int error)
{
	atomic_store(&sync_error, error);
}

uint64_t
bench_syncs(void)
{
	return atomic_load(&syncs);
}

/* Syncs are held up by the thread that makes them: never by ours. */
bool
store_quick_may(const struct store_quick *q, size_t bytes)
{
	(void)q;
	(void)bytes;
	return false;
}

void
store_quick_note(struct store_quick *q, size_t bytes, uint64_t us)
{
	(void)q;
	(void)bytes;
	(void)us;
}

/* ---- the process ---- */

struct loop *
proc_loop(const struct proc *p)
{
	return p->b->loop;
}

struct log *
proc_log(const struct proc *p)
{
	return p->log;
}

const struct conf *
proc_conf(const struct proc *p)
{
	return p->b->conf;
}

uint32_t
proc_generation(const struct proc *p)
{
	return p->generation;
}

uint64_t
proc_instance(const struct proc *p)
{
	return p->b->instance;
}

struct channel *
proc_parent(const struct proc *p)
{
	return p->b->to_parent;
}

void
proc_fail(struct proc *p, const char *why)
{
	(void)why;
	p->b->is_failed = true;
}

void
proc_drained(struct proc *p)
{
	p->is_drained = true;
}
