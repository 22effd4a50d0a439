#include "tests/sim/sim_life.h"

#include "queued/store/store.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_deliverd.h"
#include "tests/sim/sim_operator.h"
#include "tests/sim/sim_smtpd.h"
#include "tests/sim/sim_worker.h"
#include "tests/sim/sim_world.h"

enum {
	TICKS = 5,
	BACK_MS = 1200,			/* all smtpds, after a start */
	PRESENT_WAIT_MS = 3000,		/* queued waits so long for deliverds */
};

/* Everything that can be done now is done. */
void
sim_settle(void)
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
		sim_look_after();
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
		sim_look_after();
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
	if (world.q == NULL || sim_life.is_late_told ||
	    sim.mono_ms - sim_life.started_at < PRESENT_WAIT_MS)
		return;
	sim_life.is_late_told = true;
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
		if (sim.mono_ms - sim_life.started_at >= BACK_MS &&
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

	if (world.q != NULL && sim.mono_ms < sim_life.started_at + BACK_MS &&
	    at > sim_life.started_at + BACK_MS)
		at = sim_life.started_at + BACK_MS;
	if (at <= sim.mono_ms)
		at = sim.mono_ms + 1;
	return at < end ? at : end;
}

void
sim_advance(int64_t ms)
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
