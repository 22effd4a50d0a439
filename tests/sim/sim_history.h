/*
 * One history: everything that happens, in the order that the dice give.
 */
#ifndef MTAD_TESTS_SIM_SIM_HISTORY_H
#define MTAD_TESTS_SIM_SIM_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

/* Plays it; false when a promise was broken, sim.failure says which.  The
 * digest of all that happened is left in sim.digest. */
bool sim_history(uint64_t seed);

#endif
