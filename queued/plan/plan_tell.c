#include "queued/plan/plan_tell.h"

#include "queued/plan/plan_advice.h"
#include "queued/plan/plan_private.h"

void
plan_tell(struct plan *plan, struct plan_unit *pu)
{
	if (!list_is_linked(&pu->dest->untold))
		list_add_last(&plan->dests.untold, &pu->dest->untold);
}

bool
plan_has_untold(const struct plan *plan)
{
	return !list_is_empty(&plan->dests.untold);
}

/* The last unit of a destination may have taken that with it. */
static struct plan_dest *
first_untold(struct plan *plan, struct plan_telling *t)
{
	struct list *node = list_first(&plan->dests.untold);
	struct plan_dest *d;

	if (node == NULL)
		return NULL;
	d = CONTAINER_OF(node, struct plan_dest, untold);
	if (t->dest != d) {
		t->dest = d;
		t->next = list_first(&d->ready);
	}
	return d;
}

static struct plan_unit *
next_overdue(struct plan_dest *d, struct plan_telling *t)
{
	while (t->next != NULL) {
		struct plan_unit *u =
		    CONTAINER_OF(t->next, struct plan_unit, link);

		t->next = list_next(&d->ready, t->next);
		if (u->overdue <= plan_unit_told_at(u))
			return u;
	}
	return NULL;
}

bool
plan_next_untold(struct plan *plan, struct plan_telling *t,
    struct plan_unit **out)
{
	struct plan_dest *d;

	while ((d = first_untold(plan, t)) != NULL) {
		struct plan_unit *u = next_overdue(d, t);

		if (u != NULL) {
			plan_change(plan, u, PLAN_LEASED);
			*out = u;
			return true;
		}
		list_remove(&d->untold);
		t->dest = NULL;
	}
	return false;
}
