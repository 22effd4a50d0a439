/*
 * Foreign bytes made safe to show: in logs, replies, reports, terminals.
 *
 * Printable ASCII stays, a backslash and all other bytes become \xNN: what
 * comes out is one line, without escape sequences, and can be undone.
 */
#ifndef MTAD_BASE_TEXT_H
#define MTAD_BASE_TEXT_H

#include "common/base/buf.h"

/* Most characters that one byte becomes. */
#define TEXT_ESCAPED_MAX 4

/*
 * Writes at most SIZE characters, no NUL, and returns how many.  What does not
 * fit is cut between bytes and "..." stands for it (SIZE permitting).  STRESS,
 * which may be NULL, lists printable characters to be escaped as well.
 */
size_t text_escape(struct span s, const char *stress, char *out, size_t size);

/* The same, appended, MAX characters at most. */
void text_escape_to(struct buf *b, struct span s, const char *stress,
    size_t max);

/* ASCII letters to lower case, in place or elsewhere; other bytes as is. */
void text_lower(struct span s, uint8_t *out);

static inline uint8_t
text_lower_byte(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static inline bool
text_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool
text_is_alpha(uint8_t c)
{
	uint8_t lower = c | 32;

	return lower >= 'a' && lower <= 'z';
}

static inline bool
text_is_print(uint8_t c)
{
	return c >= 0x20 && c < 0x7f;
}

#endif
