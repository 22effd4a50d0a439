/*
 * Channels to siblings.  The parent makes them and sends each end; when a
 * sibling dies its end closes, and its successor comes with a new one.  To the
 * daemon this is: on_peer, messages, on_peer_gone, and never two channels of
 * one place at a time.
 */
#include "common/os/fd.h"
#include "common/proc/proc_impl.h"

#include <stdlib.h>

struct proc_peer {
	struct list node;
	struct proc *proc;
	struct channel *channel;
};

/* Without a word to the daemon. */
static void
free_peer(struct proc_peer *peer)
{
	list_remove(&peer->node);
	channel_close(&peer->channel);
	free(peer);
}

static void
on_msg(void *ctx, struct channel *c, const struct msg *m, int fd)
{
	struct proc_peer *peer = ctx;
	struct proc *p = peer->proc;

	if (p->ops->on_peer_msg != NULL)
		p->ops->on_peer_msg(p->ctx, p, c, m, fd);
	else
		fd_close(&fd);
}

/* The daemon may still look at the channel in on_peer_gone, and send
 * nothing. */
static void
lose_peer(struct proc_peer *peer)
{
	struct proc *p = peer->proc;

	if (p->ops->on_peer_gone != NULL)
		p->ops->on_peer_gone(p->ctx, p, peer->channel);
	free_peer(peer);
}

static void
log_peer(struct proc *p, enum log_id id, const struct channel_id *peer,
    const char *why)
{
	if (!log_begin(p->log, id, NULL))
		return;
	log_str(p->log, "peer", ipc_role_name(peer->role));
	log_u64(p->log, "index", peer->index);
	log_str(p->log, "why", why);
	log_end(p->log);
}

/* A sibling that we cut off lives on: the parent makes a new channel. */
static void
ask_for_another(struct proc *p, const struct channel_id *peer)
{
	const struct msg m = {
		.type = MSG_peer_lost,
		.peer_lost = {
			(uint8_t)peer->role, peer->index, peer->instance,
		},
	};

	channel_send_or_end(p->parent, &m);
}

/* PEER is gone on return. */
static void
on_close(void *ctx, struct channel *c, enum channel_end end, const char *why)
{
	struct proc_peer *peer = ctx;
	const struct channel_id *id = channel_peer(c);

	/* it died or ends; the parent knows that itself */
	if (end == CHANNEL_EOF) {
		log_peer(peer->proc, LOG_PEER_GONE, id, why);
	} else {
		log_peer(peer->proc, LOG_PEER_VIOLATION, id, why);
		ask_for_another(peer->proc, id);
	}
	lose_peer(peer);
}

/* The channel of a sibling's predecessor: what it had still sent comes first,
 * and it is gone before its successor appears. */
static void
replace_peer(struct proc *p, const struct channel_id *id)
{
	struct list *node, *next;

	for (node = list_first(&p->peers); node != NULL; node = next) {
		struct proc_peer *peer =
		    CONTAINER_OF(node, struct proc_peer, node);
		const struct channel_id *old = channel_peer(peer->channel);

		next = list_next(&p->peers, node);
		if (old->role != id->role || old->index != id->index)
			continue;
		channel_drain_input(peer->channel);
		lose_peer(peer);
	}
}

void
proc_add_peer(struct proc *p, const struct channel_id *id, int fd)
{
	static const struct channel_ops ops = { on_msg, on_close };
	struct proc_peer *peer;

	replace_peer(p, id);
	/* FD stays ours until the channel is made */
	peer = calloc(1, sizeof(*peer));
	if (peer == NULL || channel_new(p->loop, fd, &p->self, id, &ops, peer,
	    &peer->channel) != OK) {
		fd_close(&fd);
		free(peer);
		log_peer(p, LOG_NO_MEMORY, id, "no channel");
		ask_for_another(p, id);
		return;
	}
	peer->proc = p;
	list_init(&peer->node);
	list_add_last(&p->peers, &peer->node);
	if (p->ops->on_peer != NULL)
		p->ops->on_peer(p->ctx, p, peer->channel);
}

/* For the end of a process; else they leave at the end of the turn. */
void
proc_flush_peers(struct proc *p)
{
	struct list *node;

	for (node = list_first(&p->peers); node != NULL;
	    node = list_next(&p->peers, node))
		channel_flush(CONTAINER_OF(node, struct proc_peer,
		    node)->channel);
}

void
proc_free_peers(struct proc *p)
{
	struct list *node;

	while ((node = list_first(&p->peers)) != NULL)
		free_peer(CONTAINER_OF(node, struct proc_peer, node));
}
