/*
 * A record that has no effect but to be told (store_tap.h): what was done to a
 * message that no other record says.
 *
 * A program that does not know the type passes it over.
 */
#ifndef MTAD_QUEUED_STORE_STORE_NOTE_H
#define MTAD_QUEUED_STORE_STORE_NOTE_H

#include "common/base/buf.h"

struct store;

enum { STORE_NOTE_BY_MAX = 255 };

/* The store gives KIND, VALUE and BY no meaning. */
struct store_note {
	uint8_t kind;
	uint32_t unit;
	uint64_t at;		/* wall ms */
	uint64_t value;
	struct span by;		/* longer words are cut */
};

/* Into the open group.  ERR_NOMEM, ERR_IO: nothing was changed; not for some
 * few of them after store_reserve(). */
enum err store_note(struct store *s, uint64_t id, const struct store_note *n);

void store_note_put(struct buf *out, const struct store_note *n);
/* ERR_CORRUPT. */
enum err store_note_get(struct span fields, struct store_note *out);

#endif
