/*
 * The life of a dialogue, its input and what it asks of its owner.
 *
 * Nothing but order ties a reply to its command.  So the state names the one
 * command whose reply is due, each whole reply goes to that state's handler,
 * and what makes the order doubtful (a reply that nothing asked for, bytes
 * that are no reply) ends the connection instead of being skipped: taken for
 * the next mail's reply it could make an accepted recipient of a refused one.
 *
 * At most two mails are in a dialogue: the one in its transaction and one
 * begun ahead while the final reply of the first is awaited.  Those that have
 * left it wait in over[] until tx_next() has given them back.
 */
#include "deliverd/engine/tx.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "deliverd/engine/tx_convert.h"
#include "deliverd/engine/tx_fault.h"
#include "deliverd/engine/tx_login.h"

/* RFC 5321 4.5.3.2, but for QUIT: nothing depends on its reply, and until then
 * the connection takes the place of another. */
const struct tx_setup tx_setup_default = {
	.helo = "localhost.localdomain",
	.wait_ms = {
		[TX_FOR_GREETING] = 5 * MTIME_MINUTE,
		[TX_FOR_HELLO] = 5 * MTIME_MINUTE,
		[TX_FOR_MAIL] = 5 * MTIME_MINUTE,
		[TX_FOR_RCPT] = 5 * MTIME_MINUTE,
		[TX_FOR_DATA] = 2 * MTIME_MINUTE,
		[TX_FOR_BLOCK] = 3 * MTIME_MINUTE,
		[TX_FOR_FINAL] = 10 * MTIME_MINUTE,
		[TX_FOR_QUIT] = 5 * MTIME_SECOND,
	},
	.rcpts_max = 100,
};

enum err
tx_new(const struct tx_setup *setup, enum tx_tls_need need, struct buf *out,
    struct tx **new)
{
	struct tx *t = calloc(1, sizeof(*t));

	MUST(setup->rcpts_max > 0);
	if (t == NULL)
		return ERR_NOMEM;
	t->setup = setup;
	t->out = out;
	t->need = (uint8_t)need;
	t->is_secured = need == TX_TLS_INSIDE;
	t->state = TX_CONNECTING;
	smtp_response_init(&t->response);
	*new = t;
	return OK;
}

void
tx_free(struct tx **t)
{
	if (*t == NULL)
		return;
	MUST((*t)->mail == NULL && (*t)->ahead == NULL &&
	    (*t)->over[0] == NULL);
	smtp_response_clear(&(*t)->response);
	tx_login_free(*t);
	tx_convert_free(*t);
	free(*t);
	*t = NULL;
}

void
tx_connected(struct tx *t)
{
	MUST(t->state == TX_CONNECTING);
	tx_rules_enter(t, TX_GREETING);
}

/* 421 ends the dialogue wherever it comes, RFC 5321 3.8; to an idle connection
 * it is no more than a good-bye.  The reply is forgotten last: findings borrow
 * its words. */
static void
take_reply(struct tx *t)
{
	const struct smtp_response *r = &t->response;

	t->progress++;
	t->has_just_sent = false;
	if (r->code == 421 && t->state != TX_QUIT)
		tx_fault_reply(t, r);
	else
		tx_rules_get(t->state)->reply(t, r);
	smtp_response_reset(&t->response);
}

/* What was read is no reply: without its code, and so without its words, it
 * goes into the reason. */
static void
refuse_input(struct tx *t, const char *what)
{
	t->response.code = 0;
	tx_fault_violation(t, what);
	smtp_response_reset(&t->response);
}

/* What came together with a reply can't be the answer to a command that this
 * reply has caused: replies too many must not shift the pairing.  In a
 * pipelined group the commands were sent before, and this can't be seen. */
void
tx_input(struct tx *t, struct span bytes)
{
	while (bytes.n > 0 && t->state != TX_OVER &&
	    t->state != TX_CONNECTING) {
		size_t used = 0;
		enum err e;

		/* RFC 3207 6: said in clear, to be taken for words inside */
		if (t->state == TX_TLS_SHAKING) {
			refuse_input(t, "words behind its 220 to STARTTLS");
			return;
		}
		e = smtp_response_feed(&t->response, bytes, &used);
		bytes = span_from(bytes, used);
		/* whatever is said there, it changes nothing any more */
		if (t->state == TX_QUIT) {
			t->ignored += used;
			if (t->ignored > TX_INPUT_IGNORED_MAX ||
			    (e != OK && e != ERR_AGAIN)) {
				tx_rules_enter(t, TX_OVER);
				return;
			}
		}
		if (e == ERR_AGAIN)
			return;
		if (e == ERR_NOMEM) {
			tx_lost(t, "out of memory", 0);
			return;
		}
		if (e != OK) {
			refuse_input(t, "what is no SMTP reply");
			return;
		}
		take_reply(t);
		if (bytes.n > 0 && t->has_just_sent && t->state != TX_QUIT) {
			refuse_input(t, "more replies than it was asked for");
			return;
		}
	}
}

/*
 * Not on top of a reply that is half read: in an idle connection nobody asked
 * for it, and behind a final dot it may be the 421 that ends the connection.
 */
static bool
may_begin(const struct tx *t)
{
	if (t->is_quit_wanted || t->ahead != NULL || t->response.bytes > 0)
		return false;
	return t->state == TX_IDLE ||
	    (t->state == TX_FINAL && tx_rules_may_pipeline(t));
}

/* Output without memory is a lost connection: some command was not written,
 * and no reply would fit.  Mails are given back before the end is told, since
 * the engine is freed then. */
enum tx_action
tx_next(struct tx *t, struct tx_mail **mail)
{
	if (buf_failed(t->out) && t->state != TX_OVER)
		tx_lost(t, "out of memory", 0);
	if (t->over[0] != NULL) {
		*mail = t->over[0];
		t->over[0] = t->over[1];
		t->over[1] = NULL;
		return TX_MAIL_OVER;
	}
	if (t->state == TX_OVER)
		return TX_CLOSE;
	if (tx_sending(t) != NULL) {
		*mail = t->mail;
		return TX_WANT_CONTENT;
	}
	if (t->state == TX_TLS_SHAKING && !t->is_secured && !t->is_begun) {
		t->is_begun = true;
		return TX_START_TLS;
	}
	if (tx_login_asks(t))
		return TX_ASK;
	return may_begin(t) ? TX_READY : TX_WAIT;
}

int64_t
tx_deadline_ms(const struct tx *t)
{
	int wait_for = tx_rules_get(t->state)->wait_for;

	return wait_for < 0 ? MTIME_NEVER : t->setup->wait_ms[wait_for];
}

uint32_t
tx_progress(const struct tx *t)
{
	return t->progress;
}

bool
tx_is_up(const struct tx *t)
{
	return t->is_up && t->state != TX_QUIT && t->state != TX_OVER;
}

bool
tx_is_idle(const struct tx *t)
{
	return t->state == TX_IDLE;
}

const struct tx_mail *
tx_sending(const struct tx *t)
{
	return t->state == TX_SENDING || t->state == TX_LOOKING ? t->mail :
	    NULL;
}

uint32_t
tx_mail_count(const struct tx *t)
{
	return t->mail_count;
}

const struct tx_finding *
tx_trouble(const struct tx *t)
{
	return &t->trouble;
}

bool
tx_is_violated(const struct tx *t)
{
	return t->is_violated;
}
