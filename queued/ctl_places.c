/*
 * By today's rules, as a lease looks at each recipient: what lies in the index
 * has the key of the day it came.
 */
#include "queued/ctl_places.h"

#include "common/mail/envelope.h"
#include "common/route/route_table.h"
#include "queued/ctl_private.h"
#include "queued/facts.h"

static uint32_t
put_places(struct queued *q, const struct store_unit *unit,
    struct route_facts *facts, bool requires_tls, struct buf *out)
{
	struct msg_ctl_place place;
	uint32_t n = 0;

	for (uint32_t i = 0; i < unit->count; i++) {
		struct route route;

		if (unit->recipients[i].is_settled)
			continue;
		place.address = facts->recipient = unit->recipients[i].address;
		route = route_table_find(q->routes, facts);
		buf_reset(&q->scratch);
		route_key(&route, place.address, &q->scratch);
		if (requires_tls)
			route_key_require_tls(&q->scratch);
		place.destination = buf_span(&q->scratch);
		msg_put_ctl_place(out, &place);
		n++;
	}
	return n;
}

void
ctl_send_places(struct ctl_session *s, struct store_glance *g)
{
	const struct store_message *m = store_glance_message(g);
	struct route_facts facts = facts_of(s->q, m);
	struct msg msg = { .type = MSG_ctl_placed };
	struct msg_ctl_placed *out = &msg.ctl_placed;
	const struct store_unit *u;
	struct envelope e;

	if (envelope_check(m->envelope, &e) != OK)
		return;
	buf_reset(&s->rows);
	out->id = m->id;
	out->sender = facts.sender;
	out->client = facts.client;
	out->user = facts.user;
	out->headers = facts.headers;
	out->size = facts.size;
	out->is_released = facts.is_released;
	out->requires_tls = (e.flags & ENVELOPE_REQUIRE_TLS) != 0;
	out->is_list = store_is_list(m);
	store_glance_rewind(g);
	while (!out->is_list && (u = store_glance_next(g)) != NULL)
		out->places.n += put_places(s->q, u, &facts,
		    out->requires_tls, &s->rows);
	out->places.bytes = buf_span(&s->rows);
	ctl_send(s, &msg);
}
