/*
 * What the spool reads from disk: the first byte chooses a form, the rest are
 * its bytes.  Sums are made right where the form has one, so that what lies
 * behind them is reached; whatever is accepted must be consistent.
 */
#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "queued/store/store_list.h"
#include "queued/store/store_group.h"
#include "queued/store/store_memory.h"
#include "queued/store/store_row.h"

#include <stdlib.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
read_group(struct span s)
{
	struct store_group_head head;
	struct store_record r;
	struct span records;
	uint32_t sum;

	if (store_group_get_head(s, &head) != OK ||
	    store_group_size(&head) > s.n ||
	    store_group_check(s, &head, &sum) != OK)
		return;
	records = store_group_records(s, &head);
	for (uint32_t i = 0; i < head.records; i++)
		MUST(store_record_next(&records, &r) == OK);
	MUST(records.n == 0);
}

static void
read_records(struct span s)
{
	struct store_record r;

	while (s.n > 0 && store_record_next(&s, &r) == OK)
		(void)store_record_content_ok(&r);
}

/* A message as the replay takes it, in a store that has nothing else. */
static void
be_born(struct span s)
{
	static struct store store;
	static const struct siphash_key seed = { 1, 2 };
	struct store_record_message fields;
	struct message *m;
	uint32_t left = 0;

	if (store_record_get_message(s, &fields) != OK)
		return;
	buf_init(&store.scratch, 1 << 20);
	map_u64_init(&store.messages, &seed);
	list_init(&store.fresh);
	store_overlay_init(&store.overlay);
	store.is_recovering = true;
	if (store_memory_birth(&store, 1, &fields, &m) == OK) {
		for (uint32_t i = 0; i < m->pub.unit_count; i++) {
			const struct store_unit *u = &m->units[i]->pub;

			MUST(u->count > 0 && u->left == u->count);
			MUST(u->recipients[u->count - 1].address.n > 0);
			left += u->left;
		}
		MUST(left == m->pub.left || store_is_list(&m->pub));
		store_memory_unborn(&store, m);
		MUST(store.count.recipients == 0 && store.count.units == 0);
	}
	map_u64_clear(&store.messages);
	store_overlay_clear(&store.overlay);
	buf_clear(&store.scratch);
}

static void
read_moved(struct span s)
{
	struct store_record_moved moved;

	if (store_record_get_moved(s, &moved) != OK)
		return;
	for (uint32_t i = 0; i < moved.row_count; i++) {
		uint32_t number;

		(void)store_record_next_row(&moved.rows, &number);
		MUST(number < moved.message.unit_count);
	}
	MUST(moved.rows.n == 0);
}

static void
read_fields(struct span s)
{
	struct store_result *results =
	    calloc(STORE_UNIT_RECIPIENTS, sizeof(*results));
	struct store_verdict v;
	uint64_t value;
	uint32_t unit;
	bool is_held;

	MUST(results != NULL);
	if (store_record_get_verdict(s, &unit, results, &v) == OK)
		for (size_t i = 0; i < v.count; i++)
			MUST(results[i].first <= results[i].last &&
			    results[i].last < STORE_UNIT_RECIPIENTS);
	(void)store_record_get_unit(s, &unit, &value);
	(void)store_record_get_hold(s, &is_held);
	(void)store_list_get_begun(s, &value, &unit);
	read_moved(s);
	free(results);
}

static void
read_rows(struct span s)
{
	struct store_row_key id = store_row_key_message(1);
	struct store_row_key unit_key = store_row_key_unit(1, 2);
	struct span keys[2] = { span_of(id.p, id.n),
	    span_of(unit_key.p, unit_key.n) };
	struct store_segment seg = { .number = 1 };
	struct store_meta meta;
	struct message *m;
	struct unit *u;
	uint64_t a, b;
	struct buf row;

	for (int i = 0; i < 2; i++) {
		struct span value;

		buf_init(&row, s.n + 64);
		buf_add_span(&row, s);
		wire_put_u32(&row, crc32c(crc32c(0, keys[i].p, keys[i].n),
		    s.p, s.n));
		value = buf_span(&row);
		if (store_row_get_message(keys[i], value, &m) == OK)
			free(m);
		if (store_row_get_unit(keys[i], value, &u) == OK) {
			MUST(u->pub.left > 0 && u->pub.left <= u->pub.count);
			free(u);
		}
		(void)store_row_get_due(keys[i], value, &a, &b);
		(void)store_row_get_segment(keys[i], value, &seg);
		store_numbers_clear(&seg.settles);
		(void)store_row_get_meta(keys[i], value, &meta);
		buf_clear(&row);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span s = span_from(span_of(p, n), 1);

	switch (n > 0 ? p[0] % 5 : 0) {
	case 0:
		read_group(s);
		break;
	case 1:
		read_records(s);
		break;
	case 2:
		be_born(s);
		break;
	case 3:
		read_fields(s);
		break;
	default:
		read_rows(s);
	}
	return 0;
}
