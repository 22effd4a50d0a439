/*
 * The header of a message that a user hands in, RFC 6409 section 8: Bcc fields
 * are taken out as it streams by, and what must be in it and is not is told.
 *
 * Nothing else is touched.  It works on the bytes that were just added to a
 * buffer; a few octets that may be the beginning of a field to be taken out
 * stay here until more has come.
 */
#ifndef MTAD_MAIL_SUBMIT_HEAD_H
#define MTAD_MAIL_SUBMIT_HEAD_H

#include "common/base/buf.h"

#define SUBMIT_HEAD_HELD	16

struct submit_head {
	bool has_date;
	bool has_message_id;
	bool is_done;			/* the header is over */
	uint64_t removed;		/* octets */
	/* private */
	uint8_t state;
	uint8_t held_n;
	uint8_t held[SUBMIT_HEAD_HELD];
};

void submit_head_init(struct submit_head *h);

/* BODY's bytes from BEFORE on are new; at the end of the message with IS_LAST,
 * for what is held.  Failure is the buffer's. */
void submit_head_edit(struct submit_head *h, struct buf *body, size_t before,
    bool is_last);

#endif
