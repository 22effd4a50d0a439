#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS 500

static const struct siphash_key seed = { 1, 2 };

/* The vectors of the paper: key 00 01 .. 0f, messages 00 01 .. */
Test(siphash, vectors)
{
	static const struct siphash_key key = {
		UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908),
	};
	static const uint64_t expect[] = {
		UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
		UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d),
		UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
		UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
		UINT64_C(0x93f5f5799a932462),
	};
	uint8_t message[16];

	for (uint8_t i = 0; i < sizeof(message); i++)
		message[i] = i;
	for (size_t n = 0; n < COUNT_OF(expect); n++)
		cr_expect_eq(siphash(&key, span_of(message, n)), expect[n],
		    "length %zu", n);
	cr_expect_eq(siphash(&key, span_of(message, 15)),
	    UINT64_C(0xa129ca6149be45e5));
	cr_expect_eq(siphash_u64(&key, UINT64_C(0x0706050403020100)),
	    expect[8]);
}

/* Random adds, gets and removes, compared with a plain array after each. */
Test(map, u64_agrees_with_an_array)
{
	static char objects[KEYS];
	bool is_there[KEYS] = { false };
	size_t count = 0;
	struct map_u64 m;
	struct rng r;

	map_u64_init(&m, &seed);
	rng_init(&r, 5);
	for (int step = 0; step < 200000; step++) {
		uint64_t i = rng_below(&r, KEYS);
		uint64_t key = i << 40;		/* alike in their low bits */
		/* long stretches of growing and of shrinking */
		bool is_adding = rng_below(&r, 10) <
		    (step / 20000 % 2 == 0 ? 8 : 2);

		if (is_adding) {
			enum err e = map_u64_add(&m, key, &objects[i]);

			cr_assert_eq(e, is_there[i] ? ERR_EXISTS : OK);
			count += !is_there[i];
			is_there[i] = true;
		} else {
			void *gone = map_u64_remove(&m, key);

			cr_assert_eq(gone, is_there[i] ? &objects[i] : NULL);
			count -= is_there[i];
			is_there[i] = false;
		}
		i = rng_below(&r, KEYS);
		cr_assert_eq(map_u64_get(&m, i << 40),
		    is_there[i] ? &objects[i] : NULL);
		cr_assert_eq(map_u64_count(&m), count);
	}
	map_u64_clear(&m);
	cr_expect_eq(map_u64_count(&m), 0);
	cr_expect_null(map_u64_get(&m, 0));
}

Test(map, shrinks_and_stays_small_under_churn)
{
	static char object;
	struct map_u64 m;

	map_u64_init(&m, &seed);
	for (uint64_t i = 0; i < 100000; i++)
		cr_assert_eq(map_u64_add(&m, i, &object), OK);
	for (uint64_t i = 0; i < 100000; i++)
		cr_assert_eq(map_u64_remove(&m, i), &object);
	for (uint64_t i = 0; i < 1000000; i++) {
		cr_assert_eq(map_u64_add(&m, i, &object), OK);
		cr_assert_eq(map_u64_remove(&m, i), &object);
	}
	for (uint64_t i = 0; i < 300000; i++) {
		cr_assert_eq(map_u64_add(&m, i, &object), OK);
		if (i >= 10)
			cr_assert_not_null(map_u64_remove(&m, i - 10));
	}
	cr_expect(m.table.size <= 64, "%zu slots for ten objects",
	    m.table.size);
	map_u64_clear(&m);
}

Test(map, walk_sees_each_once_and_may_remove)
{
	static char objects[KEYS];
	int seen[KEYS] = { 0 };
	struct map_u64 m;
	size_t cursor = 0;
	char *object;

	map_u64_init(&m, &seed);
	cr_expect_null(map_u64_next(&m, &cursor));
	for (uint64_t i = 0; i < KEYS; i++)
		cr_assert_eq(map_u64_add(&m, i, &objects[i]), OK);
	cursor = 0;
	while ((object = map_u64_next(&m, &cursor)) != NULL) {
		uint64_t i = (uint64_t)(object - objects);

		seen[i]++;
		cr_expect_eq(map_u64_remove(&m, i), object);
		/* another one, seen or not */
		if (i % 3 == 0 && map_u64_remove(&m, KEYS - 1 - i) != NULL)
			seen[KEYS - 1 - i]++;
	}
	for (size_t i = 0; i < KEYS; i++)
		cr_expect_eq(seen[i], 1, "object %zu", i);
	cr_expect_eq(map_u64_count(&m), 0);
	map_u64_clear(&m);
}

struct named {
	char name[16];
};

static struct span
name_of(const void *object)
{
	return span_str(((const struct named *)object)->name);
}

Test(map, span_finds_by_bytes)
{
	static struct named named[KEYS];
	struct named other = { "n7" };
	struct map_span m;
	size_t cursor = 0, seen = 0;

	map_span_init(&m, &seed, name_of);
	for (int i = 0; i < KEYS; i++) {
		snprintf(named[i].name, sizeof(named[i].name), "n%d", i);
		cr_assert_eq(map_span_add(&m, &named[i]), OK);
	}
	cr_expect_eq(map_span_add(&m, &other), ERR_EXISTS);
	cr_expect_eq(map_span_get(&m, SPAN_LIT("n7")), &named[7]);
	cr_expect_null(map_span_get(&m, SPAN_LIT("n")));
	cr_expect_null(map_span_get(&m, SPAN_NONE));
	cr_expect_eq(map_span_remove(&m, SPAN_LIT("n7")), &named[7]);
	cr_expect_null(map_span_remove(&m, SPAN_LIT("n7")));
	cr_expect_eq(map_span_add(&m, &other), OK);
	cr_expect_eq(map_span_get(&m, SPAN_LIT("n7")), &other);
	while (map_span_next(&m, &cursor) != NULL)
		seen++;
	cr_expect_eq(seen, KEYS);
	cr_expect_eq(map_span_count(&m), KEYS);
	map_span_clear(&m);
}
