/*
 * The way through a log, for whoever only looks: check, salvage.
 *
 * It goes by the rules of the recovery (docs/SPOOL.md), but is written apart
 * from it, so that each is a test of the other; it changes nothing.
 */
#ifndef MTAD_QUEUED_SURVEY_SURVEY_LOG_H
#define MTAD_QUEUED_SURVEY_SURVEY_LOG_H

#include "queued/store/store_group.h"
#include "queued/store/store_overlay.h"
#include "queued/survey/survey.h"

struct survey_segment {
	uint64_t number;
	uint64_t bytes;			/* of its file */
	bool is_known;			/* its first group is whole */
	bool has_groups;		/* it is not, but later ones are */
	bool counts;			/* is part of the log */
	struct store_group_head first;	/* when known */
};

/* A stretch of the log that ought to be groups and is not. */
struct survey_gap {
	uint64_t segment;
	uint64_t offset;
	uint64_t bytes;
	bool is_tail;			/* perhaps never synced: no damage */
	struct span content;		/* as much of it as was read */
};

struct survey_log_ops {
	/* Whole, in its place, in order; SEGMENT's row. */
	void (*on_group)(void *ctx, const struct survey_segment *segment,
	    struct span group, const struct store_group_head *head);
	void (*on_gap)(void *ctx, const struct survey_segment *segment,
	    const struct survey_gap *gap);
	/* A whole group that does not follow the one before: those between
	 * them are gone. */
	void (*on_leap)(void *ctx, const struct survey_segment *segment,
	    const struct store_group_head *head, uint64_t before);
};

struct survey_log {
	int dir_fd;			/* borrowed */
	struct survey_segment *rows;	/* ascending */
	size_t n;
	const struct survey_spool *spool;
	struct store_position until;	/* segment 0: to the end */
	struct store_position at;	/* behind the last group */
	bool is_loose;			/* the next group needs no chain */
	struct buf group;
	const struct survey_log_ops *ops;
	void *ctx;
	int fd;				/* of the segment being read */
};

/* UNTIL: nothing behind it is looked at; NULL: everything is.  ERR_IO,
 * ERR_NOMEM. */
enum err survey_log_open(struct survey_log *l,
    const struct survey_spool *spool, int dir_fd,
    const struct store_position *until);
void survey_log_clear(struct survey_log *l);

/* How many bytes of row ROW count: up to where it is sealed, if it is. */
uint64_t survey_log_length(const struct survey_log *l, size_t row);

/* Bytes there are to read. */
uint64_t survey_log_bytes(const struct survey_log *l);

/* Tells the first group of row ROW, which is known. */
enum err survey_log_first(struct survey_log *l, size_t row,
    const struct survey_log_ops *ops, void *ctx);

/* ERR_IO, ERR_NOMEM, ERR_VERSION (a group of a later version). */
enum err survey_log_walk(struct survey_log *l,
    const struct survey_log_ops *ops, void *ctx);

#endif
