/*
 * A recipient is settled once: the first finding about it stands, whatever is
 * found about the mail as a whole later.  So a refusal of RCPT survives the
 * loss of the connection, and to settle all that is open is safe at any time.
 * (Only tx_fault takes findings back, where replies may have been mixed up.)
 *
 * The words of all replies lie in one buffer, recipients know where: it may
 * move when it grows.
 */
#include "deliverd/engine/tx_mail.h"

#include <stdlib.h>

#include "common/base/check.h"

static const char *const stage_names[TX_STAGE_COUNT] = {
	[TX_STAGE_CONNECT] = "connecting",
	[TX_STAGE_GREETING] = "the greeting",
	[TX_STAGE_HELLO] = "EHLO",
	[TX_STAGE_TLS] = "STARTTLS",
	[TX_STAGE_AUTH] = "AUTH",
	[TX_STAGE_MAIL] = "MAIL FROM",
	[TX_STAGE_RCPT] = "RCPT TO",
	[TX_STAGE_DATA] = "DATA",
	[TX_STAGE_CONTENT] = "sending the message",
	[TX_STAGE_FINAL] = "the end of the message",
};

const char *
tx_stage_name(enum tx_stage stage)
{
	MUST(stage < TX_STAGE_COUNT);
	return stage_names[stage];
}

/* What the envelope says stays, all else of a recipient is what an earlier use
 * left. */
void
tx_mail_reset(struct tx_mail *m)
{
	buf_reset(&m->texts);
	m->open = m->rcpt_count;
	m->rest = TX_REST_NONE;
	m->is_answered = false;
	m->accepted = 0;
	m->at = 0;
	for (uint32_t i = 0; i < m->rcpt_count; i++) {
		const struct tx_rcpt *r = &m->rcpts[i];

		m->rcpts[i] = (struct tx_rcpt){ .address = r->address,
		    .orcpt = r->orcpt, .notify = r->notify };
	}
}

void
tx_mail_forget(struct tx_mail *m)
{
	if (m->plan != NULL)
		mime_plan_clear(m->plan);
	free(m->plan);
	m->plan = NULL;
}

/* Many recipients may share one reply, so its words are kept once. */
static bool
is_last_text(const struct tx_mail *m, struct span text)
{
	if (m->texts.n < text.n)
		return false;
	return span_equal(span_from(buf_span(&m->texts),
	    m->texts.n - text.n), text);
}

/* Where the words are now; *TEXT is cut to what is kept, to nothing without
 * room. */
static uint32_t
keep_text(struct tx_mail *m, struct span *text)
{
	*text = span_sub(*text, 0, TX_TEXT_MAX);
	if (!is_last_text(m, *text))
		buf_add_span(&m->texts, *text);
	if (buf_failed(&m->texts)) {
		*text = SPAN_NONE;
		return 0;
	}
	return (uint32_t)(m->texts.n - text->n);
}

void
tx_mail_settle(struct tx_mail *m, struct tx_rcpt *r,
    const struct tx_finding *f)
{
	struct span text = f->text;

	if (r->outcome != TX_OPEN)
		return;
	MUST(f->outcome != TX_OPEN && m->open > 0);
	r->outcome = (uint8_t)f->outcome;
	r->stage = (uint8_t)f->stage;
	r->has_dsn = m->has_dsn;
	r->is_by_lost = m->is_by_lost;
	r->code = f->code;
	r->status = f->status;
	r->text_at = keep_text(m, &text);
	r->text_n = (uint32_t)text.n;
	m->open--;
}

void
tx_mail_settle_open(struct tx_mail *m, const struct tx_finding *f)
{
	for (uint32_t i = 0; i < m->rcpt_count && m->open > 0; i++)
		tx_mail_settle(m, &m->rcpts[i], f);
}

struct span
tx_mail_text(const struct tx_mail *m, const struct tx_rcpt *r)
{
	return span_sub(buf_span(&m->texts), r->text_at, r->text_n);
}
