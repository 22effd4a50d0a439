/*
 * What the journal says of a message as events for people and programs.
 */
#include "queued/ctl_events.h"

#include "common/base/check.h"
#include "common/base/ipaddr.h"
#include "queued/ctl_names.h"
#include "queued/ctl_private.h"
#include "queued/store/store_read.h"

#include <stdio.h>

void
ctl_events_init(struct ctl_events *e, struct ctl_session *s)
{
	*e = (struct ctl_events){ .s = s };
	buf_init(&e->hosts, JOURNAL_RECORD_MAX * 2);
	buf_init(&e->list, 2 * 1024 * 1024);
	ctl_names_init(&e->names);
}

void
ctl_events_clear(struct ctl_events *e)
{
	buf_clear(&e->hosts);
	buf_clear(&e->list);
	ctl_names_clear(&e->names);
}

/* ---- names ---- */

static bool
add_names(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct ctl_events *e = ctx;

	(void)m;
	for (size_t i = 0; units[i] != NULL; i++)
		for (uint32_t r = 0; r < units[i]->count; r++)
			ctl_names_add(&e->names, units[i]->number, r,
			    units[i]->recipients[r].address);
	return true;
}

/* Of an old message whose begin the journal has no more the queue may still
 * know the recipients; else they have numbers only. */
static struct span
name_of(struct ctl_events *e, uint64_t unit, uint64_t row, char number[48])
{
	struct span name = ctl_names_find(&e->names, unit, row);

	if (name.n == 0 && !e->has_looked_up) {
		e->has_looked_up = true;
		(void)store_show(e->s->q->store, e->id, add_names, e);
		name = ctl_names_find(&e->names, unit, row);
	}
	if (name.n > 0)
		return name;
	snprintf(number, 48, "#%llu.%llu", (unsigned long long)unit,
	    (unsigned long long)row);
	return span_str(number);
}

/* ---- telling ---- */

static void
send_event(struct ctl_events *e, struct msg *m)
{
	e->told++;
	m->type = MSG_ctl_event;
	m->ctl_event.id = e->id;
	ctl_send(e->s, m);
}

/* Values of a record may be anything. */
static uint32_t
u32(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static struct span
word(struct span s)
{
	return span_sub(s, 0, JOURNAL_NAME_MAX);
}

/* Those of a record fit into one message: there are at most some thousand,
 * and at least two bytes each. */
static void
send_recipients(struct ctl_events *e, struct span list, struct msg *m)
{
	struct journal_recipient r;
	uint32_t n = 0;

	buf_reset(&e->list);
	while (journal_recipient_next(&list, &r)) {
		struct msg_ctl_name name = { .address = word(r.address) };

		ctl_names_add(&e->names, r.unit, r.row, r.address);
		if (n == 1000) {
			m->ctl_event.recipients.n = n;
			m->ctl_event.recipients.bytes = buf_span(&e->list);
			send_event(e, m);
			memset(m, 0, sizeof(*m));
			m->ctl_event.kind = EVENT_RECIPIENTS;
			buf_reset(&e->list);
			n = 0;
		}
		msg_put_ctl_name(&e->list, &name);
		n++;
	}
	m->ctl_event.recipients.n = buf_failed(&e->list) ? 0 : n;
	m->ctl_event.recipients.bytes = m->ctl_event.recipients.n > 0 ?
	    buf_span(&e->list) : SPAN_NONE;
	send_event(e, m);
}

static void
tell_accepted(struct ctl_events *e, const struct journal_record *r)
{
	char client[IPADDR_TEXT_SIZE] = "";
	struct journal_accepted a;
	struct msg m = { .type = MSG_ctl_event };

	if (journal_accepted_get(r->fields, &a) != OK)
		return;
	ctl_format_client(a.client, client);
	m.ctl_event.kind = EVENT_ACCEPTED;
	m.ctl_event.at = a.at;
	m.ctl_event.who = word(a.sender);
	m.ctl_event.client = span_str(client);
	m.ctl_event.helo = word(a.helo);
	m.ctl_event.value = a.bytes;
	m.ctl_event.total = u32(a.recipients);
	m.ctl_event.is_report = a.is_report;
	send_recipients(e, a.list, &m);
}

static void
put_host(struct msg *m, const struct journal_host *host)
{
	m->ctl_event.host = word(host->name);
	m->ctl_event.address = word(host->address);
	m->ctl_event.tls = word(host->tls);
	m->ctl_event.stage = host->stage;
	m->ctl_event.duration_ms = u32(host->duration_ms);
}

static void
tell_hosts(struct ctl_events *e)
{
	struct span list = buf_span(&e->hosts);
	struct journal_host host;

	while (journal_host_next(&list, e->begun_at, &host)) {
		struct msg m = { .type = MSG_ctl_event };

		m.ctl_event.kind = EVENT_ATTEMPT;
		m.ctl_event.at = host.begun_at;
		put_host(&m, &host);
		m.ctl_event.code = (uint16_t)host.code;
		m.ctl_event.text = word(host.text);
		send_event(e, &m);
	}
}

static uint8_t
kind_of(uint8_t outcome)
{
	static const uint8_t kinds[OUTCOME_COUNT] = {
		[OUTCOME_DELIVERED] = EVENT_DELIVERED,
		[OUTCOME_DEFERRED] = EVENT_DEFERRED,
		[OUTCOME_FAILED] = EVENT_FAILED,
		[OUTCOME_UNTRIED] = EVENT_DEFERRED,
		[OUTCOME_IN_DOUBT] = EVENT_IN_DOUBT,
		[OUTCOME_EXPIRED] = EVENT_EXPIRED,
		[OUTCOME_DISCARDED] = EVENT_DISCARDED,
		[OUTCOME_BEGUN] = EVENT_BEGUN,
	};

	return outcome < OUTCOME_COUNT ? kinds[outcome] : EVENT_DEFERRED;
}

/* When it ended, as well as is known: its host's answer, else its begin. */
static void
find_host(const struct ctl_events *e, const struct journal_result *r,
    struct msg *m)
{
	struct span list = buf_span(&e->hosts);
	struct journal_host host;
	uint64_t row = 0;

	while (r->host != JOURNAL_NO_HOST &&
	    journal_host_next(&list, e->begun_at, &host)) {
		if (row++ != r->host)
			continue;
		put_host(m, &host);
		m->ctl_event.at = host.begun_at + host.duration_ms;
		if (r->is_hosts_text)
			m->ctl_event.text = word(host.text);
		return;
	}
}

/* One event for each recipient, as it is one fate. */
static void
tell_result(struct ctl_events *e, const struct journal_attempt *a,
    const struct journal_result *r)
{
	struct msg m = { .type = MSG_ctl_event };

	m.ctl_event.kind = kind_of(r->outcome);
	m.ctl_event.at = a->at;
	m.ctl_event.code = (uint16_t)r->code;
	m.ctl_event.status = word(r->status);
	m.ctl_event.text = word(r->text);
	m.ctl_event.tries = u32(a->tries);
	m.ctl_event.next_at = r->is_settled ? 0 : a->due_at;
	find_host(e, r, &m);
	for (uint64_t row = r->first;
	    row <= r->last && row - r->first < STORE_UNIT_RECIPIENTS; row++) {
		char number[48];

		m.ctl_event.who = word(name_of(e, a->unit, row, number));
		send_event(e, &m);
	}
}

static void
tell_attempt(struct ctl_events *e, const struct journal_record *r)
{
	struct journal_attempt a;
	struct journal_result result;

	if (journal_attempt_get(r->fields, &a) != OK)
		return;
	if (!a.is_continued) {
		buf_reset(&e->hosts);
		buf_add_span(&e->hosts, a.hosts);
		e->begun_at = a.at;
		tell_hosts(e);
	}
	while (journal_result_next(&a.results, &result))
		tell_result(e, &a, &result);
}

/* The report that an attempt causes is recorded before it: it is in the room
 * that was reserved before anything was appended. */
void
ctl_events_flush(struct ctl_events *e)
{
	size_t n = e->later_n;

	e->later_n = 0;
	for (size_t i = 0; i < n; i++)
		send_event(e, &e->later[i]);
}

static bool
is_for_later(struct ctl_events *e, const struct msg *m)
{
	if ((m->ctl_event.kind != EVENT_REPORTED &&
	    m->ctl_event.kind != EVENT_NOTICED) ||
	    m->ctl_event.who.n > 0 || e->later_n == COUNT_OF(e->later))
		return false;
	e->later[e->later_n++] = *m;
	e->later[e->later_n - 1].ctl_event.who = SPAN_NONE;
	return true;
}

static void
tell_action(struct ctl_events *e, const struct journal_record *r)
{
	static const uint8_t kinds[] = {
		[JOURNAL_HELD] = EVENT_HELD,
		[JOURNAL_RELEASED] = EVENT_RELEASED,
		[JOURNAL_RETRIED] = EVENT_RETRIED,
		[JOURNAL_REPORTED] = EVENT_REPORTED,
		[JOURNAL_NOTICED] = EVENT_NOTICED,
		[JOURNAL_QUARANTINED] = EVENT_QUARANTINED,
		[JOURNAL_DELETED] = EVENT_DELETED,
		[JOURNAL_PART] = EVENT_PART,
	};
	struct msg m = { .type = MSG_ctl_event };
	struct journal_action a;

	if (journal_action_get(r->fields, &a) != OK || a.kind == 0 ||
	    a.kind >= COUNT_OF(kinds))
		return;
	m.ctl_event.kind = kinds[a.kind];
	m.ctl_event.at = a.at;
	m.ctl_event.who = word(a.by);
	m.ctl_event.value = a.value;
	if (is_for_later(e, &m))
		return;
	ctl_events_flush(e);
	send_event(e, &m);
}

void
ctl_events_tell(struct ctl_events *e, const struct journal_record *r)
{
	struct msg m = { .type = MSG_ctl_event };

	switch (r->type) {
	case JOURNAL_ACCEPTED:
		tell_accepted(e, r);
		break;
	case JOURNAL_RECIPIENTS:
		m.ctl_event.kind = EVENT_RECIPIENTS;
		send_recipients(e, r->fields, &m);
		break;
	case JOURNAL_ATTEMPT:
		tell_attempt(e, r);
		ctl_events_flush(e);
		break;
	case JOURNAL_ACTION:
		tell_action(e, r);
		break;
	default:
		break;
	}
}
