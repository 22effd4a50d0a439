/*
 * A report is composed as it would have been received: an envelope and a body
 * in the form that smtpd hands over, so that the store and deliverd need not
 * know of it.  Composing reads the message it is about, hence before the
 * verdict that may remove it; appending comes right before that verdict.
 *
 * A report carries the mark ENVELOPE_REPORT, which only queued may set: by it,
 * not by its text, is it known as one when it fails in turn (I-08).
 */
#include "queued/bounce.h"

#include "common/base/mtime.h"
#include "common/base/utf8.h"
#include "common/log/log.h"
#include "common/mail/envelope.h"
#include "common/mail/header.h"
#include "common/mail/queue_id.h"
#include "common/route/route_ascii.h"
#include "queued/notice.h"
#include "queued/spool_time.h"
#include "queued/store/store_read.h"
#include "queued/times.h"

/* Of a header at most this much is looked at and returned. */
enum { HEADER_MAX = 256 * 1024 };

/* A header that long is returned with the body's first bytes. */
#define BODY_CEILING ((size_t)2 * 1024 * 1024)

/* Takes no memory: the buffers grow with what is put into them. */
void
bounce_init(struct bounce *b, const struct store_message *message,
    enum report_action action)
{
	b->message = message;
	b->count = 0;
	b->action = action;
	b->life_ms = 0;
	b->is_8bit = false;
	b->is_by_lost = false;
	b->is_wanted = false;
	b->is_to_postmaster = false;
	buf_init(&b->envelope, 64 * 1024);
	buf_init(&b->body, 64 * BODY_CEILING);
}

void
bounce_clear(struct bounce *b)
{
	buf_clear(&b->envelope);
	buf_clear(&b->body);
	b->is_wanted = false;
}

/* RFC 3461 4.1: without NOTIFY failures are told, and delays may be; RFC 2852
 * 4.1.4: whoever does not want to hear nothing hears that it was relayed to
 * where its time is not kept, or with T. */
static bool
is_asked_for(const struct envelope_rcpt *rcpt, enum report_action action,
    bool is_by_lost)
{
	static const uint8_t words[] = {
		[REPORT_FAILED] = ENVELOPE_NOTIFY_FAILURE,
		[REPORT_DELAYED] = ENVELOPE_NOTIFY_DELAY,
		[REPORT_RELAYED] = ENVELOPE_NOTIFY_SUCCESS,
	};

	if (is_by_lost)
		return (rcpt->notify & ENVELOPE_NOTIFY_NEVER) == 0;
	return (rcpt->notify & words[action]) != 0 ||
	    (rcpt->notify == 0 && action != REPORT_RELAYED);
}

struct report_rcpt *
bounce_add(struct bounce *b, struct span address, struct span attributes)
{
	struct report_rcpt *row = &b->rcpts[b->count];
	struct envelope_rcpt rcpt = { .notify = 0 };

	/* It was checked before it was stored. */
	(void)envelope_check_rcpt(attributes, ENVELOPE_UTF8, &rcpt);
	/* a report says NEVER of itself, and goes to the postmaster then */
	if (b->count == BOUNCE_RECIPIENTS ||
	    (!b->message->is_report && !is_asked_for(&rcpt, b->action,
	    b->is_by_lost)))
		return NULL;
	b->count++;
	memset(row, 0, sizeof(*row));
	row->address = address;
	row->action = b->action;
	row->orcpt = rcpt.orcpt;
	return row;
}

/* ---- to whom ---- */

/*
 * Where this report goes: to the sender; a failed report of ours once to the
 * postmaster; nowhere else for a null sender, or the postmaster's own mail
 * system would bounce back and forth with us (RFC 5321 6.1).
 */
static struct span
addressee(const struct queued *q, struct bounce *b)
{
	struct span postmaster = span_str(q->conf->reports.postmaster);

	if (b->message->sender.n > 0)
		return b->message->sender;
	if (!b->message->is_report || b->action != REPORT_FAILED)
		return SPAN_NONE;
	for (size_t i = 0; i < b->count; i++)
		if (span_equal_nocase(b->rcpts[i].address, postmaster))
			return SPAN_NONE;
	b->is_to_postmaster = true;
	return postmaster;
}

/* What nobody is told of stands in the log at least (I-02, I-08). */
static void
log_no_report(struct queued *q, const struct bounce *b)
{
	for (size_t i = 0; i < b->count; i++) {
		if (!log_begin(q->log, LOG_DISCARDED, NULL))
			return;
		log_queue_id(q->log, "id", b->message->id);
		log_address(q->log, "to", b->rcpts[i].address);
		log_address(q->log, "from", b->message->sender);
		log_str(q->log, "why", "no report is sent for a null sender");
		log_end(q->log);
	}
}

/* ---- the message ---- */

/* The header of the message and the first bytes of its body, in q->content;
 * a RET of the sender's wins over reports.head (RFC 3461 4.3). */
static enum err
read_head(struct queued *q, const struct store_message *m, uint8_t ret,
    struct span *out)
{
	uint64_t body = q->conf->reports.head_bytes;
	uint64_t want;
	enum err e;

	if (ret == ENVELOPE_RET_FULL || body > BODY_CEILING)
		body = BODY_CEILING;
	want = HEADER_MAX + body;
	if (want > store_message_size(m))
		want = store_message_size(m);
	buf_reset(&q->content);
	e = store_content(q->store, m, 0, (size_t)want, &q->content);
	if (e == ERR_NOMEM)
		return e;
	if (e != OK)		/* told all the same, without its bytes */
		buf_reset(&q->content);
	*out = span_sub(buf_span(&q->content), 0,
	    header_length(buf_span(&q->content)) + (size_t)body);
	return OK;
}

/* A report of a failure is as urgent as its message, other ones less so: half as
 * many turns. */
static int8_t
priority_of(const struct bounce *b, const struct envelope *old)
{
	int priority = old->priority - (b->action == REPORT_FAILED ? 0 : 3);

	return (int8_t)(priority < -ENVELOPE_PRIORITY_MAX ?
	    -ENVELOPE_PRIORITY_MAX : priority);
}

static void
put_envelope(const struct bounce *b, const struct envelope *old,
    struct span to, struct buf *out)
{
	struct envelope e = { .flags = ENVELOPE_REPORT };
	struct envelope_rcpt rcpt = { .address = to };

	e.priority = priority_of(b, old);
	if (!utf8_is_ascii(to))
		e.flags |= ENVELOPE_UTF8 | ENVELOPE_UTF8_HEADER;
	/* RFC 8689 5: it tells of the message */
	if (b->requires_tls)
		e.flags |= ENVELOPE_REQUIRE_TLS;
	if (b->is_8bit)
		e.flags |= ENVELOPE_HAS_8BIT | ENVELOPE_SAID_8BIT;
	rcpt.notify = ENVELOPE_NOTIFY_NEVER;	/* RFC 3461 6.1 */
	envelope_put_head(&e, out);
	envelope_put_rcpt(&rcpt, out);
}

/* The message could not go on because a host took no 8-bit text: the way back
 * may lead over the same one. */
static bool
is_8bit_refused(const struct bounce *b)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct status *s = &b->rcpts[i].status;

		if (s->subject == 6 && s->detail == 3)
			return true;
	}
	return false;
}

/* The rows of rcpts are already there; fills envelope and body.  ERR_NOMEM,
 * or ERR_SYNTAX for a stored envelope that can't be read. */
static enum err
compose(struct queued *q, struct bounce *b, struct span to)
{
	struct report r = { .sender = to };
	char id[QUEUE_ID_SIZE];
	struct envelope old;
	enum err e = envelope_check(b->message->envelope, &old);

	if (e == OK)
		e = read_head(q, b->message, old.ret, &r.message);
	if (e != OK)
		return e;
	queue_id_format(b->message->id, id);
	r.host = span_str(q->conf->hostname);
	r.queue_id = span_str(id);
	r.postmaster = span_str(q->conf->reports.postmaster);
	r.envid = old.envid;
	r.arrived_at =
	    (int64_t)spool_time_shown(q, b->message->arrived_at);
	if (old.by != 0)
		r.deliver_by_at = mtime_add(r.arrived_at, old.by_ms);
	r.hold_asked = old.hold_asked;
	r.now_at = (int64_t)spool_time_shown(q, queued_wall(q));
	if (b->action == REPORT_DELAYED)
		r.retry_until_at = mtime_add((int64_t)spool_time_shown(q,
		    times_released(b->message)), b->life_ms);
	r.zone_min = queued_zone_min(q);
	r.rcpts = b->rcpts;
	r.rcpt_count = b->count;
	r.message_bytes = store_message_size(b->message);
	/* RFC 3461 4.3: RET is about failures */
	b->requires_tls = (old.flags & ENVELOPE_REQUIRE_TLS) != 0;
	r.is_header_only = old.ret == ENVELOPE_RET_HDRS || b->requires_tls ||
	    b->action == REPORT_RELAYED ||
	    /* what is no text can't be returned in one */
	    (b->message->content_flags & CONTENT_BINARY) != 0 ||
	    (q->conf->reports.head_bytes == 0 && old.ret != ENVELOPE_RET_FULL);
	r.is_utf8 = (old.flags & ENVELOPE_UTF8) != 0;
	r.is_7bit = is_8bit_refused(b);
	r.random[0] = rng_u64(&q->dice);
	r.random[1] = rng_u64(&q->dice);
	b->is_8bit = report_build(&r, &b->body);
	put_envelope(b, &old, to, &b->envelope);
	return buf_failed(&b->body) || buf_failed(&b->envelope) ?
	    ERR_NOMEM : OK;
}

enum err
bounce_build(struct queued *q, struct bounce *b)
{
	char room[ROUTE_ASCII_SIZE];
	struct span to;
	enum err e;

	if (b->count == 0)
		return OK;
	to = addressee(q, b);
	if (to.n == 0) {
		log_no_report(q, b);
		return OK;
	}
	/* if it has such a name: the report takes any way then */
	(void)route_ascii(to, room, &to);
	e = compose(q, b, to);
	b->is_wanted = e == OK;
	return e;
}

/* With room for the record around them. */
size_t
bounce_bytes(const struct bounce *b)
{
	return b->is_wanted ? b->envelope.n + b->body.n + 4096 : 0;
}

/* Logged as it is appended, not as it is synced: a line too many after a
 * crash, and the attempt is made again. */
static void
log_report(struct queued *q, const struct bounce *b, uint64_t id)
{
	static const char *const kinds[] = {
		[REPORT_FAILED] = "failed",
		[REPORT_DELAYED] = "delayed",
		[REPORT_RELAYED] = "relayed",
	};

	q->figures.reports++;
	if (!log_begin(q->log, LOG_REPORTED, NULL))
		return;
	log_queue_id(q->log, "id", id);
	log_queue_id(q->log, "about", b->message->id);
	log_address(q->log, "to", b->is_to_postmaster ?
	    span_str(q->conf->reports.postmaster) : b->message->sender);
	log_str(q->log, "kind", kinds[b->action]);
	log_u64(q->log, "recipients", b->count);
	log_end(q->log);
}

enum err
bounce_submit(struct queued *q, struct bounce *b)
{
	struct notice mail = {
		.flags = b->requires_tls ? ENVELOPE_REQUIRE_TLS : 0,
		.is_8bit = b->is_8bit,
	};
	enum err e;

	if (!b->is_wanted)
		return OK;
	mail.envelope = buf_span(&b->envelope);
	mail.body = buf_span(&b->body);
	e = notice_submit(q, &mail, &b->id);
	if (e == OK)
		log_report(q, b, b->id);
	return e;
}
