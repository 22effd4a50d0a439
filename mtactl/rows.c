/*
 * What the list and the single message have in common: names, colours,
 * reasons, and the members of the JSON object.
 *
 * A JSON object is written straight into the output and stays open while its
 * recipients come, in several messages for a large one; nothing of a message
 * is kept in memory.
 */
#include "mtactl/rows.h"

#include "mtactl/rows_private.h"

#define NEVER ((uint64_t)INT64_MAX)

void
rows_init(struct rows *r, struct output *o, uint64_t now)
{
	memset(r, 0, sizeof(*r));
	r->o = o;
	r->now = now;
}

/* A newer queued isn't met here (one build), but a number from outside never
 * indexes a table unchecked. */
const char *
rows_state_name(uint8_t state)
{
	static const char *const names[STATE_COUNT] = {
		[STATE_ACTIVE] = "active", [STATE_DEFERRED] = "deferred",
		[STATE_HELD] = "held", [STATE_DELIVERED] = "delivered",
		[STATE_FAILED] = "failed", [STATE_DELETED] = "deleted",
	};

	return state < STATE_COUNT ? names[state] : "unknown";
}

enum output_colour
rows_state_colour(uint8_t state)
{
	switch (state) {
	case STATE_ACTIVE:
	case STATE_DELIVERED:
		return OUTPUT_GREEN;
	case STATE_DEFERRED:
		return OUTPUT_YELLOW;
	case STATE_FAILED:
		return OUTPUT_RED;
	case STATE_HELD:
		return OUTPUT_BOLD;
	default:
		return OUTPUT_PLAIN;
	}
}

bool
rows_is_open(const struct msg_ctl_recipient *r)
{
	return r->state == STATE_ACTIVE || r->state == STATE_DEFERRED ||
	    r->state == STATE_HELD;
}

void
rows_put_until(struct rows *r, uint64_t at, int width)
{
	if (at >= NEVER)
		output_padded(r->o, SPAN_LIT("-"), width);
	else if (at <= r->now)
		output_padded(r->o, SPAN_LIT("now"), width);
	else
		output_age(r->o, r->now, at, width);
}

/* The null sender of reports would else be an empty column. */
void
rows_put_sender(struct output *o, struct span sender)
{
	output_text(o, sender.n > 0 ? sender : SPAN_LIT("<>"));
}

/* A time alone is none: it was tried, and nobody said anything. */
bool
rows_has_reason(const struct msg_ctl_recipient *r)
{
	return r->last_at != 0 && (r->text.n > 0 || r->code != 0);
}

void
rows_put_reason(struct output *o, const struct msg_ctl_recipient *r)
{
	if (r->code != 0) {
		buf_add_u64(&o->b, r->code);
		buf_add_byte(&o->b, ' ');
	}
	output_text(o, r->text);
	if (r->host.n > 0) {
		buf_add_str(&o->b, " (");
		output_text(o, r->host);
		buf_add_byte(&o->b, ')');
	}
}

/* The members are a contract with scripts: mtactl(1) has them, and `v` counts
 * changes that would break one. */
void
rows_json_message(struct rows *r, const struct msg_ctl_row *row)
{
	struct json *j = &r->json;
	char id[B32_LENGTH];

	b32_encode(row->id, id);
	json_init(j, &r->o->b);
	json_object(j);
	json_key(j, "v");
	json_u64(j, 1);
	json_key(j, "id");
	json_string(j, span_of(id, sizeof(id)));
	json_key(j, "state");
	json_str(j, rows_state_name(row->state));
	json_key(j, "from");
	json_string(j, row->sender);
	json_key(j, "size");
	json_u64(j, row->size);
	output_json_time(j, "arrived", row->arrived_at);
	output_json_time(j, "due", row->due_at);
	output_json_time(j, "expires", row->expires_at);
	json_key(j, "tries");
	json_u64(j, row->tries);
	json_key(j, "total");
	json_u64(j, row->total);
	json_key(j, "left");
	json_u64(j, row->left);
	if (row->parts > 0) {
		json_key(j, "parts");
		json_u64(j, row->parts);
	}
	if (row->list != 0) {
		b32_encode(row->list, id);
		json_key(j, "list");
		json_string(j, span_of(id, sizeof(id)));
	}
	json_key(j, "client");
	json_string(j, row->client);
	json_key(j, "helo");
	json_string(j, row->helo);
	if (row->user.n > 0) {
		json_key(j, "user");
		json_string(j, row->user);
	}
}

/* The failure is the output's, which main() looks at. */
void
rows_json_close(struct rows *r)
{
	json_object_end(&r->json);
	if (json_done(&r->json) != OK)
		r->o->is_failed = true;
	buf_add_byte(&r->o->b, '\n');
}
