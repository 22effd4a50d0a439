/* The bytes of groups and records: whole, cut, flipped, and as they were. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "queued/store/store_group.h"

static size_t
put_records(struct buf *b)
{
	struct store_record_message m = { .token = 7, .arrived_at = 8,
	    .content_flags = 3, .is_report = true, .trace_bytes = 5,
	    .body_bytes = 4, .envelope = SPAN_LIT("envelope"),
	    .unit_count = 1, .keys = SPAN_LIT("\1\0\0\0k") };
	struct store_result results[2] = {
		{ .first = 0, .last = 2, .outcome = 2, .is_settled = true,
		    .code = 550, .status = SPAN_LIT("5.1.1"),
		    .text = SPAN_LIT("no such user"),
		    .host = SPAN_LIT("mx.example.net") },
		{ .first = 3, .last = 3, .outcome = 1 },
	};
	struct store_verdict v = { .begun_at = 11, .due_at = 12, .tries = 13,
	    .is_warned = true, .history = SPAN_LIT("history"),
	    .results = results, .count = 2 };
	size_t at = store_record_begin(b);

	store_record_put_message(b, &m);
	buf_add_str(b, "tracebody");
	store_record_end(b, at, STORE_RECORD_MESSAGE, 42, 9);
	at = store_record_begin(b);
	store_record_put_verdict(b, 6, &v);
	store_record_end(b, at, STORE_RECORD_VERDICT, 43, 0);
	at = store_record_begin(b);
	store_record_put_unit(b, 9, 99);
	store_record_end(b, at, STORE_RECORD_LEASE, 44, 0);
	at = store_record_begin(b);
	store_record_put_hold(b, true);
	store_record_end(b, at, STORE_RECORD_HOLD, 45, 0);
	return 4;
}

static void
make_group(struct buf *b, struct store_group_head *head)
{
	uint32_t sum;

	*head = (struct store_group_head){ .sequence = 5, .segment = 3,
	    .offset = 8192, .synced = 4, .written_at = 1, .start = 2,
	    .previous_segment = 1, .previous_length = 4096, .chain = 77,
	    .flags = STORE_GROUP_CUTS };
	buf_init(b, 1 << 20);
	store_group_begin(b);
	(void)put_records(b);
	cr_assert_eq(store_group_end(b, head, &sum), OK);
	cr_assert_eq(b->n % STORE_BLOCK, 0);
}

/* Whether GROUP counts, by the same steps as the recovery's. */
static bool
is_whole(struct span group, struct store_group_head *head)
{
	uint32_t sum;

	return store_group_get_head(group, head) == OK &&
	    store_group_check(group, head, &sum) == OK;
}

Test(record, a_group_is_read_as_it_was_written)
{
	struct store_result results[STORE_UNIT_RECIPIENTS];
	struct store_group_head head, got;
	struct store_record_message m;
	struct store_verdict v;
	struct store_record r;
	struct span records;
	uint64_t value;
	uint32_t unit;
	bool is_held;
	struct buf b;

	make_group(&b, &head);
	cr_assert(is_whole(buf_span(&b), &got));
	cr_assert_eq(memcmp(&got, &head, sizeof(got)), 0);
	cr_assert_eq(got.records, 4);
	records = store_group_records(buf_span(&b), &got);
	cr_assert_eq(store_record_next(&records, &r), OK);
	cr_assert_eq(r.id, 42);
	cr_assert(span_equal(r.content, SPAN_LIT("tracebody")));
	cr_assert_eq(store_record_get_message(r.fields, &m), OK);
	cr_assert_eq(m.token, 7);
	cr_assert_eq(m.content_flags, 3);
	cr_assert(m.is_report && !m.is_file);
	cr_assert(span_equal(m.envelope, SPAN_LIT("envelope")));
	cr_assert_eq(store_record_next(&records, &r), OK);
	cr_assert_eq(store_record_get_verdict(r.fields, &unit, results, &v),
	    OK);
	cr_assert_eq(unit, 6);
	cr_assert_eq(v.count, 2);
	cr_assert(v.is_warned && results[0].is_settled);
	cr_assert(span_equal(results[0].text, SPAN_LIT("no such user")));
	cr_assert(span_equal(v.history, SPAN_LIT("history")));
	cr_assert_eq(store_record_next(&records, &r), OK);
	cr_assert_eq(store_record_get_unit(r.fields, &unit, &value), OK);
	cr_assert(unit == 9 && value == 99);
	cr_assert_eq(store_record_next(&records, &r), OK);
	cr_assert_eq(store_record_get_hold(r.fields, &is_held), OK);
	cr_assert(is_held);
	cr_assert_eq(records.n, 0);
	buf_clear(&b);
}

Test(record, no_truncation_is_whole)
{
	struct store_group_head head, got;
	struct buf b;

	make_group(&b, &head);
	for (size_t n = 0; n < b.n; n++) {
		uint8_t *copy = malloc(n > 0 ? n : 1);

		memcpy(copy, b.p, n);
		cr_assert_not(is_whole(span_of(copy, n), &got));
		free(copy);
	}
	buf_clear(&b);
}

Test(record, no_flipped_bit_is_whole)
{
	struct store_group_head head, got;
	struct buf b;
	size_t used;

	make_group(&b, &head);
	used = STORE_GROUP_HEAD + head.length + STORE_GROUP_TAIL;
	for (size_t bit = 0; bit < used * 8; bit++) {
		b.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
		cr_assert_not(is_whole(buf_span(&b), &got), "bit %zu", bit);
		b.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	cr_assert(is_whole(buf_span(&b), &got));
	buf_clear(&b);
}

/* Fields that contradict themselves, whose sums are right all the same. */
Test(record, fields_are_checked_beyond_their_sums)
{
	struct store_result results[STORE_UNIT_RECIPIENTS];
	struct store_result backwards = { .first = 2, .last = 1 };
	struct store_result far = { .first = 0, .last = 1000 };
	struct store_verdict v = { .results = &backwards, .count = 1 };
	struct store_record_message m;
	uint64_t value;
	uint32_t unit;
	bool is_held;
	struct buf b;

	buf_init(&b, 1 << 20);
	store_record_put_verdict(&b, 0, &v);
	cr_assert_eq(store_record_get_verdict(buf_span(&b), &unit, results,
	    &v), ERR_CORRUPT);
	buf_reset(&b);
	v = (struct store_verdict){ .results = &far, .count = 1 };
	store_record_put_verdict(&b, 0, &v);
	cr_assert_eq(store_record_get_verdict(buf_span(&b), &unit, results,
	    &v), ERR_CORRUPT);
	cr_assert_eq(store_record_get_message(SPAN_LIT("short"), &m),
	    ERR_CORRUPT);
	cr_assert_eq(store_record_get_unit(SPAN_LIT("short"), &unit, &value),
	    ERR_CORRUPT);
	cr_assert_eq(store_record_get_hold(SPAN_LIT("\2"), &is_held),
	    ERR_CORRUPT);
	buf_clear(&b);
}
