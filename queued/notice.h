/*
 * Mail of queued's own: reports, which bounce.c builds, and words to the
 * postmaster about what somebody has to look at.
 *
 * It is marked as a report: nothing is ever sent because of it (I-08).
 */
#ifndef MTAD_QUEUED_NOTICE_H
#define MTAD_QUEUED_NOTICE_H

#include "queued/queued.h"
#include "queued/shape/shape.h"

struct notice {
	struct span envelope, body;
	uint32_t flags;			/* the envelope's, of TLS */
	bool is_8bit;
	bool is_idle;			/* nobody hears of it when it fails; else
					 * the postmaster does */
};

/* Appends a message to the open group; its units come to the planner once that
 * is synced.  ERR_NOMEM, ERR_FULL. */
enum err notice_submit(struct queued *q, const struct notice *n, uint64_t *id);

/* Tells the postmaster that STOP, which nobody asked for, holds mail.  Without
 * room or memory the log has it alone. */
void notice_held(struct queued *q, const struct shape_stop *stop);

#endif
