/*
 * Sessions with sockets on this host (lmtp:///path): the parent connects.
 */
#ifndef MTAD_DELIVERD_SESSION_UNIX_H
#define MTAD_DELIVERD_SESSION_UNIX_H

#include "deliverd/session.h"

/* Asks the parent; its answer comes later.  False without memory. */
bool session_unix_dial(struct session *s);

/* Takes FD, or -1: then the next host is tried; the session may end. */
void session_unix_answer(struct deliverd *d, const struct msg_hop_socket *m,
    int fd);

/* Where any session is connected to, for the log and as text: nothing but the
 * host's name for a socket. */
void session_log_at(const struct session *s);
struct span session_address(const struct session *s,
    char text[ENDPOINT_TEXT_SIZE]);

#endif
