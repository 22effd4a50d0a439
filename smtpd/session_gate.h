/*
 * What a session does about its client's gate.
 */
#ifndef MTAD_SMTPD_SESSION_GATE_H
#define MTAD_SMTPD_SESSION_GATE_H

#include "smtpd/session.h"

/* The client is known: whoever is a stranger to us may have to be asked
 * about.  Anew when it becomes another. */
void session_gate_prepare(struct session *s);

/* After a step: begins to ask when the client has said who it is. */
void session_gate_look(struct session *s);

/* The name of its address as others tell it: XCLIENT, or the DNS; empty when
 * nobody was asked. */
struct span session_gate_name(const struct session *s);

#endif
