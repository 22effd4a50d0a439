/*
 * The life of a channel: opened, failed, closed, finished.
 *
 * A channel that fails closes nothing by itself and calls nobody at once: the
 * failure may be found in the middle of the owner's own channel_send().  It
 * turns deaf and dumb (is_ended) and tells the owner from the loop.
 *
 * The owner may close it from inside any callback; enter() and leave() count
 * the callbacks under way, and the last one frees the memory.  After each
 * callback c->fd tells whether the channel still is one.
 */
#include "common/ipc/channel.h"

#include "common/ipc/channel_impl.h"
#include "common/ipc/frame.h"
#include "common/os/fd.h"

#include <stdio.h>
#include <stdlib.h>

/* Two frames with the largest body that travels inline. */
#define OUT_KEEP_BYTES	((size_t)512 * 1024)

/* Twice when called from inside a callback: first closes, then frees. */
static void
destroy(struct channel *c)
{
	if (c->fd >= 0) {
		watch_free(&c->watch);
		deferred_clear(&c->write);
		deferred_clear(&c->parse);
		deferred_clear(&c->tell);
		timer_clear(&c->late);
		timer_clear(&c->deadline);
		fd_close(&c->fd);
	}
	if (c->depth > 0)
		return;
	channel_drop_marks(c);
	for (size_t i = 0; i < c->fd_count; i++)
		fd_close(&c->fds[i]);
	outq_clear(&c->out);
	free(c->marks);
	free(c->in);
	free(c);
}

void
channel_enter(struct channel *c)
{
	c->depth++;
}

void
channel_leave(struct channel *c)
{
	if (--c->depth == 0 && c->fd < 0)
		destroy(c);
}

/* The first reason counts.  What was not sent will never be. */
void
channel_fail(struct channel *c, enum channel_end end, const char *why)
{
	if (c->is_ended)
		return;
	c->is_ended = true;
	c->end = end;
	(void)snprintf(c->why.text, sizeof(c->why.text), "%s", why);
	outq_clear(&c->out);
	channel_drop_marks(c);
	channel_rewatch(c);
	deferred_add(&c->tell);
}

/* Room for writing is waited for only when the kernel did not take all. */
void
channel_rewatch(struct channel *c)
{
	unsigned events = 0;

	if (!c->is_ended && !c->is_paused)
		events |= WATCH_READ;
	if (!c->is_ended && outq_backlog(&c->out) > 0)
		events |= WATCH_WRITE;
	watch_set(c->watch, events);
}

/* An orphan ends when all is sent, or nobody reads it any more. */
static void
end_orphan(void *ctx)
{
	struct channel *c = ctx;

	orphan_remove(&c->orphan);
	destroy(c);
}

/* The owner closes the channel in on_close; nobody does so for an orphan. */
static void
on_tell(void *ctx)
{
	struct channel *c = ctx;

	channel_enter(c);
	if (c->ops == NULL)
		end_orphan(c);
	else
		c->ops->on_close(c->ctx, c, c->end, c->why.text);
	channel_leave(c);
}

static void
on_write(void *ctx)
{
	struct channel *c = ctx;

	channel_enter(c);
	channel_push(c);
	if (c->fd >= 0 && outq_backlog(&c->out) == 0) {
		if (c->ops == NULL)
			end_orphan(c);
		else if (c->on_sent != NULL && !c->is_ended)
			c->on_sent(c->ctx);
	}
	channel_leave(c);
}

static void
on_parse(void *ctx)
{
	struct channel *c = ctx;

	channel_enter(c);
	channel_parse(c);
	channel_leave(c);
}

/* Writing first: it may give the peer what it needs to go on. */
static void
on_ready(void *ctx, unsigned events)
{
	struct channel *c = ctx;

	channel_enter(c);
	if ((events & WATCH_WRITE) != 0 && !c->is_ended)
		on_write(c);
	if (c->fd >= 0 && (events & WATCH_READ) != 0 && !c->is_ended &&
	    !c->is_paused) {
		if (c->ops == NULL)
			channel_discard(c);
		else
			(void)channel_read(c);
	}
	channel_leave(c);
}

/* The buffer for input is there as long as the channel: channels are few, and
 * all of them busy. */
static enum err
equip(struct channel *c)
{
	enum err e = watch_new(c->loop, c->fd, on_ready, c, &c->watch);

	if (e == OK)
		e = timer_init(&c->late, c->loop, on_write, c);
	if (e == OK)
		e = fd_set_nonblock(c->fd, true);
	c->in = malloc(CHANNEL_READ_BYTES);
	c->in_size = CHANNEL_READ_BYTES;
	return e == OK && c->in == NULL ? ERR_NOMEM : e;
}

/* The peer may not know yet whom to expect; it checks when the hello comes. */
static enum err
greet(struct channel *c)
{
	const struct msg hello = frame_hello(c->self.role, c->self.index,
	    c->self.instance);

	channel_rewatch(c);
	return channel_send(c, &hello);
}

enum err
channel_new(struct loop *l, int fd, const struct channel_id *self,
    const struct channel_id *peer, const struct channel_ops *ops, void *ctx,
    struct channel **out)
{
	struct channel *c = calloc(1, sizeof(*c));
	enum err e;

	if (c == NULL)
		return ERR_NOMEM;
	c->loop = l;
	c->self = *self;
	c->peer = *peer;
	c->ops = ops;
	c->ctx = ctx;
	c->fd = fd;
	outq_init(&c->out, CHANNEL_BACKLOG_MAX, OUT_KEEP_BYTES);
	deferred_init(&c->write, l, DEFERRED_WRITE, on_write, c);
	deferred_init(&c->parse, l, DEFERRED_WORK, on_parse, c);
	deferred_init(&c->tell, l, DEFERRED_WORK, on_tell, c);
	e = equip(c);
	if (e == OK)
		e = greet(c);
	if (e != OK) {
		watch_free(&c->watch);
		/* greet() may have asked for it */
		deferred_clear(&c->write);
		timer_clear(&c->late);
		c->fd = -1;	/* stays the caller's */
		destroy(c);
		return e;
	}
	*out = c;
	return OK;
}

void
channel_close(struct channel **c)
{
	if (*c != NULL)
		destroy(*c);
	*c = NULL;
}

/* Only output counts now: what the peer still says is read to see its end, and
 * thrown away. */
void
channel_finish(struct channel **channel, int64_t timeout_ms)
{
	struct channel *c = *channel;

	*channel = NULL;
	if (c == NULL)
		return;
	if (!c->is_ended)
		channel_push(c);
	if (c->is_ended || outq_backlog(&c->out) == 0 ||
	    timer_init(&c->deadline, c->loop, end_orphan, c) != OK) {
		destroy(c);
		return;
	}
	deferred_cancel(&c->parse);
	orphan_add(&c->orphan, c->loop, end_orphan, c);
	c->ops = NULL;
	/* or the end of the peer would not be seen */
	c->is_paused = false;
	timer_start(&c->deadline, timeout_ms);
	channel_rewatch(c);
}

void
channel_on_sent(struct channel *c, void (*on_sent)(void *ctx))
{
	c->on_sent = on_sent;
}

void
channel_pause(struct channel *c)
{
	c->is_paused = true;
	if (c->fd >= 0)
		channel_rewatch(c);
}

/* Frames that came before the pause are told first. */
void
channel_resume(struct channel *c)
{
	if (!c->is_paused || c->fd < 0)
		return;
	c->is_paused = false;
	deferred_add(&c->parse);
	channel_rewatch(c);
}

void
channel_drain_input(struct channel *c)
{
	/* from inside its own on_msg there is nothing older to take */
	if (c->depth > 0)
		return;
	channel_enter(c);
	c->is_paused = false;
	channel_parse(c);
	/* ends when a read finds nothing, or the end of the peer */
	while (c->fd >= 0 && !c->is_ended && channel_read(c))
		continue;
	if (c->fd >= 0)
		channel_rewatch(c);
	channel_leave(c);
}

const struct channel_id *
channel_peer(const struct channel *c)
{
	return &c->peer;
}

bool
channel_is_open(const struct channel *c)
{
	return c->fd >= 0 && !c->is_ended;
}

int
channel_fd(const struct channel *c)
{
	return c->fd;
}

void
channel_set_user(struct channel *c, void *user)
{
	c->user = user;
}

void *
channel_user(const struct channel *c)
{
	return c->user;
}
