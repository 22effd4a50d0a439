/*
 * A 64-bit number as 13 characters that sort as the numbers do.
 *
 * Lower-case letters and digits without i, l, o and u, so that it can be read
 * aloud.  The most significant bits come first.
 */
#ifndef MTAD_BASE_B32_H
#define MTAD_BASE_B32_H

#include "common/base/err.h"
#include "common/base/span.h"

#define B32_LENGTH 13

/* Writes exactly B32_LENGTH characters, no NUL. */
void b32_encode(uint64_t v, char out[B32_LENGTH]);

/* Capital letters are read too.  ERR_SYNTAX for anything else. */
enum err b32_decode(struct span text, uint64_t *out);

#endif
