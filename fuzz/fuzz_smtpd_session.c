/*
 * A whole session of the SMTP server.  The first octet chooses how the bytes
 * are cut; the engine must answer in well-formed lines whatever comes.  TLS is
 * offered, and a handshake is done as soon as it is asked for.  XCLIENT may be
 * said; about a stranger it is asked elsewhere, with an answer by the first
 * octet when it is waited for.  Inside TLS there are users, channel bindings and
 * a certificate; keyd's answers are by the first octet, too.
 */
#include "common/base/check.h"
#include "smtpd/engine/rx_auth.h"
#include "smtpd/engine/rx_gate.h"
#include "tests/unit/smtpd/play.h"

/* The gate's answer, a part of the time that it lists the client. */
static void
answer_gate(struct play *p, size_t piece)
{
	enum rx_gate gate = piece % 8 == 1 ? RX_GATE_LISTED :
	    piece % 8 == 2 ? RX_GATE_NAMELESS : RX_GATE_OPEN;

	if (!rx_is_asking(p->rx))
		return;
	rx_set_gate(p->rx, gate, SPAN_LIT("listed\r\n250 no\n"));
	MUST(!rx_is_asking(p->rx));
	play_feed(p, SPAN_NONE);
}

/* keyd's answer; a proof or password is right a part of the time. */
static void
answer_auth(struct play *p, size_t piece)
{
	static const uint8_t nonce[RX_AUTH_NONCE_BYTES];
	struct rx_question q;
	struct rx_answer a = {
		.verdict = piece % 8 == 3 ? RX_VERDICT_BAD
		    : piece % 8 == 4 ? RX_VERDICT_LATER : RX_VERDICT_GOOD,
		.iterations = 4096, .salt = SPAN_LIT("salt"),
		.nonce = nonce, .binding = SPAN_LIT("binding"),
		.signature = SPAN_LIT("signature"),
	};

	while (rx_state(p->rx) == RX_ASKING) {
		rx_question(p->rx, &q);
		MUST(q.user.n > 0 && q.user.n <= SASL_USER_MAX);
		rx_answered(p->rx, &a, &p->out);
		play_feed(p, SPAN_NONE);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p;
	struct span rest;
	size_t piece;

	if (size < 1)
		return 0;
	piece = (size_t)(data[0] & 0x3f) + 1;
	rest = span_of(data + 1, size - 1);
	play_init(&p);
	p.conf->limits.message_bytes = 256;
	p.conf->limits.recipients = 4;
	p.conf->limits.hops = 2;
	if (data[0] & 0x40)
		p.conf->content.bare_newline = CONF_NEWLINE_NORMALISE;
	p.result = data[0] & 0x80 ? RX_FAILED : RX_ACCEPTED;
	p.door.may_tls = p.door.may_xclient = true;
	p.site.has_passwords = p.site.has_scram = true;
	play_connect(&p, "192.0.2.1");
	rx_set_gate(p.rx, RX_GATE_ASKING, SPAN_NONE);
	while (rest.n > 0 && !p.is_closed) {
		play_feed(&p, span_sub(rest, 0, piece));
		answer_gate(&p, piece);
		answer_auth(&p, piece);
		rest = span_from(rest, piece);
		if (p.is_shaking) {
			/* nothing of what came behind it may be left */
			MUST(p.in.n == 0);
			p.is_shaking = false;
			rx_secured(p.rx);
			rx_auth_bindings(p.rx, 3);
			rx_auth_certified(p.rx, SPAN_LIT("ann"));
			MUST(rx_state(p.rx) == RX_START &&
			    !rx_has_transaction(p.rx));
		}
	}
	MUST(play_count_replies(&p) >= 1);
	MUST(p.body.n <= 256 + piece * 2);
	play_clear(&p);
	return 0;
}
