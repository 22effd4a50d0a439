/*
 * Most steps are small: a frame is handled, a thread does a job, a deliverd
 * goes on with a lease.  Now and then something breaks, or hours pass.  In
 * the end everything behaves, and the queue must become empty.
 *
 * Time: before it moves by more than a moment the disk has done what it was
 * given, and the store's own timer is never passed by, for the promises about
 * a second of a power cut suppose a disk that works.
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
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_operator.h"
#include "tests/sim/sim_smtpd.h"
#include "tests/sim/sim_worker.h"
#include "tests/sim/sim_world.h"

enum {
	MOMENT_MS = 40,
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	HOUR_MS = 60 * MINUTE_MS,
	TICKS = 5,
	BACK_MS = 1200,			/* all smtpds, after a start */
	PRESENT_WAIT_MS = 3000,		/* queued waits so long for deliverds */
	DRAIN_ROUNDS = 600,
};

static int64_t started_at;		/* monotonic, of this queued */
static bool is_late_told;

/* ---- small steps ---- */

static bool
speak_and_hear(void)
{
	unsigned i = (unsigned)sim_below(SIM_WORKERS);

	switch (sim_below(8)) {
	case 0:
		return sim_smtpd_hear(i);
	case 1:
		return sim_smtpd_speak(i);
	case 2:
	case 3:
		return sim_deliverd_hear(i);
	case 4:
	case 5:
		return sim_deliverd_speak(i);
	case 6:
		return sim_operator_hear();
	default:
		return sim_operator_speak();
	}
}

/* Dead, or asked to be: the parent sees to it. */
static void
die(bool is_power_cut)
{
	if (is_power_cut) {
		sim_mails_power_cut();
		sim_note(SIM_POWER_CUTS);
	}
	world_kill(is_power_cut);
	sim_clock_alone();
	sim_operator_alone(is_power_cut);
	sim_smtpds_alone(is_power_cut);
	sim_deliverds_alone(is_power_cut);
	sim_mails_alone();
}

static void
look_after(void)
{
	if (world.q == NULL || !world.has_given_up)
		return;
	sim_note(SIM_GAVE_UP);
	die(false);
}

static void
check_memory(void)
{
	uint32_t units;

	if (world.q == NULL)
		return;
	units = plan_count(world.q->plan, PLAN_WAITING) +
	    plan_count(world.q->plan, PLAN_READY);
	if (units > RESIDENCE_MAX + 2 * RESIDENCE_HIGH)
		sim_broken("I-04", "%u units in memory", units);
}

/* A turn of queued's loop: some frames, what the threads have done, timers. */
static void
turn(void)
{
	if (world.q == NULL)
		return;
	if (sim_chance(700))
		(void)world_wake();
	world_turn();
	check_memory();
	look_after();
}

/* ---- time ---- */

/* Everything that can be done now is done. */
static void
settle(void)
{
	bool is_busy = true;

	for (int n = 0; is_busy && n < 3000 && !sim.is_failed; n++) {
		is_busy = sim_worker_step();
		for (unsigned i = 0; i < SIM_WORKERS; i++) {
			is_busy |= sim_smtpd_hear(i);
			is_busy |= sim_smtpd_speak(i);
			is_busy |= sim_deliverd_hear(i);
			is_busy |= sim_deliverd_speak(i);
		}
		is_busy |= sim_operator_hear();
		is_busy |= sim_operator_speak();
		if (world.q != NULL) {
			is_busy |= world_wake();
			world_turn();
		}
		look_after();
	}
}

/* The disk, and what queued has to read: peers may go on hanging. */
static void
settle_disk(void)
{
	for (int n = 0; n < 1000 && world.q != NULL; n++) {
		bool is_busy = sim_worker_step();

		for (unsigned i = 0; i < SIM_WORKERS; i++) {
			is_busy |= sim_smtpd_speak(i);
			is_busy |= sim_deliverd_speak(i);
		}
		is_busy |= sim_operator_speak();
		is_busy |= world_wake();
		world_turn();
		look_after();
		if (!is_busy)
			return;
	}
}

static void
pass(int64_t ms)
{
	sim.mono_ms += ms;
	sim.wall_ms += ms;
}

static void
be_late(void)
{
	if (world.q == NULL || is_late_told ||
	    sim.mono_ms - started_at < PRESENT_WAIT_MS)
		return;
	is_late_told = true;
	/* what they have said is read before any timer */
	for (unsigned i = 0; i < SIM_WORKERS; i++)
		while (sim_deliverd_speak(i))
			;
	sim_deliverds_late();
}

/* The parent is quick to connect them, and they to ask; a deliverd may hang. */
static void
be_back(void)
{
	for (unsigned i = 0; i < SIM_WORKERS && world.q != NULL; i++)
		if (sim.mono_ms - started_at >= BACK_MS &&
		    !sim_smtpd_is_connected(i))
			sim_smtpd_connect(i);
}

/* When something may happen by itself, END at the latest.  The store's timer
 * goes on while anything waits; where all is synced it may be late. */
static int64_t
next_moment(int64_t end, int n)
{
	bool is_synced = world.q != NULL && store_synced(world.q->store) + 1 ==
	    store_group(world.q->store);
	int64_t at = world_next_timer(n < TICKS || !is_synced);

	if (world.q != NULL && sim.mono_ms < started_at + BACK_MS &&
	    at > started_at + BACK_MS)
		at = started_at + BACK_MS;
	if (at <= sim.mono_ms)
		at = sim.mono_ms + 1;
	return at < end ? at : end;
}

static void
advance(int64_t ms)
{
	int64_t end = sim.mono_ms + ms;

	if (ms <= MOMENT_MS) {
		pass(ms);
		be_late();
		return;
	}
	for (int n = 0; sim.mono_ms < end && !sim.is_failed; n++) {
		settle_disk();
		pass(next_moment(end, n) - sim.mono_ms);
		be_late();
		be_back();
		settle_disk();
	}
}

static void
step_time(void)
{
	switch (sim_below(20)) {
	case 0:
		advance((int64_t)sim_below(30 * HOUR_MS));
		break;
	case 1:
	case 2:
		advance((int64_t)sim_below(2 * HOUR_MS));
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		advance((int64_t)sim_below(10 * MINUTE_MS));
		break;
	case 7:
	case 8:
	case 9:
	case 10:
	case 11:
		advance((int64_t)sim_below(4 * SECOND_MS));
		break;
	default:
		advance((int64_t)sim_below(MOMENT_MS));
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

/* ---- life and death ---- */

static void
start(void)
{
	if (!sim.has_damage && sim_chance(60)) {
		sim_note(SIM_INDEX_LOST);
		sim_trace("the index is lost");
		sim_disk_lose_index();
		sim_mails_index_lost();
	}
	if (!world_start()) {
		/* the parent tries again, and the disk may be better */
		advance(SECOND_MS);
		if (sim_chance(300))
			sim_faults = (struct sim_faults){ .taken = 0 };
		return;
	}
	started_at = sim.mono_ms;
	is_late_told = false;
	sim_mails_audit();
}

static void
connect_peers(void)
{
	unsigned i = (unsigned)sim_below(SIM_WORKERS);

	if (world.q == NULL)
		return;
	if (!sim_smtpd_is_connected(i))
		sim_smtpd_connect(i);
	if (!sim_deliverd_is_connected(i))
		sim_deliverd_connect(i);
}

/* In the middle of a turn: frames were handled, nothing has left yet. */
static void
kill_queued(bool is_power_cut)
{
	if (world.q == NULL)
		return;
	while (sim_chance(500))
		(void)speak_and_hear();
	if (sim_chance(300))
		(void)world_wake();
	sim_note(SIM_KILLS_QUEUED);
	die(is_power_cut);
}

static void
stop_queued(void)
{
	if (world.q == NULL)
		return;
	world_stop();
	sim_clock_alone();
	sim_operator_alone(false);
	sim_smtpds_alone(false);
	sim_deliverds_alone(false);
	sim_mails_alone();
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
			kill_queued(true);
			break;
		case 1:
			stop_queued();
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
			kill_queued(false);
		}
	}
	/* what was told, and not synced, is what it is about */
	if (t->kills > 0 && sim_deliverd_was_confirmed() && sim_chance(25))
		kill_queued(true);
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
		start();
	if (sim_chance(100))
		connect_peers();
	if (sim_chance(t->mail))
		(void)sim_smtpd_submit(i);
	if (sim_chance(t->operator))
		(void)sim_operator_ask();
	for (uint64_t n = sim_below(6); n > 0; n--)
		(void)speak_and_hear();
	(void)sim_smtpd_go_on(i);
	for (uint64_t n = sim_below(3); n > 0; n--)
		(void)sim_deliverd_work((unsigned)sim_below(SIM_WORKERS));
	for (uint64_t n = sim_below(3); n > 0; n--)
		(void)sim_worker_step();
	if (sim_chance(800))
		turn();
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
		start();
	if (world.q == NULL)
		sim_broken("I-06", "queued does not start on a good disk");
	for (int n = 0; n < 100 && !sim.is_failed; n++)
		connect_peers();
}

/* Large bodies are finished, leases tried, questions answered. */
static void
work_off(void)
{
	bool is_busy = true;

	while (is_busy && !sim.is_failed) {
		settle();
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
		advance(n % 3 == 0 ? 2 * MINUTE_MS : SECOND_MS);
		/* due times are wall times: theirs come once more */
		if (n == DRAIN_ROUNDS / 2)
			advance(sim.set_back_ms);
	}
	if (!sim.is_failed)
		tell_left();
}

/* What is done with stays done with, whatever the machine does. */
static void
check_end(void)
{
	for (int n = 0; n < 5; n++) {
		advance(SECOND_MS);
		settle();
	}
	kill_queued(sim_chance(700));
	if (!sim.has_damage && sim_chance(300))
		sim_disk_lose_index();
	if (!world_start())
		sim_broken("I-06", "queued does not start");
	else if (!is_empty())
		sim_broken("I-02", "an empty queue is not empty after a "
		    "crash");
	else if (sim_disk_count("body", "body.") > 0)
		sim_broken("I-04", "files of large bodies are left");
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
	int64_t since;

	begin(seed, &t);
	since = sim.mono_ms;
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
		check_end();
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
