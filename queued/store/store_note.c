/*
 * The fields of a note [pure].  What appends it stands in store_write.c.
 */
#include "queued/store/store_note.h"

#include "common/base/wire.h"

void
store_note_put(struct buf *out, const struct store_note *n)
{
	wire_put_u8(out, n->kind);
	wire_put_u32(out, n->unit);
	wire_put_u64(out, n->at);
	wire_put_u64(out, n->value);
	wire_put_span(out, span_sub(n->by, 0, STORE_NOTE_BY_MAX));
}

enum err
store_note_get(struct span fields, struct store_note *out)
{
	struct store_note n;
	struct wire w;

	wire_init(&w, fields);
	n.kind = wire_u8(&w);
	n.unit = wire_u32(&w);
	n.at = wire_u64(&w);
	n.value = wire_u64(&w);
	n.by = wire_span(&w, STORE_NOTE_BY_MAX);
	if (wire_done(&w) != OK)
		return ERR_CORRUPT;
	*out = n;
	return OK;
}
