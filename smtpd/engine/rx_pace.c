/*
 * A pause before the next command is looked at costs an attacker who waits for
 * replies as much as one before the reply would, and one who does not wait
 * finds his octets in his own socket.
 */
#include "smtpd/engine/rx_pace.h"

#include "smtpd/engine/rx_impl.h"

void
rx_set_budget(struct rx *rx, const struct rx_budget *budget)
{
	rx->budget = *budget;
}

struct rx_budget
rx_budget(const struct rx *rx)
{
	return rx->budget;
}

void
rx_spend(uint32_t *left)
{
	if (*left > 0 && *left != UINT32_MAX)
		--*left;
}

int64_t
rx_pause_ms(const struct rx *rx)
{
	return rx->state == RX_CLOSED ? 0 : rx->pause_ms;
}

void
rx_resume(struct rx *rx)
{
	rx->pause_ms = 0;
}

/* Called for each reply; only one that stands for a mistake more than the last
 * one asks for a pause. */
void
rx_pace(struct rx *rx)
{
	uint32_t free = rx->site->conf->limits.errors / 2;
	uint32_t n;

	if (rx->errors == rx->errors_paced)
		return;
	rx->errors_paced = rx->errors;
	if (rx->is_trusted || rx->errors <= free)
		return;
	n = rx->errors - free;
	rx->pause_ms = n >= RX_PAUSE_MAX_MS / RX_PAUSE_STEP_MS
	    ? RX_PAUSE_MAX_MS : n * RX_PAUSE_STEP_MS;
}
