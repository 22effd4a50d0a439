/*
 * The planner against a model that knows no heap, no ring and no list: random
 * histories in virtual time.  After each step both must agree on what may be
 * leased, on all counts, windows and shares, and on who is blocked by what and
 * until when.
 */
#include "common/base/mtime.h"
#include "common/base/rng.h"
#include "queued/plan/plan_look.h"
#include "queued/plan/plan_tell.h"

#include <criterion/criterion.h>

#define STEPS		200000
#define UNITS		60
#define DESTS		6
#define FIRST_RETRY	1000
#define MAX_RETRY	8000
#define WINDOW_FIRST	3u
#define WINDOW_MAX	6u
#define LEASES_MAX	16u
#define BYTES_MAX	100u
#define TRYING_MAX	3u
#define PROBES_MAX	2u
#define PROVEN_MS	700

struct model_unit {
	struct plan_unit *pu;		/* NULL: not in the plan */
	int dest;
	int64_t due;
	int64_t expires;
	int64_t leased_at;
	uint32_t bytes;
	bool is_leased;
	bool is_held;			/* or will be after its lease */
};

struct model_dest {
	uint32_t window;		/* 0: forgotten */
	uint32_t failures;
	uint32_t calm, grown;
	int64_t shrunk_at;
	bool is_proven;
	int64_t blocked_until;		/* 0: not */
	int64_t failed_at;
	int64_t forget_at;		/* 0: not counting */
	int64_t pace_at;		/* in thirds of a ms; 0: any time */
};

static struct sim {
	struct plan *plan;
	struct rng rng;
	int64_t now;
	int64_t told;			/* as the planner was told last */
	struct model_unit units[UNITS];
	struct model_dest dests[DESTS];
	uint64_t leases, probes, refusals, expired, shrunk, paced, scarce;
	bool has_rates;
} sim;

static const struct plan_params params = {
	.window_first = WINDOW_FIRST,
	.leases_max = LEASES_MAX,
	.bytes_max = BYTES_MAX,
	.trying_max = TRYING_MAX,
	.probes_max = PROBES_MAX,
	.proven_ms = PROVEN_MS,
	.seed = 3,
};

/* Some destinations have a rate: three in so many ms. */
static const uint32_t rate_ms[] = { 0, 500, 0, 40, 3600, 0 };

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

static bool
is_paced(int dest)
{
	return sim.dests[dest].pace_at > 3 * sim.now + 2;
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
		} else if (m->blocked_until == 0 && m->forget_at != 0 &&
		    m->forget_at <= sim.now) {
			m->forget_at = 0;
			m->is_proven = m->is_proven && has_units(d);
		}
		if (!has_units(d) && m->is_proven && m->forget_at == 0)
			m->forget_at = sim.told + PROVEN_MS;
		if (!has_units(d) && m->blocked_until == 0 &&
		    m->forget_at == 0 && !is_paced(d))
			*m = (struct model_dest){ .window = 0 };
	}
}

static enum plan_class
class_of(int dest)
{
	const struct model_dest *d = &sim.dests[dest];

	return d->failures > 0 ? PLAN_PROBED : d->is_proven ? PLAN_PROVEN :
	    PLAN_NEW;
}

static uint32_t
bytes_of(int dest)
{
	uint32_t n = 0;

	for (int i = 0; i < UNITS; i++)
		n += sim.units[i].pu != NULL && sim.units[i].is_leased &&
		    (dest < 0 || sim.units[i].dest == dest) ?
		    sim.units[i].bytes : 0;
	return n;
}

static uint32_t
leases(void)
{
	uint32_t n = 0;

	for (int d = 0; d < DESTS; d++)
		n += leased_of(d);
	return n;
}

static uint32_t
trying(enum plan_class class)
{
	uint32_t n = 0;

	for (int d = 0; d < DESTS; d++)
		n += class_of(d) == class && leased_of(d) > 0 ? 1 : 0;
	return n;
}

/* What is left over for all leaves this for one. */
static bool
has_share(int dest)
{
	enum plan_class class = class_of(dest);
	uint32_t all = leases(), mine = leased_of(dest);

	if (bytes_of(-1) >= BYTES_MAX || all >= LEASES_MAX)
		return false;
	if (class != PLAN_PROVEN && (all >= LEASES_MAX * 3 / 4 ||
	    trying(class) >= (class == PLAN_NEW ? TRYING_MAX : PROBES_MAX)))
		return false;
	return mine == 0 || (mine < LEASES_MAX - all &&
	    bytes_of(dest) <= BYTES_MAX - bytes_of(-1));
}

static uint32_t
window_of(const struct model_dest *d)
{
	return d->failures > 0 ? 1 : d->window;
}

/* As far as its destination is concerned. */
static bool
may_go(const struct model_unit *u)
{
	const struct model_dest *d = &sim.dests[u->dest];

	return u->pu != NULL && !u->is_leased && !u->is_held &&
	    u->due <= sim.now && d->blocked_until == 0 &&
	    !is_paced(u->dest) && leased_of(u->dest) < window_of(d);
}

static bool
may_lease(const struct model_unit *u)
{
	return may_go(u) && has_share(u->dest);
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
add(struct model_unit *u)
{
	static const char *const senders[] = { "a@x", "b@x", "c@y", "" };
	struct plan_entry entry = {
		.owner = u, .key = key_of(u->dest), .due = u->due,
		.overdue = u->expires, .is_held = u->is_held,
		.bytes = u->bytes, .size = u->bytes << 16,
		.sender = span_str(senders[rng_below(&sim.rng, 4)]),
		.priority = (int8_t)rng_between(&sim.rng, -10, 10),
		.limits = { FIRST_RETRY, MAX_RETRY, WINDOW_MAX, 0, 0 },
	};

	if (sim.has_rates && rate_ms[u->dest] > 0) {
		entry.limits.rate_count = 3;
		entry.limits.rate_ms = rate_ms[u->dest];
	}
	cr_assert_eq(plan_add(sim.plan, &entry, &u->pu), OK);
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
		u->bytes = (uint32_t)rng_below(&sim.rng, 20);
		add(u);
		if (sim.dests[u->dest].window == 0) {
			sim.dests[u->dest].window = WINDOW_FIRST;
			sim.dests[u->dest].calm = UINT32_MAX;
			sim.dests[u->dest].shrunk_at = INT64_MIN;
		}
		return;
	}
}

/* A rate of three in a while makes each wait for as many thirds of a ms. */
static void
pace(int dest)
{
	struct model_dest *d = &sim.dests[dest];
	uint32_t ms = rate_ms[dest];
	int64_t slack = ms / 3 < 1000 ? 50 : 0;

	if (!sim.has_rates || ms == 0)
		return;
	if (d->pace_at / 3 < sim.now - slack)
		d->pace_at = 3 * sim.now;
	d->pace_at += ms;
	sim.paced++;
}

static void
step_next(void)
{
	bool has_any;
	struct plan_unit *pu;
	struct model_unit *u;

	settle();
	has_any = may_lease_any();
	sim.told = sim.now;
	cr_assert_eq(plan_next(sim.plan, sim.now, &pu), has_any);
	if (!has_any) {
		for (int i = 0; i < UNITS; i++)
			sim.scarce += may_go(&sim.units[i]) ? 1 : 0;
		return;
	}
	u = plan_unit_owner(pu);
	cr_assert_eq(u->pu, pu);
	cr_assert(may_lease(u), "destination %d", u->dest);
	u->is_leased = true;
	u->leased_at = sim.now;
	pace(u->dest);
	sim.leases++;
	if (sim.dests[u->dest].failures > 0)
		sim.probes++;
}

static void
step_ok(struct model_unit *u)
{
	struct model_dest *d = &sim.dests[u->dest];
	int64_t took = sim.now - u->leased_at;

	plan_dest_ok(sim.plan, u->pu, sim.now);
	d->failures = 0;
	d->blocked_until = 0;
	d->forget_at = 0;
	d->is_proven = true;
	if (took >= 5000 && d->window > WINDOW_FIRST)
		d->window--;
	if ((took > 1000 && d->window >= WINDOW_FIRST) ||
	    d->window >= WINDOW_MAX)
		return;
	if (d->window >= d->calm && ++d->grown < d->window)
		return;
	d->grown = 0;
	d->window++;
}

static void
halve(struct model_dest *d)
{
	d->window = d->window > 1 ? d->window / 2 : 1;
	d->grown = 0;
	d->shrunk_at = sim.now;
	sim.shrunk++;
}

static void
step_less(struct model_unit *u)
{
	struct model_dest *d = &sim.dests[u->dest];
	bool has_lease = rng_below(&sim.rng, 2) == 0;
	int64_t since = has_lease ? u->leased_at : sim.now - 1000;

	if (has_lease)
		plan_dest_less(sim.plan, u->pu, sim.now);
	else
		plan_key_less(sim.plan, key_of(u->dest), sim.now);
	if (since <= d->shrunk_at || d->failures > 0)
		return;
	halve(d);
	d->calm = d->window;
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
	d->failed_at = sim.now;
	for (uint32_t i = 1; i < d->failures && curve < MAX_RETRY; i++)
		curve *= 2;
	cr_assert(until <= sim.now + curve);
	cr_assert(until >= sim.now + curve * 4 / 5);
	halve(d);
	if (d->failures == 1)
		d->calm = d->window;
	if (d->window > WINDOW_FIRST)
		d->window = WINDOW_FIRST;
	d->is_proven = false;
	d->blocked_until = until;
	d->forget_at = 0;
}

static void
step_expired(struct model_unit *u)
{
	struct plan_telling telling = { .next = NULL };
	struct plan_unit *pu;
	struct model_unit *other;

	/* Ready is what the last look at the clock made ready. */
	plan_tell(sim.plan, u->pu);
	if (!plan_next_untold(sim.plan, &telling, &pu))
		return;
	other = plan_unit_owner(pu);
	cr_assert_eq(other->pu, pu);
	cr_assert(!other->is_leased && !other->is_held);
	cr_assert(other->expires <= sim.dests[other->dest].failed_at);
	cr_assert(other->due <= sim.now);
	other->is_leased = true;
	other->leased_at = sim.told;
	sim.expired++;
}

static void
step_end(struct model_unit *u)
{
	switch (rng_below(&sim.rng, 3)) {
	case 0:
		plan_back(sim.plan, u->pu);
		if (sim.has_rates && !u->is_held)
			sim.dests[u->dest].pace_at -= sim.dests[u->dest].pace_at
			    > 0 ? rate_ms[u->dest] / 3 * 3 : 0;
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
		plan_hurry(sim.plan, u->pu, sim.now, sim.now);
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
	    !plan_spare_blocked(sim.plan, horizon, &looks, &pu))
		return;
	u = plan_unit_owner(pu);
	cr_assert_eq(u->pu, pu);
	cr_assert(!u->is_leased);
	cr_assert(u->is_held || u->due > horizon ||
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

static void
compare_dest(int dest)
{
	const struct model_dest *d = &sim.dests[dest];
	struct plan_dest_view view;

	cr_assert_eq(plan_dest_look(sim.plan, key_of(dest), &view),
	    d->window != 0);
	if (d->window == 0)
		return;
	cr_assert_eq(view.window, window_of(d));
	cr_assert_eq(view.leased, leased_of(dest));
	cr_assert_eq(view.class, class_of(dest));
	cr_assert_eq(view.failures, d->failures);
}

/* What an operator is told to be in the way is in the way. */
static void
compare_block(const struct model_unit *u)
{
	const struct model_dest *d = &sim.dests[u->dest];
	int64_t until;

	if (u->pu == NULL)
		return;
	switch (plan_unit_block(sim.plan, u->pu, sim.now, &until)) {
	case PLAN_BLOCK_NONE:
		cr_assert(may_go(u));
		break;
	case PLAN_BLOCK_LEASED:
		cr_assert(u->is_leased);
		break;
	case PLAN_BLOCK_HELD:
		cr_assert(u->is_held);
		break;
	case PLAN_BLOCK_TIME:
		cr_assert(u->due > sim.now && until == u->due);
		break;
	case PLAN_BLOCK_BACK_OFF:
		cr_assert_eq(until, d->blocked_until);
		break;
	case PLAN_BLOCK_PROBE:
	case PLAN_BLOCK_WINDOW:
		cr_assert_geq(leased_of(u->dest), window_of(d));
		break;
	case PLAN_BLOCK_RATE:
		cr_assert(is_paced(u->dest) && until == d->pace_at / 3);
		break;
	case PLAN_BLOCK_SCARCE:
		cr_assert(may_go(u) && !may_lease(u));
		break;
	case PLAN_BLOCK_STOPPED:
		cr_assert_fail("nobody stops a destination here");
	}
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
		compare_dest(d);
	}
	cr_assert_eq(plan_destinations(sim.plan), dests);
	for (int i = 0; i < UNITS; i++)
		compare_block(&sim.units[i]);
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
	else if (dice < 17 && u != NULL)
		step_less(u);
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
	for (int64_t at = sim.now + MTIME_DAY; out < left; at += 2000) {
		if (!plan_next(sim.plan, at, &pu))
			continue;
		struct model_unit *u = plan_unit_owner(pu);

		plan_dest_ok(sim.plan, pu, sim.now);
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
simulate(uint64_t seed, bool has_rates)
{
	memset(&sim, 0, sizeof(sim));
	sim.has_rates = has_rates;
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
	cr_expect_gt(sim.shrunk, STEPS / 1000);
	cr_expect_gt(sim.scarce, STEPS / 1000);
	cr_expect_eq(sim.paced > STEPS / 1000, has_rates);
	drain();
	plan_free(&sim.plan);
}

Test(plan, agrees_with_a_model)
{
	for (uint64_t seed = 1; seed <= 3; seed++)
		simulate(seed, seed > 1);
}
