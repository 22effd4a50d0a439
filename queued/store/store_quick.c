/*
 * A slow group takes belief away in proportion: a disk that is late now and
 * then is not left to the thread for that, one that hangs or is slow is.
 */
#include "queued/store/store_quick.h"

bool
store_quick_may(const struct store_quick *q, size_t bytes)
{
	return bytes <= STORE_QUICK_BYTES && q->row >= STORE_QUICK_ROW;
}

void
store_quick_note(struct store_quick *q, size_t bytes, uint64_t us)
{
	uint64_t loss = us / STORE_QUICK_US * STORE_QUICK_LOSS;

	if (bytes > STORE_QUICK_BYTES)
		return;
	if (us > STORE_QUICK_US)
		q->row -= loss < q->row ? (unsigned)loss : q->row;
	else if (q->row < STORE_QUICK_MAX)
		q->row++;
}
