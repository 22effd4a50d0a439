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
	/* waiting for us was not the client's fault */
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
