/*
 * Content of a message while it comes: behind 354, or in the chunks of BDAT.
 * Inside the engine.
 */
#ifndef MTAD_SMTPD_ENGINE_RX_CONTENT_H
#define MTAD_SMTPD_ENGINE_RX_CONTENT_H

#include "common/mail/header.h"
#include "common/mail/header_notes.h"
#include "common/mail/parts_scan.h"
#include "common/mail/submit_head.h"
#include "common/mail/tls_field.h"
#include "common/mail/trace_scan.h"
#include "common/smtp/smtp_dots_in.h"
#include "smtpd/engine/rx.h"
#include "smtpd/engine/rx_reply.h"
#include "smtpd/engine/rx_table.h"

/* Lives from DATA to its end. */
struct rx_content {
	struct smtp_dots_in dots;
	struct header_scan header;
	struct trace_scan trace;
	struct tls_field tls_field;
	struct header_notes notes;	/* for rules that ask them */
	struct submit_head submitted;	/* where users hand in */
	struct parts_scan parts;	/* of a message with SMTPUTF8 */
	uint64_t raw_bytes;		/* as they came, discarded ones too */
	enum rx_reply_id refusal;	/* of the content, told at its end */
};

/* Lives from BDAT to the last octet of its chunk. */
struct rx_chunk {
	uint64_t bytes;
	uint64_t left;			/* to come */
	bool is_last;
	bool is_ended;			/* the content is whole */
	enum rx_state back;		/* the state it came in ... */
	enum rx_reply_id refusal;	/* ... for which it was wrong, or NONE */
};

/* From 354 to its end. */
void rx_body_begin(struct rx *rx);
void rx_body_refuse(struct rx *rx, enum rx_reply_id why);
enum rx_act rx_body_step(struct rx *rx, struct span in, size_t *taken,
    struct buf *body, struct buf *out);

/* ... and from BDAT to the end of its chunk.  TOO_MUCH: of what is read only to
 * be thrown away, it would be. */
void rx_chunks_begin(struct rx *rx);
bool rx_chunk_is_too_much(const struct rx *rx, uint64_t bytes);
enum rx_act rx_chunk_step(struct rx *rx, struct span in, size_t *taken,
    struct buf *body, struct buf *out);

#endif
