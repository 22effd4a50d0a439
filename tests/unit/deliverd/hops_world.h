/*
 * A name service that is a table, for tests of the choice of hosts.
 */
#ifndef MTAD_TESTS_DELIVERD_HOPS_WORLD_H
#define MTAD_TESTS_DELIVERD_HOPS_WORLD_H

#include "deliverd/hops/hops.h"
#include "deliverd/hops/hops_group.h"

/* "NAME TYPE DATA..." a line; DATA: "10 host" of an MX (commas between),
 * addresses, NXDOMAIN or SERVFAIL; what isn't there has no data. */
struct world {
	const char *const *names;
	unsigned asked;
	char log[2048];		/* "192.0.2.1:25 192.0.2.2:25" */
	struct hops_verdict verdict;
	char group[HOPS_GROUP_MAX + 1];
};

extern const struct route_target world_by_mx;

/* At port 25, both families; this host is self.example, at 192.0.2.25. */
struct hops_setup world_setup(const struct route_target *targets, size_t n,
    const char *domain);

void world_answer(struct world *w, struct hops *h,
    const struct hops_question *q);

#endif
