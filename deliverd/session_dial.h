/*
 * The way of a session to a connection: the next host, what has to be known of
 * it (policy of TLS), its addresses.  Each of these may end the session, or
 * begin a wait after which it goes on by itself.
 */
#ifndef MTAD_DELIVERD_SESSION_DIAL_H
#define MTAD_DELIVERD_SESSION_DIAL_H

struct session;
struct tx_finding;

void session_dial_next(struct session *s);

/* What had to be known of the host at hand is known now. */
void session_dial_go(struct session *s);

/* The same host again. */
void session_dial_again(struct session *s);

/* The name service, or the host, has kept us waiting. */
void session_dial_hurry(struct session *s);

/* No connection is being made any more; ends nothing. */
void session_dial_stop(struct session *s);

/* Ends it before any host is tried: WHY none can be. */
void session_dial_refuse(struct session *s, const char *why);

/* Ends it as if the host now tried were the last and had not answered. */
void session_dial_abandon(struct session *s);

/* The host now tried led nowhere, and WHY; ends nothing. */
void session_dial_note(struct session *s, const struct tx_finding *why);

/* The same, when no connection came about; for TEXT. */
void session_dial_refused(struct session *s, const char *text);

#endif
