/*
 * Dovecot's lines: whole, octet by octet, cut, and with every bit changed; and
 * ours to it.  AUTH-10, T19.
 */
#include "common/base/check.h"
#include "common/base/utf8.h"
#include "common/secret/dovecot.h"

#include <criterion/criterion.h>

static const struct {
	const char *line;
	enum err e;
	enum dovecot_kind kind;
	uint32_t number;		/* id or version */
	const char *user;
	bool is_later;
} lines[] = {
	{ "VERSION\t1\t2", OK, DOVECOT_VERSION, 1, "", false },
	{ "VERSION\tx", ERR_SYNTAX, 0, 0, NULL, false },
	{ "VERSION", ERR_SYNTAX, 0, 0, NULL, false },
	{ "MECH\tPLAIN\tplaintext", OK, DOVECOT_MECH, 0, "", false },
	{ "MECH", ERR_SYNTAX, 0, 0, NULL, false },
	{ "SPID\t12", OK, DOVECOT_OTHER, 0, "", false },
	{ "", OK, DOVECOT_OTHER, 0, "", false },
	{ "OKAY\t1", OK, DOVECOT_OTHER, 0, "", false },
	{ "DONE", OK, DOVECOT_DONE, 0, "", false },
	{ "OK\t7", OK, DOVECOT_OK, 7, "", false },
	{ "OK\t4294967295\tuser=ann\ttoken=x", OK, DOVECOT_OK, 4294967295u,
	    "ann", false },
	{ "OK\t7\tnouser=b\tuser=ann@x\tuserdb_user=c", OK, DOVECOT_OK, 7,
	    "ann@x", false },
	{ "OK\t7\tuser=\xc3\xa4", OK, DOVECOT_OK, 7, "\xc3\xa4", false },
	{ "OK\t7\tuser=\xff", OK, DOVECOT_OK, 7, "", true },
	{ "OK\t7\tuser=a\001tb", OK, DOVECOT_OK, 7, "", true },
	{ "OK\t7\tuser=a\0010", OK, DOVECOT_OK, 7, "", true },
	{ "OK\t7\tuser=a\001x", OK, DOVECOT_OK, 7, "", true },
	{ "OK\t7\tuser=a\001", OK, DOVECOT_OK, 7, "", true },
	{ "OK\t7\tuser=ann\tuser=b\xff", OK, DOVECOT_OK, 7, "", true },
	{ "OK\t7\tuser=a\rb", OK, DOVECOT_OK, 7, "", true },
	{ "OK\t4294967296", ERR_SYNTAX, 0, 0, NULL, false },
	{ "OK\t-1", ERR_SYNTAX, 0, 0, NULL, false },
	{ "OK\t", ERR_SYNTAX, 0, 0, NULL, false },
	{ "OK", ERR_SYNTAX, 0, 0, NULL, false },
	{ "FAIL\t3\tuser=ann", OK, DOVECOT_FAIL, 3, "", false },
	{ "FAIL\t3\tuser=temp\treason=temp", OK, DOVECOT_FAIL, 3, "", false },
	{ "FAIL\t3\ttemp", OK, DOVECOT_FAIL, 3, "", true },
	{ "FAIL\t3\tuser=ann\tcode=temp_fail\tx", OK, DOVECOT_FAIL, 3, "",
	    true },
	{ "FAIL\tx", ERR_SYNTAX, 0, 0, NULL, false },
	{ "CONT\t3\t", OK, DOVECOT_CONT, 3, "", false },
	{ "CONT\t3\t!", OK, DOVECOT_CONT, 3, "", false },
	{ "CONT\t", ERR_SYNTAX, 0, 0, NULL, false },
};

Test(dovecot, lines)
{
	struct dovecot_line line;

	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		cr_assert_eq(dovecot_parse(span_str(lines[i].line), &line),
		    lines[i].e, "%s", lines[i].line);
		if (lines[i].e != OK)
			continue;
		cr_expect_eq(line.kind, lines[i].kind, "%s", lines[i].line);
		cr_expect_eq(line.kind == DOVECOT_VERSION ? line.major
		    : line.id, lines[i].number, "%s", lines[i].line);
		cr_expect(span_equal(span_of(line.user, line.user_n),
		    span_str(lines[i].user)), "%s", lines[i].line);
		cr_expect_eq(line.is_later, lines[i].is_later, "%s",
		    lines[i].line);
	}
}

Test(dovecot, users_and_challenges_have_bounds)
{
	static char text[2048] = "OK\t1\tuser=";
	const size_t begin = strlen(text);
	struct dovecot_line line;

	memset(text + begin, 'u', 300);
	cr_assert_eq(dovecot_parse(span_of(text, begin + DOVECOT_USER_MAX),
	    &line), OK);
	cr_expect_eq(line.user_n, DOVECOT_USER_MAX);
	cr_expect_not(line.is_later);
	cr_assert_eq(dovecot_parse(span_of(text, begin + DOVECOT_USER_MAX + 1),
	    &line), OK);
	cr_expect(line.is_later);
	cr_assert_eq(dovecot_parse(SPAN_LIT("CONT\t1\teyJhIjoxfQ=="), &line),
	    OK);
	cr_expect(span_equal(span_of(line.challenge, line.challenge_n),
	    SPAN_LIT("{\"a\":1}")));
	memset(text, 'A', sizeof(text));
	memcpy(text, "CONT\t1\t", 7);
	cr_assert_eq(dovecot_parse(span_of(text, 7 + 1024), &line), OK);
	cr_expect_eq(line.challenge_n, 0);
}

/* ---- connections ---- */

#define GREETING "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\n"	\
	"MECH\toauthbearer\nSPID\t7\nCUID\t1\nCOOKIE\tab\nDONE\n"
#define SESSION GREETING "OK\t1\tuser=ann\nNEWS\nFAIL\t2\ttemp\n"	\
	"CONT\t3\te30=\n"

struct events {
	unsigned n[DOVECOT_BROKEN + 1];
};

/* The first octet of each piece of PIECE ones after another. */
static struct events
hear(struct span all, size_t piece)
{
	struct events events = { .n = { 0 } };
	struct dovecot_line line;
	enum dovecot_event e = DOVECOT_MORE;
	struct dovecot d;

	dovecot_init(&d);
	while (all.n > 0 && e != DOVECOT_BROKEN) {
		struct span input = span_sub(all, 0, piece);

		all = span_from(all, piece);
		do {
			e = dovecot_next(&d, &input, &line);
			events.n[e]++;
			cr_assert(e != DOVECOT_ANSWER || d.is_ready);
			cr_assert(line.user_n == 0 || e != DOVECOT_ANSWER ||
			    utf8_is_valid(span_of(line.user, line.user_n)));
		} while (e != DOVECOT_MORE && e != DOVECOT_BROKEN);
	}
	return events;
}

Test(dovecot, a_session_in_pieces)
{
	for (size_t piece = 1; piece <= sizeof(SESSION); piece++) {
		struct events e = hear(SPAN_LIT(SESSION), piece);

		cr_expect_eq(e.n[DOVECOT_READY], 1);
		cr_expect_eq(e.n[DOVECOT_ANSWER], 3);
		cr_expect_eq(e.n[DOVECOT_NOISE], 1);
		cr_expect_eq(e.n[DOVECOT_BROKEN], 0);
	}
}

Test(dovecot, a_session_cut_and_changed)
{
	char text[] = SESSION;

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		cr_expect_eq(hear(span_of(text, n), 7).n[DOVECOT_BROKEN], 0);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (int bit = 0; bit < 8; bit++) {
			struct events e;

			text[i] = (char)(text[i] ^ (1 << bit));
			e = hear(span_of(text, sizeof(text) - 1), 5);
			cr_expect_leq(e.n[DOVECOT_READY], 1);
			cr_expect_leq(e.n[DOVECOT_ANSWER], 3);
			text[i] = (char)(text[i] ^ (1 << bit));
		}
	}
}

Test(dovecot, what_it_lists)
{
	struct span input = SPAN_LIT(GREETING);
	struct dovecot_line line;
	struct dovecot d;

	dovecot_init(&d);
	cr_expect_eq(dovecot_next(&d, &input, &line), DOVECOT_READY);
	cr_expect_eq(d.mechanisms, DOVECOT_PLAIN | DOVECOT_OAUTHBEARER);
	input = SPAN_LIT("VERSION\t1\t0\nMECH\tLOGIN\nDONE\n");
	dovecot_init(&d);
	cr_expect_eq(dovecot_next(&d, &input, &line), DOVECOT_READY);
	cr_expect_eq(d.mechanisms, 0);
}

static const char *const broken[] = {
	"VERSION\t2\t0\n", "MECH\tPLAIN\n", "DONE\n", "\n", "OK\t1\n",
	"VERSION\t1\t0\nFAIL\t1\n", GREETING "OK\tx\n", GREETING "CONT\n",
};

Test(dovecot, what_makes_no_sense)
{
	static char endless[DOVECOT_LINE_MAX + 1];
	struct buf many;

	for (size_t i = 0; i < COUNT_OF(broken); i++)
		cr_expect_eq(hear(span_str(broken[i]), 64).n[DOVECOT_BROKEN],
		    1, "%s", broken[i]);
	memset(endless, 'x', sizeof(endless));
	cr_expect_eq(hear(span_of(endless, sizeof(endless) - 2), 100)
	    .n[DOVECOT_BROKEN], 0);
	cr_expect_eq(hear(span_of(endless, sizeof(endless)), 100)
	    .n[DOVECOT_BROKEN], 1);
	buf_init(&many, 1 << 16);
	buf_add_str(&many, "VERSION\t1\t0\n");
	for (unsigned i = 0; i < DOVECOT_GREETING_MAX; i++)
		buf_add_str(&many, "SPID\t1\n");
	cr_expect_eq(hear(buf_span(&many), 100).n[DOVECOT_BROKEN], 1);
	buf_clear(&many);
}

/* ---- what we say ---- */

static const uint8_t v4[4] = { 192, 0, 2, 1 };

Test(dovecot, questions)
{
	struct dovecot_question q = {
		.id = 9, .mechanism = DOVECOT_PLAIN, .user = SPAN_LIT("ann"),
		.secret = SPAN_LIT("secret"),
	};
	struct buf out;

	buf_init(&out, 65536);
	dovecot_put_hello(123, &out);
	cr_expect(span_equal(buf_span(&out),
	    SPAN_LIT("VERSION\t1\t1\nCPID\t123\n")));
	buf_reset(&out);
	cr_expect_eq(dovecot_put_question(&q, &out), OK);
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("AUTH\t9\tPLAIN\t"
	    "service=smtp\tnologin\tsecured\tresp=AGFubgBzZWNyZXQ=\n")));
	buf_reset(&out);
	q.mechanism = DOVECOT_OAUTHBEARER;
	q.user = SPAN_LIT("a,b=c");
	q.secret = SPAN_LIT("t");
	q.client = q.local = ipaddr_v4(v4);
	cr_expect_eq(dovecot_put_question(&q, &out), OK);
	/* n,a=a=2Cb=3Dc,^Aauth=Bearer t^A^A */
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("AUTH\t9\tOAUTHBEARER\t"
	    "service=smtp\tnologin\tsecured\tlip=192.0.2.1\trip=192.0.2.1\t"
	    "resp=bixhPWE9MkNiPTNEYywBYXV0aD1CZWFyZXIgdAEB\n")));
	buf_reset(&out);
	dovecot_put_surrender(9, &out);
	cr_expect(span_equal(buf_span(&out), SPAN_LIT("CONT\t9\tAQ==\n")));
	buf_clear(&out);
}

/* Dovecot hangs up at a longer line; the longest that can be asked fits. */
Test(dovecot, questions_have_bounds)
{
	static char secret[DOVECOT_LINE_MAX];
	static char user[DOVECOT_USER_MAX];
	struct dovecot_question q = {
		.id = UINT32_MAX, .mechanism = DOVECOT_OAUTHBEARER,
		.user = span_of(user, sizeof(user)),
		.secret = span_of(secret, 5120),
		.client = ipaddr_v4(v4), .local = ipaddr_v4(v4),
	};
	struct buf out;

	memset(secret, 's', sizeof(secret));
	memset(user, ',', sizeof(user));
	buf_init(&out, 20000);
	buf_add_str(&out, "before");
	cr_expect_eq(dovecot_put_question(&q, &out), OK);
	cr_expect_leq(out.n - 6, DOVECOT_LINE_MAX);
	for (size_t n = 5120; n <= sizeof(secret); n++) {
		const size_t before = out.n;

		q.secret = span_of(secret, n);
		if (dovecot_put_question(&q, &out) == OK) {
			cr_expect_leq(out.n - before, DOVECOT_LINE_MAX);
			cr_expect_lt(n, 5700);
			out.n = before;
			continue;
		}
		cr_expect_eq(out.n, before);
		cr_expect_not(buf_failed(&out));
	}
	cr_expect_eq(dovecot_put_question(&q, &out), ERR_RANGE);
	buf_clear(&out);
	/* no room: nothing is appended, nor left */
	buf_init(&out, 6000);
	cr_assert_not_null(buf_reserve(&out, 6000));
	memset(out.p, 0, out.size);
	q.secret = span_of(secret, 5120);
	cr_expect_eq(dovecot_put_question(&q, &out), ERR_NOMEM);
	cr_expect_eq(out.n, 0);
	for (size_t i = 0; i < out.size; i++)
		cr_assert_eq(out.p[i], 0);
	buf_clear(&out);
}
