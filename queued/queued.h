/*
 * What the rooms of queued share: the store, the planner, the peers.
 *
 * One thread, one loop.  A turn: frames of the peers make records in the open
 * group; at its end leases go out and the group is flushed.  Nothing leaves
 * before its group was written or synced (effects.h).
 */
#ifndef MTAD_QUEUED_QUEUED_H
#define MTAD_QUEUED_QUEUED_H

#include "common/base/buf.h"
#include "common/base/map.h"
#include "common/base/rng.h"
#include "common/conf/conf.h"
#include "common/ipc/channel.h"
#include "common/loop/deferred.h"
#include "common/loop/timer.h"
#include "common/loop/watch.h"
#include "common/route/route_table.h"
#include "queued/effects.h"
#include "queued/figures.h"
#include "queued/lists_table.h"
#include "queued/plan/plan.h"
#include "queued/residence_pass.h"
#include "queued/store/store_doubt.h"

struct ctl;
struct history;
struct log;
struct outcome_work;
struct policies;
struct proc;
struct quotas;
struct shaping;
struct rates;
struct spool_time;
struct tls_reports;

enum { QUEUED_WORKERS_MAX = 64 };

/* A worker of smtpd or deliverd, by its number. */
struct queued_peer {
	struct queued *q;
	struct channel *channel;	/* NULL: gone */
	uint64_t instance;
	uint32_t credit_owed;		/* to a smtpd, kept back */
	uint16_t index;
	bool is_presented;		/* deliverd: its leases are known */
};

struct queued {
	struct proc *proc;
	struct loop *loop;
	struct log *log;
	const struct conf *conf;
	uint32_t generation;		/* of conf */
	struct route_table *routes;
	struct store *store;
	struct plan *plan;
	struct spool_time *time;	/* spool_time.c */
	struct rates *rates;		/* of late, for forecasts */
	struct quotas *quotas;		/* quotas.c */
	struct policies *policies;	/* policies.c */
	struct shaping *shaping;
	struct tls_reports *tls_reports;
	struct rng dice;

	struct queued_peer smtpds[QUEUED_WORKERS_MAX];
	struct queued_peer deliverds[QUEUED_WORKERS_MAX];
	struct effects on_written;
	struct effects on_synced;
	struct deferred turn_end;	/* lease, flush */
	struct deferred store_due;	/* it wrote a group itself */
	struct deferred answered;	/* tell the store what has left */
	struct timer wake;		/* the planner's next time */
	struct watch *store_ready;
	uint64_t written, synced;	/* groups whose effects were taken */

	struct map_u64 streams;		/* intake.c, by token */
	struct map_u64 tokens;		/* intake.c: of replayed groups */
	struct map_u64 leases;		/* lease.c, by lease id */
	uint64_t next_lease;
	uint32_t shared_leases;		/* whose unit has another one */
	struct outcome_work *work;	/* outcome.c */
	struct ctl *ctl;		/* ctl.c; NULL: nothing asked yet */
	struct history *history;
	struct buf scratch, rows;	/* an envelope or a key; of a lease */
	struct buf content;		/* a message read from the spool */
	struct timer housekeeping;	/* once a second */
	int64_t started_at_ms;
	bool is_started, is_draining, was_accepting;	/* as last logged */
	bool has_orphans;		/* units that found no memory */
	bool has_stopped_waiting;	/* for deliverds to present leases */
	struct store_doubt doubt;	/* lease_doubt.c */
	struct lists_table lists;
	struct residence_pass pass;	/* over what is due in the index */
	uint64_t memory_peak;		/* messages, since memory was trimmed */

	struct queued_figures figures;
};

/* All but the channels, the store recovered; ERR_* with WHY for the log. */
enum err queued_open(struct queued *q, struct proc *proc, struct why *why);
void queued_close(struct queued *q);

/* Routes and parameters of proc_conf(). */
enum err queued_take_conf(struct queued *q);

/* Asks for the work at the end of this turn; cheap to repeat. */
void queued_touch(struct queued *q);

/* The present, monotonic and the spool's; a moment of it as the planner's. */
int64_t queued_now(const struct queued *q);
uint64_t queued_wall(const struct queued *q);
int64_t queued_plan_time(const struct queued *q, uint64_t wall_at);
int queued_zone_min(const struct queued *q);	/* east of UTC, now */

#endif
