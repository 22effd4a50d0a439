/*
 * deliverd and the next hops.
 */
#ifndef MTAD_TESTS_SIM_SIM_DELIVERD_H
#define MTAD_TESTS_SIM_SIM_DELIVERD_H

#include <stdbool.h>

struct sim_mail;
struct sim_rcpt;

void sim_deliverds_new(void);
void sim_deliverds_free(void);

/* The parent gives it a channel to the queued that runs now; it has said what
 * it holds when it is PRESENTED. */
void sim_deliverd_connect(unsigned i);
bool sim_deliverd_is_connected(unsigned i);

void sim_deliverds_alone(bool is_power_cut);
void sim_deliverd_kill(unsigned i);

/* It was not back in time: queued goes on without it. */
void sim_deliverds_late(void);

/* Goes on with one of its leases; false: it has none to go on with. */
bool sim_deliverd_work(unsigned i);
bool sim_deliverd_speak(unsigned i);
bool sim_deliverd_hear(unsigned i);

/* queued is told now what came of an attempt at R, or that nobody will tell. */
bool sim_deliverd_tells_of(const struct sim_mail *m,
    const struct sim_rcpt *r);


/* A lease of R is on its way to one of them. */
bool sim_deliverd_will_get(const struct sim_mail *m, const struct sim_rcpt *r);

/* Since it was asked last. */
bool sim_deliverd_was_confirmed(void);

/* Leases that are not over. */
unsigned sim_deliverd_leases(void);
void sim_deliverd_dump(void);

#endif
