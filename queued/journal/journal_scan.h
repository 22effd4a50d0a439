/*
 * The records of one journal file, one after the other.
 *
 * What is damaged is passed over, up to the next record whose sum is right,
 * and counted.  It owns a buffer, not the descriptor.
 */
#ifndef MTAD_QUEUED_JOURNAL_JOURNAL_SCAN_H
#define MTAD_QUEUED_JOURNAL_JOURNAL_SCAN_H

#include "queued/journal/journal_record.h"

struct journal_scan {
	int fd;
	uint64_t at;		/* in the file, of the bytes in piece */
	uint64_t end;
	struct buf piece;
	size_t used;		/* of piece */
	uint64_t damaged;	/* bytes passed over */
};

/* Of FD's bytes FROM to END; FROM is behind the file's head. */
void journal_scan_init(struct journal_scan *s, int fd, uint64_t from,
    uint64_t end);
void journal_scan_clear(struct journal_scan *s);

/* The next one, and where it begins; its spans are valid until the next call.
 * ERR_NOT_FOUND behind the last; ERR_IO, ERR_NOMEM. */
enum err journal_scan_next(struct journal_scan *s, struct journal_record *out,
    uint64_t *offset);

#endif
