/*
 * Who we are at a next hop: passwords and tokens, which keyd has.
 */
#ifndef MTAD_DELIVERD_SESSION_AUTH_H
#define MTAD_DELIVERD_SESSION_AUTH_H

#include "deliverd/session.h"

/* The route has a password or a token, so that the host must prove its name. */
bool session_auth_tells_secret(const struct session *s);

/* Of a new dialogue.  ERR_NOMEM, ERR_IO. */
enum err session_auth_begin(struct session *s);

/* At TX_ASK: keyd is asked, from within the session's own turn. */
void session_auth_ask(struct session *s);

/* The session expects no answer any more. */
void session_auth_leave(struct session *s);

/* What keyd says, to whichever session it is for; or keyd is gone.  May end
 * sessions. */
void session_auth_answer(struct deliverd *d, const struct msg_hop_answer *m);
void session_auth_token(struct deliverd *d, const struct msg_hop_token *m);
void session_auth_give_up(struct deliverd *d);

#endif
