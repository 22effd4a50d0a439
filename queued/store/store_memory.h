/*
 * Messages and units in memory: how they come and when they go.
 *
 * A message stays while any of its units is here, while it or a unit of it
 * waits for a check-point, and while somebody holds it.  A settled unit that
 * the index still knows stays as a tombstone until the index has forgotten it.
 */
#ifndef MTAD_QUEUED_STORE_STORE_MEMORY_H
#define MTAD_QUEUED_STORE_STORE_MEMORY_H

#include "queued/store/store_private.h"
#include "queued/store/store_record.h"

static inline struct message *
store_memory_message(struct store_message *m)
{
	return CONTAINER_OF(m, struct message, pub);
}

static inline struct unit *
store_memory_unit(struct store_unit *u)
{
	return CONTAINER_OF(u, struct unit, pub);
}

/*
 * A new message with all its units, as its record says; it counts, and is
 * dirty.  ERR_CORRUPT when the record contradicts itself, ERR_EXISTS,
 * ERR_NOMEM.
 */
enum err store_memory_birth(struct store *s, uint64_t id,
    const struct store_record_message *r, struct message **out);

/* In memory and not gone, else NULL. */
struct message *store_memory_find(const struct store *s, uint64_t id);

/* From the index if need be; ERR_NOT_FOUND, ERR_CORRUPT, ERR_NOMEM.  A
 * message without units must be given back with store_memory_release(). */
enum err store_memory_load(struct store *s, uint64_t id,
    struct message **out);
enum err store_memory_load_unit(struct store *s, struct message *m,
    uint32_t number, struct unit **out);

/* All units of M that the index has; damaged ones are passed over. */
enum err store_memory_load_all(struct store *s, struct message *m);

/* Takes a unit out of memory; its message goes with the last one. */
void store_memory_drop_unit(struct store *s, struct unit *u);

/* Frees the message if nothing keeps it. */
void store_memory_release(struct store *s, struct message *m);

/* A message that never was: its group failed. */
void store_memory_unborn(struct store *s, struct message *m);

/* A unit was settled: frees it or leaves a tombstone; likewise the message. */
void store_memory_unit_over(struct store *s, struct unit *u);

/* For store_remake.c, which gives a message another state.  Leave: it counts
 * no more, nor do its units.  Put: FRESH takes the place of the unit of its
 * number, and that one's rows.  Bury: a unit is gone, and does not count.
 * Return: it counts again, as it is now.  End: all of it is over. */
void store_memory_leave(struct store *s, struct message *m);
void store_memory_put_unit(struct store *s, struct message *m,
    struct unit *fresh);
void store_memory_bury_unit(struct store *s, struct unit *u);
void store_memory_return(struct store *s, struct message *m);
void store_memory_end(struct store *s, struct message *m);

void store_memory_clear(struct store *s);

/* It was not due when it came, or is put off: no lease goes without its note. */
static inline bool
store_is_put_off(const struct store_unit *u)
{
	return u->due_at != u->message->arrived_at;
}

#endif
