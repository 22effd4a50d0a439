/*
 * A phase begins when its kind changes or when a reply was given; its clock
 * starts then.  For a command the clock is never moved on by octets that come,
 * so that a line sent octet by octet has no more time than a line that does
 * not come at all.  For content silence has its own limit, and the whole is
 * measured by its rate: each RX_PATIENCE_RATE octets earn another second.
 */
#include "smtpd/engine/rx_patience.h"

#include "common/conf/conf.h"

void
rx_patience_init(struct rx_patience *p, int64_t now_ms)
{
	*p = (struct rx_patience){
		.phase = RX_PHASE_COMMAND,
		.began_at_ms = now_ms,
		.moved_at_ms = now_ms,
	};
}

void
rx_patience_note(struct rx_patience *p, enum rx_phase phase, uint64_t turns,
    size_t bytes, int64_t now_ms)
{
	if (bytes > 0)
		p->moved_at_ms = now_ms;
	p->bytes += bytes;
	if (phase == p->phase && turns == p->turns)
		return;
	/* a new phase; the time that it took us to come to it isn't charged */
	p->phase = phase;
	p->turns = turns;
	p->bytes = 0;
	p->began_at_ms = now_ms;
	p->moved_at_ms = now_ms;
}

static int64_t
content_deadline(const struct rx_patience *p, const struct conf *conf)
{
	int64_t earned = (int64_t)(p->bytes / RX_PATIENCE_RATE) * MTIME_SECOND;
	int64_t whole = mtime_add(p->began_at_ms,
	    mtime_add(RX_PATIENCE_START_MS, earned));

	return mtime_min(whole,
	    mtime_add(p->moved_at_ms, conf->limits.data_timeout_ms));
}

int64_t
rx_patience_deadline(const struct rx_patience *p, const struct conf *conf)
{
	switch (p->phase) {
	case RX_PHASE_LINE:
	case RX_PHASE_COMMAND:
	/* the end of the stream has its own time limit; this is for safety */
	case RX_PHASE_CLOSED:
		return mtime_add(p->began_at_ms,
		    conf->limits.command_timeout_ms);
	case RX_PHASE_CONTENT:
		return content_deadline(p, conf);
	case RX_PHASE_OURS:
		break;
	}
	return MTIME_NEVER;
}

/* Single octets are a sign of life, and none of mail. */
bool
rx_patience_is_slow(const struct rx_patience *p, int64_t now_ms)
{
	int64_t since = now_ms - p->began_at_ms;

	if (now_ms - p->moved_at_ms >= RX_PATIENCE_SLOW_MS)
		return true;
	if (since < RX_PATIENCE_SLOW_MS)
		return false;
	switch (p->phase) {
	case RX_PHASE_LINE:
		return true;
	case RX_PHASE_CONTENT:
		return (int64_t)(p->bytes / RX_PATIENCE_RATE) <
		    since / MTIME_SECOND;
	default:
		return false;
	}
}
