/*
 * What is too long to be inlined from the header.  An empty span may have a
 * NULL pointer, which the mem functions must never see (C17 7.24.1).
 */
#include "common/base/span.h"

#include "common/base/text.h"

static bool
is_same_nocase(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i] &&
		    text_lower_byte(a[i]) != text_lower_byte(b[i]))
			return false;
	}
	return true;
}

bool
span_equal_nocase(struct span a, struct span b)
{
	return a.n == b.n && is_same_nocase(a.p, b.p, a.n);
}

bool
span_starts_nocase(struct span s, struct span prefix)
{
	return s.n >= prefix.n && is_same_nocase(s.p, prefix.p, prefix.n);
}

/* By unsigned bytes; of two that begin alike the shorter comes first. */
int
span_compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (order != 0)
		return order;
	return a.n < b.n ? -1 : a.n > b.n;
}

size_t
span_find(struct span s, uint8_t byte)
{
	const uint8_t *found;

	if (s.n == 0)
		return 0;
	found = memchr(s.p, byte, s.n);
	return found != NULL ? (size_t)(found - s.p) : s.n;
}

/* A NUL inside would make the copy shorter than it seems: that is told as a
 * failure, too. */
bool
span_copy(struct span s, char *out, size_t size)
{
	size_t n = s.n;

	if (size == 0)
		return false;
	if (n > size - 1)
		n = size - 1;
	if (n > 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
	return n == s.n && strlen(out) == n;
}
