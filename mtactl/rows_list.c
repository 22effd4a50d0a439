/*
 * `queue list`.  For people a line with columns, and a second one with the
 * reason when something waits; for programs a JSON object a line, which can be
 * read while it comes.
 *
 * A column that is too narrow for its value is widened in that line, never
 * cut: half an address or number misleads.
 */
#include "mtactl/rows.h"

#include "mtactl/rows_private.h"

/* Columns; a negative width aligns to the right. */
enum {
	COLUMN_AGE = -6,
	COLUMN_SIZE = -7,
	COLUMN_STATE = 8,
	COLUMN_TRIES = -5,
	COLUMN_NEXT = -6,
	NAMED_MAX = 3,			/* recipients in a line for people */
};

static void
gap(struct output *o)
{
	buf_add_str(&o->b, "  ");
}

/* Before the first row, so that an empty list has none. */
static void
put_column_names(struct rows *r)
{
	struct output *o = r->o;

	r->has_head = true;
	output_coloured(o, OUTPUT_BOLD, "ID", B32_LENGTH);
	gap(o);
	output_coloured(o, OUTPUT_BOLD, "AGE", COLUMN_AGE);
	gap(o);
	output_coloured(o, OUTPUT_BOLD, "SIZE", COLUMN_SIZE);
	gap(o);
	output_coloured(o, OUTPUT_BOLD, "STATE", COLUMN_STATE);
	gap(o);
	output_coloured(o, OUTPUT_BOLD, "TRIES", COLUMN_TRIES);
	gap(o);
	output_coloured(o, OUTPUT_BOLD, "NEXT", COLUMN_NEXT);
	gap(o);
	output_coloured(o, OUTPUT_BOLD, "FROM -> TO", 0);
	buf_add_byte(&o->b, '\n');
}

static void
put_columns(struct rows *r, const struct msg_ctl_row *row)
{
	struct output *o = r->o;
	char id[B32_LENGTH];

	b32_encode(row->id, id);
	output_padded(o, span_of(id, sizeof(id)), B32_LENGTH);
	gap(o);
	output_age(o, row->arrived_at, r->now, COLUMN_AGE);
	gap(o);
	output_size(o, row->size, COLUMN_SIZE);
	gap(o);
	output_coloured(o, rows_state_colour(row->state),
	    rows_state_name(row->state), COLUMN_STATE);
	gap(o);
	output_number(o, row->tries, COLUMN_TRIES);
	gap(o);
	/* its time means nothing while it is held */
	if (row->state == STATE_HELD)
		output_padded(o, SPAN_LIT("-"), COLUMN_NEXT);
	else
		rows_put_until(r, row->due_at, COLUMN_NEXT);
	gap(o);
}

/* "ann@a.example -> bob@b.example, carol@c.example (+2)"; LAST is one that
 * can say why it waits, if there is any. */
static void
put_addresses(struct output *o, const struct msg_ctl_row *row,
    struct msg_ctl_recipient *last)
{
	struct msg_list list = row->recipients;
	struct msg_ctl_recipient r;
	uint32_t named = 0;

	rows_put_sender(o, row->sender);
	buf_add_str(&o->b, " -> ");
	while (msg_next_ctl_recipient(&list, &r)) {
		if (!rows_is_open(&r))
			continue;
		if (!rows_has_reason(last) && rows_has_reason(&r))
			*last = r;
		/* further ones are read for their reason only */
		if (named >= NAMED_MAX)
			continue;
		if (named++ > 0)
			buf_add_str(&o->b, ", ");
		output_text(o, r.address);
	}
	if (row->left > named)
		buf_addf(&o->b, " (+%u)", (unsigned)(row->left - named));
	buf_add_byte(&o->b, '\n');
}

/* The reason has a line of its own: it is the longest part and often the one
 * that is looked for. */
static void
list_for_people(struct rows *r, const struct msg_ctl_row *row)
{
	struct msg_ctl_recipient last = { .last_at = 0 };

	if (!r->has_head)
		put_column_names(r);
	put_columns(r, row);
	put_addresses(r->o, row, &last);
	if (rows_has_reason(&last)) {
		output_padded(r->o, SPAN_NONE, B32_LENGTH + 2);
		rows_put_reason(r->o, &last);
		buf_add_byte(&r->o->b, '\n');
	}
}

/* `recipients` are those still to be served; what a row had no room for is
 * counted, so that nobody takes a part for the whole. */
static void
list_for_programs(struct rows *r, const struct msg_ctl_row *row)
{
	struct msg_list list = row->recipients;
	struct msg_ctl_recipient rcpt;
	uint32_t named = 0;

	rows_json_message(r, row);
	json_key(&r->json, "recipients");
	json_array(&r->json);
	while (msg_next_ctl_recipient(&list, &rcpt)) {
		if (!rows_is_open(&rcpt))
			continue;
		json_string(&r->json, rcpt.address);
		named++;
	}
	json_array_end(&r->json);
	if (row->left > named) {
		json_key(&r->json, "more_recipients");
		json_u64(&r->json, row->left - named);
	}
	rows_json_close(r);
}

void
rows_list(struct rows *r, const struct msg_ctl_row *row)
{
	r->count++;
	r->bytes += row->size;
	if (r->o->is_json)
		list_for_programs(r, row);
	else
		list_for_people(r, row);
	output_flush(r->o);
}

/* The sum is for people; a program counts the lines. */
void
rows_list_end(struct rows *r)
{
	if (r->o->is_json)
		return;
	buf_add_str(&r->o->b, "-- ");
	output_count(r->o, r->count, "message");
	if (r->count > 0) {
		buf_add_str(&r->o->b, ", ");
		output_size(r->o, r->bytes, 0);
	}
	buf_add_byte(&r->o->b, '\n');
}
