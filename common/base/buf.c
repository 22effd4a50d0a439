/*
 * One block of memory that doubles.  All ways of adding go through
 * buf_reserve(), the only place that decides about room and failure.  A
 * failure sticks, so whoever builds something asks once, at its end, instead
 * of after each piece.
 */
#include "common/base/buf.h"

#include "common/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_SIZE 64

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

/* The maximum stays: the buffer can be filled again. */
void
buf_clear(struct buf *b)
{
	free(b->p);
	buf_init(b, b->max);
}

/* Keeps the block: for buffers that are filled again and again. */
void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->is_failed = false;
}

/* The size to allocate so that WANTED (<= max) bytes fit: doubling keeps the
 * cost of many small appends linear. */
static size_t
next_size(const struct buf *b, size_t wanted)
{
	size_t size = b->size > 0 ? b->size : FIRST_SIZE;

	while (size < wanted && size <= b->max / 2)
		size *= 2;
	if (size < wanted || size > b->max)
		size = b->max;
	return size;
}

/* The old block is untouched when there is no memory: what was gathered stays
 * readable, as the contract says. */
static void
grow(struct buf *b, size_t wanted)
{
	size_t size = next_size(b, wanted);
	uint8_t *p = realloc(b->p, size);

	if (p == NULL) {
		b->is_failed = true;
		return;
	}
	b->p = p;
	b->size = size;
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	if (b->is_failed)
		return NULL;
	/* even for no bytes there is a place to point at */
	if (n == 0 && b->size == 0)
		n = 1;
	if (n > b->max || b->n > b->max - n) {
		b->is_failed = true;
		return NULL;
	}
	if (n > b->size - b->n)
		grow(b, b->n + n);
	return b->is_failed ? NULL : b->p + b->n;
}

/* The ceiling counts even where the block is larger: it may have sunk since. */
static inline bool
has_room(const struct buf *b, size_t n)
{
	return !b->is_failed && n <= b->size - b->n && b->n + n <= b->max;
}

void
buf_commit(struct buf *b, size_t n)
{
	/* more than was reserved would be memory overwritten already */
	MUST(n <= b->size - b->n);
	b->n += n;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	uint8_t *to;

	if (n == 0)
		return;
	/* nearly always there is room: no call for it */
	to = has_room(b, n) ? b->p + b->n : buf_reserve(b, n);
	if (to == NULL)
		return;
	memcpy(to, p, n);
	b->n += n;
}

void
buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.n);
}

void
buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_add_byte(struct buf *b, uint8_t byte)
{
	uint8_t *to = has_room(b, 1) ? b->p + b->n : buf_reserve(b, 1);

	if (to == NULL)
		return;
	*to = byte;
	b->n++;
}

void
buf_add_u64(struct buf *b, uint64_t decimal)
{
	uint8_t digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (uint8_t)('0' + decimal % 10);
		decimal /= 10;
	} while (decimal > 0);
	buf_add(b, digits + at, sizeof(digits) - at);
}

/* Formats twice: first to learn the length, then in place. */
void
buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	uint8_t *to;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	/* vsnprintf() writes a NUL that is not ours to keep */
	to = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
	if (to == NULL) {
		b->is_failed = true;
		return;
	}
	va_start(args, format);
	(void)vsnprintf((char *)to, (size_t)n + 1, format, args);
	va_end(args);
	b->n += (size_t)n;
}

/* The rest moves to the front, so this is for what is taken in large
 * pieces. */
void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}
