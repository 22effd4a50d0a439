/*
 * Free slots form a list inside the table.  The slot freed last is used next,
 * while it is still in the cache; generations make that safe: an id kept too
 * long finds nothing, not the slot's next tenant.
 */
#include "common/base/slots.h"

#include "common/base/check.h"

#include <stdlib.h>

/* An id is generation << 32 | index.  Generations begin at 1. */
struct slot {
	void *object;		/* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct slots {
	uint32_t capacity;
	uint32_t count;
	uint32_t first_free;	/* == capacity: none */
	struct slot slot[];
};

enum err
slots_new(uint32_t capacity, struct slots **out)
{
	struct slots *s;

	if (capacity == 0 || capacity > SLOTS_CAPACITY_MAX)
		return ERR_RANGE;
	s = malloc(sizeof(*s) + capacity * sizeof(s->slot[0]));
	if (s == NULL)
		return ERR_NOMEM;
	s->capacity = capacity;
	s->count = 0;
	s->first_free = 0;
	for (uint32_t i = 0; i < capacity; i++)
		s->slot[i] = (struct slot){ NULL, 1, i + 1 };
	*out = s;
	return OK;
}

void
slots_free(struct slots **s)
{
	if (s == NULL)
		return;
	free(*s);
	*s = NULL;
}

enum err
slots_add(struct slots *s, void *object, uint64_t *id)
{
	uint32_t index = s->first_free;
	struct slot *slot;

	MUST(object != NULL);
	if (index == s->capacity)
		return ERR_FULL;
	slot = &s->slot[index];
	s->first_free = slot->next_free;
	s->count++;
	slot->object = object;
	*id = (uint64_t)slot->generation << 32 | index;
	return OK;
}

/* A free slot has the generation of its next use, which nobody can know yet;
 * its object is NULL in any case. */
void *
slots_get(const struct slots *s, uint64_t id)
{
	uint32_t index = (uint32_t)id;

	if (index >= s->capacity || s->slot[index].generation != id >> 32)
		return NULL;
	return s->slot[index].object;
}

/* The generation moves at removal, so that the old id is void at once. */
void *
slots_remove(struct slots *s, uint64_t id)
{
	void *object = slots_get(s, id);
	struct slot *slot;

	if (object == NULL)
		return NULL;
	slot = &s->slot[(uint32_t)id];
	slot->object = NULL;
	/* 0 is skipped at the turn, so that no id is 0 */
	if (++slot->generation == 0)
		slot->generation = 1;
	slot->next_free = s->first_free;
	s->first_free = (uint32_t)id;
	s->count--;
	return object;
}

uint32_t
slots_count(const struct slots *s)
{
	return s->count;
}

/* In the order of slots.  Removal while walking is allowed. */
void *
slots_next(const struct slots *s, uint32_t *cursor)
{
	while (*cursor < s->capacity) {
		void *object = s->slot[(*cursor)++].object;

		if (object != NULL)
			return object;
	}
	return NULL;
}
