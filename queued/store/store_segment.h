/*
 * The segments of the log: which there are, what of them lives, their files.
 *
 * A segment goes when no message in it is live, the segments whose messages
 * its verdicts are about are gone, and the durable index is past its end
 * (SPOOL.md rule 8).  Numbers are never used again.
 */
#ifndef MTAD_QUEUED_STORE_STORE_SEGMENT_H
#define MTAD_QUEUED_STORE_STORE_SEGMENT_H

#include "queued/store/store_cache.h"
#include "queued/store/store_io.h"

enum { STORE_SEGMENT_FILES = 64, STORE_SEGMENT_NAME = 32 };

struct store_segment {
	uint64_t number;
	uint64_t bytes;			/* of its file */
	uint64_t messages;		/* live ones */
	uint64_t live_bytes;		/* their records */
	struct store_numbers settles;	/* segments that it is needed for */
	uint64_t cuts;			/* one of them, by its seal; or 0 */
	int fd;				/* -1: not open */
	uint64_t used;			/* for choosing which to close */
	unsigned pins;			/* jobs that use fd */
	bool is_dirty;			/* its row in the index is old */
	bool is_doomed;			/* goes with the frozen overlay */
	bool is_going;			/* a job removes its file */
	bool is_stuck;			/* what lives in it can't be moved */
	uint64_t waiting_bytes;		/* of a search of compaction */
};

struct store_segments {
	const struct store_io *io;
	int dir_fd;
	struct store_segment **rows;	/* ascending */
	size_t n;
	size_t size;
	uint64_t bytes;			/* of all files */
	size_t open_files;
	uint64_t clock;
};

void store_segments_init(struct store_segments *t, const struct store_io *io,
    int dir_fd);
void store_segments_clear(struct store_segments *t);

/* Numbers grow; ERR_NOMEM, ERR_EXISTS.  FD (or -1) is the table's then. */
enum err store_segments_add(struct store_segments *t, uint64_t number,
    uint64_t bytes, int fd, struct store_segment **out);

/* Gives a segment that was added without a file its file. */
void store_segments_adopt(struct store_segments *t, struct store_segment *seg,
    int fd, uint64_t bytes);

/* NULL when there is none. */
struct store_segment *store_segments_find(const struct store_segments *t,
    uint64_t number);

/* Of the table and of all `settles`; the file is somebody else's business. */
void store_segments_remove(struct store_segments *t, uint64_t number);

/* No segment's verdicts are kept for NUMBER any more. */
void store_segments_unneed(struct store_segments *t, uint64_t number);

/* Opens it if need be; the descriptor stays the table's and is good until the
 * next call. */
enum err store_segments_open(struct store_segments *t,
    struct store_segment *seg, int *fd);

void store_segment_name(uint64_t number, char out[STORE_SEGMENT_NAME]);

/* Every segment file in the directory: its number, in ascending order. */
enum err store_segments_list(int dir_fd, struct store_numbers *out);

/* Number in a name made with PREFIX and 16 hexadecimal digits. */
bool store_name_number(const char *name, const char *prefix, uint64_t *out);

#endif
