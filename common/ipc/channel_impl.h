/*
 * The inside of a channel: its life (channel.c), what goes out
 * (channel_out.c) and what comes in (channel_in.c).
 */
#ifndef MTAD_IPC_CHANNEL_IMPL_H
#define MTAD_IPC_CHANNEL_IMPL_H

#include "common/ipc/channel.h"
#include "common/loop/deferred.h"
#include "common/loop/orphan.h"
#include "common/loop/outq.h"
#include "common/loop/timer.h"
#include "common/loop/watch.h"
#include "common/os/fdpass.h"

/* A descriptor that leaves with the byte at which its frame begins. */
struct channel_mark {
	uint64_t at;			/* counted from the first byte ever */
	int fd;
};

struct channel {
	struct loop *loop;
	struct channel_id self;
	struct channel_id peer;
	const struct channel_ops *ops;	/* NULL: finishing, without owner */
	void *ctx;
	void (*on_sent)(void *ctx);	/* NULL: nobody asks */
	void *user;
	int fd;				/* -1: closed, waits to be freed */
	struct watch *watch;
	unsigned depth;			/* callbacks under way */
	bool is_paused;
	bool is_secret;			/* both ways: overwritten */
	bool has_hello;

	/* out */
	struct outq out;
	uint64_t sent_bytes;
	struct channel_mark *marks;
	size_t mark_first;
	size_t mark_count;		/* from mark_first on */
	size_t mark_size;
	struct deferred write;
	struct timer late;
	bool is_write_failed;		/* the end is found by reading */

	/* in */
	uint8_t *in;
	size_t in_n;
	size_t in_size;
	int fds[FDPASS_MAX];		/* came, and wait for their frames */
	size_t fd_count;
	struct deferred parse;		/* frames kept while paused */

	/* end */
	struct deferred tell;
	bool is_ended;
	enum channel_end end;
	struct why why;

	/* while finishing */
	struct orphan orphan;
	struct timer deadline;
};

/* Ends the channel; the owner is told from the loop. */
void channel_fail(struct channel *c, enum channel_end end, const char *why);

/* Sets the watch to what the state asks for. */
void channel_rewatch(struct channel *c);

/* Writes what waits. */
void channel_push(struct channel *c);

/* Closes descriptors that were never sent. */
void channel_drop_marks(struct channel *c);

/* One read, then all whole frames; false when there was nothing to read. */
bool channel_read(struct channel *c);

/* All whole frames that are there, unless paused. */
void channel_parse(struct channel *c);

/* Throws away what comes, until the end. */
void channel_discard(struct channel *c);

/* Between these the owner may close the channel; leave frees it then. */
void channel_enter(struct channel *c);
void channel_leave(struct channel *c);

#endif
