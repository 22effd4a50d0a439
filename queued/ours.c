/*
 * A hold is the message's, so its other recipients wait with the one whose way
 * it is; that is looked for as soon as a message is there, not when that
 * recipient's turn comes.  A message that an operator has released is held by
 * no rule any more (store_message.is_released).
 */
#include "queued/ours.h"

#include "common/base/mtime.h"
#include "queued/history.h"
#include "queued/lease_rows.h"
#include "queued/outcome.h"
#include "queued/residence.h"
#include "queued/store/store_read.h"
#include "queued/store/store_write.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 256 };

/* Rules are counted from 1, as in messages about the configuration. */
static void
name_rule(const struct route *route, const char *what, char out[WORDS_MAX])
{
	(void)snprintf(out, WORDS_MAX, "%s by route %u (to: %.100s)", what,
	    (unsigned)route->index + 1, route->to);
}

/* Those that are not in the plan hear of it when they enter. */
static void
hold_others(struct queued *q, const struct store_message *m)
{
	for (uint32_t i = 0; i < m->unit_count; i++) {
		struct store_unit *unit = store_find_unit(q->store, m->id, i);

		if (unit != NULL && unit->plan != NULL)
			plan_hold(q->plan, unit->plan, true);
	}
}

static enum err
hold(struct queued *q, struct store_unit *unit, const struct route *route)
{
	char why[WORDS_MAX];
	enum err e = store_hold(q->store, unit->message, true);

	if (e != OK)
		return e;
	hold_others(q, unit->message);
	name_rule(route, "held", why);
	history_note(q, unit->message->id, unit->number, JOURNAL_HELD, 0,
	    HISTORY_NOBODY, why);
	return OK;
}

/* The sender of what is refused hears the rule's text; of what is discarded
 * nobody hears, but the log and the history say which rule it was. */
static enum err
settle(struct queued *q, struct store_unit *unit, const struct route *route)
{
	struct lease rows = { .rows = calloc(unit->count,
	    sizeof(*rows.rows)) };
	struct store_result result = { .is_settled = true };
	char words[WORDS_MAX];
	enum err e;

	if (rows.rows == NULL)
		return ERR_NOMEM;
	(void)lease_rows_choose(q, unit, &rows);
	if (route->targets[0].scheme == CONF_SCHEME_DISCARD) {
		name_rule(route, "discarded", words);
		result.outcome = OUTCOME_DISCARDED;
		result.text = span_str(words);
	} else {
		result.outcome = OUTCOME_FAILED;
		result.code = 550;
		result.status = span_str(route->status);
		result.text = span_str(route->text);
	}
	e = outcome_ours(q, unit, rows.rows, rows.count, &result);
	free(rows.rows);
	return e;
}

enum err
ours_take(struct queued *q, struct plan_unit *pu, const struct route *route)
{
	struct store_unit *unit = plan_unit_owner(pu);
	enum err e;

	if (route->targets[0].scheme != CONF_SCHEME_HOLD)
		return settle(q, unit, route);
	if ((e = hold(q, unit, route)) != OK)
		return e;
	plan_later(q->plan, pu, queued_now(q));
	return OK;
}

/* What finds no room now is held when its turn comes. */
void
ours_welcome(struct queued *q, uint64_t id, uint32_t n)
{
	for (uint32_t i = 0; i < n && route_table_asks_more(q->routes); i++) {
		struct store_unit *unit = store_find_unit(q->store, id, i);
		struct route route;

		if (unit == NULL || store_is_list(unit->message))
			continue;
		route = residence_route(q, unit);
		if (route.targets[0].scheme != CONF_SCHEME_HOLD)
			continue;
		(void)hold(q, unit, &route);
		return;
	}
}
