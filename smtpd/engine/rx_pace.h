/*
 * How fast a stranger may go: what is left of its rates, and the pauses
 * between its mistakes.
 *
 * The engine knows no time: the driver says what is left before it steps,
 * looks afterwards at what was used, and waits when it is asked to.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_PACE_H
#define MTAD_SMTPD_ENGINE_RX_PACE_H

#include "smtpd/engine/rx.h"

/*
 * Behind half of limits.errors, each further mistake costs a stranger so much
 * more time than the one before: by default 2.75 s in all until it hears 421.
 */
#define RX_PAUSE_STEP_MS	50
#define RX_PAUSE_MAX_MS		500

/* UINT32_MAX: no limit. */
struct rx_budget {
	uint32_t messages;	/* transactions: MAIL gets 450 behind them */
	uint32_t recipients;	/* RCPT gets 450 */
	uint32_t quota_wait_s;	/* not 0: MAIL gets 450 from everybody, for the
				 * quota is used up for so long */
};

void rx_set_budget(struct rx *rx, const struct rx_budget *budget);
struct rx_budget rx_budget(const struct rx *rx);

/* When it isn't 0, rx_step() says RX_WAIT until rx_resume(), which is due after
 * so long; the reply that came before may leave. */
int64_t rx_pause_ms(const struct rx *rx);
void rx_resume(struct rx *rx);

#endif
