/*
 * Hexadecimal digits: written in lower case, read in either.
 */
#ifndef MTAD_BASE_HEX_H
#define MTAD_BASE_HEX_H

#include "common/base/buf.h"

/* 0..15, or -1 for any other byte. */
int hex_value(uint8_t digit);

/* Appends two digits a byte; failure is the buffer's. */
void hex_encode(struct buf *b, struct span s);

/* Writes to OUT, which has SIZE bytes, and says how many.  ERR_SYNTAX for an
 * odd count or another character, ERR_RANGE when OUT is too small. */
enum err hex_decode(struct span s, uint8_t *out, size_t size, size_t *n);

#endif
