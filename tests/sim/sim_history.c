/*
 * Most steps are small: a frame is handled, a thread does a job, a deliverd
 * goes on with a lease.  Now and then something breaks, or hours pass.  In
 * the end everything behaves, and the queue must become empty.
 */
#include "tests/sim/sim_history.h"

#include "common/base/check.h"
#include "queued/plan/plan.h"
#include "queued/residence.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_deliverd.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_hops.h"
#include "tests/sim/sim_life.h"
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_operator.h"
#include "tests/sim/sim_smtpd.h"
#include "tests/sim/sim_worker.h"
#include "tests/sim/sim_world.h"

enum { DRAIN_ROUNDS = 600 };

/* The history keeps what is a week old, at the least. */
#define KEPT_MS		(INT64_C(6) * 24 * HOUR_MS)

/* ---- what happens rarely ---- */

static void
step_time(void)
{
	switch (sim_below(20)) {
	case 0:
		sim_advance((int64_t)sim_below(30 * HOUR_MS));
		break;
	case 1:
	case 2:
		sim_advance((int64_t)sim_below(2 * HOUR_MS));
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		sim_advance((int64_t)sim_below(10 * MINUTE_MS));
		break;
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
		sim_advance((int64_t)sim_below(4 * SECOND_MS));
		break;
	default:
		sim_advance((int64_t)sim_below(MOMENT_MS));
	}
}

static void
jump(void)
{
	static const int64_t by[] = { 61 * SECOND_MS, HOUR_MS,
		(int64_t)24 * HOUR_MS, (int64_t)3650 * 24 * HOUR_MS };
	bool is_forward = sim_chance(500);
	/* years back are years to wait */
	int64_t ms = by[sim_below(COUNT_OF(by) - (is_forward ? 0 : 1))];

	sim_note(SIM_CLOCK_JUMPS);
	sim_clock_set(is_forward ? ms : -ms);
	if (!is_forward)
		sim.set_back_ms += ms;
	sim_trace("the wall clock jumps");
}

static void
change_faults(void)
{
	static const unsigned shares[] = { 0, 0, 5, 50, 300 };

	sim_faults.write_share = shares[sim_below(COUNT_OF(shares))];
	sim_faults.sync_share = shares[sim_below(COUNT_OF(shares))];
	sim_faults.index_share = shares[sim_below(COUNT_OF(shares))];
	sim_faults.taken = sim_chance(300) ?
	    sim_below(UINT64_C(30) << 20) : 0;
	sim_trace("the disk: writes %u, syncs %u, check-points %u per 1000 "
	    "fail; %ju taken", sim_faults.write_share, sim_faults.sync_share,
	    sim_faults.index_share, (uintmax_t)sim_faults.taken);
}

static bool
is_open(const struct sim_mail *m)
{
	for (uint32_t i = 0; i < m->rcpt_count; i++)
		if (!sim_rcpt_is_over(m, &m->rcpts[i]))
			return true;
	return false;
}

/* What lies in one place, for a report has a copy; and what the index knows
 * already: a group that can't be replayed takes its other records along. */
static void
damage(void)
{
	struct sim_mail *m = mails.n > 0 ? mails.v[sim_below(mails.n)] : NULL;
	struct store_figures f = { .checkpoint_lag_bytes = 1 };

	if (world.q != NULL)
		store_figures(world.q->store, &f);
	if (m == NULL || m->is_report || m->fate != SIM_KEPT ||
	    !is_open(m) || f.checkpoint_lag_bytes > 0 ||
	    !sim_disk_damage(m->mark, strlen(m->mark)))
		return;
	sim_trace("message %u is damaged on the disk", m->number);
	m->is_damaged = sim.has_damage = true;
	sim_note(SIM_DAMAGED);
}

/* ---- one step ---- */

/* How wild a history is: some see no faults at all. */
struct temper {
	unsigned kills, faults, jumps, operator, moods, mail;
};

static void
step_rare(const struct temper *t)
{
	unsigned i = (unsigned)sim_below(SIM_WORKERS);

	if (sim_chance(t->kills)) {
		switch (sim_below(7)) {
		case 0:
		case 4:
			sim_kill_queued(true);
			break;
		case 1:
			sim_stop_queued();
			break;
		case 2:
			sim_note(SIM_KILLS_DELIVERD);
			sim_deliverd_kill(i);
			break;
		case 3:
			sim_note(SIM_KILLS_SMTPD);
			sim_smtpd_kill(i);
			break;
		default:
			sim_kill_queued(false);
		}
	}
	/* what was told, and not synced, is what it is about */
	if (t->kills > 0 && sim_deliverd_was_confirmed() && sim_chance(25))
		sim_kill_queued(true);
	/* before it has looked at what is in doubt */
	if (t->kills > 0 && sim_life.is_after_cut &&
	    sim_deliverd_is_connected(0) && sim_deliverd_is_connected(1) &&
	    sim_chance(40))
		sim_kill_queued(false);
	/* a part, and how far the list has come by it */
	if (t->kills > 0 && sim_log_was_begun() && sim_chance(150))
		sim_kill_queued(sim_chance(500));
	if (sim_chance(t->faults))
		change_faults();
	if (sim_chance(t->faults / 4))
		damage();
	if (sim_chance(t->jumps))
		jump();
	if (sim_chance(t->moods))
		sim_hops_change();
	if (world.q != NULL && sim_chance(5)) {
		sim_note(SIM_RELOADS);
		world_reload((unsigned)sim_below(SIM_ROUTES));
	}
	if (sim_chance(20))
		sim_smtpd_stick(i, sim_chance(300));
}

static void
step(const struct temper *t)
{
	unsigned i = (unsigned)sim_below(SIM_WORKERS);

	sim_note(SIM_STEPS);
	step_rare(t);
	if (world.q == NULL && sim_chance(300))
		sim_start();
	if (sim_chance(100))
		sim_connect_peers();
	if (sim_chance(t->mail))
		(void)sim_smtpd_submit(i);
	if (sim_chance(t->operator))
		(void)sim_operator_ask();
	for (uint64_t n = sim_below(6); n > 0; n--)
		(void)sim_speak_and_hear();
	(void)sim_smtpd_go_on(i);
	for (uint64_t n = sim_below(3); n > 0; n--)
		(void)sim_deliverd_work((unsigned)sim_below(SIM_WORKERS));
	for (uint64_t n = sim_below(3); n > 0; n--)
		(void)sim_worker_step();
	if (sim_chance(800))
		sim_turn();
	if (world.q != NULL && sim_chance(15))
		sim_mails_audit();
	if (sim_chance(250))
		step_time();
}

/* ---- the end ---- */

static bool
is_empty(void)
{
	struct store_figures f;

	store_figures(world.q->store, &f);
	return f.messages == 0 && sim_deliverd_leases() == 0;
}

static void
be_good(void)
{
	sim_faults = (struct sim_faults){ .taken = 0 };
	sim_hops_behave();
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		sim_smtpd_stick(i, false);
	for (int n = 0; n < 100 && world.q == NULL; n++)
		sim_start();
	if (world.q == NULL)
		sim_broken("I-06", "queued does not start on a good disk");
	for (int n = 0; n < 100 && !sim.is_failed; n++)
		sim_connect_peers();
}

/* Large bodies are finished, leases tried, questions answered. */
static void
work_off(void)
{
	bool is_busy = true;

	while (is_busy && !sim.is_failed) {
		sim_settle();
		is_busy = false;
		for (unsigned i = 0; i < SIM_WORKERS; i++) {
			is_busy |= sim_smtpd_go_on(i);
			is_busy |= sim_deliverd_work(i);
		}
	}
}

static void
tell_left(void)
{
	struct store_figures f;

	sim_mails_audit();
	sim_deliverd_dump();
	sim_trace("    plan: %u waiting, %u ready, %u leased, %u held; %s%s",
	    plan_count(world.q->plan, PLAN_WAITING),
	    plan_count(world.q->plan, PLAN_READY),
	    plan_count(world.q->plan, PLAN_LEASED),
	    plan_count(world.q->plan, PLAN_HELD),
	    world.q->is_started ? "started" : "not started",
	    world.q->has_stopped_waiting ? "" : ", waits for deliverds");
	store_figures(world.q->store, &f);
	sim_trace("    store: %ju bytes behind, %ju messages in memory",
	    (uintmax_t)f.checkpoint_lag_bytes, (uintmax_t)f.memory_messages);
	sim_broken("I-02", "the queue does not become empty: %ju messages, "
	    "%ju recipients, %u leases%s", (uintmax_t)f.messages,
	    (uintmax_t)f.recipients, sim_deliverd_leases(),
	    sim_operator_is_waiting() ? ", mtactl waits" : "");
}

/* The units that wait are due within the longest pause; nothing may expire
 * or fail any more. */
static void
drain(void)
{
	int n = 0;

	be_good();
	while (!sim.is_failed && n++ < DRAIN_ROUNDS) {
		work_off();
		if (sim.is_failed)
			return;
		if (world.q == NULL) {	/* of what had failed before */
			be_good();
			continue;
		}
		if (!sim_operator_clean_up() && is_empty())
			return;
		sim_advance(n % 3 == 0 ? 2 * MINUTE_MS : SECOND_MS);
		/* due times are wall times: theirs come once more */
		if (n == DRAIN_ROUNDS / 2)
			sim_advance(sim.set_back_ms);
	}
	if (!sim.is_failed)
		tell_left();
}

/* A full disk may cost the oldest files of the history, and nothing else. */
static bool
has_shed(uint64_t full_before)
{
	return sim_disk_count("history", "0000000000000001.log") == 0 &&
	    (sim_log_has_been_full() ||
	    sim.counts[SIM_FULL_DISKS] > full_before);
}

/* What is done with stays done with, whatever the machine does. */
static void
check_end(bool is_whole, uint64_t full_before)
{
	for (int n = 0; n < 5; n++) {
		sim_advance(SECOND_MS);
		sim_settle();
	}
	sim_kill_queued(sim_chance(700));
	if (!sim.has_damage && sim_chance(300))
		sim_disk_lose_index();
	if (!world_start())
		sim_broken("I-06", "queued does not start");
	else if (!is_empty())
		sim_broken("I-02", "an empty queue is not empty after a "
		    "crash");
	else if (sim_disk_count("body", "body.") > 0)
		sim_broken("I-04", "files of large bodies are left");
	else
		sim_mails_history(is_whole && !sim_log_has_lost() &&
		    !has_shed(full_before));
}

static void
begin(uint64_t seed, struct temper *t)
{
	sim.seed = seed;
	rng_init(&sim.dice, seed);
	rng_init(&sim.system_dice, seed ^ UINT64_C(0x5eed));
	sim.mono_ms = (int64_t)sim_below(1000 * SECOND_MS) + 1;
	sim.wall_ms = INT64_C(1790000000000) + (int64_t)sim_below(HOUR_MS);
	sim.set_back_ms = 0;
	sim_life = (struct sim_life){ .started_at = 0 };
	sim_clock_new();
	sim.digest = seed;
	sim.is_failed = sim.is_dying = sim.has_damage = false;
	t->kills = (unsigned)sim_below(3) * 8;
	t->faults = sim_chance(400) ? 15 : 0;
	t->jumps = sim_chance(150) ? 10 : 0;
	t->operator = sim_chance(500) ? 20 : 0;
	t->moods = 10 + (unsigned)sim_below(60);
	t->mail = 20 + (unsigned)sim_below(120);
}

bool
sim_history(uint64_t seed)
{
	struct temper t;
	uint64_t full_before;
	int64_t since;

	begin(seed, &t);
	since = sim.mono_ms;
	full_before = sim.counts[SIM_FULL_DISKS];
	world_new();
	sim_smtpds_new();
	sim_deliverds_new();
	sim_operator_new();
	for (uint64_t n = 150 + sim_below(350); n > 0 && !sim.is_failed; n--)
		step(&t);
	drain();
	if (!sim.is_failed)
		sim_mails_close();
	if (!sim.is_failed)
		check_end(t.jumps == 0 && sim.mono_ms - since < KEPT_MS,
		    full_before);
	sim.counts[SIM_HOURS] += (uint64_t)(sim.mono_ms - since) / HOUR_MS;
	sim_note(SIM_HISTORIES);
	sim_smtpds_free();
	sim_deliverds_free();
	sim_operator_free();
	world_free();
	sim_mails_free();
	sim_log_clear();
	return !sim.is_failed;
}
