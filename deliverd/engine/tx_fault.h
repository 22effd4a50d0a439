/*
 * Ends that nobody wished; inside the engine.  Each ends the connection.
 */
#ifndef MTAD_DELIVERD_ENGINE_TX_FAULT_H
#define MTAD_DELIVERD_ENGINE_TX_FAULT_H

#include "deliverd/engine/tx_state.h"

void tx_fault_reply(struct tx *t, const struct smtp_response *r);
void tx_fault_violation(struct tx *t, const char *what);
void tx_fault_finding(struct tx *t, const struct tx_finding *f);

/* Puts a mail that has left the dialogue where tx_next() finds it. */
void tx_fault_give_back(struct tx *t, struct tx_mail *m, enum tx_rest rest);

#endif
