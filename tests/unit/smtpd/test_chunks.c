/*
 * BDAT, RFC 3030 section 2: each chunk is as long as it says, whatever becomes
 * of it, and nothing in it is a command.
 */
#include "common/base/check.h"
#include "smtpd/engine/rx_impl.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define MAIL	"MAIL FROM:<a@b.example>\r\n"
#define RCPT	"RCPT TO:<c@example.org>\r\n"

static struct play p;

static void
setup(void)
{
	play_init(&p);
}

static void
teardown(void)
{
	play_clear(&p);
}

TestSuite(smtpd_chunks, .init = setup, .fini = teardown, .timeout = 60);

static void
begin(void)
{
	play_connect(&p, "127.0.0.1");
	play_say(&p, "EHLO c\r\n" MAIL RCPT);
	buf_reset(&p.out);
	buf_reset(&p.messages);
}

/* The codes of all replies to TEXT, such as "250 503". */
static const char *
codes(const char *text)
{
	static char out[256];
	struct span rest;
	size_t n = 0;

	buf_reset(&p.out);
	play_say(&p, text);
	rest = buf_span(&p.out);
	cr_assert_geq(play_count_replies(&p), 0);
	while (rest.n > 0) {
		size_t end = span_find(rest, '\n') + 1;

		cr_assert_lt(n + 5, sizeof(out));
		if (rest.p[3] == ' ')
			n += (size_t)snprintf(out + n, sizeof(out) - n,
			    "%s%.3s", n > 0 ? " " : "", (const char *)rest.p);
		rest = span_from(rest, end);
	}
	out[n] = '\0';
	return out;
}

static void
expect_message(const char *body)
{
	char want[512];

	(void)snprintf(want, sizeof(want),
	    "from=<a@b.example> to=<c@example.org> body=%s\r\n", body);
	buf_add_byte(&p.messages, 0);
	cr_expect_str_eq((const char *)p.messages.p, want);
	buf_reset(&p.messages);
}

/* BDAT-02 BDAT-06 */
Test(smtpd_chunks, they_are_joined)
{
	begin();
	cr_expect_str_eq(codes("BDAT 5\r\nab\r\nc"), "250");
	cr_expect_str_eq(codes("bdat 3 \r\nd\r\n"), "250");
	cr_expect_str_eq(codes("BDAT 0 last\r\n"), "250");
	expect_message("ab\\x0d\\x0acd\\x0d\\x0a");
	/* all at once, with commands before and behind */
	cr_expect_str_eq(codes(MAIL RCPT "BDAT 4\r\nx\r\nyBDAT 3 LAST\r\n"
	    "z\r\nNOOP\r\nQUIT\r\n"), "250 250 250 250 250 221");
	expect_message("x\\x0d\\x0ayz\\x0d\\x0a");
}

/* BDAT-07 T03: nor does a CR at a chunk's end and an LF at the next one's begin
 * make a line's end that was not one. */
Test(smtpd_chunks, dots_mean_nothing)
{
	begin();
	cr_expect_str_eq(codes("BDAT 25 LAST\r\n.\r\n..a\r\n.\r\nMAIL FROM:<>\r\n"),
	    "250");
	expect_message(".\\x0d\\x0a..a\\x0d\\x0a.\\x0d\\x0aMAIL FROM:<>"
	    "\\x0d\\x0a");
	begin();
	cr_expect_str_eq(codes("BDAT 2\r\na\rBDAT 3 LAST\r\n\nb\r"), "250 550");
	begin();
	cr_expect_str_eq(codes("BDAT 2\r\na\rBDAT 4 LAST\r\n\nb\r\n"),
	    "250 250");
	expect_message("a\\x0d\\x0ab\\x0d\\x0a");
	begin();
	cr_expect_str_eq(codes("BDAT 2\r\na\rBDAT 2 LAST\r\n\r\n"), "250 550");
}

/* What follows is on its own line, at the next hop too. */
Test(smtpd_chunks, the_last_line_is_ended)
{
	begin();
	cr_expect_str_eq(codes("BDAT 3 LAST\r\nabc"), "250");
	expect_message("abc\\x0d\\x0a");
	begin();
	cr_expect_str_eq(codes("BDAT 0 LAST\r\n"), "250");
	expect_message("");
}

/* BDAT-01 BDAT-03 BDAT-04 */
Test(smtpd_chunks, one_that_is_wrong_here_is_read_all_the_same)
{
	play_connect(&p, "127.0.0.1");
	cr_expect_str_eq(codes("BDAT 12 LAST\r\nNOOP\r\nNOOP\r\n"), "503");
	cr_expect_str_eq(codes("EHLO c\r\nBDAT 6\r\nNOOP\r\n"), "250 503");
	cr_expect_str_eq(codes(MAIL "BDAT 6 LAST\r\nRSET\r\n" RCPT
	    "BDAT 3 LAST\r\nx\r\n"), "250 503 250 250");
	expect_message("x\\x0d\\x0a");
	cr_expect_str_eq(codes("BDAT 6 LAST\r\nRSET\r\nNOOP\r\n"), "503 250");
	cr_expect_str_eq(codes(MAIL "RCPT TO:<@>\r\nBDAT 3 LAST\r\nx\r\n"),
	    "250 501 554");
	begin();
	cr_expect_str_eq(codes("BDAT 3\r\nx\r\nDATA\r\n" RCPT MAIL
	    "BDAT 3 LAST\r\ny\r\n"), "250 503 503 503 250");
	expect_message("x\\x0d\\x0ay\\x0d\\x0a");
	cr_expect_eq(p.body.n, 0);
}

/* BDAT-05 BDAT-10 T06: told once, and nothing is left. */
Test(smtpd_chunks, a_refused_one_ends_the_transaction)
{
	p.conf->limits.message_bytes = 10;
	begin();
	cr_expect_str_eq(codes("BDAT 8\r\n012345\r\nBDAT 8\r\n012345\r\n"
	    "BDAT 8 LAST\r\nRSET\r\n\r\nDATA\r\n" RCPT), "250 552 503 503 503");
	cr_expect_eq(p.body.n, 0);
	cr_expect_eq(p.submits, 0);
	/* also when the CRLF that was missing makes it too long */
	begin();
	cr_expect_str_eq(codes("BDAT 9 LAST\r\n012345678NOOP\r\n"), "552 250");
	begin();
	rx_body_failed(p.rx, RX_FAILED);
	cr_expect_str_eq(codes("BDAT 3\r\nx\r\nNOOP\r\n"), "451 250");
}

/* BDAT-11 */
Test(smtpd_chunks, reset_discards_everything)
{
	static const char *const ways[] = { "RSET\r\n", "EHLO d\r\n" };

	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		begin();
		p.drops = 0;
		cr_expect_str_eq(codes("BDAT 3\r\nx\r\n"), "250");
		cr_expect_eq(p.body.n, 3);
		cr_expect_str_eq(codes(ways[i]), "250");
		cr_expect_eq(p.body.n, 0);
		cr_expect_eq(p.drops, 1);
		cr_expect_str_eq(codes("BDAT 3 LAST\r\ny\r\n"), "503");
		cr_expect_str_eq(codes(MAIL RCPT "BDAT 3 LAST\r\ny\r\n"),
		    "250 250 250");
		expect_message("y\\x0d\\x0a");
	}
}

/* Its length is not known, so the next command can't be found. */
Test(smtpd_chunks, one_that_is_not_understood_ends_the_session)
{
	static const char *const wrong[] = {
		"BDAT\r\n", "BDAT x\r\n", "BDAT -1\r\n", "BDAT 3 LOST\r\n",
		"BDAT 3LAST\r\n", "BDAT 3 LAST x\r\n", "BDAT LAST\r\n",
		"BDAT 0x3\r\n", "BDAT +3\r\n", "BDAT 3\tLAST\r\n", "BDAT 3.0\r\n",
	};

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		begin();
		play_say(&p, wrong[i]);
		cr_expect_eq(play_count_replies(&p), 1, "%s", wrong[i]);
		cr_expect_eq(rx_state(p.rx), RX_CLOSED, "%s", wrong[i]);
		cr_expect_eq(p.out.p[0], '5');
	}
}

/* T09: what is only thrown away has an end, and is not even begun if it can't
 * have one; nor does a message come in single octets. */
Test(smtpd_chunks, endless_ones_are_cut_off)
{
	static const char *const far[] = {
		"BDAT 1000000000000\r\n", "BDAT 18446744073709551615 LAST\r\n",
		"BDAT 99999999999999999999999999\r\n",
	};
	static const uint8_t zeros[60000];
	int n = 0;

	p.conf->limits.message_bytes = 1 << 20;
	for (size_t i = 0; i < COUNT_OF(far); i++) {
		begin();
		cr_expect_str_eq(codes(far[i]), "421");
		play_connect(&p, "127.0.0.1");
		cr_expect_str_eq(codes(far[i]), "421");
	}
	p.conf->limits.errors = 1000;
	play_connect(&p, "127.0.0.1");
	for (; n < 100 && !p.is_closed; n++) {
		play_say(&p, "BDAT 60000\r\n");
		play_feed(&p, span_of(zeros, sizeof(zeros)));
	}
	cr_expect_lt(n, 40);
	p.conf->limits.errors = 20;
	begin();
	for (n = 0; n < 1000000 && !p.is_closed; n++)
		(void)codes("BDAT 1\r\nx");
	cr_expect_lt(n, 1000);
	cr_expect(p.is_closed);
}

/* PIPE-02: cut anywhere, in two or in single octets, the replies and the
 * message are the same. */
Test(smtpd_chunks, wherever_the_stream_is_cut)
{
	static const char text[] = MAIL RCPT "BDAT 7\r\nNOOP\r\n.BDAT 3\r\n\r\nx"
	    "NOOP\r\nBDAT 2 LAST\r\n\r\n" MAIL RCPT "BDAT 6\r\nQUIT\r\nRSET\r\n"
	    "BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n";
	const struct span all = span_str(text);

	for (size_t cut = 0; cut <= all.n + 1; cut++) {
		play_connect(&p, "127.0.0.1");
		play_say(&p, "EHLO c\r\n");
		buf_reset(&p.out);
		buf_reset(&p.messages);
		if (cut <= all.n) {
			play_feed(&p, span_sub(all, 0, cut));
			play_feed(&p, span_from(all, cut));
		} else {
			for (size_t i = 0; i < all.n; i++)
				play_feed(&p, span_sub(all, i, 1));
		}
		cr_assert_eq(play_count_replies(&p), 12, "cut at %zu", cut);
		expect_message("NOOP\\x0d\\x0a.\\x0d\\x0ax\\x0d\\x0a");
	}
}

/* BDAT-08, T03: binary content is kept octet by octet, wherever chunks and reads
 * are cut, and its flags say what it is. */
Test(smtpd_chunks, binary_stays_as_it_is)
{
	static const uint8_t content[] = "X: y\r\n\r\n\r\r\n.\n\n.\r\n"
	    "\0\xff.\r\n.\r\r";
	const size_t n = sizeof(content) - 1;

	p.is_holding = true;
	for (size_t cut = 0; cut <= n; cut++) {
		struct rx_message m;
		char line[64];

		play_connect(&p, "127.0.0.1");
		play_say(&p, "EHLO c\r\nMAIL FROM:<a@b.example> "
		    "BODY=BINARYMIME\r\n" RCPT);
		(void)snprintf(line, sizeof(line), "BDAT %zu\r\n", cut);
		play_say(&p, line);
		for (size_t i = 0; i < cut; i++)
			play_feed(&p, span_of(content + i, 1));
		(void)snprintf(line, sizeof(line), "BDAT %zu LAST\r\n",
		    n - cut);
		play_say(&p, line);
		play_feed(&p, span_of(content + cut, n - cut));
		cr_assert_eq(rx_state(p.rx), RX_SUBMITTING);
		rx_message(p.rx, &m);
		cr_expect(span_equal(buf_span(&p.body), span_of(content, n)));
		cr_expect_eq(m.body_bytes, n);
		cr_expect(m.is_binary && m.has_no_eol && m.has_8bit);
		play_submitted(&p, RX_ACCEPTED);
	}
}
