/*
 * Who only connects, or is no stranger, costs no question: they are put behind
 * the first EHLO, and the answers are there before a recipient is, mostly.
 */
#include "smtpd/session_gate.h"

#include "smtpd/server.h"

static void
on_known(void *ctx)
{
	struct session *s = ctx;

	rx_set_gate(s->rx, gate_verdict(s->gate), gate_text(s->gate));
	session_settle(s);
}

/* Submission is for those who say who they are, from wherever they do.
 * Without memory nothing is asked. */
void
session_gate_prepare(struct session *s)
{
	rx_set_gate(s->rx, RX_GATE_OPEN, SPAN_NONE);
	gate_free(&s->gate);
	if (s->service != CONF_SERVICE_MX || rx_is_trusted(s->rx) ||
	    !gate_is_wanted(s->server))
		return;
	s->gate = gate_new(s->server, &s->client.addr, on_known, s);
	rx_set_gate(s->rx, gate_verdict(s->gate), SPAN_NONE);
}

void
session_gate_look(struct session *s)
{
	if (s->gate != NULL && !s->is_over && rx_helo(s->rx).n > 0)
		gate_begin(s->gate);
}

struct span
session_gate_name(const struct session *s)
{
	const struct smtp_xclient *x = rx_xclient(s->rx);

	if (x != NULL && (x->given & 1U << SMTP_XCLIENT_NAME) != 0)
		return smtp_xclient_has(x, SMTP_XCLIENT_NAME) ?
		    span_of(x->name.text, x->name.n) : SPAN_LIT("unknown");
	return gate_name(s->gate);
}
