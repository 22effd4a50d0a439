/*
 * A fixed table that gives ids for pointers, to be kept across callbacks.
 *
 * An id is slot and generation in one number, never 0, and dead for good once
 * its object was removed: whoever kept it gets NULL, not another's object.
 * The table borrows the objects.
 */
#ifndef MTAD_BASE_SLOTS_H
#define MTAD_BASE_SLOTS_H

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SLOTS_CAPACITY_MAX 0x1000000u

struct slots;

/* ERR_RANGE for a capacity of 0 or above the maximum, ERR_NOMEM. */
enum err slots_new(uint32_t capacity, struct slots **out);
void slots_free(struct slots **s);

/* OBJECT is not NULL.  ERR_FULL when the capacity is used up. */
enum err slots_add(struct slots *s, void *object, uint64_t *id);

/* The object, or NULL for any id that is not alive, even a made-up one. */
void *slots_get(const struct slots *s, uint64_t id);

/* Takes the object out and gives it; NULL as above. */
void *slots_remove(struct slots *s, uint64_t id);

uint32_t slots_count(const struct slots *s);

/* Walks by slot: start with *CURSOR = 0; NULL at the end.  Objects may be
 * added and removed during a walk. */
void *slots_next(const struct slots *s, uint32_t *cursor);

#endif
