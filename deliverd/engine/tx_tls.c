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
#include "deliverd/engine/tx_login.h"
#include "deliverd/engine/tx_tls.h"

static bool
is_needed(const struct tx *t)
{
	return t->need == TX_TLS_MUST;
}

/* RFC 3463 X.7.4: security features not supported. */
static void
end_for_want_of(struct tx *t, struct status status, struct span text)
{
	const struct tx_finding f = {
		.outcome = TX_DEFERRED, .stage = TX_STAGE_TLS,
		.status = status, .text = text,
	};

	tx_fault_finding(t, &f);
}

/* Inside TLS; the code is that of RFC 8689 section 4.2.1. */
static bool
lacks_ext(struct tx *t)
{
	if (!t->requires_ext || smtp_ext_has(&t->ext, SMTP_EXT_REQUIRETLS))
		return false;
	end_for_want_of(t, STATUS(4, 7, 30), SPAN_LIT("the host offers no "
	    "REQUIRETLS, which this message needs"));
	return true;
}

bool
tx_tls_ask(struct tx *t)
{
	if (t->is_secured)
		return lacks_ext(t);
	if (t->need == TX_TLS_NEVER)
		return false;
	if (smtp_ext_has(&t->ext, SMTP_EXT_STARTTLS)) {
		tx_rules_enter(t, TX_TLS_ASKED);
		return true;
	}
	if (!is_needed(t))
		return false;
	if (t->requires_ext)
		end_for_want_of(t, STATUS(4, 7, 10), SPAN_LIT("the host "
		    "offers no STARTTLS, and this message requires TLS"));
	else
		end_for_want_of(t, STATUS(4, 7, 4), SPAN_LIT("the host offers "
		    "no STARTTLS, and without TLS it gets no mail"));
	return true;
}

void
tx_require_tls(struct tx *t)
{
	t->requires_ext = true;
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
	else if (!tx_login_begin(t))
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
