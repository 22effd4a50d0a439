/*
 * An envelope is looked at only where the flag says that there is something.
 * One that is damaged says nothing: it was checked before it was stored.
 */
#include "queued/times.h"

#include "common/base/mtime.h"
#include "common/ipc/messages.h"

uint8_t
times_flag(const struct envelope *e)
{
	return e->hold_ms > 0 ? CONTENT_TIMED : 0;
}

int64_t
times_plan(const struct queued *q, const struct store_message *m, uint64_t at)
{
	uint64_t released = times_released(m);
	uint64_t now = queued_wall(q);

	if (released <= now)
		return queued_plan_time(q, at);
	/* as much later as it begins later */
	return mtime_add(queued_plan_time(q, at > released ?
	    at - released + now : now), (int64_t)((at < released ? at :
	    released) - now));
}

uint64_t
times_released(const struct store_message *m)
{
	struct envelope e;

	if ((m->content_flags & CONTENT_TIMED) == 0 ||
	    envelope_check(m->envelope, &e) != OK)
		return m->arrived_at;
	return m->arrived_at + e.hold_ms;
}
