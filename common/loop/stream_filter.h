/*
 * What may stand between a stream and its socket: TLS.
 *
 * A filter turns bytes into bytes and does no input or output of its own, so
 * that it can be tested without a socket; the stream feeds it all that was
 * read, at once, and sends what it says.  The struct is the first member of
 * the filter's own.
 */
#ifndef MTAD_LOOP_STREAM_FILTER_H
#define MTAD_LOOP_STREAM_FILTER_H

#include "common/base/buf.h"
#include "common/base/err.h"

/* More readable bytes can come out of a call than raw ones go in: what a
 * filter had kept of an unfinished record. */
#define STREAM_FILTER_EXTRA	((size_t)32 * 1024)

struct stream_filter;

enum stream_filter_end {
	STREAM_FILTER_ON,
	STREAM_FILTER_EOF,	/* the peer ended its side in due form */
	STREAM_FILTER_BROKEN,	/* no more can be read or written */
};

struct stream_filter_ops {
	/*
	 * Takes all of RAW, writes what is readable to PLACE, which has room
	 * for RAW and STREAM_FILTER_EXTRA more, and says how much in *N; what
	 * the peer must be told goes to OUT.
	 */
	enum stream_filter_end (*read)(struct stream_filter *f,
	    struct span raw, uint8_t *place, size_t *n, struct buf *out);

	/* What is said before anything was read (a client's hello); may be
	 * NULL.  Called when the stream takes the filter. */
	void (*begin)(struct stream_filter *f, struct buf *out);

	/* Output may be turned now; before, it waits. */
	bool (*is_open)(const struct stream_filter *f);

	/* Turns all of TEXT.  Failure: as BROKEN, or OUT failed. */
	enum err (*write)(struct stream_filter *f, struct span text,
	    struct buf *out);

	/* The last words, after which nothing is written. */
	void (*end)(struct stream_filter *f, struct buf *out);

	void (*free)(struct stream_filter *f);
};

struct stream_filter {
	const struct stream_filter_ops *ops;
};

#endif
