/*
 * A connected non-blocking socket: bytes in by callback, bytes out gathered
 * and sent once at the end of the turn.
 *
 * One large read a readiness goes into memory that all streams of the loop
 * share; only what the owner leaves is kept by the stream, so that an idle
 * connection costs no buffer.  The owner may call everything here, also
 * stream_close(), from inside the callbacks; on_end comes once, and the
 * stream stays (deaf) until the owner closes it.
 */
#ifndef MTAD_LOOP_STREAM_H
#define MTAD_LOOP_STREAM_H

#include "common/base/buf.h"
#include "common/loop/loop.h"
#include "common/loop/stream_filter.h"

#define STREAM_READ_BYTES	((size_t)256 * 1024)	/* most in one read */
#define STREAM_OUT_MAX		((size_t)16 * 1024 * 1024)

struct stream;

enum stream_end {
	STREAM_EOF,		/* the peer ended its side; writing may go on */
	STREAM_ERROR,		/* reset, or another error: see its errno */
	STREAM_OVERFLOW,	/* more than out_max waits to be sent */
};

struct stream_ops {
	/* All unread bytes; returns how many of them are done with.  The rest
	 * is offered again together with what comes next, or after resume. */
	size_t (*on_bytes)(void *ctx, struct span bytes);
	void (*on_end)(void *ctx, enum stream_end end, int error);
	/* All output has gone to the kernel; may be NULL. */
	void (*on_sent)(void *ctx);
	/* The filter is open: a handshake is done; may be NULL. */
	void (*on_open)(void *ctx);
};

struct stream_limits {
	size_t in_max;		/* 1 .. STREAM_READ_BYTES: most in one read,
				 * and kept; reading stops there */
	size_t out_max;		/* 0: STREAM_OUT_MAX */
	size_t out_keep;	/* output memory kept when idle */
	bool is_nonblocking;	/* the descriptor is so already */
	struct stream_filter *filter; /* from the start on, or NULL; taken on
				 * success */
};

/* life: takes FD (a socket; made non-blocking) on success.  Reading starts at
 * once.  close drops unsent bytes; callbacks never come after it. */
enum err stream_new(struct loop *l, int fd, const struct stream_limits *limits,
    const struct stream_ops *ops, void *ctx, struct stream **out);
void stream_close(struct stream **s);

/*
 * From now on all bytes go through F, which is taken; what was written before
 * leaves as it is.  Nothing unread may be left (inside on_bytes: all is taken).
 * Once; ERR_NOMEM.
 */
enum err stream_set_filter(struct stream *s, struct stream_filter *f);

/*
 * Sends what is left and closes then, without the owner; input is thrown
 * away.  With LINGER_MS > 0 it ends its side first and waits that long for the
 * peer's end, so that a reset cannot overtake the last reply.  TIMEOUT_MS
 * bounds all of it.
 */
void stream_finish(struct stream **s, int64_t linger_ms, int64_t timeout_ms);

/* Inside on_bytes: overwrites what was offered, when that returns, and what was
 * kept of it before. */
void stream_wipe(struct stream *s);

/* What was appended to the output is overwritten here when it has gone. */
void stream_wipe_out(struct stream *s);

/* output: append to the buffer that stream_out() gives, which also asks for
 * the write at the end of this turn; flush writes now */
struct buf *stream_out(struct stream *s);
void stream_write(struct stream *s, struct span bytes);
void stream_flush(struct stream *s);
size_t stream_backlog(const struct stream *s);	/* bytes not yet sent */

/* back-pressure: no on_bytes while paused (an end is seen after resume);
 * resume offers kept bytes again at the end of this turn, also when the peer
 * has ended meanwhile */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
bool stream_is_paused(const struct stream *s);

/* inspection */
size_t stream_unread(const struct stream *s);	/* bytes kept */
int stream_fd(const struct stream *s);
uint64_t stream_bytes_in(const struct stream *s);
uint64_t stream_bytes_out(const struct stream *s);

#endif
