/*
 * The store's threads, run by the dice.
 */
#ifndef MTAD_TESTS_SIM_SIM_WORKER_H
#define MTAD_TESTS_SIM_SIM_WORKER_H

#include <stdbool.h>

/* One job of one of them, or a part of what it had finished becomes visible;
 * false: nobody has anything to do. */
bool sim_worker_step(void);
bool sim_worker_is_busy(void);

#endif
