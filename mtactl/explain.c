/*
 * Written for somebody who was woken up: first what is wrong, then who said
 * so, then what happens without anybody doing anything.
 */
#include "mtactl/explain.h"

#include "common/base/b32.h"
#include "mtactl/events.h"
#include "mtactl/rows_private.h"

#include <string.h>

void
explain_init(struct explain *x, struct output *o, uint64_t now)
{
	*x = (struct explain){ .o = o, .now = now };
	buf_init(&x->reports, 64 * 1024);
}

void
explain_clear(struct explain *x)
{
	buf_clear(&x->reports);
}

/* ---- small parts ---- */

static void
put_id(struct output *o, uint64_t id)
{
	char text[B32_LENGTH];

	b32_encode(id, text);
	output_text(o, span_of(text, sizeof(text)));
}

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

static void
json_id(struct json *j, uint64_t id)
{
	char text[B32_LENGTH];

	b32_encode(id, text);
	json_string(j, span_of(text, sizeof(text)));
}

static void
json_flag(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}

static void
json_begin(struct explain *x, uint64_t id, bool is_queued)
{
	struct json *j = &x->json;

	json_init(j, &x->o->b);
	json_object(j);
	json_number(j, "v", 1);
	json_key(j, "id");
	json_id(j, id);
	json_flag(j, "is_queued", is_queued);
}

/* ---- a queued message ---- */

/* Names are part of the contract with scripts. */
static const char *
block_name(uint8_t block)
{
	static const char *const names[BLOCK_COUNT] = {
		[BLOCK_NONE] = "turn", [BLOCK_LEASED] = "delivering",
		[BLOCK_HELD] = "held", [BLOCK_TIME] = "retry",
		[BLOCK_BACK_OFF] = "destination", [BLOCK_PROBE] = "probe",
		[BLOCK_WINDOW] = "window", [BLOCK_RATE] = "rate",
		[BLOCK_SCARCE] = "busy", [BLOCK_NO_WORKER] = "no_worker",
		[BLOCK_STARTING] = "starting", [BLOCK_UNSYNCED] = "disk",
		[BLOCK_SETTLED] = "none", [BLOCK_RELEASE] = "release",
		[BLOCK_SUSPENDED] = "suspended",
	};

	return block < BLOCK_COUNT ? names[block] : "unknown";
}

/* What keeps it, as a sentence. */
static const char *
block_words(uint8_t block)
{
	static const char *const words[BLOCK_COUNT] = {
		[BLOCK_NONE] = "it is due, and its turn comes at once",
		[BLOCK_LEASED] = "it is being delivered this moment",
		[BLOCK_HELD] = "an operator holds the message, or its stored "
		    "bytes are damaged; nothing happens until it is released",
		[BLOCK_TIME] = "the last attempt failed for now; it waits for "
		    "the next one",
		[BLOCK_BACK_OFF] = "its destination failed as a whole; all "
		    "mail for it waits until one message was tried again",
		[BLOCK_PROBE] = "its destination failed as a whole; one other "
		    "message is out to see whether it is back",
		[BLOCK_WINDOW] = "as many messages are on their way to its "
		    "destination as may be; it waits for one to end",
		[BLOCK_RATE] = "its destination gets no more than the "
		    "configured rate; it waits for its turn",
		[BLOCK_SCARCE] = "everything is busy with other destinations; "
		    "it waits for its turn",
		[BLOCK_NO_WORKER] = "no delivery process is running; the "
		    "parent starts one (mtactl status)",
		[BLOCK_STARTING] = "queued has just started and waits to hear "
		    "what the delivery processes are at; some seconds at most",
		[BLOCK_UNSYNCED] = "it has just come and is being written to "
		    "the disk",
		[BLOCK_SETTLED] = "nothing more happens for it",
		[BLOCK_RELEASE] = "its sender asked that delivery begin "
		    "later",
		[BLOCK_SUSPENDED] = "mail for its destination is suspended "
		    "here; `mtactl dest resume` lets it go on",
	};

	return block < BLOCK_COUNT ? words[block] : "unknown";
}

static void
json_state(struct explain *x, const struct msg_ctl_state *m)
{
	struct json *j = &x->json;

	json_begin(x, m->id, true);
	json_text(j, "from", m->sender);
	json_number(j, "size", m->size);
	output_json_time(j, "arrived", m->arrived_at);
	output_json_time(j, "expires", m->expires_at);
	output_json_time(j, "warn", m->warn_at);
	json_flag(j, "is_warned", m->is_warned);
	json_flag(j, "is_held", m->is_held);
	json_flag(j, "is_quarantined", m->is_quarantined);
	json_flag(j, "is_report", m->is_report);
	json_number(j, "recipient_count", m->total);
	json_number(j, "left", m->left);
	json_key(j, "recipients");
	json_array(j);
}

void
explain_state(struct explain *x, const struct msg_ctl_state *m)
{
	struct output *o = x->o;

	x->is_open = x->is_queued = true;
	x->state = *m;
	x->state.sender = SPAN_NONE;
	if (o->is_json) {
		json_state(x, m);
		return;
	}
	buf_add_str(&o->b, "message ");
	put_id(o, m->id);
	buf_add_str(&o->b, " from ");
	rows_put_sender(o, m->sender);
	buf_add_str(&o->b, ", ");
	output_size(o, m->size, 0);
	buf_add_str(&o->b, ", came ");
	events_put_moment(o, m->arrived_at, x->now);
	buf_addf(&o->b, "\n%u of %u recipient%s still to be delivered\n",
	    (unsigned)m->left, (unsigned)m->total,
	    m->total == 1 ? " is" : "s are");
}

static void
json_why(struct json *j, const struct msg_ctl_why *m)
{
	json_object(j);
	json_text(j, "address", m->address);
	json_text(j, "state", span_str(rows_state_name(m->state)));
	json_text(j, "block", span_str(block_name(m->block)));
	output_json_time(j, "since", m->since_at);
	output_json_time(j, "until", m->until_at);
	output_json_time(j, "next", m->next_at);
	json_number(j, "tries", m->tries);
	output_json_time(j, "last", m->last_at);
	json_flag(j, "is_in_doubt", m->is_in_doubt);
	json_number(j, "code", m->code);
	json_text(j, "host", m->host);
	json_text(j, "text", m->text);
	json_text(j, "destination", m->destination);
	json_text(j, "reason", m->reason);
	json_number(j, "ahead", m->ahead);
	json_object_end(j);
}

static void
put_last(struct explain *x, const struct msg_ctl_why *m)
{
	struct output *o = x->o;

	if (m->last_at == 0) {
		buf_add_str(&o->b, "    it was not tried yet\n");
		return;
	}
	buf_addf(&o->b, "    %u %s, the last one ", (unsigned)m->tries,
	    m->tries == 1 ? "try" : "tries");
	output_age(o, m->last_at, x->now, 0);
	buf_add_str(&o->b, " ago");
	if (m->host.n > 0) {
		buf_add_str(&o->b, " at ");
		output_text(o, m->host);
	}
	buf_add_str(&o->b, ": ");
	events_put_reply(o, m->code, SPAN_NONE, m->text.n > 0 ? m->text :
	    SPAN_LIT("no answer"));
	buf_add_byte(&o->b, '\n');
	if (m->is_in_doubt)
		buf_add_str(&o->b, "    in doubt: the answer was never seen, "
		    "it may have been delivered\n");
}

/* Since when, and by whom. */
static void
put_suspension(struct explain *x, const struct msg_ctl_why *m)
{
	struct output *o = x->o;

	if (m->since_at != 0) {
		buf_add_str(&o->b, "    since ");
		events_put_moment(o, m->since_at, x->now);
		buf_add_byte(&o->b, '\n');
	}
	if (m->reason.n > 0) {
		buf_add_str(&o->b, "    ");
		output_text(o, m->reason);
		buf_add_byte(&o->b, '\n');
	}
}

static void
put_block(struct explain *x, const struct msg_ctl_why *m)
{
	struct output *o = x->o;

	buf_addf(&o->b, "    now: %s\n", block_words(m->block));
	if (m->block == BLOCK_BACK_OFF || m->block == BLOCK_PROBE) {
		if (m->since_at != 0) {
			buf_add_str(&o->b, "    it failed last ");
			events_put_moment(o, m->since_at, x->now);
			buf_add_byte(&o->b, '\n');
		}
		buf_add_str(&o->b, "    it said: ");
		output_text(o, m->reason.n > 0 ? m->reason :
		    SPAN_LIT("nothing that was kept"));
		buf_add_byte(&o->b, '\n');
	}
	if (m->block == BLOCK_SUSPENDED)
		put_suspension(x, m);
	if (m->next_at > x->now) {
		buf_add_str(&o->b, "    next try at ");
		events_put_moment(o, m->next_at, x->now);
		buf_add_byte(&o->b, '\n');
	}
	if (m->ahead > 1)
		buf_addf(&o->b, "    %u messages for that destination are "
		    "due\n", (unsigned)m->ahead);
}

void
explain_why(struct explain *x, const struct msg_ctl_why *m)
{
	struct output *o = x->o;

	if (!x->is_open)
		return;
	if (o->is_json) {
		json_why(&x->json, m);
		output_flush(o);
		return;
	}
	if (m->block != BLOCK_SETTLED && m->block != BLOCK_HELD)
		x->waiting++;
	buf_add_str(&o->b, "\n  ");
	output_text(o, m->address);
	buf_add_str(&o->b, "  ");
	output_coloured(o, rows_state_colour(m->state),
	    rows_state_name(m->state), 0);
	buf_add_byte(&o->b, '\n');
	put_last(x, m);
	put_block(x, m);
	output_flush(o);
}

/* It is held for that, or will be when it is to be given out next. */
static void
put_damage(struct output *o, const struct msg_ctl_state *s)
{
	buf_add_str(&o->b, "\nits stored bytes are damaged, and are not sent; "
	    "`mtactl spool check` says where\n");
	if (s->is_held) {
		buf_add_str(&o->b, "if the disk was at fault for a while, "
		    "`mtactl queue release id:");
		put_id(o, s->id);
		buf_add_str(&o->b, "` has it tried again\n");
	}
	buf_add_str(&o->b, "else tell its sender, who hears nothing of it, and "
	    "`mtactl queue delete id:");
	put_id(o, s->id);
	buf_add_str(&o->b, "`\n");
}

/* What the sender will hear, and when. */
static void
put_future(struct explain *x)
{
	const struct msg_ctl_state *s = &x->state;
	struct output *o = x->o;

	if (s->is_quarantined)
		put_damage(o, s);
	else if (s->is_held) {
		buf_add_str(&o->b, "\nit is held: `mtactl queue release id:");
		put_id(o, s->id);
		buf_add_str(&o->b, "` lets it go on\n");
	}
	buf_add_str(&o->b, "\nif it stays undelivered:\n");
	if (s->warn_at != 0) {
		buf_add_str(&o->b, "  the sender is told of the delay with "
		    "the first attempt after ");
		events_put_moment(o, s->warn_at, x->now);
		buf_add_byte(&o->b, '\n');
	} else if (s->is_warned) {
		buf_add_str(&o->b, "  the sender was told of the delay\n");
	}
	buf_add_str(&o->b, s->is_report ? "  it is a report: it is given up "
	    "with the first attempt after " :
	    "  it is given up, and the sender told, with the first attempt "
	    "after ");
	events_put_moment(o, s->expires_at, x->now);
	buf_add_byte(&o->b, '\n');
	if (x->waiting == 0)
		return;
	buf_add_str(&o->b, "not to wait: mtactl queue retry id:");
	put_id(o, s->id);
	buf_add_byte(&o->b, '\n');
}

/* ---- one that is gone ---- */

static void
note_report(struct explain *x, uint64_t id)
{
	buf_add(&x->reports, &id, sizeof(id));
	x->reports.is_failed = false;	/* the first ones are enough */
}

static bool
is_end(uint8_t kind)
{
	return kind == EVENT_DELIVERED || kind == EVENT_FAILED ||
	    kind == EVENT_EXPIRED || kind == EVENT_DISCARDED;
}

static void
begin_gone(struct explain *x, const struct msg_ctl_event *m)
{
	struct output *o = x->o;
	bool is_begun = m->kind == EVENT_ACCEPTED;

	x->is_open = true;
	if (o->is_json) {
		json_begin(x, m->id, false);
		json_text(&x->json, "from", is_begun ? m->who : SPAN_NONE);
		json_number(&x->json, "size", is_begun ? m->value : 0);
		output_json_time(&x->json, "arrived", is_begun ? m->at : 0);
		json_key(&x->json, "recipients");
		json_array(&x->json);
		return;
	}
	buf_add_str(&o->b, "message ");
	put_id(o, m->id);
	buf_add_str(&o->b, " is not queued any more");
	if (is_begun) {
		buf_add_str(&o->b, "\nfrom ");
		rows_put_sender(o, m->who);
		buf_add_str(&o->b, ", ");
		output_size(o, m->value, 0);
		buf_add_str(&o->b, ", came ");
		events_put_moment(o, m->at, x->now);
	}
	buf_add_str(&o->b, "\n\n");
}

static void
json_fate(struct json *j, const struct msg_ctl_event *m)
{
	json_object(j);
	json_text(j, "address", m->who);
	json_text(j, "fate", span_str(events_name(m->kind)));
	output_json_time(j, "at", m->at);
	json_text(j, "host", m->host);
	json_number(j, "code", m->code);
	json_text(j, "text", m->text);
	json_number(j, "tries", m->tries);
	json_object_end(j);
}

static void
put_fate(struct explain *x, const struct msg_ctl_event *m)
{
	static const char *const words[EVENT_COUNT] = {
		[EVENT_DELIVERED] = "was delivered",
		[EVENT_FAILED] = "was refused",
		[EVENT_EXPIRED] = "was given up, being too old",
		[EVENT_DISCARDED] = "was deleted",
	};
	struct output *o = x->o;

	buf_add_str(&o->b, "  ");
	output_text(o, m->who);
	buf_addf(&o->b, " %s ", words[m->kind]);
	events_put_moment(o, m->at, x->now);
	buf_add_str(&o->b, "\n    ");
	if (m->host.n + m->address.n > 0) {
		events_put_host(o, m->host, m->address);
		buf_add_str(&o->b, ": ");
	}
	events_put_reply(o, m->code, m->status, m->text);
	buf_add_byte(&o->b, '\n');
}

void
explain_event(struct explain *x, const struct msg_ctl_event *m)
{
	if (!x->is_open)
		begin_gone(x, m);
	if (m->kind == EVENT_REPORTED || m->kind == EVENT_NOTICED)
		note_report(x, m->value);
	if (!is_end(m->kind))
		return;
	if (x->o->is_json)
		json_fate(&x->json, m);
	else
		put_fate(x, m);
	output_flush(x->o);
}

static void
end_gone(struct explain *x)
{
	struct output *o = x->o;
	uint64_t id;

	if (o->is_json) {
		json_array_end(&x->json);
		json_key(&x->json, "reports");
		json_array(&x->json);
	}
	for (size_t at = 0; at + sizeof(id) <= x->reports.n;
	    at += sizeof(id)) {
		memcpy(&id, x->reports.p + at, sizeof(id));
		if (o->is_json) {
			json_id(&x->json, id);
			continue;
		}
		buf_add_str(&o->b, "  its sender was sent the report ");
		put_id(o, id);
		buf_add_byte(&o->b, '\n');
	}
}

void
explain_end(struct explain *x)
{
	if (!x->is_open)
		return;
	if (!x->is_queued)
		end_gone(x);
	else if (!x->o->is_json)
		put_future(x);
	if (!x->o->is_json)
		return;
	json_array_end(&x->json);
	json_object_end(&x->json);
	if (json_done(&x->json) != OK)
		x->o->is_failed = true;
	buf_add_byte(&x->o->b, '\n');
}
