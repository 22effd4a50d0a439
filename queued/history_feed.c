/*
 * Terse, for this is written for every message: recipients are named once,
 * neighbours with the same result share it, and words are kept with the host
 * that said them.  A list that is longer than a record goes on in the next.
 */
#include "queued/history_feed.h"

#include "common/base/check.h"
#include "common/ipc/messages.h"
#include "common/mail/envelope.h"
#include "queued/journal/journal_event.h"
#include "queued/store/store_note.h"
#include "queued/store/store_record.h"
#include "queued/store/store_tap.h"

#include <endian.h>
#include <stdlib.h>

enum { ATTEMPTS_MAX = 64 };

struct history_feed {
	struct buf list;		/* recipients, or results */
	struct buf hosts;
	struct buf rows;		/* uint32_t a unit: its next row */
	struct msg_attempt attempts[ATTEMPTS_MAX];
	size_t attempt_count;
	struct store_result results[STORE_UNIT_RECIPIENTS];
};

struct history_feed *
history_feed_new(void)
{
	struct history_feed *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	buf_init(&f->list, JOURNAL_RECORD_MAX);
	buf_init(&f->hosts, JOURNAL_RECORD_MAX);
	buf_init(&f->rows, ENVELOPE_RCPT_COUNT_MAX * sizeof(uint32_t));
	return f;
}

void
history_feed_free(struct history_feed **f)
{
	if (*f == NULL)
		return;
	buf_clear(&(*f)->list);
	buf_clear(&(*f)->hosts);
	buf_clear(&(*f)->rows);
	free(*f);
	*f = NULL;
}

/* ---- an accepted message ---- */

/* The record is as good as its sum, no more: a unit beyond their number is
 * none. */
static bool
place_recipient(struct history_feed *f, const struct store_record_message *m,
    size_t i, struct journal_recipient *out)
{
	uint32_t unit = 0, row = (uint32_t)i;

	if (m->unit_of.n > 0) {
		if (m->unit_of.n / sizeof(unit) <= i)
			return false;
		memcpy(&unit, m->unit_of.p + i * sizeof(unit), sizeof(unit));
		unit = le32toh(unit);
		if (unit >= f->rows.n / sizeof(row))
			return false;
		memcpy(&row, f->rows.p + unit * sizeof(row), sizeof(row));
		row++;
		memcpy(f->rows.p + unit * sizeof(row), &row, sizeof(row));
		row--;
	}
	out->unit = unit;
	out->row = row;
	return true;
}

/* A counter a unit, from 0. */
static bool
begin_rows(struct history_feed *f, const struct store_record_message *m)
{
	size_t n = (size_t)m->unit_count * sizeof(uint32_t);
	uint8_t *p;

	buf_reset(&f->rows);
	if (m->unit_of.n == 0)
		return true;
	if ((p = buf_reserve(&f->rows, n)) == NULL)
		return false;
	memset(p, 0, n);
	buf_commit(&f->rows, n);
	return true;
}

/* The head goes out with the first list, further ones by themselves. */
static void
put_list(struct history_feed *f, uint64_t id, struct journal_accepted *a,
    bool is_first, struct buf *out)
{
	a->list = buf_span(&f->list);
	if (is_first)
		journal_accepted_put(out, id, a);
	else
		journal_recipients_put(out, id, a->list);
	buf_reset(&f->list);
}

static uint64_t
feed_message(struct history_feed *f, const struct store_record *r,
    struct buf *out)
{
	struct store_record_message m;
	struct journal_recipient rcpt;
	struct envelope_rcpt e_rcpt;
	struct envelope_iter it;
	struct envelope e;
	bool is_first = true;

	if (store_record_get_message(r->fields, &m) != OK ||
	    envelope_check(m.envelope, &e) != OK || !begin_rows(f, &m))
		return 0;
	struct journal_accepted a = { .at = m.arrived_at,
	    .bytes = m.trace_bytes + m.body_bytes,
	    .recipients = m.list.id == r->id ? m.list.total : e.rcpt_count,
	    .is_report = m.is_report,
	    .sender = e.sender, .client = e.client, .helo = e.helo };

	buf_reset(&f->list);
	envelope_iter_init(&e, &it);
	for (size_t i = 0; envelope_iter_next(&it, &e_rcpt); i++) {
		if (!place_recipient(f, &m, i, &rcpt))
			break;
		rcpt.address = e_rcpt.address;
		if (journal_recipient_put(&f->list, &rcpt))
			continue;
		put_list(f, r->id, &a, is_first, out);
		is_first = false;
		(void)journal_recipient_put(&f->list, &rcpt);
	}
	put_list(f, r->id, &a, is_first, out);
	return 1;
}

/* ---- a verdict ---- */

static void
read_attempts(struct history_feed *f, struct span history)
{
	struct msg_list list = { .n = ATTEMPTS_MAX, .bytes = history };

	f->attempt_count = 0;
	while (f->attempt_count < ATTEMPTS_MAX && list.bytes.n > 0 &&
	    msg_next_attempt(&list, &f->attempts[f->attempt_count]))
		f->attempt_count++;
}

static void
put_hosts(struct history_feed *f, uint64_t begun_at)
{
	buf_reset(&f->hosts);
	for (size_t i = 0; i < f->attempt_count; i++) {
		const struct msg_attempt *a = &f->attempts[i];
		struct journal_host host = { .name = a->host,
		    .address = a->address, .tls = a->tls, .stage = a->stage,
		    .code = a->code, .begun_at = a->begun_at,
		    .duration_ms = a->duration_ms, .text = a->text };

		if (!journal_host_put(&f->hosts, begun_at, &host)) {
			f->attempt_count = i;
			return;
		}
	}
}

/* The attempt that a result is of: the last one at its host, best with the
 * same words.  The log does not say it better. */
static void
find_host(const struct history_feed *f, const struct store_result *r,
    struct journal_result *out)
{
	out->host = JOURNAL_NO_HOST;
	for (size_t i = f->attempt_count; i > 0 && r->host.n > 0; i--) {
		const struct msg_attempt *a = &f->attempts[i - 1];

		if (!span_equal(a->host, r->host))
			continue;
		if (out->host == JOURNAL_NO_HOST)
			out->host = i - 1;
		if (a->code == r->code && span_equal(a->text, r->text)) {
			out->host = i - 1;
			out->is_hosts_text = true;
			return;
		}
	}
}

static void
put_attempt(struct history_feed *f, uint64_t id, uint8_t flags,
    struct journal_attempt *a, struct buf *out)
{
	a->hosts = buf_span(&f->hosts);
	a->results = buf_span(&f->list);
	journal_attempt_put(out, id, flags, a);
	buf_reset(&f->list);
	buf_reset(&f->hosts);
	a->is_continued = true;
}

static uint64_t
feed_verdict(struct history_feed *f, const struct store *s,
    const struct store_record *r, struct buf *out)
{
	struct store_verdict v;
	uint32_t unit;

	if (store_record_get_verdict(r->fields, &unit, f->results, &v) != OK)
		return 0;
	struct journal_attempt a = { .unit = unit, .at = v.begun_at,
	    .due_at = v.due_at, .tries = v.tries };

	read_attempts(f, v.history);
	put_hosts(f, v.begun_at);
	buf_reset(&f->list);
	for (size_t i = 0; i < v.count; i++) {
		struct store_result run = v.results[i];
		struct journal_result result = { .first = run.first,
		    .outcome = run.outcome, .is_settled = run.is_settled,
		    .code = run.code, .status = run.status,
		    .text = run.text };

		while (i + 1 < v.count && store_result_continues(&run, &v.results[i + 1]))
			run.last = v.results[++i].last;
		result.last = run.last;
		find_host(f, &run, &result);
		if (journal_result_put(&f->list, &result))
			continue;
		put_attempt(f, r->id, 0, &a, out);
		(void)journal_result_put(&f->list, &result);
	}
	put_attempt(f, r->id, store_tap_is_over(s, r->id) ?
	    JOURNAL_IS_OVER : 0, &a, out);
	return 1;
}

/* ---- what was done ---- */

/* Kinds are the journal's own. */
static uint64_t
feed_note(const struct store_record *r, struct buf *out)
{
	struct store_note n;

	if (store_note_get(r->fields, &n) != OK)
		return 0;
	struct journal_action a = { .at = n.at, .kind = n.kind,
	    .unit = n.unit, .value = n.value, .by = n.by };

	journal_action_put(out, r->id, &a);
	return 1;
}

uint64_t
history_feed_group(struct history_feed *f, const struct store *s,
    struct span records, struct buf *out)
{
	struct store_record r;
	uint64_t events = 0;

	while (records.n > 0 && store_record_next(&records, &r) == OK) {
		if (r.type == STORE_RECORD_MESSAGE)
			events += feed_message(f, &r, out);
		else if (r.type == STORE_RECORD_VERDICT)
			events += feed_verdict(f, s, &r, out);
		else if (r.type == STORE_RECORD_NOTE)
			events += feed_note(&r, out);
	}
	return events;
}
