/*
 * mtactl: one question at a time, and what its answer promises.
 */
#ifndef MTAD_TESTS_SIM_SIM_OPERATOR_H
#define MTAD_TESTS_SIM_SIM_OPERATOR_H

#include <stdbool.h>

void sim_operator_new(void);
void sim_operator_free(void);

/* Asks something, by the dice; false: not now. */
bool sim_operator_ask(void);
/* Everything that is held is let go; what is damaged is deleted. */
bool sim_operator_clean_up(void);
bool sim_operator_speak(void);
bool sim_operator_hear(void);
bool sim_operator_is_waiting(void);
void sim_operator_alone(bool is_power_cut);

#endif
