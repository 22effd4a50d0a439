/*
 * Segments made ready beforehand, and the removal of those that are done.
 *
 * A spare is a file written in full (blocks that are only allocated cost more
 * at each sync), or a segment that is no longer needed, whose stale groups
 * name another segment and so mean nothing.  It gets its number when it is
 * taken.  Spares are as large as the log is long: a short log goes round in
 * few small files, so little is written only to be ready; a long one needs no
 * crowd of files.  On a disk that is nearly full they are the reserve for
 * verdicts and reports.
 */
#ifndef MTAD_QUEUED_STORE_STORE_SPARE_H
#define MTAD_QUEUED_STORE_STORE_SPARE_H

#include "queued/store/store_segment.h"
#include "queued/store/store_worker.h"

enum { STORE_SPARES = 2, STORE_SPARES_MAX = 4 };

#define STORE_SPARE_FIRST	((uint64_t)4 << 20)	/* a start waits for it */
#define STORE_SPARE_LEAST	((uint64_t)8 << 20)

struct store_spare {
	struct list link;
	char name[STORE_SEGMENT_NAME];
	uint64_t bytes;
	int fd;
};

struct store_spares {
	const struct store_io *io;
	int dir_fd;
	uint64_t segment_bytes;		/* of a full one */
	uint64_t wanted_bytes;		/* of a new one */
	uint64_t reserve_bytes;		/* wanted of all together; 0: a number */
	size_t wanted_count;		/* ... this one */
	uint64_t next_number;
	struct list ready;
	size_t count;			/* ready */
	size_t making;			/* jobs under way */
	uint64_t bytes;			/* of the ready ones */
	uint64_t making_bytes;
	uint64_t new_bytes;		/* of those, what the disk will give */
	enum err failure;		/* of the last try to make one; OK when
					 * it is time for another */
	bool is_barren;			/* that try failed: no file can be
					 * made, whatever room there is */
	/* called in the owner's thread */
	void (*on_change)(void *owner);
	void (*on_gone)(void *owner, uint64_t segment, enum err e);
};

/* Adopts what a former life made ready. */
enum err store_spares_init(struct store_spares *s, const struct store_io *io,
    int dir_fd, uint64_t segment_bytes);
void store_spares_clear(struct store_spares *s);

/* What is needed from now on for a log of LOG_BYTES.  IS_SCARCE: the disk is
 * nearly full, so the reserve must be there.  IS_EARLY: there was no mail yet,
 * so what a short log will go round in is made now, when nobody waits. */
void store_spares_need(struct store_spares *s, uint64_t log_bytes,
    bool is_scarce, bool is_early);

/* Starts making more when there are too few and AVAILABLE allows. */
void store_spares_want(struct store_spares *s, struct store_worker *w,
    uint64_t available);

/* Nothing is ready and BYTES wait: starts making one as small as may be of
 * what the disk has LEFT, even of what was kept for others. */
void store_spares_want_small(struct store_spares *s, struct store_worker *w,
    uint64_t bytes, uint64_t left);

/* Makes one here and now; only where nobody waits for us. */
enum err store_spares_make_now(struct store_spares *s);

/* The oldest ready one; its descriptor is the caller's.  ERR_AGAIN. */
enum err store_spares_take(struct store_spares *s, struct store_spare *out);

/* Removes one that is ready, to give the disk room for something that matters
 * more; false when there is none. */
bool store_spares_give_up(struct store_spares *s);

/* Starts removing those that are far too large for what is needed now. */
void store_spares_trim(struct store_spares *s, struct store_worker *w);

/* Ends a segment's file: makes it a spare, or removes it; then on_gone.
 * ERR_NOMEM: nothing happened. */
enum err store_spares_bury(struct store_spares *s, struct store_worker *w,
    uint64_t segment, uint64_t bytes);

#endif
