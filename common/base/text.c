/*
 * Most bytes are plain, so runs of them are found first and copied whole; this
 * is on the way of every log line.
 */
#include "common/base/text.h"

/* A set of bytes, one bit each. */
struct byte_set {
	uint64_t bits[4];
};

static inline bool
is_in(const struct byte_set *set, uint8_t c)
{
	return (set->bits[c >> 6] >> (c & 63) & 1) != 0;
}

/* What stays as it is: printable ASCII without backslash and STRESS. */
static struct byte_set
plain_bytes(const char *stress)
{
	struct byte_set set = { { UINT64_C(0xffffffff00000000),
	    UINT64_C(0x7fffffffefffffff), 0, 0 } };

	for (; stress != NULL && *stress != '\0'; stress++) {
		uint8_t c = (uint8_t)*stress;

		set.bits[c >> 6] &= ~(UINT64_C(1) << (c & 63));
	}
	return set;
}

/* How many bytes from the front of S are in the set, MAX at most. */
static size_t
run_length(struct span s, const struct byte_set *set, size_t max)
{
	size_t n = 0;

	if (max > s.n)
		max = s.n;
	while (n < max && is_in(set, s.p[n]))
		n++;
	return n;
}

/* Always four characters, so that one byte's escape can be told from the
 * next. */
static void
show(uint8_t c, char shown[TEXT_ESCAPED_MAX])
{
	static const char digits[] = "0123456789abcdef";

	shown[0] = '\\';
	shown[1] = 'x';
	shown[2] = digits[c >> 4];
	shown[3] = digits[c & 15];
}

/*
 * Writes whole bytes as long as they fit, and says how far it came in the text
 * (the result) and in S (*USED).  Half an escape would be read as another
 * byte, so there is none.
 */
static size_t
fill(struct span s, const struct byte_set *plain, char *out, size_t size,
    size_t *used)
{
	size_t n = 0, at = 0;

	while (at < s.n) {
		size_t run = run_length(span_from(s, at), plain, size - n);

		if (run > 0)
			memcpy(out + n, s.p + at, run);
		n += run;
		at += run;
		/* a plain byte here means that the run was ended by the
		 * room */
		if (at == s.n || is_in(plain, s.p[at]) ||
		    size - n < TEXT_ESCAPED_MAX)
			break;
		show(s.p[at++], out + n);
		n += TEXT_ESCAPED_MAX;
	}
	*used = at;
	return n;
}

/* Two runs when it doesn't fit: how much has to go for the dots is known only
 * when the first has shown that some must. */
size_t
text_escape(struct span s, const char *stress, char *out, size_t size)
{
	static const char dots[] = { '.', '.', '.' };
	struct byte_set plain = plain_bytes(stress);
	size_t used, width;
	size_t n = fill(s, &plain, out, size, &used);

	if (used == s.n)
		return n;
	/* again, with room for the dots */
	width = size < sizeof(dots) ? size : sizeof(dots);
	n = fill(s, &plain, out, size - width, &used);
	memcpy(out + n, dots, width);
	return n + width;
}

/* Room for the worst case, which is four times S, but never more than MAX. */
void
text_escape_to(struct buf *b, struct span s, const char *stress, size_t max)
{
	size_t worst = s.n > SIZE_MAX / TEXT_ESCAPED_MAX ?
	    max : s.n * TEXT_ESCAPED_MAX;
	uint8_t *to = buf_reserve(b, worst < max ? worst : max);

	if (to == NULL)
		return;
	buf_commit(b, text_escape(s, stress, (char *)to,
	    worst < max ? worst : max));
}

void
text_lower(struct span s, uint8_t *out)
{
	for (size_t i = 0; i < s.n; i++)
		out[i] = text_lower_byte(s.p[i]);
}
