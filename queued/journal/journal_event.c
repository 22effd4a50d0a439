/*
 * The words of a result are nearly always those of the host that said them, so
 * they are written once; times within an attempt count from its begin.
 */
#include "queued/journal/journal_event.h"

enum {
	BIT_REPORT = 1,			/* of an accepted message */
	BIT_CONTINUED = 1,		/* of an attempt */
	BIT_SETTLED = 0x80,		/* of an outcome */
	ENTRY_MAX = 4 * JOURNAL_NAME_MAX,	/* of a list, at the most */
};

/* Two lists and a head fit into a record. */
static bool
is_full(const struct buf *list)
{
	return list->n + ENTRY_MAX > JOURNAL_RECORD_MAX / 2;
}

/* ---- an accepted message ---- */

void
journal_accepted_put(struct buf *out, uint64_t id,
    const struct journal_accepted *a)
{
	size_t at = journal_record_begin(out);

	journal_put(out, a->at);
	journal_put(out, a->bytes);
	journal_put(out, a->recipients);
	buf_add_byte(out, a->is_report ? BIT_REPORT : 0);
	journal_put_text(out, a->sender, JOURNAL_NAME_MAX);
	journal_put_text(out, a->client, 16);
	journal_put_text(out, a->helo, JOURNAL_NAME_MAX);
	buf_add_span(out, a->list);
	journal_record_end(out, at, JOURNAL_ACCEPTED, 0, id);
}

enum err
journal_accepted_get(struct span fields, struct journal_accepted *out)
{
	struct journal_accepted a;
	struct wire w;

	wire_init(&w, fields);
	a.at = journal_get(&w);
	a.bytes = journal_get(&w);
	a.recipients = journal_get(&w);
	a.is_report = (wire_u8(&w) & BIT_REPORT) != 0;
	a.sender = journal_get_text(&w);
	a.client = journal_get_text(&w);
	a.helo = journal_get_text(&w);
	a.list = span_of(w.p, w.n);
	if (w.is_failed)
		return ERR_SYNTAX;
	*out = a;
	return OK;
}

void
journal_recipients_put(struct buf *out, uint64_t id, struct span list)
{
	size_t at = journal_record_begin(out);

	buf_add_span(out, list);
	journal_record_end(out, at, JOURNAL_RECIPIENTS, 0, id);
}

bool
journal_recipient_put(struct buf *list, const struct journal_recipient *r)
{
	if (is_full(list))
		return false;
	journal_put(list, r->unit);
	journal_put(list, r->row);
	journal_put_text(list, r->address, JOURNAL_NAME_MAX);
	return true;
}

/* A list that is damaged ends here: its record has the right sum, so it was
 * written so. */
bool
journal_recipient_next(struct span *list, struct journal_recipient *out)
{
	struct journal_recipient r;
	struct wire w;

	wire_init(&w, *list);
	if (!wire_more(&w))
		return false;
	r.unit = journal_get(&w);
	r.row = journal_get(&w);
	r.address = journal_get_text(&w);
	if (w.is_failed)
		return false;
	*list = span_of(w.p, w.n);
	*out = r;
	return true;
}

/* ---- an attempt ---- */

bool
journal_host_put(struct buf *list, uint64_t begun_at,
    const struct journal_host *h)
{
	if (is_full(list))
		return false;
	journal_put_text(list, h->name, JOURNAL_NAME_MAX);
	journal_put_text(list, h->address, JOURNAL_NAME_MAX);
	journal_put_text(list, h->tls, JOURNAL_NAME_MAX);
	buf_add_byte(list, h->stage);
	journal_put(list, h->code);
	journal_put(list, h->begun_at > begun_at ? h->begun_at - begun_at : 0);
	journal_put(list, h->duration_ms);
	journal_put_text(list, h->text, JOURNAL_TEXT_MAX);
	return true;
}

bool
journal_host_next(struct span *list, uint64_t begun_at,
    struct journal_host *out)
{
	struct journal_host h;
	struct wire w;

	wire_init(&w, *list);
	if (!wire_more(&w))
		return false;
	h.name = journal_get_text(&w);
	h.address = journal_get_text(&w);
	h.tls = journal_get_text(&w);
	h.stage = wire_u8(&w);
	h.code = journal_get(&w);
	h.begun_at = begun_at + journal_get(&w);
	h.duration_ms = journal_get(&w);
	h.text = journal_get_text(&w);
	if (w.is_failed)
		return false;
	*list = span_of(w.p, w.n);
	*out = h;
	return true;
}

/* Its text: 0, the host's; else its length + 1.  Its host: 0, none; else its
 * row + 1. */
bool
journal_result_put(struct buf *list, const struct journal_result *r)
{
	struct span text = span_sub(r->text, 0, JOURNAL_TEXT_MAX);

	if (is_full(list))
		return false;
	journal_put(list, r->first);
	journal_put(list, r->last - r->first);
	buf_add_byte(list, (uint8_t)(r->outcome |
	    (r->is_settled ? BIT_SETTLED : 0)));
	journal_put(list, r->host + 1);
	journal_put(list, r->code);
	journal_put_text(list, r->status, JOURNAL_TEXT_MAX);
	journal_put(list, r->is_hosts_text ? 0 : text.n + 1);
	if (!r->is_hosts_text)
		buf_add_span(list, text);
	return true;
}

bool
journal_result_next(struct span *list, struct journal_result *out)
{
	struct journal_result r;
	uint64_t n;
	struct wire w;
	uint8_t outcome;

	wire_init(&w, *list);
	if (!wire_more(&w))
		return false;
	r.first = journal_get(&w);
	n = journal_get(&w);
	r.last = r.first + n;
	outcome = wire_u8(&w);
	r.outcome = outcome & (uint8_t)~BIT_SETTLED;
	r.is_settled = (outcome & BIT_SETTLED) != 0;
	r.host = journal_get(&w) - 1;
	r.code = journal_get(&w);
	r.status = journal_get_text(&w);
	n = journal_get(&w);
	r.is_hosts_text = n == 0;
	if (n > 0 && n - 1 > w.n)
		return false;
	r.text = n > 0 ? wire_raw(&w, (size_t)(n - 1)) : SPAN_NONE;
	if (w.is_failed || r.last < r.first)
		return false;
	*list = span_of(w.p, w.n);
	*out = r;
	return true;
}

void
journal_attempt_put(struct buf *out, uint64_t id, uint8_t flags,
    const struct journal_attempt *a)
{
	size_t at = journal_record_begin(out);

	journal_put(out, a->unit);
	journal_put(out, a->at);
	journal_put(out, a->due_at);
	journal_put(out, a->tries);
	buf_add_byte(out, a->is_continued ? BIT_CONTINUED : 0);
	journal_put_text(out, a->hosts, JOURNAL_RECORD_MAX);
	buf_add_span(out, a->results);
	journal_record_end(out, at, JOURNAL_ATTEMPT, flags, id);
}

enum err
journal_attempt_get(struct span fields, struct journal_attempt *out)
{
	struct journal_attempt a;
	struct wire w;

	wire_init(&w, fields);
	a.unit = journal_get(&w);
	a.at = journal_get(&w);
	a.due_at = journal_get(&w);
	a.tries = journal_get(&w);
	a.is_continued = (wire_u8(&w) & BIT_CONTINUED) != 0;
	a.hosts = journal_get_text(&w);
	a.results = span_of(w.p, w.n);
	if (w.is_failed)
		return ERR_SYNTAX;
	*out = a;
	return OK;
}

/* ---- the small ones ---- */

void
journal_action_put(struct buf *out, uint64_t id,
    const struct journal_action *a)
{
	size_t at = journal_record_begin(out);

	journal_put(out, a->at);
	journal_put(out, a->kind);
	journal_put(out, a->unit);
	journal_put(out, a->value);
	journal_put_text(out, a->by, JOURNAL_TEXT_MAX);
	journal_record_end(out, at, JOURNAL_ACTION, 0, id);
}

enum err
journal_action_get(struct span fields, struct journal_action *out)
{
	struct journal_action a;
	struct wire w;

	wire_init(&w, fields);
	a.at = journal_get(&w);
	a.kind = journal_get(&w);
	a.unit = journal_get(&w);
	a.value = journal_get(&w);
	a.by = journal_get_text(&w);
	if (wire_done(&w) != OK)
		return ERR_SYNTAX;
	*out = a;
	return OK;
}

void
journal_lost_put(struct buf *out, uint64_t at, uint64_t first, uint64_t last)
{
	size_t start = journal_record_begin(out);

	journal_put(out, at);
	journal_put(out, first);
	journal_put(out, last);
	journal_record_end(out, start, JOURNAL_LOST, 0, 0);
}

enum err
journal_lost_get(struct span fields, uint64_t *at, uint64_t *first,
    uint64_t *last)
{
	uint64_t v[3];
	struct wire w;

	wire_init(&w, fields);
	for (size_t i = 0; i < 3; i++)
		v[i] = journal_get(&w);
	if (wire_done(&w) != OK)
		return ERR_SYNTAX;
	*at = v[0];
	*first = v[1];
	*last = v[2];
	return OK;
}
