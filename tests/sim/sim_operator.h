/*
 * mtactl: one question at a time, and what its answer promises.
 */
#ifndef MTAD_TESTS_SIM_SIM_OPERATOR_H
#define MTAD_TESTS_SIM_SIM_OPERATOR_H

#include "tests/sim/sim_mail.h"

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

/* All mail is suspended, and what was under way has ended, which has to be looked
 * at now and then; whether it may have been suspended when M was too old. */
void sim_operator_look(void);
bool sim_operator_has_stopped(void);
bool sim_operator_stopped_for(const struct sim_mail *m);

#endif
