/*
 * Transactions begun, and their commands and content written.
 *
 * The commands of a pipelined group are all written by tx_begin(), DATA last,
 * since nothing may follow it (RFC 2920 3.1).  In TX_FINAL they
 * follow the final dot of the mail before in the same buffer, to leave in one
 * write with it.
 */
#include <stdio.h>

#include "common/base/check.h"
#include "common/mail/envelope.h"
#include "deliverd/engine/tx_by.h"
#include "deliverd/engine/tx_convert.h"
#include "deliverd/engine/tx_fault.h"
#include "deliverd/engine/tx_limits.h"
#include "deliverd/engine/tx_utf8.h"

/* RFC 3461 5.2.1: as they came, and none that did not come. */
static void
put_mail_dsn(const struct tx_mail *m, struct buf *out)
{
	if (m->ret != ENVELOPE_RET_NONE)
		buf_add_str(out, m->ret == ENVELOPE_RET_FULL ? " RET=FULL" :
		    " RET=HDRS");
	if (m->envid.n == 0)
		return;
	buf_add_str(out, " ENVID=");
	buf_add_span(out, m->envid);
}

static void
put_rcpt_dsn(const struct tx *t, const struct tx_mail *m,
    const struct tx_rcpt *r, struct buf *out)
{
	static const struct {
		enum envelope_notify flag;
		const char *word;
	} words[] = {
		{ ENVELOPE_NOTIFY_NEVER, "NEVER" },
		{ ENVELOPE_NOTIFY_SUCCESS, "SUCCESS" },
		{ ENVELOPE_NOTIFY_FAILURE, "FAILURE" },
		{ ENVELOPE_NOTIFY_DELAY, "DELAY" },
	};
	const uint8_t notify = tx_by_notify(t, m, r->notify);
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if ((notify & words[i].flag) == 0)
			continue;
		buf_add_str(out, before);
		buf_add_str(out, words[i].word);
		before = ",";
	}
	tx_utf8_put_orcpt(m, r->orcpt, out);
}

/* Nothing is said to the host that its EHLO didn't offer: content that needs
 * more is converted, or passed in silence. */
static void
put_mail(struct tx *t, const struct tx_mail *m)
{
	bool is_8bit = (m->flags & TX_CONTENT_8BIT) != 0 && !m->is_converted;

	buf_add_str(t->out, "MAIL FROM:<");
	tx_utf8_put_address(m, m->sender, t->out);
	buf_add_byte(t->out, '>');
	if (smtp_ext_has(&t->ext, SMTP_EXT_SIZE)) {
		buf_add_str(t->out, " SIZE=");
		buf_add_u64(t->out, tx_convert_size(m));
	}
	if ((m->flags & TX_CONTENT_BINARY) != 0 && !m->is_converted)
		buf_add_str(t->out, " BODY=BINARYMIME");
	else if (is_8bit && smtp_ext_has(&t->ext, SMTP_EXT_8BITMIME))
		buf_add_str(t->out, " BODY=8BITMIME");
	if (m->requires_tls)
		buf_add_str(t->out, " REQUIRETLS");
	if (m->says_utf8)
		buf_add_str(t->out, " SMTPUTF8");
	if (smtp_ext_has(&t->ext, SMTP_EXT_MT_PRIORITY))
		buf_addf(t->out, " MT-PRIORITY=%d", m->priority);
	tx_by_put(t, m, t->out);
	if (m->has_dsn)
		put_mail_dsn(m, t->out);
	buf_add_str(t->out, "\r\n");
}

static void
put_rcpt(struct tx *t, const struct tx_mail *m, const struct tx_rcpt *r)
{
	buf_add_str(t->out, "RCPT TO:<");
	tx_utf8_put_address(m, r->address, t->out);
	buf_add_byte(t->out, '>');
	if (smtp_ext_has(&t->ext, SMTP_EXT_DSN))
		put_rcpt_dsn(t, m, r, t->out);
	buf_add_str(t->out, "\r\n");
}

/* RSET too, when the last transaction was left open: it is a command like
 * others. */
static void
put_group(struct tx *t, const struct tx_mail *m)
{
	if (t->needs_rset)
		tx_send_rset(t);
	put_mail(t, m);
	for (uint32_t i = m->at; i < m->rcpt_count; i++)
		if (m->rcpts[i].progress == TX_RCPT_AWAITED)
			put_rcpt(t, m, &m->rcpts[i]);
	/* BDAT waits for their replies: nobody asks for its content */
	if (!m->is_chunked)
		tx_send_data(t);
}

void
tx_send_rset(struct tx *t)
{
	buf_add_str(t->out, "RSET\r\n");
}

void
tx_send_mail(struct tx *t)
{
	put_mail(t, t->mail);
}

void
tx_send_rcpt(struct tx *t)
{
	put_rcpt(t, t->mail, &t->mail->rcpts[t->mail->at]);
}

/* All of the content in one chunk, which follows. */
void
tx_send_bdat(struct tx *t)
{
	buf_addf(t->out, "BDAT %llu LAST\r\n",
	    (unsigned long long)t->mail->size);
}

void
tx_send_data(struct tx *t)
{
	buf_add_str(t->out, "DATA\r\n");
}

/* Our own decision: no code, and M goes back without having met the host. */
static void
settle_unsendable(struct tx *t, struct tx_mail *m, struct status status,
    const char *text)
{
	struct tx_finding f = {
		.outcome = TX_FAILED, .stage = TX_STAGE_MAIL,
		.status = status, .text = span_str(text),
	};

	tx_mail_settle_open(m, &f);
	tx_fault_give_back(t, m, TX_REST_NONE);
}

static bool
is_convertible(struct tx *t, struct tx_mail *m)
{
	bool is_binary = (m->flags & TX_CONTENT_BINARY) != 0;
	const char *why = tx_convert_refusal(m);
	char text[256];

	if (why == NULL)
		return true;
	(void)snprintf(text, sizeof(text), "the message would have to be "
	    "converted: %s; but %s", is_binary ? "it is binary, which the host "
	    "does not take (no BINARYMIME)" : "it has 8-bit text, which the "
	    "host does not take (no 8BITMIME)", why);
	settle_unsendable(t, m, STATUS(5, 6, 3), text);
	return false;
}

/* What this host has said it can't take isn't offered to it.  On false M is
 * settled and on its way back.  A SIZE of 0 says that there is no limit, RFC
 * 1870 3. */
static bool
is_sendable(struct tx *t, struct tx_mail *m)
{
	uint64_t limit = t->ext.size_max, size = tx_convert_size(m);
	struct status status;
	const char *why;
	char text[128];

	if (limit != 0 && size > limit) {
		(void)snprintf(text, sizeof(text), "the message is %llu "
		    "octets long%s, but the host takes at most %llu",
		    (unsigned long long)size, size != m->size ?
		    " as it has to be sent" : "", (unsigned long long)limit);
		settle_unsendable(t, m, STATUS(5, 3, 4), text);
		return false;
	}
	if (m->is_converted && !is_convertible(t, m))
		return false;
	why = tx_by_refusal(t, m, &status);
	if (why != NULL) {
		settle_unsendable(t, m, status, why);
		return false;
	}
	tx_utf8_refuse(t, m);
	if (m->open == 0)
		tx_fault_give_back(t, m, TX_REST_NONE);
	return m->open > 0;
}

/* Behind a final dot the octets of this mail are counted: as long as no more
 * than they are unwritten, the dot before them has left (tx_lost()). */
static void
start(struct tx *t, struct tx_mail *m)
{
	size_t before = t->out->n;

	tx_limits_choose(t, m);
	m->says_utf8 = tx_utf8_is_said(t, m);
	if (tx_rules_may_pipeline(t))
		put_group(t, m);
	if (t->state == TX_FINAL) {
		MUST(tx_rules_may_pipeline(t));
		t->ahead = m;
		t->after_dot += t->out->n - before;
		return;
	}
	t->mail = m;
	tx_rules_enter(t, t->needs_rset ? TX_RSET : TX_MAIL);
	t->needs_rset = false;
}

/*
 * By BDAT (RFC 3030) goes what DATA can't express or would change: binary
 * content, dots that it would stuff, and a last line without CRLF.  In lockstep
 * all text does: that saves the round trip of the 354.
 */
static bool
is_chunked(const struct tx *t, const struct tx_mail *m)
{
	const unsigned changed = TX_CONTENT_BINARY | TX_CONTENT_DOTS |
	    TX_CONTENT_NO_EOL;

	return smtp_ext_has(&t->ext, SMTP_EXT_CHUNKING) && !m->is_converted &&
	    ((m->flags & changed) != 0 || !tx_rules_may_pipeline(t));
}

/* One whose content has to be read first waits for its turn. */
static void
look(struct tx *t, struct tx_mail *m)
{
	t->is_ahead_unsaid = t->state == TX_FINAL;
	if (t->is_ahead_unsaid) {
		t->ahead = m;
		return;
	}
	t->mail = m;
	tx_rules_enter(t, TX_LOOKING);
}

void
tx_begin(struct tx *t, struct tx_mail *m)
{
	MUST(m->open > 0 && t->ahead == NULL);
	MUST(t->state == TX_IDLE || t->state == TX_FINAL);
	t->mail_count++;
	t->is_ahead_unsaid = false;
	m->rest = TX_REST_NONE;
	m->is_answered = false;
	m->accepted = 0;
	m->has_dsn = smtp_ext_has(&t->ext, SMTP_EXT_DSN);
	m->is_by_lost = tx_by_is_lost(t, m);
	m->is_converted = tx_convert_is_needed(t, m);
	m->is_chunked = is_chunked(t, m);
	if (!is_sendable(t, m))
		return;
	if (m->is_converted && m->plan == NULL)
		look(t, m);
	else
		start(t, m);
}

void
tx_send_looked(struct tx *t)
{
	struct tx_mail *m = t->mail;

	t->mail = NULL;
	tx_rules_enter(t, TX_IDLE);
	if (is_sendable(t, m))
		start(t, m);
	else if (t->is_quit_wanted)
		tx_quit(t);
}

/* smtp_dots_out adds the CRLF that is lacking by itself; content that is
 * known to have no line that begins with a dot needs no look at it. */
static void
put_end(struct tx *t, const struct tx_mail *m)
{
	if (m->is_chunked)
		return;
	if ((m->flags & TX_CONTENT_DOTS) != 0 || m->is_converted)
		(void)smtp_dots_out_end(&t->dots, t->out);
	else if ((m->flags & TX_CONTENT_NO_EOL) != 0)
		buf_add_str(t->out, "\r\n.\r\n");
	else
		buf_add_str(t->out, ".\r\n");
}

/* Each piece begins the wait anew: a long message on a slow line isn't cut off
 * while it moves. */
void
tx_content(struct tx *t, struct span bytes, bool is_last)
{
	const struct tx_mail *m = t->mail;

	MUST(t->state == TX_SENDING || t->state == TX_LOOKING);
	if (t->state == TX_LOOKING) {
		tx_convert_look(t, bytes, is_last);
		return;
	}
	if (m->is_converted) {
		if (tx_convert_content(t, bytes, is_last) != OK) {
			tx_content_failed(t);
			return;
		}
	} else if ((m->flags & TX_CONTENT_DOTS) != 0 && !m->is_chunked)
		smtp_dots_out_feed(&t->dots, bytes, t->out);
	else
		buf_add_span(t->out, bytes);
	t->progress++;
	if (!is_last)
		return;
	put_end(t, m);
	t->after_dot = 0;
	tx_rules_enter(t, TX_FINAL);
}
