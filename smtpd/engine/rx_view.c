/*
 * The window on struct rx for the driver, its log and its clock.  Nothing here
 * changes the dialogue.
 */
#include "smtpd/engine/rx_view.h"

#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_utf8.h"

static size_t
client_bytes(const struct rx *rx)
{
	switch (rx->client.family) {
	case IPADDR_4:
		return 4;
	case IPADDR_6:
		return 16;
	default:
		return 0;
	}
}

/* Good from RX_SUBMIT to rx_submitted(); all spans borrow the dialogue's
 * memory. */
void
rx_message(const struct rx *rx, struct rx_message *out)
{
	const struct rx_transaction *mail = &rx->mail;
	const struct smtp_dots_in *dots = &rx->content.dots;

	*out = (struct rx_message){
		.head.sender = span_of(mail->sender.text, mail->sender.n),
		.head.client = span_of(rx->client.bytes, client_bytes(rx)),
		.head.helo = rx_helo(rx),
		.head.headers = buf_span(&rx->content.notes.notes),
		.head.user = span_of(rx->user, rx->user_n),
		.head.listener = rx->door.listener,
		.head.priority = mail->priority,
		.head.ret = mail->ret,
		.head.envid = span_of(mail->envid, mail->envid_n),
		.rcpts = buf_span(&rx->rcpts),
		.rcpt_count = mail->rcpt_count,
		.first_rcpt = span_of(mail->first_rcpt.text,
		    mail->first_rcpt.n),
		.body_bytes = dots->bytes - rx->content.submitted.removed,
		.lacks_date = rx->door.needs_auth &&
		    !rx->content.submitted.has_date,
		.lacks_message_id = rx->door.needs_auth &&
		    !rx->content.submitted.has_message_id,
		.has_8bit = dots->has_8bit,
		.has_dots = dots->has_dots,
		.is_esmtp = rx->is_esmtp,
		.is_utf8 = mail->is_utf8,
		.is_tls = rx->door.is_tls,
		.is_auth = rx->user_n > 0,
		.is_binary = mail->is_binary,
		.hold_until = mail->hold_until,
		.head.hold_asked = span_of(mail->hold_asked,
		    mail->hold_asked_n),
		.head.by = mail->by,
		.by_at = mail->by_at,
		.has_no_eol = mail->is_binary && smtp_dots_in_is_open(dots),
	};
	out->head.flags = (mail->said_8bit ? ENVELOPE_SAID_8BIT : 0U) |
	    (dots->has_8bit ? ENVELOPE_HAS_8BIT : 0U) | rx_utf8_flags(rx) |
	    (mail->requires_tls ? ENVELOPE_REQUIRE_TLS :
	    tls_field_says_no(&rx->content.tls_field) ?
	    ENVELOPE_TLS_OPTIONAL : 0U);
	out->head.longest_line = dots->longest_line > UINT32_MAX ? UINT32_MAX
	    : (uint32_t)dots->longest_line;
}

void
rx_refusal(const struct rx *rx, struct rx_refusal *out)
{
	static const char *const stages[SMTP_VERB_COUNT] = {
		/* the stages at which mail is refused; the rest are mistakes
		 * of speech */
		[SMTP_VERB_MAIL] = "MAIL",
		[SMTP_VERB_RCPT] = "RCPT",
		[SMTP_VERB_DATA] = "DATA",
		[SMTP_VERB_BDAT] = "BDAT",
	};
	const char *stage = stages[rx->last.verb];

	*out = (struct rx_refusal){
		.verb = rx->last.verb,
		.stage = stage != NULL ? stage : "command",
		.is_policy = stage != NULL,
		.code = rx->last.code,
		.reply = rx->last.reply,
		.from = span_of(rx->mail.sender.text, rx->last.sender_n),
		.argument = rx->last.argument,
	};
	/* not of this session: somebody may stand between */
	if (rx->last.verb == SMTP_VERB_AUTH && rx->last.code == 535) {
		out->stage = "AUTH";
		out->is_policy = true;
	}
}

/* In the states of commands it is the client's turn, for each line is answered
 * at once.  The driver knows whether half a line lies in its input; a line
 * that is being skipped leaves nothing there. */
enum rx_phase
rx_phase(const struct rx *rx, bool has_input)
{
	switch (rx->state) {
	case RX_IN_CONTENT:
	case RX_IN_CHUNK:
		return RX_PHASE_CONTENT;
	case RX_SUBMITTING:
	case RX_ASKING:
		return RX_PHASE_OURS;
	case RX_CLOSED:
		return RX_PHASE_CLOSED;
	default:
		if (rx_is_held(rx))
			return RX_PHASE_OURS;
		return has_input || rx->lines.is_skipping ? RX_PHASE_LINE
		    : RX_PHASE_COMMAND;
	}
}

uint64_t
rx_turns(const struct rx *rx)
{
	return rx->turns;
}

bool
rx_has_quit(const struct rx *rx)
{
	return rx->has_quit;
}

bool
rx_is_trusted(const struct rx *rx)
{
	return rx->is_trusted;
}

bool
rx_is_tls(const struct rx *rx)
{
	return rx->door.is_tls;
}

bool
rx_has_transaction(const struct rx *rx)
{
	return rx->state == RX_MAIL || rx->state == RX_RCPT ||
	    rx_has_content(rx);
}

bool
rx_has_content(const struct rx *rx)
{
	return rx->state == RX_IN_CONTENT || rx->state == RX_SUBMITTING ||
	    rx->mail.has_chunks;
}

struct span
rx_helo(const struct rx *rx)
{
	return span_of(rx->helo, rx->helo_n);
}
