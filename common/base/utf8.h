/*
 * UTF-8 (RFC 3629), strict: no surrogates, no overlong forms, U+10FFFF last.
 */
#ifndef MTAD_BASE_UTF8_H
#define MTAD_BASE_UTF8_H

#include "common/base/span.h"

#define UTF8_REPLACEMENT 0xfffdu

bool utf8_is_valid(struct span s);

/* Whether every byte is below 128. */
bool utf8_is_ascii(struct span s);

/*
 * Takes one character off the front of S, which is not empty.  When the bytes
 * there are not UTF-8, false, and the longest wrong beginning (1 to 3 bytes)
 * is taken off, so that a caller can write one U+FFFD for it.
 */
bool utf8_take(struct span *s, uint32_t *code);

#endif
