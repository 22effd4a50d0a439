/*
 * The message of a session: its content while it comes, its way to queued,
 * and the answer.
 *
 * Content gathers in session->body.  A small one goes over with the
 * submission and stays until the answer, to be sent again if need be; a large
 * one goes over in pieces while it comes.
 */
#ifndef MTAD_SMTPD_SESSION_MAIL_H
#define MTAD_SMTPD_SESSION_MAIL_H

#include "smtpd/session.h"

/* 354 was said. */
void session_mail_begin(struct session *s);

/* RX_LIST was said: recipients must not stay here. */
void session_mail_list(struct session *s);

/* After each piece of content: passes on what must not stay here. */
void session_mail_look(struct session *s);

/* No more content can be kept now. */
bool session_mail_is_full(const struct session *s);

/* The final dot was seen. */
void session_mail_finish(struct session *s);

/* The content isn't wanted any more, unless queued has it already. */
void session_mail_drop(struct session *s);

/* Gives the memory of the content back. */
void session_mail_return(struct session *s);

#endif
