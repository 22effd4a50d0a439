/*
 * queued in its world: its process, its loop, its channels, the log it writes.
 */
#ifndef MTAD_TESTS_SIM_SIM_WORLD_H
#define MTAD_TESTS_SIM_SIM_WORLD_H

#include "common/base/buf.h"
#include "common/conf/conf.h"
#include "common/ipc/channel.h"
#include "queued/queued.h"

enum { SIM_WORKERS = 2 };

/* One frame on its way; from queued: in the order in which it spoke. */
struct sim_frame {
	unsigned type;
	uint64_t order;
	bool is_flushed;		/* the kernel has it */
	struct buf fields;
};

struct sim_frames {
	struct sim_frame *v;
	size_t n, first;
};

struct channel {
	struct channel_id self, peer;
	const struct channel_ops *ops;	/* NULL: queued's process serves it */
	void *ctx;
	void (*on_sent)(void *ctx);
	struct sim_frames out;		/* from queued */
	struct sim_frames in;
	size_t backlog;			/* bytes not flushed */
	size_t late;			/* of them, those that may wait */
	int64_t late_at_ms;		/* ... until then */
	bool is_stuck;			/* the peer reads nothing now */
	bool is_closed;			/* by queued */
	struct channel *next;
};

struct sim_world {
	struct queued *q;		/* NULL: it is down */
	struct loop *loop;
	struct proc *proc;
	const struct conf *conf;
	unsigned timing, routes;	/* which conf */
	uint64_t instance;
	uint64_t order;			/* of the last frame from queued */
	bool has_given_up;		/* it asked to be ended */
};

extern struct sim_world world;

/* life of the world */
void world_new(void);
void world_free(void);

/* life of queued: a start may fail, it stays down then */
bool world_start(void);
void world_stop(void);				/* as it was asked to */
/* Dead at once; with IS_POWER_CUT what was not synced may be lost too. */
void world_kill(bool is_power_cut);

/* Other routes, from now on. */
void world_reload(unsigned routes);

/* The end of a turn of the loop: timers that are due, deferred work; what was
 * sent goes to the kernel. */
void world_turn(void);
/* The store has something to tell. */
bool world_wake(void);
/* The next timer of queued but its housekeeping, or the store's; INT64_MAX. */
int64_t world_next_timer(bool with_store);

/* The control socket: a new session's channel, NULL when nobody listens. */
struct channel *world_connect(void);

/* ---- channels ---- */
struct channel *sim_channel_new(enum ipc_role role, uint16_t index,
    uint64_t instance);
struct channel *sim_channel_newest(void);
void sim_channel_free(struct channel **c);
/* To queued. */
void sim_channel_put(struct channel *c, const struct msg *m);
/* The frame that queued handles next, until it does; false: there is none. */
bool sim_channel_peek(const struct channel *c, struct msg *m);
/* queued handles the next frame; false: there is none. */
bool sim_channel_feed(struct channel *c);
/* The next frame from queued that the kernel has, until the next call. */
bool sim_channel_take(struct channel *c, struct msg *m, uint64_t *order);
void sim_channels_flush(void);
/* When what may wait leaves at the latest; INT64_MAX. */
int64_t sim_channels_late(void);

/* ---- sim_process.c ---- */
const struct conf *sim_conf(unsigned timing, unsigned routes);
void sim_conf_free(void);
bool sim_control_accept(void);
enum { SIM_TIMINGS = 3, SIM_ROUTES = 4 };

struct proc {
	bool is_drained;
	uint32_t generation;
	struct channel *parent;
};

#endif
