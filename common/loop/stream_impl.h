/*
 * The inside of a stream, shared by its use (stream.c) and its end
 * (stream_finish.c).
 */
#ifndef MTAD_LOOP_STREAM_IMPL_H
#define MTAD_LOOP_STREAM_IMPL_H

#include "common/loop/deferred.h"
#include "common/loop/orphan.h"
#include "common/loop/outq.h"
#include "common/loop/stream.h"
#include "common/loop/timer.h"
#include "common/loop/watch.h"

struct stream {
	struct loop *loop;
	const struct stream_ops *ops;	/* NULL: finishing, without owner */
	void *ctx;
	int fd;				/* -1: closed, waits to be freed */
	struct watch *watch;
	struct buf in;			/* what the owner has left unread */
	size_t in_max;
	struct outq out;
	struct stream_filter *filter;	/* NULL: none */
	struct buf text;		/* output, before the filter */
	struct deferred offer;		/* unread bytes again, or the end */
	struct deferred write;
	uint64_t bytes_in;
	uint64_t bytes_out;
	unsigned depth;			/* callbacks under way */
	int error;			/* of writing; told when reading ends */
	bool is_paused;
	bool is_wiping;			/* the offer under way is secret */
	bool is_offer_due;		/* after resume */
	bool is_text_secret;		/* overwritten once it has gone */
	bool has_overflown;
	bool is_ended;			/* on_end was called */

	/* while finishing */
	struct orphan orphan;
	struct timer deadline;
	int64_t linger_ms;
	bool is_half_closed;
};

/* Writes what waits and watches for more room when some is left. */
void stream_push(struct stream *s);

/* Sets the watch to what the state of the stream asks for. */
void stream_rewatch(struct stream *s);

/* stream_filter.c: nothing without a filter, but read */
void stream_filter_turn(struct stream *s);
bool stream_filter_read(struct stream *s, struct span raw, uint8_t *place,
    size_t *n, enum stream_end *end, int *error);
void stream_filter_end(struct stream *s);
void stream_filter_free(struct stream *s);

/* Closes now; frees when no callback is under way. */
void stream_destroy(struct stream *s);

/* Wipes what was kept of the input. */
void stream_drop_input(struct stream *s);

/* The readiness of a stream that finishes. */
void stream_finish_ready(struct stream *s, unsigned events);

#endif
