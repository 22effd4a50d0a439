/*
 * Greeting, EHLO, and HELO for hosts that know nothing better; after HELO no
 * extension is known, so none is used.
 *
 * Who is refused here is this client, or everybody; no recipient was named
 * yet.  So tx_fault_reply() makes any refusal temporary, and the next host is
 * tried.
 */
#include "deliverd/engine/tx_fault.h"
#include "deliverd/engine/tx_login.h"
#include "deliverd/engine/tx_tls.h"

static void
send_hello(struct tx *t, const char *verb)
{
	buf_add_str(t->out, verb);
	buf_add_str(t->out, t->setup->helo);
	buf_add_str(t->out, "\r\n");
}

void
tx_speak_lmtp(struct tx *t)
{
	t->is_lmtp = true;
}

void
tx_hello_send_ehlo(struct tx *t)
{
	send_hello(t, t->is_lmtp ? "LHLO " : "EHLO ");
}

void
tx_hello_send_helo(struct tx *t)
{
	send_hello(t, "HELO ");
}

/* RFC 5321 3.1: a 554 greeting too means "not here, not now", and says
 * nothing about any recipient. */
void
tx_hello_greeting(struct tx *t, const struct smtp_response *r)
{
	if (r->code / 100 == 2)
		tx_rules_enter(t, TX_EHLO);
	else if (r->code / 100 == 3)
		tx_fault_violation(t, "a greeting that is no greeting");
	else
		tx_fault_reply(t, r);
}

void
tx_hello_up(struct tx *t)
{
	t->is_up = true;
	tx_rules_enter(t, TX_IDLE);
	/* tx_quit() came earlier, when it could only be noted */
	if (t->is_quit_wanted)
		tx_quit(t);
}

/* EHLO isn't known there, RFC 5321 3.2 and 4.1.1.1. */
static bool
is_helo_worth_it(unsigned code)
{
	return code == 500 || code == 501 || code == 502 || code == 504 ||
	    code == 550;
}

void
tx_hello_ehlo(struct tx *t, const struct smtp_response *r)
{
	if (r->code / 100 == 2) {
		smtp_ext_parse(buf_span(&r->text), &t->ext);
		if (!tx_tls_ask(t) && !tx_login_begin(t))
			tx_hello_up(t);
	} else if (!t->is_lmtp && is_helo_worth_it(r->code)) {
		tx_rules_enter(t, TX_HELO);
	} else {
		tx_fault_reply(t, r);
	}
}

void
tx_hello_helo(struct tx *t, const struct smtp_response *r)
{
	if (r->code / 100 != 2)
		tx_fault_reply(t, r);
	else if (!tx_tls_ask(t) && !tx_login_begin(t))
		tx_hello_up(t);
}
