/*
 * A ring that doubles when it is full.  Effects lie in it in order of their
 * groups, so taking is from the front only, and a turn of the loop costs what
 * it takes out, not what waits.  Searching is from the newest end, where what
 * is asked for nearly always lies.
 *
 * Making room and adding are two steps: the first may fail, before anything
 * was appended to the log; the second comes after the append and may not.
 */
#include "queued/effects.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 256 };

void
effects_init(struct effects *e)
{
	memset(e, 0, sizeof(*e));
}

void
effects_clear(struct effects *e)
{
	free(e->ring);
	effects_init(e);
}

/* The I-th from the front; size is a power of two, so the mask wraps. */
static struct effect *
at(const struct effects *e, size_t i)
{
	return &e->ring[(e->first + i) & (e->size - 1)];
}

enum err
effects_reserve(struct effects *e)
{
	size_t size = e->size > 0 ? e->size * 2 : FIRST_SIZE;
	struct effect *ring;

	if (e->n < e->size)
		return OK;
	ring = calloc(size, sizeof(*ring));
	if (ring == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < e->n; i++)
		ring[i] = *at(e, i);
	free(e->ring);
	e->ring = ring;
	e->first = 0;
	e->size = size;
	return OK;
}

void
effects_add(struct effects *e, const struct effect *effect)
{
	MUST(e->n < e->size);
	e->n++;
	*at(e, e->n - 1) = *effect;
}

/* An operator's job ends later than the group that holds its last change, so
 * its answer may belong further to the front. */
void
effects_insert(struct effects *e, const struct effect *effect)
{
	size_t i;

	effects_add(e, effect);
	for (i = e->n - 1; i > 0 && at(e, i - 1)->group > effect->group; i--)
		*at(e, i) = *at(e, i - 1);
	*at(e, i) = *effect;
}

bool
effects_take(struct effects *e, uint64_t upto, struct effect *out)
{
	if (e->n == 0 || at(e, 0)->group > upto)
		return false;
	*out = *at(e, 0);
	e->first = (e->first + 1) & (e->size - 1);
	e->n--;
	return true;
}

struct effect *
effects_find(struct effects *e, uint8_t kind, uint64_t a)
{
	for (size_t i = e->n; i > 0; i--) {
		struct effect *f = at(e, i - 1);

		if (f->kind == kind && f->a == a)
			return f;
	}
	return NULL;
}

bool
effects_has_message(const struct effects *e, uint64_t id)
{
	for (size_t i = e->n; i > 0; i--) {
		const struct effect *f = at(e, i - 1);

		if (f->b == id && (f->kind == EFFECT_SUBMITTED ||
		    f->kind == EFFECT_REPORT || f->kind == EFFECT_PART))
			return true;
	}
	return false;
}
