/*
 * `message show`: everything about one message, in the order in which queued
 * sends it: row, recipients, header, end.  In JSON the array of recipients
 * stays open until the header comes or the answer ends.
 */
#include "mtactl/rows.h"

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "mtactl/rows_private.h"

enum { LABEL_WIDTH = 12 };

static void
label(struct rows *r, const char *text)
{
	output_coloured(r->o, OUTPUT_BOLD, text, LABEL_WIDTH);
}

static void
end_line(struct rows *r)
{
	buf_add_byte(&r->o->b, '\n');
}

/* "2026-11-22T10:00:00.123Z (2h13m ago)" */
static void
put_moment(struct rows *r, const char *name, uint64_t at)
{
	char text[MTIME_UTC_SIZE];

	label(r, name);
	mtime_format_utc((int64_t)at, text);
	buf_add_str(&r->o->b, text);
	if (at > r->now) {
		buf_add_str(&r->o->b, " (in ");
		output_age(r->o, r->now, at, 0);
		buf_add_str(&r->o->b, ")");
	} else {
		buf_add_str(&r->o->b, " (");
		output_age(r->o, at, r->now, 0);
		buf_add_str(&r->o->b, " ago)");
	}
	end_line(r);
}

/* Who brought it, as smtpd saw it and as it called itself. */
static void
put_client(struct rows *r, const struct msg_ctl_row *row)
{
	if (row->client.n == 0 && row->helo.n == 0)
		return;			/* a report of our own */
	label(r, "client");
	output_text(r->o, row->client);
	if (row->helo.n > 0) {
		buf_add_str(&r->o->b, " (");
		output_text(r->o, row->helo);
		buf_add_byte(&r->o->b, ')');
	}
	end_line(r);
}

/* Who authenticated. */
static void
put_user(struct rows *r, const struct msg_ctl_row *row)
{
	if (row->user.n == 0)
		return;
	label(r, "user");
	output_text(r->o, row->user);
	end_line(r);
}

/* Begun, and neither delivered nor ended otherwise. */
static uint32_t
waiting(const struct rows *r, const struct msg_ctl_row *row)
{
	uint32_t later = row->total - r->list.begun;

	return row->left > later ? row->left - later : 0;
}

/* "20000: 12000 wait, 7000 delivered, 1000 failed, 0 expired, 0 deleted" */
static void
put_begun(struct rows *r, const struct msg_ctl_row *row)
{
	const struct msg_ctl_list *l = &r->list;

	if (!r->has_list)
		return;
	label(r, "begun");
	buf_addf(&r->o->b, "%u: %u wait", (unsigned)l->begun,
	    (unsigned)waiting(r, row));
	if (l->is_known)
		buf_addf(&r->o->b, ", %u delivered, %u failed, %u expired, "
		    "%u deleted", (unsigned)l->delivered,
		    (unsigned)l->failed, (unsigned)l->expired,
		    (unsigned)l->deleted);
	else
		buf_add_str(&r->o->b, "; of the others no history is kept");
	end_line(r);
}

static void
json_begun(struct rows *r, const struct msg_ctl_row *row)
{
	const struct msg_ctl_list *l = &r->list;
	const struct { const char *name; uint32_t n; } ends[] = {
		{ "delivered", l->delivered }, { "failed", l->failed },
		{ "expired", l->expired }, { "deleted", l->deleted },
	};

	if (!r->has_list)
		return;
	json_key(&r->json, "begun");
	json_u64(&r->json, l->begun);
	json_key(&r->json, "waiting");
	json_u64(&r->json, waiting(r, row));
	for (size_t i = 0; l->is_known && i < COUNT_OF(ends); i++) {
		json_key(&r->json, ends[i].name);
		json_u64(&r->json, ends[i].n);
	}
}

/* No time of a next try where there is none: held, leased or done. */
static void
show_for_people(struct rows *r, const struct msg_ctl_row *row)
{
	char id[B32_LENGTH];

	b32_encode(row->id, id);
	label(r, "message");
	output_text(r->o, span_of(id, sizeof(id)));
	end_line(r);
	label(r, "state");
	output_coloured(r->o, rows_state_colour(row->state),
	    rows_state_name(row->state), 0);
	end_line(r);
	label(r, "from");
	rows_put_sender(r->o, row->sender);
	end_line(r);
	put_client(r, row);
	put_user(r, row);
	put_moment(r, "arrived", row->arrived_at);
	if (row->state == STATE_DEFERRED && row->due_at < (uint64_t)INT64_MAX)
		put_moment(r, "next try", row->due_at);
	put_moment(r, "expires", row->expires_at);
	label(r, "size");
	output_size(r->o, row->size, 0);
	end_line(r);
	label(r, "recipients");
	buf_addf(&r->o->b, "%u of %u left", (unsigned)row->left,
	    (unsigned)row->total);
	if (row->parts > 0)
		buf_addf(&r->o->b, ", now in %u messages of their own",
		    (unsigned)row->parts);
	end_line(r);
	put_begun(r, row);
	if (row->list == 0)
		return;
	b32_encode(row->list, id);
	label(r, "part of");
	output_text(r->o, span_of(id, sizeof(id)));
	end_line(r);
}

/* bob@example.net  deferred, 3 tries, last 2m10s ago, next in 4m05s
 *     451 4.7.1 come back later (mx.example.net) */
static void
put_recipient(struct rows *r, const struct msg_ctl_recipient *rcpt)
{
	struct output *o = r->o;

	buf_add_str(&o->b, "  ");
	output_text(o, rcpt->address);
	buf_add_str(&o->b, "  ");
	output_coloured(o, rows_state_colour(rcpt->state),
	    rows_state_name(rcpt->state), 0);
	if (rcpt->tries > 0)
		buf_addf(&o->b, ", %u %s", (unsigned)rcpt->tries,
		    rcpt->tries == 1 ? "try" : "tries");
	if (rcpt->last_at != 0) {
		buf_add_str(&o->b, ", last ");
		output_age(o, rcpt->last_at, r->now, 0);
		buf_add_str(&o->b, " ago");
	}
	if (rcpt->state == STATE_DEFERRED && rcpt->due_at > r->now) {
		buf_add_str(&o->b, ", next in ");
		rows_put_until(r, rcpt->due_at, 0);
	}
	end_line(r);
	if (rows_has_reason(rcpt)) {
		buf_add_str(&o->b, "      ");
		rows_put_reason(o, rcpt);
		end_line(r);
	}
}

static void
json_recipient(struct json *j, const struct msg_ctl_recipient *rcpt)
{
	json_object(j);
	json_key(j, "address");
	json_string(j, rcpt->address);
	json_key(j, "state");
	json_str(j, rows_state_name(rcpt->state));
	json_key(j, "tries");
	json_u64(j, rcpt->tries);
	output_json_time(j, "due", rcpt->due_at);
	output_json_time(j, "last", rcpt->last_at);
	json_key(j, "code");
	json_u64(j, rcpt->code);
	json_key(j, "host");
	json_string(j, rcpt->host);
	json_key(j, "text");
	json_string(j, rcpt->text);
	json_object_end(j);
}

/* Ignored without a row: the answer was begun wrongly. */
void
rows_show_more(struct rows *r, struct msg_list recipients)
{
	struct msg_ctl_recipient rcpt;

	if (!r->is_open)
		return;
	while (msg_next_ctl_recipient(&recipients, &rcpt)) {
		if (r->o->is_json)
			json_recipient(&r->json, &rcpt);
		else
			put_recipient(r, &rcpt);
	}
	output_flush(r->o);
}

void
rows_show_list(struct rows *r, const struct msg_ctl_list *list)
{
	r->has_list = true;
	r->list = *list;
}

/* Recipients that didn't fit into the row's message follow by
 * rows_show_more(). */
void
rows_show(struct rows *r, const struct msg_ctl_row *row)
{
	r->is_open = true;
	if (r->o->is_json) {
		rows_json_message(r, row);
		json_begun(r, row);
		json_key(&r->json, "recipients");
		json_array(&r->json);
	} else {
		show_for_people(r, row);
	}
	rows_show_more(r, row->recipients);
}

/* Each line escaped by itself; a tab is harmless. */
static void
put_head(struct rows *r, struct span bytes)
{
	output_coloured(r->o, OUTPUT_BOLD, "header", 0);
	end_line(r);
	while (bytes.n > 0) {
		size_t n = span_find(bytes, '\n');
		struct span line = span_sub(bytes, 0, n);

		bytes = span_from(bytes, n < bytes.n ? n + 1 : n);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0 && bytes.n == 0)
			break;		/* the empty line that ends it */
		buf_add_str(&r->o->b, "  ");
		while (line.n > 0) {
			size_t tab = span_find(line, '\t');

			output_text(r->o, span_sub(line, 0, tab));
			if (tab < line.n)
				buf_add_byte(&r->o->b, '\t');
			line = span_from(line, tab + 1);
		}
		end_line(r);
	}
}

/* For programs as it is, in one string, with its line ends. */
void
rows_show_head(struct rows *r, struct span bytes)
{
	if (!r->is_open)
		return;
	if (!r->o->is_json) {
		put_head(r, bytes);
		return;
	}
	json_array_end(&r->json);
	json_key(&r->json, "header");
	json_string(&r->json, bytes);
	rows_json_close(r);
	r->is_open = false;
}

void
rows_show_end(struct rows *r)
{
	/* no header came: the content can't be read, or the answer broke
	 * off */
	if (r->is_open && r->o->is_json) {
		json_array_end(&r->json);
		rows_json_close(r);
	}
	r->is_open = false;
}
