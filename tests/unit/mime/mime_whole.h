/*
 * A message surveyed and converted in one go, and its parts decoded: what the
 * tests of the room share.
 */
#ifndef MTAD_TESTS_MIME_MIME_WHOLE_H
#define MTAD_TESTS_MIME_MIME_WHOLE_H

#include "common/mime/mime_convert.h"

/* In pieces of STEP octets.  PLAN is to be cleared by the caller; OUT gets
 * nothing when it says why not. */
void whole_convert(struct span message, size_t step, struct mime_plan *plan,
    struct buf *out);

/* The bodies of all leaves, decoded, each behind its number of octets. */
void whole_leaves(struct span message, struct buf *out);

/* No octet above 127, no NUL, no CR or LF alone. */
bool whole_is_7bit(struct span s);

size_t whole_longest_line(struct span s);	/* without CRLF */

#endif
