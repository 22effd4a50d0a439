/* fd, fdpass, shm, random, clock, thread, signals, rlimit */
#include "common/base/check.h"
#include "common/os/clock.h"
#include "common/os/fd.h"
#include "common/os/fdpass.h"
#include "common/os/random.h"
#include "common/os/rlimit.h"
#include "common/os/shm.h"
#include "common/os/signals.h"
#include "common/os/thread.h"
#include "tests/unit/os/os_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool
is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static bool
is_same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	    sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

Test(fd, flags_and_copies)
{
	int ends[2], copy;

	cr_assert_eq(fd_pair(ends), OK);
	cr_expect(is_cloexec(ends[0]) && is_cloexec(ends[1]));
	cr_expect_eq(fd_set_cloexec(ends[0], false), OK);
	cr_expect_not(is_cloexec(ends[0]));
	cr_expect_eq(fd_set_nonblock(ends[0], true), OK);
	cr_expect(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	cr_expect_eq(fd_set_nonblock(ends[0], false), OK);
	cr_expect_not(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	cr_assert_eq(fd_dup(ends[1], &copy), OK);
	cr_expect(copy >= 3 && is_cloexec(copy));
	cr_expect(is_same_file(copy, ends[1]));
	cr_expect_eq(fd_dup_to(ends[0], copy), OK);
	cr_expect(is_same_file(copy, ends[0]));
	fd_close(&copy);
	cr_expect_eq(copy, -1);
	errno = 5;
	fd_close(&copy);
	cr_expect_eq(errno, 5);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	cr_expect_eq(fd_set_nonblock(-1, true), ERR_IO);
	cr_expect_eq(fd_dup(-1, &copy), ERR_IO);
}

static int
fill_closed_standard(void *arg)
{
	int before;

	(void)arg;
	close(0);
	close(2);
	before = os_count_fds();
	if (fd_fill_standard() != OK)
		return 1;
	if (!is_open(0) || !is_open(1) || !is_open(2))
		return 2;
	return os_count_fds() == before + 2 ? 0 : 3;
}

Test(fd, fills_the_standard_three)
{
	cr_expect_eq(os_in_child(fill_closed_standard, NULL), 0);
}

static int
sweep(void *arg)
{
	int keep[] = { 50, 20, -1, 21, 50, 3 };

	(void)arg;
	for (int fd = 10; fd < 60; fd++)
		dup2(0, fd);
	fd_close_from(15, keep, COUNT_OF(keep));
	for (int fd = 10; fd < 60; fd++) {
		bool is_kept = fd < 15 || fd == 20 || fd == 21 || fd == 50;

		if (is_open(fd) != is_kept)
			return fd;
	}
	fd_cloexec_from(20);
	if (is_cloexec(14) || !is_cloexec(20) || !is_cloexec(50))
		return 1;
	fd_close_from(0, NULL, 0);
	return os_count_fds() == 0 ? 0 : 2;
}

Test(fd, sweeps)
{
	cr_expect_eq(os_in_child(sweep, NULL), 0);
}

static void
send_fds(int sock, const int *fds, size_t n)
{
	size_t sent = 0;

	cr_assert_eq(fdpass_send(sock, "x", 1, fds, n, &sent), OK);
	cr_assert_eq(sent, 1);
}

Test(fdpass, passes_with_their_bytes)
{
	int ends[2], fds[FDPASS_MAX], pipe_fds[2];
	size_t got = 0, count = 0;
	char bytes[64];

	cr_assert_eq(fd_pair(ends), OK);
	cr_assert_eq(pipe(pipe_fds), 0);
	cr_expect_eq(fdpass_recv(ends[1], bytes, sizeof(bytes), fds, 1, &got,
	    &count), ERR_AGAIN);
	cr_assert_eq(fdpass_send(ends[0], "plain", 5, NULL, 0, &got), OK);
	send_fds(ends[0], pipe_fds, 2);
	send_fds(ends[0], &pipe_fds[1], 1);

	/* what carries descriptors is never joined with what came later */
	cr_assert_eq(fdpass_recv(ends[1], bytes, 5, fds, 2, &got, &count), OK);
	cr_expect(got == 5 && count == 0);
	cr_assert_eq(fdpass_recv(ends[1], bytes, sizeof(bytes), fds, 2, &got,
	    &count), OK);
	cr_expect(got == 1 && count == 2);
	cr_expect(is_same_file(fds[0], pipe_fds[0]));
	cr_expect(is_same_file(fds[1], pipe_fds[1]));
	cr_expect(is_cloexec(fds[0]) && is_cloexec(fds[1]));
	close(fds[0]);
	close(fds[1]);
	cr_assert_eq(fdpass_recv(ends[1], bytes, sizeof(bytes), fds, 2, &got,
	    &count), OK);
	cr_expect(got == 1 && count == 1);
	close(fds[0]);

	close(ends[0]);
	cr_expect_eq(fdpass_recv(ends[1], bytes, sizeof(bytes), fds, 1, &got,
	    &count), ERR_PEER, "end of stream");
	cr_expect_eq(fdpass_send(ends[1], "x", 1, NULL, 0, &got), ERR_PEER);
}

/* T45: a peer that sends more than it may leaves nothing behind. */
Test(fdpass, surplus_is_closed)
{
	int many[FDPASS_MAX], fds[FDPASS_MAX];

	for (size_t i = 0; i < FDPASS_MAX; i++)
		many[i] = 0;
	for (size_t sent = 1; sent <= FDPASS_MAX; sent++) {
		for (size_t wanted = 0; wanted <= FDPASS_MAX; wanted++) {
			size_t got = 0, count = 0;
			int ends[2], before;
			char byte;
			enum err e;

			cr_assert_eq(fd_pair(ends), OK);
			before = os_count_fds();
			send_fds(ends[0], many, sent);
			e = fdpass_recv(ends[1], &byte, 1, fds, wanted, &got,
			    &count);
			cr_assert_eq(e, sent <= wanted ? OK : ERR_PEER,
			    "%zu for %zu: %d", sent, wanted, e);
			cr_assert_eq(count, sent <= wanted ? sent : 0);
			for (size_t i = 0; i < count; i++)
				close(fds[i]);
			cr_assert_eq(os_count_fds(), before);
			close(ends[0]);
			close(ends[1]);
		}
	}
}

static int
receive_without_room(void *arg)
{
	int *ends = arg, fds[4], before = os_count_fds();
	struct rlimit limit = { (rlim_t)before, (rlim_t)before };
	size_t got, count;
	char byte;
	enum err e;

	for (int fd = before - 1; fd >= 0; fd--) {
		if (!is_open(fd))
			return 97;	/* numbers with gaps: no test */
	}
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 98;
	e = fdpass_recv(ends[1], &byte, 1, fds, 4, &got, &count);
	if (e != ERR_FULL)
		return -e;
	return os_count_fds() == before ? 0 : 50;
}

static int
receive_in_closed_gaps(void *arg)
{
	int keep[2], *ends = arg, moved[2] = { 3, 4 };

	/* the numbers 0 .. 4 and no others */
	keep[0] = dup2(ends[1], 100);
	keep[1] = dup2(ends[0], 101);
	fd_close_from(3, keep, 2);
	dup2(100, 4);
	dup2(101, 3);
	fd_close_from(5, NULL, 0);
	if (fd_fill_standard() != OK)
		return 96;
	return receive_without_room(moved);
}

Test(fdpass, no_room_is_told)
{
	int ends[2], one = 0;

	cr_assert_eq(fd_pair(ends), OK);
	send_fds(ends[0], &one, 1);
	cr_expect_eq(os_in_child(receive_in_closed_gaps, ends), 0);
}

Test(shm, is_shared_and_sealed)
{
	struct shm a = { .fd = -1 }, b = { .fd = -1 };
	int copy, before = os_count_fds();

	cr_assert_eq(shm_make("test", 10000, &a), OK);
	cr_expect(is_cloexec(a.fd));
	cr_expect_eq(((char *)a.p)[9999], 0);
	cr_assert_eq(fd_dup(a.fd, &copy), OK);
	cr_expect_eq(shm_attach(copy, 9999, &b), ERR_DENIED);
	cr_expect_eq(shm_attach(copy, 10001, &b), ERR_DENIED);
	cr_assert_eq(shm_attach(copy, 10000, &b), OK);
	((char *)b.p)[77] = 'q';
	cr_expect_eq(((char *)a.p)[77], 'q');
	cr_expect_neq(ftruncate(b.fd, 1), 0, "sealed");
	shm_close(&b);
	shm_close(&b);
	shm_close(&a);
	cr_expect_eq(os_count_fds(), before);
}

Test(shm, attaches_to_nothing_else)
{
	int unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int null = open("/dev/null", O_RDWR);
	struct shm s = { .fd = -1 };
	int ends[2];

	cr_assert_eq(ftruncate(unsealed, 4096), 0);
	cr_assert_eq(fd_pair(ends), OK);
	cr_expect_eq(shm_attach(unsealed, 4096, &s), ERR_DENIED);
	cr_expect_eq(shm_attach(null, 4096, &s), ERR_DENIED);
	cr_expect_eq(shm_attach(ends[0], 4096, &s), ERR_DENIED);
	cr_expect_eq(shm_attach(-1, 4096, &s), ERR_DENIED);
	cr_expect(is_open(unsealed), "still the caller's");
}

Test(random, differs)
{
	static const uint8_t zeros[1000];
	uint8_t bytes[1000] = { 0 };
	struct siphash_key key;
	uint64_t a = 0, b = 0;

	cr_expect_eq(random_u64(&a), OK);
	cr_expect_eq(random_u64(&b), OK);
	cr_expect_neq(a, b);
	cr_expect_eq(random_key(&key), OK);
	cr_expect_neq(key.k0, key.k1);
	cr_expect_eq(random_fill(bytes, sizeof(bytes)), OK);
	cr_expect_neq(memcmp(bytes + 900, zeros, 100), 0);
	cr_expect_eq(random_fill(NULL, 0), OK);
}

Test(clock, moves_on)
{
	int64_t ns = clock_mono_ns(), ms = clock_mono_ms();

	usleep(3000);
	cr_expect(clock_mono_ms() - ms >= 2);
	cr_expect(clock_mono_ns() - ns >= 3000000);
	/* some day after this line was written */
	cr_expect(clock_wall_ms() > INT64_C(1700000000000));
}

static void *
say_name(void *arg)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	thread_set_name("a-name-that-is-too-long");
	pthread_getname_np(pthread_self(), arg, 32);
	return sigismember(&set, SIGTERM) ? arg : NULL;
}

Test(thread, is_named_and_hears_no_signal)
{
	void *result = NULL;
	char name[32] = "";
	pthread_t t;

	cr_assert_eq(thread_start("worker", say_name, name, &t), OK);
	pthread_join(t, &result);
	cr_expect_eq(result, name, "signals are blocked");
	cr_expect_str_eq(name, "a-name-that-is-");
}

Test(signals, are_read)
{
	static const int wanted[] = { SIGUSR1, SIGUSR2, 0 };
	int fd = -1, number = 0;

	cr_assert_eq(signals_open(wanted, &fd), OK);
	cr_expect_eq(signals_read(fd, &number), ERR_AGAIN);
	raise(SIGUSR2);
	cr_expect_eq(signals_read(fd, &number), OK);
	cr_expect_eq(number, SIGUSR2);
	cr_expect_eq(signals_read(fd, &number), ERR_AGAIN);
	signals_ignore(SIGHUP);
	raise(SIGHUP);
	close(fd);
	cr_expect_eq(signals_read(fd, &number), ERR_IO);
}

static int
die_after_reset(void *arg)
{
	static const int wanted[] = { SIGUSR1, SIGTERM, 0 };
	int fd;

	(void)arg;
	signals_ignore(SIGTERM);
	if (signals_open(wanted, &fd) != OK)
		return 1;
	raise(SIGTERM);
	signals_reset();
	raise(SIGTERM);
	return 2;
}

Test(signals, reset_gives_them_back)
{
	cr_expect_eq(os_in_child(die_after_reset, NULL), 999);
}

Test(rlimit, raises_and_never_lowers)
{
	struct rlimit limit;
	uint64_t got = 0;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(rlimit_raise_files(1, &got), OK);
	cr_expect_eq(got, limit.rlim_cur);
	limit.rlim_cur = 64;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(rlimit_raise_files(200, &got), OK);
	cr_expect_eq(got, 200);
	cr_expect_eq(rlimit_no_core(), OK);
	cr_assert_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	cr_expect(limit.rlim_cur == 0 && limit.rlim_max == 0);
}
