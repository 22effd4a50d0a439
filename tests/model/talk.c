#include "tests/model/talk.h"

#include "common/base/base64.h"
#include "common/base/check.h"

#include <string.h>

void
talk_init(struct talk *t)
{
	*t = (struct talk){ .names = 0 };
	buf_init(&t->line, 1 << 20);
	buf_init(&t->text, 16U << 20);
	buf_init(&t->plain, 16U << 20);
	buf_init(&t->address, 1 << 12);
}

void
talk_clear(struct talk *t)
{
	buf_clear(&t->line);
	buf_clear(&t->text);
	buf_clear(&t->plain);
	buf_clear(&t->address);
}

bool
talk_one_in(struct talk *t, uint64_t n)
{
	return rng_below(&t->rng, n) == 0;
}

/* ---- commands ---- */

struct row {
	enum what what;
	enum flaw flaw;
	const char *line;	/* %s: t->address; %1000x: so many of them */
	const char *address;	/* %u in it: the next number */
	bool has_parameters, is_utf8, is_binary;
	uint64_t declared, hold_s;
	const char *asked, *by;
	enum step step;
	bool has_initial, is_of_trusted, has_address;
};

#define P .has_parameters = true

/* The first row of a verb is what it should be said like. */
static const struct row rows[] = {
	{ SAY_EHLO, FINE, "EHLO client.example", .address = NULL },
	{ SAY_EHLO, FINE, "ehlo [192.0.2.1]", .address = NULL },
	{ SAY_EHLO, NO_ARGUMENT, "EHLO", .address = NULL },
	{ SAY_EHLO, CONTROL, "EHLO a\tb", .address = NULL },
	{ SAY_EHLO, BAD_NAME, "EHLO %1000n", .address = NULL },
	{ SAY_HELO, FINE, "HELO client", .address = NULL },
	{ SAY_HELO, NO_ARGUMENT, "HELO ", .address = NULL },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s>", .address = "a@b.example" },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s>", .address = "" },
	{ SAY_MAIL, FINE, "mAiL fRoM:<%s> ", .address = "Some.Body@b.example" },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s> SIZE=10 BODY=8BITMIME",
	    .address = "a@b.example",
	    P, .declared = 10 },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s> RET=HDRS ENVID=x+2By",
	    .address = "a@b.example",
	    P },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s> SMTPUTF8",
	    .address = "a@b.example", P,
	    .is_utf8 = true },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s> BODY=BINARYMIME", .address =
	    "a@b.example", P, .is_binary = true },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s> SIZE=60", .address = "a@b.example", P,
	    .declared = 60 },
	{ SAY_MAIL, NO_ARGUMENT, "MAIL", .address = NULL },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@", .address = NULL },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b..example>", .address = NULL },
	{ SAY_MAIL, MALFORMED, "MAIL TO:<a@b.example>", .address = NULL },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example>x", .address = NULL },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> SIZE=x",
	    .address = NULL, P },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> BODY=9BIT",
	    .address = NULL, P },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> RET=ALL",
	    .address = NULL, P },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> ENVID=a+0Ab",
	    .address = NULL, P },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> SIZE=1 SIZE=1",
	    .address = NULL,
	    P },
	{ SAY_MAIL, CONTROL, "MAIL FROM:<a\001@b.example>", .address = NULL },
	{ SAY_MAIL, UNKNOWN_PARAMETER, "MAIL FROM:<a@b.example> X=Y",
	    .address = NULL, P },
	{ SAY_MAIL, UNKNOWN_PARAMETER, "MAIL FROM:<a@b.example> NOTIFY=NEVER",
	    .address = NULL, P },
	{ SAY_MAIL, NOT_YOURS, "MAIL FROM:<%s> MT-PRIORITY=3",
	    .address = "a@b.example",
	    P },
	{ SAY_MAIL, OF_USERS, "MAIL FROM:<%s> HOLDFOR=60", .address =
	    "a@b.example", P, .hold_s = 60, .asked = "for;60" },
	{ SAY_MAIL, OF_USERS, "MAIL FROM:<%s> HOLDUNTIL=2026-11-22T02:18:42Z",
	    .address = "a@b.example", P, .hold_s = 60,
	    .asked = "until;2026-11-22T02:18:42Z" },
	{ SAY_MAIL, OF_USERS, "MAIL FROM:<%s> BY=61;R holdfor=60", .address =
	    "a@b.example", P, .hold_s = 60, .asked = "for;60",
	    .by = "61000/1" },
	{ SAY_MAIL, BAD_OF_USERS, "MAIL FROM:<a@b.example> HOLDFOR=0",
	    .address = NULL, P },
	{ SAY_MAIL, BAD_OF_USERS, "MAIL FROM:<a@b.example> HOLDFOR=060",
	    .address = NULL, P },
	{ SAY_MAIL, BAD_OF_USERS, "MAIL FROM:<a@b.example> HOLDFOR=99999999",
	    .address = NULL, P },
	{ SAY_MAIL, BAD_OF_USERS, "MAIL FROM:<a@b.example> HOLDUNTIL=2026-11-23",
	    .address = NULL, P },
	{ SAY_MAIL, BAD_OF_USERS, "MAIL FROM:<a@b.example> "
	    "HOLDUNTIL=2027-11-23T00:00:00Z", .address = NULL, P },
	{ SAY_MAIL, BAD_OF_USERS, "MAIL FROM:<a@b.example> HOLDFOR=1 "
	    "HOLDUNTIL=2026-11-22T02:18:42Z", .address = NULL, P },
	{ SAY_MAIL, BAD_OF_USERS, "MAIL FROM:<a@b.example> HOLDFOR=1 HOLDFOR=1",
	    .address = NULL, P },
	{ SAY_MAIL, BAD_OF_USERS, "MAIL FROM:<a@b.example> HOLDFOR=60 BY=60;R",
	    .address = NULL, P },
	{ SAY_MAIL, BAD_OF_USERS, "MAIL FROM:<a@b.example> BY=30;NT HOLDFOR=31",
	    .address = NULL, P },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s> BY=120;R", .address = "a@b.example",
	    P, .by = "120000/1" },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s> BY=-5;N", .address = "a@b.example",
	    P, .by = "-5000/2" },
	{ SAY_MAIL, FINE, "MAIL FROM:<%s> by=+0;nt", .address = "a@b.example",
	    P, .by = "0/6" },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> BY=0;R",
	    .address = NULL, P },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> BY=-1;RT",
	    .address = NULL, P },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> BY=5",
	    .address = NULL, P },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> BY=5;X",
	    .address = NULL, P },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> BY=1000000000;N",
	    .address = NULL, P },
	{ SAY_MAIL, MALFORMED, "MAIL FROM:<a@b.example> BY=5;R BY=5;R",
	    .address = NULL, P },
	{ SAY_MAIL, IN_CLEAR, "MAIL FROM:<%s> REQUIRETLS", .address =
	    "a@b.example", P },
	{ SAY_MAIL, NOT_ASCII, "MAIL FROM:<%s>",
	    .address = "j\xc3\xbc@b.example" },
	{ SAY_MAIL, NOT_ASCII, "MAIL FROM:<%s> SMTPUTF8",
	    .address = "j\xc3\xbc@b.example",
	    P, .is_utf8 = true },
	{ SAY_MAIL, DECLARED_LARGE, "MAIL FROM:<a@b.example> SIZE=99999999",
	    .address = NULL, P },
	{ SAY_MAIL, NO_DOMAIN, "MAIL FROM:<root>",
	    .address = "root@mx.example" },
	{ SAY_RCPT, FINE, "RCPT TO:<%s>", .address = "c%u@example.org" },
	{ SAY_RCPT, FINE, "RCPT TO:<%s>", .address = "c%u@a.sub.example" },
	{ SAY_RCPT, FINE, "RCPT TO:<%s>", .address = "c%u@EXAMPLE.org" },
	{ SAY_RCPT, FINE, "RCPT TO:<Postmaster>",
	    .address = "Postmaster@mx.example" },
	{ SAY_RCPT, FINE, "RCPT TO:<%s> NOTIFY=NEVER",
	    .address = "c%u@example.org", P },
	{ SAY_RCPT, FINE, "RCPT TO:<%s> NOTIFY=DELAY,FAILURE "
	    "ORCPT=rfc822;x+2By@z", .address = "c%u@example.org", P },
	{ SAY_RCPT, NO_ARGUMENT, "RCPT", .address = NULL },
	{ SAY_RCPT, MALFORMED, "RCPT TO:<>", .address = NULL },
	{ SAY_RCPT, MALFORMED, "RCPT TO:<@>", .address = NULL },
	{ SAY_RCPT, MALFORMED, "RCPT FROM:<c@example.org>", .address = NULL },
	{ SAY_RCPT, MALFORMED, "RCPT TO:<c@example.org", .address = NULL },
	{ SAY_RCPT, MALFORMED, "RCPT TO:<c@d@example.org>", .address = NULL },
	{ SAY_RCPT, MALFORMED, "RCPT TO:<c@example.org> NOTIFY=SOMETIMES",
	    .address = NULL, P },
	{ SAY_RCPT, MALFORMED, "RCPT TO:<c@example.org> ORCPT=x",
	    .address = NULL, P },
	{ SAY_RCPT, CONTROL, "RCPT TO:<c\177@example.org>", .address = NULL },
	{ SAY_RCPT, UNKNOWN_PARAMETER, "RCPT TO:<c@example.org> SIZE=1",
	    .address = NULL,
	    P },
	{ SAY_RCPT, NOT_ASCII, "RCPT TO:<%s>",
	    .address = "j\xc3\xbc%u@example.org" },
	{ SAY_RCPT, RELAY, "RCPT TO:<%s>", .address = "c%u@elsewhere.example" },
	{ SAY_RCPT, RELAY, "RCPT TO:<%s>", .address = "c%u@sub.example.org" },
	{ SAY_RCPT, RELAY, "RCPT TO:<%s>", .address = "c%u!d@example.org" },
	{ SAY_RCPT, RELAY, "RCPT TO:<%s>", .address = "\"c%u@d\"@example.org" },
	{ SAY_RCPT, NO_DOMAIN, "RCPT TO:<root>", .address = "root@mx.example" },
	{ SAY_DATA, FINE, "DATA", .address = NULL },
	{ SAY_DATA, FINE, "data  ", .address = NULL },
	{ SAY_DATA, AN_ARGUMENT, "DATA x", .address = NULL },
	{ SAY_DATA, CONTROL, "DATA \001", .address = NULL },
	{ SAY_BDAT, FINE, "",
	    .address = NULL },		/* chunk() writes it */
	{ SAY_BDAT, MALFORMED, "BDAT", .address = NULL },
	{ SAY_BDAT, MALFORMED, "BDAT LAST", .address = NULL },
	{ SAY_BDAT, MALFORMED, "BDAT -1", .address = NULL },
	{ SAY_BDAT, MALFORMED, "BDAT 1 LOST", .address = NULL },
	{ SAY_BDAT, CONTROL, "BDAT 1\t2", .address = NULL },
	{ SAY_RSET, FINE, "RSET", .address = NULL },
	{ SAY_RSET, AN_ARGUMENT, "RSET x", .address = NULL },
	{ SAY_NOOP, FINE, "NOOP", .address = NULL },
	{ SAY_NOOP, FINE, "NOOP RSET", .address = NULL },
	{ SAY_NOOP, CONTROL, "NOOP \033[31m", .address = NULL },
	{ SAY_VRFY, FINE, "VRFY c", .address = NULL },
	{ SAY_VRFY, NO_ARGUMENT, "VRFY", .address = NULL },
	{ SAY_HELP, FINE, "HELP", .address = NULL },
	{ SAY_HELP, FINE, "HELP mail", .address = NULL },
	{ SAY_QUIT, FINE, "QUIT", .address = NULL },
	{ SAY_QUIT, AN_ARGUMENT, "QUIT x", .address = NULL },
	{ SAY_QUIT, CONTROL, "QUIT \001", .address = NULL },
	{ SAY_STARTTLS, FINE, "STARTTLS", .address = NULL },
	{ SAY_STARTTLS, FINE, "starttls", .address = NULL },
	{ SAY_STARTTLS, AN_ARGUMENT, "STARTTLS now", .address = NULL },
	{ SAY_AUTH, FINE, "AUTH PLAIN AGEAYg==", .address = NULL,
	    .step = STEP_PLAIN, .has_initial = true },
	{ SAY_AUTH, FINE, "auth plain", .address = NULL, .step = STEP_PLAIN },
	{ SAY_AUTH, FINE, "AUTH LOGIN", .address = NULL, .step = STEP_USER },
	{ SAY_AUTH, FINE, "AUTH LOGIN YQ==", .address = NULL,
	    .step = STEP_USER, .has_initial = true },
	{ SAY_AUTH, FINE, "AUTH SCRAM-SHA-256", .address = NULL,
	    .step = STEP_SCRAM_FIRST },
	{ SAY_AUTH, FINE, "AUTH SCRAM-SHA-256 biwsbj1hLHI9YWJj",
	    .address = NULL, .step = STEP_SCRAM_FIRST, .has_initial = true },
	{ SAY_AUTH, NO_ARGUMENT, "AUTH", .address = NULL },
	{ SAY_AUTH, MALFORMED, "AUTH PLAIN !", .address = NULL,
	    .step = STEP_PLAIN },
	{ SAY_AUTH, MALFORMED, "AUTH PLAIN YWI=", .address = NULL,
	    .step = STEP_PLAIN },
	{ SAY_AUTH, MALFORMED, "AUTH PLAIN =", .address = NULL,
	    .step = STEP_PLAIN },
	{ SAY_AUTH, MALFORMED, "AUTH SCRAM-SHA-256 YWI=", .address = NULL,
	    .step = STEP_SCRAM_FIRST },
	{ SAY_AUTH, UNKNOWN_PARAMETER, "AUTH CRAM-MD5", .address = NULL },
	{ SAY_XCLIENT, FINE, "XCLIENT ADDR=127.0.0.1", .address = NULL,
	    .is_of_trusted = true, .has_address = true },
	{ SAY_XCLIENT, FINE, "xclient addr=192.0.2.9 NAME=a.example PROTO=SMTP",
	    .address = NULL, .has_address = true },
	{ SAY_XCLIENT, FINE, "XCLIENT ADDR=[UNAVAILABLE]", .address = NULL,
	    .has_address = true },
	{ SAY_XCLIENT, FINE, "XCLIENT NAME=[TEMPUNAVAIL] LOGIN=ann",
	    .address = NULL },
	{ SAY_XCLIENT, MALFORMED, "XCLIENT", .address = NULL },
	{ SAY_XCLIENT, MALFORMED, "XCLIENT ADDR=1.2.3", .address = NULL },
	{ SAY_XCLIENT, MALFORMED, "XCLIENT ADDR=127.0.0.1 COLOUR=red",
	    .address = NULL },
	{ SAY_XCLIENT, MALFORMED, "XCLIENT ADDR", .address = NULL },
	{ SAY_ABSENT, FINE, "EXPN list", .address = NULL },
	{ SAY_NONSENSE, FINE, "WHAT", .address = NULL },
	{ SAY_NONSENSE, FINE, "", .address = NULL },
	{ SAY_NONSENSE, FINE, " NOOP", .address = NULL },
	{ SAY_NONSENSE, FINE, "NOOP\tx", .address = NULL },
	{ SAY_NONSENSE, FINE, "Subject: x", .address = NULL },
	{ SAY_NONSENSE, FINE, ".", .address = NULL },
	{ SAY_UNENDED, FINE, "RSET\nNOOP", .address = NULL },
	{ SAY_UNENDED, FINE, "QUIT\rNOOP", .address = NULL },
	{ SAY_UNENDED, FINE, "DATA\r", .address = NULL },
	{ SAY_TOO_LONG, FINE, "NOOP %9000n", .address = NULL },
	{ SAY_TOO_LONG, FINE, "%30000n", .address = NULL },
	{ SAY_HTTP, FINE, "GET / HTTP/1.1", .address = NULL },
	{ SAY_HTTP, FINE, "PROPFIND / HTTP/1.0", .address = NULL },
};
#undef P

static void
write_address(struct talk *t, const char *address)
{
	buf_reset(&t->address);
	for (const char *p = address; *p != '\0'; p++) {
		if (p[0] == '%' && p[1] == 'u') {
			buf_add_u64(&t->address, t->names++);
			p++;
		} else {
			buf_add_byte(&t->address, (uint8_t)*p);
		}
	}
}

static void
write_line(struct talk *t, const char *line)
{
	for (const char *p = line; *p != '\0'; p++) {
		unsigned n = 0;

		if (*p != '%') {
			buf_add_byte(&t->line, (uint8_t)*p);
			continue;
		}
		while (p[1] >= '0' && p[1] <= '9')
			n = n * 10 + (unsigned)(*++p - '0');
		if (*++p == 's')
			buf_add_span(&t->line, buf_span(&t->address));
		for (unsigned i = 0; *p == 'n' && i < n; i++)
			buf_add_byte(&t->line, 'n');
	}
}

static const struct row *
pick(struct talk *t, enum what what)
{
	size_t first = 0, n = 0;

	while (rows[first].what != what)
		first++;
	while (first + n < COUNT_OF(rows) && rows[first + n].what == what)
		n++;
	return &rows[first + (talk_one_in(t, 2) ? 0 : rng_below(&t->rng, n))];
}

/* ---- content ---- */

/* What stands in messages: WIRE is the line behind 354, PLAIN what is meant,
 * NULL the same; in a chunk WIRE is both. */
static const struct {
	const char *wire, *plain;
	bool is_bare;			/* in the middle of a line */
	bool is_false_end;
} lines[] = {
	{ "Subject: x\r\n", NULL, false, false },
	{ "\r\n", NULL, false, false },
	{ "text\r\n", NULL, false, false },
	{ "Received: by x\r\n", NULL, false, false },
	{ "Received: by MX.example; y\r\n", NULL, false, false },
	{ "RECEIVED:\r\n", NULL, false, false },
	{ "Receive: no\r\n", NULL, false, false },
	{ "MAIL FROM:<evil@b.example>\r\n", NULL, false, false },
	{ "RCPT TO:<evil@example.org>\r\n", NULL, false, false },
	{ "DATA\r\n", NULL, false, false },
	{ "QUIT\r\n", NULL, false, false },
	{ "..\r\n", ".\r\n", false, false },
	{ "..MAIL FROM:<>\r\n", ".MAIL FROM:<>\r\n", false, false },
	{ ".x\r\n", "x\r\n", false, false },
	{ "\xff\x80\x01\x7f\r\n", NULL, false, false },
	{ "a\nb\r\n", NULL, true, false },
	{ "a\rb\r\n", NULL, true, false },
	{ "a\r\rb\r\n", NULL, true, false },
	{ "\n.\n\r\n", NULL, true, true },
	{ "x\r.\rx\r\n", NULL, true, true },
	{ "x\n.\r\n", NULL, true, true },
	{ "x\r.\r\n", NULL, true, true },
};

static void
add_line(struct talk *t, const struct model *m, bool is_chunk)
{
	size_t i = rng_below(&t->rng, COUNT_OF(lines));
	const char *plain;

	/* most messages are good ones */
	if (lines[i].is_bare && !talk_one_in(t, 6))
		i = 2;
	/* what becomes of its dots is nobody's promise */
	if (lines[i].is_false_end && m->normalises)
		i = 2;
	plain = lines[i].plain == NULL || is_chunk ? lines[i].wire :
	    lines[i].plain;
	buf_add_str(&t->text, lines[i].wire);
	buf_add_str(&t->plain, plain);
}

static void
fill(struct talk *t, size_t bytes)
{
	static const char line[] = "0123456789abcdef0123456789abcdef\r\n";

	while (t->text.n < bytes)
		buf_add_str(&t->text, line);
}

void
talk_content(struct talk *t, const struct model *m, struct content *content)
{
	uint64_t n = rng_below(&t->rng, 6);

	buf_reset(&t->text);
	buf_reset(&t->plain);
	*content = (struct content){ .is_endless = m->size_max < 10000 &&
	    talk_one_in(t, 3000) };
	if (content->is_endless)
		fill(t, 4 * m->size_max + (1 << 20));
	else
		while (n-- > 0)
			add_line(t, m, false);
	buf_add_str(&t->text, ".\r\n");
	content->text = buf_span(&t->plain);
}

/* Octets, not lines: a chunk ends anywhere. */
static void
chunk(struct talk *t, const struct model *m, struct said *said)
{
	uint64_t n = rng_below(&t->rng, 4);

	buf_reset(&t->text);
	buf_reset(&t->plain);
	while (n-- > 0)
		add_line(t, m, true);
	if (talk_one_in(t, 3) && t->text.n > 0 && !m->normalises)
		t->text.n = rng_below(&t->rng, t->text.n);
	if (talk_one_in(t, 40))
		fill(t, 600);
	said->chunk = buf_span(&t->text);
	said->is_last = talk_one_in(t, 2);
	said->is_endless = talk_one_in(t, 200);
	buf_add_str(&t->line, talk_one_in(t, 4) ? "bdat " : "BDAT ");
	if (said->is_endless)
		buf_add_str(&t->line, "9999999999");
	buf_add_u64(&t->line, t->text.n);
	if (said->is_last)
		buf_add_str(&t->line, talk_one_in(t, 4) ? " last" : " LAST");
}

/* ---- what is said ---- */

void
talk_command(struct talk *t, const struct model *m, enum what what,
    struct said *said)
{
	const struct row *row = pick(t, what);

	buf_reset(&t->line);
	buf_reset(&t->text);
	buf_reset(&t->address);
	*said = (struct said){ .what = what, .flaw = row->flaw,
	    .has_parameters = row->has_parameters, .is_utf8 = row->is_utf8,
	    .is_binary = row->is_binary,
	    .declared = row->declared, .hold_s = row->hold_s,
	    .asked = row->asked, .by = row->by, .step = row->step,
	    .has_initial = row->has_initial,
	    .is_of_trusted = row->is_of_trusted,
	    .has_address = row->has_address };
	if (row->address != NULL)
		write_address(t, row->address);
	if (what == SAY_BDAT && row->flaw == FINE)
		chunk(t, m, said);
	else
		write_line(t, row->line);
	buf_add_str(&t->line, "\r\n");
	said->address = buf_span(&t->address);
	/* what follows one that is refused is a command like any other */
	said->is_followed = what == SAY_STARTTLS && row->flaw == FINE &&
	    m->offers_tls && !m->is_tls && m->has_key && m->at == AT_READY &&
	    talk_one_in(t, 3);
}

/* Before base64.  PLAIN (RFC 4616): authorization, NUL, name, NUL, password. */
static const struct word {
	enum step step;
	enum flaw flaw;
	const char *text;
	size_t n;
} words[] = {
#define WORD(s, f, t) { s, f, t, sizeof(t) - 1 }
	WORD(STEP_PLAIN, FINE, "\0a\0b"),
	WORD(STEP_PLAIN, MALFORMED, "a\0b"),
	WORD(STEP_PLAIN, MALFORMED, "\0\0b"),
	WORD(STEP_PLAIN, MALFORMED, ""),
	WORD(STEP_USER, FINE, "a"),
	WORD(STEP_USER, MALFORMED, ""),
	WORD(STEP_PASSWORD, FINE, "b"),
	WORD(STEP_PASSWORD, MALFORMED, "\0b"),
	WORD(STEP_SCRAM_FIRST, FINE, "n,,n=a,r=abc"),
	WORD(STEP_SCRAM_FIRST, MALFORMED, "n,,n=,r=abc"),
	WORD(STEP_SCRAM_FIRST, MALFORMED, "n,,r=abc"),
	WORD(STEP_SCRAM_FIRST, MALFORMED, "n,,n=a=1,r=abc"),
	WORD(STEP_SCRAM_FINAL, FINE, "c=biws,r=abc" TALK_NONCE
	    ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
	WORD(STEP_SCRAM_FINAL, MALFORMED, "c=eSws,r=abc" TALK_NONCE
	    ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
	WORD(STEP_SCRAM_FINAL, MALFORMED, "c=biws,r=abd" TALK_NONCE
	    ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
	WORD(STEP_SCRAM_FINAL, MALFORMED, "c=biws,r=abc"
	    ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
	WORD(STEP_SCRAM_FINAL, MALFORMED, "c=biws,r=abc" TALK_NONCE ",p=AAAA"),
	WORD(STEP_LAST, FINE, ""),
	WORD(STEP_LAST, MALFORMED, "x"),
#undef WORD
};

enum flaw
talk_reply(struct talk *t, const struct model *m)
{
	size_t first = 0, n = 0;
	const struct word *w;

	buf_reset(&t->line);
	buf_reset(&t->text);
	if (talk_one_in(t, 12)) {
		bool is_star = talk_one_in(t, 2);

		buf_add_str(&t->line, is_star ? "*\r\n" : "MAIL FROM:<>\r\n");
		return is_star ? CANCELLED : NOT_BASE64;
	}
	while (words[first].step != m->step)
		first++;
	while (first + n < COUNT_OF(words) && words[first + n].step == m->step)
		n++;
	w = &words[first + (talk_one_in(t, 6) ? rng_below(&t->rng, n) : 0)];
	base64_encode(&t->line, span_of(w->text, w->n));
	buf_add_str(&t->line, "\r\n");
	return w->flaw;
}

void
talk_recipient(struct talk *t, struct said *said)
{
	static const char domain[] = "@long-long-long-long-long-long-long-"
	    "long.long-long-long-long-long-long-long-long-long-long."
	    "example.org";
	uint64_t n = rng_below(&t->rng, 40);

	buf_reset(&t->line);
	buf_reset(&t->text);
	buf_reset(&t->address);
	while (n-- > 0)
		buf_add_byte(&t->address, 'u');
	buf_add_byte(&t->address, 'u');
	buf_add_u64(&t->address, t->names++);
	buf_add_str(&t->address, domain);
	buf_add_str(&t->line, "RCPT TO:<");
	buf_add_span(&t->line, buf_span(&t->address));
	buf_add_str(&t->line, ">\r\n");
	*said = (struct said){ .what = SAY_RCPT, .flaw = RELAY,
	    .address = buf_span(&t->address) };
}

enum what
talk_choose(struct talk *t, const struct model *m)
{
	static const enum what next[PLACES] = {
		[AT_START] = SAY_EHLO, [AT_READY] = SAY_MAIL,
		[AT_MAIL] = SAY_RCPT, [AT_RCPT] = SAY_DATA,
		[AT_CHUNKS] = SAY_BDAT, [AT_UNWANTED] = SAY_NOOP,
	};
	enum what what = (enum what)rng_below(&t->rng, SAYS);

	switch (rng_below(&t->rng, 8)) {
	case 0:
	case 1:
		/* a session that ends says little */
		if ((what == SAY_QUIT || what == SAY_HTTP) &&
		    !talk_one_in(t, 4))
			return SAY_NOOP;
		return what;
	case 2:
		/* as if the transaction went on, whatever became of it */
		return what % 3 == 0 ? SAY_RCPT : what % 3 == 1 ? SAY_DATA :
		    SAY_BDAT;
	case 3:
		return m->at == AT_RCPT ? SAY_BDAT : next[m->at];
	case 4:
		return m->at == AT_READY && m->offers_tls && !m->is_tls ?
		    SAY_STARTTLS : next[m->at];
	default:
		return m->at == AT_READY && m->is_submission && m->is_tls &&
		    !m->is_known ? SAY_AUTH : next[m->at];
	}
}
