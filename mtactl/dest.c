/*
 * What is wrong comes first and in words; figures are for those who look on.
 */
#include "mtactl/dest.h"

#include "common/base/units.h"
#include "mtactl/events.h"

#include <stdio.h>

enum {
	STATE_WIDTH = 10, NAME_WIDTH = 34, NUMBER_WIDTH = -8, RATE_WIDTH = -9,
	UNTIL_WIDTH = -9, LABEL_WIDTH = 12, LIMIT_WIDTH = 25,
	VALUE_WIDTH = 12,
};

/* Names are part of the contract with scripts. */
static const struct {
	const char *name;
	enum output_colour colour;
} states[DEST_STATE_COUNT] = {
	[DEST_OK] = { "ok", OUTPUT_GREEN },
	[DEST_BACK_OFF] = { "back_off", OUTPUT_YELLOW },
	[DEST_PROBE] = { "probe", OUTPUT_YELLOW },
	[DEST_SUSPENDED] = { "suspended", OUTPUT_RED },
};

static const char *
state_name(uint8_t state)
{
	return state < DEST_STATE_COUNT ? states[state].name : "unknown";
}

static enum output_colour
state_colour(uint8_t state)
{
	return state < DEST_STATE_COUNT ? states[state].colour : OUTPUT_PLAIN;
}

static uint64_t
in_memory(const struct msg_ctl_dest_row *row)
{
	return (uint64_t)row->leased + row->ready + row->waiting;
}

/* ---- for programs ---- */

static void
json_text(struct json *j, const char *key, struct span s)
{
	json_key(j, key);
	json_string(j, s);
}

static void
json_number(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

/* null: any number of messages. */
static void
json_rate(struct json *j, uint32_t count, uint32_t period_ms)
{
	json_key(j, "rate");
	if (count == 0) {
		json_null(j);
		return;
	}
	json_object(j);
	json_number(j, "messages", count);
	json_number(j, "period_ms", period_ms);
	json_object_end(j);
}

static void
json_group(struct json *j, const struct msg_ctl_dest_row *row)
{
	json_key(j, "group");
	if (row->group.n == 0) {
		json_null(j);
		return;
	}
	json_object(j);
	json_text(j, "name", row->group);
	json_number(j, "destinations", row->group_members);
	json_number(j, "leased", row->group_leased);
	json_number(j, "window_max", row->group_window);
	json_rate(j, row->group_count, row->group_ms);
	json_object_end(j);
}

static void
json_limits(struct json *j, const struct msg_ctl_dest_row *row)
{
	struct msg_list list = row->limits;
	struct msg_ctl_dest_limit limit;

	json_number(j, "queued", row->indexed + in_memory(row));
	json_key(j, "limits");
	json_array(j);
	while (msg_next_ctl_dest_limit(&list, &limit)) {
		json_object(j);
		json_text(j, "name", limit.name);
		json_text(j, "value", limit.value);
		json_text(j, "source", limit.source);
		json_object_end(j);
	}
	json_array_end(j);
}

static void
json_row(struct output *o, const struct msg_ctl_dest_row *row, bool is_whole)
{
	struct json j;

	json_init(&j, &o->b);
	json_object(&j);
	json_number(&j, "v", 1);
	json_text(&j, "destination", row->name);
	json_text(&j, "state", span_str(state_name(row->state)));
	json_text(&j, "why", row->why);
	json_text(&j, "suspended_as", row->stop);
	output_json_time(&j, "since", row->since_at);
	output_json_time(&j, "until", row->until_at);
	json_text(&j, "route", row->route);
	json_number(&j, "leased", row->leased);
	json_number(&j, "ready", row->ready);
	json_number(&j, "waiting", row->waiting);
	json_number(&j, "window", row->window);
	json_number(&j, "window_max", row->window_max);
	json_rate(&j, row->rate_count, row->rate_ms);
	json_number(&j, "failures", row->failures);
	output_json_time(&j, "failed", row->failed_at);
	json_text(&j, "status", row->status);
	json_text(&j, "text", row->text);
	json_group(&j, row);
	if (is_whole)
		json_limits(&j, row);
	json_object_end(&j);
	if (json_done(&j) != OK)
		o->is_failed = true;
	buf_add_byte(&o->b, '\n');
}

/* ---- for people: a list ---- */

void
dest_list_head(struct output *o)
{
	if (o->is_json)
		return;
	output_coloured(o, OUTPUT_BOLD, "STATE", STATE_WIDTH);
	output_coloured(o, OUTPUT_BOLD, " DESTINATION", NAME_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "LEASED", NUMBER_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "READY", NUMBER_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "WAITING", NUMBER_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "RATE", RATE_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "UNTIL", UNTIL_WIDTH);
	buf_add_byte(&o->b, '\n');
}

/* "6/1m", or "-" */
static struct span
rate_text(uint32_t count, uint32_t period_ms, char text[48])
{
	char period[UNITS_TEXT_SIZE];
	int n;

	if (count == 0)
		return SPAN_LIT("-");
	units_format_ms(period_ms, period);
	n = snprintf(text, 48, "%u/%s", (unsigned)count, period);
	return span_of(text, n > 0 ? (size_t)n : 0);
}

static void
put_until(struct output *o, uint64_t at, uint64_t now, int width)
{
	if (at > now)
		output_age(o, now, at, width);
	else
		output_padded(o, SPAN_LIT("-"), width);
}

/* Why it stands as it does, or what it said when it failed last. */
static void
put_reason(struct output *o, const struct msg_ctl_dest_row *row)
{
	bool is_suspended = row->state == DEST_SUSPENDED;

	if (row->state == DEST_OK || (is_suspended ? row->why.n :
	    row->text.n + row->status.n) == 0)
		return;
	output_padded(o, SPAN_NONE, STATE_WIDTH + 1);
	if (!is_suspended)
		events_put_reply(o, 0, row->status, row->text);
	else
		output_text(o, row->why);
	if (is_suspended && row->stop.n > 0 &&
	    !span_equal(row->stop, row->name)) {
		buf_add_str(&o->b, " (as ");
		output_text(o, row->stop);
		buf_add_byte(&o->b, ')');
	}
	buf_add_byte(&o->b, '\n');
}

void
dest_list(struct output *o, const struct msg_ctl_dest_row *row, uint64_t now)
{
	char rate[48];

	if (o->is_json) {
		json_row(o, row, false);
		return;
	}
	output_coloured(o, state_colour(row->state), state_name(row->state),
	    STATE_WIDTH);
	buf_add_byte(&o->b, ' ');
	output_padded(o, row->name, NAME_WIDTH - 1);
	output_number(o, row->leased, NUMBER_WIDTH);
	output_number(o, row->ready, NUMBER_WIDTH);
	output_number(o, row->waiting, NUMBER_WIDTH);
	output_padded(o, rate_text(row->rate_count, row->rate_ms, rate),
	    RATE_WIDTH);
	put_until(o, row->until_at, now, UNTIL_WIDTH);
	buf_add_byte(&o->b, '\n');
	put_reason(o, row);
}

/* ---- for people: one ---- */

static void
label(struct output *o, const char *text)
{
	output_coloured(o, OUTPUT_BOLD, text, LABEL_WIDTH);
}

static void
put_text(struct output *o, const char *name, struct span s)
{
	if (s.n == 0)
		return;
	label(o, name);
	output_text(o, s);
	buf_add_byte(&o->b, '\n');
}

static void
put_moment(struct output *o, const char *name, uint64_t at, uint64_t now)
{
	if (at == 0)
		return;
	label(o, name);
	events_put_moment(o, at, now);
	buf_add_byte(&o->b, '\n');
}

static void
put_state(struct output *o, const struct msg_ctl_dest_row *row, uint64_t now)
{
	label(o, "state");
	output_coloured(o, state_colour(row->state), state_name(row->state),
	    0);
	if (row->state == DEST_PROBE)
		buf_add_str(&o->b, ": one message goes to see whether it is "
		    "back");
	if (row->state == DEST_SUSPENDED && row->until_at == 0)
		buf_add_str(&o->b, " until it is resumed");
	buf_add_byte(&o->b, '\n');
	put_text(o, "why", row->why);
	if (!span_equal(row->stop, row->name))
		put_text(o, "resume", row->stop);
	put_moment(o, "since", row->since_at, now);
	put_moment(o, "until", row->until_at, now);
}

static void
put_figures(struct output *o, const struct msg_ctl_dest_row *row)
{
	char rate[48];

	label(o, "queued");
	output_count(o, row->indexed + in_memory(row), "message");
	if (row->is_here != 0)
		buf_addf(&o->b, ": %u under way, %u due, %u later, %llu in "
		    "the index", (unsigned)row->leased, (unsigned)row->ready,
		    (unsigned)row->waiting,
		    (unsigned long long)row->indexed);
	buf_add_byte(&o->b, '\n');
	if (row->is_here == 0)
		return;
	label(o, "window");
	buf_addf(&o->b, "%u under way at once", (unsigned)row->window);
	if (row->window_max > 0)
		buf_addf(&o->b, ", never more than %u",
		    (unsigned)row->window_max);
	buf_add_byte(&o->b, '\n');
	if (row->rate_count > 0)
		put_text(o, "rate", rate_text(row->rate_count, row->rate_ms,
		    rate));
}

static void
put_failure(struct output *o, const struct msg_ctl_dest_row *row,
    uint64_t now)
{
	if (row->failures == 0)
		return;
	label(o, "failed");
	buf_addf(&o->b, "%u time%s, last ", (unsigned)row->failures,
	    row->failures == 1 ? "" : "s");
	events_put_moment(o, row->failed_at, now);
	buf_add_byte(&o->b, '\n');
	if (row->text.n + row->status.n == 0)
		return;
	label(o, "it said");
	events_put_reply(o, 0, row->status, row->text);
	buf_add_byte(&o->b, '\n');
}

static void
put_group(struct output *o, const struct msg_ctl_dest_row *row)
{
	if (row->group.n == 0)
		return;
	label(o, "group");
	output_text(o, row->group);
	buf_add_str(&o->b, ", with ");
	output_count(o, row->group_members, "destination");
	buf_addf(&o->b, ", %u under way\n", (unsigned)row->group_leased);
}

static void
put_limits(struct output *o, const struct msg_ctl_dest_row *row)
{
	struct msg_list list = row->limits;
	struct msg_ctl_dest_limit limit;

	if (list.n == 0)
		return;
	buf_add_byte(&o->b, '\n');
	output_coloured(o, OUTPUT_BOLD, "LIMIT", LIMIT_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "VALUE", VALUE_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "FROM", 0);
	buf_add_byte(&o->b, '\n');
	while (msg_next_ctl_dest_limit(&list, &limit)) {
		output_padded(o, limit.name, LIMIT_WIDTH);
		output_padded(o, limit.value, VALUE_WIDTH);
		output_text(o, limit.source);
		buf_add_byte(&o->b, '\n');
	}
}

void
dest_show(struct output *o, const struct msg_ctl_dest_row *row, uint64_t now)
{
	if (o->is_json) {
		json_row(o, row, true);
		return;
	}
	put_text(o, "destination", row->name);
	put_state(o, row, now);
	put_text(o, "route", row->route);
	put_figures(o, row);
	put_failure(o, row, now);
	put_group(o, row);
	put_limits(o, row);
}
