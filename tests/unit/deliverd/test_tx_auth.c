/*
 * AUTH of the client dialogue, RFC 4954: which mechanism, what is said, and that
 * no mail is sent where it fails (AUTH-22).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/smtp/smtp_sasl.h"
#include "deliverd/engine/tx_auth.h"
#include "tx_play.h"

#define NONCE	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"	/* of 24 zeros */

#define PASSWORD (1U << SASL_PLAIN | 1U << SASL_LOGIN | 1U << SASL_SCRAM_SHA_256)

static struct play p;
static unsigned mechanisms = PASSWORD;
static const struct tx_auth_answer secret = { .password = SPAN_LIT("pencil") };

static void
open_play(const char *user, enum tx_tls_need need, bool may_clear)
{
	struct tx_credential c = { .user = span_str(user),
	    .mechanisms = mechanisms, .may_clear = may_clear };
	struct play_mail *m;

	play_open_tls(&p, need, 4096, 4096);
	cr_assert_eq(tx_authenticate(p.t, &c), OK);
	m = play_mail(&p, "m", "a@b.example", "x\r\n", 3, 0);
	play_rcpt(m, "c@d.example");
	tx_connected(p.t);
	play_say(&p, "220 hop.example\r\n");
}

static void
end(void)
{
	play_close(&p);
}

TestSuite(tx_auth, .fini = end);

static bool
has_said(const char *word)
{
	buf_add_byte(&p.out, '\0');
	p.out.n--;
	return strstr((const char *)p.out.p, word) != NULL;
}

static void
offer(const char *mechanisms)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "250-hop.example\r\n"
	    "250-PIPELINING\r\n250 %s\r\n", mechanisms);
	play_say(&p, text);
}

static void
answer(const struct tx_auth_answer *a)
{
	tx_auth_answer(p.t, a);
	play_pump(&p);
}

static void
say_334(const char *message)
{
	struct buf text;

	buf_init(&text, 4096);
	buf_add_str(&text, "334 ");
	base64_encode(&text, span_str(message));
	buf_add_str(&text, "\r\n");
	buf_add_byte(&text, '\0');
	play_say(&p, (const char *)text.p);
	buf_clear(&text);
}

Test(tx_auth, plain)
{
	struct tx_auth_question q;

	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH LOGIN PLAIN CRAM-MD5");
	cr_expect_eq(p.asks, 1);
	cr_expect_not(has_said("AUTH"));
	tx_auth_question(p.t, &q);
	cr_expect_not(q.wants_proof);
	cr_expect_not(tx_auth_take_secret(p.t));
	answer(&secret);
	/* NUL ann NUL pencil */
	cr_expect(has_said("AUTH PLAIN AGFubgBwZW5jaWw=\r\n"));
	cr_expect(tx_auth_take_secret(p.t));
	cr_expect_not(tx_auth_take_secret(p.t));
	cr_expect_not(has_said("MAIL"));
	cr_expect_not(tx_is_up(p.t));
	play_say(&p, "235 2.7.0 welcome\r\n");
	cr_expect(tx_is_up(p.t));
	cr_expect(has_said("MAIL FROM:<a@b.example>"));
}

/* Too long for a command line: it is said when it is asked for. */
Test(tx_auth, a_long_password)
{
	static char password[SASL_PASSWORD_MAX];
	struct tx_auth_answer a = { .password = { (const uint8_t *)password,
	    sizeof(password) } };

	memset(password, 'p', sizeof(password));
	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH PLAIN");
	answer(&a);
	cr_expect(has_said("AUTH PLAIN\r\n"));
	cr_expect_not(tx_auth_take_secret(p.t));
	play_say(&p, "334 \r\n");
	cr_expect(has_said("\r\nAGFubgBwcHBw"));
	cr_expect(tx_auth_take_secret(p.t));
	play_say(&p, "235 ok\r\n");
	cr_expect(tx_is_up(p.t));
}

Test(tx_auth, login)
{
	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH LOGIN");
	answer(&secret);
	cr_expect(has_said("AUTH LOGIN\r\n"));
	say_334("Username:");
	cr_expect(has_said("\r\nYW5u\r\n"));
	cr_expect_not(has_said("cGVuY2ls"));
	say_334("Password:");
	cr_expect(has_said("\r\ncGVuY2ls\r\n"));
	cr_expect(tx_auth_take_secret(p.t));
	play_say(&p, "235 ok\r\n");
	cr_expect(tx_is_up(p.t));
}

#define FIRST	"r=" NONCE "more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

static void
come_to_proof(void)
{
	open_play("ann", TX_TLS_NEVER, false);
	offer("AUTH PLAIN SCRAM-SHA-256 LOGIN");
	say_334(FIRST);
}

Test(tx_auth, scram)
{
	static const uint8_t zeros[32];
	const struct tx_auth_answer a = {
		.proof = { zeros, 32 }, .signature = { zeros, 32 },
	};
	struct tx_auth_question q;

	come_to_proof();
	/* n,,n=ann,r=NONCE */
	cr_expect(has_said("AUTH SCRAM-SHA-256 biwsbj1hbm4scj1BQUFB"));
	cr_expect_eq(p.asks, 1);
	tx_auth_question(p.t, &q);
	cr_expect(q.wants_proof);
	cr_expect_eq(q.iterations, 4096);
	cr_expect_eq(q.salt.n, 16);
	cr_expect(span_equal(q.auth_message, SPAN_LIT("n=ann,r=" NONCE ","
	    FIRST ",c=biws,r=" NONCE "more")));
	answer(&a);
	/* c=biws,r= */
	cr_expect(has_said("\r\nYz1iaXdzLHI9"));
	cr_expect_not(tx_auth_take_secret(p.t));
	say_334("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	cr_expect(has_said("\r\n\r\n"));
	cr_expect_not(tx_is_up(p.t));
	play_say(&p, "235 ok\r\n");
	cr_expect(tx_is_up(p.t));
}

/* Whoever can't prove that he knows the password gets no mail. */
Test(tx_auth, a_false_host)
{
	static const uint8_t zeros[32];
	const struct tx_auth_answer a = {
		.proof = { zeros, 32 }, .signature = { zeros, 32 },
	};
	static const char *const said[] = {
		"334 dj1BUUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9"
		    "\r\n",
		"235 welcome\r\n", "334 \r\n", "334 !\r\n",
	};

	for (size_t i = 0; i < COUNT_OF(said); i++) {
		come_to_proof();
		answer(&a);
		play_say(&p, said[i]);
		cr_expect_not(tx_is_up(p.t), "%s", said[i]);
		cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_AUTH);
		cr_expect_eq(tx_trouble(p.t)->outcome, TX_DEFERRED);
		cr_expect_not(has_said("MAIL"));
		play_close(&p);
	}
	come_to_proof();
}

static const struct {
	enum tx_tls_need need;
	bool may_clear;
	const char *offer;
	bool is_asked;
	const char *why;		/* or NULL */
} rows[] = {
	{ TX_TLS_NEVER, false, "AUTH PLAIN LOGIN", false,
	    "tells the password" },
	{ TX_TLS_NEVER, true, "AUTH PLAIN LOGIN", true, NULL },
	{ TX_TLS_MAY, false, "AUTH LOGIN", false, "tells the password" },
	{ TX_TLS_INSIDE, false, "AUTH GSSAPI", false, "that can be made" },
	{ TX_TLS_INSIDE, false, "AUTH", false, "that can be made" },
	{ TX_TLS_INSIDE, false, "SIZE", false, "offers no AUTH" },
};

/* By the certificate: nobody is asked for anything. */
Test(tx_auth, external)
{
	static const struct { const char *user, *said; } users[] = {
		{ "", "AUTH EXTERNAL =\r\n" },
		{ "ann", "AUTH EXTERNAL YW5u\r\n" },
	};

	mechanisms = 1U << SASL_EXTERNAL;
	for (size_t i = 0; i < COUNT_OF(users); i++) {
		open_play(users[i].user, TX_TLS_INSIDE, false);
		offer("AUTH PLAIN EXTERNAL");
		cr_expect_eq(p.asks, 0);
		cr_expect(has_said(users[i].said));
		cr_expect_not(tx_auth_take_secret(p.t));
		play_say(&p, "235 ok\r\n");
		cr_expect(tx_is_up(p.t));
		play_close(&p);
	}
	open_play("", TX_TLS_INSIDE, false);
	offer("AUTH EXTERNAL");
	play_say(&p, "334 \r\n");
	cr_expect(tx_is_violated(p.t));
	play_close(&p);
	/* nobody has seen a certificate in clear, whatever is offered there */
	open_play("", TX_TLS_MAY, true);
	offer("AUTH EXTERNAL PLAIN");
	cr_expect_not(has_said("AUTH"));
	cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_AUTH);
	play_close(&p);
	/* and where it is not offered no password takes its place */
	open_play("", TX_TLS_INSIDE, false);
	offer("AUTH PLAIN SCRAM-SHA-256");
	cr_expect_eq(p.asks, 0);
	cr_expect(has_said("QUIT"));
}

/* One that was chosen, and none beside it. */
Test(tx_auth, only_one)
{
	mechanisms = 1U << SASL_SCRAM_SHA_256;
	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH PLAIN LOGIN");
	cr_expect_eq(p.asks, 0);
	cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_AUTH);
	play_close(&p);
	mechanisms = 1U << SASL_LOGIN;
	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH PLAIN LOGIN SCRAM-SHA-256");
	answer(&secret);
	cr_expect(has_said("AUTH LOGIN\r\n"));
}

#define TOKEN	(1U << SASL_OAUTHBEARER | 1U << SASL_XOAUTH2)

static const struct {
	const char *offer, *said, *more;
} bearers[] = {
	/* n,a=ann,^Aauth=Bearer t0^A^A */
	{ "AUTH PLAIN XOAUTH2 OAUTHBEARER", "AUTH OAUTHBEARER "
	    "bixhPWFubiwBYXV0aD1CZWFyZXIgdDABAQ==\r\n", "\r\nAQ==\r\n" },
	/* user=ann^Aauth=Bearer t0^A^A */
	{ "AUTH XOAUTH2 PLAIN", "AUTH XOAUTH2 "
	    "dXNlcj1hbm4BYXV0aD1CZWFyZXIgdDABAQ==\r\n", "\r\n\r\n" },
};

static void
answer_token(const char *token, uint64_t number)
{
	answer(&(struct tx_auth_answer){ .token = span_str(token),
	    .number = number });
}

static uint64_t
refused(void)
{
	struct tx_auth_question q;

	tx_auth_question(p.t, &q);
	cr_expect(q.wants_token);
	cr_expect_not(q.wants_proof);
	return q.refused;
}

static bool
has_trouble(const char *words)
{
	const struct span text = tx_trouble(p.t)->text;

	return memmem(text.p, text.n, words, strlen(words)) != NULL;
}

/* The host says why in JSON, is told to go on, and refuses; then the next. */
Test(tx_auth, tokens)
{
	mechanisms = TOKEN;
	for (size_t i = 0; i < COUNT_OF(bearers); i++) {
		open_play("ann", TX_TLS_INSIDE, false);
		offer(bearers[i].offer);
		cr_expect_eq(p.asks, 1);
		cr_expect_eq(refused(), 0);
		answer_token("t0", 7);
		cr_expect(has_said(bearers[i].said), "%.*s", (int)p.out.n,
		    (const char *)p.out.p);
		cr_expect(tx_auth_take_secret(p.t));
		say_334("{\"status\":\"invalid_token\"}");
		cr_expect(has_said(bearers[i].more));
		play_say(&p, "535 5.7.8 no\r\n");
		cr_expect_eq(p.asks, 2);
		cr_expect_eq(refused(), 7);
		answer_token("t1", 8);
		cr_expect(tx_auth_take_secret(p.t));
		play_say(&p, "235 ok\r\n");
		cr_expect(tx_is_up(p.t));
		play_close(&p);
	}
	open_play("ann", TX_TLS_INSIDE, false);
}

/* Once: a second refusal is the end, and has all that was said. */
Test(tx_auth, tokens_refused)
{
	mechanisms = TOKEN;
	for (size_t i = 0; i < COUNT_OF(bearers); i++) {
		open_play("ann", TX_TLS_INSIDE, false);
		offer(bearers[i].offer);
		answer_token("t0", 7);
		play_say(&p, "535 5.7.8 no\r\n");
		cr_expect_eq(p.asks, 2);
		answer_token("t1", 8);
		say_334("{\"status\":\"400\"}");
		play_say(&p, "535 5.7.8 never\r\n");
		cr_expect_eq(p.asks, 2);
		cr_expect(has_trouble("never (of the token: {\"status\":"
		    "\"400\"})"));
		cr_expect_eq(tx_trouble(p.t)->code, 535);
		cr_expect_eq(tx_trouble(p.t)->status.class, 4);
		cr_expect_eq(tx_trouble(p.t)->outcome, TX_DEFERRED);
		cr_expect(has_said("QUIT\r\n"));
		cr_expect_not(has_said("MAIL"));
		play_close(&p);
	}
	open_play("ann", TX_TLS_INSIDE, false);
}

/* What is no refusal of a token asks for no other one; nor is 334 for ever. */
Test(tx_auth, tokens_are_not_the_trouble)
{
	static const char *const said[] = {
		"454 4.7.0 later\r\n", "504 5.5.4 what\r\n",
		"421 4.3.2 bye\r\n", "354 odd\r\n",
		"334 \r\n334 \r\n", "334 \r\n235 ok\r\n",
	};

	mechanisms = TOKEN;
	for (size_t i = 0; i < COUNT_OF(said); i++) {
		open_play("ann", TX_TLS_INSIDE, false);
		offer("AUTH XOAUTH2");
		answer_token("t0", 7);
		play_say(&p, said[i]);
		cr_expect_eq(p.asks, 1, "%s", said[i]);
		cr_expect_eq(tx_trouble(p.t)->outcome, TX_DEFERRED);
		cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_AUTH);
		cr_expect_not(has_said("MAIL"));
		play_close(&p);
	}
	open_play("ann", TX_TLS_INSIDE, false);
}

Test(tx_auth, no_token)
{
	const struct tx_auth_answer none = { .trouble = "the endpoint sleeps" };
	static const char *const bad[] = { "", "a b", "a\1", "a\r\nRSET" };

	mechanisms = TOKEN;
	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH XOAUTH2");
	answer(&none);
	cr_expect(has_trouble("the endpoint sleeps"));
	cr_expect_not(has_trouble("refused"));
	play_close(&p);
	/* there was one, and there is no other */
	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH XOAUTH2");
	answer_token("t0", 7);
	play_say(&p, "535 5.7.8 no\r\n");
	answer(&none);
	cr_expect(has_trouble("refused the token, and there is no other one: "
	    "the endpoint sleeps"));
	cr_expect(has_said("QUIT\r\n"));
	play_close(&p);
	/* a token that would be more than one */
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		open_play("ann", TX_TLS_INSIDE, false);
		offer("AUTH XOAUTH2");
		answer_token(bad[i], 7);
		cr_expect(has_trouble("none that can be told"));
		cr_expect_not(has_said("AUTH"));
		play_close(&p);
	}
	/* nobody is told it in clear */
	open_play("ann", TX_TLS_MAY, false);
	offer("AUTH XOAUTH2 OAUTHBEARER");
	cr_expect_eq(p.asks, 0);
	cr_expect(has_trouble("no TLS"));
}

/* Too long for a command line, as most are; a challenge that is too long. */
Test(tx_auth, long_tokens)
{
	static char token[SASL_TOKEN_MAX + 1], line[4000];

	memset(token, 't', SASL_TOKEN_MAX);
	memset(line, 'e', sizeof(line) - 1);
	mechanisms = TOKEN;
	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH OAUTHBEARER");
	answer_token(token, 1);
	cr_expect(has_said("AUTH OAUTHBEARER\r\n"));
	cr_expect_not(tx_auth_take_secret(p.t));
	play_say(&p, "334 \r\n");
	cr_expect(has_said("\r\nbixhPWFubiwBYXV0aD1CZWFyZXIgdHR0"));
	cr_expect(tx_auth_take_secret(p.t));
	memcpy(line, "334 ", 4);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	play_say(&p, line);
	play_say(&p, "535 no\r\n");
	cr_expect_eq(p.asks, 2);
	answer_token(token, 2);
	play_say(&p, "334 \r\n");
	play_say(&p, "235 ok\r\n");
	cr_expect(tx_is_up(p.t));
}

Test(tx_auth, what_can_be_made)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		open_play("ann", rows[i].need, rows[i].may_clear);
		offer(rows[i].offer);
		cr_expect_eq(p.asks == 1, rows[i].is_asked, "%zu", i);
		cr_expect_not(has_said("AUTH"));
		if (rows[i].why != NULL) {
			cr_expect_not_null(memmem(tx_trouble(p.t)->text.p,
			    tx_trouble(p.t)->text.n, rows[i].why,
			    strlen(rows[i].why)), "%zu", i);
			cr_expect(has_said("QUIT\r\n"));
		}
		play_close(&p);
	}
	/* HELO has no extensions */
	open_play("ann", TX_TLS_INSIDE, false);
	play_say(&p, "500 what\r\n");
	play_say(&p, "250 hop.example\r\n");
	cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_AUTH);
}

/* Of a refusal nothing is permanent; QUIT is said where no response is due. */
Test(tx_auth, refused)
{
	static const struct { const char *said; bool has_quit; } said[] = {
		{ "535 5.7.8 no\r\n", true }, { "454 4.7.0 later\r\n", true },
		{ "504 5.5.4 what\r\n", true }, { "334 more\r\n", false },
		{ "354 odd\r\n", true }, { "235 ok\r\n250 x\r\n", false },
		{ "nonsense\r\n", false },
	};

	for (size_t i = 0; i < COUNT_OF(said); i++) {
		open_play("ann", TX_TLS_INSIDE, false);
		offer("AUTH PLAIN");
		answer(&secret);
		play_say(&p, said[i].said);
		if (said[i].said[0] != '2') {
			cr_expect_eq(tx_trouble(p.t)->outcome, TX_DEFERRED);
			cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_AUTH);
			cr_expect_not(has_said("MAIL"));
			cr_expect_eq(has_said("QUIT\r\n"), said[i].has_quit,
			    "%s", said[i].said);
		}
		play_close(&p);
	}
	open_play("ann", TX_TLS_INSIDE, false);
}

/* Nobody has the password; words that come meanwhile; an answer too late. */
Test(tx_auth, no_answer)
{
	const struct tx_auth_answer none = { .trouble = "nobody knows it" };

	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH PLAIN");
	answer(&none);
	cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_AUTH);
	cr_expect(has_said("QUIT"));
	play_close(&p);
	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH PLAIN");
	play_say(&p, "235 as you were\r\n");
	cr_expect(tx_is_violated(p.t));
	answer(&secret);
	cr_expect_not(has_said("AUTH"));
	play_close(&p);
	open_play("ann", TX_TLS_INSIDE, false);
	offer("AUTH PLAIN");
	tx_timeout(p.t);
	play_pump(&p);
	cr_expect_eq(tx_trouble(p.t)->stage, TX_STAGE_AUTH);
}

/* Only inside of TLS is a host believed, and a password given. */
Test(tx_auth, behind_starttls)
{
	struct buf inside;

	buf_init(&inside, 1 << 20);
	open_play("ann", TX_TLS_MUST, false);
	play_say(&p, "250-hop.example\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n");
	cr_expect_eq(p.asks, 0);
	play_say(&p, "220 go\r\n");
	tx_secured(p.t, &inside);
	play_pump(&p);
	offer("AUTH PLAIN");
	cr_expect_eq(p.asks, 1);
	answer(&secret);
	cr_expect_not(has_said("AUTH"));
	cr_expect_not_null(memmem(inside.p, inside.n, "AUTH PLAIN AGFu", 15));
	play_close(&p);
	buf_clear(&inside);
	open_play("ann", TX_TLS_MUST, false);
}
