/*
 * One domain is asked at a time: reports are not urgent, and a day is long.  A
 * question that is not answered, and a report for which there is no room, come
 * again in an hour, until they are two days old (RFC 8460 3).
 *
 * The mail is from the null sender: should it fail nobody would want to know.
 */
#include "queued/tls_reports.h"

#include <stdlib.h>

#include "common/log/log.h"
#include "common/mail/envelope.h"
#include "common/mail/queue_id.h"
#include "common/os/file.h"
#include "common/os/random.h"
#include "queued/notice.h"
#include "queued/tlsrpt/tlsrpt_record.h"
#include "queued/tlsrpt/tlsrpt_report.h"

/* proc has made the spool the working directory. */
#define SPOOL	AT_FDCWD
#define NAME	"tlsrpt"

enum {
	SAVE_MS = 5000, SAVE_BYTES_A_MS = 100,
	LOOK_MS = 10000,		/* when nothing was due */
	ANSWER_MS = 60000,
	AGAIN_MS = 3600000,
	TXT_MAX = 100,			/* records, as in messages.def */
};

#define JSON_MAX	((size_t)1024 * 1024)

struct tls_reports {
	struct tlsrpt *counts;
	int64_t save_at_ms, look_at_ms;
	bool has_failed;		/* to be saved; was told */
	uint64_t lost;			/* of the counts, as logged last */
	/* the domain that is asked about */
	bool is_asking;
	uint32_t cookie;
	int64_t answer_by_ms;
	int64_t day;			/* its begin */
	char domain[TLSRPT_DOMAIN_MAX + 1];
};

static bool
is_on(const struct queued *q)
{
	return q->conf->reports.tls == CONF_TLS_REPORTS_SEND;
}

static void
log_trouble(struct queued *q, const char *what, enum err e)
{
	if (!log_begin(q->log, LOG_SPOOL_FAILED, NULL))
		return;
	log_str(q->log, "what", what);
	log_str(q->log, "why", err_text(e));
	log_end(q->log);
}

/* Days are those of the calendar: the clock that others have, too. */
static int64_t
wall(const struct queued *q)
{
	return loop_wall_ms(q->loop);
}

/* ---- counting ---- */

/* The words of the wire are checked here: a deliverd reads from the net. */
void
tls_reports_count(struct queued *q, const struct msg_tls_result *m)
{
	struct tls_reports *r = q->tls_reports;
	struct tlsrpt_event e = {
		.domain = m->domain, .policy = m->policy,
		.patterns = m->patterns, .host = m->host, .to = m->to,
		.from = m->from, .why = m->why,
	};

	if (!is_on(q) || m->kind >= TLSRPT_KINDS ||
	    m->result >= TLSRPT_RESULTS)
		return;
	e.kind = (enum tlsrpt_kind)m->kind;
	e.result = (enum tlsrpt_result)m->result;
	tlsrpt_count(r->counts, &e, wall(q));
}

/* ---- the mail ---- */

static void
put_envelope(struct span to, struct buf *out)
{
	const struct envelope e = {
	    .flags = ENVELOPE_TLS_OPTIONAL };
	const struct envelope_rcpt rcpt = {
		.address = to, .notify = ENVELOPE_NOTIFY_NEVER,
	};

	envelope_put_head(&e, out);
	envelope_put_rcpt(&rcpt, out);
}

static void
log_reported(struct queued *q, uint64_t id, struct span to)
{
	q->figures.reports++;
	if (!log_begin(q->log, LOG_TLS_REPORTED, NULL))
		return;
	log_queue_id(q->log, "id", id);
	log_str(q->log, "domain", q->tls_reports->domain);
	log_address(q->log, "to", to);
	log_end(q->log);
}

/* RFC 8460 3: whatever the policy of who asked for it demands. */
static enum err
submit(struct queued *q, struct span to, struct span envelope,
    struct span body)
{
	const struct notice mail = { .envelope = envelope, .body = body,
		.flags = ENVELOPE_TLS_OPTIONAL, .is_idle = true };
	uint64_t id;
	enum err e = notice_submit(q, &mail, &id);

	if (e == OK)
		log_reported(q, id, to);
	return e;
}

static enum err
send_one(struct queued *q, const struct tlsrpt_day *day, struct span json,
    struct span to)
{
	const struct tlsrpt_sender sender = {
		.host = span_str(q->conf->hostname),
		.contact = span_str(q->conf->reports.postmaster),
	};
	struct buf envelope, body;
	enum err e;

	buf_init(&envelope, JSON_MAX);
	buf_init(&body, 2 * JSON_MAX);
	put_envelope(to, &envelope);
	tlsrpt_report_mail(day, &sender, to, json, wall(q), &body);
	e = buf_failed(&envelope) || buf_failed(&body) ? ERR_NOMEM :
	    submit(q, to, buf_span(&envelope), buf_span(&body));
	buf_clear(&envelope);
	buf_clear(&body);
	return e;
}

/* To each address of the record; a failure is one of all: what was sent before
 * it comes twice. */
static enum err
send_all(struct queued *q, const struct tlsrpt_day *day,
    const struct tlsrpt_record *record)
{
	const struct tlsrpt_sender sender = {
		.host = span_str(q->conf->hostname),
		.contact = span_str(q->conf->reports.postmaster),
	};
	char to[TLSRPT_MAILBOX_SIZE];
	struct buf json;
	enum err e;

	buf_init(&json, JSON_MAX);
	e = tlsrpt_report_json(day, &sender, &json);
	for (size_t i = 0; e == OK && i < record->n; i++)
		if (tlsrpt_record_mailbox(record->uris[i], to) == OK)
			e = send_one(q, day, buf_span(&json), span_str(to));
	buf_clear(&json);
	return e;
}

/* ---- who wants to hear of it ---- */

/* Any deliverd will do; false while there is none. */
static bool
ask(struct queued *q)
{
	struct tls_reports *r = q->tls_reports;
	struct msg m = { .type = MSG_tls_record_ask };

	m.tls_record_ask.cookie = ++r->cookie;
	m.tls_record_ask.domain = span_str(r->domain);
	for (size_t i = 0; i < QUEUED_WORKERS_MAX; i++) {
		struct channel *c = q->deliverds[i].channel;

		if (c == NULL)
			continue;
		channel_send_or_end(c, &m);
		return true;
	}
	return false;
}

/* The answer looks it up again: meanwhile it may be forgotten. */
static void
begin(struct queued *q, const struct tlsrpt_day *day)
{
	struct tls_reports *r = q->tls_reports;

	(void)span_copy(tlsrpt_day_domain(day), r->domain,
	    sizeof(r->domain));
	r->day = tlsrpt_day_begin(day);
	r->answer_by_ms = queued_now(q) + ANSWER_MS;
	r->is_asking = ask(q);
}

static void
look(struct queued *q)
{
	struct tls_reports *r = q->tls_reports;
	const struct tlsrpt_day *day = tlsrpt_due(r->counts, wall(q));

	r->look_at_ms = queued_now(q) + LOOK_MS;
	if (day != NULL)
		begin(q, day);
}

/* Done with, or once more later. */
static void
settle(struct queued *q, bool is_over)
{
	struct tls_reports *r = q->tls_reports;
	struct tlsrpt_day *day = tlsrpt_find(r->counts, span_str(r->domain),
	    r->day);

	r->is_asking = false;
	if (day == NULL)
		return;
	if (is_over)
		tlsrpt_forget(r->counts, &day);
	else
		tlsrpt_put_off(r->counts, day, wall(q) + AGAIN_MS);
}

static bool
report(struct queued *q, const struct msg_tls_record *m)
{
	struct tls_reports *r = q->tls_reports;
	const struct tlsrpt_day *day = tlsrpt_find(r->counts,
	    span_str(r->domain), r->day);
	struct msg_list rest = m->records;
	struct msg_dns_record row;
	struct tlsrpt_record record;
	struct span txts[TXT_MAX];
	size_t n = 0;

	while (n < TXT_MAX && msg_next_dns_record(&rest, &row))
		txts[n++] = row.data;
	if (day == NULL || tlsrpt_record_pick(txts, n, &record) != OK)
		return true;
	return send_all(q, day, &record) == OK;
}

void
tls_reports_record(struct queued *q, const struct msg_tls_record *m)
{
	struct tls_reports *r = q->tls_reports;

	if (!r->is_asking || m->cookie != r->cookie)
		return;
	if (m->status == DNS_TEMPORARY)
		settle(q, false);
	else
		settle(q, m->status != DNS_OK || report(q, m));
	r->look_at_ms = 0;
}

/* ---- the file ---- */

static void
save(struct queued *q, enum err replace(int, const char *, mode_t,
    struct span))
{
	struct tls_reports *r = q->tls_reports;
	struct buf file;
	enum err e;

	buf_init(&file, TLSRPT_FILE_MAX);
	tlsrpt_put(r->counts, &file);
	e = buf_failed(&file) ? ERR_NOMEM :
	    replace(SPOOL, NAME, 0600, buf_span(&file));
	if (e != OK && !r->has_failed)
		log_trouble(q, "counts of TLS can't be kept", e);
	r->has_failed = e != OK;
	r->save_at_ms = queued_now(q) + SAVE_MS +
	    (int64_t)(file.n / SAVE_BYTES_A_MS);
	buf_clear(&file);
}

static void
load(struct queued *q)
{
	struct buf file;
	enum err e;

	buf_init(&file, TLSRPT_FILE_MAX);
	e = file_read(SPOOL, NAME, TLSRPT_FILE_MAX, &file, NULL);
	if (e == OK)
		e = tlsrpt_read(q->tls_reports->counts, buf_span(&file));
	if (e != OK && e != ERR_NOT_FOUND)
		log_trouble(q, "counts of TLS can't be read: they begin anew",
		    e);
	buf_clear(&file);
}

static void
tell_lost(struct queued *q)
{
	struct tls_reports *r = q->tls_reports;
	uint64_t lost = tlsrpt_lost(r->counts);

	if (lost == r->lost || !log_begin(q->log, LOG_TLS_UNCOUNTED, NULL))
		return;
	log_u64(q->log, "connections", lost - r->lost);
	log_end(q->log);
	r->lost = lost;
}

/* Who does not report any more lets what was counted grow old. */
void
tls_reports_keep_house(struct queued *q)
{
	struct tls_reports *r = q->tls_reports;
	int64_t now = queued_now(q);

	if (r->is_asking && now >= r->answer_by_ms)
		settle(q, false);
	if (is_on(q) && !r->is_asking && now >= r->look_at_ms)
		look(q);
	if (!tlsrpt_has_changed(r->counts) || now < r->save_at_ms)
		return;
	tell_lost(q);
	save(q, file_replace_soon);
}

/* ---- life ---- */

enum err
tls_reports_open(struct queued *q)
{
	struct siphash_key seed;
	enum err e = random_key(&seed);

	if (e != OK)
		return e;
	if ((q->tls_reports = calloc(1, sizeof(*q->tls_reports))) == NULL)
		return ERR_NOMEM;
	if ((e = tlsrpt_new(&seed, &q->tls_reports->counts)) != OK)
		return e;
	load(q);
	return OK;
}

void
tls_reports_close(struct queued *q)
{
	struct tls_reports *r = q->tls_reports;

	if (r == NULL)
		return;
	if (r->counts != NULL && tlsrpt_has_changed(r->counts))
		save(q, file_replace);
	tlsrpt_free(&r->counts);
	free(r);
	q->tls_reports = NULL;
}
