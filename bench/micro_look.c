/*
 * What looking at a long queue costs the thread that owns the spool.
 *
 *   micro_look DIRECTORY
 *
 * Opens a spool (of bench/fillspool) and walks it by each kind of path, once
 * with messages only, once with every unit.  Prints messages, milliseconds,
 * rows a second of processor time, and the longest read transaction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/check.h"
#include "common/os/clock.h"
#include "queued/store/store_look.h"
#include "queued/store/store_silent.h"

struct looker {
	uint64_t messages, units;
	bool wants_units;
};

static void
on_notice(void *ctx, const char *event, const char *text)
{
	(void)ctx;
	(void)fprintf(stderr, "%s: %s\n", event, text);
}

static bool
visit(void *ctx, struct store_glance *g)
{
	struct looker *l = ctx;

	l->messages++;
	while (l->wants_units && store_glance_next(g) != NULL)
		l->units++;
	return true;
}

/* Of this thread: what a busy machine does not change much. */
static int64_t
cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
look(struct store *s, const char *name, const struct store_path *path,
    bool wants_units)
{
	struct looker l = { .wants_units = wants_units };
	int64_t begin = clock_mono_ms(), ms, cpu = cpu_us();
	uint64_t after = 0;

	while (after != UINT64_MAX)
		after = store_look(s, path, after, 4096, visit, &l);
	ms = clock_mono_ms() - begin;
	cpu = cpu_us() - cpu;
	printf("%-20s %8llu messages %8llu units %5lld ms, cpu %7.1f ms, "
	    "%8.0f rows/s\n", name, (unsigned long long)l.messages,
	    (unsigned long long)l.units, (long long)ms, (double)cpu / 1e3,
	    (double)(l.messages + l.units) * 1e6 /
	    (double)(cpu > 0 ? cpu : 1));
}

static void
look_by(struct store *s, const char *name, enum store_term term,
    struct span text)
{
	struct store_path path = STORE_PATH_ALL;

	path.has_term = true;
	path.term = term;
	path.text = text;
	look(s, name, &path, true);
}

static void
look_all(struct store *s)
{
	struct store_path path = STORE_PATH_ALL;
	uint64_t now = (uint64_t)clock_wall_ms();

	look(s, "all, messages", &path, false);
	look(s, "all, with units", &path, true);
	look_by(s, "sender", STORE_TERM_SENDER,
	    SPAN_LIT("sender7@s7.example.org"));
	look_by(s, "sender's domain", STORE_TERM_SENDER_DOMAIN,
	    SPAN_LIT("s7.example.org"));
	look_by(s, "recipient's domain", STORE_TERM_DOMAIN,
	    SPAN_LIT("d7.example.net"));
	look_by(s, "held", STORE_TERM_HELD, SPAN_NONE);
	store_path_arrived(s, &path, now - 3600000, UINT64_MAX);
	look(s, "the last hour", &path, true);
}

int
main(int argc, char **argv)
{
	struct store_params params = { .memory_bytes = 64 << 20 };
	int64_t begin = clock_mono_ms();
	struct store_ops ops = store_silent();
	struct store_figures figures;
	struct store *s;
	struct why why;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	params.path = argv[1];
	ops.on_notice = on_notice;
	if (store_open(&params, &ops, NULL, &s, &why) != OK) {
		(void)fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	printf("opened in %lld ms\n", (long long)(clock_mono_ms() - begin));
	look_all(s);
	look_all(s);
	store_figures(s, &figures);
	printf("longest read %llu us\n",
	    (unsigned long long)figures.longest_read_us);
	store_close(&s);
	return 0;
}
