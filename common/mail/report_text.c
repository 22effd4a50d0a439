/*
 * Written for somebody who knows nothing of mail systems: what happened, to
 * whom, in whose words, and what to do now, in that order.  What other hosts
 * said is quoted as said and marked as theirs; advice comes from the status
 * code, because that alone means the same everywhere.
 *
 * Each paragraph is gathered in a buffer of its own, then wrapped.
 */
#include "common/mail/report_text.h"

#include "common/base/check.h"
#include "common/mail/mail_date.h"
#include "common/mail/report_format.h"
#include "common/mail/report_status.h"

#define SENTENCE_MAX (REPORT_REPLY_MAX + 1024)
#define ANY UINT16_MAX

/* What the sender can do, by subject and detail of the status. */
static const struct {
	uint16_t subject, detail;
	const char *text;
} hints[] = {
	{ 1, 10, "This domain takes no mail. Check the part of the address "
	    "behind the @ for typing errors." },
	{ 1, 2, "Check the part of the address behind the @ for typing "
	    "errors." },
	{ 1, 7, "Check the sender address that your program uses." },
	{ 1, 8, "Check the sender address that your program uses." },
	{ 1, ANY, "Check the address for typing errors, or ask the recipient "
	    "for the current one, and send the message again." },
	{ 2, 2, "The recipient has to make room first. Try again later, or "
	    "reach the recipient in another way." },
	{ 2, 3, "Make the message smaller, for instance by leaving out "
	    "attachments, and send it again." },
	{ 2, ANY, "Reach the recipient in another way." },
	{ 3, 4, "Make the message smaller, for instance by leaving out "
	    "attachments, and send it again." },
	{ 4, ANY, "Check the part of the address behind the @ for typing "
	    "errors. If it is right, the other mail system could not be "
	    "reached: send the message again later." },
	{ 5, 3, "Send the message to fewer recipients at once." },
	{ 6, ANY, "Send the message in a simpler form, for instance as plain "
	    "text." },
	{ 7, ANY, "The other side refuses this message by a rule of its own. "
	    "Ask the recipient, or the people who run that mail system, to "
	    "let it in." },
};

/* Rows of one detail stand before the row for the whole subject. */
static const char *
find_hint(struct status s)
{
	for (size_t i = 0; i < COUNT_OF(hints); i++) {
		if (hints[i].subject == s.subject &&
		    (hints[i].detail == s.detail || hints[i].detail == ANY))
			return hints[i].text;
	}
	return "If the answer above does not tell you what to do, ask for "
	    "help as described below.";
}

static bool
has_some(const struct report *r, enum report_action action)
{
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpts[i].action == action)
			return true;
	}
	return false;
}

/* One failure outweighs any delay, and a delay that it was passed on, in what
 * the report is called. */
static bool
has_failed(const struct report *r)
{
	return has_some(r, REPORT_FAILED);
}

static bool
is_relayed(const struct report *r)
{
	return !has_failed(r) && !has_some(r, REPORT_DELAYED);
}

/* Nothing may be said for certain then. */
static bool
is_doubtful(const struct report *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++)
		if (r->rcpts[i].is_in_doubt)
			return true;
	return false;
}

const char *
report_text_subject(const struct report *r)
{
	if (is_relayed(r))
		return "Your message was passed on";
	return has_failed(r) ? "Your message could not be delivered" :
	    "Your message is delayed";
}

static void
add_sentence(const char *text, unsigned indent, struct buf *out)
{
	report_format_wrapped(span_str(text), indent, out);
}

/* Prints what was gathered in S and empties it for the next paragraph.  Its
 * failure is the report's, and would be forgotten by the emptying. */
static void
end_paragraph(struct buf *s, unsigned indent, struct buf *out)
{
	if (buf_failed(s))
		out->is_failed = true;
	report_format_cleaned(buf_span(s), indent, out);
	buf_reset(s);
}

/* Who speaks, of which message, and how it stands. */
static void
add_opening(const struct report *r, struct buf *out)
{
	char date[MAIL_DATE_SIZE];
	struct buf s;

	mail_date_format(r->arrived_at, r->zone_min, date);
	buf_init(&s, SENTENCE_MAX);
	buf_add_str(&s, "This is the mail system at ");
	report_format_words(r->host, 255, &s);
	buf_addf(&s, ". The message that you sent on %s ", date);
	if (has_failed(r))
		buf_addf(&s, "could not be delivered to the recipient%s "
		    "below. It is given up; %s %s not receive it.",
		    r->rcpt_count == 1 ? "" : "s", r->rcpt_count == 1 ?
		    "this recipient" : "these recipients",
		    is_doubtful(r) ? "may" : "will");
	else if (is_relayed(r))
		buf_addf(&s, "was passed on to the mail system%s of the "
		    "recipient%s below, which took it. You had asked to be "
		    "told of its delivery: that system can't tell of it, so "
		    "you will hear no more unless it fails.",
		    r->rcpt_count == 1 ? "" : "s",
		    r->rcpt_count == 1 ? "" : "s");
	else
		buf_addf(&s, "has not reached the recipient%s below yet. You "
		    "need not send it again: we keep trying.",
		    r->rcpt_count == 1 ? "" : "s");
	end_paragraph(&s, 0, out);
	buf_clear(&s);
}

/* Nobody answered: what we saw ourselves, and with which host. */
static void
add_own_reason(const struct report_rcpt *rcpt, struct buf *out)
{
	struct buf s;

	buf_init(&s, SENTENCE_MAX);
	if (rcpt->remote_host.n > 0) {
		buf_add_str(&s, "At the mail server ");
		report_format_words(rcpt->remote_host, 255, &s);
		buf_add_byte(&s, ':');
		end_paragraph(&s, 4, out);
	}
	report_format_wrapped(rcpt->text.n > 0 ? rcpt->text :
	    SPAN_LIT("No reason is known."),
	    rcpt->remote_host.n > 0 ? 8 : 4, out);
	buf_clear(&s);
}

/* Who said what: the remote's words line by line, or ours. */
static void
add_reason(const struct report_rcpt *rcpt, struct buf *out)
{
	struct buf s;

	if (rcpt->code == 0) {
		add_own_reason(rcpt, out);
		return;
	}
	buf_init(&s, SENTENCE_MAX);
	buf_add_str(&s, rcpt->remote_host.n > 0 ? "The mail server " :
	    "The other mail server");
	report_format_words(rcpt->remote_host, 255, &s);
	buf_add_str(&s, " answered:");
	end_paragraph(&s, 4, out);
	buf_add_u64(&s, rcpt->code);
	buf_add_byte(&s, ' ');
	report_format_words(rcpt->text, REPORT_REPLY_MAX, &s);
	end_paragraph(&s, 8, out);
	buf_clear(&s);
}

/* Address, reason, meaning, advice. */
static void
add_rcpt(const struct report_rcpt *rcpt, struct buf *out)
{
	struct status status = report_status_of(rcpt);
	struct buf s;

	buf_add_str(out, "\r\n");
	buf_init(&s, SENTENCE_MAX);
	buf_add_byte(&s, '<');
	report_format_address(rcpt->address, 512, &s);
	buf_add_byte(&s, '>');
	end_paragraph(&s, 2, out);
	if (rcpt->is_expired)
		add_sentence("It was tried again and again, and is given up "
		    "now. The last attempt ended so:", 4, out);
	add_reason(rcpt, out);
	if (rcpt->is_in_doubt)
		add_sentence("The other mail server had got the whole message "
		    "by then, and may have delivered it: ask the recipient "
		    "before you send it again.", 4, out);
	if (status.subject != 0) {
		buf_addf(&s, "This means: %s.", status_text(status));
		end_paragraph(&s, 4, out);
	}
	if (rcpt->action == REPORT_FAILED && !rcpt->is_in_doubt)
		add_sentence(find_hint(status), 4, out);
	buf_clear(&s);
}

/* People read a hundred at most; programs find all in the next part. */
static void
add_rcpts(const struct report *r, struct buf *out)
{
	size_t told = r->rcpt_count;

	if (told > REPORT_RCPTS_TOLD)
		told = REPORT_RCPTS_TOLD;
	for (size_t i = 0; i < told; i++)
		add_rcpt(&r->rcpts[i], out);
	if (told < r->rcpt_count)
		buf_addf(out, "\r\n  and %zu more; all of them are in the "
		    "second part of this report.\r\n", r->rcpt_count - told);
}

/* What happens next, when it is not over yet. */
static void
add_retry(const struct report *r, struct buf *out)
{
	char date[MAIL_DATE_SIZE];
	struct buf s;

	if (r->retry_until_at == 0 || has_failed(r))
		return;
	mail_date_format(r->retry_until_at, r->zone_min, date);
	buf_init(&s, SENTENCE_MAX);
	buf_addf(&s, "If it does not get through until %s, it will be given "
	    "up, and you will get another report.", date);
	buf_add_str(out, "\r\n");
	end_paragraph(&s, 0, out);
	buf_clear(&s);
}

/* Whom to ask, what to tell them, and what is attached. */
static void
add_closing(const struct report *r, enum report_text_part part,
    struct buf *out)
{
	static const char *const parts[] = {
		[REPORT_TEXT_WHOLE] = "Your message is attached.",
		[REPORT_TEXT_HEAD] = "The beginning of your message is "
		    "attached; the rest of it was cut off.",
		[REPORT_TEXT_HEADER] = "The header of your message is "
		    "attached.",
	};
	struct buf s;

	buf_init(&s, SENTENCE_MAX);
	buf_add_str(&s, "If you need help, write to <");
	if (r->postmaster.n == 0)
		buf_add_str(&s, "postmaster@");
	report_format_words(r->postmaster.n > 0 ? r->postmaster : r->host, 512,
	    &s);
	buf_add_str(&s, ">, and send this report along. The number of your "
	    "message is ");
	report_format_words(r->queue_id, 64, &s);
	buf_add_byte(&s, '.');
	buf_add_str(out, "\r\n");
	end_paragraph(&s, 0, out);
	buf_clear(&s);
	buf_add_str(out, "\r\n");
	add_sentence(parts[part], 0, out);
}

void
report_text_build(const struct report *r, enum report_text_part part,
    struct buf *out)
{
	add_opening(r, out);
	add_rcpts(r, out);
	add_retry(r, out);
	add_closing(r, part, out);
}
