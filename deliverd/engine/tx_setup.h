/*
 * What the owner wants of a dialogue: names, times and limits, the same for all
 * of one configuration.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_SETUP_H
#define MTAD_DELIVERD_ENGINE_TX_SETUP_H

#include <stdint.h>

/* What is waited for, each with a time of its own, RFC 5321 4.5.3.2. */
enum tx_wait_for {
	TX_FOR_GREETING, TX_FOR_HELLO, TX_FOR_MAIL, TX_FOR_RCPT, TX_FOR_DATA,
	TX_FOR_BLOCK,		/* a piece of content to be taken */
	TX_FOR_FINAL, TX_FOR_QUIT,
	TX_FOR_COUNT
};

struct tx_setup {
	const char *helo;	/* host name or address literal; borrowed */
	int64_t wait_ms[TX_FOR_COUNT];
	uint32_t rcpts_max;	/* in one transaction; > 0 */
};

/* The times of RFC 5321 4.5.3.2 and 100 recipients. */
extern const struct tx_setup tx_setup_default;

#endif
