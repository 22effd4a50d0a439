/*
 * What people are told of a message that was made 7-bit text on its way: in the
 * log, and in its history behind the host's reply.
 */
#ifndef MTAD_DELIVERD_CONVERTED_H
#define MTAD_DELIVERD_CONVERTED_H

#include "deliverd/job.h"

#define CONVERTED_TEXT_SIZE 1024	/* of an attempt's text */

struct session;

/* The attempt's words: REPLY, and what was done to the message if it has left
 * this host for the next; then it is logged, too.  Borrows ROOM, or is REPLY. */
struct span converted_note(const struct session *s, const struct job *j,
    const struct tx_rcpt *told, struct span reply,
    char room[CONVERTED_TEXT_SIZE]);

#endif
