/*
 * Ends that nobody wished: 421, timeouts, lost connections, broken protocol.
 * Whatever was not settled is settled here, or given back untried.
 *
 * What becomes of the recipients that the host has accepted hangs on the final
 * dot.  Before it the host must drop the message (RFC 5321 4.1.1.10) and a
 * second attempt is safe.  Behind it only a reply can tell: without one they
 * are in doubt (I-03).
 */
#include <stdio.h>

#include "common/base/check.h"
#include "deliverd/engine/tx_fault.h"
#include "deliverd/engine/tx_login.h"

void
tx_fault_give_back(struct tx *t, struct tx_mail *m, enum tx_rest rest)
{
	m->rest = (uint8_t)rest;
	if (t->over[0] == NULL) {
		t->over[0] = m;
	} else {
		MUST(t->over[1] == NULL);
		t->over[1] = m;
	}
}

/* Kept for tx_trouble(): the words may lie in a reply or on a stack that is
 * gone by then.  The connection failed, no recipient: never more than
 * deferred. */
static void
note_trouble(struct tx *t, const struct tx_finding *f)
{
	struct span text = span_sub(f->text, 0, sizeof(t->trouble_text));

	if (text.n > 0)
		memcpy(t->trouble_text, text.p, text.n);
	t->trouble = *f;
	t->trouble.outcome = TX_DEFERRED;
	t->trouble.text = span_of(t->trouble_text, text.n);
}

/* All was sent and no reply came: the host may have taken the message. */
static void
doubt_accepted(struct tx_mail *m, const struct tx_finding *f)
{
	struct tx_finding doubt = *f;

	doubt.outcome = TX_IN_DOUBT;
	for (uint32_t i = 0; i < m->rcpt_count; i++)
		if (m->rcpts[i].progress == TX_RCPT_ACCEPTED)
			tx_mail_settle(m, &m->rcpts[i], &doubt);
}

/*
 * The connection is of no more use.  A mail that the host has said nothing
 * about is given back untried when others went over this connection before:
 * hosts close connections that were used enough, and that is no reason to make
 * a mail wait.  To the first mail it happens because the host is not well.
 *
 * IS_DOUBTFUL: the final dot has left, or may have.  The mail ahead is untried
 * in any case: its content waits for a 354 that never came.
 */
static void
abandon_mails(struct tx *t, const struct tx_finding *f, bool is_doubtful)
{
	struct tx_mail *m = t->mail;
	struct tx_mail *ahead = t->ahead;
	struct tx_finding deferred = *f;

	t->mail = NULL;
	t->ahead = NULL;
	deferred.outcome = TX_DEFERRED;
	if (m != NULL && !m->is_answered && t->mail_count > 1) {
		tx_fault_give_back(t, m, TX_REST_UNTRIED);
	} else if (m != NULL) {
		if (is_doubtful)
			doubt_accepted(m, f);
		tx_mail_settle_open(m, &deferred);
		tx_fault_give_back(t, m, TX_REST_NONE);
	}
	if (ahead != NULL)
		tx_fault_give_back(t, ahead, TX_REST_UNTRIED);
}

/* QUIT can't be said in the middle of a message: it would be a line of it; nor
 * in the middle of a handshake or of AUTH. */
static void
say_goodbye(struct tx *t)
{
	if (t->state == TX_SENDING || t->state == TX_CONNECTING ||
	    t->state == TX_TLS_SHAKING || tx_login_is_open(t)) {
		tx_rules_enter(t, TX_OVER);
		return;
	}
	buf_add_str(t->out, "QUIT\r\n");
	tx_rules_enter(t, TX_QUIT);
}

/* The trouble first: who gets a mail back asks tx_trouble() why. */
static void
end_dialogue(struct tx *t, const struct tx_finding *f, bool is_doubtful)
{
	note_trouble(t, f);
	abandon_mails(t, f, is_doubtful);
	say_goodbye(t);
}

void
tx_fault_finding(struct tx *t, const struct tx_finding *f)
{
	end_dialogue(t, f, false);
}

/* A reply that ends the whole dialogue: 421, or a refusal before any mail. */
void
tx_fault_reply(struct tx *t, const struct smtp_response *r)
{
	struct tx_finding f =
	    tx_reply_finding(tx_rules_get(t->state)->stage, r);

	f.outcome = TX_DEFERRED;
	if (f.status.class == 5)	/* it isn't the recipients' fault */
		f.status.class = 4;
	end_dialogue(t, &f, false);
}

/*
 * A reply that fits no command, after several were sent at once: one too many
 * may have shifted those before it, until a 354 proves that none did.  Nobody
 * is given up for what another was told, nor all for what the reply to RSET had
 * behind it.
 */
static void
reopen_refused(struct tx_mail *m)
{
	for (uint32_t i = 0; i < m->rcpt_count; i++) {
		struct tx_rcpt *r = &m->rcpts[i];

		bool is_of_this = (r->stage == TX_STAGE_RCPT &&
		    r->progress == TX_RCPT_ANSWERED) ||
		    (r->stage == TX_STAGE_MAIL && r->code != 0);

		if (is_of_this && r->outcome == TX_FAILED) {
			r->outcome = TX_OPEN;
			m->open++;
		}
	}
}

void
tx_fault_violation(struct tx *t, const char *what)
{
	char text[1024];
	char said[600];
	struct tx_finding f = {
		.outcome = TX_DEFERRED,
		.stage = tx_rules_get(t->state)->stage,
		.status = STATUS(4, 5, 0),
	};

	(void)span_copy(span_sub(buf_span(&t->response.text), 0,
	    sizeof(said) - 1), said, sizeof(said));
	if (t->response.code != 0)
		(void)snprintf(text, sizeof(text), "protocol error: the host "
		    "sent %s (%u %s)", what, t->response.code, said);
	else
		(void)snprintf(text, sizeof(text), "protocol error: the host "
		    "sent %s", what);
	f.text = span_str(text);
	t->is_violated = true;
	if (t->response.code != 0 && tx_rules_may_pipeline(t) &&
	    (t->state == TX_RCPT || t->state == TX_DATA))
		reopen_refused(t->mail);
	end_dialogue(t, &f, t->state == TX_FINAL);
}

/* Behind QUIT no reply is owed: the connection is simply over.  The final dot
 * counts as sent though it may still wait in our buffer: a doubt too many is a
 * note in the history, one too few hides a duplicate. */
void
tx_timeout(struct tx *t)
{
	const struct tx_rule *rule = tx_rules_get(t->state);
	struct tx_finding f = {
		.outcome = TX_DEFERRED, .stage = rule->stage,
		.status = STATUS(4, 4, 2),
	};
	char text[160];

	if (t->state == TX_QUIT || t->state == TX_OVER) {
		tx_rules_enter(t, TX_OVER);
		return;
	}
	(void)snprintf(text, sizeof(text), t->state == TX_SENDING ?
	    "the host stopped taking the message" :
	    "timed out waiting for the reply to %s",
	    tx_stage_name(rule->stage));
	if (t->state == TX_GREETING)
		(void)snprintf(text, sizeof(text),
		    "timed out waiting for the greeting");
	if (t->state == TX_LOOKING) {
		f.stage = TX_STAGE_CONTENT;
		f.status = STATUS(4, 3, 0);
		(void)snprintf(text, sizeof(text),
		    "the message could not be read in time");
	}
	if (t->state == TX_AUTH_ASKING)
		(void)snprintf(text, sizeof(text),
		    "timed out asking for the password or token");
	f.text = span_str(text);
	end_dialogue(t, &f, t->state == TX_FINAL);
}

/* As long as more is unwritten than what follows the dot, the host can't have
 * the whole message.  Hosts close idle connections: that is no trouble. */
void
tx_lost(struct tx *t, const char *why, uint64_t unsent)
{
	const struct tx_rule *rule = tx_rules_get(t->state);
	struct tx_finding f = {
		.outcome = TX_DEFERRED, .stage = rule->stage,
		.status = STATUS(4, 4, 2),
	};
	bool is_dot_sent = t->state == TX_FINAL && unsent <= t->after_dot;
	char text[256];

	if (t->state == TX_TLS_SHAKING)
		f.status = STATUS(4, 7, 5);
	if (t->state == TX_CONNECTING) {
		f.status = STATUS(4, 4, 1);
		(void)snprintf(text, sizeof(text), "%s", why);
	} else {
		(void)snprintf(text, sizeof(text), "%s at %s", why,
		    tx_stage_name(rule->stage));
	}
	f.text = span_str(text);
	if (t->state < TX_IDLE || t->mail != NULL)
		note_trouble(t, &f);
	abandon_mails(t, &f, is_dot_sent);
	tx_rules_enter(t, TX_OVER);
}

void
tx_content_failed(struct tx *t)
{
	struct tx_finding f = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_CONTENT,
		.status = STATUS(4, 3, 0),
		.text = SPAN_LIT("the message could not be read"),
	};

	MUST(tx_sending(t) != NULL);
	end_dialogue(t, &f, false);
}

void
tx_quit(struct tx *t)
{
	t->is_quit_wanted = true;
	if (t->state == TX_IDLE)
		say_goodbye(t);
	else if (t->state == TX_CONNECTING || t->state == TX_TLS_SHAKING)
		tx_rules_enter(t, TX_OVER);
}
