/*
 * Every state of the client dialogue met with every kind of event, against a
 * table written by hand from RFC 5321; and the times of 4.5.3.2.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/check.h"
#include "common/base/mtime.h"
#include "deliverd/engine/tx_state.h"
#include "tx_play.h"

/* How far a dialogue is led before something happens. */
enum stage {
	GREETING, EHLO, HELO, IDLE, MAIL, RCPT, DATA, FINAL, QUIT, STAGES
};

static const char *const stage_names[STAGES] = {
	"greeting", "EHLO", "HELO", "idle", "MAIL", "RCPT", "DATA", "final",
	"QUIT",
};

static const enum tx_state stage_states[STAGES] = {
	TX_GREETING, TX_EHLO, TX_HELO, TX_IDLE, TX_MAIL, TX_RCPT, TX_DATA,
	TX_FINAL, TX_QUIT,
};

enum fault {
	CLOSE, TIMEOUT, GARBAGE, R421, R4XX, R5XX, MULTI, ENDLESS, MIXED, NUL,
	SHORT, FAULTS
};

static const char *const fault_names[FAULTS] = {
	"close", "timeout", "garbage", "421", "4xx", "5xx", "multi-line 5xx",
	"endless line", "mixed codes", "NUL", "short code",
};

/* What becomes of recipients a (refused before, from DATA on) and b, and of
 * the dialogue. */
struct want {
	char b;			/* . open, D deferred, F failed, ? in doubt */
	bool is_over;		/* the connection isn't used any further */
};

#define ON	false
#define OVER	true

static const struct want wanted[STAGES][FAULTS] = {
	/* close timeout garbage 421 4xx 5xx multi endless mixed NUL short */
	[GREETING] = { { '.', OVER }, { '.', OVER }, { '.', OVER },
	    { '.', OVER }, { '.', OVER }, { '.', OVER }, { '.', OVER },
	    { '.', OVER }, { '.', OVER }, { '.', OVER }, { '.', OVER } },
	[EHLO] = { { '.', OVER }, { '.', OVER }, { '.', OVER },
	    { '.', OVER }, { '.', OVER }, { '.', ON }, { '.', ON },
	    { '.', OVER }, { '.', OVER }, { '.', OVER }, { '.', OVER } },
	[HELO] = { { '.', OVER }, { '.', OVER }, { '.', OVER },
	    { '.', OVER }, { '.', OVER }, { '.', OVER }, { '.', OVER },
	    { '.', OVER }, { '.', OVER }, { '.', OVER }, { '.', OVER } },
	[IDLE] = { { '.', OVER }, { '.', OVER }, { '.', OVER },
	    { '.', OVER }, { '.', OVER }, { '.', OVER }, { '.', OVER },
	    { '.', OVER }, { '.', OVER }, { '.', OVER }, { '.', OVER } },
	[MAIL] = { { 'D', OVER }, { 'D', OVER }, { 'D', OVER },
	    { 'D', OVER }, { 'D', ON }, { 'F', ON }, { 'F', ON },
	    { 'D', OVER }, { 'D', OVER }, { 'D', OVER }, { 'D', OVER } },
	[RCPT] = { { 'D', OVER }, { 'D', OVER }, { 'D', OVER },
	    { 'D', OVER }, { 'D', ON }, { 'F', ON }, { 'F', ON },
	    { 'D', OVER }, { 'D', OVER }, { 'D', OVER }, { 'D', OVER } },
	[DATA] = { { 'D', OVER }, { 'D', OVER }, { 'D', OVER },
	    { 'D', OVER }, { 'D', ON }, { 'F', ON }, { 'F', ON },
	    { 'D', OVER }, { 'D', OVER }, { 'D', OVER }, { 'D', OVER } },
	[FINAL] = { { '?', OVER }, { '?', OVER }, { '?', OVER },
	    { 'D', OVER }, { 'D', ON }, { 'F', ON }, { 'F', ON },
	    { '?', OVER }, { '?', OVER }, { '?', OVER }, { '?', OVER } },
	[QUIT] = { { '.', OVER }, { '.', OVER }, { '.', OVER },
	    { '.', OVER }, { '.', OVER }, { '.', OVER }, { '.', OVER },
	    { '.', OVER }, { '.', OVER }, { '.', OVER }, { '.', OVER } },
};

/* Leads a dialogue to where the reply of STAGE is awaited. */
static struct play_mail *
lead(struct play *p, enum stage stage, bool is_pipelining)
{
	struct play_mail *m = NULL;

	if (stage >= MAIL && stage <= FINAL) {
		m = play_mail(p, "m", "s@a.example", "x\r\n", 3, 0);
		play_rcpt(m, "a@b.example");
		play_rcpt(m, "b@b.example");
	}
	tx_connected(p->t);
	if (stage == GREETING)
		return m;
	play_say(p, "220 b.example\r\n");
	if (stage == EHLO)
		return m;
	if (stage == HELO)
		play_say(p, "502 no\r\n");
	else
		play_say(p, is_pipelining ?
		    "250-b.example\r\n250 PIPELINING\r\n" :
		    "250 b.example\r\n");
	if (stage == QUIT) {
		tx_quit(p->t);
		play_pump(p);
	}
	if (m == NULL || stage == MAIL)
		return m;
	play_say(p, "250 ok\r\n");
	play_say(p, "550 5.1.1 a is not here\r\n");
	if (stage == RCPT)
		return m;
	play_say(p, "250 ok\r\n");
	if (stage == FINAL)
		play_say(p, "354 go on\r\n");
	return m;
}

static void
strike(struct play *p, enum fault fault)
{
	static char endless[1 << 21];

	switch (fault) {
	case CLOSE:
		tx_lost(p->t, "connection reset", 0);
		play_pump(p);
		return;
	case TIMEOUT:
		tx_timeout(p->t);
		play_pump(p);
		return;
	case ENDLESS:
		memset(endless, 'x', sizeof(endless));
		memcpy(endless, "250 ", 4);
		play_input(p, endless, sizeof(endless));
		return;
	case NUL:
		play_input(p, "2\0000 ok\r\n", 8);
		return;
	case GARBAGE: play_say(p, "SSH-2.0-OpenSSH_9\r\n"); return;
	case R421: play_say(p, "421 4.3.2 closing\r\n"); return;
	case R4XX: play_say(p, "451 4.3.0 later\r\n"); return;
	case R5XX: play_say(p, "550 5.7.1 never\r\n"); return;
	case MULTI: play_say(p, "550-5.7.1 no\r\n550 5.7.1 never\r\n"); return;
	case MIXED: play_say(p, "250-ok\r\n550 no\r\n"); return;
	case SHORT: play_say(p, "25\r\n"); return;
	case FAULTS: break;
	}
	cr_assert_fail("no such fault");
}

static char
letter(const struct tx_rcpt *r)
{
	return ".+DF?"[r->outcome];
}

/* T29, T32, C5321-32, C5321-36, NH-01..NH-04 */
static void
check_cell(enum stage stage, enum fault fault, bool is_pipelining,
    size_t feed)
{
	struct want want = wanted[stage][fault];
	struct play play;
	struct play_mail *m;
	bool is_over;

	play_open(&play, feed, SIZE_MAX);
	m = lead(&play, stage, is_pipelining);
	cr_assert_eq(play.t->state, stage_states[stage], "%s: state %s",
	    stage_names[stage], tx_rules_get(play.t->state)->name);
	strike(&play, fault);
	is_over = play.t->state == TX_QUIT || play.t->state == TX_OVER;
	cr_assert_eq(is_over, want.is_over, "%s at %s, pipelining %d: now %s",
	    fault_names[fault], stage_names[stage], is_pipelining,
	    tx_rules_get(play.t->state)->name);
	if (m != NULL) {
		bool is_a_refused = stage > MAIL;

		/* with groups, the host's other replies are still due */
		if (!want.is_over && is_pipelining && stage < DATA)
			play_say(&play, stage == MAIL ?
			    "503 a\r\n503 b\r\n503 data\r\n" :
			    "503 data\r\n");
		cr_assert_eq(letter(&m->rcpts[1]), want.b,
		    "%s at %s, pipelining %d: b is %s", fault_names[fault],
		    stage_names[stage], is_pipelining,
		    play_outcomes[m->rcpts[1].outcome]);
		cr_assert_eq(letter(&m->rcpts[0]), is_a_refused ? 'F' : want.b);
		cr_assert(m->is_over, "%s at %s: mail kept",
		    fault_names[fault], stage_names[stage]);
		cr_assert_eq(m->mail.open, 0);
	}
	play_close(&play);
}

Test(tx_rules, fault_matrix)
{
	for (int s = 0; s < STAGES; s++) {
		for (int f = 0; f < FAULTS; f++) {
			check_cell(s, f, false, SIZE_MAX);
			check_cell(s, f, true, SIZE_MAX);
			if (f != ENDLESS)
				check_cell(s, f, true, 1);
		}
	}
}

/* C5321-05: what RFC 5321 4.5.3.2 wants at least, in minutes */
Test(tx_rules, times)
{
	static const struct {
		enum stage stage;
		int minutes;
	} rows[] = {
		{ GREETING, 5 }, { EHLO, 5 }, { HELO, 5 }, { MAIL, 5 },
		{ RCPT, 5 }, { DATA, 2 }, { FINAL, 10 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct play play;

		play_open(&play, SIZE_MAX, SIZE_MAX);
		(void)lead(&play, rows[i].stage, false);
		cr_assert_geq(tx_deadline_ms(play.t),
		    rows[i].minutes * MTIME_MINUTE, "%s",
		    stage_names[rows[i].stage]);
		play_close(&play);
	}
	cr_assert_geq(tx_setup_default.wait_ms[TX_FOR_BLOCK],
	    3 * MTIME_MINUTE);
}

/* C5321-04: each command has the whole time; bytes that trickle in buy none */
Test(tx_rules, progress)
{
	struct play play;
	uint32_t before;

	play_open(&play, SIZE_MAX, SIZE_MAX);
	(void)lead(&play, RCPT, false);
	before = tx_progress(play.t);
	play_say(&play, "250-st");
	play_say(&play, "ill\r\n");
	cr_assert_eq(tx_progress(play.t), before);
	play_say(&play, "250 here\r\n");
	cr_assert_neq(tx_progress(play.t), before);
	play_close(&play);
}

/* Every row of the table can be met, and has what its state needs. */
Test(tx_rules, table)
{
	for (int s = 0; s < TX_STATE_COUNT; s++) {
		const struct tx_rule *rule = tx_rules_get(s);
		bool is_dead = s == TX_CONNECTING || s == TX_OVER;
		/* TLS reads the socket then, and the clock runs */
		bool is_deaf = s == TX_TLS_SHAKING;
		bool is_command = s == TX_EHLO || s == TX_HELO ||
		    s == TX_TLS_ASKED ||
		    (s >= TX_RSET && s <= TX_DATA);

		cr_assert_not_null(rule->name);
		cr_assert_eq(rule->reply == NULL, is_dead || is_deaf, "%s", rule->name);
		cr_assert_eq(rule->send != NULL, is_command, "%s",
		    rule->name);
		cr_assert_eq(rule->wait_for < 0, is_dead || s == TX_IDLE,
		    "%s", rule->name);
	}
}

/* C5321-14, C5321-15: whatever the content is cut into, the wire has it
 * stuffed and ends with one dot. */
Test(tx_rules, content_in_pieces)
{
	static const char body[] = ".\r\n..\r\na.b\r\n.c\r\n\r\n.";
	static const char wire[] = "..\r\n...\r\na.b\r\n..c\r\n\r\n..\r\n.\r\n";

	for (size_t chunk = 1; chunk <= sizeof(body); chunk++) {
		struct play play;
		struct play_mail *m;

		play_open(&play, SIZE_MAX, chunk);
		m = play_mail(&play, "m", "s@a.example", body,
		    sizeof(body) - 1, TX_CONTENT_DOTS | TX_CONTENT_NO_EOL);
		play_rcpt(m, "r@b.example");
		tx_connected(play.t);
		play_say(&play, "220 x\r\n");
		play_say(&play, "250-x\r\n250 PIPELINING\r\n");
		buf_reset(&play.out);
		play_say(&play, "250 x\r\n250 x\r\n354 x\r\n");
		cr_assert(span_equal(buf_span(&play.out), span_str(wire)),
		    "chunk %zu", chunk);
		play_close(&play);
	}
}

/* A host that talks on behind QUIT is not listened to for long. */
Test(tx_rules, quit_is_bounded)
{
	struct play play;

	play_open(&play, 1000, SIZE_MAX);
	(void)lead(&play, QUIT, false);
	for (int i = 0; i < 100 && !play.is_closed; i++) {
		char line[1000];

		memset(line, 'x', sizeof(line));
		memcpy(line, "221-", 4);
		memcpy(line + 998, "\r\n", 2);
		play_input(&play, line, sizeof(line));
	}
	cr_assert(play.is_closed);
	play_close(&play);
}

/* No memory for output: the mail is deferred, nothing else happens. */
Test(tx_rules, no_memory)
{
	struct play play;
	struct play_mail *m;

	play_open(&play, SIZE_MAX, SIZE_MAX);
	m = lead(&play, RCPT, false);
	play.out.max = play.out.n;
	play.out.is_failed = true;
	play_say(&play, "250 ok\r\n");
	cr_assert(play.is_closed);
	cr_assert_eq(m->rcpts[1].outcome, TX_DEFERRED);
	play_close(&play);
}

/* Replies kept for many recipients stay bounded. */
Test(tx_rules, texts_are_bounded)
{
	struct play play;
	struct play_mail *m;
	struct buf line;

	play_open(&play, SIZE_MAX, SIZE_MAX);
	play.setup.rcpts_max = PLAY_RCPTS;
	m = play_mail(&play, "m", "s@a.example", "x\r\n", 3, 0);
	for (int i = 0; i < PLAY_RCPTS; i++)
		play_rcpt(m, "r@b.example");
	m->mail.texts.max = 10 * TX_TEXT_MAX;
	buf_init(&line, 1 << 20);
	tx_connected(play.t);
	play_say(&play, "220 x\r\n");
	play_say(&play, "250 x\r\n");
	play_say(&play, "250 x\r\n");
	for (int i = 0; i < PLAY_RCPTS; i++) {
		buf_reset(&line);
		buf_addf(&line, "550 5.1.1 %d ", i);
		for (int k = 0; k < 4000; k++)
			buf_add_byte(&line, (uint8_t)('a' + i % 26));
		buf_add_str(&line, "\r\n");
		play_input(&play, line.p, line.n);
	}
	cr_assert(m->is_over);
	for (int i = 0; i < PLAY_RCPTS; i++) {
		cr_assert_eq(m->rcpts[i].outcome, TX_FAILED);
		cr_assert_leq(m->rcpts[i].text_n, TX_TEXT_MAX);
	}
	cr_assert_eq(m->rcpts[0].text_n, TX_TEXT_MAX);
	buf_clear(&line);
	play_close(&play);
}
