/*
 * Whether the owner writes a group itself [pure].
 *
 * A client waits for two changes of threads besides the disk: on a quick disk
 * they take longer than its sync.  So small groups are written here while the
 * last ones were quick, and by the commit thread when they were not: then others
 * come while it works, and share the next.  What large ones take says nothing of
 * small ones.  Measured with 20 clients and messages of 4 KiB: a tenth more of
 * them when the sync takes 0.2 ms, a fifth at 0.5, none at 0.9; large bodies are
 * better left to the thread.
 */
#ifndef MTAD_QUEUED_STORE_STORE_QUICK_H
#define MTAD_QUEUED_STORE_STORE_QUICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STORE_QUICK_BYTES = 96 << 10,	/* of a small group: some twenty mails */
	STORE_QUICK_US = 1000,		/* that a quick one takes */
	STORE_QUICK_ROW = 16,		/* of them before it is believed */
	STORE_QUICK_MAX = 32,		/* that count */
	STORE_QUICK_LOSS = 4,		/* of them, for each STORE_QUICK_US */
};

/* Zero at first; one for groups with a sync, one for those without. */
struct store_quick {
	unsigned row;
};

bool store_quick_may(const struct store_quick *q, size_t bytes);

/* A group of so many bytes took so long. */
void store_quick_note(struct store_quick *q, size_t bytes, uint64_t us);

#endif
