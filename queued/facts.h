/*
 * What the rules of `routes` ask about a message, from what is stored of it:
 * the same facts whenever its way is looked for, so that only a reload or an
 * operator changes it.
 */
#ifndef MTAD_QUEUED_FACTS_H
#define MTAD_QUEUED_FACTS_H

#include "common/mail/envelope.h"
#include "queued/queued.h"
#include "queued/store/store_message.h"

struct store_submission;

/* All but the recipient; spans lie in the message.  Of an envelope that is
 * damaged all the same only the sender is known. */
struct route_facts facts_of(const struct queued *q,
    const struct store_message *m);

/* The same of a message that is about to be stored; BODY_BYTES of it are, or
 * will be, in the spool. */
struct route_facts facts_of_submission(const struct envelope *e,
    const struct store_submission *sub, uint64_t body_bytes);

#endif
