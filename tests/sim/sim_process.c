/*
 * What queued sees of its process and of the system: clocks, random bytes,
 * who speaks, its configuration; and the loop's doors to descriptors.
 */
#include "common/base/check.h"
#include "common/confload/conf_load.h"
#include "common/loop/listener.h"
#include "common/loop/loop_impl.h"
#include "common/loop/watch.h"
#include "common/os/clock.h"
#include "common/os/creds.h"
#include "common/os/random.h"
#include "common/proc/proc.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_posix.h"
#include "tests/sim/sim_world.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- clocks, dice, people ---- */

int64_t
clock_mono_ms(void)
{
	return sim.mono_ms;
}

int64_t
clock_mono_ns(void)
{
	return sim.mono_ms * 1000000;
}

int64_t
clock_wall_ms(void)
{
	return sim.wall_ms;
}

enum err
random_fill(void *p, size_t n)
{
	uint8_t *bytes = p;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)rng_u64(&sim.system_dice);
	return OK;
}

enum err
random_u64(uint64_t *out)
{
	return random_fill(out, sizeof(*out));
}

enum err
random_key(struct siphash_key *out)
{
	return random_fill(out, sizeof(*out));
}

enum err
creds_peer(int sock, struct creds_peer *out)
{
	(void)sock;
	*out = (struct creds_peer){ .uid = 0 };
	return OK;
}

enum err
creds_peer_in_group(int sock, gid_t group, bool *out)
{
	(void)sock;
	(void)group;
	*out = true;
	return OK;
}

/* ---- the loop: timers and deferred work are the real ones ---- */

enum err
loop_new(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));

	MUST(l != NULL);
	heap_init(&l->timers);
	list_init(&l->orphans);
	for (size_t i = 0; i < DEFERRED_STAGE_COUNT; i++)
		list_init(&l->deferred[i]);
	*out = l;
	loop_update_now(l);
	return OK;
}

void
loop_free(struct loop **l)
{
	heap_clear(&(*l)->timers);
	free(*l);
	*l = NULL;
}

void
loop_update_now(struct loop *l)
{
	l->now_ms = sim.mono_ms;
	l->wall_ms = sim.wall_ms;
}

int64_t
loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

int64_t
loop_wall_ms(const struct loop *l)
{
	return l->wall_ms;
}

void
world_turn(void)
{
	loop_update_now(world.loop);
	timer_run_due(world.loop);
	deferred_run(world.loop);
	sim_channels_flush();
}

int64_t
world_next_timer(bool with_store)
{
	int64_t wake = world.q != NULL && timer_is_running(&world.q->wake) ?
	    world.q->wake.due_at_ms : INT64_MAX;
	int64_t tick = with_store ? sim_posix_timer() : INT64_MAX;
	int64_t late = sim_channels_late();

	tick = late < tick ? late : tick;
	return wake < tick ? wake : tick;
}

struct watch {
	struct watch *next;
	watch_fn *fn;
	void *ctx;
	int fd;
	unsigned events;
};

static struct watch *watches;

enum err
watch_new(struct loop *l, int fd, watch_fn *fn, void *ctx, struct watch **out)
{
	struct watch *w = calloc(1, sizeof(*w));

	(void)l;
	MUST(w != NULL);
	w->fn = fn;
	w->ctx = ctx;
	w->fd = fd;
	w->next = watches;
	*out = watches = w;
	return OK;
}

void
watch_free(struct watch **w)
{
	struct watch **at = &watches;

	if (*w == NULL)
		return;
	while (*at != *w)
		at = &(*at)->next;
	*at = (*w)->next;
	free(*w);
	*w = NULL;
}

void
watch_set(struct watch *w, unsigned events)
{
	w->events = events;
}

bool
world_wake(void)
{
	bool is_awake = false;
	struct watch *next;

	for (struct watch *w = watches; w != NULL; w = next) {
		next = w->next;
		if (w->events == 0 || !sim_posix_is_awake(w->fd))
			continue;
		is_awake = true;
		loop_update_now(world.loop);
		w->fn(w->ctx, WATCH_READ);
	}
	return is_awake;
}

/* ---- the control socket ---- */

struct listener {
	const struct listener_ops *ops;
	void *ctx;
};

static struct listener *control;

enum err
listener_new(struct loop *l, int fd, const struct listener_ops *ops,
    void *ctx, struct listener **out)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	(void)l;
	(void)fd;
	MUST(listener != NULL);
	listener->ops = ops;
	listener->ctx = ctx;
	*out = control = listener;
	return OK;
}

void
listener_close(struct listener **l)
{
	if (*l != NULL && *l == control)
		control = NULL;
	free(*l);
	*l = NULL;
}

/* The session that this makes is found by its channel, the newest. */
bool
sim_control_accept(void)
{
	struct endpoint nobody = { .port = 0 };

	if (control == NULL)
		return false;
	control->ops->on_accept(control->ctx, -1, &nobody);
	return true;
}

/* ---- the process ---- */

struct loop *
proc_loop(const struct proc *p)
{
	(void)p;
	return world.loop;
}

struct log *
proc_log(const struct proc *p)
{
	(void)p;
	return NULL;
}

const struct conf *
proc_conf(const struct proc *p)
{
	(void)p;
	return world.conf;
}

uint32_t
proc_generation(const struct proc *p)
{
	return p->generation;
}

uint64_t
proc_instance(const struct proc *p)
{
	(void)p;
	return world.instance;
}

struct channel *
proc_parent(const struct proc *p)
{
	return p->parent;
}

void
proc_fail(struct proc *p, const char *why)
{
	(void)p;
	sim_trace("queued gives up: %s", why);
	world.has_given_up = true;
}

void
proc_drained(struct proc *p)
{
	p->is_drained = true;
}

/* ---- configurations, each read once ---- */

static struct conf *confs[SIM_TIMINGS][SIM_ROUTES];

static const char *const timings[SIM_TIMINGS] = {
	"{first_retry: 1m, max_retry: 1h, warn: 4h, expire: 2d, "
	    "report_expire: 2d}",
	"{first_retry: 10s, max_retry: 5m, warn: 20m, expire: 2h, "
	    "report_expire: 1h}",
	"{first_retry: 5m, max_retry: 1h, warn: 1d, expire: 5d, "
	    "report_expire: 1d}",
};

static const char *const routes[SIM_ROUTES] = {
	"[{to: \"*\", via: \"smtp://hub.sim\"}]",
	"[{to: \"*\", via: mx}]",
	"[{to: [d0.sim, d1.sim], via: \"smtp://a.sim\"}, "
	    "{to: d2.sim, via: \"smtp://b.sim\"}, {to: \"*\", via: mx}]",
	"[{from: \"*@d1.sim\", via: \"smtp://c.sim\"}, "
	    "{to: \"*\", via: mx}]",
};

static struct conf *
load(const char *queue, const char *route)
{
	struct conf_report report;
	struct conf *conf = NULL;
	char yaml[1024];

	(void)snprintf(yaml, sizeof(yaml), "hostname: self.sim\n"
	    "workers: {smtpd: %d, deliverd: %d}\nqueue: %s\nroutes: %s\n"
	    "reports: {head: 1KiB, postmaster: postmaster@d0.sim}\n",
	    SIM_WORKERS, SIM_WORKERS, queue, route);
	conf_report_init(&report, "sim.yaml");
	MUST(conf_load(span_str(yaml), "/", &report, &conf) == OK);
	conf_report_clear(&report);
	return conf;
}

const struct conf *
sim_conf(unsigned timing, unsigned route)
{
	if (confs[timing][route] == NULL)
		confs[timing][route] = load(timings[timing], routes[route]);
	return confs[timing][route];
}

void
sim_conf_free(void)
{
	for (int i = 0; i < SIM_TIMINGS; i++)
		for (int k = 0; k < SIM_ROUTES; k++)
			conf_free(&confs[i][k]);
}
