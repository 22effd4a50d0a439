/*
 * The wraps of nth.def, and the plays.
 *
 *   nth_X SITES count               each site's calls in an undisturbed play
 *   nth_X SITES fail < orders       a play for each line "site nth errno"
 *                                   (0: the usual one of the call)
 *
 * SITES has a return address (hexadecimal, as in the program's file) a line;
 * a site is known by its number there.  The answers are lines on standard
 * output: "count SITE CALLS", "play SITE NTH RESULT WORDS", and in the end
 * "reached SITE CALLS FAILED" over all plays.
 */
#include "tests/nth/nth.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

enum { SITES_MAX = 8192, WORD_MAX = 64, PLAY_SECONDS = 60, MAP_FULL = -30792 };

enum result { WELL = 0, WRONG = 1, UNTOUCHED = 3, LEAKED = 4 };

static const char *const result_names[] = {
	[WELL] = "well", [WRONG] = "wrong", [2] = "wrong",
	[UNTOUCHED] = "untouched", [LEAKED] = "leaked",
};

/* Shared by all plays. */
struct tally {
	_Atomic uint64_t calls[SITES_MAX];
	_Atomic uint64_t failed[SITES_MAX];
	char word[WORD_MAX];		/* of the present play */
};

static uintptr_t sites[SITES_MAX];
static size_t site_count;
static struct tally *tally;

/* What is to fail in this process. */
static size_t order_site = SITES_MAX;
static uint64_t order_nth;
static int order_error;
static _Atomic uint64_t order_seen;
static _Atomic int has_struck;
static _Atomic int is_paused = 1;
static _Thread_local bool is_out;

extern const char __executable_start[];
void mdb_txn_abort(void *txn) __attribute__((weak));

/* ---- striking ---- */

static size_t
find_site(uintptr_t at)
{
	size_t low = 0, high = site_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (sites[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < site_count && sites[low] == at ? low : SITES_MAX;
}

/* The errno with which this call is to fail; 0: it is not to. */
static int
strikes(const void *caller, int usual)
{
	size_t site;

	if (tally == NULL || is_out || atomic_load(&is_paused) > 0)
		return 0;
	site = find_site((uintptr_t)caller - (uintptr_t)__executable_start);
	if (site == SITES_MAX)
		return 0;
	atomic_fetch_add(&tally->calls[site], 1);
	if (site != order_site ||
	    atomic_fetch_add(&order_seen, 1) + 1 != order_nth)
		return 0;
	atomic_fetch_add(&tally->failed[site], 1);
	atomic_store(&has_struck, 1);
	return order_error != 0 ? order_error : usual;
}

#define CALL(type, name, parameters, arguments, value, usual) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ \
		int ERROR = strikes(__builtin_return_address(0), usual); \
		if (ERROR != 0) { \
			errno = ERROR; \
			return value; \
		} \
		return __real_##name arguments; \
	}
#include "tests/nth/nth.def"
#undef CALL

static mode_t
mode_of(int flags, va_list more)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) :
	    0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int
__wrap_open(const char *path, int flags, ...)
{
	int error = strikes(__builtin_return_address(0), EMFILE);
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = mode_of(flags, more);
	va_end(more);
	if (error != 0) {
		errno = error;
		return -1;
	}
	return __real_open(path, flags, mode);
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);

int
__wrap_openat(int dir, const char *path, int flags, ...)
{
	int error = strikes(__builtin_return_address(0), EMFILE);
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = mode_of(flags, more);
	va_end(more);
	if (error != 0) {
		errno = error;
		return -1;
	}
	return __real_openat(dir, path, flags, mode);
}

/* ---- the scenario's side ---- */

void
nth_pause(void)
{
	atomic_fetch_add(&is_paused, 1);
}

void
nth_resume(void)
{
	atomic_fetch_sub(&is_paused, 1);
}

void
nth_stay_out(void)
{
	is_out = true;
}

bool
nth_has_struck(void)
{
	return atomic_load(&has_struck) != 0;
}

void
nth_note(const char *word)
{
	if (strstr(tally->word, word) == NULL)
		(void)snprintf(tally->word + strlen(tally->word),
		    WORD_MAX - strlen(tally->word), " %s", word);
}

void
nth_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	_exit(WRONG);
}

/* ---- plays ---- */

static int
look_for_leaks(void)
{
#ifdef __SANITIZE_ADDRESS__
	return __lsan_do_recoverable_leak_check();
#else
	return 0;
#endif
}

/* In a process of its own. */
static void
play(int err)
{
	(void)dup2(err, STDERR_FILENO);
	(void)dup2(err, STDOUT_FILENO);
	(void)alarm(PLAY_SECONDS);
	nth_resume();
	nth_scenario();
	nth_pause();
	if (look_for_leaks() != 0)
		_exit(LEAKED);
	_exit(order_site != SITES_MAX && !nth_has_struck() ? UNTOUCHED :
	    WELL);
}

/* What it said goes into the file ERR. */
static int
play_apart(int err)
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	if (ftruncate(err, 0) != 0 || lseek(err, 0, SEEK_SET) != 0)
		abort();
	tally->word[0] = '\0';
	pid = fork();
	if (pid == 0)
		play(err);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	    128 + WTERMSIG(status);
}

static void
show(int err)
{
	char line[512];
	FILE *f = fdopen(dup(err), "r");

	rewind(f);
	while (fgets(line, sizeof(line), f) != NULL)
		printf("| %s%s", line,
		    strchr(line, '\n') == NULL ? "\n" : "");
	(void)fclose(f);
}

static void
tell_play(size_t site, uint64_t nth, int result, int err)
{
	printf("play %zu %ju ", site, (uintmax_t)nth);
	if (result <= LEAKED)
		printf("%s", result_names[result]);
	else
		printf("exit-%d", result);
	printf("%s\n", tally->word);
	if (result != WELL && result != UNTOUCHED)
		show(err);
	(void)fflush(stdout);
}

static int
count(int err)
{
	int result = play_apart(err);

	if (result != WELL) {
		show(err);
		return 1;
	}
	for (size_t i = 0; i < site_count; i++)
		printf("count %zu %ju\n", i, (uintmax_t)tally->calls[i]);
	return 0;
}

static int
fail_all(int err)
{
	int result = 0;

	while (scanf("%zu %ju %d", &order_site, &order_nth, &order_error) ==
	    3) {
		int one = play_apart(err);

		tell_play(order_site, order_nth, one, err);
		if (one != WELL && one != UNTOUCHED)
			result = 1;
	}
	for (size_t i = 0; i < site_count; i++)
		printf("reached %zu %ju %ju\n", i,
		    (uintmax_t)tally->calls[i], (uintmax_t)tally->failed[i]);
	return result;
}

static void
read_sites(const char *path)
{
	FILE *f = fopen(path, "r");

	if (f == NULL) {
		perror(path);
		exit(2);
	}
	while (site_count < SITES_MAX &&
	    fscanf(f, "%jx", &sites[site_count]) == 1)
		site_count++;
	(void)fclose(f);
}

int
main(int argc, char **argv)
{
	FILE *err = tmpfile();

	if (argc != 3 || err == NULL)
		return 2;
	read_sites(argv[1]);
	tally = __real_mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		return 2;
	return strcmp(argv[2], "count") == 0 ? count(fileno(err)) :
	    fail_all(fileno(err));
}
