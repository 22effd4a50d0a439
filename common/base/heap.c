/*
 * A binary heap in an array, the smallest key at the top.  Each move writes
 * the place into the node, so that removal from anywhere needs no search.
 * Nodes are shifted into the gap rather than swapped: one store a level.
 */
#include "common/base/heap.h"

#include "common/base/check.h"

#include <stdlib.h>

#define FIRST_SIZE 64

void
heap_init(struct heap *h)
{
	*h = (struct heap){ 0 };
}

/* Nodes are the callers'; they are only told that they are in no heap. */
void
heap_clear(struct heap *h)
{
	for (size_t i = 1; i <= h->n; i++)
		h->nodes[i]->place = 0;
	free(h->nodes);
	heap_init(h);
}

/* Place 0 stays unused, so that the parent of I is I / 2.  Room reserved once
 * makes later additions safe from failure. */
enum err
heap_reserve(struct heap *h, size_t n)
{
	struct heap_node **nodes;
	size_t size = h->size > 0 ? h->size : FIRST_SIZE;

	if (n < h->size)
		return OK;
	if (n >= SIZE_MAX / sizeof(struct heap_node *) / 2)
		return ERR_NOMEM;
	while (size <= n)
		size *= 2;
	nodes = realloc(h->nodes, size * sizeof(struct heap_node *));
	if (nodes == NULL)
		return ERR_NOMEM;
	h->nodes = nodes;
	h->size = size;
	return OK;
}

static void
put(struct heap *h, size_t place, struct heap_node *node)
{
	h->nodes[place] = node;
	node->place = place;
}

/* Finds NODE its place between PLACE and the top, moving larger ones down. */
static void
rise(struct heap *h, size_t place, struct heap_node *node)
{
	while (place > 1 && node->key < h->nodes[place / 2]->key) {
		put(h, place, h->nodes[place / 2]);
		place /= 2;
	}
	put(h, place, node);
}

/* The same between PLACE and the bottom, moving smaller ones up. */
static void
sink(struct heap *h, size_t place, struct heap_node *node)
{
	for (;;) {
		size_t child = 2 * place;

		if (child > h->n)
			break;
		if (child < h->n &&
		    h->nodes[child + 1]->key < h->nodes[child]->key)
			child++;
		if (node->key <= h->nodes[child]->key)
			break;
		put(h, place, h->nodes[child]);
		place = child;
	}
	put(h, place, node);
}

/* Whoever filled a gap from another branch may have to go either way. */
static void
settle(struct heap *h, size_t place, struct heap_node *node)
{
	if (place > 1 && node->key < h->nodes[place / 2]->key)
		rise(h, place, node);
	else
		sink(h, place, node);
}

enum err
heap_add(struct heap *h, struct heap_node *node, int64_t key)
{
	enum err e = heap_reserve(h, h->n + 1);

	if (e != OK)
		return e;
	MUST(node->place == 0);
	node->key = key;
	rise(h, ++h->n, node);
	return OK;
}

/* For a key that changed: cheaper than to remove and add. */
void
heap_move(struct heap *h, struct heap_node *node, int64_t key)
{
	MUST(node->place > 0 && node->place <= h->n);
	node->key = key;
	settle(h, node->place, node);
}

/* The last node fills the gap, and goes up or down from there. */
void
heap_remove(struct heap *h, struct heap_node *node)
{
	size_t place = node->place;
	struct heap_node *last;

	if (place == 0)
		return;
	MUST(place <= h->n && h->nodes[place] == node);
	last = h->nodes[h->n--];
	node->place = 0;
	if (last != node)
		settle(h, place, last);
}
