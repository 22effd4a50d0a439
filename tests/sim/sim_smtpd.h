/*
 * smtpd and its clients.
 */
#ifndef MTAD_TESTS_SIM_SIM_SMTPD_H
#define MTAD_TESTS_SIM_SIM_SMTPD_H

#include <stdbool.h>

void sim_smtpds_new(void);
void sim_smtpds_free(void);

/* The parent gives it a channel to the queued that runs now. */
void sim_smtpd_connect(unsigned i);
bool sim_smtpd_is_connected(unsigned i);

/* queued is gone: what the kernel had is read, then it is on its own. */
void sim_smtpds_alone(bool is_power_cut);
void sim_smtpd_kill(unsigned i);

/* A client hands over a message, or goes on with a large one; false: it can't
 * now. */
bool sim_smtpd_submit(unsigned i);
bool sim_smtpd_go_on(unsigned i);

/* queued handles a frame of it; it handles one of queued's. */
bool sim_smtpd_speak(unsigned i);
bool sim_smtpd_hear(unsigned i);
/* It reads nothing for a while. */
void sim_smtpd_stick(unsigned i, bool is_stuck);

#endif
