/*
 * How long a client may take, RFC 5321 4.5.3.2.7, and no longer.
 *
 * Silence is bounded by limits.command_timeout and limits.data_timeout.  A
 * line must be whole within command_timeout of its first octet, and a message
 * keep up RX_PATIENCE_RATE beyond a start of RX_PATIENCE_START_MS, so that one
 * octet now and then doesn't hold a session for ever.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_PATIENCE_H
#define MTAD_SMTPD_ENGINE_RX_PATIENCE_H

#include "common/base/mtime.h"
#include "smtpd/engine/rx_view.h"

#define RX_PATIENCE_RATE	500	/* octets a second */
#define RX_PATIENCE_START_MS	(10 * MTIME_MINUTE)
#define RX_PATIENCE_SLOW_MS	(5 * MTIME_SECOND)

struct rx_patience {
	enum rx_phase phase;
	uint64_t turns;			/* rx_turns() when the phase began */
	uint64_t bytes;			/* since then */
	int64_t began_at_ms;
	int64_t moved_at_ms;		/* something came or went last */
};

void rx_patience_init(struct rx_patience *p, int64_t now_ms);

/* After each turn in which BYTES moved, either way. */
void rx_patience_note(struct rx_patience *p, enum rx_phase phase,
    uint64_t turns, size_t bytes, int64_t now_ms);

/* When to give up; MTIME_NEVER while the client waits for us. */
int64_t rx_patience_deadline(const struct rx_patience *p,
    const struct conf *conf);

/* Whether others may have its place when there is none left: for that long it
 * was silent, at one line, or below the rate. */
bool rx_patience_is_slow(const struct rx_patience *p, int64_t now_ms);

#endif
