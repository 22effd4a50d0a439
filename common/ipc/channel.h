/*
 * A connection between two of our processes: typed messages (messages.h) in
 * frames, with descriptors beside them.
 *
 *   frame: u32 length with this header, u16 type, u16 descriptors (0 or 1),
 *          then the fields; little-endian.  The first frame is `hello`.
 *
 * What is sent in a turn leaves in one write at its end; what comes is taken
 * by one large read.  A peer that breaks a rule (frame, type, direction,
 * hello, a descriptor too many) or takes nothing until CHANNEL_BACKLOG_MAX
 * waits for it is cut off: on_close, and nothing else of ours suffers.
 * Everything here may be called from inside the callbacks.
 */
#ifndef MTAD_IPC_CHANNEL_H
#define MTAD_IPC_CHANNEL_H

#include "common/ipc/messages.h"
#include "common/loop/loop.h"

#define CHANNEL_HEADER_BYTES	8
#define CHANNEL_READ_BYTES	((size_t)256 * 1024)
#define CHANNEL_LATE_MS		10
#define CHANNEL_BACKLOG_MAX	((size_t)128 * 1024 * 1024)

struct channel;

struct channel_id {
	enum ipc_role role;
	uint16_t index;
	uint64_t instance;		/* 0 in an expected one: any */
};

enum channel_end {
	CHANNEL_EOF,			/* the peer closed or died */
	CHANNEL_ERROR,			/* a system call failed */
	CHANNEL_VIOLATION,		/* the peer broke the protocol */
	CHANNEL_STUCK,			/* the peer does not read */
};

struct channel_ops {
	/* M's spans are borrowed for the call.  FD is given, -1: none came. */
	void (*on_msg)(void *ctx, struct channel *c, const struct msg *m,
	    int fd);
	/* Once, from the loop, after every message that came before; WHY is a
	 * sentence for the log.  The owner closes the channel. */
	void (*on_close)(void *ctx, struct channel *c, enum channel_end end,
	    const char *why);
};

/*
 * life: takes FD, a connected Unix stream socket, on success and sends hello.
 * PEER is who must be at the other end.  ERR_NOMEM, ERR_IO.
 */
enum err channel_new(struct loop *l, int fd, const struct channel_id *self,
    const struct channel_id *peer, const struct channel_ops *ops, void *ctx,
    struct channel **out);
void channel_close(struct channel **c);		/* drops what was not sent */

/* Sends what is left, for at most TIMEOUT_MS, and closes then, without the
 * owner; input is thrown away. */
void channel_finish(struct channel **c, int64_t timeout_ms);

/*
 * Encodes into the output.  On failure nothing of the message is sent:
 * ERR_RANGE (too long a span), ERR_NOMEM, ERR_DENIED (not a message from us
 * to this peer), ERR_PEER (the channel has ended).
 */
enum err channel_send(struct channel *c, const struct msg *m);

/* For what nobody would send again: without memory for it the channel ends
 * (CHANNEL_ERROR), so that both sides begin anew and ask. */
void channel_send_or_end(struct channel *c, const struct msg *m);

/* The same for what nobody waits for: it wakes the peer only with what is sent
 * next, or after CHANNEL_LATE_MS. */
void channel_send_late(struct channel *c, const struct msg *m);

/* From now on what was sent is overwritten here, and what came when it was
 * handled, for it holds secrets. */
void channel_keep_secret(struct channel *c);

/* As channel_send() with a descriptor: FD is taken, also on failure. */
enum err channel_send_fd(struct channel *c, const struct msg *m, int fd);

void channel_flush(struct channel *c);			/* writes now */
size_t channel_backlog(const struct channel *c);	/* bytes unsent */

/* Tells, with the ctx of the ops, each time that all output has gone to the
 * kernel; for who sends more than a turn's worth. */
void channel_on_sent(struct channel *c, void (*on_sent)(void *ctx));

/* No on_msg while paused; the peer's writes fill up. */
void channel_pause(struct channel *c);
void channel_resume(struct channel *c);

/* Reads and tells everything that the peer has sent so far, until it has no
 * more or has ended (on_close still comes from the loop). */
void channel_drain_input(struct channel *c);

/* inspection; the owner may hang a pointer of its own on the channel */
const struct channel_id *channel_peer(const struct channel *c);
bool channel_is_open(const struct channel *c);
int channel_fd(const struct channel *c);
void channel_set_user(struct channel *c, void *user);
void *channel_user(const struct channel *c);

#endif
