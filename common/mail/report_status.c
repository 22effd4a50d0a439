/*
 * The fields in the order of RFC 3464, each built in a small buffer and
 * cleaned as a whole by report_format.c.  A field whose value is unknown is
 * left out; none is ever made up, because programs act on them.
 *
 * Values are gathered in buffers with a ceiling.  One that is too small or
 * finds no memory marks the report as failed: half a field would be a lie.
 */
#include "common/mail/report_status.h"

#include "common/base/ipaddr.h"
#include "common/base/utf8.h"
#include "common/mail/orcpt.h"
#include "common/mail/report_format.h"
#include "common/mail/xtext.h"

/* Longer than any field built from checked parts. */
#define VALUE_MAX (REPORT_REPLY_MAX + 1024)

struct status
report_status_of(const struct report_rcpt *rcpt)
{
	struct status s = rcpt->status;

	if (s.class == 0)
		s = status_of_code(rcpt->code);
	/* RFC 3464 2.3.4: class and action agree */
	if (rcpt->action == REPORT_RELAYED)
		return s.class == 2 ? s : STATUS(2, 0, 0);
	/* a code such as 250 or 354 where it has no place tells nothing */
	if (s.class != 4 && s.class != 5)
		s = STATUS(rcpt->action == REPORT_FAILED ? 5 : 4, 0, 0);
	return s;
}

/* `Name: type; words`; nothing when there are no words. */
static void
add_typed(const char *name, const char *type, struct span words,
    struct buf *out)
{
	struct buf value;

	if (words.n == 0)
		return;
	buf_init(&value, VALUE_MAX);
	buf_add_str(&value, type);
	buf_add_str(&value, "; ");
	report_format_words(words, REPORT_REPLY_MAX, &value);
	if (buf_failed(&value))
		out->is_failed = true;
	report_format_field(name, buf_span(&value), out);
	buf_clear(&value);
}

/* RFC 3464 2.2.1: the decoded form; only when the sender gave one.  What can't
 * be decoded didn't come from a checked envelope, and is left out. */
static void
add_envid(struct span envid, struct buf *out)
{
	struct buf plain;

	buf_init(&plain, VALUE_MAX);
	if (xtext_decode(envid, &plain) == OK)
		report_format_field("Original-Envelope-Id", buf_span(&plain),
		    out);
	if (buf_failed(&plain))
		out->is_failed = true;
	buf_clear(&plain);
}

/* ORCPT is coded, the field has the plain form. */
static void
add_original_recipient(struct span orcpt, struct buf *out)
{
	struct buf plain;

	buf_init(&plain, VALUE_MAX);
	if (orcpt.n > 0 && orcpt_decode(orcpt, &plain) == OK)
		report_format_field("Original-Recipient", buf_span(&plain),
		    out);
	if (buf_failed(&plain))
		out->is_failed = true;
	buf_clear(&plain);
}

/* RFC 3464 2.3.2; RFC 6533 section 3 for what is not ASCII. */
static void
add_final_recipient(struct span address, struct buf *out)
{
	struct buf value;

	buf_init(&value, VALUE_MAX);
	buf_add_str(&value, utf8_is_ascii(address) ? "rfc822; " : "utf-8; ");
	report_format_address(address, REPORT_REPLY_MAX, &value);
	if (buf_failed(&value))
		out->is_failed = true;
	report_format_field("Final-Recipient", buf_span(&value), out);
	buf_clear(&value);
}

/* A host that is known by its address alone is named by a literal, RFC 3464
 * 2.1.2 and RFC 5321 4.1.3. */
static void
add_remote_host(struct span host, struct buf *out)
{
	struct ipaddr ip;
	struct buf literal;

	if (ipaddr_parse(host, &ip) != OK) {
		add_typed("Remote-MTA", "dns", host, out);
		return;
	}
	buf_init(&literal, VALUE_MAX);
	buf_add_str(&literal, ip.family == IPADDR_4 ? "[" : "[IPv6:");
	buf_add_span(&literal, host);
	buf_add_byte(&literal, ']');
	if (buf_failed(&literal))
		out->is_failed = true;
	add_typed("Remote-MTA", "dns", buf_span(&literal), out);
	buf_clear(&literal);
}

/* Code and words, only when another host said them (RFC 3461 6.3 h, i). */
static void
add_remote(const struct report_rcpt *rcpt, struct buf *out)
{
	struct buf words;

	if (rcpt->code == 0)
		return;
	add_remote_host(rcpt->remote_host, out);
	buf_init(&words, VALUE_MAX);
	buf_add_u64(&words, rcpt->code);
	buf_add_byte(&words, ' ');
	report_format_words(rcpt->text, REPORT_REPLY_MAX, &words);
	if (buf_failed(&words))
		out->is_failed = true;
	add_typed("Diagnostic-Code", "smtp", buf_span(&words), out);
	buf_clear(&words);
}

static const char *const actions[] = {
	[REPORT_FAILED] = "failed",
	[REPORT_DELAYED] = "delayed",
	[REPORT_RELAYED] = "relayed",
};

/* The group of one recipient, in the order of RFC 3464 2.3. */
static void
add_rcpt(const struct report *r, const struct report_rcpt *rcpt,
    struct buf *out)
{
	char status[STATUS_SIZE];
	size_t n = status_format(report_status_of(rcpt), status);

	add_original_recipient(rcpt->orcpt, out);
	add_final_recipient(rcpt->address, out);
	report_format_field("Action", span_str(actions[rcpt->action]), out);
	report_format_field("Status", span_of(status, n), out);
	add_remote(rcpt, out);
	if (rcpt->last_attempt_at != 0)
		report_format_date("Last-Attempt-Date", rcpt->last_attempt_at,
		    r->zone_min, out);
	/* 2.3.9: of no sense where nothing will be tried again */
	if (rcpt->action == REPORT_DELAYED && r->retry_until_at != 0)
		report_format_date("Will-Retry-Until", r->retry_until_at,
		    r->zone_min, out);
}

void
report_status_build(const struct report *r, struct buf *out)
{
	add_typed("Reporting-MTA", "dns", r->host, out);
	add_envid(r->envid, out);
	report_format_field("X-Mtad-Queue-Id", r->queue_id, out);
	report_format_date("Arrival-Date", r->arrived_at, r->zone_min, out);
	if (r->deliver_by_at != 0)
		report_format_date("Deliver-By-Date", r->deliver_by_at,
		    r->zone_min, out);
	if (r->hold_asked.n > 0)
		report_format_field("Future-Release-Request", r->hold_asked,
		    out);
	for (size_t i = 0; i < r->rcpt_count; i++) {
		buf_add_str(out, "\r\n");	/* parts the groups */
		add_rcpt(r, &r->rcpts[i], out);
	}
}
