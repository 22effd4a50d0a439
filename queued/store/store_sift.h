/*
 * Reads a sealed segment, piece by piece, in a thread of its own, for the
 * messages that still live in it.
 *
 * What lives is asked of the index: the segment lies before its position, so
 * every message in it has a row, unless it moved or was settled since.  The
 * owner of the store looks again before it uses what was found.
 */
#ifndef MTAD_QUEUED_STORE_STORE_SIFT_H
#define MTAD_QUEUED_STORE_STORE_SIFT_H

#include "common/base/buf.h"
#include "queued/store/store_worker.h"

struct store_index;

/* Of one piece: bytes of segment read, and of content kept, before it ends. */
enum { STORE_SIFT_BYTES = 4 << 20, STORE_SIFT_CONTENT = 1 << 20 };

/* A message whose record lies in the segment. */
struct store_find {
	uint64_t id;
	uint64_t offset;	/* of its content, in the segment */
	size_t at;		/* likewise, in store_sift.content */
	size_t n;
	bool is_sound;		/* else no content */
};

struct store_sift {
	struct store_job job;
	/* what to read; whoever puts the job keeps FD open */
	struct store_index *index;
	int fd;
	uint64_t segment;
	uint64_t end;		/* of the file */
	/* where to go on, moved by the job: at a block, once the records of
	 * the last group are done */
	uint64_t offset;
	uint64_t record_at, records_end;
	/* what was found */
	struct buf content;
	struct store_find *finds;
	size_t count;
	enum err result;	/* ERR_IO, ERR_NOMEM: the piece is not whole */
	/* the thread's own */
	size_t size;
	struct buf window;
	uint64_t window_at;
};

void store_sift_init(struct store_sift *f);
void store_sift_clear(struct store_sift *f);

/* The job: replaces what was found by what is in the next piece. */
void store_sift_run(struct store_job *job);

/* Whether there is no next piece. */
static inline bool
store_sift_is_over(const struct store_sift *f)
{
	return f->offset >= f->end && f->record_at >= f->records_end;
}

#endif
