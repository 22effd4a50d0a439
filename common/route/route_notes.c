#include "common/route/route_notes.h"

#include "common/mail/header_notes.h"

void
route_notes(const struct route_table *table, struct span header,
    struct buf *out)
{
	struct header_notes notes;

	header_notes_init(&notes);
	header_notes_feed(&notes, route_table_headers(table), header);
	header_notes_end(&notes);
	if (buf_failed(&notes.notes))
		out->is_failed = true;
	else
		buf_add_span(out, buf_span(&notes.notes));
	header_notes_clear(&notes);
}
