/*
 * Both families at once.  The addresses of a host are given out by turns of the
 * families (hops_host), so what comes next is what may be tried beside the last.
 */
#include "deliverd/hops/hops_race.h"

#include "deliverd/hops/hops_state.h"

/* The host whose turn it is; NULL: none. */
static struct hops_host *
current(const struct hops *h)
{
	return h->mx == HOPS_ANSWERED && !h->is_failed &&
	    h->turn < h->n_hosts ? &h->hosts[h->turn] : NULL;
}

bool
hops_hurry(struct hops *h)
{
	struct hops_host *host = current(h);
	bool is_awaited = false, is_known = false;

	for (int f = 0; host != NULL && f < HOPS_FAMILIES; f++) {
		is_awaited = is_awaited || host->ask[f] == HOPS_ASKED;
		is_known = is_known || host->n_found[f] > 0;
	}
	if (!is_awaited || !is_known || host->is_hurried)
		return false;
	host->is_hurried = true;
	return true;
}

bool
hops_beside(struct hops *h, struct hop *hop)
{
	struct hops_host *host = current(h);

	if (host == NULL || h->tried >= HOPS_TRIED_MAX || host->given == 0 ||
	    host->given >= host->n_addresses ||
	    host->addresses[host->given].family ==
	    host->addresses[host->given - 1].family)
		return false;
	return hops_give(h, host, hop);
}
