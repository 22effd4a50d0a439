/* Records of the journal: whole, byte by byte, cut, flipped, and as they were. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "common/base/check.h"
#include "queued/journal/journal_event.h"
#include "queued/journal/journal_head.h"

/* One of each type, as a file has them. */
enum { RECORDS = 6 };

static void
put_accepted(struct buf *b)
{
	struct journal_recipient rcpt[2] = {
		{ .unit = 0, .row = 0, .address = SPAN_LIT("b@example.net") },
		{ .unit = 300, .row = 999, .address = SPAN_LIT("c@x.test") },
	};
	struct journal_accepted a = { .at = 1700000000123, .bytes = 4096,
	    .recipients = 3, .is_report = true,
	    .sender = SPAN_LIT("a@example.org"),
	    .client = SPAN_LIT("\300\0\2\1"),
	    .helo = SPAN_LIT("client.example.org") };
	struct buf list;

	buf_init(&list, JOURNAL_RECORD_MAX);
	cr_assert(journal_recipient_put(&list, &rcpt[0]));
	cr_assert(journal_recipient_put(&list, &rcpt[1]));
	a.list = buf_span(&list);
	journal_accepted_put(b, 1, &a);
	journal_recipients_put(b, 1, buf_span(&list));
	buf_clear(&list);
}

static void
put_attempt(struct buf *b)
{
	struct journal_host host = { .name = SPAN_LIT("mx.example.net"),
	    .address = SPAN_LIT("192.0.2.1:25"), .tls = SPAN_LIT("TLSv1.3"),
	    .stage = 7, .code = 550, .begun_at = 1700000001000,
	    .duration_ms = 250, .text = SPAN_LIT("no such user") };
	struct journal_result result[2] = {
		{ .first = 0, .last = 4, .outcome = 2, .is_settled = true,
		    .host = 0, .code = 550, .status = SPAN_LIT("5.1.1"),
		    .is_hosts_text = true },
		{ .first = 5, .last = 5, .outcome = 1,
		    .host = JOURNAL_NO_HOST, .text = SPAN_LIT("later") },
	};
	struct journal_attempt a = { .unit = 6, .at = 1700000000900,
	    .due_at = 1700000060000, .tries = 3, .is_continued = true };
	struct buf hosts, results;

	buf_init(&hosts, JOURNAL_RECORD_MAX);
	buf_init(&results, JOURNAL_RECORD_MAX);
	cr_assert(journal_host_put(&hosts, a.at, &host));
	cr_assert(journal_result_put(&results, &result[0]));
	cr_assert(journal_result_put(&results, &result[1]));
	a.hosts = buf_span(&hosts);
	a.results = buf_span(&results);
	journal_attempt_put(b, 2, JOURNAL_IS_OVER, &a);
	buf_clear(&hosts);
	buf_clear(&results);
}

static void
put_all(struct buf *b)
{
	struct journal_action action = { .at = 5, .kind = JOURNAL_REPORTED,
	    .unit = 1, .value = UINT64_MAX, .by = SPAN_LIT("uid 0") };

	buf_init(b, 1 << 20);
	put_accepted(b);
	put_attempt(b);
	journal_action_put(b, 3, &action);
	journal_lost_put(b, 6, 7, 8);
	journal_mark_put(b, 1234567, 9);
	cr_assert(!buf_failed(b));
}

static void
check_accepted(const struct journal_record *r)
{
	struct journal_recipient rcpt;
	struct journal_accepted a;

	cr_assert_eq(journal_accepted_get(r->fields, &a), OK);
	cr_assert_eq(a.at, 1700000000123);
	cr_assert_eq(a.bytes, 4096);
	cr_assert_eq(a.recipients, 3);
	cr_assert(a.is_report);
	cr_assert(span_equal(a.sender, SPAN_LIT("a@example.org")));
	cr_assert(span_equal(a.client, SPAN_LIT("\300\0\2\1")));
	cr_assert(span_equal(a.helo, SPAN_LIT("client.example.org")));
	cr_assert(journal_recipient_next(&a.list, &rcpt));
	cr_assert(span_equal(rcpt.address, SPAN_LIT("b@example.net")));
	cr_assert(journal_recipient_next(&a.list, &rcpt));
	cr_assert_eq(rcpt.unit, 300);
	cr_assert_eq(rcpt.row, 999);
	cr_assert(!journal_recipient_next(&a.list, &rcpt));
}

static void
check_attempt(const struct journal_record *r)
{
	struct journal_attempt a;
	struct journal_host h;
	struct journal_result result;

	cr_assert_eq(r->flags, JOURNAL_IS_OVER);
	cr_assert_eq(journal_attempt_get(r->fields, &a), OK);
	cr_assert_eq(a.unit, 6);
	cr_assert_eq(a.due_at, 1700000060000);
	cr_assert_eq(a.tries, 3);
	cr_assert(a.is_continued);
	cr_assert(journal_host_next(&a.hosts, a.at, &h));
	cr_assert(span_equal(h.name, SPAN_LIT("mx.example.net")));
	cr_assert(span_equal(h.address, SPAN_LIT("192.0.2.1:25")));
	cr_assert(span_equal(h.tls, SPAN_LIT("TLSv1.3")));
	cr_assert_eq(h.stage, 7);
	cr_assert_eq(h.code, 550);
	cr_assert_eq(h.begun_at, 1700000001000);
	cr_assert_eq(h.duration_ms, 250);
	cr_assert(!journal_host_next(&a.hosts, a.at, &h));
	cr_assert(journal_result_next(&a.results, &result));
	cr_assert_eq(result.last, 4);
	cr_assert_eq(result.outcome, 2);
	cr_assert(result.is_settled && result.is_hosts_text);
	cr_assert_eq(result.host, 0);
	cr_assert(journal_result_next(&a.results, &result));
	cr_assert_eq(result.host, JOURNAL_NO_HOST);
	cr_assert(span_equal(result.text, SPAN_LIT("later")));
	cr_assert(!journal_result_next(&a.results, &result));
}

Test(journal_record, what_goes_in_comes_out)
{
	struct journal_record r[RECORDS];
	struct journal_action action;
	uint64_t at, first, last;
	struct span rest;
	struct buf b;

	put_all(&b);
	rest = buf_span(&b);
	for (size_t i = 0; i < RECORDS; i++)
		cr_assert_eq(journal_record_next(&rest, &r[i]), OK);
	cr_assert_eq(rest.n, 0);
	check_accepted(&r[0]);
	cr_assert_eq(r[1].type, JOURNAL_RECIPIENTS);
	check_attempt(&r[2]);
	cr_assert_eq(journal_action_get(r[3].fields, &action), OK);
	cr_assert_eq(action.value, UINT64_MAX);
	cr_assert(span_equal(action.by, SPAN_LIT("uid 0")));
	cr_assert_eq(journal_lost_get(r[4].fields, &at, &first, &last), OK);
	cr_assert_eq(last, 8);
	cr_assert_eq(r[5].type, JOURNAL_MARK);
	cr_assert_eq(r[5].id, 1234567);
	buf_clear(&b);
}

/* The bytes of docs/HISTORY.md: a change of the format shows here. */
Test(journal_record, the_bytes_are_those_of_the_document)
{
	static const uint8_t mark[] = {
		0x00, 0x00, 0x00, 0x00, 0x12, 0x00, 6, 0,
		0x87, 0xd6, 0x12, 0, 0, 0, 0, 0, 0x80, 0x01
	};
	struct buf b;

	buf_init(&b, 1024);
	journal_mark_put(&b, 1234567, 128);
	cr_assert_eq(b.n, sizeof(mark));
	cr_assert_eq(memcmp(b.p + 4, mark + 4, sizeof(mark) - 4), 0);
	buf_clear(&b);
}

/* Nothing that is cut is taken for whole, and nothing is read behind it. */
Test(journal_record, a_cut_record_is_none)
{
	struct journal_record r;
	struct buf b;

	put_all(&b);
	for (size_t n = 0; n < b.n; n++) {
		uint8_t *copy = malloc(n > 0 ? n : 1);
		struct span rest = span_of(copy, n);
		size_t taken = 0;
		enum err e;

		memcpy(copy, b.p, n);
		while ((e = journal_record_next(&rest, &r)) == OK)
			taken += r.bytes.n;
		cr_assert_eq(e, ERR_AGAIN);
		cr_assert_leq(taken, n);
		free(copy);
	}
	buf_clear(&b);
}

Test(journal_record, each_flipped_bit_is_seen)
{
	struct journal_record r;
	struct span rest;
	struct buf b;
	size_t records;

	put_all(&b);
	for (size_t bit = 0; bit < b.n * 8; bit++) {
		b.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
		rest = buf_span(&b);
		for (records = 0; rest.n > 0 &&
		    journal_record_next(&rest, &r) == OK; records++)
			;
		cr_assert_lt(records, RECORDS, "bit %zu", bit);
		b.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	buf_clear(&b);
}

/* Behind damage the next whole record is found. */
Test(journal_record, damage_is_passed_over)
{
	struct journal_record r;
	struct span rest;
	struct buf b;
	size_t first;

	put_all(&b);
	rest = buf_span(&b);
	cr_assert_eq(journal_record_next(&rest, &r), OK);
	first = r.bytes.n;
	b.p[first / 2] ^= 0x40;
	cr_assert_eq(journal_record_find(buf_span(&b)), first);
	buf_clear(&b);
}

/* Fields are not trusted for having the right sum: each cut and each byte
 * that is something else is refused or read within bounds. */
Test(journal_record, wrong_fields_are_read_within_bounds)
{
	struct journal_record r;
	struct span rest;
	struct buf b;

	put_all(&b);
	rest = buf_span(&b);
	while (journal_record_next(&rest, &r) == OK) {
		for (size_t n = 0; n <= r.fields.n; n++) {
			uint8_t *copy = malloc(r.fields.n + 1);
			struct span s = span_of(copy, n);
			struct journal_accepted a;
			struct journal_attempt t;
			struct journal_action x;
			struct journal_recipient rcpt;
			struct journal_host h;
			struct journal_result result;

			memcpy(copy, r.fields.p, r.fields.n);
			if (n > 0)
				copy[n - 1] = 0xff;
			if (journal_accepted_get(s, &a) == OK)
				while (journal_recipient_next(&a.list, &rcpt))
					;
			if (journal_attempt_get(s, &t) == OK) {
				while (journal_host_next(&t.hosts, 0, &h))
					;
				while (journal_result_next(&t.results,
				    &result))
					cr_assert_leq(result.first,
					    result.last);
			}
			(void)journal_action_get(s, &x);
			free(copy);
		}
	}
	buf_clear(&b);
}

/* Lists that are full say so before their record is too long. */
Test(journal_record, a_list_ends_before_its_record_does)
{
	char address[1024];
	struct journal_recipient rcpt = { .address = span_of(address, 1024) };
	struct journal_accepted a = { .recipients = 1000000,
	    .sender = span_of(address, 1024), .helo = span_of(address, 1024) };
	struct journal_record r;
	struct span rest;
	struct buf list, b;

	memset(address, 'a', sizeof(address));
	buf_init(&list, 1 << 20);
	buf_init(&b, 1 << 20);
	while (journal_recipient_put(&list, &rcpt))
		rcpt.row++;
	cr_assert_gt(rcpt.row, 10);
	a.list = buf_span(&list);
	journal_accepted_put(&b, 1, &a);
	cr_assert(!buf_failed(&b));
	rest = buf_span(&b);
	cr_assert_eq(journal_record_next(&rest, &r), OK);
	cr_assert_eq(rest.n, 0);
	buf_clear(&list);
	buf_clear(&b);
}

Test(journal_record, numbers_of_any_size)
{
	static const uint64_t numbers[] = { 0, 1, 127, 128, 16383, 16384,
	    UINT32_MAX, UINT64_MAX - 1, UINT64_MAX };
	static const uint8_t too_long[] = { 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0x02 };
	struct wire w;
	struct buf b;

	buf_init(&b, 1024);
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		journal_put(&b, numbers[i]);
	wire_init(&w, buf_span(&b));
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		cr_assert_eq(journal_get(&w), numbers[i]);
	cr_assert_eq(wire_done(&w), OK);
	wire_init(&w, span_of(too_long, sizeof(too_long)));
	(void)journal_get(&w);
	cr_assert(w.is_failed);
	buf_clear(&b);
}

/* ---- heads ---- */

Test(journal_record, heads_are_checked)
{
	struct journal_head head = { .number = 5, .begun_at = 6, .group = 7,
	    .previous = 8, .uuid = { 9 } }, h;
	struct journal_index_head index = { .number = 1, .valid = 2, .low = 3,
	    .high = 4, .count = 5, .sum = 6 }, x;
	struct buf b;

	buf_init(&b, 1024);
	journal_head_put(&b, &head);
	cr_assert_eq(b.n, JOURNAL_FILE_HEAD);
	cr_assert_eq(journal_head_get(buf_span(&b), &h), OK);
	cr_assert_eq(h.previous, 8);
	cr_assert_eq(h.uuid[0], 9);
	cr_assert_eq(journal_index_head_get(buf_span(&b), &x), ERR_CORRUPT);
	for (size_t bit = 0; bit < b.n * 8; bit++) {
		b.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
		cr_assert_neq(journal_head_get(buf_span(&b), &h), OK);
		b.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	buf_reset(&b);
	journal_index_head_put(&b, &index);
	cr_assert_eq(journal_index_head_get(buf_span(&b), &x), OK);
	cr_assert_eq(x.sum, 6);
	buf_clear(&b);
}

Test(journal_record, names)
{
	char name[JOURNAL_NAME_SIZE];
	uint64_t number;

	journal_name(0xabc, "log", name);
	cr_assert_str_eq(name, "0000000000000abc.log");
	cr_assert(journal_name_number(name, &number));
	cr_assert_eq(number, 0xabc);
	cr_assert(!journal_name_number("abc.log", &number));
	cr_assert(!journal_name_number("0000000000000abc.idx", &number));
	cr_assert(!journal_name_number("", &number));
}
