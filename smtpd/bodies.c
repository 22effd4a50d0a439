/*
 * What counts is the allocated size of a buffer, not what lies in it: memory
 * that is kept for later is in use, too.  Spares are not counted; there are at
 * most BODIES_SPARE_MAX of BODIES_SPARE_BYTES. They are the reason that a
 * session with ordinary mail allocates nothing after its first message.
 */
#include "smtpd/bodies.h"

void
bodies_init(struct bodies *b, uint64_t budget_bytes)
{
	*b = (struct bodies){ .budget_bytes = budget_bytes };
}

void
bodies_clear(struct bodies *b)
{
	while (b->spares > 0)
		buf_clear(&b->spare[--b->spares]);
}

/* May give memory that was allocated before: the sum must know of it. */
void
bodies_take(struct bodies *b, struct buf *out)
{
	if (b->spares > 0)
		*out = b->spare[--b->spares];
	else
		buf_init(out, BODIES_BUF_MAX);
	b->used_bytes += out->size;
}

void
bodies_return(struct bodies *b, struct buf *body)
{
	b->used_bytes -= body->size;
	buf_reset(body);
	if (b->spares < BODIES_SPARE_MAX && body->size > 0 &&
	    body->size <= BODIES_SPARE_BYTES)
		b->spare[b->spares++] = *body;
	else
		buf_clear(body);
	buf_init(body, BODIES_BUF_MAX);
}

/* In unsigned arithmetic the order matters: first the addition, so that the
 * sum never passes below zero. */
void
bodies_note(struct bodies *b, size_t before, size_t after)
{
	b->used_bytes += after;
	b->used_bytes -= before;
}

bool
bodies_is_pressed(const struct bodies *b)
{
	return b->used_bytes > b->budget_bytes;
}
