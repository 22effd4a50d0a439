/* Effects that wait for the disk: order, wrapping, growing, taking back. */
#include "common/base/rng.h"
#include "queued/effects.h"

#include <criterion/criterion.h>

enum { STEPS = 100000, MODEL_MAX = 3000 };

static void
add(struct effects *e, uint64_t group, uint64_t a, bool is_late)
{
	struct effect effect = { .group = group, .a = a,
		.kind = EFFECT_CONFIRM };

	cr_assert_eq(effects_reserve(e), OK);
	if (is_late)
		effects_insert(e, &effect);
	else
		effects_add(e, &effect);
}

/* The A of the next effect up to group UPTO, 0 for none. */
static uint64_t
take(struct effects *e, uint64_t upto)
{
	struct effect effect;

	return effects_take(e, upto, &effect) ? effect.a : 0;
}

/* I-01: nothing leaves before its group, and nothing overtakes. */
Test(effects, wait_for_their_group)
{
	struct effects e;

	effects_init(&e);
	cr_expect_eq(take(&e, UINT64_MAX), 0);
	add(&e, 5, 1, false);
	add(&e, 5, 2, false);
	add(&e, 6, 3, false);
	cr_expect_eq(take(&e, 4), 0);
	cr_expect_eq(take(&e, 5), 1);
	cr_expect_eq(take(&e, 5), 2);
	cr_expect_eq(take(&e, 5), 0);
	cr_expect_eq(take(&e, 9), 3);
	cr_expect_eq(take(&e, UINT64_MAX), 0);
	effects_clear(&e);
	effects_clear(&e);
}

Test(effects, a_late_one_goes_before_newer_groups)
{
	static const uint64_t order[] = { 1, 2, 5, 3, 4, 6 };
	struct effects e;

	effects_init(&e);
	add(&e, 5, 1, false);
	add(&e, 6, 2, false);
	add(&e, 7, 3, false);
	add(&e, 7, 4, false);
	add(&e, 6, 5, true);	/* behind the others of its group */
	add(&e, 7, 6, true);
	for (int i = 0; i < 6; i++)
		cr_expect_eq(take(&e, 7), order[i], "%d", i);
	add(&e, 3, 7, true);
	cr_expect_eq(take(&e, 3), 7);
	effects_clear(&e);
}

Test(effects, are_found_and_taken_back)
{
	struct effects e;
	struct effect *found;
	struct effect out;

	effects_init(&e);
	cr_expect_null(effects_find(&e, EFFECT_CONFIRM, 1));
	add(&e, 1, 1, false);
	add(&e, 2, 1, false);
	add(&e, 3, 2, false);
	cr_expect_null(effects_find(&e, EFFECT_ANSWER, 1));
	cr_expect_null(effects_find(&e, EFFECT_CONFIRM, 3));
	found = effects_find(&e, EFFECT_CONFIRM, 1);
	cr_assert_not_null(found);
	cr_expect_eq(found->group, 2, "the newest");
	found->kind = EFFECT_NONE;
	found = effects_find(&e, EFFECT_CONFIRM, 1);
	cr_assert_not_null(found);
	cr_expect_eq(found->group, 1);
	cr_assert(effects_take(&e, 3, &out));
	cr_expect_eq(out.kind, EFFECT_CONFIRM);
	cr_assert(effects_take(&e, 3, &out));
	cr_expect_eq(out.kind, EFFECT_NONE);
	effects_clear(&e);
}

/* A ring that wraps and grows at every place of its first element. */
Test(effects, agree_with_an_array)
{
	static struct effect model[MODEL_MAX];
	struct effects e;
	struct rng dice;
	uint64_t group = 10, next = 1;
	size_t n = 0;

	effects_init(&e);
	rng_init(&dice, 11);
	for (int i = 0; i < STEPS; i++) {
		/* long waves: filled to thousands, emptied again */
		uint64_t bias = (uint64_t)(i / 8000) % 2 == 0 ? 7 : 3;
		struct effect out;

		group += rng_below(&dice, 3) == 0 ? 1 : 0;
		if (rng_below(&dice, 10) < bias && n < MODEL_MAX) {
			size_t at = n;
			uint64_t g = group - rng_below(&dice, 9);

			while (at > 0 && model[at - 1].group > g)
				at--;
			memmove(&model[at + 1], &model[at],
			    (n++ - at) * sizeof(model[0]));
			model[at] = (struct effect){ .group = g, .a = next };
			add(&e, g, next++, true);
		} else if (effects_take(&e, group - 2, &out)) {
			cr_assert_gt(n, 0);
			cr_assert_eq(out.a, model[0].a);
			cr_assert_eq(out.group, model[0].group);
			memmove(model, model + 1, --n * sizeof(model[0]));
		} else {
			cr_assert(n == 0 || model[0].group > group - 2);
		}
		cr_assert_eq(e.n, n);
	}
	cr_expect_geq(e.size, 1024, "it never grew");
	effects_clear(&e);
}
