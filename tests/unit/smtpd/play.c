#include "tests/unit/smtpd/play.h"

#include "common/base/check.h"
#include "common/base/text.h"

#include <stdio.h>

static const char *domains[] = { "example.org", ".sub.example" };

void
play_init(struct play *p)
{
	*p = (struct play){ .result = RX_ACCEPTED };
	MUST(conf_new(&p->conf) == OK);
	p->conf->hostname = "mx.example";
	p->conf->relay.domains.v = domains;
	p->conf->relay.domains.n = COUNT_OF(domains);
	p->site.conf = p->conf;
	p->site.has_signer = true;
	p->site.spool = RX_SPOOL_OPEN;
	p->site.room_bytes = UINT64_MAX;
	p->site.wall_ms = PLAY_WALL_MS;
	play_rematch(p);
	buf_init(&p->in, 64U << 20);
	buf_init(&p->out, 64U << 20);
	buf_init(&p->body, 256U << 20);
	buf_init(&p->list, 64U << 20);
	buf_init(&p->messages, 256U << 20);
}

void
play_rematch(struct play *p)
{
	conf_match_free(&p->match);
	MUST(conf_match_new(p->conf, &p->match) == OK);
	p->site.match = p->match;
}

void
play_clear(struct play *p)
{
	rx_free(&p->rx);
	conf_match_free(&p->match);
	conf_free(&p->conf);
	buf_clear(&p->in);
	buf_clear(&p->out);
	buf_clear(&p->body);
	buf_clear(&p->list);
	buf_clear(&p->messages);
}

void
play_connect_as(struct play *p, const char *client, enum rx_greeting how)
{
	struct ipaddr addr;

	MUST(ipaddr_parse(span_str(client), &addr) == OK);
	rx_free(&p->rx);
	buf_reset(&p->in);
	buf_reset(&p->out);
	buf_reset(&p->list);
	buf_reset(&p->body);
	p->is_closed = false;
	p->is_shaking = false;
	MUST(rx_new(&p->site, &addr, &p->door, &p->rx) == OK);
	rx_greet(p->rx, how, &p->out);
}

void
play_connect(struct play *p, const char *client)
{
	play_connect_as(p, client, RX_GREET_WELCOME);
}

static void
note_message(struct play *p)
{
	struct rx_message m;
	struct buf bytes;
	struct envelope e;
	struct envelope_iter it;
	struct envelope_rcpt r;
	bool is_first = true;

	p->submits++;
	rx_message(p->rx, &m);
	buf_init(&bytes, 64U << 20);
	envelope_put_head(&m.head, &bytes);
	buf_add_span(&bytes, buf_span(&p->list));
	buf_add_span(&bytes, m.rcpts);
	MUST(envelope_check(buf_span(&bytes), &e) == OK);
	MUST(e.rcpt_count == m.rcpt_count && m.rcpt_count > 0);
	MUST(m.body_bytes == p->body.n);
	buf_add_str(&p->messages, "from=<");
	buf_add_span(&p->messages, e.sender);
	buf_add_str(&p->messages, "> to=");
	envelope_iter_init(&e, &it);
	while (envelope_iter_next(&it, &r)) {
		buf_add_str(&p->messages, is_first ? "<" : ",<");
		buf_add_span(&p->messages, r.address);
		buf_add_byte(&p->messages, '>');
		is_first = false;
	}
	if (m.hold_until != 0)
		buf_addf(&p->messages, " hold=%lld",
		    (long long)(m.hold_until - PLAY_WALL_MS));
	if (e.hold_asked.n > 0) {
		buf_add_str(&p->messages, " asked=");
		buf_add_span(&p->messages, e.hold_asked);
	}
	if (m.head.by != 0)
		buf_addf(&p->messages, " by=%lld/%u",
		    (long long)(m.by_at - PLAY_WALL_MS), m.head.by);
	buf_add_str(&p->messages, " body=");
	text_escape_to(&p->messages, buf_span(&p->body), NULL, 1U << 20);
	buf_add_str(&p->messages, "\r\n");
	buf_clear(&bytes);
}

void
play_submitted(struct play *p, enum rx_result result)
{
	buf_reset(&p->list);
	buf_reset(&p->body);
	rx_submitted(p->rx, result,
	    result == RX_ACCEPTED ? SPAN_LIT(PLAY_ID) : SPAN_NONE, &p->out);
}

/* False: no more steps now. */
static bool
act_on(struct play *p, enum rx_act act)
{
	switch (act) {
	case RX_READ:
	case RX_WAIT:
		return false;
	case RX_CLOSE:
		p->is_closed = true;
		buf_reset(&p->in);
		return false;
	case RX_ASK:
		p->asks++;
		return false;
	case RX_STARTTLS:
		p->is_shaking = true;
		return false;
	case RX_CALL:
		p->calls++;
		return true;
	case RX_CONTENT:
		MUST(p->body.n == 0);
		return true;
	case RX_LIST:
		p->lists++;
		if (p->is_keeping)
			return false;
		buf_add_span(&p->list, rx_recipients(p->rx));
		rx_recipients_taken(p->rx);
		return true;
	case RX_CLIENT:
		p->clients++;
		return true;
	case RX_DROP:
		p->drops++;
		buf_reset(&p->list);
		buf_reset(&p->body);
		return true;
	case RX_REFUSED:
		p->refusals++;
		return true;
	case RX_SUBMIT:
		note_message(p);
		if (!p->is_holding)
			play_submitted(p, p->result);
		return !p->is_holding;
	}
	return false;
}

void
play_feed(struct play *p, struct span bytes)
{
	enum rx_act act;
	size_t taken;
	bool is_resumed;

	if (p->is_closed)
		return;
	buf_add_span(&p->in, bytes);
	do {
		is_resumed = false;
		taken = 0;
		act = rx_step(p->rx, buf_span(&p->in), &taken, &p->body,
		    &p->out);
		MUST(taken <= p->in.n);
		buf_drop(&p->in, taken);
		if (act == RX_WAIT && rx_pause_ms(p->rx) > 0) {
			p->pauses++;
			p->paused_ms += rx_pause_ms(p->rx);
			if (p->is_pausing)
				return;
			rx_resume(p->rx);
			is_resumed = true;
		}
	} while (is_resumed || act_on(p, act));
}

void
play_say(struct play *p, const char *text)
{
	play_feed(p, span_str(text));
}

static bool
is_reply_line(struct span line, bool *is_last)
{
	if (line.n < 4 || line.n + 2 > 512)
		return false;
	if (line.p[0] < '2' || line.p[0] > '5' || !text_is_digit(line.p[1]) ||
	    !text_is_digit(line.p[2]))
		return false;
	for (size_t i = 0; i < line.n; i++)
		if (!text_is_print(line.p[i]))
			return false;
	*is_last = line.p[3] == ' ';
	return *is_last || line.p[3] == '-';
}

int
play_count_replies(const struct play *p)
{
	struct span rest = buf_span(&p->out);
	int replies = 0;
	bool is_last = true;

	while (rest.n > 0) {
		size_t n = span_find(rest, '\r');

		if (n + 1 >= rest.n || rest.p[n + 1] != '\n' ||
		    !is_reply_line(span_sub(rest, 0, n), &is_last))
			return -1;
		replies += is_last;
		rest = span_from(rest, n + 2);
	}
	return is_last ? replies : -1;
}

unsigned
play_code(struct play *p, const char *text)
{
	buf_reset(&p->out);
	play_say(p, text);
	if (play_count_replies(p) != 1)
		return 0;
	return (unsigned)(p->out.p[0] - '0') * 100 +
	    (unsigned)(p->out.p[1] - '0') * 10 +
	    (unsigned)(p->out.p[2] - '0');
}
