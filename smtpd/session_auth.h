/*
 * Between a dialogue and keyd: who a client is.
 *
 * A session that waits for an answer is in the server's list; when its client
 * goes it leaves the list, and the answer finds nobody.
 */
#ifndef MTAD_SMTPD_SESSION_AUTH_H
#define MTAD_SMTPD_SESSION_AUTH_H

#include "smtpd/session.h"

struct msg_auth_done;
struct msg_scram_salt;

/* What is not dealt with yet has a line that begins with AUTH, perhaps half of
 * one whose end never comes: it is wiped where it was read. */
bool session_auth_is_unread(struct span unread);

/* RX_ASK: sends the question.  True: it was answered here, as keyd is away. */
bool session_auth_ask(struct session *s);

/* keyd's answers; a session may be gone afterwards. */
void session_auth_done(struct server *sv, const struct msg_auth_done *m);
void session_auth_salt(struct server *sv, const struct msg_scram_salt *m);

/* keyd is gone: all that wait are told to try later. */
void session_auth_give_up(struct server *sv);

#endif
