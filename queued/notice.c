#include "queued/notice.h"

#include "common/base/utf8.h"
#include "common/log/log.h"
#include "common/mail/envelope.h"
#include "common/mail/report_format.h"
#include "queued/facts.h"
#include "queued/intake.h"
#include "queued/spool_time.h"
#include "queued/store/store_write.h"

#include <stdio.h>

enum { NOTICE_MAX = 32 * 1024, INDENT = 4 };

/* The effect brings its units to the planner; there is no token, for nobody
 * waits for an answer. */
enum err
notice_submit(struct queued *q, const struct notice *n, uint64_t *id)
{
	struct intake_keys keys = { .q = q, .flags = n->flags };
	struct effect effect = { .kind = EFFECT_REPORT };
	struct store_submission sub = { .is_report = !n->is_idle };
	struct store_unit *unit;
	enum err e;

	if ((e = effects_reserve(&q->on_synced)) != OK)
		return e;
	sub.arrived_at = queued_wall(q);
	sub.envelope = n->envelope;
	sub.body = n->body;
	/* from <>, of this host, for nobody */
	keys.facts = facts_of_submission(&(struct envelope){ .flags = 0 },
	    &sub, n->body.n);
	sub.content_flags = CONTENT_DOTS | (n->is_8bit ? CONTENT_8BIT : 0);
	sub.key_of = intake_key_of;
	sub.ctx = &keys;
	if ((e = store_submit(q->store, &sub, &unit)) != OK)
		return e;
	effect.group = store_group(q->store);
	effect.b = *id = unit->message->id;
	effects_add(&q->on_synced, &effect);
	queued_touch(q);
	return OK;
}

/* ---- what is held ---- */

/* Its address, and so the field with it. */
static bool
is_utf8(const struct queued *q)
{
	return !utf8_is_ascii(span_str(q->conf->reports.postmaster));
}

static void
put_envelope(const struct queued *q, struct buf *out)
{
	struct envelope e = { .flags = ENVELOPE_REPORT };
	const struct envelope_rcpt rcpt = {
		.address = span_str(q->conf->reports.postmaster),
		.notify = ENVELOPE_NOTIFY_NEVER,
	};

	if (is_utf8(q))
		e.flags |= ENVELOPE_UTF8 | ENVELOPE_UTF8_HEADER;
	envelope_put_head(&e, out);
	envelope_put_rcpt(&rcpt, out);
}

static void
put_header(struct queued *q, const struct shape_stop *stop, struct buf *out)
{
	struct span host = span_str(q->conf->hostname);
	char subject[160];

	(void)snprintf(subject, sizeof(subject), "Mail for %.*s is held",
	    (int)span_sub(stop->name, 0, 100).n, (const char *)stop->name.p);
	buf_add_str(out, "From: MAILER-DAEMON@");
	report_format_words(host, 255, out);
	buf_add_str(out, " (Mail Delivery System)\r\n");
	report_format_field("To", span_str(q->conf->reports.postmaster), out);
	report_format_field("Subject", span_str(subject), out);
	report_format_date("Date", (int64_t)spool_time_shown(q,
	    queued_wall(q)), queued_zone_min(q), out);
	buf_addf(out, "Message-ID: <held.%016llx@",
	    (unsigned long long)rng_u64(&q->dice));
	report_format_words(host, 255, out);
	buf_add_str(out, ">\r\nAuto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
}

static void
put_command(const char *verb, struct span name, struct buf *out)
{
	buf_addf(out, "\r\n    mtactl dest %s '", verb);
	report_format_words(name, SHAPE_NAME_MAX, out);
	buf_add_str(out, "'\r\n");
}

static void
put_text(const struct queued *q, const struct shape_stop *stop,
    struct buf *out)
{
	char words[SHAPE_NAME_MAX + 400];
	int n = snprintf(words, sizeof(words), "The mail relay %s sends "
	    "nothing more to %.*s, %s:", q->conf->hostname,
	    (int)span_sub(stop->name, 0, SHAPE_NAME_MAX).n,
	    (const char *)stop->name.p, stop->by == SHAPE_BY_BREAKER ?
	    "for nearly all of it is refused there for good" :
	    "by a rule of its configuration (shaping)");

	report_format_cleaned(span_of(words, n < 0 ? 0 : (size_t)n), 0, out);
	buf_add_str(out, "\r\n");
	report_format_cleaned(stop->why, INDENT, out);
	buf_add_str(out, "\r\n");
	report_format_wrapped(SPAN_LIT("Mail for it is taken, and waits; "
	    "senders are told of the delay as usual, and have it back when it "
	    "gets too old. Look at the words above, and at all that is known "
	    "of it:"), 0, out);
	put_command("show", stop->name, out);
	buf_add_str(out, "\r\n");
	report_format_wrapped(SPAN_LIT("When that is mended, let it go on:"),
	    0, out);
	put_command("resume", stop->name, out);
}

static void
log_notice(struct queued *q, const struct shape_stop *stop, uint64_t id)
{
	if (!log_begin(q->log, LOG_REPORTED, NULL))
		return;
	log_queue_id(q->log, "id", id);
	log_address(q->log, "to", span_str(q->conf->reports.postmaster));
	log_str(q->log, "kind", "held");
	log_text(q->log, "destination", stop->name);
	log_end(q->log);
}

void
notice_held(struct queued *q, const struct shape_stop *stop)
{
	struct notice mail = { .flags = 0 };
	struct buf envelope, body;
	uint64_t id;

	buf_init(&envelope, NOTICE_MAX);
	buf_init(&body, NOTICE_MAX);
	put_envelope(q, &envelope);
	put_header(q, stop, &body);
	put_text(q, stop, &body);
	mail.envelope = buf_span(&envelope);
	mail.body = buf_span(&body);
	mail.is_8bit = is_utf8(q);
	if (!buf_failed(&envelope) && !buf_failed(&body) &&
	    notice_submit(q, &mail, &id) == OK)
		log_notice(q, stop, id);
	buf_clear(&envelope);
	buf_clear(&body);
}
