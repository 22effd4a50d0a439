/*
 * Memory for the content of messages: buffers used again and again, and the
 * sum of all that are in use held against a budget.
 */
#ifndef MTAD_SMTPD_BODIES_H
#define MTAD_SMTPD_BODIES_H

#include "common/base/buf.h"

#define BODIES_SPARE_MAX	64		/* buffers kept for the next */
#define BODIES_SPARE_BYTES	((size_t)64 * 1024)	/* no larger ones */
#define BODIES_BUF_MAX		((size_t)768 * 1024)	/* ceiling of one */

struct bodies {
	struct buf spare[BODIES_SPARE_MAX];
	size_t spares;
	uint64_t used_bytes;		/* by those taken */
	uint64_t budget_bytes;
};

void bodies_init(struct bodies *b, uint64_t budget_bytes);
void bodies_clear(struct bodies *b);

/* Gives an empty buffer; take it back with bodies_return(). */
void bodies_take(struct bodies *b, struct buf *out);
void bodies_return(struct bodies *b, struct buf *body);

/* A taken buffer's allocation went from BEFORE to AFTER bytes. */
void bodies_note(struct bodies *b, size_t before, size_t after);

/* More is in use than the budget allows: large ones should go to queued. */
bool bodies_is_pressed(const struct bodies *b);

#endif
