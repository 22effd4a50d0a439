/*
 * What the log says of a connection.
 */
#ifndef MTAD_DELIVERD_SESSION_LOG_H
#define MTAD_DELIVERD_SESSION_LOG_H

struct session;

void session_log_up(const struct session *s);
void session_log_violation(const struct session *s);	/* if there was one */

#endif
