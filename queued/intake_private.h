/*
 * What intake.c and intake_stream.c share: who asked, and how he is answered.
 */
#ifndef MTAD_QUEUED_INTAKE_PRIVATE_H
#define MTAD_QUEUED_INTAKE_PRIVATE_H

#include "queued/intake.h"
#include "queued/store/store_write.h"

/* Who submitted something, and the credit that its frame cost. */
struct intake_origin {
	uint64_t instance;
	uint32_t bytes;
	uint16_t peer;
};

/* BYTES: what goes back to it as credit with the answer. */
struct intake_origin intake_origin_of(const struct queued_peer *peer,
    size_t bytes);

/* To a smtpd; it may be gone. */
void intake_send(struct queued_peer *peer, const struct msg *m);

/* The answer to a submission. */
void intake_send_result(struct queued *q, struct intake_origin to,
    uint64_t token, uint8_t result, uint64_t id);
uint8_t intake_result_of(enum err e);

/* Into the open group; the answer follows its sync.  BODY_BYTES: of the body,
 * wherever it is. */
enum err intake_submit(struct queued *q, struct intake_origin from,
    struct store_submission *sub, uint64_t body_bytes);

/* intake_stream.c: frames about large bodies and lists */
void intake_stream_msg(struct queued *q, struct queued_peer *peer,
    const struct msg *m);
void intake_stream_clear(struct queued *q);

#endif
