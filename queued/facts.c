#include "queued/facts.h"

#include "common/mail/queue_id.h"
#include "queued/store/store_write.h"

static struct route_facts
facts_of_envelope(const struct envelope *e, uint64_t size)
{
	return (struct route_facts){
		.sender = e->sender, .client = e->client, .user = e->user,
		.headers = e->headers, .size = size,
	};
}

struct route_facts
facts_of(const struct queued *q, const struct store_message *m)
{
	const uint64_t size = store_message_size(m);
	struct envelope e;

	/* mostly nobody asks, and this is asked often */
	if (route_table_asks_more(q->routes) &&
	    envelope_check(m->envelope, &e) == OK) {
		struct route_facts facts = facts_of_envelope(&e, size);

		facts.is_released = m->is_released;
		return facts;
	}
	return (struct route_facts){ .sender = m->sender, .size = size };
}

/* The trace field as store_submit() makes it, with the id in its middle. */
struct route_facts
facts_of_submission(const struct envelope *e,
    const struct store_submission *sub, uint64_t body_bytes)
{
	const size_t trace = sub->trace_head.n == 0 ? 0 :
	    sub->trace_head.n + QUEUE_ID_LENGTH + sub->trace_tail.n;

	return facts_of_envelope(e, trace + body_bytes);
}
