/*
 * Random sessions against a model of a few lines: exactly one reply a command
 * and no trace of a transaction after its end, however it ended.  BDAT-05 S5321-37
 * PIPE-01 PIPE-02 T06.
 */
#include "common/base/check.h"
#include "common/base/rng.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>

#define SEQUENCES	100000
#define STEPS_MAX	12

/* What a reader of RFC 5321 keeps in mind. */
struct model {
	bool is_greeted;
	bool is_esmtp;
	bool has_sender;
	unsigned rcpts;
	bool was_refused;	/* some RCPT of this transaction */
	unsigned chunks;	/* of six octets each */
};

enum step {
	EHLO, EHLO_BAD, HELO, MAIL, MAIL_BAD, MAIL_LARGE, RCPT, RCPT_BAD,
	RCPT_RELAY, DATA_ARG, RSET, RSET_ARG, NOOP, VRFY, UNKNOWN, BARE,
	CHUNK, CHUNK_LAST, CHUNK_FAILS, CHUNK_BARE, CHUNK_LARGE,
	DATA_OK, DATA_FAILS, DATA_BARE, DATA_LARGE, DATA_LOOP, STEP_COUNT
};

static const char *const lines[STEP_COUNT] = {
	[EHLO] = "EHLO c\r\n", [EHLO_BAD] = "EHLO\r\n",
	[HELO] = "HELO c\r\n", [MAIL] = "MAIL FROM:<a@b.example>\r\n",
	[MAIL_BAD] = "MAIL FROM:<a@\r\n",
	[MAIL_LARGE] = "MAIL FROM:<> SIZE=999999\r\n",
	[RCPT] = "RCPT TO:<c@example.org>\r\n",
	[RCPT_BAD] = "RCPT TO:<@>\r\n",
	[RCPT_RELAY] = "RCPT TO:<c@evil.example>\r\n",
	[DATA_ARG] = "DATA x\r\n", [RSET] = "RSET\r\n",
	[RSET_ARG] = "RSET x\r\n", [NOOP] = "NOOP\r\n",
	[VRFY] = "VRFY c\r\n", [UNKNOWN] = "BLAH\r\n",
	[BARE] = "NOOP\nRSET\r\n",
	[CHUNK] = "BDAT 6\r\nRSET\r\n", [CHUNK_LAST] = "BDAT 6 LAST\r\nQUIT\r\n",
	[CHUNK_FAILS] = "BDAT 6 LAST\r\nEHLO\r\n",
	[CHUNK_BARE] = "BDAT 3 LAST\r\na\rb",
	[CHUNK_LARGE] = "BDAT 31\r\n0123456789012345678901234567890",
	[DATA_OK] = "DATA\r\n", [DATA_FAILS] = "DATA\r\n",
	[DATA_BARE] = "DATA\r\n", [DATA_LARGE] = "DATA\r\n",
	[DATA_LOOP] = "DATA\r\n",
};

/* Content of the DATA steps, and what it gets. */
static const struct { const char *text; unsigned code; } contents[] = {
	[DATA_OK - DATA_OK] = { "x\r\n.\r\n", 250 },
	[DATA_FAILS - DATA_OK] = { "x\r\n.\r\n", 451 },
	[DATA_BARE - DATA_OK] = { "x\ny\r\n.\r\n", 550 },
	[DATA_LARGE - DATA_OK] = { "01234567890123456789\r\n"
	    "01234567890123456789\r\n.\r\n", 552 },
	[DATA_LOOP - DATA_OK] = { "Received:\r\nReceived:\r\n\r\n.\r\n", 554 },
};

static void
model_forget(struct model *m)
{
	m->has_sender = false;
	m->rcpts = 0;
	m->was_refused = false;
	m->chunks = 0;
}

/* 30 octets are allowed. */
static unsigned
model_chunk(struct model *m, enum step step)
{
	unsigned code = step == CHUNK_FAILS ? 451 : step == CHUNK_BARE ? 550 :
	    step == CHUNK_LARGE ? 552 : 250;

	if (m->rcpts == 0)
		return m->has_sender && m->was_refused ? 554 : 503;
	if (step != CHUNK_LARGE && m->chunks * 6 + (step == CHUNK_BARE ? 5 : 6)
	    > 30)
		code = 552;
	m->chunks++;
	return code;
}

static unsigned
model_mail(struct model *m, unsigned code)
{
	if (!m->is_greeted || m->has_sender)
		return 503;
	m->has_sender = code == 250;
	return code;
}

static unsigned
model_rcpt(struct model *m, unsigned code)
{
	if (!m->has_sender || m->chunks > 0)
		return 503;
	m->rcpts += code == 250;
	m->was_refused |= code != 250;
	return code;
}

static unsigned
model_step(struct model *m, enum step step)
{
	unsigned code;

	switch (step) {
	case EHLO:
	case HELO:
		m->is_greeted = true;
		m->is_esmtp = step == EHLO;
		model_forget(m);
		return 250;
	case EHLO_BAD:
	case DATA_ARG:
	case RSET_ARG:
		return 501;
	case MAIL:
		return model_mail(m, 250);
	case MAIL_BAD:
		return model_mail(m, 501);
	case MAIL_LARGE:
		return model_mail(m, m->is_esmtp ? 552 : 555);
	case RCPT:
		return model_rcpt(m, 250);
	case RCPT_BAD:
		return model_rcpt(m, 501);
	case RCPT_RELAY:
		return model_rcpt(m, 550);
	case RSET:
		model_forget(m);
		return 250;
	case NOOP:
		return 250;
	case VRFY:
		return 252;
	case UNKNOWN:
	case BARE:
		return 500;
	case CHUNK:
	case CHUNK_LAST:
	case CHUNK_FAILS:
	case CHUNK_BARE:
	case CHUNK_LARGE:
		code = model_chunk(m, step);
		if (m->rcpts > 0 && (step != CHUNK || code != 250))
			model_forget(m);
		return code;
	default:
		break;
	}
	if (m->rcpts > 0)
		return m->chunks > 0 ? 503 : 354;
	return m->has_sender && m->was_refused ? 554 : 503;
}

static unsigned
code_now(const struct play *p)
{
	if (play_count_replies(p) != 1)
		return 0;
	return (unsigned)(p->out.p[0] - '0') * 100 +
	    (unsigned)(p->out.p[1] - '0') * 10 + (unsigned)(p->out.p[2] - '0');
}

/* Feeds TEXT cut at a random place; the reply's code. */
static unsigned
say_cut(struct play *p, struct rng *rng, const char *text)
{
	struct span s = span_str(text);
	size_t cut = rng_below(rng, s.n + 1);

	buf_reset(&p->out);
	play_feed(p, span_sub(s, 0, cut));
	play_feed(p, span_from(s, cut));
	return code_now(p);
}

/* Who gets the messages that were submitted: as many as the model has. */
static unsigned
recipients_of(const struct play *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->messages.n; i++)
		n += p->messages.p[i] == '<';
	return n > 0 ? n - 1 : 0;	/* from=<…> */
}

static enum step
next_of(const struct model *m, enum step otherwise)
{
	if (!m->is_greeted)
		return EHLO;
	if (!m->has_sender)
		return MAIL;
	if (m->rcpts == 0)
		return RCPT;
	return otherwise < DATA_OK ? DATA_OK : otherwise;
}

static void
one_sequence(struct play *p, struct rng *rng, uint64_t number)
{
	struct model m = { 0 };
	uint64_t steps = 1 + rng_below(rng, STEPS_MAX);

	play_connect(p, "192.0.2.1");
	while (steps-- > 0) {
		enum step step = (enum step)rng_below(rng, STEP_COUNT);
		unsigned want, got, rcpts = m.rcpts;

		/* going on as one should gets farther */
		if (rng_below(rng, 2) == 0)
			step = next_of(&m, step);
		want = model_step(&m, step);
		p->result = step == DATA_FAILS || step == CHUNK_FAILS ?
		    RX_FAILED : RX_ACCEPTED;
		got = say_cut(p, rng, lines[step]);
		cr_assert_eq(got, want, "sequence %lu: %s gets %u, not %u",
		    (unsigned long)number, lines[step], got, want);
		if (got == 354) {
			got = say_cut(p, rng, contents[step - DATA_OK].text);
			cr_assert_eq(got, contents[step - DATA_OK].code,
			    "sequence %lu: content", (unsigned long)number);
			model_forget(&m);
		}
		if (p->messages.n > 0)
			cr_assert_eq(recipients_of(p), rcpts,
			    "sequence %lu: recipients",
			    (unsigned long)number);
		buf_reset(&p->messages);
	}
}

Test(smtpd_property, nothing_is_left_of_a_transaction, .timeout = 50)
{
	struct play p;
	struct rng rng;

	play_init(&p);
	p.conf->limits.message_bytes = 30;
	p.conf->limits.hops = 1;
	rng_init(&rng, 20);
	for (uint64_t i = 0; i < SEQUENCES; i++)
		one_sequence(&p, &rng, i);
	cr_assert_gt(p.submits, SEQUENCES / 10);
	play_clear(&p);
}
