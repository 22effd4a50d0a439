/*
 * Base64 (RFC 4648 section 4), strict: padded, no blanks, no stray bits.
 */
#ifndef MTAD_BASE_BASE64_H
#define MTAD_BASE_BASE64_H

#include "common/base/buf.h"

/* Most bytes that N characters can stand for. */
#define BASE64_DECODED_MAX(n) ((n) / 4 * 3)

/* Appends without line breaks; failure is the buffer's. */
void base64_encode(struct buf *b, struct span s);

/* Writes to OUT, which has SIZE bytes, and says how many.  ERR_SYNTAX, or
 * ERR_RANGE when OUT is too small; OUT's content is undefined then. */
enum err base64_decode(struct span s, uint8_t *out, size_t size, size_t *n);

#endif
