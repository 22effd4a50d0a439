/*
 * Channels without sockets: frames in two queues, made and read by the real
 * codec.  What queued sends waits in its process until the end of its turn,
 * then in the kernel, where it outlives queued.
 */
#include "common/base/check.h"
#include "queued/service.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_world.h"

#include <stdlib.h>

static struct channel *channels;

/* ---- frames ---- */

static struct sim_frame *
add(struct sim_frames *f)
{
	struct sim_frame *frame;

	f->v = realloc(f->v, (f->n + 1) * sizeof(*f->v));
	MUST(f->v != NULL);
	frame = &f->v[f->n++];
	memset(frame, 0, sizeof(*frame));
	buf_init(&frame->fields, (size_t)70 << 20);
	return frame;
}

static bool
take(struct sim_frames *f, struct sim_frame *out)
{
	if (f->first == f->n) {
		f->n = f->first = 0;
		return false;
	}
	*out = f->v[f->first++];
	return true;
}

static void
clear(struct sim_frames *f)
{
	struct sim_frame frame;

	while (take(f, &frame))
		buf_clear(&frame.fields);
	free(f->v);
	f->v = NULL;
}

/* ---- queued's side ---- */

enum err
channel_new(struct loop *l, int fd, const struct channel_id *self,
    const struct channel_id *peer, const struct channel_ops *ops, void *ctx,
    struct channel **out)
{
	struct channel *c = calloc(1, sizeof(*c));

	(void)l;
	(void)fd;
	MUST(c != NULL);
	c->self = *self;
	c->peer = *peer;
	c->ops = ops;
	c->ctx = ctx;
	c->next = channels;
	channels = c;
	*out = c;
	return OK;
}

void
channel_close(struct channel **c)
{
	if (*c != NULL)
		(*c)->is_closed = true;
	*c = NULL;
}

enum err
channel_send(struct channel *c, const struct msg *m)
{
	struct sim_frame *frame;

	if (sim.is_dying)
		return OK;
	if (c == NULL || !msg_is_allowed(m->type, ROLE_QUEUED, c->peer.role))
		return ERR_DENIED;
	frame = add(&c->out);
	frame->type = m->type;
	frame->order = ++world.order;
	if (msg_encode(m, &frame->fields) != OK) {
		sim_broken("I-05", "queued can't encode %s",
		    msg_info(m->type)->name);
		return ERR_RANGE;
	}
	c->backlog += frame->fields.n;
	sim_digest(m->type, frame->fields.n);
	return OK;
}

void
channel_send_or_end(struct channel *c, const struct msg *m)
{
	(void)channel_send(c, m);
}

void
channel_send_late(struct channel *c, const struct msg *m)
{
	const size_t before = c->backlog;

	(void)channel_send(c, m);
	if (c->late == 0)
		c->late_at_ms = sim.mono_ms + CHANNEL_LATE_MS;
	c->late += c->backlog - before;
}

/* Nobody in this world takes a backup. */
enum err
channel_send_fd(struct channel *c, const struct msg *m, int fd)
{
	(void)m;
	(void)fd;
	MUST(c == NULL);
	return ERR_DENIED;
}

void
channel_on_sent(struct channel *c, void (*on_sent)(void *ctx))
{
	c->on_sent = on_sent;
}

size_t
channel_backlog(const struct channel *c)
{
	return c->backlog;
}

const struct channel_id *
channel_peer(const struct channel *c)
{
	return &c->peer;
}

/* ---- the world's side ---- */

struct channel *
sim_channel_new(enum ipc_role role, uint16_t index, uint64_t instance)
{
	const struct channel_id self = { .role = ROLE_QUEUED };
	const struct channel_id peer = { .role = role, .index = index,
		.instance = instance };
	struct channel *c;

	MUST(channel_new(NULL, -1, &self, &peer, NULL, NULL, &c) == OK);
	return c;
}

struct channel *
sim_channel_newest(void)
{
	return channels;
}

void
sim_channel_free(struct channel **c)
{
	struct channel **at = &channels;

	if (*c == NULL)
		return;
	while (*at != *c)
		at = &(*at)->next;
	*at = (*c)->next;
	clear(&(*c)->in);
	clear(&(*c)->out);
	free(*c);
	*c = NULL;
}

void
sim_channel_put(struct channel *c, const struct msg *m)
{
	struct sim_frame *frame = add(&c->in);

	MUST(msg_is_allowed(m->type, c->peer.role, ROLE_QUEUED));
	frame->type = m->type;
	MUST(msg_encode(m, &frame->fields) == OK);
}

bool
sim_channel_peek(const struct channel *c, struct msg *m)
{
	const struct sim_frame *frame;

	if (c->is_closed || c->in.first == c->in.n)
		return false;
	frame = &c->in.v[c->in.first];
	MUST(msg_decode(frame->type, buf_span(&frame->fields), m) == OK);
	return true;
}

bool
sim_channel_feed(struct channel *c)
{
	struct sim_frame frame;
	struct msg m;

	if (c->is_closed || !take(&c->in, &frame))
		return false;
	MUST(msg_decode(frame.type, buf_span(&frame.fields), &m) == OK);
	sim_digest(frame.type, frame.fields.n);
	loop_update_now(world.loop);	/* as at the begin of its turn */
	if (c->ops != NULL)
		c->ops->on_msg(c->ctx, c, &m, -1);
	else
		service_ops.on_peer_msg(world.q, world.proc, c, &m, -1);
	buf_clear(&frame.fields);
	return true;
}

bool
sim_channel_take(struct channel *c, struct msg *m, uint64_t *order)
{
	static struct buf last;
	struct sim_frame frame;

	buf_clear(&last);
	if (c == NULL || c->out.first == c->out.n ||
	    !c->out.v[c->out.first].is_flushed || !take(&c->out, &frame))
		return false;
	last = frame.fields;
	if (order != NULL)
		*order = frame.order;
	MUST(msg_decode(frame.type, buf_span(&last), m) == OK);
	return true;
}

void
sim_channels_flush(void)
{
	for (struct channel *c = channels; c != NULL; c = c->next) {
		if (c->is_stuck || c->backlog == 0 ||
		    (c->late == c->backlog && sim.mono_ms < c->late_at_ms))
			continue;
		for (size_t i = c->out.first; i < c->out.n; i++)
			c->out.v[i].is_flushed = true;
		c->backlog = c->late = 0;
		if (c->on_sent != NULL && !c->is_closed)
			c->on_sent(c->ctx);
	}
}

int64_t
sim_channels_late(void)
{
	int64_t at = INT64_MAX;

	for (const struct channel *c = channels; c != NULL; c = c->next)
		if (!c->is_stuck && c->late > 0 && c->late_at_ms < at)
			at = c->late_at_ms;
	return at;
}
