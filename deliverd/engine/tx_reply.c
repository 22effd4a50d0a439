/*
 * What the host says within a transaction.  Only the code decides, and of an
 * unknown code the first digit (RFC 5321 4.2.1); 421 and other ends of the
 * whole dialogue were dealt with before.
 *
 * A pipelined group was sent as a whole, so each of its commands is answered,
 * also when an earlier reply has made it pointless: the replies to RCPT and
 * DATA behind a refused MAIL are counted off here, and a 354 without any
 * recipient is answered with an empty message (RFC 2920 3.1).  In lockstep
 * the next command is sent only when it still makes sense.
 *
 * An LMTP host answers the end of the message once for each recipient that it
 * accepted, in their order (RFC 2033 4.2).
 *
 * Content in a chunk follows its BDAT, which waits for the replies to RCPT:
 * nothing is sent to a host that takes nobody, and none of it is ever read as
 * commands.
 */
#include "deliverd/engine/tx_convert.h"
#include "deliverd/engine/tx_fault.h"

/* 3yz makes TX_OPEN: nowhere an outcome, for the callers to refuse. */
struct tx_finding
tx_reply_finding(enum tx_stage stage, const struct smtp_response *r)
{
	static const enum tx_outcome outcomes[10] = {
		[2] = TX_DELIVERED, [4] = TX_DEFERRED, [5] = TX_FAILED,
	};

	return (struct tx_finding){
		.outcome = outcomes[r->code / 100 % 10],
		.stage = stage,
		.code = r->code,
		.status = r->status,
		.text = buf_span(&r->text),
	};
}

/* The mail has left the dialogue; what comes next?  One that was begun ahead
 * has its commands on their way already, and just takes its place. */
static void
end_mail(struct tx *t)
{
	struct tx_mail *m = t->mail;

	tx_fault_give_back(t, m, m->open > 0 ? TX_REST_MORE : TX_REST_NONE);
	t->mail = t->ahead;
	t->ahead = NULL;
	tx_rules_enter(t, t->mail == NULL ? TX_IDLE :
	    t->is_ahead_unsaid ? TX_LOOKING : TX_MAIL);
	if (t->state == TX_IDLE && t->is_quit_wanted)
		tx_quit(t);
}

/* The first from AT on that was accepted; rcpt_count without. */
static uint32_t
next_accepted(const struct tx_mail *m, uint32_t at)
{
	while (at < m->rcpt_count &&
	    m->rcpts[at].progress != TX_RCPT_ACCEPTED)
		at++;
	return at;
}

/* A reply to DATA or to the content is about those that were accepted. */
static void
settle_accepted(struct tx_mail *m, const struct tx_finding *f)
{
	for (uint32_t i = 0; i < m->rcpt_count; i++)
		if (m->rcpts[i].progress == TX_RCPT_ACCEPTED)
			tx_mail_settle(m, &m->rcpts[i], f);
}

void
tx_reply_idle(struct tx *t, const struct smtp_response *r)
{
	(void)r;
	tx_fault_violation(t, "a reply that nothing was asked for");
}

/* RFC 5321 4.1.1.5 knows no refusal: such a host may still be in the
 * transaction before. */
void
tx_reply_rset(struct tx *t, const struct smtp_response *r)
{
	if (r->code / 100 == 2)
		tx_rules_enter(t, TX_MAIL);
	else
		tx_fault_reply(t, r);
}

void
tx_reply_mail(struct tx *t, const struct smtp_response *r)
{
	struct tx_mail *m = t->mail;
	struct tx_finding f = tx_reply_finding(TX_STAGE_MAIL, r);

	if (f.outcome == TX_OPEN) {
		tx_fault_violation(t, "a strange reply to MAIL FROM");
		return;
	}
	m->is_answered = true;
	if (f.outcome != TX_DELIVERED)
		tx_mail_settle_open(m, &f);
	/* pipelined, the replies to RCPT and DATA are still to come */
	if (f.outcome != TX_DELIVERED && !tx_rules_may_pipeline(t))
		end_mail(t);
	else
		tx_rules_enter(t, TX_RCPT);
}

/*
 * "Too many recipients" is 452, or 552 by older hosts (RFC 5321 4.5.3.1.10):
 * those who were refused so go in a further transaction.  An enhanced code
 * that says something else, such as a full mailbox, is believed.
 */
static bool
is_too_many(const struct smtp_response *r)
{
	if (r->code != 452 && r->code != 552)
		return false;
	return r->status.class == 0 ||
	    (r->status.subject == 5 && r->status.detail == 3);
}

/* Those that were too many stay open for a further transaction, if this one
 * has any recipient at all; a host that takes not even one would not do so
 * then. */
static void
judge_recipient(struct tx_mail *m, struct tx_rcpt *rcpt,
    const struct smtp_response *r)
{
	struct tx_finding f = tx_reply_finding(TX_STAGE_RCPT, r);

	if (f.outcome == TX_DELIVERED) {
		rcpt->progress = TX_RCPT_ACCEPTED;
		m->accepted++;
		return;
	}
	if (is_too_many(r)) {
		if (m->accepted > 0)
			return;
		f.outcome = TX_DEFERRED;
		if (f.status.class == 5)
			f.status.class = 4;
	}
	tx_mail_settle(m, rcpt, &f);
}

/* Pipelined, DATA was sent whatever came of the recipients.  In lockstep it
 * isn't when none is left, and MAIL's transaction stays open until RSET. */
void
tx_reply_rcpt(struct tx *t, const struct smtp_response *r)
{
	struct tx_mail *m = t->mail;
	struct tx_rcpt *rcpt = &m->rcpts[m->at];

	if (r->code / 100 == 3) {
		tx_fault_violation(t, "a strange reply to RCPT TO");
		return;
	}
	rcpt->progress = TX_RCPT_ANSWERED;
	if (rcpt->outcome == TX_OPEN)	/* not refused with MAIL already */
		judge_recipient(m, rcpt, r);
	/* to the next that was sent: others wait for a transaction */
	while (m->at < m->rcpt_count &&
	    m->rcpts[m->at].progress != TX_RCPT_AWAITED)
		m->at++;
	if (m->at < m->rcpt_count) {
		tx_rules_enter(t, TX_RCPT);
	} else if (m->accepted > 0 && m->is_chunked) {
		m->at = next_accepted(m, 0);
		tx_send_bdat(t);
		t->has_just_sent = true;
		tx_rules_enter(t, TX_SENDING);
	} else if (!m->is_chunked &&
	    (m->accepted > 0 || tx_rules_may_pipeline(t))) {
		tx_rules_enter(t, TX_DATA);
	} else {
		t->needs_rset = true;
		end_mail(t);
	}
}

static void
begin_content(struct tx *t)
{
	smtp_dots_out_init(&t->dots);
	if (t->mail->accepted > 0) {
		t->mail->at = next_accepted(t->mail, 0);
		tx_rules_enter(t, TX_SENDING);
		if (t->mail->is_converted && tx_convert_start(t) != OK)
			tx_content_failed(t);
		return;
	}
	/* there it would have no reply to its end, or any number of them */
	if (t->is_lmtp) {
		tx_fault_violation(t, "a go-ahead for nobody");
		return;
	}
	/* DATA went out before every recipient was refused: an empty message
	 * to nobody, RFC 2920 3.1 */
	buf_add_str(t->out, ".\r\n");
	t->has_just_sent = true;
	t->after_dot = 0;
	tx_rules_enter(t, TX_FINAL);
}

/* What accepts DATA with 2yz has not understood it: content sent to it would
 * be read as commands. */
void
tx_reply_data(struct tx *t, const struct smtp_response *r)
{
	struct tx_finding f = tx_reply_finding(TX_STAGE_DATA, r);

	if (r->code / 100 == 3) {
		begin_content(t);
		return;
	}
	if (f.outcome == TX_DELIVERED) {
		tx_fault_violation(t, "a strange reply to DATA");
		return;
	}
	settle_accepted(t->mail, &f);
	t->needs_rset = true;
	end_mail(t);
}

/* A host that refuses a message half-way won't read the rest of it; a mail that
 * it accepts before it has seen the end is no mail of ours. */
void
tx_reply_early(struct tx *t, const struct smtp_response *r)
{
	struct tx_finding f = tx_reply_finding(TX_STAGE_CONTENT, r);

	if (f.outcome == TX_FAILED || f.outcome == TX_DEFERRED) {
		settle_accepted(t->mail, &f);
		tx_fault_reply(t, r);
	} else {
		tx_fault_violation(t, "a reply before the end of the message");
	}
}

/* LMTP: of the next one; true while others wait for theirs. */
static bool
settle_next(struct tx_mail *m, const struct tx_finding *f)
{
	tx_mail_settle(m, &m->rcpts[m->at], f);
	m->rcpts[m->at].progress = TX_RCPT_ANSWERED;
	m->at = next_accepted(m, m->at + 1);
	return m->at < m->rcpt_count;
}

void
tx_reply_final(struct tx *t, const struct smtp_response *r)
{
	struct tx_finding f = tx_reply_finding(TX_STAGE_FINAL, r);

	if (f.outcome == TX_OPEN) {
		tx_fault_violation(t,
		    "a strange reply to the end of the message");
		return;
	}
	if (!t->is_lmtp)
		settle_accepted(t->mail, &f);
	else if (settle_next(t->mail, &f)) {
		tx_rules_enter(t, TX_FINAL);
		return;
	}
	end_mail(t);
}

void
tx_reply_quit(struct tx *t, const struct smtp_response *r)
{
	(void)r;
	tx_rules_enter(t, TX_OVER);
}
