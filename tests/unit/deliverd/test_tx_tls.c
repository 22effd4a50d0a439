/*
 * STARTTLS of the client dialogue, RFC 3207: when it is said, what is believed
 * before and behind it, and that nothing takes its place where it is needed.
 * TLS-05, TLS-06, TLS-10, TLS-11, LIM-04, T30, T31.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/check.h"
#include "tx_play.h"

#define PLAIN	"250-hop.example\r\n250 PIPELINING\r\n"
#define OFFERS	"250-hop.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n"

static struct play p;
static struct buf inside;

static void
open_play(enum tx_tls_need need)
{
	struct play_mail *m;

	play_open_tls(&p, need, 4096, 4096);
	buf_init(&inside, 1 << 20);
	m = play_mail(&p, "m", "a@b.example", "x\r\n", 3, 0);
	play_rcpt(m, "c@d.example");
	tx_connected(p.t);
	play_say(&p, "220 hop.example\r\n");
}

static void
close_play(void)
{
	play_close(&p);
	buf_clear(&inside);
}

/* Whether the client has said that in clear. */
static bool
has_said(const char *word)
{
	buf_add_byte(&p.out, '\0');
	p.out.n--;
	return strstr((const char *)p.out.p, word) != NULL;
}

static bool
has_said_inside(const char *word)
{
	buf_add_byte(&inside, '\0');
	inside.n--;
	return strstr((const char *)inside.p, word) != NULL;
}

Test(tx_tls, begins_anew_inside)
{
	open_play(TX_TLS_MAY);
	play_say(&p, "250-hop.example\r\n250-SIZE 10\r\n250-PIPELINING\r\n"
	    "250-LIMITS MAILMAX=1\r\n250 STARTTLS\r\n");
	cr_expect(has_said("STARTTLS\r\n"));
	cr_expect_not(p.is_shaking);
	play_say(&p, "220 go\r\n");
	cr_expect(p.is_shaking);
	cr_expect_not(has_said("MAIL"));
	tx_secured(p.t, &inside);
	play_pump(&p);
	cr_expect(has_said_inside("EHLO client.example\r\n"));
	cr_expect_not(tx_is_up(p.t));
	/* what was offered in clear counts no more: no group, no SIZE= */
	play_say(&p, "250-hop.example\r\n250 8BITMIME\r\n");
	cr_expect(tx_is_up(p.t));
	cr_expect(has_said_inside("MAIL FROM:<a@b.example>\r\n"));
	cr_expect_not(has_said_inside("RCPT"));
	cr_expect_not(has_said_inside("SIZE="));
	cr_expect_not(tx_is_full(p.t));
	cr_expect_not(has_said("MAIL"));
	close_play();
}

/* A second STARTTLS inside is not asked for, whatever the host offers. */
Test(tx_tls, only_once)
{
	open_play(TX_TLS_MUST);
	play_say(&p, OFFERS);
	play_say(&p, "220 go\r\n");
	tx_secured(p.t, &inside);
	play_pump(&p);
	play_say(&p, OFFERS);
	cr_expect_not(has_said_inside("STARTTLS"));
	cr_expect(tx_is_up(p.t));
	close_play();
}

static const struct {
	enum tx_tls_need need;
	const char *ehlo;
	const char *starttls;	/* reply; NULL: it isn't said */
	bool is_up;
	bool is_shaking;
} rows[] = {
	{ TX_TLS_NEVER, OFFERS, NULL, true, false },
	{ TX_TLS_MAY, PLAIN, NULL, true, false },
	{ TX_TLS_MAY, OFFERS, "454 4.7.0 not now\r\n", true, false },
	{ TX_TLS_MAY, OFFERS, "502 5.5.1 what\r\n", true, false },
	{ TX_TLS_MAY, OFFERS, "421 4.3.2 bye\r\n", false, false },
	{ TX_TLS_MAY, OFFERS, "354 odd\r\n", false, false },
	{ TX_TLS_MAY, OFFERS, "220 go\r\n", false, true },
	{ TX_TLS_MUST, PLAIN, NULL, false, false },
	{ TX_TLS_MUST, OFFERS, "454 4.7.0 not now\r\n", false, false },
	{ TX_TLS_MUST, OFFERS, "502 5.5.1 what\r\n", false, false },
	{ TX_TLS_MUST, OFFERS, "220 go\r\n", false, true },
	/* a name that only begins so is no offer */
	{ TX_TLS_MUST, "250-hop.example\r\n250 STARTTLSX\r\n", NULL, false,
	    false },
	/* injected behind the 220: never words inside */
	{ TX_TLS_MAY, OFFERS, "220 go\r\n250-evil.example\r\n", false,
	    false },
	{ TX_TLS_MUST, OFFERS, "220 go\r\n250 x\r\n", false, false },
	/* ... or before it */
	{ TX_TLS_MAY, OFFERS "250 x\r\n", NULL, false, false },
	/* inside from the start on: nothing to ask for */
	{ TX_TLS_INSIDE, OFFERS, NULL, true, false },
	{ TX_TLS_INSIDE, PLAIN, NULL, true, false },
};

Test(tx_tls, need_and_offer)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct tx_finding *trouble;
		bool asks;

		open_play(rows[i].need);
		play_say(&p, rows[i].ehlo);
		asks = has_said("STARTTLS\r\n");
		cr_expect(asks == (rows[i].starttls != NULL) ||
		    strstr(rows[i].ehlo, "250 x") != NULL, "%zu", i);
		if (rows[i].starttls != NULL)
			play_say(&p, rows[i].starttls);
		cr_expect_eq(tx_is_up(p.t), rows[i].is_up, "%zu", i);
		cr_expect_eq(p.is_shaking && !p.is_closed,
		    rows[i].is_shaking, "%zu", i);
		cr_expect_eq(has_said("MAIL FROM"), rows[i].is_up, "%zu", i);
		trouble = tx_trouble(p.t);
		if (!rows[i].is_up && !rows[i].is_shaking)
			cr_expect_eq(trouble->outcome, TX_DEFERRED, "%zu", i);
		close_play();
	}
}

/* RFC 8689 4.2.1: the host must say that it has it, inside.  RTLS-03. */
Test(tx_tls, requiretls)
{
	static const char *const inside_offers[] = {
		PLAIN, "250-hop.example\r\n250 REQUIRETLS\r\n",
	};

	for (size_t i = 0; i < COUNT_OF(inside_offers); i++) {
		open_play(TX_TLS_MUST);
		p.mails[0].mail.requires_tls = true;
		tx_require_tls(p.t);
		play_say(&p, OFFERS);
		play_say(&p, "220 go\r\n");
		tx_secured(p.t, &inside);
		play_pump(&p);
		play_say(&p, inside_offers[i]);
		cr_expect_eq(tx_is_up(p.t), i == 1);
		cr_expect_eq(has_said_inside(
		    "MAIL FROM:<a@b.example> REQUIRETLS\r\n"), i == 1);
		if (i == 0)
			cr_expect_eq(tx_trouble(p.t)->status.detail, 30);
		close_play();
	}
}

/* A host that knows no EHLO can't have it. */
Test(tx_tls, helo_is_not_enough)
{
	open_play(TX_TLS_MUST);
	play_say(&p, "500 what\r\n");
	play_say(&p, "250 hop.example\r\n");
	cr_expect_not(tx_is_up(p.t));
	cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_TLS);
	cr_expect_eq(tx_trouble(p.t)->status.subject, 7);
	close_play();
}

/* A handshake that fails or never ends: no word in clear behind it. */
Test(tx_tls, the_handshake_fails)
{
	for (int i = 0; i < 2; i++) {
		size_t n;

		open_play(TX_TLS_MAY);
		play_say(&p, OFFERS);
		play_say(&p, "220 go\r\n");
		n = p.out.n;
		if (i == 0)
			tx_lost(p.t, "certificate has expired", 0);
		else
			tx_timeout(p.t);
		play_pump(&p);
		cr_expect(p.is_closed);
		cr_expect_eq(p.out.n, n);
		cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_TLS);
		close_play();
	}
}
