/* Pieces taken in any size are apart, zeroed, aligned, and within the ceiling. */
#include <criterion/criterion.h>

#include <stdalign.h>

#include "common/base/arena.h"
#include "common/base/rng.h"

Test(arena, pieces_are_apart_zeroed_and_aligned)
{
	struct arena *arena = arena_new(64 << 20);
	uint8_t *pieces[2000];
	size_t sizes[2000];
	struct rng rng;

	rng_init(&rng, 3);
	for (size_t i = 0; i < 2000; i++) {
		/* some of them larger than a block */
		sizes[i] = rng_below(&rng, i % 50 == 0 ? 40000 : 200);
		pieces[i] = arena_alloc(arena, sizes[i], 1);
		cr_assert_not_null(pieces[i]);
		cr_assert_eq((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < sizes[i]; k++)
			cr_assert_eq(pieces[i][k], 0);
		memset(pieces[i], (int)(i & 0xff), sizes[i]);
	}
	for (size_t i = 0; i < 2000; i++)
		for (size_t k = 0; k < sizes[i]; k++)
			cr_assert_eq(pieces[i][k], i & 0xff);
	arena_free(&arena);
	cr_assert_null(arena);
	arena_free(&arena);
	arena_free(NULL);
}

Test(arena, the_ceiling_and_overflow_are_refused)
{
	struct arena *arena = arena_new(1024);

	cr_assert_null(arena_alloc(arena, 1025, 1));
	cr_assert_null(arena_alloc(arena, SIZE_MAX, 2));
	cr_assert_null(arena_alloc(arena, SIZE_MAX / 2, 3));
	cr_assert_not_null(arena_alloc(arena, 0, 8));
	cr_assert_not_null(arena_alloc(arena, 10, 100));
	cr_assert_null(arena_alloc(arena, 32, 1));
	cr_assert_null(arena_text(arena, SPAN_LIT("also too much")));
	cr_assert_leq(arena_used(arena), 1024);
	arena_free(&arena);
}

Test(arena, texts_are_terminated)
{
	struct arena *arena = arena_new(1024);

	cr_assert_str_eq(arena_text(arena, span_of("abc", 2)), "ab");
	cr_assert_str_eq(arena_text(arena, SPAN_NONE), "");
	arena_free(&arena);
}
