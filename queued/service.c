/*
 * Peers are kept by role and number of the worker, never by channel: a worker
 * that was started again takes the place of the one before, and its instance
 * tells the two apart.  No message to queued has a use for a descriptor: one
 * that comes along is closed unseen.
 */
#include "queued/service.h"

#include "common/log/log.h"
#include "queued/ctl.h"
#include "queued/ctl_route.h"
#include "queued/intake.h"
#include "queued/lease.h"
#include "queued/policies.h"
#include "queued/queued.h"

#include <unistd.h>

/* NULL: a number beyond our table, or a role that has no business here. */
static struct queued_peer *
peer_of(struct queued *q, const struct channel *c)
{
	const struct channel_id *id = channel_peer(c);

	if (id->index >= QUEUED_WORKERS_MAX)
		return NULL;
	return id->role == ROLE_SMTPD ? &q->smtpds[id->index] :
	    id->role == ROLE_DELIVERD ? &q->deliverds[id->index] : NULL;
}

static void
deliverd_gone(struct queued *q, struct queued_peer *peer)
{
	lease_gone(q, peer);
	ctl_route_gone(q, peer);
}

static void
deliverd_msg(struct queued *q, struct queued_peer *peer, const struct msg *m)
{
	if (m->type == MSG_route_hops)
		ctl_route_hops(q, &m->route_hops);
	else
		lease_msg(q, peer, m);
}

static enum err
on_start(void *ctx, struct proc *p, struct why *why)
{
	struct queued *q = ctx;

	for (uint16_t i = 0; i < QUEUED_WORKERS_MAX; i++) {
		q->smtpds[i].q = q->deliverds[i].q = q;
		q->smtpds[i].index = q->deliverds[i].index = i;
	}
	return queued_open(q, p, why);
}

static void
on_reload(void *ctx, struct proc *p, const struct conf *old)
{
	struct queued *q = ctx;

	(void)old;
	/* The old one ends with this call, so there is no way back: a new
	 * process finds its memory, and the spool as it is. */
	if (queued_take_conf(q) != OK)
		proc_fail(p, "no memory for the new configuration");
	else
		queued_touch(q);
}

static void
on_listener(void *ctx, struct proc *p, const struct proc_listener *l, int fd)
{
	(void)p;
	if (l->index == PROC_LISTENER_CONTROL)
		ctl_listen(ctx, fd, l->group);
	else
		close(fd);
}

/* An old channel of the same worker is closed by proc only after its
 * on_peer_gone: whoever comes first, the newest one counts. */
static void
on_peer(void *ctx, struct proc *p, struct channel *c)
{
	struct queued *q = ctx;
	struct queued_peer *peer = peer_of(q, c);

	(void)p;
	if (channel_peer(c)->role == ROLE_FETCHD)
		policies_tell(q, c);
	if (peer == NULL)
		return;
	if (peer->channel != NULL && channel_peer(c)->role == ROLE_DELIVERD)
		deliverd_gone(q, peer);
	else if (peer->channel != NULL)
		intake_gone(q, peer);
	peer->channel = c;
	peer->instance = channel_peer(c)->instance;
	if (channel_peer(c)->role == ROLE_DELIVERD)
		lease_open(q, peer);
	else
		intake_open(q, peer);
	queued_touch(q);
}

static void
on_peer_msg(void *ctx, struct proc *p, struct channel *c, const struct msg *m,
    int fd)
{
	struct queued *q = ctx;
	struct queued_peer *peer = peer_of(q, c);

	(void)p;
	if (fd >= 0)
		close(fd);
	if (m->type == MSG_policy_keep)
		policies_keep(q, &m->policy_keep);
	if (peer == NULL || peer->channel != c)
		return;
	if (channel_peer(c)->role == ROLE_DELIVERD)
		deliverd_msg(q, peer, m);
	else
		intake_msg(q, peer, m);
}

/* A channel that was replaced already ended in on_peer(). */
static void
on_peer_gone(void *ctx, struct proc *p, struct channel *c)
{
	struct queued *q = ctx;
	struct queued_peer *peer = peer_of(q, c);

	(void)p;
	policies_leave(q, c);
	if (peer == NULL || peer->channel != c)
		return;
	if (channel_peer(c)->role == ROLE_DELIVERD)
		deliverd_gone(q, peer);
	else
		intake_gone(q, peer);
	peer->channel = NULL;
	peer->is_presented = false;
}

/* From the parent. */
static void
on_msg(void *ctx, struct proc *p, const struct msg *m, int fd)
{
	(void)p;
	if (fd >= 0)
		close(fd);
	ctl_parent_msg(ctx, m);
}

/* queued is drained last: by then nobody hands over or is at a lease.  The
 * store syncs and check-points when it is closed. */
static void
on_drain(void *ctx, struct proc *p, int64_t grace_ms)
{
	struct queued *q = ctx;

	(void)grace_ms;
	q->is_draining = true;
	proc_drained(p);
}

static void
on_stop(void *ctx, struct proc *p)
{
	(void)p;
	queued_close(ctx);
}

const struct proc_ops service_ops = {
	.role = ROLE_QUEUED,
	.on_start = on_start,
	.on_reload = on_reload,
	.on_listener = on_listener,
	.on_peer = on_peer,
	.on_peer_msg = on_peer_msg,
	.on_peer_gone = on_peer_gone,
	.on_msg = on_msg,
	.on_drain = on_drain,
	.on_stop = on_stop,
};
