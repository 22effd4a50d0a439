/*
 * Of several addresses of ours one is taken by lot for each connection, so that
 * they share the load.  When a route has some of one family only, hosts are met
 * over that family only: another address of ours would be as good as a
 * stranger's to who trusts these.
 */
#include "deliverd/session_way.h"

#include "deliverd/way.h"

const struct ipaddr *
session_way_source(const struct session *s)
{
	const struct route_way *way = s->route.way;
	const enum ipaddr_family family = s->at.addr.family;
	size_t n = way_sources(way, family);

	if (n == 0)
		return NULL;
	n = (size_t)rng_below(&s->d->dice, n);
	for (size_t i = 0; i < way->n_sources; i++)
		if (way->sources[i].family == family && n-- == 0)
			return &way->sources[i];
	return NULL;
}

void
session_way_begin(struct session *s)
{
	s->setup = s->settings->tx;
	if (s->route.way->helo[0] != '\0')
		s->setup.helo = s->route.way->helo;
}
