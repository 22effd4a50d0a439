#include "tx_host.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "common/smtp/smtp_sasl.h"
#include "deliverd/engine/tx_auth.h"

#define POURED_MAX	(8U << 20)	/* octets that nobody would read */
#define TIME_MAX_MS	(40 * MTIME_MINUTE)

const char *const host_stages[HOST_STAGE_COUNT] = {
	"greeting", "EHLO", "HELO", "STARTTLS", "handshake", "second EHLO",
	"AUTH", "MAIL", "first RCPT", "last RCPT", "DATA", "content",
	"final dot", "RSET", "next MAIL", "QUIT", "idle",
};

static const char body[] = "Subject: x\r\n\r\n.dot\r\n";

/* ---- time ---- */

static void
note_progress(struct host *h)
{
	if (h->play.is_closed || tx_progress(h->play.t) == h->progress)
		return;
	h->progress = tx_progress(h->play.t);
	h->since_ms = h->now_ms;
}

/* As the owner's timer does it. */
static void
pass(struct host *h, int64_t ms)
{
	int64_t wait;

	h->now_ms += ms;
	cr_assert_lt(h->now_ms, TIME_MAX_MS, "%s at %s: endless",
	    h->fault->name, host_stages[h->stage]);
	note_progress(h);
	if (h->play.is_closed)
		return;
	wait = tx_deadline_ms(h->play.t);
	if (wait != MTIME_NEVER && h->now_ms - h->since_ms >= wait) {
		tx_timeout(h->play.t);
		play_pump(&h->play);
		note_progress(h);
	}
}

static void
hang(struct host *h)
{
	h->is_hanging = true;
	while (!h->play.is_closed &&
	    tx_deadline_ms(h->play.t) != MTIME_NEVER)
		pass(h, tx_deadline_ms(h->play.t));
}

/* ---- words ---- */

static void
say(struct host *h, struct span words)
{
	if (h->play.is_closed)
		return;
	h->fed += words.n;
	play_input(&h->play, words.p, words.n);
	note_progress(h);
}

static void
lose(struct host *h, uint64_t unsent)
{
	if (h->play.is_closed)
		return;
	tx_lost(h->play.t, "connection reset by peer", unsent);
	play_pump(&h->play);
}

static void
drip(struct host *h, struct span words)
{
	do {
		say(h, words);
		pass(h, 1000);
	} while (!h->play.is_closed &&
	    tx_deadline_ms(h->play.t) != MTIME_NEVER);
}

/* The engine ends it: nobody could have so much patience or memory. */
static void
pour(struct host *h, struct span words)
{
	while (!h->play.is_closed) {
		say(h, words);
		cr_assert_lt(h->fed, POURED_MAX, "%s at %s: reads on",
		    h->fault->name, host_stages[h->stage]);
	}
}

static void
say_slowly(struct host *h, struct span words)
{
	for (size_t i = 0; i < words.n; i++) {
		say(h, span_sub(words, i, 1));
		pass(h, 1000);
	}
}

/* RIGHT is what a good host would say. */
static void
do_fault(struct host *h, struct span right)
{
	const struct host_fault *f = h->fault;
	static uint8_t all[4096];
	struct span words = f->words;

	h->is_done = true;
	if (f->is_behind || (words.n == 0 && f->then == HOST_SLOWLY) ||
	    (words.n == 0 && f->then == HOST_GOES_ON)) {
		MUST(right.n + words.n <= sizeof(all));
		if (right.n > 0)
			memcpy(all, right.p, right.n);
		if (words.n > 0)
			memcpy(all + right.n, words.p, words.n);
		words = span_of(all, right.n + words.n);
	}
	if (f->then == HOST_SLOWLY)
		say_slowly(h, words);
	else if (f->then == HOST_DRIPS)
		drip(h, words);
	else if (f->then == HOST_POURS)
		pour(h, words);
	else
		say(h, words);
	if (f->then == HOST_RESETS)
		lose(h, 0);
	else if (f->then == HOST_RESETS_EARLY)
		lose(h, h->play.out.n);
	else if (f->then == HOST_HANGS)
		hang(h);
}

static bool
is_here(const struct host *h, enum host_stage stage)
{
	return h->stage == stage && !h->is_done;
}

static void
reply(struct host *h, enum host_stage stage, const char *right)
{
	if (is_here(h, stage))
		do_fault(h, span_str(right));
	else
		say(h, span_str(right));
}

/* ---- commands ---- */

static const char *
extensions(const struct host *h)
{
	bool wants_tls = h->stage >= HOST_EHLO && h->stage <= HOST_AUTH &&
	    h->stage != HOST_HELO;
	static char text[256];

	(void)snprintf(text, sizeof(text), "250-b.example\r\n%s%s%s"
	    "250 8BITMIME\r\n", h->is_pipelined ? "250-PIPELINING\r\n" : "",
	    wants_tls && !h->play.was_secured ? "250-STARTTLS\r\n" : "",
	    wants_tls && h->play.was_secured ? "250-AUTH PLAIN\r\n" : "");
	return text;
}

static void
on_mail(struct host *h)
{
	h->mails++;
	h->rcpts = h->accepted = 0;
	reply(h, h->mails == 1 ? HOST_MAIL : HOST_NEXT_MAIL,
	    "250 2.1.0 ok\r\n");
}

/* The first mail's are all refused where RSET is to come. */
static void
on_rcpt(struct host *h)
{
	bool is_refused = h->rcpts == 1 ||
	    (h->stage == HOST_RSET && h->mails == 1);
	bool is_first = h->mails == 1 && h->rcpts == 0;
	bool is_last = h->mails == 1 && h->rcpts == 2;

	h->rcpts++;
	if (!is_refused)
		h->accepted++;
	reply(h, is_first ? HOST_RCPT_FIRST : is_last ? HOST_RCPT_LAST :
	    HOST_STAGE_COUNT, is_refused ? "550 5.1.1 nobody\r\n" :
	    "250 2.1.5 ok\r\n");
}

/* The end of the content in the output, from SEEN; 0: not there. */
static size_t
find_end(const struct host *h)
{
	struct span s = span_from(buf_span(&h->play.out), h->seen);

	if (s.n >= 3 && memcmp(s.p, ".\r\n", 3) == 0)
		return 3;
	for (size_t i = 0; i + 5 <= s.n; i++)
		if (memcmp(s.p + i, "\r\n.\r\n", 5) == 0)
			return i + 5;
	return 0;
}

static void
on_dot(struct host *h)
{
	size_t n = find_end(h);
	bool is_whole = n > 3;
	unsigned mail = h->mails - 1;

	cr_assert_gt(n, 0);
	h->seen += n;
	if (mail < 2) {
		/* what is answered otherwise was not taken */
		bool is_faulty = is_here(h, HOST_DOT);

		h->is_taken[mail] = is_whole && (!is_faulty ||
		    h->fault->is_behind || h->fault->words.n == 0 ||
		    h->fault->words.p[0] == '2');
		h->is_clean = !is_faulty;
	}
	reply(h, mail == 0 ? HOST_DOT : HOST_STAGE_COUNT,
	    "250 2.0.0 taken\r\n");
}

static void
on_data(struct host *h)
{
	bool is_faulty = is_here(h, HOST_DATA) && h->mails == 1;
	size_t before;

	if (h->stage == HOST_CONTENT && !h->is_done)
		h->play.is_held = true;
	before = h->play.out.n;
	reply(h, h->mails == 1 ? HOST_DATA : HOST_STAGE_COUNT,
	    h->accepted > 0 ? "354 go on\r\n" : "554 5.5.1 nobody\r\n");
	/* C5321-11: content only where it was asked for */
	if (is_faulty && (h->fault->words.n == 0 ?
	    h->fault->then >= HOST_RESETS && h->fault->then <= HOST_HANGS &&
	    !h->fault->is_behind : !h->fault->is_behind &&
	    h->fault->words.p[0] != '3'))
		cr_assert(h->play.out.n - before <= strlen("QUIT\r\n") ||
		    memmem(h->play.out.p + before, h->play.out.n - before,
		    "Subject", 7) == NULL);
	if (is_here(h, HOST_CONTENT) && !h->play.is_closed) {
		do_fault(h, SPAN_NONE);
		h->play.is_held = false;
		if (!h->play.is_closed)
			play_pump(&h->play);
	}
	if (!h->play.is_closed && find_end(h) > 0)
		on_dot(h);
}

static void
on_line(struct host *h, struct span line)
{
	static const struct {
		const char *verb;
		enum host_stage stage;
		const char *right;
	} plain[] = {
		{ "HELO", HOST_HELO, "250 b.example\r\n" },
		{ "STAR", HOST_STARTTLS, "220 2.0.0 go\r\n" },
		{ "AUTH", HOST_AUTH, "235 2.7.0 welcome\r\n" },
		{ "RSET", HOST_RSET, "250 2.0.0 ok\r\n" },
		{ "QUIT", HOST_QUIT, "221 2.0.0 bye\r\n" },
	};

	cr_assert_geq(line.n, 4, "%s at %s: said `%.*s'", h->fault->name,
	    host_stages[h->stage], (int)line.n, (const char *)line.p);
	for (size_t i = 0; i < COUNT_OF(plain); i++)
		if (memcmp(line.p, plain[i].verb, 4) == 0) {
			reply(h, plain[i].stage, plain[i].right);
			return;
		}
	if (memcmp(line.p, "EHLO", 4) == 0 && h->stage == HOST_HELO)
		say(h, SPAN_LIT("502 5.5.1 what?\r\n"));
	else if (memcmp(line.p, "EHLO", 4) == 0)
		reply(h, h->play.was_secured ? HOST_EHLO_AGAIN : HOST_EHLO,
		    extensions(h));
	else if (memcmp(line.p, "MAIL", 4) == 0)
		on_mail(h);
	else if (memcmp(line.p, "RCPT", 4) == 0)
		on_rcpt(h);
	else if (memcmp(line.p, "DATA", 4) == 0)
		on_data(h);
	else
		cr_assert(false, "%s at %s: said `%.*s'", h->fault->name,
		    host_stages[h->stage], (int)line.n, (const char *)line.p);
}

/* False when there is no whole line. */
static bool
read_line(struct host *h)
{
	struct span rest = span_from(buf_span(&h->play.out), h->seen);
	static char copy[1024];
	size_t n;

	for (n = 0; n + 1 < rest.n; n++)
		if (rest.p[n] == '\r' && rest.p[n + 1] == '\n')
			break;
	if (n + 1 >= rest.n)
		return false;
	cr_assert_lt(n, sizeof(copy));
	memcpy(copy, rest.p, n);
	h->seen += n + 2;
	on_line(h, span_of(copy, n));
	return true;
}

/* ---- the dialogue ---- */

static void
shake(struct host *h)
{
	h->play.is_shaking = false;
	if (is_here(h, HOST_HANDSHAKE))
		do_fault(h, SPAN_NONE);
	if (h->play.is_closed || h->is_hanging)
		return;
	h->play.was_secured = true;
	tx_secured(h->play.t, &h->play.out);
	play_pump(&h->play);
}

static void
give_password(struct host *h)
{
	static const struct tx_auth_answer answer = {
		.password = SPAN_LIT("secret") };

	h->play.asks = 0;
	tx_auth_answer(h->play.t, &answer);
	play_pump(&h->play);
}

/* One step; false: nothing moves any more. */
static bool
step(struct host *h)
{
	struct play *p = &h->play;

	if (p->is_closed || h->is_hanging)
		return false;
	if (p->is_shaking)
		shake(h);
	else if (p->asks > 0)
		give_password(h);
	else
		return read_line(h);
	return true;
}

static void
add_mail(struct host *h, const char *name)
{
	struct play_mail *m = play_mail(&h->play, name, "s@a.example", body,
	    sizeof(body) - 1, TX_CONTENT_DOTS);

	play_rcpt(m, "a@b.example");
	play_rcpt(m, "nobody@b.example");
	play_rcpt(m, "c@b.example");
}

static void
begin(struct host *h)
{
	static const struct tx_credential who = { .user = SPAN_LIT("ann"),
		.mechanisms = 1U << SASL_PLAIN };
	bool is_secret = h->stage >= HOST_EHLO && h->stage <= HOST_AUTH &&
	    h->stage != HOST_HELO;

	play_open_tls(&h->play, is_secret ? TX_TLS_MUST : TX_TLS_NEVER,
	    SIZE_MAX, SIZE_MAX);
	if (is_secret)
		cr_assert_eq(tx_authenticate(h->play.t, &who), OK);
	add_mail(h, "m1");
	if (h->stage == HOST_RSET || h->stage == HOST_NEXT_MAIL)
		add_mail(h, "m2");
	tx_connected(h->play.t);
	note_progress(h);
	reply(h, HOST_GREETING, "220 b.example ESMTP\r\n");
}

/* To its end, by QUIT where nothing else ends it. */
static void
finish(struct host *h)
{
	while (step(h))
		;
	if (is_here(h, HOST_IDLE)) {
		do_fault(h, SPAN_NONE);
		add_mail(h, "m2");
		if (!h->play.is_closed)
			play_pump(&h->play);
		while (step(h))
			;
	}
	if (!h->play.is_closed && !h->is_hanging) {
		tx_quit(h->play.t);
		play_pump(&h->play);
		while (step(h))
			;
	}
	/* a reply is missing that the fault has swallowed */
	if (!h->play.is_closed)
		hang(h);
}

static char
letter(const struct host *h, const struct play_mail *m, unsigned i)
{
	static const char letters[TX_OUTCOME_COUNT] = {
		[TX_OPEN] = 'u', [TX_DELIVERED] = 'd', [TX_DEFERRED] = 't',
		[TX_FAILED] = 'f', [TX_IN_DOUBT] = 'x',
	};
	const struct tx_rcpt *r = &m->rcpts[i];
	bool is_taken = h->is_taken[m == &h->play.mails[0] ? 0 : 1];

	cr_expect(r->outcome != TX_DELIVERED || is_taken,
	    "%s at %s: delivered, and not taken", h->fault->name,
	    host_stages[h->stage]);
	/* no second copy without a word, but where the host says one thing and
	 * does another: to a recipient, or at the end */
	cr_expect(!is_taken || !h->is_clean || i == 1 ||
	    h->stage == HOST_RCPT_FIRST || h->stage == HOST_RCPT_LAST ||
	    r->outcome == TX_DELIVERED || r->outcome == TX_IN_DOUBT,
	    "%s at %s: taken, and sent again", h->fault->name,
	    host_stages[h->stage]);
	cr_expect(r->outcome != TX_FAILED || r->code / 100 == 5,
	    "%s at %s: failed without a 5yz", h->fault->name,
	    host_stages[h->stage]);
	cr_expect_leq(r->text_n, TX_TEXT_MAX);
	for (uint32_t k = 0; k < r->text_n; k++)
		cr_expect(m->mail.texts.p[r->text_at + k] >= ' ' ||
		    m->mail.texts.p[r->text_at + k] == '\n');
	return letters[r->outcome];
}

void
host_run(struct host *h, const struct host_fault *fault,
    enum host_stage stage, bool is_pipelined, char verdict[4])
{
	size_t mail = stage == HOST_RSET || stage == HOST_NEXT_MAIL ||
	    stage == HOST_IDLE ? 1 : 0;

	memset(h, 0, sizeof(*h));
	h->fault = fault;
	h->stage = stage;
	h->is_pipelined = is_pipelined;
	begin(h);
	finish(h);
	cr_expect(h->is_done, "%s at %s: never came there", fault->name,
	    host_stages[stage]);
	for (unsigned i = 0; i < 3; i++)
		verdict[i] = mail < h->play.n_mails ?
		    letter(h, &h->play.mails[mail], i) : 'u';
	verdict[3] = '\0';
	play_close(&h->play);
}
