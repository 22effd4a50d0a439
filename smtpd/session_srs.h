/*
 * Between a dialogue and keyd: whose a rewritten sender was.
 *
 * As in session_auth.h, but for a list of its own.
 */
#ifndef MTAD_SMTPD_SESSION_SRS_H
#define MTAD_SMTPD_SESSION_SRS_H

#include "smtpd/session.h"

struct msg_srs_answer;

/* RX_ASK about ADDRESS.  True: it was answered here, as keyd is away. */
bool session_srs_ask(struct session *s, struct span address);

/* keyd's answer; a session may be gone afterwards. */
void session_srs_done(struct server *sv, const struct msg_srs_answer *m);

/* keyd is gone: all that wait are told to try later. */
void session_srs_give_up(struct server *sv);

#endif
