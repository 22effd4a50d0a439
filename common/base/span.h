/*
 * A borrowed run of bytes: pointer and length, no ownership, no terminator.
 */
#ifndef MTAD_BASE_SPAN_H
#define MTAD_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;	/* may be NULL when n is 0 */
	size_t n;
};

#define SPAN_NONE ((struct span){ NULL, 0 })

/* Of a string literal, without its NUL. */
#define SPAN_LIT(s) ((struct span){ (const uint8_t *)("" s), sizeof(s) - 1 })

static inline struct span
span_of(const void *p, size_t n)
{
	return (struct span){ p, n };
}

static inline struct span
span_str(const char *s)
{
	return (struct span){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

/* The part from AT on, LEN bytes at most; both are clipped to S. */
static inline struct span
span_sub(struct span s, size_t at, size_t len)
{
	if (at > s.n)
		at = s.n;
	if (len > s.n - at)
		len = s.n - at;
	return (struct span){ s.n ? s.p + at : s.p, len };
}

static inline struct span
span_from(struct span s, size_t at)
{
	return span_sub(s, at, s.n);
}

static inline bool
span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case is ignored; other bytes count as they are. */
bool span_equal_nocase(struct span a, struct span b);
bool span_starts_nocase(struct span s, struct span prefix);

/* Bytewise order, shorter first among equals: <0, 0, >0. */
int span_compare(struct span a, struct span b);

/* Index of the first BYTE, or s.n when there is none. */
size_t span_find(struct span s, uint8_t byte);

/* Copies at most SIZE - 1 bytes and a NUL; returns false when S was cut or
 * holds a NUL. */
bool span_copy(struct span s, char *out, size_t size);

#endif
