/*
 * Reports to senders: which failure is told to whom, and the message for it.
 *
 * bounce_prepare() decides, and builds the report of one verdict while the
 * message still exists; bounce_submit() appends it to the open group, right
 * beside the verdict that it tells of (I-02).  A report is never sent for a
 * null sender; a report of ours that fails is told to reports.postmaster
 * once; what fails after that is a line in the log (I-08).
 */
#ifndef MTAD_QUEUED_BOUNCE_H
#define MTAD_QUEUED_BOUNCE_H

#include "common/mail/report.h"
#include "queued/queued.h"

enum { BOUNCE_RECIPIENTS = STORE_UNIT_RECIPIENTS };

/* What one verdict wants told; fill rcpts, the rest is bounce's. */
struct bounce {
	const struct store_message *message;	/* borrowed */
	struct report_rcpt rcpts[BOUNCE_RECIPIENTS];
	size_t count;
	enum report_action action;	/* of all of them */
	int64_t life_ms;		/* delayed ones are given up then */
	struct buf envelope;
	struct buf body;
	bool is_by_lost;		/* of the next one: told unasked (2852) */
	bool is_8bit;
	bool requires_tls;		/* so does its message */
	bool is_wanted;			/* a report was built */
	bool is_to_postmaster;
	uint64_t id;			/* of the report, once submitted */
};

void bounce_init(struct bounce *b, const struct store_message *message,
    enum report_action action);
void bounce_clear(struct bounce *b);

/* The next row to fill; NULL when the sender does not want to be told of this
 * recipient (ATTRIBUTES: its NOTIFY, RFC 3461 4.1). */
struct report_rcpt *bounce_add(struct bounce *b, struct span address,
    struct span attributes);

/* Builds the report if there is one to send.  ERR_NOMEM.  A message
 * that can't be read is told of without its bytes. */
enum err bounce_build(struct queued *q, struct bounce *b);

/* Appends it; after store_reserve() of bounce_bytes() this fails only without
 * memory or without room, and has then changed nothing. */
enum err bounce_submit(struct queued *q, struct bounce *b);
size_t bounce_bytes(const struct bounce *b);

#endif
