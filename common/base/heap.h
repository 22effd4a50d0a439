/*
 * An intrusive binary heap: the smallest key first, removal from anywhere.
 *
 * Borrows its nodes, which lie inside the caller's objects; owns only the
 * array of pointers.  A node must be zero (or heap_node_init) before its
 * first use.  Equal keys come out in no order.
 */
#ifndef MTAD_BASE_HEAP_H
#define MTAD_BASE_HEAP_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;		/* a time, mostly; change it by heap_move() */
	size_t place;		/* 1-based; 0: in no heap */
};

struct heap {
	struct heap_node **nodes;	/* nodes[1] is the smallest */
	size_t n;
	size_t size;
};

/* life: init allocates nothing; clear lets all nodes go */
void heap_init(struct heap *h);
void heap_clear(struct heap *h);

/* Makes room for N nodes in all, so that adding them cannot fail. */
enum err heap_reserve(struct heap *h, size_t n);

/* OK or ERR_NOMEM.  The node must be in no heap. */
enum err heap_add(struct heap *h, struct heap_node *node, int64_t key);

/* Gives a node that is in the heap another key. */
void heap_move(struct heap *h, struct heap_node *node, int64_t key);

/* Takes a node out; does nothing when it is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The smallest, or NULL; it stays. */
static inline struct heap_node *
heap_min(const struct heap *h)
{
	return h->n > 0 ? h->nodes[1] : NULL;
}

static inline void
heap_node_init(struct heap_node *node)
{
	node->key = 0;
	node->place = 0;
}

static inline bool
heap_has(const struct heap_node *node)
{
	return node->place != 0;
}

#endif
