/*
 * An intrusive doubly linked ring: the node lies inside the object.
 *
 * A head and a node are the same struct; an initialised node that is in no
 * list points at itself, so that removing it again does no harm.
 */
#ifndef MTAD_BASE_LIST_H
#define MTAD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev;
	struct list *next;
};

/* The object of TYPE whose MEMBER is at POINTER (which is not NULL). */
#define CONTAINER_OF(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - offsetof(type, member)))

static inline void
list_init(struct list *l)
{
	l->prev = l;
	l->next = l;
}

static inline bool
list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* Whether an initialised node is in some list. */
static inline bool
list_is_linked(const struct list *node)
{
	return node->next != node;
}

static inline void
list_insert_between(struct list *node, struct list *prev, struct list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void
list_add_first(struct list *head, struct list *node)
{
	list_insert_between(node, head, head->next);
}

static inline void
list_add_last(struct list *head, struct list *node)
{
	list_insert_between(node, head->prev, head);
}

/* Takes the node out of its list, if it is in one. */
static inline void
list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* First node or NULL; the node stays. */
static inline struct list *
list_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

static inline struct list *
list_last(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->prev;
}

/* The node behind NODE, NULL at the end. */
static inline struct list *
list_next(const struct list *head, const struct list *node)
{
	return node->next == head ? NULL : node->next;
}

/* Takes the first node out and gives it; NULL when empty. */
static inline struct list *
list_take_first(struct list *head)
{
	struct list *node = list_first(head);

	if (node != NULL)
		list_remove(node);
	return node;
}

/* Moves all nodes of FROM behind those of HEAD; FROM is empty then. */
static inline void
list_move_all(struct list *head, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = head->prev;
	head->prev->next = from->next;
	from->prev->next = head;
	head->prev = from->prev;
	list_init(from);
}

#endif
