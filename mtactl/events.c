/*
 * One table says how an event is called, by people and by programs; then it is
 * one line, with what the event knows in the order in which a person asks: who,
 * where, what was said, what comes next.
 */
#include "mtactl/events.h"

#include "common/base/b32.h"
#include "common/base/mtime.h"

#include <string.h>

enum { NAME_WIDTH = 12, INDENT = 26 };

static const struct {
	const char *name;		/* part of the contract with scripts */
	enum output_colour colour;
} kinds[EVENT_COUNT] = {
	[EVENT_ACCEPTED] = { "accepted", OUTPUT_BOLD },
	[EVENT_RECIPIENTS] = { "recipients", OUTPUT_BOLD },
	[EVENT_ATTEMPT] = { "attempt", OUTPUT_DIM },
	[EVENT_DELIVERED] = { "delivered", OUTPUT_GREEN },
	[EVENT_DEFERRED] = { "deferred", OUTPUT_YELLOW },
	[EVENT_FAILED] = { "failed", OUTPUT_RED },
	[EVENT_IN_DOUBT] = { "in_doubt", OUTPUT_YELLOW },
	[EVENT_EXPIRED] = { "expired", OUTPUT_RED },
	[EVENT_DISCARDED] = { "discarded", OUTPUT_RED },
	[EVENT_HELD] = { "held", OUTPUT_BOLD },
	[EVENT_RELEASED] = { "released", OUTPUT_BOLD },
	[EVENT_RETRIED] = { "retried", OUTPUT_BOLD },
	[EVENT_REPORTED] = { "reported", OUTPUT_BOLD },
	[EVENT_NOTICED] = { "delay_told", OUTPUT_BOLD },
	[EVENT_QUARANTINED] = { "quarantined", OUTPUT_RED },
	[EVENT_DELETED] = { "deleted", OUTPUT_RED },
	[EVENT_PART] = { "part", OUTPUT_BOLD },
	[EVENT_BEGUN] = { "all_begun", OUTPUT_GREEN },
};

/* How far an attempt came. */
static const char *const stages[STAGE_COUNT] = {
	[STAGE_RESOLVE] = "resolve", [STAGE_CONNECT] = "connect",
	[STAGE_GREETING] = "greeting", [STAGE_HELLO] = "hello",
	[STAGE_TLS] = "tls", [STAGE_AUTH] = "auth", [STAGE_MAIL] = "mail",
	[STAGE_RCPT] = "rcpt", [STAGE_DATA] = "data",
	[STAGE_CONTENT] = "content", [STAGE_FINAL] = "final",
};

const char *
events_name(uint8_t kind)
{
	return kind < EVENT_COUNT ? kinds[kind].name : "unknown";
}

static const char *
stage_name(uint8_t stage)
{
	return stage < STAGE_COUNT ? stages[stage] : "unknown";
}

static bool
is_result(uint8_t kind)
{
	return kind >= EVENT_DELIVERED && kind <= EVENT_DISCARDED;
}

/* ---- small parts ---- */

void
events_put_time(struct output *o, uint64_t at)
{
	char text[MTIME_UTC_SIZE];

	mtime_format_utc((int64_t)at, text);
	buf_add_str(&o->b, text);
}

void
events_put_moment(struct output *o, uint64_t at, uint64_t now)
{
	events_put_time(o, at);
	if (at > now) {
		buf_add_str(&o->b, " (in ");
		output_age(o, now, at, 0);
		buf_add_str(&o->b, ")");
	} else {
		buf_add_str(&o->b, " (");
		output_age(o, at, now, 0);
		buf_add_str(&o->b, " ago)");
	}
}

void
events_put_host(struct output *o, struct span host, struct span address)
{
	output_text(o, host.n > 0 ? host : address);
	if (host.n == 0 || address.n == 0 || span_equal(host, address))
		return;
	buf_add_str(&o->b, " (");
	output_text(o, address);
	buf_add_str(&o->b, ")");
}

/* The words nearly always begin with the status: it is not said twice. */
void
events_put_reply(struct output *o, uint16_t code, struct span status,
    struct span text)
{
	if (code != 0)
		buf_addf(&o->b, "%u ", (unsigned)code);
	if (status.n > 0 && !span_starts_nocase(text, status)) {
		output_text(o, status);
		buf_add_str(&o->b, text.n > 0 ? " " : "");
	}
	output_text(o, text);
}

static void
put_id(struct output *o, uint64_t id)
{
	char text[B32_LENGTH];

	b32_encode(id, text);
	output_text(o, span_of(text, sizeof(text)));
}

/* ---- for people ---- */

static void
put_names(struct output *o, struct msg_list list)
{
	struct msg_ctl_name name;

	while (msg_next_ctl_name(&list, &name)) {
		buf_addf(&o->b, "\n%*sto ", INDENT + NAME_WIDTH, "");
		output_text(o, name.address);
	}
}

static void
put_accepted(struct output *o, const struct msg_ctl_event *m)
{
	buf_add_str(&o->b, m->is_report ? "a report of our own, from " :
	    "from ");
	output_text(o, m->who.n > 0 ? m->who : SPAN_LIT("<>"));
	if (m->client.n > 0) {
		buf_add_str(&o->b, ", by client ");
		output_text(o, m->client);
	}
	if (m->helo.n > 0) {
		buf_add_str(&o->b, " (");
		output_text(o, m->helo);
		buf_add_str(&o->b, ")");
	}
	buf_add_str(&o->b, ", ");
	output_size(o, m->value, 0);
	buf_addf(&o->b, ", %u recipient%s", (unsigned)m->total,
	    m->total == 1 ? "" : "s");
	put_names(o, m->recipients);
}

static void
put_attempt(struct output *o, const struct msg_ctl_event *m)
{
	events_put_host(o, m->host, m->address);
	if (m->tls.n > 0) {
		buf_add_str(&o->b, ", ");
		output_text(o, m->tls);
	}
	buf_addf(&o->b, ", %u.%03us, ended at %s", m->duration_ms / 1000,
	    m->duration_ms % 1000, stage_name(m->stage));
	if (m->code != 0 || m->text.n > 0) {
		buf_add_str(&o->b, ": ");
		events_put_reply(o, m->code, SPAN_NONE, m->text);
	}
}

static void
put_result(struct output *o, const struct msg_ctl_event *m, uint64_t now)
{
	output_text(o, m->who);
	if (m->host.n + m->address.n > 0) {
		buf_add_str(&o->b, m->kind == EVENT_DELIVERED ? " to " :
		    " at ");
		events_put_host(o, m->host, m->address);
	}
	if (m->code != 0 || m->text.n > 0 || m->status.n > 0) {
		buf_add_str(&o->b, ": ");
		events_put_reply(o, m->code, m->status, m->text);
	}
	if (m->next_at == 0)
		return;
	buf_addf(&o->b, "\n%*safter try %u; the next one at ",
	    INDENT + NAME_WIDTH, "", (unsigned)m->tries);
	events_put_moment(o, m->next_at, now);
}

static void
put_action(struct output *o, const struct msg_ctl_event *m)
{
	if (m->kind == EVENT_REPORTED)
		buf_add_str(&o->b, "to the sender, by message ");
	else if (m->kind == EVENT_NOTICED)
		buf_add_str(&o->b, "the sender hears of the delay, by message ");
	else if (m->kind == EVENT_QUARANTINED)
		buf_add_str(&o->b, "it is not given out: ");
	else if (m->kind == EVENT_PART)
		buf_add_str(&o->b, "further recipients are message ");
	else if (m->kind == EVENT_BEGUN)
		buf_add_str(&o->b, "all recipients are in its parts");
	else
		buf_add_str(&o->b, "by ");
	if (m->kind == EVENT_REPORTED || m->kind == EVENT_NOTICED ||
	    m->kind == EVENT_PART)
		put_id(o, m->value);
	else if (m->kind != EVENT_BEGUN)
		output_text(o, m->who);
}

static void
show_for_people(struct events *e, const struct msg_ctl_event *m)
{
	struct output *o = e->o;

	if (e->id != m->id) {
		buf_add_str(&o->b, "message ");
		put_id(o, m->id);
		buf_add_byte(&o->b, '\n');
	}
	if (m->kind == EVENT_RECIPIENTS) {
		put_names(o, m->recipients);
		buf_add_byte(&o->b, '\n');
		return;
	}
	events_put_time(o, m->at);
	buf_add_str(&o->b, "  ");
	output_coloured(o, m->kind < EVENT_COUNT ? kinds[m->kind].colour :
	    OUTPUT_PLAIN, events_name(m->kind), NAME_WIDTH);
	if (m->kind == EVENT_ACCEPTED)
		put_accepted(o, m);
	else if (m->kind == EVENT_ATTEMPT)
		put_attempt(o, m);
	else if (is_result(m->kind))
		put_result(o, m, e->now);
	else
		put_action(o, m);
	buf_add_byte(&o->b, '\n');
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

static void
json_id(struct json *j, const char *key, uint64_t id)
{
	char text[B32_LENGTH];

	b32_encode(id, text);
	json_text(j, key, span_of(text, sizeof(text)));
}

static void
json_names(struct json *j, struct msg_list list)
{
	struct msg_ctl_name name;

	json_key(j, "recipients");
	json_array(j);
	while (msg_next_ctl_name(&list, &name))
		json_string(j, name.address);
	json_array_end(j);
}

static void
json_host(struct json *j, const struct msg_ctl_event *m)
{
	json_text(j, "host", m->host);
	json_text(j, "address", m->address);
	json_text(j, "tls", m->tls);
	json_text(j, "stage", m->host.n + m->address.n > 0 ?
	    span_str(stage_name(m->stage)) : SPAN_NONE);
	json_number(j, "duration_ms", m->duration_ms);
	json_number(j, "code", m->code);
	json_text(j, "text", m->text);
}

static void
json_members(struct json *j, const struct msg_ctl_event *m)
{
	if (m->kind == EVENT_ACCEPTED) {
		json_text(j, "from", m->who);
		json_text(j, "client", m->client);
		json_text(j, "helo", m->helo);
		json_number(j, "size", m->value);
		json_key(j, "is_report");
		json_bool(j, m->is_report);
		json_number(j, "recipient_count", m->total);
		json_names(j, m->recipients);
	} else if (m->kind == EVENT_RECIPIENTS) {
		json_names(j, m->recipients);
	} else if (m->kind == EVENT_ATTEMPT) {
		json_host(j, m);
	} else if (is_result(m->kind)) {
		json_text(j, "to", m->who);
		json_host(j, m);
		json_text(j, "status", m->status);
		json_number(j, "tries", m->tries);
		output_json_time(j, "next", m->next_at);
	} else if (m->kind == EVENT_REPORTED || m->kind == EVENT_NOTICED) {
		json_id(j, "report", m->value);
	} else if (m->kind == EVENT_PART) {
		json_id(j, "part", m->value);
	} else if (m->kind != EVENT_BEGUN) {
		json_text(j, "by", m->who);
	}
}

static void
show_json(struct events *e, const struct msg_ctl_event *m)
{
	struct json j;

	json_init(&j, &e->o->b);
	json_object(&j);
	json_number(&j, "v", 1);
	json_id(&j, "id", m->id);
	json_text(&j, "event", span_str(events_name(m->kind)));
	output_json_time(&j, "at", m->at);
	json_members(&j, m);
	json_object_end(&j);
	if (json_done(&j) != OK)
		e->o->is_failed = true;
	buf_add_byte(&e->o->b, '\n');
}

void
events_init(struct events *e, struct output *o, uint64_t now)
{
	*e = (struct events){ .o = o, .now = now };
}

void
events_show(struct events *e, const struct msg_ctl_event *m)
{
	if (e->o->is_json)
		show_json(e, m);
	else
		show_for_people(e, m);
	e->id = m->id;
	output_flush(e->o);
}
