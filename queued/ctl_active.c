/*
 * What is due by the index soon, and what is in memory: all that can be active
 * before this is looked for again.  What an operator makes due meanwhile counts
 * as it was a second ago.
 */
#include "queued/ctl_active.h"

#include "common/os/clock.h"
#include "queued/queued.h"
#include "queued/store/store_look.h"

enum {
	ACTIVE_MAX = 32 * 1024,		/* some milliseconds each second */
	GOOD_MS = 1000,
	DUE_MS = 2 * GOOD_MS,		/* this clock and that of the spool differ */
};

void
ctl_active_init(struct ctl_active *a)
{
	*a = (struct ctl_active){ .until = INT64_MIN };
	buf_init(&a->ids, ACTIVE_MAX * sizeof(uint64_t));
}

void
ctl_active_clear(struct ctl_active *a)
{
	buf_clear(&a->ids);
	ctl_active_init(a);
}

void
ctl_active_look(struct ctl_active *a, struct queued *q)
{
	int64_t now = clock_mono_ms();

	if (a->is_hopeless || now < a->until)
		return;
	buf_reset(&a->ids);
	a->next = 0;
	a->until = now + GOOD_MS;
	a->is_hopeless = !store_path_due(q->store, queued_wall(q) + DUE_MS,
	    ACTIVE_MAX, &a->ids);
}

bool
ctl_active_may_be(struct ctl_active *a, uint64_t id)
{
	const uint64_t *ids = (const uint64_t *)(const void *)a->ids.p;
	size_t n = a->ids.n / sizeof(*ids);

	if (a->is_hopeless || a->until == INT64_MIN)
		return true;
	while (a->next < n && ids[a->next] < id)
		a->next++;
	return a->next < n && ids[a->next] == id;
}
