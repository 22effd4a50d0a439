/*
 * The name of a message in its queue: 64 bits, shown as 13 lower-case
 * characters that sort as the numbers do.
 */
#ifndef MTAD_MAIL_QUEUE_ID_H
#define MTAD_MAIL_QUEUE_ID_H

#include "common/base/err.h"
#include "common/base/span.h"

#define QUEUE_ID_LENGTH	13
#define QUEUE_ID_SIZE	(QUEUE_ID_LENGTH + 1)

/* Writes the text and a NUL. */
void queue_id_format(uint64_t id, char out[QUEUE_ID_SIZE]);

/* Exactly one id, in either case.  ERR_SYNTAX. */
enum err queue_id_parse(struct span s, uint64_t *out);

#endif
