/*
 * Rows are numbers of recipients of the unit; in messages they go as runs of
 * {u32 first, u32 last}.
 */
#include "queued/lease_rows.h"

#include "common/base/wire.h"
#include "common/mail/envelope.h"
#include "queued/facts.h"
#include "queued/residence.h"

uint32_t
lease_first_row(const struct store_unit *unit)
{
	uint32_t first = unit->tries % unit->count;
	uint32_t row = first;

	while (unit->recipients[row].is_settled) {
		row = row + 1 < unit->count ? row + 1 : 0;
		if (row == first)
			break;
	}
	return row;
}

/* Rows of the unit that go the way of the first one; gives that way.  With MX
 * it is route and domain, else the route alone: a lease is one destination
 * even if a reload has split its unit. */
struct route
lease_rows_choose(struct queued *q, const struct store_unit *unit,
    struct lease *lease)
{
	uint32_t row = lease_first_row(unit);
	struct span first = unit->recipients[row].address;
	struct route way = residence_route(q, unit);
	struct route_facts facts = facts_of(q, unit->message);

	for (uint32_t i = 0; i < unit->count; i++) {
		const struct store_recipient *r = &unit->recipients[i];
		struct route route;

		if (r->is_settled)
			continue;
		facts.recipient = r->address;
		route = i == row ? way : route_table_find(q->routes, &facts);
		if (route.index == way.index && (!route_is_mx(&way) ||
		    span_equal_nocase(route_domain(first),
		    route_domain(r->address))))
			lease->rows[lease->count++] = i;
	}
	return way;
}

void
lease_rows_put_envelope(const struct store_unit *unit,
    const struct lease *lease, struct buf *out)
{
	struct envelope head;

	/* It was checked before it was stored, and its record's checksum
	 * after that. */
	if (envelope_check(unit->message->envelope, &head) != OK)
		return;
	envelope_put_head_as_is(&head, out);
	for (uint32_t i = 0; i < lease->count; i++) {
		struct envelope_rcpt r = { .bytes =
		    unit->recipients[lease->rows[i]].attributes };

		envelope_put_rcpt_as_is(&r, out);
	}
}

/* Which recipients of the unit these are, as runs of {u32 first, u32 last}:
 * deliverd tells it to our successor, who then takes no verdict for another
 * recipient than the one it is about. */
void
lease_rows_put(const struct lease *lease, struct buf *out)
{
	for (uint32_t i = 0; i < lease->count;) {
		uint32_t first = lease->rows[i];

		while (++i < lease->count &&
		    lease->rows[i] == lease->rows[i - 1] + 1)
			;
		wire_put_u32(out, first);
		wire_put_u32(out, lease->rows[i - 1]);
	}
}

/* The inverse; what comes from a peer may name no row beyond the unit and no
 * more rows than it has.  ERR_RANGE, ERR_SYNTAX. */
enum err
lease_rows_get(struct span bytes, const struct store_unit *unit,
    struct lease *lease)
{
	struct wire w;

	wire_init(&w, bytes);
	while (wire_more(&w)) {
		uint32_t first = wire_u32(&w);
		uint32_t last = wire_u32(&w);

		if (first > last || last >= unit->count ||
		    last - first >= unit->count - lease->count)
			return ERR_RANGE;
		while (first <= last)
			lease->rows[lease->count++] = first++;
	}
	return lease->count > 0 ? wire_done(&w) : ERR_RANGE;
}
