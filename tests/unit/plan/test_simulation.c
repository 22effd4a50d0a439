/*
 * The planner against a model that knows no heap, no ring and no list: random
 * histories in virtual time.  After each step both must agree on what may be
 * leased, on all counts, and on who is blocked until when.
 */
#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "queued/plan/plan.h"

#include <criterion/criterion.h>

#define STEPS		200000
#define UNITS		60
#define DESTS		6
#define FIRST_RETRY	1000
#define MAX_RETRY	8000
#define WINDOW_FIRST	3u
#define WINDOW_MAX	6u

struct model_unit {
	struct plan_unit *pu;		/* NULL: not in the plan */
	int dest;
	int64_t due;
	int64_t expires;
	bool is_leased;
	bool is_held;			/* or will be after its lease */
};

struct model_dest {
	uint32_t window;		/* 0: forgotten */
	uint32_t failures;
	int64_t blocked_until;		/* 0: not */
	int64_t forget_at;		/* 0: not counting */
};

static struct sim {
	struct plan *plan;
	struct rng rng;
	int64_t now;
	struct model_unit units[UNITS];
	struct model_dest dests[DESTS];
	uint64_t leases, probes, refusals, expired;
} sim;

static const struct plan_params params = {
	.first_retry_ms = FIRST_RETRY,
	.max_retry_ms = MAX_RETRY,
	.window_first = WINDOW_FIRST,
	.window_max = WINDOW_MAX,
	.seed = 3,
};

/* ---- the model ---- */

static struct span
key_of(int dest)
{
	static const char *const keys[DESTS] = {
		"a.example", "b.example", "c.example", "d", "", "a.exampl",
	};

	return span_str(keys[dest]);
}

static uint32_t
leased_of(int dest)
{
	uint32_t n = 0;

	for (int i = 0; i < UNITS; i++)
		n += sim.units[i].pu != NULL && sim.units[i].dest == dest &&
		    sim.units[i].is_leased ? 1 : 0;
	return n;
}

static bool
has_units(int dest)
{
	for (int i = 0; i < UNITS; i++)
		if (sim.units[i].pu != NULL && sim.units[i].dest == dest)
			return true;
	return false;
}

/* What the model knows to happen as time passes, and when units leave. */
static void
settle(void)
{
	for (int d = 0; d < DESTS; d++) {
		struct model_dest *m = &sim.dests[d];

		if (m->blocked_until != 0 && m->blocked_until <= sim.now) {
			m->blocked_until = 0;
			m->forget_at = sim.now + MAX_RETRY;
		} else if (m->forget_at != 0 && m->forget_at <= sim.now) {
			m->forget_at = 0;
		}
		if (!has_units(d) && m->blocked_until == 0 &&
		    m->forget_at == 0)
			*m = (struct model_dest){ .window = 0 };
	}
}

static bool
may_lease(const struct model_unit *u)
{
	const struct model_dest *d = &sim.dests[u->dest];
	uint32_t window = d->failures > 0 ? 1 : d->window;

	return u->pu != NULL && !u->is_leased && !u->is_held &&
	    u->due <= sim.now && d->blocked_until == 0 &&
	    leased_of(u->dest) < window;
}

static bool
may_lease_any(void)
{
	for (int i = 0; i < UNITS; i++)
		if (may_lease(&sim.units[i]))
			return true;
	return false;
}

static void
lift(int dest)
{
	if (sim.dests[dest].blocked_until == 0)
		return;
	sim.dests[dest].blocked_until = 0;
	sim.dests[dest].forget_at = 0;
}

/* ---- steps ---- */

static struct model_unit *
pick(bool is_leased)
{
	int first = (int)rng_below(&sim.rng, UNITS);

	for (int i = 0; i < UNITS; i++) {
		struct model_unit *u = &sim.units[(first + i) % UNITS];

		if (u->pu != NULL && u->is_leased == is_leased)
			return u;
	}
	return NULL;
}

static void
step_add(void)
{
	for (int i = 0; i < UNITS; i++) {
		struct model_unit *u = &sim.units[i];

		if (u->pu != NULL)
			continue;
		/* the first destinations get most of the mail */
		u->dest = (int)rng_below(&sim.rng,
		    rng_below(&sim.rng, DESTS) + 1);
		u->due = sim.now + rng_between(&sim.rng, -10, 3000);
		u->expires = sim.now + rng_between(&sim.rng, 0, 8000);
		u->is_leased = false;
		u->is_held = rng_below(&sim.rng, 16) == 0;
		cr_assert_eq(plan_add(sim.plan, u, key_of(u->dest), u->due,
		    u->expires, u->is_held, &u->pu), OK);
		if (sim.dests[u->dest].window == 0)
			sim.dests[u->dest].window = WINDOW_FIRST;
		return;
	}
}

static void
step_next(void)
{
	bool has_any;
	struct plan_unit *pu;
	struct model_unit *u;

	settle();
	has_any = may_lease_any();
	cr_assert_eq(plan_next(sim.plan, sim.now, &pu), has_any);
	if (!has_any)
		return;
	u = plan_unit_owner(pu);
	cr_assert_eq(u->pu, pu);
	cr_assert(may_lease(u), "destination %d", u->dest);
	u->is_leased = true;
	sim.leases++;
	if (sim.dests[u->dest].failures > 0)
		sim.probes++;
}

static void
step_ok(struct model_unit *u)
{
	struct model_dest *d = &sim.dests[u->dest];

	plan_dest_ok(sim.plan, u->pu);
	d->failures = 0;
	d->blocked_until = 0;
	d->forget_at = 0;
	if (d->window < WINDOW_MAX)
		d->window++;
}

static void
step_failed(struct model_unit *u)
{
	struct model_dest *d = &sim.dests[u->dest];
	int64_t until = plan_dest_failed(sim.plan, u->pu, sim.now);
	int64_t curve = FIRST_RETRY;

	sim.refusals++;
	if (d->blocked_until > sim.now) {
		cr_assert_eq(until, d->blocked_until);
		return;
	}
	d->failures++;
	for (uint32_t i = 1; i < d->failures && curve < MAX_RETRY; i++)
		curve *= 2;
	cr_assert(until <= sim.now + curve);
	cr_assert(until >= sim.now + curve * 4 / 5);
	d->window = WINDOW_FIRST;
	d->blocked_until = until;
	d->forget_at = 0;
}

static void
step_expired(struct model_unit *u)
{
	struct plan_scan scan = { .next = NULL };
	struct plan_unit *pu;
	struct model_unit *other;

	/* Ready is what the last look at the clock made ready. */
	if (!plan_next_overdue(sim.plan, u->pu, sim.now, &scan, &pu))
		return;
	other = plan_unit_owner(pu);
	cr_assert_eq(other->pu, pu);
	cr_assert_eq(other->dest, u->dest);
	cr_assert(!other->is_leased && !other->is_held);
	cr_assert(other->expires <= sim.now && other->due <= sim.now);
	other->is_leased = true;
	sim.expired++;
}

static void
step_end(struct model_unit *u)
{
	switch (rng_below(&sim.rng, 3)) {
	case 0:
		plan_back(sim.plan, u->pu);
		break;
	case 1:
		u->due = sim.now + rng_between(&sim.rng, 0, 5000);
		plan_later(sim.plan, u->pu, u->due);
		break;
	default:
		plan_remove(sim.plan, &u->pu);
		break;
	}
	u->is_leased = false;
}

static void
step_operator(struct model_unit *u)
{
	switch (rng_below(&sim.rng, 6)) {
	case 0:
		plan_hurry(sim.plan, u->pu, sim.now);
		u->due = mtime_min(u->due, sim.now);
		lift(u->dest);
		break;
	case 1:
		plan_remove(sim.plan, &u->pu);
		break;
	case 2:
		if (rng_below(&sim.rng, 20) != 0)
			break;
		plan_lift_all(sim.plan);
		for (int d = 0; d < DESTS; d++)
			lift(d);
		break;
	default:
		u->is_held = rng_below(&sim.rng, 3) == 0;
		plan_hold(sim.plan, u->pu, u->is_held);
		break;
	}
}

static void
step_spare(void)
{
	int64_t horizon = sim.now + 1000;
	uint32_t looks = 16;
	struct plan_unit *pu;
	struct model_unit *u;

	if (!plan_spare_waiting(sim.plan, horizon, &looks, &pu) &&
	    !plan_spare_ready(sim.plan, horizon, 5, &looks, &pu))
		return;
	u = plan_unit_owner(pu);
	cr_assert_eq(u->pu, pu);
	cr_assert(!u->is_leased);
	cr_assert(u->is_held || u->due > horizon || plan_unit_depth(pu) > 5 ||
	    sim.dests[u->dest].blocked_until > horizon);
	plan_remove(sim.plan, &u->pu);
}

/* ---- the whole ---- */

static void
compare(void)
{
	uint32_t leased = 0, held = 0, all = 0;

	for (int i = 0; i < UNITS; i++) {
		const struct model_unit *u = &sim.units[i];

		if (u->pu == NULL)
			continue;
		all++;
		leased += u->is_leased ? 1 : 0;
		held += u->is_held && !u->is_leased ? 1 : 0;
		cr_assert_eq(plan_unit_state(u->pu) == PLAN_LEASED,
		    u->is_leased);
		cr_assert_eq(plan_unit_due(u->pu), u->due);
		cr_assert(span_equal(plan_unit_key(u->pu), key_of(u->dest)));
	}
	cr_assert_eq(plan_count(sim.plan, PLAN_LEASED), leased);
	cr_assert_eq(plan_count(sim.plan, PLAN_HELD), held);
	cr_assert_eq(plan_count(sim.plan, PLAN_WAITING) +
	    plan_count(sim.plan, PLAN_READY), all - leased - held);
}

/* Just after a look at the clock the model knows the blocks as well, and that
 * nothing is missed by sleeping until plan_wake_at(). */
static void
compare_clocks(void)
{
	uint32_t dests = 0;

	settle();
	for (int d = 0; d < DESTS; d++) {
		cr_assert_eq(plan_blocked_until(sim.plan, key_of(d)),
		    sim.dests[d].blocked_until);
		dests += sim.dests[d].window != 0 ? 1 : 0;
	}
	cr_assert_eq(plan_destinations(sim.plan), dests);
	if (may_lease_any())
		cr_assert_leq(plan_wake_at(sim.plan), sim.now);
}

static void
step(void)
{
	uint64_t dice = rng_below(&sim.rng, 100);
	struct model_unit *u = pick(dice < 50);

	if (dice < 8 && u != NULL)
		step_ok(u);
	else if (dice < 13 && u != NULL)
		step_failed(u);
	else if (dice < 15 && u != NULL)
		step_expired(u);
	else if (dice < 35 && u != NULL)
		step_end(u);
	else if (dice >= 50 && dice < 58 && u != NULL)
		step_operator(u);
	else if (dice < 60)
		step_spare();
	else if (dice < 75)
		step_add();
	else
		step_next();
	settle();
	compare();
}

/* Everything that is left comes out once, and the plan is empty then. */
static void
drain(void)
{
	struct plan_unit *pu;
	int left = 0, out = 0;

	for (int i = 0; i < UNITS; i++) {
		struct model_unit *u = &sim.units[i];

		if (u->pu == NULL)
			continue;
		left++;
		plan_hold(sim.plan, u->pu, false);
		if (u->is_leased)
			plan_back(sim.plan, u->pu);
	}
	while (plan_next(sim.plan, sim.now + MTIME_DAY, &pu)) {
		struct model_unit *u = plan_unit_owner(pu);

		plan_dest_ok(sim.plan, pu);
		plan_remove(sim.plan, &u->pu);
		out++;
	}
	cr_assert_eq(out, left);
	/* a back-off without units is remembered for a while */
	cr_assert_not(plan_next(sim.plan, sim.now + 2 * MTIME_DAY, &pu));
	cr_assert_eq(plan_destinations(sim.plan), 0);
	cr_assert_eq(plan_wake_at(sim.plan), PLAN_NEVER);
}

static void
simulate(uint64_t seed)
{
	memset(&sim, 0, sizeof(sim));
	rng_init(&sim.rng, seed);
	sim.now = 1000;
	cr_assert_eq(plan_new(&params, &sim.plan), OK);
	for (int i = 0; i < STEPS; i++) {
		step();
		if (rng_below(&sim.rng, 4) == 0) {
			sim.now += rng_between(&sim.rng, 0, 400);
			step_next();
			compare_clocks();
		}
	}
	/* a history in which nothing happened would prove nothing */
	cr_expect_gt(sim.leases, STEPS / 20);
	cr_expect_gt(sim.probes, STEPS / 1000);
	cr_expect_gt(sim.refusals, STEPS / 100);
	cr_expect_gt(sim.expired, STEPS / 20000);
	drain();
	plan_free(&sim.plan);
}

Test(plan, agrees_with_a_model)
{
	for (uint64_t seed = 1; seed <= 3; seed++)
		simulate(seed);
}
