/*
 * The next hops: a mood for each domain, and which destinations failed as a
 * whole.
 */
#ifndef MTAD_TESTS_SIM_SIM_HOPS_H
#define MTAD_TESTS_SIM_SIM_HOPS_H

#include "tests/sim/sim_mail.h"

void sim_hops_new(void);
void sim_hops_free(void);

/* Another mood of a domain's hosts; all is well from now on. */
void sim_hops_change(void);
void sim_hops_behave(void);

/* Nobody talks there; what becomes of one recipient, after all was sent. */
bool sim_hop_is_down(const struct sim_rcpt *r);
uint8_t sim_hop_outcome(const struct sim_rcpt *r);

/* queued hears that the destination of R, of M, has failed; whether that of R
 * did since M got too old. */
void sim_hop_failed(const struct sim_mail *m, const struct sim_rcpt *r);
bool sim_hop_failed_for(const struct sim_mail *m, const struct sim_rcpt *r);

#endif
