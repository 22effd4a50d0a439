/*
 * Mail from smtpd: submissions, large bodies, questions about tokens.
 *
 * The answer to a submission leaves when its group is synced (I-01).  smtpd is
 * not trusted: whatever it sends is checked, and refused or costs it its
 * channel, never a message of others.
 */
#ifndef MTAD_QUEUED_INTAKE_H
#define MTAD_QUEUED_INTAKE_H

#include "queued/queued.h"

/* Recipients of a message that came in one piece; more come as a list. */
enum { INTAKE_RECIPIENTS_MAX = 10000, INTAKE_ENVELOPE_MAX = 1024 * 1024 };

/* Submit frames that one smtpd may have on their way. */
enum { INTAKE_CREDIT = 8 * 1024 * 1024 };

void intake_open(struct queued *q, struct queued_peer *peer);
void intake_msg(struct queued *q, struct queued_peer *peer,
    const struct msg *m);
void intake_gone(struct queued *q, struct queued_peer *peer);

/* The effects of a submission: the answer, and its units to the planner. */
void intake_synced(struct queued *q, const struct effect *effect);

/* From the store. */
void intake_refused(struct queued *q, uint64_t token, uint64_t id);
void intake_body(struct queued *q, uint64_t token, uint64_t bytes,
    bool is_closed, enum err e);
void intake_token(struct queued *q, uint64_t token, uint64_t id);

/* Tells all smtpds what the spool can take. */
void intake_tell_room(struct queued *q);

/* Replayed tokens are forgotten after an hour. */
void intake_forget_tokens(struct queued *q);
void intake_clear(struct queued *q);

/* The unit key of a recipient (store_submission.key_of). */
struct intake_keys {
	struct queued *q;
	struct route_facts facts;	/* but for the recipient */
	uint32_t flags;			/* enum envelope_flag; of TLS */
	bool is_list;			/* what stands for its recipients */
};
struct span intake_key_of(void *ctx, struct span recipient);

#endif
