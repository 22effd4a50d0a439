/*
 * What a stranger's session may do of late, and its pauses: the clock and the
 * shared counters for rx_pace.h.
 */
#ifndef MTAD_SMTPD_SESSION_PACE_H
#define MTAD_SMTPD_SESSION_PACE_H

#include "smtpd/engine/rx_pace.h"
#include "smtpd/session.h"

/* Around each step of the dialogue; both cost nothing where no rate is set. */
void session_pace_before(struct session *s);
void session_pace_after(struct session *s);

/* When the pause ends that the dialogue has asked for; 0: it has not. */
int64_t session_pace_until_ms(struct session *s);

/* It is over. */
void session_pace_resume(struct session *s);

#endif
