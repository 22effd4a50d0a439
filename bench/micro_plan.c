/*
 * What scheduling costs: units enter, are leased in turns, and leave, in
 * virtual time.
 *
 *   micro_plan [UNITS [DESTINATIONS]]
 *
 * "good": each is delivered at once.  "retry": each is put off once.  "dead":
 * half of the destinations refuse, and back off as a whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/check.h"
#include "queued/plan/plan.h"

enum outcome { GOOD, RETRY, DEAD, OUTCOMES };

static const char *const names[OUTCOMES] = { "good", "retry", "dead" };

static double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct item {
	struct plan_unit *pu;
	unsigned destination;
	bool was_tried;
};

static void
settle(struct plan *plan, struct item *u, enum outcome how, int64_t now,
    size_t *left)
{
	if (how == DEAD && u->destination % 2 == 1) {
		plan_later(plan, u->pu, plan_dest_failed(plan, u->pu, now));
		return;
	}
	plan_dest_ok(plan, u->pu, now);
	if (how == RETRY && !u->was_tried) {
		u->was_tried = true;
		plan_later(plan, u->pu, now + 60000);
		return;
	}
	plan_remove(plan, &u->pu);
	(*left)--;
}

static void
measure(enum outcome how, size_t count, unsigned destinations)
{
	const struct plan_params params = { .window_first = 5, .seed = 1 };
	struct plan_entry entry = { .overdue = INT64_MAX, .size = 4096,
	    .client = SPAN_LIT("\x7f\0\0\1"),
	    .sender = SPAN_LIT("sender@example.org"),
	    .limits = { .first_retry_ms = 60000, .max_retry_ms = 3600000,
	    .window_max = 50 } };
	struct item *items = calloc(count, sizeof(*items));
	struct plan_unit *pu;
	size_t left = count, leases = 0, alive;
	struct plan *plan;
	int64_t now = 1000;
	double begin;
	char key[32];

	MUST(items != NULL && plan_new(&params, &plan) == OK);
	/* of those that stay, none is waited for */
	alive = how == DEAD ? count - count / 2 : count;
	begin = seconds();
	for (size_t i = 0; i < count; i++) {
		int n;

		items[i].destination = (unsigned)(i % destinations);
		n = snprintf(key, sizeof(key), "d%u.example.net",
		    items[i].destination);
		entry.owner = &items[i];
		entry.key = span_of(key, (size_t)n);
		entry.due = now;
		MUST(plan_add(plan, &entry, &items[i].pu) == OK);
	}
	while (left > count - alive) {
		if (!plan_next(plan, now, &pu)) {
			now = plan_wake_at(plan);
			continue;
		}
		leases++;
		settle(plan, plan_unit_owner(pu), how, now, &left);
	}
	printf("plan %s: %.0f ns a lease\n", names[how],
	    (seconds() - begin) * 1e9 / (double)leases);
	for (size_t i = 0; i < count; i++) {
		if (items[i].pu != NULL)
			plan_remove(plan, &items[i].pu);
	}
	plan_free(&plan);
	free(items);
}

int
main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	unsigned destinations =
	    argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100;

	if (count == 0 || destinations == 0)
		return 2;
	for (int how = 0; how < OUTCOMES; how++)
		measure((enum outcome)how, count, destinations);
	return 0;
}
