/*
 * The dialogue itself: lines become verbs, verbs become replies.
 *
 * rx_step() takes one line or one piece of content at a time and returns after
 * each that asks something of the driver, so that nothing behind it has been
 * looked at when the driver acts.  A whole line is answered before the next
 * one is read: pipelined commands (RFC 2920) need no queue of their own, they
 * stay in the driver's input.
 *
 * What a verb may do is in rx_table.c: run() asks the table before, and checks
 * afterwards that the verb went no further than its row allows.
 *
 * A client may make limits.errors mistakes (5xx) and say RX_JUNK_MAX idle
 * commands between two messages; after that it hears 421.
 */
#include "smtpd/engine/rx.h"

#include "common/base/check.h"
#include "smtpd/engine/rx_auth_impl.h"
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_rules.h"

#include <stdio.h>

/* ---- life ---- */

enum err
rx_new(const struct rx_site *site, const struct ipaddr *client,
    const struct rx_door *door, struct rx **out)
{
	struct rx *rx = calloc(1, sizeof(*rx));

	if (rx == NULL)
		return ERR_NOMEM;
	rx->site = site;
	rx->client = *client;
	rx->peer = *client;
	rx->door = *door;
	rx->state = RX_START;
	rx->budget = (struct rx_budget){ UINT32_MAX, UINT32_MAX, 0 };
	rx->is_trusted = rx_rules_is_trusted(site, client);
	smtp_lines_init(&rx->lines, SMTP_LINES_MAX);
	buf_init(&rx->rcpts, RX_RCPTS_MAX);
	*out = rx;
	return OK;
}

void
rx_free(struct rx **rx)
{
	if (*rx == NULL)
		return;
	rx_auth_end(*rx);
	header_notes_clear(&(*rx)->content.notes);
	buf_clear(&(*rx)->rcpts);
	free((*rx)->xclient);
	free((*rx)->srs);
	free(*rx);
	*rx = NULL;
}

/* ---- what the verbs share ---- */

/* One place for a breakpoint, and for what a change of state may need. */
void
rx_enter(struct rx *rx, enum rx_state state)
{
	rx->state = state;
}

/* Safe at any time.  START, UNWANTED and CLOSED stay as they are: to end a
 * transaction neither greets a client nor opens a closed dialogue again. */
void
rx_forget(struct rx *rx)
{
	/* its text stays for rx_refusal() */
	rx->last.sender_n = rx->mail.sender.n;
	rx->mail.sender.n = 0;
	rx->mail.first_rcpt.n = 0;
	rx->mail.rcpt_count = 0;
	rx->mail.rcpt_refused = 0;
	rx->mail.said_8bit = false;
	rx->mail.is_utf8 = false;
	rx->mail.is_binary = false;
	rx->mail.requires_tls = false;
	rx->mail.hold_until = 0;
	rx->mail.hold_asked_n = 0;
	rx->mail.by = 0;
	rx->mail.priority = 0;
	rx->mail.ret = 0;
	rx->mail.envid_n = 0;
	rx->mail.is_overfull_told = false;
	/* RSET, EHLO and the like: whoever has them does not know */
	rx->is_dropped = rx->is_dropped || rx->mail.is_list ||
	    rx->mail.has_chunks;
	rx->mail.is_list = rx->mail.has_chunks = false;
	rx->mail.refusal = RX_REPLY_NONE;
	if (rx->rcpts.size > RX_RCPTS_KEEP)
		buf_clear(&rx->rcpts);
	else
		buf_reset(&rx->rcpts);
	if (rx->state != RX_START && rx->state != RX_UNWANTED &&
	    rx->state != RX_CLOSED)
		rx_enter(rx, RX_READY);
}

/* Cut to what a reply line has room for; what is dangerous in it is removed by
 * rx_reply_add(). */
void
rx_fill(struct rx *rx, struct span text)
{
	struct span s = span_sub(text, 0, RX_FILL_MAX);

	if (s.n > 0)
		memcpy(rx->fill, s.p, s.n);
	rx->fill_n = (uint8_t)s.n;
}

void
rx_fill_u64(struct rx *rx, uint64_t v)
{
	int n = snprintf(rx->fill, RX_FILL_MAX, "%llu", (unsigned long long)v);

	rx->fill_n = (uint8_t)n;
}

/* OUT is untouched on failure, so that a sender that was too long isn't half
 * there. */
enum err
rx_qualify(const struct rx *rx, const struct address *address,
    struct rx_text *out)
{
	struct span text = address->text;
	struct span host = SPAN_NONE;
	size_t n;

	if (address->domain.n == 0)
		host = span_str(rx->site->conf->hostname);
	n = text.n + (host.n > 0) + host.n;
	if (n > ADDRESS_MAX)
		return ERR_RANGE;
	memcpy(out->text, text.p, text.n);
	if (host.n > 0) {
		out->text[text.n] = '@';
		memcpy(out->text + text.n + 1, host.p, host.n);
	}
	out->n = (uint16_t)n;
	return OK;
}

/* The only place where replies are written.  The view of the last one borrows
 * OUT, which is why rx_refusal() is good until the next step only. */
static void
say(struct rx *rx, enum rx_reply_id id, struct buf *out)
{
	size_t before = out->n;

	if (id == RX_REPLY_EHLO)
		rx_hello_reply(rx, out);
	else if (id == RX_REPLY_CHALLENGE)
		rx_auth_challenge(rx, out);
	else
		rx_reply_add(id, span_str(rx->site->conf->hostname),
		    span_of(rx->fill, rx->fill_n), out);
	rx->last.code = rx_reply_code(id);
	rx->last.reply = buf_failed(out) ? SPAN_NONE
	    : span_sub(buf_span(out), before, out->n - before - 2);
	rx->fill_n = 0;
	rx->turns++;
}

/* Not by rx_answer(): a 421 must not count as the error that brings a 421. */
void
rx_hang_up(struct rx *rx, enum rx_reply_id id, struct buf *out)
{
	say(rx, id, out);
	rx->state = RX_CLOSED;
}

bool
rx_answer(struct rx *rx, enum rx_reply_id id, struct buf *out)
{
	unsigned code = rx_reply_code(id);

	if (code >= 500)
		rx->errors++;
	/* also behind a positive reply: idle commands beyond their budget
	 * count, too */
	if (rx->errors > rx->site->conf->limits.errors &&
	    rx->state != RX_CLOSED) {
		rx_forget(rx);
		rx_hang_up(rx, RX_REPLY_TOO_MANY_ERRORS, out);
		return true;
	}
	say(rx, id, out);
	rx_pace(rx);
	return code >= 400;
}

/* ---- commands ---- */

/* Idle commands are free within a budget, and errors behind it. */
static void
count_junk(struct rx *rx, const struct rx_verb *verb)
{
	if (verb->is_junk && ++rx->junk > RX_JUNK_MAX)
		rx->errors++;
}

/* The order of the checks is the order in which a client should hear of its
 * mistakes: what is malformed, then what is out of place, then what lacks an
 * argument. */
static enum rx_reply_id
run(struct rx *rx, const struct smtp_command *c)
{
	const struct rx_verb *verb = rx_table_verb(c->verb);
	enum rx_state before = rx->state;
	enum rx_reply_id reply;

	/* RFC 5321 3.1: an unwanted client hears 503 until it says QUIT */
	if (before == RX_UNWANTED && !(verb->allowed & RX_IN(UNWANTED)))
		return RX_REPLY_ONLY_QUIT;
	if (rx->door.needs_tls && !rx->door.is_tls && !verb->is_without_tls)
		return RX_REPLY_TLS_FIRST;
	/* behind a BDAT that is not understood no command can be found */
	if (c->has_control && c->verb != SMTP_VERB_UNKNOWN &&
	    c->verb != SMTP_VERB_FOREIGN && c->verb != SMTP_VERB_BDAT)
		return RX_REPLY_CONTROL;
	if (verb->argument == RX_ARG_NONE && c->argument.n > 0)
		return RX_REPLY_NO_ARGUMENT;
	if (!(verb->allowed & (1U << before)))
		return rx_table_refusal(rx, c->verb);
	if (verb->argument == RX_ARG_SOME && c->argument.n == 0)
		return verb->without_argument;
	count_junk(rx, verb);
	reply = verb->run(rx, c);
	MUST(rx->state == before ||
	    (verb->may_enter & (1U << rx->state)) != 0);
	return reply;
}

/* Refusals for which one line in the log is enough. */
static bool
is_news(struct rx *rx, enum rx_reply_id id)
{
	if (id != RX_REPLY_RCPT_TOO_MANY || rx->state == RX_CLOSED)
		return true;
	if (rx->mail.is_overfull_told)
		return false;
	rx->mail.is_overfull_told = true;
	return true;
}

/* Its fields of rx->last stay until the next line, so that a refusal at the
 * end of the content is still logged as one of DATA. */
static enum rx_act
run_line(struct rx *rx, struct span line, struct buf *body, struct buf *out)
{
	struct smtp_command c;
	enum rx_reply_id reply;
	size_t none = 0;

	smtp_command_parse(line, &c);
	rx->last.verb = c.verb;
	rx->last.argument = c.argument;
	rx->has_read_secret |= c.verb == SMTP_VERB_AUTH;
	rx->last.sender_n = rx->mail.sender.n;
	reply = run(rx, &c);
	if (rx->state == RX_ASKING) {
		rx->last.argument = SPAN_NONE;
		return RX_ASK;
	}
	if (reply == RX_REPLY_NONE) {
		/* the line is gone when its chunk has come */
		rx->last.argument = SPAN_NONE;
		return rx->chunk.back == RX_RCPT &&
		    rx->chunk.refusal == RX_REPLY_NONE ? RX_CONTENT :
		    rx_chunk_step(rx, SPAN_NONE, &none, body, out);
	}
	if (rx_answer(rx, reply, out) && is_news(rx, reply))
		return RX_REFUSED;
	if (rx->state == RX_IN_CONTENT)
		return RX_CONTENT;
	if (rx->state == RX_HANDSHAKE)
		return RX_STARTTLS;
	return rx->state == RX_CLOSED ? RX_CLOSE : RX_READ;
}

/* A line that was not executed, because it had no proper end.  It is answered
 * like any other, or pipelined replies would be off by one. */
static enum rx_act
refuse_line(struct rx *rx, enum rx_reply_id reply, struct buf *out)
{
	rx->last.verb = SMTP_VERB_UNKNOWN;
	rx->last.argument = SPAN_NONE;
	rx->last.sender_n = rx->mail.sender.n;
	rx_auth_end(rx);
	rx_answer(rx, rx->state == RX_UNWANTED ? RX_REPLY_ONLY_QUIT : reply,
	    out);
	return RX_REFUSED;
}

/* *TAKEN grows without a line, too: what is skipped of a line that is too long
 * need not be kept by the driver. */
static enum rx_act
command_step(struct rx *rx, struct span in, size_t *taken, struct buf *body,
    struct buf *out)
{
	struct span line = SPAN_NONE;
	size_t used = 0;

	switch (smtp_lines_next(&rx->lines, in, &used, &line)) {
	case SMTP_LINES_LINE:
		*taken += used;
		rx->has_more = used < in.n;
		if (rx->state == RX_AUTH)
			return rx_auth_line(rx, line, out);
		return run_line(rx, line, body, out);
	case SMTP_LINES_BARE:
		*taken += used;
		return refuse_line(rx, RX_REPLY_BARE_NEWLINE, out);
	case SMTP_LINES_LONG:
		*taken += used;
		return refuse_line(rx, RX_REPLY_LONG_LINE, out);
	case SMTP_LINES_NONE:
		break;
	}
	*taken += used;
	if (rx->lines.excess <= SMTP_LINES_EXCESS_MAX)
		return RX_READ;
	rx_forget(rx);
	/* RX_REFUSED first, so that it is logged; the next step says
	 * RX_CLOSE */
	rx_hang_up(rx, RX_REPLY_ENDLESS_LINE, out);
	return RX_REFUSED;
}

/* ---- the dialogue ---- */

static const enum rx_reply_id greetings[] = {
	[RX_GREET_WELCOME] = RX_REPLY_GREETING,
	[RX_GREET_UNWANTED] = RX_REPLY_UNWANTED,
	[RX_GREET_EARLY] = RX_REPLY_EARLY,
	[RX_GREET_BUSY] = RX_REPLY_BUSY,
	[RX_GREET_CROWD] = RX_REPLY_CROWD,
	[RX_GREET_STOPPING] = RX_REPLY_STOPPING,
};

void
rx_greet(struct rx *rx, enum rx_greeting how, struct buf *out)
{
	say(rx, greetings[how], out);
	if (how == RX_GREET_UNWANTED)
		rx_enter(rx, RX_UNWANTED);
	else if (how != RX_GREET_WELCOME)
		rx_enter(rx, RX_CLOSED);
}

/* One line, or one piece of content. */
static enum rx_act
one_step(struct rx *rx, struct span in, size_t *taken, struct buf *body,
    struct buf *out)
{
	if (rx->is_dropped) {
		rx->is_dropped = false;
		return RX_DROP;
	}
	if (rx->is_changed) {
		rx->is_changed = false;
		return RX_CLIENT;
	}
	if (rx->call.is_due) {
		rx->call.is_due = false;
		return RX_CALL;
	}
	if (rx_is_list_due(rx))
		return RX_LIST;
	switch (rx->state) {
	case RX_IN_CONTENT:
		return rx_body_step(rx, in, taken, body, out);
	case RX_IN_CHUNK:
		return rx_chunk_step(rx, in, taken, body, out);
	case RX_SUBMITTING:
	case RX_HANDSHAKE:
	case RX_ASKING:
		return RX_WAIT;
	case RX_CLOSED:
		return RX_CLOSE;
	default:
		return rx_is_held(rx) ? RX_WAIT
		    : command_step(rx, in, taken, body, out);
	}
}

enum rx_act
rx_step(struct rx *rx, struct span in, size_t *taken, struct buf *body,
    struct buf *out)
{
	enum rx_act act;
	size_t used;
	uint64_t turns;

	do {
		used = 0;
		turns = rx->turns;
		if (rx->is_draining)
			rx_drain(rx, out);
		act = one_step(rx, in, &used, body, out);
		*taken += used;
		in = span_from(in, used);
		if (buf_failed(out))
			/* a client that misses one reply would take the next
			 * one for it */
			rx->state = RX_CLOSED;
		/* no reply: the line is half, and more input is needed; but for
		 * that of BDAT, whose chunk comes before the reply */
	} while (act == RX_READ && (rx->turns != turns ||
	    (rx->state == RX_IN_CHUNK && used > 0 && in.n > 0)));
	return act;
}

/* Only here is a 250 said for a message (I-01).  The counters start anew,
 * since a client that brings mail is worth its mistakes. */
void
rx_submitted(struct rx *rx, enum rx_result result, struct span id,
    struct buf *out)
{
	static const enum rx_reply_id replies[] = {
		[RX_ACCEPTED] = RX_REPLY_ACCEPTED,
		[RX_NO_ROOM] = RX_REPLY_NO_ROOM,
		[RX_FAILED] = RX_REPLY_CONTENT_FAILED,
		[RX_OVER_QUOTA] = RX_REPLY_OVER_QUOTA,
		[RX_BEYOND_QUOTA] = RX_REPLY_BEYOND_QUOTA,
	};

	if (rx->state != RX_SUBMITTING)	/* closed meanwhile */
		return;
	/* it is over for the driver, too */
	rx->mail.is_list = rx->mail.has_chunks = false;
	rx_forget(rx);
	rx_fill(rx, id);
	say(rx, replies[result], out);
	if (result == RX_ACCEPTED) {
		rx->errors = rx->errors_paced = 0;
		rx->junk = 0;
	}
	if (rx->is_draining)
		rx_close(rx, RX_CLOSE_STOPPING, out);
}

/* May come after the content has ended or was refused for another reason; then
 * there is nothing left to do. */
void
rx_body_failed(struct rx *rx, enum rx_result result)
{
	enum rx_reply_id why = result == RX_NO_ROOM ? RX_REPLY_NO_ROOM
	    : RX_REPLY_CONTENT_FAILED;

	if (rx->state == RX_IN_CONTENT || rx->mail.has_chunks) {
		rx_body_refuse(rx, why);
	} else if (rx->state == RX_RCPT) {
		rx->mail.refusal = why;
		buf_reset(&rx->rcpts);
	}
}

/* ---- very many recipients ---- */

struct span
rx_recipients(const struct rx *rx)
{
	return buf_span(&rx->rcpts);
}

bool
rx_is_list_due(const struct rx *rx)
{
	return rx->rcpts.n >= RX_RCPTS_PIECE && rx->state == RX_RCPT;
}

void
rx_recipients_taken(struct rx *rx)
{
	rx->mail.is_list = true;
	buf_reset(&rx->rcpts);
}

void
rx_close(struct rx *rx, enum rx_closing why, struct buf *out)
{
	static const enum rx_reply_id replies[] = {
		[RX_CLOSE_TIMEOUT] = RX_REPLY_TIMEOUT,
		[RX_CLOSE_STOPPING] = RX_REPLY_STOPPING,
		[RX_CLOSE_CROWDED] = RX_REPLY_CROWDED,
	};

	if (rx->state == RX_CLOSED)
		return;
	rx_forget(rx);
	rx_hang_up(rx, replies[why], out);
}

/* Called again before each step while draining, for a message that has ended
 * leaves a client that could begin another. */
void
rx_drain(struct rx *rx, struct buf *out)
{
	rx->is_draining = true;
	/* a chunk gets its own answer first, also one that is refused */
	if (!rx_has_content(rx) && rx->state != RX_IN_CHUNK)
		rx_close(rx, RX_CLOSE_STOPPING, out);
}
