#include "tests/sim/sim_life.h"

#include "queued/plan/plan.h"
#include "queued/residence.h"
#include "queued/store/store_private.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_deliverd.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_operator.h"
#include "tests/sim/sim_smtpd.h"
#include "tests/sim/sim_world.h"

struct sim_life sim_life;

/* ---- small steps ---- */

bool
sim_speak_and_hear(void)
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
	sim_life.is_after_cut = is_power_cut;
	sim_clock_alone();
	sim_operator_alone(is_power_cut);
	sim_smtpds_alone(is_power_cut);
	sim_deliverds_alone(is_power_cut);
	sim_operator_look();
	sim_mails_alone();
}

void
sim_look_after(void)
{
	if (world.q == NULL || !world.has_given_up)
		return;
	sim_note(SIM_GAVE_UP);
	die(false);
}

static uint32_t
units_here(void)
{
	return world.q == NULL ? 0 : plan_count(world.q->plan, PLAN_WAITING) +
	    plan_count(world.q->plan, PLAN_READY);
}

static void
check_memory(void)
{
	uint32_t units = units_here();

	if (units > RESIDENCE_MAX + 2 * RESIDENCE_HIGH + sim_life.found)
		sim_broken("I-04", "%u units in memory", units);
}

/* A turn of queued's loop: some frames, what the threads have done, timers. */
void
sim_turn(void)
{
	if (world.q == NULL)
		return;
	if (sim_chance(700))
		(void)world_wake();
	world_turn();
	check_memory();
	sim_operator_look();
	sim_look_after();
}

/* ---- life and death ---- */

void
sim_start(void)
{
	if (!sim.has_damage && sim_chance(60)) {
		sim_note(SIM_INDEX_LOST);
		sim_trace("the index is lost");
		sim_disk_lose_index();
	}
	/* or it has not been written yet */
	if (sim_tables_are_empty(sim_disk_tables()))
		sim_mails_index_lost();
	if (!world_start()) {
		/* the parent tries again, and the disk may be better */
		sim_advance(SECOND_MS);
		if (sim_chance(300))
			sim_faults = (struct sim_faults){ .taken = 0 };
		return;
	}
	/* one that was lost may not have been written again */
	if (!world.q->store->had_index)
		sim_mails_index_lost();
	sim_life.started_at = sim.mono_ms;
	sim_life.is_late_told = false;
	sim_life.found = units_here();
	sim_mails_audit();
}

void
sim_connect_peers(void)
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
void
sim_kill_queued(bool is_power_cut)
{
	if (world.q == NULL)
		return;
	while (sim_chance(500))
		(void)sim_speak_and_hear();
	if (sim_chance(300))
		(void)world_wake();
	sim_note(SIM_KILLS_QUEUED);
	die(is_power_cut);
}

void
sim_stop_queued(void)
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
