/* A spool that bench/spool_fill made holds what was asked for. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "bench/spool_fill.h"
#include "tests/unit/store/store_rig.h"

struct counts {
	unsigned messages, held, waiting, units, sender_3, domain_5;
	uint64_t last_id, last_arrived;
};

static bool
count(void *ctx, const struct store_message *m,
    struct store_unit *const *units)
{
	struct counts *c = ctx;

	cr_assert_gt(m->id, c->last_id);
	cr_assert_geq(m->arrived_at, c->last_arrived);
	c->last_id = m->id;
	c->last_arrived = m->arrived_at;
	c->messages++;
	c->held += m->is_held;
	c->waiting += units[0]->due_at > m->arrived_at + 100000;
	c->sender_3 += span_equal(m->sender,
	    SPAN_LIT("sender3@s3.example.org"));
	c->domain_5 += span_equal(units[0]->key, SPAN_LIT("d5.example.net"));
	for (; *units != NULL; units++)
		c->units++;
	return true;
}

Test(fill, a_spool_is_filled_as_ordered, .timeout = 120)
{
	struct spool_fill f = { .count = 3000, .senders = 30, .domains = 20,
	    .recipients = 2, .held = 10, .active = 20, .age_ms = 3600000,
	    .due_from_ms = 7200000, .due_ms = 9000000, .bytes_min = 10,
	    .bytes_max = 90 };
	struct counts c = { .messages = 0 };
	uint64_t after = 0;
	struct store_figures figures;
	struct why why;
	struct rig r;

	rig_init(&r);
	f.path = r.dir;
	cr_assert_eq(spool_fill(&f, &why), OK, "%s", why.text);
	rig_open(&r);
	/* all of it is in the index */
	store_figures(r.s, &figures);
	cr_assert_eq(figures.memory_messages, 0);
	cr_assert_eq(figures.recipients, 6000);
	while (after != UINT64_MAX)
		after = store_walk(r.s, after, 100, count, &c);
	cr_assert_eq(c.messages, 3000);
	cr_assert_eq(c.held, 300);
	cr_assert_eq(c.waiting, 2100);
	cr_assert_eq(c.units, 6000);
	cr_assert_eq(c.sender_3, 100);
	cr_assert_eq(c.domain_5, 150);
	rig_clear(&r);
}
