/* What is left of a damaged group (I-05): one record costs no other. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "queued/store/store_pieces.h"

enum { RECORDS = 5 };

/* A group of RECORDS messages with ids 1 ..., its contents N bytes each;
 * AT[i]: where record i begins. */
static void
make_group(struct buf *b, size_t n, size_t at[RECORDS + 1])
{
	struct store_group_head head = { .sequence = 7, .segment = 3,
	    .offset = 4096, .start = 1, .chain = 99 };
	uint32_t sum;

	buf_init(b, STORE_GROUP_MAX);
	store_group_begin(b);
	for (uint64_t id = 1; id <= RECORDS; id++) {
		size_t begin = store_record_begin(b);

		at[id - 1] = begin;
		wire_put_u64(b, id * 1000);
		for (size_t i = 0; i < n; i++)
			buf_add_byte(b, (uint8_t)('a' + id));
		store_record_end(b, begin, STORE_RECORD_MESSAGE, id, n);
	}
	at[RECORDS] = b->n;
	cr_assert_eq(store_group_end(b, &head, &sum), OK);
}

/* Bit i: record i + 1 was given; sound ones in *SOUND. */
static unsigned
read_all(struct span group, unsigned *sound, bool *has_gap)
{
	struct store_pieces p;
	struct store_record r;
	unsigned given = 0;
	bool is_sound;

	*sound = 0;
	store_pieces_init(&p, group);
	while (store_pieces_next(&p, &r, &is_sound)) {
		cr_assert_leq(r.id, RECORDS);
		cr_assert_eq(r.fields.n, 8);
		given |= 1u << (r.id - 1);
		*sound |= (unsigned)is_sound << (r.id - 1);
	}
	*has_gap = p.has_gap;
	return given;
}

Test(pieces, each_byte_flipped_costs_at_most_its_own_record)
{
	size_t at[RECORDS + 1];
	struct buf b;

	make_group(&b, 300, at);
	for (size_t i = 0; i < at[RECORDS] + STORE_GROUP_TAIL; i++) {
		unsigned all = (1u << RECORDS) - 1, given, sound, mine = 0;
		bool has_gap;

		for (unsigned k = 0; k < RECORDS; k++)
			if (i >= at[k] && i < at[k + 1])
				mine = 1u << k;
		b.p[i] ^= 1u << i % 8;
		given = read_all(buf_span(&b), &sound, &has_gap);
		b.p[i] ^= 1u << i % 8;
		cr_assert_eq(sound, all & ~mine, "byte %zu: %x, not %x", i,
		    sound, all & ~mine);
		/* its content damaged: the rest of it is there */
		cr_assert(given == all || has_gap, "byte %zu", i);
	}
	buf_clear(&b);
}

Test(pieces, cut_off_anywhere_gives_what_is_whole)
{
	size_t at[RECORDS + 1];
	struct buf b;

	make_group(&b, 300, at);
	for (size_t n = 0; n < b.n; n++) {
		unsigned given, sound, whole = 0;
		bool has_gap;
		uint8_t *cut = malloc(n > 0 ? n : 1);

		memcpy(cut, b.p, n);
		for (unsigned k = 0; k < RECORDS; k++)
			whole |= (unsigned)(n >= at[k + 1]) << k;
		given = read_all(span_of(cut, n), &sound, &has_gap);
		cr_assert_eq(sound, whole, "cut at %zu", n);
		cr_assert_eq(given, whole);
		free(cut);
	}
	buf_clear(&b);
}

/* A mail that holds records: whoever damages the record around it can't make
 * them count. */
Test(pieces, records_inside_a_content_are_not_believed)
{
	struct store_group_head head = { .sequence = 7, .segment = 3,
	    .offset = 4096, .start = 1 };
	struct buf b, inside;
	size_t begin, first;
	unsigned given, sound;
	bool has_gap;
	uint32_t sum;

	buf_init(&inside, 1 << 20);
	for (int i = 0; i < 50; i++) {
		begin = store_record_begin(&inside);
		wire_put_u64(&inside, 666);
		store_record_end(&inside, begin, STORE_RECORD_MESSAGE, 5, 0);
	}
	buf_init(&b, STORE_GROUP_MAX);
	store_group_begin(&b);
	first = store_record_begin(&b);
	wire_put_u64(&b, 1000);
	buf_add_span(&b, buf_span(&inside));
	store_record_end(&b, first, STORE_RECORD_MESSAGE, 1, inside.n);
	begin = store_record_begin(&b);
	wire_put_u64(&b, 2000);
	store_record_end(&b, begin, STORE_RECORD_MESSAGE, 2, 0);
	cr_assert_eq(store_group_end(&b, &head, &sum), OK);
	b.p[first + 16] ^= 4;
	given = read_all(buf_span(&b), &sound, &has_gap);
	cr_assert_eq(given, 2, "%x", given);
	cr_assert(has_gap);
	buf_clear(&b);
	buf_clear(&inside);
}

/* Bytes that look like heads of records at every place: the search ends. */
Test(pieces, a_search_is_bounded, .timeout = 60)
{
	struct store_group_head head = { .sequence = 7, .segment = 3,
	    .offset = 4096, .start = 1 };
	struct buf b;
	size_t first;
	unsigned sound;
	bool has_gap;
	uint32_t sum;

	buf_init(&b, STORE_GROUP_MAX);
	store_group_begin(&b);
	first = store_record_begin(&b);
	wire_put_u64(&b, 1000);
	for (size_t i = 0; i < (4 << 20); i++)
		buf_add_byte(&b, 1);
	store_record_end(&b, first, STORE_RECORD_MESSAGE, 1, 4 << 20);
	cr_assert_eq(store_group_end(&b, &head, &sum), OK);
	b.p[first + 16] ^= 4;
	cr_assert_eq(read_all(buf_span(&b), &sound, &has_gap), 0);
	cr_assert(has_gap);
	buf_clear(&b);
}
