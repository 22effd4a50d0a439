/*
 * Which destination a recipient has depends on the routes when it entered the
 * planner; so failures are kept by the keys of all routes there may be, and
 * one of any explains an end.
 */
#include "tests/sim/sim_hops.h"

#include "common/base/check.h"
#include "common/ipc/messages.h"
#include "common/route/route_table.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_world.h"

#include <stdlib.h>

enum mood { GOOD, BUSY, DOWN, STRICT, MIXED, CUTTING, MOODS };
enum { FAILURES_MAX = 256 };

static enum mood moods[SIM_DOMAINS];
static struct route_table *tables[SIM_ROUTES];

static struct failure {
	int table;
	char key[128];
	struct sim_moment at;		/* the last one */
} failures[FAILURES_MAX];
static size_t failure_count;

void
sim_hops_new(void)
{
	failure_count = 0;
	sim_hops_behave();
	for (unsigned i = 0; i < SIM_ROUTES; i++)
		MUST(route_table_new(sim_conf(world.timing, i), &tables[i]) ==
		    OK);
}

void
sim_hops_free(void)
{
	for (size_t i = 0; i < SIM_ROUTES; i++)
		route_table_free(&tables[i]);
}

void
sim_hops_change(void)
{
	unsigned d = (unsigned)sim_below(SIM_DOMAINS);

	moods[d] = sim_chance(300) ? GOOD : (enum mood)sim_below(MOODS);
	sim_trace("domain %u: mood %u", d, moods[d]);
}

void
sim_hops_behave(void)
{
	for (size_t i = 0; i < SIM_DOMAINS; i++)
		moods[i] = GOOD;
}

bool
sim_hop_is_down(const struct sim_rcpt *r)
{
	return moods[sim_domain_of(r->address)] == DOWN;
}

uint8_t
sim_hop_outcome(const struct sim_rcpt *r)
{
	switch (moods[sim_domain_of(r->address)]) {
	case GOOD:
		return OUTCOME_DELIVERED;
	case BUSY:
	case DOWN:
		return OUTCOME_DEFERRED;
	case STRICT:
		return OUTCOME_FAILED;
	case CUTTING:
		return sim_chance(500) ? OUTCOME_IN_DOUBT :
		    OUTCOME_DEFERRED;
	default:
		return (uint8_t)sim_below(OUTCOME_UNTRIED);
	}
}

/* ---- destinations that failed ---- */

static void
key_of(int table, const struct sim_mail *m, const struct sim_rcpt *r,
    char key[128])
{
	const struct route_facts facts = {
		.recipient = span_str(r->address),
		.sender = span_str(m->sender),
	};
	struct route route = route_table_find(tables[table], &facts);
	struct buf b;

	buf_init(&b, 4096);
	route_key(&route, facts.recipient, &b);
	MUST(span_copy(buf_span(&b), key, 128));
	buf_clear(&b);
}

static struct failure *
find(int table, const char *key)
{
	for (size_t i = 0; i < failure_count; i++)
		if (failures[i].table == table &&
		    strcmp(failures[i].key, key) == 0)
			return &failures[i];
	return NULL;
}

void
sim_hop_failed(const struct sim_mail *m, const struct sim_rcpt *r)
{
	for (int i = 0; i < SIM_ROUTES; i++) {
		struct failure *f;
		char key[128];

		key_of(i, m, r, key);
		if ((f = find(i, key)) == NULL) {
			MUST(failure_count < FAILURES_MAX);
			f = &failures[failure_count++];
			f->table = i;
			memcpy(f->key, key, sizeof(key));
		}
		f->at = sim_clock_now();
	}
}

bool
sim_hop_failed_for(const struct sim_mail *m, const struct sim_rcpt *r)
{
	for (int i = 0; i < SIM_ROUTES; i++) {
		const struct failure *f;
		char key[128];

		key_of(i, m, r, key);
		f = find(i, key);
		if (f != NULL && sim_age_most(m->since, f->at) >=
		    sim_mail_life(m))
			return true;
	}
	return false;
}
