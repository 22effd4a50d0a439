/*
 * Memory that is taken in small pieces and given back all at once.
 *
 * For structures that are built once and then only read (a configuration, a
 * table): no piece is freed alone, nothing leaks when building fails half-way.
 */
#ifndef MTAD_BASE_ARENA_H
#define MTAD_BASE_ARENA_H

#include "common/base/err.h"
#include "common/base/span.h"

struct arena;

/* MAX is the ceiling of all pieces together in bytes.  NULL: no memory. */
struct arena *arena_new(size_t max);
void arena_free(struct arena **arena);

/* N elements of SIZE bytes, zeroed, aligned for any type; N may be 0.  NULL
 * when there is no memory, the ceiling is reached or N * SIZE overflows. */
void *arena_alloc(struct arena *arena, size_t n, size_t size);

/* A NUL-terminated copy; NULL as above. */
char *arena_text(struct arena *arena, struct span text);

/* Bytes handed out so far, with what alignment costs. */
size_t arena_used(const struct arena *arena);

#endif
