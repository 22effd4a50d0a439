#include "tests/model/model.h"

#include "common/base/text.h"

#include <string.h>

#define IDLE_MAX	100	/* commands without mail between two messages */
#define SMALL_CHUNK	512	/* smaller ones are idle commands, too */

void
model_init(struct model *m)
{
	*m = (struct model){ .host = "mx.example", .errors_max = 20,
	    .rcpts_max = 1000, .hops_max = 100, .own_hops_max = 25, .size_max = 1 << 20,
	    .room = UINT64_MAX, .has_key = true };
	buf_init(&m->sender, 1 << 10);
	buf_init(&m->list, 16U << 20);
	buf_init(&m->content, 16U << 20);
	buf_init(&m->replies, 16U << 20);
	buf_init(&m->messages, 64U << 20);
}

void
model_clear(struct model *m)
{
	buf_clear(&m->sender);
	buf_clear(&m->list);
	buf_clear(&m->content);
	buf_clear(&m->replies);
	buf_clear(&m->messages);
}

/* ---- replies ---- */

static void
say(struct model *m, const char *pattern)
{
	buf_add_str(&m->replies, pattern);
	buf_add_byte(&m->replies, ' ');
}

static void
forget(struct model *m)
{
	buf_reset(&m->sender);
	buf_reset(&m->list);
	buf_reset(&m->content);
	m->rcpts = 0;
	m->was_refused = m->is_utf8 = m->is_binary = false;
	m->kept = STORED;
	m->hold_s = 0;
	m->asked = m->by = NULL;
	if (m->at == AT_MAIL || m->at == AT_RCPT || m->at == AT_CONTENT ||
	    m->at == AT_CHUNKS)
		m->at = AT_READY;
}

static void
end_with(struct model *m, const char *pattern)
{
	forget(m);
	say(m, pattern);
	m->at = AT_END;
}

/* limits.errors: of refusals for good; and of idle commands too many. */
static bool
reply(struct model *m, const char *pattern)
{
	if (pattern[0] == '5')
		m->errors++;
	if (m->errors > m->errors_max) {
		end_with(m, "421");
		return false;
	}
	say(m, pattern);
	return true;
}

/* A server that is going down waits for a message that is on its way, and for
 * nothing else. */
static void
look_at_drain(struct model *m)
{
	if (m->is_draining && m->at != AT_END && m->at != AT_CONTENT &&
	    m->at != AT_CHUNKS && m->at != AT_HANDSHAKE && m->whole == 0 &&
	    !m->asks)
		end_with(m, "421");
}

static void
count_idle(struct model *m)
{
	if (++m->idle > IDLE_MAX)
		m->errors++;
}

/* ---- messages ---- */

/* Where a CR or LF stands alone.  A CR at the end may still get its LF. */
static bool
has_bare(struct span s, bool is_whole)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			return true;
		if (s.p[i] == '\r' && (i + 1 < s.n ? s.p[i + 1] != '\n' :
		    is_whole))
			return true;
	}
	return false;
}

/* Whether the first `by' of a Received field names this host. */
static bool
is_ours(struct span line)
{
	while (line.n > 4 && !span_starts_nocase(line, SPAN_LIT(" by ")))
		line = span_from(line, 1);
	line = span_from(line, 4);
	return span_starts_nocase(line, SPAN_LIT("mx.example;")) ||
	    span_starts_nocase(line, SPAN_LIT("mx.example\r"));
}

/* RFC 5321 6.3: Received fields, up to the first empty line. */
static unsigned
count_hops(struct span s, bool is_own)
{
	unsigned hops = 0;

	while (s.n > 0 && !span_starts_nocase(s, SPAN_LIT("\r\n"))) {
		size_t n = span_find(s, '\n');

		hops += span_starts_nocase(s, SPAN_LIT("Received:")) &&
		    (!is_own || is_ours(span_sub(s, 0, n)));
		s = span_from(s, n + 1);
	}
	return hops;
}

/* What is wrong with the content so far; any reason is right, but what was
 * lost before is told first. */
static const char *
judge(const struct model *m, bool is_whole)
{
	struct span s = buf_span(&m->content);
	bool is_bare = !m->normalises && !m->is_binary && has_bare(s, is_whole);
	/* a CR or LF alone at the very end may be given a line's end */
	bool is_open = is_whole && !m->is_binary && s.n > 0 &&
	    (s.p[s.n - 1] == '\r' || (s.p[s.n - 1] == '\n' &&
	    (s.n == 1 || s.p[s.n - 2] != '\r')));
	bool is_large = s.n + (is_open ? 2 : 0) > m->size_max;
	bool is_loop = count_hops(s, false) > m->hops_max ||
	    count_hops(s, true) >= m->own_hops_max;

	if (m->kept != STORED)
		return m->kept == NO_ROOM ? "452" : "451";
	if (is_bare)
		return is_large || is_loop ? "550|552|554" : "550";
	if (is_large)
		return is_loop ? "552|554" : "552";
	return is_loop ? "554" : NULL;
}

/* With content.bare_newline: normalise. */
static void
normalise(struct model *m, struct buf *out)
{
	struct span s = buf_span(&m->content);

	for (size_t i = 0; i < s.n; i++) {
		bool is_pair = i + 1 < s.n && s.p[i] == '\r' &&
		    s.p[i + 1] == '\n';

		if (s.p[i] == '\r' || s.p[i] == '\n')
			buf_add_str(out, "\r\n");
		else
			buf_add_byte(out, s.p[i]);
		i += is_pair;
	}
}

static void
submit(struct model *m)
{
	struct buf body;

	buf_init(&body, 16U << 20);
	if (m->normalises && !m->is_binary)
		normalise(m, &body);
	else
		buf_add_span(&body, buf_span(&m->content));
	buf_add_str(&m->messages, "from=<");
	buf_add_span(&m->messages, buf_span(&m->sender));
	buf_add_str(&m->messages, "> to=");
	buf_add_span(&m->messages, buf_span(&m->list));
	if (m->hold_s > 0) {
		buf_add_str(&m->messages, " hold=");
		buf_add_u64(&m->messages, m->hold_s * 1000);
		buf_add_str(&m->messages, " asked=");
		buf_add_str(&m->messages, m->asked);
	}
	if (m->by != NULL) {
		buf_add_str(&m->messages, " by=");
		buf_add_str(&m->messages, m->by);
	}
	buf_add_str(&m->messages, " body=");
	text_escape_to(&m->messages, buf_span(&body), NULL, 1U << 20);
	buf_add_str(&m->messages, "\r\n");
	buf_clear(&body);
	m->whole++;
}

/* Nothing is done before the spool has answered, so it is asked at once. */
void
model_stored(struct model *m, enum fate fate)
{
	m->whole--;
	forget(m);
	if (fate == STORED)
		m->errors = m->idle = 0;
	say(m, fate == STORED ? "250" : fate == NO_ROOM ? "452" : "451");
	look_at_drain(m);
}

bool
model_likes(struct model *m, const struct content *c)
{
	if (c->is_endless)
		return false;
	buf_reset(&m->content);
	buf_add_span(&m->content, c->text);
	return judge(m, true) == NULL;
}

void
model_content(struct model *m, const struct content *c)
{
	const char *refusal;

	if (c->is_endless) {
		end_with(m, "421");
		return;
	}
	buf_reset(&m->content);
	buf_add_span(&m->content, c->text);
	refusal = judge(m, true);
	if (refusal == NULL) {
		submit(m);
		return;
	}
	forget(m);
	(void)reply(m, refusal);
	look_at_drain(m);
}

/* ---- the verbs ---- */

static void
hello(struct model *m, const struct said *s)
{
	if (s->flaw == NO_ARGUMENT) {
		(void)reply(m, "501");
		return;
	}
	count_idle(m);
	if (s->flaw == BAD_NAME) {
		(void)reply(m, "501");
		return;
	}
	m->is_esmtp = s->what == SAY_EHLO;
	forget(m);
	m->at = AT_READY;
	(void)reply(m, "250");
}

/* Which reply a path and its parameters deserve by themselves; NULL: none. */
static const char *
flaw_of(const struct model *m, const struct said *s)
{
	bool is_mail = s->what == SAY_MAIL;

	if (s->flaw == NO_ARGUMENT || (s->flaw == MALFORMED &&
	    !s->has_parameters))
		return "501";
	if (s->has_parameters && !m->is_esmtp)
		return "555|501";
	switch (s->flaw) {
	case MALFORMED:
		return "501";
	case UNKNOWN_PARAMETER:
		return "555";
	case IN_CLEAR:
		return m->is_tls ? NULL : "555";
	/* RFC 4865 4.2 2): where mail is submitted, by who may */
	case OF_USERS:
		return m->is_submission && m->is_trusted ? NULL : "555";
	case BAD_OF_USERS:
		return m->is_submission && m->is_trusted ? "501" : "555";
	case NOT_YOURS:
		return m->is_trusted ? NULL : "555";
	case NOT_ASCII:
		if (is_mail)
			return s->is_utf8 ? NULL : "550";
		return m->is_utf8 ? NULL : "553";
	case DECLARED_LARGE:
		return "552";
	case NO_DOMAIN:
		return m->is_trusted ? NULL : is_mail ? "501" : "550";
	case RELAY:
		return m->is_trusted ? NULL : "550";
	default:
		return is_mail && s->declared > m->size_max ? "552" : NULL;
	}
}

static void
mail(struct model *m, const struct said *s)
{
	const char *flaw = flaw_of(m, s);

	if (m->at != AT_READY)
		(void)reply(m, flaw != NULL && flaw[0] == '5' ?
		    "503|501|555|550|552" : "503");
	else if (m->is_submission && !m->is_known)
		/* RFC 6409 4.3 */
		(void)reply(m, flaw != NULL ? "530|501|555|550|552" : "530");
	else if (flaw != NULL)
		(void)reply(m, flaw);
	else if (m->is_gone)
		(void)reply(m, "451");
	else if (m->is_full || s->declared > m->room)
		(void)reply(m, "452");
	else if (reply(m, "250")) {
		m->at = AT_MAIL;
		m->is_utf8 = s->is_utf8;
		m->is_binary = s->is_binary;
		m->hold_s = s->hold_s;
		m->asked = s->asked;
		m->by = s->by;
		buf_reset(&m->sender);
		buf_add_span(&m->sender, s->address);
	}
}

static void
rcpt(struct model *m, const struct said *s)
{
	const char *flaw = flaw_of(m, s);

	if (m->at != AT_MAIL && m->at != AT_RCPT) {
		(void)reply(m, flaw != NULL ? "503|501|555|550|553" : "503");
		return;
	}
	if (flaw == NULL && m->kept != STORED)
		flaw = m->kept == NO_ROOM ? "452" : "451";
	if (flaw == NULL && m->rcpts >= m->rcpts_max)
		flaw = "452";
	if (flaw != NULL) {
		m->was_refused = true;
		(void)reply(m, flaw);
		return;
	}
	buf_add_str(&m->list, m->rcpts > 0 ? ",<" : "<");
	buf_add_span(&m->list, s->address);
	buf_add_byte(&m->list, '>');
	m->rcpts++;
	m->at = AT_RCPT;
	(void)reply(m, "250");
}

/* RFC 2920 3.2: either is right when recipients were tried in vain. */
static const char *
nobody(const struct model *m)
{
	return m->at == AT_MAIL && m->was_refused ? "503|554" : "503";
}

static void
data(struct model *m, const struct said *s)
{
	if (s->flaw == AN_ARGUMENT)
		(void)reply(m, "501");
	else if (m->at != AT_RCPT)
		(void)reply(m, nobody(m));
	else if (m->is_binary)
		/* RFC 3030 3: it has no lines, and comes in chunks alone */
		(void)reply(m, "503");
	else if (m->kept != STORED)
		(void)reply(m, m->kept == NO_ROOM ? "452" : "451");
	else if (reply(m, "354"))
		m->at = AT_CONTENT;
}

/* RFC 3030 2: "the receiver-SMTP ... MUST accept and discard the octets" of a
 * chunk that is out of place; one that fails takes the transaction with it. */
static void
bdat(struct model *m, const struct said *s)
{
	const char *refusal;

	if (s->flaw != FINE) {
		/* nobody knows where the next command begins */
		end_with(m, "501");
		return;
	}
	if (s->is_endless) {
		end_with(m, "421");
		return;
	}
	if (!s->is_last && s->chunk.n < SMALL_CHUNK)
		count_idle(m);
	if (m->needs_tls && !m->is_tls) {
		(void)reply(m, "530");
		return;
	}
	if (m->at != AT_RCPT && m->at != AT_CHUNKS) {
		(void)reply(m, nobody(m));
		return;
	}
	if (m->at == AT_RCPT && m->kept != STORED) {
		(void)reply(m, m->kept == NO_ROOM ? "452" : "451");
		return;
	}
	if (m->at == AT_RCPT)
		buf_reset(&m->content);
	m->at = AT_CHUNKS;
	buf_add_span(&m->content, s->chunk);
	/* the last line is given its end, if there are lines */
	if (s->is_last && !m->is_binary && m->content.n > 0 &&
	    m->content.p[m->content.n - 1] != '\n' &&
	    m->content.p[m->content.n - 1] != '\r')
		buf_add_str(&m->content, "\r\n");
	refusal = judge(m, s->is_last);
	if (refusal != NULL) {
		forget(m);
		(void)reply(m, refusal);
	} else if (s->is_last) {
		submit(m);
	} else {
		(void)reply(m, "250");
	}
}

static void
idle(struct model *m, const struct said *s)
{
	if ((s->what == SAY_RSET && s->flaw == AN_ARGUMENT) ||
	    (s->what == SAY_VRFY && s->flaw == NO_ARGUMENT)) {
		(void)reply(m, "501");
		return;
	}
	count_idle(m);
	if (s->what == SAY_RSET)
		forget(m);
	(void)reply(m, s->what == SAY_HELP ? "214" : s->what == SAY_VRFY ?
	    "252" : "250");
}

static void
starttls(struct model *m, const struct said *s)
{
	if (s->flaw == AN_ARGUMENT)
		(void)reply(m, "501");
	else if (m->is_tls)
		(void)reply(m, "503");
	else if (!m->offers_tls)
		(void)reply(m, "502");
	else if (m->at != AT_READY)
		(void)reply(m, "503");
	else if (s->is_followed)
		/* RFC 3207 6: never executed.  What came in a segment of its
		 * own is seen by nobody but the handshake, and ends it. */
		end_with(m, "554|220");
	else if (!m->has_key)
		(void)reply(m, "454");
	else {
		forget(m);
		if (reply(m, "220"))
			m->at = AT_HANDSHAKE;
	}
}

/* RFC 5321 4.5.3.1.10: of a stranger no more than a thousand. */
static void
trust(struct model *m, bool is_trusted)
{
	m->is_trusted = is_trusted;
	m->rcpts_max = is_trusted || m->rcpts_known < 1000 ? m->rcpts_known :
	    1000;
}

/* RFC 3207 4.2: all that was said before is forgotten. */
void
model_secured(struct model *m)
{
	m->at = AT_START;
	m->is_tls = true;
	m->is_esmtp = false;
	m->is_client_trusted = m->is_peer_trusted;
	trust(m, m->is_client_trusted);
	look_at_drain(m);
}

static bool
is_offered(const struct model *m, enum step step)
{
	return step == STEP_SCRAM_FIRST ? m->offers_scram : m->offers_auth;
}

/* RFC 4954 4: inside TLS, outside of a transaction, once. */
static void
auth(struct model *m, const struct said *s)
{
	if (!(m->offers_auth || m->offers_scram) || !m->is_tls)
		(void)reply(m, s->flaw == NO_ARGUMENT ?
		    "501|502|503|530|538" : "502|503|530|538");
	else if (m->is_known || m->at != AT_READY || !m->is_esmtp)
		(void)reply(m, s->flaw == NO_ARGUMENT ? "501|503" : "503");
	else if (s->flaw == NO_ARGUMENT)
		(void)reply(m, "501");
	else if (s->flaw == UNKNOWN_PARAMETER || !is_offered(m, s->step))
		(void)reply(m, s->flaw == MALFORMED ? "501|504" : "504");
	else if (s->flaw == MALFORMED)
		(void)reply(m, "501");
	else {
		m->step = s->step;
		m->at = AT_AUTH;
		if (s->has_initial)
			model_reply(m, FINE);
		else
			(void)reply(m, "334");
	}
}

/* Who is known is trusted as a client of relay.networks is. */
static void
know(struct model *m)
{
	m->at = AT_READY;
	m->is_known = true;
	trust(m, true);
	(void)reply(m, "235");
}

/* RFC 4954 4: "*" cancels, what is no base64 or makes no sense ends it, all with
 * 501.  LOGIN has two words; of SCRAM (RFC 5802 5) each is asked about. */
void
model_reply(struct model *m, enum flaw flaw)
{
	if (flaw != FINE) {
		m->at = AT_READY;
		(void)reply(m, "501");
	} else if (m->step == STEP_USER) {
		m->step = STEP_PASSWORD;
		(void)reply(m, "334");
	} else if (m->step == STEP_LAST) {
		know(m);
	} else {
		m->at = AT_READY;
		m->asks = true;
	}
	look_at_drain(m);
}

void
model_answered(struct model *m, enum verdict verdict)
{
	m->asks = false;
	if (verdict == YES && (m->step == STEP_SCRAM_FIRST ||
	    m->step == STEP_SCRAM_FINAL)) {
		m->step = m->step == STEP_SCRAM_FIRST ? STEP_SCRAM_FINAL :
		    STEP_LAST;
		m->at = AT_AUTH;
		(void)reply(m, "334");
	} else if (verdict == YES) {
		know(m);
	} else {
		(void)reply(m, verdict == NO ? "535" : "454");
	}
	look_at_drain(m);
}

/* XCLIENT_README: the session begins anew with the greeting, for another client;
 * who is none of listeners[].xclient hears 550, in a transaction it is 503. */
static void
xclient(struct model *m, const struct said *s)
{
	if (m->at != AT_START && m->at != AT_READY)
		(void)reply(m, m->may_xclient && s->flaw == FINE ? "503" :
		    "503|501|550");
	else if (!m->may_xclient)
		(void)reply(m, s->flaw == FINE ? "550" : "550|501");
	else if (s->flaw != FINE)
		(void)reply(m, "501");
	else {
		forget(m);
		m->at = AT_START;
		m->is_known = false;
		if (s->has_address)
			m->is_client_trusted = s->is_of_trusted;
		trust(m, m->is_client_trusted);
		(void)reply(m, "220");
	}
}

/* RFC 3207 4: all that a server which requires TLS answers without it. */
static bool
is_free(const struct said *s)
{
	switch (s->what) {
	case SAY_EHLO:
	case SAY_HELO:
	case SAY_NOOP:
	case SAY_QUIT:
	case SAY_STARTTLS:
	case SAY_NONSENSE:
	case SAY_HTTP:
	case SAY_UNENDED:
	case SAY_TOO_LONG:
	case SAY_BDAT:		/* says so behind its chunk */
		return true;
	default:
		return false;
	}
}

static void
act(struct model *m, const struct said *s)
{
	if (m->at == AT_UNWANTED && s->what != SAY_BDAT &&
	    (s->what != SAY_QUIT || s->flaw == CONTROL)) {
		(void)reply(m, s->what == SAY_QUIT ? "501|503" : "503");
		return;
	}
	if (m->needs_tls && !m->is_tls && !is_free(s)) {
		(void)reply(m, "530");
		return;
	}
	if (s->flaw == CONTROL && s->what != SAY_BDAT) {
		(void)reply(m, "501");
		return;
	}
	switch (s->what) {
	case SAY_EHLO:
	case SAY_HELO:
		hello(m, s);
		break;
	case SAY_MAIL:
		mail(m, s);
		break;
	case SAY_RCPT:
		rcpt(m, s);
		break;
	case SAY_DATA:
		data(m, s);
		break;
	case SAY_BDAT:
		bdat(m, s);
		break;
	case SAY_RSET:
	case SAY_NOOP:
	case SAY_VRFY:
	case SAY_HELP:
		idle(m, s);
		break;
	case SAY_QUIT:
		if (s->flaw == AN_ARGUMENT)
			(void)reply(m, "501");
		else
			end_with(m, "221");
		break;
	case SAY_STARTTLS:
		starttls(m, s);
		break;
	case SAY_HTTP:
		end_with(m, "521|554");
		break;
	case SAY_AUTH:
		auth(m, s);
		break;
	case SAY_XCLIENT:
		xclient(m, s);
		break;
	case SAY_ABSENT:
		(void)reply(m, "502");
		break;
	default:
		(void)reply(m, "500");
		break;
	}
}

void
model_say(struct model *m, const struct said *s)
{
	if (m->at == AT_END)
		return;
	act(m, s);
	look_at_drain(m);
}

/* ---- what no client does ---- */

void
model_greet(struct model *m, bool is_wanted)
{
	m->at = AT_READY;
	forget(m);
	m->at = is_wanted ? AT_START : AT_UNWANTED;
	m->is_esmtp = m->is_tls = m->is_draining = m->is_known = false;
	m->is_peer_trusted = m->is_client_trusted = m->is_trusted;
	m->asks = false;
	m->errors = m->idle = m->whole = 0;
	buf_reset(&m->replies);
	buf_reset(&m->messages);
	say(m, is_wanted ? "220" : "554");
}

void
model_drain(struct model *m)
{
	m->is_draining = true;
	look_at_drain(m);
}

void
model_hang_up(struct model *m)
{
	if (m->at != AT_END)
		end_with(m, "421");
}

/* Nothing of it can be kept; that is told when there is something to answer,
 * and more of it is not taken. */
void
model_lost(struct model *m, enum fate why)
{
	if (m->kept == STORED && (m->at == AT_RCPT || m->at == AT_CONTENT ||
	    m->at == AT_CHUNKS))
		m->kept = why;
}
