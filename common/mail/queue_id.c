/*
 * The alphabet is b32.h's.  An id is read in either case, because people copy
 * it from logs and reports by hand.
 */
#include "common/mail/queue_id.h"

#include "common/base/b32.h"

_Static_assert(QUEUE_ID_LENGTH == B32_LENGTH, "an id is one base32 number");

void
queue_id_format(uint64_t id, char out[QUEUE_ID_SIZE])
{
	b32_encode(id, out);
	out[QUEUE_ID_LENGTH] = '\0';
}

enum err
queue_id_parse(struct span s, uint64_t *out)
{
	return b32_decode(s, out);
}
