/*
 * The turn of queued, the store's callbacks, its life.
 *
 * Handlers of frames only append records and note effects.  At the end of the
 * turn (deferred, once however often it was asked for) due units are read,
 * leases given out, and the open group is handed to the disk: a burst of
 * frames costs one group.  The store calls back on a later turn; what waited
 * for that group leaves then, and the next turn end hands over what gathered
 * meanwhile.
 */
#include "queued/queued.h"

#include "common/base/mtime.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/os/random.h"
#include "common/proc/proc.h"
#include "queued/ctl.h"
#include "queued/ctl_route.h"
#include "queued/ctl_spool.h"
#include "queued/history.h"
#include "queued/intake.h"
#include "queued/lease.h"
#include "queued/lease_doubt.h"
#include "queued/lists.h"
#include "queued/outcome.h"
#include "queued/outcome_work.h"
#include "queued/policies.h"
#include "queued/quotas.h"
#include "queued/rates.h"
#include "queued/residence.h"
#include "queued/residence_lines.h"
#include "queued/shaping.h"
#include "queued/spool_time.h"
#include "queued/tls_reports.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	HOUSEKEEPING_MS = 1000,
	PRESENT_WAIT_MS = 3000,		/* for deliverds, after the start */
	TOKENS_ASKED_MS = 1500,		/* by smtpds, after the start */
	TOKENS_KEPT_MS = 3600 * 1000,
	WINDOW_FIRST = 32,
	LEASES_A_CONNECTION = 8,	/* out to all, at most */
	LEASES_LEAST = 1024,
	TRIALS_A_WORKER = 100,		/* in a second, while others answer … */
	TRIALS_PART = 128,		/* … and one for so many of theirs */
	PROVEN_MS = 3600 * 1000,	/* who answered may rest so long */
};

/* ---- time ---- */

int64_t
queued_now(const struct queued *q)
{
	return loop_now_ms(q->loop);
}

uint64_t
queued_wall(const struct queued *q)
{
	int64_t at = spool_time_now(q);

	return at > 0 ? (uint64_t)at : 0;
}

/*
 * Stored times are the spool's, the planner's are monotonic.  No wait is longer
 * than a life: a spool whose clock was lost does not strand mail for years.
 */
int64_t
queued_plan_time(const struct queued *q, uint64_t wall_at)
{
	int64_t longest = mtime_max(q->conf->queue.expire_ms,
	    q->conf->queue.max_retry_ms);
	int64_t at = wall_at > INT64_MAX ? INT64_MAX : (int64_t)wall_at;
	int64_t wait = mtime_sub(at, (int64_t)queued_wall(q));

	if (wait > longest)
		wait = longest;
	return mtime_add(queued_now(q), wait);
}

/* Asked for each report: it changes with the season. */
int
queued_zone_min(const struct queued *q)
{
	time_t now = (time_t)(loop_wall_ms(q->loop) / 1000);
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL)
		return 0;
	return (int)(tm.tm_gmtoff / 60);
}

/* ---- the turn ---- */

void
queued_touch(struct queued *q)
{
	deferred_add(&q->turn_end);
}

/* Leasing before flushing: contents are borrowed from the store's buffers,
 * which store_flush() may let go. */
static void
on_turn_end(void *ctx)
{
	struct queued *q = ctx;
	int64_t wake;
	/* also when what is ready may not be leased: others may */
	bool is_short = plan_count(q->plan, PLAN_READY) < RESIDENCE_LOW / 4 ||
	    plan_wake_at(q->plan) != INT64_MIN;

	spool_time_keep(q);
	if (q->pass.has_more && is_short)
		residence_refill(q);
	residence_lines_turn(q);
	outcome_tell(q);
	lease_dispatch(q);
	lists_turn(q);
	store_flush(q->store, queued_now(q));
	history_turn(q);
	wake = plan_wake_at(q->plan);
	if ((is_short && residence_is_refilling(q)) || outcome_is_telling(q))
		wake = queued_now(q) + 1;
	if (wake != INT64_MIN)
		wake = mtime_min(wake, residence_lines_at(q));
	/* In the past: due, but something else is awaited (a deliverd, memory):
	 * that something touches us. */
	if (wake != PLAN_NEVER && wake > queued_now(q))
		timer_start_at(&q->wake, wake);
	deferred_add(&q->answered);
}

static void
on_wake(void *ctx)
{
	queued_touch(ctx);
}

/*
 * When all replies to smtpd were taken by the kernel, the index may pass the
 * groups that caused them (docs/SPOOL.md, tokens).  After a start the smtpds
 * have yet to ask: should we die before that, our successor must find the same
 * tokens.
 */
static void
on_answered(void *ctx)
{
	struct queued *q = ctx;

	if (map_u64_count(&q->tokens) > 0 &&
	    queued_now(q) - q->started_at_ms < TOKENS_ASKED_MS)
		return;
	for (size_t i = 0; i < QUEUED_WORKERS_MAX; i++) {
		const struct channel *c = q->smtpds[i].channel;

		if (c != NULL && channel_backlog(c) > 0)
			return;
	}
	store_answered(q->store, q->synced);
}

/* ---- the store speaks ---- */

/* Confirmations to deliverd wait for this, and leases that were noted: that a
 * verdict or a note survives our death is enough; after a crash of the machine
 * the message would be tried again. */
static void
on_store_written(void *ctx, uint64_t group)
{
	struct queued *q = ctx;
	struct msg m = { .type = MSG_confirm };
	struct effect effect;

	q->written = group;
	while (effects_take(&q->on_written, group, &effect)) {
		struct queued_peer *peer = &q->deliverds[effect.peer];

		if (effect.kind == EFFECT_LEASE) {
			lease_noted(q, effect.a);
			continue;
		}
		m.confirm.lease = effect.a;
		if (peer->channel != NULL)
			channel_send_late(peer->channel, &m);
	}
	queued_touch(q);	/* the next group has gathered meanwhile */
}

/* q->synced grows after its effects were taken: ctl compares with it to learn
 * whether an answer must still wait. */
static void
on_store_synced(void *ctx, uint64_t group)
{
	struct queued *q = ctx;
	struct effect effect;

	while (effects_take(&q->on_synced, group, &effect)) {
		if (effect.kind == EFFECT_ANSWER)
			ctl_synced(q, effect.a);
		else if (effect.kind != EFFECT_NONE)
			intake_synced(q, &effect);
	}
	q->synced = group;
	queued_touch(q);
}

/* Called before on_synced of the group that took its place. */
static void
on_store_refused(void *ctx, uint64_t token, uint64_t id)
{
	intake_refused(ctx, token, id);
}

/* During store_open(), when a failure cannot be returned: open_all() looks. */
static void
on_store_unit(void *ctx, struct store_unit *unit)
{
	struct queued *q = ctx;
	bool is_kept = store_is_list(unit->message) ? lists_add(q, unit) ||
	    unit->message->is_held :
	    residence_adopt(q, unit) == OK;

	if (!is_kept)
		q->has_orphans = true;
}

static void
on_store_token(void *ctx, uint64_t token, uint64_t id)
{
	intake_token(ctx, token, id);
}

static void
on_store_body(void *ctx, uint64_t token, uint64_t bytes, bool is_closed,
    enum err e)
{
	intake_body(ctx, token, bytes, is_closed, e);
}

/* Leaving without any reply is the only honest answer: nobody knows what is
 * on the disk.  The next start finds out. */
static void
on_store_dead(void *ctx)
{
	struct queued *q = ctx;

	proc_fail(q->proc, "the spool can't be written any more");
}

/* smtpds hear of every change, the log of the one that clients notice. */
static void
on_store_room(void *ctx)
{
	struct queued *q = ctx;
	struct store_room room = store_room(q->store);

	intake_tell_room(q);
	ctl_spool_room(q, room.is_accepting);
	if (room.is_accepting == q->was_accepting)
		return;
	q->was_accepting = room.is_accepting;
	if (log_begin(q->log, room.is_accepting ? LOG_SPOOL_ROOM :
	    LOG_SPOOL_FULL, NULL)) {
		log_u64(q->log, "bytes", room.bytes);
		log_end(q->log);
	}
}

static void
on_store_notice(void *ctx, const char *event, const char *text)
{
	struct queued *q = ctx;
	enum log_id id = strstr(event, "damage") != NULL ? LOG_SPOOL_DAMAGED :
	    strncmp(event, "index-re", 8) == 0 ? LOG_SPOOL_INDEX :
	    LOG_SPOOL_FAILED;

	if (log_begin(q->log, id, NULL)) {
		log_str(q->log, "what", text);
		log_end(q->log);
	}
	/* mail behind a damaged row would wait for ever; the log has it */
	if (strcmp(event, "index-damage") == 0 && q->store != NULL)
		proc_fail(q->proc, "the index is damaged: the next start "
		    "makes it again from the log");
}

/* In this turn of the loop, before anything is sent: what the group brings is
 * sent with the rest. */
static void
on_store_due(void *ctx)
{
	struct queued *q = ctx;

	deferred_add(&q->store_due);
}

static const struct store_ops store_ops = {
	.on_written = on_store_written,
	.on_synced = on_store_synced,
	.on_refused = on_store_refused,
	.on_unit = on_store_unit,
	.on_token = on_store_token,
	.on_body = on_store_body,
	.on_room = on_store_room,
	.on_dead = on_store_dead,
	.on_notice = on_store_notice,
	.on_due = on_store_due,
};

static void
turn_store(void *ctx)
{
	struct queued *q = ctx;

	store_turn(q->store);
	queued_touch(q);	/* to flush: what is due by its timer, too */
}

static void
on_store_ready(void *ctx, unsigned events)
{
	(void)events;
	turn_store(ctx);
}

/* ---- once a second ---- */

static void
on_housekeeping(void *ctx)
{
	struct queued *q = ctx;
	int64_t age = queued_now(q) - q->started_at_ms;

	if (age >= PRESENT_WAIT_MS)
		lease_stop_waiting(q);
	lease_doubt_keep(q);
	if (age >= TOKENS_KEPT_MS)
		intake_forget_tokens(q);
	history_keep_house(q);
	quotas_keep_house(q);
	policies_keep_house(q);
	shaping_keep_house(q);
	ctl_route_keep_house(q);
	tls_reports_keep_house(q);
	residence_keep_house(q);
	timer_start(&q->housekeeping, HOUSEKEEPING_MS);
}

/* ---- life ---- */

/* Connections are what is scarce: of all that there may be, three quarters may
 * be tried at destinations that nobody knows yet, and an eighth at those that
 * failed before. */
static struct plan_params
params_of(const struct conf *conf)
{
	uint32_t connections = conf->deliver.connections_total;
	uint32_t leases = connections * LEASES_A_CONNECTION;

	return (struct plan_params){
		.window_first = WINDOW_FIRST,
		.leases_max = leases > LEASES_LEAST ? leases : LEASES_LEAST,
		.bytes_max = conf->limits.body_memory_bytes /
		    LEASE_MEMORY_PART,
		.trying_max = connections - connections / 4,
		.probes_max = connections / 8 + 1,
		.trials_rate = TRIALS_A_WORKER * conf->workers.deliverd,
		.trials_part = TRIALS_PART,
		.proven_ms = PROVEN_MS,
	};
}

/* All or nothing: the old routes stay until everything new was made. */
enum err
queued_take_conf(struct queued *q)
{
	const struct conf *conf = proc_conf(q->proc);
	struct plan_params params = params_of(conf);
	struct route_table *routes;
	enum err e = route_table_new(conf, &routes);

	if (e != OK)
		return e;
	params.seed = rng_u64(&q->dice);
	if (q->plan == NULL && (e = plan_new(&params, &q->plan)) != OK) {
		route_table_free(&routes);
		return e;
	}
	route_table_free(&q->routes);
	q->routes = routes;
	q->conf = conf;
	q->generation = proc_generation(q->proc);
	history_reload(q);
	if ((e = quotas_reload(q)) != OK || (e = shaping_reload(q)) != OK)
		return e;
	plan_set_params(q->plan, &params, residence_limits_of, q);
	return OK;
}

/* Maps whose keys peers choose hash with a secret (tokens, lease ids). */
static enum err
seed(struct queued *q)
{
	struct siphash_key key;
	uint64_t dice;
	enum err e;

	if ((e = random_key(&key)) != OK || (e = random_u64(&dice)) != OK)
		return e;
	rng_init(&q->dice, dice);
	map_u64_init(&q->streams, &key);
	map_u64_init(&q->tokens, &key);
	map_u64_init(&q->leases, &key);
	/* Never a number that our predecessor gave. */
	q->next_lease = proc_instance(q->proc) << 40 | 1;
	return OK;
}

/* scratch holds a whole envelope, content a whole record. */
static void
init_buffers(struct queued *q)
{
	effects_init(&q->on_written);
	effects_init(&q->on_synced);
	buf_init(&q->scratch, 64 * 1024 * 1024);
	buf_init(&q->rows, 8192);
	buf_init(&q->content, 16 * 1024 * 1024);
}

static enum err
init_loop_parts(struct queued *q)
{
	enum err e;

	deferred_init(&q->turn_end, q->loop, DEFERRED_WORK, on_turn_end, q);
	deferred_init(&q->store_due, q->loop, DEFERRED_WORK, turn_store, q);
	deferred_init(&q->answered, q->loop, DEFERRED_LAST, on_answered, q);
	if ((e = timer_init(&q->wake, q->loop, on_wake, q)) != OK)
		return e;
	return timer_init(&q->housekeeping, q->loop, on_housekeeping, q);
}

/* Half of the memory for bodies is the store's; leases have their part. */
static enum err
open_store(struct queued *q, struct why *why)
{
	/* proc has made it the working directory, and the root if it may. */
	struct store_params params = { .path = "." };
	enum err e;

	params.memory_bytes = q->conf->limits.body_memory_bytes / 2;
	if ((e = history_new(q, &params.tap)) != OK)
		return why_set(why, e, "cannot begin: no memory");
	e = store_open(&params, &store_ops, q, &q->store, why);
	if (e != OK)
		return e;
	e = watch_new(q->loop, store_fd(q->store), on_store_ready, q,
	    &q->store_ready);
	if (e != OK)
		return why_set(why, e, "cannot watch the spool: no memory");
	watch_set(q->store_ready, WATCH_READ);
	return history_start(q);
}

/* An operator reads here too what a power cut may repeat. */
static void
tell_opened(struct queued *q)
{
	struct store_figures f;

	if (!log_begin(q->log, LOG_SPOOL_OPENED, NULL))
		return;
	store_figures(q->store, &f);
	log_u64(q->log, "messages", f.messages);
	log_u64(q->log, "recipients", f.recipients);
	log_u64(q->log, "bytes", f.bytes);
	log_ms(q->log, "verdicts_synced_within", STORE_UNSYNCED_MS);
	log_end(q->log);
}

static enum err
open_all(struct queued *q, struct why *why)
{
	enum err e;

	q->work = calloc(1, sizeof(*q->work));
	q->rates = rates_new();		/* without it nothing is known */
	init_buffers(q);
	if (q->work == NULL || (e = seed(q)) != OK ||
	    (e = spool_time_open(q)) != OK || (e = quotas_open(q)) != OK ||
	    (e = policies_open(q)) != OK ||
	    (e = shaping_open(q)) != OK ||
	    (e = tls_reports_open(q)) != OK ||
	    (e = queued_take_conf(q)) != OK || (e = init_loop_parts(q)) != OK)
		return why_set(why, ERR_NOMEM, "cannot begin: no memory");
	if ((e = open_store(q, why)) != OK)
		return e;
	lease_doubt_begin(q);
	tell_opened(q);
	q->was_accepting = true;
	if (q->has_orphans)
		return why_set(why, ERR_NOMEM, "no memory for the queue");
	q->synced = q->written = store_group(q->store) - 1;
	q->started_at_ms = queued_now(q);
	q->is_started = true;
	timer_start(&q->housekeeping, HOUSEKEEPING_MS);
	residence_refill(q);
	queued_touch(q);
	return OK;
}

/* A failed start leaves nothing behind but what was set to zero. */
enum err
queued_open(struct queued *q, struct proc *proc, struct why *why)
{
	enum err e;

	q->proc = proc;
	q->loop = proc_loop(proc);
	q->log = proc_log(proc);
	if ((e = open_all(q, why)) != OK)
		queued_close(q);
	return e;
}

/* Users of the store first, then the store, then what its last callbacks
 * touch (deferred, plan). */
void
queued_close(struct queued *q)
{
	q->is_draining = true;
	ctl_clear(q);
	watch_free(&q->store_ready);
	timer_clear(&q->wake);
	timer_clear(&q->housekeeping);
	lease_clear(q);
	lists_clear(q);
	intake_clear(q);
	/* the last groups still call back: nobody is left to be told */
	effects_clear(&q->on_written);
	effects_clear(&q->on_synced);
	store_close(&q->store);
	history_free(q);
	quotas_close(q);
	policies_close(q);
	shaping_close(q);
	tls_reports_close(q);
	spool_time_close(q);
	deferred_clear(&q->turn_end);
	deferred_clear(&q->store_due);
	deferred_clear(&q->answered);
	plan_free(&q->plan);
	route_table_free(&q->routes);
	buf_clear(&q->scratch);
	buf_clear(&q->rows);
	buf_clear(&q->content);
	free(q->work);
	free(q->pass.by.rows);
	q->work = NULL;
	rates_free(&q->rates);
}
