/*
 * Records of the history journal [pure]: head, sum, numbers and texts.
 *
 * A record is a head of JOURNAL_HEAD bytes (sum, length, type, flags, id) and
 * fields: numbers of 1 to 10 bytes, 7 bits each, low ones first; texts with
 * such a number as their length.  The sum is CRC-32C over all that follows it.
 * docs/HISTORY.md has every byte; journal_event.h has what fields say.
 * Writers append to a struct buf and inherit its sticky failure; spans that
 * readers give are borrowed from what they read, and nothing is trusted for
 * having the right sum.
 */
#ifndef MTAD_QUEUED_JOURNAL_JOURNAL_RECORD_H
#define MTAD_QUEUED_JOURNAL_JOURNAL_RECORD_H

#include "common/base/buf.h"
#include "common/base/wire.h"

enum {
	JOURNAL_HEAD = 16,
	JOURNAL_RECORD_MAX = 48 * 1024,	/* lists go on in further records */
};

/* Part of the format: append, never renumber.  Others are passed over. */
enum journal_type {
	JOURNAL_ACCEPTED = 1,
	JOURNAL_RECIPIENTS = 2,		/* more of an accepted message */
	JOURNAL_ATTEMPT = 3,		/* or any other result for recipients */
	JOURNAL_ACTION = 4,
	JOURNAL_LOST = 5,		/* what stood here could not be kept */
	JOURNAL_MARK = 6,		/* id: all up to this group is there */
};

/* In flags. */
enum { JOURNAL_IS_OVER = 1 };		/* the message is no more */

struct journal_record {
	uint8_t type;
	uint8_t flags;
	uint64_t id;
	struct span fields;
	struct span bytes;		/* head and fields */
};

/* Takes the first record off *REST.  ERR_AGAIN when REST ends before it does,
 * ERR_CORRUPT when its sum or length is wrong; *REST is untouched then. */
enum err journal_record_next(struct span *rest, struct journal_record *out);

/* Offset of the first whole record in S, S.n when there is none. */
size_t journal_record_find(struct span s);

/* Makes room for a head in OUT and returns its offset; the end fills it in. */
size_t journal_record_begin(struct buf *out);
void journal_record_end(struct buf *out, size_t at, enum journal_type type,
    uint8_t flags, uint64_t id);

/* A number; a text, cut to MAX bytes. */
void journal_put(struct buf *out, uint64_t v);
void journal_put_text(struct buf *out, struct span s, size_t max);

/* Sticky, as all of struct wire. */
uint64_t journal_get(struct wire *w);
struct span journal_get_text(struct wire *w);

/* All up to GROUP stands before this mark, or was said to be lost. */
void journal_mark_put(struct buf *out, uint64_t group, uint64_t at);

#endif
