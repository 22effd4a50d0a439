/*
 * A lease of deliverd's, and what comes of it: fetching the content, the
 * dialogue with the next hop, telling.
 */
#ifndef MTAD_TESTS_SIM_SIM_LEASE_H
#define MTAD_TESTS_SIM_SIM_LEASE_H

#include "common/base/buf.h"
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_world.h"

enum stage { FETCHING, WAITING, READY, TRIED, TOLD };

struct lease {
	struct lease *next;
	enum stage stage;
	uint64_t lease, id, size;
	uint32_t unit;
	struct buf rows, content;
	struct sim_mail *mail;
	struct sim_rcpt *rcpts[SIM_RCPTS];
	uint32_t n;
	uint8_t outcomes[SIM_RCPTS];
	uint8_t scope;
	uint16_t code;			/* of the attempt */
	bool is_read_failed;
	struct sim_moment told;		/* queued read its verdict; mono 0 */
};

struct deliverd {
	struct channel *c;
	uint64_t instance;
	struct lease *leases;
	bool is_known;			/* queued has said so */
};

extern struct deliverd sim_deliverds[SIM_WORKERS];

/* Told of, its recipients may be leased again, even before the confirmation
 * comes. */
void sim_lease_let_go(struct lease *l);

/* The next step; false: it waits. */
bool sim_lease_go_on(struct deliverd *d, struct lease *l);

void sim_lease_content(struct lease *l, const struct msg_content *m);
void sim_lease_tell_again(struct deliverd *d, const struct lease *l);

#endif
