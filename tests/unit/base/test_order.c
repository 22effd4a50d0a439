/* list, heap and slots: what keeps objects in order without owning them */
#include "common/base/heap.h"
#include "common/base/list.h"
#include "common/base/rng.h"
#include "common/base/slots.h"

#include <criterion/criterion.h>

struct item {
	int number;
	struct list node;
};

static int
number_of(struct list *node)
{
	return node == NULL ? -1 :
	    CONTAINER_OF(node, struct item, node)->number;
}

Test(list, keeps_order)
{
	struct item items[4] = { { .number = 0 }, { .number = 1 },
		{ .number = 2 }, { .number = 3 } };
	struct list head, other;

	list_init(&head);
	list_init(&other);
	cr_expect(list_is_empty(&head));
	cr_expect_null(list_first(&head));
	cr_expect_null(list_last(&head));
	cr_expect_null(list_take_first(&head));
	for (int i = 0; i < 4; i++)
		list_init(&items[i].node);
	list_add_last(&head, &items[1].node);
	list_add_last(&head, &items[2].node);
	list_add_first(&head, &items[0].node);
	cr_expect_eq(number_of(list_first(&head)), 0);
	cr_expect_eq(number_of(list_last(&head)), 2);
	cr_expect_eq(number_of(list_next(&head, &items[0].node)), 1);
	cr_expect_null(list_next(&head, &items[2].node));
	cr_expect(list_is_linked(&items[1].node));
	list_remove(&items[1].node);
	list_remove(&items[1].node);
	cr_expect_not(list_is_linked(&items[1].node));

	list_add_last(&other, &items[3].node);
	list_move_all(&head, &other);
	list_move_all(&head, &other);
	cr_expect(list_is_empty(&other));
	cr_expect_eq(number_of(list_take_first(&head)), 0);
	cr_expect_eq(number_of(list_take_first(&head)), 2);
	cr_expect_eq(number_of(list_take_first(&head)), 3);
	cr_expect(list_is_empty(&head));
}

#define NODES 300

static void
check_heap(const struct heap *h)
{
	for (size_t i = 1; i <= h->n; i++) {
		cr_assert_eq(h->nodes[i]->place, i);
		if (i > 1)
			cr_assert(h->nodes[i / 2]->key <= h->nodes[i]->key);
	}
}

Test(heap, agrees_with_a_search)
{
	static struct heap_node nodes[NODES];
	struct heap h;
	struct rng r;

	heap_init(&h);
	rng_init(&r, 9);
	for (int step = 0; step < 50000; step++) {
		struct heap_node *node = &nodes[rng_below(&r, NODES)];
		int64_t key = rng_between(&r, -50, 50);
		int64_t least = INT64_MAX;

		if (!heap_has(node))
			cr_assert_eq(heap_add(&h, node, key), OK);
		else if (key % 2 == 0)
			heap_move(&h, node, key);
		else
			heap_remove(&h, node);
		if (step % 16 != 0)
			continue;
		check_heap(&h);
		for (size_t i = 0; i < NODES; i++) {
			if (heap_has(&nodes[i]) && nodes[i].key < least)
				least = nodes[i].key;
		}
		cr_assert_eq(heap_min(&h) != NULL ? heap_min(&h)->key :
		    INT64_MAX, least);
	}
	heap_clear(&h);
	cr_expect_null(heap_min(&h));
	for (size_t i = 0; i < NODES; i++)
		cr_expect_not(heap_has(&nodes[i]));
}

Test(heap, sorts_and_reserves)
{
	static struct heap_node nodes[NODES];
	int64_t last = INT64_MIN;
	struct heap h;
	struct rng r;

	heap_init(&h);
	cr_expect_eq(heap_reserve(&h, SIZE_MAX), ERR_NOMEM);
	cr_expect_eq(heap_reserve(&h, NODES), OK);
	rng_init(&r, 3);
	for (size_t i = 0; i < NODES; i++) {
		struct heap_node **before = h.nodes;

		heap_node_init(&nodes[i]);
		cr_assert_eq(heap_add(&h, &nodes[i], (int64_t)rng_u64(&r)),
		    OK);
		cr_assert_eq(h.nodes, before, "room was there");
	}
	for (size_t i = 0; i < NODES; i++) {
		struct heap_node *min = heap_min(&h);

		cr_assert(min->key >= last);
		last = min->key;
		heap_remove(&h, min);
		heap_remove(&h, min);
	}
	cr_expect_null(heap_min(&h));
	heap_clear(&h);
}

Test(slots, ids_die_with_their_objects)
{
	struct slots *s = NULL;
	char a, b, c;
	uint64_t ids[3], again;

	cr_expect_eq(slots_new(0, &s), ERR_RANGE);
	cr_expect_eq(slots_new(SLOTS_CAPACITY_MAX + 1, &s), ERR_RANGE);
	cr_assert_eq(slots_new(2, &s), OK);
	cr_expect_null(slots_get(s, 0));
	cr_assert_eq(slots_add(s, &a, &ids[0]), OK);
	cr_assert_eq(slots_add(s, &b, &ids[1]), OK);
	cr_expect_eq(slots_add(s, &c, &ids[2]), ERR_FULL);
	cr_expect_eq(slots_count(s), 2);
	cr_expect_eq(slots_get(s, ids[0]), &a);
	cr_expect_eq(slots_remove(s, ids[0]), &a);
	cr_expect_null(slots_remove(s, ids[0]));
	cr_expect_null(slots_get(s, ids[0]));
	cr_assert_eq(slots_add(s, &c, &again), OK);
	cr_expect_neq(again, ids[0]);
	cr_expect_null(slots_get(s, ids[0]), "the old id is not the new one");
	cr_expect_eq(slots_get(s, again), &c);
	slots_free(&s);
	cr_expect_null(s);
	slots_free(&s);
}

Test(slots, made_up_ids_find_nothing)
{
	struct slots *s = NULL;
	struct rng r;
	uint64_t id;
	char object;

	cr_assert_eq(slots_new(8, &s), OK);
	cr_assert_eq(slots_add(s, &object, &id), OK);
	rng_init(&r, 1);
	for (int i = 0; i < 100000; i++) {
		uint64_t wrong = rng_u64(&r) >> rng_below(&r, 64);

		if (wrong != id)
			cr_assert_null(slots_get(s, wrong));
	}
	slots_free(&s);
}

Test(slots, walk)
{
	struct slots *s = NULL;
	uint32_t cursor = 0;
	char objects[5];
	uint64_t ids[5];
	int seen = 0;

	cr_assert_eq(slots_new(10, &s), OK);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(slots_add(s, &objects[i], &ids[i]), OK);
	slots_remove(s, ids[2]);
	for (char *o; (o = slots_next(s, &cursor)) != NULL; seen++)
		cr_expect_neq(o, &objects[2]);
	cr_expect_eq(seen, 4);
	slots_free(&s);
}
