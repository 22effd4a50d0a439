/*
 * The life of queued: started, stopped, killed, cut off from power.  A killed
 * one is taken apart by its own code, with a disk that takes nothing any more
 * and nobody to hear it; so it leaves no memory behind, and no trace.
 */
#include "tests/sim/sim_world.h"

#include "common/base/check.h"
#include "queued/service.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_posix.h"
#include "tests/sim/sim_worker.h"

#include <stdlib.h>

struct sim_world world;

void
world_new(void)
{
	uint64_t instance = 1 + sim_below(1000);

	memset(&world, 0, sizeof(world));
	world.instance = instance;
	world.proc = calloc(1, sizeof(*world.proc));
	MUST(world.proc != NULL);
	world.timing = (unsigned)sim_below(SIM_TIMINGS);
	world.routes = (unsigned)sim_below(SIM_ROUTES);
	world.conf = sim_conf(world.timing, world.routes);
	sim_disk_new();
}

static void
forget(void)
{
	free(world.q);
	world.q = NULL;
	loop_free(&world.loop);
	sim_channel_free(&world.proc->parent);
	world.has_given_up = false;
}

void
world_free(void)
{
	if (world.q != NULL)
		world_kill(false);
	free(world.proc);
	world.proc = NULL;
	sim_disk_free();
	MUST(sim_posix_open_count() == 0);
}

bool
world_start(void)
{
	const struct proc_listener l = { .index = PROC_LISTENER_CONTROL };
	struct why why = { .text = "" };

	MUST(world.q == NULL);
	world.q = calloc(1, sizeof(*world.q));
	MUST(world.q != NULL && loop_new(&world.loop) == OK);
	world.proc->parent = sim_channel_new(ROLE_PARENT, 0, 0);
	world.proc->generation++;
	world.instance++;
	if (service_ops.on_start(world.q, world.proc, &why) != OK) {
		sim_trace("queued does not start: %s", why.text);
		sim_note(SIM_FAILED_STARTS);
		forget();
		return false;
	}
	sim_trace("queued has started");
	service_ops.on_listener(world.q, world.proc, &l, -1);
	return true;
}

void
world_stop(void)
{
	sim_trace("queued is stopped");
	sim_note(SIM_ORDERLY_STOPS);
	service_ops.on_drain(world.q, world.proc, 1000);
	sim_channels_flush();
	service_ops.on_stop(world.q, world.proc);
	forget();
}

/* What the threads were at is done up to any of its steps. */
void
world_kill(bool is_power_cut)
{
	sim_trace("%s", is_power_cut ? "the power is cut" :
	    "queued is killed");
	sim.is_dying = true;
	sim_disk_cut(sim_chance(300) ? 0 : 1 + (unsigned)sim_below(6));
	while (!sim_disk_is_cut() && sim_worker_step())
		;
	sim_disk_cut(0);
	for (size_t i = 0; i < SIM_WORKERS; i++) {
		world.q->smtpds[i].channel = NULL;
		world.q->deliverds[i].channel = NULL;
	}
	service_ops.on_stop(world.q, world.proc);
	forget();
	sim_disk_thaw();
	sim.is_dying = false;
	if (is_power_cut)
		sim_disk_lose();
}

void
world_reload(unsigned routes)
{
	const struct conf *old = world.conf;

	sim_trace("reload: routes %u", routes);
	world.routes = routes;
	world.conf = sim_conf(world.timing, routes);
	world.proc->generation++;
	service_ops.on_reload(world.q, world.proc, old);
}

struct channel *
world_connect(void)
{
	return world.q != NULL && sim_control_accept() ?
	    sim_channel_newest() : NULL;
}
