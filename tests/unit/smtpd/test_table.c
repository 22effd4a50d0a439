/*
 * Visits every state with every verb, and compares with what RFC 5321 4.1.4
 * and 4.3.2 and RFC 3030 2 say.  BDAT-02 BDAT-04 S5321-15 to S5321-26, S5321-62.
 */
#include "common/base/check.h"
#include "tests/unit/smtpd/play.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* reply code and the state behind it */
struct cell {
	unsigned code;
	enum rx_state next;
};

struct row {
	enum smtp_verb verb;
	const char *line;
	struct cell cells[RX_STATE_COUNT];
};

/* In these states no command is read: nothing is said. */
#define DEAF [RX_IN_CONTENT] = { 0, RX_IN_CONTENT }, \
	[RX_SUBMITTING] = { 0, RX_SUBMITTING }, \
	[RX_IN_CHUNK] = { 0, RX_IN_CHUNK }, \
	[RX_HANDSHAKE] = { 0, RX_HANDSHAKE }, \
	[RX_AUTH] = { 501, RX_READY }, \
	[RX_ASKING] = { 0, RX_ASKING }, \
	[RX_CLOSED] = { 0, RX_CLOSED }
#define ONLY_QUIT [RX_UNWANTED] = { 503, RX_UNWANTED }
#define ANYWHERE(c) [RX_START] = { c, RX_START }, \
	[RX_READY] = { c, RX_READY }, [RX_MAIL] = { c, RX_MAIL }, \
	[RX_RCPT] = { c, RX_RCPT }, [RX_CHUNKS] = { c, RX_CHUNKS }, \
	ONLY_QUIT, DEAF
#define NOT_NOW [RX_CHUNKS] = { 503, RX_CHUNKS }

static const struct row rows[] = {
	{ SMTP_VERB_HELO, "HELO c", {
		[RX_START] = { 250, RX_READY }, [RX_READY] = { 250, RX_READY },
		[RX_MAIL] = { 250, RX_READY }, [RX_RCPT] = { 250, RX_READY },
		[RX_CHUNKS] = { 250, RX_READY }, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_HELO, "HELO", { ANYWHERE(501) } },
	{ SMTP_VERB_EHLO, "EHLO c", {
		[RX_START] = { 250, RX_READY }, [RX_READY] = { 250, RX_READY },
		[RX_MAIL] = { 250, RX_READY }, [RX_RCPT] = { 250, RX_READY },
		[RX_CHUNKS] = { 250, RX_READY }, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_EHLO, "EHLO", { ANYWHERE(501) } },
	{ SMTP_VERB_MAIL, "MAIL FROM:<a@b.example>", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 250, RX_MAIL },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_MAIL, "MAIL FROM:<a@", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 501, RX_READY },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_RCPT, "RCPT TO:<c@example.org>", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 503, RX_READY },
		[RX_MAIL] = { 250, RX_RCPT }, [RX_RCPT] = { 250, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_RCPT, "RCPT TO:<SRS0=x@srs.example>", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 503, RX_READY },
		[RX_MAIL] = { 0, RX_ASKING }, [RX_RCPT] = { 0, RX_ASKING },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_RCPT, "RCPT TO:<c@", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 503, RX_READY },
		[RX_MAIL] = { 501, RX_MAIL }, [RX_RCPT] = { 501, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_DATA, "DATA", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 503, RX_READY },
		[RX_MAIL] = { 503, RX_MAIL },
		[RX_RCPT] = { 354, RX_IN_CONTENT }, NOT_NOW, ONLY_QUIT,
		DEAF } },
	{ SMTP_VERB_DATA, "DATA x", { ANYWHERE(501) } },
	{ SMTP_VERB_RSET, "RSET", {
		[RX_START] = { 250, RX_START }, [RX_READY] = { 250, RX_READY },
		[RX_MAIL] = { 250, RX_READY }, [RX_RCPT] = { 250, RX_READY },
		[RX_CHUNKS] = { 250, RX_READY }, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_RSET, "RSET x", { ANYWHERE(501) } },
	{ SMTP_VERB_NOOP, "NOOP", { ANYWHERE(250) } },
	{ SMTP_VERB_VRFY, "VRFY a", { ANYWHERE(252) } },
	{ SMTP_VERB_EXPN, "EXPN a", { ANYWHERE(502) } },
	{ SMTP_VERB_HELP, "HELP", { ANYWHERE(214) } },
	/* what is said is said behind the chunk */
	{ SMTP_VERB_BDAT, "BDAT 1 LAST", {
		[RX_START] = { 0, RX_IN_CHUNK },
		[RX_READY] = { 0, RX_IN_CHUNK },
		[RX_MAIL] = { 0, RX_IN_CHUNK }, [RX_RCPT] = { 0, RX_IN_CHUNK },
		[RX_CHUNKS] = { 0, RX_IN_CHUNK },
		[RX_UNWANTED] = { 0, RX_IN_CHUNK }, DEAF } },
	{ SMTP_VERB_BDAT, "BDAT 0", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 503, RX_READY },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 250, RX_CHUNKS },
		[RX_CHUNKS] = { 250, RX_CHUNKS },
		[RX_UNWANTED] = { 503, RX_UNWANTED }, DEAF } },
	{ SMTP_VERB_BDAT, "BDAT 0 LAST", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 503, RX_READY },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 0, RX_SUBMITTING },
		[RX_CHUNKS] = { 0, RX_SUBMITTING },
		[RX_UNWANTED] = { 503, RX_UNWANTED }, DEAF } },
	{ SMTP_VERB_BDAT, "BDAT x", {
		[RX_START] = { 501, RX_CLOSED },
		[RX_READY] = { 501, RX_CLOSED },
		[RX_MAIL] = { 501, RX_CLOSED }, [RX_RCPT] = { 501, RX_CLOSED },
		[RX_CHUNKS] = { 501, RX_CLOSED },
		[RX_UNWANTED] = { 501, RX_CLOSED }, DEAF } },
	/* RFC 3207 4; TLS-03 */
	{ SMTP_VERB_STARTTLS, "STARTTLS", {
		[RX_START] = { 503, RX_START },
		[RX_READY] = { 220, RX_HANDSHAKE },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_STARTTLS, "STARTTLS x", { ANYWHERE(501) } },
	/* section 6: what follows in the same breath ends it */
	{ SMTP_VERB_STARTTLS, "STARTTLS\r\nNOOP", {
		[RX_START] = { 0, RX_START }, [RX_READY] = { 554, RX_CLOSED },
		[RX_MAIL] = { 0, RX_MAIL }, [RX_RCPT] = { 0, RX_RCPT },
		[RX_CHUNKS] = { 0, RX_CHUNKS },
		[RX_UNWANTED] = { 0, RX_UNWANTED }, DEAF } },
	/* RFC 4954 4; AUTH-01 */
	{ SMTP_VERB_AUTH, "AUTH PLAIN", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 334, RX_AUTH },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_AUTH, "AUTH PLAIN AGEAYg==", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 0, RX_ASKING },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_AUTH, "AUTH", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 501, RX_READY },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_ETRN, "ETRN d.example", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 250, RX_READY },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_ETRN, "ETRN", {
		[RX_START] = { 503, RX_START }, [RX_READY] = { 501, RX_READY },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_XCLIENT, "XCLIENT NAME=n", {
		[RX_START] = { 220, RX_START }, [RX_READY] = { 220, RX_START },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_XCLIENT, "XCLIENT HELO=h", {
		[RX_START] = { 220, RX_READY }, [RX_READY] = { 220, RX_READY },
		[RX_MAIL] = { 503, RX_MAIL }, [RX_RCPT] = { 503, RX_RCPT },
		NOT_NOW, ONLY_QUIT, DEAF } },
	{ SMTP_VERB_UNKNOWN, "WHAT", { ANYWHERE(500) } },
	{ SMTP_VERB_QUIT, "QUIT x", {
		[RX_START] = { 501, RX_START }, [RX_READY] = { 501, RX_READY },
		[RX_MAIL] = { 501, RX_MAIL }, [RX_RCPT] = { 501, RX_RCPT },
		[RX_CHUNKS] = { 501, RX_CHUNKS },
		[RX_UNWANTED] = { 501, RX_UNWANTED }, DEAF } },
	{ SMTP_VERB_QUIT, "QUIT", {
		[RX_START] = { 221, RX_CLOSED },
		[RX_READY] = { 221, RX_CLOSED },
		[RX_MAIL] = { 221, RX_CLOSED }, [RX_RCPT] = { 221, RX_CLOSED },
		[RX_CHUNKS] = { 221, RX_CLOSED },
		[RX_UNWANTED] = { 221, RX_CLOSED }, DEAF } },
	{ SMTP_VERB_FOREIGN, "GET / HTTP/1.1", {
		[RX_START] = { 521, RX_CLOSED },
		[RX_READY] = { 521, RX_CLOSED },
		[RX_MAIL] = { 521, RX_CLOSED }, [RX_RCPT] = { 521, RX_CLOSED },
		[RX_CHUNKS] = { 521, RX_CLOSED },
		ONLY_QUIT, DEAF } },
};

/* What leads to each state. */
static void
go_to(struct play *p, enum rx_state state, bool is_inside)
{
	static const char *const ways[] = {
		"EHLO c\r\n", "MAIL FROM:<a@b.example>\r\n",
		"RCPT TO:<c@example.org>\r\n", "DATA\r\n", ".\r\n",
	};

	static struct conf_route route = { .srs = "srs.example" };

	p->conf->routes = (struct conf_routes){ &route, 1 };
	p->is_holding = true;
	p->door.may_xclient = true;
	p->door.is_tls = (is_inside && state != RX_HANDSHAKE) ||
	    state == RX_AUTH || state == RX_ASKING;
	p->door.may_tls = !p->door.is_tls;
	p->site.has_passwords = true;
	play_connect_as(p, "127.0.0.1", state == RX_UNWANTED
	    ? RX_GREET_UNWANTED : RX_GREET_WELCOME);
	if (state == RX_CLOSED) {
		play_say(p, "QUIT\r\n");
	} else if (state != RX_UNWANTED) {
		int steps = state > RX_SUBMITTING ? RX_RCPT : (int)state;

		for (int i = 0; i < steps; i++)
			play_say(p, ways[i]);
	}
	if (state == RX_AUTH)
		play_say(p, "RSET\r\nAUTH LOGIN\r\n");
	if (state == RX_ASKING)
		play_say(p, "RSET\r\nAUTH PLAIN AGEAYg==\r\n");
	if (state == RX_HANDSHAKE)
		play_say(p, "RSET\r\nSTARTTLS\r\n");
	if (state == RX_IN_CHUNK)
		play_say(p, "BDAT 9\r\n");
	else if (state == RX_CHUNKS)
		play_say(p, "BDAT 3\r\nx\r\n");
	cr_assert_eq(rx_state(p->rx), state);
}

Test(smtpd_table, every_state_with_every_verb)
{
	struct play p;

	play_init(&p);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int s = 0; s < RX_STATE_COUNT; s++) {
			const struct cell *cell = &rows[i].cells[s];
			char line[64];
			unsigned code;

			/* two commands have two replies but here */
			if (strchr(rows[i].line, '\n') != NULL &&
			    s != RX_READY)
				continue;
			go_to(&p, (enum rx_state)s,
			    rows[i].verb == SMTP_VERB_AUTH);
			snprintf(line, sizeof(line), "%s\r\n", rows[i].line);
			/* the octets of a chunk would be these */
			code = s == RX_IN_CHUNK ? play_code(&p, "") :
			    play_code(&p, line);
			cr_expect_eq(code, cell->code, "%s in %d: %u, not %u",
			    rows[i].line, s, code, cell->code);
			cr_expect_eq(rx_state(p.rx), cell->next,
			    "%s in %d leads to %d, not %d", rows[i].line, s,
			    (int)rx_state(p.rx), (int)cell->next);
		}
	}
	play_clear(&p);
}

/* The table says no more than the cells above show, and no verb is left out:
 * a state that a verb may enter was entered by one of its rows. */
Test(smtpd_table, the_table_claims_nothing_else)
{
	for (int v = 0; v < SMTP_VERB_COUNT; v++) {
		const struct rx_verb *verb = rx_table_verb((enum smtp_verb)v);
		unsigned entered = 0, allowed = 0, rows_seen = 0;

		cr_assert_not_null(verb->run, "verb %d", v);
		for (size_t i = 0; i < COUNT_OF(rows); i++) {
			if (rows[i].verb != (enum smtp_verb)v)
				continue;
			rows_seen++;
			for (int s = 0; s < RX_STATE_COUNT; s++) {
				unsigned code = rows[i].cells[s].code;
				bool leaves =
				    (int)rows[i].cells[s].next != s;

				/* what is said there is no command */
				if (s == RX_AUTH)
					continue;

				if (leaves)
					entered |=
					    1U << rows[i].cells[s].next;
				if (code == 0 ? leaves :
				    code != 503 && code != 501)
					allowed |= 1U << s;
			}
		}
		cr_expect_gt(rows_seen, 0, "verb %d has no row", v);
		cr_expect_eq(verb->may_enter, entered, "verb %d", v);
		cr_expect_eq(verb->allowed, allowed, "verb %d", v);
	}
}

/* Each reply: ESC-01 ESC-02 ESC-05 S5321-39 S5321-40. */
Test(smtpd_table, replies_are_well_formed)
{
	char long_name[256];
	struct buf out;

	memset(long_name, 'h', sizeof(long_name) - 1);
	long_name[255] = '\0';
	buf_init(&out, 4096);
	for (int id = 1; id < RX_REPLY_COUNT; id++) {
		enum rx_reply_id reply = (enum rx_reply_id)id;
		const char *status = rx_reply_status(reply);
		unsigned code = rx_reply_code(reply);
		struct play p = { .out = { 0 } };

		buf_reset(&out);
		rx_reply_add(reply, span_str(long_name),
		    SPAN_LIT("\r\n250 \x01\xff"), &out);
		p.out = out;
		cr_expect_eq(play_count_replies(&p), 1, "%d: %.*s", id,
		    (int)out.n, (const char *)out.p);
		cr_expect(code >= 214 && code < 560);
		if (status[0] != '\0')
			cr_expect_eq((unsigned)(status[0] - '0'), code / 100,
			    "%d: %u %s", id, code, status);
		else
			cr_expect(code == 220 || code == 250 || code == 334 ||
			    code == 354 || reply == RX_REPLY_RCPT_ROUTE ||
			    reply == RX_REPLY_HELLO_NAME, "%d lacks a status",
			    id);
	}
	buf_clear(&out);
}
