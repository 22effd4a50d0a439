/*
 * Notes of a few header fields as a message streams by, for rules that ask
 * their values (`routes[].header`): of each field that is wanted the first one,
 * unfolded, with the blanks at both ends left out.
 *
 * They go in the envelope as "name: value" lines, the name in lower case.  A
 * control character becomes a blank; nothing is decoded.
 */
#ifndef MTAD_MAIL_HEADER_NOTES_H
#define MTAD_MAIL_HEADER_NOTES_H

#include "common/base/buf.h"

enum {
	HEADER_NOTES_NAMES = 8,		/* fields, at most */
	HEADER_NOTES_NAME_MAX = 64,	/* octets of a field's name … */
	HEADER_NOTES_VALUE_MAX = 256,	/* … and of its value; longer are cut */
	HEADER_NOTES_MAX = HEADER_NOTES_NAMES * (HEADER_NOTES_NAME_MAX + 2 +
	    HEADER_NOTES_VALUE_MAX + 1),
};

/* The fields that are wanted; names of NAME_MAX octets at most. */
struct header_names {
	struct span v[HEADER_NOTES_NAMES];
	size_t n;
};

/* One reading of a header; private but for `notes`. */
struct header_notes {
	struct buf notes;	/* so far; grows by need, up to MAX */
	size_t value_at;	/* where the value begins that is read */
	uint8_t state;
	uint8_t name_n;
	uint8_t count;		/* of notes */
	uint8_t name[HEADER_NOTES_NAME_MAX];
};

/* Takes no memory before a note is made; clear() gives it back. */
void header_notes_init(struct header_notes *h);
void header_notes_clear(struct header_notes *h);

/* The next bytes of the header, nothing behind it. */
void header_notes_feed(struct header_notes *h,
    const struct header_names *names, struct span chunk);

/* The header is over. */
void header_notes_end(struct header_notes *h);

/* Takes the next of NOTES; false behind the last, or when they are damaged. */
bool header_notes_next(struct span *notes, struct span *name,
    struct span *value);

#endif
