#include "common/base/text.h"

static bool
is_plain(uint8_t c, const char *stress)
{
	if (!text_is_print(c) || c == '\\')
		return false;
	return stress == NULL || strchr(stress, c) == NULL;
}

/* One byte as it is shown: 1 or TEXT_ESCAPED_MAX characters. */
static size_t
show(uint8_t c, const char *stress, char shown[TEXT_ESCAPED_MAX])
{
	static const char digits[] = "0123456789abcdef";

	if (is_plain(c, stress)) {
		shown[0] = (char)c;
		return 1;
	}
	shown[0] = '\\';
	shown[1] = 'x';
	shown[2] = digits[c >> 4];
	shown[3] = digits[c & 15];
	return TEXT_ESCAPED_MAX;
}

size_t
text_escape(struct span s, const char *stress, char *out, size_t size)
{
	static const char dots[] = { '.', '.', '.' };
	size_t n = 0;
	size_t cut = 0;		/* the last end that leaves room for dots */

	for (size_t i = 0; i < s.n; i++) {
		char shown[TEXT_ESCAPED_MAX];
		size_t width = show(s.p[i], stress, shown);

		if (width > size - n) {
			size_t room = size - cut;

			if (room > sizeof(dots))
				room = sizeof(dots);
			memcpy(out + cut, dots, room);
			return cut + room;
		}
		memcpy(out + n, shown, width);
		n += width;
		if (size >= sizeof(dots) && n <= size - sizeof(dots))
			cut = n;
	}
	return n;
}

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
