/*
 * The client dialogue against any host.  Input: one octet of options, then
 * what the host says; an octet 0xff starts a new segment, 0xfe is a timeout,
 * 0xfd the loss of the connection, 0xfc the end of a handshake, 0xfb the password
 * or proof that was asked for.  Options 16 and 128: TLS may be, must be; both: the
 * connection begins with it, and we have a password there.  1 and 2 together: the
 * host speaks LMTP.
 */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "deliverd/engine/tx_auth.h"
#include "tests/unit/deliverd/tx_play.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char content[] = "A: b\r\n\r\n.one\r\n.\r\n\xe4";

static void
add_mails(struct play *p, uint8_t options)
{
	unsigned flags = 0;

	if (options & 4)
		flags |= TX_CONTENT_8BIT;
	for (int i = 0; i < 3; i++) {
		struct play_mail *m = play_mail(p, "m", i == 1 ? "" :
		    "s@a.example", content, sizeof(content) - 1,
		    flags | TX_CONTENT_DOTS | TX_CONTENT_NO_EOL |
		    ((options & 64) != 0 && i > 0 ? TX_CONTENT_BINARY : 0U));

		play_rcpt(m, "r1@b.example");
		play_rcpt(m, (options & 32) != 0 ? "r2@\xc3\xbc.example" :
		    "r2@b.example");
		play_rcpt(m, (options & 32) != 0 ? "\xc3\xbc@b.example" :
		    "r3@b.example");
		m->mail.is_utf8 = (options & 32) != 0;
		m->mail.has_utf8_header = m->mail.is_utf8 && i == 2;
	}
}

static void
answer(struct play *p)
{
	static const uint8_t proof[32] = { 1 };
	struct tx_auth_question q;
	struct tx_auth_answer a = { .trouble = NULL };

	p->asks = 0;
	tx_auth_question(p->t, &q);
	if (q.wants_proof) {
		MUST(q.iterations > 0 && q.auth_message.n > 0);
		a.proof = a.signature = span_of(proof, sizeof(proof));
	} else if (q.wants_token) {
		MUST(q.refused == 0 || q.refused == 1);
		a.token = SPAN_LIT("secret");
		a.number = q.refused + 1;
	} else {
		a.password = SPAN_LIT("secret");
	}
	tx_auth_answer(p->t, &a);
}

static void
event(struct play *p, uint8_t what)
{
	if (p->is_closed)
		return;
	if (what == 0xfe)
		tx_timeout(p->t);
	else if (what == 0xfc && p->is_shaking) {
		p->is_shaking = false;
		p->was_secured = true;
		tx_secured(p->t, &p->out);
	} else if (what == 0xfb && p->asks > 0) {
		answer(p);
	} else if (what == 0xfd)
		tx_lost(p->t, "lost", 0);
	play_pump(p);
}

/* Each recipient has what its reply says, or none. */
static void
check_mail(const struct play_mail *m)
{
	uint32_t open = 0;

	for (uint32_t i = 0; i < m->mail.rcpt_count; i++) {
		const struct tx_rcpt *r = &m->rcpts[i];

		open += r->outcome == TX_OPEN;
		MUST(r->outcome != TX_DELIVERED || r->code / 100 == 2);
		MUST(r->outcome != TX_FAILED || r->code / 100 == 5 ||
		    r->code == 0);
		MUST(r->status.class == 0 || r->code == 0 ||
		    r->status.class == r->code / 100 ||
		    r->outcome == TX_DEFERRED);
		MUST((uint64_t)r->text_at + r->text_n <= m->mail.texts.n);
	}
	MUST(!m->is_over || open == 0);
}

/* Nothing but whole lines, ever (C5321-14). */
static void
check_output(const struct buf *out)
{
	for (size_t i = 0; i < out->n; i++) {
		bool is_cr = out->p[i] == '\r';

		MUST(!is_cr || (i + 1 < out->n && out->p[i + 1] == '\n'));
		MUST(out->p[i] != '\n' || (i > 0 && out->p[i - 1] == '\r'));
	}
}

/* Octets above 127 only where the host was told of them (C5321-35). */
static void
check_octets(const struct buf *out)
{
	for (size_t i = 0; i < out->n; i++)
		MUST(out->p[i] < 0x80 ||
		    memmem(out->p, i, " BODY=8BITMIME", 14) != NULL ||
		    memmem(out->p, i, " SMTPUTF8", 9) != NULL ||
		    memmem(out->p, i, " BODY=BINARYMIME", 16) != NULL);
}

static enum tx_tls_need
need_of(uint8_t options)
{
	switch (options & (16 | 128)) {
	case 16 | 128:
		return TX_TLS_INSIDE;
	case 16:
		return TX_TLS_MAY;
	case 128:
		return TX_TLS_MUST;
	default:
		return TX_TLS_NEVER;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct tx_credential credential = {
		.user = SPAN_LIT("a,b=c"), .mechanisms = ~0U };
	static struct play play;
	size_t at = 1;

	if (n == 0)
		return 0;
	play_open_tls(&play, need_of(bytes[0]), bytes[0] & 1 ? 1 : SIZE_MAX,
	    bytes[0] & 2 ? 3 : SIZE_MAX);
	if (play.need == TX_TLS_INSIDE)
		MUST(tx_authenticate(play.t, &credential) == OK);
	if ((bytes[0] & 3) == 3)
		tx_speak_lmtp(play.t);
	play.setup.rcpts_max = bytes[0] & 8 ? 2 : 100;
	add_mails(&play, bytes[0]);
	tx_connected(play.t);
	play_pump(&play);
	while (at < n && !play.is_closed) {
		size_t from = at;

		while (at < n && bytes[at] < 0xfb)
			at++;
		play_input(&play, bytes + from, at - from);
		if (at < n)
			event(&play, bytes[at++]);
	}
	check_output(&play.out);
	if ((bytes[0] & 4) != 0)
		check_octets(&play.out);
	/* where TLS must be no mail leaves without */
	MUST(play.need != TX_TLS_MUST || play.was_secured ||
	    play.out.n == 0 ||
	    memmem(play.out.p, play.out.n, "MAIL FROM", 9) == NULL);
	/* and where there is a password no mail leaves without AUTH */
	MUST(play.need != TX_TLS_INSIDE || play.out.n == 0 ||
	    memmem(play.out.p, play.out.n, "MAIL FROM", 9) == NULL ||
	    memmem(play.out.p, play.out.n, "AUTH ", 5) != NULL);
	for (size_t i = 0; i < play.n_mails; i++)
		check_mail(&play.mails[i]);
	play_close(&play);
	return 0;
}
