/*
 * dialogues [-v] [-a] [-m] SEED COUNT [FIRST]: plays that many dialogues with
 * smtpd's engine, and holds each reply, each message and each state against
 * the model (model.h).  T06 BDAT-05 S5321-37 PIPE-01 PIPE-02 TLS-03.
 *
 *   -v        what is said and what is answered
 *   -a        anything goes: what never happened is no failure
 *   -m        must fail: the engine was made with a mistake in it
 *
 * Dialogue N of a seed is always the same: `dialogues -v SEED 1 N' plays it
 * again.  Commands go in groups, cut into segments anywhere; between two
 * groups the spool fills up or goes away, fails, the server drains, a time
 * limit passes.  Ends with 0 when all was right and each thing was said in
 * each place.
 */
#include "common/base/check.h"
#include "common/base/text.h"
#include "smtpd/engine/rx_auth.h"
#include "tests/model/talk.h"
#include "tests/unit/smtpd/play.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GROUPS_MAX = 10, GROUP_MAX = 8, FATES_MAX = 64, FAILURES_TOLD = 5,
	PIECE_MAX = 16384 };

struct stage {
	struct play play;
	struct model model;
	struct talk talk;
	struct buf stream;		/* of the group */
	struct buf said;		/* of the whole dialogue, to be told */
	enum fate fates[FATES_MAX];	/* of the messages of the group */
	unsigned fate_count, fate_next;
	enum verdict verdicts[FATES_MAX];	/* of AUTH, the same */
	unsigned verdict_count, verdict_next;
	bool is_full;			/* behind STARTTLS nothing may follow */
	bool is_loud, must_fail;
	uint64_t seen[PLACES][SAYS];
	uint64_t replied[STEPS][2];	/* wrong, right */
	uint64_t submitted, told, lists, secured, drained, known;
};

/* ---- the engine's side ---- */

static enum rx_result
result_of(enum fate fate)
{
	return fate == STORED ? RX_ACCEPTED : fate == NO_ROOM ? RX_NO_ROOM :
	    RX_FAILED;
}

/* In the place of who knows the passwords. */
static void
answer(struct stage *s)
{
	static const uint8_t nonce[RX_AUTH_NONCE_BYTES] =
	    "xxxxxxxxxxxxxxxxxxxxxxxx";	/* TALK_NONCE */
	static const enum rx_verdict verdicts[] = { [YES] = RX_VERDICT_GOOD,
	    [NO] = RX_VERDICT_BAD, [LATER] = RX_VERDICT_LATER };
	enum verdict v = NO;

	if (s->verdict_next < s->verdict_count)
		v = s->verdicts[s->verdict_next];
	s->verdict_next++;
	rx_answered(s->play.rx, &(struct rx_answer){ .verdict = verdicts[v],
	    .iterations = 4096, .salt = SPAN_LIT("salt"), .nonce = nonce,
	    .signature = span_of(nonce, sizeof(nonce)) }, &s->play.out);
}

/* What play_feed() left to us.  False: nothing. */
static bool
attend(struct stage *s, bool may_wait)
{
	struct play *p = &s->play;

	if (p->is_closed)
		return false;
	if (rx_is_list_due(p->rx)) {
		s->lists++;
		buf_add_span(&p->list, rx_recipients(p->rx));
		rx_recipients_taken(p->rx);
		return true;
	}
	if (rx_state(p->rx) == RX_SUBMITTING && !may_wait) {
		s->submitted++;
		/* one that there should not be fails, and is told at the end */
		if (s->fate_next >= s->fate_count) {
			s->fate_next++;
			play_submitted(p, RX_FAILED);
			return true;
		}
		play_submitted(p, result_of(s->fates[s->fate_next++]));
		return true;
	}
	if (rx_state(p->rx) == RX_ASKING) {
		answer(s);
		return true;
	}
	if (!p->is_shaking)
		return false;
	p->is_shaking = false;
	if (p->in.n > 0) {
		/* no handshake begins like that */
		p->is_closed = true;
		buf_reset(&p->in);
		return false;
	}
	rx_secured(p->rx);
	return true;
}

/* Feeds a piece.  While the spool is asked more may come. */
static void
feed(struct stage *s, struct span piece, bool is_last)
{
	bool may_wait = !is_last && talk_one_in(&s->talk, 2);

	play_feed(&s->play, piece);
	/* behind STARTTLS the rest of the group is there before TLS is */
	while ((!s->play.is_shaking || is_last) && attend(s, may_wait))
		play_feed(&s->play, SPAN_NONE);
}

static void
feed_all(struct stage *s)
{
	struct span rest = buf_span(&s->stream);
	uint64_t how = rng_below(&s->talk.rng, 4);

	while (rest.n > 0) {
		size_t n = how == 0 ? rest.n : how == 1 && rest.n < 2000 ? 1 :
		    1 + rng_below(&s->talk.rng, rest.n);

		if (n > PIECE_MAX)
			n = PIECE_MAX;
		feed(s, span_sub(rest, 0, n), n == rest.n);
		rest = span_from(rest, n);
	}
	buf_reset(&s->stream);
}

/* Who can't keep content has thrown it away. */
static void
fail_body(struct stage *s, enum rx_result why)
{
	if (s->play.is_closed)
		return;
	rx_body_failed(s->play.rx, why);
	buf_reset(&s->play.list);
	buf_reset(&s->play.body);
}

/* ---- what is said ---- */

static void
note(struct stage *s, const char *what, struct span text)
{
	buf_add_str(&s->said, what);
	text_escape_to(&s->said, span_sub(text, 0, 200), NULL, 1000);
	buf_add_str(&s->said, text.n > 200 ? " ...\n" : "\n");
}

static void
add_fate(struct stage *s)
{
	uint64_t dice = rng_below(&s->talk.rng, 6);
	enum fate fate = dice == 0 ? NO_ROOM : dice == 1 ? FAILED : STORED;

	MUST(s->fate_count < FATES_MAX);
	s->fates[s->fate_count++] = fate;
	note(s, fate == STORED ? "  (stored)" : "  (not stored)", SPAN_NONE);
	model_stored(&s->model, fate);
}

static void
add_verdict(struct stage *s)
{
	uint64_t dice = rng_below(&s->talk.rng, 4);
	enum verdict verdict = dice == 0 ? NO : dice == 1 ? LATER : YES;

	MUST(s->verdict_count < FATES_MAX);
	s->verdicts[s->verdict_count++] = verdict;
	note(s, verdict == YES ? "  (known)" : "  (not known)", SPAN_NONE);
	model_answered(&s->model, verdict);
}

static void
add_command(struct stage *s, struct said *said)
{
	struct model *m = &s->model;

	s->seen[m->at][said->what]++;
	note(s, "> ", buf_span(&s->talk.line));
	buf_add_span(&s->stream, buf_span(&s->talk.line));
	if (said->chunk.n > 0) {
		note(s, ">> ", said->chunk);
		buf_add_span(&s->stream, said->chunk);
	}
	model_say(m, said);
	if (m->whole > 0)
		add_fate(s);
	if (m->asks)
		add_verdict(s);
}

/* Sometimes the spool fails in the middle of it; which of two reasons would
 * be told is open, so only of content that has no other. */
static void
add_content(struct stage *s)
{
	struct model *m = &s->model;
	struct content content;

	talk_content(&s->talk, m, &content);
	note(s, ">> ", buf_span(&s->talk.text));
	if (talk_one_in(&s->talk, 12) && model_likes(m, &content)) {
		size_t at = rng_below(&s->talk.rng, s->talk.text.n - 2);

		buf_add(&s->stream, s->talk.text.p, at);
		feed_all(s);
		model_lost(m, FAILED);
		note(s, "  (what came is lost)", SPAN_NONE);
		fail_body(s, RX_FAILED);
		buf_drop(&s->talk.text, at);
	}
	buf_add_span(&s->stream, buf_span(&s->talk.text));
	model_content(m, &content);
	if (m->whole > 0)
		add_fate(s);
}

/* More than one piece of them, or a message with too many idle commands. */
static void
add_many(struct stage *s)
{
	bool is_list = s->model.at == AT_RCPT && s->model.is_trusted;
	uint64_t n = is_list ? 100 + rng_below(&s->talk.rng, 900) :
	    rng_below(&s->talk.rng, 130);
	struct said said;

	while (n-- > 0 && s->model.at != AT_END) {
		if (is_list)
			talk_recipient(&s->talk, &said);
		else
			talk_command(&s->talk, &s->model, SAY_NOOP, &said);
		add_command(s, &said);
	}
}

static void
add_reply(struct stage *s)
{
	struct model *m = &s->model;
	const enum step step = m->step;
	enum flaw flaw = talk_reply(&s->talk, m);

	s->replied[step][flaw == FINE]++;
	note(s, "> ", buf_span(&s->talk.line));
	buf_add_span(&s->stream, buf_span(&s->talk.line));
	model_reply(m, flaw);
	if (m->asks)
		add_verdict(s);
	s->known += m->is_known && step == STEP_LAST;
}

static void
add_one(struct stage *s)
{
	struct said said;

	if (s->model.at == AT_AUTH) {
		add_reply(s);
		return;
	}
	if (s->model.at == AT_CONTENT) {
		add_content(s);
		return;
	}
	if (talk_one_in(&s->talk, 400)) {
		add_many(s);
		return;
	}
	talk_command(&s->talk, &s->model, talk_choose(&s->talk, &s->model),
	    &said);
	add_command(s, &said);
	s->is_full = said.what == SAY_STARTTLS;
	if (said.is_followed)
		buf_add_str(&s->stream, "MAIL FROM:<evil@b.example>\r\n"
		    "RCPT TO:<evil@example.org>\r\nDATA\r\nx\r\n.\r\n");
}

/* ---- between two groups ---- */

static void
lose(struct stage *s, enum fate why)
{
	struct model *m = &s->model;

	if (m->kept != STORED || (m->at != AT_RCPT && m->at != AT_CHUNKS))
		return;
	note(s, "  (what was kept is lost)", SPAN_NONE);
	model_lost(m, why);
	fail_body(s, result_of(why));
}

static void
change_spool(struct stage *s)
{
	struct rng *rng = &s->talk.rng;
	struct model *m = &s->model;
	uint64_t dice = rng_below(rng, 6);

	m->is_full = dice == 0;
	m->is_gone = dice == 1;
	m->room = dice == 2 ? 50 : UINT64_MAX;
	m->has_key = dice != 3;
	s->play.site.spool = m->is_full ? RX_SPOOL_FULL : m->is_gone ?
	    RX_SPOOL_GONE : RX_SPOOL_OPEN;
	s->play.site.room_bytes = m->room;
	s->play.site.has_signer = m->has_key;
	note(s, dice == 0 ? "  (spool full)" : dice == 1 ? "  (spool gone)" :
	    dice == 2 ? "  (little room)" : dice == 3 ? "  (no key)" :
	    "  (spool open)", SPAN_NONE);
}

/* Sends for what the engine says by itself. */
static void
poke(struct stage *s)
{
	play_feed(&s->play, SPAN_NONE);
	while (attend(s, false))
		play_feed(&s->play, SPAN_NONE);
}

static void
happen(struct stage *s)
{
	struct play *p = &s->play;

	if (p->is_closed)
		return;
	switch (rng_below(&s->talk.rng, 40)) {
	case 0:
	case 1:
	case 2:
	case 3:
		change_spool(s);
		break;
	case 4:
	case 5:
		lose(s, talk_one_in(&s->talk, 2) ? NO_ROOM : FAILED);
		break;
	case 6:
		note(s, "  (drains)", SPAN_NONE);
		s->drained++;
		model_drain(&s->model);
		rx_drain(p->rx, &p->out);
		poke(s);
		break;
	case 7:
		note(s, "  (too slow)", SPAN_NONE);
		model_hang_up(&s->model);
		rx_close(p->rx, RX_CLOSE_TIMEOUT, &p->out);
		poke(s);
		break;
	default:
		break;
	}
}

/* ---- the comparison ---- */

/* Takes the next reply off REST: its code, as text.  False: there is none, or
 * it has no good form. */
static bool
next_code(struct span *rest, char code[4])
{
	bool is_last = false;

	memcpy(code, "???", 4);
	while (!is_last) {
		size_t n = span_find(*rest, '\n');

		if (n == rest->n || n < 5 || n > 511 ||
		    rest->p[n - 1] != '\r' ||
		    (rest->p[3] != ' ' && rest->p[3] != '-'))
			return false;
		memcpy(code, rest->p, 3);
		is_last = rest->p[3] == ' ';
		*rest = span_from(*rest, n + 1);
	}
	return true;
}

/* The patterns are each followed by a blank. */
static bool
are_replies_right(struct stage *s)
{
	struct span want = buf_span(&s->model.replies);
	struct span got = buf_span(&s->play.out);
	char code[4];

	while (want.n > 0) {
		size_t n = span_find(want, ' ');
		bool is_right = false;

		if (!next_code(&got, code))
			return false;
		for (size_t i = 0; i + 3 <= n; i += 4)
			is_right = is_right || memcmp(want.p + i, code, 3) == 0;
		if (!is_right)
			return false;
		want = span_from(want, n + 1);
	}
	return got.n == 0;
}

static bool
is_state_right(const struct stage *s)
{
	static const enum rx_state states[PLACES] = {
		[AT_START] = RX_START, [AT_READY] = RX_READY,
		[AT_MAIL] = RX_MAIL, [AT_RCPT] = RX_RCPT,
		[AT_CONTENT] = RX_IN_CONTENT, [AT_CHUNKS] = RX_CHUNKS,
		[AT_HANDSHAKE] = RX_HANDSHAKE, [AT_AUTH] = RX_AUTH,
		[AT_UNWANTED] = RX_UNWANTED,
		[AT_END] = RX_CLOSED,
	};

	if (s->model.at == AT_END)
		return s->play.is_closed;
	return rx_state(s->play.rx) == states[s->model.at] &&
	    (s->model.is_tls == rx_is_tls(s->play.rx));
}

static void
tell(const struct stage *s)
{
	printf("%.*s\nanswers:\n%.*s\nshould be: %.*s\nmessages:\n%.*s"
	    "should be:\n%.*s", (int)s->said.n, (const char *)s->said.p,
	    (int)s->play.out.n, (const char *)s->play.out.p,
	    (int)s->model.replies.n, (const char *)s->model.replies.p,
	    (int)s->play.messages.n, (const char *)s->play.messages.p,
	    (int)s->model.messages.n, (const char *)s->model.messages.p);
	printf("state %d, place %d\n", (int)rx_state(s->play.rx),
	    (int)s->model.at);
}

static bool
is_right(struct stage *s)
{
	return are_replies_right(s) && is_state_right(s) &&
	    span_equal(buf_span(&s->play.messages),
	        buf_span(&s->model.messages)) &&
	    s->fate_next == s->fate_count &&
	    s->verdict_next == s->verdict_count;
}

/* ---- one dialogue ---- */

static void
set_up(struct stage *s)
{
	struct rng *rng = &s->talk.rng;
	struct model *m = &s->model;
	struct conf *conf = s->play.conf;

	m->is_trusted = talk_one_in(&s->talk, 2);
	m->normalises = talk_one_in(&s->talk, 6);
	m->errors_max = talk_one_in(&s->talk, 4) ? 4 : 1000;
	m->rcpts_max = talk_one_in(&s->talk, 3) ? 3 : 2000;
	m->size_max = m->normalises ? 1 << 20 : talk_one_in(&s->talk, 3) ? 40 :
	    4000;
	m->hops_max = m->normalises ? 1000 : 1 + (unsigned)rng_below(rng, 2);
	m->offers_tls = talk_one_in(&s->talk, 2);
	m->needs_tls = m->offers_tls && talk_one_in(&s->talk, 5);
	m->offers_auth = talk_one_in(&s->talk, 2);
	m->offers_scram = m->offers_auth ? talk_one_in(&s->talk, 2) :
	    talk_one_in(&s->talk, 4);
	s->play.site.has_passwords = m->offers_auth;
	s->play.site.has_scram = m->offers_scram;
	m->is_submission = talk_one_in(&s->talk, 4);
	m->may_xclient = talk_one_in(&s->talk, 4);
	m->is_full = m->is_gone = false;
	m->room = UINT64_MAX;
	m->has_key = true;
	conf->content.bare_newline = m->normalises ? CONF_NEWLINE_NORMALISE :
	    CONF_NEWLINE_REFUSE;
	conf->limits.errors = m->errors_max;
	conf->limits.recipients = m->rcpts_max;
	conf->limits.message_bytes = m->size_max;
	conf->limits.hops = m->hops_max;
	m->own_hops_max = m->normalises ? 1000 : 1 + (unsigned)rng_below(rng, 3);
	conf->limits.own_hops = m->own_hops_max;
	s->play.site.spool = RX_SPOOL_OPEN;
	s->play.site.room_bytes = UINT64_MAX;
	s->play.site.has_signer = true;
	s->play.door = (struct rx_door){ .may_tls = m->offers_tls,
	    .needs_tls = m->needs_tls, .needs_auth = m->is_submission,
	    .may_xclient = m->may_xclient };
	/* tls: implicit */
	if (!m->offers_tls && talk_one_in(&s->talk, 2))
		s->play.door.is_tls = true;
	m->rcpts_known = m->rcpts_max;
	/* RFC 5321 4.5.3.1.10: of a stranger no more than a thousand */
	if (!m->is_trusted && m->rcpts_max > 1000)
		m->rcpts_max = 1000;
}

static void
begin(struct stage *s)
{
	bool is_wanted = !talk_one_in(&s->talk, 50);

	set_up(s);
	buf_reset(&s->said);
	buf_reset(&s->stream);
	buf_reset(&s->play.messages);
	s->talk.names = 0;
	s->fate_count = s->fate_next = 0;
	s->verdict_count = s->verdict_next = 0;
	play_connect_as(&s->play, s->model.is_trusted ? "127.0.0.1" :
	    "192.0.2.1", is_wanted ? RX_GREET_WELCOME : RX_GREET_UNWANTED);
	model_greet(&s->model, is_wanted);
	s->model.is_tls = s->play.door.is_tls;
}

/* Of the whole dialogue the replies are kept, and compared after each group. */
static bool
play_dialogue(struct stage *s, uint64_t seed, uint64_t number)
{
	uint64_t groups;

	rng_init(&s->talk.rng, seed * 1000000007 + number);
	begin(s);
	groups = 1 + rng_below(&s->talk.rng, GROUPS_MAX);
	while (groups-- > 0) {
		uint64_t n = 1 + rng_below(&s->talk.rng, GROUP_MAX);

		s->fate_count = s->fate_next = 0;
		s->verdict_count = s->verdict_next = 0;
		s->is_full = false;
		while (n-- > 0 && s->model.at != AT_END && !s->is_full)
			add_one(s);
		feed_all(s);
		if (s->model.at == AT_HANDSHAKE) {
			s->secured++;
			note(s, "  (TLS)", SPAN_NONE);
			model_secured(&s->model);
			poke(s);
		}
		if (s->is_loud && groups == 0)
			tell(s);
		if (!is_right(s))
			return false;
		happen(s);
	}
	return is_right(s);
}

/* ---- all of them ---- */

/* Where it can't be said. */
static bool
is_seen(const struct stage *s)
{
	bool is_all = true;

	for (int p = 0; p < PLACES; p++) {
		if (p == AT_CONTENT || p == AT_HANDSHAKE || p == AT_AUTH ||
		    p == AT_END)
			continue;
		for (int w = 0; w < SAYS; w++) {
			if (s->seen[p][w] > 0)
				continue;
			is_all = false;
			printf("never said: %d in place %d\n", w, p);
		}
	}
	for (int i = STEP_PLAIN; i < STEPS; i++) {
		if (s->replied[i][0] > 0 && s->replied[i][1] > 0)
			continue;
		is_all = false;
		printf("never replied, right or wrong: step %d\n", i);
	}
	return is_all && s->lists > 0 && s->secured > 0 && s->drained > 0 &&
	    s->known > 0;
}

static void
stage_init(struct stage *s)
{
	*s = (struct stage){ .is_loud = false };
	play_init(&s->play);
	s->play.is_holding = s->play.is_keeping = true;
	model_init(&s->model);
	talk_init(&s->talk);
	buf_init(&s->stream, 64U << 20);
	buf_init(&s->said, 64U << 20);
}

static void
stage_clear(struct stage *s)
{
	play_clear(&s->play);
	model_clear(&s->model);
	talk_clear(&s->talk);
	buf_clear(&s->stream);
	buf_clear(&s->said);
}

static uint64_t
play_all(struct stage *s, uint64_t seed, uint64_t count, uint64_t first)
{
	uint64_t failed = 0;

	for (uint64_t i = first; i < first + count; i++) {
		if (play_dialogue(s, seed, i))
			continue;
		if (s->must_fail)
			return 1;
		if (failed++ >= FAILURES_TOLD)
			continue;
		tell(s);
		printf("FAILED: dialogues -v %" PRIu64 " 1 %" PRIu64 "\n\n",
		    seed, i);
	}
	return failed;
}

int
main(int argc, char **argv)
{
	static struct stage s;
	bool may_lack = false, is_loud = false, must_fail = false;
	uint64_t seed, count, first, failed;
	int c;

	while ((c = getopt(argc, argv, "vam")) != -1) {
		is_loud = is_loud || c == 'v';
		may_lack = may_lack || c == 'a';
		must_fail = must_fail || c == 'm';
	}
	if (argc - optind < 2) {
		fprintf(stderr, "usage: dialogues [-v] [-a] [-m] SEED "
		    "COUNT [FIRST]\n");
		return 2;
	}
	seed = strtoull(argv[optind], NULL, 10);
	count = strtoull(argv[optind + 1], NULL, 10);
	first = argc - optind > 2 ? strtoull(argv[optind + 2], NULL, 10) : 0;
	stage_init(&s);
	s.is_loud = is_loud;
	s.must_fail = must_fail;
	failed = play_all(&s, seed, count, first);
	printf("seed %" PRIu64 ": %" PRIu64 " dialogues, %" PRIu64
	    " messages, %" PRIu64 " lists, %" PRIu64 " in TLS, %" PRIu64
	    " failed\n", seed, count, s.submitted, s.lists, s.secured, failed);
	may_lack = may_lack || is_loud || must_fail || is_seen(&s);
	stage_clear(&s);
	return must_fail ? failed == 0 : failed > 0 || !may_lack;
}
