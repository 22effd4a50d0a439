/*
 * One slow or large group ends the belief, and it takes as many again to come
 * back: a disk that hangs now and then is left to the thread.
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
	if (bytes > STORE_QUICK_BYTES || us > STORE_QUICK_US)
		q->row = 0;
	else if (q->row < STORE_QUICK_ROW)
		q->row++;
}
