/*
 * A list of blocks, each filled from its start; nothing is given back before
 * the whole arena is.  All memory for one parsed thing comes from one arena,
 * so whoever parses needs no way to undo: a failure drops the arena.
 *
 * The ceiling counts what was asked for, rounded up, not the blocks' unused
 * ends.
 */
#include "common/base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define ARENA_ALIGN alignof(max_align_t)
#define ARENA_BLOCK ((size_t)16 * 1024)		/* bytes of a usual block */

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) uint8_t bytes[];
};

struct arena {
	struct arena_block *blocks;	/* the first one is being filled */
	size_t used;
	size_t max;
};

/* Without a block: an arena that nobody uses costs nothing more. */
struct arena *
arena_new(size_t max)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena != NULL)
		arena->max = max;
	return arena;
}

/* All that it gave is gone with it; nothing in it is visited. */
void
arena_free(struct arena **arena)
{
	if (arena == NULL || *arena == NULL)
		return;
	while ((*arena)->blocks != NULL) {
		struct arena_block *block = (*arena)->blocks;

		(*arena)->blocks = block->next;
		free(block);
	}
	free(*arena);
	*arena = NULL;
}

/* A block with room for N bytes.  A large piece gets one of its own, behind
 * the one that is being filled, so that no room there is given up. */
static struct arena_block *
block_for(struct arena *arena, size_t n)
{
	struct arena_block *first = arena->blocks, *block;
	size_t size = n > ARENA_BLOCK / 4 ? n : ARENA_BLOCK;

	if (first != NULL && n <= first->size - first->used)
		return first;
	if ((block = malloc(sizeof(*block) + size)) == NULL)
		return NULL;
	block->used = 0;
	block->size = size;
	if (first != NULL && size != ARENA_BLOCK) {
		block->next = first->next;
		first->next = block;
	} else {
		block->next = first;
		arena->blocks = block;
	}
	return block;
}

/* Zeroed, and aligned for any type.  NULL without memory or behind the
 * ceiling: for the caller they are the same. */
void *
arena_alloc(struct arena *arena, size_t n, size_t size)
{
	struct arena_block *block;
	size_t bytes, left = arena->max - arena->used;
	void *p;

	/* by division: N times SIZE may not fit into a size_t */
	if (size != 0 && n > left / size)
		return NULL;
	bytes = n * size;
	/* an empty array gets an address of its own, too */
	bytes = bytes == 0 ? ARENA_ALIGN :
	    (bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (bytes > left || (block = block_for(arena, bytes)) == NULL)
		return NULL;
	p = block->bytes + block->used;
	block->used += bytes;
	arena->used += bytes;
	return memset(p, 0, bytes);
}

/* The NUL is the zero that the arena gave. */
char *
arena_text(struct arena *arena, struct span text)
{
	char *copy;

	if (text.n == SIZE_MAX ||
	    (copy = arena_alloc(arena, text.n + 1, 1)) == NULL)
		return NULL;
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	return copy;
}

size_t
arena_used(const struct arena *arena)
{
	return arena->used;
}
