/*
 * STARTTLS as a client, RFC 3207.
 *
 * Where TLS is needed nothing takes its place: a host that doesn't offer it, or
 * refuses it, gets no mail, and another host or another time is tried.  Inside
 * TLS the dialogue begins anew with EHLO; what was offered in clear counts no
 * more (section 4.2).
 */
#include "common/base/check.h"
#include "deliverd/engine/tx_fault.h"
#include "deliverd/engine/tx_tls.h"

static bool
is_needed(const struct tx *t)
{
	return t->need == TX_TLS_MUST;
}

/* RFC 3463 X.7.4: security features not supported. */
static void
end_for_want_of_it(struct tx *t)
{
	static const struct tx_finding f = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_TLS,
		.status = { 4, 7, 4 },
		.text = SPAN_LIT("the host offers no STARTTLS, and this "
		    "route requires TLS"),
	};

	tx_fault_finding(t, &f);
}

bool
tx_tls_ask(struct tx *t)
{
	if (t->is_secured || t->need == TX_TLS_NEVER)
		return false;
	if (smtp_ext_has(&t->ext, SMTP_EXT_STARTTLS)) {
		tx_rules_enter(t, TX_TLS_ASKED);
		return true;
	}
	if (!is_needed(t))
		return false;
	end_for_want_of_it(t);
	return true;
}

void
tx_tls_send(struct tx *t)
{
	buf_add_str(t->out, "STARTTLS\r\n");
}

/* A host that offers TLS and can't begin it (454) takes the mail in clear,
 * where that may be. */
void
tx_tls_reply(struct tx *t, const struct smtp_response *r)
{
	if (r->code / 100 == 2)
		tx_rules_enter(t, TX_TLS_SHAKING);
	else if (r->code / 100 == 3)
		tx_fault_violation(t, "a strange reply to STARTTLS");
	else if (is_needed(t))
		tx_fault_reply(t, r);
	else
		tx_hello_up(t);
}

void
tx_secured(struct tx *t, struct buf *out)
{
	t->out = out;
	t->is_secured = true;
	if (t->state != TX_TLS_SHAKING)
		return;
	t->ext = (struct smtp_ext){ 0 };
	tx_rules_enter(t, TX_EHLO);
}
