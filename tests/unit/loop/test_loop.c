/* The loop itself: order of work in a turn, timers, deferred work, watches. */
#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "common/loop/deferred.h"
#include "common/loop/timer.h"
#include "common/loop/watch.h"
#include "common/os/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

static struct loop *
new_loop(void)
{
	struct loop *l;

	cr_assert_eq(loop_new(&l), OK);
	return l;
}

struct shot {
	struct timer timer;
	struct loop *loop;
	int64_t due_at_ms;
	int64_t fired_at_ms;
	unsigned count;
};

static void
on_shot(void *ctx)
{
	struct shot *s = ctx;

	s->count++;
	s->fired_at_ms = loop_now_ms(s->loop);
}

static void
shot_init(struct shot *s, struct loop *l)
{
	*s = (struct shot){ .loop = l };
	cr_assert_eq(timer_init(&s->timer, l, on_shot, s), OK);
}

static void
stop_loop(void *ctx)
{
	loop_stop(ctx);
}

Test(timer, fires_once_not_before_its_time)
{
	struct loop *l = new_loop();
	struct shot s;
	int64_t begin = loop_now_ms(l);

	shot_init(&s, l);
	timer_start(&s.timer, 30);
	cr_assert(timer_is_running(&s.timer));
	while (s.count == 0)
		loop_turn(l, 1000);
	cr_assert_geq(s.fired_at_ms, begin + 30);
	cr_assert_lt(s.fired_at_ms, begin + 1000);
	cr_assert_not(timer_is_running(&s.timer));
	loop_turn(l, 0);
	cr_assert_eq(s.count, 1);
	timer_clear(&s.timer);
	loop_free(&l);
}

Test(timer, put_off_fires_at_the_later_time)
{
	struct loop *l = new_loop();
	struct shot s;
	int64_t begin = loop_now_ms(l);

	shot_init(&s, l);
	timer_start(&s.timer, 10);
	timer_start(&s.timer, 60);
	while (s.count == 0)
		loop_turn(l, 1000);
	cr_assert_geq(s.fired_at_ms, begin + 60);
	/* and brought forward */
	timer_start(&s.timer, 100000);
	timer_start(&s.timer, 5);
	while (s.count == 1)
		loop_turn(l, 1000);
	cr_assert_lt(s.fired_at_ms, begin + 1000);
	timer_clear(&s.timer);
	loop_free(&l);
}

Test(timer, stopped_does_not_fire)
{
	struct loop *l = new_loop();
	struct shot s, end;

	shot_init(&s, l);
	shot_init(&end, l);
	timer_start(&s.timer, 5);
	timer_start(&end.timer, 20);
	timer_stop(&s.timer);
	while (end.count == 0)
		loop_turn(l, 1000);
	cr_assert_eq(s.count, 0);
	timer_clear(&s.timer);
	timer_clear(&end.timer);
	loop_free(&l);
}

Test(timer, zeroed_may_be_cleared_and_stopped)
{
	struct timer t = { 0 };

	timer_stop(&t);
	timer_clear(&t);
	timer_start(&t, 5);
	cr_assert_not(timer_is_running(&t));
}

Test(timer, never_overflows)
{
	struct loop *l = new_loop();
	struct shot s;

	shot_init(&s, l);
	timer_start(&s.timer, INT64_MAX);
	cr_assert(timer_is_running(&s.timer));
	loop_turn(l, 0);
	cr_assert_eq(s.count, 0);
	timer_start(&s.timer, INT64_MIN);
	loop_turn(l, 0);
	cr_assert_eq(s.count, 1);
	timer_clear(&s.timer);
	loop_free(&l);
}

/* Thousands, put off and stopped at random: each fires once, at or after its
 * last time, in the first turn that sees it due. */
Test(timer, random_history)
{
	enum { COUNT = 5000 };
	struct loop *l = new_loop();
	struct shot *shots = calloc(COUNT, sizeof(*shots));
	struct shot end;
	struct rng rng;

	rng_init(&rng, 7);
	for (int i = 0; i < COUNT; i++)
		shot_init(&shots[i], l);
	for (int i = 0; i < COUNT * 10; i++) {
		struct shot *s = &shots[rng_below(&rng, COUNT)];

		if (rng_below(&rng, 8) == 0) {
			timer_stop(&s->timer);
			s->due_at_ms = 0;
			continue;
		}
		s->due_at_ms = loop_now_ms(l) + rng_between(&rng, 0, 150);
		timer_start_at(&s->timer, s->due_at_ms);
	}
	shot_init(&end, l);
	timer_start(&end.timer, 200);
	while (end.count == 0)
		loop_turn(l, 1000);
	for (int i = 0; i < COUNT; i++) {
		struct shot *s = &shots[i];

		cr_assert_eq(s->count, s->due_at_ms != 0);
		cr_assert(s->count == 0 || s->fired_at_ms >= s->due_at_ms);
		timer_clear(&s->timer);
	}
	timer_clear(&end.timer);
	free(shots);
	loop_free(&l);
}

struct restarter {
	struct timer timer;
	unsigned count;
};

static void
on_restart(void *ctx)
{
	struct restarter *r = ctx;

	r->count++;
	timer_start(&r->timer, 0);
}

Test(timer, restarting_itself_for_now_does_not_hold_up_a_turn)
{
	struct loop *l = new_loop();
	struct restarter r = { 0 };

	cr_assert_eq(timer_init(&r.timer, l, on_restart, &r), OK);
	timer_start(&r.timer, 0);
	for (int i = 0; i < 5; i++)
		loop_turn(l, 1000);
	cr_assert_eq(r.count, 5);
	timer_clear(&r.timer);
	loop_free(&l);
}

struct step {
	struct deferred deferred;
	struct step *also;
	char name;
	char *trace;
};

static void
on_step(void *ctx)
{
	struct step *s = ctx;

	s->trace[strlen(s->trace)] = s->name;
	if (s->also != NULL)
		deferred_add(&s->also->deferred);
}

Test(deferred, runs_once_by_stage_and_follows_what_it_defers)
{
	struct loop *l = new_loop();
	char trace[32] = "";
	struct step log = { .name = 'l', .trace = trace };
	struct step write = { .name = 'w', .trace = trace, .also = &log };
	struct step work = { .name = 'a', .trace = trace, .also = &write };
	struct step early = { .name = 'e', .trace = trace, .also = &work };

	deferred_init(&log.deferred, l, DEFERRED_LAST, on_step, &log);
	deferred_init(&write.deferred, l, DEFERRED_WRITE, on_step, &write);
	deferred_init(&work.deferred, l, DEFERRED_WORK, on_step, &work);
	deferred_init(&early.deferred, l, DEFERRED_WRITE, on_step, &early);
	deferred_add(&log.deferred);
	deferred_add(&early.deferred);
	deferred_add(&early.deferred);
	loop_turn(l, 1000);
	cr_assert_str_eq(trace, "eawl");
	deferred_add(&log.deferred);
	deferred_clear(&log.deferred);
	deferred_add(&log.deferred);
	loop_turn(l, 0);
	cr_assert_str_eq(trace, "eawl");
	loop_free(&l);
}

Test(deferred, endless_work_does_not_hold_up_the_loop)
{
	struct loop *l = new_loop();
	char trace[64] = "";
	struct step s = { .name = 'x', .trace = trace };
	int64_t begin = clock_mono_ms();

	s.also = &s;
	deferred_init(&s.deferred, l, DEFERRED_WORK, on_step, &s);
	deferred_add(&s.deferred);
	loop_turn(l, 5000);
	cr_assert_gt(strlen(trace), 1);
	cr_assert_lt(strlen(trace), sizeof(trace) - 1);
	cr_assert_lt(clock_mono_ms() - begin, 1000, "it still waits: no sleep");
	deferred_clear(&s.deferred);
	loop_free(&l);
}

struct reader {
	struct watch *watch;
	int fd;
	unsigned events;
	unsigned count;
	bool frees_itself;
};

static void
on_reader(void *ctx, unsigned events)
{
	struct reader *r = ctx;
	char byte;

	r->events = events;
	r->count++;
	if (r->frees_itself)
		watch_free(&r->watch);
	else if ((events & WATCH_READ) != 0)
		cr_assert_eq(read(r->fd, &byte, 1), 1);
}

Test(watch, tells_of_what_is_asked_only)
{
	struct loop *l = new_loop();
	struct reader r = { 0 };
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	r.fd = ends[0];
	cr_assert_eq(watch_new(l, ends[0], on_reader, &r, &r.watch), OK);
	cr_assert_eq(write(ends[1], "ab", 2), 2);
	loop_turn(l, 0);
	cr_assert_eq(r.count, 0);
	watch_set(r.watch, WATCH_READ);
	loop_turn(l, 1000);
	cr_assert_eq(r.count, 1);
	cr_assert_eq(r.events, WATCH_READ);
	watch_set(r.watch, 0);
	loop_turn(l, 0);
	cr_assert_eq(r.count, 1);
	r.frees_itself = true;
	watch_set(r.watch, WATCH_READ);
	loop_turn(l, 1000);
	cr_assert_eq(r.count, 2);
	cr_assert_null(r.watch);
	loop_turn(l, 0);
	cr_assert_eq(r.count, 2);
	close(ends[0]);
	close(ends[1]);
	loop_free(&l);
}

Test(loop, stop_before_run_is_not_lost)
{
	struct loop *l = new_loop();
	struct timer t;

	loop_stop(l);
	loop_run(l);
	cr_assert_eq(timer_init(&t, l, stop_loop, l), OK);
	timer_start(&t, 10);
	loop_run(l);
	timer_clear(&t);
	loop_free(&l);
	loop_free(&l);
}

Test(loop, time_stands_still_within_a_turn)
{
	struct loop *l = new_loop();
	int64_t now = loop_now_ms(l);

	usleep(5000);
	cr_assert_eq(loop_now_ms(l), now);
	loop_update_now(l);
	cr_assert_geq(loop_now_ms(l), now + 5);
	loop_free(&l);
}
